//! boot-test.nix of a host: what the virtual machine that stands in for it is like. What is done with it, and what is asserted,
//! stands in out/boot-test.nix, which all hosts share.

use serde::Serialize;

use super::install::PoolPlan;
use super::spelling::Spelling;
use super::{HostCx, OutFile, compatibility};
use crate::fleet::schema::disks::Role;
use crate::fleet::schema::machine::Loader;
use crate::fleet::schema::network::{InterfaceKind, Match};
use crate::resolve::{BootPlaces, ResolvedDisk, ResolvedHost, grub_disks};
use crate::source::Diagnostics;

/// The values of a host's boot-test.nix.
#[derive(Serialize)]
struct Machine<'a> {
    host: &'a str,
    disks: Vec<DiskOf<'a>>,
    cards: Vec<Card<'a>>,
    addresses: Vec<String>,
    pools: Vec<&'a str>,
    /// Pools and datasets whose passphrase is typed at each boot.
    passphrases: Vec<String>,
    uefi: bool,
}

#[derive(Serialize)]
struct DiskOf<'a> {
    id: &'a str,
    bytes: u64,
    boots: bool,
}

/// A network card.
#[derive(Serialize)]
struct Card<'a> {
    mac: String,
    /// The name or path by which the definition knows it, where that is not its MAC.
    name: Option<&'a str>,
    path: Option<&'a str>,
    dhcp: bool,
}

/// Of a disk whose size is not stated.
const UNKNOWN_DISK_BYTES: u64 = 64 << 30;

/// Tells whether a host can be tested in a virtual machine: its release has `runTest` as it is today, and the loader is ours.
pub(super) fn exists(host: &ResolvedHost<'_>, spelling: Spelling) -> bool {
    spelling.boot_test() && host.def.boot.loader.value != Loader::Other && !host.disks.is_empty()
}

/// Returns boot-test.nix of a host.
pub(super) fn file(cx: &HostCx<'_>, found: &mut Diagnostics) -> Option<OutFile> {
    let host = cx.host;
    if !exists(host, cx.spelling) {
        return None;
    }
    let pools: Vec<&str> =
        host.pools.iter().map(|pool| pool.name).filter(|pool| super::zfs::is_imported(host, pool)).collect();
    let machine = Machine {
        host: host.name,
        disks: disks(host),
        cards: cards(host),
        addresses: host
            .interfaces()
            .flat_map(|(_, interface)| interface.addresses.iter().map(|address| address.value.to_string()))
            .collect(),
        passphrases: typed_passphrases(cx, &pools),
        pools,
        uefi: host.has_uefi(),
    };
    let text = cx.render("boot-test-machine.nix.tera", &machine, found)?;
    match crate::nix::format(&text) {
        Ok(text) => Some(OutFile::of_text("boot-test.nix", text)),
        Err(error) => {
            let message = format!("what it makes is no Nix: {}", error.message);
            let template = "boot-test-machine.nix.tera".to_owned();
            found.push(cx.template_error(&crate::text::TemplateError { template, line: Some(error.line), message }));
            None
        }
    }
}

/// Returns the disks; those that the firmware may boot come first, the others have no loader that it could find.
fn disks<'a>(host: &'a ResolvedHost<'a>) -> Vec<DiskOf<'a>> {
    let places = BootPlaces::of(host);
    let has_esp = |disk: &ResolvedDisk<'_>| disk.partitions.iter().any(|partition| partition.role == Role::Esp);
    let grub = host.def.boot.loader.value == Loader::Grub && host.has_bios();
    let core: Vec<&str> =
        if grub { grub_disks(host, &places).iter().map(|disk| disk.name).collect() } else { Vec::new() };
    let mut disks: Vec<(usize, DiskOf<'a>)> = host
        .disks
        .iter()
        .map(|disk| {
            let rank = core.iter().position(|name| *name == disk.name).or(has_esp(disk).then_some(core.len()));
            let bytes = disk.bytes().unwrap_or(UNKNOWN_DISK_BYTES);
            let disk = DiskOf { id: disk.def.id.as_str(), bytes: bytes.div_ceil(512) * 512, boots: rank.is_some() };
            (rank.unwrap_or(usize::MAX), disk)
        })
        .collect();
    disks.sort_by_key(|(rank, _)| *rank);
    disks.into_iter().map(|(_, disk)| disk).collect()
}

fn cards<'a>(host: &'a ResolvedHost<'a>) -> Vec<Card<'a>> {
    let ethernet = host.interfaces().filter(|(_, interface)| interface.kind.value == InterfaceKind::Ethernet);
    let card = |(at, (_, interface)): (usize, (&'a str, &'a crate::fleet::schema::network::Interface))| {
        let (mut name, mut path) = (None, None);
        let mut mac = format!("02:00:00:ff:00:{:02x}", at % 256);
        match interface.matches().map(|matches| &matches.value) {
            Some(Match::Mac(own)) => mac = own.to_string(),
            Some(Match::Name(own)) => name = Some(own.as_str()),
            Some(Match::Path(own)) => path = Some(own.as_str()),
            None => {}
        }
        Card { mac, name, path, dhcp: interface.dhcp.value.ipv4() || interface.dhcp.value.ipv6() }
    };
    ethernet.enumerate().map(card).collect()
}

/// Returns the encryption roots of these pools whose passphrase somebody types.
fn typed_passphrases(cx: &HostCx<'_>, pools: &[&str]) -> Vec<String> {
    let typed = |options: &[(String, String)]| {
        let value = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value("keyformat") == Some("passphrase") && value("keylocation").is_none_or(|place| place == "prompt")
    };
    let mut roots = Vec::new();
    for pool in cx.host.pools.iter().filter(|pool| pools.contains(&pool.name)) {
        let plan = PoolPlan::of(cx, pool, &compatibility::for_pool(cx.host, pool, cx.facts));
        roots.extend(typed(&plan.root_options).then(|| pool.name.to_owned()));
        roots
            .extend(plan.datasets.iter().filter(|dataset| typed(&dataset.options)).map(|dataset| dataset.name.clone()));
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_tested_from_the_first_with_the_driver_that_the_test_is_written_for() {
        let of = |release: &str| Spelling::of(release.parse().unwrap());
        assert!(!of("23.11").boot_test() && of("24.05").boot_test() && of("26.11pre").boot_test());
    }
}
