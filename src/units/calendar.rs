//! Points in time that come again, as systemd.time(7) writes calendar events.

use std::fmt;
use std::str::FromStr;

/// A calendar event, such as `daily`, `Mon..Fri *-*-* 03:00` or `*:0/15`.
///
/// Checked by the grammar of systemd's `calendarspec.c`, so that no timer is refused when the machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCalendar(String);

const WANTED: &str = "a calendar event of systemd.time(7) is wanted: `daily`, `Sun 03:00`, `*-*-01 04:30`, `*:0/15`";

/// The events that have a name.
const NAMED: &[&str] = &[
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "semi-annually",
    "biannually",
    "bi-annually",
    "annually",
    "yearly",
    "anually",
];

const DAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Time zones that are one word and not one of five capital letters at most, in the IANA database of 2026.
const ZONES: &[&str] = &[
    "CST6CDT",
    "Cuba",
    "EST5EDT",
    "Egypt",
    "Eire",
    "GB-Eire",
    "GMT+0",
    "GMT-0",
    "GMT0",
    "Greenwich",
    "Hongkong",
    "Iceland",
    "Iran",
    "Israel",
    "Jamaica",
    "Japan",
    "Kwajalein",
    "Libya",
    "MST7MDT",
    "NZ-CHAT",
    "Navajo",
    "PST8PDT",
    "Poland",
    "Portugal",
    "Singapore",
    "Turkey",
    "Universal",
    "W-SU",
    "Zulu",
];

impl OnCalendar {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OnCalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OnCalendar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 500 || !text.is_ascii() || text.trim() != text {
            return Err(WANTED.to_owned());
        }
        let mut words: Vec<&str> = text.split_whitespace().collect();
        if words.len() > 1 && words.last().is_some_and(|word| is_zone(word)) {
            words.pop();
        }
        let is_event = match words.as_slice() {
            [] => false,
            [word] if NAMED.iter().any(|named| named.eq_ignore_ascii_case(word)) => true,
            [word] if word.starts_with('@') => word.get(1..).is_some_and(|seconds| number(seconds, 0).is_some()),
            words => {
                let words = match words.split_first() {
                    Some((days, rest)) if is_days(days) => rest,
                    _ => words,
                };
                match words {
                    [] => true,
                    [one] if one.contains(':') => is_time(one),
                    [one] => is_date(one),
                    [date, time] => is_date(date) && is_time(time),
                    _ => false,
                }
            }
        };
        if is_event { Ok(Self(text.to_owned())) } else { Err(WANTED.to_owned()) }
    }
}

/// Tells whether a word has the form of a time zone: `UTC`, `CET`, `Europe/Berlin`, `Japan`.
pub(super) fn is_zone(word: &str) -> bool {
    let is_short = (2..=5).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase());
    is_short
        || ZONES.contains(&word)
        || word.contains('/')
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word
                .split('/')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b)))
}

/// Tells whether a word is a list of weekdays and ranges of them.
fn is_days(word: &str) -> bool {
    let day = |name: &str| {
        DAYS.iter().position(|day| {
            day.eq_ignore_ascii_case(name) || day.get(..3).is_some_and(|d| d.eq_ignore_ascii_case(name))
        })
    };
    let word = word.strip_suffix(',').unwrap_or(word);
    word.split(',').all(|part| match part.split_once("..").or_else(|| part.split_once('-')) {
        Some((first, last)) => day(first).zip(day(last)).is_some_and(|(first, last)| first <= last),
        None => day(part).is_some(),
    })
}

/// Tells whether a word is a date: `year-month-day` or `month-day`, with `~` before a day that counts from the end.
fn is_date(word: &str) -> bool {
    let (front, day, from_end) = match word.rsplit_once('~') {
        Some((front, day)) => (front, day, true),
        None => match word.rsplit_once('-') {
            Some((front, day)) => (front, day, false),
            None => return false,
        },
    };
    let (year, month) = match front.split_once('-') {
        Some((year, month)) => (Some(year), month),
        None => (None, front),
    };
    year.is_none_or(|year| chain(year, &Component { from: 1970, to: 2199, from_end: false, fractions: false }))
        && chain(month, &Component { from: 1, to: 12, from_end: false, fractions: false })
        && chain(day, &Component { from: 1, to: 31, from_end, fractions: false })
}

fn is_time(word: &str) -> bool {
    let mut parts = word.split(':');
    let (Some(hour), Some(minute), second, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    chain(hour, &Component { from: 0, to: 23, from_end: false, fractions: false })
        && chain(minute, &Component { from: 0, to: 59, from_end: false, fractions: false })
        && second.is_none_or(|second| chain(second, &Component { from: 0, to: 59, from_end: false, fractions: true }))
}

/// What a part of a date or time may be.
struct Component {
    from: i64,
    to: i64,
    /// Whether it counts from the end of the month.
    from_end: bool,
    fractions: bool,
}

/// How many parts a second has here: systemd counts microseconds.
const FINE: i64 = 1_000_000;

/// Tells whether a text is `*` or a list of values, ranges and repetitions that come about at all.
fn chain(text: &str, component: &Component) -> bool {
    let unit = if component.fractions { FINE } else { 1 };
    let (from, to) = (component.from * unit, component.to * unit + if component.fractions { unit - 1 } else { 0 });
    let value = |text: &str| -> Option<i64> {
        if component.fractions {
            return number(text, 6);
        }
        let value = number(text, 0)?;
        // Two digits are a year of this century or the last, as strptime reads them.
        Some(if component.from == 1970 && value < 70 {
            value + 2000
        } else if component.from == 1970 && value < 100 {
            value + 1900
        } else {
            value
        })
    };
    let one = |part: &str| -> Option<bool> {
        let (range, repeat) = match part.split_once('/') {
            Some((range, repeat)) => {
                let repeat = number(repeat, if component.fractions { 6 } else { 0 })?;
                (range, Some(repeat).filter(|repeat| *repeat > 0)?)
            }
            None => (part, 0),
        };
        let (start, stop) = match range.split_once("..") {
            Some((start, stop)) => (value(start)?, Some(value(stop)?)),
            None => (value(range)?, None),
        };
        let inside = |value: i64| (from..=to).contains(&value);
        let reached = match stop {
            Some(stop) => inside(stop) && start <= stop,
            None if component.from_end => start - repeat >= from,
            None => start.checked_add(repeat)? <= to,
        };
        Some(inside(start) && repeat <= to - from && reached)
    };
    text == "*" || text.split(',').all(|part| one(part) == Some(true))
}

/// Reads digits, with up to `places` of them behind a dot, as a multiple of the last place.
fn number(text: &str, places: usize) -> Option<i64> {
    let digits = |text: &str| !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if places > 0 && digits(fraction) => {
            (whole, fraction.get(..places).unwrap_or(fraction))
        }
        Some(_) => return None,
        None => (text, ""),
    };
    if !digits(whole) {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verdicts of `systemd-analyze calendar` (systemd 252).
    const JUDGED: &[(&str, bool)] = &[
        ("daily", true),
        ("Daily", true),
        ("hourly UTC", true),
        ("daily Europe/Berlin", true),
        ("Mon", true),
        ("Mon,Fri", true),
        ("Mon..Fri", true),
        ("Mon-Fri", true),
        ("Fri..Mon", false),
        ("monday 03:00", true),
        ("Mon *-*-* 03:00", true),
        ("Mon..Fri *-*-* 03:00:00", true),
        ("*:0/15", true),
        ("*:*/5", false),
        ("*:0/0", false),
        ("*-*-01 04:30", true),
        ("*-*-32", false),
        ("*-13-01", false),
        ("*-*~1", true),
        ("*-*~03/7 ", false),
        ("*-02~1/7", false),
        ("2026-11-21", true),
        ("26-11-21", true),
        ("70-1-1", true),
        ("2200-1-1", false),
        ("11-21", true),
        ("11-21 5:00", true),
        ("5:00", true),
        ("25:00", false),
        ("05:60", false),
        ("05:59:60", false),
        ("05:59:61", false),
        ("05:00:00.5", true),
        ("05:00:00.1234567", true),
        ("1..3:00", true),
        ("3..1:00", false),
        ("0/6:00", true),
        ("0/30:00", false),
        ("1,2,30:00", false),
        ("1..5/2:00", true),
        ("1..5/9:00", true),
        ("* ", false),
        ("*-*-*", true),
        ("*-*-* *:*:*", true),
        ("@1395716396", true),
        ("@", false),
        ("x", false),
        ("Mon Tue", false),
        ("Mon,", true),
        (",Mon", false),
        ("Sun 03:00 UTC", true),
        ("Sun 03:00 CET", true),
        ("Sun 03:00 Japan", true),
        ("03:00 GMT+0", true),
        ("03:00 Atlantis", false),
        ("*-*-1/7", true),
        ("*-*-1..7", true),
        ("Mon *-*-1..7 18:00", true),
        ("*-1,4,7,10-1", true),
        ("semi-annually", true),
        ("biannually", true),
        ("bi-annually", true),
        ("anually", true),
        ("12", false),
        ("12-", false),
        ("12:", false),
        (":12", false),
        ("1:2:3:4", false),
        ("03:00 Mon", false),
        ("*-* 3:00", true),
        ("2003-03-05 05:40:20,20.5", true),
        ("Sat,Sun 12-05 08:05:40", true),
        ("weekly ", false),
        ("Thu,Fri 2012-*-1,5 11:12:13", true),
        ("Wed, 17:48", true),
        ("Wed,Sat..Tue 12-10-15 1:2:3", false),
        ("*-*-7 0:0:0", true),
        ("10-15", true),
        ("monday *-12-* 17:00", true),
        ("Mon,Fri *-*-3,1,2 *:30:45", true),
        ("12,14,13,12:20,10,30", true),
        ("mon,fri *-1/2-1,3 *:30:45", true),
        ("03-05 08:05:40", true),
        ("08:05:40", true),
        ("05:40", true),
        ("Sat,Sun 08:05", true),
        ("2003-03-05 05:40", true),
        ("minutely", true),
        ("*-02~01", true),
        ("Mon *-05~07/1", true),
        ("09:00~10:00", false),
        ("0..23:0..59", true),
        ("*:0..60", false),
        ("*:*:0..60", false),
        ("*:*:0..60/0.5", false),
        ("*:*:0/0.000001", true),
        ("1 2 3", false),
        ("2026-11-21T03:00", false),
        ("+5:00", false),
        ("-5:00", false),
        ("0x5:00", false),
        ("005:00", true),
    ];

    #[test]
    fn an_event_is_taken_where_systemd_takes_it() {
        for (text, taken) in JUDGED {
            assert_eq!(text.parse::<OnCalendar>().is_ok(), *taken, "{text:?}");
        }
    }

    #[test]
    fn no_text_makes_the_reader_fail_in_another_way_than_by_refusing() {
        proptest::proptest!(|(text in "[0-9A-Za-z*:/~.,@ -]{0,24}")| {
            let _ = text.parse::<OnCalendar>();
        });
    }
}
