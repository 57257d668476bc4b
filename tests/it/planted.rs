//! Two hundred errors of many kinds in a fleet of many hosts: two hundred findings, each at its place.
//!
//! The errors are the bad examples of the rules' pages, each moved to a host of its own, and definitions with marks: `«RULE»` stands
//! before what is wrong and is taken out before the file is written.

use std::collections::{BTreeMap, BTreeSet};

use hostwright::check::{Check, SCAFFOLD, examples, rules};
use serde_json::Value;

use crate::program::Sandbox;

/// How many errors are planted at least; each example of a further rule brings more.
const ERRORS: usize = 200;

/// How many hosts without an error stand among the others.
const SOUND: usize = 60;

/// Every host has a channel with options of its own, so that an unknown name is an error.
const FLEET: &str = r#"[fleet]
name = "planted"

[channels.stable]
release = "26.05"
rev = "a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4"
hash = "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU="

[channels.unstable]
release = "26.11pre"
rev = "2c423e03bbafcff28bfadc6781a4a8257f205cb5"
hash = "sha256-dt4WdcvsA8/RCe+VZZwqU0X+XMM3wBbGCWA0/sFWzGo="

[channels.old]
release = «release-end-of-life»"25.11"
rev = "b6018f87da91d19d0ab4cf979885689b469cdd41"
hash = "sha256-twXPFqFsrrY5r28Zh7Homgcp2gUMBgQ6WDS98Q/3xFI="

[channels.«channel-unpinned»loose]
release = "26.11pre"

[inputs.sops-nix]
url = "github:Mic92/sops-nix"
rev = «input-unpinned»"abc"
hash = "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU="

[defaults]
imports = ["scaffold"]

[clusters.home]
manifests = ["k8s"]
"#;

/// The channel that a host has when it names none.
const CHANNEL: &str = "channel = { mkDefault = \"stable\" }";

/// A finding as planted or as reported: rule and `FILE:LINE:COLUMN`.
type Error = (String, String);

/// A fleet under construction.
struct Planted {
    files: BTreeMap<String, String>,
    errors: Vec<Error>,
    hosts: usize,
}

impl Planted {
    fn new() -> Self {
        let mut files: BTreeMap<String, String> =
            SCAFFOLD.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let (fleet, marks) = unmarked(FLEET);
        files.insert("fleet.toml".to_owned(), fleet);
        let module = files.get_mut("modules/scaffold/module.toml").unwrap();
        assert!(module.contains(CHANNEL));
        *module = module.replace(CHANNEL, &CHANNEL.replace("stable", "unstable"));
        let errors = marks.into_iter().map(|(rule, at)| (rule, format!("fleet.toml:{at}"))).collect();
        Self { files, errors, hosts: 0 }
    }

    /// Adds a host, with a network of its own unless the definition has one. Other files lie beside the definition.
    fn host(&mut self, files: &BTreeMap<&str, &str>) -> String {
        let number = self.hosts;
        self.hosts += 1;
        let name = format!("h{number:03}");
        for (file, text) in files {
            let mut text = own(text, number).replace("\"host\": \"a\"", &format!("\"host\": \"{name}\""));
            if *file == "host.toml" && lacks_network(&text) {
                text.push_str(&own(
                    &format!(
                        "[network.interfaces.lan]\nmatch = {{ mac = \"02:00:00:01:{:02x}:{:02x}\" }}\n\
                         addresses = [\"192.0.2.10/24\"]\ngateways = [\"192.0.2.1\"]\n",
                        number / 256,
                        number % 256,
                    ),
                    number,
                ));
            }
            self.files.insert(format!("hosts/{name}/{file}"), text);
        }
        name
    }

    /// Adds a host with marked errors.
    fn marked(&mut self, definition: &str) {
        let (text, marks) = unmarked(definition);
        let host = self.host(&BTreeMap::from([("host.toml", text.as_str())]));
        self.errors.extend(marks.into_iter().map(|(rule, at)| (rule, format!("hosts/{host}/host.toml:{at}"))));
    }

    /// Moves the bad example of every rule to a host of its own, where the example is about one host of such a fleet.
    fn examples(&mut self) {
        for rule in rules::all().filter(|rule| !matches!(rule.check, Check::Evaluating | Check::Migrating)) {
            let (bad, _) = examples(rule);
            let scaffold = |path: &str| SCAFFOLD.iter().any(|(known, text)| *known == path && bad.files[path] == *text);
            let of_host = |path: &str| path.starts_with("hosts/a/");
            let manifest = |path: &str| path.starts_with("k8s/");
            let modules: Vec<(&String, &String)> =
                bad.files.iter().filter(|(path, _)| path.starts_with("modules/") && !scaffold(path)).collect();
            let fits = bad.files.iter().all(|(path, text)| {
                let same_channel = path == "fleet.toml"
                    && text.contains("release = \"26.11pre\"")
                    && text.contains("channel = \"unstable\"");
                of_host(path)
                    || manifest(path)
                    || scaffold(path)
                    || same_channel
                    || modules.iter().any(|(known, _)| *known == path)
            });
            let is_free = modules.iter().all(|(path, _)| !self.files.contains_key(*path));
            let about_host = bad.expected.iter().all(|one| of_host(&one.place) || manifest(&one.place));
            if !fits || !is_free || !about_host || NOT_MOVED.contains(&rule.id) {
                continue;
            }
            for (path, text) in modules {
                self.files.insert(path.clone(), text.clone());
            }
            let files =
                bad.files.iter().filter_map(|(path, text)| Some((path.strip_prefix("hosts/a/")?, text.as_str())));
            let host = self.host(&files.collect());
            // What runs in a cluster beside others has a namespace of its own.
            let beside = |path: &str| path.replacen("k8s/", &format!("k8s/{host}-"), 1);
            for (path, text) in bad.files.iter().filter(|(path, _)| manifest(path)) {
                self.files.insert(beside(path), own(text, self.hosts - 1));
            }
            let errors = bad.expected.iter().filter(|one| one.level != "note");
            self.errors.extend(errors.map(|one| {
                let place = one.place.replacen("hosts/a/", &format!("hosts/{host}/"), 1);
                (one.rule.clone(), beside(&place))
            }));
        }
    }
}

/// Examples that need a channel which this fleet does not have.
const NOT_MOVED: &[&str] = &["state-version-newer-than-channel"];

/// Returns a text without its marks, and these: rule and `LINE:COLUMN`.
fn unmarked(text: &str) -> (String, Vec<(String, String)>) {
    let (mut kept, mut marks) = (String::new(), Vec::new());
    for (marked, line) in text.lines().zip(1..) {
        let mut pieces = marked.split('«');
        let mut own = pieces.next().unwrap().to_owned();
        for piece in pieces {
            let (rule, tail) = piece.split_once('»').expect("a mark ends");
            marks.push((rule.to_owned(), format!("{line}:{}", own.chars().count() + 1)));
            own.push_str(tail);
        }
        kept.push_str(&own);
        kept.push('\n');
    }
    (kept, marks)
}

/// Returns a definition with addresses, a host id, disks and a namespace of a cluster that no other host has, each of the length that it had.
fn own(text: &str, number: usize) -> String {
    text.replace("192.0.2.", &format!("1{:02}.{}.{}.", 30 + number / 100, number / 10 % 10, number % 10))
        .replace("2001:db8:", &format!("2{number:03x}:db8:"))
        .replace("2487cd1f", &format!("2487{number:04x}"))
        .replace("EXAMPLE", &format!("EXA{number:04}"))
        .replace("namespace: apps", &format!("namespace: n{number:03}"))
        .replace("\"apps/", &format!("\"n{number:03}/"))
}

/// Tells whether a definition can be read, and says nothing of its interfaces.
fn lacks_network(text: &str) -> bool {
    let has = |table: &toml::Table| table.get("network").is_some_and(|network| network.get("interfaces").is_some());
    text.parse::<toml::Table>().is_ok_and(|table| !has(&table))
}

/// Returns the fleet with all its errors.
fn planted() -> Planted {
    let mut fleet = Planted::new();
    fleet.examples();
    for definition in MARKED {
        fleet.marked(definition);
    }
    for _ in 0..SOUND {
        fleet.marked("");
    }
    fleet
}

/// Returns what the program says of files.
fn checked<'a>(files: impl Iterator<Item = (&'a String, String)>) -> Value {
    let sandbox = Sandbox::empty();
    for (path, text) in files {
        sandbox.write(path, text);
    }
    let run = sandbox.run(&["check", "--today", "2026-11-21", "--format", "json"]).ends(2);
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn fingerprints_stay_when_lines_move_and_tables_change_places() {
    let prints = |document: &Value| -> BTreeSet<String> {
        let findings = document["findings"].as_array().unwrap();
        let prints: BTreeSet<String> =
            findings.iter().map(|one| format!("{} {}", one["fingerprint"], one["rule"])).collect();
        assert_eq!(prints.len(), findings.len(), "two findings share a fingerprint");
        prints
    };
    let fleet = planted();
    let before = prints(&checked(fleet.files.iter().map(|(path, text)| (path, text.clone()))));
    let moved = |text: &str| {
        let mut blocks: Vec<String> = vec![String::new()];
        for line in text.lines() {
            if line.starts_with('[') {
                blocks.push("\n# a comment\n".to_owned());
            }
            let block = blocks.last_mut().unwrap();
            block.push_str(line);
            block.push('\n');
        }
        // What cannot be parsed may not be reordered: a list that is open takes the rest of the file.
        if text.parse::<toml::Table>().is_ok() && !text.contains("[[") {
            blocks[1..].reverse();
        }
        format!("# moves\n# every\n# line\n{}", blocks.concat())
    };
    let after = checked(
        fleet.files.iter().map(|(path, text)| (path, if path.ends_with(".toml") { moved(text) } else { text.clone() })),
    );
    let after = prints(&after);
    let gone: Vec<_> = before.difference(&after).collect();
    let new: Vec<_> = after.difference(&before).collect();
    assert!(gone.is_empty() && new.is_empty(), "gone {gone:#?}\nnew {new:#?}");
}

#[test]
fn every_planted_error_is_one_finding_at_its_place() {
    let fleet = planted();
    let document = checked(fleet.files.iter().map(|(path, text)| (path, text.clone())));
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let reported: Vec<(Error, String)> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["level"] != "note" && one["allowed"].is_null())
        .map(|one| {
            let place = format!("{}:{}:{}", text(one, "file"), one["line"], one["column"]);
            ((text(one, "rule"), place), text(one, "message"))
        })
        .collect();
    let mut left = fleet.errors.clone();
    let mut wrong = Vec::new();
    for (error, message) in &reported {
        match left.iter().position(|planted| planted == error) {
            Some(at) => drop(left.swap_remove(at)),
            None => wrong.push(format!("not planted: {} at {}: {message}", error.0, error.1)),
        }
    }
    left.sort();
    wrong.extend(left.iter().map(|(rule, place)| format!("not reported: {rule} at {place}")));
    assert!(wrong.is_empty(), "{} planted, {} reported\n{}", fleet.errors.len(), reported.len(), wrong.join("\n"));
    let kinds: BTreeSet<&str> = fleet.errors.iter().map(|(rule, _)| rule.as_str()).collect();
    assert!(kinds.len() >= 60, "{} rules", kinds.len());
    assert_eq!(reported.len(), fleet.errors.len());
    assert!(reported.len() >= ERRORS, "{} errors", reported.len());
}

/// Definitions with marked errors, several of a kind and several in a host.
const MARKED: &[&str] = &[
    // Names that are not there: a spelling, a parent, a member of a submodule, one level too deep.
    r#"[nixos]
services.nginx.«option-unknown»enabel = true
services.nginx.virtualHosts."example.org".«option-unknown»rooot = "/srv"
services.«option-unknown»ngnix.recommendedGzipSettings = true
networking.firewall.«option-unknown»alowPing = false
users.users.operator.«option-unknown»isNormalUsr = true
boot.loader.grub.«option-unknown»devics = ["/dev/sda"]
"#,
    r#"[nixos]
services.openssh.«option-unknown»enabled = true
programs.«option-unknown»gitt.enable = true
virtualisation.docker.«option-unknown»enabel = true
networking.«option-unknown»hostname = "x"
time.«option-unknown»timezone = "Europe/Vienna"
services.postgresql.«option-unknown»ensureUser = []
"#,
    // Values of another type, out of range, no member, in a list and in a submodule.
    r#"[nixos]
services.openssh.enable = «option-type»1
networking.firewall.allowedUDPPorts = [22, «option-type»99999]
networking.firewall.allowedTCPPortRanges = [{ from = «option-type»"1", to = 2 }]
services.nginx.virtualHosts."example.org".forceSSL = «option-type»"yes"
boot.loader.timeout = «option-type»"5"
environment.systemPackages = [«option-type»5]
"#,
    r#"[nixos]
services.fail2ban.maxretry = «option-type»-3
services.journald.rateLimitBurst = «option-type»"many"
services.nginx.recommendedTlsSettings = «option-type»[true]
security.sudo.wheelNeedsPassword = «option-type»"no"
zramSwap.memoryPercent = «option-type»"half"
services.zfs.trim.enable = «option-type»0
"#,
    r#"[nixos]
services.openssh.ports = [22, «option-type»"2222"]
services.logrotate.enable = «option-type»"true"
nix.settings.max-jobs = «option-type»[4]
networking.nameservers = «option-type»"192.0.2.53"
i18n.defaultLocale = «option-type»5
console.keyMap = «option-type»true
"#,
    // What had another name, or is gone.
    r#"[nixos]
services.openssh.«option-renamed»permitRootLogin = "no"
services.openssh.«option-renamed»passwordAuthentication = false
"#,
    r#"[nixos]
services.nginx.virtualHosts.a.locations."/".«option-unknown»proxypass = "http://127.0.0.1:1"
services.nginx.virtualHosts.a.listen = [{ addr = "127.0.0.1", port = «option-type»"80" }]
systemd.services.job.«option-unknown»wantedby = ["multi-user.target"]
systemd.services.job.serviceConfig.Restart = «option-type»true
systemd.network.networks.lan.networkConfig.«option-type»DHPC = "yes"
"#,
    r#"[nixos]
users.users.operator.isNormalUser = «option-type»"true"
users.users.operator.uid = «option-type»"1000"
users.users.operator.openssh.authorizedKeys.keys = «option-type»5
users.«option-unknown»mutableUser = false
security.acme.«option-unknown»acceptTerm = true
security.acme.defaults.email = «option-type»5
"#,
    r#"[nixos]
services.caddy.virtualHosts.a.«option-unknown»extraConf = "x"
services.redis.servers.a.port = «option-type»70000
services.redis.servers.a.«option-unknown»prot = 1
services.borgbackup.jobs.a.«option-unknown»repos = "x"
services.prometheus.«option-unknown»exporter.node.enable = true
services.prometheus.exporters.node.port = «option-type»-1
"#,
    r#"[nixos]
boot.kernelModules = [«option-type»1, "kvm"]
boot.tmp.«option-unknown»useTmpFs = true
boot.tmp.tmpfsSize = «option-type»true
hardware.«option-unknown»cpus.amd.updateMicrocode = true
fileSystems."/srv".«option-unknown»fstype = "ext4"
swapDevices = [{ device = «option-type»1 }]
"#,
    r#"[nixos]
networking.firewall.rejectPackets = «option-type»"no"
services.nginx.package = «option-type»true
services.openssh.listenAddresses = [{ addr = "192.0.2.10", port = «option-type»"22" }]
"#,
    // What hosts have in common.
    r#"network.firewall.tcp = [22]
[network.interfaces.lan]
match = { mac = "02:00:00:02:00:01" }
addresses = ["203.0.113.7/24"]
gateways = ["203.0.113.1"]
"#,
    r#"network.firewall.tcp = [22]
[network.interfaces.lan]
match = { mac = "02:00:00:02:00:02" }
addresses = [«address-conflict»"203.0.113.7/24", «address-conflict»"203.0.113.7/24"]
gateways = ["203.0.113.1"]
"#,
    // Who is on the channels of fleet.toml.
    "channel = \"old\"\nstate-version = \"25.11\"\n",
    "channel = \"old\"\nstate-version = \"25.11\"\n",
    "channel = \"loose\"\n",
    "channel = \"loose\"\n",
    // What breaks a boot, a login or a layout, beside each other in one host.
    r#"[boot]
loader = «loader-firmware-mismatch»"systemd-boot"
[access]
root-keys = [«ssh-key-malformed»"ssh-ed25519 AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA x"]
"#,
    r#"[disks.main]
id = «disk-unstable-name»"sda"
size = "512GB"
partitions = [
  { name = "bios", role = "bios-boot", size = "1MiB" },
  { name = "boot", role = "filesystem", size = "2GiB", format = "ext4", mount = "/boot" },
  { name = "root", role = "filesystem", size = "rest", format = "ext4", mount = "/" },
  { name = "more", role = "filesystem", size = «partitions-overflow»"600GB", format = "ext4", mount = "/more" },
]
"#,
    r#"[network]
nameservers = []
[network.firewall]
tcp = [22]
[network.interfaces.«nameserver-missing»lan]
match = { mac = "02:00:00:03:00:01" }
addresses = ["203.0.113.99/24"]
gateways = [«gateway-unreachable»"198.51.100.1"]
"#,
    // What cannot be read, several things in one file.
    r#"«key-unknown»rol = "web"
«key-unknown»timezon = "UTC"
[machine]
«key-unknown»memry = "8GiB"
firmware = «value-invalid»"efi"
[boot]
loader = «value-invalid»"lilo"
"#,
    r#"imports = [«import-unknown»"bsae", «import-unknown»"nowhere"]
«key-unknown»stat-version = "26.05"
"#,
    r#"[network]
host-id = «value-invalid»"xyz"
[network.interfaces.lan]
match = { mac = «value-invalid»"02:00" }
addresses = [«value-invalid»"192.0.2.10"]
gateways = [«value-invalid»"192.0.2.300"]
«key-unknown»mut = 1500
"#,
    r#"[disks.main]
id = "nvme-EXAMPLE"
size = «value-invalid»"512 apples"
«key-unknown»partition = []
[zfs.pools.tank]
vdevs = [{ type = «value-invalid»"raidz4", members = ["main"] }]
[deploy]
target = «value-invalid»"-oProxyCommand=x"
"#,
    "a = «toml-invalid»= 1\nrole = \"x\"\nb = «toml-invalid»= 2\n",
    "imports = «toml-invalid»[\"base\"\n[machine]\ncpu = \"amd\"\nfirmware = \"bios\"\n",
    "channel = «reference-unknown»\"stabel\"\n[boot]\nmirrors = [«reference-unknown»\"ssd\"]\n",
    "[machine]\ncpu = \"amd\"\n«toml-invalid»cpu = \"intel\"\n",
];
