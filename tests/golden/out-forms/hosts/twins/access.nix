# twins: who may log in
# Written by hostwright from hosts/twins/host.toml; changes here are lost.
{ lib, pkgs, ... }:

{
  services.openssh = {
    enable = true;
    ports = [ 2222 ];
    openFirewall = false;
    settings = {
      X11Forwarding = lib.mkDefault false;
      AllowAgentForwarding = lib.mkDefault false;
      LoginGraceTime = lib.mkDefault 30;
      PermitRootLogin = "prohibit-password";
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
    };
    listenAddresses = [
      {
        addr = "192.0.2.10";
        port = 2222;
      }
      {
        addr = "2001:db8::10";
        port = 2222;
      }
    ];
  };
  users = {
    mutableUsers = lib.mkDefault false;
    users = {
      root.openssh.authorizedKeys.keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA a@b"
      ];
      ann = {
        isNormalUser = true;
        uid = 1001;
        extraGroups = [
          "wheel"
          "video"
        ];
        shell = pkgs.zsh;
        home = "/home/deep/ann";
        openssh.authorizedKeys.keys = [
          "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA ann@b"
        ];
      };
      robot = {
        isSystemUser = true;
        group = "robot";
      };
    };
    groups.robot = { };
  };
  programs.zsh.enable = lib.mkDefault true;
  security.sudo.extraRules = [
    {
      users = [ "ann" ];
      commands = [
        {
          command = "ALL";
          options = [ "NOPASSWD" ];
        }
      ];
    }
  ];
}
