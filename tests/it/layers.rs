//! The scripts that lay out arrays, LUKS, btrfs and a root in memory, judged by what a dry run says it would do.

use hostwright::facts::Facts;
use hostwright::source::load;

use super::compile::{compile_files, root};
use super::compile_shell::dry_run;

/// Returns the commands of a host's script in a dry run, a line each.
fn commands(host: &str, script: &str) -> Vec<String> {
    let mut machines = load(&root().join("tests/fleets/machines")).unwrap();
    let compiled = compile_files(&mut machines, &Facts::embedded()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    dry_run(&compiled, host, script, folder.path()).into_iter().map(|line| line.join(" ")).collect()
}

/// Returns where the first command is that holds a text.
fn at(commands: &[String], text: &str) -> usize {
    commands.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no `{text}` in {commands:#?}"))
}

#[test]
fn an_array_is_made_of_its_partitions_before_luks_and_that_before_its_file_system() {
    let made = commands("mdraid-boot", "partition");
    let create = &made[at(&made, "mdadm --create /dev/md/root")];
    assert!(
        create.contains(" --homehost=mdraid-boot --name=root --level=1 --metadata=1.2 --bitmap=internal"),
        "{create}"
    );
    assert!(
        create.ends_with("PN2134P5G00001-part3 /dev/disk/by-id/ata-HGST_HUS724020ALA640_PN2134P5G00002-part3"),
        "{create}"
    );
    assert!(made[at(&made, "mdadm --create /dev/md/boot")].contains(" --metadata=1.0 "));
    let format = at(&made, "cryptsetup luksFormat");
    assert!(made[format].contains("--pbkdf-memory 262144"), "{}", made[format]);
    assert!(made[format].contains("/dev/disk/by-id/md-name-mdraid-boot:root"), "{}", made[format]);
    assert!(at(&made, "--change-name=3:mdraid-boot-left-root") < at(&made, "mdadm --create"));
    assert!(at(&made, "mdadm --create /dev/md/root") < format && format < at(&made, "mkfs.ext4"));
    assert!(made.iter().any(|line| line.starts_with("mkfs.ext4") && line.ends_with(" /dev/mapper/root")), "{made:#?}");
    let mounted = commands("mdraid-boot", "mount");
    assert!(at(&mounted, "mdadm --assemble /dev/md/root") < at(&mounted, "cryptsetup open"), "{mounted:#?}");
    assert!(at(&mounted, "cryptsetup open") < at(&mounted, "/dev/mapper/root /mnt"), "{mounted:#?}");
    assert!(!mounted.iter().any(|line| line.contains("luksFormat") || line.contains("--create")), "{mounted:#?}");
}

#[test]
fn swap_under_a_random_key_is_left_for_the_boot_to_make() {
    let made = commands("luks-console", "partition");
    assert!(made.iter().any(|line| line.contains("--change-name=2:luks-console-main-swap")), "{made:#?}");
    assert!(!made.iter().any(|line| line.starts_with("mkswap")), "{made:#?}");
}

#[test]
fn subvolumes_are_made_and_each_is_mounted_by_its_name() {
    let made = commands("btrfs", "partition");
    assert!(at(&made, "mkfs.btrfs") < at(&made, "btrfs subvolume create"));
    let mounted = commands("btrfs", "mount");
    let root = at(&mounted, "subvol=@,compress=zstd");
    assert!(root < at(&mounted, "subvol=@nix,compress=zstd,noatime"), "{mounted:#?}");
    assert!(mounted[root].ends_with(" /mnt"), "{}", mounted[root]);
    assert!(at(&mounted, "mkswap /mnt/swap/file.new") < at(&mounted, "mv -- /mnt/swap/file.new /mnt/swap/file"));
}

#[test]
fn what_is_kept_is_made_on_the_disk_and_bound_into_the_root_in_memory() {
    let mounted = commands("tmpfs-root", "mount");
    let root = at(&mounted, "mount -t tmpfs");
    assert!(
        mounted[root].contains("size=2147483648,mode=0755") && mounted[root].ends_with(" /mnt"),
        "{}",
        mounted[root]
    );
    let kept = at(&mounted, "subvol=persist");
    let made = at(&mounted, "mkdir -m 0700 -- /mnt/persist/root");
    let bound = at(&mounted, "mount --bind -- /mnt/persist/root /mnt/root");
    assert!(root < kept && kept < made && made < bound, "{mounted:#?}");
    assert!(at(&mounted, "mkdir -m 0700 -- /mnt/persist/var/lib/hostwright") < mounted.len());
    // A network file system has no part in an installation.
    assert!(!mounted.iter().any(|line| line.contains("/srv/media")), "{mounted:#?}");
}
