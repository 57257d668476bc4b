//! What is measured, and who hears of it.

use std::net::{IpAddr, Ipv4Addr};

use crate::fleet::decode::{Cx, Decode, Setting, table};
use crate::fleet::scalar::MailAddress;
use crate::fleet::shape::Shape;
use crate::source::{Kind, Node, Place, Spanned};

table! {
    /// What is measured, and who hears of it.
    pub struct Monitoring {
        /// Figures of the machine for Prometheus: `true`, or the port.
        "node-exporter" => node_exporter: Setting<Exporter> = Exporter::Off,
        /// Figures of the pools for Prometheus: `true`, or the port.
        "zfs-exporter" => zfs_exporter: Setting<Exporter> = Exporter::Off,
        /// Whether disks test themselves and their state is watched.
        "smartd" => smartd: Setting<bool> = false,
        /// Who hears of failing disks and pools.
        "mail" => mail: Option<Spanned<MailAddress>>,
        /// Addresses that exporters listen on; `127.0.0.1` when empty.
        "listen" => listen: Vec<Spanned<IpAddr>>,
    }
}

impl Monitoring {
    /// Returns the exporters that run, as NixOS names them, each with its port and where that is written.
    pub fn exporters(&self) -> impl Iterator<Item = (&'static str, u16, Place)> {
        let all = [("node", &self.node_exporter, NODE), ("zfs", &self.zfs_exporter, ZFS)];
        all.into_iter().filter_map(|(name, exporter, usual)| Some((name, exporter.value.port(usual)?, exporter.place)))
    }

    /// Returns the addresses that exporters listen on.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let written: Vec<IpAddr> = self.listen.iter().map(|address| address.value).collect();
        if written.is_empty() { vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] } else { written }
    }
}

/// The usual ports of the exporters (their pages in the Prometheus wiki, default port allocations).
const NODE: u16 = 9100;
const ZFS: u16 = 9134;

/// Whether an exporter runs, and on which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exporter {
    /// It does not.
    Off,
    /// On its usual port.
    On,
    /// On this port.
    Port(u16),
}

impl Exporter {
    /// Returns the port, `usual` unless another is wanted; none where it does not run.
    pub fn port(self, usual: u16) -> Option<u16> {
        match self {
            Self::Off => None,
            Self::On => Some(usual),
            Self::Port(port) => Some(port),
        }
    }
}

impl std::fmt::Display for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => f.write_str("false"),
            Self::On => f.write_str("true"),
            Self::Port(port) => port.fmt(f),
        }
    }
}

impl Decode for Exporter {
    fn shape() -> Shape {
        Shape::OneOf(vec![bool::shape(), u16::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Bool(true) => Some(Self::On),
            Kind::Bool(false) => Some(Self::Off),
            Kind::Int(_) => u16::decode(node, cx).map(Self::Port),
            _ => cx.invalid(node, "`true`, `false` or a port is wanted"),
        }
    }
}
