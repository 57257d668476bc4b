# twins: what host.toml and its modules say below [nixos]
# Written by hostwright from hosts/twins/host.toml; changes here are lost.
{ lib, pkgs, ... }:

{
  services = {
    journald.extraConfig = lib.mkDefault "SystemMaxUse=2G\n";
    openssh.settings.MaxAuthTries = lib.mkForce 3;
    postgresql.package = pkgs.postgresql_17;
  };
  nix = {
    gc.automatic = lib.mkDefault false;
    settings.auto-optimise-store = lib.mkDefault true;
  };
  programs.zsh.enable = true;
  environment.systemPackages = [
    pkgs.vim
    (pkgs.hello.override { })
  ];
  boot.loader.timeout = 3;
  networking.firewall.allowedTCPPorts = lib.mkBefore [ 9999 ];
}
