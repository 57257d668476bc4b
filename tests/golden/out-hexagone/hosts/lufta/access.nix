# lufta: who may log in
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{ lib, ... }:

{
  services.openssh = {
    enable = true;
    ports = lib.mkDefault [ 22 ];
    openFirewall = false;
    settings = {
      X11Forwarding = lib.mkDefault false;
      AllowAgentForwarding = lib.mkDefault false;
      LoginGraceTime = lib.mkDefault 30;
      PermitRootLogin = lib.mkDefault "prohibit-password";
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
    };
  };
  users = {
    mutableUsers = lib.mkDefault false;
    users.root.openssh.authorizedKeys.keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA cadey@shachi"
    ];
  };
}
