//! `hostwright migrate`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context::{self, shown};
use super::terminal::Terminal;
use super::{ExitStatus, Failure, moved, output, remarks, render};
use crate::facts::Facts;
use crate::fleet::schema::service_parts::Protocol;
use crate::kubernetes::context::{Target, answers_of};
use crate::kubernetes::draft;
use crate::kubernetes::kustomize::listed;
use crate::kubernetes::ledger::{CapacityEntry, Definitions, RefusedEntry};
use crate::kubernetes::read::decode;
use crate::kubernetes::write::{Written, write};
use crate::kubernetes::{inventory, load, metrics};
use crate::report;
use crate::report::migrate::{MigrateFormat, MigrateOptions};
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{self, Sources, printable};
use crate::units::{Date, Size};

/// Take inventory of Kubernetes manifests, and make definitions of services from them.
///
/// Every field of every object is accounted for: it went to a key of a definition, something else does the same, it has no meaning
/// on a host, or a person has to decide. Reads files and folders of YAML and JSON, and what `kubectl get -o yaml` prints; no cluster
/// is touched and no values of Secrets are shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright migrate k8s/                                       what is there, and what only you can decide
  kubectl get all,pvc,cm,ingress -A -o yaml | hostwright migrate -
  hostwright migrate k8s/ --host lufta                          the definitions that lufta would get
  hostwright migrate k8s/ --host lufta --write                  into hosts/lufta/host.toml
  hostwright migrate k8s/ --format html >inventory.html         every field, for a browser

Exit status: 0 read; 1 some files were refused, or `--fail-on` found something; 2 nothing could be read.")]
pub(super) struct Args {
    /// Files and folders; `-` is standard input [default: the manifests of the fleet's clusters]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The host that the workloads move to
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Write the definitions into the fleet; what stands there stays as it is
    #[arg(long, requires = "host")]
    write: bool,
    /// Used bytes of claims: lines `namespace/claim SIZE`, or a kubelet's summary as JSON
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Run `kustomize build` and `helm template` for what only they can read; they may use the network and run plugins
    #[arg(long)]
    render: bool,
    /// Leave out what became of each field
    #[arg(long)]
    summary: bool,
    /// How to print the inventory
    #[arg(long, default_value = "human")]
    format: FormatArg,
    /// What makes the command fail beyond files that cannot be read
    #[arg(long, value_name = "WHAT")]
    fail_on: Option<FailOnArg>,
    /// The day to check the fleet for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// What was found, and the questions
    Human,
    /// The document that `hostwright schema migrate` describes
    Json,
    /// A page with every question and field
    Md,
    /// The same for a browser
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOnArg {
    /// A field that a person has to decide about
    NeedsYou,
}

impl From<FormatArg> for MigrateFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Human => Self::Human,
            FormatArg::Json => Self::Json,
            FormatArg::Md => Self::Markdown,
            FormatArg::Html => Self::Html,
        }
    }
}

pub(super) fn run(
    terminal: &Terminal,
    fleet: &dyn Fn() -> Result<PathBuf, Failure>,
    args: &Args,
) -> Result<ExitStatus, Failure> {
    let Some(host) = &args.host else {
        let paths = paths(args, fleet)?;
        let modules = crate::fleet::service_modules(None, crate::modules::embedded());
        let facts = Facts::embedded();
        let used = metrics_of(args, None)?;
        let target = Target { used, ..Target::nowhere(UNNAMED, &modules, &facts) };
        let place = Place { target, is_new_cluster: true, pool: None };
        return Run { terminal, args, paths: &paths, place }.print(None);
    };
    let folder = fleet()?;
    let mut files = context::load(&folder)?;
    context::known_hosts(&files, std::slice::from_ref(host))?;
    let facts = context::facts(&folder, &mut files)?;
    let modules = crate::fleet::service_modules(Some(&files), crate::modules::embedded());
    let today = context::today(args.today)?;
    let wanted = [host.clone()];
    let paths = paths(args, &|| Ok(folder.clone()))?;
    crate::check::check_files(&mut files, &facts, &wanted, today, |resolved, outcome, sources| {
        let Some(resolved) = resolved.filter(|resolved| resolved.hosts.iter().any(|known| known.name == *host)) else {
            terminal.print(&context::Report::new(&outcome, sources).write(
                terminal,
                report::Format::Human,
                source::Level::Error,
                "",
                None,
            ))?;
            return Ok(ExitStatus::Invalid);
        };
        let own = context::host_of(resolved, host)?;
        let used = metrics_of(args, cluster_metrics(resolved, &folder, &paths))?;
        let cluster = cluster_of(resolved, &folder, &paths);
        let target = Target { used, ..Target::nowhere(cluster.unwrap_or(UNNAMED), &modules, &facts) };
        let place = Place::of(resolved, own, target, cluster.is_none());
        Run { terminal, args, paths: &paths, place }.print(Some(&folder))
    })
}

/// Returns what to read: the paths of the command line, else the manifests of the fleet's clusters.
fn paths(args: &Args, fleet: &dyn Fn() -> Result<PathBuf, Failure>) -> Result<Vec<PathBuf>, Failure> {
    if !args.paths.is_empty() {
        return Ok(args.paths.clone());
    }
    let nothing = || {
        Failure::new("no manifests are named")
            .help("`hostwright migrate PATH…` names files and folders, `-` reads standard input")
            .help("`manifests = [\"k8s/\"]` below `[clusters.NAME]` in fleet.toml says where a cluster's are")
    };
    let folder = fleet().map_err(|_| nothing())?;
    let mut files = context::load(&folder)?;
    let read = crate::fleet::read(&mut files, crate::modules::embedded(), &|_| false);
    let fleet = read.fleet.ok_or_else(nothing)?;
    let named = fleet.file.clusters.iter().flat_map(|(_, cluster)| &cluster.value.manifests);
    let paths: Vec<PathBuf> = named.map(|path| folder.join(path.value.0.as_str())).collect();
    if paths.is_empty() { Err(nothing()) } else { Ok(paths) }
}

/// Returns the cluster of the fleet whose manifests are read.
fn cluster_of<'f>(resolved: &'f Resolved<'_>, folder: &Path, paths: &[PathBuf]) -> Option<&'f str> {
    let clusters = &resolved.fleet.file.clusters;
    let holds = |manifests: &str| {
        let inside = folder.join(manifests.trim_end_matches('/'));
        paths.iter().any(|path| output::real(path).starts_with(output::real(&inside)))
    };
    let mut named = clusters.iter();
    let by_path =
        clusters.iter().find(|(_, cluster)| cluster.value.manifests.iter().any(|path| holds(path.value.0.as_str())));
    let only = named.next().filter(|_| named.next().is_none());
    by_path.or(only).map(|(name, _)| name.as_str())
}

fn cluster_metrics(resolved: &Resolved<'_>, folder: &Path, paths: &[PathBuf]) -> Option<PathBuf> {
    let name = cluster_of(resolved, folder, paths)?;
    let (_, cluster) = resolved.fleet.file.clusters.iter().find(|(known, _)| known.as_str() == name)?;
    cluster.value.metrics.as_ref().map(|path| folder.join(path.as_str()))
}

fn metrics_of(args: &Args, of_cluster: Option<PathBuf>) -> Result<BTreeMap<String, Size>, Failure> {
    let Some(path) = args.metrics.clone().or(of_cluster) else { return Ok(BTreeMap::new()) };
    metrics::read(&output::read_text(&path)?)
        .map_err(|why| Failure::new(format!("cannot read the used bytes in {}: {}", shown(&path), printable(&why))))
}

/// The pool that claims go to.
#[derive(Debug)]
struct Room {
    name: String,
    usable: Option<u64>,
    promised: u64,
}

/// What a cluster is called that the fleet does not know yet.
const UNNAMED: &str = "cluster";

/// The place that workloads move to.
#[derive(Debug)]
struct Place<'a> {
    target: Target<'a>,
    /// Whether fleet.toml does not have the cluster yet.
    is_new_cluster: bool,
    pool: Option<Room>,
}

impl<'a> Place<'a> {
    fn of(resolved: &Resolved<'_>, host: &ResolvedHost<'a>, mut target: Target<'a>, is_new_cluster: bool) -> Self {
        let pool = host.pools.first().map(|pool| Room {
            name: pool.name.to_owned(),
            usable: crate::check::usable_bytes(pool),
            promised: crate::check::planned_bytes(host, pool),
        });
        target.host = Some(host.name);
        target.release = Some(host.channel.channel.release.value);
        target.datasets = pool.as_ref().map(|pool| format!("{}/safe", pool.name));
        target.parts = moved::parts(host);
        target.addresses = moved::addresses(host);
        for service in &host.services {
            for port in &service.ports {
                let protocol = match port.protocol {
                    Protocol::Tcp => draft::Protocol::Tcp,
                    Protocol::Udp => draft::Protocol::Udp,
                };
                target.ports.insert((port.port, protocol), service.name.to_owned());
            }
            if let Some(module) = &service.module {
                target.natives.insert(module.name.to_owned(), service.name.to_owned());
            }
            for vhost in &service.def.vhost.0 {
                for name in std::iter::once(&vhost.name).chain(&vhost.aliases) {
                    let route = (name.as_str().to_ascii_lowercase(), vhost.path.as_str().to_owned());
                    target.vhosts.insert(route, service.name.to_owned());
                }
            }
        }
        for (name, service) in host.def.services.iter() {
            let name = name.as_str().to_owned();
            if let Some(from) = &service.value.migrates_from {
                target.moved.insert(from.workload.value.to_string(), name);
            } else {
                target.taken.insert(name);
            }
        }
        for own in &resolved.hosts {
            for (_, service) in own.def.services.iter() {
                let Some(from) = &service.value.migrates_from else { continue };
                target.answers.extend(answers_of(from));
            }
        }
        Self { target, is_new_cluster, pool }
    }
}

/// One run.
struct Run<'a> {
    terminal: &'a Terminal,
    args: &'a Args,
    paths: &'a [PathBuf],
    place: Place<'a>,
}

impl Run<'_> {
    fn print(self, folder: Option<&Path>) -> Result<ExitStatus, Failure> {
        let Self { terminal, args, place, .. } = &self;
        let (mut texts, mut refused) = texts(self.paths)?;
        let files = texts.len() + refused.len();
        if args.render {
            texts = render::render(texts)?;
        }
        let mut sources = Sources::default();
        let ids: Vec<_> = texts.into_iter().map(|(path, text)| sources.add(path, text)).collect();
        let loaded = load::load(&sources, &ids);
        refused.extend(loaded.refused());
        let wants_fields = !args.summary && args.format != FormatArg::Human;
        let inventory =
            inventory(&loaded.world, &place.target, wants_fields).map_err(|bug| Failure::new(bug.to_string()))?;
        let mut found = loaded.found;
        found.extend(inventory.found.iter().cloned());
        let mut definitions = None;
        if let (Some(folder), Some(host)) = (folder, place.target.host) {
            let written = if args.write {
                let (before, merged) = added(folder, host, place, &inventory.host)?;
                put(folder, host, &before, &merged)?;
                if place.is_new_cluster {
                    add_cluster(folder, place.target.cluster, self.paths)?;
                }
                merged
            } else {
                written("", host, place, &inventory.host)?
            };
            if args.format == FormatArg::Human {
                let unwritten = if args.write { None } else { Some(added(folder, host, place, &inventory.host)?.1) };
                remarks::print(terminal, folder, host, unwritten, context::today(args.today)?)?;
            }
            definitions = Some(Definitions {
                host: host.to_owned(),
                toml: written.text,
                files: written.files.into_keys().collect(),
            });
        }
        let capacity = place.pool.as_ref();
        let capacity =
            capacity.map(|pool| CapacityEntry::of(&pool.name, pool.usable, pool.promised, &inventory.claims));
        let ledger = inventory.into_ledger(files, refused, capacity, definitions);
        let words: Vec<String> = self.paths.iter().map(|path| shown(path)).chain(host_words(args)).collect();
        let options = MigrateOptions {
            color: terminal.color,
            verbose: terminal.verbosity == report::Verbosity::Verbose,
            words: &words.join(" "),
            written: args.write,
        };
        if args.format == FormatArg::Human && !found.is_empty() {
            terminal.print(&context::findings(terminal, &found, &sources))?;
        }
        let text = report::migrate::write(&ledger, args.format.into(), &options);
        terminal.print(&text.map_err(|error| Failure::new(error.to_string()))?)?;
        // The process ends here: taking large trees apart would take longer than a tenth of the run.
        std::mem::forget(loaded.world);
        Ok(if ledger.objects.is_empty() && !(ledger.refused.is_empty() && ledger.files > 0) {
            ExitStatus::Invalid
        } else if !ledger.refused.is_empty() || args.fail_on.is_some() && ledger.totals.needs_you > 0 {
            ExitStatus::Findings
        } else {
            ExitStatus::Success
        })
    }
}

/// Returns the files at and below some paths with what their kustomizations name, by path and text, and what cannot be read.
fn texts(paths: &[PathBuf]) -> Result<(render::Texts, Vec<RefusedEntry>), Failure> {
    let mut read = source::load_manifests(paths).map_err(|error| Failure::new(printable(&error.to_string())))?;
    let (mut all, mut refused, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
    while !read.is_empty() {
        let from = all.len();
        for file in read {
            known.insert(file.path.clone());
            match file.bytes.and_then(decode) {
                Ok(text) => all.push((file.path, text)),
                Err(reason) => refused.push(RefusedEntry { file: file.path, line: 1, column: 1, reason, help: None }),
            }
        }
        let new = all.iter().skip(from).map(|(path, text): &(String, String)| (path.as_str(), text.as_str()));
        let named: Vec<String> = listed::of_files(new).all().filter(|path| !known.contains(*path)).cloned().collect();
        read = source::load_named(&named, &known, paths);
        known.extend(named);
    }
    Ok((all, refused))
}

fn host_words(args: &Args) -> impl Iterator<Item = String> {
    args.host.iter().map(|host| format!("--host {}", printable(host)))
}

/// Writes a host's file and what it names, as far as they changed.
fn put(folder: &Path, host: &str, before: &str, written: &Written) -> Result<(), Failure> {
    for (file, bytes) in &written.files {
        output::replace(&folder.join(file), bytes)?;
    }
    if written.text != before {
        output::replace(&output::real(&folder.join(format!("hosts/{host}/host.toml"))), written.text.as_bytes())?;
    }
    Ok(())
}

/// Returns the text of a host's file, and the same with the definitions added.
fn added(folder: &Path, host: &str, place: &Place<'_>, draft: &draft::HostDraft) -> Result<(String, Written), Failure> {
    let text = output::read_text(&folder.join(format!("hosts/{host}/host.toml")))?;
    let written = written(&text, host, place, draft)?;
    Ok((text, written))
}

fn written(text: &str, host: &str, place: &Place<'_>, draft: &draft::HostDraft) -> Result<Written, Failure> {
    write(text, draft, host, place.pool.as_ref().map(|pool| pool.name.as_str()))
        .map_err(|_| Failure::new(format!("hosts/{host}/host.toml is no TOML")).help("`hostwright check` says why"))
}

/// Adds the cluster to fleet.toml, with where its manifests are when they lie in the fleet.
fn add_cluster(folder: &Path, name: &str, paths: &[PathBuf]) -> Result<(), Failure> {
    let path = folder.join("fleet.toml");
    let text = output::read_text(&path)?;
    let mut document: toml_edit::DocumentMut =
        text.parse().map_err(|_| Failure::new(format!("{} is no TOML", shown(&path))))?;
    let root = output::real(folder);
    let inside = paths.iter().filter_map(|path| {
        let inside = output::real(path);
        let inside = inside.strip_prefix(&root).ok()?.to_string_lossy().replace('\\', "/");
        Some(inside)
    });
    let manifests: toml_edit::Array = inside.filter(|path| !path.is_empty()).collect();
    let clusters = document.entry("clusters").or_insert_with(|| {
        let mut table = toml_edit::Table::new();
        table.set_implicit(true);
        toml_edit::Item::Table(table)
    });
    let Some(clusters) = clusters.as_table_like_mut() else { return Ok(()) };
    if !clusters.contains_key(name) {
        let mut table = toml_edit::Table::new();
        table.insert("manifests", toml_edit::value(manifests));
        clusters.insert(name, toml_edit::Item::Table(table));
        output::replace(&output::real(&path), document.to_string().as_bytes())?;
    }
    Ok(())
}
