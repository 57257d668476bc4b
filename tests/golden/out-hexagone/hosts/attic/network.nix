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
  systemd.network = {
    enable = true;
    networks."10-lan" = {
      matchConfig.PermanentMACAddress = "7c:83:34:b1:5e:02";
      networkConfig = {
        DHCP = "yes";
        IPv6AcceptRA = true;
      };
      linkConfig.RequiredForOnline = "routable";
    };
    wait-online.timeout = lib.mkDefault 60;
  };
}
