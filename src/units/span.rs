//! Time spans in systemd's form.

use std::fmt;
use std::str::FromStr;

/// A time span in whole seconds, written as systemd does (`90s`, `10min`, `1h30min`, `7d`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSpan {
    seconds: u64,
    text: String,
}

/// Unit and its seconds (systemd.time(7)).
const UNITS: &[(&str, u64)] = &[
    ("s", 1),
    ("sec", 1),
    ("min", 60),
    ("m", 60),
    ("h", 3600),
    ("hr", 3600),
    ("d", 86_400),
    ("day", 86_400),
    ("days", 86_400),
    ("w", 604_800),
    ("week", 604_800),
    ("weeks", 604_800),
];

impl TimeSpan {
    /// Returns a span of whole minutes.
    pub fn minutes(minutes: u32) -> Self {
        Self { seconds: u64::from(minutes) * 60, text: format!("{minutes}min") }
    }

    /// Returns a span of whole days.
    pub fn days(days: u32) -> Self {
        Self { seconds: u64::from(days) * 86_400, text: format!("{days}d") }
    }

    /// Returns a span of whole seconds.
    pub fn of_seconds(seconds: u32) -> Self {
        Self { seconds: u64::from(seconds), text: format!("{seconds}s") }
    }

    /// Returns the seconds.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Returns seconds as people read them, at most two units (`3 h 10 min`, `14 d`).
    pub fn human(seconds: u64) -> String {
        let parts =
            [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
        let Some(first) = parts.iter().position(|(count, _)| *count > 0) else { return "0 s".to_owned() };
        let shown: Vec<String> = parts
            .iter()
            .skip(first)
            .take(2)
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count} {unit}"))
            .collect();
        shown.join(" ")
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "a time span is numbers with units: `90s`, `10min`, `1h30min`, `7d`".to_owned();
        let mut rest = text.trim();
        let mut seconds: u64 = 0;
        if rest.is_empty() {
            return Err(wanted());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wanted)?;
            let (number, tail) = rest.split_at(digits);
            let tail = tail.trim_start();
            let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(end);
            let number: u64 = number.parse().map_err(|_| wanted())?;
            let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wanted)?;
            seconds = number.checked_mul(*size).and_then(|more| seconds.checked_add(more)).ok_or_else(wanted)?;
            rest = tail.trim_start();
        }
        if seconds > 100 * 365 * 86_400 {
            return Err("a time span is a hundred years at most".to_owned());
        }
        Ok(Self { seconds, text: text.to_owned() })
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_systemd_does() {
        let seconds = |text: &str| text.parse::<TimeSpan>().unwrap().seconds();
        assert_eq!(seconds("1h30min"), 5400);
        assert_eq!(seconds("7d"), 604_800);
        assert_eq!(seconds("1min 30s"), 90);
        assert_eq!(TimeSpan::human(11_400), "3 h 10 min");
        assert_eq!(TimeSpan::human(0), "0 s");
        for bad in ["", "10", "min", "-5s", "5 parsecs", "99999999999999999999s", "999999999d"] {
            assert!(bad.parse::<TimeSpan>().is_err(), "{bad}");
        }
    }
}
