//! Names of steps that no two things share.

use std::collections::BTreeSet;

/// Gives out names: the first that asks for one gets it, later ones a number behind it.
#[derive(Debug, Default)]
pub(super) struct Ids {
    taken: BTreeSet<String>,
}

impl Ids {
    /// Begins with names that are taken.
    pub(super) fn of<'n>(taken: impl Iterator<Item = &'n str>) -> Self {
        Self { taken: taken.map(str::to_owned).collect() }
    }

    /// Tells whether nobody has a name.
    pub(super) fn is_free(&self, name: &str) -> bool {
        !self.taken.contains(name)
    }

    /// Returns a name that nobody has, as near to the wanted one as possible. What no id may hold becomes `-`.
    pub(super) fn name(&mut self, wanted: &str) -> String {
        let fits = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
        let plain: String = wanted.chars().map(fits).collect();
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let name = std::iter::once(plain.clone()).chain(numbered).find(|name| !self.taken.contains(name));
        let name = name.unwrap_or(plain);
        self.taken.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_things_of_one_name_get_two() {
        let mut ids = Ids::default();
        assert_eq!(["a-b", "a-b", "a/b", "a-b-2"].map(|name| ids.name(name)), ["a-b", "a-b-2", "a-b-3", "a-b-2-2"]);
    }
}
