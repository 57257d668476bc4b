//! backup.nix: what is copied where and when, what is dumped before, and drills that restore it.
//!
//! One file a program. A drill has an environment of its own, so that it stands on the repository alone and not on what made the
//! backup. Not here: what belongs into a backup (`resolve`), whether everything does (`check`).

mod borg;
mod drill;
mod dump;
mod restic;
mod syncoid;
mod zrepl;

use super::HostCx;
use super::settings::Settings;
use crate::fleet::schema::backup::{Backup, BackupKind, Database};
use crate::nix::{Expr, Value};
use crate::resolve::ACCOUNTS;
use crate::source::{Diagnostic, Diagnostics, Place};
use crate::units::topmost;

/// When a backup is made that does not say when.
const DAILY: &str = "daily";

/// A backup of a host.
#[derive(Clone, Copy)]
struct BackupCx<'a> {
    cx: &'a HostCx<'a>,
    name: &'a str,
    def: &'a Backup,
    place: Place,
}

impl BackupCx<'_> {
    /// Returns the file of a secret.
    fn secret(&self, name: Option<&crate::source::Spanned<crate::fleet::words::SecretName>>) -> Option<&str> {
        self.cx.host.secret(name?.as_str()).map(|secret| secret.path.as_str())
    }

    /// Returns when it is made, as a calendar event.
    fn schedule(&self) -> &str {
        self.def.schedule.as_ref().map_or(DAILY, |schedule| schedule.as_str())
    }

    /// Returns the paths that it copies, sorted, none below another: what is marked, what it names, and its dumps.
    fn paths(&self) -> Vec<String> {
        let mut all = self.cx.host.backed_up_paths(self.def);
        all.extend(dump::folders(self));
        if !all.is_empty() {
            all.push(ACCOUNTS.to_owned());
        }
        topmost(all)
    }
}

/// Returns the packages that a recovery calls by name on the host, but for those that NixOS has there with a service or a job.
fn for_recovery(cx: &HostCx<'_>) -> Vec<Value> {
    let backups = || cx.host.def.backup.iter().filter(|(_, def)| def.value.kind.value.copies_files());
    let dumps =
        |kind: Database| backups().any(|(name, def)| def.value.dumps(name).iter().any(|dump| dump.kind == kind));
    let wanted = [
        ("restic", backups().any(|(_, def)| def.value.kind.value == BackupKind::Restic)),
        ("sqlite", dumps(Database::Sqlite)),
        ("mongodb-tools", dumps(Database::Mongodb)),
    ];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| Expr::select("pkgs", name).into()).collect()
}

/// Returns what backup.nix sets; empty without backups.
pub(super) fn settings(cx: &HostCx<'_>, found: &mut Diagnostics) -> Settings {
    let mut out = Settings::default();
    for (name, def) in cx.host.def.backup.iter() {
        let backup = BackupCx { cx, name, def: &def.value, place: def.key };
        let is_empty = match def.kind.value.copies_files() {
            true => backup.paths().is_empty(),
            false => cx.host.backed_up_datasets(&def.value).is_empty(),
        };
        if is_empty {
            found.push(
                Diagnostic::error("value-invalid", def.key, format!("the backup `{name}` holds nothing"))
                    .help("`backup = true` for a dataset")
                    .help("`paths`, or with zrepl and syncoid `include-datasets`, in the backup"),
            );
        }
        let unit = match def.kind.value {
            BackupKind::Borg => borg::settings(&backup, &mut out),
            BackupKind::Restic => restic::settings(&backup, &mut out),
            BackupKind::Zrepl => zrepl::settings(&backup, &mut out, found),
            BackupKind::Syncoid => syncoid::settings(&backup, &mut out),
        };
        dump::settings(&backup, &unit, &mut out, found);
        drill::settings(&backup, &mut out, found);
    }
    let packages = for_recovery(cx);
    if let (false, Some((_, first))) = (packages.is_empty(), cx.host.def.backup.iter().next()) {
        out.set("environment.systemPackages", Value::List(packages), first.key);
    }
    out
}
