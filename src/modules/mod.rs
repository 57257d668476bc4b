//! The modules that the program carries: profiles, and descriptions of services.
//!
//! A module is a folder of the top-level `modules/` with a module.toml; its line in [`EMBEDDED`] puts it into the program, and a
//! test says so when it is forgotten. Not here: the keys of a module.toml (`fleet::schema::module_file`).

/// Name and module.toml of every embedded module, sorted by name.
static EMBEDDED: &[(&str, &str)] = &[
    ("adguardhome", include_str!("../../modules/adguardhome/module.toml")),
    ("alertmanager", include_str!("../../modules/alertmanager/module.toml")),
    ("audiobookshelf", include_str!("../../modules/audiobookshelf/module.toml")),
    ("authelia", include_str!("../../modules/authelia/module.toml")),
    ("base", include_str!("../../modules/base/module.toml")),
    ("bazarr", include_str!("../../modules/bazarr/module.toml")),
    ("blackbox-exporter", include_str!("../../modules/blackbox-exporter/module.toml")),
    ("buildbot-master", include_str!("../../modules/buildbot-master/module.toml")),
    ("buildbot-worker", include_str!("../../modules/buildbot-worker/module.toml")),
    ("caddy", include_str!("../../modules/caddy/module.toml")),
    ("coredns", include_str!("../../modules/coredns/module.toml")),
    ("couchdb", include_str!("../../modules/couchdb/module.toml")),
    ("deployer", include_str!("../../modules/deployer/module.toml")),
    ("dex", include_str!("../../modules/dex/module.toml")),
    ("esphome", include_str!("../../modules/esphome/module.toml")),
    ("etcd", include_str!("../../modules/etcd/module.toml")),
    ("forgejo", include_str!("../../modules/forgejo/module.toml")),
    ("freshrss", include_str!("../../modules/freshrss/module.toml")),
    ("gatus", include_str!("../../modules/gatus/module.toml")),
    ("gitea", include_str!("../../modules/gitea/module.toml")),
    ("grafana", include_str!("../../modules/grafana/module.toml")),
    ("haproxy", include_str!("../../modules/haproxy/module.toml")),
    ("headscale", include_str!("../../modules/headscale/module.toml")),
    ("hetzner-cloud", include_str!("../../modules/hetzner-cloud/module.toml")),
    ("hetzner-dedicated", include_str!("../../modules/hetzner-dedicated/module.toml")),
    ("home-assistant", include_str!("../../modules/home-assistant/module.toml")),
    ("home-server", include_str!("../../modules/home-server/module.toml")),
    ("homepage-dashboard", include_str!("../../modules/homepage-dashboard/module.toml")),
    ("influxdb2", include_str!("../../modules/influxdb2/module.toml")),
    ("jellyfin", include_str!("../../modules/jellyfin/module.toml")),
    ("jenkins", include_str!("../../modules/jenkins/module.toml")),
    ("kea", include_str!("../../modules/kea/module.toml")),
    ("keycloak", include_str!("../../modules/keycloak/module.toml")),
    ("lidarr", include_str!("../../modules/lidarr/module.toml")),
    ("lldap", include_str!("../../modules/lldap/module.toml")),
    ("loki", include_str!("../../modules/loki/module.toml")),
    ("matrix-synapse", include_str!("../../modules/matrix-synapse/module.toml")),
    ("mealie", include_str!("../../modules/mealie/module.toml")),
    ("memcached", include_str!("../../modules/memcached/module.toml")),
    ("miniflux", include_str!("../../modules/miniflux/module.toml")),
    ("mosquitto", include_str!("../../modules/mosquitto/module.toml")),
    ("mysql", include_str!("../../modules/mysql/module.toml")),
    ("n8n", include_str!("../../modules/n8n/module.toml")),
    ("nats", include_str!("../../modules/nats/module.toml")),
    ("navidrome", include_str!("../../modules/navidrome/module.toml")),
    ("nextcloud", include_str!("../../modules/nextcloud/module.toml")),
    ("nginx", include_str!("../../modules/nginx/module.toml")),
    ("node-exporter", include_str!("../../modules/node-exporter/module.toml")),
    ("node-red", include_str!("../../modules/node-red/module.toml")),
    ("ntfy-sh", include_str!("../../modules/ntfy-sh/module.toml")),
    ("ollama", include_str!("../../modules/ollama/module.toml")),
    ("openbao", include_str!("../../modules/openbao/module.toml")),
    ("paperless", include_str!("../../modules/paperless/module.toml")),
    ("postgresql", include_str!("../../modules/postgresql/module.toml")),
    ("prometheus", include_str!("../../modules/prometheus/module.toml")),
    ("prowlarr", include_str!("../../modules/prowlarr/module.toml")),
    ("qbittorrent", include_str!("../../modules/qbittorrent/module.toml")),
    ("rabbitmq", include_str!("../../modules/rabbitmq/module.toml")),
    ("radarr", include_str!("../../modules/radarr/module.toml")),
    ("redis", include_str!("../../modules/redis/module.toml")),
    ("registry", include_str!("../../modules/registry/module.toml")),
    ("sabnzbd", include_str!("../../modules/sabnzbd/module.toml")),
    ("searx", include_str!("../../modules/searx/module.toml")),
    ("seerr", include_str!("../../modules/seerr/module.toml")),
    ("sonarr", include_str!("../../modules/sonarr/module.toml")),
    ("syncthing", include_str!("../../modules/syncthing/module.toml")),
    ("telegraf", include_str!("../../modules/telegraf/module.toml")),
    ("transmission", include_str!("../../modules/transmission/module.toml")),
    ("unbound", include_str!("../../modules/unbound/module.toml")),
    ("unifi", include_str!("../../modules/unifi/module.toml")),
    ("uptime-kuma", include_str!("../../modules/uptime-kuma/module.toml")),
    ("vaultwarden", include_str!("../../modules/vaultwarden/module.toml")),
    ("woodpecker-server", include_str!("../../modules/woodpecker-server/module.toml")),
    ("zigbee2mqtt", include_str!("../../modules/zigbee2mqtt/module.toml")),
    ("znc", include_str!("../../modules/znc/module.toml")),
];

/// Returns the embedded modules as (name, text of module.toml), sorted by name.
pub fn embedded() -> &'static [(&'static str, &'static str)] {
    EMBEDDED
}

/// Returns the names of the embedded modules, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}
