# far: everything
# Written by hostwright from hosts/far/host.toml; changes here are lost.
{ lib, ... }:

{
  imports = [
    ./boot.nix
    ./disks.nix
    ./network.nix
    ./access.nix
    ./reboot-test.nix
  ];
  networking.hostName = "far";
  nixpkgs.hostPlatform = "aarch64-linux";
  system.stateVersion = "26.05";
  time.timeZone = lib.mkDefault "UTC";
  i18n.defaultLocale = lib.mkDefault "en_US.UTF-8";
}
