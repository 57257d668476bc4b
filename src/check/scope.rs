//! Which hosts a check looks at.

use std::collections::BTreeSet;

/// The hosts that a check looks at; the others are read, but nothing is said of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every host.
    All,
    /// These hosts, which may be none.
    Hosts(BTreeSet<String>),
}

impl Scope {
    /// Returns the hosts that were named; all of them when none was.
    pub fn named(names: &[String]) -> Self {
        if names.is_empty() { Self::All } else { Self::Hosts(names.iter().cloned().collect()) }
    }

    /// Tells whether a host is looked at.
    pub fn has(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Hosts(hosts) => hosts.contains(host),
        }
    }

    /// Tells whether nothing is left out.
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Tells whether `this` host is the one to speak for what it and `other` have in common, so that it is said once: the
    /// first by name of those that are looked at.
    pub fn speaks_for(&self, this: &str, other: &str) -> bool {
        !self.has(other) || this < other
    }

    /// Returns the hosts that both scopes have.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, scope) | (scope, Self::All) => scope,
            (Self::Hosts(these), Self::Hosts(those)) => Self::Hosts(these.intersection(&those).cloned().collect()),
        }
    }
}
