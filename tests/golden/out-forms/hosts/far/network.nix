# far: interfaces, names, firewall
# Written by hostwright from hosts/far/host.toml; changes here are lost.
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
    networks."10-end0" = {
      matchConfig.Name = "end0";
      networkConfig = {
        DHCP = "yes";
        IPv6AcceptRA = true;
      };
      linkConfig.RequiredForOnline = "routable";
    };
    wait-online.timeout = lib.mkDefault 60;
  };
}
