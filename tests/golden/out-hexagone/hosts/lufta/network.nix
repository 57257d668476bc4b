# lufta: interfaces, names, firewall
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{ lib, ... }:

{
  networking = {
    useNetworkd = true;
    useDHCP = false;
    nameservers = [
      "185.12.64.1"
      "185.12.64.2"
      "2a01:4ff:ff00::add:1"
      "2a01:4ff:ff00::add:2"
    ];
    timeServers = [
      "ntp1.hetzner.de"
      "ntp2.hetzner.com"
      "ntp3.hetzner.net"
    ];
    firewall = {
      enable = lib.mkDefault true;
      allowPing = lib.mkDefault true;
      allowedTCPPorts = [
        22
        80
        443
      ];
    };
    nftables.enable = true;
  };
  systemd.network = {
    enable = true;
    networks."10-uplink" = {
      matchConfig.PermanentMACAddress = "a8:a1:59:0f:2d:69";
      address = [
        "135.181.162.99/26"
        "2a01:4f9:3a:1a1c::1/64"
      ];
      gateway = [
        "135.181.162.65"
        "fe80::1"
      ];
      networkConfig = {
        DHCP = "no";
        IPv6AcceptRA = false;
      };
      linkConfig.RequiredForOnline = "routable";
    };
    wait-online.timeout = lib.mkDefault 60;
  };
}
