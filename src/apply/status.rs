//! Where a plan stands, for people and programs: the plan's steps with what the journal knows of each. Only reads.

use std::path::Path;

use super::journal;
use super::logs::Logs;
use super::outcome::Refused;
use super::replay::replay;
use super::state::{Phase, State, StepState};
use super::verdict::Summary;
use crate::plan::{Plan, Step};

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is done.
    Done,
    /// It began, and how it ended is not known: `apply` finds out.
    Begun,
    /// It failed.
    Failed,
    /// It has not begun.
    Open,
}

impl Standing {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Begun => "begun",
            Self::Failed => "failed",
            Self::Open => "open",
        }
    }
}

/// A step and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// Its number, from 1.
    pub number: usize,
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What it does.
    pub kind: &'static str,
    /// Whether it is a gate.
    pub gate: bool,
    /// How far it is.
    pub state: Standing,
    /// How often it began.
    pub attempts: u32,
    /// How long it took, in seconds.
    pub seconds: Option<u64>,
    /// When it ended, in UTC, as the clock of the deployer showed it.
    pub ended: Option<String>,
    /// Why it failed.
    pub why: Option<String>,
    /// Of a step that boots, the verdict of its last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Summary>,
}

/// Where a plan stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// The version of this form.
    pub version: u32,
    /// The host.
    pub host: String,
    /// What the plan is for.
    pub scenario: String,
    /// The plan's digest.
    pub plan_sha256: String,
    /// Whether the journal is about this plan: false when the plan has changed since.
    pub same_plan: bool,
    /// When it began; none when it has not.
    pub began: Option<String>,
    /// Whether the last run was stopped by somebody.
    pub interrupted: bool,
    /// How many steps are done.
    pub done: usize,
    /// The next step, by its id; none when all are done.
    pub next: Option<String>,
    /// Every step, in its order.
    pub steps: Vec<Row>,
}

/// Reads where a plan stands. `folder` is the fleet's.
pub fn status(plan: &Plan, folder: &Path) -> Result<Status, Refused> {
    let state_folder = folder.join("state").join(plan.host());
    let path = journal::path(&state_folder, plan.scenario().as_str());
    let bytes = journal::bytes(&path)?.unwrap_or_default();
    standing(plan, &bytes).map_err(|why| Refused::corrupt(&path, &why))
}

/// Returns where a plan stands by the bytes of its journal; none for one that has not begun. The error says which line is no record
/// and why.
pub fn standing(plan: &Plan, journal: &[u8]) -> Result<Status, String> {
    let read = replay(journal).map_err(|why| why.to_string())?;
    Ok(of(plan, &read.state))
}

/// Says that a plan has no such step, and which is near.
pub fn unknown_step(plan: &Plan, id: &str) -> Refused {
    super::bounds::unknown(plan, id)
}

/// Returns what a step printed; of none named, what every step that has run printed, under headings.
pub fn log(plan: &Plan, folder: &Path, step: Option<&str>) -> Result<String, Refused> {
    let state_folder = folder.join("state").join(plan.host());
    let logs = Logs::of(&state_folder, plan.scenario().as_str());
    let read = |id: &str| logs.read(id).map_err(|why| Refused::file(&logs.path(id), "read", &why));
    if let Some(id) = step {
        let step = plan.step(id).ok_or_else(|| super::bounds::unknown(plan, id))?;
        return Ok(read(step.id())?.unwrap_or_default());
    }
    let mut all = String::new();
    for step in plan.steps() {
        if let Some(text) = read(step.id())? {
            all.push_str(&format!("== {}\n{text}\n", step.id()));
        }
    }
    Ok(all)
}

fn of(plan: &Plan, state: &State) -> Status {
    let about = state.about.as_ref();
    let rows: Vec<Row> =
        plan.steps().iter().enumerate().map(|(at, step)| row(plan, at + 1, step, &state.step(step.id()))).collect();
    Status {
        version: 1,
        host: plan.host().to_owned(),
        scenario: plan.scenario().as_str().to_owned(),
        plan_sha256: plan.plan_sha256().to_owned(),
        same_plan: about.is_none_or(|about| about.plan == plan.plan_sha256()),
        began: about.map(|about| about.at.clone()),
        interrupted: state.interrupted,
        done: rows.iter().filter(|row| row.state == Standing::Done).count(),
        next: rows.iter().find(|row| row.state != Standing::Done).map(|row| row.id.clone()),
        steps: rows,
    }
}

fn row(plan: &Plan, number: usize, step: &Step, state: &StepState) -> Row {
    let (standing, why) = match &state.phase {
        Phase::Done(_) => (Standing::Done, None),
        Phase::Begun => (Standing::Begun, None),
        Phase::Failed(why) => (Standing::Failed, Some(why.clone())),
        Phase::Untouched => (Standing::Open, None),
    };
    Row {
        number,
        id: step.id().to_owned(),
        title: step.title().to_owned(),
        kind: step.kind().as_str(),
        gate: plan.gate(step).is_some(),
        state: standing,
        attempts: state.attempt,
        seconds: state.millis.map(|millis| millis / 1000),
        ended: state.ended_at.clone(),
        why,
        verdict: state.verdict.clone(),
    }
}
