# attic: everything
# Written by hostwright from hosts/attic/host.toml; changes here are lost.
# backups of the household
{ lib, ... }:

{
  imports = [
    ./boot.nix
    ./disks.nix
    ./network.nix
    ./access.nix
    ./nixos.nix
    ./reboot-test.nix
  ];
  networking.hostName = "attic";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";
  time.timeZone = lib.mkDefault "UTC";
  i18n.defaultLocale = lib.mkDefault "en_US.UTF-8";
}
