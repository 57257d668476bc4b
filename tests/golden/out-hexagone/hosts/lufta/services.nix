# lufta: services and virtual hosts
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{
  config,
  lib,
  pkgs,
  ...
}:

{
  services = {
    gitea = {
      enable = true;
      appName = "tulpa.dev: git in plurality";
      settings = {
        server = {
          DOMAIN = "tulpa.dev";
          ROOT_URL = "https://tulpa.dev/";
          HTTP_ADDR = "127.0.0.1";
          HTTP_PORT = 3001;
        };
        service.DISABLE_REGISTRATION = true;
      };
    };
    postgresql.enable = true;
    miniflux = {
      enable = true;
      adminCredentialsFile = "/etc/credstore/miniflux-admin";
      config = {
        BASE_URL = "https://feeds.tulpa.dev/";
        LISTEN_ADDR = "127.0.0.1:8080";
      };
    };
    nginx = {
      enable = true;
      recommendedGzipSettings = lib.mkDefault true;
      recommendedOptimisation = lib.mkDefault true;
      recommendedProxySettings = lib.mkDefault true;
      recommendedTlsSettings = lib.mkDefault true;
      virtualHosts = {
        "tulpa.dev" = {
          enableACME = true;
          forceSSL = true;
          locations."/" = {
            proxyPass = "http://127.0.0.1:3001";
            proxyWebsockets = true;
            extraConfig = "client_max_body_size 536870912;\n";
          };
        };
        "www.tulpa.dev" = {
          enableACME = true;
          forceSSL = true;
          locations."/" = {
            root = "/var/www/tulpa.dev";
            index = "index.html";
          };
        };
        "feeds.tulpa.dev" = {
          enableACME = true;
          forceSSL = true;
          locations."/" = {
            proxyPass = "http://127.0.0.1:8080";
            proxyWebsockets = true;
          };
        };
        "music.tulpa.dev" = {
          enableACME = true;
          forceSSL = true;
          locations."/" = {
            proxyPass = "http://127.0.0.1:4533";
            proxyWebsockets = true;
          };
        };
        "h.tulpa.dev" = {
          enableACME = true;
          forceSSL = true;
          locations."/" = {
            proxyPass = "http://127.0.0.1:25000";
            proxyWebsockets = true;
          };
        };
      };
    };
  };
  systemd = {
    services = {
      gitea = {
        unitConfig.RequiresMountsFor = [ "/var/lib/gitea" ];
        serviceConfig.MemoryMax = "1073741824";
      };
      gitea-ready = {
        path = [ pkgs.curl ];
        script = ''
          timeout=300
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:3001/api/healthz; do
            if [ "$SECONDS" -ge "$timeout" ]; then
              echo gitea 'did not answer in time' >&2
              exit 1
            fi
            sleep 2
          done
        '';
        description = "gitea answers";
        after = [ "gitea.service" ];
        bindsTo = [ "gitea.service" ];
        wantedBy = [ "gitea.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          TimeoutStartSec = 330;
        };
      };
      gitea-health = {
        path = [ pkgs.curl ];
        script = ''
          # What does not run, or has not answered yet since it started, is not asked.
          if ! systemctl is-active --quiet -- gitea-ready.service; then
            exit 0
          fi
          tries=0
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:3001/api/healthz; do
            tries=$((tries + 1))
            if [ "$tries" -ge 3 ]; then
              echo gitea 'does not answer: it is started anew' >&2
              systemctl try-restart -- gitea.service
              exit 1
            fi
            sleep 60
          done
        '';
        description = "gitea still answers";
        after = [ "gitea.service" ];
        serviceConfig.Type = "oneshot";
      };
      postgresql.unitConfig.RequiresMountsFor = [ "/var/lib/postgresql" ];
      postgresql-ready = {
        path = [ pkgs.bash ];
        script = ''
          timeout=120
          until timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/5432'; do
            if [ "$SECONDS" -ge "$timeout" ]; then
              echo postgresql 'did not answer in time' >&2
              exit 1
            fi
            sleep 2
          done
        '';
        description = "postgresql answers";
        after = [ "postgresql.service" ];
        bindsTo = [ "postgresql.service" ];
        wantedBy = [ "postgresql.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          TimeoutStartSec = 150;
        };
      };
      miniflux.after = [
        "postgresql.service"
        "postgresql-ready.service"
        "postgresql.target"
      ];
      miniflux-ready = {
        path = [ pkgs.curl ];
        script = ''
          timeout=300
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:8080/healthcheck; do
            if [ "$SECONDS" -ge "$timeout" ]; then
              echo miniflux 'did not answer in time' >&2
              exit 1
            fi
            sleep 2
          done
        '';
        description = "miniflux answers";
        after = [ "miniflux.service" ];
        bindsTo = [ "miniflux.service" ];
        wantedBy = [ "miniflux.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          TimeoutStartSec = 330;
        };
      };
      miniflux-health = {
        path = [ pkgs.curl ];
        script = ''
          # What does not run, or has not answered yet since it started, is not asked.
          if ! systemctl is-active --quiet -- miniflux-ready.service; then
            exit 0
          fi
          tries=0
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:8080/healthcheck; do
            tries=$((tries + 1))
            if [ "$tries" -ge 3 ]; then
              echo miniflux 'does not answer: it is started anew' >&2
              systemctl try-restart -- miniflux.service
              exit 1
            fi
            sleep 60
          done
        '';
        description = "miniflux still answers";
        after = [ "miniflux.service" ];
        serviceConfig.Type = "oneshot";
      };
      podman-navidrome = {
        unitConfig.RequiresMountsFor = [
          "/var/lib/navidrome"
          "/home/music"
        ];
        after = [ "podman-network-services.service" ];
        requires = [ "podman-network-services.service" ];
      };
      navidrome-ready = {
        path = [ pkgs.curl ];
        script = ''
          timeout=120
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:4533/ping; do
            if [ "$SECONDS" -ge "$timeout" ]; then
              echo navidrome 'did not answer in time' >&2
              exit 1
            fi
            sleep 2
          done
        '';
        description = "navidrome answers";
        after = [ "podman-navidrome.service" ];
        bindsTo = [ "podman-navidrome.service" ];
        wantedBy = [ "podman-navidrome.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          TimeoutStartSec = 150;
        };
      };
      navidrome-health = {
        path = [ pkgs.curl ];
        script = ''
          # What does not run, or has not answered yet since it started, is not asked.
          if ! systemctl is-active --quiet -- navidrome-ready.service; then
            exit 0
          fi
          tries=0
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:4533/ping; do
            tries=$((tries + 1))
            if [ "$tries" -ge 3 ]; then
              echo navidrome 'does not answer: it is started anew' >&2
              systemctl try-restart -- podman-navidrome.service
              exit 1
            fi
            sleep 60
          done
        '';
        description = "navidrome still answers";
        after = [ "podman-navidrome.service" ];
        serviceConfig.Type = "oneshot";
      };
      hlang-ready = {
        path = [ pkgs.curl ];
        script = ''
          timeout=60
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:25000/; do
            if [ "$SECONDS" -ge "$timeout" ]; then
              echo hlang 'did not answer in time' >&2
              exit 1
            fi
            sleep 2
          done
        '';
        description = "hlang answers";
        after = [ "podman-hlang.service" ];
        bindsTo = [ "podman-hlang.service" ];
        wantedBy = [ "podman-hlang.service" ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          TimeoutStartSec = 90;
        };
      };
      podman-network-services = {
        description = "Network services of containers";
        path = [ config.virtualisation.podman.package ];
        script = "podman network exists services || podman network create services";
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
        };
      };
      podman-hlang = {
        after = [ "podman-network-services.service" ];
        requires = [ "podman-network-services.service" ];
      };
    };
    timers = {
      gitea-health = {
        timerConfig = {
          OnActiveSec = 300;
          OnUnitInactiveSec = 60;
        };
        wantedBy = [ "timers.target" ];
      };
      miniflux-health = {
        timerConfig = {
          OnActiveSec = 60;
          OnUnitInactiveSec = 60;
        };
        wantedBy = [ "timers.target" ];
      };
      navidrome-health = {
        timerConfig = {
          OnActiveSec = 60;
          OnUnitInactiveSec = 60;
        };
        wantedBy = [ "timers.target" ];
      };
    };
    tmpfiles.settings.hostwright-services = {
      "/var/www/tulpa.dev".d = {
        group = "root";
        mode = "0750";
        user = "root";
      };
      "/var/lib/navidrome".d = {
        group = "1000";
        mode = "0750";
        user = "1000";
      };
      "/home/music".d = {
        group = "1000";
        mode = "0750";
        user = "1000";
      };
    };
  };
  virtualisation.oci-containers = {
    backend = lib.mkDefault "podman";
    containers = {
      navidrome = {
        image = "docker.io/deluan/navidrome:0.58.0@sha256:2ae037d464de9f802d047165a13b1c9dc2bdbb14920a317ae4aef1233adc0a3c";
        user = "1000:1000";
        environment = {
          ND_SCANSCHEDULE = "1h";
          ND_LOGLEVEL = "info";
        };
        ports = [ "127.0.0.1:4533:4533/tcp" ];
        volumes = [
          "/var/lib/navidrome:/data"
          "/home/music:/music:ro"
        ];
        extraOptions = [
          "--network=services"
          "--memory=1073741824b"
        ];
      };
      hlang = {
        image = "ghcr.io/xe/x/h:v1.1.8@sha256:8a0c1d44b3f7c2b1f7c6f0a2f5d9f3e86bb4f3a1f0f6e8f7a51d0a6f3d2b4c19";
        user = "1000:1000";
        environment.PORT = "5000";
        ports = [ "127.0.0.1:25000:5000/tcp" ];
        extraOptions = [
          "--network=services"
          "--security-opt=no-new-privileges"
          "--memory=134217728b"
        ];
      };
    };
  };
  networking.firewall.interfaces."podman*" = {
    allowedUDPPorts = [ 53 ];
    allowedTCPPorts = [ 53 ];
  };
  security.acme = {
    acceptTerms = true;
    defaults.email = "acme@tulpa.dev";
  };
}
