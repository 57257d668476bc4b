//! What of the facts a proposal goes by. A field that is absent is not known.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The facts of a machine.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Machine {
    pub(super) host_id: Option<String>,
    pub(super) arch: Option<String>,
    pub(super) firmware: Option<String>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) cpu: Cpu,
    pub(super) dmi: BTreeMap<String, String>,
    pub(super) disks: Vec<Disk>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) nameservers: Vec<String>,
}

/// The processor.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cpu {
    vendor: Option<String>,
}

/// A disk.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Disk {
    pub(super) ids: Vec<String>,
    pub(super) path: Option<String>,
    pub(super) size_bytes: Option<u64>,
    pub(super) physical_sector: Option<u64>,
    pub(super) rotational: Option<bool>,
    pub(super) removable: Option<bool>,
    pub(super) driver: Option<String>,
    pub(super) signatures: Option<Vec<serde_json::Value>>,
    pub(super) mounted: Option<Vec<String>>,
}

/// An interface.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) mac: Option<String>,
    pub(super) driver: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) addresses: Vec<String>,
    pub(super) gateways: Vec<Router>,
    pub(super) dhcp: Option<bool>,
    pub(super) up: bool,
}

/// A router of a default route.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Router {
    pub(super) via: String,
    pub(super) on_link: bool,
}

impl Machine {
    /// Reads a facts.json. Errors say what is wrong with it.
    pub fn read(json: &str) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(1) => serde_json::from_value(value).map_err(|error| error.to_string()),
            Some(other) => Err(format!("its format is version {other}, and 1 is known")),
            None => Err("it has no `version`: it is no facts.json".to_owned()),
        }
    }

    /// Tells whether it is a guest of a hypervisor, by the makers that firmware names.
    pub(super) fn is_virtual(&self) -> bool {
        const GUESTS: &[&str] =
            &["qemu", "kvm", "bochs", "vmware", "virtualbox", "virtual machine", "xen", "openstack", "vserver"];
        let says = |text: &String| {
            let text = text.to_ascii_lowercase();
            GUESTS.iter().any(|guest| text.contains(guest))
        };
        self.dmi.values().any(says)
    }

    /// Returns the word for its processor; none when the maker is not known.
    pub(super) fn processor(&self) -> Option<&'static str> {
        match self.cpu.vendor.as_deref() {
            _ if self.is_virtual() => Some("virtual"),
            Some("AuthenticAMD") => Some("amd"),
            Some("GenuineIntel") => Some("intel"),
            Some(vendor) if vendor.starts_with("ARM") => Some("arm"),
            _ if self.arch.as_deref() == Some("aarch64") => Some("arm"),
            _ => None,
        }
    }

    /// Returns the installed memory in MiB. The kernel keeps some for itself: rounded up to an eighth of the power of two below.
    pub(super) fn memory_mib(&self) -> Option<u64> {
        let mib = self.memory_bytes?.div_ceil(1 << 20);
        let step = (1u64 << mib.checked_ilog2()?).div_ceil(8);
        mib.div_ceil(step).checked_mul(step)
    }

    /// Returns the interface with a router, else one that has addresses: a card before what bundles cards.
    pub(super) fn uplink(&self) -> Option<&Interface> {
        let bundles = |one: &Interface| matches!(one.kind.as_deref(), Some("bond" | "bridge" | "vlan"));
        let fitting =
            self.interfaces.iter().filter(|one| one.up || !one.addresses.is_empty() || !one.gateways.is_empty());
        fitting.min_by_key(|one| (one.gateways.is_empty(), one.addresses.is_empty(), bundles(one)))
    }
}
