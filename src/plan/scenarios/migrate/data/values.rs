//! What the scripts know of a host and of its volumes.

use serde_json::json;

use super::super::volume::Volume;
use super::patterns::{escaped, expression};
use crate::fleet::schema::migration::Dump;
use crate::plan::reach::{Reach, Who};
use crate::resolve::{ResolvedHost, ResolvedService};
use crate::source::sha256;
use crate::text::ShellCommand;
use crate::units::lies_in;

/// Where scripts and lists lie on the host.
const WORK: &str = "/var/lib/hostwright/migrate";

/// How often something is asked for, two seconds apart, until it is given up: ten minutes, in which an image comes and a snapshot is made.
const PATIENCE: u32 = 300;

/// How often the final copy is repeated until nothing differs.
const ROUNDS: u32 = 6;

/// What every script of a host knows.
#[derive(Debug, serde::Serialize)]
pub(super) struct Common {
    host: String,
    work: &'static str,
    out: String,
    state: String,
    ssh: Vec<String>,
    local: bool,
    sudo: bool,
    patience: u32,
    rounds: u32,
}

impl Common {
    pub(super) fn of(host: &ResolvedHost<'_>, reach: &Reach) -> Self {
        Self {
            host: host.name.to_owned(),
            work: WORK,
            out: reach.out("migrate"),
            state: reach.state("migrate"),
            ssh: reach.ssh_words(Who::System),
            local: reach.is_local(),
            sudo: reach.needs_sudo(Who::System),
            patience: PATIENCE,
            rounds: ROUNDS,
        }
    }
}

/// What the file of a volume says.
#[derive(Debug, serde::Serialize)]
pub(super) struct Values {
    id: String,
    shown: String,
    context: String,
    namespace: String,
    claim: String,
    via: String,
    /// The folder of the volume that moves, with a slash before it; empty for all of it.
    folder: String,
    to: String,
    dataset: String,
    owner: String,
    group: String,
    /// The account that writes it in the cluster, as a number.
    writer: String,
    /// Lines of a number there and an account here.
    owners: String,
    /// Whether no other volume goes to the same place.
    alone: &'static str,
    /// What alone moves, an escaped path a line.
    only: String,
    /// What stays behind, an expression a line.
    without: String,
    /// What at the place belongs to other volumes, an escaped path a line.
    beside: String,
    pod: String,
    dump: String,
    dump_command: String,
    unit: String,
    container: String,
    account: String,
    port: String,
}

impl Values {
    pub(super) fn of(host: &ResolvedHost<'_>, volume: &Volume<'_>, all: &[Volume<'_>]) -> Self {
        let to = volume.def.to.as_str().trim_end_matches('/');
        let lines = |lines: Vec<String>| lines.join("\n");
        let places = all.iter().filter(|other| other.id != volume.id).map(|other| other.def.to.as_str());
        // What other services keep below this place is theirs as well.
        let of_others =
            host.services.iter().filter(|service| !volume.services.iter().any(|own| own.name == service.name));
        let states = of_others.flat_map(|service| service.state.iter().map(|state| state.path.as_str()));
        let mut beside: Vec<String> = places
            .clone()
            .chain(states)
            .filter(|path| *path != to && lies_in(path, to))
            .filter_map(|path| path.strip_prefix(to))
            .map(|path| escaped(path.trim_matches('/')))
            .collect();
        beside.sort();
        beside.dedup();
        let alone = places.clone().all(|other| other.trim_end_matches('/') != to);
        let (dump, command) = match volume.def.dump.as_ref().map(|dump| &dump.value) {
            None => (String::new(), String::new()),
            Some(Dump::Of(of)) => (of.to_string(), String::new()),
            Some(Dump::Command(words)) => (
                "command".to_owned(),
                ShellCommand::of_words(&words.0).map(|command| command.to_string()).unwrap_or_default(),
            ),
        };
        let database = database(volume);
        let container = database.def.container().map(|_| database.name.to_owned());
        let account = match dump.as_str() {
            "postgresql" => "postgres",
            _ => "root",
        };
        // Within a container the image says its port.
        let port = database.ports.first().filter(|_| container.is_none()).map(|port| port.port.to_string());
        Self {
            id: volume.id.clone(),
            shown: volume.shown(),
            context: volume.cluster.context.to_owned(),
            namespace: volume.namespace.to_owned(),
            claim: volume.claim().to_owned(),
            via: volume.def.via.value.to_string(),
            folder: volume
                .def
                .sub_path
                .as_ref()
                .map(|path| format!("/{}", path.value.as_str().trim_end_matches('/')))
                .unwrap_or_default(),
            to: to.to_owned(),
            dataset: volume.dataset.clone().unwrap_or_default(),
            owner: volume.owner.unwrap_or_default().to_owned(),
            group: volume.group.unwrap_or_default().to_owned(),
            writer: volume
                .facts
                .and_then(|facts| facts.owner.clone())
                .filter(|uid| uid.parse::<u32>().is_ok())
                .unwrap_or_default(),
            owners: lines(
                volume
                    .def
                    .owners
                    .iter()
                    .map(|(uid, account)| format!("{} {}", uid.as_str(), account.value.value.0))
                    .collect(),
            ),
            alone: if alone { "yes" } else { "no" },
            only: lines(
                volume.def.paths.iter().map(|path| escaped(path.value.as_str().trim_end_matches('/'))).collect(),
            ),
            without: lines(volume.def.exclude.iter().map(|pattern| expression(&pattern.value.0)).collect()),
            beside: lines(beside),
            pod: pod_name(volume),
            dump,
            dump_command: command,
            unit: database.units.first().map(|unit| format!("{unit}.service")).unwrap_or_default(),
            container: container.unwrap_or_default(),
            account: account.to_owned(),
            port: port.unwrap_or_default(),
        }
    }

    /// Returns the name of the pod that reads the volume.
    pub(super) fn pod(&self) -> &str {
        &self.pod
    }
}

/// Returns the service whose database takes a dump: one of a module of that name, else the one that the volume is of.
fn database<'v>(volume: &'v Volume<'_>) -> &'v ResolvedService<'v> {
    let wanted = match volume.def.dump.as_ref().map(|dump| &dump.value) {
        Some(Dump::Of(of)) => of.to_string(),
        _ => String::new(),
    };
    let is_it = |service: &&&ResolvedService<'_>| service.module.as_ref().is_some_and(|module| module.name == wanted);
    volume.services.iter().find(is_it).copied().unwrap_or(volume.service)
}

/// Returns a name that is free in the namespace, since it has a digest of what it is for, and fits into a label.
fn pod_name(volume: &Volume<'_>) -> String {
    let digest = sha256(format!("{}\0{}\0{}", volume.cluster.name, volume.shown(), volume.def.to.as_str()));
    let digest: String = digest.chars().take(8).collect();
    let short: String = volume.claim().chars().map(|c| if c == '.' { '-' } else { c }).take(40).collect();
    format!("hostwright-{}-{digest}", short.trim_matches('-'))
}

/// Returns the beginning of the record of a verified copy: what is known before.
pub(super) fn head(volume: &Volume<'_>) -> String {
    let fields = [
        ("version", json!(1)),
        ("cluster", json!(volume.cluster.name)),
        ("claim", json!(volume.shown())),
        ("to", json!(volume.def.to.as_str())),
    ];
    let lines = fields.iter().map(|(key, value)| format!("  {}: {value},\n", json!(key)));
    format!("{{\n{}", lines.collect::<String>())
}
