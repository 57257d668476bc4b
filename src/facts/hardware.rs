//! Hardware: the first kernel that drives a device.
//!
//! Source: `facts/hardware.json`, where each row has its own; a row never asks for a newer kernel than is needed. Layout of the
//! packed table, section after the strings: 1 devices (key, then [`FIELDS`]), sorted by key. A key is `pci 8086:125c`,
//! `driver igc` or `cpu GenuineIntel 6 151`.

use super::bytes::Packed;
use crate::units::Version;

/// The fields of a device, in the order of the packed table.
pub(super) const FIELDS: [&str; 5] = ["name", "driver", "use", "first", "source"];

const ROW: usize = (1 + FIELDS.len()) * 4;

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A network by cable.
    Ethernet,
    /// A network without.
    Wireless,
    /// Disks hang on it.
    Storage,
    /// It computes.
    Processor,
}

impl Use {
    /// Returns the use of a word of the data.
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "ethernet" => Self::Ethernet,
            "wireless" => Self::Wireless,
            "storage" => Self::Storage,
            "processor" => Self::Processor,
            _ => return None,
        })
    }
}

/// A device and the kernel it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The kernel module that drives it.
    pub driver: &'a str,
    /// What it is for.
    pub kind: Use,
    /// The first kernel that has what it needs.
    pub first: Version,
    /// Where that is from.
    pub source: &'a str,
}

/// The facts about hardware.
#[derive(Debug, Clone, Copy)]
pub struct Hardware<'a> {
    table: Packed<'a>,
}

impl<'a> Hardware<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { table: Packed::new(bytes) }
    }

    /// Returns a device on the PCI bus by maker and device, `8086:125c`.
    pub fn pci(self, id: &str) -> Option<Device<'a>> {
        self.find(&format!("pci {}", id.to_ascii_lowercase()))
    }

    /// Returns what a kernel module drives.
    pub fn driver(self, module: &str) -> Option<Device<'a>> {
        self.find(&format!("driver {module}"))
    }

    /// Returns a processor by the maker, the family and the model that /proc/cpuinfo tells.
    pub fn cpu(self, vendor: &str, family: u32, model: u32) -> Option<Device<'a>> {
        self.find(&format!("cpu {vendor} {family} {model}"))
    }

    /// Returns every device with its key, in the order of keys.
    pub fn all(self) -> impl Iterator<Item = (&'a str, Device<'a>)> {
        (0..self.table.section(1).len() / ROW).filter_map(move |row| Some((self.key(row)?, self.at(row)?)))
    }

    fn find(self, key: &str) -> Option<Device<'a>> {
        let (mut low, mut high) = (0, self.table.section(1).len() / ROW);
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle)? < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.at(low).filter(|_| self.key(low) == Some(key))
    }

    fn key(self, row: usize) -> Option<&'a str> {
        self.table.text(self.table.section(1).u32(row * ROW)?)
    }

    fn at(self, row: usize) -> Option<Device<'a>> {
        let field = |number: usize| self.table.text(self.table.section(1).u32(row * ROW + (number + 1) * 4)?);
        Some(Device {
            name: field(0)?,
            driver: field(1)?,
            kind: Use::named(field(2)?)?,
            first: field(3)?.parse().ok()?,
            source: field(4)?,
        })
    }
}
