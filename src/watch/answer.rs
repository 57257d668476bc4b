//! What a machine answered about drills, and what it means.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::drills::{Drill, DrillState, DrillWanted};
use super::record::bounded;

/// How long after its time a drill may still pass, in seconds: it restores everything, which takes hours, and schedules are reckoned in
/// UTC whatever the machine's zone is.
const GRACE: i64 = 36 * 3600;

/// How long a drill may run, in seconds, until that is worth a word.
const LONGEST: i64 = 2 * 86_400;

/// How far a record may lie in the future, in seconds: clocks are set.
const AHEAD: i64 = 3600;

/// What was told of one drill.
type Told<'t> = BTreeMap<&'t str, &'t str>;

/// Returns how each of the wanted drills stands; none where the answer is cut off.
pub fn read(answer: &str, wanted: &[DrillWanted]) -> Option<Vec<Drill>> {
    let mut now = None;
    let mut told: BTreeMap<&str, Told<'_>> = BTreeMap::new();
    let mut of: Option<&str> = None;
    let mut complete = false;
    for line in answer.lines().map(str::trim_end) {
        if let Some(time) = line.strip_prefix("@now ") {
            now = time.parse::<Timestamp>().ok();
        } else if let Some(name) = line.strip_prefix("@drill ") {
            of = Some(name);
            told.entry(name).or_default();
        } else if line == "@end" {
            complete = true;
        } else if let (Some(name), Some((key, value))) = (of, line.split_once('=')) {
            told.entry(name).or_default().insert(key, value.trim());
        }
    }
    let now = now.filter(|_| complete)?;
    let none = Told::new();
    let one = |drill: &DrillWanted| judge(drill, told.get(drill.backup.as_str()).unwrap_or(&none), now);
    Some(wanted.iter().map(one).collect())
}

/// What is known of when a drill passed.
enum Record<'t> {
    At(Timestamp, &'t str),
    Never,
    Broken(&'t str),
    Unreadable,
}

fn judge(wanted: &DrillWanted, told: &Told<'_>, now: Timestamp) -> Drill {
    let value = |key: &str| told.get(key).copied().filter(|value| !value.is_empty());
    let record = match (value("passed"), told.contains_key("passed"), told.contains_key("never")) {
        (Some(text), ..) => match text.parse::<Timestamp>() {
            Ok(at) if at.as_second() <= now.as_second() + AHEAD => Record::At(at, text),
            _ => Record::Broken(text),
        },
        (None, true, _) => Record::Broken(""),
        (None, false, true) => Record::Never,
        (None, false, false) => Record::Unreadable,
    };
    let drill = |state, said: String| {
        let passed = match &record {
            Record::At(at, _) => Some(at.to_string()),
            _ => None,
        };
        Drill { backup: wanted.backup.clone(), state, passed, said: bounded(&said) }
    };
    match value("unit.LoadState") {
        Some("loaded") => {}
        Some(other) => {
            return drill(
                DrillState::Missing,
                format!("the unit hostwright-drill-{} is {other}: deploy the definition", wanted.backup),
            );
        }
        None => return drill(DrillState::Unknown, "systemctl did not answer".to_owned()),
    }
    let active = value("unit.ActiveState").unwrap_or_default();
    if matches!(active, "active" | "activating" | "reloading" | "deactivating") {
        let since = value("unit.InactiveExitTimestamp").and_then(stamp);
        return match since.map(|since| now.as_second() - since.as_second()) {
            Some(seconds) if seconds > LONGEST => {
                drill(DrillState::Overdue, format!("it has been running for {} days", seconds / 86_400))
            }
            _ => drill(DrillState::Running, "it runs now".to_owned()),
        };
    }
    let result = value("unit.Result").unwrap_or("success");
    if result != "success" {
        let status = value("unit.ExecMainStatus").unwrap_or("?");
        let how = match result {
            "exit-code" => format!("its last run ended with status {status}"),
            "signal" | "core-dump" => format!("its last run was ended by signal {status}"),
            "timeout" => "its last run took too long".to_owned(),
            other => format!("its last run failed: {other}"),
        };
        let when = value("unit.ExecMainExitTimestamp").and_then(stamp);
        let when = when.map_or_else(String::new, |when| format!(", {when}"));
        return drill(DrillState::Failed, format!("{how}{when}; `journalctl -u hostwright-drill-{}`", wanted.backup));
    }
    let timer = value("timer.ActiveState").unwrap_or_default();
    let next = value("timer.NextElapseUSecRealtime").and_then(stamp);
    let next = match (timer, next) {
        ("active", Some(next)) => format!("its timer starts it at {next}"),
        ("active", None) => "its timer runs and names no time".to_owned(),
        _ => "its timer does not run".to_owned(),
    };
    match &record {
        Record::Never => drill(DrillState::NeverPassed, next),
        Record::Broken(text) => {
            drill(DrillState::Unknown, format!("its record is no time, or one in the future: `{text}`"))
        }
        Record::Unreadable => {
            drill(DrillState::Unknown, "its record can be read by root alone, and nobody else asked".to_owned())
        }
        Record::At(_, passed) => match value("due") {
            Some("never") => drill(DrillState::Passed, format!("passed {passed}")),
            due => match due.and_then(stamp) {
                Some(due) if due.as_second() + GRACE < now.as_second() => {
                    drill(DrillState::Overdue, format!("it passed last at {passed}, and was due at {due}; {next}"))
                }
                Some(_) if timer != "active" => drill(DrillState::TimerOff, format!("it passed at {passed}")),
                Some(_) => drill(DrillState::Passed, format!("passed {passed}")),
                None => drill(
                    DrillState::Unknown,
                    format!("it passed at {passed}, and when it is due again could not be reckoned"),
                ),
            },
        },
    }
}

/// Reads a time as systemd prints it with UTC as its zone: `Tue 2026-12-01 00:00:00 UTC`.
fn stamp(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix(" UTC")?;
    let (_, text) = text.split_once(' ')?;
    let time: DateTime = text.parse().ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOADED: &str = "unit.LoadState=loaded\nunit.ActiveState=inactive\nunit.Result=success\nunit.ExecMainStatus=0\n\
                          timer.ActiveState=active\ntimer.NextElapseUSecRealtime=Tue 2026-12-01 00:00:00 UTC\n";

    fn judged(lines: &str) -> Drill {
        let wanted = [DrillWanted { backup: "offsite".to_owned(), schedule: "monthly".to_owned() }];
        let answer = format!("@now 2026-11-22T10:00:00Z\n@drill offsite\n{lines}\n@end\n");
        read(&answer, &wanted).unwrap().remove(0)
    }

    #[test]
    fn each_way_in_which_a_drill_can_stand_is_told() {
        let passed = "passed=2026-11-01T02:10:00Z\n";
        let due = |due: &str| format!("{LOADED}{passed}due={due}\n");
        for (lines, state) in [
            (due("Tue 2026-12-01 00:00:00 UTC"), DrillState::Passed),
            (due("never"), DrillState::Passed),
            // Due yesterday: it may be at work, or have been until a moment ago.
            (due("Sat 2026-11-21 00:00:00 UTC"), DrillState::Passed),
            (due("Fri 2026-11-20 00:00:00 UTC"), DrillState::Overdue),
            (due("Tue 2026-12-01 00:00:00 CET"), DrillState::Unknown),
            (format!("{LOADED}{passed}"), DrillState::Unknown),
            (format!("{LOADED}passed=soon\n"), DrillState::Unknown),
            (format!("{LOADED}passed=\n"), DrillState::Unknown),
            (format!("{LOADED}passed=2027-01-01T00:00:00Z\ndue=never\n"), DrillState::Unknown),
            (format!("{LOADED}never=yes\n"), DrillState::NeverPassed),
            (LOADED.to_owned(), DrillState::Unknown),
            (due("Tue 2026-12-01 00:00:00 UTC").replace("Result=success", "Result=exit-code"), DrillState::Failed),
            (
                due("Tue 2026-12-01 00:00:00 UTC").replace("timer.ActiveState=active", "timer.ActiveState=inactive"),
                DrillState::TimerOff,
            ),
            (
                due("Fri 2026-11-20 00:00:00 UTC").replace("unit.ActiveState=inactive", "unit.ActiveState=activating"),
                DrillState::Running,
            ),
            (
                LOADED.replace(
                    "unit.ActiveState=inactive",
                    "unit.ActiveState=activating\nunit.InactiveExitTimestamp=Mon 2026-11-02 00:00:00 UTC",
                ),
                DrillState::Overdue,
            ),
            ("unit.LoadState=not-found\nunit.ActiveState=inactive\n".to_owned(), DrillState::Missing),
            (String::new(), DrillState::Unknown),
        ] {
            assert_eq!(judged(&lines).state, state, "{lines}");
        }
    }

    #[test]
    fn whatever_a_machine_says_the_drills_are_those_that_are_wanted() {
        use proptest::prelude::*;
        let line = prop_oneof![
            "(@now |@drill |passed=|due=|unit\\.[A-Za-z]{1,12}=|timer\\.ActiveState=)?.{0,30}",
            Just("@drill offsite".to_owned()),
            Just("@end".to_owned()),
            Just("unit.LoadState=loaded".to_owned()),
        ];
        proptest!(|(lines in prop::collection::vec(line, 0..20))| {
            let wanted = [DrillWanted { backup: "offsite".to_owned(), schedule: "monthly".to_owned() }];
            let answer = format!("@now 2026-11-22T10:00:00Z\n{}\n@end\n", lines.join("\n"));
            for drill in read(&answer, &wanted).into_iter().flatten() {
                prop_assert_eq!(&drill.backup, "offsite");
                prop_assert!(!drill.said.contains(|c: char| c.is_control()));
            }
        });
    }

    #[test]
    fn an_answer_that_is_cut_off_is_none() {
        for answer in ["", "@now 2026-11-22T10:00:00Z\n@drill a\n", "@drill a\n@end\n"] {
            assert_eq!(read(answer, &[]), None, "{answer}");
        }
    }

    #[test]
    fn a_failure_says_how_and_when_and_is_the_same_finding_each_time() {
        let failed = |status: &str, at: &str| {
            let lines = LOADED.replace("Result=success", "Result=exit-code").replace("Status=0", status);
            judged(&format!("{lines}unit.ExecMainExitTimestamp={at}\n"))
        };
        let one = failed("Status=1", "Sun 2026-11-22 03:31:00 UTC");
        assert!(one.said.contains("status 1, 2026-11-22T03:31:00Z"), "{}", one.said);
        let two = failed("Status=2", "Mon 2026-11-23 03:31:00 UTC");
        assert_eq!(one.finding().unwrap().what, two.finding().unwrap().what);
    }
}
