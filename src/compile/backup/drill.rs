//! Restore drills: what a backup holds is restored into an empty folder and held against what is there.

use serde::Serialize;

use super::{BackupCx, borg};
use crate::compile::settings::Settings;
use crate::fleet::schema::backup::{BackupKind, Drill};
use crate::nix::{Attrs, Expr, Value};
use crate::source::{Diagnostic, Diagnostics};
use crate::text::{ShellCommand, specifier_free};

/// When a drill runs that does not say when.
const MONTHLY: &str = "monthly";

#[derive(Serialize)]
struct Script<'a> {
    name: &'a str,
    restore: Vec<ShellCommand>,
    paths: Vec<&'a str>,
    verify: Option<ShellCommand>,
}

/// Adds the drill of a backup.
pub(super) fn settings(backup: &BackupCx<'_>, out: &mut Settings, found: &mut Diagnostics) {
    let Some(drill) = &backup.def.drill else { return };
    let Some((restore, environment, package)) = restore(backup, drill, found) else { return };
    let verify = drill.verify.as_ref().and_then(|verify| ShellCommand::of_words(&verify.value.0));
    let paths: Vec<&str> = drill.paths.iter().map(|path| path.value.as_str()).collect();
    let values = Script { name: backup.name, restore, paths, verify };
    let Some(script) = backup.cx.render("services/drill.sh.tera", &values, found) else { return };
    let name = format!("hostwright-drill-{}", backup.name);
    let mut config = Attrs::from_iter([
        ("Type", Value::from("oneshot")),
        ("CacheDirectory", Value::from("hostwright")),
        ("StateDirectory", Value::from("hostwright")),
        // It may take hours, and nobody waits for it.
        ("Nice", Value::from(19i64)),
        ("IOSchedulingClass", Value::from("idle")),
    ]);
    if let Some(file) = backup.secret(backup.def.credentials.as_ref()) {
        config.set(&["EnvironmentFile"], specifier_free(file));
    }
    let tools = ["diffutils", "findutils", "openssh"].map(|tool| Value::from(Expr::select("pkgs", tool)));
    let service = Attrs::from_iter([
        ("description", Value::from(format!("Restore drill of the backup {}", backup.name))),
        ("after", vec!["network-online.target"].into()),
        ("wants", vec!["network-online.target"].into()),
        ("environment", environment.into()),
        ("path", Value::List(std::iter::once(package).chain(tools).collect())),
        ("script", script.into()),
        ("serviceConfig", config.into()),
    ]);
    out.set_below("systemd.services", &[&name], service, drill.place);
    let schedule = drill.schedule.as_ref().map_or(MONTHLY, |schedule| schedule.as_str());
    let place = drill.schedule.as_ref().map_or(drill.place, |schedule| schedule.place);
    out.set_below("systemd.timers", &[&name, "wantedBy"], vec!["timers.target"], place);
    let timer = Attrs::from_iter([("OnCalendar", Value::from(schedule)), ("Persistent", Value::from(true))]);
    out.set_below("systemd.timers", &[&name, "timerConfig"], timer, place);
}

/// Returns the commands that restore into the working directory, their environment, and the package that they are of.
fn restore(backup: &BackupCx<'_>, drill: &Drill, found: &mut Diagnostics) -> Option<(Vec<ShellCommand>, Attrs, Value)> {
    let def = backup.def;
    let repository = def.repository.as_str();
    let mut environment = Attrs::new();
    // As Borg stores them, paths have no slash at their beginning.
    let bare = |path: &str| path.trim_start_matches('/').to_owned();
    let paths = drill.paths.iter().map(|path| path.value.as_str());
    Some(match def.kind.value {
        BackupKind::Borg => {
            environment.set(&["BORG_REPO"], repository);
            if let Some(file) = backup.secret(def.password.as_ref()) {
                environment.set(&["BORG_PASSCOMMAND"], borg::read(file));
            }
            if let Some(key) = backup.secret(def.ssh_key.as_ref()) {
                environment.set(&["BORG_RSH"], borg::ssh(key));
            }
            environment.set(&["BORG_BASE_DIR"], "/var/lib/hostwright/borg");
            let extract = ShellCommand::from_raw("borg extract \"::$(borg list --last 1 --format '{archive}')\"");
            (vec![extract.args(paths.map(bare))], environment, Expr::select("pkgs", "borgbackup").into())
        }
        BackupKind::Restic => {
            environment.set(&["RESTIC_REPOSITORY"], repository);
            if let Some(file) = backup.secret(def.password.as_ref()) {
                environment.set(&["RESTIC_PASSWORD_FILE"], file);
            }
            environment.set(&["RESTIC_CACHE_DIR"], "/var/cache/hostwright/restic");
            let restore = ShellCommand::new("restic").args(["restore", "latest", "--target", "."]);
            let restore = paths.fold(restore, |restore, path| restore.args(["--include", path]));
            (vec![restore], environment, Expr::select("pkgs", "restic").into())
        }
        BackupKind::Syncoid | BackupKind::Zrepl => {
            found.push(
                Diagnostic::error(
                    "value-invalid",
                    drill.place,
                    format!("a drill of `{}` is not made here", def.kind.value),
                )
                .why("its snapshots lie in a pool of the other machine, which this one does not reach into")
                .help("mount the received dataset there and look at it, or add a backup with borg or restic"),
            );
            return None;
        }
    })
}
