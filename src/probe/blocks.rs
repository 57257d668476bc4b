//! Disks: sysfs is what every kernel tells, lsblk, blkid and wipefs add what they know.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;

use super::machine::pairs;
use super::sections::Sections;

/// A disk.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Disk {
    pub(super) ids: Vec<String>,
    pub(super) path: String,
    serial: Option<String>,
    wwn: Option<String>,
    model: Option<String>,
    size_bytes: Option<u64>,
    logical_sector: Option<u64>,
    physical_sector: Option<u64>,
    rotational: Option<bool>,
    removable: Option<bool>,
    bus: Option<String>,
    driver: Option<String>,
    signatures: Option<Vec<Signature>>,
    mounted: Option<Vec<String>>,
    partitions: Vec<Partition>,
    #[serde(skip)]
    holders: bool,
}

/// Something on a disk that says what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Signature {
    at: String,
    #[serde(rename = "type")]
    kind: String,
}

/// A partition.
#[derive(Debug, Clone, Default, Serialize)]
struct Partition {
    path: String,
    label: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    size_bytes: Option<u64>,
    ids: Vec<String>,
    #[serde(skip)]
    held: bool,
}

impl Disk {
    /// Returns the kinds of what is on the disk.
    pub(super) fn signature_kinds(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().flatten().map(|signature| signature.kind.as_str())
    }

    /// Tells whether a tool could look at what is on the disk.
    pub(super) fn knows_signatures(&self) -> bool {
        self.signatures.is_some()
    }
}

/// Returns the disks, by path; none when the machine shows none of its devices.
pub(super) fn disks(sections: &Sections, missing: &mut Vec<(&'static str, String)>) -> Option<Vec<Disk>> {
    let listed = lsblk(sections);
    let Some(text) = sections.good("sys-block") else {
        missing.push(("disks", "/sys/block is not there: is /sys mounted?".to_owned()));
        return None;
    };
    let mut disks = from_sysfs(text);
    let ids = by_id(sections);
    if ids.is_none() {
        missing.push((
            "disk ids",
            "/dev/disk/by-id is not there: the system has no udev, so the names that definitions use are not known"
                .to_owned(),
        ));
    }
    let ids = ids.unwrap_or_default();
    let signs = signatures(sections);
    let mounts = mounts(sections);
    for disk in &mut disks {
        disk.ids = ids.get(&disk.path).cloned().unwrap_or_default();
        if let Some(said) = listed.get(&disk.path) {
            let text = |key: &str| said.get(key).and_then(Json::as_str).map(str::trim).filter(|text| !text.is_empty());
            disk.serial = text("serial").map(str::to_owned).or(disk.serial.take());
            disk.wwn = text("wwn").map(str::to_owned).or(disk.wwn.take());
            disk.model = text("model").map(str::to_owned).or(disk.model.take());
        }
        let mut places = BTreeSet::from([disk.path.clone()]);
        for partition in &mut disk.partitions {
            partition.ids = ids.get(&partition.path).cloned().unwrap_or_default();
            if let Some(said) = listed.get(&partition.path) {
                let text = |key: &str| said.get(key).and_then(Json::as_str).map(str::to_owned);
                partition.label = partition.label.take().or_else(|| text("partlabel"));
                partition.kind = text("parttype");
            }
            places.insert(partition.path.clone());
        }
        let mut of: Vec<Signature> =
            signs.seen.iter().filter(|signature| places.contains(&signature.at)).cloned().collect();
        // A partition is a sign of somebody even where no tool knows what is in it.
        if of.is_empty() && !disk.partitions.is_empty() {
            of.push(Signature { at: disk.path.clone(), kind: "partition table".to_owned() });
        }
        of.sort();
        of.dedup();
        let searched = places.iter().all(|place| signs.searched.contains(place));
        disk.signatures = (searched || !of.is_empty()).then_some(of);
        disk.mounted = mounts.as_ref().map(|mounts| {
            let mut points: BTreeSet<String> =
                mounts.iter().filter(|(device, _)| places.contains(device)).map(|(_, point)| point.clone()).collect();
            if disk.holders || disk.partitions.iter().any(|partition| partition.held) {
                points.insert("[held by another device]".to_owned());
            }
            // A mount on top of such a device is told by lsblk only.
            for place in &places {
                points.extend(listed.get(place).into_iter().flat_map(points_below));
            }
            points.into_iter().collect()
        });
    }
    let unknown: Vec<&str> =
        disks.iter().filter(|disk| disk.signatures.is_none()).map(|disk| disk.path.as_str()).collect();
    if !unknown.is_empty() {
        let why = format!("wipefs could not look, so whether they are blank is not known: {}", unknown.join(", "));
        missing.push(("signatures", why));
    }
    disks.sort_by_cached_key(|disk| (disk.path.len(), disk.path.clone()));
    Some(disks)
}

/// Returns every mount point at and below a device of lsblk's tree.
fn points_below(device: &Json) -> Vec<String> {
    let mut points = Vec::new();
    let mut open = vec![device];
    while let Some(device) = open.pop() {
        let list = device.get("mountpoints").and_then(Json::as_array).into_iter().flatten();
        let all = list.chain(device.get("mountpoint")).filter_map(Json::as_str);
        points.extend(all.filter(|point| !point.is_empty()).map(str::to_owned));
        open.extend(device.get("children").and_then(Json::as_array).into_iter().flatten());
    }
    points
}

fn from_sysfs(text: &str) -> Vec<Disk> {
    let mut disks: Vec<Disk> = Vec::new();
    let mut drivers: Vec<Vec<(String, String)>> = Vec::new();
    for (key, value) in pairs(text) {
        if key == "disk" {
            disks.push(Disk { path: device(value), ..Disk::default() });
            drivers.push(Vec::new());
            continue;
        }
        let (Some(disk), Some(drivers)) = (disks.last_mut(), drivers.last_mut()) else { continue };
        let bytes = || value.parse::<u64>().ok().and_then(|sectors| sectors.checked_mul(512));
        if key == "partition" {
            disk.partitions.push(Partition { path: device(value), ..Partition::default() });
            continue;
        }
        if let Some(partition) = disk.partitions.last_mut() {
            match key {
                "sectors" => partition.size_bytes = bytes(),
                "label" => partition.label = Some(value.to_owned()),
                "holder" => partition.held = true,
                _ => {}
            }
            continue;
        }
        match key {
            "devpath" => disk.bus = bus(value),
            "sectors" => disk.size_bytes = bytes(),
            "rotational" => disk.rotational = Some(value == "1"),
            "removable" => disk.removable = (value == "1").then_some(true),
            "logical" => disk.logical_sector = value.parse().ok(),
            "physical" => disk.physical_sector = value.parse().ok(),
            "model" => disk.model = Some(value.to_owned()),
            "serial" => disk.serial = Some(value.to_owned()),
            "vpd80" if disk.serial.is_none() && !value.is_empty() => disk.serial = Some(value.to_owned()),
            "wwid" if disk.wwn.is_none() => disk.wwn = wwn(value),
            "holder" => disk.holders = true,
            "driver" => {
                let (name, module) = value.split_once(' ').unwrap_or((value, ""));
                drivers.push((name.to_owned(), module.to_owned()));
            }
            _ => {}
        }
    }
    for (disk, drivers) in disks.iter_mut().zip(drivers) {
        // The kind of disk (`sd`, `sr`) is no driver of a controller; `nvme` of a multipath device has no parent that tells.
        let controller = drivers.iter().find(|(name, _)| !matches!(name.as_str(), "sd" | "sr" | "mmcblk"));
        let is_nvme = disk.path.starts_with("/dev/nvme");
        disk.driver = controller
            .map(|(name, module)| if module.is_empty() { name.replace('-', "_") } else { module.clone() })
            .or_else(|| is_nvme.then(|| "nvme".to_owned()));
        if disk.size_bytes == Some(0) {
            disk.size_bytes = None;
        }
    }
    // A card reader without a card is no disk.
    disks.retain(|disk| disk.size_bytes.is_some());
    disks
}

/// Returns the path of a device from its name in sysfs, where `!` stands for a slash.
fn device(name: &str) -> String {
    format!("/dev/{}", name.replace('!', "/"))
}

/// Returns how a disk is attached, from where it hangs in the tree of devices.
fn bus(path: &str) -> Option<String> {
    let known = [("/nvme", "nvme"), ("/usb", "usb"), ("/ata", "ata"), ("/mmc", "mmc")];
    let found = known.iter().find(|(part, _)| path.contains(part)).map(|(_, bus)| *bus);
    let scsi = || path.contains("/target").then_some("scsi");
    found.or_else(scsi).or_else(|| path.contains("/virtio").then_some("virtio")).map(str::to_owned)
}

/// Returns a world wide name as lsblk writes it.
fn wwn(wwid: &str) -> Option<String> {
    if let Some(number) = wwid.strip_prefix("naa.") {
        return Some(format!("0x{number}"));
    }
    wwid.starts_with("eui.").then(|| wwid.to_owned())
}

/// Returns the names below /dev/disk/by-id of each device.
fn by_id(sections: &Sections) -> Option<BTreeMap<String, Vec<String>>> {
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (device, id) in pairs(sections.good("by-id")?) {
        ids.entry(device.to_owned()).or_default().push(id.to_owned());
    }
    for ids in ids.values_mut() {
        ids.sort();
    }
    Some(ids)
}

/// Returns lsblk's devices by path.
fn lsblk(sections: &Sections) -> BTreeMap<String, Json> {
    let parsed = sections.good("lsblk").and_then(|text| serde_json::from_str::<Json>(text).ok());
    let mut devices = BTreeMap::new();
    let mut open: Vec<Json> =
        parsed.and_then(|parsed| parsed.get("blockdevices").and_then(Json::as_array).cloned()).unwrap_or_default();
    while let Some(device) = open.pop() {
        open.extend(device.get("children").and_then(Json::as_array).cloned().into_iter().flatten());
        // Before util-linux 2.33 there is no `path`.
        let name = |key: &str| device.get(key).and_then(Json::as_str);
        let path = name("path").map(str::to_owned).or_else(|| name("kname").map(|name| format!("/dev/{name}")));
        if let Some(path) = path {
            devices.insert(path, device);
        }
    }
    devices
}

/// What is known of signatures.
#[derive(Debug, Default)]
struct Signs {
    /// Every signature that a tool saw.
    seen: Vec<Signature>,
    /// The devices that wipefs could open and read: only there does no signature mean that there is none. lsblk leaves its field
    /// empty also where it could not look, and blkid lists only what it knows.
    searched: BTreeSet<String>,
}

fn signatures(sections: &Sections) -> Signs {
    let mut signs = Signs::default();
    let mut at = "";
    for line in sections.ran("wipefs").unwrap_or_default().lines() {
        if let Some(device) = line.strip_prefix("device ") {
            at = device;
            signs.searched.insert(at.to_owned());
        } else if line.starts_with("failed ") {
            signs.searched.remove(at);
        } else if !line.starts_with('#') {
            let kind = line.rsplit(',').next().unwrap_or_default().trim();
            if !kind.is_empty() {
                signs.seen.push(Signature { at: at.to_owned(), kind: kind.to_owned() });
            }
        }
    }
    for (path, device) in &lsblk(sections) {
        for key in ["fstype", "pttype"] {
            // A partition's `pttype` is that of its disk.
            let own = key == "fstype" || device.get("type").and_then(Json::as_str) == Some("disk");
            if let Some(kind) = device.get(key).and_then(Json::as_str).filter(|_| own) {
                signs.seen.push(Signature { at: path.clone(), kind: kind.to_owned() });
            }
        }
    }
    signs.seen.extend(blkid(sections.ran("blkid").unwrap_or_default()));
    signs
}

/// Reads blkid, both util-linux's blocks of `KEY=value` and busybox's lines of `DEVICE: KEY="value"`.
fn blkid(text: &str) -> Vec<Signature> {
    let mut all = Vec::new();
    let mut at = String::new();
    for line in text.lines() {
        if let Some(device) = line.strip_prefix("DEVNAME=") {
            device.clone_into(&mut at);
        } else if let Some(kind) = line.strip_prefix("TYPE=") {
            all.push(Signature { at: at.clone(), kind: kind.to_owned() });
        } else if let Some((device, rest)) = line.split_once(": ")
            && let Some((_, kind)) = rest.split_once(" TYPE=\"").or_else(|| rest.split_once("TYPE=\""))
        {
            let kind = kind.split('"').next().unwrap_or_default();
            all.push(Signature { at: device.to_owned(), kind: kind.to_owned() });
        }
    }
    all
}

/// Returns mounts and swap as (device, where).
fn mounts(sections: &Sections) -> Option<Vec<(String, String)>> {
    let text = sections.good("mounts")?;
    let mounted = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((unescape(words.next()?), unescape(words.next()?)))
    });
    let swaps = sections.good("swaps").unwrap_or_default();
    let swaps =
        swaps.lines().filter(|line| line.starts_with("/dev/")).filter_map(|line| line.split_whitespace().next());
    Some(mounted.chain(swaps.map(|device| (device.to_owned(), "[SWAP]".to_owned()))).collect())
}

/// Undoes the octal escapes of /proc/mounts.
fn unescape(word: &str) -> String {
    word.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_the_controllers_and_not_the_kind_of_disk() {
        let text = "disk sda\ndevpath /sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda\nsectors 3907029168\n\
                    driver sd sd_mod\ndriver ahci ahci\npartition sda1\nsectors 2048\nholder md0\n\
                    disk vda\ndevpath /sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda\nsectors 8\ndriver virtio_blk virtio_blk\ndriver virtio-pci \n\
                    disk sdb\nsectors 0\n";
        let disks = from_sysfs(text);
        let said: Vec<_> =
            disks.iter().map(|disk| (disk.path.as_str(), disk.driver.as_deref(), disk.bus.as_deref())).collect();
        assert_eq!(said, [("/dev/sda", Some("ahci"), Some("ata")), ("/dev/vda", Some("virtio_blk"), Some("virtio"))]);
        assert_eq!(disks[0].size_bytes, Some(2_000_398_934_016));
        assert!(disks[0].partitions[0].held);
    }

    #[test]
    fn both_blkids_tell_the_same() {
        let export = "DEVNAME=/dev/sda1\nUUID=x\nTYPE=ext4\n\nDEVNAME=/dev/sda2\nPARTUUID=y\n";
        let busybox = "/dev/sda1: LABEL=\"a b\" UUID=\"x\" TYPE=\"ext4\"\n/dev/sda2: UUID=\"y\"\n";
        assert_eq!(blkid(export), blkid(busybox));
        assert_eq!(blkid(export).len(), 1);
    }

    fn signatures_of_sda(extra: &[(&str, &str)]) -> Option<Vec<String>> {
        let mut sections = Sections::default().with("sys-block", 0, "disk sda\nsectors 2048\n");
        for (name, text) in extra {
            sections = sections.with(name, 0, text);
        }
        let disks = disks(&sections, &mut Vec::new()).unwrap();
        disks[0].signatures.clone().map(|all| all.into_iter().map(|signature| signature.kind).collect())
    }

    #[test]
    fn a_disk_is_blank_only_where_wipefs_has_read_it() {
        let empty_lsblk = r#"{"blockdevices":[{"path":"/dev/sda","type":"disk","fstype":null,"pttype":null}]}"#;
        assert_eq!(signatures_of_sda(&[]), None);
        assert_eq!(signatures_of_sda(&[("wipefs", "device /dev/sda\nfailed 1\n"), ("lsblk", empty_lsblk)]), None);
        assert_eq!(signatures_of_sda(&[("blkid", ""), ("lsblk", empty_lsblk)]), None);
        assert_eq!(signatures_of_sda(&[("wipefs", "device /dev/sda\n")]), Some(Vec::new()));
    }

    #[test]
    fn whatever_tool_sees_a_signature_is_believed() {
        let lsblk = r#"{"blockdevices":[{"path":"/dev/sda","type":"disk","fstype":"ext4"}]}"#;
        let wipefs = "device /dev/sda\n# offset,uuid,label,type\n0x438,x,a,b,ext4\n";
        for extra in [("lsblk", lsblk), ("wipefs", wipefs), ("blkid", "DEVNAME=/dev/sda\nTYPE=ext4\n")] {
            assert_eq!(signatures_of_sda(&[extra]), Some(vec!["ext4".to_owned()]), "{}", extra.0);
        }
    }
}
