//! The option indexes beside the one that answers: what they say of a name that it does not know.
//!
//! Not here: what becomes of a fault (`settings`).

use super::settings::{Definitions, Dropped, option_name};
use crate::facts::{AliasKind, Facts, Fault, Found, OptionIndex, TypeFault};
use crate::source::Node;
use crate::units::Release;

/// How many times farther away a release must be that takes what the answering one does not.
const MUCH: u32 = 3;

/// The indexes beside the one that answers.
pub(super) struct Beside<'a> {
    pub(super) index: OptionIndex<'a>,
    /// The nearest index on the other side of the release, where a neighbour answers.
    pub(super) across: Option<OptionIndex<'a>>,
    others: Vec<OptionIndex<'a>>,
}

impl<'a> Beside<'a> {
    pub(super) fn new(facts: &'a Facts, index: OptionIndex<'a>) -> Self {
        let asked = index.asked.base();
        let mut others: Vec<_> =
            facts.option_indexes().filter(|other| other.release.base() != index.release.base()).collect();
        others.sort_by_key(|other| other.months_from(asked));
        let is_older = |release: Release| release.base() < asked;
        let across =
            others.iter().find(|other| is_older(other.release) != is_older(index.release)).filter(|_| !index.exact);
        Self { index, across: across.copied(), others }
    }

    /// Tells whether the answering index is the release's own, or much nearer to it than another release: a name that the
    /// two differ in came or went somewhere between them.
    pub(super) fn is_much_nearer_than(&self, other: OptionIndex<'_>) -> bool {
        let distance = |index: OptionIndex<'_>| index.months_from(self.index.asked);
        self.index.exact || distance(other) >= MUCH * distance(self.index)
    }

    /// Splits an unknown name into those below it, where an older release has old names among them.
    pub(super) fn old_names(&self, fault: TypeFault<'a>, definitions: &Definitions<'_>) -> Vec<TypeFault<'a>> {
        let node = if fault.fault == Fault::Unknown { definitions.at(&fault.route) } else { None };
        let mut names = Vec::new();
        if let Some(table) = node.and_then(Node::as_table) {
            for (name, entry) in table {
                let route: Vec<String> = fault.route.iter().cloned().chain([name.clone()]).collect();
                let message = format!("there is no option {}", option_name(&route));
                let below = TypeFault { place: entry.key, route, message, ..fault.clone() };
                names.extend(self.old_names(below, definitions));
            }
        }
        let is_old = |fault: &TypeFault<'_>| {
            let route: Vec<&str> = fault.route.iter().map(String::as_str).collect();
            self.dropped(&route).is_some()
        };
        if names.iter().any(is_old) { names } else { vec![fault] }
    }

    /// Returns what an older release says of a name that the answering index does not know.
    pub(super) fn dropped(&self, route: &[&str]) -> Option<Dropped<'a>> {
        let mut older = self.others.iter().filter(|other| other.release.base() < self.index.release.base());
        older.find_map(|other| match other.lookup(route) {
            Found::Alias(alias) if alias.kind != AliasKind::Permanent => {
                Some(Dropped { alias, release: other.release })
            }
            _ => None,
        })
    }

    /// Returns the nearest index that takes a name which the answering one does not know.
    pub(super) fn has(&self, route: &[&str]) -> Option<OptionIndex<'a>> {
        let takes = |other: &&OptionIndex<'_>| {
            matches!(other.lookup(route), Found::Option(_) | Found::Prefix | Found::Free(_) | Found::Alias(_))
        };
        self.others.iter().find(takes).copied()
    }
}
