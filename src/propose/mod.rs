//! A first host.toml for a machine, from its facts.
//!
//! Here belong: which disks may be used, the layout that suits them and the firmware, and the text. Not here: reading and writing
//! files (`cli`), what a definition may hold (`fleet`), whether it is sound (`check`).
//!
//! Invariant: a disk is used only where the facts say that it is blank; what the facts do not say is left to a line with EDIT.

mod layout;
mod machine;
mod text;

pub use layout::{Filesystem, Unusable};
pub use machine::Machine;
pub use text::{Wishes, host_toml};

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{Filesystem, Machine, Wishes, host_toml};
    use crate::check::check_files;
    use crate::facts::Facts;
    use crate::source::{FleetFiles, Level};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA admin@desk";

    /// Returns a blank disk.
    fn disk(n: u32, gigabytes: u64, rotational: bool) -> Json {
        let driver = if rotational { "ahci" } else { "nvme" };
        let kind = if rotational { "ata" } else { "nvme" };
        json!({
            "ids": [format!("wwn-0x500000000000000{n}"), format!("{kind}-MODEL_{gigabytes}_SERIAL{n}")],
            "path": format!("/dev/d{n}"), "size_bytes": gigabytes * 1_000_204_886, "physical_sector": 4096,
            "rotational": rotational, "driver": driver, "signatures": [], "mounted": [], "partitions": []
        })
    }

    fn facts(firmware: &str, disks: Vec<Json>) -> Json {
        json!({
            "version": 1, "arch": "x86_64", "firmware": firmware, "memory_bytes": 67_300_000_000u64,
            "cpu": { "vendor": "AuthenticAMD" }, "dmi": { "sys_vendor": "Gigabyte" }, "disks": Json::Array(disks),
            "nameservers": ["192.0.2.53"],
            "interfaces": [{
                "name": "eth0", "mac": "02:00:00:00:42:01", "driver": "igb", "up": true, "dhcp": false,
                "addresses": ["192.0.2.42/32"], "gateways": [{ "via": "198.51.100.1", "on_link": true }]
            }]
        })
    }

    fn proposed(facts: &Json, filesystem: Filesystem) -> String {
        let machine = Machine::read(&facts.to_string()).unwrap();
        let wishes = Wishes {
            filesystem,
            channel: "stable".to_owned(),
            release: "26.05".to_owned(),
            keys: vec![KEY.to_owned()],
            ..Wishes::default()
        };
        host_toml(&machine, &wishes).unwrap()
    }

    /// Proposes, runs every rule over the text in the fleet that `init` makes, and returns the text when none reports an error.
    fn sound(facts: &Json, filesystem: Filesystem) -> String {
        let text = proposed(facts, filesystem);
        let mut files = FleetFiles::in_memory([
            ("fleet.toml".to_owned(), include_str!("../cli/init/fleet.toml").to_owned()),
            ("hosts/new/host.toml".to_owned(), text.clone()),
            ("hosts/new/facts.json".to_owned(), facts.to_string()),
        ]);
        let today = "2026-11-21".parse().unwrap();
        let bad: Vec<String> = check_files(&mut files, &Facts::embedded(), &[], today, |_, outcome, _| {
            let errors = outcome.checked.findings.iter().filter(|finding| finding.level >= Level::Warning);
            errors.map(|finding| format!("{} {}: {}", finding.level.as_str(), finding.rule, finding.message)).collect()
        });
        // These ask the person: whether there is a console, and whether one disk is enough.
        let asks = ["no-out-of-band-access", "boot-not-mirrored", "recovery-impossible"];
        let bad: Vec<String> = bad
            .into_iter()
            .filter(|line| !(line.starts_with("warning") && asks.iter().any(|rule| line.contains(rule))))
            .collect();
        assert!(bad.is_empty(), "{bad:#?}\n{text}");
        text
    }

    #[test]
    fn every_number_of_equal_disks_gives_a_layout_that_passes_the_check_under_both_firmwares() {
        for firmware in ["uefi", "bios"] {
            for (count, vdev) in
                [(1, "stripe"), (2, "mirror"), (3, "raidz1"), (5, "raidz1"), (6, "raidz2"), (12, "raidz2")]
            {
                let text = sound(&facts(firmware, (0..count).map(|n| disk(n, 512, false)).collect()), Filesystem::Zfs);
                assert!(text.contains(&format!("type = \"{vdev}\"")), "{text}");
                let boots = text.matches(if firmware == "bios" { "bios-boot" } else { "role = \"esp\"" }).count();
                assert_eq!(boots, usize::try_from(count.min(2)).unwrap(), "{text}");
                assert_eq!(text.contains("mirrors ="), count > 1, "{text}");
            }
        }
    }

    #[test]
    fn ext4_is_on_one_disk_and_the_others_are_named() {
        for firmware in ["uefi", "bios"] {
            let text = sound(&facts(firmware, vec![disk(1, 512, false), disk(2, 512, false)]), Filesystem::Ext4);
            assert!(!text.contains("zfs]") && text.contains("not used: /dev/d2"), "{text}");
        }
    }

    #[test]
    fn of_several_sizes_the_smallest_that_does_not_turn_boots_and_the_largest_holds_the_data() {
        let mut disks = vec![disk(1, 250, true), disk(2, 512, false), disk(3, 513, false)];
        disks.extend((4..7).map(|n| disk(n, 4000, true)));
        let text = sound(&facts("uefi", disks), Filesystem::Zfs);
        for part in [
            "vdevs = [{ type = \"mirror\", members = [\"system0.pool\", \"system1.pool\"] }]",
            "vdevs = [{ type = \"raidz1\", members = [\"data0\", \"data1\", \"data2\"] }]",
            "not used: /dev/d1 (ata-MODEL_250_SERIAL1, 250GB): free for another use",
            "id = \"nvme-MODEL_512_SERIAL2\"",
            "size = \"4TB\"",
            "memory = \"64GiB\"",
            "gateways = [{ via = \"198.51.100.1\", on-link = true }]",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_disk_that_is_not_known_to_be_blank_is_never_used() {
        for (key, value) in [
            ("signatures", Json::Null),
            ("signatures", json!([{ "at": "/dev/d2", "type": "ext4" }])),
            ("mounted", json!(["/mnt"])),
            ("removable", json!(true)),
            ("size_bytes", json!(7_900_000_000u64)),
            ("ids", json!([])),
        ] {
            let mut other = disk(2, 512, false);
            other[key] = value.clone();
            let text = sound(&facts("uefi", vec![disk(1, 512, false), other.clone()]), Filesystem::Zfs);
            assert!(
                text.contains("not used: /dev/d2") && !text.contains("id = \"nvme-MODEL_512_SERIAL2"),
                "{key}\n{text}"
            );
            let machine = Machine::read(&facts("uefi", vec![other]).to_string()).unwrap();
            assert_eq!(host_toml(&machine, &Wishes::default()).unwrap_err().disks.len(), 1, "{key} {value}");
        }
    }

    #[test]
    fn what_a_machine_says_does_not_leave_its_string_or_comment() {
        let mut hostile = facts("uefi", vec![disk(1, 512, false), disk(2, 512, false)]);
        let word = "x\"]\n[nixos]\nboot = 1 # \\ \u{1b}";
        hostile["interfaces"][0]["name"] = json!(word);
        hostile["interfaces"][0]["driver"] = json!(word);
        hostile["interfaces"][0]["addresses"] = json!(["192.0.2.42/24", word]);
        hostile["disks"][0]["driver"] = json!(word);
        hostile["disks"][0]["ids"] = json!([word, "nvme-A"]);
        hostile["disks"][1]["path"] = json!(word);
        hostile["disks"][1]["mounted"] = json!([word]);
        hostile["host_id"] = json!(word);
        let text = sound(&hostile, Filesystem::Zfs);
        assert!(!text.lines().any(|line| line.starts_with("[nixos]")), "{text}");
        let quoted = format!("a = {}", super::text::quoted_for_test(word));
        let mut sources = crate::source::Sources::default();
        let file = sources.add("a.toml", quoted);
        let tree = crate::source::parse_toml(&sources, file, &mut Vec::new());
        assert_eq!(tree.at(&["a"]).unwrap().as_str(), Some(word));
    }

    #[test]
    fn a_guest_with_dhcp_has_the_hypervisors_console() {
        let mut guest = facts("bios", vec![disk(1, 20, true)]);
        guest["dmi"] = json!({ "sys_vendor": "QEMU" });
        guest["interfaces"][0]["dhcp"] = json!(true);
        let text = sound(&guest, Filesystem::Zfs);
        for part in ["cpu = \"virtual\"", "console = \"hypervisor\"", "dhcp = true"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
