//! `packages.json` -> `packages.bin`. The layout stands in [`crate::facts::packages`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::TableKind;
use super::writer::{Put as _, Writer, to_u32};
use super::zfs::{list, table};
use crate::facts::packages::{NOTES, REMOVED, UNKNOWN, VERSION};

/// Release, kind, version and source of one fact.
type Entry<'a> = (&'a str, u32, Option<&'a str>, Option<&'a str>);

pub(super) fn pack(source: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer::default();
    let mut columns = Vec::new();
    for release in list(source, "releases")? {
        let release = release.as_str().ok_or("`releases` holds names")?;
        columns.u32(writer.text(release)).u32(writer.maybe(source["bases"].get(release).and_then(Value::as_str)));
    }
    writer.section(columns);

    let mut packages: BTreeMap<&str, Vec<Entry<'_>>> = BTreeMap::new();
    for (name, versions) in table(source, "packages")? {
        let entries = packages.entry(name).or_default();
        for (release, fact) in versions.as_object().into_iter().flatten() {
            entries.push(match fact {
                Value::String(version) => (release, VERSION, Some(version), None),
                fact if fact["removed"] == true => (release, REMOVED, None, None),
                fact if fact["unknown"] == true => (release, UNKNOWN, None, None),
                _ => return Err(format!("{name} in {release} is neither a version nor a known state")),
            });
        }
    }
    for name in list(source, "in_no_tree")? {
        packages.entry(name.as_str().ok_or("`in_no_tree` holds names")?).or_default();
    }
    for (name, versions) in table(source, "from_release_notes")? {
        for (release, fact) in versions.as_object().into_iter().flatten() {
            let entry = (release.as_str(), NOTES, fact["v"].as_str(), fact["source"].as_str());
            packages.entry(name).or_default().push(entry);
        }
    }
    let (mut names, mut entries) = (Vec::new(), Vec::new());
    let mut first = 0;
    for (name, facts) in packages {
        names.u32(writer.text(name)).u32(first).u32(to_u32(facts.len()));
        first += to_u32(facts.len());
        for (release, kind, version, from) in facts {
            entries.u32(writer.text(release)).u32(kind).u32(writer.maybe(version)).u32(writer.maybe(from));
        }
    }
    writer.section(names);
    writer.section(entries);
    Ok(writer.finish(TableKind::Packages))
}
