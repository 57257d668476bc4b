//! `hostwright new`: from an empty folder to a host that builds, and what is refused.

use crate::program::Sandbox;

pub(crate) const FACTS: &str = r#"{
  "version": 1, "arch": "x86_64", "firmware": "uefi", "memory_bytes": 16500000000,
  "cpu": { "vendor": "GenuineIntel" }, "dmi": { "sys_vendor": "QEMU" },
  "disks": [
    { "ids": ["ata-A_1"], "path": "/dev/sda", "size_bytes": 512110190592, "physical_sector": 512, "rotational": false,
      "driver": "ahci", "signatures": [], "mounted": [] },
    { "ids": ["ata-A_2"], "path": "/dev/sdb", "size_bytes": 512110190592, "physical_sector": 512, "rotational": false,
      "driver": "ahci", "signatures": [], "mounted": [] }
  ],
  "interfaces": [{ "name": "ens3", "mac": "02:00:00:00:43:01", "driver": "virtio_net", "up": true, "dhcp": true,
    "addresses": ["192.0.2.43/24"], "gateways": [{ "via": "192.0.2.1", "on_link": false }] }]
}"#;

#[test]
fn an_empty_folder_and_facts_become_a_host_that_checks_and_builds() {
    let sandbox = Sandbox::empty();
    assert_eq!(sandbox.run(&["init"]).status, 0);
    sandbox.write("a.json", FACTS);
    sandbox.write(
        "a.pub",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA admin@desk\n",
    );
    let new = ["new", "attic", "--facts", "a.json", "--key", "a.pub"];
    let run = sandbox.run(&new);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.out.contains("hosts/attic/host.toml") && run.out.contains("hostwright check attic"), "{}", run.out);
    assert_eq!(sandbox.read("hosts/attic/facts.json"), FACTS);
    for words in [&["check", "attic"][..], &["build", "attic"]] {
        let run = sandbox.run(words);
        assert_eq!(run.status, 0, "{words:?}\n{}{}", run.out, run.err);
    }
    let before = sandbox.read("hosts/attic/host.toml");
    let again = sandbox.run(&new);
    assert_eq!(again.status, 2, "{}", again.out);
    assert!(again.err.contains("already has"), "{}", again.err);
    assert_eq!(sandbox.read("hosts/attic/host.toml"), before);
}

#[test]
fn without_a_blank_disk_or_with_a_private_key_nothing_is_written() {
    let sandbox = Sandbox::small();
    sandbox.write("a.json", FACTS.replace(r#""signatures": [], "#, ""));
    let run = sandbox.run(&["new", "attic", "--facts", "a.json"]);
    assert_eq!(run.status, 2, "{}", run.out);
    assert!(run.err.contains("/dev/sda") && run.err.contains("probe as root"), "{}", run.err);
    sandbox.write("a.json", FACTS);
    sandbox.write("key", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    assert_eq!(sandbox.run(&["new", "attic", "--facts", "a.json", "--key", "key"]).status, 2);
    assert!(!sandbox.path().join("hosts/attic").exists());
}
