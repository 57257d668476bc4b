//! Layers that cannot stand on each other, or that nothing could read.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::{Format, Role};
use crate::fleet::schema::storage::{ArrayRole, Metadata};
use crate::resolve::{Base, BlockDevice, Content, ResolvedArray};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "layer-impossible",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "an array, LUKS, swap or subvolumes where they cannot work",
    doc: include_str!("layer_impossible.md"),
    check: Check::Host(check),
};

/// The most bytes that the superblock of an array has for its name, the host's and a colon included (super1.c of mdadm).
const ARRAY_NAME: usize = 31;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for device in &cx.host.devices {
        layers(device, found);
    }
    for array in &cx.host.arrays {
        members(array, found);
        superblock(array, cx.host.name, found);
    }
}

fn layers(device: &BlockDevice<'_>, found: &mut Findings) {
    let subject = format!("`{}`", device.base);
    if let Some(luks) = device.luks {
        let (what, why) = match device.role {
            Role::BiosBoot => ("GRUB's core image", "the firmware starts it before anything could open it"),
            Role::Esp => ("an EFI system partition", "the firmware reads it before anything could open it"),
            Role::Mdraid => ("a member of an array", "an array is assembled before LUKS opens"),
            Role::Filesystem | Role::Swap | Role::Zfs => ("", ""),
        };
        if !what.is_empty() {
            let finding = Finding::at(luks.place, format!("{subject} is {what} and cannot be within LUKS")).why(why);
            let finding = finding.label("LUKS around it").help("remove `luks` here");
            found.report(match device.role {
                Role::Mdraid => finding.help("`luks` for the array that it is a member of"),
                _ => finding,
            });
        }
    }
    let format = match device.content {
        Content::FileSystem(format) => format,
        _ => None,
    };
    if let Some((name, subvolume)) = device.subvolumes.iter().next().filter(|_| format != Some(Format::Btrfs)) {
        found.report(
            Finding::at(subvolume.key, format!("{subject} has the subvolume `{name}` and is not btrfs"))
                .label("a subvolume")
                .why("only btrfs has subvolumes")
                .help("`format = \"btrfs\"`")
                .help("remove `subvolumes`"),
        );
    }
    if device.role == Role::Esp && format.is_some_and(|format| format != Format::Vfat) {
        let word = format.map_or("", Format::word);
        found.report(
            Finding::at(device.place, format!("{subject} is an EFI system partition with {word}"))
                .label("read by the firmware")
                .why("UEFI reads FAT only")
                .help("`format = \"vfat\"`, or no `format`"),
        );
    }
    let Some(random) = device.random_encryption else { return };
    if device.content != Content::Swap {
        found.report(
            Finding::at(random, format!("{subject} gets a new key at each boot and is not swap"))
                .label("a new key at each boot")
                .why("what was written under the old key is lost")
                .help("`role = \"swap\"`")
                .help("`luks` instead of `random-encryption`"),
        );
    } else if let Some(luks) = device.luks {
        found.report(
            Finding::at(random, format!("{subject} is encrypted twice"))
                .label("under a new key at each boot")
                .related(luks.place, "and within LUKS")
                .why("one of the two does nothing but cost time")
                .help("remove one of the two"),
        );
    }
}

fn members(array: &ResolvedArray<'_>, found: &mut Findings) {
    let (level, count) = (array.def.level.value, array.def.members.len());
    if count < level.fewest() {
        let message =
            format!("`mdraid.{}` has {count} members, level {} needs {}", array.name, level.number(), level.fewest());
        found.report(
            Finding::at(array.def.level.place, message)
                .label(format!("level {}", level.number()))
                .why("mdadm refuses to make the array, or makes one that survives no loss")
                .help(format!("{} members", level.fewest()))
                .help("another level: 1 works with two members"),
        );
    }
}

fn superblock(array: &ResolvedArray<'_>, host: &str, found: &mut Findings) {
    let full = host.len() + 1 + array.name.len();
    if full > ARRAY_NAME {
        let message =
            format!("the name `{host}:{}` has {full} characters, an array's has {ARRAY_NAME} at most", array.name);
        found.report(
            Finding::at(array.def.key, message)
                .label("a shorter one")
                .why("mdadm leaves the host's name out, and the array is not found under the name that is mounted")
                .help("a shorter name for the array"),
        );
    }
    let boots = array.def.role.value == ArrayRole::Esp;
    let Some(metadata) = array.def.metadata.as_ref().filter(|metadata| metadata.value == Metadata::V1_2 && boots)
    else {
        return;
    };
    found.report(
        Finding::at(metadata.place, format!("`{}` is an EFI system partition with its superblock at the start", Base::Array { name: array.name }))
            .label("lies where the firmware looks for FAT")
            .why("UEFI knows no arrays: it reads one member as if it stood alone, which only works with the superblock at the end")
            .help("`metadata = \"1.0\"`, or no `metadata`"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    const RULE: &str = "layer-impossible";

    fn host(root: &str, more: &str) -> String {
        format!(
            "disks.main = {{ id = 'ata-M', size = '512GB', partitions = [\n\
             {{ name = 'bios', role = 'bios-boot', size = '1MiB' }},\n{more}\
             {{ name = 'boot', role = 'filesystem', size = '2GiB', format = 'ext4', mount = '/boot' }},\n\
             {{ name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/'{root} }},\n] }}\n"
        )
    }

    #[test]
    fn layers_that_cannot_stand_are_named_each_at_its_key() {
        let arrays = |array: &str| {
            format!(
                "{}disks.b = {{ id = 'ata-B', size = '1TB' }}\ndisks.c = {{ id = 'ata-C', size = '1TB' }}\nmdraid.data = {{ {array} }}\n",
                host("", "")
            )
        };
        let swap =
            "{ name = 'swap', role = 'swap', size = '1GiB', random-encryption = true, luks = { name = 's' } },\n";
        let table = [
            (host("", ""), None),
            (
                host(", subvolumes = { a = { mount = '/a' } }", ""),
                Some("`main.root` has the subvolume `a` and is not btrfs"),
            ),
            (host(", random-encryption = true", ""), Some("`main.root` gets a new key at each boot and is not swap")),
            (host("", swap), Some("`main.swap` is encrypted twice")),
            (arrays("level = 1, members = ['b', 'c'], mount = '/data'"), None),
            (
                arrays("level = 5, members = ['b', 'c'], mount = '/data'"),
                Some("`mdraid.data` has 2 members, level 5 needs 3"),
            ),
            (
                arrays("level = 1, members = ['b', 'c'], role = 'esp', metadata = '1.2'"),
                Some("`mdraid.data` is an EFI system partition with its superblock at the start"),
            ),
            (
                host("", "").replace("size = '1MiB' }", "size = '1MiB', luks = { name = 'x' } }"),
                Some("`main.bios` is GRUB's core image and cannot be within LUKS"),
            ),
        ];
        for (host, wanted) in table {
            let wanted: Vec<String> = wanted.iter().map(|wanted| format!("error: {wanted}")).collect();
            assert_eq!(said(RULE, &host), wanted, "{host}");
        }
    }
}
