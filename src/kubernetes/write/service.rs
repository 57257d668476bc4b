//! One service as a table of TOML.

use toml_edit::{Item, Table, Value};

use super::Writer;
use super::toml::{inline, item_of, list, string, strings, value_of};
use crate::facts::split_name;
use crate::kubernetes::draft::{
    AskDraft, ContainerDraft, Draft, FileDraft, MigrationDraft, NativeDraft, PortDraft, ProbeDraft, Protocol,
    SecretDraft, SecretTo, StateDraft, VhostDraft, WorkDraft,
};

/// Texts up to this length, on one line, stand in the definition; longer ones in a file beside it.
const SHORT: usize = 200;

/// Adds `[services.NAME]`, unless the host has a service of that name.
pub(super) fn add(out: &mut Writer<'_>, name: &str, draft: &Draft) {
    let mut table = Keys(Table::new());
    match &draft.work {
        WorkDraft::Container(container) => of_container(&mut table, container),
        WorkDraft::Native(native) => of_native(&mut table, name, native),
    }
    if !draft.enable {
        table.set("enable", Some(false.into()));
    }
    table.strings("after", &draft.after);
    table.strings("requires", &draft.requires);
    table.list("ports", draft.ports.iter().map(port));
    table.list("state", draft.state.iter().map(state));
    table.list("secrets", draft.secrets.iter().map(secret));
    let files: Vec<Value> = draft.files.iter().map(|file| self::file(out, name, file)).collect();
    table.list("files", files.into_iter());
    let limits = [("memory", &draft.memory), ("memory-low", &draft.memory_low), ("cpu", &draft.cpu)];
    if limits.iter().any(|(_, value)| value.is_some()) {
        table.set("limits", Some(inline(limits.map(|(key, value)| (key, value.as_deref().map(string))))));
    }
    table.set("ready", draft.ready.as_ref().map(|asked| probe(name, draft, asked)));
    table.set("health", draft.health.as_ref().map(|asked| probe(name, draft, asked)));
    match draft.vhosts.as_slice() {
        [only] => table.set("vhost", Some(vhost(only))),
        several => table.list("vhost", several.iter().map(vhost)),
    }
    let mut table = table.0;
    if let WorkDraft::Container(container) = &draft.work {
        let environment = container.environment.iter().map(|(key, value)| (key.as_str(), string(value)));
        below(&mut table, "environment", environment);
    }
    if let WorkDraft::Native(native) = &draft.work {
        let options = native.options.iter().map(|(key, value)| (key.as_str(), value));
        let mut below = Table::new();
        for (route, value) in options {
            insert_below(&mut below, &split_name(route), value_of(value));
        }
        if !below.is_empty() {
            table.insert("options", Item::Table(below));
        }
    }
    if let Some(migration) = &draft.migration {
        table.insert("migrates-from", Item::Table(migrates_from(&draft.workload, migration)));
    }
    out.add_table(&["services", name], table, &draft.comments);
}

/// A table that takes no empty values.
struct Keys(Table);

impl Keys {
    fn set(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.0.insert(key, Item::Value(value));
        }
    }

    fn strings(&mut self, key: &str, values: &[String]) {
        self.set(key, (!values.is_empty()).then(|| strings(values)));
    }

    fn string(&mut self, key: &str, value: Option<&str>) {
        self.set(key, value.map(string));
    }

    fn flag(&mut self, key: &str, on: bool) {
        self.set(key, on.then(|| true.into()));
    }

    fn seconds(&mut self, key: &str, seconds: Option<u64>) {
        self.set(key, seconds.map(span));
    }

    fn list(&mut self, key: &str, values: impl Iterator<Item = Value>) {
        let values: Vec<Value> = values.collect();
        self.set(key, (!values.is_empty()).then(|| list(values)));
    }

    fn map<'k>(&mut self, key: &str, values: impl Iterator<Item = (&'k str, &'k str)>) {
        let values: Vec<_> = values.map(|(key, value)| (key, Some(string(value)))).collect();
        self.set(key, (!values.is_empty()).then(|| inline(values)));
    }
}

fn of_container(table: &mut Keys, container: &ContainerDraft) {
    table.string("kind", Some("container"));
    table.string("image", Some(&container.image));
    table.strings("command", &container.command);
    table.strings("args", &container.args);
    table.flag("host-network", container.host_network);
    table.string("network-of", container.network_of.as_deref());
    table.strings("networks", &container.networks);
    table.strings("aliases", &container.aliases);
    table.string("hostname", container.hostname.as_deref());
    table.map("hosts", container.hosts.iter().map(|(name, address)| (name.as_str(), address.as_str())));
    table.string("user", container.user.as_deref());
    table.strings("groups", &container.groups);
    table.string("working-directory", container.working_directory.as_deref());
    let volumes = container.volumes.iter().map(|volume| {
        inline([
            ("source", Some(string(&volume.source))),
            ("target", Some(string(&volume.target))),
            ("read-only", volume.read_only.then(|| true.into())),
        ])
    });
    table.list("volumes", volumes);
    let tmpfs = container.tmpfs.iter().map(|(path, size)| match size {
        None => string(path),
        Some(size) => inline([("path", Some(string(path))), ("size", Some(string(size)))]),
    });
    table.list("tmpfs", tmpfs);
    table.strings("devices", &container.devices);
    if !container.cap_add.is_empty() || !container.cap_drop.is_empty() {
        let words = |words: &[String]| (!words.is_empty()).then(|| strings(words));
        let both = [("drop", words(&container.cap_drop)), ("add", words(&container.cap_add))];
        table.set("capabilities", Some(inline(both)));
    }
    table.flag("read-only-root", container.read_only_root);
    table.flag("no-new-privileges", container.no_new_privileges);
    table.flag("privileged", container.privileged);
    table.string("shm-size", container.shm_size.as_deref());
    table.map("sysctls", container.sysctls.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    table.string("type", container.oneshot.then_some("oneshot"));
    match container.schedule.as_slice() {
        [only] => table.string("schedule", Some(only)),
        several => table.strings("schedule", several),
    }
    table.set("persistent", container.persistent.map(Value::from));
    table.string("time-zone", container.time_zone.as_deref());
    table.string("restart", container.restart);
    table.seconds("run-at-most", container.run_at_most);
    table.seconds("stop-timeout", container.stop_timeout);
    table.strings("after-start", &container.after_start);
    table.strings("before-stop", &container.before_stop);
    table.string("pull", container.pull);
    table.string("registry-login", container.registry_login.as_deref());
}

fn of_native(table: &mut Keys, name: &str, native: &NativeDraft) {
    table.string("kind", Some("native"));
    table.string("module", (native.module != name).then_some(native.module.as_str()));
    table.string("package", native.package.as_deref());
}

/// Adds a table of its own below a key, one line a key, unless it would be empty.
fn below<'k>(table: &mut Table, key: &str, values: impl Iterator<Item = (&'k str, Value)>) {
    let mut below = Table::new();
    for (key, value) in values {
        below.insert(key, item_of(value, ""));
    }
    if !below.is_empty() {
        table.insert(key, Item::Table(below));
    }
}

/// Adds a value at the name of an option, as dotted keys.
fn insert_below(table: &mut Table, route: &[String], value: Value) {
    match route {
        [] => {}
        [only] => {
            table.insert(only, Item::Value(value));
        }
        [first, rest @ ..] => {
            let inner = table.entry(first).or_insert_with(|| {
                let mut inner = Table::new();
                inner.set_dotted(true);
                Item::Table(inner)
            });
            if let Some(inner) = inner.as_table_mut() {
                insert_below(inner, rest, value);
            }
        }
    }
}

fn span(seconds: u64) -> Value {
    let (number, unit) = match seconds {
        0 => (0, "s"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "d"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "h"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "min"),
        _ => (seconds, "s"),
    };
    string(&format!("{number}{unit}"))
}

fn port(port: &PortDraft) -> Value {
    inline([
        ("port", Some(i64::from(port.port).into())),
        ("to", port.to.map(|to| i64::from(to).into())),
        ("proto", (port.protocol == Protocol::Udp).then(|| string("udp"))),
        ("name", port.name.as_deref().map(string)),
        ("listen", (!port.listen.is_empty()).then(|| strings(&port.listen))),
        ("public", port.public.then(|| true.into())),
    ])
}

fn state(state: &StateDraft) -> Value {
    inline([
        ("path", Some(string(&state.path))),
        ("owner", state.owner.as_deref().map(string)),
        ("group", state.group.as_deref().map(string)),
        ("mode", state.mode.as_deref().map(string)),
        ("rebuildable", state.rebuildable.then(|| true.into())),
    ])
}

fn secret(secret: &SecretDraft) -> Value {
    let name = ("name", Some(string(&secret.name)));
    match &secret.to {
        SecretTo::Env(variable) => inline([name, ("as", Some(string("env"))), ("key", Some(string(variable)))]),
        SecretTo::EnvFile => inline([name, ("as", Some(string("env")))]),
        SecretTo::File { path, mode, owner } => inline([
            name,
            ("as", Some(string("file"))),
            ("path", Some(string(path))),
            ("mode", mode.as_deref().map(string)),
            ("owner", owner.as_deref().map(string)),
        ]),
        SecretTo::Option(key) => inline([name, ("key", Some(string(key)))]),
    }
}

fn file(out: &mut Writer<'_>, service: &str, file: &FileDraft) -> Value {
    let text = std::str::from_utf8(&file.content).ok();
    let is_line = |text: &str| !text.trim_end_matches('\n').contains(|c: char| c.is_control() && c != '\t');
    let short = text.filter(|text| text.len() <= SHORT && is_line(text));
    let (key, value) = match short {
        Some(text) => ("content", string(text)),
        None => ("source", string(&out.file(service, &file.path, &file.content))),
    };
    inline([("path", Some(string(&file.path))), (key, Some(value)), ("mode", file.mode.as_deref().map(string))])
}

fn probe(name: &str, draft: &Draft, probe: &ProbeDraft) -> Value {
    let (key, value) = match &probe.ask {
        AskDraft::Http(url) => ("http", string(url)),
        AskDraft::Tcp(port) => ("tcp", i64::from(*port).into()),
        AskDraft::Command(words) => {
            // A probe's command runs on the host.
            let inside = ["podman", "exec", name].map(str::to_owned);
            let words = inside.into_iter().filter(|_| draft.as_container().is_some()).chain(words.iter().cloned());
            ("command", strings(&words.collect::<Vec<_>>()))
        }
    };
    let retries = probe.retries.and_then(|retries| i64::try_from(retries).ok()).map(Value::from);
    inline([
        (key, Some(value)),
        ("timeout", Some(span(probe.timeout))),
        ("interval", Some(span(probe.interval))),
        ("retries", retries),
    ])
}

fn vhost(vhost: &VhostDraft) -> Value {
    let headers = vhost.headers.iter().map(|(name, value)| (name.as_str(), Some(string(value))));
    inline([
        ("name", Some(string(&vhost.name))),
        ("aliases", (!vhost.aliases.is_empty()).then(|| strings(&vhost.aliases))),
        ("path", (!matches!(vhost.path.as_str(), "" | "/")).then(|| string(&vhost.path))),
        ("to", vhost.to.as_deref().map(|to| to.parse::<i64>().map_or_else(|_| string(to), Value::from))),
        ("tls", vhost.tls.map(string)),
        ("redirect", vhost.redirect.map(Value::from)),
        ("max-body", vhost.max_body.as_deref().map(string)),
        ("timeout", vhost.timeout.map(span)),
        ("auth", vhost.auth.as_deref().map(string)),
        ("allow", (!vhost.allow.is_empty()).then(|| strings(&vhost.allow))),
        ("headers", (!vhost.headers.is_empty()).then(|| inline(headers))),
    ])
}

fn migrates_from(workload: &str, migration: &MigrationDraft) -> Table {
    let mut table = Keys(Table::new());
    table.string("cluster", Some(&migration.cluster));
    table.string("workload", Some(workload));
    table.string("image", migration.image.as_deref());
    let volumes = migration.volumes.iter().map(|volume| {
        inline([
            ("claim", Some(string(&volume.claim))),
            ("sub-path", volume.sub_path.as_deref().map(string)),
            ("to", Some(string(&volume.to))),
            ("paths", (!volume.paths.is_empty()).then(|| strings(&volume.paths))),
            ("used", volume.used.as_deref().map(string)),
            ("dump", volume.dump.map(string)),
            ("owner", volume.owner.as_deref().map(string)),
        ])
    });
    table.list("volumes", volumes);
    let leave = migration.leave.iter();
    let leave = leave.map(|(claim, reason)| inline([("claim", Some(string(claim))), ("reason", Some(string(reason)))]));
    table.list("leave", leave);
    table.0
}
