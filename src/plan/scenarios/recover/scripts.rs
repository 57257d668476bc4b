//! The script of each backup: the same one looks on the deployer and restores on the host, so that both read alike.

use serde::Serialize;

use super::sources::{Source, Sources, Thing};
use crate::fleet::schema::backup::{BackupKind, Database};
use crate::plan::scripts::templates;
use crate::plan::{PlanError, Script, seconds};
use crate::resolve::{ResolvedHost, ResolvedPool};

/// The folder of the scripts below `out/hosts/HOST/`.
pub(super) const FOLDER: &str = "recover";

/// How many times its interval the newest backup may be old, in seconds: who is later has missed some.
const DAY: u64 = 86_400;

#[derive(Serialize)]
struct Values<'a> {
    name: &'a str,
    host: &'a str,
    kind: &'static str,
    package: &'static str,
    unlock: &'static str,
    repository: &'a str,
    password: Option<&'a str>,
    password_name: Option<&'a str>,
    ssh_key: Option<&'a str>,
    ssh_key_name: Option<&'a str>,
    credentials: Option<&'a str>,
    credentials_name: Option<&'a str>,
    oldest: u64,
    schedule_words: String,
    needed: Vec<&'a str>,
    room: u64,
    rate: u64,
    things: &'a [Thing],
    dumps: Vec<DumpValues<'a>>,
}

#[derive(Serialize)]
struct DumpValues<'a> {
    /// As a word: it is compared with what the script is called with.
    number: String,
    kind: &'static str,
    file: String,
    database: &'a str,
}

/// Returns the path of a backup's script below `out/hosts/HOST/`.
pub(super) fn path(source: &Source<'_>) -> String {
    format!("{FOLDER}/{}.sh", source.name)
}

/// Returns the scripts of a host; none where no backup copies files.
pub(super) fn scripts(host: &ResolvedHost<'_>) -> Result<Vec<Script>, PlanError> {
    let sources = Sources::of(host);
    sources.files.iter().map(|source| Ok(Script { path: path(source), text: text(host, source)? })).collect()
}

/// Returns the text of a backup's script.
pub(super) fn text(host: &ResolvedHost<'_>, source: &Source<'_>) -> Result<String, PlanError> {
    let def = source.def;
    let path_of = |name: Option<&crate::source::Spanned<crate::fleet::words::SecretName>>| {
        host.secret(name?.as_str()).map(|secret| secret.path.as_str())
    };
    let (kind, package, unlock) = match def.kind.value {
        BackupKind::Borg => ("borg", "borgbackup", "borg break-lock REPOSITORY"),
        _ => ("restic", "restic", "restic -r REPOSITORY unlock"),
    };
    let schedule = def.schedule.as_ref().map_or("daily", |schedule| schedule.as_str());
    let dumps = source.dumps.iter().map(|dump| DumpValues {
        number: dump.number.to_string(),
        kind: word(dump.kind),
        file: format!("{}/{}", dump.folder, dump.file),
        database: dump.database.unwrap_or_default(),
    });
    let (rate, _) = seconds::copy_rate(host);
    let values = Values {
        name: source.name,
        host: host.name,
        kind,
        package,
        unlock,
        repository: def.repository.as_str(),
        password: path_of(def.password.as_ref()),
        password_name: def.password.as_ref().map(|name| name.as_str()),
        ssh_key: path_of(def.ssh_key.as_ref()),
        ssh_key_name: def.ssh_key.as_ref().map(|name| name.as_str()),
        credentials: path_of(def.credentials.as_ref()),
        credentials_name: def.credentials.as_ref().map(|name| name.as_str()),
        oldest: oldest(schedule),
        schedule_words: format!("its schedule is {schedule}"),
        needed: source.needed(),
        room: host.pools.iter().filter_map(ResolvedPool::usable_bytes).sum(),
        rate,
        things: &source.things,
        dumps: dumps.collect(),
    };
    Ok(templates()?.render("recover/backup.sh.tera", &values)?)
}

fn word(kind: Database) -> &'static str {
    match kind {
        Database::Postgresql => "postgresql",
        Database::Mysql => "mysql",
        Database::Mongodb => "mongodb",
        Database::Sqlite => "sqlite",
    }
}

/// Returns how old the newest backup may be, in seconds: three of its days or weeks. What systemd.time(7) writes as a calendar is made
/// each day unless it names a day of the week or month.
fn oldest(schedule: &str) -> u64 {
    let has_day =
        schedule.split_whitespace().next().is_some_and(|first| first.starts_with(|c: char| c.is_alphabetic()));
    match schedule {
        "minutely" | "hourly" | "daily" => 3 * DAY,
        "weekly" => 15 * DAY,
        "monthly" => 63 * DAY,
        "quarterly" | "semiannually" | "semi-annually" | "biannually" | "bi-annually" => 370 * DAY,
        "annually" | "yearly" | "anually" => 740 * DAY,
        other if has_day => {
            let days = other.split_whitespace().next().unwrap_or_default();
            if days.contains([',', '.']) { 8 * DAY } else { 15 * DAY }
        }
        other if other.contains("*-*-*") || !other.contains('-') => 3 * DAY,
        _ => 63 * DAY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_missed_some_of_its_days_is_too_old() {
        let of = |schedule| oldest(schedule) / DAY;
        assert_eq!(["hourly", "daily", "*-*-* 02:30", "03:00"].map(of), [3, 3, 3, 3]);
        assert_eq!(["weekly", "Sun 04:00", "Mon..Fri 04:00", "Mon,Thu"].map(of), [15, 15, 8, 8]);
        assert_eq!(["monthly", "*-*-01 04:00", "yearly"].map(of), [63, 63, 740]);
    }
}
