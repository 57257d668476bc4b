//! A channel whose release gets no updates any more, or not for much longer.

use crate::check::channels::used;
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::source::Level;

/// How many days before the end a channel is worth a note: time for an upgrade with its reboot test.
const AHEAD: i32 = 30;

pub(super) static RULE: Rule = Rule {
    id: "release-end-of-life",
    group: Group::Channel,
    level: Level::Warning,
    allowable: true,
    needs: &["end of life of the release"],
    summary: "the channel gets no updates any more, or not for much longer",
    doc: include_str!("release_end_of_life.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for channel in used(cx) {
        let release = &channel.channel.release;
        // A release that is not known at all is `release-unknown`.
        let Some(facts) = cx.facts.releases().find(release.value) else { continue };
        let Some(end) = facts.end_of_life.map(|end| end.value) else {
            // The unstable channel before a release that is still to come goes on.
            if !facts.release.is_pre() || !release.value.is_pre() {
                found.unchecked(format!("the end of life of {} is not known", release.value));
            }
            continue;
        };
        // Dates of the civil calendar are less than ten million days apart.
        let left = cx.today.until(end).map_or(0, |span| span.get_days());
        let days = |count: i32| if count == 1 { "1 day".to_owned() } else { format!("{count} days") };
        let name = channel.name;
        let (level, message) = match left {
            ..0 => {
                let message = format!("`{name}` ({}) gets no updates since {end}, {} ago", release.value, days(-left));
                (Level::Warning, message)
            }
            0 => (Level::Note, format!("`{name}` ({}) gets its last updates on {end}, today", release.value)),
            1..=AHEAD => {
                (Level::Note, format!("`{name}` ({}) gets no updates after {end}, in {}", release.value, days(left)))
            }
            _ => continue,
        };
        let next = cx.facts.releases().next(release.value);
        let next = next.map_or_else(|| "a newer release".to_owned(), |next| next.to_string());
        let way = if left < 0 { "a release that is supported" } else { next.as_str() };
        found.report_as(
            level,
            Finding::at(release.place, message)
                .label(format!("used by {}", channel.users()))
                .why("holes that are found after its last day stay open")
                .help(format!("pin `{name}` to {way} and test the change with a reboot, one release after the other")),
        );
    }
}
