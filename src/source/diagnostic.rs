//! What there is to say about a place in a file: the one form in which findings leave the program.

use super::Place;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Will hurt some day.
    Warning,
    /// Breaks the host, loses data or cannot be read.
    Error,
}

impl Level {
    /// Returns the word that people and machine formats use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place with what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is there, as a phrase ("installed with this"); may be empty for the primary place.
    pub message: String,
}

/// The `allow` entry that covers a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The reason its author gave.
    pub reason: String,
    /// The day after which it no longer counts, as `YYYY-MM-DD`.
    pub until: Option<String>,
}

/// One finding: a rule, a place, what is wrong, why it matters and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule's slug.
    pub rule: &'static str,
    /// How bad it is.
    pub level: Level,
    /// The host it is about; none for the fleet as a whole.
    pub host: Option<String>,
    /// What is wrong: a lower-case phrase without a full stop, subjects in backticks.
    pub message: String,
    /// The place to change, with what is there.
    pub primary: Label,
    /// Further places that take part.
    pub related: Vec<Label>,
    /// Why it matters.
    pub why: Option<String>,
    /// Ways out, each complete in itself.
    pub help: Vec<String>,
    /// The `allow` entry that covers it.
    pub allowed: Option<Allowed>,
    /// Of an option's name with one certain answer: the name as written and the name to write, by segments.
    pub rename: Option<(Vec<String>, Vec<String>)>,
    /// What it is about, where rule, place and the first thing that the message names do not say it.
    pub subject: Option<String>,
    /// What makes it the same finding in the next run; empty until the check is complete.
    pub fingerprint: String,
    /// Whether the lines of its places must not be shown, because they may hold a secret.
    pub hides: bool,
}

impl Diagnostic {
    /// Returns an error at a place; a finding without a place cannot be made.
    pub fn error(rule: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self::new(rule, Level::Error, place, message)
    }

    /// Returns a finding of any level at a place.
    pub fn new(rule: &'static str, level: Level, place: Place, message: impl Into<String>) -> Self {
        Self {
            rule,
            level,
            host: None,
            message: message.into(),
            primary: Label { place, message: String::new() },
            related: Vec::new(),
            why: None,
            help: Vec::new(),
            allowed: None,
            rename: None,
            subject: None,
            fingerprint: String::new(),
            hides: false,
        }
    }

    /// Says what stands at the primary place.
    #[must_use]
    pub fn label(mut self, message: impl Into<String>) -> Self {
        self.primary.message = message.into();
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn related(mut self, place: Place, message: impl Into<String>) -> Self {
        self.related.push(Label { place, message: message.into() });
        self
    }

    /// Says why it matters.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Adds one way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Keeps the lines of its places out of every report.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hides = true;
        self
    }

    /// Names the host it is about.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }
}

/// Collected findings: input errors are gathered, never thrown, so that one run shows all of them.
pub type Diagnostics = Vec<Diagnostic>;
