//! A channel in use that names no exact nixpkgs.

use crate::check::channels::{UsedChannel, used};
use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::fleet::pin::{fault_of_hash, fault_of_rev};
use crate::source::{Level, Spanned, quoted};

pub(super) static RULE: Rule = Rule {
    id: "channel-unpinned",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a channel in use has no `rev` or `hash`, or one that cannot be right",
    doc: include_str!("channel_unpinned.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for channel in used(cx) {
        let (rev, hash) = (&channel.channel.rev, &channel.channel.hash);
        // A lock that does not say both is reported where it is read.
        let is_locked = channel.channel.lock.is_some();
        let missing: Vec<&str> = [("`rev`", rev.is_none()), ("`hash`", hash.is_none())]
            .iter()
            .filter(|(_, none)| *none)
            .map(|(key, _)| *key)
            .collect();
        if !missing.is_empty() && !is_locked {
            let message = format!("`{}` has no {}", channel.name, missing.join(" and no "));
            let finding = Finding::at(channel.channel.key, message).label(format!("used by {}", channel.users()));
            found.report(ways_out(finding, &channel));
        }
        if let Some((rev, (label, wanted))) = rev.as_ref().and_then(|rev| Some((rev, fault_of_rev(rev)?))) {
            found.report(malformed(&channel, "rev", rev, label).help(wanted));
        }
        if let Some((hash, (label, wanted))) = hash.as_ref().and_then(|hash| Some((hash, fault_of_hash(hash)?))) {
            found.report(malformed(&channel, "hash", hash, label).help(wanted));
        }
    }
}

fn malformed(channel: &UsedChannel<'_>, key: &str, value: &Spanned<String>, label: &str) -> Finding {
    let message = format!("the `{key}` of `{}` cannot be {}", channel.name, quoted(value));
    ways_out(Finding::at(value.place, message).label(label), channel)
}

fn ways_out(finding: Finding, channel: &UsedChannel<'_>) -> Finding {
    finding
        .why("without an exact nixpkgs nobody can say which kernel and which ZFS will boot next")
        .help(format!("`hostwright pin {}` writes rev, hash and date", channel.name))
}
