//! mosquitto.conf as the listeners and settings of the module mosquitto.
//!
//! NixOS keeps settings a listener, so what the file says for all of them is said for each ("mosquitto.conf(5)", `per_listener_settings`).
//! Accounts are a file of hashes there, and an option each here, so they are a question.

use serde_json::{Map, Value, json};

use super::{Act, Plan};
use crate::kubernetes::context::Cx;
use crate::kubernetes::tree::Node;
use crate::units::lies_in;

/// What a mosquitto.conf says.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Conf {
    /// Options below the prefix.
    pub options: Vec<(&'static str, Value)>,
    /// Settings of the whole broker.
    pub settings: Vec<(String, Value)>,
    /// Files with accounts.
    pub accounts: Vec<String>,
    /// Keys that have no counterpart.
    pub unknown: Vec<String>,
}

#[derive(Debug, Default, Clone)]
struct Listener {
    port: Option<u16>,
    address: Option<String>,
    settings: Map<String, Value>,
    has_accounts: bool,
}

/// Where the images read it.
const PATHS: &[&str] =
    &["/mosquitto/config/mosquitto.conf", "/etc/mosquitto/mosquitto.conf", "/mqtt/config/mosquitto.conf"];

/// Settings of a listener that NixOS takes and that name no file of the image.
const OF_LISTENER: &[&str] = &[
    "accept_protocol_versions",
    "allow_anonymous",
    "allow_zero_length_clientid",
    "auto_id_prefix",
    "enable_proxy_protocol",
    "listener_allow_anonymous",
    "max_connections",
    "max_qos",
    "max_topic_alias",
    "mount_point",
    "protocol",
    "socket_domain",
    "use_username_as_clientid",
    "websockets_origin",
];

/// Settings of the broker that NixOS takes.
const OF_BROKER: &[&str] = &[
    "allow_duplicate_messages",
    "autosave_interval",
    "autosave_on_changes",
    "check_retain_source",
    "connection_messages",
    "global_max_clients",
    "global_max_connections",
    "max_inflight_bytes",
    "max_inflight_messages",
    "max_keepalive",
    "max_packet_size",
    "max_queued_bytes",
    "max_queued_messages",
    "memory_limit",
    "message_size_limit",
    "persistence_file",
    "persistent_client_expiration",
    "queue_qos0_messages",
    "retain_available",
    "retain_expiry_interval",
    "set_tcp_nodelay",
    "sys_interval",
    "upgrade_outgoing_qos",
    "websockets_headers_size",
];

/// What NixOS or systemd sees to.
const OF_NIXOS: &[&str] = &[
    "log_dest",
    "log_facility",
    "log_timestamp",
    "log_timestamp_format",
    "per_listener_settings",
    "persistence_location",
    "pid_file",
    "user",
    "websockets_log_level",
];

/// Reads a mosquitto.conf.
pub(super) fn read(text: &str) -> Conf {
    let mut conf = Conf::default();
    let mut first = Listener::default();
    let mut others: Vec<Listener> = Vec::new();
    let mut of_all: Map<String, Value> = Map::new();
    let mut all_have_accounts = false;
    let mut log_types: Vec<&str> = Vec::new();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_each = lines().any(|line| line.split_whitespace().eq(["per_listener_settings", "true"]));
    for line in lines() {
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = value.trim();
        let current = others.last_mut().unwrap_or(&mut first);
        match key {
            "listener" => {
                let mut words = value.split_whitespace();
                let port = words.next().and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
                let address = words.next().map(str::to_owned);
                match port {
                    Some(_) => others.push(Listener { port, address, ..Listener::default() }),
                    None => conf.unknown.push(key.to_owned()),
                }
            }
            "port" => match value.parse::<u16>() {
                Ok(port) if port > 0 => first.port = Some(port),
                _ => conf.unknown.push(key.to_owned()),
            },
            "bind_address" => first.address = Some(value.to_owned()),
            "password_file" => {
                conf.accounts.push(value.to_owned());
                match is_each {
                    true => current.has_accounts = true,
                    false => all_have_accounts = true,
                }
            }
            "allow_anonymous" | "allow_zero_length_clientid" | "auto_id_prefix" if !is_each => {
                of_all.insert(key.to_owned(), plain(value));
            }
            "persistence" if matches!(value, "true" | "false") => conf.options.push(("persistence", plain(value))),
            "log_type" => log_types.push(value),
            _ if OF_LISTENER.contains(&key) => {
                current.settings.insert(key.to_owned(), plain(value));
            }
            _ if OF_BROKER.contains(&key) => conf.settings.push((key.to_owned(), plain(value))),
            _ if OF_NIXOS.contains(&key) => {}
            _ => conf.unknown.push(key.to_owned()),
        }
    }
    if first.port.is_some() || others.is_empty() {
        // Without a listener of its own it speaks with its own machine alone.
        if first.port.is_none() && first.address.is_none() {
            first.address = Some("127.0.0.1".to_owned());
        }
        others.insert(0, first);
    }
    let listeners = others.into_iter().map(|listener| {
        let mut settings = of_all.clone();
        settings.extend(listener.settings);
        let mut of_nixos = Map::new();
        of_nixos.insert("port".to_owned(), listener.port.unwrap_or(1883).into());
        of_nixos.extend(listener.address.map(|address| ("address".to_owned(), address.into())));
        // As long as nothing says who may speak of what, all may; NixOS takes that for nobody.
        of_nixos.insert("acl".to_owned(), json!(["pattern readwrite #"]));
        if !(listener.has_accounts || all_have_accounts) {
            of_nixos.insert("omitPasswordAuth".to_owned(), true.into());
        }
        of_nixos.insert("settings".to_owned(), Value::Object(settings));
        Value::Object(of_nixos)
    });
    conf.options.push(("listeners", listeners.collect()));
    if !log_types.is_empty() {
        conf.options.push(("logType", json!(log_types)));
    }
    conf
}

fn plain(value: &str) -> Value {
    match value {
        "true" => true.into(),
        "false" => false.into(),
        _ => value.parse::<i64>().map_or_else(|_| value.into(), Value::from),
    }
}

impl<'w, 's> Plan<'_, 'w, 's> {
    /// Returns the mosquitto.conf that the container gets of a ConfigMap: what it says, and its leaf; none of another module.
    pub(super) fn mosquitto_conf(&self, cx: &Cx<'w, 's>) -> Option<(Conf, &'w Node<'s>)> {
        if self.name != "mosquitto" {
            return None;
        }
        let volumes = self.workload.spec.list("volumes");
        self.container.mounts().iter().find_map(|mount| {
            let volume = volumes.iter().find(|volume| volume.str_at("name") == mount.str_at("name"))?;
            let source = volume.get("configMap")?;
            let map = cx.world.find("ConfigMap", self.workload.object.namespace(), source.str_at("name")?)?;
            let files = super::volumes::files_of(map.tree().map("data"), source, mount);
            let (_, node) = files.into_iter().find(|(at, _)| PATHS.contains(&at.as_str()))?;
            Some((read(node?.text()?), node?))
        })
    }

    /// Plans what a mosquitto.conf says.
    pub(super) fn mosquitto(&mut self, conf: &Conf, node: &'w Node<'s>) {
        for key in &conf.unknown {
            self.lack(format!("the setting {key} of mosquitto.conf"), &[node]);
        }
        for (option, value) in &conf.options {
            self.options.insert((*option).to_owned(), value.clone());
        }
        for (key, value) in &conf.settings {
            self.options.insert(format!("settings.{key}"), value.clone());
        }
        self.acts.push(Act::Translated(node, self.key("options.listeners"), None));
    }

    /// Plans files with accounts of a broker; tells whether a path is one, or holds one.
    pub(super) fn mosquitto_accounts(&mut self, path: &str, nodes: &[&'w Node<'s>]) -> bool {
        if !self.accounts.iter().any(|file| lies_in(file, path)) {
            return false;
        }
        let text = "accounts of the broker with the hashes of their passwords: each is `users.NAME.hashedPasswordFile` of the listeners \
                    that `options.listeners` lists, a file of the host that holds what stands behind its name there";
        let key = self.container.question("accounts");
        self.acts.push(Act::Ask { nodes: nodes.to_vec(), key, text: text.to_owned(), blocks: true });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_says_for_all_listeners_each_of_them_says() {
        let conf = read(
            "# a home's broker\nallow_anonymous false\npassword_file /mosquitto/config/passwd\nlistener 1883\nlistener 9001 0.0.0.0\n\
             protocol websockets\npersistence true\npersistence_location /mosquitto/data/\nlog_dest stdout\nlog_type error\nlog_type warning\n\
             max_queued_messages 500\nacl_file /mosquitto/config/acl\n",
        );
        let shown: Vec<String> = conf.options.iter().map(|(option, value)| format!("{option} = {value}")).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        persistence = true
        listeners = [{"port":1883,"acl":["pattern readwrite #"],"settings":{"allow_anonymous":false}},{"port":9001,"address":"0.0.0.0","acl":["pattern readwrite #"],"settings":{"allow_anonymous":false,"protocol":"websockets"}}]
        logType = ["error","warning"]
        "#);
        assert_eq!(conf.settings, [("max_queued_messages".to_owned(), json!(500))]);
        assert_eq!(conf.accounts, ["/mosquitto/config/passwd"]);
        assert_eq!(conf.unknown, ["acl_file"], "whom it lets speak of what is no listener's setting");
    }

    #[test]
    fn a_broker_without_a_listener_speaks_with_its_own_machine_and_one_without_accounts_asks_for_none() {
        let listeners =
            |text: &str| read(text).options.into_iter().find(|(option, _)| *option == "listeners").unwrap().1;
        assert_eq!(listeners("")[0]["address"], "127.0.0.1");
        let open = listeners(
            "per_listener_settings true\nlistener 1883\nallow_anonymous true\nlistener 8883\npassword_file /x\n",
        );
        assert_eq!(open[0]["omitPasswordAuth"], true);
        assert_eq!(open[0]["settings"]["allow_anonymous"], true);
        assert_eq!((open[1].get("omitPasswordAuth"), open[1]["settings"].get("allow_anonymous")), (None, None));
        assert_eq!(listeners("port 1884\nallow_anonymous true")[0]["port"], 1884);
        assert_eq!(read("listener 0 /run/x.sock\nconnection other\n").unknown, ["listener", "connection"]);
    }
}
