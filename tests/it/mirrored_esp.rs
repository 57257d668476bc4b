//! The copy of an EFI system partition, on file systems of their own (FAT where the kernel has it): complete, whole after a cut at any place, and known to the
//! firmware once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::compile_shell::{program, put, render, run_part};

/// Two file systems that are mounted until the test ends.
struct Disks {
    folder: tempfile::TempDir,
    mounted: Vec<PathBuf>,
}

impl Disks {
    /// Makes and mounts two; none where that is not allowed, which is said.
    fn new(test: &str, mebibytes: [u32; 2]) -> Option<Self> {
        let mut disks = Self { folder: tempfile::tempdir().unwrap(), mounted: Vec::new() };
        for (name, size) in ["from", "to"].into_iter().zip(mebibytes) {
            let (image, place) = (disks.folder.path().join(format!("{name}.img")), disks.folder.path().join(name));
            std::fs::create_dir(&place).unwrap();
            let file = std::fs::File::create(&image).unwrap();
            file.set_len(u64::from(size) << 20).unwrap();
            let quiet = |program: &str, arguments: &[&str]| {
                let mut command = Command::new(program);
                let command = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            };
            let (image, mount_point) = (image.to_str().unwrap(), place.to_str().unwrap());
            let fat = || quiet("mkfs.vfat", &[image]) && quiet("mount", &["-o", "loop,umask=0077", image, mount_point]);
            // Kernels of containers often lack FAT: what the copy promises is then shown on ext4.
            let make = ["-q", "-F", "-m", "0", "-b", "1024", "-N", "64", "-O", "^has_journal,^resize_inode", image];
            let ext4 = || quiet("mkfs.ext4", &make) && quiet("mount", &["-o", "loop", image, mount_point]);
            if !fat() && !ext4() {
                eprintln!("skipped: {test}: no file system can be made and mounted here");
                return None;
            }
            disks.mounted.push(place);
        }
        Some(disks)
    }

    fn from(&self) -> &Path {
        &self.mounted[0]
    }

    fn to(&self) -> &Path {
        &self.mounted[1]
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        for place in &self.mounted {
            let _ = Command::new("umount").arg(place).status();
        }
    }
}

/// Returns every file below a folder with what it holds.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let all =
        walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok).filter(|file| file.file_type().is_file());
    all.map(|file| {
        let name = file.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(file.path()).unwrap())
    })
    .collect()
}

/// Writes what the loader's installer leaves for some generations: each has its own kernel.
fn generations(esp: &Path, numbers: &[u32], kernel: usize) {
    let _ = std::fs::remove_dir_all(esp.join("EFI/nixos"));
    let _ = std::fs::remove_dir_all(esp.join("loader/entries"));
    put(
        esp,
        &[
            ("EFI/BOOT/BOOTX64.EFI", "loader 2"),
            ("EFI/systemd/systemd-bootx64.efi", "loader 2"),
            ("loader/loader.conf", &format!("timeout 5\ndefault nixos-{}.conf\n", numbers.last().unwrap())),
        ],
    );
    for number in numbers {
        let text = number.to_string().repeat(kernel);
        put(
            esp,
            &[
                (&format!("EFI/nixos/{number}-linux.efi"), &text),
                (&format!("loader/entries/nixos-{number}.conf"), &format!("linux /EFI/nixos/{number}-linux.efi\n")),
            ],
        );
    }
}

fn values(disks: &Disks) -> serde_json::Value {
    serde_json::json!({ "from": disks.from(), "loader": "\\EFI\\systemd\\systemd-bootx64.efi",
        "mirrors": [{ "path": disks.to(), "disk": "/dev/disk/by-id/right", "number": 1, "label": "NixOS on right" }] })
}

/// Makes the programs that a machine without firmware and without systemd lacks.
fn programs(disks: &Disks) -> PathBuf {
    let programs = disks.folder.path().join("bin");
    std::fs::create_dir_all(&programs).unwrap();
    let made = "to=${1#--esp-path=}; mkdir -p \"$to/EFI/systemd\" \"$to/EFI/BOOT\" \"$to/loader\"\n\
                [ \"$2 $3\" = '--no-variables install' ] || exit 1\n\
                echo 'loader 1' > \"$to/EFI/systemd/systemd-bootx64.efi\"; echo seed > \"$to/loader/random-seed\"";
    program(&programs, "bootctl", made);
    programs
}

/// Returns the entries of an ESP whose kernel is not there whole.
fn broken(esp: &Path, kernel: usize) -> Vec<String> {
    let all = files(esp);
    let entries = all.keys().filter_map(|name| name.strip_prefix("loader/entries/nixos-")?.strip_suffix(".conf"));
    entries
        .filter(|number| all.get(&format!("EFI/nixos/{number}-linux.efi")) != Some(&number.repeat(kernel).into_bytes()))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_cut_at_any_copy_leaves_a_mirror_that_boots_and_the_next_run_completes_it() {
    let test = "a_cut_at_any_copy_leaves_a_mirror_that_boots_and_the_next_run_completes_it";
    let Some(disks) = Disks::new(test, [8, 8]) else { return };
    let programs = programs(&disks);
    let script = render("mirror-esp.sh.tera", &values(&disks)).replace("/sys/firmware/efi/efivars", "/nonexistent");
    let without_seed = |esp: &Path| {
        let mut all = files(esp);
        all.remove("loader/random-seed");
        all
    };
    generations(disks.from(), &[1, 2], 5000);
    let (said, status) = run_part(&script, &[], &programs);
    assert_eq!((said.as_str(), status), ("", 0));
    assert_eq!(without_seed(disks.to()), without_seed(disks.from()));
    assert!(disks.to().join("loader/random-seed").exists(), "the mirror has a seed of its own");
    // Generation 1 leaves, 3 and 4 come: the nth copy or removal is the last thing that happens.
    for cut in 1..20 {
        generations(disks.from(), &[1, 2], 5000);
        assert_eq!(run_part(&script, &[], &programs).1, 0);
        generations(disks.from(), &[2, 3, 4], 5000);
        let count = disks.folder.path().join("count");
        std::fs::write(&count, "").unwrap();
        for name in ["cp", "mv", "rm"] {
            let counted = format!(
                "echo x >> {0}\n[ \"$(wc -l < {0})\" -lt {cut} ] || exit 1\nexec /bin/{name} \"$@\"",
                count.display()
            );
            program(&programs, name, &counted);
        }
        let (_, status) = run_part(&script, &[], &programs);
        for name in ["cp", "mv", "rm"] {
            std::fs::remove_file(programs.join(name)).unwrap();
        }
        assert_eq!(broken(disks.to(), 5000), Vec::<String>::new(), "cut at {cut}");
        assert!(disks.to().join("loader/entries/nixos-2.conf").exists(), "cut at {cut}: the good generation");
        let (said, again) = run_part(&script, &[], &programs);
        assert_eq!((said.as_str(), again), ("", 0), "cut at {cut}");
        assert_eq!(without_seed(disks.to()), without_seed(disks.from()), "cut at {cut}");
        if status == 0 {
            assert!(cut > 8, "{cut} is no cut");
            return;
        }
    }
    panic!("the copy never ran to its end");
}

#[test]
fn a_mirror_without_room_for_both_drops_what_is_gone_first_and_says_when_it_is_too_small() {
    let test = "a_mirror_without_room_for_both_drops_what_is_gone_first_and_says_when_it_is_too_small";
    let Some(disks) = Disks::new(test, [8, 4]) else { return };
    let programs = programs(&disks);
    let script = render("mirror-esp.sh.tera", &values(&disks)).replace("/sys/firmware/efi/efivars", "/nonexistent");
    for numbers in [[1, 2], [2, 3], [3, 4]] {
        generations(disks.from(), &numbers, 1_500_000);
        let (said, status) = run_part(&script, &[], &programs);
        assert_eq!((said.as_str(), status), ("", 0), "{numbers:?}");
    }
    generations(disks.from(), &[4, 5, 6], 1_500_000);
    let (said, status) = run_part(&script, &[], &programs);
    assert!(status != 0 && said.contains("No space left"), "{said}");
    assert_eq!(broken(disks.to(), 1_500_000), Vec::<String>::new());
    assert!(disks.to().join("loader/entries/nixos-4.conf").exists());
}

#[test]
fn the_firmware_gets_one_entry_a_disk_and_a_replaced_disk_gets_a_new_one() {
    let test = "the_firmware_gets_one_entry_a_disk_and_a_replaced_disk_gets_a_new_one";
    let Some(disks) = Disks::new(test, [4, 4]) else { return };
    let programs = programs(&disks);
    generations(disks.from(), &[1], 10);
    let (entries, asked, uuid) =
        (disks.folder.path().join("entries"), disks.folder.path().join("asked"), disks.folder.path().join("uuid"));
    // Firmware of paper: prints its entries, takes new ones for the partition that is there, forgets those it is told to.
    let firmware = format!(
        "echo \"$@\" >> {asked}\ncase \" $* \" in\n\
         *--create-only*) printf 'Boot0009* NixOS on right\\tHD(1,GPT,%s,0x800)\\n' \"$(cat {uuid})\" >> {entries} ;;\n\
         *--delete-bootnum*) sed -i \"/^Boot$3/d\" {entries} ;;\n*--bootorder*) ;;\n\
         *) echo 'BootOrder: 0001,0002'; cat {entries} ;;\nesac",
        asked = asked.display(),
        uuid = uuid.display(),
        entries = entries.display()
    );
    program(&programs, "efibootmgr", &firmware);
    program(&programs, "blkid", &format!("cat {}", uuid.display()));
    std::fs::write(&entries, "Boot0001* NixOS on right two\tHD(1,GPT,aa,0x800)\n").unwrap();
    let script = render("mirror-esp.sh.tera", &values(&disks))
        .replace("/sys/firmware/efi/efivars", disks.folder.path().to_str().unwrap());
    let created = || {
        let asked = std::fs::read_to_string(&asked).unwrap_or_default();
        asked.lines().filter(|line| line.contains("--create-only")).count()
    };
    std::fs::write(&uuid, "1111-AAAA").unwrap();
    for _ in 0..2 {
        let (said, status) = run_part(&script, &[], &programs);
        assert_eq!((said.as_str(), status), ("", 0));
        assert_eq!(created(), 1, "once, and another disk's entry is not taken for this one's");
    }
    assert!(std::fs::read_to_string(&asked).unwrap().contains("--bootorder 0001,0002,0009"));
    std::fs::write(&uuid, "2222-BBBB").unwrap();
    assert_eq!(run_part(&script, &[], &programs).1, 0);
    let known = std::fs::read_to_string(&entries).unwrap();
    assert!(created() == 2 && known.contains("2222-BBBB") && !known.contains("1111-AAAA"), "{known}");
}
