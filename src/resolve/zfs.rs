//! The systems that may have to import a host's pools, and the ZFS of each.

use super::{ChannelRef, ResolvedDeployer};
use crate::facts::Facts;
use crate::fleet::Host;
use crate::fleet::schema::fleet_file::Evaluation;
use crate::fleet::schema::machine::Method;
use crate::source::{Kind, Place, Sources};
use crate::units::{Release, Version};

/// What a system is to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SystemRole {
    /// The generation to be deployed.
    New,
    /// A generation that stays in the boot menu.
    Rollback,
    /// The rescue system.
    Rescue,
    /// The installer: it makes the pools.
    Installer,
}

impl SystemRole {
    /// Returns what such a system is called in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "the generation to be deployed",
            Self::Rollback => "a generation in the boot menu",
            Self::Rescue => "the rescue system",
            Self::Installer => "the installer",
        }
    }
}

/// A system that may import the host's pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZfsSystem {
    /// What it is.
    pub role: SystemRole,
    /// What it is called: a channel's release, a package, a generation's number, else its role.
    pub name: String,
    /// Its NixOS release, where it has one.
    pub release: Option<Release>,
    /// Its OpenZFS; none when nothing known says.
    pub zfs: Option<Version>,
    /// Whether the version is stated, seen, or verified for its release; else it is public knowledge.
    pub verified: bool,
    /// The oldest OpenZFS that it may have: `zfs`, or that of the nearest older release the facts know.
    pub at_least: Option<Version>,
    /// Where it is named.
    pub place: Place,
    /// The release of its channel in fleet.toml; where it is named when it has no channel.
    pub release_place: Place,
}

/// Returns the systems that may import a host's pools, the one to be deployed first.
///
/// A deployer that evaluates with its own channel deploys that, whatever the host is pinned to: both are in the list then.
pub(super) fn systems(
    host: &Host,
    channel: ChannelRef<'_>,
    deployer: Option<ResolvedDeployer<'_>>,
    installer: Option<ChannelRef<'_>>,
    rescue: Option<ChannelRef<'_>>,
    facts: &Facts,
    sources: &Sources,
) -> Vec<ZfsSystem> {
    let mut systems = vec![deployed(host, channel, facts)];
    if let Some(deployer) = deployer.filter(|deployer| deployer.def.evaluation.value == Evaluation::OwnChannel) {
        let own = deployed(host, deployer.channel, facts);
        systems.extend(Some(own).filter(|own| systems.iter().all(|other| other.zfs != own.zfs)));
    }
    let system = host.facts.as_ref().and_then(|facts| facts.system.as_ref());
    for generation in system.and_then(|system| system.generations.as_ref()).into_iter().flatten() {
        let version = generation.zfs.as_ref().and_then(|zfs| seen(&zfs.value));
        let number = generation.number.as_ref().map_or_else(|| "?".to_owned(), |number| number.value.to_string());
        let place = generation.zfs.as_ref().map_or(generation.place, |zfs| zfs.place);
        systems.push(ZfsSystem {
            role: SystemRole::Rollback,
            name: format!("generation {number}"),
            release: None,
            zfs: version,
            verified: true,
            at_least: version,
            place,
            release_place: place,
        });
    }
    if let Some(def) = &host.def.machine.rescue {
        let stated = def.zfs.as_ref().map(|zfs| (zfs.value, zfs.place));
        let fallback = sources.start(host.file);
        systems.push(of_channel(SystemRole::Rescue, rescue, stated, fallback, facts));
    }
    if let Some(def) = &host.def.installer {
        let makes_pools = def.method.value != Method::Existing || def.channel.is_some() || def.zfs.is_some();
        if makes_pools {
            let stated = def.zfs.as_ref().map(|zfs| (zfs.value, zfs.place));
            systems.push(of_channel(SystemRole::Installer, installer, stated, def.place, facts));
        }
    }
    systems
}

/// Returns the generation to be deployed: a package that is chosen decides before the channel's default.
fn deployed(host: &Host, channel: ChannelRef<'_>, facts: &Facts) -> ZfsSystem {
    let mut system = of_channel(SystemRole::New, Some(channel), None, channel.at, facts);
    let release = channel.channel.release.value;
    if let Some(package) = host.def.zfs.as_ref().and_then(|zfs| zfs.package.as_ref()) {
        chosen(&mut system, package.as_str(), package.place, release, facts);
    }
    // What stands under `[nixos]` overrides the typed keys.
    let settings = host.def.nixos.as_ref().and_then(|nixos| nixos.at(&["boot", "zfs"]));
    if let Some(package) = settings.and_then(|zfs| zfs.at(&["package"])) {
        let attribute = match &package.kind {
            Kind::Str(attribute) => attribute.as_str(),
            Kind::Nix(text) => text.trim().strip_prefix("pkgs.").unwrap_or_default(),
            _ => "",
        };
        chosen(&mut system, attribute, package.place, release, facts);
    }
    // `zfsUnstable` is at least what the release has by default.
    if settings.and_then(|zfs| zfs.at(&["enableUnstable"])).is_some_and(|unstable| unstable.kind == Kind::Bool(true)) {
        system.zfs = None;
    }
    system
}

fn chosen(system: &mut ZfsSystem, attribute: &str, place: Place, release: Release, facts: &Facts) {
    system.zfs = version_of(attribute, release, facts);
    system.at_least = system.zfs;
    system.verified = true;
    system.place = place;
    system.release_place = place;
    if !attribute.is_empty() {
        attribute.clone_into(&mut system.name);
    }
}

fn of_channel(
    role: SystemRole,
    channel: Option<ChannelRef<'_>>,
    stated: Option<(Version, Place)>,
    fallback: Place,
    facts: &Facts,
) -> ZfsSystem {
    let release = channel.map(|channel| channel.channel.release.value);
    let release_place = channel.map_or(fallback, |channel| channel.channel.release.place);
    if let Some((version, place)) = stated {
        return ZfsSystem {
            role,
            name: release.map_or_else(|| role.as_str().to_owned(), |release| release.to_string()),
            release,
            zfs: Some(version),
            verified: true,
            at_least: Some(version),
            place,
            release_place: place,
        };
    }
    let of_channel = channel.and_then(|channel| channel.channel.zfs.as_ref()).map(|zfs| zfs.value);
    let known = release.and_then(|release| facts.releases().zfs(release));
    let zfs = of_channel.or(known.map(|figure| figure.value));
    let older = || release.and_then(|release| facts.releases().zfs_or_older(release)).map(|(_, figure)| figure.value);
    ZfsSystem {
        role,
        name: release.map_or_else(|| role.as_str().to_owned(), |release| release.to_string()),
        release,
        zfs,
        verified: of_channel.is_some() || known.is_some_and(|figure| figure.solid),
        at_least: zfs.or_else(older),
        place: channel.map_or(fallback, |channel| channel.at),
        release_place,
    }
}

/// Reads a version as `zfs version` and /sys/module/zfs/version say it: `zfs-kmod-2.1.5-1`, `2.1.5-1`.
fn seen(text: &str) -> Option<Version> {
    let number = text.trim_start_matches("zfs-").trim_start_matches("kmod-");
    number.parse().ok()
}

/// Returns the version of a ZFS package attribute: from the package facts, else from the attribute's own name (`zfs_2_3`).
fn version_of(attribute: &str, release: Release, facts: &Facts) -> Option<Version> {
    if let crate::facts::PackageFact::Version(version) = facts.packages().find(attribute, release) {
        return version.parse().ok();
    }
    let numbers = attribute.strip_prefix("zfs_")?;
    numbers.replace('_', ".").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_the_commands_and_the_kernel_module_say_it() {
        for text in ["2.1.5", "2.1.5-1", "zfs-2.1.5-1", "zfs-kmod-2.1.5-1"] {
            assert_eq!(seen(text).map(|version| version.to_string()).as_deref(), Some("2.1.5"), "{text}");
        }
        assert_eq!(seen("unknown"), None);
    }
}
