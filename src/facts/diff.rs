//! What two releases make of one option.
//!
//! Here belongs: the comparison of two indexes at a name. Not here: which names somebody sets (`check`), and printing.
//!
//! Invariant: a change is only told where both indexes speak; a name that neither knows has none.

use super::name::join_name;
use super::options::{AliasKind, Found, OptionIndex};

/// How an option differs between two releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionChange {
    /// The default, as Nix expressions.
    Default {
        /// In the first release; none: it has no default.
        from: Option<String>,
        /// In the second.
        to: Option<String>,
    },
    /// The type, in NixOS's words.
    Type {
        /// In the first release.
        from: String,
        /// In the second.
        to: String,
    },
    /// It has another name.
    Renamed {
        /// The new name.
        to: String,
    },
    /// Another option took its place, and the value is converted.
    Replaced {
        /// The other option.
        by: String,
    },
    /// Setting it fails.
    Removed {
        /// What NixOS says; empty when it says nothing.
        text: String,
    },
    /// The second release does not know it, nor what became of it.
    Vanished,
    /// The first release does not know it.
    New,
}

impl OptionChange {
    /// Returns the word for it in machine formats.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Default { .. } => "default",
            Self::Type { .. } => "type",
            Self::Renamed { .. } => "renamed",
            Self::Replaced { .. } => "replaced",
            Self::Removed { .. } => "removed",
            Self::Vanished => "vanished",
            Self::New => "new",
        }
    }
}

/// Returns how an option differs between two indexes.
pub fn compare(from: OptionIndex<'_>, to: OptionIndex<'_>, loc: &[&str]) -> Vec<OptionChange> {
    let before = from.lookup(loc);
    let after = to.lookup(loc);
    let known = |found: &Found<'_>| !matches!(found, Found::Unknown { .. });
    match (&before, &after) {
        (before, Found::Alias(alias)) if known(before) => {
            // What was an old name before is no change.
            if matches!(before, Found::Alias(old) if old.kind == alias.kind && old.to == alias.to) {
                return Vec::new();
            }
            let target = alias.last.as_deref().or(alias.to.as_deref()).map(join_name);
            match (alias.kind, target) {
                (AliasKind::Permanent, _) => Vec::new(),
                (AliasKind::Renamed, Some(to)) if !alias.leads_to_removed => vec![OptionChange::Renamed { to }],
                (AliasKind::Changed, Some(by)) => vec![OptionChange::Replaced { by }],
                _ => vec![OptionChange::Removed { text: alias.text.to_owned() }],
            }
        }
        // An index of visible options does not tell whether a name that it lacks is gone.
        (Found::Alias(old), Found::Unknown { .. }) => match old.last.as_deref().or(old.to.as_deref()) {
            Some(target) => renamed_before(to, target),
            None => vec![OptionChange::Vanished],
        },
        (before, Found::Unknown { .. }) if known(before) && !(to.visible_only && from.is_unlisted(loc)) => {
            vec![OptionChange::Vanished]
        }
        (Found::Unknown { .. }, after) if known(after) => vec![OptionChange::New],
        (before, after) if known(before) && known(after) => changes(from, to, loc, before, after),
        _ => Vec::new(),
    }
}

/// Returns what became of an old name that the second release has dropped, by the name that the first gives for it.
fn renamed_before(to: OptionIndex<'_>, target: &[String]) -> Vec<OptionChange> {
    let loc: Vec<&str> = target.iter().map(String::as_str).collect();
    vec![match to.lookup(&loc) {
        Found::Unknown { .. } => OptionChange::Vanished,
        Found::Alias(alias) if alias.kind == AliasKind::Removed || alias.leads_to_removed => {
            OptionChange::Removed { text: alias.text.to_owned() }
        }
        Found::Alias(alias) => {
            let next = alias.last.as_deref().or(alias.to.as_deref()).unwrap_or(target);
            OptionChange::Renamed { to: join_name(next) }
        }
        _ => OptionChange::Renamed { to: join_name(target) },
    }]
}

fn changes(
    from: OptionIndex<'_>,
    to: OptionIndex<'_>,
    loc: &[&str],
    before: &Found<'_>,
    after: &Found<'_>,
) -> Vec<OptionChange> {
    let mut changes = Vec::new();
    if let (Some(old), Some(new)) = (from.type_of(loc), to.type_of(loc)) {
        let (old, new) = (old.describe(), new.describe());
        if worded_alike(&old) != worded_alike(&new) {
            changes.push(OptionChange::Type { from: old, to: new });
        }
    }
    if let (Found::Option(old), Found::Option(new)) = (before, after) {
        let (old, new) = (old.default(), new.default());
        // Prose is no default that the index has.
        let both = old.is_some() && new.is_some();
        if both && old != new && old.map(plain) != new.map(plain) {
            changes.push(OptionChange::Default { from: old.map(str::to_owned), to: new.map(str::to_owned) });
        }
    }
    changes
}

/// Returns a type's description without what releases word differently.
fn worded_alike(text: &str) -> String {
    text.replace("absolute path", "path").replace("path not in the Nix store", "path").replace("integer of", "integer")
}

/// Returns an expression without the spaces that its printer chose, and without the quotes in which some releases document one.
fn plain(text: &str) -> String {
    let squeezed: String = text.split_whitespace().collect();
    let quoted = squeezed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match quoted {
        Some(inner) => inner.replace("\\\"", "\"").trim_matches('"').to_owned(),
        None => squeezed,
    }
}
