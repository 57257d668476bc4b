//! `zfs.json` -> `zfs.bin`. The layout stands in [`crate::facts::zfs`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::TableKind;
use super::writer::{Put as _, Writer, to_u32};
use crate::facts::zfs::{IMMEDIATE, IN_PRACTICE, NEVER_RETURNS, NOT_BY_UPGRADE, PER_DATASET, READ_ONLY_COMPATIBLE};
use crate::units::Version;

/// The most features a table holds: a set of features is the bits of a `u128`.
const MOST: usize = 128;

pub(super) fn pack(source: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer::default();
    let mut features: Vec<&Value> = list(source, "features")?.iter().collect();
    features.sort_by_key(|feature| feature["name"].as_str().unwrap_or_default());
    if features.len() > MOST {
        return Err(format!("{} features, {MOST} at most", features.len()));
    }
    let numbers: BTreeMap<&str, u32> =
        features.iter().zip(0..).filter_map(|(feature, number)| Some((feature["name"].as_str()?, number))).collect();
    let mask = |names: &Value| -> Result<u128, String> {
        let mut mask = 0;
        for name in names.as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            mask |= 1u128 << numbers.get(name).ok_or_else(|| format!("no such feature: {name}"))?;
        }
        Ok(mask)
    };

    let mut section = Vec::new();
    for feature in &features {
        let flag = |key: &str, bit: u32| if feature[key].as_bool() == Some(true) { bit } else { 0 };
        let flags = flag("read_only_compatible", READ_ONLY_COMPATIBLE)
            | flag("in_practice_at_creation", IN_PRACTICE)
            | flag("never_returns_to_enabled", NEVER_RETURNS)
            | flag("not_enabled_by_zpool_upgrade", NOT_BY_UPGRADE)
            | flag("per_dataset", PER_DATASET)
            | if feature["activation"] == "immediate" { IMMEDIATE } else { 0 };
        for key in ["name", "guid", "description", "first_release", "becomes_active"] {
            section.u32(writer.maybe(feature[key].as_str()));
        }
        section.u32(flags).extend(mask(&feature["depends_on"])?.to_le_bytes());
    }
    writer.section(section);

    let mut lines: Vec<(&String, &Value)> = table(source, "release_lines")?.collect();
    lines.sort_by_key(|(name, _)| name.parse::<Version>().ok());
    let (mut section, mut points) = (Vec::new(), Vec::new());
    let mut first = 0;
    for (name, line) in lines {
        let releases = list(line, "releases")?;
        section.u32(writer.text(name)).u32(first).u32(to_u32(releases.len())).u32(0);
        section.extend(mask(&line["features"])?.to_le_bytes());
        first += to_u32(releases.len());
        for release in releases {
            for key in ["version", "date", "linux_min", "linux_max"] {
                points.u32(writer.maybe(release[key].as_str()));
            }
        }
    }
    writer.section(section);
    writer.section(points);

    let sets: BTreeMap<&String, &Value> = table(source, "compatibility_sets")?.collect();
    let links: BTreeMap<&String, &Value> = table(source, "compatibility_links")?.collect();
    let mut names: Vec<&String> = sets.keys().chain(links.keys()).copied().collect();
    names.sort();
    let mut section = Vec::new();
    for name in names {
        // A link may point to a link; a chain longer than the table is a circle.
        let mut target = name;
        for _ in 0..=links.len() {
            target = match links.get(target) {
                Some(Value::String(next)) => next,
                _ => target,
            };
        }
        let features = sets.get(target).ok_or_else(|| format!("compatibility set {name} leads nowhere"))?;
        section.u32(writer.text(name)).u32(writer.text(target)).u32(0).u32(0);
        section.extend(mask(features)?.to_le_bytes());
    }
    writer.section(section);

    let mut section = Vec::new();
    for (version, grub) in table(source, "grub")?.filter(|(_, grub)| grub.get("features").is_some()) {
        section.u32(writer.text(version)).u32(writer.maybe(grub["set"].as_str()));
        section.u32(writer.maybe(grub["note"].as_str())).u32(0);
        section.extend(mask(&grub["features"])?.to_le_bytes());
    }
    writer.section(section);
    Ok(writer.finish(TableKind::Zfs))
}

pub(super) fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value.get(key).and_then(Value::as_array).ok_or_else(|| format!("`{key}` is no list"))
}

pub(super) fn table<'a>(value: &'a Value, key: &str) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, String> {
    value.get(key).and_then(Value::as_object).map(|map| map.iter()).ok_or_else(|| format!("`{key}` is no table"))
}
