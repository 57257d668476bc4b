//! What a machine's facts say of its disks, interfaces and pools, and how a definition's names are found among them.

use super::rule::{Findings, HostCx};
use crate::fleet::schema::facts_file::{FactsDisk, FactsFile, FactsInterface, FactsPool, FactsSystem};
use crate::source::Spanned;
use crate::units::{Release, by_id_name};

/// What is said where a rule needs facts and there are none.
pub(super) const NO_FACTS: &str = "there are no facts of the machine";

/// Returns the probed disks; without them the rule is unchecked.
pub(super) fn disks<'a>(cx: &HostCx<'a>, found: &mut Findings) -> Option<&'a [FactsDisk]> {
    listed(cx, "disks", |facts| facts.disks.as_deref(), found)
}

/// Returns the probed interfaces; without them the rule is unchecked.
pub(super) fn interfaces<'a>(cx: &HostCx<'a>, found: &mut Findings) -> Option<&'a [FactsInterface]> {
    listed(cx, "interfaces", |facts| facts.interfaces.as_deref(), found)
}

/// Returns the probed pools; without them the rule is unchecked.
pub(super) fn pools<'a>(cx: &HostCx<'a>, found: &mut Findings) -> Option<&'a [FactsPool]> {
    listed(cx, "pools", |facts| facts.pools.as_deref(), found)
}

/// Returns the NixOS that is installed on the machine; none where another system runs, or one that was only booted from an
/// image to install from. Without facts the rule is unchecked.
pub(super) fn installed<'a>(cx: &HostCx<'a>, found: &mut Findings) -> Option<&'a FactsSystem> {
    let Some(facts) = cx.host.source.facts.as_ref() else {
        found.unchecked(NO_FACTS);
        return None;
    };
    // An image has no generations.
    facts.system.as_ref().filter(|system| system.generations.as_ref().is_none_or(|all| !all.is_empty()))
}

/// Returns the release that runs; without it the rule is unchecked.
pub(super) fn running_release(cx: &HostCx<'_>, found: &mut Findings) -> Option<Spanned<Release>> {
    let system = installed(cx, found)?;
    let said = system.release.as_ref();
    let release = said.and_then(|said| Some(Spanned::new(said.parse().ok()?, said.place)));
    if release.is_none() {
        found.unchecked("the facts of the machine do not say which release runs there");
    }
    release
}

fn listed<'a, T>(
    cx: &HostCx<'a>,
    what: &str,
    list: impl Fn(&'a FactsFile) -> Option<&'a [T]>,
    found: &mut Findings,
) -> Option<&'a [T]> {
    let Some(facts) = cx.host.source.facts.as_ref() else {
        found.unchecked(NO_FACTS);
        return None;
    };
    let listed = list(facts);
    if listed.is_none() {
        found.unchecked(format!("the facts of the machine list no {what}"));
    }
    listed
}

/// Returns the probed disk that has a name below /dev/disk/by-id.
pub(super) fn disk<'a>(disks: &'a [FactsDisk], id: &str) -> Option<&'a FactsDisk> {
    disks.iter().find(|disk| disk.is_called(id))
}

/// Returns the probed disk of a kernel name such as `sda`.
pub(super) fn disk_of_kernel_name<'a>(disks: &'a [FactsDisk], name: &str) -> Option<&'a FactsDisk> {
    disks.iter().find(|disk| disk.path.as_ref().is_some_and(|path| device_name(path) == name))
}

/// Returns a device's name without /dev.
pub(super) fn device_name(path: &str) -> &str {
    path.strip_prefix("/dev/").unwrap_or(path)
}

/// Returns the name of a probed disk that says most to a person: one with model and serial before a mere number.
pub(super) fn best_id(disk: &FactsDisk) -> Option<&str> {
    const NUMBERS: &[&str] =
        &["wwn-", "nvme-eui.", "nvme-nvme.", "nvme-uuid.", "scsi-3", "scsi-1ATA", "scsi-0ATA", "scsi-SATA"];
    let names = disk.ids.iter().map(|id| by_id_name(id));
    names.min_by_key(|name| (NUMBERS.iter().any(|number| name.starts_with(number)), name.len(), *name))
}

/// Returns a probed host id in the form of a definition: eight digits in lower case. None for zero, which says that no
/// machine holds the pool.
pub(super) fn host_id(said: &str) -> Option<String> {
    let digits = said.strip_prefix("0x").unwrap_or(said);
    let number = u32::from_str_radix(digits, 16).ok().filter(|number| *number != 0)?;
    Some(format!("{number:08x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_id_is_compared_by_its_number() {
        assert_eq!(host_id("0x7F0101").as_deref(), Some("007f0101"));
        assert_eq!(host_id("2487cd1f").as_deref(), Some("2487cd1f"));
        for none in ["0", "00000000", "", "x", "123456789"] {
            assert_eq!(host_id(none), None, "{none}");
        }
    }
}
