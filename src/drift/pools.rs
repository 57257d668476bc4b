//! Pools: which, how put together, how they are, and whether they keep their contract.

use std::collections::BTreeSet;

use super::machine::Pool;
use super::outcome::{Comparison, Difference, Group};
use super::{Contract, Cx, NOT_ASKED};
use crate::fleet::schema::zfs::Compatibility;
use crate::probe::{PoolState, Vdev};
use crate::resolve::{ResolvedPool, VdevClass};

const GROUP: Group = Group::Pools;

/// The property of a pool's first dataset that says which features it may have, with commas between them.
const FEATURES: &str = "hostwright:features";

/// The one that says what it has to stay importable by.
const IMPORTABLE_BY: &str = "hostwright:importable-by";

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    let recorded: Vec<&str> = recorded(cx).map(|pool| pool.name.value.0.as_str()).collect();
    if cx.host.pools.is_empty() && recorded.is_empty() {
        return;
    }
    let Some(pools) = &cx.machine.pools else {
        out.unknown(GROUP, "pools", "there is no ZFS on the machine that could tell");
        return;
    };
    // Labels on the disks do not say what is imported; where no module is loaded, nothing is.
    let is_loaded = cx.machine.zfs.as_ref().is_some_and(|zfs| zfs.module.is_some());
    if is_loaded && cx.machine.live.as_ref().is_some_and(|live| live.pools.is_none()) {
        out.unknown(GROUP, "pools", "zpool get did not tell");
        return;
    }
    let imported = |name: &str| pools.iter().find(|pool| pool.name == name && pool.imported != Some(false));
    for pool in &cx.host.pools {
        let Some(live) = imported(pool.name) else {
            absent(pool, pools, out);
            continue;
        };
        out.same();
        guid(cx, pool.name, live, out);
        health(pool.name, live, out);
        match cx.machine.live.as_ref().map(|live| live.pools.as_ref().and_then(|pools| pools.get(pool.name))) {
            Some(Some(state)) => {
                layout(cx, pool, state, out);
                properties(pool, state, out);
                writable(pool.name, state, out);
                contract(cx, pool, state, out);
            }
            Some(None) => {
                out.unknown(GROUP, format!("layout and properties of {}", pool.name), "zpool get did not tell");
            }
            None => {
                out.unknown(GROUP, format!("layout and properties of {}", pool.name), NOT_ASKED);
                features(cx, pool, live, out);
            }
        }
    }
    // Of a host that is configured elsewhere only the facts say which pools it has.
    for name in recorded.iter().filter(|name| !cx.host.pools.iter().any(|pool| pool.name == **name)) {
        if cx.is_compiled() {
            continue;
        }
        match imported(name) {
            Some(live) => {
                guid(cx, name, live, out);
                health(name, live, out);
            }
            None => out.differ(
                Difference::new(GROUP, format!("pool {name}"), "the pool is not imported")
                    .defined("imported when the facts were taken", None)
                    .live("not imported")
                    .why("what lies on it is not there")
                    .help(format!(
                        "`zpool import` shows what is in the way; `hostwright probe {}`, if it is gone for good",
                        cx.host.name
                    )),
            ),
        }
    }
    if cx.is_compiled() {
        for live in pools.iter().filter(|live| live.imported == Some(true)) {
            if !cx.host.pools.iter().any(|pool| pool.name == live.name) {
                out.note(
                    Difference::new(GROUP, format!("pool {}", live.name), "a pool that nothing defines is imported")
                        .live(live.guid.clone().unwrap_or_default())
                        .why("no scrub, no snapshot and no watch of the definition covers it"),
                );
            }
        }
    }
}

fn recorded<'a>(cx: &Cx<'a>) -> impl Iterator<Item = &'a crate::fleet::schema::facts_file::FactsPool> {
    cx.host.source.facts.iter().flat_map(|facts| facts.pools.iter().flatten())
}

fn absent(pool: &ResolvedPool<'_>, pools: &[Pool], out: &mut Comparison) {
    let seen = pools.iter().find(|live| live.name == pool.name);
    if !pool.is_imported_at_boot() {
        out.note(
            Difference::new(
                GROUP,
                format!("pool {}", pool.name),
                "the pool is not imported, and is not to be by itself",
            )
            .defined("import = \"manual\"", pool.def.key)
            .live(if seen.is_some() { "on the disks" } else { "not seen" }),
        );
        return;
    }
    let health = seen.and_then(|live| live.health.as_deref()).unwrap_or("not seen");
    out.differ(
        Difference::new(GROUP, format!("pool {}", pool.name), "the pool is not imported")
            .defined("imported at boot", pool.def.key)
            .live(if seen.is_some() { format!("on the disks, {health}") } else { "not there".to_owned() })
            .why("everything that lies on it is missing, and services may have begun over empty directories")
            .help(format!("`zpool import` says what is in the way; `zpool import {}` when nothing is", pool.name)),
    );
}

fn guid(cx: &Cx<'_>, name: &str, live: &Pool, out: &mut Comparison) {
    let said = recorded(cx).find(|pool| *pool.name.value == *name).and_then(|pool| pool.guid.as_ref());
    let Some(said) = said else {
        out.unknown(GROUP, format!("guid of {name}"), "facts.json of the host does not say which pool it is");
        return;
    };
    let Some(guid) = &live.guid else {
        out.unknown(GROUP, format!("guid of {name}"), "the machine did not tell");
        return;
    };
    out.hold(*said.value == **guid, || {
        Difference::new(GROUP, format!("pool {name}"), "it is another pool of the same name")
            .defined(format!("guid {}", &*said.value), said.place)
            .live(format!("guid {guid}"))
            .why("the pool was made anew since the facts were taken: what was on it is only in the backup")
            .help(format!("`hostwright probe {}`, if that was meant", cx.host.name))
    });
}

fn health(name: &str, live: &Pool, out: &mut Comparison) {
    match &live.health {
        Some(health) => out.hold(health == "ONLINE", || {
            Difference::new(GROUP, format!("pool {name}"), format!("the pool is {health}"))
                .defined("ONLINE", None)
                .live(health.as_str())
                .why("it runs without its redundancy, or not at all: the next failure loses data")
                .help(format!("`zpool status -x {name}` names the device; `zpool replace {name} OLD NEW`"))
        }),
        None => out.unknown(GROUP, format!("health of {name}"), "the machine did not tell"),
    }
}

fn writable(name: &str, state: &PoolState, out: &mut Comparison) {
    let value = |property: &str| state.properties.get(property).map(String::as_str);
    if let Some(readonly) = value("readonly") {
        out.hold(readonly == "off", || {
            Difference::new(GROUP, format!("pool {name}"), "the pool is read-only")
                .defined("written to", None)
                .live(format!("readonly={readonly}"))
                .why("nothing is saved; an older ZFS imports pools so whose features it does not know")
                .help("`zpool status` says why")
        });
    }
    if let Some(checkpoint) = value("checkpoint") {
        out.hold(checkpoint == "-", || {
            Difference::new(GROUP, format!("pool {name}"), "the pool has a checkpoint")
                .defined("none", None)
                .live(format!("{checkpoint} bytes"))
                .why("it keeps all that is deleted, and no device can be removed or replaced by one of another size")
                .help(format!("`zpool checkpoint -d {name}`, once nobody wants to go back to it"))
        });
    }
}

/// A vdev as text that equals where the vdevs do.
fn form(class: &str, kind: &str, mut members: Vec<String>) -> String {
    members.sort();
    let class = if class == "data" { String::new() } else { format!("{class} ") };
    format!("{class}{kind} of {}", members.join(", "))
}

fn layout(cx: &Cx<'_>, pool: &ResolvedPool<'_>, state: &PoolState, out: &mut Comparison) {
    let subject = || format!("layout of {}", pool.name);
    let Some(layout) = &state.layout else {
        out.unknown(GROUP, subject(), "zpool status did not tell");
        return;
    };
    let mut defined = BTreeSet::new();
    // A member that is gone is told by its disk; here it goes by the name that the pool knows it by.
    let real = |device: &str| cx.machine.real(device).unwrap_or_else(|| device.to_owned());
    for vdev in &pool.vdevs {
        let class = match vdev.class {
            VdevClass::Data => "data",
            other => other.word().unwrap_or("data"),
        };
        let members = vdev.members.iter().map(|member| real(&member.device));
        match vdev.def.word() {
            Some(kind) => drop(defined.insert(form(class, &kind, members.collect()))),
            None => defined.extend(members.map(|member| form(class, "disk", vec![member]))),
        }
    }
    for (class, members) in [("cache", &pool.cache), ("spare", &pool.spares)] {
        defined.extend(members.iter().map(|member| form(class, "disk", vec![real(&member.device)])));
    }
    let of_live = |vdev: &Vdev| {
        let members = vdev.members.iter().map(|member| real(&member.path)).collect();
        form(&vdev.class, &vdev.kind, members)
    };
    let live: BTreeSet<String> = layout.iter().map(of_live).collect();
    out.hold(defined == live, || {
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            let parts: Vec<&str> = one.difference(other).map(String::as_str).collect();
            if parts.is_empty() { "nothing more".to_owned() } else { parts.join("; ") }
        };
        Difference::new(GROUP, format!("pool {}", pool.name), "the pool is put together in another way")
            .defined(only(&defined, &live), pool.def.key)
            .live(only(&live, &defined))
            .why(
                "what the definition says of redundancy and space does not hold, and `recover` would make another pool",
            )
            .help("define what is there, if it was changed on purpose")
            .help(format!("`zpool status {}`; `zpool replace`, `attach` or `remove`, if it was not", pool.name))
    });
    for member in layout.iter().flat_map(|vdev| &vdev.members) {
        if !matches!(member.state.as_str(), "ONLINE" | "AVAIL" | "INUSE") {
            out.differ(
                Difference::new(GROUP, format!("pool {}", pool.name), format!("a member is {}", member.state))
                    .defined("ONLINE", None)
                    .live(format!("{}: {}", member.path, member.state))
                    .why("the pool has lost redundancy, or is about to")
                    .help(format!(
                        "`zpool status -v {}` counts its errors; `zpool replace {0} {}`",
                        pool.name, member.path
                    )),
            );
        }
    }
}

fn properties(pool: &ResolvedPool<'_>, state: &PoolState, out: &mut Comparison) {
    for (name, value) in pool.def.properties.iter().filter(|(name, _)| *name != "compatibility") {
        let wanted = value.as_str();
        match state.properties.get(name) {
            Some(live) => out.hold(super::datasets::is_value(name, wanted, live), || {
                Difference::new(GROUP, format!("pool {}", pool.name), format!("the property {name} has another value"))
                    .defined(format!("{name}={wanted}"), value.value.place)
                    .live(format!("{name}={live}"))
                    .why("a property of a pool is set when it is made, and nothing sets it again")
                    .help(format!("`zpool set {name}={wanted} {}`, where ZFS lets it be changed", pool.name))
                    .help("define what is there")
            }),
            None => out.unknown(GROUP, format!("{name} of {}", pool.name), "this ZFS has no such property"),
        }
    }
}

/// Returns what a pool may have by what was recorded when it was made, else by its definition, and whose word it is.
fn allowed(cx: &Cx<'_>, pool: &ResolvedPool<'_>) -> Option<(Contract, bool)> {
    let root = cx.machine.live.as_ref().and_then(|live| live.datasets.as_ref()?.get(pool.name));
    let said = |property: &str| {
        root.and_then(|root| root.get(property))
            .map(|(value, _)| value.as_str())
            .filter(|value| !matches!(*value, "-" | ""))
    };
    if let Some(features) = said(FEATURES) {
        let features = features.split(',').map(str::to_owned).collect();
        return Some((Contract { set: said(IMPORTABLE_BY).map(str::to_owned), features }, true));
    }
    let defined = cx.recorded.contracts.get(pool.name).filter(|contract| !contract.features.is_empty())?;
    Some((defined.clone(), false))
}

fn contract(cx: &Cx<'_>, pool: &ResolvedPool<'_>, state: &PoolState, out: &mut Comparison) {
    let Some((contract, recorded)) = allowed(cx, pool) else {
        out.unknown(GROUP, format!("contract of {}", pool.name), "nothing limits what the pool may have");
        return;
    };
    let with =
        state.properties.iter().filter_map(|(name, value)| Some((name.strip_prefix("feature@")?, value.as_str())));
    broken(pool, &contract, recorded, with, out);
    let set = contract.set.as_deref().unwrap_or("off");
    let is_fixed = recorded || matches!(pool.def.compatibility.value, Compatibility::Set(_));
    if let Some(live) = state.properties.get("compatibility").filter(|_| is_fixed) {
        out.hold(live == set, || {
            Difference::new(GROUP, format!("pool {}", pool.name), "`compatibility` was changed")
                .defined(format!("compatibility={set}"), pool.def.compatibility.place)
                .live(format!("compatibility={live}"))
                .why("the next `zpool upgrade` enables what the systems in the boot menu cannot import")
                .help(format!("`zpool set compatibility={set} {}`", pool.name))
        });
    }
}

/// The features alone, where nothing else is known.
fn features(cx: &Cx<'_>, pool: &ResolvedPool<'_>, live: &Pool, out: &mut Comparison) {
    let (Some((contract, recorded)), Some(features)) = (allowed(cx, pool), &live.features) else {
        out.unknown(
            GROUP,
            format!("contract of {}", pool.name),
            "nothing limits what the pool may have, or it did not tell its features",
        );
        return;
    };
    let with = features.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    broken(pool, &contract, recorded, with, out);
}

fn broken<'a>(
    pool: &ResolvedPool<'_>,
    contract: &Contract,
    recorded: bool,
    features: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut Comparison,
) {
    let beyond = |(name, _): &(&str, &str)| !contract.features.iter().any(|known| known == name);
    let (mut active, mut enabled) = (Vec::new(), Vec::new());
    for (name, state) in features.filter(beyond) {
        match state {
            "active" => active.push(name),
            "enabled" => enabled.push(name),
            _ => {}
        }
    }
    let set = contract.set.as_deref().unwrap_or("its features");
    let word = if recorded { "recorded when the pool was made" } else { "by the definition" };
    let make = |message: &str, features: &[&str]| {
        Difference::new(GROUP, format!("pool {}", pool.name), message)
            .defined(format!("importable by {set}, {word}"), pool.def.compatibility.place)
            .live(features.join(", "))
    };
    if active.is_empty() && enabled.is_empty() {
        out.same();
    }
    if !active.is_empty() {
        out.differ(
            make("the contract of the pool is broken: features are active that it must not have", &active)
                .why("a system that does not know them imports the pool read-only or not at all: the way back may be closed")
                .help("keep every system that may boot at an OpenZFS that knows them: generations in the menu, rescue system, installer")
                .help("then write the new contract down (docs/zfs.md): a pool that is upgraded does not go back"),
        );
    }
    if !enabled.is_empty() {
        out.differ(
            make("features are enabled that the pool must not have", &enabled)
                .why("somebody ran `zpool upgrade`; the next write may make them active, and the way back is closed then")
                .help("a feature that is enabled cannot be disabled: make the pool anew from its backup, or raise its contract (docs/zfs.md)"),
        );
    }
}
