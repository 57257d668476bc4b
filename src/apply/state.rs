//! Where a plan stands, as its journal says: one entry for each step that was begun.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Event, How};
use super::verdict::{Outcome, Summary};

/// A line of a step, in its last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LineState {
    /// It was about to run; whether it did, and how it ended, is not known.
    Begun { job: Option<String>, boot: Option<String> },
    /// It ended with an exit status.
    Ended { status: i32 },
}

/// How a line ended, and the last of what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) status: i32,
    pub(super) tail: String,
}

/// How far a step is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of it ran.
    #[default]
    Untouched,
    /// It began, and how it ended is not known.
    Begun,
    /// It is done.
    Done(How),
    /// It failed, for a reason.
    Failed(String),
}

/// What is known of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StepState {
    pub(super) attempt: u32,
    pub(super) phase: Phase,
    pub(super) lines: BTreeMap<usize, LineState>,
    /// Of the lines that ended, what they printed.
    pub(super) ended: BTreeMap<usize, Ended>,
    /// Of a step that boots, the verdict of its last attempt.
    pub(super) verdict: Option<Summary>,
    /// A person said that it is as it should be.
    pub(super) answered: bool,
    /// Since when it waits, in seconds since 1970.
    pub(super) since: Option<i64>,
    /// How long it took, in milliseconds.
    pub(super) millis: Option<u64>,
    pub(super) ended_at: Option<String>,
}

impl StepState {
    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    /// Tells whether anything of it may have run.
    pub(super) fn has_begun(&self) -> bool {
        self.attempt > 0 || self.is_done()
    }
}

/// The plan that a journal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) host: String,
    pub(super) scenario: String,
    pub(super) plan: String,
    pub(super) tool: String,
    pub(super) nonce: String,
    pub(super) steps: Vec<(String, String)>,
    pub(super) at: String,
}

/// Where a plan stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) about: Option<About>,
    pub(super) steps: BTreeMap<String, StepState>,
    /// What a person agreed to lose.
    pub(super) given_up: BTreeSet<String>,
    /// The systems of the machine on which a lock of ours may lie.
    pub(super) locked: BTreeSet<String>,
    pub(super) interrupted: bool,
    pub(super) closed: bool,
    pub(super) last_at: Option<String>,
}

impl State {
    /// Returns what is known of a step.
    pub(super) fn step(&self, id: &str) -> StepState {
        self.steps.get(id).cloned().unwrap_or_default()
    }

    /// Tells whether a step is done.
    pub(super) fn is_done(&self, id: &str) -> bool {
        self.steps.get(id).is_some_and(StepState::is_done)
    }

    /// Tells whether anything of a step may have run.
    pub(super) fn has_begun(&self, id: &str) -> bool {
        self.steps.get(id).is_some_and(StepState::has_begun)
    }

    /// Tells whether nothing of it is left to go on with: every step is done, or a boot that failed has its verdict.
    pub(super) fn is_finished(&self) -> bool {
        let is_bad = |state: &StepState| {
            matches!(state.phase, Phase::Failed(_))
                && state.verdict.as_ref().is_some_and(|verdict| verdict.outcome != Outcome::Passed)
        };
        self.closed || self.steps.values().any(is_bad)
    }

    /// Takes one more record; says what is wrong when it cannot follow those before.
    pub(super) fn apply(&mut self, at: &str, event: &Event) -> Result<(), String> {
        if let Event::Opened { host, scenario, plan, tool, nonce, steps } = event {
            if self.steps.values().any(StepState::has_begun) {
                return Err("another plan begins where steps of one have run".to_owned());
            }
            *self = Self::default();
            self.about = Some(About {
                host: host.clone(),
                scenario: scenario.clone(),
                plan: plan.clone(),
                tool: tool.clone(),
                nonce: nonce.clone(),
                steps: steps.clone(),
                at: at.to_owned(),
            });
            self.last_at = Some(at.to_owned());
            return Ok(());
        }
        if self.about.is_none() {
            return Err("something happens before a plan begins".to_owned());
        }
        if !matches!(event, Event::Unlocked { .. }) {
            (self.interrupted, self.closed) = (false, false);
        }
        self.last_at = Some(at.to_owned());
        match event {
            // What runs by itself belongs to no line of the plan: a step that failed begins anew.
            Event::Opened { .. } | Event::AidBegan { .. } | Event::AidDone { .. } => {}
            Event::Began { step, attempt } => {
                let state = self.steps.entry(step.clone()).or_default();
                state.attempt = *attempt;
                state.phase = Phase::Begun;
                state.lines.clear();
                state.ended.clear();
                state.verdict = None;
            }
            Event::LineBegan { step, line, job, boot } => {
                let state = self.begun(step)?;
                state.phase = Phase::Begun;
                state.lines.insert(*line, LineState::Begun { job: job.clone(), boot: boot.clone() });
            }
            Event::LineDone { step, line, status, tail, .. } => {
                let state = self.begun(step)?;
                state.lines.insert(*line, LineState::Ended { status: *status });
                state.ended.insert(*line, Ended { status: *status, tail: tail.clone() });
            }
            Event::Judged { step, verdict } => {
                self.steps.entry(step.clone()).or_default().verdict = Some(verdict.clone());
            }
            Event::Done { step, how, millis } => {
                let state = self.steps.entry(step.clone()).or_default();
                state.phase = Phase::Done(*how);
                state.millis = Some(*millis);
                state.ended_at = Some(at.to_owned());
            }
            Event::Failed { step, why } => {
                let state = self.steps.entry(step.clone()).or_default();
                state.phase = Phase::Failed(why.clone());
                // What a person said was not so: they are asked again.
                state.answered = false;
                state.ended_at = Some(at.to_owned());
            }
            Event::Answered { step, destroys, .. } => {
                let state = self.steps.entry(step.clone()).or_default();
                match destroys {
                    Some(what) => {
                        self.given_up.insert(what.clone());
                    }
                    None => state.answered = true,
                }
            }
            Event::Waiting { step, since } => {
                self.steps.entry(step.clone()).or_default().since = Some(*since);
            }
            Event::Locked { system } => {
                self.locked.insert(system.clone());
            }
            Event::Unlocked { system } => {
                self.locked.remove(system);
            }
            Event::Interrupted { .. } => self.interrupted = true,
            Event::Closed => self.closed = true,
        }
        Ok(())
    }

    fn begun(&mut self, step: &str) -> Result<&mut StepState, String> {
        let state = self.steps.get_mut(step).filter(|state| state.attempt > 0);
        state.ok_or_else(|| format!("a line of the step `{step}` runs before the step begins"))
    }
}
