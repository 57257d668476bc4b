# lufta: services and virtual hosts
# Written by hostwright from hosts/lufta/host.toml; changes here are lost.
{ lib, ... }:

{
  services = {
    gitea = {
      enable = true;
      settings.server = {
        DOMAIN = "tulpa.dev";
        ROOT_URL = "https://tulpa.dev/";
        HTTP_ADDR = "127.0.0.1";
        HTTP_PORT = 3001;
      };
    };
    nginx = {
      enable = true;
      recommendedGzipSettings = lib.mkDefault true;
      recommendedOptimisation = lib.mkDefault true;
      recommendedProxySettings = lib.mkDefault true;
      recommendedTlsSettings = lib.mkDefault true;
      virtualHosts."tulpa.dev" = {
        enableACME = true;
        forceSSL = true;
        locations."/" = {
          proxyPass = "http://127.0.0.1:3001";
          proxyWebsockets = true;
        };
      };
    };
  };
  systemd.services.gitea.unitConfig.RequiresMountsFor = [ "/var/lib/gitea" ];
  security.acme = {
    acceptTerms = true;
    defaults.email = "acme@tulpa.dev";
  };
}
