//! What comes back from where: the things of a host, each with the backup that holds it.
//!
//! A thing is the state of a service, the dumps of a backup, or the rest of what a backup holds. Where two backups hold the same, the
//! first of the definition restores it.

use std::collections::BTreeSet;

use crate::fleet::schema::backup::{Backup, BackupKind, Database};
use crate::plan::seconds;
use crate::resolve::{ACCOUNTS, Dump, ResolvedHost, ResolvedService};
use crate::units::{lies_in, topmost};

/// The thing that the dumps of a backup are.
pub(super) const DUMPS: &str = "dumps";

/// The thing that the rest of a backup is.
pub(super) const REST: &str = "rest";

/// What belongs to the machine that runs and not to the one that is gone: never restored over it.
const OWN: &[&str] = &[
    "/boot",
    "/dev",
    "/etc/machine-id",
    "/etc/ssh",
    "/nix",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/var/cache",
    "/var/empty",
    "/var/lib/NetworkManager",
    "/var/lib/dhcpcd",
    "/var/lib/hostwright",
    "/var/lib/systemd",
    "/var/lock",
    "/var/log/journal",
    "/var/run",
    "/var/tmp",
];

/// Something that comes back from one backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Thing {
    /// The service, or [`DUMPS`], or [`REST`].
    pub(super) name: String,
    /// Its places, none below another.
    pub(super) paths: Vec<String>,
    /// What is below them and belongs to something else.
    pub(super) beside: Vec<String>,
}

/// A backup of files, and what comes back from it.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) def: &'a Backup,
    /// In no order that counts.
    pub(super) things: Vec<Thing>,
    pub(super) dumps: Vec<Dump<'a>>,
}

impl Source<'_> {
    /// Returns the paths without which a recovery makes no sense: those of services and dumps.
    pub(super) fn needed(&self) -> Vec<&str> {
        let things = self.things.iter().filter(|thing| thing.name != REST);
        things.flat_map(|thing| thing.paths.iter().map(String::as_str)).collect()
    }

    /// Returns a thing of it.
    pub(super) fn thing(&self, name: &str) -> Option<&Thing> {
        self.things.iter().find(|thing| thing.name == name)
    }
}

/// What comes back, and what does not.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) files: Vec<Source<'a>>,
    /// Backups whose snapshots lie in a pool of another machine.
    pub(super) snapshots: Vec<(&'a str, &'a Backup)>,
    /// State that no backup of files holds: service and path.
    pub(super) without: Vec<(&'a str, String)>,
}

impl<'a> Sources<'a> {
    /// Sorts what a host's backups hold by what it belongs to.
    pub(super) fn of(host: &'a ResolvedHost<'a>) -> Self {
        let all: Vec<(&'a str, &'a Backup)> =
            host.def.backup.iter().map(|(name, def)| (name.as_str(), &def.value)).collect();
        let (files, snapshots): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, def)| def.kind.value.copies_files());
        let mut without = Vec::new();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let mut sources: Vec<Source<'a>> = files
            .into_iter()
            .map(|(name, def)| Source { name, def, things: Vec::new(), dumps: def.dumps(name) })
            .collect();
        for service in host.running() {
            let paths = topmost(state(service));
            let mut own: Vec<String> = Vec::new();
            for path in paths {
                if taken.contains(&path) {
                    continue;
                }
                own.push(path);
            }
            if own.is_empty() {
                continue;
            }
            let holder = sources.iter_mut().find(|source| {
                let held = host.backed_up_paths(source.def);
                own.iter().all(|path| held.iter().any(|above| lies_in(path, above)))
            });
            taken.extend(own.iter().cloned());
            let Some(source) = holder else {
                without.extend(own.into_iter().map(|path| (service.name, path)));
                continue;
            };
            // Files of a database that was copied while it ran are worth less than its dump.
            if !source.dumps.iter().any(|dump| is_of(service, dump)) {
                source.things.push(Thing { name: service.name.to_owned(), paths: own, beside: Vec::new() });
            }
        }
        let mut rest_taken: Vec<String> = Vec::new();
        for source in &mut sources {
            let folders = topmost(source.dumps.iter().map(|dump| dump.folder.clone()));
            if !folders.is_empty() {
                source.things.push(Thing { name: DUMPS.to_owned(), paths: folders, beside: Vec::new() });
            }
            let mut paths = host.backed_up_paths(source.def);
            paths.retain(|path| path != ACCOUNTS && !taken.contains(path) && !OWN.iter().any(|own| lies_in(path, own)));
            paths.retain(|path| !rest_taken.iter().any(|above| lies_in(path, above)));
            let paths = topmost(paths);
            rest_taken.extend(paths.iter().cloned());
            if !paths.is_empty() {
                source.things.push(Thing { name: REST.to_owned(), paths, beside: Vec::new() });
            }
        }
        let elsewhere: Vec<(String, Vec<String>)> = sources
            .iter()
            .flat_map(|source| &source.things)
            .filter(|thing| thing.name != REST)
            .map(|thing| (thing.name.clone(), thing.paths.clone()))
            .collect();
        for thing in sources.iter_mut().flat_map(|source| &mut source.things) {
            let others = elsewhere.iter().filter(|(name, _)| *name != thing.name).flat_map(|(_, paths)| paths);
            // The rest is asked for as all but these, so that it names every one of them.
            let is_rest = thing.name == REST;
            let below = |path: &String| is_rest || thing.paths.iter().any(|own| lies_in(path, own) && path != own);
            let mut beside: Vec<String> = others.chain(&taken).filter(|path| below(path)).cloned().collect();
            if is_rest {
                beside.extend(OWN.iter().chain(&[ACCOUNTS]).map(|path| (*path).to_owned()));
            }
            beside.retain(|path| !thing.paths.contains(path));
            beside.sort();
            beside.dedup();
            thing.beside = beside;
        }
        // A second copy of what comes back from elsewhere.
        sources.retain(|source| !source.things.is_empty());
        Self { files: sources, snapshots, without }
    }

    /// Returns the backup that a service's state comes back from.
    pub(super) fn of_service(&self, service: &str) -> Option<(&Source<'a>, &Thing)> {
        self.files.iter().find_map(|source| Some((source, source.thing(service)?)))
    }

    /// Returns the datasets of a backup of snapshots that no backup of files brings back.
    pub(super) fn by_hand(&self, host: &ResolvedHost<'_>, def: &Backup) -> Vec<String> {
        let paths: Vec<String> = self.files.iter().flat_map(|source| host.backed_up_paths(source.def)).collect();
        let is_back = |dataset: &String| {
            let mount = host.mounts.iter().find(|mount| mount.source.dataset().as_ref() == Some(dataset));
            // The system itself is installed anew.
            mount.is_some_and(|mount| {
                ["/", "/nix"].contains(&mount.path) || paths.iter().any(|above| lies_in(mount.path, above))
            })
        };
        host.backed_up_datasets(def).into_iter().filter(|dataset| !is_back(dataset)).collect()
    }
}

/// How much a thing is thought to hold of which nothing is stated, in bytes. What it is is said once the backup was looked at.
const UNKNOWN: u64 = 2 << 30;

/// Tells how long a thing takes to a host, in seconds, by what is stated of its size.
pub(super) fn takes(host: &ResolvedHost<'_>, thing: &Thing) -> u64 {
    let stated = |path: &String| {
        let froms = host.services.iter().filter_map(|service| service.def.migrates_from.as_ref());
        let mut volumes = froms.flat_map(|from| &from.volumes);
        let volume = volumes.find(|volume| lies_in(volume.to.as_str(), path) || lies_in(path, volume.to.as_str()));
        Some(volume?.used.as_ref()?.bytes())
    };
    let known: u64 = thing.paths.iter().filter_map(stated).sum();
    seconds::copying(host, if known > 0 { known } else { UNKNOWN })
}

/// Returns where a service keeps what belongs into a backup.
fn state(service: &ResolvedService<'_>) -> Vec<String> {
    let kept = service.state.iter().filter(|state| state.backup && !state.rebuildable);
    kept.map(|state| state.path.clone()).collect()
}

/// Tells whether a service is the database that a dump is of.
pub(in crate::plan::scenarios) fn is_of(service: &ResolvedService<'_>, dump: &Dump<'_>) -> bool {
    let names: &[&str] = match dump.kind {
        Database::Postgresql => &["postgresql"],
        Database::Mysql => &["mysql", "mariadb"],
        Database::Mongodb => &["mongodb"],
        Database::Sqlite => &[],
    };
    let module = service.module.map_or(service.name, |module| module.name);
    names.contains(&module)
}

/// Returns the units that make a backup.
pub(super) fn units(host: &ResolvedHost<'_>, name: &str, def: &Backup) -> Vec<String> {
    match def.kind.value {
        BackupKind::Zrepl => vec!["zrepl.service".to_owned()],
        BackupKind::Syncoid => host
            .backed_up_datasets(def)
            .iter()
            .map(|dataset| format!("syncoid-{name}-{}.service", dataset.replace('/', "-")))
            .collect(),
        files => files.file_unit(name).into_iter().map(|unit| format!("{unit}.service")).collect(),
    }
}
