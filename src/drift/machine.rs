//! What a machine told, in the form of facts.json with what it is like at this moment beside it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::probe::Live;
use crate::units::by_id_name;

/// What a machine told. What is absent was not told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// When, in RFC 3339.
    pub taken: Option<String>,
    pub(super) host_id: Option<String>,
    pub(super) arch: Option<String>,
    pub(super) firmware: Option<String>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) disks: Option<Vec<Disk>>,
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) nameservers: Option<Vec<String>>,
    pub(super) zfs: Option<ZfsVersions>,
    pub(super) pools: Option<Vec<Pool>>,
    pub(super) system: Option<System>,
    pub(super) os_release: BTreeMap<String, String>,
    /// What it is like at this moment; only where the longer script asked.
    pub live: Option<Live>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Disk {
    pub(super) ids: Vec<String>,
    pub(super) path: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) model: Option<String>,
    pub(super) size_bytes: Option<u64>,
    pub(super) partitions: Option<Vec<Partition>>,
    pub(super) removable: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Partition {
    pub(super) path: Option<String>,
    pub(super) label: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) size_bytes: Option<u64>,
    pub(super) ids: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) mac: Option<String>,
    pub(super) path: Option<String>,
    pub(super) addresses: Option<Vec<String>>,
    pub(super) gateways: Vec<Gateway>,
    pub(super) dhcp: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Gateway {
    pub(super) via: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ZfsVersions {
    pub(super) userland: Option<String>,
    pub(super) module: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) guid: Option<String>,
    pub(super) health: Option<String>,
    pub(super) imported: Option<bool>,
    pub(super) features: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct System {
    pub(super) release: Option<String>,
    pub(super) kernel: Option<String>,
}

impl Machine {
    /// Returns the disk that has a name below /dev/disk/by-id.
    pub(super) fn disk(&self, id: &str) -> Option<&Disk> {
        let called = |disk: &&Disk| disk.ids.iter().any(|name| by_id_name(name) == by_id_name(id));
        self.disks.iter().flatten().find(called)
    }

    /// Returns the kernel's name of a device, `/dev/sda1` of `/dev/disk/by-id/…-part1`; none where the machine did not tell.
    pub(super) fn real(&self, device: &str) -> Option<String> {
        if let Some(real) = self.live.as_ref().and_then(|live| live.links.get(device)) {
            return Some(real.clone());
        }
        let Some(name) = device.strip_prefix("/dev/disk/by-id/") else {
            return Some(device.to_owned());
        };
        let is_called = |ids: &[String]| ids.iter().any(|id| by_id_name(id) == name);
        for disk in self.disks.iter().flatten() {
            if is_called(&disk.ids) {
                return disk.path.clone();
            }
            for partition in disk.partitions.iter().flatten() {
                if is_called(&partition.ids) {
                    return partition.path.clone();
                }
            }
        }
        None
    }

    /// Returns what it calls itself.
    pub(super) fn calls_itself(&self) -> Option<&str> {
        let name = |key: &str| self.os_release.get(key).map(String::as_str).filter(|text| !text.is_empty());
        name("PRETTY_NAME").or_else(|| name("NAME")).or_else(|| name("ID"))
    }
}
