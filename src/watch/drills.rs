//! What is asked about restore drills, and how each stands.

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::text::ShellWord;

/// A drill that a definition wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillWanted {
    /// The backup.
    pub backup: String,
    /// When it is to run, as systemd.time(7) writes it.
    pub schedule: String,
}

/// How a drill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillState {
    /// It passed, and the next one is not due yet.
    Passed,
    /// It runs now.
    Running,
    /// Its last run failed.
    Failed,
    /// It has never passed.
    NeverPassed,
    /// It passed once, and its schedule has come again since without another pass.
    Overdue,
    /// The machine does not have its unit.
    Missing,
    /// It passed, and nothing will start the next one.
    TimerOff,
    /// The machine did not say.
    Unknown,
}

/// A drill, as a machine told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// The backup.
    pub backup: String,
    /// How it stands.
    pub state: DrillState,
    /// When it last passed, in RFC 3339.
    pub passed: Option<String>,
    /// What there is to say about it.
    pub said: String,
}

impl Drill {
    /// Tells whether running it would help.
    pub fn wants_a_run(&self) -> bool {
        matches!(self.state, DrillState::Failed | DrillState::NeverPassed | DrillState::Overdue)
    }

    /// Returns what is wrong with it; nothing of one that passed or is at work.
    pub fn finding(&self) -> Option<Finding> {
        let wrong = match self.state {
            DrillState::Passed | DrillState::Running => return None,
            DrillState::Failed => "the drill failed",
            DrillState::NeverPassed => "the drill has never passed",
            DrillState::Overdue => "the drill is overdue",
            DrillState::Missing => "the machine has no unit for the drill",
            DrillState::TimerOff => "the drill's timer does not run",
            DrillState::Unknown => "how the drill stands cannot be told",
        };
        Some(Finding::new(&format!("drill {}: {wrong}", self.backup), &self.said))
    }

    /// Returns how it stands in a few words: `passed 2026-11-01`.
    pub fn words(&self) -> String {
        let day = |time: &str| time.get(..10).unwrap_or_default().to_owned();
        let state = match self.state {
            DrillState::Passed => "passed",
            DrillState::Running => "runs now",
            DrillState::Failed => "failed",
            DrillState::NeverPassed => "has never passed",
            DrillState::Overdue => "is overdue",
            DrillState::Missing => "has no unit",
            DrillState::TimerOff => "has no timer that runs",
            DrillState::Unknown => "is unknown",
        };
        match (&self.passed, self.state) {
            (Some(passed), DrillState::Passed) => format!("{} {state} {}", self.backup, day(passed)),
            (Some(passed), _) => format!("{} {state} (last passed {})", self.backup, day(passed)),
            (None, _) => format!("{} {state}", self.backup),
        }
    }
}

/// Returns the script that asks a machine about drills; it only reads. `begin` names those that it starts before and waits for.
///
/// systemd itself says when a schedule comes again after the last pass, so that nothing here has to know calendars as well as it does.
/// Times are in UTC: a schedule without a zone may come up to 14 hours off by that, which is less than what counts as overdue.
pub fn script(wanted: &[DrillWanted], begin: &[&str]) -> String {
    let mut text = String::from(
        "\
LC_ALL=C TZ=UTC SYSTEMD_COLORS=0; export LC_ALL TZ SYSTEMD_COLORS
tell() {
  echo \"@drill $1\"
  systemctl show -p LoadState,ActiveState,Result,ExecMainStatus,ExecMainExitTimestamp,InactiveExitTimestamp \"hostwright-drill-$1.service\" 2>/dev/null | sed 's/^/unit./'
  systemctl show -p ActiveState,NextElapseUSecRealtime \"hostwright-drill-$1.timer\" 2>/dev/null | sed 's/^/timer./'
  record=/var/lib/hostwright/drills/$1
  if [ -r \"$record\" ]; then
    passed=$(head -n 1 \"$record\" | head -c 64)
    echo \"passed=$passed\"
    systemd-analyze calendar --base-time=\"$(echo \"$passed\" | sed 's/T/ /; s/Z$/ UTC/')\" \"$2\" 2>/dev/null | sed -n 's/^ *Next elapse: /due=/p; s/^ *(in UTC): /due=/p'
  elif [ \"$(id -u)\" = 0 ]; then
    echo never=yes
  fi
}
",
    );
    for backup in begin {
        let unit = ShellWord::new(&format!("hostwright-drill-{backup}.service")).to_string();
        // Its own end tells how it went; ssh has nothing to say to it.
        text.push_str(&format!("systemctl start {unit} </dev/null >/dev/null 2>&1 || :\n"));
    }
    text.push_str("echo \"@now $(date -u +%FT%TZ)\"\n");
    for drill in wanted {
        text.push_str(&format!("tell {} {}\n", ShellWord::new(&drill.backup), ShellWord::new(&drill.schedule)));
    }
    text.push_str("echo @end\n");
    text
}
