//! A host that cannot boot once and fall back by itself.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::resolve::{NoWayBack, Obstacle};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "recovery-impossible",
    group: Group::Deploy,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "the host cannot boot a generation once and fall back by itself",
    doc: include_str!("recovery_impossible.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(NoWayBack { place, obstacle }) = cx.host.no_way_back() else { return };
    let host = cx.host.name;
    let message = format!("`{host}` cannot boot a generation once and fall back by itself");
    let plain = "a partition of its own for `/boot`, with ext4 or FAT";
    let (label, helps): (String, &[&str]) = match obstacle {
        Obstacle::Loader => {
            ("no one-shot boot is known of it".to_owned(), &["`loader = \"grub\"` or `\"systemd-boot\"`"])
        }
        Obstacle::Nowhere(folder) => (format!("nothing is mounted that holds `{folder}`"), &[plain]),
        Obstacle::Dataset(path) => (
            format!("GRUB keeps `next_entry` below `{path}`, and cannot write to ZFS"),
            &[plain, "`loader = \"systemd-boot\"`, on UEFI"],
        ),
        Obstacle::Format(path, format) => (
            format!("GRUB keeps `next_entry` below `{path}`, and writing it on {} is not proven", format.word()),
            &[plain],
        ),
        Obstacle::Luks(path) => {
            (format!("GRUB keeps `next_entry` below `{path}`, and cannot write within LUKS"), &[plain])
        }
        Obstacle::Array(path) => (
            format!("GRUB keeps `next_entry` below `{path}`, and cannot write to an array"),
            &["a plain partition with ext4 or FAT for `/boot` on each disk, the further disks in `boot.mirrors`"],
        ),
        Obstacle::Journal(path) => (
            format!("GRUB keeps `next_entry` below `{path}`, and writes past the journal"),
            &["mount it without `data=journal`"],
        ),
        Obstacle::Saved => (
            "every boot overwrites the default".to_owned(),
            &["remove the setting: the first entry is the default, and the last good generation"],
        ),
        Obstacle::Waits => {
            ("the menu waits for a person".to_owned(), &["a number of seconds: `boot.loader.timeout = 5`"])
        }
    };
    let mut finding = Finding::at(place, message).label(label).why(
        "a candidate that fails would boot again and again, or stay in the menu: a person at the console becomes a gate of the plan",
    );
    if place != cx.host.def.boot.loader.place {
        finding = finding.related(cx.host.def.boot.loader.place, "the loader");
    }
    for help in helps {
        finding = finding.help(*help);
    }
    found.report(finding);
}

#[cfg(test)]
mod tests {
    use crate::check::sample::reported;

    #[test]
    fn only_a_loader_that_forgets_its_choice_by_itself_comes_back() {
        let disks = |format: &str, options: &str| {
            format!(
                "disks.main = {{ id = 'ata-X', size = '1TB', partitions = [\n\
                 {{ name = 'bios', role = 'bios-boot', size = '1MiB' }},\n\
                 {{ name = 'root', role = 'filesystem', size = 'rest', format = '{format}', mount = '/'{options} }},\n] }}\n"
            )
        };
        let zfs = "disks.main = { id = 'ata-X', size = '1TB' }\nnetwork.host-id = '2487cd1f'\n\
                   zfs.pools.p = { vdevs = [{ type = 'stripe', members = ['main'] }], datasets.root = { mount = '/' } }\n";
        let cases = [
            (disks("ext4", ""), None),
            (disks("ext4", ", mount-options = ['noatime,data=journal']"), Some("3:101")),
            (disks("xfs", ""), Some("3:63")),
            (zfs.to_owned(), Some("3:94")),
            (format!("boot.loader = 'systemd-boot'\nmachine.firmware = 'uefi'\n{zfs}"), None),
            ("boot.loader = 'other'\n".to_owned(), Some("1:15")),
            ("nixos.boot.loader.grub.default = 'saved'\n".to_owned(), Some("1:34")),
            ("nixos.boot.loader.timeout = { literalExpression = 'null' }\n".to_owned(), Some("1:51")),
            ("nixos.boot.loader.timeout = 5\n".to_owned(), None),
            ("nixos.boot.loader.grub.mirroredBoots = [{ path = '/', devices = ['/dev/sda'] }]\n".to_owned(), None),
        ];
        for (host, expected) in cases {
            let lines = reported(&[("hosts/a/host.toml", &host)], &[]);
            let place = lines.iter().find_map(|line| {
                line.strip_prefix("warning hosts/a/host.toml:")?
                    .split_once(" recovery-impossible")
                    .map(|(place, _)| place)
            });
            assert_eq!(place, expected, "{host}\n{lines:#?}");
        }
    }
}
