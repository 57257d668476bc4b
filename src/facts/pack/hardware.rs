//! `hardware.json` -> `hardware.bin`. The layout stands in [`crate::facts::hardware`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::TableKind;
use super::writer::{Put as _, Writer};
use super::zfs::table;
use crate::facts::hardware::{FIELDS, Use};
use crate::units::Version;

pub(super) fn pack(source: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer::default();
    let mut rows = Vec::new();
    let devices: BTreeMap<&str, &Value> = table(source, "devices")?.map(|(key, row)| (key.as_str(), row)).collect();
    for (key, row) in devices {
        rows.u32(writer.text(key));
        for field in FIELDS {
            let text = row.get(field).and_then(Value::as_str).ok_or_else(|| format!("{key}: `{field}` is missing"))?;
            let fits = match field {
                "first" => text.parse::<Version>().is_ok(),
                "use" => Use::named(text).is_some(),
                _ => !text.is_empty(),
            };
            if !fits {
                return Err(format!("{key}: `{field}` cannot be {text}"));
            }
            rows.u32(writer.text(text));
        }
    }
    writer.section(rows);
    Ok(writer.finish(TableKind::Hardware))
}
