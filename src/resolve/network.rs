//! Interfaces and what they stand on, the names that the kernel knows them by, and the network of the initrd.

use std::net::IpAddr;

use super::{ResolvedHost, reference};
use crate::fleet::schema::host::HostFile;
use crate::fleet::schema::machine::InitrdSsh;
use crate::fleet::schema::network::{Dhcp, Gateway, Interface, Link, Match, Network};
use crate::fleet::schema::secrets::SecretPath;
use crate::source::{Diagnostic, Diagnostics, Spanned, quoted};
use crate::units::Cidr;

/// The most bytes of an interface's name (`IFNAMSIZ` of Linux, less its final zero).
pub const LONGEST_NAME: usize = 15;

/// The name by which the kernel knows an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName<'a> {
    /// It has this name by itself, or is made with it.
    Own(&'a str),
    /// A card that can be given this name.
    Given(&'a str),
    /// A card whose own name is not known, and that cannot be given this one: the kernel gives such names itself.
    Unknown(&'a str),
}

impl<'a> DeviceName<'a> {
    /// Returns the name of an interface of a definition.
    pub fn of(name: &'a str, interface: &'a Interface) -> Self {
        match interface.matches().map(|matches| &matches.value) {
            None => Self::Own(name),
            Some(Match::Name(known)) if !known.contains(['*', '?', '[']) => Self::Own(known),
            Some(_) if is_kernel_name(name) || name.len() > LONGEST_NAME => Self::Unknown(name),
            Some(_) => Self::Given(name),
        }
    }

    /// Returns the name.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Own(name) | Self::Given(name) | Self::Unknown(name) => name,
        }
    }
}

/// Tells whether a name is of the kernel's or udev's own making.
pub fn is_kernel_name(name: &str) -> bool {
    let numbered =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["eth", "wlan", "usb", "wwan", "eno", "ens", "enp", "enx", "enP", "wlp", "ib"].into_iter().any(numbered)
        || name == "lo"
}

/// Words that cannot stand for an interface in a rule of nftables without quotes, which NixOS leaves out: those that `nft --check`
/// (1.0.6) refuses in `iifname WORD`, and two of later versions.
const NFT_WORDS: &[&str] = &[
    "accept",
    "add",
    "ah",
    "all",
    "and",
    "auto-merge",
    "bridge",
    "cgroup",
    "chain",
    "comment",
    "comp",
    "constant",
    "continue",
    "counter",
    "cpu",
    "create",
    "ct",
    "day",
    "dccp",
    "define",
    "delete",
    "describe",
    "destroy",
    "device",
    "devices",
    "drop",
    "dst",
    "dup",
    "dynamic",
    "element",
    "elements",
    "eq",
    "esp",
    "exists",
    "export",
    "exthdr",
    "fib",
    "flags",
    "flow",
    "flowtable",
    "flush",
    "frag",
    "fwd",
    "ge",
    "goto",
    "gt",
    "handle",
    "hbh",
    "hook",
    "hour",
    "ibrname",
    "icmp",
    "icmpv6",
    "igmp",
    "iif",
    "iifname",
    "import",
    "include",
    "inet",
    "insert",
    "interval",
    "ipsec",
    "jhash",
    "jump",
    "le",
    "limit",
    "list",
    "log",
    "lt",
    "map",
    "mark",
    "masquerade",
    "meta",
    "meter",
    "mh",
    "missing",
    "monitor",
    "ne",
    "netdev",
    "nftrace",
    "not",
    "notrack",
    "numgen",
    "offload",
    "oif",
    "oifname",
    "or",
    "osf",
    "pkttype",
    "policy",
    "position",
    "priority",
    "queue",
    "quota",
    "random",
    "redefine",
    "redirect",
    "reject",
    "rename",
    "replace",
    "reset",
    "return",
    "rt",
    "rtclassid",
    "rule",
    "ruleset",
    "sctp",
    "secmark",
    "set",
    "size",
    "skgid",
    "skuid",
    "socket",
    "srh",
    "symhash",
    "synproxy",
    "table",
    "tcp",
    "th",
    "time",
    "timeout",
    "tproxy",
    "type",
    "typeof",
    "udp",
    "udplite",
    "undefine",
    "update",
    "vmap",
    "xor",
    "xt",
];

/// Checks what interfaces refer to, and that what is made can have its name.
pub(super) fn interfaces(def: &HostFile, found: &mut Diagnostics) {
    let Some(network) = &def.network else { return };
    let known = || network.interfaces.keys().map(String::as_str);
    for name in &network.wait_online {
        reference("interface", name.as_str(), name.place, known(), found);
    }
    if let Some(firewall) = &network.firewall {
        for (name, opening) in &*firewall.interfaces {
            reference("interface", name, opening.key, known(), found);
        }
    }
    if let Some(nat) = &network.nat {
        for name in std::iter::once(&nat.external).chain(&nat.internal) {
            reference("interface", name.as_str(), name.place, known(), found);
        }
    }
    if let Some(name) = def.boot.initrd_ssh.as_ref().and_then(|ssh| ssh.interface.as_ref()) {
        reference("interface", name.as_str(), name.place, known(), found);
    }
    let in_rules = named_in_rules(network);
    for (name, interface) in network.interfaces.iter() {
        for below in interface.stands_on() {
            reference("interface", below.as_str(), below.place, known(), found);
        }
        let too_long = interface.matches().is_none() && name.len() > LONGEST_NAME;
        let fault = if too_long {
            Some((
                format!("the interface {} is made with a name of {} characters", quoted(name), name.len()),
                "too long",
            ))
        } else if in_rules.contains(&name.as_str()) && !is_rule_word(DeviceName::of(name, interface).as_str()) {
            Some((
                format!("rules of the firewall cannot hold the interface name {}", quoted(name)),
                "a word of nftables, or begins with a digit",
            ))
        } else {
            None
        };
        if let Some((message, label)) = fault {
            let help = format!("a name of {LONGEST_NAME} characters at most that begins with a letter, such as `lan0`");
            found.push(Diagnostic::error("name-invalid", interface.key, message).label(label).help(help));
        }
        if let Some(place) = cycle(network, name) {
            let message = format!("the interface {} stands on itself", quoted(name));
            found.push(Diagnostic::error("value-invalid", place, message).label("leads back to it").help(
                "at the bottom of bonds, bridges and VLANs stand cards: take the interface out of its own members",
            ));
        }
    }
}

/// Tells whether a name can stand for an interface in rules of nftables without quotes.
fn is_rule_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && !NFT_WORDS.contains(&name)
}

/// Returns the interfaces that the firewall and the address translation call by name.
pub fn named_in_rules(network: &Network) -> Vec<&str> {
    let firewall = network.firewall.iter().flat_map(|firewall| firewall.interfaces.keys().map(String::as_str));
    let nat = network.nat.iter().flat_map(|nat| std::iter::once(&nat.external).chain(&nat.internal));
    firewall.chain(nat.map(|name| name.as_str())).collect()
}

/// Returns where an interface names the one through which it stands on itself.
fn cycle(network: &Network, name: &str) -> Option<crate::source::Place> {
    let interface = network.interfaces.get(name)?;
    interface.stands_on().into_iter().find_map(|below| {
        let mut seen = vec![below.as_str()];
        let mut next = vec![below.as_str()];
        while let Some(at) = next.pop() {
            if at == name {
                return Some(below.place);
            }
            for further in network.interfaces.get(at).into_iter().flat_map(|interface| interface.stands_on()) {
                if !seen.contains(&further.as_str()) {
                    seen.push(further.as_str());
                    next.push(further.as_str());
                }
            }
        }
        None
    })
}

/// What the initrd needs to be reached over ssh.
#[derive(Debug, Clone)]
pub struct InitrdNetwork<'f> {
    /// The definition.
    pub def: &'f InitrdSsh,
    /// Its private host key on the host.
    pub host_key: Option<&'f Spanned<SecretPath>>,
    /// Who may unlock.
    pub keys: Vec<&'f Spanned<String>>,
    /// The interface over which the initrd is reached, with its name.
    pub interface: Option<(&'f str, &'f Interface)>,
    /// The interface and everything it stands on, from the top down.
    pub stack: Vec<(&'f str, &'f Interface)>,
    /// Its static addresses.
    pub addresses: Vec<Spanned<Cidr>>,
    /// Its default gateways.
    pub gateways: Vec<Spanned<Gateway>>,
    /// Kernel modules of the cards below, as defined or as probed, and of what is made of them.
    pub modules: Vec<&'f str>,
    /// Cards below whose kernel module is not known.
    pub unknown: Vec<&'f str>,
}

impl InitrdNetwork<'_> {
    /// Tells whether the initrd has, or may get, an address.
    pub fn has_address(&self) -> bool {
        let automatic =
            |interface: &Interface| interface.dhcp.value != Dhcp::Both(false) || interface.accept_ra.is_some();
        !self.addresses.is_empty() || self.interface.is_some_and(|(_, interface)| automatic(interface))
    }
}

impl<'f> ResolvedHost<'f> {
    /// Returns the interfaces that an interface is a member or the link of.
    pub fn above(&self, name: &str) -> impl Iterator<Item = (&'f str, &'f Interface)> {
        self.interfaces().filter(move |(_, other)| other.stands_on().iter().any(|below| below.as_str() == name))
    }

    /// Returns the bond or bridge that an interface is a member of.
    pub fn master(&self, name: &str) -> Option<(&'f str, &'f Interface)> {
        self.above(name).find(|(_, other)| !other.members().is_empty())
    }

    /// Returns the VLANs that an interface carries.
    pub fn vlans_on(&self, name: &str) -> impl Iterator<Item = (&'f str, &'f Interface)> {
        self.above(name).filter(|(_, other)| matches!(other.link, Link::Vlan { .. }))
    }

    /// Returns an interface by its name.
    pub fn interface(&self, name: &str) -> Option<(&'f str, &'f Interface)> {
        self.interfaces().find(|(known, _)| *known == name)
    }

    /// Returns what the initrd needs to be reached over ssh; none without `boot.initrd-ssh`.
    pub fn initrd_network(&self) -> Option<InitrdNetwork<'f>> {
        let def = self.def.boot.initrd_ssh.as_ref()?;
        let named = def.interface.as_ref().and_then(|name| self.interface(name.as_str()));
        let out = || self.interfaces().find(|(_, interface)| interface.wireguard().is_none() && interface.leads_out());
        let interface = if def.interface.is_some() { named } else { out() };
        let mut stack: Vec<(&str, &Interface)> = interface.into_iter().collect();
        let mut at = 0;
        while let Some((_, this)) = stack.get(at).copied() {
            at += 1;
            for below in this.stands_on() {
                let known = stack.iter().any(|(name, _)| *name == below.as_str());
                stack.extend(self.interface(below.as_str()).filter(|_| !known));
            }
        }
        let mut modules = Vec::new();
        let mut unknown = Vec::new();
        for (name, interface) in &stack {
            let module = match &interface.link {
                Link::Ethernet(_) => self.driver(name, interface),
                Link::Vlan { .. } => Some("8021q"),
                Link::Bond(_) => Some("bonding"),
                Link::Bridge { .. } => Some("bridge"),
                Link::Wireguard(_) => Some("wireguard"),
            };
            match module {
                Some(module) if modules.contains(&module) => {}
                Some(module) => modules.push(module),
                None => unknown.push(*name),
            }
        }
        let own = |list: &Vec<Spanned<String>>| list.is_empty();
        let root_keys = self.def.access.iter().flat_map(|access| &access.root_keys);
        let keys = if own(&def.keys) { root_keys.collect() } else { def.keys.iter().collect() };
        let of_interface = interface.map(|(_, interface)| interface);
        let addresses = if def.addresses.is_empty() {
            of_interface.map(|interface| interface.addresses.clone())
        } else {
            Some(def.addresses.clone())
        };
        let gateways = if def.gateways.is_empty() {
            of_interface.map(|interface| interface.gateways.clone())
        } else {
            Some(def.gateways.clone())
        };
        Some(InitrdNetwork {
            def,
            host_key: def.host_key.as_ref(),
            keys,
            interface,
            stack,
            addresses: addresses.unwrap_or_default(),
            gateways: gateways.unwrap_or_default(),
            modules,
            unknown,
        })
    }

    /// Returns the kernel module of a card: as defined, else as probed on the card of its address or name.
    pub fn driver(&self, name: &str, interface: &'f Interface) -> Option<&'f str> {
        if let Some(driver) = &interface.driver {
            return Some(driver.as_str());
        }
        let probed = self.source.facts.as_ref()?.interfaces.as_deref()?;
        let card = probed.iter().find(|probed| match interface.matches().map(|matches| &matches.value) {
            Some(Match::Mac(mac)) => probed
                .mac
                .as_ref()
                .is_some_and(|probed| probed.value.replace('-', ":").eq_ignore_ascii_case(&mac.to_string())),
            _ => *probed.name.value == *DeviceName::of(name, interface).as_str(),
        })?;
        let driver = &card.driver.as_ref()?.value;
        let plain = driver.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        (plain && !driver.is_empty() && !driver.starts_with('-')).then_some(&**driver)
    }

    /// Returns the names and addresses under which other machines know this host, its own name first.
    pub fn known_as(&self, domain: Option<&str>) -> Vec<String> {
        let mut names = vec![self.name.to_owned()];
        names.extend(domain.map(|domain| format!("{}.{domain}", self.name)));
        let far = |address: &IpAddr| match address {
            IpAddr::V4(address) => !address.is_link_local() && !address.is_loopback(),
            IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_loopback(),
        };
        let addresses =
            self.interfaces().flat_map(|(_, interface)| interface.addresses.iter().map(|address| address.address));
        names.extend(addresses.filter(far).map(|address| address.to_string()));
        if let Some(crate::fleet::scalar::Target::Ssh { host, .. }) =
            self.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref()).map(|target| &target.value)
        {
            names.push(host.clone());
        }
        let mut seen = Vec::new();
        names.retain(|name| {
            let new = !seen.contains(name);
            seen.push(name.clone());
            new
        });
        names
    }

    /// Returns the keys that the host shows to who logs in, as (type, Base64); what is no key is left out.
    pub fn host_keys(&self) -> Vec<(&'f str, &'f str)> {
        let lines = self.def.access.iter().flat_map(|access| &access.host_keys);
        lines
            .filter_map(|line| {
                let mut words = line.value.split_ascii_whitespace();
                let (kind, blob) = words.next().zip(words.next())?;
                let kind_fits = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@.".contains(&b));
                let blob_fits = blob.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
                (kind_fits && blob_fits && blob.starts_with("AAAA")).then_some((kind, blob))
            })
            .collect()
    }
}
