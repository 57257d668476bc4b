//! The text of a proposal. Every string in it goes through [`Quoted`], every comment through [`comment`].

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::layout::{Filesystem, Layout, Unusable, Usable, as_sold, choose, vdev};
use super::machine::{Interface, Machine};
use crate::source::printable;
use crate::units::{Cidr, Mac};

/// A basic string of TOML 1.0: quotes, backslashes and control characters are escaped.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Returns a string as it is written.
#[cfg(test)]
pub(super) fn quoted_for_test(text: &str) -> String {
    Quoted(text).to_string()
}

/// Returns a list of strings.
fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| Quoted(item.as_ref()).to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// Returns a line of comment.
fn comment(text: &str) -> String {
    format!("# {}\n", printable(text))
}

/// What the facts do not say and the fleet or the person does.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// What the root is on.
    pub filesystem: Filesystem,
    /// The channel that the host runs.
    pub channel: String,
    /// Whether `channel` is written, because the fleet has no default.
    pub write_channel: bool,
    /// The channel's release.
    pub release: String,
    /// ssh public keys of root.
    pub keys: Vec<String>,
}

/// Returns a host.toml for a machine. An error when none of its disks may be used.
pub fn host_toml(machine: &Machine, wishes: &Wishes) -> Result<String, Unusable> {
    let layout = choose(machine, wishes.filesystem)?;
    let system = match machine.arch.as_deref() {
        Some("aarch64") => "system = \"aarch64-linux\"\n",
        Some("x86_64") => "system = \"x86_64-linux\"\n",
        _ => "system = \"x86_64-linux\" # EDIT: the facts do not name one that is known\n",
    };
    let mut out = comment("Proposed from facts.json. Read it; lines that say EDIT want an answer.");
    for left in &layout.left_out {
        out += &comment(&format!("not used: {left}"));
    }
    if wishes.write_channel {
        out += &format!("channel = {}\n", Quoted(&wishes.channel));
    }
    out += system;
    out += &format!(
        "state-version = {} # the release it is installed with; never changed afterwards\n",
        Quoted(&wishes.release)
    );
    out += &about(machine);
    let method = if machine.is_virtual() { "iso" } else { "rescue" };
    out += &format!(
        "\n[installer]\nchannel = {} # what the installer is built from\nmethod = {} # EDIT: kexec, rescue, iso\n",
        Quoted(&wishes.channel),
        Quoted(method)
    );
    out += &storage(machine, &layout, wishes.filesystem);
    out += &network(machine);
    out += "\n[access]\n";
    out += &if wishes.keys.is_empty() {
        "root-keys = [] # EDIT: your ssh public key\n".to_owned()
    } else {
        format!("root-keys = {}\n", list(&wishes.keys))
    };
    out += &deploy(machine);
    Ok(out)
}

fn about(machine: &Machine) -> String {
    let mut out = "\n[machine]\n".to_owned();
    match machine.processor() {
        Some(cpu) => out += &format!("cpu = {}\n", Quoted(cpu)),
        None => out += "# cpu = \"amd\" # EDIT: amd, intel, arm, virtual; the facts do not say\n",
    }
    if let Some(mib) = machine.memory_mib() {
        let text = if mib % 1024 == 0 { format!("{}GiB", mib / 1024) } else { format!("{mib}MiB") };
        out += &format!("memory = {}\n", Quoted(&text));
    }
    out += if is_bios(machine) { "firmware = \"bios\"\n" } else { "firmware = \"uefi\"" };
    if !is_bios(machine) {
        out += if machine.firmware.is_some() { "\n" } else { " # EDIT: bios, uefi; the facts do not say\n" };
    }
    out + if machine.is_virtual() {
        "console = \"hypervisor\"\n"
    } else {
        "console = \"none\" # EDIT: how a person reaches it when its network does not: serial, ip-kvm, provider\n"
    }
}

fn is_bios(machine: &Machine) -> bool {
    machine.firmware.as_deref() == Some("bios")
}

/// Returns the name of the n-th of some disks.
fn name(group: &str, members: usize, n: usize) -> String {
    if members == 1 { group.to_owned() } else { format!("{group}{n}") }
}

fn storage(machine: &Machine, layout: &Layout<'_>, filesystem: Filesystem) -> String {
    let bios = is_bios(machine);
    let count = layout.system.len();
    let mut out = format!("\n[boot]\nloader = {}\n", Quoted(if bios { "grub" } else { "systemd-boot" }));
    if count > 1 {
        out += &format!("mirrors = {} # the machine boots from it too\n", list([name("system", count, 1)]));
    }
    let mut members = Vec::new();
    for (n, disk) in layout.system.iter().enumerate() {
        let called = name("system", count, n);
        out += &head(&called, disk);
        members.push(format!("{called}.pool"));
        let mut parts = Vec::new();
        let mount = if n == 0 { ", mount = \"/boot\"" } else { "" };
        if n < 2 && bios {
            parts.push("{ name = \"bios\", role = \"bios-boot\", size = \"1MiB\" }".to_owned());
            parts.push(format!(
                "{{ name = \"boot\", role = \"filesystem\", size = \"2GiB\", format = \"ext4\"{mount} }}"
            ));
        } else if n < 2 {
            parts.push(format!("{{ name = \"esp\", role = \"esp\", size = \"2GiB\"{mount} }}"));
        }
        parts.push(match filesystem {
            Filesystem::Zfs => "{ name = \"pool\", role = \"zfs\", size = \"rest\" }".to_owned(),
            Filesystem::Ext4 => {
                "{ name = \"root\", role = \"filesystem\", size = \"rest\", format = \"ext4\", mount = \"/\" }"
                    .to_owned()
            }
        });
        out += "partitions = [\n";
        for part in parts {
            out += &format!("  {part},\n");
        }
        out += "]\n";
    }
    if filesystem == Filesystem::Ext4 {
        return out;
    }
    let mut whole = Vec::new();
    for (n, disk) in layout.data.iter().enumerate() {
        let called = name("data", layout.data.len(), n);
        out += &head(&called, disk);
        whole.push(called);
    }
    out += &pool("rpool", &layout.system, &members);
    out += "\"local/root\" = { mount = \"/\" }\n\"local/nix\" = { mount = \"/nix\" }\n\
            \"safe/home\" = { mount = \"/home\", snapshots = true }\n\"safe/var\" = { mount = \"/var\", snapshots = true }\n";
    if !whole.is_empty() {
        out += &pool("tank", &layout.data, &whole);
        out += "\"safe/data\" = { mount = \"/data\", snapshots = true }\n";
    }
    out
}

fn head(name: &str, disk: &Usable<'_>) -> String {
    let mut out = format!("\n[disks.{name}]\nid = {}\nsize = {}\n", Quoted(disk.id), Quoted(&as_sold(disk.bytes)));
    if let Some(driver) = driver(disk.disk.driver.as_deref()) {
        out += &format!("driver = {}\n", Quoted(driver));
    }
    out
}

/// Returns the name of a kernel module, when it is one.
fn driver(said: Option<&str>) -> Option<&str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    said.filter(|name| !name.is_empty() && !name.starts_with('-') && name.len() <= 60 && name.bytes().all(fits))
}

fn pool(name: &str, disks: &[Usable<'_>], members: &[String]) -> String {
    // 2^12 bytes at least: disks that say 512 are replaced by disks of 4096, and a vdev keeps its sector size for life.
    let sector = disks.iter().filter_map(|disk| disk.disk.physical_sector).max().unwrap_or(0);
    let ashift = sector.checked_ilog2().unwrap_or(12).clamp(12, 16);
    let flash = disks.iter().all(|disk| disk.disk.rotational == Some(false));
    let trim = if flash { ", autotrim = \"on\"" } else { "" };
    format!(
        "\n[zfs.pools.{name}]\nvdevs = [{{ type = {}, members = {} }}]\nproperties = {{ ashift = {ashift}{trim} }}\n\
         root-properties = {{ compression = \"lz4\", acltype = \"posixacl\", xattr = \"sa\", atime = \"off\" }}\n\
         \n[zfs.pools.{name}.datasets]\n",
        Quoted(vdev(disks.len())),
        list(members)
    )
}

fn networks(uplink: &Interface) -> Vec<(&str, Cidr)> {
    let read = |text: &'_ String| text.parse::<Cidr>().ok();
    uplink.addresses.iter().filter_map(|text| Some((text.as_str(), read(text)?))).collect()
}

fn network(machine: &Machine) -> String {
    let mut out = String::new();
    let id =
        machine.host_id.as_deref().filter(|id| id.len() == 8 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    let is_static = machine.uplink().is_some_and(|uplink| uplink.dhcp != Some(true));
    let servers: Vec<String> = machine
        .nameservers
        .iter()
        .filter_map(|server| server.parse::<IpAddr>().ok())
        .map(|ip| ip.to_string())
        .collect();
    let servers = if is_static { servers } else { Vec::new() };
    if id.is_some() || !servers.is_empty() {
        out += "\n[network]\n";
    }
    if let Some(id) = id {
        out += &format!("host-id = {}\n", Quoted(id));
    }
    if !servers.is_empty() {
        out += &format!("nameservers = {}\n", list(&servers));
    }
    let Some(uplink) = machine.uplink() else {
        return out
            + "\n# EDIT: the facts show no interface with an address:\n# [network.interfaces.lan]\n\
                      # match = { mac = \"…\" }\n# dhcp = true\n\n[network.firewall]\ntcp = [22]\n";
    };
    out += "\n";
    out += &comment(&format!("{} of the facts", uplink.name));
    out += "[network.interfaces.lan]\n";
    match uplink.mac.as_deref().filter(|mac| mac.parse::<Mac>().is_ok()) {
        Some(mac) => out += &format!("match = {{ mac = {} }}\n", Quoted(mac)),
        None => out += &format!("match = {{ name = {} }} # EDIT: its mac is not known\n", Quoted(&uplink.name)),
    }
    if let Some(driver) = driver(uplink.driver.as_deref()) {
        out += &format!("driver = {}\n", Quoted(driver));
    }
    if is_static {
        let networks = networks(uplink);
        out += &format!("addresses = {}\n", list(networks.iter().map(|(text, _)| *text)));
        let mut gateways = Vec::new();
        for router in &uplink.gateways {
            let Ok(via) = router.via.parse::<IpAddr>() else { continue };
            let link_local = matches!(via, IpAddr::V6(six) if six.is_unicast_link_local());
            let near = link_local || networks.iter().any(|(_, network)| network.contains(via));
            let via = via.to_string();
            gateways.push(if near {
                Quoted(&via).to_string()
            } else {
                format!("{{ via = {}, on-link = true }}", Quoted(&via))
            });
        }
        gateways.dedup();
        out += &format!("gateways = [{}]\n", gateways.join(", "));
    } else {
        out += &format!("dhcp = true # seen: {}\n", printable(&uplink.addresses.join(", ")));
    }
    out + "\n[network.firewall]\ntcp = [22]\n"
}

fn deploy(machine: &Machine) -> String {
    let address = machine.uplink().and_then(|uplink| {
        let networks = networks(uplink);
        let (text, _) = networks.iter().find(|(text, _)| !text.contains(':')).or_else(|| networks.first())?;
        text.split('/').next().map(str::to_owned)
    });
    let mut out = "\n[deploy]\n".to_owned();
    match address {
        Some(address) => {
            let bracketed = if address.contains(':') { format!("[{address}]") } else { address.clone() };
            out += &format!(
                "target = {} # EDIT: where it is after the installation\n",
                Quoted(&format!("root@{bracketed}"))
            );
            out += &format!(
                "watch = [{{ ping = {} }}, {{ ssh = true }}] # EDIT: what tells that it is well\n",
                Quoted(&address)
            );
        }
        None => {
            out += "# target = \"root@ADDRESS\" # EDIT\nwatch = [{ ssh = true }] # EDIT: what tells that it is well\n";
        }
    }
    out
}
