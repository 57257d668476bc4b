//! Datasets with the properties that the definition gives them.

use std::collections::BTreeSet;

use super::outcome::{Comparison, Difference, Group};
use super::{Cx, NOT_ASKED};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::zfs::Dataset as Definition;
use crate::probe::Dataset;
use crate::resolve::ResolvedPool;
use crate::source::Place;
use crate::units::{Size, Version};

const GROUP: Group = Group::Datasets;

/// How many names a note lists.
const LISTED: usize = 8;

/// A property with its value as defined, and where.
type Wanted = (String, String, Place);

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    if cx.host.pools.is_empty() {
        return;
    }
    let Some(live) = &cx.machine.live else {
        out.unknown(GROUP, "datasets", NOT_ASKED);
        return;
    };
    let Some(datasets) = &live.datasets else {
        out.unknown(GROUP, "datasets", "zfs get did not tell");
        return;
    };
    for pool in &cx.host.pools {
        // Of a pool that is not imported nothing can be said; that it is not is a difference of its own.
        let Some(root) = datasets.get(pool.name) else {
            out.unknown(GROUP, format!("datasets of {}", pool.name), "the pool is not imported");
            continue;
        };
        let of_root = pool.def.root_properties.iter();
        let wanted = of_root.map(|(name, value)| (name.clone(), value.as_str().to_owned(), value.value.place));
        properties(cx, pool.name, &wanted.collect::<Vec<_>>(), root, out);
        for (name, def) in pool.def.datasets.iter() {
            let whole = format!("{}/{name}", pool.name);
            match datasets.get(&whole) {
                Some(live) => {
                    out.same();
                    properties(cx, &whole, &defined(cx, &whole, &def.value, def.key), live, out);
                }
                None => out.differ(
                    Difference::new(GROUP, whole.as_str(), "the dataset is not there")
                        .defined(name.as_str(), def.key)
                        .live("no such dataset")
                        .why("what should lie in it lies in the dataset above, without its quota, snapshots and backup")
                        .help(format!("`zfs create` it as in install/pools.sh of {}, and move the files", cx.host.name))
                        .help("take it out of the definition, if it is gone on purpose"),
                ),
            }
        }
        strangers(pool, datasets.keys(), out);
    }
}

/// Returns what a dataset is given when it is made.
fn defined(cx: &Cx<'_>, whole: &str, def: &Definition, key: Place) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut set = |name: &str, value: String, place: Place| wanted.push((name.to_owned(), value, place));
    if let Some(mount) = &def.mount {
        set("mountpoint", "legacy".to_owned(), mount.place);
    } else if let Some(mountpoint) = &def.mountpoint {
        set("mountpoint", mountpoint.path().unwrap_or("none").to_owned(), mountpoint.place);
    }
    if let Some(can) = &def.can_mount {
        set("canmount", can.value.word().to_owned(), can.place);
    }
    let sizes = [
        ("quota", &def.quota),
        ("refquota", &def.refquota),
        ("reservation", &def.reservation),
        ("refreservation", &def.refreservation),
    ];
    for (name, size) in sizes {
        if let Some(size) = size {
            set(name, size.bytes().to_string(), size.place);
        }
    }
    if let Some(bytes) = cx.host.size_of_state(whole) {
        set("quota", bytes.to_string(), key);
    }
    if let Some(size) = &def.volume {
        set("volsize", (size.bytes().div_ceil(1 << 20) << 20).to_string(), size.place);
    }
    if let Some(encryption) = &def.encryption {
        set("keyformat", encryption.key_format.value.word().to_owned(), encryption.key_format.place);
        set("keylocation", encryption.key_location.value.to_string(), encryption.key_location.place);
    }
    for (name, value) in def.properties.iter() {
        set(name, value.as_str().to_owned(), value.value.place);
    }
    wanted
}

/// The release since which `xattr=sa` is shown as `on`, whose meaning it became.
const SA_IS_ON: &str = "2.3";

fn properties(cx: &Cx<'_>, dataset: &str, wanted: &[Wanted], live: &Dataset, out: &mut Comparison) {
    let module = cx.machine.zfs.as_ref().and_then(|zfs| zfs.module.as_deref()?.parse::<Version>().ok());
    let sa_is_on = module.zip(SA_IS_ON.parse().ok()).is_some_and(|(module, since): (Version, Version)| module >= since);
    for (name, value, place) in wanted {
        let Some((found, source)) = live.get(name) else {
            out.unknown(GROUP, format!("{name} of {dataset}"), "this ZFS did not tell the property");
            continue;
        };
        let is_xattr = name == "xattr" && value == "sa" && found == "on";
        if is_xattr && module.is_none() {
            out.unknown(
                GROUP,
                format!("{name} of {dataset}"),
                "what `on` means depends on the module of ZFS, which did not tell its version",
            );
            continue;
        }
        let same_xattr = is_xattr && sa_is_on;
        if same_xattr || is_value(name, value, found) {
            out.same();
            continue;
        }
        let shown = |text: &str| match text.parse::<u64>() {
            Ok(bytes) if bytes >= 1024 => Size::human(bytes),
            _ => text.to_owned(),
        };
        let from =
            if source.starts_with("inherited") || source == "default" { format!(" ({source})") } else { String::new() };
        let why = match name.as_str() {
            "mountpoint" | "canmount" => {
                "it is mounted elsewhere or not at all: what is written to its place lands in another dataset"
            }
            "quota" | "refquota" => "it may fill the pool, or be full before it should",
            "reservation" | "refreservation" => "the space that it was promised is not kept",
            _ => "properties are set when a dataset is made, and nothing sets them again",
        };
        out.differ(
            Difference::new(GROUP, dataset, format!("the property {name} has another value"))
                .defined(format!("{name}={}", shown(value)), *place)
                .live(format!("{name}={}{from}", shown(found)))
                .why(why)
                .help(format!("`zfs set {name}={value} {dataset}`"))
                .help("define what is there, if it was changed on purpose"),
        );
    }
}

/// Tells whether a value that `get -p` prints is the one that was set.
pub(super) fn is_value(property: &str, wanted: &str, live: &str) -> bool {
    if wanted == live {
        return true;
    }
    let alias = |value: &str| -> String {
        match (property, value) {
            // OpenZFS 2 shows the shorter of the two names.
            ("acltype", "posixacl") => "posix".to_owned(),
            ("acltype", "noacl") => "off".to_owned(),
            ("encryption", "on") => "aes-256-gcm".to_owned(),
            (_, "none") if property.ends_with("quota") || property.ends_with("reservation") => "0".to_owned(),
            (_, other) => bytes(other).map_or_else(|| other.to_owned(), |bytes| bytes.to_string()),
        }
    };
    alias(wanted) == alias(live)
}

/// Reads a size as `zfs set` takes it: `131072`, `128K`, `1M`, `2T`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?.to_ascii_lowercase();
    let unit = unit.trim_end_matches('b').trim_end_matches('i');
    let shift = ["", "k", "m", "g", "t", "p"].iter().position(|known| *known == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(1u64.checked_shl(u32::try_from(shift).ok()? * 10)?)
}

/// Notes the datasets that nothing defines; those above or below defined ones, and the one that keeps space back, are known.
fn strangers<'a>(pool: &ResolvedPool<'_>, names: impl Iterator<Item = &'a String>, out: &mut Comparison) {
    let prefix = format!("{}/", pool.name);
    let defined: BTreeSet<&str> = pool.def.datasets.keys().map(String::as_str).collect();
    let is_known = |name: &str| {
        let above = |known: &&str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
        name == "reserved" || defined.contains(name) || defined.iter().any(above)
    };
    let all: Vec<&str> = names.filter_map(|name| name.strip_prefix(&prefix)).filter(|name| !is_known(name)).collect();
    if all.is_empty() {
        return;
    }
    let listed: Vec<&str> = all.iter().copied().take(LISTED).collect();
    let more = if all.len() > LISTED { format!(" and {} more", all.len() - LISTED) } else { String::new() };
    let what = if all.len() == 1 {
        "a dataset that nothing defines".to_owned()
    } else {
        format!("{} datasets that nothing defines", all.len())
    };
    out.note(
        Difference::new(GROUP, pool.name, what)
            .live(format!("{}{more}", listed.join(", ")))
            .why("no snapshot and no backup of the definition covers them, and `recover` would not make them"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_equal_whatever_way_they_are_written() {
        for (property, wanted, live) in [
            ("acltype", "posixacl", "posix"),
            ("recordsize", "1M", "1048576"),
            ("recordsize", "128k", "131072"),
            ("quota", "none", "0"),
            ("ashift", "12", "12"),
            ("encryption", "on", "aes-256-gcm"),
        ] {
            assert!(is_value(property, wanted, live), "{property} {wanted} {live}");
        }
        for (property, wanted, live) in [("quota", "1G", "0"), ("compression", "zstd", "lz4"), ("atime", "off", "on")] {
            assert!(!is_value(property, wanted, live), "{property} {wanted} {live}");
        }
    }
}
