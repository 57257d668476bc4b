# twins: services and virtual hosts
# Written by hostwright from hosts/twins/host.toml; changes here are lost.
{ lib, pkgs, ... }:

{
  services = {
    gitea = {
      enable = true;
      package = pkgs.gitea;
      stateDir = "/home/deep/gitea";
      settings.server.HTTP_PORT = 3002;
    };
    nginx = {
      enable = true;
      recommendedGzipSettings = lib.mkDefault true;
      recommendedOptimisation = lib.mkDefault true;
      recommendedProxySettings = lib.mkDefault true;
      recommendedTlsSettings = lib.mkDefault true;
      virtualHosts = {
        "git.example.org" = {
          serverAliases = [ "code.example.org" ];
          enableACME = true;
          forceSSL = true;
          locations."/" = {
            proxyPass = "http://127.0.0.1:3002";
            extraConfig = "client_max_body_size 1073741824;\n";
          };
        };
        "plain.example.org".locations = {
          "= /git" = {
            proxyPass = "http://[::1]:3002";
            proxyWebsockets = true;
          };
          "/git/" = {
            proxyPass = "http://[::1]:3002";
            proxyWebsockets = true;
          };
        };
        "open.example.org" = {
          enableACME = true;
          addSSL = true;
          locations."/" = {
            proxyPass = "http://127.0.0.1:3002";
            proxyWebsockets = true;
          };
        };
      };
    };
  };
  systemd = {
    services = {
      gitea.unitConfig.RequiresMountsFor = [ "/home/deep/gitea" ];
      gitea-ready = {
        path = [ pkgs.curl ];
        script = ''
          timeout=300
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:3002/api/healthz; do
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
          until curl --fail --silent --show-error --output /dev/null --max-time 5 -- http://127.0.0.1:3002/api/healthz; do
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
    };
    timers.gitea-health = {
      timerConfig = {
        OnActiveSec = 300;
        OnUnitInactiveSec = 60;
      };
      wantedBy = [ "timers.target" ];
    };
  };
  security.acme = {
    acceptTerms = true;
    defaults.email = "acme@example.org";
  };
}
