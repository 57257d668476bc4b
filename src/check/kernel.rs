//! Which kernel a host boots.

use super::rule::{Findings, HostCx};
use crate::facts::PackageFact;
use crate::source::{Kind, Node, Place};
use crate::units::Version;

/// A kernel, what it is called and where it is chosen.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    /// What it is called in a sentence.
    pub(super) name: String,
    /// Its version.
    pub(super) version: Version,
    /// Where it is chosen, else where the channel is.
    pub(super) place: Place,
    /// Whether the definition chooses it, and not the channel.
    pub(super) chosen: bool,
    /// Whether its version was verified; else it is public knowledge, which is no ground for an error.
    pub(super) solid: bool,
}

impl Kernel {
    /// Returns the host's kernel: what stands under `[nixos]`, else the typed key, else the channel's. Where one is chosen
    /// whose version nobody knows, the rule is unchecked.
    pub(super) fn of(cx: &HostCx<'_>, found: &mut Findings) -> Option<Self> {
        let setting = cx.host.def.nixos.as_ref().and_then(|nixos| nixos.at(&["boot", "kernelPackages"]));
        let typed = cx.host.def.boot.kernel.as_ref().map(|kernel| (kernel.as_str(), kernel.place));
        if let Some((attribute, place)) = setting.and_then(attribute).or(typed) {
            let version = version_of(cx, attribute);
            if version.is_none() {
                found.unchecked(format!("nothing says which kernel `{attribute}` is"));
            }
            let name = format!("`{attribute}`");
            return Some(Self { name, version: version?, place, chosen: true, solid: true });
        }
        let channel = &cx.host.channel;
        let release = channel.channel.release.value;
        let (version, place, solid) = match &channel.channel.kernel {
            Some(kernel) => (kernel.value, kernel.place, true),
            None => {
                let default = cx.facts.releases().find(release)?.kernel_default?;
                (default.value, channel.at, default.solid)
            }
        };
        Some(Self { name: format!("the {version} of {release}"), version, place, chosen: false, solid })
    }
}

fn attribute(node: &Node) -> Option<(&str, Place)> {
    let name = match &node.kind {
        Kind::Str(name) => name.as_str(),
        Kind::Nix(text) => text.trim().strip_prefix("pkgs.")?,
        _ => return None,
    };
    Some((name, node.place))
}

/// Returns the version of a set of kernel packages: by the facts, else by the attribute's own name.
fn version_of(cx: &HostCx<'_>, attribute: &str) -> Option<Version> {
    let release = cx.host.channel.channel.release.value;
    let kernel = attribute.strip_prefix("linuxPackages")?;
    if let PackageFact::Version(version) = cx.facts.packages().find(&format!("linux{kernel}"), release) {
        let number = version.split("-rc").next().unwrap_or(version);
        return number.parse().ok();
    }
    let numbers = kernel.strip_prefix('_')?;
    numbers.replace('_', ".").parse().ok()
}
