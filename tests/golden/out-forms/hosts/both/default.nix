# both: everything
# Written by hostwright from hosts/both/host.toml; changes here are lost.
# carried from machine to machine
{ lib, ... }:

{
  imports = [
    ./boot.nix
    ./disks.nix
    ./network.nix
    ./access.nix
    ./reboot-test.nix
  ];
  networking.hostName = "both";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";
  time.timeZone = lib.mkDefault "UTC";
  i18n.defaultLocale = lib.mkDefault "en_US.UTF-8";
}
