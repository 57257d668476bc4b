# both: interfaces, names, firewall
# Written by hostwright from hosts/both/host.toml; changes here are lost.
{ lib, ... }:

{
  networking = {
    domain = "example.org";
    useNetworkd = true;
    useDHCP = false;
    firewall.enable = lib.mkDefault true;
    nftables.enable = true;
  };
  systemd.network = {
    enable = true;
    networks."10-cable" = {
      matchConfig.Path = "pci-0000:00:1f.6";
      networkConfig = {
        DHCP = "ipv6";
        IPv6AcceptRA = true;
      };
      linkConfig.RequiredForOnline = "routable";
    };
    wait-online.timeout = lib.mkDefault 60;
  };
}
