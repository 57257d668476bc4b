//! What a machine is like at this moment, for a comparison with its definition. A field that the machine did not tell is absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::layout::{Vdev, layouts};
use super::machine::pairs;
use super::sections::Sections;

/// What a machine is like at this moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Live {
    /// The words of the kernel's command line.
    pub cmdline: Option<Vec<String>>,
    /// The system that was booted, a path in the store.
    pub booted: Option<String>,
    /// The system that runs.
    pub current: Option<String>,
    /// The current generation of the system's profile.
    pub profile: Option<String>,
    /// Boot menus, by mount point.
    pub menus: Option<Vec<Menu>>,
    /// Units that are loaded or that have a file, by name.
    pub units: Option<BTreeMap<String, Unit>>,
    /// What listens.
    pub sockets: Option<Vec<Socket>>,
    /// What is mounted, in the order of mounting.
    pub mounts: Option<Vec<Mounted>>,
    /// Devices and files that are swapped to.
    pub swaps: Option<Vec<String>>,
    /// Names of devices -> their kernel names.
    pub links: BTreeMap<String, String>,
    /// ssh host keys, as `TYPE BASE64`.
    pub host_keys: Option<Vec<String>>,
    /// Addresses with their lengths, by interface, of global scope.
    pub addresses: Option<BTreeMap<String, Vec<String>>>,
    /// Routers of default routes over IPv4, as `ADDRESS INTERFACE`.
    pub routers: Option<Vec<String>>,
    /// The same over IPv6.
    pub routers6: Option<Vec<String>>,
    /// Pools that are imported, by name.
    pub pools: Option<BTreeMap<String, PoolState>>,
    /// Datasets, by name.
    pub datasets: Option<BTreeMap<String, Dataset>>,
}

/// A boot menu.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Menu {
    /// `grub`, `systemd-boot`, or `firmware` for the one-shot variable.
    pub loader: String,
    /// Where it is mounted; the name of the variable.
    pub path: String,
    /// The system that it boots by default.
    pub default: Option<String>,
    /// The entry that it boots once.
    pub armed: Option<String>,
}

/// A unit of systemd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unit {
    /// Whether it is loaded: `loaded`, `not-found`, `masked`, `error`; absent of one that only has a file.
    pub load: Option<String>,
    /// Its state: `active`, `inactive`, `failed`, `activating`.
    pub active: Option<String>,
    /// How a service counts as started: `simple`, `oneshot`, `notify`; absent of other units, and of one that is not loaded.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The state of its file: `enabled`, `disabled`, `static`, `linked`, `masked`.
    pub file: Option<String>,
}

/// A socket that listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Socket {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Where: an address without its interface, or `*`.
    pub address: String,
    /// Its port.
    pub port: u16,
}

/// Something that is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mounted {
    /// Where.
    pub path: String,
    /// What.
    pub source: String,
    /// The file system.
    pub kind: String,
}

/// A pool that is imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolState {
    /// Its properties, features among them.
    pub properties: BTreeMap<String, String>,
    /// How it is put together.
    pub layout: Option<Vec<Vdev>>,
}

/// The properties of a dataset, each with where its value comes from (`local`, `default`, `inherited from …`, `-`).
pub type Dataset = BTreeMap<String, (String, String)>;

/// Returns what a machine is like; nothing when the script did not ask.
pub(super) fn live(sections: &Sections) -> Option<Live> {
    // The first of the sections that only the longer script has.
    sections.all().find(|(name, _)| *name == "cmdline")?;
    let mut live = Live {
        cmdline: sections.good("cmdline").map(|text| text.split_whitespace().map(str::to_owned).collect()),
        menus: sections.good("menus").map(menus),
        units: units(sections),
        sockets: sections.good("sockets").map(sockets),
        mounts: sections.good("mounts").map(mounts),
        swaps: sections.good("swaps").map(swaps),
        host_keys: sections.good("host-keys").map(host_keys),
        addresses: super::interfaces::all_addresses(sections),
        pools: pools(sections),
        datasets: sections.good("zfs-get").map(datasets),
        ..Live::default()
    };
    [live.routers, live.routers6] = super::interfaces::all_routers(sections);
    systems(sections, &mut live);
    let links = pairs(sections.ran("device-links").unwrap_or_default());
    live.links = links.map(|(real, name)| (name.to_owned(), real.to_owned())).collect();
    Some(live)
}

fn systems(sections: &Sections, live: &mut Live) {
    let text = sections.good("nixos").unwrap_or_default();
    let mut link = None;
    let mut number = None;
    for (key, value) in pairs(text) {
        match key {
            "booted-system" => live.booted = Some(value.to_owned()),
            "current-system" => live.current = Some(value.to_owned()),
            "profile" => link = value.strip_prefix("system-").and_then(|rest| rest.strip_suffix("-link")),
            "generation" => number = Some(value),
            "path" if number.is_some() && number == link => live.profile = Some(value.to_owned()),
            _ => {}
        }
    }
}

fn menus(text: &str) -> Vec<Menu> {
    let mut menus: Vec<Menu> = Vec::new();
    for (key, value) in pairs(text) {
        match (key, menus.last_mut()) {
            ("grub" | "systemd-boot" | "firmware", _) => {
                menus.push(Menu { loader: key.to_owned(), path: value.to_owned(), ..Menu::default() });
            }
            ("default", Some(menu)) => menu.default = Some(value.to_owned()),
            ("armed", Some(menu)) => menu.armed = Some(value.to_owned()),
            _ => {}
        }
    }
    menus
}

/// Reads what `systemctl list-units` and `list-unit-files` print; nothing unless both did.
fn units(sections: &Sections) -> Option<BTreeMap<String, Unit>> {
    let (loaded, files) = (sections.good("units")?, sections.good("unit-files")?);
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    for line in files.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(state)) = (words.next(), words.next()) {
            units.entry(name.to_owned()).or_default().file = Some(state.to_owned());
        }
    }
    for line in loaded.lines() {
        // Older ones mark a failed unit also where it is asked to be plain.
        let mut words = line.split_whitespace().filter(|word| *word != "●" && *word != "*");
        if let (Some(name), Some(load), Some(active)) = (words.next(), words.next(), words.next()) {
            let unit = units.entry(name.to_owned()).or_default();
            unit.load = Some(load.to_owned());
            unit.active = Some(active.to_owned());
        }
    }
    // A block of lines for each unit, in an order that is systemd's own.
    for block in sections.good("unit-types").unwrap_or_default().split("\n\n") {
        let value = |key: &str| block.lines().find_map(|line| line.strip_prefix(key));
        let kind = value("Type=").filter(|kind| !kind.is_empty());
        if let Some(unit) = value("Id=").and_then(|name| units.get_mut(name)) {
            unit.kind = kind.map(str::to_owned);
        }
    }
    Some(units)
}

/// Reads `ss -Hltun`: `tcp LISTEN 0 128 127.0.0.1:22 0.0.0.0:*`.
fn sockets(text: &str) -> Vec<Socket> {
    let mut sockets: Vec<Socket> = text
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (address, port) = words.get(4)?.rsplit_once(':')?;
            let address = address.trim_matches(['[', ']']).split('%').next().unwrap_or(address);
            let address = address.trim_end_matches(']').to_owned();
            Some(Socket { protocol: words.first()?.to_string(), address, port: port.parse().ok()? })
        })
        .collect();
    sockets.sort();
    sockets.dedup();
    sockets
}

/// Reads /proc/mounts, where blanks and backslashes are written as octal numbers.
fn mounts(text: &str) -> Vec<Mounted> {
    let plain = |word: &str| word.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    let mount = |line: &str| {
        let mut words = line.split(' ');
        let (source, path, kind) = (words.next()?, words.next()?, words.next()?);
        Some(Mounted { path: plain(path), source: plain(source), kind: kind.to_owned() })
    };
    text.lines().filter_map(mount).collect()
}

fn swaps(text: &str) -> Vec<String> {
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn host_keys(text: &str) -> Vec<String> {
    let key = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    text.lines().filter_map(key).collect()
}

fn pools(sections: &Sections) -> Option<BTreeMap<String, PoolState>> {
    let text = sections.good("zpool-get")?;
    let mut pools: BTreeMap<String, PoolState> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split('\t');
        if let (Some(pool), Some(property), Some(value)) = (words.next(), words.next(), words.next()) {
            let pool = pools.entry(pool.to_owned()).or_default();
            pool.properties.insert(property.to_owned(), value.to_owned());
        }
    }
    let status = sections.good("zpool-status").map(layouts);
    for (name, layout) in status.into_iter().flatten() {
        if let Some(pool) = pools.get_mut(&name) {
            pool.layout = Some(layout);
        }
    }
    Some(pools)
}

fn datasets(text: &str) -> BTreeMap<String, Dataset> {
    let mut datasets: BTreeMap<String, Dataset> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        if let [name, property, value, source] = words.as_slice() {
            let dataset = datasets.entry((*name).to_owned()).or_default();
            dataset.insert((*property).to_owned(), ((*value).to_owned(), (*source).to_owned()));
        }
    }
    datasets
}

impl Live {
    /// Returns the kernel's name of a device, where a link to it was seen.
    pub fn real<'a>(&'a self, name: &'a str) -> &'a str {
        self.links.get(name).map_or(name, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_mounts_units_and_menus_are_read_as_their_tools_print_them() {
        let all = sockets(
            "tcp   LISTEN 0      128    127.0.0.1:22   0.0.0.0:*\nudp   UNCONN 0 0 [fe80::1]%eth0:546 [::]:*\ntcp LISTEN 0 5 *:80 *:*\n",
        );
        let said: Vec<String> = all.iter().map(|s| format!("{} {} {}", s.protocol, s.address, s.port)).collect();
        assert_eq!(said, ["tcp * 80", "tcp 127.0.0.1 22", "udp fe80::1 546"]);
        assert_eq!(mounts("rpool/a\\040b /a\\040b zfs rw 0 0\n")[0].path, "/a b");
        let sections = Sections::default()
            .with("units", 0, "sshd.service loaded active running SSH\n● a.service loaded failed failed A\n")
            .with("unit-types", 0, "Type=simple\nId=x\n\nType=oneshot\nId=a.service\n\n")
            .with("unit-files", 0, "sshd.service enabled enabled\nb.timer disabled -\n");
        let units = units(&sections).unwrap();
        let failed = &units["a.service"];
        assert_eq!((failed.active.as_deref(), failed.kind.as_deref()), (Some("failed"), Some("oneshot")));
        assert_eq!(units["b.timer"], Unit { file: Some("disabled".to_owned()), ..Unit::default() });
        let menus =
            menus("grub /boot\ndefault /nix/store/a\narmed hostwright-trial\nfirmware LoaderEntryOneShot\narmed x\n");
        assert_eq!((menus.len(), menus[0].armed.as_deref()), (2, Some("hostwright-trial")));
    }

    #[test]
    fn the_profile_is_the_generation_that_its_link_names() {
        let text = "profile system-42-link\nbooted-system /nix/store/a\ngeneration 41\npath /nix/store/a\ngeneration 42\npath /nix/store/b\n";
        let sections = Sections::default().with("cmdline", 0, "quiet\n").with("nixos", 0, text);
        let live = live(&sections).unwrap();
        assert_eq!((live.booted.as_deref(), live.profile.as_deref()), (Some("/nix/store/a"), Some("/nix/store/b")));
        assert!(super::live(&Sections::default().with("nixos", 0, text)).is_none());
        assert!(live.units.is_none() && live.sockets.is_none(), "what was not told is absent");
    }
}
