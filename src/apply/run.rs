//! A run from its beginning to its end: locks, journal, what was said on the command line, then the executor.
#![allow(clippy::disallowed_methods, reason = "a run reads what tells this deployer from others")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::bounds;
use super::executor::{Executor, Limits};
use super::front::{Front, Said};
use super::journal::{self, Journal, private_folder};
use super::local;
use super::lock::Lock;
use super::logs::Logs;
use super::outcome::{Ending, Refused};
use super::record::Event;
use super::secrets::Secrets;
use super::ssh::Ssh;
use super::state::State;
use super::target_lock::Claim;
use super::transport::{Contact, Heard, Job, Ran, Transport, Trouble};
use crate::plan::{Line, Plan, Remote};
use crate::source::{quoted, sha256};

/// What a run is told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The first step.
    pub from: Option<String>,
    /// The last step.
    pub until: Option<String>,
    /// What may be destroyed without a further question.
    pub yes_destroy: Vec<String>,
    /// Steps of a person that are done.
    pub confirm: Vec<String>,
    /// Take the machine's lock from another deployer.
    pub take_over: bool,
    /// Move the journal aside and begin anew.
    pub restart: bool,
    /// Begin anew where the last run came to an end, good or bad; one that was cut off goes on.
    pub anew: bool,
    /// Who deploys, for others to read.
    pub who: String,
}

/// Somebody's wish that a run stops.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Hears SIGINT, SIGTERM and SIGHUP from here on; a second one ends the process at once, with status 3.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        #[cfg(unix)]
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
            signal_hook::flag::register_conditional_shutdown(signal, 3, Arc::clone(&stop.0))?;
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Returns one that nobody asks for.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self::default()
    }

    /// Tells whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The deployer and the machines of a plan.
#[derive(Debug)]
struct Machines {
    fleet: PathBuf,
    interactive: bool,
    stop: Stop,
    ssh: Ssh,
}

impl Transport for Machines {
    fn contact(&mut self, remote: &Remote) -> Result<Contact, Trouble> {
        self.ssh.contact(remote)
    }

    fn run(&mut self, job: Job<'_>, heard: &mut dyn FnMut(Heard<'_>)) -> Ran {
        match job.line {
            Line::Shell(line) => {
                let stop = if job.uncut { Stop::default() } else { self.stop.clone() };
                local::shell(line, &self.fleet, job.until, &stop, heard)
            }
            Line::Terminal(line) if self.interactive => local::terminal(line, &self.fleet),
            Line::Terminal(_) => Ran::NoTerminal,
            Line::Remote(remote) => self.ssh.run(remote, (job.id, job.boot), job.flush, job.until, heard),
        }
    }

    fn script(&mut self, remote: &Remote, text: &str) -> Result<(i32, String), Trouble> {
        self.ssh.script(remote, text)
    }

    fn hear_out(&mut self, remote: &Remote, id: &str, boot: Option<&str>, until: Instant) -> Result<(), Trouble> {
        self.ssh.hear_out(remote, id, boot, until)
    }

    fn forget(&mut self, id: &str) {
        self.ssh.forget(id);
    }
}

/// Carries a plan out as far as it goes. `folder` is the fleet's, in which the plan's lines are typed.
pub fn run(
    plan: &Plan,
    folder: &Path,
    options: &Options,
    stop: &Stop,
    front: &mut dyn Front,
) -> Result<Ending, Refused> {
    let folder = folder.canonicalize().map_err(|why| Refused::file(folder, "open", &why))?;
    let interactive = front.is_interactive();
    let mut machines = Machines {
        ssh: Ssh::new(&folder, plan.host(), interactive, stop.clone()),
        fleet: folder.clone(),
        interactive,
        stop: stop.clone(),
    };
    run_with(plan, &folder, options, stop, front, &mut machines, &Limits::default())
}

/// The same with any way to the machines.
pub(super) fn run_with(
    plan: &Plan,
    folder: &Path,
    options: &Options,
    stop: &Stop,
    front: &mut dyn Front,
    transport: &mut dyn Transport,
    limits: &Limits,
) -> Result<Ending, Refused> {
    let agreed = bounds::answers(plan, &options.confirm, &options.yes_destroy)?;
    let state = folder.join("state").join(plan.host());
    private_folder(&state).map_err(|why| Refused::file(&state, "make", &why))?;
    let _lock = Lock::take(&state, &options.who)?;
    let path = journal::path(&state, plan.scenario().as_str());
    if options.restart
        && let Some(old) = Journal::aside(&path)?
    {
        front.hear(Said::Remark(&format!("the old journal lies in {}", old.display())));
    }
    let mut journal = Journal::open(&path)?;
    // A plan that is over makes room for the next one, unless that one destroys what the last one has made.
    let is_another = journal.state.about.as_ref().is_some_and(|about| about.plan != plan.plan_sha256());
    let is_over = journal.state.closed && is_another && !plan.steps().iter().any(bounds::destroys);
    if is_over || (options.anew && journal.state.is_finished()) {
        drop(journal);
        let _ = Journal::aside(&path)?;
        journal = Journal::open(&path)?;
    }
    if journal.torn > 0 {
        let torn = format!(
            "the last record of the journal was cut off ({} bytes) and is left out: what it announced had not happened yet",
            journal.torn
        );
        front.hear(Said::Remark(&torn));
    }
    begin(plan, &mut journal, &path)?;
    let bounds = bounds::bounds(plan, &journal.state, options.from.as_deref(), options.until.as_deref())?;
    let secrets = [state.join("secrets"), state.join("keys"), folder.join("secrets")];
    let claim = Claim {
        token: token(&state)?,
        holder: format!(
            "{}, process {}, since {}, plan {}",
            options.who,
            std::process::id(),
            journal::now(),
            short(plan)
        ),
    };
    let executor = Executor {
        plan,
        options,
        agreed,
        bounds,
        journal: &mut journal,
        transport,
        front,
        stop,
        logs: Logs::of(&state, plan.scenario().as_str()),
        fleet: folder,
        secrets: Secrets::below(secrets.iter().map(PathBuf::as_path)),
        claim,
        machine: std::fs::read_to_string("/etc/machine-id").ok().map(|id| id.trim().to_owned()),
        locked: Vec::new(),
        state: &state,
        broke: None,
        checked: Vec::new(),
        limits,
        started: Instant::now(),
        at: None,
        count: 0,
    };
    executor.run()
}

/// Begins the journal of a plan, or finds it begun by the same one.
fn begin(plan: &Plan, journal: &mut Journal, path: &Path) -> Result<(), Refused> {
    if let Some(about) = &journal.state.about {
        if about.host != plan.host() {
            return Err(Refused::new(format!(
                "the journal {} is that of the host {}, not of {}",
                path.display(),
                quoted(&about.host),
                quoted(plan.host())
            ))
            .help("state/ was copied or renamed: put each journal back to its host"));
        }
        if about.scenario != plan.scenario().as_str() {
            return Err(Refused::new(format!(
                "the journal {} is about the scenario {}",
                path.display(),
                quoted(&about.scenario)
            ))
            .help("it was renamed: put it back"));
        }
        if about.plan == plan.plan_sha256() {
            return Ok(());
        }
        let begun: Vec<&str> =
            about.steps.iter().map(|(id, _)| id.as_str()).filter(|id| journal.state.has_begun(id)).collect();
        if !begun.is_empty() {
            return Err(changed(plan, &journal.state, &about.steps, &begun, &about.tool));
        }
    }
    let nonce = sha256(format!("{} {} {}", journal::now(), std::process::id(), plan.plan_sha256()));
    journal.add(Event::Opened {
        host: plan.host().to_owned(),
        scenario: plan.scenario().as_str().to_owned(),
        plan: plan.plan_sha256().to_owned(),
        tool: plan.tool_version().to_owned(),
        nonce: nonce.chars().take(8).collect(),
        steps: plan.step_digests(),
    })
}

/// Says what has changed in a plan of which steps have run.
fn changed(plan: &Plan, state: &State, was: &[(String, String)], begun: &[&str], tool: &str) -> Refused {
    let is = plan.step_digests();
    let other = |id: &&&str| {
        let digest =
            |steps: &[(String, String)]| steps.iter().find(|(name, _)| name == **id).map(|(_, digest)| digest.clone());
        digest(was) != digest(&is)
    };
    let differ: Vec<String> = begun.iter().filter(other).map(|id| quoted(id)).collect();
    let done = begun.iter().filter(|id| state.is_done(id)).count();
    let what = if tool != plan.tool_version() {
        format!("another version of the program ({}) began it", quoted(tool))
    } else if differ.is_empty() {
        "none of the steps that have run differs, but the files that the plan is made from do".to_owned()
    } else {
        format!("of the steps that have run, these are others now: {}", differ.join(", "))
    };
    Refused::new(format!("the plan has changed since its steps began to run ({done} are done): {what}"))
        .help("with the fleet's files as they were, the run goes on where it stands (`git stash`, `git checkout`)")
        .help("`--restart` moves the journal aside and begins the changed plan at its first step; what is destroyed is asked for again")
}

fn short(plan: &Plan) -> String {
    plan.plan_sha256().chars().take(12).collect()
}

/// Returns what tells this folder of state from every other deployer's.
fn token(state: &Path) -> Result<String, Refused> {
    let path = state.join("deployer-id");
    if let Ok(text) = std::fs::read_to_string(&path)
        && text.trim().len() == 32
    {
        return Ok(text.trim().to_owned());
    }
    let seed =
        format!("{} {} {} {:?}", journal::now(), std::process::id(), state.display(), std::time::SystemTime::now());
    let token: String = sha256(seed).chars().take(32).collect();
    // On the disk before a lock is taken in its name: after a power cut here it would be another deployer's.
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(format!("{token}\n").as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|why| Refused::file(&path, "write", &why))?;
    Ok(token)
}
