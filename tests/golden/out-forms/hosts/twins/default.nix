# twins: everything
# Written by hostwright from hosts/twins/host.toml; changes here are lost.
{ ... }:

{
  imports = [
    ./boot.nix
    ./disks.nix
    ./network.nix
    ./access.nix
    ./services.nix
    ./nixos.nix
    ./reboot-test.nix
    ./user/extra.nix
  ];
  networking.hostName = "twins";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05";
  time.timeZone = "Europe/Helsinki";
  i18n.defaultLocale = "de_DE.UTF-8";
}
