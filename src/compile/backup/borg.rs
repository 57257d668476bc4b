//! Borg, through `services.borgbackup`.

use super::BackupCx;
use crate::compile::settings::Settings;
use crate::nix::{Attrs, Value};
use crate::text::ShellCommand;

/// Adds a job; returns the unit that makes the backup.
pub(super) fn settings(backup: &BackupCx<'_>, out: &mut Settings) -> String {
    let def = backup.def;
    let mut set = |key: &[&str], value: Value, place| {
        let path: Vec<&str> = std::iter::once(backup.name).chain(key.iter().copied()).collect();
        out.set_below("services.borgbackup.jobs", &path, value, place);
    };
    set(&["paths"], backup.paths().into(), backup.place);
    set(&["repo"], def.repository.as_str().into(), def.repository.place);
    if let Some(first) = def.exclude.first() {
        let patterns: Vec<&str> = def.exclude.iter().map(|pattern| pattern.value.0.as_str()).collect();
        set(&["exclude"], patterns.into(), first.place);
    }
    match backup.secret(def.password.as_ref()) {
        Some(file) => {
            set(&["encryption", "mode"], "repokey-blake2".into(), backup.place);
            set(&["encryption", "passCommand"], read(file).into(), backup.place);
        }
        None => set(&["encryption", "mode"], "none".into(), backup.place),
    }
    if let Some(key) = backup.secret(def.ssh_key.as_ref()) {
        set(&["environment", "BORG_RSH"], ssh(key).into(), backup.place);
    }
    set(&["compression"], Value::from("auto,zstd").default_priority(), backup.place);
    set(&["startAt"], backup.schedule().into(), def.schedule.as_ref().map_or(backup.place, |when| when.place));
    if backup.cx.spelling.borg_persistent_timer() {
        set(&["persistentTimer"], Value::from(true).default_priority(), backup.place);
    }
    if let Some(keep) = &def.keep {
        let counts: Attrs = keep.counts().map(|(name, count)| (name, Value::from(i64::from(count)))).collect();
        set(&["prune", "keep"], counts.into(), keep.place);
    }
    format!("borgbackup-job-{}", backup.name)
}

/// The command by which Borg reads its passphrase.
pub(super) fn read(file: &str) -> String {
    ShellCommand::new("cat").args(["--", file]).to_string()
}

/// The command by which Borg reaches another machine. A machine that is met first is believed and from then on known: nobody is
/// there to be asked.
pub(super) fn ssh(key: &str) -> String {
    ShellCommand::new("ssh")
        .args(["-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new"])
        .to_string()
}
