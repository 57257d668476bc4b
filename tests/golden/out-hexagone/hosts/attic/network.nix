# attic: interfaces, names, firewall
# Written by hostwright from hosts/attic/host.toml; changes here are lost.
{ lib, ... }:

{
  networking = {
    useNetworkd = true;
    useDHCP = false;
    firewall = {
      enable = lib.mkDefault true;
      allowPing = lib.mkDefault true;
      allowedTCPPorts = [ 22 ];
    };
    nftables.enable = true;
  };
  systemd = {
    network = {
      enable = true;
      networks = {
        "10-lan" = {
          matchConfig.PermanentMACAddress = "7c:83:34:b1:5e:02";
          networkConfig = {
            DHCP = "yes";
            IPv6AcceptRA = true;
          };
          linkConfig.RequiredForOnline = "routable";
        };
        "10-wg0" = {
          matchConfig.Name = "wg0";
          address = [ "10.77.3.2/24" ];
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
        wireguardConfig.PrivateKeyFile = "/run/credentials/systemd-networkd.service/wireguard";
        wireguardPeers = [
          {
            PublicKey = "9QXxi0ac1t3I31MJJBCaJqeHPtbUwIkQXMrIe40/s38=";
            AllowedIPs = [ "10.77.3.1/32" ];
            Endpoint = "135.181.162.99:51820";
            PersistentKeepalive = 25;
          }
        ];
      };
      wait-online.timeout = lib.mkDefault 60;
    };
    services.systemd-networkd.serviceConfig.LoadCredential = [ "wireguard" ];
  };
}
