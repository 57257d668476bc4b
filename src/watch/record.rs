//! What is written down of a look: state/HOST/watch.json, and the reports that nobody took yet.

use serde::{Deserialize, Serialize};

use super::Drill;
use crate::drift::{Comparison, Difference};
use crate::source::printable;

/// The name of a host's record, below its folder of state.
pub const RECORD: &str = "watch.json";

/// How much of one finding is kept, in characters: a machine may say anything at any length.
const LONGEST: usize = 600;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is; two looks found the same when this is the same.
    pub what: String,
    /// What there is to say about it, which may be another thing each time.
    pub more: String,
}

impl Finding {
    /// Returns a finding. Both texts may come from a machine: they are made printable, and cut.
    pub fn new(what: &str, more: &str) -> Self {
        Self { what: bounded(what), more: bounded(more) }
    }
}

/// Returns a text that steers no terminal and is not too long.
pub(super) fn bounded(text: &str) -> String {
    let printable = printable(text);
    match printable.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", printable.get(..at).unwrap_or_default()),
        None => printable,
    }
}

/// A difference between a definition and its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    /// What it is about: `pools`, `services`.
    pub group: String,
    /// The thing that differs.
    pub subject: String,
    /// What is wrong.
    pub message: String,
    /// What is defined, where something is.
    pub defined: Option<String>,
    /// What the machine has.
    pub live: String,
}

impl Differs {
    fn of(difference: &Difference) -> Self {
        Self {
            group: difference.group.as_str().to_owned(),
            subject: bounded(&difference.subject),
            message: bounded(&difference.message),
            defined: difference.defined.as_ref().map(|defined| bounded(&defined.text)),
            live: bounded(&difference.live),
        }
    }

    fn finding(&self) -> Finding {
        let what = format!("{} {}: {}", self.group, self.subject, self.message);
        let defined = self.defined.as_ref().map(|defined| format!("defined {defined}"));
        let live = Some(format!("live {}", self.live)).filter(|_| !self.live.is_empty());
        let more: Vec<String> = defined.into_iter().chain(live).collect();
        Finding::new(&what, &more.join(", "))
    }
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drifted {
    /// How many things were compared.
    pub compared: usize,
    /// How many could not be.
    pub not_compared: usize,
    /// What differs.
    pub differences: Vec<Differs>,
}

impl Drifted {
    /// Returns what is kept of a comparison.
    pub fn of(comparison: &Comparison) -> Self {
        Self {
            compared: comparison.compared,
            not_compared: comparison.not_compared.len(),
            differences: comparison.differences.iter().map(Differs::of).collect(),
        }
    }
}

/// A look at a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The version of this form.
    pub version: u32,
    /// The host.
    pub host: String,
    /// When, in RFC 3339, UTC, by the clock of the deployer.
    pub looked: String,
    /// Why the machine could not be asked; none when it answered.
    pub error: Option<String>,
    /// What the comparison came to; none where the machine could not be asked.
    pub drift: Option<Drifted>,
    /// The drills, by name of the backup; none where the machine could not be asked.
    pub drills: Vec<Drill>,
    /// What somebody was told and not yet told to be gone.
    pub reported: Vec<Finding>,
}

impl Look {
    /// Returns a look at a host of which nothing is known yet.
    pub fn new(host: &str, looked: &str) -> Self {
        Self {
            version: 1,
            host: host.to_owned(),
            looked: looked.to_owned(),
            error: None,
            drift: None,
            drills: Vec::new(),
            reported: Vec::new(),
        }
    }

    /// Returns everything that is not as it should be.
    pub fn findings(&self) -> Vec<Finding> {
        let error = self.error.as_ref().map(|error| Finding::new("the machine could not be asked", error));
        let differences = self.drift.iter().flat_map(|drift| &drift.differences).map(Differs::finding);
        let drills = self.drills.iter().filter_map(Drill::finding);
        error.into_iter().chain(differences).chain(drills).collect()
    }

    /// Reads a record; none of what is no record of this version.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str::<Self>(text).ok().filter(|look| look.version == 1)
    }

    /// Returns the record as a file.
    pub fn to_json(&self) -> String {
        // Only maps with other keys than strings cannot be written, and there are none.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// A way to somebody who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// By mail.
    Mail,
    /// By a POST to the webhook's URL.
    Webhook,
}

impl Way {
    /// Returns its name, as in fleet.toml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }
}

/// A report that waits to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// How it goes.
    pub way: Way,
    /// When it was made, in RFC 3339.
    pub made: String,
    /// The subject of a mail; empty for a webhook.
    pub subject: String,
    /// The text of a mail, or the JSON of a webhook.
    pub body: String,
}

/// The reports that nobody took yet, oldest first: state/watch-unsent.json.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unsent {
    /// The version of this form.
    pub version: u32,
    /// The reports.
    pub reports: Vec<Waiting>,
}

impl Unsent {
    /// How many reports wait at most for each way: somebody whose mail fails for a year is not sent a year of it.
    const MOST: usize = 20;

    /// Adds reports; the oldest of those that are too many go.
    pub fn add(&mut self, reports: impl IntoIterator<Item = Waiting>) {
        self.version = 1;
        self.reports.extend(reports);
        for way in [Way::Mail, Way::Webhook] {
            let of_way = |report: &Waiting| report.way == way;
            let mut surplus = self.reports.iter().filter(|report| of_way(report)).count().saturating_sub(Self::MOST);
            self.reports.retain(|report| {
                let goes = surplus > 0 && of_way(report);
                surplus -= usize::from(goes);
                !goes
            });
        }
    }

    /// Reads the file; none of what is no such file of this version.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str::<Self>(text).ok().filter(|unsent| unsent.version == 1)
    }

    /// Returns the file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_and_another_version_does_not() {
        let mut look = Look::new("lufta", "2026-11-22T10:00:00Z");
        look.error = Some("no answer\u{1b}".to_owned());
        look.reported = vec![Finding::new("a\nb", "")];
        assert_eq!(Look::from_json(&look.to_json()), Some(look.clone()));
        assert_eq!(Look::from_json(&look.to_json().replace("\"version\": 1", "\"version\": 2")), None);
        assert_eq!(Look::from_json("{"), None);
    }

    #[test]
    fn what_a_machine_says_is_cut_and_steers_nothing() {
        let finding = Finding::new(&"é".repeat(5000), "\u{1b}[31m\n");
        assert_eq!(finding.what.chars().count(), LONGEST + 1);
        assert!(!finding.more.contains(['\u{1b}', '\n']), "{}", finding.more);
    }

    #[test]
    fn the_oldest_reports_make_room_each_for_its_own_way() {
        let report =
            |way, number: usize| Waiting { way, made: number.to_string(), subject: String::new(), body: String::new() };
        let mut unsent = Unsent::default();
        unsent.add([report(Way::Webhook, 7)]);
        unsent.add((0..25).map(|number| report(Way::Mail, number)));
        let made: Vec<&str> = unsent.reports.iter().map(|report| report.made.as_str()).collect();
        assert_eq!((made.len(), made[0], made[1], made[20]), (21, "7", "5", "24"));
        assert_eq!(Unsent::from_json(&unsent.to_json()), Some(unsent));
    }
}
