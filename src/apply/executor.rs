//! The loop over the steps: what is done is left, what began is settled, what is open is run, and everything is in the journal first.

#![allow(clippy::disallowed_methods, reason = "steps take time, and have deadlines")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::bounds::{Bounds, destroys};
use super::front::{Front, Said};
use super::journal::Journal;
use super::logs::Logs;
use super::outcome::{Awaited, Ending, Failed, Refused};
use super::record::{By, Event, How};
use super::run::{Options, Stop};
use super::secrets::Secrets;
use super::settle::{self, Next, Shape};
use super::state::Ended;
use super::target_lock::Claim;
use super::transport::{Transport, Trouble};
use super::verdict::{self, Broke};
use crate::plan::gates::id::CHECK_DEFINITION;
use crate::plan::{Plan, RunsOn, Step, StepKind, System};
use crate::units::TimeSpan;

/// How long steps may take: three times what is expected, and at least what their kind is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// In seconds, for the kinds that have no longer one.
    pub(super) least: u64,
    /// In seconds, for what moves data or builds.
    pub(super) least_long: u64,
    /// In seconds, for what boots: its lines have deadlines of their own.
    pub(super) least_boot: u64,
    /// How long the last good system is waited for at most after a trial that was not confirmed, in seconds.
    pub(super) way_back: u64,
    /// Without anybody to be asked, a longer wait ends the run, in seconds.
    pub(super) unattended_wait: u64,
    /// Between two tries of a line whose ssh was turned away.
    pub(super) pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            least: 900,
            least_long: 7200,
            least_boot: 6 * 3600,
            way_back: 3600,
            unattended_wait: 900,
            pause: Duration::from_secs(6),
        }
    }
}

impl Limits {
    /// Returns how long a step may take.
    pub(super) fn of(&self, step: &Step) -> Duration {
        let least = match step.kind() {
            StepKind::BaselineBoot | StepKind::RebootTest => self.least_boot,
            StepKind::Copy | StepKind::Command => self.least_long,
            StepKind::Verify | StepKind::Instruction | StepKind::Destroy | StepKind::Soak => self.least,
        };
        Duration::from_secs(step.expected_seconds().saturating_mul(3).max(least).max(step.patience()))
    }
}

/// A run.
pub(super) struct Executor<'a> {
    pub(super) plan: &'a Plan,
    pub(super) options: &'a Options,
    /// What may be destroyed without a further question.
    pub(super) agreed: BTreeSet<String>,
    pub(super) bounds: Bounds,
    pub(super) journal: &'a mut Journal,
    pub(super) transport: &'a mut dyn Transport,
    pub(super) front: &'a mut dyn Front,
    pub(super) stop: &'a Stop,
    pub(super) logs: Logs,
    /// The fleet's folder.
    pub(super) fleet: &'a Path,
    /// The folder of the host's state.
    pub(super) state: &'a Path,
    /// What ended the step at hand.
    pub(super) broke: Option<Broke>,
    /// The checks behind the step at hand that ran, with their places.
    pub(super) checked: Vec<(usize, Ended)>,
    pub(super) secrets: Secrets,
    pub(super) claim: Claim,
    /// The deployer's own machine id.
    pub(super) machine: Option<String>,
    /// The systems, with their boots, on which this run holds the lock.
    pub(super) locked: Vec<(System, Option<String>)>,
    pub(super) limits: &'a Limits,
    pub(super) started: Instant,
    /// The place of the step at hand in the plan, or of the last one that was.
    pub(super) at: Option<usize>,
    pub(super) count: u64,
}

/// Whether the run goes on.
pub(super) enum Flow {
    On,
    End(Ending),
}

impl Executor<'_> {
    /// Carries the steps out, and gives the locks on the machines back.
    pub(super) fn run(mut self) -> Result<Ending, Refused> {
        let ending = self.steps();
        let goes_on = matches!(ending, Ok(Ending::Interrupted { goes_on: true, .. }));
        let unlocked = if goes_on { Ok(()) } else { self.unlock() };
        match ending.and_then(|ending| unlocked.map(|()| ending)) {
            Err(refused) if refused.is_storage() => self.unwritten(refused),
            ending => ending,
        }
    }

    /// Ends a run that cannot write down what happens: where a step was at hand it has failed, and nothing more is written.
    fn unwritten(&self, refused: Refused) -> Result<Ending, Refused> {
        let Some(step) = self.at.and_then(|at| self.plan.steps().get(at)) else { return Err(refused) };
        Ok(Ending::Failed(Box::new(Failed {
            step: step.id().to_owned(),
            title: step.title().to_owned(),
            why: refused.what,
            help: refused.help,
            ..Failed::default()
        })))
    }

    fn steps(&mut self) -> Result<Ending, Refused> {
        let plan = self.plan;
        let left_out: Vec<&str> = plan
            .steps()
            .iter()
            .take(self.bounds.from)
            .map(Step::id)
            .filter(|id| !self.journal.state.is_done(id))
            .collect();
        if !left_out.is_empty() {
            self.front.hear(Said::Remark(&format!("left out by `--from`, and not done: {}", left_out.join(", "))));
        }
        for (at, step) in plan.steps().iter().enumerate() {
            if at < self.bounds.from || at > self.bounds.until {
                continue;
            }
            if self.stop.is_asked() {
                return self.interrupted(None, false);
            }
            if let Flow::End(ending) = self.step(at, step)? {
                return Ok(ending);
            }
        }
        if plan.steps().iter().all(|step| self.journal.state.is_done(step.id())) {
            if !self.journal.state.closed {
                self.journal.add(Event::Closed)?;
            }
            return Ok(Ending::Complete);
        }
        let last = plan.steps().get(self.bounds.until).map_or("", Step::id);
        Ok(Ending::Until(last.to_owned()))
    }

    fn step(&mut self, at: usize, step: &Step) -> Result<Flow, Refused> {
        let state = self.journal.state.step(step.id());
        let stands_on = |id: &&str| self.journal.state.has_begun(id);
        // Every run begins with the definition: what is deployed is what was checked.
        let left_behind = step.id() != CHECK_DEFINITION && self.plan.dependents(step.id()).iter().any(stands_on);
        let shape = Shape {
            kind: step.kind(),
            destroys: destroys(step),
            lines: step.commands().len(),
            has_after: !step.checks_after().is_empty(),
            left_behind,
            leaves_rescue: step.kind() == StepKind::BaselineBoot && step.runs_on() == RunsOn::Rescue,
        };
        let next = settle::next(shape, &state);
        if next == Next::Skip {
            return Ok(Flow::On);
        }
        self.front.hear(Said::Began {
            number: at + 1,
            of: self.plan.steps().len(),
            id: step.id(),
            title: step.title(),
            expected: step.expected_seconds(),
        });
        self.started = Instant::now();
        self.at = Some(at);
        self.broke = None;
        self.checked.clear();
        self.settle(step, next)
    }

    pub(super) fn settle(&mut self, step: &Step, next: Next) -> Result<Flow, Refused> {
        match next {
            Next::Skip => Ok(Flow::On),
            Next::Begin { attempt } => self.begin(step, attempt),
            Next::GoOn { line } => self.go_on(step, line),
            Next::Judge { otherwise } => self.judge(step, *otherwise),
            Next::Stuck { line, why } => self.stuck(step, line, &why),
        }
    }

    /// The checks behind a step tell whether it is done; if not, it is settled in another way.
    fn judge(&mut self, step: &Step, otherwise: Next) -> Result<Flow, Refused> {
        self.logs.note(step.id(), "\n# a run before was cut off here: its checks tell whether the step is done\n");
        match self.checks(step, Checks::After) {
            Checked::Hold => self.done(step, How::Checked),
            Checked::Stopped => Ok(Flow::End(self.interrupted(Some(step.id()), false)?)),
            Checked::Fails(_) => self.settle(step, otherwise),
        }
    }

    fn begin(&mut self, step: &Step, attempt: u32) -> Result<Flow, Refused> {
        if step.is_parting() {
            self.journal.add(Event::Began { step: step.id().to_owned(), attempt })?;
            let flow = self.done(step, How::Told);
            self.front.hear(Said::Left { why: step.reason() });
            return flow;
        }
        if destroys(step)
            && let Some(end) = self.give_up(step, step.destroyed().iter().map(String::as_str).collect())?
        {
            return Ok(Flow::End(end));
        }
        self.hear_out(step)?;
        if verdict::is_given(step, false) {
            self.take_cut_off_away(step)?;
        }
        match self.checks(step, Checks::Before) {
            Checked::Hold => {}
            Checked::Stopped => return Ok(Flow::End(self.interrupted(Some(step.id()), false)?)),
            Checked::Fails(mut failed) => {
                failed.why = format!("a check before it does not hold, and nothing of it was run: {}", failed.why);
                return self.failed(step, *failed);
            }
        }
        if let Err(trouble) = self.lock_for(step)? {
            return self.trouble(step, None, &trouble);
        }
        self.journal.add(Event::Began { step: step.id().to_owned(), attempt })?;
        self.logs.note(step.id(), &format!("\n# attempt {attempt}, {}\n", super::journal::now()));
        let asked = match step.kind() {
            StepKind::Instruction => self.instruct(step)?,
            StepKind::Soak => self.soak(step)?,
            _ => None,
        };
        if let Some(end) = asked {
            return Ok(Flow::End(end));
        }
        if matches!(step.kind(), StepKind::Instruction | StepKind::Soak) {
            // What a person or a wait took is not counted against the lines behind it.
            self.started = Instant::now();
        }
        self.lines(step, 0)
    }

    /// Runs the lines of a step from one of them on, then its checks.
    pub(super) fn lines(&mut self, step: &Step, from: usize) -> Result<Flow, Refused> {
        for at in from..step.commands().len() {
            if let Some(flow) = self.line(step, at)? {
                return Ok(flow);
            }
        }
        self.finish(step)
    }

    /// Looks whether a step did what it should.
    fn finish(&mut self, step: &Step) -> Result<Flow, Refused> {
        let how = if step.kind() == StepKind::Instruction { How::Answered } else { How::Ran };
        match self.checks(step, Checks::After) {
            Checked::Hold => self.done(step, how),
            Checked::Stopped => Ok(Flow::End(self.interrupted(Some(step.id()), false)?)),
            Checked::Fails(mut failed) => {
                failed.why = format!("a check behind it does not hold: {}", failed.why);
                self.failed(step, *failed)
            }
        }
    }

    /// A destructive step of which the end is not known, or was bad: nothing runs until a person has looked.
    pub(super) fn stuck(&mut self, step: &Step, line: usize, why: &str) -> Result<Flow, Refused> {
        if self.options.confirm.iter().any(|id| id == step.id()) {
            self.journal.add(Event::Answered { step: step.id().to_owned(), destroys: None, by: By::Option })?;
            return match self.checks(step, Checks::After) {
                Checked::Hold => self.done(step, How::Answered),
                Checked::Stopped => Ok(Flow::End(self.interrupted(Some(step.id()), false)?)),
                Checked::Fails(failed) => self.failed(step, *failed),
            };
        }
        let text = step.commands().get(line).cloned();
        let failed = Failed {
            why: format!(
                "it destroys something and has run before: of line {} {why}, so it is not run a second time",
                line + 1
            ),
            help: vec![
                format!("look at what it has done to {}", step.destroyed().join(", ")),
                format!(
                    "finish by hand what is missing, then `--confirm {}`: its checks are run, and it counts as done",
                    step.id()
                ),
                "or `--restart` begins the whole plan anew and asks again what may be destroyed".to_owned(),
            ],
            line: text,
            ..Failed::default()
        };
        self.failed(step, failed)
    }

    pub(super) fn done(&mut self, step: &Step, how: How) -> Result<Flow, Refused> {
        let took = self.started.elapsed();
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if verdict::is_given(step, false) {
            self.passed(step)?;
        }
        self.journal.add(Event::Done { step: step.id().to_owned(), how, millis })?;
        let how = match how {
            How::Ran => None,
            How::Checked => Some("a run before had done it: its checks hold"),
            How::Answered => Some("confirmed"),
            How::Told => Some("left to you"),
        };
        self.front.hear(Said::Ended { seconds: took.as_secs(), how });
        Ok(Flow::On)
    }

    /// Ends the run with a step that failed: what is shown is complete, what is stored is masked.
    pub(super) fn failed(&mut self, step: &Step, mut failed: Failed) -> Result<Flow, Refused> {
        step.id().clone_into(&mut failed.step);
        step.title().clone_into(&mut failed.title);
        failed.undo = step.way_back().to_vec();
        let log = self.logs.path(step.id());
        failed.log = Some(log.strip_prefix(self.fleet).unwrap_or(&log).display().to_string());
        failed.why = self.secrets.mask_text(&failed.why);
        if verdict::is_given(step, true) {
            self.aftermath(step, &mut failed)?;
        }
        self.logs.note(step.id(), &format!("\n# failed: {}\n", failed.why));
        self.journal.add(Event::Failed { step: step.id().to_owned(), why: failed.why.clone() })?;
        Ok(Flow::End(Ending::Failed(Box::new(failed))))
    }

    /// A step that failed since the machine or a program did not do what it was asked.
    pub(super) fn trouble(&mut self, step: &Step, line: Option<&str>, trouble: &Trouble) -> Result<Flow, Refused> {
        // Whoever stops a run that calls a machine has not found it silent.
        if self.stop.is_asked() {
            return Ok(Flow::End(self.interrupted(Some(step.id()), false)?));
        }
        let failed = Failed {
            why: trouble.why.clone(),
            help: trouble.help.clone(),
            line: line.map(str::to_owned),
            ..Failed::default()
        };
        self.failed(step, failed)
    }

    pub(super) fn interrupted(&mut self, step: Option<&str>, goes_on: bool) -> Result<Ending, Refused> {
        let step = step.map(str::to_owned);
        self.journal.add(Event::Interrupted { step: step.clone() })?;
        Ok(Ending::Interrupted { step, goes_on })
    }

    /// Waits as long as a soak lasts.
    fn soak(&mut self, step: &Step) -> Result<Option<Ending>, Refused> {
        let length = step.expected_seconds();
        let mut wait =
            super::soak::Wait::begin(self.journal.state.step(step.id()).since, super::journal::seconds_now(), length);
        if wait.is_new() {
            self.journal.add(Event::Waiting { step: step.id().to_owned(), since: wait.since() })?;
        }
        let began = Instant::now();
        loop {
            let left = wait.left(super::journal::seconds_now(), began.elapsed().as_secs());
            if left == 0 {
                return Ok(None);
            }
            if !self.front.is_interactive() && left > self.limits.unattended_wait {
                return Ok(Some(Ending::Awaiting(Awaited {
                    step: step.id().to_owned(),
                    title: step.title().to_owned(),
                    what: format!(
                        "{} of the wait are left; the next run goes on with what is left then",
                        TimeSpan::human(left)
                    ),
                    then: Vec::new(),
                })));
            }
            if self.stop.is_asked() {
                return Ok(Some(self.interrupted(Some(step.id()), false)?));
            }
            self.front.hear(Said::Goes { seconds: length.saturating_sub(left) });
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Which checks of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checks {
    Before,
    After,
}

/// What checks came to.
pub(super) enum Checked {
    Hold,
    Fails(Box<Failed>),
    Stopped,
}
