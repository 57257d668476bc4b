//! Dumps of databases before a backup: a unit that the backup needs, so that one that failed stops it.

use serde::Serialize;

use super::BackupCx;
use crate::compile::settings::Settings;
use crate::fleet::schema::backup::{Before, Database};
use crate::nix::{Attrs, Expr, Value};
use crate::source::{Diagnostic, Diagnostics};
use crate::text::ShellCommand;

/// Where dumps go that do not say where.
fn folder(backup: &BackupCx<'_>, before: &Before) -> String {
    before.to.as_ref().map_or_else(|| format!("/var/backup/{}", backup.name), |to| to.to_string())
}

/// Returns the folders that hold dumps.
pub(super) fn folders(backup: &BackupCx<'_>) -> Vec<String> {
    let dumps = backup.def.before.iter().filter(|before| before.dump.is_some());
    let mut folders: Vec<String> = dumps.map(|before| folder(backup, before)).collect();
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
            (Some(dump), None) => steps.extend(step(backup, before, dump.value, number, &mut packages, found)),
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
    database: Database,
    number: usize,
    packages: &mut Vec<Value>,
    found: &mut Diagnostics,
) -> Option<Dump> {
    let named = before.database.as_ref().map(|name| name.value.0.as_str());
    let as_postgres = || ShellCommand::new("runuser").args(["-u", "postgres", "--"]);
    let (file, command) = match database {
        Database::Postgresql => {
            packages.push(Expr::select("config", "services.postgresql.package").into());
            packages.push(Expr::select("pkgs", "util-linux").into());
            match named {
                Some(name) => (format!("{name}.dump"), as_postgres().args(["pg_dump", "--format=custom", "--", name])),
                None => ("postgresql.sql".to_owned(), as_postgres().arg("pg_dumpall")),
            }
        }
        Database::Mysql => {
            packages.push(Expr::select("config", "services.mysql.package").into());
            let dump = ShellCommand::new("mysqldump").args(["--single-transaction", "--routines", "--events"]);
            match named {
                Some(name) => (format!("{name}.sql"), dump.args(["--databases", name])),
                None => ("mysql.sql".to_owned(), dump.arg("--all-databases")),
            }
        }
        Database::Mongodb => {
            packages.push(Expr::select("pkgs", "mongodb-tools").into());
            let dump = ShellCommand::new("mongodump").args(["--quiet", "--archive"]);
            match named {
                Some(name) => (format!("{name}.mongodump"), dump.arg(format!("--db={name}"))),
                None => ("mongodb.mongodump".to_owned(), dump),
            }
        }
        Database::Sqlite => {
            packages.push(Expr::select("pkgs", "sqlite").into());
            let Some(path) = named.filter(|name| name.starts_with('/')) else {
                let place = before.database.as_ref().map_or(before.place, |name| name.place);
                found.push(
                    Diagnostic::error("value-invalid", place, "a dump of sqlite wants the path of its file")
                        .help("`database = \"/var/lib/NAME/NAME.sqlite\"`"),
                );
                return None;
            };
            let last = path.rsplit('/').next().unwrap_or(path);
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let name: String = last.chars().map(|c| if fits(c) { c } else { '_' }).collect();
            // Several files may be called alike. A consistent copy is made even while somebody writes.
            let file = format!("{number}-{name}");
            (file, ShellCommand::new("sqlite3").args(["-readonly", path, ".dump"]))
        }
    };
    Some(Dump { folder: Some(folder(backup, before)), file, command })
}
