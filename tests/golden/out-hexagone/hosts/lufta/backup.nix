# lufta: backups and restore drills
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{
  config,
  lib,
  pkgs,
  ...
}:

{
  services.borgbackup.jobs.offsite = {
    paths = [
      "/home"
      "/var"
    ];
    repo = "1234@prio.ch-s012.rsync.net:lufta";
    exclude = [ "/var/cache" ];
    encryption = {
      mode = "repokey-blake2";
      passCommand = "cat -- /etc/credstore/borg-passphrase";
    };
    environment.BORG_RSH = "ssh -i /etc/credstore/borg-key -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new";
    compression = lib.mkDefault "auto,zstd";
    startAt = "*-*-* 03:30";
    persistentTimer = lib.mkDefault true;
    prune.keep = {
      daily = 7;
      weekly = 4;
      monthly = 6;
    };
  };
  systemd = {
    services = {
      hostwright-dump-offsite = {
        description = "What comes before the backup offsite";
        before = [ "borgbackup-job-offsite.service" ];
        requiredBy = [ "borgbackup-job-offsite.service" ];
        path = [
          pkgs.sqlite
          config.services.postgresql.package
          pkgs.util-linux
        ];
        script = ''
          set -euo pipefail
          umask 077
          mkdir -p -- /var/backup/offsite
          cd -- /var/backup/offsite
          # A dump that failed leaves the one before it as it is.
          sqlite3 -readonly /var/lib/gitea/data/gitea.db .dump > 0-gitea.db.new
          mv -- 0-gitea.db.new 0-gitea.db
          mkdir -p -- /var/backup/offsite
          cd -- /var/backup/offsite
          # A dump that failed leaves the one before it as it is.
          runuser -u postgres -- pg_dump --format=custom -- miniflux > miniflux.dump.new
          mv -- miniflux.dump.new miniflux.dump
        '';
        serviceConfig.Type = "oneshot";
      };
      hostwright-drill-offsite = {
        description = "Restore drill of the backup offsite";
        after = [ "network-online.target" ];
        wants = [ "network-online.target" ];
        environment = {
          BORG_REPO = "1234@prio.ch-s012.rsync.net:lufta";
          BORG_PASSCOMMAND = "cat -- /etc/credstore/borg-passphrase";
          BORG_RSH = "ssh -i /etc/credstore/borg-key -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new";
          BORG_BASE_DIR = "/var/lib/hostwright/borg";
        };
        path = [
          pkgs.borgbackup
          pkgs.diffutils
          pkgs.findutils
          pkgs.openssh
        ];
        script = ''
          # Restores into an empty folder and holds what came against what is there: a file of the same size and time must have the same bytes.
          set -euo pipefail
          umask 077
          name=offsite
          folder=$(mktemp -d "''${CACHE_DIRECTORY:-/var/tmp}/drill.XXXXXX")
          trap 'cd /; chmod -R u+rwX -- "$folder" 2>/dev/null || true; rm -rf -- "$folder"' EXIT
          cd -- "$folder"
          borg extract "::$(borg list --last 1 --format '{archive}')" var/lib/gitea
          files=$(find . -type f -printf . | wc -c)
          if [ "$files" -eq 0 ]; then
            echo "drill of $name: nothing came back" >&2
            exit 1
          fi
          paths=(/var/lib/gitea)
          for path in "''${paths[@]}"; do
            if ! [ -e ".$path" ]; then
              echo "drill of $name: $path did not come back" >&2
              exit 1
            fi
          done
          same=0 changed=0 wrong=0
          while IFS= read -r -d ''' file; do
            now=''${file#.}
            if [ -f "$now" ] && [ "$(stat -c '%s %Y' -- "$file")" = "$(stat -c '%s %Y' -- "$now")" ]; then
              if cmp -s -- "$file" "$now"; then
                same=$((same + 1))
              else
                wrong=$((wrong + 1))
                echo "drill of $name: $now came back with other bytes" >&2
              fi
            else
              changed=$((changed + 1))
            fi
          done < <(find . -type f -print0)
          if [ "$wrong" -gt 0 ]; then
            exit 1
          fi
          echo "drill of $name: $files files came back, $same the same, $changed changed or gone since"
          mkdir -p -- "''${STATE_DIRECTORY:-/var/lib/hostwright}/drills"
          date -u +%FT%TZ > "''${STATE_DIRECTORY:-/var/lib/hostwright}/drills/$name"
        '';
        serviceConfig = {
          Type = "oneshot";
          CacheDirectory = "hostwright";
          StateDirectory = "hostwright";
          Nice = 19;
          IOSchedulingClass = "idle";
        };
      };
    };
    timers.hostwright-drill-offsite = {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = "monthly";
        Persistent = true;
      };
    };
  };
  environment.systemPackages = [ pkgs.sqlite ];
}
