//! Every device of the data is found by its key, and nothing else is.

use serde_json::Value;

use crate::facts::Facts;

#[test]
fn every_device_of_the_data_is_found_and_its_kernel_is_a_version() {
    let facts = Facts::embedded();
    let hardware = facts.hardware();
    let data: Value = serde_json::from_str(include_str!("../../../facts/hardware.json")).unwrap();
    let rows = data["devices"].as_object().unwrap();
    assert_eq!(hardware.all().count(), rows.len());
    for (key, row) in rows {
        let found = match key.split(' ').collect::<Vec<_>>().as_slice() {
            ["pci", id] => hardware.pci(id),
            ["driver", module] => hardware.driver(module),
            ["cpu", vendor, family, model] => hardware.cpu(vendor, family.parse().unwrap(), model.parse().unwrap()),
            _ => panic!("{key} is no key"),
        };
        let found = found.unwrap_or_else(|| panic!("{key} is not found"));
        assert_eq!(
            (found.name, found.source),
            (row["name"].as_str().unwrap(), row["source"].as_str().unwrap()),
            "{key}"
        );
        assert_eq!(found.first.to_string(), row["first"].as_str().unwrap(), "{key}");
    }
    assert_eq!(hardware.pci("8086:125C").map(|device| device.name), Some("Intel I226-V"));
    for unknown in ["", "8086", "0000:0000", "ffff:ffff", "8086:125c "] {
        assert!(hardware.pci(unknown).is_none(), "{unknown}");
    }
    assert!(hardware.driver("e1000e").is_none() && hardware.cpu("AuthenticAMD", 25, 97).is_none());
}
