//! `releases.json` -> `releases.bin`. The layout stands in [`crate::facts::releases`].

use serde_json::Value;

use super::TableKind;
use super::writer::{Put as _, Writer, to_u32};
use super::zfs::{list, table};
use crate::facts::releases::FIGURES;

pub(super) fn pack(source: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer::default();
    let (mut releases, mut others) = (Vec::new(), Vec::new());
    let mut first = 0;
    for name in list(source, "order")? {
        let name = name.as_str().ok_or("`order` holds names")?;
        let facts = source["releases"].get(name).ok_or_else(|| format!("no facts about {name}"))?;
        let text =
            |figure: &str, part: &str| facts.get(figure).and_then(|figure| figure.get(part)).and_then(Value::as_str);
        releases.u32(writer.text(name)).u32(writer.maybe(facts["code_name"].as_str()));
        for figure in FIGURES {
            releases.u32(writer.maybe(text(figure, "value")));
            releases.u32(writer.maybe(text(figure, "source")));
        }
        let more = &facts["zfs_others"];
        let count = more["value"].as_array().map_or(0, Vec::len);
        releases.u32(first).u32(to_u32(count)).u32(writer.maybe(more["source"].as_str()));
        first += to_u32(count);
        for other in more["value"].as_array().into_iter().flatten() {
            others.u32(writer.maybe(other["attribute"].as_str())).u32(writer.maybe(other["version"].as_str()));
        }
    }
    writer.section(releases);
    writer.section(others);

    let (mut options, mut steps) = (Vec::new(), Vec::new());
    let mut first = 0;
    for (option, defaults) in table(source, "defaults_by_state_version")? {
        let defaults = defaults.as_array().ok_or_else(|| format!("the defaults of {option} are no list"))?;
        options.u32(writer.text(option)).u32(first).u32(to_u32(defaults.len()));
        first += to_u32(defaults.len());
        for step in defaults {
            // "before 23.11" begins at the beginning of time; the next step says where it ends.
            let from = step[0].as_str().filter(|from| !from.starts_with("before"));
            steps.u32(writer.maybe(from)).u32(writer.maybe(step[1].as_str()));
        }
    }
    writer.section(options);
    writer.section(steps);
    Ok(writer.finish(TableKind::Releases))
}
