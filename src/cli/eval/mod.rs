//! `hostwright check --eval`: the compiled hosts, evaluated by Nix.

mod nix;
mod scratch;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use self::nix::{Nix, Run};
use self::scratch::Scratch;
use super::context;
use super::terminal::Terminal;
use super::{Failure, output};
use crate::check::{Evaluated, Outcome, Scope, Unchecked, add_evaluated};
use crate::compile::{self, Compiled};
use crate::evaluate::{End, Evaluation, Heard, Limits, Next, Question, Subject, fetch, jobs};
use crate::facts::Facts;
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{Diagnostic, Level, Sources, nearest, printable, quoted};
use crate::text::Templates;
use crate::units::{Date, Release, Size};

#[derive(Debug, clap::Args)]
pub(super) struct EvalArgs {
    /// Evaluate the compiled hosts with Nix too, and show its errors at the lines they come from
    #[arg(long)]
    eval: bool,
    /// Evaluate with this tree instead of the nixpkgs that the channel pins
    #[arg(long, value_name = "PATH", requires = "eval")]
    nixpkgs: Option<PathBuf>,
    /// Use this tree for an input of the fleet instead of what it pins
    #[arg(long = "input", value_name = "NAME=PATH", requires = "eval", value_parser = input)]
    inputs: Vec<(String, PathBuf)>,
    /// Let the evaluation read, fetch and build what it asks for
    #[arg(long, requires = "eval")]
    trust: bool,
    /// Seconds that the evaluation of a host may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "eval",
        value_parser = clap::value_parser!(u64).range(1..=86400))]
    eval_deadline: u64,
    /// Memory that the evaluation of a host may take
    #[arg(long, value_name = "SIZE", default_value = "8GiB", requires = "eval")]
    eval_memory: Size,
}

fn input(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text
        .split_once('=')
        .filter(|(name, path)| !name.is_empty() && !path.is_empty())
        .ok_or("an input is written NAME=PATH")?;
    Ok((name.to_owned(), PathBuf::from(path)))
}

impl EvalArgs {
    pub(super) fn is_wanted(&self) -> bool {
        self.eval
    }
}

/// A check whose hosts are evaluated too.
pub(super) struct Check<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) args: &'a EvalArgs,
    pub(super) scope: &'a Scope,
    pub(super) facts: &'a Facts,
    pub(super) sources: &'a Sources,
    pub(super) today: Date,
}

impl Check<'_> {
    /// Evaluates the hosts and adds what Nix says.
    pub(super) fn add(&self, fleet: Option<&Resolved<'_>>, outcome: &mut Outcome) -> Result<(), Failure> {
        let nix = Nix::find(self.args.trust)?;
        // A fleet.toml that cannot be read is an input error.
        let Some(fleet) = fleet else { return Ok(()) };
        let hosts: Vec<&ResolvedHost<'_>> =
            fleet.hosts.iter().filter(|host| self.scope.has(host.name) && host.def.external.is_none()).collect();
        // Without a host there is nothing to ask Nix.
        if hosts.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = hosts.iter().map(|host| host.name.to_owned()).collect();
        let mut unchecked = Vec::new();
        if hosts.len() < outcome.hosts {
            let count = outcome.hosts - hosts.len();
            unchecked.push(not_evaluated(None, format!("{count} of {} hosts cannot be read", outcome.hosts)));
        }
        let templates = context::templates(fleet, self.sources)?;
        let mut said = Vec::new();
        match compile::compile(fleet, &names, self.facts, self.sources, &templates) {
            Err(found) => {
                outcome.checked.findings.extend(found);
                let why = || "the fleet cannot be compiled".to_owned();
                unchecked.extend(hosts.iter().map(|host| not_evaluated(Some(host.name), why())));
            }
            Ok(compiled) => {
                let trees = Trees::find(&nix, fleet, &hosts, self.args)?;
                said.extend(trees.found.iter().cloned());
                let scratch = Scratch::of(&compiled.files)?;
                let job = Job {
                    check: self,
                    fleet,
                    templates: &templates,
                    compiled: &compiled,
                    scratch: &scratch,
                    nix: &nix,
                    trees: &trees,
                };
                for (host, found) in hosts.iter().zip(job.evaluate(&hosts)?) {
                    match found {
                        Some(found) => said.extend(found),
                        None => {
                            unchecked.push(not_evaluated(Some(host.name), "there is no nixpkgs for it".to_owned()));
                        }
                    }
                }
            }
        }
        add_evaluated(fleet, self.scope, &mut outcome.checked, said, unchecked, self.sources, self.today);
        Ok(())
    }
}

fn not_evaluated(host: Option<&str>, why: String) -> Unchecked {
    Unchecked { rule: "eval-error", host: host.map(str::to_owned), why }
}

/// What all evaluations of a run share.
struct Job<'a> {
    check: &'a Check<'a>,
    fleet: &'a Resolved<'a>,
    templates: &'a Templates,
    compiled: &'a Compiled,
    scratch: &'a Scratch,
    nix: &'a Nix,
    trees: &'a Trees,
}

/// What was found in a host; nothing for one without a nixpkgs.
type Found = Option<Vec<Evaluated>>;

impl Job<'_> {
    /// Evaluates hosts, as many at once as fit; what was found in each, in their order, and nothing for one without a nixpkgs.
    #[expect(clippy::disallowed_methods, reason = "progress tells how long it takes")]
    fn evaluate(&self, hosts: &[&ResolvedHost<'_>]) -> Result<Vec<Found>, Failure> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = jobs(hosts.len(), processors, nix::available_memory());
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results: Vec<Mutex<Option<Result<Found, Failure>>>> = hosts.iter().map(|_| Mutex::new(None)).collect();
        let running: Vec<Mutex<Option<&str>>> = (0..count).map(|_| Mutex::new(None)).collect();
        let started = Instant::now();
        std::thread::scope(|scope| {
            let evaluate = |slot| {
                let (next, done, results) = (&next, &done, &results);
                scope.spawn(move || {
                    while let Some((host, result)) = {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        hosts.get(index).zip(results.get(index))
                    } {
                        set(slot, Some(host.name));
                        let found = self.host(host);
                        set(result, Some(found));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    set(slot, None);
                })
            };
            let threads: Vec<_> = running.iter().map(evaluate).collect();
            while self.check.terminal.shows_progress()
                && !threads.iter().all(std::thread::ScopedJoinHandle::is_finished)
            {
                let names: Vec<&str> =
                    running.iter().filter_map(|slot| slot.lock().ok().and_then(|slot| *slot)).collect();
                let seconds = started.elapsed().as_secs();
                let finished = done.load(Ordering::Relaxed);
                self.check.terminal.progress(&format!(
                    "evaluated {finished} of {}, at {} · {seconds} s",
                    hosts.len(),
                    names.join(", ")
                ));
                std::thread::sleep(Duration::from_millis(200));
            }
            // One that panicked leaves its host without a result, which is said below.
            for thread in threads {
                drop(thread.join());
            }
        });
        self.check.terminal.progress("");
        let lost = || Failure::new("an evaluation was lost: its thread could not finish");
        results.into_iter().map(|result| result.into_inner().ok().flatten().ok_or_else(lost)?).collect()
    }

    /// Evaluates one host until Nix has no more to say.
    #[expect(clippy::disallowed_methods, reason = "an evaluation is given up after a time")]
    fn host(&self, host: &ResolvedHost<'_>) -> Result<Found, Failure> {
        let Some(nixpkgs) = self.trees.of_channel(host.channel.name) else { return Ok(None) };
        let subject = Subject { out: self.scratch.path(), nixpkgs, inputs: &self.trees.inputs, host: host.name };
        let mut folders =
            vec![("out".to_owned(), self.scratch.path().to_owned()), ("nixpkgs".to_owned(), nixpkgs.to_owned())];
        folders.extend(self.trees.inputs.iter().map(|(name, tree)| (format!("input-{name}"), tree.clone())));
        let limits = Limits { seconds: self.check.args.eval_deadline, memory: self.check.args.eval_memory.bytes() };
        let end = Instant::now() + Duration::from_secs(limits.seconds);
        let settings = compile::settings_of(self.fleet, host, self.check.facts, self.check.sources, self.templates);
        let folder = self.scratch.path().join("hosts").join(host.name).display().to_string();
        let mut evaluation = Evaluation::new(host, self.check.sources, self.compiled, settings, folder, limits);
        let ask = |expression: &str, abort_on_warn, end| {
            self.nix.evaluate(Run { expression, folders: &folders, abort_on_warn, end, memory: limits.memory })
        };
        let mut next = evaluation.start();
        loop {
            let heard = match &next {
                Next::Done => break,
                Next::AskDeclarations(options) => ask(&subject.ask_declarations(options), false, end),
                Next::AskOption(option) => {
                    let seconds = limits.seconds.min(A_PART);
                    ask(&subject.ask_option(option), false, Instant::now() + Duration::from_secs(seconds))
                }
                Next::Ask(question, cuts) => {
                    self.scratch.blank(host.name, cuts)?;
                    ask(&subject.ask(*question), false, end)
                }
                Next::AskForWarnings(cuts) => {
                    self.scratch.blank(host.name, cuts)?;
                    ask(&subject.ask(Question::System), true, end)
                }
            };
            next = evaluation.hear(&heard);
        }
        Ok(Some(evaluation.finish()))
    }
}

fn set<T>(slot: &Mutex<T>, value: T) {
    if let Ok(mut slot) = slot.lock() {
        *slot = value;
    }
}

/// The trees that are evaluated with.
struct Trees {
    /// By the channel's name.
    channels: Vec<(String, PathBuf)>,
    /// By the input's name.
    inputs: Vec<(String, PathBuf)>,
    /// What is to be said of them.
    found: Vec<Evaluated>,
}

impl Trees {
    fn of_channel(&self, name: &str) -> Option<&Path> {
        self.channels.iter().find(|(channel, _)| channel == name).map(|(_, tree)| tree.as_path())
    }

    /// Finds the trees of the hosts' channels and of the inputs: those that are named, else what the fleet pins.
    fn find(nix: &Nix, fleet: &Resolved<'_>, hosts: &[&ResolvedHost<'_>], args: &EvalArgs) -> Result<Self, Failure> {
        let known: Vec<&str> = fleet.fleet.file.inputs.iter().map(|(name, _)| name.as_str()).collect();
        let mut trees = Self { channels: Vec::new(), inputs: Vec::new(), found: Vec::new() };
        for (name, path) in &args.inputs {
            if !known.contains(&name.as_str()) {
                let failure = Failure::new(format!("the fleet has no input {}", quoted(name)));
                return Err(match nearest(name, known.iter().copied()).first() {
                    Some(near) => failure.help(format!("nearest: `{near}`")),
                    None => failure.help("`[inputs]` of fleet.toml lists them"),
                });
            }
            let tree = output::real(path);
            if !tree.is_dir() {
                return Err(Failure::new(format!("{} is no folder", quoted(&path.display().to_string())))
                    .help(format!("`--input {name}=PATH` names the folder of its source")));
            }
            trees.inputs.push((name.clone(), tree));
        }
        let named = args.nixpkgs.as_deref().map(|path| (output::real(path), path));
        if let Some((tree, path)) = &named {
            let release = nix::release_of(if tree.is_dir() { tree } else { path })?;
            for host in hosts {
                if trees.of_channel(host.channel.name).is_none() {
                    trees.found.extend(release.as_deref().and_then(|release| other_release(host, release)));
                    trees.channels.push((host.channel.name.to_owned(), tree.clone()));
                }
            }
        }
        for archive in compile::archives(fleet) {
            let channel =
                hosts.iter().map(|host| host.channel).find(|one| compile::channel_input(one.name) == archive.name);
            let is_input = known.contains(&archive.name.as_str());
            let is_there = trees.inputs.iter().any(|(name, _)| *name == archive.name);
            if (channel.is_none() || named.is_some()) && (!is_input || is_there) {
                continue;
            }
            let place = match channel {
                Some(channel) => Some(channel.channel.release.place),
                None => fleet.fleet.file.inputs.get(&archive.name).map(|input| input.url.place),
            };
            let Some(place) = place else { continue };
            let what = channel.map_or_else(
                || format!("the input `{}`", archive.name),
                |one| format!("the nixpkgs of `{}`", one.name),
            );
            let mut say = |message: String, help: &str| {
                let flag = if is_input {
                    format!("`--input {}=PATH` takes a tree that is there", archive.name)
                } else {
                    "`--nixpkgs PATH` takes a tree that is there".to_owned()
                };
                let finding = Diagnostic::error("eval-error", place, message)
                    .why("nothing that stands on it can be evaluated")
                    .help(help)
                    .help(flag);
                trees.found.push(Evaluated { finding, option: Vec::new() });
            };
            let (Some(url), Some(hash)) = (&archive.url, &archive.hash) else {
                say(
                    format!("{what} is not pinned, so there is nothing to evaluate with"),
                    "state its `rev` and `hash` (`hostwright pin`)",
                );
                continue;
            };
            match fetched(nix, url, hash) {
                Ok(path) if is_input => trees.inputs.push((archive.name.clone(), path)),
                Ok(path) => trees.channels.extend(channel.map(|channel| (channel.name.to_owned(), path))),
                Err(why) => say(
                    format!("{what} cannot be fetched: {}", printable(&why)),
                    "check the network, and that the pin is right",
                ),
            }
        }
        Ok(trees)
    }
}

/// Seconds for one option, when an evaluation came to no end: many times what an option takes.
const A_PART: u64 = 60;

/// How long a tree may take to be fetched.
const FETCHING: Duration = Duration::from_mins(30);

/// Has Nix fetch a pinned archive, unless its store has it; the error is what Nix says.
#[expect(clippy::disallowed_methods, reason = "what is fetched is waited for a time")]
fn fetched(nix: &Nix, url: &str, hash: &str) -> Result<PathBuf, String> {
    let Heard { out, err, end } = nix.fetch(&fetch(url, hash), Instant::now() + FETCHING);
    let path: Option<String> = serde_json::from_str(&out).ok();
    match (end, path) {
        (End::Itself { success: true }, Some(path)) => Ok(PathBuf::from(path)),
        (End::Deadline, _) => Err(format!("no end within {} s", FETCHING.as_secs())),
        _ => {
            let mut lines = err.lines().map(str::trim).filter_map(|line| line.strip_prefix("error:")).map(str::trim);
            Err(lines.rfind(|line| !line.is_empty()).unwrap_or("Nix does not say why").to_owned())
        }
    }
}

/// Says that a tree is not of the release of a host's channel.
fn other_release(host: &ResolvedHost<'_>, of_tree: &str) -> Option<Evaluated> {
    let digits: String = of_tree.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let of_tree: Release = digits.parse().ok()?;
    let release = &host.channel.channel.release;
    if of_tree.base() == release.value.base() {
        return None;
    }
    let channel = host.channel.name;
    let message = format!("`--nixpkgs` is of NixOS {of_tree}, and the channel `{channel}` of {}", release.value);
    let finding = Diagnostic::new("eval-warning", Level::Warning, release.place, message)
        .why("what Nix says holds for that tree, not for what the hosts will run")
        .help("name a tree of the channel's release")
        .help("leave out `--nixpkgs`: Nix fetches what the channel pins");
    Some(Evaluated { finding, option: Vec::new() })
}
