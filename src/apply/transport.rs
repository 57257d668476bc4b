//! How lines are run: the one interface that the executor knows, and the words for how a line can end.

use std::time::Instant;

use crate::plan::{Line, Remote};

/// A line to be run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) line: &'a Line,
    /// What a command on the machine is known by there: started once under a name, found again by it.
    pub(super) id: &'a str,
    /// The boot of the machine that it belongs to; in another one it is not started.
    pub(super) boot: Option<&'a str>,
    /// When it has to be over.
    pub(super) until: Instant,
    /// It destroys something: somebody who stops the run waits for its end, so that this is known.
    pub(super) uncut: bool,
    /// What it does is on the machine's disks before it counts as ended.
    pub(super) flush: bool,
}

/// What happens while a line runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Heard<'a> {
    /// It printed something.
    Bytes(&'a [u8]),
    /// A moment has passed.
    Tick,
}

/// How a line ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ran {
    /// With an exit status; a signal is 128 and its number.
    Exit(i32),
    /// It took longer than it may and was ended.
    Late,
    /// Somebody stopped the run; on the machine it may go on.
    Stopped { goes_on: bool },
    /// It was certainly not started.
    NotStarted(Trouble),
    /// Whether it ran to its end cannot be known.
    Unknown(Trouble),
    /// There is no terminal, which it needs.
    NoTerminal,
}

/// Why the machine or a program did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Trouble {
    pub(super) why: String,
    pub(super) help: Vec<String>,
}

impl Trouble {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: Vec::new() }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Contact {
    /// Its boot id; none where it has none.
    pub(super) boot: Option<String>,
    /// Its machine id; none where it has none.
    pub(super) machine: Option<String>,
}

/// Runs lines.
pub(super) trait Transport {
    /// Asks a machine who it is.
    fn contact(&mut self, remote: &Remote) -> Result<Contact, Trouble>;

    /// Runs a line to its end. A command on the machine that is there under its id already is found again and not started twice.
    fn run(&mut self, job: Job<'_>, heard: &mut dyn FnMut(Heard<'_>)) -> Ran;

    /// Runs a short script on the machine, as root; returns its exit status and what it printed.
    fn script(&mut self, remote: &Remote, text: &str) -> Result<(i32, String), Trouble>;

    /// Waits until a command that a run before may have started on the machine has ended; starts nothing.
    fn hear_out(&mut self, remote: &Remote, id: &str, boot: Option<&str>, until: Instant) -> Result<(), Trouble>;

    /// How the command of this name ended is written down, or is of no more interest: the machine need not keep it.
    fn forget(&mut self, id: &str);
}
