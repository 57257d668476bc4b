//! What the scripts of the reboot test print for programs, read back.
//!
//! A script ends with one line `hostwright-result: KEY=VALUE KEY=VALUE …`; no value holds white space, and an empty one says that it
//! is not known. Damages stand before it, each as `damage: TEXT` on a line of its own, and what explains a failure as `finding: TEXT`.
//! Everything else is for people.

/// What the line for programs begins with.
const RESULT: &str = "hostwright-result: ";

/// What a damage begins with.
const DAMAGE: &str = "damage: ";

/// What an explanation begins with.
const FINDING: &str = "finding: ";

/// What a script printed for programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    values: Vec<(String, String)>,
    /// Whether there is such a line.
    pub(super) is_there: bool,
    /// Each damage, in its order.
    pub(super) damages: Vec<String>,
    /// Each explanation of what failed, in its order.
    pub(super) findings: Vec<String>,
}

impl Said {
    /// Reads what a script printed. Of several such lines the last counts.
    pub(super) fn read(text: &str) -> Self {
        let line = text.lines().rev().find_map(|line| line.trim_end().strip_prefix(RESULT));
        let pair = |word: &str| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let after = |start: &str| -> Vec<String> {
            let rest = text.lines().filter_map(|line| line.trim_end().strip_prefix(start));
            rest.map(|rest| rest.trim().to_owned()).collect()
        };
        Self {
            is_there: line.is_some(),
            values: line.into_iter().flat_map(str::split_whitespace).filter_map(pair).collect(),
            damages: after(DAMAGE),
            findings: after(FINDING),
        }
    }

    /// Returns a value; none when it is not known.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let value = self.values.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
        value.filter(|value| !value.is_empty())
    }

    /// Returns a number; none when it is not known.
    pub(super) fn number(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_line_for_programs_counts_and_an_empty_value_is_not_known() {
        let text = "Last login\ndamage: the pool tank is not healthy\ndamage: failed units: a.service \n\
                    hostwright-result: mode=trial boot=1\nhostwright-result: mode=trial boot=2 old= damages=2 status=1\n";
        let said = Said::read(text);
        assert_eq!(
            (said.text("boot").as_deref(), said.text("old"), said.number("damages")),
            (Some("2"), None, Some(2))
        );
        assert_eq!(said.damages, ["the pool tank is not healthy", "failed units: a.service"]);
        assert!(!Said::read("back after 3 s\n").is_there);
    }

    proptest! {
        #[test]
        fn whatever_a_machine_prints_is_read(text in any::<String>(), away in any::<u64>()) {
            let _ = Said::read(&text);
            let behind = Said::read(&format!("{text}\nhostwright-result: away={away}\n"));
            prop_assert_eq!(behind.number("away"), Some(away));
        }
    }
}
