//! How a run ends, and why one does not begin.

use std::path::Path;

use crate::source::printable;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every step is done.
    Complete,
    /// The step that was named as the last one is done, or nothing is left to do before it.
    Until(String),
    /// Somebody has to do something first.
    Awaiting(Awaited),
    /// A step failed.
    Failed(Box<Failed>),
    /// Somebody stopped it.
    Interrupted {
        /// The step at hand.
        step: Option<String>,
        /// Whether its command goes on on the machine.
        goes_on: bool,
    },
}

/// What a plan waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The step.
    pub step: String,
    /// Its title.
    pub title: String,
    /// What is to be done, in words.
    pub what: String,
    /// How the run goes on afterwards, as arguments of `hostwright apply HOST`.
    pub then: Vec<String>,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failed {
    /// The step.
    pub step: String,
    /// Its title.
    pub title: String,
    /// What went wrong, as a phrase.
    pub why: String,
    /// What it means and what a person can do.
    pub help: Vec<String>,
    /// The line that failed.
    pub line: Option<String>,
    /// The last of what it printed, secrets masked.
    pub tail: String,
    /// What the program did by itself afterwards: evidence that was kept, a trial that was taken away.
    pub did: Vec<String>,
    /// The way back, as commands.
    pub undo: Vec<String>,
    /// Where the whole output is.
    pub log: Option<String>,
}

/// Why a run does not begin, or cannot go on: nothing of a step is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Refused {
    /// What is wrong, with its place.
    pub what: String,
    /// What to do.
    pub help: Vec<String>,
    /// It is the deployer's own disk that would not take what the run has to write down.
    storage: bool,
}

impl Refused {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: Vec::new(), storage: false }
    }

    /// What a run has to write down cannot be written.
    pub(super) fn storage(path: &Path, why: &std::io::Error) -> Self {
        let refused = Self::new(format!("cannot write {}: {why}", printable(&path.display().to_string())))
            .help("nothing runs that cannot be written down: make room on that disk, or mend what keeps it from being written")
            .help("what is written down stands: the same command goes on from there");
        Self { storage: true, ..refused }
    }

    /// Tells whether what a run has to write down could not be written.
    pub(super) fn is_storage(&self) -> bool {
        self.storage
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(super) fn file(path: &Path, action: &str, why: &std::io::Error) -> Self {
        Self::new(format!("cannot {action} {}: {why}", printable(&path.display().to_string())))
            .help("without its journal and its locks no step runs: check the disk and the permissions")
    }

    pub(super) fn corrupt(path: &Path, why: &str) -> Self {
        Self::new(format!("the journal {} is damaged at {}", printable(&path.display().to_string()), printable(why)))
            .help("what ran is no longer known for sure, so nothing runs: restore the file from a backup")
            .help("or look at the machine, then `--restart` moves the journal aside and begins the plan anew")
    }
}
