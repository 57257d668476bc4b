//! facts.json: what `probe` saw on a machine. Keys in snake_case; unknown ones are ignored; a missing one makes the rule that
//! needs it report that it could not check.

use crate::fleet::decode::{Cx, Decode, MapKey, Named, table};
use crate::fleet::schema::machine::Firmware;
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Node, Spanned};
use crate::units::by_id_name;

/// Any name: facts are what a machine said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnyKey;

impl MapKey for AnyKey {
    fn check(_: &str) -> Result<(), String> {
        Ok(())
    }

    fn pattern() -> &'static str {
        "^"
    }
}

/// Text that a machine said; control characters included, escaped where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said(pub String);

impl std::ops::Deref for Said {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Decode for Said {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "str", json: "string", pattern: None, wanted: "text" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        node.as_str().map(|text| Self(text.to_owned())).or_else(|| cx.invalid(node, "text is wanted"))
    }
}

table! {
    /// The whole of a facts.json.
    pub struct FactsFile [open] {
        /// Version of this format, 1.
        "version" => version: Spanned<u32>,
        /// When it was taken (RFC 3339).
        "taken" => taken: Option<Spanned<Said>>,
        /// The host's name.
        "host" => host: Option<Spanned<Said>>,
        /// /etc/machine-id.
        "machine_id" => machine_id: Option<Spanned<Said>>,
        /// How it booted.
        "firmware" => firmware: Option<Spanned<Firmware>>,
        /// Main memory in bytes.
        "memory_bytes" => memory_bytes: Option<Spanned<u64>>,
        /// The processor.
        "cpu" => cpu: Option<FactsCpu>,
        /// What is on the PCI bus.
        "pci" => pci: Option<Vec<FactsPci>>,
        /// The disks.
        "disks" => disks: Option<Vec<FactsDisk>>,
        /// The interfaces.
        "interfaces" => interfaces: Option<Vec<FactsInterface>>,
        /// The ZFS that runs.
        "zfs" => zfs: Option<FactsZfs>,
        /// The pools that are imported or visible.
        "pools" => pools: Option<Vec<FactsPool>>,
        /// The NixOS that runs; absent on another system.
        "system" => system: Option<FactsSystem>,
        /// Public names of the host and the addresses they point to, as the deployer sees them.
        "dns" => dns: Option<Named<AnyKey, Vec<Spanned<Said>>>>,
    }
}

table! {
    /// The processor, as /proc/cpuinfo has it.
    pub struct FactsCpu [open] {
        /// Its maker, such as `GenuineIntel`.
        "vendor" => vendor: Option<Spanned<Said>>,
        /// What it is called.
        "model" => model: Option<Spanned<Said>>,
        /// Its family.
        "family" => family: Option<Spanned<u32>>,
        /// Its model within the family.
        "model_number" => model_number: Option<Spanned<u32>>,
    }
}

table! {
    /// A device on the PCI bus.
    pub struct FactsPci [open] {
        /// Maker and device in hexadecimal digits, such as `8086:125c`.
        "id" => id: Spanned<Said>,
        /// Its kernel module.
        "driver" => driver: Option<Spanned<Said>>,
    }
}

table! {
    /// A disk.
    pub struct FactsDisk [open] {
        /// Its names below /dev/disk/by-id.
        "ids" => ids: Vec<Spanned<Said>>,
        /// Its kernel name.
        "path" => path: Option<Spanned<Said>>,
        /// Its serial number.
        "serial" => serial: Option<Spanned<Said>>,
        /// Its model.
        "model" => model: Option<Spanned<Said>>,
        /// Its size in bytes.
        "size_bytes" => size_bytes: Option<Spanned<u64>>,
        /// Its physical sector in bytes.
        "physical_sector" => physical_sector: Option<Spanned<u32>>,
        /// Whether it turns.
        "rotational" => rotational: Option<Spanned<bool>>,
        /// How it is attached.
        "bus" => bus: Option<Spanned<Said>>,
        /// Kernel module of its controller.
        "driver" => driver: Option<Spanned<Said>>,
        /// What tells of content on it and its partitions; absent where no tool could look.
        "signatures" => signatures: Option<Vec<FactsSignature>>,
        /// Where it and what lies on it are mounted or held.
        "mounted" => mounted: Option<Vec<Spanned<Said>>>,
        /// Its partitions.
        "partitions" => partitions: Option<Vec<FactsPartition>>,
    }
}

table! {
    /// Something on a disk that says what it is.
    pub struct FactsSignature [open] {
        /// The disk or partition that holds it.
        "at" => at: Option<Spanned<Said>>,
        /// What it is, as wipefs or lsblk call it.
        "type" => kind: Spanned<Said>,
    }
}

table! {
    /// A partition.
    pub struct FactsPartition [open] {
        /// Its kernel name.
        "path" => path: Option<Spanned<Said>>,
        /// Its GPT label.
        "label" => label: Option<Spanned<Said>>,
    }
}

impl FactsDisk {
    /// Tells whether a name below /dev/disk/by-id, with that folder or without, is one of its names.
    pub fn is_called(&self, id: &str) -> bool {
        self.ids.iter().any(|name| by_id_name(name) == by_id_name(id))
    }
}

table! {
    /// An interface.
    pub struct FactsInterface [open] {
        /// Its name.
        "name" => name: Spanned<Said>,
        /// Its hardware address.
        "mac" => mac: Option<Spanned<Said>>,
        /// Its kernel module.
        "driver" => driver: Option<Spanned<Said>>,
    }
}

table! {
    /// The ZFS that runs.
    pub struct FactsZfs [open] {
        /// Version of the commands.
        "userland" => userland: Option<Spanned<Said>>,
        /// Version of the kernel module.
        "module" => module: Option<Spanned<Said>>,
    }
}

table! {
    /// A pool.
    pub struct FactsPool [open] {
        /// Its name.
        "name" => name: Spanned<Said>,
        /// Its number, which no other pool has.
        "guid" => guid: Option<Spanned<Said>>,
        /// Its size in bytes.
        "size_bytes" => size_bytes: Option<Spanned<u64>>,
        /// What of that is taken, in bytes.
        "allocated_bytes" => allocated_bytes: Option<Spanned<u64>>,
        /// Which machine imported it last.
        "imported_by" => imported_by: Option<FactsImporter>,
        /// Feature -> `disabled`, `enabled` or `active`.
        "features" => features: Option<Named<AnyKey, Spanned<Said>>>,
    }
}

table! {
    /// The machine that imported a pool last.
    pub struct FactsImporter [open] {
        /// Its host id.
        "host_id" => host_id: Option<Spanned<Said>>,
    }
}

table! {
    /// The NixOS that runs.
    pub struct FactsSystem [open] {
        /// Its release.
        "release" => release: Option<Spanned<Said>>,
        /// Its state version.
        "state_version" => state_version: Option<Spanned<Said>>,
        /// Its kernel.
        "kernel" => kernel: Option<Spanned<Said>>,
        /// The words of the command line of its kernel.
        "kernel_params" => kernel_params: Option<Vec<Spanned<Said>>>,
        /// The generations in its boot menu.
        "generations" => generations: Option<Vec<FactsGeneration>>,
    }
}

table! {
    /// A generation in the boot menu.
    pub struct FactsGeneration [open] {
        /// Its number.
        "number" => number: Option<Spanned<u64>>,
        /// Whether it runs.
        "current" => current: Option<Spanned<bool>>,
        /// Its ZFS.
        "zfs" => zfs: Option<Spanned<Said>>,
        /// Its kernel.
        "kernel" => kernel: Option<Spanned<Said>>,
    }
}
