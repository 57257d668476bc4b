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
      allowedUDPPorts = [ 51820 ];
      interfaces.wg0.allowedTCPPorts = [
        9100
        9134
      ];
    };
    nftables.enable = true;
  };
  systemd = {
    network = {
      enable = true;
      networks = {
        "10-uplink" = {
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
        "10-wg0" = {
          matchConfig.Name = "wg0";
          address = [ "10.77.3.1/24" ];
          networkConfig = {
            DHCP = "no";
            IPv6AcceptRA = false;
          };
          linkConfig.RequiredForOnline = "no";
        };
      };
      netdevs."10-wg0" = {
        netdevConfig = {
          Name = "wg0";
          Kind = "wireguard";
        };
        wireguardConfig = {
          PrivateKeyFile = "/run/credentials/systemd-networkd.service/wireguard";
          ListenPort = 51820;
        };
        wireguardPeers = [
          {
            PublicKey = "DR4Zyp+gm4MET6h9mg2mwjJwTWJjYjObGk5mYxQ2yBA=";
            AllowedIPs = [ "10.77.3.2/32" ];
          }
        ];
      };
      wait-online.timeout = lib.mkDefault 60;
    };
    services.systemd-networkd.serviceConfig.LoadCredential = [ "wireguard" ];
  };
}
