//! Network interfaces with their addresses and routers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::Value as Json;

use super::machine::pairs;
use super::sections::Sections;

/// An interface.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Interface {
    name: String,
    mac: Option<String>,
    path: Option<String>,
    driver: Option<String>,
    kind: Option<String>,
    addresses: Option<Vec<String>>,
    gateways: Vec<Gateway>,
    dhcp: Option<bool>,
    up: bool,
    #[serde(skip)]
    hardware: bool,
}

/// A router of a default route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Gateway {
    via: String,
    on_link: bool,
}

/// Returns the interfaces, by name, those of pure software left out unless they bundle cards.
pub(super) fn interfaces(sections: &Sections, missing: &mut Vec<(&'static str, String)>) -> Option<Vec<Interface>> {
    let Some(text) = sections.good("sys-net") else {
        missing.push(("interfaces", "/sys/class/net is not there: is /sys mounted?".to_owned()));
        return None;
    };
    let mut all: BTreeMap<String, Interface> =
        from_sysfs(text).into_iter().map(|interface| (interface.name.clone(), interface)).collect();
    let addresses =
        sections.good("ip-addr-json").and_then(addresses_json).or_else(|| sections.good("ip-addr").map(addresses_text));
    if addresses.is_none() {
        missing.push(("addresses", "there is no ip: addresses and routers are not known".to_owned()));
    }
    for interface in all.values_mut() {
        interface.addresses = addresses.as_ref().map(|_| Vec::new());
    }
    for Address { interface, cidr, dynamic } in addresses.unwrap_or_default() {
        let Some(known) = all.get_mut(&interface) else { continue };
        if let Some(list) = &mut known.addresses {
            list.push(cidr);
        }
        if dynamic {
            known.dhcp = Some(true);
        } else {
            known.dhcp.get_or_insert(false);
        }
    }
    for (json, text) in [("ip-route-json", "ip-route"), ("ip-route6-json", "ip-route6")] {
        let routes = sections
            .good(json)
            .and_then(routes_json)
            .or_else(|| sections.good(text).map(routes_text))
            .unwrap_or_default();
        for (interface, gateway) in routes {
            if let Some(known) = all.get_mut(&interface)
                && !known.gateways.contains(&gateway)
            {
                known.gateways.push(gateway);
            }
        }
    }
    let mut kept: Vec<Interface> = all.into_values().collect();
    kept.retain(|interface| {
        interface.hardware || matches!(interface.kind.as_deref(), Some("bond" | "bridge" | "vlan"))
    });
    Some(kept)
}

/// Returns the addresses of global scope by interface, those of pure software among them; nothing where there is no `ip`.
pub(super) fn all_addresses(sections: &Sections) -> Option<BTreeMap<String, Vec<String>>> {
    let json = sections.good("ip-addr-json").and_then(addresses_json);
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for address in json.or_else(|| sections.good("ip-addr").map(addresses_text))? {
        all.entry(address.interface).or_default().push(address.cidr);
    }
    Some(all)
}

/// Returns the routers of the default routes of IPv4 and of IPv6; nothing of a family that no `ip` told of.
pub(super) fn all_routers(sections: &Sections) -> [Option<Vec<String>>; 2] {
    [("ip-route-json", "ip-route"), ("ip-route6-json", "ip-route6")].map(|(json, text)| {
        let routes = sections.good(json).and_then(routes_json).or_else(|| sections.good(text).map(routes_text))?;
        Some(routes.into_iter().map(|(interface, gateway)| format!("{} {interface}", gateway.via)).collect())
    })
}

fn from_sysfs(text: &str) -> Vec<Interface> {
    let mut all: Vec<Interface> = Vec::new();
    let mut permanent = false;
    for (key, value) in pairs(text) {
        if key == "interface" {
            all.push(Interface { name: value.to_owned(), ..Interface::default() });
            permanent = false;
            continue;
        }
        let Some(interface) = all.last_mut() else { continue };
        match key {
            // A member of a bond or bridge may wear the address of the whole; the card's own counts.
            "permanent" if is_mac(value) => {
                interface.mac = Some(value.to_ascii_lowercase());
                permanent = true;
            }
            "address" if !permanent && is_mac(value) => interface.mac = Some(value.to_ascii_lowercase()),
            "operstate" => interface.up = value == "up",
            "devtype" => interface.kind = Some(value.to_owned()),
            "devpath" => {
                interface.hardware = true;
                interface.path = interface.path.take().or_else(|| pci_path(value));
            }
            "path" => interface.path = Some(value.to_owned()),
            "driver" if interface.driver.is_none() => {
                let (name, module) = value.split_once(' ').unwrap_or((value, ""));
                interface.driver = Some(if module.is_empty() { name.replace('-', "_") } else { module.to_owned() });
            }
            _ => {}
        }
    }
    all
}

fn is_mac(text: &str) -> bool {
    text.len() == 17 && text.parse::<crate::units::Mac>().is_ok() && text != "00:00:00:00:00:00"
}

/// Returns udev's name of the place of a card on the PCI bus.
fn pci_path(devpath: &str) -> Option<String> {
    let is_address = |part: &&str| part.len() == 12 && part.as_bytes().get(4) == Some(&b':') && part.contains('.');
    devpath.split('/').rfind(is_address).map(|address| format!("pci-{address}"))
}

/// An address of an interface.
struct Address {
    interface: String,
    cidr: String,
    /// Whether a lease or an announcement brought it.
    dynamic: bool,
}

fn addresses_json(text: &str) -> Option<Vec<Address>> {
    let parsed: Json = serde_json::from_str(text).ok()?;
    let mut all = Vec::new();
    for interface in parsed.as_array()? {
        let Some(name) = interface.get("ifname").and_then(Json::as_str) else { continue };
        for address in interface.get("addr_info").and_then(Json::as_array).into_iter().flatten() {
            let text = |key: &str| address.get(key).and_then(Json::as_str);
            let (Some(local), Some(length)) = (text("local"), address.get("prefixlen").and_then(Json::as_u64)) else {
                continue;
            };
            if text("scope") == Some("global") {
                let flag = |key: &str| address.get(key).and_then(Json::as_bool) == Some(true);
                all.push(Address {
                    interface: name.to_owned(),
                    cidr: format!("{local}/{length}"),
                    dynamic: flag("dynamic") || text("protocol").is_some_and(|by| by.contains("ra")),
                });
            }
        }
    }
    Some(all)
}

/// Reads `ip -o addr` of iproute2 and busybox: `2: eth0    inet 192.0.2.5/24 brd 192.0.2.255 scope global dynamic eth0\…`.
fn addresses_text(text: &str) -> Vec<Address> {
    let mut all = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, name, "inet" | "inet6", cidr, rest @ ..] = words.as_slice() else { continue };
        if rest.windows(2).any(|pair| pair == ["scope", "global"]) {
            let dynamic = rest.contains(&"dynamic");
            all.push(Address { interface: name.trim_end_matches(':').to_owned(), cidr: (*cidr).to_owned(), dynamic });
        }
    }
    all
}

fn routes_json(text: &str) -> Option<Vec<(String, Gateway)>> {
    let parsed: Json = serde_json::from_str(text).ok()?;
    let default = parsed.as_array()?.iter().filter(|route| route.get("dst").and_then(Json::as_str) == Some("default"));
    let gateway = |route: &Json| {
        let text = |key: &str| route.get(key).and_then(Json::as_str);
        // `via` holds a router of the other family.
        let via = text("gateway").or_else(|| route.get("via")?.get("host")?.as_str())?;
        let flags = route.get("flags").and_then(Json::as_array);
        let on_link = flags.is_some_and(|flags| flags.iter().any(|flag| flag.as_str() == Some("onlink")));
        Some((text("dev")?.to_owned(), Gateway { via: via.parse::<IpAddr>().ok()?.to_string(), on_link }))
    };
    Some(default.filter_map(gateway).collect())
}

fn routes_text(text: &str) -> Vec<(String, Gateway)> {
    let mut all = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("default ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |key: &str| {
            words.windows(2).find_map(|pair| match pair {
                [word, value] if *word == key => Some(*value),
                _ => None,
            })
        };
        let via = after("via").and_then(|via| via.parse::<IpAddr>().ok());
        if let (Some(via), Some(name)) = (via, after("dev")) {
            all.push((name.to_owned(), Gateway { via: via.to_string(), on_link: words.contains(&"onlink") }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_ip_tell_the_same() {
        let json = r#"[{"ifname":"eth0","addr_info":[{"family":"inet","local":"192.0.2.5","prefixlen":32,"scope":"global","dynamic":true},{"local":"fe80::1","prefixlen":64,"scope":"link"}]}]"#;
        let text = "2: eth0    inet 192.0.2.5/32 scope global dynamic eth0\\       valid_lft 1sec\n2: eth0    inet6 fe80::1/64 scope link\n";
        for all in [addresses_json(json).unwrap(), addresses_text(text)] {
            let said: Vec<_> = all.iter().map(|a| (a.interface.as_str(), a.cidr.as_str(), a.dynamic)).collect();
            assert_eq!(said, [("eth0", "192.0.2.5/32", true)]);
        }
        let json = r#"[{"dst":"default","gateway":"172.31.1.1","dev":"eth0","flags":["onlink"]},{"dst":"10.0.0.0/8","dev":"eth0","flags":[]}]"#;
        let text = "default via 172.31.1.1 dev eth0 onlink\n10.0.0.0/8 dev eth0\n";
        assert_eq!(routes_json(json).unwrap(), routes_text(text));
        assert!(routes_text(text)[0].1.on_link);
    }

    #[test]
    fn the_address_of_the_card_counts_where_a_bond_lends_another() {
        let text = "interface eth0\naddress 02:00:00:00:00:01\npermanent 02:00:00:00:00:AA\noperstate up\n\
                    devpath /sys/devices/pci0000:00/0000:00:03.0/virtio0\ndriver virtio_net virtio_net\ndriver virtio-pci \n";
        let card = &from_sysfs(text)[0];
        assert_eq!(card.mac.as_deref(), Some("02:00:00:00:00:aa"));
        assert_eq!((card.driver.as_deref(), card.path.as_deref()), (Some("virtio_net"), Some("pci-0000:00:03.0")));
    }
}
