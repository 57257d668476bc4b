//! What a comparison comes to.

use serde::Serialize;

use crate::source::Place;

/// What a difference is about, in the order in which people read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Memory, firmware, host id.
    Machine,
    /// Disks and partitions.
    Disks,
    /// Pools.
    Pools,
    /// Datasets.
    Datasets,
    /// Mounts and swap.
    Mounts,
    /// Interfaces, addresses, routers, name servers.
    Network,
    /// ssh host keys.
    Access,
    /// Generations, versions, boot menu.
    System,
    /// Units and ports.
    Services,
}

impl Group {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Disks => "disks",
            Self::Pools => "pools",
            Self::Datasets => "datasets",
            Self::Mounts => "mounts",
            Self::Network => "network",
            Self::Access => "access",
            Self::System => "system",
            Self::Services => "services",
        }
    }
}

/// What is defined, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// In words.
    pub text: String,
    /// Where; none of what follows from the definition as a whole, or is recorded elsewhere.
    pub place: Option<Place>,
}

/// One difference, or something worth knowing that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub group: Group,
    /// The thing that differs, such as `disk hdd0`.
    pub subject: String,
    /// What is wrong.
    pub message: String,
    /// What is defined.
    pub defined: Option<Defined>,
    /// What the machine has.
    pub live: String,
    /// Why it matters.
    pub why: String,
    /// Ways out, each complete in itself.
    pub help: Vec<String>,
}

impl Difference {
    pub(super) fn new(group: Group, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            group,
            subject: subject.into(),
            message: message.into(),
            defined: None,
            live: String::new(),
            why: String::new(),
            help: Vec::new(),
        }
    }

    pub(super) fn defined(mut self, text: impl Into<String>, place: impl Into<Option<Place>>) -> Self {
        self.defined = Some(Defined { text: text.into(), place: place.into() });
        self
    }

    pub(super) fn live(mut self, text: impl Into<String>) -> Self {
        self.live = text.into();
        self
    }

    pub(super) fn why(mut self, text: impl Into<String>) -> Self {
        self.why = text.into();
        self
    }

    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}

/// What could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCompared {
    /// What it is about.
    pub group: Group,
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many things were compared.
    pub compared: usize,
    /// What differs.
    pub differences: Vec<Difference>,
    /// What is worth knowing and no difference.
    pub notes: Vec<Difference>,
    /// What could not be compared.
    pub not_compared: Vec<NotCompared>,
}

impl Comparison {
    /// Counts something that is as defined.
    pub(super) fn same(&mut self) {
        self.compared += 1;
    }

    /// Adds a difference.
    pub(super) fn differ(&mut self, difference: Difference) {
        self.compared += 1;
        self.differences.push(difference);
    }

    /// Counts something as equal, or adds its difference.
    pub(super) fn hold(&mut self, equal: bool, difference: impl FnOnce() -> Difference) {
        if equal { self.same() } else { self.differ(difference()) }
    }

    /// Adds something worth knowing.
    pub(super) fn note(&mut self, note: Difference) {
        self.notes.push(note);
    }

    /// Says that something could not be compared.
    pub(super) fn unknown(&mut self, group: Group, what: impl Into<String>, why: impl Into<String>) {
        let unknown = NotCompared { group, what: what.into(), why: why.into() };
        if !self.not_compared.contains(&unknown) {
            self.not_compared.push(unknown);
        }
    }
}
