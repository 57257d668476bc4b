//! Backups: what is copied where and when, and how it is shown that it comes back.

use super::service_parts::Words;
use crate::fleet::decode::{Cx, Decode, choice, table};
use crate::fleet::scalar::{AbsPath, DatasetName, RepositoryUrl};
use crate::fleet::shape::{Scalar, Shape};
use crate::fleet::words::SecretName;
use crate::source::{Node, Spanned};
use crate::units::OnCalendar;

choice! {
    /// The programs that make backups.
    pub enum BackupKind {
        /// Borg: archives of files.
        Borg = "borg",
        /// restic: archives of files.
        Restic = "restic",
        /// zrepl: snapshots of datasets, sent to another machine.
        Zrepl = "zrepl",
        /// syncoid: snapshots of datasets, sent to another machine.
        Syncoid = "syncoid",
    }
}

impl BackupKind {
    /// Tells whether it copies files; else it sends snapshots of datasets.
    pub fn copies_files(self) -> bool {
        matches!(self, Self::Borg | Self::Restic)
    }

    /// Returns the name, without its ending, of the service and the timer that NixOS makes of a backup of files (nixos/modules/services/
    /// backup/{borgbackup,restic}.nix); none of what sends snapshots.
    pub fn file_unit(self, name: &str) -> Option<String> {
        match self {
            Self::Borg => Some(format!("borgbackup-job-{name}")),
            Self::Restic => Some(format!("restic-backups-{name}")),
            Self::Zrepl | Self::Syncoid => None,
        }
    }
}

table! {
    /// A backup.
    pub struct Backup {
        /// What makes it.
        "kind" => kind: Spanned<BackupKind>,
        /// Where it goes: a repository, of zrepl `host:port`, of syncoid `[user@]host:dataset`.
        "repository" => repository: Spanned<RepositoryUrl>,
        /// borg, restic: the passphrase of the repository.
        "password" => password: Option<Spanned<SecretName>>,
        /// borg, syncoid: the ssh key that opens the other machine.
        "ssh-key" => ssh_key: Option<Spanned<SecretName>>,
        /// restic: variables of the repository, a line each.
        "credentials" => credentials: Option<Spanned<SecretName>>,
        /// When it is made.
        "schedule" => schedule: Option<Spanned<OnCalendar>>,
        /// How many are kept.
        "keep" => keep: Option<Keep>,
        /// Paths beyond those of datasets and services with `backup = true`.
        "paths" => paths: Vec<Spanned<AbsPath>>,
        /// What is left out, as patterns of the program.
        "exclude" => exclude: Vec<Spanned<Pattern>>,
        /// Datasets beyond those with `backup = true`, pool included.
        "include-datasets" => datasets: Vec<Spanned<DatasetName>>,
        /// What runs before: dumps of databases, commands.
        "before" => before: Vec<Before>,
        /// How it is shown that it comes back.
        "drill" => drill: Option<Drill>,
    }
}

table! {
    /// How many archives or snapshots are kept: the last ones, and the last one of so many hours, days, ...
    pub struct Keep {
        /// The last ones.
        "last" => last: Option<Spanned<u32>>,
        /// One an hour.
        "hourly" => hourly: Option<Spanned<u32>>,
        /// One a day.
        "daily" => daily: Option<Spanned<u32>>,
        /// One a week.
        "weekly" => weekly: Option<Spanned<u32>>,
        /// One a month.
        "monthly" => monthly: Option<Spanned<u32>>,
        /// One a year.
        "yearly" => yearly: Option<Spanned<u32>>,
    }
}

impl Keep {
    /// Returns what is kept, by the names that borg and restic have for it.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let all = [
            ("last", &self.last),
            ("hourly", &self.hourly),
            ("daily", &self.daily),
            ("weekly", &self.weekly),
            ("monthly", &self.monthly),
            ("yearly", &self.yearly),
        ];
        all.into_iter().filter_map(|(name, count)| Some((name, count.as_ref()?.value)))
    }
}

choice! {
    /// The databases that are dumped.
    pub enum Database {
        /// PostgreSQL, with `pg_dump`.
        Postgresql = "postgresql",
        /// MySQL and MariaDB, with `mysqldump`.
        Mysql = "mysql",
        /// MongoDB, with `mongodump`.
        Mongodb = "mongodb",
        /// A file of SQLite, with its `.backup`.
        Sqlite = "sqlite",
    }
}

table! {
    /// What runs before a backup: exactly one of `dump` and `command`.
    pub struct Before {
        /// A database that is dumped.
        "dump" => dump: Option<Spanned<Database>>,
        /// dump: the database; of sqlite the path of its file. Every one of the server when absent.
        "database" => database: Option<Spanned<DatabaseName>>,
        /// dump: the folder of the dump, which becomes part of the backup.
        "to" => to: Option<Spanned<AbsPath>>,
        /// A command; one list item is one argument.
        "command" => command: Option<Spanned<Words>>,
    }
}

table! {
    /// A restore drill: restores into an empty folder and looks at what came.
    pub struct Drill {
        /// When it runs.
        "schedule" => schedule: Option<Spanned<OnCalendar>>,
        /// What it restores; everything when empty.
        "paths" => paths: Vec<Spanned<AbsPath>>,
        /// A command that must succeed in the folder with the restored files.
        "verify" => verify: Option<Spanned<Words>>,
    }
}

/// The name of a database, or the path of a file of SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseName(pub String);

impl Decode for DatabaseName {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "database",
            json: "string",
            pattern: None,
            wanted: "a database's name or path, in quotes",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a database is letters, digits, `_`, `-`, `.`, or the path of a file";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let name = !text.is_empty() && text.len() <= 63 && !text.starts_with(['-', '.']) && text.bytes().all(fits);
        if name || text.parse::<AbsPath>().is_ok() {
            Some(Self(text.to_owned()))
        } else {
            cx.refused(node.place, text, wanted)
        }
    }
}

/// A pattern of what is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub String);

impl Decode for Pattern {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "pattern", json: "string", pattern: None, wanted: "a path or pattern, in quotes" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = String::decode(node, cx)?;
        if text.is_empty() || text.starts_with('-') {
            return cx.refused(node.place, &text, "a path or pattern is wanted, such as `*.tmp` or `/var/cache`");
        }
        Some(Self(text))
    }
}
