# lufta: everything
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
# git forge, feeds and music
{ lib, ... }:

{
  imports = [
    ./boot.nix
    ./disks.nix
    ./network.nix
    ./access.nix
    ./services.nix
    ./backup.nix
    ./monitoring.nix
    ./nixos.nix
    ./reboot-test.nix
  ];
  networking.hostName = "lufta";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";
  time.timeZone = lib.mkDefault "UTC";
  i18n.defaultLocale = lib.mkDefault "en_US.UTF-8";
}
