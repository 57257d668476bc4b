//! restic, through `services.restic.backups`.

use super::BackupCx;
use crate::compile::settings::Settings;
use crate::nix::{Attrs, Value};

/// Adds a job; returns the unit that makes the backup.
pub(super) fn settings(backup: &BackupCx<'_>, out: &mut Settings) -> String {
    let def = backup.def;
    let mut set = |key: &str, value: Value, place| {
        out.set_below("services.restic.backups", &[backup.name, key], value, place);
    };
    set("paths", backup.paths().into(), backup.place);
    set("repository", def.repository.as_str().into(), def.repository.place);
    set("initialize", Value::from(true).default_priority(), backup.place);
    if let Some(first) = def.exclude.first() {
        let patterns: Vec<&str> = def.exclude.iter().map(|pattern| pattern.value.0.as_str()).collect();
        if backup.cx.spelling.restic_exclude() {
            set("exclude", patterns.into(), first.place);
        } else {
            let flags: Vec<String> = patterns.iter().map(|pattern| format!("--exclude={pattern}")).collect();
            set("extraBackupArgs", flags.into(), first.place);
        }
    }
    if let Some(file) = backup.secret(def.password.as_ref()) {
        set("passwordFile", file.into(), backup.place);
    }
    if let Some(file) = backup.secret(def.credentials.as_ref()) {
        let option = if backup.cx.spelling.restic_exclude() { "environmentFile" } else { "s3CredentialsFile" };
        set(option, file.into(), backup.place);
    }
    let timer = Attrs::from_iter([("OnCalendar", Value::from(backup.schedule())), ("Persistent", Value::from(true))]);
    set("timerConfig", timer.into(), def.schedule.as_ref().map_or(backup.place, |when| when.place));
    if let Some(keep) = &def.keep {
        let flags: Vec<String> = keep.counts().map(|(name, count)| format!("--keep-{name} {count}")).collect();
        set("pruneOpts", flags.into(), keep.place);
    }
    format!("restic-backups-{}", backup.name)
}
