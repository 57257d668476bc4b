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
        "plain.example.org".locations."/git" = {
          proxyPass = "http://[::1]:3002";
          proxyWebsockets = true;
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
  systemd.services.gitea.unitConfig.RequiresMountsFor = [ "/home/deep/gitea" ];
  security.acme = {
    acceptTerms = true;
    defaults.email = "acme@example.org";
  };
}
