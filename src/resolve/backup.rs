//! What belongs into a backup: datasets and directories that are marked, and what the backup itself names.

use super::ResolvedHost;
use crate::fleet::schema::backup::Backup;

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
