//! Any text in any field: an error at its place, or Nix and scripts that say exactly that text. Never a panic.

use std::fs;

use hostwright::check::{check_files, rules};
use hostwright::compile::compile;
use hostwright::facts::Facts;
use hostwright::nix::syntax_errors;
use hostwright::source::{FleetFiles, Kind, Level, Node, Place, Sources, parse_toml};
use hostwright::text::Templates;

use rayon::prelude::*;

use crate::program::repository;

/// Strings that end, open or climb out of something in one of the languages on the way.
const HOSTILE: &[&str] = &[
    "${builtins.abort \"out\"}",
    "''; abort \"out\"; x = ''",
    "\"; abort \"out\"; x = \"",
    "$(touch /tmp/out) `touch /tmp/out`",
    "a\nb",
    "../../etc/passwd",
    "-oProxyCommand=touch",
    "\u{1b}[31m\u{7}\u{0}",
    "*/ # -- '' \\",
    "]] > <script>alert(1)</script>",
    "",
    "\u{202e}\u{feff}é漢",
];

fn example() -> Vec<(String, String)> {
    [
        "fleet.toml",
        "hosts/lufta/host.toml",
        "hosts/attic/host.toml",
        "modules/base/module.toml",
        "modules/gitea/module.toml",
    ]
    .into_iter()
    .map(|path| (path.to_owned(), fs::read_to_string(repository().join(path)).unwrap()))
    .collect()
}

/// Returns the places of every string and every key of a file.
fn places(text: &str) -> Vec<Place> {
    fn collect(node: &Node, places: &mut Vec<Place>) {
        match &node.kind {
            Kind::Str(_) => places.push(node.place),
            Kind::List(items) => items.iter().for_each(|item| collect(&item.node, places)),
            Kind::Table(table) => table.values().for_each(|entry| {
                places.push(entry.key);
                collect(&entry.node, places);
            }),
            _ => {}
        }
    }
    let mut sources = Sources::default();
    let file = sources.add("x", text);
    let mut found = Vec::new();
    let mut places = Vec::new();
    collect(&parse_toml(&sources, file, &mut found), &mut places);
    places.sort();
    places.dedup();
    places
}

/// Reads, checks and compiles a fleet; what compiles must parse. Returns whether it was refused.
fn refused(files: Vec<(String, String)>, what: &str) -> bool {
    let mut files = FleetFiles::in_memory(files);
    let facts = Facts::embedded();
    check_files(&mut files, &facts, &[], "2026-11-21".parse().unwrap(), |fleet, outcome, sources| {
        let input = |rule: &str| rules::find(rule).is_some_and(|rule| rule.group.as_str() == "input");
        for finding in &outcome.checked.findings {
            assert!(!finding.message.contains("internal error"), "{what}: {}", finding.message);
            assert!(!finding.message.chars().any(char::is_control), "{what}: {:?}", finding.message);
        }
        let errors = outcome.checked.findings.iter().filter(|finding| finding.level == Level::Error);
        let stops = errors.filter(|finding| input(finding.rule)).count() > 0;
        let Some(fleet) = fleet.filter(|_| !stops) else { return true };
        let none: [(String, String); 0] = [];
        let templates = Templates::new(none).unwrap();
        match compile(fleet, &[], &facts, sources, &templates) {
            Err(found) => {
                assert!(!found.is_empty(), "{what}: refused without a word");
                true
            }
            Ok(compiled) => {
                for file in compiled.files.iter().filter(|file| file.path.ends_with(".nix")) {
                    let errors = syntax_errors(file.text());
                    assert!(errors.is_empty(), "{what}: {} does not parse: {errors:?}\n{}", file.path, file.text());
                }
                false
            }
        }
    })
}

/// A host with every kind of name that the network, accounts, secrets and disks have.
pub(crate) const NAMES: &str = r#"
state-version = "26.05"
system = "x86_64-linux"
channel = "stable"
machine = { cpu = "intel", firmware = "uefi", memory = "8GiB", console = "ip-kvm" }
boot = { loader = "systemd-boot", unlock = "ssh", initrd-ssh = { host-key = "/etc/secrets/initrd/key" } }

[disks.main]
id = "ata-EXAMPLE_512GB_0001"
size = "512GB"
partitions = [
  { name = "esp", role = "esp", size = "1GiB", mount = "/boot" },
  { name = "root", role = "filesystem", size = "64GiB", format = "btrfs", subvolumes = { "@root" = { mount = "/", options = ["compress=zstd"] } }, luks = { name = "crypt" } },
  { name = "pool", role = "zfs", size = "rest" },
]

[zfs.pools.tank]
vdevs = [{ type = "stripe", members = ["main.pool"] }]
[zfs.pools.tank.datasets]
"safe/srv" = { mount = "/srv", owner = "keeper", properties = { "org.example:note" = "plain" } }

[filesystems."/srv/media"]
type = "nfs"
device = "192.0.2.9:/export/media"
options = ["ro"]

[network]
nameservers = ["192.0.2.53"]
search = ["example.org"]
ntp = ["ntp.example.org"]
hosts = { "192.0.2.8" = ["backup.example.org"] }

[network.interfaces.card]
match = { mac = "02:00:00:00:99:01" }
driver = "igb"
[network.interfaces.lan]
kind = "vlan"
id = 9
link = "card"
addresses = ["192.0.2.99/24"]
gateways = ["192.0.2.1"]
routes = [{ to = "198.51.100.0/24", via = "192.0.2.2" }]
[network.interfaces.wg0]
kind = "wireguard"
addresses = ["10.88.0.1/24"]
private-key = "tunnel"
public-key = "+64EGwLEHtD9ik77A5vHgN1q9KHwxCD0JWGucF3aQ/4="
peers = [{ public-key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", endpoint = "peer.example.org:51820", allowed-ips = ["10.89.0.0/24"] }]

[network.firewall]
tcp = [22]
interfaces.lan.udp = ["5000-5010"]
rules = "iifname \"lan\" tcp dport 22 accept comment \"x\""
[network.nat]
external = "lan"
internal = ["wg0"]
forward = [{ port = 443, to = "10.88.0.9:8443" }]

[secrets.items.tunnel]
[secrets.items.login]
path = "/etc/logins/keeper"
owner = "keeper"

[access]
root-keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA admin@desk"]
host-keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPuuBBsCxB7Q/YpO+wObx4DdavSh8MQg9CVhrnBd2kP+ root@a"]
[access.users.keeper]
keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA admin@desk"]
groups = ["wheel"]
shell = "zsh"
home = "/home/keeper"
password = "login"

[deploy]
target = "root@192.0.2.99"
jump = ["gate@192.0.2.1"]
ssh-options = { IdentityFile = "~/.ssh/id" }
tags = ["names"]
watch = [{ ping = "192.0.2.99" }, { http = "https://a.example.org/", contains = "ok" }]
"#;

#[test]
fn hostile_names_of_networks_accounts_and_disks_are_refused_or_compile_to_nix_that_nix_reads() {
    let fleet: Vec<(String, String)> =
        hostwright::check::SCAFFOLD.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let facts = Facts::embedded();
    let compiled = |host: &str| -> Option<Vec<(String, String)>> {
        let mut files =
            FleetFiles::in_memory(fleet.iter().cloned().chain([("hosts/a/host.toml".to_owned(), host.to_owned())]));
        check_files(&mut files, &facts, &[], "2026-11-21".parse().unwrap(), |fleet, outcome, sources| {
            let input = |rule: &str| rules::find(rule).is_some_and(|rule| rule.group.as_str() == "input");
            for finding in &outcome.checked.findings {
                assert!(!finding.message.contains("internal error"), "{host}: {}", finding.message);
            }
            let fleet = fleet.filter(|_| !outcome.checked.findings.iter().any(|finding| input(finding.rule)))?;
            let none: [(String, String); 0] = [];
            let files = compile(fleet, &[], &facts, sources, &Templates::new(none).unwrap()).ok()?.files;
            Some(files.into_iter().map(|file| (file.path.clone(), file.text().to_owned())).collect())
        })
    };
    let own = compiled(NAMES).expect("the host itself compiles");
    let mut cases = Vec::new();
    for place in places(NAMES) {
        let (start, end) = (place.start as usize, place.end as usize);
        for hostile in HOSTILE {
            let quoted = serde_json::Value::from(*hostile).to_string();
            cases.push(format!("{}{quoted}{}", &NAMES[..start], &NAMES[end..]));
        }
    }
    let taken: Vec<Vec<(String, String)>> = cases.par_iter().filter_map(|case| compiled(case)).collect();
    assert!(taken.len() > 10 && cases.len() - taken.len() > 500, "{} of {} compiled", taken.len(), cases.len());
    // Each text once: what a case does not change was read with the host itself.
    let texts: std::collections::BTreeSet<&String> = own
        .iter()
        .chain(taken.iter().flatten())
        .filter(|(path, _)| path.ends_with(".nix"))
        .map(|(_, text)| text)
        .collect();
    for text in &texts {
        let errors = syntax_errors(text);
        assert!(errors.is_empty(), "{errors:?}\n{text}");
    }
    let name = "hostile_names_of_networks_accounts_and_disks_are_refused_or_compile_to_nix_that_nix_reads";
    if super::quoting::is_installed("nix-instantiate", "nix", name) {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<std::path::PathBuf> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let path = folder.path().join(format!("{at}.nix"));
                fs::write(&path, text).unwrap();
                path
            })
            .collect();
        let output = std::process::Command::new("nix-instantiate").arg("--parse").args(&paths).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn hostile_text_in_every_string_and_every_key_is_refused_or_compiles_to_nix_that_parses() {
    let fleet = example();
    assert!(!refused(fleet.clone(), "the example itself"), "the example fleet must compile");
    // All of them at every place takes ten minutes: `scripts/test --full` has the time, else each place gets every third, in turns.
    let step = if std::env::var_os("HOSTWRIGHT_ALL").is_some() { 1 } else { 3 };
    let mut cases = Vec::new();
    for (number, (path, text)) in fleet.iter().enumerate() {
        for (turn, place) in places(text).into_iter().enumerate() {
            let (start, end) = (place.start as usize, place.end as usize);
            for hostile in HOSTILE.iter().skip(turn % step).step_by(step) {
                // A JSON string is a TOML basic string.
                let quoted = serde_json::Value::from(*hostile).to_string();
                let changed = format!("{}{quoted}{}", &text[..start], &text[end..]);
                let what = format!("{path} at {start} ({:?}) as {hostile:?}", &text[start..end]);
                cases.push((number, changed, what));
            }
        }
    }
    let turned_away = cases
        .par_iter()
        .filter(|(number, changed, what)| {
            let mut files = fleet.clone();
            files[*number].1.clone_from(changed);
            refused(files, what)
        })
        .count();
    let taken = cases.len() - turned_away;
    // Both ways must have been seen, or this test tests nothing.
    assert!(taken > 100 && turned_away > 500, "{taken} compiled, {turned_away} refused");
}
