//! What a run of a plan came to, as its page tells it: plain values that whoever runs plans fills in.

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
    /// Returns what it came to in a step; none when it was not begun.
    pub fn of(&self, id: &str) -> Option<&RanStep> {
        self.steps.iter().rev().find(|step| step.id == id)
    }
}
