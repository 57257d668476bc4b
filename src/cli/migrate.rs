//! `hostwright migrate`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context::{self, shown};
use super::place::{Place, Stand};
use super::terminal::Terminal;
use super::{ExitStatus, Failure, cluster, output, remarks, render, timeline};
use crate::facts::Facts;
use crate::kubernetes::claims::CapacityEntry;
use crate::kubernetes::context::Target;
use crate::kubernetes::draft::HostDraft;
use crate::kubernetes::kustomize::listed;
use crate::kubernetes::ledger::{Definitions, Outcome, RefusedEntry};
use crate::kubernetes::live::Reading;
use crate::kubernetes::placement::{HostEntry, Placed, PlacedEntry, PlacementEntry, Room, place};
use crate::kubernetes::read::decode;
use crate::kubernetes::spread::split;
use crate::kubernetes::write::{Written, write};
use crate::kubernetes::{Inventory, World, demand, differences, inventory, load, metrics};
use crate::report;
use crate::report::migrate::{MigrateFormat, MigrateOptions};
use crate::resolve::Resolved;
use crate::source::{self, FileId, Sources, printable};
use crate::units::{Date, Size};

/// Take inventory of Kubernetes manifests, and make definitions of services from them.
///
/// Every field of every object is accounted for: it went to a key of a definition, something else does the same, it has no meaning
/// on a host, or a person has to decide. Reads files and folders of YAML and JSON, what `kubectl get -o yaml` prints, and with
/// `--cluster` the cluster itself, which is only read. No values of Secrets are shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright migrate k8s/                                       what is there, and what only you can decide
  kubectl get all,pvc,cm,ingress -A -o yaml | hostwright migrate -
  hostwright migrate k8s/ --host lufta                          the definitions that lufta would get
  hostwright migrate k8s/ --host lufta --write                  into hosts/lufta/host.toml
  hostwright migrate k8s/ --hosts lufta,attic,desk              which host each workload goes to, and why
  hostwright migrate k8s/ --format html >inventory.html         every field, for a browser
  hostwright migrate --cluster home                             a running cluster of fleet.toml, and where its manifests differ
  hostwright migrate --cluster home --save k8s/                 kept as files, for plans and CI

Exit status: 0 read; 1 some files or objects were refused, or changed meanwhile, or `--fail-on` found something; 2 nothing could be read.")]
pub(super) struct Args {
    /// Files and folders; `-` is standard input [default: the manifests of the fleet's clusters]. With `--cluster` what it is
    /// compared with
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    live: cluster::Args,
    /// The host that the workloads move to
    #[arg(long, value_name = "HOST", group = "to")]
    host: Option<String>,
    /// Several hosts that the workloads are spread over, by what they need and who speaks with whom
    #[arg(long, value_name = "HOST,…", value_delimiter = ',', group = "to")]
    hosts: Vec<String>,
    /// Write the definitions into the fleet; what stands there stays as it is
    #[arg(long, requires = "to")]
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

impl Args {
    /// Returns the hosts that workloads move to, each once, by name.
    fn wanted(&self) -> Vec<String> {
        let named: BTreeSet<&String> = self.host.iter().chain(&self.hosts).filter(|name| !name.is_empty()).collect();
        named.into_iter().cloned().collect()
    }

    /// Returns the words that name those hosts.
    fn host_words(&self) -> Option<String> {
        let host = self.host.as_ref().map(|host| format!("--host {}", printable(host)));
        host.or_else(|| (!self.hosts.is_empty()).then(|| format!("--hosts {}", printable(&self.hosts.join(",")))))
    }
}

pub(super) fn run(
    terminal: &Terminal,
    fleet: &dyn Fn() -> Result<PathBuf, Failure>,
    args: &Args,
) -> Result<ExitStatus, Failure> {
    let live = cluster::read(terminal, fleet, &args.live, UNNAMED, args.metrics.is_none())?;
    let live = live.as_ref();
    let wanted = args.wanted();
    if wanted.is_empty() {
        let paths = if live.is_some() { args.paths.clone() } else { paths(args, fleet)? };
        let modules = crate::fleet::service_modules(None, crate::modules::embedded(), |_, _| true);
        let facts = Facts::embedded();
        let used = live.map_or_else(|| metrics_of(args, None), |live| used_of(args, live))?;
        let name = live.map_or(UNNAMED, |live| live.name.as_str());
        let target = Target { used, ..Target::nowhere(name, &modules, &facts) };
        let place = Place { target, is_new_cluster: true, stands: Vec::new(), timelines: Vec::new() };
        return Run { terminal, args, paths: &paths, live, place }.print(None);
    }
    let folder = fleet()?;
    let mut files = context::load(&folder)?;
    context::known_hosts(&files, &wanted)?;
    let inputs = context::Inputs::of(&files);
    let facts = context::facts(&folder, &mut files)?;
    let modules = crate::fleet::service_modules(Some(&files), crate::modules::embedded(), |_, _| true);
    let today = context::today(args.today)?;
    let paths = if live.is_some() { args.paths.clone() } else { paths(args, &|| Ok(folder.clone()))? };
    crate::check::check_files(&mut files, &facts, &wanted, today, |resolved, outcome, sources| {
        let is_read =
            |fleet: &&Resolved<'_>| wanted.iter().all(|name| fleet.hosts.iter().any(|host| host.name == *name));
        let Some(resolved) = resolved.filter(is_read) else {
            terminal.print(&context::Report::new(&outcome, sources).write(
                terminal,
                report::Format::Human,
                source::Level::Error,
                "",
                None,
            ))?;
            return Ok(ExitStatus::Invalid);
        };
        let hosts = wanted.iter().map(|name| context::host_of(resolved, name)).collect::<Result<Vec<_>, Failure>>()?;
        let (used, cluster) = match live {
            Some(live) => (used_of(args, live)?, Some(live.name.as_str()).filter(|_| live.is_known)),
            None => {
                let used = metrics_of(args, cluster_metrics(resolved, &folder, &paths))?;
                (used, cluster_of(resolved, &folder, &paths))
            }
        };
        let target = Target { used, ..Target::nowhere(cluster.unwrap_or(UNNAMED), &modules, &facts) };
        let mut place = Place::of(resolved, &hosts, target, cluster.is_none());
        // What is written now is not in the files that a plan is made from.
        if !args.write {
            place.timelines = timeline::timelines(resolved, &hosts, &outcome, &inputs, &facts);
        }
        Run { terminal, args, paths: &paths, live, place }.print(Some(&folder))
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

/// Returns used bytes of claims: those of the command line, else those that the cluster tells.
fn used_of(args: &Args, live: &cluster::Live) -> Result<BTreeMap<String, Size>, Failure> {
    if args.metrics.is_some() { metrics_of(args, None) } else { Ok(live.used.clone()) }
}

/// What a cluster is called that the fleet does not know yet.
const UNNAMED: &str = "cluster";

/// One run.
struct Run<'a> {
    terminal: &'a Terminal,
    args: &'a Args,
    paths: &'a [PathBuf],
    /// What was read of the cluster itself; then the paths are what it is compared with.
    live: Option<&'a cluster::Live>,
    place: Place<'a>,
}

impl Run<'_> {
    fn print(mut self, folder: Option<&Path>) -> Result<ExitStatus, Failure> {
        let (terminal, args) = (self.terminal, self.args);
        let (mut texts, mut refused) = match self.live {
            Some(live) => (live.texts.clone(), Vec::new()),
            None => texts(self.paths)?,
        };
        let files = texts.len() + refused.len();
        if args.render {
            texts = render::render(texts)?;
        }
        let mut sources = Sources::default();
        let ids: Vec<_> = texts.into_iter().map(|(path, text)| sources.add(path, text)).collect();
        let manifests = self.live.map(|live| Wanted::read(live, self.paths, &mut sources)).transpose()?;
        let loaded = load::load(&sources, &ids);
        refused.extend(loaded.refused());
        let placed = self.spread(&loaded.world);
        let wants_fields = !args.summary && args.format != FormatArg::Human;
        let inventory =
            inventory(&loaded.world, &self.place.target, wants_fields).map_err(|bug| Failure::new(bug.to_string()))?;
        let mut found = loaded.found;
        found.extend(inventory.found.iter().cloned());
        let drafts = self.drafts(&inventory);
        let mut definitions = match folder {
            Some(folder) => self.definitions(folder, &drafts)?,
            None => Vec::new(),
        };
        let several = self.place.target.spread.is_several();
        let mut capacities: Vec<Option<CapacityEntry>> =
            self.place.stands.iter().map(|stand| stand.capacity(&inventory, &placed)).collect();
        let (capacity, single, placement) = if several {
            let hosts = self.place.stands.iter().zip(capacities).zip(definitions);
            let hosts = hosts.map(|((stand, capacity), definitions)| {
                let own = |one: &&Placed| one.host.as_deref() == Some(stand.room.name.as_str());
                let workloads = placed.iter().filter(own).map(|one| one.id.clone()).collect();
                HostEntry::of(&stand.room, workloads, capacity, definitions)
            });
            (
                None,
                None,
                Some(PlacementEntry {
                    hosts: hosts.collect(),
                    workloads: placed.iter().map(PlacedEntry::of).collect(),
                }),
            )
        } else {
            (capacities.pop().flatten(), definitions.pop(), None)
        };
        let timelines = std::mem::take(&mut self.place.timelines);
        let outcome = Outcome { capacity, definitions: single, placement, timelines };
        let mut ledger = inventory.into_ledger(files, refused, outcome);
        ledger.reading = self.live.zip(manifests).map(|(live, wanted)| wanted.compared(live, &sources, &loaded.world));
        let words = self.live.map(cluster::Live::words).into_iter().chain(self.paths.iter().map(|path| shown(path)));
        let words: Vec<String> = words.chain(args.host_words()).collect();
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

    /// Spreads workloads over several hosts.
    fn spread(&mut self, world: &World<'_>) -> Vec<Placed> {
        if !self.place.target.spread.is_several() {
            return Vec::new();
        }
        let rooms: Vec<Room> = self.place.stands.iter().map(|stand| stand.room.clone()).collect();
        let placed = place(&demand(world, &self.place.target), &rooms);
        self.place.target.spread.placed = placed.iter().map(|one| (one.id.clone(), one.clone())).collect();
        placed
    }

    /// Returns the definitions of each host, by name.
    fn drafts(&self, inventory: &Inventory) -> BTreeMap<String, HostDraft> {
        let target = &self.place.target;
        match target.host {
            Some(host) => BTreeMap::from([(host.to_owned(), inventory.host.clone())]),
            None => split(&inventory.host, &inventory.hosts, &target.spread),
        }
    }

    /// Writes definitions into the fleet where that is wanted, says what the rules find in them, and returns them, by host.
    fn definitions(&self, folder: &Path, drafts: &BTreeMap<String, HostDraft>) -> Result<Vec<Definitions>, Failure> {
        let (args, place) = (self.args, &self.place);
        let (mut all, mut unwritten) = (Vec::new(), Vec::new());
        for stand in &place.stands {
            let host = stand.room.name.as_str();
            let Some(draft) = drafts.get(host) else { continue };
            let own = if args.write {
                let (before, merged) = added(folder, stand, draft)?;
                put(folder, host, &before, &merged)?;
                merged
            } else {
                if args.format == FormatArg::Human {
                    unwritten.push((host, added(folder, stand, draft)?.1));
                }
                written("", stand, draft)?
            };
            all.push(Definitions { host: host.to_owned(), toml: own.text, files: own.files.into_keys().collect() });
        }
        if args.write && place.is_new_cluster {
            let paths = if self.live.is_some() { &[][..] } else { self.paths };
            let context = self.live.map(|live| live.reading.context.as_str());
            add_cluster(folder, place.target.cluster, paths, context)?;
        }
        if args.format == FormatArg::Human {
            let hosts: Vec<String> = place.stands.iter().map(|stand| stand.room.name.clone()).collect();
            remarks::print(self.terminal, folder, &hosts, unwritten, context::today(args.today)?)?;
        }
        Ok(all)
    }
}

/// The manifests that a cluster is held against.
struct Wanted {
    files: Vec<FileId>,
    refused: usize,
}

impl Wanted {
    fn read(live: &cluster::Live, paths: &[PathBuf], sources: &mut Sources) -> Result<Self, Failure> {
        let (texts, refused) = texts(if paths.is_empty() { &live.manifests } else { paths })?;
        let files = texts.into_iter().map(|(path, text)| sources.add(path, text)).collect();
        Ok(Self { files, refused: refused.len() })
    }

    fn compared(self, live: &cluster::Live, sources: &Sources, world: &World<'_>) -> Reading {
        let loaded = load::load(sources, &self.files);
        let mut reading = live.reading.clone();
        reading.differences = differences::differences(&loaded.world, world, &|object| live.knows(object));
        match self.refused + loaded.refused.len() {
            0 => {}
            1 => reading.notes.push("one file of the manifests cannot be read and was not compared".to_owned()),
            count => reading.notes.push(format!("{count} files of the manifests cannot be read and were not compared")),
        }
        reading
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
fn added(folder: &Path, stand: &Stand, draft: &HostDraft) -> Result<(String, Written), Failure> {
    let text = output::read_text(&folder.join(format!("hosts/{}/host.toml", stand.room.name)))?;
    let written = written(&text, stand, draft)?;
    Ok((text, written))
}

fn written(text: &str, stand: &Stand, draft: &HostDraft) -> Result<Written, Failure> {
    let host = stand.room.name.as_str();
    write(text, draft, host, stand.pool.as_ref().map(|pool| pool.name.as_str()))
        .map_err(|_| Failure::new(format!("hosts/{host}/host.toml is no TOML")).help("`hostwright check` says why"))
}

/// Adds the cluster to fleet.toml, with its context, or with where its manifests are when they lie in the fleet.
fn add_cluster(folder: &Path, name: &str, paths: &[PathBuf], context: Option<&str>) -> Result<(), Failure> {
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
        match context {
            Some(context) => table.insert("context", toml_edit::value(context)),
            None => table.insert("manifests", toml_edit::value(manifests)),
        };
        clusters.insert(name, toml_edit::Item::Table(table));
        output::replace(&output::real(&path), document.to_string().as_bytes())?;
    }
    Ok(())
}
