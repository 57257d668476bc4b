# plain: everything
# Written by hostwright from hosts/plain/host.toml; changes here are lost.
{ lib, ... }:

{
  imports = [
    ./boot.nix
    ./disks.nix
    ./network.nix
    ./access.nix
    ./reboot-test.nix
  ];
  networking.hostName = "plain";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";
  time.timeZone = lib.mkDefault "UTC";
  i18n.defaultLocale = lib.mkDefault "en_US.UTF-8";
}
