//! `migrate --cluster`: a cluster is read through kubectl, and becomes texts like those of files.
//!
//! Here belong the order of questions, the progress, and the folder that keeps the answers. What an answer means is
//! `kubernetes::live`'s.

mod kubectl;
mod save;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::render::Texts;
use super::terminal::Terminal;
use super::{Failure, context};
use crate::fleet::schema::migration::ContextName;
use crate::kubernetes::live::{self, Answer, Reading, Saved, Seen, Unread, changes, unread};
use crate::kubernetes::metrics;
use crate::kubernetes::object::Object;
use crate::source::{nearest, printable, quoted};
use crate::units::Size;
use kubectl::Kubectl;

/// How many answers are waited for at once.
const AT_ONCE: usize = 4;

/// How many objects a server gives out at once.
const CHUNK: &str = "--chunk-size=500";

#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Read a cluster of fleet.toml itself, through kubectl; nothing is changed there
    #[arg(long, value_name = "NAME", conflicts_with = "render")]
    cluster: Option<String>,
    /// The context of kubectl to read [default: the one that the cluster has in fleet.toml]
    #[arg(long, value_name = "CONTEXT", conflicts_with = "render")]
    context: Option<String>,
    /// Keep what was read of the cluster as files; of Secrets the names of their keys
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Seconds until an answer of the cluster is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    deadline: u64,
}

/// What was read of a cluster.
#[derive(Debug)]
pub(super) struct Live {
    /// What it is called in the fleet.
    pub(super) name: String,
    /// Whether the fleet has it.
    pub(super) is_known: bool,
    /// Its objects, as files that are not there.
    pub(super) texts: Texts,
    /// Used bytes of claims.
    pub(super) used: BTreeMap<String, Size>,
    /// Files and folders of the fleet that say what ought to be there.
    pub(super) manifests: Vec<PathBuf>,
    /// How it went.
    pub(super) reading: Reading,
    /// The kinds whose objects were read.
    read: BTreeSet<String>,
}

impl Live {
    /// Tells whether objects of a kind were read, so that one which is not there is known to be missing.
    pub(super) fn knows(&self, object: &Object<'_>) -> bool {
        let kind = object.kind.to_ascii_lowercase();
        let many = [format!("{kind}s"), format!("{kind}es"), format!("{}ies", kind.trim_end_matches('y')), kind];
        self.read.iter().any(|resource| many.iter().any(|many| resource.split('.').next() == Some(many)))
    }

    /// Returns the words that ask for this again.
    pub(super) fn words(&self) -> String {
        match self.is_known {
            true => format!("--cluster {}", self.name),
            false => format!("--context {}", self.reading.context),
        }
    }
}

/// Reads the cluster that the command line asks for; none where it asks for none.
pub(super) fn read(
    terminal: &Terminal,
    fleet: &dyn Fn() -> Result<PathBuf, Failure>,
    args: &Args,
    unnamed: &str,
    wants_used: bool,
) -> Result<Option<Live>, Failure> {
    let Some(wanted) = wanted(fleet, args, unnamed)? else {
        return match &args.save {
            Some(_) => Err(Failure::new("`--save` keeps what is read of a cluster, and none is named")
                .help("`--cluster NAME` reads a cluster of fleet.toml")
                .help("`--context CONTEXT` reads any that kubectl knows")),
            None => Ok(None),
        };
    };
    if let Some(folder) = &args.save {
        save::may(folder)?;
    }
    let kubectl = Kubectl::with(&wanted.context, Duration::from_secs(args.deadline))?;
    let (texts, used, reading, read) = Reader { terminal, kubectl, context: &wanted.context }.all(wants_used)?;
    if let Some(folder) = &args.save {
        save::put(folder, &wanted.context, &texts, &used)?;
        terminal.warn(&format!("saved    {} files in {}\n", texts.len(), context::shown(folder)));
    }
    let Wanted { name, is_known, manifests, .. } = wanted;
    Ok(Some(Live { name, is_known, texts, used, manifests, reading, read }))
}

/// Which cluster is to be read.
struct Wanted {
    name: String,
    is_known: bool,
    context: String,
    manifests: Vec<PathBuf>,
}

fn wanted(fleet: &dyn Fn() -> Result<PathBuf, Failure>, args: &Args, unnamed: &str) -> Result<Option<Wanted>, Failure> {
    let given = args.context.as_ref().map(|text| {
        text.parse::<ContextName>()
            .map_err(|wanted| Failure::new(format!("{} is no context", quoted(text))).help(wanted))
    });
    let given = given.transpose()?.map(|context| context.as_str().to_owned());
    let Some(name) = &args.cluster else {
        let of = |context| Wanted { name: unnamed.to_owned(), is_known: false, context, manifests: Vec::new() };
        return Ok(given.map(of));
    };
    let folder = fleet()?;
    let mut files = context::load(&folder)?;
    let read = crate::fleet::read(&mut files, crate::modules::embedded(), &|_| false);
    let fleet = read.fleet.ok_or_else(|| {
        Failure::new("fleet.toml cannot be read, and it says where the cluster is")
            .help("`hostwright check` says what is wrong")
    })?;
    let clusters = &fleet.file.clusters;
    let Some((_, cluster)) = clusters.iter().find(|(known, _)| known.as_str() == name) else {
        let known: Vec<&str> = clusters.iter().map(|(known, _)| known.as_str()).collect();
        let failure = Failure::new(format!("the fleet has no cluster {}", quoted(name)));
        let failure = match nearest(name, known.iter().copied()).first() {
            Some(near) => failure.help(format!("nearest: `{near}`")),
            None if known.is_empty() => {
                failure.help("`[clusters.NAME]` with `context = \"…\"` in fleet.toml names one")
            }
            None => failure.help(format!("the clusters are {}", known.join(", "))),
        };
        return Err(failure.help("`--context CONTEXT` reads any that kubectl knows"));
    };
    let own = cluster.value.context.as_ref().map(|context| context.value.as_str().to_owned());
    let Some(context) = given.or(own) else {
        return Err(Failure::new(format!("the cluster `{name}` has no context"))
            .help(format!(
                "`context = \"…\"` below `[clusters.{name}]` in fleet.toml, as `kubectl config get-contexts` shows it"
            ))
            .help("`--context CONTEXT` says it for this run"));
    };
    let manifests = cluster.value.manifests.iter().map(|path| folder.join(path.value.0.as_str()));
    // An earlier read of the cluster is not what somebody wants to be there.
    let manifests = manifests.filter(|path| !path.join(unread::FILE).is_file()).collect();
    Ok(Some(Wanted { name: name.clone(), is_known: true, context, manifests }))
}

/// One read.
struct Reader<'a> {
    terminal: &'a Terminal,
    kubectl: Kubectl,
    context: &'a str,
}

/// What came of a kind: its objects or why there are none, and warnings of the server.
type Told = (Result<Answer, String>, Vec<String>);

type All = (Texts, BTreeMap<String, Size>, Reading, BTreeSet<String>);

impl Reader<'_> {
    fn all(&self, wants_used: bool) -> Result<All, Failure> {
        self.terminal.progress("asking the cluster what it is");
        let version = self.kubectl.need(&["version", "--output=json"])?;
        let server = serde_json::from_str::<serde_json::Value>(&version.out).ok();
        let server =
            server.as_ref().and_then(|both| both.pointer("/serverVersion/gitVersion")?.as_str()).map(printable);
        if server.is_none() {
            let why = version.said.reason();
            return Err(Failure::new(format!(
                "the cluster of context {} does not answer: {why}",
                quoted(self.context)
            ))
            .help("`kubectl version` with that context says more"));
        }
        let kinds = self.kubectl.need(&["api-resources", "--verbs=list", "--output=name"])?;
        let listed = live::resources(&kinds.out);
        let mut missing = listed.unread;
        if !kinds.success {
            missing.push(Unread::of("api-resources", format!("not every kind is known: {}", kinds.said.reason())));
        }
        let mut notes = kinds.said.warnings;
        let answers = self.answers(&listed.wanted);
        let (mut texts, mut seen, mut read) = (Texts::new(), Seen::default(), BTreeSet::new());
        let (mut nodes, mut claims) = (Vec::new(), 0);
        for (resource, (answer, warnings)) in listed.wanted.iter().zip(answers) {
            notes.extend(warnings);
            match answer {
                Err(reason) => missing.push(Unread::of(resource, reason)),
                Ok(mut answer) => {
                    missing.append(&mut answer.unread);
                    nodes.append(&mut answer.nodes);
                    read.insert(resource.clone());
                    if resource == "persistentvolumeclaims" {
                        claims = answer.count;
                    }
                    if changes::is_looked_at(resource) {
                        seen.add(&answer.text);
                    }
                    // An empty list is an object of its own where it is read.
                    if answer.count > 0 {
                        texts.push((format!("{resource}.json"), answer.text));
                    }
                }
            }
        }
        let used = if wants_used && claims > 0 { self.used(&nodes, &mut notes) } else { BTreeMap::new() };
        self.again(&seen, &read, &mut missing);
        self.terminal.progress("");
        let files = texts.iter().map(|(name, _)| name.clone()).collect();
        texts.push((unread::FILE.to_owned(), Saved::new(self.context, files, missing).to_text()));
        // As files of a folder are read.
        texts.sort();
        let root = format!("cluster:{}", printable(self.context));
        let texts = texts.into_iter().map(|(name, text)| (format!("{root}/{name}"), text)).collect();
        notes.sort();
        notes.dedup();
        let (context, resources, left_out) = (self.context.to_owned(), listed.wanted.len(), listed.left_out);
        Ok((texts, used, Reading { context, server, resources, left_out, notes, differences: Vec::new() }, read))
    }

    /// Asks for the objects of all kinds, several at once, and returns the answers in their order.
    fn answers(&self, resources: &[String]) -> Vec<Told> {
        let (next, done, objects) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let heard: Mutex<BTreeMap<usize, Told>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(resources.len()) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(resource) = resources.get(number) else { return };
                        let answer = self.answer(resource);
                        let count = answer.0.as_ref().map_or(0, |answer| answer.count);
                        let all = objects.fetch_add(count, Ordering::Relaxed) + count;
                        let read = done.fetch_add(1, Ordering::Relaxed) + 1;
                        self.terminal
                            .progress(&format!("read {read} of {} kinds, {all} objects: {resource}", resources.len()));
                        if let Ok(mut heard) = heard.lock() {
                            heard.insert(number, answer);
                        }
                    }
                });
            }
        });
        let heard = heard.into_inner().unwrap_or_default();
        heard.into_values().collect()
    }

    /// Asks for the objects of a kind.
    fn answer(&self, resource: &str) -> Told {
        let get = |chunk: &str| {
            self.kubectl.ask(&["get", resource, "--all-namespaces", "--output=json", "--show-managed-fields", chunk])
        };
        // A long list may outlive the state that its first chunk was of; in one piece it cannot.
        let heard = match get(CHUNK) {
            Ok(heard) if !heard.success && heard.said.is_expired() => get("--chunk-size=0"),
            heard => heard,
        };
        match heard {
            Err(why) => (Err(why), Vec::new()),
            Ok(heard) if !heard.success => (Err(heard.said.reason()), heard.said.warnings),
            Ok(heard) => (live::answer(resource, heard.out), heard.said.warnings),
        }
    }

    /// Asks the kubelets how much of each claim is used.
    fn used(&self, nodes: &[String], notes: &mut Vec<String>) -> BTreeMap<String, Size> {
        let mut used = BTreeMap::new();
        if nodes.is_empty() {
            notes.push("used bytes of claims are not known: no node was read".to_owned());
        }
        for node in nodes {
            self.terminal.progress(&format!("asking node {node} for used bytes"));
            let path = format!("--raw=/api/v1/nodes/{node}/proxy/stats/summary");
            let told = match self.kubectl.ask(&["get", &path]) {
                Err(why) => Err(why),
                Ok(heard) if !heard.success => Err(heard.said.reason()),
                Ok(heard) => metrics::of_kubelet(&heard.out),
            };
            match told {
                Ok(told) => used.extend(told),
                Err(why) => {
                    notes.push(format!("the kubelet of node {node} does not tell used bytes: {}", printable(&why)));
                }
            }
        }
        used
    }

    /// Looks again at what must not have changed meanwhile.
    fn again(&self, seen: &Seen, read: &BTreeSet<String>, missing: &mut Vec<Unread>) {
        let looked_at: Vec<&str> = read.iter().map(String::as_str).filter(|name| changes::is_looked_at(name)).collect();
        if looked_at.is_empty() {
            return;
        }
        self.terminal.progress("looking whether it changed meanwhile");
        let output = format!("--output=jsonpath={}", changes::COLUMNS);
        let again = match self.kubectl.ask(&["get", &looked_at.join(","), "--all-namespaces", CHUNK, &output]) {
            Err(why) => Err(why),
            Ok(heard) if !heard.success => Err(heard.said.reason()),
            Ok(heard) => Seen::again(&heard.out).ok_or_else(|| "the second look cannot be read".to_owned()),
        };
        match again {
            Ok(again) => missing.extend(seen.changes(&again)),
            Err(why) => missing.push(Unread::of(
                "workloads and claims",
                format!("whether they changed meanwhile is not known: {why}"),
            )),
        }
    }
}

/// Returns the folder of a path of a text that was read live, which is the context that it was read from.
pub(super) fn name_of(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}
