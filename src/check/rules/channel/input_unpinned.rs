//! A further source that names no exact tree.

use crate::check::rule::{Check, Finding, Findings, FleetCx, Group, Rule};
use crate::fleet::pin::{fault_of_hash, fault_of_rev};
use crate::fleet::scalar::SourceUrl;
use crate::source::{Level, Place, Spanned, quoted};

pub(super) static RULE: Rule = Rule {
    id: "input-unpinned",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a further source has no `rev` or `hash`, or one that cannot be right",
    doc: include_str!("input_unpinned.md"),
    check: Check::Fleet(check),
};

fn check(cx: &FleetCx<'_>, found: &mut Findings) {
    for (name, input) in cx.fleet.fleet.file.inputs.iter() {
        // An archive has no commit: its hash alone says what it holds.
        let has_commits = matches!(input.url.value, SourceUrl::Forge { .. });
        let wanted = [("rev", &input.rev, has_commits), ("hash", &input.hash, true)];
        let missing: Vec<String> = wanted
            .iter()
            .filter(|(_, written, wanted)| *wanted && written.is_none())
            .map(|(key, ..)| format!("`{key}`"))
            .collect();
        if !missing.is_empty() {
            let message = format!("the input `{name}` has no {}", missing.join(" and no "));
            found.report(ways_out(input.key, message, "not pinned"));
        }
        if let Some(rev) = &input.rev {
            if !has_commits {
                let message = format!("the input `{name}` is an archive, which has no `rev`");
                let finding = Finding::at(rev.place, message).label("no commit is looked up for it");
                found.report(finding.help("leave `rev` out: `hash` alone says what the archive holds"));
            } else if let Some((label, wanted)) = fault_of_rev(rev) {
                found.report(malformed(name, "rev", rev, label).help(wanted));
            }
        }
        if let Some((hash, (label, wanted))) = input.hash.as_ref().and_then(|hash| Some((hash, fault_of_hash(hash)?))) {
            found.report(malformed(name, "hash", hash, label).help(wanted));
        }
    }
}

fn malformed(name: &str, key: &str, value: &Spanned<String>, label: &str) -> Finding {
    ways_out(value.place, format!("the `{key}` of the input `{name}` cannot be {}", quoted(value)), label)
}

fn ways_out(place: Place, message: String, label: &str) -> Finding {
    Finding::at(place, message)
        .label(label)
        .why("its modules become part of every host, so what it is today must be what it is tomorrow")
        .help("write the commit and the `narHash` that `nix flake metadata --json URL` or a flake.lock names")
}
