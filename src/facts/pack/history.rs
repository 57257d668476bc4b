//! `history.json` -> `history.bin`. The layout stands in [`crate::facts::history`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::TableKind;
use super::writer::{Put as _, Writer, to_u32};
use super::zfs::table;
use crate::facts::history::Change;
use crate::units::Release;

pub(super) fn pack(source: &Value) -> Result<Vec<u8>, String> {
    let mut names: BTreeMap<&str, Vec<(Release, &str, u32)>> = BTreeMap::new();
    for (release, changes) in table(source, "notes")? {
        let when: Release = release.parse()?;
        for (change, options) in changes.as_object().into_iter().flatten() {
            let number = Change::ALL.iter().zip(0..).find(|(known, _)| known.word() == change);
            let (_, number) = number.ok_or_else(|| format!("{release}: no such change: {change}"))?;
            for name in options.as_array().into_iter().flatten() {
                let name = name.as_str().ok_or_else(|| format!("{release}: {change} holds names"))?;
                names.entry(name).or_default().push((when, release, number));
            }
        }
    }
    let mut writer = Writer::default();
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    let mut first = 0;
    for (name, mut changes) in names {
        changes.sort_unstable();
        rows.u32(writer.text(name)).u32(first).u32(to_u32(changes.len()));
        first += to_u32(changes.len());
        for (_, release, change) in changes {
            notes.u32(writer.text(release)).u32(change);
        }
    }
    writer.section(rows);
    writer.section(notes);
    Ok(writer.finish(TableKind::History))
}
