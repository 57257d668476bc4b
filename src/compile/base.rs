//! default.nix of a host: what it imports, its name, its release, time zone and locale; and nixos.nix, what stands below
//! `[nixos]`.

use super::HostCx;
use super::convert;
use super::settings::Settings;
use crate::fleet::decode::Word as _;
use crate::nix::Value;
use crate::source::{Diagnostics, Kind, NORMAL, Node};

/// Returns what default.nix sets beside its imports.
pub(super) fn settings(cx: &HostCx<'_>) -> Settings {
    let mut out = Settings::default();
    let def = cx.host.def;
    out.set("networking.hostName", cx.host.name, cx.host.place);
    if cx.spelling.host_platform() {
        out.set("nixpkgs.hostPlatform", def.system.value.word(), def.system.place);
    }
    if let Some(version) = &def.state_version {
        out.set("system.stateVersion", version.value.base().to_string(), version.place);
    }
    out.keyed("time.timeZone", &def.time_zone, def.time_zone.value.as_str());
    out.keyed("i18n.defaultLocale", &def.locale, def.locale.value.as_str());
    out
}

/// Returns what stands below `[nixos]`, one definition an option.
pub(super) fn nixos(cx: &HostCx<'_>, found: &mut Diagnostics) -> Settings {
    let mut out = Settings::default();
    if let Some(node) = &cx.host.def.nixos {
        let index = cx.facts.options_of(cx.host.channel.name, cx.host.channel.channel.release.value);
        options(index, &mut Vec::new(), node, &mut out, found);
    }
    out
}

/// Goes down to the options: below a prefix each is a definition with its own place.
fn options<'a>(
    index: Option<crate::facts::OptionIndex<'_>>,
    loc: &mut Vec<&'a str>,
    node: &'a Node,
    out: &mut Settings,
    found: &mut Diagnostics,
) {
    let is_prefix = || {
        let found = index.map(|index| index.lookup(loc));
        loc.is_empty() || matches!(found, Some(crate::facts::Found::Prefix))
    };
    match &node.kind {
        Kind::Table(table) if node.priority == NORMAL && is_prefix() => {
            for (name, entry) in table {
                loc.push(name);
                options(index, loc, &entry.node, out, found);
                loc.pop();
            }
        }
        _ => {
            let value: Value = convert::value(index, loc, node, found);
            out.set_path(loc, value, node.place);
        }
    }
}
