//! What is moved off a Kubernetes cluster: the clusters of fleet.toml, and where a service comes from.
//!
//! Not here: Kubernetes' own objects, which are no files of a fleet. Nothing of this is compiled.

use crate::fleet::decode::{Cx, Decode, MapKey, Named, Setting, choice, lacks, table};
use crate::fleet::scalar::{AbsPath, FleetPath, ImageRef, Name};
use crate::fleet::schema::backup::Pattern;
use crate::fleet::schema::service_parts::{Owner, Words};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Kind, Node, Spanned, quoted};
use crate::units::{Date, Size, TimeSpan};

table! {
    /// A Kubernetes cluster that is left.
    pub struct Cluster {
        /// The context of kubectl that leads to it.
        "context" => context: Option<Spanned<ContextName>>,
        /// Files and folders below the fleet's folder with its objects, as exported or as they are in git.
        "manifests" => manifests: Vec<Spanned<ManifestPath>>,
        /// A file below the fleet's folder with the bytes that each claim uses.
        "metrics" => metrics: Option<Spanned<FleetPath>>,
        /// The image of pods that read its volumes: with find, tar, xargs and sha256sum of GNU; `docker.io/library/debian:12-slim` when absent.
        "rescue-image" => rescue_image: Option<Spanned<ImageRef>>,
    }
}

table! {
    /// The workload of a cluster that a service takes the place of.
    pub struct MigratesFrom {
        /// The cluster, by its name in fleet.toml.
        "cluster" => cluster: Spanned<Name>,
        /// The workload, as `namespace/Kind/name`.
        "workload" => workload: Spanned<WorkloadRef>,
        /// The image that runs there, as the cluster names it.
        "image" => image: Option<Spanned<String>>,
        /// The volumes that move.
        "volumes" => volumes: Vec<MovedClaim>,
        /// The volumes that do not.
        "leave" => leave: Vec<LeftClaim>,
        /// How it is stopped in the cluster before its data moves.
        "stop" => stop: Setting<StopBy> = StopBy::Scale,
        /// How long what is left in the cluster is kept after the move.
        "soak" => soak: Setting<TimeSpan> = TimeSpan::days(14),
        /// Answers to questions of `migrate` that no other key holds, by the question.
        "answers" => answers: Named<QuestionKey, Spanned<Answer>>,
    }
}

table! {
    /// A volume of a workload that moves, or a part of it. A volume may be named several times, with a part each.
    pub struct MovedClaimTable {
        /// The claim, by its name in the workload's namespace.
        "claim" => claim: Spanned<ObjectName>,
        /// The folder of the volume whose content goes to `to`; the whole volume when absent.
        "sub-path" => sub_path: Option<Spanned<InnerPath>>,
        /// Where its data goes on this host.
        "to" => to: Spanned<AbsPath>,
        /// How much it holds.
        "used" => used: Option<Spanned<Size>>,
        /// Only these move, as paths within the volume, or within its `sub-path`; everything when empty.
        "paths" => paths: Vec<Spanned<InnerPath>>,
        /// What stays behind.
        "exclude" => exclude: Vec<Spanned<Pattern>>,
        /// The database that is dumped instead of copied: `postgresql`, `mysql`, `mongodb`, `redis`, or a command that writes the dump.
        "dump" => dump: Option<Spanned<Dump>>,
        /// Who owns the data here.
        "owner" => owner: Option<Spanned<Owner>>,
        /// Accounts here for the numbers of accounts there, where files belong to several.
        "owners" => owners: Named<AccountNumber, Spanned<Owner>>,
        /// How the data is read.
        "via" => via: Setting<ReadVia> = ReadVia::Pod,
        /// The copies that there are, **required** with `via = "backup"`: the newest that can be read is restored.
        "backups" => backups: Vec<KeptCopy>,
    }
}

/// A volume of a workload that moves, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedClaim {
    /// The claim, by its name in the workload's namespace.
    pub claim: Spanned<ObjectName>,
    /// The folder of the volume whose content goes to `to`; the whole volume when absent.
    pub sub_path: Option<Spanned<InnerPath>>,
    /// Where its data goes on this host.
    pub to: Spanned<AbsPath>,
    /// How much it holds.
    pub used: Option<Spanned<Size>>,
    /// Only these move; everything when empty.
    pub paths: Vec<Spanned<InnerPath>>,
    /// What stays behind.
    pub exclude: Vec<Spanned<Pattern>>,
    /// The database that is dumped instead of copied.
    pub dump: Option<Spanned<Dump>>,
    /// Who owns the data here.
    pub owner: Option<Spanned<Owner>>,
    /// Accounts here for the numbers of accounts there, where files belong to several.
    pub owners: Named<AccountNumber, Spanned<Owner>>,
    /// How the data is read.
    pub via: Setting<ReadVia>,
    /// The copies that there are, the newest first; none unless they are what is read.
    pub backups: Vec<KeptCopy>,
}

impl Decode for MovedClaim {
    fn shape() -> Shape {
        MovedClaimTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = MovedClaimTable::decode(node, cx)?;
        let is_backup = table.via.value == ReadVia::Backup;
        if is_backup && table.backups.is_empty() {
            lacks::<MovedClaimTable>("backups", node.place, cx);
            return None;
        }
        if let Some(copy) = table.backups.first().filter(|_| !is_backup) {
            let wanted = "copies are read with `via = \"backup\"`; a volume that is there is copied itself";
            return cx.refused(copy.at.place, "`backups`", wanted);
        }
        if let Some(dump) = table.dump.as_ref().filter(|_| is_backup) {
            let wanted = "a copy is what it is: its `note` says so where it is a dump";
            return cx.refused(dump.place, "`dump` beside `via = \"backup\"`", wanted);
        }
        let mut backups = table.backups;
        backups.sort_by_key(|copy| std::cmp::Reverse(copy.taken.value));
        Some(Self {
            claim: table.claim,
            sub_path: table.sub_path,
            to: table.to,
            used: table.used,
            paths: table.paths,
            exclude: table.exclude,
            dump: table.dump,
            owner: table.owner,
            owners: table.owners,
            via: table.via,
            backups,
        })
    }
}

table! {
    /// A copy of the data of a volume, somewhere else.
    pub struct KeptCopy {
        /// Where it lies, as a person finds it: `nas:/backups/unifi`.
        "at" => at: Spanned<String>,
        /// The day it is of.
        "taken" => taken: Spanned<Date>,
        /// What is in it, and how it is read.
        "note" => note: Option<Spanned<String>>,
    }
}

table! {
    /// A volume of a workload that does not move.
    pub struct LeftClaim {
        /// The claim, by its name in the workload's namespace.
        "claim" => claim: Spanned<ObjectName>,
        /// Why it is not needed.
        "reason" => reason: Spanned<String>,
    }
}

choice! {
    /// How a workload is stopped in its cluster.
    pub enum StopBy {
        /// Its owner is scaled to none.
        Scale = "scale",
    }
}

choice! {
    /// How the data of a volume is read.
    pub enum ReadVia {
        /// By a pod that mounts it.
        Pod = "pod",
        /// On the node that holds it.
        Node = "node",
        /// From a snapshot of it.
        Snapshot = "snapshot",
        /// From the NFS server that holds it.
        Nfs = "nfs",
        /// From `backups`: the volume itself is gone.
        Backup = "backup",
    }
}

choice! {
    /// The databases whose dump is known.
    pub enum DumpOf {
        /// PostgreSQL.
        Postgresql = "postgresql",
        /// MySQL and MariaDB.
        Mysql = "mysql",
        /// MongoDB.
        Mongodb = "mongodb",
        /// Redis.
        Redis = "redis",
    }
}

/// How a database is dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump {
    /// As that database is.
    Of(DumpOf),
    /// By a command.
    Command(Words),
}

impl Decode for Dump {
    fn shape() -> Shape {
        Shape::OneOf(vec![DumpOf::shape(), Words::shape()])
    }

    /// Reads one word as a database: that nobody's typing error becomes a command, a command of one word is a list.
    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.as_str() {
            Some(text) if !text.trim().contains(char::is_whitespace) => DumpOf::decode(node, cx).map(Self::Of),
            _ => Words::decode(node, cx).map(Self::Command),
        }
    }
}

/// The answer to a question: text, a number, or yes and no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
}

impl Decode for Answer {
    fn shape() -> Shape {
        Shape::OneOf(vec![String::shape(), i64::shape(), bool::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Str(_) => String::decode(node, cx).map(Self::Text),
            Kind::Int(number) => Some(Self::Number(number)),
            Kind::Bool(truth) => Some(Self::Truth(truth)),
            _ => cx.invalid(node, "an answer is text in quotes, a whole number, `true` or `false`"),
        }
    }
}

/// The ids of questions, as names of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuestionKey;

impl MapKey for QuestionKey {
    fn check(name: &str) -> Result<(), String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:/#-".contains(&b);
        if !name.is_empty() && name.len() <= 300 && name.bytes().all(fits) {
            Ok(())
        } else {
            Err("the id of a question is letters, digits, `.`, `_`, `:`, `/`, `-`, `#`, as `migrate` prints it"
                .to_owned())
        }
    }

    fn pattern() -> &'static str {
        "^[A-Za-z0-9._:/#-]+$"
    }
}

/// The number of an account, as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountNumber;

impl MapKey for AccountNumber {
    fn check(name: &str) -> Result<(), String> {
        match name.parse::<u32>() {
            Ok(number) if number.to_string() == name => Ok(()),
            _ => Err("the number of an account in the cluster is wanted, such as `\"1000\"`".to_owned()),
        }
    }

    fn pattern() -> &'static str {
        "^(0|[1-9][0-9]{0,9})$"
    }
}

/// A context of kubectl by its name. It becomes an argument: it does not begin with `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextName(String);

impl ContextName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for ContextName {
    fn shape() -> Shape {
        let wanted = "a context of kubectl, in quotes";
        Shape::Scalar(Scalar { form: "context", json: "string", pattern: Some("^[^-]"), wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = String::decode(node, cx)?;
        match text.parse() {
            Ok(context) => Some(context),
            Err(wanted) => cx.refused(node.place, &text, wanted),
        }
    }
}

impl std::str::FromStr for ContextName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_strange = |c: char| c.is_whitespace() || c.is_control();
        if text.is_empty() || text.starts_with('-') || text.len() > 253 || text.contains(is_strange) {
            return Err(
                "a context of kubectl is wanted, as `kubectl config get-contexts` shows it; it does not begin with `-`",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

/// A file or folder with objects, below the fleet's folder; a folder may end with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestPath(pub FleetPath);

impl Decode for ManifestPath {
    fn shape() -> Shape {
        let wanted = "a file or folder below the fleet's folder, in quotes: `k8s`";
        Shape::Scalar(Scalar { form: "file", json: "string", pattern: None, wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Some(text) = node.as_str() else { return cx.invalid(node, &Self::shape().wanted()) };
        match text.strip_suffix('/').unwrap_or(text).parse() {
            Ok(path) => Some(Self(path)),
            Err(wanted) => cx.refused(node.place, text, &wanted),
        }
    }
}

/// A path within a volume: without a leading slash and without `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerPath(String);

impl InnerPath {
    /// Returns the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for InnerPath {
    fn shape() -> Shape {
        let wanted = "a path within the volume, in quotes: `uploads/2024`";
        Shape::Scalar(Scalar { form: "path", json: "string", pattern: Some("^[^/-]"), wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let text = String::decode(node, cx)?;
        // What holds below the root of the host holds below that of the volume.
        if text.starts_with('-') || format!("/{text}").parse::<AbsPath>().is_err() || text.is_empty() {
            let wanted = "a path within the volume is wanted, such as `uploads/2024`: no leading `/` or `-`, no `..`";
            return cx.refused(node.place, &text, wanted);
        }
        Some(Self(text))
    }
}

/// Tells whether a text is a DNS subdomain, as Kubernetes wants of names: labels of lower-case letters, digits and inner hyphens.
pub fn is_object_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        label.bytes().next().is_some_and(inner)
            && label.bytes().next_back().is_some_and(inner)
            && label.bytes().all(|b| inner(b) || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// The name of an object of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName(String);

impl ObjectName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for ObjectName {
    fn shape() -> Shape {
        let pattern = Some("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$");
        Shape::Scalar(Scalar { form: "object", json: "string", pattern, wanted: "the name of an object, in quotes" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "the name of an object is lower-case letters, digits, inner `-` and `.`, 253 characters at most";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        if is_object_name(text) { Some(Self(text.to_owned())) } else { cx.refused(node.place, text, wanted) }
    }
}

/// A workload of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadRef {
    /// Its namespace.
    pub namespace: String,
    /// Its kind, such as `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.kind, self.name)
    }
}

impl std::str::FromStr for WorkloadRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let (Some(namespace), Some(kind), Some(name), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("a workload is `namespace/Kind/name`, such as `apps/Deployment/gitea`".to_owned());
        };
        for (part, what) in [(namespace, "a namespace"), (name, "a name")] {
            if !is_object_name(part) || what == "a namespace" && (part.len() > 63 || part.contains('.')) {
                return Err(format!("{} is not {what} of Kubernetes", quoted(part)));
            }
        }
        let is_kind = kind.starts_with(|c: char| c.is_ascii_uppercase())
            && kind.len() <= 63
            && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_kind {
            return Err(format!("{} is no kind of Kubernetes: `Deployment`, `StatefulSet`, …", quoted(kind)));
        }
        Ok(Self { namespace: namespace.to_owned(), kind: kind.to_owned(), name: name.to_owned() })
    }
}

crate::fleet::decode::from_string! {
    WorkloadRef, "workload", Some("^[a-z0-9-]+/[A-Z][A-Za-z0-9]*/[a-z0-9.-]+$"), "`namespace/Kind/name`, in quotes";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Diagnostics, Sources, parse_toml};

    fn decoded<T: Decode>(text: &str) -> (Option<T>, Diagnostics) {
        let mut sources = Sources::default();
        let file = sources.add("x.toml", text);
        let mut found = Vec::new();
        let node = parse_toml(&sources, file, &mut found);
        assert!(found.is_empty(), "{found:#?}");
        let value = T::decode(&node, &mut Cx::new(&mut found));
        (value, found)
    }

    #[test]
    fn what_a_service_comes_from_is_read_with_its_defaults() {
        let text = "cluster = 'do'\nworkload = 'apps/Deployment/gitea'\nimage = 'gitea/gitea:1.13.2'\n\
                    volumes = [{ claim = 'gitea-data', to = '/var/lib/gitea', used = '38GiB', paths = ['git', 'lfs/a'], dump = 'pg_dumpall -U x' }]\n\
                    leave = [{ claim = 'cache', reason = 'made again' }]\n\
                    answers = { 'image:gitea' = 'native', replicas = 1, 'privileged' = true }\n";
        let (value, found) = decoded::<MigratesFrom>(text);
        let value = value.unwrap_or_else(|| panic!("{found:#?}"));
        assert_eq!(value.workload.to_string(), "apps/Deployment/gitea");
        assert_eq!((value.stop.value, value.soak.value), (StopBy::Scale, TimeSpan::days(14)));
        assert_eq!(value.volumes[0].via.value, ReadVia::Pod);
        assert_eq!(
            value.volumes[0].dump.as_ref().unwrap().value,
            Dump::Command(Words(["pg_dumpall", "-U", "x"].map(str::to_owned).into()))
        );
        let answers: Vec<_> =
            value.answers.iter().map(|(key, value)| (key.as_str(), value.value.value.clone())).collect();
        let text = |text: &str| Answer::Text(text.to_owned());
        let wanted =
            [("image:gitea", text("native")), ("replicas", Answer::Number(1)), ("privileged", Answer::Truth(true))];
        assert_eq!(answers, wanted);
    }

    #[test]
    fn copies_are_tried_from_the_newest_to_the_oldest() {
        let text = "claim = 'a'\nto = '/a'\nvia = 'backup'\nbackups = [{ at = 'old', taken = 2025-02-01 }, \
                    { at = 'new', taken = 2026-11-01, note = 'as the program writes it' }, { at = 'older', taken = 2024-06-30 }]\n";
        let (volume, found) = decoded::<MovedClaim>(text);
        let volume = volume.unwrap_or_else(|| panic!("{found:#?}"));
        let order: Vec<&str> = volume.backups.iter().map(|copy| copy.at.value.as_str()).collect();
        assert_eq!(order, ["new", "old", "older"]);
    }

    #[test]
    fn what_could_become_an_option_or_climb_out_is_refused() {
        for bad in [
            "context = '-v'",
            "context = ''",
            "context = 'a b'",
            "manifests = ['/etc']",
            "manifests = ['../x']",
            "manifests = ['/']",
            "metrics = '-x'",
        ] {
            assert!(decoded::<Cluster>(bad).0.is_none(), "{bad}");
        }
        let (cluster, _) = decoded::<Cluster>("context = 'admin@home'\nmanifests = ['k8s/', 'dump.yaml']\n");
        let paths: Vec<String> = cluster.unwrap().manifests.iter().map(|path| path.value.0.to_string()).collect();
        assert_eq!(paths, ["k8s", "dump.yaml"]);
        for (bad, why) in [
            ("via = 'backup'", "backups"),
            ("backups = [{ at = 'nas:/b', taken = 2026-11-01 }]", "via"),
            ("via = 'backup'\ndump = 'redis'\nbackups = [{ at = 'nas:/b', taken = 2026-11-01 }]", "dump"),
        ] {
            let (volume, found) = decoded::<MovedClaim>(&format!("claim = 'a'\nto = '/a'\n{bad}\n"));
            assert!(volume.is_none() && format!("{found:?}").contains(why), "{bad}: {found:?}");
        }
        let volume = |rest: &str| decoded::<MovedClaim>(&format!("claim = 'a'\nto = '/a'\n{rest}\n")).0.is_some();
        assert!(volume("dump = 'redis'") && volume("dump = ['x']") && volume("paths = ['a b']"));
        for bad in ["dump = 'postgres'", "paths = ['/a']", "paths = ['a/../b']", "paths = ['-a']", "paths = ['']"] {
            assert!(!volume(bad), "{bad}");
        }
    }

    #[test]
    fn a_workload_is_its_namespace_kind_and_name() {
        for good in ["a/Deployment/b", "kube-system/DaemonSet/a.b.c", "a/CronJob/0"] {
            assert_eq!(good.parse::<WorkloadRef>().unwrap().to_string(), good);
        }
        for bad in [
            "a/b",
            "a/deployment/b",
            "a/Deployment/B",
            "a.b/Deployment/c",
            "a/Deployment/b/c",
            "/Deployment/b",
            "a//b",
            "-a/Job/b",
        ] {
            assert!(bad.parse::<WorkloadRef>().is_err(), "{bad}");
        }
    }
}
