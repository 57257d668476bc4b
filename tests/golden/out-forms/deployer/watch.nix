# The deployer looks at the hosts of the fleet forms on a timer. Written by hostwright; changes here are lost.
#
# Import it on the deployer, which is any NixOS machine, and say where the fleet and the program are.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.hostwright-watch;
  file = lib.types.strMatching "/[A-Za-z0-9._/+-]*";
  # Unit files expand specifiers.
  plain = builtins.replaceStrings [ "%" ] [ "%%" ];
  # The key that systemd hands over, and behind it what the account and the machine say about ssh.
  sshConfig = pkgs.writeText "hostwright-watch-ssh-config" ''
    IdentityFile ''${CREDENTIALS_DIRECTORY}/ssh-key
    IdentitiesOnly yes
    Include ~/.ssh/config
    Include /etc/ssh/ssh_config
  '';
  words = [
    "hostwright"
    "--fleet"
    cfg.fleet
    "watch"
  ]
  ++ lib.optional cfg.drills "--drills"
  ++ lib.optionals (cfg.sshKeyFile != null) [
    "--ssh-config"
    "${sshConfig}"
  ]
  ++ cfg.hosts;
in
{
  options.services.hostwright-watch = {
    package = lib.mkOption {
      type = lib.types.package;
      description = "The package of hostwright.";
    };
    fleet = lib.mkOption {
      type = file;
      example = "/srv/fleet";
      description = "The folder of the fleet on this machine. What is found is written below state/ in it.";
    };
    user = lib.mkOption {
      type = lib.types.strMatching "[a-z_][a-z0-9_-]*";
      default = "root";
      description = "The account that looks, the same that deploys: it reads the fleet and writes its state/, and its ssh key opens the hosts.";
    };
    hosts = lib.mkOption {
      type = lib.types.listOf (lib.types.strMatching "[a-z0-9][a-z0-9-]*");
      default = [ ];
      description = "The hosts to look at. All of them when it is empty.";
    };
    drills = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether restore drills that failed, are overdue or never passed are run, beside being reported.";
    };
    sshKeyFile = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "/etc/credstore/hostwright-ssh-key";
      description = "A private ssh key that opens the hosts, as a file that root can read. The account's own keys when it is null.";
    };
    webhookFile = lib.mkOption {
      type = lib.types.str;
      example = "/etc/credstore/chat";
      description = "The file with the URL of the webhook, which root can read. Only the service sees a copy.";
    };
  };

  config = {
    systemd.tmpfiles.rules = [ "d ${cfg.fleet}/state :0700 :${cfg.user} - -" ];

    systemd.services.hostwright-watch = {
      description = "Drift and restore drills of the fleet forms";
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      path = [
        cfg.package
        pkgs.openssh
        pkgs.curl
      ];
      script = "exec ${lib.escapeShellArgs words}";
      serviceConfig = {
        Type = "oneshot";
        User = cfg.user;
        UMask = "0077";
        # 1 says that something was found, which was told to whoever is to hear of it. 3 says that it could not be told.
        SuccessExitStatus = [ 1 ];
        LoadCredential = lib.optional (cfg.sshKeyFile != null) "ssh-key:${plain cfg.sshKeyFile}" ++ [
          ("chat" + ":" + plain cfg.webhookFile)
        ];
        PrivateTmp = true;
        ProtectHome = "read-only";
        ProtectControlGroups = true;
        ReadWritePaths = [ "${cfg.fleet}/state" ];
        # Whoever queues mail here writes to its own spool and may do so by a set-group-ID program.
        ProtectSystem = "full";
      };
    };

    systemd.timers.hostwright-watch = {
      description = "Drift and restore drills of the fleet forms";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = "Mon..Fri *-*-* 04:30";
        Persistent = true;
        RandomizedDelaySec = "15min";
      };
    };
  };
}
