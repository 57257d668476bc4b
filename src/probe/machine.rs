//! The machine as a whole: firmware, memory, processor, who made it, which system runs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::sections::Sections;

/// The processor.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cpu {
    vendor: Option<String>,
    model: Option<String>,
    family: Option<u32>,
    model_number: Option<u32>,
}

/// Returns lines of a key and a value.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(' ')).map(|(key, value)| (key, value.trim()))
}

pub(super) fn about(sections: &Sections) -> BTreeMap<String, String> {
    let text = sections.ran("about").unwrap_or_default();
    pairs(text).filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Returns the one word that a file holds.
pub(super) fn word(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty() && !text.contains(char::is_whitespace)).map(str::to_owned)
}

/// Returns the host id that ZFS goes by: the module's own, else that of /etc/hostid, whose bytes stand in the machine's order
/// (little-endian on all that are supported). None where there is neither: what hostid(1) prints then follows from an address.
pub(super) fn host_id(about: &BTreeMap<String, String>) -> Option<String> {
    let module = about.get("spl_hostid").and_then(|text| text.parse::<u32>().ok());
    let file = about.get("hostid_bytes").and_then(|text| u32::from_str_radix(text, 16).ok()).map(u32::swap_bytes);
    module.filter(|id| *id != 0).or(file).filter(|id| *id != 0).map(|id| format!("{id:08x}"))
}

/// Returns the main memory in bytes.
pub(super) fn memory(sections: &Sections) -> Option<u64> {
    let line = sections.good("meminfo")?.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

pub(super) fn cpu(sections: &Sections) -> Option<Cpu> {
    let text = sections.good("cpuinfo")?;
    let key = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == wanted).map(|(_, value)| value.trim().to_owned())
    };
    let vendor = key("vendor_id").or_else(|| key("CPU implementer").map(|id| format!("ARM implementer {id}")));
    let model = key("model name");
    let number = |wanted: &str| key(wanted).and_then(|text| text.parse().ok());
    let (family, model_number) = (number("cpu family"), number("model"));
    (vendor.is_some() || model.is_some()).then_some(Cpu { vendor, model, family, model_number })
}

pub(super) fn dmi(sections: &Sections) -> BTreeMap<String, String> {
    pairs(sections.ran("dmi").unwrap_or_default())
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(super) fn os_release(sections: &Sections) -> BTreeMap<String, String> {
    const KEYS: &[&str] = &["ID", "ID_LIKE", "NAME", "PRETTY_NAME", "VARIANT_ID", "VERSION_ID"];
    let lines = sections.good("os-release").unwrap_or_default().lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(key, _)| KEYS.contains(key))
        .map(|(key, value)| (key.to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
        .collect()
}

/// Returns the name servers, those on the machine itself left out: behind them stand others.
pub(super) fn nameservers(sections: &Sections) -> Vec<String> {
    let mut servers: Vec<String> = Vec::new();
    for line in sections.ran("resolv-conf").unwrap_or_default().lines() {
        let Some(address) = line.strip_prefix("nameserver").and_then(|rest| rest.trim().parse::<IpAddr>().ok()) else {
            continue;
        };
        if !address.is_loopback() && !servers.contains(&address.to_string()) {
            servers.push(address.to_string());
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_id_is_the_modules_else_the_files_and_never_an_address() {
        let about = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(host_id(&about(&[("spl_hostid", "612879647")])).as_deref(), Some("2487cd1f"));
        assert_eq!(host_id(&about(&[("spl_hostid", "0"), ("hostid_bytes", "1fcd8724")])).as_deref(), Some("2487cd1f"));
        assert_eq!(host_id(&about(&[("spl_hostid", "0")])), None);
    }
}
