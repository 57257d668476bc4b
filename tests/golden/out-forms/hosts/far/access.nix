# far: who may log in
# Written by hostwright from hosts/far/host.toml; changes here are lost.
{ lib, ... }:

{
  services.openssh = {
    enable = lib.mkDefault true;
    openFirewall = false;
    settings = {
      X11Forwarding = lib.mkDefault false;
      AllowAgentForwarding = lib.mkDefault false;
      LoginGraceTime = lib.mkDefault 30;
      PermitRootLogin = lib.mkDefault "prohibit-password";
      PasswordAuthentication = lib.mkDefault false;
      KbdInteractiveAuthentication = lib.mkDefault false;
    };
  };
  users = {
    mutableUsers = lib.mkDefault false;
    users.root.openssh.authorizedKeys.keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA a@b"
    ];
  };
}
