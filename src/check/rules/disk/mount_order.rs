//! A mount that the boot needs and that cannot be there by then.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::resolve::{Mount, MountSource};
use crate::source::{Level, quoted};
use crate::units::lies_in;

pub(super) static RULE: Rule = Rule {
    id: "mount-order",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a mount that the boot needs cannot be there by then",
    doc: include_str!("mount_order.md"),
    check: Check::Host(check),
};

/// File systems of another machine.
const REMOTE: &[&str] = &["9p", "ceph", "cifs", "glusterfs", "nfs", "nfs4", "smb3", "sshfs"];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let early = |mount: &&Mount<'_>| host.is_early(mount);
    for mount in host.mounts.iter().filter(early) {
        let holder = |path: &str| {
            let is_other = |other: &&Mount<'_>| other.path != mount.path && other.path != "/";
            let others = host.mounts.iter().filter(is_other).filter(|other| lies_in(path, other.path));
            others.max_by_key(|other| other.path.len())
        };
        let late = |path: &str| holder(path).filter(|other| !host.is_early(other) && !is_said_early(cx, other));
        match &mount.source {
            MountSource::Dataset { pool, .. }
                if host.pools.iter().any(|known| known.name == *pool && !known.is_imported_at_boot()) =>
            {
                let message =
                    format!("`{}` is needed at boot, and its pool `{pool}` is never imported by itself", mount.path);
                let place =
                    host.pools.iter().find(|known| known.name == *pool).map_or(mount.place, |pool| pool.def.key);
                found.report(
                    Finding::at(mount.place, message)
                        .label("needed at boot")
                        .related(place, "`import = \"manual\"`")
                        .why("the initrd waits for what nobody imports, and ends in its emergency mode")
                        .help("`import = \"boot\"` for the pool")
                        .help("a dataset of another pool"),
                );
                continue;
            }
            MountSource::Foreign(def) if REMOTE.contains(&def.kind.as_str()) => {
                found.report(
                    Finding::at(mount.place, format!("`{}` is needed at boot and lies on another machine", mount.path))
                        .label(format!("of type {}", quoted(def.kind.as_str())))
                        .why("the initrd mounts it, and has no network for that")
                        .help("a file system of this host for this path")
                        .help("another path, which is mounted once the network is up"),
                );
                continue;
            }
            _ => {}
        }
        if let Some((source, other)) = mount.bound().and_then(|source| Some((source, late(source)?))) {
            let message =
                format!("`{}` is needed at boot and shows {}, which is mounted later", mount.path, quoted(source));
            found.report(
                Finding::at(mount.place, message)
                    .label("mounted in the initrd")
                    .related(other.place, format!("`{}`, mounted by the running system", other.path))
                    .why("what is shown is an empty directory, or nothing at all")
                    .help("a path on a file system that the boot needs as well")
                    .help("a file system of its own for this path"),
            );
        }
        if let Some(above) = late(mount.path).filter(|above| !mounts_itself(above)) {
            let message = format!("`{}` is mounted before `{}`, which lies above it", mount.path, above.path);
            found.report(
                Finding::at(mount.place, message)
                    .label("mounted in the initrd")
                    .related(above.place, "mounted by the running system")
                    .why("the later mount hides the earlier one: services find an empty directory and write beside the data")
                    .help(format!("a path that does not lie below `{}`", above.path))
                    .help(format!("`nixos.fileSystems.\"{}\".neededForBoot = true`", above.path)),
            );
        }
    }
}

/// Tells whether `[nixos]` has a path mounted in the initrd.
fn is_said_early(cx: &HostCx<'_>, mount: &Mount<'_>) -> bool {
    nixos::switch(cx.host, &["fileSystems", mount.path, "neededForBoot"]).is_some_and(|(early, _)| early)
}

/// Tells whether ZFS mounts a dataset after everything else, which is `dataset-mount-conflict`.
fn mounts_itself(mount: &Mount<'_>) -> bool {
    matches!(&mount.source, MountSource::Dataset { def, .. } if def.is_mounted_last())
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    /// A host with a root on ext4, a pool and further lines; what the rule says.
    fn host(pool: &str, more: &str) -> Vec<String> {
        let text = format!(
            "{more}\n[disks]\nmain = {{ id = 'ata-M', size = '512GB', partitions = [{{ name = 'bios', role = 'bios-boot', size = '1MiB' }}, \
             {{ name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/' }}] }}\n\
             d0 = {{ id = 'ata-D0', size = '1TB' }}\n[zfs.pools.tank]\nvdevs = [{{ type = 'stripe', members = ['d0'] }}]\n{pool}\n"
        );
        said("mount-order", &text)
    }

    #[test]
    fn what_the_initrd_mounts_must_be_there_by_then() {
        let nix = "[zfs.pools.tank.datasets]\nnix = { mount = '/nix' }";
        assert_eq!(host(nix, ""), [""; 0]);
        let manual = host(&format!("import = 'manual'\n{nix}"), "");
        assert!(matches!(&manual[..], [one] if one.contains("`tank` is never imported by itself")), "{manual:?}");
        let late = "import = 'manual'\n[zfs.pools.tank.datasets]\nfilms = { mount = '/srv/films' }";
        assert_eq!(host(late, ""), [""; 0], "the running system does without it");
        let remote = host("", "filesystems.'/nix' = { type = 'nfs', device = '192.0.2.9:/nix' }");
        assert!(matches!(&remote[..], [one] if one.contains("lies on another machine")), "{remote:?}");
        assert_eq!(host("", "filesystems.'/srv/a' = { type = 'nfs', device = '192.0.2.9:/a' }"), [""; 0]);
        let bound = "filesystems.'/var/log' = { type = 'bind', device = '/srv/log' }";
        let shown = host("[zfs.pools.tank.datasets]\nsrv = { mount = '/srv' }", bound);
        assert!(matches!(&shown[..], [one] if one.contains("which is mounted later")), "{shown:?}");
        assert_eq!(host("", bound), [""; 0], "on the root itself it is there");
    }

    #[test]
    fn what_is_rolled_back_below_a_later_mount_would_be_hidden_by_it() {
        let datasets = |above: &str| {
            format!(
                "[zfs.pools.tank.datasets]\nabove = {{ mount = '{above}' }}\nbelow = {{ mount = '/srv/www/tmp', rollback = 'blank' }}"
            )
        };
        let hidden = host(&datasets("/srv/www"), "");
        assert!(matches!(&hidden[..], [one] if one.contains("before `/srv/www`, which lies above it")), "{hidden:?}");
        let early = "nixos.fileSystems.'/srv/www'.neededForBoot = true";
        assert_eq!(host(&datasets("/srv/www"), early), [""; 0]);
        assert_eq!(host(&datasets("/srv/films"), ""), [""; 0]);
        assert_eq!(host(&datasets("/var"), ""), [""; 0]);
    }
}
