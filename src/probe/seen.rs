//! The facts of a machine in the form in which they are written: facts.json, keys in the order of its description, lists sorted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::live::Live;
use super::sections::Sections;
use super::{blocks, interfaces, machine, nixos, pci, pools};
use crate::source::pretty_json;

/// What was seen of a machine. A field that the machine did not tell is absent.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    version: u32,
    /// When, in RFC 3339.
    pub taken: String,
    /// The host's name in the fleet.
    pub host: Option<String>,
    pub(super) machine_id: Option<String>,
    pub(super) host_id: Option<String>,
    pub(super) arch: Option<String>,
    pub(super) firmware: Option<String>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) cpu: Option<machine::Cpu>,
    pub(super) dmi: BTreeMap<String, String>,
    pub(super) boot_id: Option<String>,
    pub(super) pci: Option<Vec<pci::Pci>>,
    pub(super) disks: Option<Vec<blocks::Disk>>,
    pub(super) interfaces: Option<Vec<interfaces::Interface>>,
    pub(super) nameservers: Vec<String>,
    pub(super) zfs: Option<pools::Zfs>,
    pub(super) pools: Option<Vec<pools::Pool>>,
    pub(super) system: Option<nixos::System>,
    pub(super) os_release: BTreeMap<String, String>,
    /// Public names of the host and where they point, as the deployer sees them.
    pub dns: BTreeMap<String, Vec<String>>,
    /// What it is like at this moment; only where the script asked.
    pub(super) live: Option<Live>,
    /// What could not be seen, as (what, why).
    #[serde(skip)]
    pub missing: Vec<(&'static str, String)>,
}

impl Seen {
    /// Returns the text of facts.json.
    pub fn to_json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        // What is not known is left out, so that whoever reads the file need not tell two kinds of nothing apart. That no NixOS
        // runs is known: `system` stays.
        if let Some(table) = value.as_object_mut() {
            table.retain(|key, value| key == "system" || !value.is_null());
            for value in table.values_mut() {
                prune(value);
            }
        }
        pretty_json(&value)
    }
}

fn prune(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(prune);
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Returns the facts that an output of the script tells. `taken` is when, in RFC 3339; `host` the host's name in the fleet.
pub fn see(sections: &Sections, taken: &str, host: Option<&str>) -> Seen {
    let about = machine::about(sections);
    let mut missing = Vec::new();
    let disks = blocks::disks(sections, &mut missing);
    let interfaces = interfaces::interfaces(sections, &mut missing);
    let pools = pools::pools(sections, disks.as_deref(), &mut missing);
    if about.get("uid").is_some_and(|uid| uid != "0") {
        missing.push((
            "signatures",
            "it did not run as root: signatures on disks, serial numbers and labels of pools may be missing".to_owned(),
        ));
    }
    Seen {
        version: 1,
        taken: taken.to_owned(),
        host: host.map(str::to_owned),
        machine_id: machine::word(sections.good("machine-id")),
        host_id: machine::host_id(&about),
        arch: about.get("arch").cloned(),
        firmware: about.get("firmware").cloned(),
        memory_bytes: machine::memory(sections),
        cpu: machine::cpu(sections),
        dmi: machine::dmi(sections),
        boot_id: machine::word(sections.good("boot-id")),
        pci: pci::pci(sections),
        disks,
        interfaces,
        nameservers: machine::nameservers(sections),
        zfs: pools::zfs(sections, &about),
        pools,
        system: nixos::system(sections, &about),
        os_release: machine::os_release(sections),
        dns: BTreeMap::new(),
        live: super::live::live(sections),
        missing,
    }
}
