//! Timers made of schedules of CronJobs fire when the schedules say.
//!
//! What a schedule says is computed by croner, a library of its own. What a timer does is computed by systemd itself
//! where it is installed, and everywhere by a reader of the events' syntax that knows nothing of how they were made.

use std::collections::BTreeSet;
use std::process::Command;

use croner::parser::CronParser;
use hostwright::units::{CronSchedule, Timer};
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::quoting::is_installed;

/// Schedules, and by how many hours the clocks that they go by are ahead of UTC.
const SCHEDULES: &[(&str, i64)] = &[
    ("* * * * *", 0),
    ("*/15 * * * *", 0),
    ("*/7 * * * *", 0),
    ("3-59/15 * * * *", 0),
    ("5/20 * * * *", 0),
    ("10-40/10,55 * * * *", 0),
    ("0,30 * * * *", 0),
    ("0 3 * * *", 0),
    ("59 23 31 12 *", 0),
    ("30 9,17 * * mon-fri", 0),
    ("*/20 9-17 * * MON-FRI", 0),
    ("0 */5 * * *", 0),
    ("0 22/1 * * *", 0),
    ("15 4-22/6 * * 0", 0),
    ("0 0 1,15 * ?", 0),
    ("0 0 ? * sun", 0),
    ("0 0 13 * 5", 0),
    ("0 0 */2 * 1", 0),
    ("0 0 */10 apr,aug,oct Mon", 0),
    ("0 12 1 */3 *", 0),
    ("0 6 1-7 * 6", 0),
    ("0 0 31 * *", 0),
    ("0 0 29 2 *", 0),
    ("0 0 29 Feb Thu/2", 0),
    ("0 0 30 2 *", 0),
    ("0 0 */1 * 1", 0),
    ("0 0 1,* * 1", 0),
    ("0 0 1-31 * 1", 0),
    ("@yearly", 0),
    ("@annually", 0),
    ("@monthly", 0),
    ("@weekly", 0),
    ("@daily", 0),
    ("@midnight", 0),
    ("@hourly", 0),
    ("TZ=Asia/Tokyo 30 3 * * 1-5", 9),
    ("CRON_TZ=Japan 0 0 28-31 * sat", 9),
    ("TZ=Asia/Dubai @weekly", 4),
    ("CRON_TZ=UTC 5 4 8-14 * *", 0),
];

/// From where on firing times are computed: short of the end of a day, a short month, a leap month and a year, and of no
/// full minute.
const BASES: &[DateTime] = &[
    date(2027, 2, 26).at(23, 58, 30, 0),
    date(2027, 4, 29).at(22, 14, 30, 0),
    date(2027, 12, 31).at(23, 41, 30, 0),
    date(2028, 2, 28).at(12, 0, 30, 0),
];

/// How many years are looked through for a firing time.
const YEARS: i16 = 45;

/// Writes a schedule for croner, to which some fields mean something else than to robfig/cron: its days of the week go
/// to 7, which a step without an end reaches; `?` is only for days, and there only alone; a star in a list or with a
/// step of one restricts the day; `@midnight` and time zones are not known.
fn as_croner(text: &str) -> String {
    let text = match text.split_once("TZ=").and_then(|(_, rest)| rest.split_once(' ')) {
        Some((_, schedule)) => schedule,
        None => text,
    };
    let field = |(position, field): (usize, &str)| {
        let is_star = |part: &str| ["*", "?", "*/1", "?/1"].contains(&part);
        if field.split(',').any(is_star) {
            return "*".to_owned();
        }
        let part = |part: &str| {
            let part = part.replace('?', "*");
            match part.split_once('/') {
                Some(("*", step)) if position == 4 => format!("0-6/{step}"),
                Some((first, step)) if position == 4 && !first.contains('-') => format!("{first}-6/{step}"),
                _ => part,
            }
        };
        field.split(',').map(part).collect::<Vec<_>>().join(",")
    };
    let fields: Vec<String> = text.replace("@midnight", "@daily").split_whitespace().enumerate().map(field).collect();
    fields.join(" ")
}

/// Returns the next firing times by croner.
fn by_croner(text: &str, after: DateTime, count: usize) -> Vec<DateTime> {
    let schedule = CronParser::builder().sloppy_ranges(true).build().parse(&as_croner(text));
    let schedule = schedule.unwrap_or_else(|error| panic!("{text:?} as {:?}: {error}", as_croner(text)));
    let times = schedule.iter_after(after.to_zoned(TimeZone::UTC).unwrap()).map(|time| time.datetime());
    times.take(count).take_while(|time| time.year() < after.year() + YEARS).collect()
}

/// Returns the events of a schedule.
fn events(text: &str) -> Vec<String> {
    match text.parse::<CronSchedule>().unwrap().timer(None).unwrap() {
        Timer::Calendar(events) => events.iter().map(ToString::to_string).collect(),
        Timer::Every(span) => panic!("{text:?} is every {span}"),
    }
}

/// The sets that a calendar event of systemd.time(7) names, its time zone aside.
struct Event {
    weekdays: BTreeSet<i8>,
    months: BTreeSet<i8>,
    days: BTreeSet<i8>,
    hours: BTreeSet<i8>,
    minutes: BTreeSet<i8>,
}

impl Event {
    fn read(text: &str) -> Self {
        let is_weekday = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphabetic());
        let words: Vec<&str> = text.split(' ').collect();
        let (weekdays, rest) = match words.split_first() {
            Some((first, rest)) if is_weekday(first) => (*first, rest),
            _ => ("Mon..Sun", words.as_slice()),
        };
        let (day, rest) = match rest.split_first() {
            Some((first, rest)) if first.contains('-') => (*first, rest),
            _ => ("*-*-*", rest),
        };
        let day: Vec<&str> = day.split('-').collect();
        let time: Vec<&str> = rest[0].split(':').collect();
        assert!(day.len() == 3 && day[0] == "*" && (time.len() == 2 || time[2] == "00"), "{text}");
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let numbered = names
            .iter()
            .zip(1..)
            .fold(weekdays.to_owned(), |text, (name, number)| text.replace(name, &number.to_string()));
        Self {
            weekdays: values(&numbered, 1, 7),
            months: values(day[1], 1, 12),
            days: values(day[2], 1, 31),
            hours: values(time[0], 0, 23),
            minutes: values(time[1], 0, 59),
        }
    }

    fn is_on(&self, day: Date) -> bool {
        self.weekdays.contains(&day.weekday().to_monday_one_offset())
            && self.months.contains(&day.month())
            && self.days.contains(&day.day())
    }
}

/// Returns what a part of an event names: values, `from..to`, `from/step`, `from..to/step`, `*`.
fn values(text: &str, first: i8, last: i8) -> BTreeSet<i8> {
    let number = |text: &str| text.parse::<i8>().unwrap();
    let part = |part: &str| {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(number(step))));
        let (from, to) = match range.split_once("..") {
            Some((from, to)) => (number(from), number(to)),
            None if range == "*" => (first, last),
            None => (number(range), if step.is_some() { last } else { number(range) }),
        };
        assert!(first <= from && from <= to && to <= last, "{text}");
        (from..=to).step_by(usize::try_from(step.unwrap_or(1)).unwrap())
    };
    text.split(',').flat_map(part).collect()
}

/// Returns the next firing times of events by their text, as a clock on the wall shows them.
fn by_text(events: &[String], after: DateTime, count: usize) -> Vec<DateTime> {
    let events: Vec<Event> = events.iter().map(|text| Event::read(text)).collect();
    let mut times = Vec::new();
    let mut day = after.date();
    while times.len() < count && day.year() < after.year() + YEARS {
        let mut today = BTreeSet::new();
        for event in events.iter().filter(|event| event.is_on(day)) {
            let at = |hour| event.minutes.iter().map(move |minute| day.at(hour, *minute, 0, 0));
            today.extend(event.hours.iter().flat_map(|hour| at(*hour)));
        }
        times.extend(today.into_iter().filter(|time| *time > after));
        day = day.tomorrow().unwrap();
    }
    times.truncate(count);
    times
}

/// Returns the next firing times of each of several timers by systemd, in UTC.
fn by_systemd(timers: &[Vec<String>], after: DateTime, count: usize) -> Vec<Vec<DateTime>> {
    let output = Command::new("systemd-analyze")
        .args(["calendar", &format!("--iterations={count}"), &format!("--base-time={} UTC", after.strftime("%F %T"))])
        .args(timers.iter().flatten())
        .envs([("TZ", "UTC"), ("LC_ALL", "C")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut times: Vec<Vec<DateTime>> = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let Some((key, value)) = line.trim().split_once(": ") else { continue };
        if key == "Normalized form" {
            times.push(Vec::new());
        } else if (key == "Next elapse" || key.starts_with("Iter.")) && value.trim() != "never" {
            let words: Vec<&str> = value.split_whitespace().collect();
            assert_eq!(words[3], "UTC", "{line}");
            times.last_mut().unwrap().push(format!("{}T{}", words[1], words[2]).parse().unwrap());
        }
    }
    assert_eq!(times.len(), timers.iter().flatten().count());
    let mut times = times.into_iter();
    let timer = |events: &Vec<String>| {
        let times: BTreeSet<DateTime> = times.by_ref().take(events.len()).flatten().collect();
        times.into_iter().take(count).take_while(|time| time.year() < after.year() + YEARS).collect()
    };
    timers.iter().map(timer).collect()
}

#[test]
fn a_schedule_and_its_timer_have_the_same_next_ten_firing_times() {
    for ((text, ahead), base) in SCHEDULES.iter().flat_map(|schedule| BASES.iter().map(move |base| (schedule, base))) {
        let base = *base + ahead.hours();
        let wanted = by_croner(text, base, 10);
        assert_eq!(by_text(&events(text), base, 10), wanted, "{text:?} is {:?}", events(text));
        assert!(wanted.len() == 10 || *text == "0 0 30 2 *", "{text:?} fires {} times", wanted.len());
    }
}

/// Fields of a schedule in any syntax, for values in a range.
fn field(first: u32, last: u32) -> impl Strategy<Value = String> {
    let value = first..=last;
    let range = (value.clone(), value.clone()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)));
    let part = prop_oneof![
        2 => Just("*".to_owned()),
        1 => Just("?".to_owned()),
        2 => (1..=last + 3).prop_map(|step| format!("*/{step}")),
        3 => value.clone().prop_map(|value| value.to_string()),
        2 => (value, 1..=last).prop_map(|(value, step)| format!("{value}/{step}")),
        2 => range.clone(),
        2 => (range, 1..=last).prop_map(|(range, step)| format!("{range}/{step}")),
    ];
    prop_oneof![
        2 => Just("*".to_owned()),
        4 => part.clone(),
        1 => prop::collection::vec(part, 2..4).prop_map(|parts| parts.join(",")),
    ]
}

fn schedule() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

proptest! {
    #[test]
    fn any_schedule_and_its_timer_have_the_same_next_firing_times(
        text in schedule(),
        base in prop::sample::select(BASES),
    ) {
        let events = events(&text);
        prop_assert_eq!(by_text(&events, base, 5), by_croner(&text, base, 5), "{:?}", events);
    }
}

#[test]
fn systemd_fires_when_the_schedules_say() {
    if !is_installed("systemd-analyze", "systemd", "systemd_fires_when_the_schedules_say") {
        return;
    }
    let mut runner = TestRunner::deterministic();
    let random = schedule();
    let mut schedules: Vec<(String, i64)> =
        SCHEDULES.iter().map(|(text, ahead)| ((*text).to_owned(), *ahead)).collect();
    schedules.extend((0..200).map(|_| (random.new_tree(&mut runner).unwrap().current(), 0)));
    let in_utc = |text: &str| match text.contains("TZ=") {
        true => events(text),
        false => events(text).iter().map(|event| format!("{event} UTC")).collect(),
    };
    let timers: Vec<Vec<String>> = schedules.iter().map(|(text, _)| in_utc(text)).collect();
    for base in BASES {
        for ((text, ahead), times) in schedules.iter().zip(by_systemd(&timers, *base, 10)) {
            let wanted = by_croner(text, *base + ahead.hours(), 10);
            let wanted: Vec<DateTime> = wanted.into_iter().map(|time| time - ahead.hours()).collect();
            assert_eq!(times, wanted, "{text:?} is {:?}", events(text));
        }
    }
}
