# attic: what makes a boot that fails lead back
# Written by hostwright from hosts/attic/host.toml; changes here are lost.
{ config, lib, ... }:

{
  boot = {
    kernelParams = [
      "panic=30"
      "oops=panic"
      "spl.spl_panic_halt=1"
      "boot.panic_on_fail"
      "systemd.crash_action=reboot"
    ];
    initrd = {
      availableKernelModules = [
        "i2c_i801"
        "iTCO_wdt"
        "lpc_ich"
      ];
      systemd = {
        settings.Manager.RuntimeWatchdogSec = lib.mkDefault "1min";
        services.hostwright-deadman = {
          wantedBy = [ "sysinit.target" ];
          unitConfig = {
            DefaultDependencies = false;
            ConditionKernelCommandLine = "hostwright.trial";
          };
          script = ''
            sleep 300
            echo 'hostwright: this trial boot is stuck in stage 1' > /dev/kmsg || true
            # A panic, not a reset: it leaves a trace in pstore, and the command line makes it a reboot.
            echo c > /proc/sysrq-trigger
          '';
        };
      };
      preDeviceCommands = lib.mkIf (!config.boot.initrd.systemd.enable) ''
        case " $(cat /proc/cmdline) " in
        *' hostwright.trial'*)
          (
            sleep 300
            echo 'hostwright: this trial boot is stuck in stage 1' > /dev/kmsg || true
            # A panic, not a reset: it leaves a trace in pstore, and the command line makes it a reboot.
            echo c > /proc/sysrq-trigger
          ) &
          ;;
        esac
      '';
    };
  };
  systemd = {
    settings.Manager = {
      RuntimeWatchdogSec = lib.mkDefault "1min";
      RebootWatchdogSec = lib.mkDefault "10min";
    };
    enableEmergencyMode = false;
    timers.hostwright-deadman = {
      wantedBy = [ "sysinit.target" ];
      unitConfig.DefaultDependencies = false;
      timerConfig = {
        OnBootSec = "600s";
        AccuracySec = "1s";
      };
    };
    services.hostwright-deadman = {
      description = "resets a trial boot that nobody confirms";
      unitConfig.DefaultDependencies = false;
      restartIfChanged = false;
      serviceConfig.Type = "oneshot";
      script = ''
        # Trial boots carry a word on the command line. The last good generation of a host that hostwright did not compile
        # cannot give them one: there the profiles tell.
        is_trial() {
          local trial system
          case " $(cat /proc/cmdline) " in
            *' hostwright.trial'*) return 0 ;;
          esac
          [ -e /nix/var/nix/profiles/system-profiles/hostwright ] || return 1
          trial=$(readlink -f /nix/var/nix/profiles/system-profiles/hostwright)
          system=$(readlink -f /nix/var/nix/profiles/system)
          [ "$(readlink -f /run/booted-system)" = "$trial" ] && [ "$trial" != "$system" ]
        }
        if [ -e /run/hostwright/confirmed ] || ! is_trial; then
          exit 0
        fi
        echo 'hostwright: nobody has confirmed this trial boot, going back to the last good generation'
        # Behind it, since it may fail or wait for a bus that never comes, and the script ends at what fails.
        systemctl --no-block reboot &
        # Longer than a clean stop takes; this script goes on until the last process is killed.
        sleep 120
        echo s > /proc/sysrq-trigger
        sleep 5
        echo b > /proc/sysrq-trigger
      '';
    };
    targets.hostwright-bare = {
      description = "a trial boot without services: mounts, network and ssh";
      requires = [ "sysinit.target" ];
      wants = [
        "dbus.socket"
        "firewall.service"
        "hostwright-deadman.timer"
        "nftables.service"
        "nix-daemon.socket"
        "sshd.service"
        "sshd.socket"
        "systemd-networkd.service"
        "systemd-resolved.service"
        "systemd-user-sessions.service"
      ];
      after = [ "sysinit.target" ];
      unitConfig.AllowIsolate = true;
    };
  };
  environment.etc."hostwright/loader".source = config.system.build.installBootLoader;
  system.preSwitchChecks.hostwright = ''
    # $1 is the generation to come, $2 what is to be done with it. One that changes what the machine boots through becomes the
    # default only after a reboot test (`hostwright reboot-test`).
    new=$(readlink -f "$1")
    booted=/run/booted-system
    case "''${2-}" in
      switch | boot) ;;
      *) exit 0 ;;
    esac
    # No booted NixOS: this is an installation.
    if [ ! -e "$booted" ] || [ "''${HOSTWRIGHT_UNTESTED-}" = 1 ]; then
      exit 0
    fi
    if [ "$(readlink -f "$booted")" = "$new" ] || [ -e /var/lib/hostwright/verdicts/"''${new##*/}" ]; then
      exit 0
    fi
    if [ "$(readlink -f /nix/var/nix/gcroots/hostwright-last-good)" = "$new" ]; then
      exit 0
    fi
    part_of() {
      if [ -e "$1" ]; then readlink -f "$1"; else echo none; fi
    }
    changed=
    for part in kernel kernel-modules initrd etc/hostwright/loader sw/bin/zpool; do
      if [ "$(part_of "$booted/$part")" != "$(part_of "$new/$part")" ]; then
        changed="$changed $part"
      fi
    done
    if ! cmp -s "$booted/kernel-params" "$new/kernel-params"; then
      changed="$changed kernel-params"
    fi
    if [ -n "$changed" ]; then
      echo "hostwright: $new boots through other parts than the running generation, and no reboot test has proven it:"
      echo "hostwright:  $changed"
      echo 'hostwright: run the reboot test from the deployer, or set HOSTWRIGHT_UNTESTED=1.'
      echo 'hostwright: where the environment is not passed on (nixos-rebuild), NIXOS_NO_CHECK=1 skips all such checks.'
      exit 1
    fi
  '';
}
