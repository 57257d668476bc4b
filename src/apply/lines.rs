//! How the executor runs one line: announced, run, its output kept, its end written down. And checks, which are not announced.

#![allow(clippy::disallowed_methods, reason = "lines take time, and have deadlines")]

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use super::complaint::was_turned_away;
use super::executor::{Checked, Checks, Executor, Flow};
use super::front::Said;
use super::outcome::{Awaited, Ending, Failed, Refused};
use super::output::Output;
use super::record::Event;
use super::settle::Next;
use super::state::{Ended, LineState};
use super::target_lock::{self, NoLock};
use super::transport::{Contact, Heard, Job, Ran, Trouble};
use super::verdict::{Broke, End, Spot};
use crate::plan::{Line, Remote, RunsOn, Step, StepKind, System};
use crate::units::TimeSpan;

/// How often a line is run again whose ssh was turned away.
const TRIES: usize = 3;

impl Executor<'_> {
    /// Runs a line of a step; returns how the run goes on when it is not with the next line.
    pub(super) fn line(&mut self, step: &Step, at: usize) -> Result<Option<Flow>, Refused> {
        let Some(text) = step.commands().get(at) else { return Ok(None) };
        let line = self.plan.line(text);
        let (job, boot) = match &line {
            Line::Remote(remote) => match self.reach(remote)? {
                Ok(contact) => (Some(self.job_id(step, at)), contact.boot),
                Err(trouble) => {
                    self.broke = Some(Broke { at: Spot::Line(at), end: End::Lost });
                    return self.trouble(step, Some(text), &trouble).map(Some);
                }
            },
            Line::Shell(_) | Line::Terminal(_) => (None, None),
        };
        self.journal.add(Event::LineBegan {
            step: step.id().to_owned(),
            line: at,
            job: job.clone(),
            boot: boot.clone(),
        })?;
        let began = Instant::now();
        let (mut ran, tail) =
            self.run_until_taken(step, text, &line, (job.as_deref().unwrap_or_default(), boot.as_deref()));
        if matches!((&line, &ran), (Line::Shell(_), Ran::Exit(0)))
            && let Some(lost) = self.flush(step)
        {
            ran = lost;
        }
        let is_over = matches!(ran, Ran::Exit(_));
        let flow = self.ended(step, at, text, ran, tail, began)?;
        if let (Some(job), true) = (job, is_over) {
            self.transport.forget(&job);
        }
        Ok(flow)
    }

    /// Runs a line; one of the deployer's whose ssh was turned away before it had logged in is run again, since nothing has happened on
    /// the other side: an sshd that starts anew takes no connections for a moment.
    fn run_until_taken(&mut self, step: &Step, text: &str, line: &Line, job: (&str, Option<&str>)) -> (Ran, String) {
        let until = self.deadline(step);
        for _ in 0..TRIES {
            let (ran, tail) = self.run_line(step, text, line, job, until);
            let again = matches!((line, &ran), (Line::Shell(_), Ran::Exit(255)))
                && was_turned_away(&tail)
                && !super::bounds::destroys(step)
                && !self.stop.is_asked();
            if !again {
                return (ran, tail);
            }
            self.logs.note(step.id(), "\n# the machine took no connection: once more\n");
            std::thread::sleep(self.limits.pause);
        }
        self.run_line(step, text, line, job, until)
    }

    /// What a line on the deployer brought to the machine is on its disks when the journal says that the line is done. Returns how the
    /// line ended where that is not known.
    fn flush(&mut self, step: &Step) -> Option<Ran> {
        if !lasts(step) || !matches!(step.runs_on(), RunsOn::Target | RunsOn::Rescue) {
            return None;
        }
        let remote = Remote { text: FLUSH.to_owned(), ..self.machine_of(step)? };
        self.count += 1;
        let id = format!("{}-flush-{}", self.job_prefix(), self.token());
        let (text, until) = (remote.text.clone(), self.deadline(step));
        let (ran, _) = self.run_line(step, &text, &Line::Remote(remote), (&id, None), until);
        if matches!(ran, Ran::Exit(_)) {
            self.transport.forget(&id);
            return None;
        }
        Some(ran)
    }

    /// Goes on at a line that may have been started: on the machine it is found again by its name.
    pub(super) fn go_on(&mut self, step: &Step, at: usize) -> Result<Flow, Refused> {
        let state = self.journal.state.step(step.id());
        let Some(LineState::Begun { job: Some(job), boot }) = state.lines.get(&at).cloned() else {
            // The line before has ended and this one was not announced yet.
            return self.lines(step, at);
        };
        let Some(text) = step.commands().get(at) else { return self.lines(step, at) };
        let line = self.plan.line(text);
        if let Line::Remote(remote) = &line
            && let Err(trouble) = self.reach(remote)?
        {
            self.broke = Some(Broke { at: Spot::Line(at), end: End::Lost });
            return self.trouble(step, Some(text), &trouble);
        }
        self.logs.note(step.id(), "\n# a run before was cut off here: its command on the machine is heard on\n");
        let began = Instant::now();
        let (ran, tail) = if boot.is_none() && super::bounds::destroys(step) {
            // Without a boot id nobody knows whether a command that is not there has been there.
            (Ran::Unknown(Trouble::new("the machine has no boot id")), String::new())
        } else {
            self.run_line(step, text, &line, (&job, boot.as_deref()), self.deadline(step))
        };
        if let Ran::Unknown(trouble) = &ran {
            let otherwise = if super::bounds::destroys(step) {
                Next::Stuck { line: at, why: format!("it is not known whether it ran to its end ({})", trouble.why) }
            } else {
                Next::Begin { attempt: state.attempt + 1 }
            };
            // A boot counts only when it was watched from beginning to end.
            let judged = !step.checks_after().is_empty() && super::bounds::destroys(step);
            let next = if judged { Next::Judge { otherwise: Box::new(otherwise) } } else { otherwise };
            return self.settle(step, next);
        }
        let is_over = matches!(ran, Ran::Exit(_));
        let flow = self.ended(step, at, text, ran, tail, began)?;
        if is_over {
            self.transport.forget(&job);
        }
        match flow {
            Some(flow) => Ok(flow),
            None => self.lines(step, at + 1),
        }
    }

    /// Waits for commands of an attempt that was cut off and begins anew: beside the new ones they would undo each other's work.
    pub(super) fn hear_out(&mut self, step: &Step) -> Result<(), Refused> {
        let state = self.journal.state.step(step.id());
        let open = state.lines.iter().filter_map(|(at, line)| match line {
            LineState::Begun { job: Some(job), boot } => Some((*at, job.clone(), boot.clone())),
            _ => None,
        });
        for (at, job, boot) in open {
            let Some(Line::Remote(remote)) = step.commands().get(at).map(|text| self.plan.line(text)) else { continue };
            // A machine that does not answer now is asked once more by what follows, which says so.
            if self.reach(&remote)?.is_ok() {
                let until = self.deadline(step);
                let _ = self.transport.hear_out(&remote, &job, boot.as_deref(), until);
            }
        }
        Ok(())
    }

    fn ended(
        &mut self,
        step: &Step,
        at: usize,
        text: &str,
        ran: Ran,
        tail: String,
        began: Instant,
    ) -> Result<Option<Flow>, Refused> {
        let line = Some(text.to_owned());
        self.broke = end_of(&ran).map(|end| Broke { at: Spot::Line(at), end });
        match ran {
            Ran::Exit(status) => {
                let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let step_id = step.id().to_owned();
                self.journal.add(Event::LineDone { step: step_id, line: at, status, millis, tail: tail.clone() })?;
                if status == 0 {
                    return Ok(None);
                }
                if self.stop.is_asked() {
                    return Ok(Some(Flow::End(self.interrupted(Some(step.id()), false)?)));
                }
                let why = format!("line {} of {} ended with status {status}", at + 1, step.commands().len());
                self.failed(step, Failed { why, line, tail, ..Failed::default() }).map(Some)
            }
            Ran::Late => {
                let may = TimeSpan::human(self.limits.of(step).as_secs());
                let why = format!("line {} took longer than the {may} that the step may take, and was ended", at + 1);
                let expected = TimeSpan::human(step.expected_seconds());
                let help = vec![format!("it was expected to take {expected}: look at what it waited for")];
                self.failed(step, Failed { why, help, line, tail, ..Failed::default() }).map(Some)
            }
            Ran::Stopped { goes_on } => Ok(Some(Flow::End(self.interrupted(Some(step.id()), goes_on)?))),
            Ran::NotStarted(trouble) | Ran::Unknown(trouble) => {
                let Trouble { why, help } = trouble;
                self.failed(step, Failed { why, help, line, tail, ..Failed::default() }).map(Some)
            }
            Ran::NoTerminal => {
                let ending = Ending::Awaiting(Awaited {
                    step: step.id().to_owned(),
                    title: step.title().to_owned(),
                    what: "it asks for something that is typed, and there is no terminal: run apply at one".to_owned(),
                    then: Vec::new(),
                });
                self.journal
                    .add(Event::Failed { step: step.id().to_owned(), why: "it needs a terminal".to_owned() })?;
                Ok(Some(Flow::End(ending)))
            }
        }
    }

    /// Runs checks until one does not hold.
    pub(super) fn checks(&mut self, step: &Step, checks: Checks) -> Checked {
        let lines = match checks {
            Checks::Before => step.checks_before(),
            Checks::After => step.checks_after(),
        };
        self.checked.clear();
        for (at, text) in lines.iter().enumerate() {
            let line = self.plan.line(text);
            self.count += 1;
            let id = format!("{}-check-{}", self.job_prefix(), self.token());
            let (ran, tail) = self.run_line(step, text, &line, (&id, None), Instant::now() + self.limits.of(step));
            if matches!(ran, Ran::Exit(_)) {
                self.transport.forget(&id);
            }
            let line = Some(text.clone());
            let spot = if checks == Checks::Before { Spot::Before } else { Spot::After(at) };
            self.broke = end_of(&ran).map(|end| Broke { at: spot, end });
            if let (Checks::After, Ran::Exit(status)) = (checks, &ran) {
                self.checked.push((at, Ended { status: *status, tail: tail.clone() }));
            }
            let failed = match ran {
                Ran::Exit(0) => continue,
                Ran::Exit(status) => {
                    Failed { why: format!("it ended with status {status}"), line, tail, ..Failed::default() }
                }
                Ran::Late => {
                    Failed { why: "it took too long and was ended".to_owned(), line, tail, ..Failed::default() }
                }
                Ran::Stopped { .. } => return Checked::Stopped,
                Ran::NotStarted(trouble) | Ran::Unknown(trouble) => {
                    Failed { why: trouble.why, help: trouble.help, line, tail, ..Failed::default() }
                }
                Ran::NoTerminal => Failed { why: "it needs a terminal".to_owned(), line, ..Failed::default() },
            };
            return Checked::Fails(Box::new(failed));
        }
        Checked::Hold
    }

    pub(super) fn run_line(
        &mut self,
        step: &Step,
        text: &str,
        line: &Line,
        job: (&str, Option<&str>),
        until: Instant,
    ) -> (Ran, String) {
        let log = self.logs.open(step.id());
        let (ran, tail) = self.run_into(step, text, line, job, until, log);
        let said = match &ran {
            Ran::Exit(status) => format!("\n# status {status}\n"),
            Ran::Late => "\n# ended: it took too long\n".to_owned(),
            Ran::Stopped { .. } => "\n# stopped\n".to_owned(),
            Ran::NotStarted(trouble) | Ran::Unknown(trouble) => format!("\n# {}\n", trouble.why),
            Ran::NoTerminal => "\n# it needs a terminal\n".to_owned(),
        };
        self.logs.note(step.id(), &said);
        (ran, tail)
    }

    /// Runs a line, with its whole output into a file where there is one; returns how it ended and the last of its output, masked.
    pub(super) fn run_into(
        &mut self,
        step: &Step,
        text: &str,
        line: &Line,
        (id, boot): (&str, Option<&str>),
        until: Instant,
        mut log: Option<File>,
    ) -> (Ran, String) {
        if let Some(log) = &mut log {
            let _ = log.write_all(format!("\n$ {}\n", self.secrets.mask_text(text)).as_bytes());
        }
        let mut output = Output::new(&self.secrets, log.as_mut().map(|log| log as &mut dyn std::io::Write));
        let (front, started) = (&mut *self.front, self.started);
        let uncut = super::bounds::destroys(step);
        let flush = lasts(step) && step.commands().iter().any(|command| command == text);
        let mut shown = u64::MAX;
        let ran = self.transport.run(Job { line, id, boot, until, uncut, flush }, &mut |heard| {
            if let Heard::Bytes(bytes) = heard {
                output.push(bytes);
            }
            let seconds = started.elapsed().as_secs();
            if seconds != shown {
                shown = seconds;
                front.hear(Said::Goes { seconds });
            }
        });
        let tail = output.finish();
        (ran, tail)
    }

    /// Returns when the lines of the step at hand have to be over.
    fn deadline(&self, step: &Step) -> Instant {
        self.started + self.limits.of(step)
    }

    pub(super) fn job_prefix(&self) -> String {
        let about = self.journal.state.about.as_ref();
        let plan: String = about.map_or("", |about| about.plan.as_str()).chars().take(8).collect();
        format!("{plan}-{}", about.map_or("", |about| about.nonce.as_str()))
    }

    /// Returns what a line is known by on the machine: by plan, journal, step, line and attempt.
    fn job_id(&self, step: &Step, line: usize) -> String {
        let attempt = self.journal.state.step(step.id()).attempt;
        let name: String =
            step.id().chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        format!("{}-{name}-{line}-{attempt}", self.job_prefix())
    }

    /// Returns what tells one check from another.
    pub(super) fn token(&self) -> String {
        format!("{}-{}-{}", std::process::id(), super::journal::seconds_now(), self.count)
    }

    /// Asks a machine who it is, and takes the lock on it.
    pub(super) fn reach(&mut self, remote: &Remote) -> Result<Result<Contact, Trouble>, Refused> {
        let contact = match self.transport.contact(remote) {
            Ok(contact) => contact,
            Err(trouble) => return Ok(Err(trouble)),
        };
        if remote.ssh.is_some() && contact.machine.is_some() && contact.machine == self.machine {
            let target = remote.ssh.as_ref().and_then(|words| words.last()).cloned().unwrap_or_default();
            return Err(Refused::new(format!(
                "{target} is the machine that apply runs on: both have the same machine id"
            ))
            .help("`target = \"local\"` below `[deploy]` is for a deployer that deploys itself")
            .help("a copy of a machine needs a machine id of its own: remove /etc/machine-id there and boot"));
        }
        match self.lock(remote, &contact)? {
            Ok(()) => Ok(Ok(contact)),
            Err(trouble) => Ok(Err(trouble)),
        }
    }

    /// Takes the lock on a system of ours, once for each of its boots.
    fn lock(&mut self, remote: &Remote, contact: &Contact) -> Result<Result<(), Trouble>, Refused> {
        let ours = matches!(remote.system, System::Installer | System::Host);
        let held = self.locked.iter().any(|(system, boot)| *system == remote.system && *boot == contact.boot);
        if !ours || held {
            return Ok(Ok(()));
        }
        let name = remote.system.as_str();
        if !self.journal.state.locked.contains(name) {
            self.journal.add(Event::Locked { system: name.to_owned() })?;
        }
        match target_lock::take(self.transport, remote, &self.claim, self.options.take_over) {
            Ok(over) => {
                if let Some(from) = over {
                    self.front.hear(Said::Remark(&format!("the lock on the machine was taken from: {from}")));
                }
                self.locked.retain(|(system, _)| *system != remote.system);
                self.locked.push((remote.system, contact.boot.clone()));
                Ok(Ok(()))
            }
            Err(NoLock::Held(refused)) => Err(refused),
            Err(NoLock::Trouble(trouble)) => Ok(Err(trouble)),
        }
    }

    /// Takes the lock before a step that changes the machine without a command of its own there.
    pub(super) fn lock_for(&mut self, step: &Step) -> Result<Result<(), Trouble>, Refused> {
        if !matches!(step.runs_on(), RunsOn::Target | RunsOn::Rescue) {
            return Ok(Ok(()));
        }
        match self.machine_of(step) {
            Some(remote) => Ok(self.reach(&remote)?.map(|_| ())),
            None => Ok(Ok(())),
        }
    }

    /// Returns a command of a step on a system of ours: the way to it.
    fn machine_of(&self, step: &Step) -> Option<Remote> {
        let lines = step.checks_before().iter().chain(step.commands()).chain(step.checks_after());
        lines.map(|line| self.plan.line(line)).find_map(|line| match line {
            Line::Remote(remote) if matches!(remote.system, System::Installer | System::Host) => Some(remote),
            _ => None,
        })
    }
    /// Gives the locks back, those of runs that were cut off too.
    pub(super) fn unlock(&mut self) -> Result<(), Refused> {
        for system in self.journal.state.locked.clone() {
            let Some(remote) = self.remote_of(&system) else { continue };
            let given_back = target_lock::release(self.transport, &remote, &self.claim);
            // An installer that is not there any more has taken its lock along.
            if given_back || remote.system == System::Installer {
                self.journal.add(Event::Unlocked { system })?;
            }
        }
        self.locked.clear();
        Ok(())
    }

    /// Returns a command on a system, whichever: the way to it.
    fn remote_of(&self, system: &str) -> Option<Remote> {
        let steps = self.plan.steps().iter();
        let lines =
            steps.flat_map(|step| step.checks_before().iter().chain(step.commands()).chain(step.checks_after()));
        lines.map(|line| self.plan.line(line)).find_map(|line| match line {
            Line::Remote(remote) if remote.system.as_str() == system => Some(remote),
            _ => None,
        })
    }
}

/// Brings to the disks what the system still keeps in its memory. One that hangs on a dead server holds nothing up for ever.
const FLUSH: &str = "if command -v timeout >/dev/null 2>&1; then timeout 300 sync || :; else sync; fi";

/// Tells whether what the lines of a step do has to outlive a power cut as soon as they are done: boots see to that themselves, and
/// looking changes nothing.
fn lasts(step: &Step) -> bool {
    matches!(step.kind(), StepKind::Copy | StepKind::Command | StepKind::Destroy)
}

/// Tells how a line ended that ended badly or is not known to have ended.
fn end_of(ran: &Ran) -> Option<End> {
    match ran {
        Ran::Exit(0) | Ran::Stopped { .. } => None,
        Ran::Exit(status) => Some(End::Exit(*status)),
        Ran::Late => Some(End::Late),
        Ran::NotStarted(_) | Ran::Unknown(_) | Ran::NoTerminal => Some(End::Lost),
    }
}
