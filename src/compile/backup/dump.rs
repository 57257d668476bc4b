//! Dumps of databases before a backup: a unit that the backup needs, so that one that failed stops it.

use serde::Serialize;

use super::BackupCx;
use crate::compile::settings::Settings;
use crate::fleet::schema::backup::{Before, Database};
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::Dump as ResolvedDump;
use crate::source::{Diagnostic, Diagnostics};
use crate::text::ShellCommand;

/// Returns the folders that hold dumps.
pub(super) fn folders(backup: &BackupCx<'_>) -> Vec<String> {
    let mut folders: Vec<String> = backup.def.dumps(backup.name).into_iter().map(|dump| dump.folder).collect();
    folders.dedup();
    folders
}

#[derive(Serialize)]
struct Dumps {
    steps: Vec<Dump>,
}

#[derive(Serialize)]
struct Dump {
    /// The folder and name of the dump; none for a command.
    folder: Option<String>,
    file: String,
    command: ShellCommand,
}

/// Adds the unit that makes the dumps, before `unit`.
pub(super) fn settings(backup: &BackupCx<'_>, unit: &str, out: &mut Settings, found: &mut Diagnostics) {
    let Some(first) = backup.def.before.first() else { return };
    let mut steps = Vec::new();
    let mut packages: Vec<Value> = Vec::new();
    for (number, before) in backup.def.before.iter().enumerate() {
        match (&before.dump, &before.command) {
            (Some(_), None) => steps.extend(step(backup, before, number, &mut packages, found)),
            (None, Some(command)) => {
                let command = ShellCommand::of_words(&command.value.0);
                steps.extend(command.map(|command| Dump { folder: None, file: String::new(), command }));
            }
            _ => found.push(
                Diagnostic::error(
                    "value-invalid",
                    before.place,
                    "a step before a backup is one of `dump` and `command`",
                )
                .help("`{ dump = \"postgresql\" }`")
                .help("`{ command = [\"program\", \"argument\"] }`"),
            ),
        }
    }
    let Some(script) = backup.cx.render("services/dump.sh.tera", &Dumps { steps }, found) else { return };
    let name = format!("hostwright-dump-{}", backup.name);
    let unit = format!("{unit}.service");
    let service = Attrs::from_iter([
        ("description", Value::from(format!("What comes before the backup {}", backup.name))),
        ("before", vec![unit.as_str()].into()),
        ("requiredBy", vec![unit.as_str()].into()),
        ("path", Value::List(packages)),
        ("script", script.into()),
        ("serviceConfig", Attrs::from_iter([("Type", "oneshot")]).into()),
    ]);
    out.set_below("systemd.services", &[&name], service, first.place);
}

/// Returns the command that writes a dump to its standard output, or to the file itself.
fn step(
    backup: &BackupCx<'_>,
    before: &Before,
    number: usize,
    packages: &mut Vec<Value>,
    found: &mut Diagnostics,
) -> Option<Dump> {
    let Some(made) = ResolvedDump::of(backup.name, number, before) else {
        let place = before.database.as_ref().map_or(before.place, |name| name.place);
        found.push(
            Diagnostic::error("value-invalid", place, "a dump of sqlite wants the path of its file")
                .help("`database = \"/var/lib/NAME/NAME.sqlite\"`"),
        );
        return None;
    };
    let named = made.database;
    let as_postgres = || ShellCommand::new("runuser").args(["-u", "postgres", "--"]);
    let command = match made.kind {
        Database::Postgresql => {
            packages.push(Expr::select("config", "services.postgresql.package").into());
            packages.push(Expr::select("pkgs", "util-linux").into());
            match named {
                Some(name) => as_postgres().args(["pg_dump", "--format=custom", "--", name]),
                None => as_postgres().arg("pg_dumpall"),
            }
        }
        Database::Mysql => {
            packages.push(Expr::select("config", "services.mysql.package").into());
            let dump = ShellCommand::new("mysqldump").args(["--single-transaction", "--routines", "--events"]);
            match named {
                Some(name) => dump.args(["--databases", name]),
                None => dump.arg("--all-databases"),
            }
        }
        Database::Mongodb => {
            packages.push(Expr::select("pkgs", "mongodb-tools").into());
            let dump = ShellCommand::new("mongodump").args(["--quiet", "--archive"]);
            named.map_or_else(|| dump.clone(), |name| dump.clone().arg(format!("--db={name}")))
        }
        Database::Sqlite => {
            packages.push(Expr::select("pkgs", "sqlite").into());
            // A consistent copy is made even while somebody writes.
            ShellCommand::new("sqlite3").args(["-readonly", named.unwrap_or_default(), ".dump"])
        }
    };
    Some(Dump { folder: Some(made.folder), file: made.file, command })
}
