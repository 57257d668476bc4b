//! What is on the PCI bus, as far as it stores or carries data.

use serde::Serialize;

use super::machine::pairs;
use super::sections::Sections;

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Pci {
    id: String,
    driver: Option<String>,
}

/// Classes of devices that are listed: mass storage and networks (PCI Code and ID Assignment Specification).
const CLASSES: [&str; 2] = ["0x01", "0x02"];

/// Returns the devices, sorted and each kind once; nothing where the machine does not tell.
pub(super) fn pci(sections: &Sections) -> Option<Vec<Pci>> {
    let text = sections.good("sys-pci")?;
    let mut found = Vec::new();
    let mut device = [None, None, None, None];
    let keys = ["vendor", "device", "class", "driver"];
    for (key, value) in pairs(text).chain([("slot", "")]) {
        if key == "slot" {
            found.extend(of(device));
            device = [None; 4];
        } else if let Some(field) = keys.iter().position(|known| *known == key).and_then(|at| device.get_mut(at)) {
            *field = Some(value);
        }
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn of([vendor, device, class, driver]: [Option<&str>; 4]) -> Option<Pci> {
    let number = |text: Option<&str>| u16::from_str_radix(text?.strip_prefix("0x")?, 16).ok();
    let class = class?;
    let listed = CLASSES.iter().any(|wanted| class.starts_with(wanted));
    let id = format!("{:04x}:{:04x}", number(vendor)?, number(device)?);
    listed.then(|| Pci { id, driver: driver.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_and_networks_are_listed_once_and_bridges_are_not() {
        let card = "slot 0000:01:00.0\nvendor 0x8086\ndevice 0x125C\nclass 0x020000\ndriver igc\n";
        let text = format!(
            "slot 0000:00:00.0\nvendor 0x8086\ndevice 0x4617\nclass 0x060000\n{card}{card}\
             slot 0000:02:00.0\nvendor 0x10ec\ndevice 0x8127\nclass 0x020000\nslot x\nvendor evil\nclass 0x020000\n"
        );
        let listed = pci(&Sections::default().with("sys-pci", 0, &text)).unwrap();
        let said: Vec<_> = listed.iter().map(|device| (device.id.as_str(), device.driver.as_deref())).collect();
        assert_eq!(said, [("10ec:8127", None), ("8086:125c", Some("igc"))]);
        assert_eq!(pci(&Sections::default().with("sys-pci", 1, "")), None);
    }
}
