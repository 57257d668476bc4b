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

#[cfg(test)]
mod tests {
    use crate::check::sample::reported_on;

    #[test]
    fn the_last_day_still_counts_and_thirty_days_before_it_are_a_note() {
        let said = |today: &str| {
            let lines = reported_on(today, &[("hosts/a/host.toml", "")], &[]);
            lines.into_iter().filter(|line| line.contains("end-of-life")).collect::<Vec<_>>()
        };
        for (today, expected) in [
            ("2026-11-30", None),
            (
                "2026-12-01",
                Some(
                    "note fleet.toml:5:11 release-end-of-life: `stable` (26.05) gets no updates after 2026-12-31, in 30 days",
                ),
            ),
            (
                "2026-12-30",
                Some(
                    "note fleet.toml:5:11 release-end-of-life: `stable` (26.05) gets no updates after 2026-12-31, in 1 day",
                ),
            ),
            (
                "2026-12-31",
                Some(
                    "note fleet.toml:5:11 release-end-of-life: `stable` (26.05) gets its last updates on 2026-12-31, today",
                ),
            ),
            (
                "2027-01-01",
                Some(
                    "warning fleet.toml:5:11 release-end-of-life: `stable` (26.05) gets no updates since 2026-12-31, 1 day ago",
                ),
            ),
        ] {
            assert_eq!(said(today), Vec::from_iter(expected), "{today}");
        }
    }
}
