//! Schedules of Kubernetes' CronJobs, and the timers of systemd that fire at the same minutes.
//!
//! Read as Kubernetes reads them: `ParseStandard` of github.com/robfig/cron v3 (parser.go; what a day must match is
//! `dayMatches` in spec.go). What it takes is taken with the meaning that it gives, what it refuses is refused; so Sunday
//! is 0 and never 7. The one thing refused beyond that is a field of commas alone, which stands for no value at all.
//! Not here: what a CronJob does about missed or overlapping runs.

use std::fmt;
use std::str::FromStr;

use super::calendar::is_zone;
use super::{OnCalendar, TimeSpan};

/// A schedule, such as `*/15 * * * *`, `0 3 * * mon-fri`, `@daily` or `CRON_TZ=Europe/Berlin 30 4 1 * *`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronSchedule {
    /// The time zone that the schedule itself names.
    zone: Option<String>,
    when: When,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Fields { minute: Field, hour: Field, day: Field, month: Field, weekday: Field },
    Every(TimeSpan),
}

/// What fires as a schedule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timer {
    /// Calendar events, one at least: the timer fires at each instant of any. An instant that two of them name is one
    /// instant to systemd, which waits for the nearest event and starts the unit once.
    Calendar(Vec<OnCalendar>),
    /// A span that is counted on from the moment when the timer is started, so no calendar event; whole seconds, one at
    /// least. Kubernetes counts it on from when the CronJob was made.
    Every(TimeSpan),
}

/// The values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    /// Bit n is set when the field has the value n.
    values: u64,
    /// Whether it says `*` or `?`, with a step of one at most; it does not restrict the day then.
    is_open: bool,
}

/// What a field may hold.
struct Bounds {
    first: u32,
    last: u32,
    /// Names for the values from `first` on.
    names: &'static [&'static str],
    wanted: &'static str,
}

const MINUTE: Bounds = Bounds {
    first: 0,
    last: 59,
    names: &[],
    wanted: "the minute of a cron schedule is 0 to 59 or `*`, with lists `5,35`, ranges `0-29` and steps `*/15`",
};

const HOUR: Bounds = Bounds {
    first: 0,
    last: 23,
    names: &[],
    wanted: "the hour of a cron schedule is 0 to 23 or `*`, with lists `9,17`, ranges `9-17` and steps `*/6`",
};

const DAY: Bounds = Bounds {
    first: 1,
    last: 31,
    names: &[],
    wanted: "the day of the month of a cron schedule is 1 to 31, `*` or `?`, with lists `1,15`, ranges `1-7` and steps `*/2`",
};

const MONTH: Bounds = Bounds {
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    wanted: "the month of a cron schedule is 1 to 12, `jan` to `dec` or `*`, with lists `3,9`, ranges `jun-aug` and steps `*/3`",
};

const WEEKDAY: Bounds = Bounds {
    first: 0,
    last: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    wanted: "the day of the week of a cron schedule is 0 (Sunday) to 6, `sun` to `sat`, `*` or `?`, with lists `1,4` and \
             ranges `mon-fri`; to Kubernetes there is no 7, and no range over the end of the week",
};

/// Names of schedules; each is a word of its own, in small letters.
const NAMED: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const WANTED: &str = "a cron schedule is five fields, which are minute, hour, day of the month, month and day of the week, such as \
                      `30 4 * * *`, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` and `@every 1h30m`";

const EVERY_WANTED: &str =
    "`@every` is followed by one space and a span of numbers with the units h, m and s: `@every 1h30m`";

const ZONE_WANTED: &str = "a time zone is a name of the IANA database, such as `Europe/Berlin` or `UTC`, then a space";

/// The days of the week as systemd orders and calls them.
const DAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl CronSchedule {
    /// Returns the time zone that the schedule names by `TZ=` or `CRON_TZ=`; it goes before a CronJob's `timeZone`.
    pub fn time_zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Returns what fires at exactly the minutes of the schedule, in its own time zone or else in the given one, a
    /// CronJob's `timeZone`; without either in the machine's (where Kubernetes takes its controller's, mostly UTC).
    ///
    /// Refused is what cannot be the name of a time zone. Where days of the month and of the week are both restricted,
    /// either is enough, and there are two events. In an hour that a change of clocks skips or repeats, systemd and
    /// Kubernetes may differ.
    pub fn timer(&self, time_zone: Option<&str>) -> Result<Timer, String> {
        let (minute, hour, day, month, weekday) = match &self.when {
            When::Every(span) => return Ok(Timer::Every(span.clone())),
            When::Fields { minute, hour, day, month, weekday } => (minute, hour, day, month, weekday),
        };
        let zone = match self.time_zone().or(time_zone) {
            // Go's word for the zone of the machine.
            Some("Local") | None => String::new(),
            Some(zone) if is_zone(zone) => format!(" {zone}"),
            Some(_) => return Err(ZONE_WANTED.to_owned()),
        };
        let event = |day: u64, weekday: u64| {
            let days = weekdays(weekday);
            let time = format!("{}:{}", component(hour.values, &HOUR), component(minute.values, &MINUTE));
            let (day, month) = (component(day, &DAY), component(month.values, &MONTH));
            let text = if days.is_empty() && day == "*" && month == "*" && time.starts_with("*:") {
                format!("{time}{zone}")
            } else {
                format!("{days}*-{month}-{day} {time}:00{zone}")
            };
            text.parse::<OnCalendar>()
        };
        let (all_days, all_weekdays) = (Field::all(&DAY).values, Field::all(&WEEKDAY).values);
        let events = if day.is_open || weekday.is_open {
            vec![event(day.values, weekday.values)?]
        } else if day.values == all_days || weekday.values == all_weekdays {
            vec![event(all_days, all_weekdays)?]
        } else {
            vec![event(day.values, all_weekdays)?, event(all_days, weekday.values)?]
        };
        Ok(Timer::Calendar(events))
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for CronSchedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (zone, schedule) = match text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) {
            None => (None, text),
            Some(rest) => {
                let (zone, schedule) = rest.split_once(' ').ok_or(ZONE_WANTED)?;
                // To Go the zone without a name is UTC.
                let zone = if zone.is_empty() { "UTC" } else { zone };
                if zone != "Local" && !is_zone(zone) {
                    return Err(ZONE_WANTED.to_owned());
                }
                (Some(zone.to_owned()), schedule.trim())
            }
        };
        let when = match NAMED.iter().find(|(name, _)| *name == schedule) {
            Some((_, fields)) => When::fields(fields)?,
            None => match schedule.strip_prefix("@every ") {
                Some(span) => When::Every(every(span)?),
                None => When::fields(schedule)?,
            },
        };
        Ok(Self { zone, when, text: text.to_owned() })
    }
}

impl When {
    fn fields(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().take(6).collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return Err(WANTED.to_owned()) };
        let field = |text: &str, bounds: &Bounds| Field::read(text, bounds).ok_or_else(|| bounds.wanted.to_owned());
        Ok(Self::Fields {
            minute: field(minute, &MINUTE)?,
            hour: field(hour, &HOUR)?,
            day: field(day, &DAY)?,
            month: field(month, &MONTH)?,
            weekday: field(weekday, &WEEKDAY)?,
        })
    }
}

impl Field {
    fn all(bounds: &Bounds) -> Self {
        Self { values: (bounds.first..=bounds.last).fold(0, |values, value| values | 1 << value), is_open: true }
    }

    /// Reads a list of values, ranges and steps. A comma too many does no harm.
    fn read(text: &str, bounds: &Bounds) -> Option<Self> {
        let nothing = Self { values: 0, is_open: false };
        let field = text.split(',').filter(|part| !part.is_empty()).try_fold(nothing, |field, part| {
            let part = Self::range(part, bounds)?;
            Some(Self { values: field.values | part.values, is_open: field.is_open || part.is_open })
        })?;
        Some(field).filter(|field| field.values != 0)
    }

    fn range(text: &str, bounds: &Bounds) -> Option<Self> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (low, Some(high)),
            None => (range, None),
        };
        let value = |text: &str| {
            let named = bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text));
            match named {
                Some(position) => Some(u64::from(bounds.first) + u64::try_from(position).ok()?),
                None => number(text),
            }
        };
        // What follows the hyphen in `*-5` is not looked at.
        let is_star = low == "*" || low == "?";
        let (low, high) = match high {
            _ if is_star => (u64::from(bounds.first), u64::from(bounds.last)),
            Some(high) => (value(low)?, value(high)?),
            // `5/15` goes on to the last value.
            None => (value(low)?, if step.is_some() { u64::from(bounds.last) } else { value(low)? }),
        };
        if low < u64::from(bounds.first) || high > u64::from(bounds.last) || low > high {
            return None;
        }
        let step = step.unwrap_or(1);
        let values = (low..=high).filter(|value| (value - low).is_multiple_of(step));
        let values = values.fold(0, |values, value| values | 1 << value);
        Some(Self { values, is_open: is_star && step == 1 })
    }
}

/// Reads a number as Go's `strconv.Atoi` does, which takes a plus before it; none below zero.
fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let fits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse::<i64>().ok().filter(|_| fits).and_then(|number| u64::try_from(number).ok())
}

/// Writes the values of a field as systemd.time(7) does.
///
/// A step of systemd's counts on from its first value, so `5/20` has the same meaning there as in cron. A step without an
/// end is written only where it meets its first value again (`0/15`, not `0/7`), since systemd counts on past the hour,
/// the month or the year and may so skip what comes first in the next: `*:0/7` does not fire at midnight (seen in 252;
/// https://github.com/systemd/systemd/issues/40260 in 258). A range with a step has no such fault.
fn component(values: u64, bounds: &Bounds) -> String {
    let all: Vec<u32> = (bounds.first..=bounds.last).filter(|value| values >> value & 1 == 1).collect();
    if all.iter().copied().eq(bounds.first..=bounds.last) {
        return "*".to_owned();
    }
    if let [first, second, .., last] = all.as_slice()
        && all.len() > 2
    {
        let step = second - first;
        let is_even = all.windows(2).all(|pair| matches!(pair, [left, right] if right - left == step));
        if step > 1 && is_even && last + step - first == bounds.last + 1 - bounds.first {
            return format!("{first}/{step}");
        }
        if step > 1 && is_even && all.len() > 3 {
            return format!("{first}..{last}/{step}");
        }
    }
    runs(&all, |value| format!("{value:02}"))
}

/// Writes days of the week and the space after them; nothing when it may be any.
fn weekdays(values: u64) -> String {
    let from_monday: Vec<u32> = (0..7).filter(|day| values >> ((day + 1) % 7) & 1 == 1).collect();
    if from_monday.len() == 7 {
        return String::new();
    }
    let name = |day: u32| usize::try_from(day).ok().and_then(|day| DAYS.get(day)).copied().unwrap_or_default();
    runs(&from_monday, |day| name(day).to_owned()) + " "
}

/// Writes ascending values as a list, with a range where three or more follow each other.
fn runs(values: &[u32], write: impl Fn(u32) -> String) -> String {
    let parts = values.chunk_by(|left, right| left + 1 == *right).flat_map(|run| match run {
        [first, _, .., last] if run.len() > 2 => vec![format!("{}..{}", write(*first), write(*last))],
        _ => run.iter().map(|value| write(*value)).collect(),
    });
    parts.collect::<Vec<_>>().join(",")
}

/// Reads the span of `@every`: as Go's `time.ParseDuration`, cut to whole seconds, one at least.
fn every(text: &str) -> Result<TimeSpan, String> {
    let seconds = (duration(text).ok_or(EVERY_WANTED)? / 1_000_000_000).max(1);
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect::<String>()
        .parse()
}

/// Returns the nanoseconds of a duration in Go's form: `1h30m`, `1.5h`, `-90s`, `0`.
fn duration(text: &str) -> Option<i128> {
    let units: [(&str, u128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(0);
    }
    let is_digit = |c: char| c.is_ascii_digit();
    let (mut rest, mut nanos) = (unsigned, 0u128);
    while !rest.is_empty() {
        let (whole, tail) = rest.split_at(rest.find(|c| !is_digit(c))?);
        let (fraction, tail) = match tail.strip_prefix('.') {
            Some(tail) => tail.split_at(tail.find(|c| !is_digit(c))?),
            None => ("", tail),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, tail) = tail.split_at(tail.find(|c| is_digit(c) || c == '.').unwrap_or(tail.len()));
        let (_, unit) = units.iter().find(|(name, _)| *name == unit)?;
        let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
        // What is finer than the seventeenth place is less than a nanosecond in any unit.
        let fraction = fraction.get(..17).unwrap_or(fraction);
        let below = if fraction.is_empty() { 0 } else { u128::from(fraction.parse::<u64>().ok()?) * unit };
        nanos = nanos + u128::from(whole) * unit + below / 10u128.pow(u32::try_from(fraction.len()).ok()?);
        if nanos > u128::from(i64::MAX.unsigned_abs()) {
            return None;
        }
        rest = tail;
    }
    let nanos = i128::try_from(nanos).ok().filter(|_| !unsigned.is_empty())?;
    Some(if text.starts_with('-') { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timer(text: &str, zone: Option<&str>) -> Timer {
        let schedule: CronSchedule = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(schedule.to_string(), text);
        schedule.timer(zone).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    fn events(text: &str, zone: Option<&str>) -> Vec<String> {
        match timer(text, zone) {
            Timer::Calendar(events) => events.iter().map(ToString::to_string).collect(),
            Timer::Every(span) => panic!("{text:?} is every {span}"),
        }
    }

    #[test]
    fn a_schedule_is_written_as_a_person_would_write_the_event() {
        for (text, wanted) in [
            ("* * * * *", "*:*"),
            ("*/15 * * * *", "*:0/15"),
            ("3-59/15 * * * *", "*:3/15"),
            ("5/20 * * * *", "*:5/20"),
            ("10-40/10 * * * *", "*:10..40/10"),
            ("0,30 * * * *", "*:00,30"),
            ("*/30 * * * *", "*:00,30"),
            ("*/7 * * * *", "*:0..56/7"),
            ("*/25 * * * *", "*:00,25,50"),
            ("0-10 * * * *", "*:00..10"),
            ("7 * * * *", "*:07"),
            ("0 3 * * *", "*-*-* 03:00:00"),
            ("30 9,17 * * mon-fri", "Mon..Fri *-*-* 09,17:30:00"),
            ("*/5 9-17 * * 1-5", "Mon..Fri *-*-* 09..17:0/5:00"),
            ("0 */6 * * *", "*-*-* 0/6:00:00"),
            ("0 0 1,15 * ?", "*-*-01,15 00:00:00"),
            ("0 0 1 */3 *", "*-1/3-01 00:00:00"),
            ("0 0 1 jan,jul *", "*-01,07-01 00:00:00"),
            ("* * 29 FEB *", "*-02-29 *:*:00"),
            ("0 0 ? * SUN", "Sun *-*-* 00:00:00"),
            ("0 0 * * 0,6", "Sat,Sun *-*-* 00:00:00"),
            ("0 0 * * 0-3,5", "Mon..Wed,Fri,Sun *-*-* 00:00:00"),
            ("0 12 * * 2/2", "Tue,Thu,Sat *-*-* 12:00:00"),
            ("@yearly", "*-01-01 00:00:00"),
            ("@annually", "*-01-01 00:00:00"),
            ("@monthly", "*-*-01 00:00:00"),
            ("@weekly", "Sun *-*-* 00:00:00"),
            ("@daily", "*-*-* 00:00:00"),
            ("@midnight", "*-*-* 00:00:00"),
            ("@hourly", "*:00"),
        ] {
            assert_eq!(events(text, None), [wanted], "{text:?}");
        }
    }

    #[test]
    fn days_of_the_month_and_of_the_week_are_each_enough_when_both_are_restricted() {
        // dayMatches and getRange of robfig/cron v3: `*` and `?` leave a field open, also in a list and with a step of
        // one, and not with a larger step.
        for (text, wanted) in [
            ("0 0 13 * 5", &["*-*-13 00:00:00", "Fri *-*-* 00:00:00"][..]),
            ("0 0 */2 * 1", &["*-*-1..31/2 00:00:00", "Mon *-*-* 00:00:00"]),
            ("0 0 1 6 */3", &["*-06-01 00:00:00", "Wed,Sat,Sun *-06-* 00:00:00"]),
            ("0 0 */1 * 1", &["Mon *-*-* 00:00:00"]),
            ("0 0 ?/1 * 1", &["Mon *-*-* 00:00:00"]),
            ("0 0 1,* * 1", &["Mon *-*-* 00:00:00"]),
            ("0 0 *-9 * 1", &["Mon *-*-* 00:00:00"]),
            ("0 0 1 * 5,*", &["*-*-01 00:00:00"]),
            // All days, and yet restricted.
            ("0 0 1-31 * 1", &["*-*-* 00:00:00"]),
            ("0 0 1/1 * 1", &["*-*-* 00:00:00"]),
            ("0 0 13 * 0-6", &["*-*-* 00:00:00"]),
        ] {
            assert_eq!(events(text, None), wanted, "{text:?}");
        }
    }

    #[test]
    fn the_zone_of_the_schedule_goes_before_that_of_the_job() {
        assert_eq!(events("0 3 * * *", Some("Europe/Berlin")), ["*-*-* 03:00:00 Europe/Berlin"]);
        assert_eq!(events("*/5 * * * *", Some("Etc/UTC")), ["*:0/5 Etc/UTC"]);
        assert_eq!(events("TZ=Asia/Tokyo 0 3 * * *", Some("Europe/Berlin")), ["*-*-* 03:00:00 Asia/Tokyo"]);
        assert_eq!(events("CRON_TZ=Japan   @daily ", None), ["*-*-* 00:00:00 Japan"]);
        assert_eq!(events("TZ= 0 3 * * *", None), ["*-*-* 03:00:00 UTC"]);
        assert_eq!(events("TZ=Local 0 3 * * *", Some("UTC")), ["*-*-* 03:00:00"]);
        assert_eq!(
            events("0 0 13 * 5", Some("America/Port-au-Prince")),
            ["*-*-13 00:00:00 America/Port-au-Prince", "Fri *-*-* 00:00:00 America/Port-au-Prince"]
        );
        for zone in
            ["", "Berlin time", "Mon", "europe", "/etc/localtime", "../UTC", "UTC\nOnBootSec=1", "Europe/Berlin "]
        {
            assert_eq!("0 3 * * *".parse::<CronSchedule>().unwrap().timer(Some(zone)).unwrap_err(), ZONE_WANTED);
        }
        for text in ["TZ=UTC", "TZ=0", "TZ=Mars/ 0 3 * * *", "TZ=UTC\t0 3 * * *", "CRON_TZ=%h 0 3 * * *"] {
            assert_eq!(text.parse::<CronSchedule>().unwrap_err(), ZONE_WANTED, "{text:?}");
        }
    }

    #[test]
    fn every_is_a_span_in_whole_seconds_and_not_a_calendar_event() {
        for (text, wanted, seconds) in [
            ("@every 5m", "5min", 300),
            ("@every 1h30m", "1h30min", 5400),
            ("@every 1.5h", "1h30min", 5400),
            ("@every 1h30m10.9s", "1h30min10s", 5410),
            ("@every 36h", "36h", 129_600),
            ("@every .5m", "30s", 30),
            ("@every 100ms", "1s", 1),
            ("@every 2500ms", "2s", 2),
            ("@every 3000000µs", "3s", 3),
            ("@every 0", "1s", 1),
            ("@every -5m", "1s", 1),
            ("CRON_TZ=UTC @every 1m", "1min", 60),
        ] {
            let Timer::Every(span) = timer(text, Some("Europe/Berlin")) else { panic!("{text:?} is an event") };
            assert_eq!((span.to_string().as_str(), span.seconds()), (wanted, seconds), "{text:?}");
        }
        for text in [
            "@every ",
            "@every 5",
            "@every m",
            "@every  5m",
            "@every 5m ",
            "@every 5 m",
            "@every 1d",
            "@every 1h-5m",
            "@every 1.h.",
            "@every .h",
            "@every 99999999h",
            "@every 99999999999999999999s",
            "@every --5m",
            "@every -",
        ] {
            assert_eq!(text.parse::<CronSchedule>().unwrap_err(), EVERY_WANTED, "{text:?}");
        }
        assert!("@every 2000000h".parse::<CronSchedule>().is_err());
    }

    #[test]
    fn nonsense_is_refused_with_what_is_wanted_in_its_place() {
        for (text, wanted) in [
            ("", WANTED),
            ("nonsense", WANTED),
            ("* * * *", WANTED),
            ("0 * * * * *", WANTED),
            ("@reboot", WANTED),
            ("@Daily", WANTED),
            (" @daily", WANTED),
            ("@daily ", WANTED),
            ("@every", WANTED),
            ("@every5m", WANTED),
            ("60 * * * *", MINUTE.wanted),
            ("*/0 * * * *", MINUTE.wanted),
            ("15/0 * * * *", MINUTE.wanted),
            ("*/-5 * * * *", MINUTE.wanted),
            ("*//5 * * * *", MINUTE.wanted),
            ("*/5/5 * * * *", MINUTE.wanted),
            ("*/ * * * *", MINUTE.wanted),
            ("/5 * * * *", MINUTE.wanted),
            ("-5 * * * *", MINUTE.wanted),
            ("5- * * * *", MINUTE.wanted),
            ("5--9 * * * *", MINUTE.wanted),
            ("1-2-3 * * * *", MINUTE.wanted),
            ("9-5 * * * *", MINUTE.wanted),
            ("** * * * *", MINUTE.wanted),
            ("*5 * * * *", MINUTE.wanted),
            ("1.5 * * * *", MINUTE.wanted),
            ("0x5 * * * *", MINUTE.wanted),
            ("++5 * * * *", MINUTE.wanted),
            ("H * * * *", MINUTE.wanted),
            (", * * * *", MINUTE.wanted),
            ("0 24 * * *", HOUR.wanted),
            ("0 mon * * *", HOUR.wanted),
            ("0 22-2 * * *", HOUR.wanted),
            ("0 0 0 * *", DAY.wanted),
            ("0 0 32 * *", DAY.wanted),
            ("0 0 L * *", DAY.wanted),
            ("0 0 15W * *", DAY.wanted),
            ("0 0 1 0 *", MONTH.wanted),
            ("0 0 1 13 *", MONTH.wanted),
            ("0 0 1 january *", MONTH.wanted),
            ("0 0 1 sun *", MONTH.wanted),
            ("0 0 * * 7", WEEKDAY.wanted),
            ("0 0 * * 1-7", WEEKDAY.wanted),
            ("0 0 * * fri-mon", WEEKDAY.wanted),
            ("0 0 * * sat-sun", WEEKDAY.wanted),
            ("0 0 * * mon#1", WEEKDAY.wanted),
            ("0 0 * * 99999999999999999999", WEEKDAY.wanted),
        ] {
            assert_eq!(text.parse::<CronSchedule>().unwrap_err(), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_kubernetes_lets_pass_is_taken_with_the_meaning_it_has_there() {
        assert_eq!(events("  0\t3 *  * *\n", None), events("0 3 * * *", None));
        assert_eq!(events("+5,,5, 007 * * *", None), events("5 7 * * *", None));
        assert_eq!(events("? ? * * *", None), events("* * * * *", None));
        assert_eq!(events("50/99 * * * *", None), events("50 * * * *", None));
        assert_eq!(events("*/9223372036854775807 * * * *", None), events("0 * * * *", None));
        assert_eq!(events("0 0 * Jun-AUG Mon-Wed", None), events("0 0 * 6-8 1-3", None));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fail_in_another_way_than_by_refusing(
            text in "(TZ=UTC )?[-*/?,0-9a-z]{1,9}( [-*/?,0-9]{1,5}){3,5}|@every [-0-9.hmsnuµ]{0,24}|\\PC{0,20}",
        ) {
            if let Ok(schedule) = text.parse::<CronSchedule>() {
                prop_assert!(schedule.timer(None).is_ok(), "{}", text);
            }
        }

        #[test]
        fn any_values_make_an_event_that_systemd_reads(
            (minute, hour, day, month, weekday) in
                (1..1u64 << 60, 1..1u64 << 24, 1..1u64 << 31, 1..1u64 << 12, 1..1u64 << 7),
        ) {
            let list = |values: u64, first: u64| {
                let list: Vec<String> = (0..60).filter(|n| values >> n & 1 == 1).map(|n| (n + first).to_string()).collect();
                list.join(",")
            };
            let lists = [list(minute, 0), list(hour, 0), list(day, 1), list(month, 1), list(weekday, 0)];
            let zone = Some("America/Argentina/ComodRivadavia");
            prop_assert!(lists.join(" ").parse::<CronSchedule>().unwrap().timer(zone).is_ok());
        }
    }
}
