//! What belongs into a backup: datasets and directories that are marked, and what the backup itself names.

use super::ResolvedHost;
use crate::fleet::schema::backup::{Backup, Before, Database};

/// Where NixOS keeps which account has which number. With it restored files find their owners on a machine that numbers anew.
pub const ACCOUNTS: &str = "/var/lib/nixos";

/// A dump that a backup makes before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump<'f> {
    /// Its place in the list of what comes before, from 0.
    pub number: usize,
    /// What is dumped.
    pub kind: Database,
    /// The database, or the file of SQLite; none for every one of the server.
    pub database: Option<&'f str>,
    /// The folder that it lies in.
    pub folder: String,
    /// Its file in the folder.
    pub file: String,
}

impl<'f> Dump<'f> {
    /// Returns the dump of a step before the backup of this name; none of a command, and of SQLite without a path.
    pub fn of(backup: &str, number: usize, before: &'f Before) -> Option<Self> {
        let kind = before.dump.as_ref()?.value;
        let database = before.database.as_ref().map(|name| name.value.0.as_str());
        let file = match (kind, database) {
            (Database::Postgresql, Some(name)) => format!("{name}.dump"),
            (Database::Postgresql, None) => "postgresql.sql".to_owned(),
            (Database::Mysql, Some(name)) => format!("{name}.sql"),
            (Database::Mysql, None) => "mysql.sql".to_owned(),
            (Database::Mongodb, Some(name)) => format!("{name}.mongodump"),
            (Database::Mongodb, None) => "mongodb.mongodump".to_owned(),
            (Database::Sqlite, path) => {
                let path = path.filter(|path| path.starts_with('/'))?;
                let last = path.rsplit('/').next().unwrap_or(path);
                let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                let name: String = last.chars().map(|c| if fits(c) { c } else { '_' }).collect();
                // Several files may be called alike.
                format!("{number}-{name}")
            }
        };
        let folder = before.to.as_ref().map_or_else(|| format!("/var/backup/{backup}"), |to| to.value.to_string());
        Some(Self { number, kind, database, folder, file })
    }
}

impl Backup {
    /// Returns the dumps of the backup of this name.
    pub fn dumps<'f>(&'f self, name: &str) -> Vec<Dump<'f>> {
        let before = self.before.iter().enumerate();
        before.filter_map(|(number, before)| Dump::of(name, number, before)).collect()
    }
}

impl ResolvedHost<'_> {
    /// Returns the datasets of a backup with their pools, sorted: those with `backup = true`, and those that it names.
    pub fn backed_up_datasets(&self, backup: &Backup) -> Vec<String> {
        let marked = self.pools.iter().flat_map(|pool| {
            let datasets = pool.def.value.datasets.iter().filter(|(_, dataset)| dataset.backup.value);
            datasets.map(|(name, _)| format!("{}/{name}", pool.name))
        });
        let mut all: Vec<String> = marked.chain(backup.datasets.iter().map(|name| name.value.to_string())).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Returns the paths of a backup: where its datasets are mounted, directories of running services that belong into one, and
    /// those that it names. In no order, and some may lie below others.
    pub fn backed_up_paths(&self, backup: &Backup) -> Vec<String> {
        let datasets = self.backed_up_datasets(backup);
        let is_marked = |name: String| datasets.contains(&name);
        let mounted = self.mounts.iter().filter(|mount| mount.source.dataset().is_some_and(is_marked));
        let state =
            self.running().flat_map(|service| &service.state).filter(|state| state.backup && !state.rebuildable);
        mounted
            .map(|mount| mount.path.to_owned())
            .chain(state.map(|state| state.path.clone()))
            .chain(backup.paths.iter().map(|path| path.value.to_string()))
            .collect()
    }
}
