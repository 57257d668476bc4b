//! What has changed since somebody was last told.

use serde::Serialize;

use super::{Finding, Look};

/// What there is to tell of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostNews {
    /// The host.
    pub host: String,
    /// What was found and nobody was told.
    pub new: Vec<Finding>,
    /// What was found and somebody was told.
    pub known: Vec<Finding>,
    /// What somebody was told, and was not found again.
    pub resolved: Vec<Finding>,
}

impl HostNews {
    /// Tells whether something is worth telling.
    pub fn is_news(&self) -> bool {
        !self.new.is_empty() || !self.resolved.is_empty()
    }

    /// Returns what somebody knows once this was told.
    pub fn told(&self, look: &Look) -> Vec<Finding> {
        let open = if look.error.is_some() { look.reported.as_slice() } else { &[] };
        let is_listed = |finding: &&Finding| self.new.iter().chain(&self.known).all(|known| known.what != finding.what);
        let found = self.new.iter().chain(&self.known).cloned();
        found.chain(open.iter().filter(is_listed).cloned()).collect()
    }
}

/// What there is to tell of several hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct News {
    /// The fleet.
    pub fleet: String,
    /// When it was looked, in RFC 3339.
    pub looked: String,
    /// The hosts, in the order in which they were looked at.
    pub hosts: Vec<HostNews>,
}

impl News {
    /// Tells whether something is worth telling.
    pub fn is_news(&self) -> bool {
        self.hosts.iter().any(HostNews::is_news)
    }

    /// Returns how many findings there are, how many of them are new, and how many are gone.
    pub fn counts(&self) -> (usize, usize, usize) {
        let sum = |count: fn(&HostNews) -> usize| self.hosts.iter().map(count).sum();
        (sum(|host| host.new.len() + host.known.len()), sum(|host| host.new.len()), sum(|host| host.resolved.len()))
    }
}

/// Holds a look, which carries what was reported before it, against that.
///
/// Of a machine that could not be asked nothing is resolved but that very finding's like: what was found there may still be so.
pub fn compare(look: &Look) -> HostNews {
    let found = look.findings();
    let is_in = |all: &[Finding], finding: &Finding| all.iter().any(|other| other.what == finding.what);
    let (known, new): (Vec<Finding>, Vec<Finding>) =
        found.iter().cloned().partition(|finding| is_in(&look.reported, finding));
    let resolved = if look.error.is_some() {
        Vec::new()
    } else {
        look.reported.iter().filter(|reported| !is_in(&found, reported)).cloned().collect()
    };
    HostNews { host: look.host.clone(), new, known, resolved }
}

#[cfg(test)]
mod tests {
    use super::super::{Drill, DrillState};
    use super::*;

    fn look(failed: &[&str], reported: Vec<Finding>) -> Look {
        let drill = |name: &&str| Drill {
            backup: (*name).to_owned(),
            state: DrillState::Failed,
            passed: None,
            said: "status 1".to_owned(),
        };
        Look { drills: failed.iter().map(drill).collect(), reported, ..Look::new("lufta", "2026-11-22T10:00:00Z") }
    }

    fn whats(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.what.as_str()).collect()
    }

    #[test]
    fn a_finding_is_told_once_and_its_end_once() {
        let first = look(&["a"], Vec::new());
        let news = compare(&first);
        assert_eq!((whats(&news.new), news.is_news()), (vec!["drill a: the drill failed"], true));
        let second = look(&["a"], news.told(&first));
        let news = compare(&second);
        assert!(!news.is_news() && news.known.len() == 1, "{news:?}");
        let third = look(&["b"], news.told(&second));
        let news = compare(&third);
        assert_eq!(whats(&news.new), ["drill b: the drill failed"]);
        assert_eq!(whats(&news.resolved), ["drill a: the drill failed"]);
        let fourth = look(&[], news.told(&third));
        let news = compare(&fourth);
        assert_eq!((news.new.len(), whats(&news.resolved)), (0, vec!["drill b: the drill failed"]));
        assert!(!compare(&look(&[], news.told(&fourth))).is_news());
    }

    #[test]
    fn a_machine_that_does_not_answer_resolves_nothing() {
        let first = look(&["a"], Vec::new());
        let told = compare(&first).told(&first);
        let away = Look { error: Some("no answer".to_owned()), ..look(&[], told) };
        let news = compare(&away);
        assert_eq!((whats(&news.new), news.resolved.len()), (vec!["the machine could not be asked"], 0));
        // Back again: that it answers is told, and what was open still is.
        let back = look(&["a"], news.told(&away));
        let news = compare(&back);
        assert_eq!(
            (whats(&news.known), whats(&news.resolved)),
            (vec!["drill a: the drill failed"], vec!["the machine could not be asked"])
        );
    }
}
