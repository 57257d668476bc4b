//! A kernel that is newer than what the host's ZFS is built for.

use crate::check::kernel::Kernel;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

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

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.pools.is_empty() {
        return;
    }
    let Some(kernel) = Kernel::of(cx, found).filter(|kernel| kernel.solid) else { return };
    let Some(system) = cx.host.systems.first() else { return };
    let Some(zfs) = system.zfs.filter(|_| system.verified || kernel.chosen) else {
        if kernel.chosen {
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
