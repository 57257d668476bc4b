//! The result of a check, as the formats take it.

use std::collections::BTreeSet;

use super::words::count;
use crate::source::{Diagnostic, Level, Sources};

/// What a check found.
#[derive(Debug, Clone, Copy)]
pub struct CheckReport<'a> {
    /// The fleet's name; none for files that belong to no fleet.
    pub fleet: Option<&'a str>,
    /// The findings, in the order in which they are shown; allowed ones among them.
    pub findings: &'a [Diagnostic],
    /// The rules that could not be checked.
    pub unchecked: &'a [Unchecked],
    /// How many hosts were checked.
    pub hosts: usize,
    /// How many rules there are to check; none where findings came without a check.
    pub rules: usize,
    /// The texts that the findings' places point into.
    pub sources: &'a Sources,
}

/// A rule that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// The rule's slug.
    pub rule: &'static str,
    /// The host; none for the fleet as a whole.
    pub host: Option<String>,
    /// What is missing, as a phrase.
    pub why: String,
}

/// How many findings of each level there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Errors that are not allowed.
    pub errors: usize,
    /// Warnings that are not allowed.
    pub warnings: usize,
    /// Notes that are not allowed.
    pub notes: usize,
    /// Findings of any level that are allowed.
    pub allowed: usize,
}

impl Counts {
    /// Counts findings.
    pub fn of(findings: &[Diagnostic]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            let slot = match (&finding.allowed, finding.level) {
                (Some(_), _) => &mut counts.allowed,
                (None, Level::Error) => &mut counts.errors,
                (None, Level::Warning) => &mut counts.warnings,
                (None, Level::Note) => &mut counts.notes,
            };
            *slot += 1;
        }
        counts
    }

    /// Returns the counts in words ("no errors, 3 warnings, 1 allowed"); allowed ones and notes only if there are any.
    pub fn words(self) -> String {
        let mut words = vec![count(self.errors, "error", "errors"), count(self.warnings, "warning", "warnings")];
        if self.allowed > 0 {
            words.push(format!("{} allowed", self.allowed));
        }
        if self.notes > 0 {
            words.push(count(self.notes, "note", "notes"));
        }
        words.join(", ")
    }
}

impl CheckReport<'_> {
    /// Counts the findings.
    pub fn counts(&self) -> Counts {
        Counts::of(self.findings)
    }

    /// Returns what was checked, in words ("2 hosts, 142 rules"); nothing where findings came without a check.
    pub fn scope(&self) -> String {
        if self.rules == 0 {
            return String::new();
        }
        let rules = count(self.rules, "rule", "rules");
        match self.fleet {
            Some(_) => format!("{}, {rules}", count(self.hosts, "host", "hosts")),
            None => rules,
        }
    }

    /// Returns the whole result as one phrase for a command that goes on after the check, with the command that says
    /// more if there is more to say.
    pub fn outcome(&self) -> String {
        let counts = self.counts();
        let more = counts != Counts::default() || !self.unchecked.is_empty();
        let hint = if more { " (`hostwright check -v`)" } else { "" };
        format!("{}: {}{hint}", self.scope(), counts.words())
    }

    /// Returns how many different rules could not be checked somewhere.
    pub fn rules_not_checked(&self) -> usize {
        self.unchecked.iter().map(|one| one.rule).collect::<BTreeSet<_>>().len()
    }
}

/// Puts findings in the order of files, places in them, rules, messages and hosts.
pub fn sort(findings: &mut [Diagnostic], sources: &Sources) {
    findings.sort_by(|a, b| {
        let path = |finding: &Diagnostic| sources.file(finding.primary.place.file).path();
        path(a)
            .cmp(path(b))
            .then_with(|| a.primary.place.start.cmp(&b.primary.place.start))
            .then_with(|| a.rule.cmp(b.rule))
            .then_with(|| a.message.cmp(&b.message))
            .then_with(|| a.host.cmp(&b.host))
    });
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn the_outcome_counts_allowed_findings_apart_and_says_where_more_is_said() {
        let sample = Sample::new();
        assert_eq!(
            sample.report().outcome(),
            "2 hosts, 142 rules: 2 errors, 1 warning, 1 allowed, 1 note (`hostwright check -v`)"
        );
        let clean = CheckReport { findings: &[], unchecked: &[], hosts: 1, rules: 1, ..sample.report() };
        assert_eq!(clean.outcome(), "1 host, 1 rule: no errors, no warnings");
        let no_fleet = CheckReport { fleet: None, ..clean };
        assert_eq!(no_fleet.outcome(), "1 rule: no errors, no warnings");
    }

    #[test]
    fn a_rule_that_several_hosts_could_not_check_counts_once() {
        let one = |host: &str| Unchecked { rule: "r", host: Some(host.to_owned()), why: "no facts".to_owned() };
        let sample = Sample::new();
        let report = CheckReport { unchecked: &[one("a"), one("b")], ..sample.report() };
        assert_eq!(report.rules_not_checked(), 1);
    }

    #[test]
    fn the_order_is_path_then_place_then_rule_then_message_whatever_was_read_first() {
        let mut sources = Sources::default();
        let late = sources.add("z.toml", "abc");
        let early = sources.add("a.toml", "abc");
        let at = |file, start| sources.place(file, start, start + 1);
        let mut findings = vec![
            Diagnostic::error("r", at(late, 0), "m"),
            Diagnostic::error("r", at(early, 2), "m"),
            Diagnostic::error("r", at(early, 0), "n"),
            Diagnostic::error("r", at(early, 0), "m"),
            Diagnostic::error("q", at(early, 0), "z"),
        ];
        sort(&mut findings, &sources);
        let order: Vec<_> = findings
            .iter()
            .map(|f| (sources.file(f.primary.place.file).path(), f.primary.place.start, f.rule, f.message.as_str()))
            .collect();
        let expected = [
            ("a.toml", 0, "q", "z"),
            ("a.toml", 0, "r", "m"),
            ("a.toml", 0, "r", "n"),
            ("a.toml", 2, "r", "m"),
            ("z.toml", 0, "r", "m"),
        ];
        assert_eq!(order, expected);
    }
}
