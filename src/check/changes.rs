//! Which hosts a change of files concerns.
//!
//! A host sees its own folder, the files of the fleet that it names, the modules that it imports or whose services it runs, the channels that it names, the hosts
//! at the other ends of its tunnels, and everything in fleet.toml that is no other channel. What cannot be told counts as a
//! change: a host that cannot be read may import anything.

use std::collections::BTreeSet;

use super::scope::Scope;
use crate::fleet::schema::fleet_file::Channel;
use crate::fleet::schema::network::PeerEnd;
use crate::fleet::{Fleet, Host};
use crate::resolve::named_files;
use crate::source::{Kind, Node, Sources, parse_toml};
use crate::units::lies_in;

/// What differs from an earlier state of the fleet.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The files, as paths below the fleet's folder, that are new, gone or different. A path may be that of a folder, and
    /// then stands for all in it.
    pub paths: BTreeSet<String>,
    /// fleet.toml as it was; none when there was none.
    pub fleet_file: Option<String>,
}

impl Changes {
    /// Returns the hosts of a fleet that see something of the changes. None of a fleet that cannot be read is left out.
    pub fn hosts(&self, fleet: Option<&Fleet>) -> Scope {
        let Some(fleet) = fleet else { return Scope::All };
        let mut seen = Seen::default();
        for path in &self.paths {
            let mut segments = path.split('/');
            match (segments.next().unwrap_or_default(), segments.next()) {
                ("fleet.toml", _) => self.fleet_file(fleet, &mut seen),
                ("hosts", Some(host)) => {
                    seen.hosts.insert(host);
                }
                ("modules", Some(module)) => {
                    seen.modules.insert(module);
                }
                ("facts", Some(table)) => seen.all |= table.starts_with("options-"),
                ("" | "hosts" | "modules" | "templates" | "facts", _) => seen.all = true,
                _ => {}
            }
        }
        for (name, channel) in fleet.channels() {
            if files_of(&channel.value).any(|file| self.paths.iter().any(|path| lies_in(file, path))) {
                seen.channels.insert(name.clone());
            }
        }
        let deployer = fleet.file.deployer.as_ref();
        for (name, cluster) in fleet.file.clusters.iter() {
            let mut named = cluster.value.manifests.iter().map(|path| path.value.0.as_str());
            let meets = |path: &String, named: &str| lies_in(named, path) || lies_in(path, named);
            if named.any(|named| self.paths.iter().any(|path| meets(path, named))) {
                seen.clusters.insert(name.as_str());
            }
        }
        let files = self.paths.iter().map(String::as_str).collect();
        if seen.all || deployer.is_some_and(|deployer| seen.channels.contains(deployer.channel.as_str())) {
            return Scope::All;
        }
        let concerned = |host: &&Host| seen.concerns(fleet, host) || names_any(host, &files);
        let read = fleet.hosts.values().filter(concerned).map(|host| host.name.clone());
        let may_see = !seen.modules.is_empty() || !seen.channels.is_empty();
        let unread = fleet.unread.iter().filter(|name| may_see || seen.hosts.contains(name.as_str())).cloned();
        Scope::Hosts(read.chain(unread).collect())
    }

    /// Notes which parts of fleet.toml differ; where they stand does not matter.
    fn fleet_file<'a>(&self, fleet: &'a Fleet, seen: &mut Seen<'a>) {
        let mut sources = Sources::default();
        let old = self.fleet_file.as_ref().and_then(|text| {
            let mut found = Vec::new();
            let file = sources.add("fleet.toml", text.as_str());
            let tree = parse_toml(&sources, file, &mut found);
            found.is_empty().then_some(tree)
        });
        let Some(old) = old else {
            seen.all = true;
            return;
        };
        let without = |tree: &Node| {
            let mut tree = tree.clone();
            if let Kind::Table(table) = &mut tree.kind {
                // What is allowed here concerns no host, and of channels each host sees its own.
                table.shift_remove("allow");
                table.shift_remove("channels");
            }
            tree
        };
        seen.all |= !without(&fleet.tree).says_the_same(&without(&old));
        for name in fleet.channels().keys() {
            let route = ["channels", name.as_str()];
            let same = fleet.tree.at(&route).zip(old.at(&route)).is_some_and(|(new, old)| new.says_the_same(old));
            if !same {
                seen.channels.insert(name.clone());
            }
        }
        // A host that names a channel which is gone is among those that name a channel that is not there.
        seen.channel_gone = old
            .at(&["channels"])
            .and_then(Node::as_table)
            .is_some_and(|channels| channels.keys().any(|name| fleet.channel(name).is_none()));
    }
}

/// Returns the files of the fleet that a channel names.
fn files_of(channel: &Channel) -> impl Iterator<Item = &str> {
    let options = channel.options.iter().map(|options| options.value.as_str());
    channel.lock.iter().map(|lock| lock.value.path.as_str()).chain(options)
}

/// Tells whether a host carries a file of the fleet that is among those that changed.
fn names_any(host: &Host, changed: &BTreeSet<&str>) -> bool {
    let meets = |named: &str, path: &str| lies_in(named, path) || lies_in(path, named);
    named_files(&host.def).into_iter().any(|named| changed.iter().any(|path| meets(named, path)))
}

/// What changed, by what hosts see of it.
#[derive(Debug, Default)]
struct Seen<'a> {
    all: bool,
    hosts: BTreeSet<&'a str>,
    modules: BTreeSet<&'a str>,
    /// Clusters whose manifests changed.
    clusters: BTreeSet<&'a str>,
    channels: BTreeSet<String>,
    channel_gone: bool,
}

impl Seen<'_> {
    fn concerns(&self, fleet: &Fleet, host: &Host) -> bool {
        let has_module = |name: &str| self.modules.contains(name);
        let services = host.def.services.iter();
        let mut of_services = services.map(|(name, service)| {
            service.native().and_then(|native| native.module.as_ref()).map_or(name.as_str(), |module| module.as_str())
        });
        let comes_from = |name: &str| self.clusters.contains(name);
        let mut sources = host.def.services.iter().filter_map(|(_, service)| service.value.migrates_from.as_ref());
        self.hosts.contains(host.name.as_str())
            || sources.any(|from| comes_from(from.cluster.as_str()))
            || host.imports.iter().any(|name| has_module(name))
            || of_services.any(has_module)
            || channels_of(host)
                .any(|name| self.channels.contains(name) || self.channel_gone && fleet.channel(name).is_none())
            || (!self.hosts.is_empty() && self.is_at_other_end(fleet, host))
    }

    /// Tells whether a changed host is, or says it is, at the other end of a tunnel of this one.
    fn is_at_other_end(&self, fleet: &Fleet, host: &Host) -> bool {
        let interfaces = host.def.network.iter().flat_map(|network| network.interfaces.iter());
        let mut peers = interfaces.filter_map(|(_, interface)| interface.value.wireguard()).flat_map(|own| &own.peers);
        peers.any(|peer| match &peer.end {
            PeerEnd::Host { host, .. } => self.hosts.contains(host.as_str()),
            PeerEnd::Key(key) => self.hosts.iter().any(|name| {
                let other = fleet.hosts.get(*name).and_then(|other| other.def.network.as_ref());
                let mut interfaces = other.into_iter().flat_map(|network| network.interfaces.iter());
                interfaces.any(|(_, interface)| {
                    interface.value.wireguard().is_some_and(|wireguard| wireguard.public_key.value == key.value)
                })
            }),
        })
    }
}

/// Returns the names of the channels that a host names.
fn channels_of(host: &Host) -> impl Iterator<Item = &str> {
    let def = &host.def;
    let installer = def.installer.as_ref().and_then(|installer| installer.channel.as_ref());
    let rescue = def.machine.rescue.as_ref().and_then(|rescue| rescue.channel.as_ref());
    [Some(&def.channel), installer, rescue].into_iter().flatten().map(|name| name.as_str())
}
