//! Time limits of the reboot test that contradict each other.
//!
//! Known here are the limits that are written. How long the machine takes to boot is not: the baseline boot measures it.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Setting;
use crate::fleet::schema::deploy::RebootTestTable;
use crate::source::{Level, Place};
use crate::units::TimeSpan;

pub(super) static RULE: Rule = Rule {
    id: "reboot-test-times",
    group: Group::Deploy,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "time limits of the reboot test contradict each other",
    doc: include_str!("reboot_test_times.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(test) = cx.host.reboot_test() else { return };
    stage_one(test, found);
    unlock(cx, test, found);
    dead_man(test, found);
    watch(test, found);
}

/// Stage 1 has a dead-man of its own: a hang there is seen by nobody else.
fn stage_one(test: &RebootTestTable, found: &mut Findings) {
    let stage = &test.initrd_give_up_after;
    if stage.seconds() == 0 {
        let finding = Finding::at(stage.place, "`initrd-give-up-after` cannot be nothing")
            .why("a pool that is not found or a key that nobody enters would hang stage 1 for ever")
            .help("write how long stage 1 may take, unlocking included, such as `\"5min\"`");
        found.report(finding);
    }
}

/// Seconds in which a person who waits for the prompt has entered a key, and in which a hook of the deployer has.
const PERSON: u64 = 180;
const HOOK: u64 = 60;

/// Stage 1 waits for whoever opens the disks.
fn unlock(cx: &HostCx<'_>, test: &RebootTestTable, found: &mut Findings) {
    let (unlock, stage) = (&cx.host.def.boot.unlock, &test.initrd_give_up_after);
    if !unlock.written || !unlock.value.is_interactive() || stage.seconds() == 0 {
        return;
    }
    let hook = cx.host.def.machine.hooks.as_ref().is_some_and(|hooks| hooks.unlock.is_some());
    let (who, needs) = if hook { ("the hook `unlock`", HOOK) } else { ("a person", PERSON) };
    if stage.seconds() < needs {
        let message = format!("`initrd-give-up-after` is {}, and {who} opens the disks in that time", human(stage));
        found.report(
            Finding::at(stage.place, message)
                .related(unlock.place, "the disks open by hand")
                .why("stage 1 would reset the machine before the key is entered, and every candidate would fail")
                .help(format!("`initrd-give-up-after` of {} or more", TimeSpan::human(needs))),
        );
    }
}

/// The dead-man of the whole boot.
fn dead_man(test: &RebootTestTable, found: &mut Findings) {
    let (stage, all, settle) = (&test.initrd_give_up_after, &test.give_up_after, &test.settle);
    if all.seconds() <= stage.seconds() {
        let message = format!("`give-up-after` is {}, and stage 1 alone may take {}", human(all), human(stage));
        found.report(
            Finding::at(place(all, stage), message)
                .why("the machine would reset itself while it still boots, and a good candidate would fail")
                .help(format!("`give-up-after` above {}: twice the time of a boot up to ssh, or 10 min", human(stage)))
                .help("a shorter `initrd-give-up-after`"),
        );
    } else if all.seconds() <= settle.seconds() {
        let message = format!(
            "`give-up-after` is {}, and the host is judged after {} at the earliest",
            human(all),
            human(settle)
        );
        found.report(
            Finding::at(place(all, settle), message)
                .why("the machine would reset itself before it can be confirmed, and a good candidate would fail")
                .help(format!("`give-up-after` above {}: twice the time of a boot up to ssh, or 10 min", human(settle)))
                .help("a shorter `settle`"),
        );
    }
}

/// The verdict against the times that are known.
fn watch(test: &RebootTestTable, found: &mut Findings) {
    let (limit, all) = (&test.max_downtime, &test.give_up_after);
    let Some(post) = &test.post_time else {
        if limit.seconds() == 0 {
            found.report(too_short(limit, "and every reboot takes longer than nothing"));
        } else if limit.seconds() >= all.seconds() && (limit.written || all.written) {
            found.unchecked(
                "`post-time` is not stated, and `max-downtime` must be below it and `give-up-after` together",
            );
        }
        return;
    };
    if limit.seconds() <= post.seconds() {
        let finding =
            too_short(limit, &format!("and firmware and loader alone take {}", TimeSpan::human(post.seconds())));
        found.report(finding.related(post.place, "stated here"));
    } else if limit.seconds() >= post.seconds().saturating_add(all.seconds()) {
        let sum = TimeSpan::human(post.seconds().saturating_add(all.seconds()));
        let message = format!("`max-downtime` is {}, and the machine resets itself after {sum}", human(limit));
        found.report(
            Finding::at(place(limit, all), message)
                .label(format!("not below {} and {}", TimeSpan::human(post.seconds()), human(all)))
                .related(post.place, "firmware and loader take this long")
                .why(
                    "an unconfirmed trial is gone before its verdict is due, so the test could not tell what it judges",
                )
                .help(format!("`max-downtime` below {sum}"))
                .help("a longer `give-up-after`"),
        );
    }
}

fn too_short(limit: &Setting<TimeSpan>, than: &str) -> Finding {
    Finding::at(limit.place, format!("`max-downtime` is {}, {than}", human(limit)))
        .why("the watch would end before the host can return, and every candidate would fail")
        .help("`max-downtime` of firmware, loader and boot together, with room to spare, such as `\"10min\"`")
}

fn human(span: &TimeSpan) -> String {
    TimeSpan::human(span.seconds())
}

/// Returns the place of the first of two settings unless only the second is written.
fn place(first: &Setting<TimeSpan>, second: &Setting<TimeSpan>) -> Place {
    if !first.written && second.written { second.place } else { first.place }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::reported;

    #[test]
    fn stage_1_outlives_whoever_opens_the_disks() {
        let hook = "machine.hooks = { unlock = 'unlock-a' }\n";
        for (head, limit, findings) in [
            ("", "1min", 0),
            ("boot.unlock = 'console'\n", "1min", 1),
            ("boot.unlock = 'console'\n", "3min", 0),
            ("boot.unlock = 'ssh'\n", "2min", 1),
            ("boot.unlock = 'tpm2'\n", "30s", 0),
        ] {
            let host = format!("{head}[deploy.reboot-test]\ninitrd-give-up-after = '{limit}'\n");
            let of = |host: &str| crate::check::sample::said("reboot-test-times", host).len();
            assert_eq!(of(&host), findings, "{host}");
            if head.contains("ssh") {
                assert_eq!(of(&format!("{hook}{host}")), 0, "a hook is faster than a person");
            }
        }
    }

    #[test]
    fn limits_in_the_wrong_order_are_reported_at_the_one_that_is_written() {
        for (lines, expected) in [
            ("times = 2", &[][..]),
            ("initrd-give-up-after = '10min'", &["error 2:24"]),
            ("give-up-after = '5min'", &["error 2:17", "unchecked"]),
            ("give-up-after = '5min'\ninitrd-give-up-after = '4min'", &["unchecked"]),
            ("settle = '15min'", &["error 2:10"]),
            ("initrd-give-up-after = '0s'", &["error 2:24"]),
            ("max-downtime = '0s'", &["error 2:16"]),
            ("max-downtime = '20min'", &["unchecked"]),
            ("max-downtime = '9min'", &[]),
            ("post-time = '2min'\nmax-downtime = '2min'", &["error 3:16"]),
            ("post-time = '2min'\nmax-downtime = '12min'", &["error 3:16"]),
            ("post-time = '2min'\nmax-downtime = '11min'", &[]),
            ("post-time = '2min'", &[]),
        ] {
            let found = reported(&[("hosts/a/host.toml", &format!("[deploy.reboot-test]\n{lines}\n"))], &[]);
            let places: Vec<&str> = found
                .iter()
                .filter(|line| line.contains("reboot-test-times"))
                .filter_map(|line| line.split(" reboot-test-times").next())
                .collect();
            let places: Vec<String> = places.iter().map(|place| place.replace("hosts/a/host.toml:", "")).collect();
            assert_eq!(places, expected, "{lines}\n{found:#?}");
        }
    }
}
