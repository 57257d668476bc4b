//! The ssh host keys that the machine is known by.

use std::collections::BTreeSet;

use super::outcome::{Comparison, Difference, Group};
use super::{Cx, NOT_ASKED};

const GROUP: Group = Group::Access;

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    let place = cx.host.def.access.iter().flat_map(|access| &access.host_keys).map(|key| key.place).next();
    let defined =
        cx.host.host_keys().into_iter().map(|(kind, blob)| (format!("{kind} {blob}"), place, "`[access] host-keys`"));
    let recorded = cx.recorded.host_keys.iter().map(|key| (key.clone(), None, "state/HOST/known_hosts"));
    let mut known: Vec<(String, Option<crate::source::Place>, &str)> = Vec::new();
    for (key, place, from) in defined.chain(recorded) {
        if !known.iter().any(|(other, ..)| *other == key) {
            known.push((key, place, from));
        }
    }
    let what = "ssh host keys";
    if known.is_empty() {
        out.unknown(GROUP, what, "none is defined in `[access] host-keys` or recorded in state/HOST/known_hosts");
        return;
    }
    let live = match cx.machine.live.as_ref().map(|live| &live.host_keys) {
        Some(Some(live)) if !live.is_empty() => live,
        Some(_) => return out.unknown(GROUP, what, "/etc/ssh/ssh_host_*_key.pub could not be read"),
        None => return out.unknown(GROUP, what, NOT_ASKED),
    };
    let kind = |key: &str| key.split(' ').next().unwrap_or_default().to_owned();
    let kinds: BTreeSet<String> = live.iter().map(|key| kind(key)).collect();
    for (key, place, from) in known {
        let own = kind(&key);
        let message = if kinds.contains(&own) { "the key is another one" } else { "the machine has no such key" };
        out.hold(live.contains(&key), || {
            Difference::new(GROUP, format!("host key {own}"), message)
                .defined(format!("{} of {from}", tail(&key)), place)
                .live(live.iter().find(|live| kind(live) == own).map_or_else(|| "none".to_owned(), |live| tail(live)))
                .why("it is another machine, it was installed anew, or somebody stands in between; every deployer refuses it")
                .help("find out which; write the new key down only then")
        });
    }
}

/// Returns what tells a key from others of its kind.
fn tail(key: &str) -> String {
    let from = key.char_indices().rev().nth(15).map_or(0, |(at, _)| at);
    format!("…{}", key.get(from..).unwrap_or_default())
}
