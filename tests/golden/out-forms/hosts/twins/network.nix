# twins: interfaces, names, firewall
# Written by hostwright from hosts/twins/host.toml; changes here are lost.
{ lib, ... }:

{
  networking = {
    domain = "example.org";
    useNetworkd = true;
    useDHCP = false;
    nameservers = [
      "192.0.2.53"
      "2001:db8::53"
    ];
    search = [ "example.org" ];
    hosts."192.0.2.7" = [
      "nas"
      "nas.example.org"
    ];
    firewall = {
      enable = lib.mkDefault true;
      allowPing = false;
      allowedTCPPorts = [
        22
        2022
      ];
      allowedTCPPortRanges = [
        {
          from = 8000;
          to = 8010;
        }
      ];
      allowedUDPPorts = [
        51820
        7000
      ];
      interfaces.wan = {
        allowedTCPPorts = [ 8443 ];
        allowedUDPPortRanges = [
          {
            from = 60000;
            to = 61000;
          }
        ];
      };
      trustedInterfaces = [ "enp3s0" ];
    };
    nftables = {
      enable = true;
      tables.hostwright-no-echo = {
        family = "inet";
        content = ''
          chain input {
            type filter hook input priority filter - 1; policy accept;
            iifname != "lo" icmpv6 type echo-request drop
          }
        '';
      };
    };
  };
  systemd.network = {
    enable = true;
    networks = {
      "10-wan" = {
        matchConfig.PermanentMACAddress = "02:00:00:00:00:01";
        address = [
          "192.0.2.10/32"
          "2001:db8::10/128"
        ];
        routes = [
          {
            Gateway = "198.51.100.1";
            GatewayOnLink = true;
          }
          {
            Gateway = "fe80::1";
            Metric = 10;
          }
          {
            Destination = "10.0.0.0/8";
            Gateway = "192.0.2.1";
            GatewayOnLink = true;
            Metric = 5;
          }
          {
            Destination = "203.0.113.0/24";
          }
        ];
        networkConfig = {
          DHCP = "no";
          IPv6AcceptRA = false;
        };
        linkConfig = {
          RequiredForOnline = "routable";
          MTUBytes = "1400";
          MACAddress = "02:00:00:00:00:aa";
        };
      };
      "10-inside" = {
        matchConfig.Name = "enp3s0";
        networkConfig = {
          DHCP = "ipv4";
          IPv6AcceptRA = false;
        };
        linkConfig.RequiredForOnline = "no";
      };
    };
    links."10-wan" = {
      matchConfig.PermanentMACAddress = "02:00:00:00:00:01";
      linkConfig.Name = "wan";
    };
    wait-online.timeout = lib.mkDefault 60;
  };
}
