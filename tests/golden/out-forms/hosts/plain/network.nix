# plain: interfaces, names, firewall
# Written by hostwright from hosts/plain/host.toml; changes here are lost.
{ lib, ... }:

{
  networking = {
    domain = "example.org";
    useNetworkd = true;
    useDHCP = false;
    firewall.enable = false;
  };
  systemd.network = {
    enable = true;
    networks = {
      "10-net" = {
        matchConfig.Name = "en*";
        networkConfig = {
          DHCP = "yes";
          IPv6AcceptRA = true;
        };
        linkConfig.RequiredForOnline = "routable";
      };
      "10-other" = {
        matchConfig.Name = "eth9";
        address = [ "2001:db8::2/64" ];
        gateway = [ "2001:db8::1" ];
        networkConfig = {
          DHCP = "no";
          IPv6AcceptRA = false;
        };
        linkConfig.RequiredForOnline = "routable";
      };
    };
    wait-online = {
      timeout = lib.mkDefault 60;
      anyInterface = lib.mkDefault true;
    };
  };
}
