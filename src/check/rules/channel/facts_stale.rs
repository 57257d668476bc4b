//! Facts of a machine that are old, or of another machine.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, quoted};
use crate::units::Date;

pub(super) static RULE: Rule = Rule {
    id: "facts-stale",
    group: Group::Channel,
    level: Level::Warning,
    allowable: true,
    needs: &["probed time"],
    summary: "the facts of the machine are old, or another machine's",
    doc: include_str!("facts_stale.md"),
    check: Check::Host(check),
};

const DAY: u64 = 86_400;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    // Without facts the rules that need them say so.
    let Some(facts) = cx.host.source.facts.as_ref() else { return };
    let name = cx.host.name;
    let again = format!("`hostwright probe {name}` takes them again");
    if let Some(said) = facts.host.as_ref().filter(|said| said.value.0 != name) {
        let message = format!("the facts of `{name}` are of {}", quoted(&said.value));
        found.report(
            Finding::at(said.place, message)
                .label("another host")
                .why("disks, interfaces and pools of one machine say nothing about another")
                .help(again.clone()),
        );
    }
    let Some(taken) = facts.taken.as_ref() else {
        found.unchecked("the facts do not say when they were taken");
        return;
    };
    let Some(day) = taken.value.get(..10).and_then(|day| day.parse::<Date>().ok()) else {
        found.unchecked(format!("the facts do not say when they were taken: {} is no time", quoted(&taken.value)));
        return;
    };
    let age = day.until(cx.today).map_or(0, |span| u64::try_from(span.get_days()).unwrap_or(0));
    let limit = &cx.fleet.fleet.file.fleet.facts_max_age;
    if age.saturating_mul(DAY) > limit.value.seconds() {
        let message = format!("the facts of `{name}` are {age} days old, and {} is the limit", limit.value);
        found.report(
            Finding::at(taken.place, message)
                .label("taken then")
                .why("what was changed in the machine since then is not checked")
                .help(again),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    #[test]
    fn facts_are_old_after_the_limit_and_not_on_its_last_day() {
        let count = |taken: &str, host: &str| {
            let facts = format!("{{ \"version\": 1, \"taken\": \"{taken}\", \"host\": \"{host}\" }}");
            let files = [("hosts/a/host.toml", ""), ("hosts/a/facts.json", facts.as_str())];
            said_of("facts-stale", &files).len()
        };
        // The day of the check is 2026-11-21; ninety days before it is 2026-08-23.
        assert_eq!(count("2026-08-23T00:00:00Z", "a"), 0);
        assert_eq!(count("2026-08-22T23:59:59Z", "a"), 1);
        assert_eq!(count("2027-01-01T00:00:00Z", "a"), 0);
        assert_eq!(count("2026-08-22T00:00:00Z", "b"), 2);
    }
}
