//! What a run of a plan came to, as its page tells it.

use crate::apply::{Row, Standing, Status};

/// How a step ended, or where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It and the checks after it have succeeded.
    Done,
    /// It or one of its checks has failed.
    Failed,
    /// It has begun and not ended.
    Running,
    /// It was left out, since what it brings about was there.
    LeftOut,
}

impl Outcome {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::LeftOut => "left out",
        }
    }
}

/// What a run came to in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RanStep {
    /// The step's id.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, in seconds; none while it runs.
    pub seconds: Option<u64>,
    /// When it ended, in UTC; none while it runs.
    pub ended: Option<String>,
    /// What there is to say, such as why it failed; secrets are masked already.
    pub note: Option<String>,
}

/// What a run came to so far; steps that are not named were not begun.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunState {
    /// The steps that were begun, in any order; of one id the last counts.
    pub steps: Vec<RanStep>,
}

impl RunState {
    /// Returns what runs of a plan came to so far.
    pub fn of_status(status: &Status) -> Self {
        let ran = |row: &Row| {
            let outcome = match row.state {
                Standing::Done => Outcome::Done,
                Standing::Begun => Outcome::Running,
                Standing::Failed => Outcome::Failed,
                Standing::Open => return None,
            };
            let verdict = row.verdict.as_ref().map(super::super::reboot_test::summary);
            let note = match (verdict, &row.why) {
                (Some(verdict), _) => Some(verdict),
                (None, why) => why.clone(),
            };
            Some(RanStep { id: row.id.clone(), outcome, seconds: row.seconds, ended: row.ended.clone(), note })
        };
        Self { steps: status.steps.iter().filter_map(ran).collect() }
    }

    /// Returns what it came to in a step; none when it was not begun.
    pub fn of(&self, id: &str) -> Option<&RanStep> {
        self.steps.iter().rev().find(|step| step.id == id)
    }
}
