//! A kernel that is newer than what the host's ZFS is built for.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::PackageFact;
use crate::source::{Kind, Level, Node, Place};
use crate::units::Version;

pub(super) static RULE: Rule = Rule {
    id: "kernel-unsupported-by-zfs",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the kernel is newer than the host's ZFS supports",
    doc: include_str!("kernel_unsupported_by_zfs.md"),
    check: Check::Host(check),
};

/// A kernel, what it is called and where it is chosen.
struct Kernel<'a> {
    name: String,
    version: Version,
    place: Place,
    chosen: Option<&'a str>,
}

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.pools.is_empty() {
        return;
    }
    let Some(kernel) = kernel(cx, found) else { return };
    let Some(system) = cx.host.systems.first() else { return };
    let Some(zfs) = system.zfs.filter(|_| system.verified || kernel.chosen.is_some()) else {
        if kernel.chosen.is_some() {
            found.unchecked(format!("nothing says which ZFS {} has", system.name));
        }
        return;
    };
    let release = cx.facts.zfs().line(zfs).and_then(|line| line.release(zfs));
    let Some(newest) = release.and_then(|release| release.linux_max) else {
        found.unchecked(format!("nothing says which kernels OpenZFS {zfs} supports"));
        return;
    };
    if kernel.version.truncate(2) <= newest {
        return;
    }
    let finding = Finding::at(kernel.place, format!("OpenZFS {zfs} supports Linux up to {newest}, not {}", kernel.name))
        .related(system.place, format!("OpenZFS {zfs} is chosen here"))
        .why("the kernel module of ZFS is not built for this kernel: the system does not evaluate, or boots without its pools")
        .help(format!("a kernel up to {newest}: `kernel = \"linuxPackages_{}\"` in `[boot]`", newest.to_string().replace('.', "_")))
        .help("a newer `[zfs] package`, if every system that imports the pools can follow");
    found.report(finding);
}

/// Returns the host's kernel: what stands under `[nixos]`, else the typed key, else the channel's.
fn kernel<'a>(cx: &'a HostCx<'_>, found: &mut Findings) -> Option<Kernel<'a>> {
    let setting = cx.host.def.nixos.as_ref().and_then(|nixos| nixos.at(&["boot", "kernelPackages"]));
    let typed = cx.host.def.boot.kernel.as_ref().map(|kernel| (kernel.as_str(), kernel.place));
    if let Some((attribute, place)) = setting.and_then(attribute).or(typed) {
        let version = version_of(cx, attribute);
        if version.is_none() {
            found.unchecked(format!("nothing says which kernel `{attribute}` is"));
        }
        return Some(Kernel { name: format!("`{attribute}`"), version: version?, place, chosen: Some(attribute) });
    }
    let channel = &cx.host.channel;
    let release = channel.channel.release.value;
    let of_channel = channel.channel.kernel.as_ref().map(|kernel| (kernel.value, kernel.place));
    let default = cx.facts.releases().find(release).and_then(|facts| facts.kernel_default);
    let (version, place) =
        of_channel.or_else(|| default.filter(|figure| figure.solid).map(|figure| (figure.value, channel.at)))?;
    Some(Kernel { name: format!("the {version} of {release}"), version, place, chosen: None })
}

fn attribute(node: &Node) -> Option<(&str, Place)> {
    let name = match &node.kind {
        Kind::Str(name) => name.as_str(),
        Kind::Nix(text) => text.trim().strip_prefix("pkgs.")?,
        _ => return None,
    };
    Some((name, node.place))
}

/// Returns the version of a set of kernel packages: by the facts, else by the attribute's own name.
fn version_of(cx: &HostCx<'_>, attribute: &str) -> Option<Version> {
    let release = cx.host.channel.channel.release.value;
    let kernel = attribute.strip_prefix("linuxPackages")?;
    if let PackageFact::Version(version) = cx.facts.packages().find(&format!("linux{kernel}"), release) {
        let number = version.split("-rc").next().unwrap_or(version);
        return number.parse().ok();
    }
    let numbers = kernel.strip_prefix('_')?;
    numbers.replace('_', ".").parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    #[test]
    fn the_kernel_that_counts_is_the_one_that_is_chosen_last() {
        let fleet =
            "fleet.name = 'x'\nchannels.it.release = '26.11pre'\n[defaults]\nimports = ['scaffold']\nchannel = 'it'\n";
        let pool = "[disks]\nmain = { id = 'nvme-EXAMPLE_1', size = '512GB', partitions = [\
                    { name = 'bios', role = 'bios-boot', size = '1MiB' },\
                    { name = 'boot', role = 'filesystem', size = '2GiB', mount = '/boot' },\
                    { name = 'p', role = 'zfs', size = 'rest' }] }\n\
                    [zfs.pools.tank]\nvdevs = [{ type = 'stripe', members = ['main.p'] }]\n\
                    datasets.root.mount = '/'\n";
        for (head, findings) in [
            ("", &[][..]),
            ("boot.kernel = 'linuxPackages_6_12'\n", &[]),
            ("boot.kernel = 'linuxPackages_7_0'\n", &[]),
            ("boot.kernel = 'linuxPackages_7_1'\n", &["error"]),
            ("boot.kernel = 'linuxPackages_latest'\n", &["error"]),
            ("boot.kernel = 'linuxPackages_own'\n", &["unchecked"]),
            ("nixos.boot.kernelPackages = 'linuxPackages_7_1'\n", &["error"]),
            ("boot.kernel = 'linuxPackages_7_1'\nnixos.boot.kernelPackages = 'linuxPackages_6_18'\n", &[]),
            ("boot.kernel = 'linuxPackages_7_1'\nzfs.package = 'zfs_2_3'\n", &["error"]),
        ] {
            let host = format!("{head}{pool}");
            let said = said_of("kernel-unsupported-by-zfs", &[("fleet.toml", fleet), ("hosts/a/host.toml", &host)]);
            let levels: Vec<&str> = said.iter().filter_map(|line| line.split(':').next()).collect();
            assert_eq!(levels, findings, "{head}: {said:#?}");
        }
    }
}
