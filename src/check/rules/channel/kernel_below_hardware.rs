//! A kernel that is older than what drives the machine.

use crate::check::kernel::Kernel;
use crate::check::nixos;
use crate::check::phrase::listed;
use crate::check::probed::NO_FACTS;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::facts::{Device, Use};
use crate::fleet::schema::facts_file::FactsFile;
use crate::source::{Level, Place};
use crate::units::Version;

pub(super) static RULE: Rule = Rule {
    id: "kernel-below-hardware",
    group: Group::Channel,
    level: Level::Warning,
    allowable: true,
    needs: &["probed hardware", "kernel of the release"],
    summary: "the kernel is older than what the machine's hardware needs",
    doc: include_str!("kernel_below_hardware.md"),
    check: Check::Host(check),
};

/// Settings by which a host makes use of a wireless card.
const WIRELESS: [&[&str]; 4] = [
    &["networking", "wireless", "enable"],
    &["networking", "wireless", "iwd", "enable"],
    &["networking", "networkmanager", "enable"],
    &["services", "hostapd", "enable"],
];

/// Long-term lines of Linux (kernel.org).
const LONG_TERM: [&str; 7] = ["5.4", "5.10", "5.15", "6.1", "6.6", "6.12", "6.18"];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let stated = stated(cx);
    let facts = cx.host.source.facts.as_ref();
    match facts {
        None => found.unchecked(NO_FACTS),
        Some(facts) if facts.pci.is_none() => {
            found.unchecked("the facts of the machine do not list what is on the PCI bus");
        }
        Some(_) => {}
    }
    let mut devices = facts.map(|facts| probed(cx, facts)).unwrap_or_default();
    // What the bus tells by its number, and what a definition says of it, need not be said again by its driver.
    for (device, place) in stated {
        if devices.iter().all(|(other, _)| other.driver != device.driver) {
            devices.push((device, place));
        }
    }
    let wireless = WIRELESS.iter().any(|route| nixos::is_set(cx.host, route));
    devices.retain(|(device, _)| wireless || device.kind != Use::Wireless);
    if devices.is_empty() {
        return;
    }
    let Some(kernel) = Kernel::of(cx, found) else { return };
    let line = kernel.version.truncate(2);
    devices.retain(|(device, _)| device.first > line);
    devices.dedup_by_key(|(device, _)| device.name);
    let Some(first) = devices.iter().map(|(device, _)| device.first).max() else { return };
    found.report(finding(cx, &kernel, first, &devices));
}

fn finding(cx: &HostCx<'_>, kernel: &Kernel, first: Version, devices: &[(Device<'_>, Place)]) -> Finding {
    let names = listed(devices.iter().map(|(device, _)| device.name));
    let need = if devices.len() == 1 { "needs" } else { "need" };
    let boots = if kernel.chosen { "this" } else { "its channel" };
    let mut finding = Finding::at(kernel.place, format!("{names} of `{}` {need} Linux {first}", cx.host.name))
        .label(format!("{boots} boots {}", kernel.version));
    for (device, place) in devices.iter().take(4) {
        finding = finding.related(*place, format!("{}: `{}` is in Linux {}", device.name, device.driver, device.first));
    }
    let gone = devices.iter().any(|(device, _)| device.kind != Use::Processor);
    let finding = finding.why(if gone {
        "an older kernel has no driver for it: the card is on the bus, and no interface or disk comes of it"
    } else {
        "an older kernel boots, and does not learn which of its cores are fast: work lands on the slow ones"
    });
    let long_term = LONG_TERM.iter().find(|line| line.parse::<Version>().is_ok_and(|line| line >= first));
    let finding = match long_term {
        Some(line) => finding.help(format!(
            "`kernel = \"linuxPackages_{}\"` in `[boot]`, the long-term kernel that has it, where the channel does",
            line.replace('.', "_")
        )),
        None => finding,
    };
    finding.help("`kernel = \"linuxPackages_latest\"` in `[boot]`").help("a channel with a newer kernel")
}

/// Returns what the machine has and the facts know, with the place where it said so.
fn probed<'a>(cx: &HostCx<'a>, facts: &'a FactsFile) -> Vec<(Device<'a>, Place)> {
    let hardware = cx.facts.hardware();
    let bus = facts.pci.iter().flatten();
    let mut devices: Vec<_> =
        bus.filter_map(|device| Some((hardware.pci(&device.id.value)?, device.id.place))).collect();
    let drivers = facts.interfaces.iter().flatten().filter_map(|interface| interface.driver.as_ref());
    for driver in drivers {
        let known = hardware
            .driver(&driver.value)
            .filter(|known| devices.iter().all(|(other, _)| other.driver != known.driver));
        devices.extend(known.map(|known| (known, driver.place)));
    }
    let cpu = facts.cpu.as_ref().and_then(|cpu| {
        let (vendor, family, model) = (cpu.vendor.as_ref()?, cpu.family.as_ref()?, cpu.model_number.as_ref()?);
        Some((hardware.cpu(&vendor.value, family.value, model.value)?, model.place))
    });
    devices.extend(cpu);
    devices
}

/// Returns what the definition itself says of the interfaces' drivers.
fn stated<'a>(cx: &HostCx<'a>) -> Vec<(Device<'a>, Place)> {
    let drivers = cx.host.interfaces().filter_map(|(_, interface)| interface.driver.as_ref());
    drivers.filter_map(|driver| Some((cx.facts.hardware().driver(driver.as_str())?, driver.place))).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    /// What is said of a machine on a release; places aside.
    fn of(release: &str, host: &str, facts: &str) -> Vec<String> {
        let fleet = format!(
            "fleet.name = 'x'\nchannels.it.release = '{release}'\n[defaults]\nimports = ['scaffold']\nchannel = 'it'\n"
        );
        let facts = format!(r#"{{ "version": 1, {facts} }}"#);
        let files = [("fleet.toml", fleet.as_str()), ("hosts/a/host.toml", host), ("hosts/a/facts.json", &facts)];
        said_of("kernel-below-hardware", &files)
    }

    fn pci(ids: &[&str]) -> String {
        let list: Vec<String> = ids.iter().map(|id| format!(r#"{{ "id": "{id}" }}"#)).collect();
        format!(r#""pci": [{}]"#, list.join(", "))
    }

    #[test]
    fn the_kernel_of_each_release_is_held_against_the_first_that_drives_a_card() {
        let i226 = pci(&["8086:125c"]);
        assert_eq!(of("20.09", "", &i226), ["warning: `Intel I226-V` of `a` needs Linux 5.10"]);
        assert!(of("21.05", "", &i226).is_empty());
        assert!(of("20.09", "boot.kernel = 'linuxPackages_5_10'\n", &i226).is_empty());
        assert_eq!(
            of("25.11", "", &pci(&["10ec:8126", "10ec:8127"])),
            ["warning: `Realtek RTL8127` of `a` needs Linux 6.16"]
        );
        assert_eq!(
            of("24.05", "", &pci(&["10ec:8126", "10ec:8127", "10ec:8127"])),
            ["warning: `Realtek RTL8126` and `Realtek RTL8127` of `a` need Linux 6.16"]
        );
        assert!(of("26.05", "", &pci(&["10ec:8126", "10ec:8127", "ffff:ffff"])).is_empty());
    }

    #[test]
    fn a_card_is_known_by_its_driver_where_the_bus_was_not_listed() {
        let driver = r#""pci": [], "interfaces": [{ "name": "lan", "driver": "igc" }]"#;
        assert_eq!(of("18.09", "", driver), ["warning: `Intel I225 and I226` of `a` needs Linux 4.20"]);
        let both = format!(r#"{}, "interfaces": [{{ "name": "lan", "driver": "igc" }}]"#, pci(&["8086:15f3"]));
        assert_eq!(of("18.09", "", &both), ["warning: `Intel I225-V` of `a` needs Linux 4.20"]);
        let stated = "network.interfaces.lan = { match = { mac = '02:00:00:00:00:01' }, addresses = ['192.0.2.10/24'], \
                      gateways = ['192.0.2.1'], driver = 'igc' }\n";
        assert_eq!(of("18.09", stated, r#""pci": []"#).len(), 1);
        assert!(of("26.05", "", r#""memory_bytes": 1"#)[0].starts_with("unchecked"));
    }

    #[test]
    fn a_wireless_card_counts_where_it_is_used() {
        let card = pci(&["14c3:7925"]);
        assert!(of("24.05", "", &card).is_empty());
        assert_eq!(of("24.05", "nixos.services.hostapd.enable = true\n", &card).len(), 1);
    }

    #[test]
    fn a_processor_is_known_by_family_and_model() {
        let cpu = |model: u32| {
            format!(r#""pci": [], "cpu": {{ "vendor": "GenuineIntel", "family": 6, "model_number": {model} }}"#)
        };
        assert_eq!(of("22.11", "", &cpu(151)).len(), 1);
        // The N100 has cores of one kind.
        assert!(of("22.11", "", &cpu(190)).is_empty());
        assert!(of("23.05", "", &cpu(151)).is_empty());
    }
}
