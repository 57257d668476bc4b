//! The machine of a rehearsal is the host's likeness, and the definition for it leads nowhere else.

use hostwright::check::check_files;
use hostwright::facts::Facts;
use hostwright::rehearse::{Accelerator, DISKS_FIRST, Files, Ports, definition, machine, verify};
use hostwright::resolve::ResolvedHost;
use hostwright::source::FleetFiles;

use super::compile::{TODAY, root};

const PORTS: Ports = Ports { installer: 40_022, system: 40_023 };

/// Calls with a host of tests/fleets/recovered, its definition changed, and the definition's text.
fn lighthouse<T>(change: impl FnOnce(&str) -> String, then: impl FnOnce(&ResolvedHost<'_>, &str) -> T) -> T {
    let folder = root().join("tests/fleets/recovered");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let text = change(&read("hosts/lighthouse/host.toml"));
    of(&read("fleet.toml"), &text, |host| then(host, &text))
}

fn of<T>(fleet: &str, text: &str, then: impl FnOnce(&ResolvedHost<'_>) -> T) -> T {
    let mut files = FleetFiles::in_memory([("fleet.toml", fleet), ("hosts/lighthouse/host.toml", text)]);
    check_files(&mut files, &Facts::embedded(), &[], TODAY.parse().unwrap(), |fleet, outcome, _| {
        let said = || outcome.checked.findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>();
        let fleet = fleet.unwrap_or_else(|| panic!("{:?}", said()));
        then(fleet.hosts.first().unwrap_or_else(|| panic!("{:?}", said())))
    })
}

/// Repositories that the closed machine can be led to.
fn named(text: &str) -> String {
    text.replace("sftp:attic@192.0.2.9:lighthouse", "sftp:attic@attic.example.org:lighthouse")
}

fn refused(change: impl FnOnce(&str) -> String) -> Vec<String> {
    lighthouse(change, |host, _| machine(host).unwrap_err().into_iter().map(|refused| refused.what).collect())
}

#[test]
fn the_machine_is_the_likeness_of_the_host() {
    lighthouse(named, |host, _| {
        let machine = machine(host).unwrap();
        let drives: Vec<(String, u64)> = machine.drives.iter().map(|drive| (drive.id(), drive.bytes)).collect();
        assert_eq!(
            drives,
            [
                ("virtio-rehearsal0-ssd0".to_owned(), 500_000_000_000),
                ("virtio-rehearsal1-ssd1".to_owned(), 500_000_000_000)
            ]
        );
        assert_eq!(machine.cards[0].mac, "02:00:00:00:b0:04");
        assert_eq!(
            (machine.net.network.to_string().as_str(), machine.net.own),
            ("192.0.2.0/24", "192.0.2.84".parse().ok())
        );
        assert_eq!(machine.net.gateway.to_string(), "192.0.2.1");
        let ways: Vec<(&str, u16)> = machine.ways.iter().map(|way| (way.host.as_str(), way.port)).collect();
        assert_eq!(ways, [("host.example.org", 22), ("attic.example.org", 22)]);
        // Every address is one alone, and none is DHCP's.
        let mut all = vec![machine.net.own.unwrap(), machine.net.gateway, machine.net.names, machine.net.dhcp];
        all.extend(machine.ways.iter().map(|way| way.address));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|address| machine.net.network.contains((*address).into())));
    });
}

#[test]
fn a_repository_of_the_hosts_own_network_stays_where_it_is() {
    let change = |text: &str| text.replace("attic@192.0.2.9:", "attic@192.0.2.3:");
    lighthouse(change, |host, _| {
        let machine = machine(host).unwrap();
        let way = machine.ways.iter().find(|way| way.host == "192.0.2.3").unwrap();
        assert_eq!((way.address.to_string().as_str(), way.by_name), ("192.0.2.3", false));
        assert!(![machine.net.gateway, machine.net.names, machine.net.dhcp].contains(&way.address));
    });
}

#[test]
fn the_changed_definition_leads_to_the_machine_and_nowhere_else() {
    let hooks = "[machine.hooks]\npower-cycle = \"ipmitool power cycle\"\nrescue = \"robot rescue\"\n";
    let change = |text: &str| {
        named(text).replace("[disks.ssd0]", &format!("{hooks}\n[disks.ssd0]")).replace(
            "target = \"root@192.0.2.84\"",
            "target = \"admin@192.0.2.84:2222\"\njump = [\"jump.example.org\"]\nssh-options = { ConnectTimeout = \"5\" }",
        )
    };
    let fleet =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleets/recovered/fleet.toml")).unwrap();
    let (machine, changed) = lighthouse(change, |host, text| {
        let machine = machine(host).unwrap();
        assert!(verify(host, &machine, PORTS).is_err(), "the host itself is not the machine");
        let changed = definition(text, host, &machine, PORTS, false).unwrap();
        (machine, changed)
    });
    of(&fleet, &changed, |host| {
        assert_eq!(verify(host, &machine, PORTS), Ok(()));
        assert_eq!(
            host.def.deploy.as_ref().unwrap().target.as_ref().unwrap().value.to_string(),
            "root@127.0.0.1:40023"
        );
        assert_eq!(host.def.installer.as_ref().unwrap().port.value, 40_022);
    });
    for real in ["192.0.2.84:2222", "Samsung_SSD", "ipmitool", "robot rescue", "jump.example.org"] {
        assert!(!changed.contains(real), "{real}\n{changed}");
    }
    assert!(changed.contains("borgbackup-job-offsite") && changed.contains("restic-backups-attic"), "{changed}");
}

#[test]
fn a_definition_in_which_something_else_wins_is_refused() {
    lighthouse(named, |host, _| {
        let mut machine = machine(host).unwrap();
        machine.drives.pop();
        assert!(verify(host, &machine, PORTS).is_err());
    });
}

#[test]
fn qemu_reaches_the_repositories_and_nothing_else() {
    lighthouse(named, |host, _| {
        let machine = machine(host).unwrap();
        let files = Files {
            accelerator: Accelerator::Kvm,
            folder: "/a,b".as_ref(),
            installer: "/i.iso".as_ref(),
            installer_port: 22,
            firmware: None,
            program: "/bin/host wright".as_ref(),
            closed: "/a,b/closed".as_ref(),
        };
        let words = machine.words(PORTS, &files);
        let nets: Vec<&String> =
            words.iter().zip(words.iter().skip(1)).filter(|(word, _)| *word == "-netdev").map(|(_, net)| net).collect();
        assert!(nets.iter().all(|net| net.contains("restrict=on")), "{nets:?}");
        for forward in ["hostfwd=tcp:127.0.0.1:40022-192.0.2.84:22", "hostfwd=tcp:127.0.0.1:40023-192.0.2.84:22"] {
            assert!(nets[0].contains(forward), "{nets:?}");
        }
        assert!(nets[0].contains(":22-cmd:'/bin/host wright' lead-out /a,,b/closed host.example.org 22"), "{nets:?}");
        // A comma in a path is no further option.
        assert!(words.iter().any(|word| word == "file:/a,,b/console.log"), "{words:?}");
        // Once the installer runs, the first disk is what boots.
        assert!(words.iter().any(|word| word == "scsi-cd,id=installer,drive=image,bootindex=1"), "{words:?}");
        assert!(words.iter().any(|word| word.contains("serial=rehearsal0-ssd0,bootindex=2")), "{words:?}");
        assert!(DISKS_FIRST.contains("/peripheral/installer bootindex 99"));
    });
}

#[test]
fn what_cannot_be_rehearsed_is_told_with_all_of_its_reasons() {
    let said =
        refused(|text| named(text).replace("x86_64-linux", "aarch64-linux").replace("192.0.2.84/24", "192.0.2.84/32"));
    assert!(said.iter().any(|why| why.contains("no room")), "{said:?}");
    let said = refused(|text| text.replace("sftp:attic@192.0.2.9:lighthouse", "b2:bucket:lighthouse"));
    assert!(said.iter().any(|why| why.contains("many machines")), "{said:?}");
    let said = refused(|text| text.replace("sftp:attic@192.0.2.9:lighthouse", "sftp:attic@198.51.100.9:lighthouse"));
    assert!(said.iter().any(|why| why.contains("198.51.100.9")), "{said:?}");
}
