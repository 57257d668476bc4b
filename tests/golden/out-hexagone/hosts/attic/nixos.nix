# attic: what host.toml and its modules say below [nixos]
# Written by hostwright from hosts/attic/host.toml; changes here are lost.
{ lib, ... }:

{
  services.journald.extraConfig = lib.mkDefault "SystemMaxUse=2G\n";
  nix = {
    gc.automatic = lib.mkDefault false;
    settings.auto-optimise-store = lib.mkDefault true;
  };
}
