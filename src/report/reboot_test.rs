//! A verdict of the reboot test, for people and for programs that read the results of tests.

use std::fmt::Write as _;

use super::junit::{Attribute, Text};
use crate::apply::{Boot, Outcome, Summary, Verdict};
use crate::source::{pretty_json, printable};
use crate::units::TimeSpan;

/// Returns a verdict as people read it; it ends with a line break.
pub fn human(verdict: &Verdict) -> String {
    let mut text =
        format!("verdict  {} of {}: {}\n", printable(&verdict.step), printable(&verdict.host), verdict.outcome.words());
    if verdict.boots.is_empty() && verdict.outcome == Outcome::Passed {
        text.push_str("  nothing was rebooted: the machine has it on record that this has passed\n");
    }
    for boot in &verdict.boots {
        let _ = writeln!(text, "  {}", boot_words(boot));
        for asked in boot.asked.iter().filter(|asked| !asked.passed) {
            let _ = writeln!(text, "    failed: {}", printable(&asked.line));
        }
        for damage in boot.judged.iter().flat_map(|judged| &judged.damages) {
            let _ = writeln!(text, "    damage: {}", printable(damage));
        }
    }
    for (word, system) in [("tested", &verdict.candidate), ("before", &verdict.old)] {
        if let Some(system) = system {
            let _ = writeln!(text, "  {word}: {}", printable(system));
        }
    }
    for finding in &verdict.findings {
        let _ = writeln!(text, "  because: {}", printable(finding));
    }
    for file in &verdict.evidence {
        let _ = writeln!(text, "  evidence: {}", printable(file));
    }
    text
}

/// Returns a verdict as state/HOST/reboot-test.json has it; it ends with a line break.
pub fn json(verdict: &Verdict) -> String {
    pretty_json(verdict)
}

/// Returns how long the host was away in the boots of a verdict, held against how long it may be, as a phrase.
pub(super) fn summary(summary: &Summary) -> String {
    let away = |boot: &crate::apply::Away| match boot.seconds_away {
        Some(seconds) => {
            format!("{} boot away {} of {}", boot.kind, span(seconds), span(boot.seconds_allowed))
        }
        None => format!("{} boot not seen to its end", boot.kind),
    };
    let boots: Vec<String> = summary.boots.iter().map(away).collect();
    let boots = if boots.is_empty() { String::new() } else { format!("; {}", boots.join(", ")) };
    format!("{}{boots}", summary.outcome.words())
}

/// Returns how long something took, in words.
fn span(seconds: u64) -> String {
    if seconds == 0 { "under 1 s".to_owned() } else { TimeSpan::human(seconds) }
}

fn boot_words(boot: &Boot) -> String {
    let away = match (boot.seconds_away, &boot.boot_id_after) {
        (Some(seconds), Some(_)) => format!("away for {}", span(seconds)),
        (Some(seconds), None) => format!("watched for {} in vain", TimeSpan::human(seconds)),
        (None, _) => "not seen to its end".to_owned(),
    };
    let unseen = match boot.seconds_unseen {
        0 => String::new(),
        seconds => format!(", {} of that the deployer was without its own network", TimeSpan::human(seconds)),
    };
    format!("{} boot: {away}, {} at most{unseen}", boot.kind, TimeSpan::human(boot.seconds_allowed))
}

/// A case of the suite.
struct Case {
    name: String,
    /// How long it took, in seconds.
    seconds: Option<u64>,
    /// Why it failed: in short, and in full.
    failure: Option<(String, String)>,
}

impl Case {
    fn new(name: String) -> Self {
        Self { name, seconds: None, failure: None }
    }

    fn failing(self, short: impl Into<String>, long: impl Into<String>) -> Self {
        Self { failure: Some((short.into(), long.into())), ..self }
    }
}

/// Returns a verdict as JUnit's XML: a case for each boot, and for each thing that was asked or looked at in it.
pub fn junit(verdict: &Verdict) -> String {
    let mut cases: Vec<Case> =
        verdict.boots.iter().zip(1..).flat_map(|(boot, number)| boot_cases(boot, number)).collect();
    // What ended the step where no boot is to blame, so that no file of a test that did not pass shows only what passed.
    if verdict.outcome != Outcome::Passed && cases.iter().all(|case| case.failure.is_none()) {
        let why = verdict.why.clone().unwrap_or_default();
        cases.push(Case::new("the test".to_owned()).failing(verdict.outcome.words(), why));
    }
    if let Some((_, long)) = cases.iter_mut().filter_map(|case| case.failure.as_mut()).next_back() {
        for finding in &verdict.findings {
            long.push('\n');
            long.push_str(finding);
        }
    }
    if cases.is_empty() {
        cases.push(Case::new("on record".to_owned()));
    }
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let class = format!("{}.{}", verdict.host, verdict.step);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">",
        Attribute(&printable(&class)),
        cases.len()
    );
    for case in &cases {
        let time = case.seconds.map_or_else(String::new, |seconds| format!(" time=\"{seconds}\""));
        let _ = write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\"{time}",
            Attribute(&printable(&class)),
            Attribute(&printable(&case.name))
        );
        match &case.failure {
            None => out.push_str("/>\n"),
            Some((short, long)) => {
                let _ = write!(
                    out,
                    ">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                    verdict.outcome.as_str(),
                    Attribute(&printable(short)),
                    Text(long)
                );
            }
        }
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn boot_cases(boot: &Boot, number: usize) -> Vec<Case> {
    let name = |what: &str| format!("boot {number} ({}): {what}", boot.kind);
    let mut back = Case { seconds: boot.seconds_away, ..Case::new(name("comes back")) };
    let is_late = boot.seconds_away.is_some_and(|seconds| seconds > boot.seconds_allowed);
    if boot.boot_id_after.is_none() || is_late {
        back = back.failing(boot_words(boot), boot_words(boot));
    }
    let mut cases = vec![back];
    cases.extend(boot.asked.iter().map(|asked| {
        let case = Case::new(name(&asked.line));
        if asked.passed { case } else { case.failing("it was not answered as it should be", asked.line.clone()) }
    }));
    if let Some(judged) = &boot.judged {
        let case = Case::new(name("is as it should be"));
        let system = judged.system.as_deref().unwrap_or("a system that is not known");
        cases.push(match judged.status {
            0 => case,
            1 => {
                let short = match judged.damages.as_slice() {
                    [] => "damage that the log tells".to_owned(),
                    [one] => one.clone(),
                    [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
                };
                case.failing(short, judged.damages.join("\n"))
            }
            2 => case.failing("came back on the old generation", system),
            3 => case.failing("another generation than wanted", system),
            other => case.failing(format!("it could not be judged (status {other})"), system),
        });
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Asked, Judged};
    use crate::plan::BootKind;

    fn boot(kind: BootKind) -> Boot {
        Boot {
            kind,
            boot_id_before: Some("1".into()),
            boot_id_after: Some("2".into()),
            seconds_away: Some(74),
            seconds_allowed: 600,
            seconds_unseen: 0,
            asked: vec![Asked { line: "curl -sS 'https://a.example/?a=1&b=<2>'".into(), passed: true }],
            judged: Some(Judged { status: 0, system: Some("/nix/store/new".into()), damages: Vec::new() }),
            confirmed: true,
        }
    }

    fn verdict() -> Verdict {
        let damages = vec!["the pool tank is not healthy".to_owned(), "failed units: a.service \u{1b}[2J".to_owned()];
        let judged = Some(Judged { status: 1, system: Some("/nix/store/new".into()), damages });
        Verdict {
            version: 1,
            host: "a".into(),
            scenario: "update".into(),
            step: "reboot-test".into(),
            plan_sha256: String::new(),
            outcome: Outcome::CameBackWithDamage,
            why: Some("line 9 of 12 ended with status 1".into()),
            at: "2026-11-21T10:00:00Z".into(),
            candidate: Some("/nix/store/new".into()),
            old: Some("/nix/store/old".into()),
            boots: vec![boot(BootKind::Trial), Boot { judged, confirmed: false, ..boot(BootKind::Default) }],
            evidence: vec!["state/a/evidence/x.txt".into()],
            findings: vec!["the ZFS of the candidate knows no x".into()],
            disarmed: None,
        }
    }

    #[test]
    fn people_read_what_came_of_each_boot() {
        insta::assert_snapshot!(human(&verdict()), @r"
        verdict  reboot-test of a: came back with damage
          trial boot: away for 1 min 14 s, 10 min at most
          default boot: away for 1 min 14 s, 10 min at most
            damage: the pool tank is not healthy
            damage: failed units: a.service \u{1b}[2J
          tested: /nix/store/new
          before: /nix/store/old
          because: the ZFS of the candidate knows no x
          evidence: state/a/evidence/x.txt
        ");
    }

    #[test]
    fn each_boot_and_each_check_is_a_case_and_a_failure_says_what_is_wrong() {
        let text = junit(&verdict());
        insta::assert_snapshot!(text, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="a.reboot-test" tests="6" failures="1" errors="0" skipped="0">
            <testcase classname="a.reboot-test" name="boot 1 (trial): comes back" time="74"/>
            <testcase classname="a.reboot-test" name="boot 1 (trial): curl -sS 'https://a.example/?a=1&amp;b=&lt;2&gt;'"/>
            <testcase classname="a.reboot-test" name="boot 1 (trial): is as it should be"/>
            <testcase classname="a.reboot-test" name="boot 2 (default): comes back" time="74"/>
            <testcase classname="a.reboot-test" name="boot 2 (default): curl -sS 'https://a.example/?a=1&amp;b=&lt;2&gt;'"/>
            <testcase classname="a.reboot-test" name="boot 2 (default): is as it should be">
              <failure type="came-back-with-damage" message="the pool tank is not healthy (and 1 more)">the pool tank is not healthy
        failed units: a.service \u{1b}[2J
        the ZFS of the candidate knows no x</failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
        super::super::junit::well_formed(&text);
    }

    #[test]
    fn a_test_that_did_not_pass_has_a_case_that_failed_whatever_its_outcome() {
        for outcome in Outcome::ALL {
            let none = Verdict { outcome, boots: Vec::new(), ..verdict() };
            let text = junit(&none);
            super::super::junit::well_formed(&text);
            assert_eq!(text.contains("<failure"), outcome != Outcome::Passed, "{text}");
            assert!(text.contains("tests=\"1\""));
        }
    }
}
