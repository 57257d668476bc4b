//! The network and the ssh server of the initrd, through which disks are opened from afar.
//!
//! The interface and all that it stands on get the units that they have in the running system. Before the running system
//! begins, addresses and routes are taken away again (`flushBeforeStage2`), so that its systemd-networkd starts from nothing.

use super::super::HostCx;
use super::super::settings::Settings;
use super::units::{Instead, Stage, unit};
use crate::fleet::schema::machine::Cpu;
use crate::fleet::schema::network::{Dhcp, Interface};
use crate::resolve::InitrdNetwork;
use std::net::IpAddr;

/// What a person's login shell runs: it asks for every passphrase that the boot waits for.
const PROFILE: &str = "systemd-tty-ask-password-agent --watch\n";

/// Sets the network and the ssh server of the initrd, if it has one.
pub(super) fn settings(cx: &HostCx<'_>, out: &mut Settings) {
    let Some(initrd) = cx.host.initrd_network() else { return };
    let place = initrd.def.place;
    out.set("boot.initrd.network.enable", true, place);
    out.set("boot.initrd.network.flushBeforeStage2", true, place);
    out.set("boot.initrd.network.ssh.enable", true, place);
    out.keyed("boot.initrd.network.ssh.port", &initrd.def.port, initrd.def.port.value);
    if let Some(key) = initrd.host_key {
        // Text and not a path of Nix: the file is copied when the loader is installed and never comes into the store.
        out.list("boot.initrd.network.ssh.hostKeys", [key.0.as_str()], key.place);
    }
    for key in &initrd.keys {
        out.list("boot.initrd.network.ssh.authorizedKeys", [key.as_str()], key.place);
    }
    out.list("boot.initrd.availableKernelModules", initrd.modules.iter().copied(), place);
    let guest = cx.host.def.machine.cpu.as_ref().is_some_and(|cpu| cpu.value == Cpu::Virtual);
    if guest && !initrd.modules.contains(&"virtio_net") {
        out.list("boot.initrd.availableKernelModules", ["virtio_net"], place);
    }
    if !cx.spelling.initrd_systemd() {
        scripted(&initrd, out);
        return;
    }
    out.derive("boot.initrd.systemd.enable", true, place);
    out.set("boot.initrd.systemd.network.enable", true, place);
    // The ssh server answers as soon as there is an address; nothing in the initrd waits for more.
    out.derive("boot.initrd.systemd.network.wait-online.enable", false, place);
    let instead =
        initrd.interface.map(|(name, _)| Instead { name, addresses: &initrd.addresses, gateways: &initrd.gateways });
    let only = Some(initrd.stack.iter().map(|(name, _)| *name).collect());
    let stage = Stage { option: "boot.initrd.systemd.network", instead, only, waited: Vec::new() };
    for (name, interface) in initrd.stack.iter().rev() {
        unit(cx, &stage, name, interface, interface.place, out);
    }
    out.set_below("boot.initrd.systemd.contents", &["/root/.profile", "text"], PROFILE, place);
}

/// Says on the kernel's command line what an initrd of shell scripts sets up: one IPv4 address, static or by DHCP.
fn scripted(initrd: &InitrdNetwork<'_>, out: &mut Settings) {
    let place = initrd.def.place;
    let address = initrd.addresses.iter().find_map(|address| match address.address {
        IpAddr::V4(v4) => Some((v4, address.prefix)),
        IpAddr::V6(_) => None,
    });
    let by_dhcp = |interface: &Interface| interface.dhcp.value != Dhcp::Both(false);
    match address {
        Some((v4, prefix)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
            let mask = std::net::Ipv4Addr::from_bits(mask);
            let gateway = initrd.gateways.iter().find(|gateway| gateway.via.is_ipv4());
            let gateway = gateway.map(|gateway| gateway.via.to_string()).unwrap_or_default();
            out.list("boot.kernelParams", [format!("ip={v4}::{gateway}:{mask}:::off")], place);
        }
        None if initrd.interface.is_some_and(|(_, interface)| by_dhcp(interface)) => {
            out.list("boot.kernelParams", ["ip=dhcp"], place);
        }
        None => {}
    }
}
