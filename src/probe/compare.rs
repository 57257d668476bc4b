//! Whether two sets of facts are of one machine.
//!
//! The disks decide: a rescue system and every fresh installation have a machine id of their own, so that alone says nothing.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// Tells how new facts differ from older ones so that they may be of another machine; nothing when they are of the same one. Both
/// are texts of facts.json; older ones that cannot be read are no obstacle.
pub fn other_machine(old: &str, new: &str) -> Option<String> {
    let (old, new) = (serde_json::from_str::<Json>(old).ok()?, serde_json::from_str::<Json>(new).ok()?);
    let (before, after) = (disks(&old), disks(&new));
    if before.is_empty() || after.is_empty() {
        let id = |facts: &Json| facts.get("machine_id").and_then(Json::as_str).map(str::to_owned);
        let differ = id(&old).zip(id(&new)).is_some_and(|(old, new)| old != new);
        return differ.then(|| "the machine id is another".to_owned());
    }
    let gone: Vec<&str> = before.difference(&after).map(String::as_str).collect();
    let come: Vec<&str> = after.difference(&before).map(String::as_str).collect();
    let said = [("no longer there", gone), ("not there before", come)];
    let said: Vec<String> = said
        .iter()
        .filter(|(_, disks)| !disks.is_empty())
        .map(|(what, disks)| format!("{what}: {}", disks.join(", ")))
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Returns what the disks of a machine are known by: the serial number, else a name below /dev/disk/by-id. Those on USB and
/// removable ones are left out: a rescue system may have come on one.
fn disks(facts: &Json) -> BTreeSet<String> {
    let list = facts.get("disks").and_then(Json::as_array).into_iter().flatten();
    let fixed = list.filter(|disk| {
        let usb = disk.get("bus").and_then(Json::as_str) == Some("usb");
        !usb && disk.get("removable").and_then(Json::as_bool) != Some(true)
    });
    let name = |disk: &Json| {
        let id = || disk.get("ids")?.as_array()?.first()?.as_str();
        disk.get("serial").and_then(Json::as_str).or_else(id).map(str::to_owned)
    };
    fixed.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(machine: &str, serials: &[&str]) -> String {
        let disks: Vec<Json> =
            serials.iter().map(|serial| serde_json::json!({ "ids": [], "serial": serial })).collect();
        serde_json::json!({ "machine_id": machine, "disks": disks }).to_string()
    }

    #[test]
    fn a_rescue_system_on_the_same_disks_is_the_same_machine() {
        assert_eq!(other_machine(&facts("a", &["1", "2"]), &facts("b", &["2", "1"])), None);
    }

    #[test]
    fn another_disk_is_named_and_without_disks_the_machine_id_decides() {
        let said = other_machine(&facts("a", &["1", "2"]), &facts("a", &["1", "3"]));
        assert_eq!(said.as_deref(), Some("no longer there: 2; not there before: 3"));
        assert!(other_machine(&facts("a", &[]), &facts("b", &[])).is_some());
        assert_eq!(other_machine("{", &facts("b", &["1"])), None);
    }
}
