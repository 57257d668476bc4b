//! When containers and programs run, for how long, and lines of a unit that begin with a program of a package.

use crate::compile::settings::Settings;
use crate::fleet::schema::workloads::{Run, StartType};
use crate::nix::{Expr, NixString, Value};
use crate::source::Place;

/// Seconds between the end of something and its next start: few enough starts that systemd never gives up.
pub(super) const PAUSE: i64 = 5;

/// Adds the timer of a unit that runs by the calendar.
pub(super) fn timer(unit: &str, run: &Run, out: &mut Settings) {
    let Some(first) = run.schedule.first() else { return };
    let zone = run.time_zone.as_ref().map_or_else(String::new, |zone| format!(" {}", zone.value.0));
    let when: Vec<String> = run.schedule.iter().map(|when| format!("{}{zone}", when.as_str())).collect();
    let when = match when.as_slice() {
        [one] => Value::from(one.as_str()),
        _ => Value::from(when),
    };
    out.set_below("systemd.timers", &[unit, "wantedBy"], vec!["timers.target"], first.place);
    out.set_below("systemd.timers", &[unit, "timerConfig", "OnCalendar"], when, first.place);
    out.set_below("systemd.timers", &[unit, "timerConfig", "Persistent"], run.persistent.value, run.persistent.place);
}

/// Returns the setting of a unit that ends what runs for too long. What runs to its end is starting all the while, and
/// `RuntimeMaxSec=` has no effect on it (systemd.service(5)).
pub(super) fn at_most(run: &Run) -> Option<(&'static str, Value, Place)> {
    let most = run.at_most.as_ref()?;
    let key = if run.start() == StartType::Oneshot { "TimeoutStartSec" } else { "RuntimeMaxSec" };
    Some((key, i64::try_from(most.seconds()).unwrap_or(i64::MAX).into(), most.place))
}

/// Returns a command line of a unit: a prefix of systemd.service(5), the path below a package, and words of `exec_line`.
pub(super) fn line_of(prefix: &'static str, package: &'static str, program: &'static str, words: &str) -> Value {
    let expr = NixString::new(words).map(|words| format!("\"{prefix}${{{package}}}{program} \" + {}", words.literal()));
    expr.ok().and_then(|text| Expr::parse(&text).ok()).map_or_else(|| Value::from(words), Value::from)
}
