//! Several hosts: what each has, which workload goes to which, and the definitions of each.
//!
//! All workloads are translated together, so that names stay unique and every leaf has one disposition; what differs from host to host
//! (ports, pools, modules) is asked by the service. Not here: which host a workload goes to (`placement`), and how services find each
//! other across hosts (`graph`).
//!
//! Invariant: what names another service of its own host in a definition names one that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::context::Cx;
use super::draft::{Draft, HostDraft, Protocol};
use super::object::ObjectId;
use super::placement::Placed;
use super::tree::Node;
use crate::units::{Release, lies_in};

/// Several hosts; empty where everything goes to one.
#[derive(Debug, Default)]
pub struct Spread {
    /// What the hosts have, by name.
    pub spots: BTreeMap<String, Spot>,
    /// The host of each workload that is in the definitions, by `migrates-from.workload`.
    pub stands: BTreeMap<String, String>,
    /// Where workloads go, by their ids; empty while only what they ask for is found out.
    pub placed: BTreeMap<String, Placed>,
}

/// What a host has.
#[derive(Debug, Default)]
pub struct Spot {
    /// The release it runs.
    pub release: Option<Release>,
    /// The dataset that claims go below: `rpool/safe`; none where the host has no pool.
    pub datasets: Option<String>,
    /// Its addresses; none where they are not known.
    pub addresses: Option<BTreeSet<IpAddr>>,
    /// Its ports, with the services that have them.
    pub ports: BTreeMap<(u16, Protocol), String>,
    /// Paths of its virtual hosts, as (name, path), with the services that answer there.
    pub vhosts: BTreeMap<(String, String), String>,
    /// Modules that services of it are of, with these services.
    pub natives: BTreeMap<String, String>,
    /// How others of the hosts reach it within networks of their own, by their names.
    pub ways: BTreeMap<String, Way>,
}

/// A way from one host to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The address of the host that is reached.
    pub address: IpAddr,
    /// Its interface.
    pub interface: String,
}

impl Spread {
    /// Tells whether there are several hosts.
    pub fn is_several(&self) -> bool {
        !self.spots.is_empty()
    }
}

/// Returns the host of each object that has one.
pub(super) fn hosts_of_objects<'w>(world: &super::world::World<'_>, spread: &'w Spread) -> BTreeMap<ObjectId, &'w str> {
    if spread.placed.is_empty() {
        return BTreeMap::new();
    }
    let host = |object: &super::object::Object<'_>| spread.placed.get(&object.identity())?.host.as_deref();
    world.objects().iter().filter_map(|object| Some((object.id, host(object)?))).collect()
}

impl<'w> Cx<'w, '_> {
    /// Returns the host that a service goes to; none where there is one host for everything, and where nobody knows.
    pub fn host_of(&self, service: &str) -> Option<&'w str> {
        let drafted = self.host.services.get(service).map(|draft| draft.object);
        self.hosts.get(&drafted.or_else(|| self.named.get(service).copied())?).copied()
    }

    /// Tells whether two services are on one host.
    pub fn is_beside(&self, one: &str, other: &str) -> bool {
        if !self.target.spread.is_several() || one == other {
            return true;
        }
        match (self.host_of(one), self.host_of(other)) {
            (Some(one), Some(other)) => one == other,
            // What has no host is beside nothing, except for the other containers of its pod.
            _ => {
                let object = |name: &str| self.host.services.get(name).map(|draft| draft.object);
                object(one).is_some() && object(one) == object(other)
            }
        }
    }

    /// Returns what the host of a service has; none where there is one host for everything.
    pub(super) fn spot(&self, service: &str) -> Option<&'w Spot> {
        self.target.spread.spots.get(self.host_of(service)?)
    }

    /// Returns the release that a service runs under, or the newest known one.
    pub fn release_of(&self, service: &str) -> Option<Release> {
        let own = self.spot(service).and_then(|spot| spot.release);
        own.or(self.target.release).or_else(|| self.target.facts.releases().newest())
    }

    /// Returns the dataset that the claims of a workload go below.
    pub(super) fn datasets_of(&self, user: Option<ObjectId>) -> Option<&'w str> {
        if !self.target.spread.is_several() {
            return self.target.datasets.as_deref();
        }
        let host = user.and_then(|user| self.hosts.get(&user).copied());
        self.target.spread.spots.get(host?)?.datasets.as_deref()
    }

    /// Returns what a host gets beyond its services: that of the host of a service where there are several.
    pub(super) fn of_host_of(&mut self, service: &str) -> &mut HostDraft {
        match self.host_of(service) {
            Some(host) => self.host.apart.entry(host.to_owned()).or_default(),
            None => &mut self.host,
        }
    }

    /// Opens a port for everybody on the host of a service.
    pub(super) fn open_port(&mut self, service: &str, port: u16, protocol: Protocol) {
        let open = &mut self.of_host_of(service).open;
        if !open.contains(&(port, protocol)) {
            open.push((port, protocol));
        }
    }

    /// Tells whether a port of the host of a service is open for everybody, beyond the ports of its services.
    pub(super) fn is_open(&self, service: &str, port: u16, protocol: Protocol) -> bool {
        let apart = self.host_of(service).and_then(|host| self.host.apart.get(host));
        self.host.open.contains(&(port, protocol)) || apart.is_some_and(|own| own.open.contains(&(port, protocol)))
    }

    /// Asks where workloads go that have no host, once for each node that several of them run on.
    pub(super) fn ask_places(&mut self) {
        let (world, spread) = (self.world, &self.target.spread);
        let mut asked: BTreeMap<(String, &str), Vec<&'w Node<'_>>> = BTreeMap::new();
        let lost = |object: &super::object::Object<'_>| spread.placed.get(&object.identity())?.ask.as_ref();
        for object in world.objects().iter().filter(|object| !object.is_patch) {
            let (Some(ask), false) = (lost(object), self.is_attributed(object)) else { continue };
            let id = match &ask.node {
                Some(node) => format!("default/Node/{node}#host"),
                None => format!("{}#host", object.identity()),
            };
            let node = object.tree().at(&["metadata", "name"]).unwrap_or(object.tree());
            asked.entry((id, &ask.text)).or_default().push(node);
        }
        for ((id, text), nodes) in asked {
            self.ask_as(id, &nodes, text.to_owned(), true);
        }
        for object in world.of_kind("DaemonSet") {
            let host = spread.placed.get(&object.identity()).and_then(|placed| placed.host.as_deref());
            let (Some(host), Some(node)) = (host, object.tree().at(&["metadata", "name"])) else { continue };
            if !self.is_attributed(object) {
                let text = format!(
                    "in the cluster one runs on every node that takes it, here on `{host}` alone: which other hosts need one, in their \
                     definitions?"
                );
                self.ask(object, node, "every-node", text, false);
            }
        }
    }
}

/// Returns the definitions of each host of several. `hosts` is the host of each service; what has none is in no definition.
pub fn split(draft: &HostDraft, hosts: &BTreeMap<String, String>, spread: &Spread) -> BTreeMap<String, HostDraft> {
    let mut all: BTreeMap<String, HostDraft> =
        spread.spots.keys().map(|name| (name.clone(), HostDraft::default())).collect();
    for (name, own) in &mut all {
        let is_here = |service: &str| hosts.get(service).is_some_and(|host| host == name);
        for (service, draft) in draft.services.iter().filter(|(service, _)| is_here(service)) {
            let mut draft = draft.clone();
            draft.after.retain(|other| is_here(other));
            draft.requires.retain(|other| is_here(other));
            own.services.insert(service.clone(), draft);
        }
        let folders: BTreeSet<String> = own.services.values().flat_map(paths).collect();
        let uses = |mount: &str| folders.iter().any(|folder| lies_in(folder, mount));
        let datasets = draft.datasets.iter().filter(|(_, dataset)| uses(&dataset.mount));
        own.datasets = datasets.map(|(name, dataset)| (name.clone(), dataset.clone())).collect();
        let mounted = draft.filesystems.iter().filter(|(mount, _)| uses(mount));
        own.filesystems = mounted.map(|(mount, filesystem)| (mount.clone(), filesystem.clone())).collect();
        let secrets: BTreeSet<&str> = own.services.values().flat_map(secrets).collect();
        let items = draft.secrets.iter().filter(|(name, _)| secrets.contains(name.as_str()));
        own.secrets = items.map(|(name, about)| (name.clone(), about.clone())).collect();
        let readers = draft.secret_readers.iter().filter(|(name, _)| secrets.contains(name.as_str()));
        own.secret_readers = readers.map(|(name, reader)| (name.clone(), reader.clone())).collect();
        if own.services.values().any(|draft| !draft.vhosts.is_empty()) {
            own.acme_email.clone_from(&draft.acme_email);
        }
        if !own.services.is_empty() {
            own.hosts.clone_from(&draft.hosts);
        }
        if let Some(apart) = draft.apart.get(name) {
            for (address, names) in &apart.hosts {
                own.hosts.entry(address.clone()).or_default().extend(names.iter().cloned());
            }
            own.open.clone_from(&apart.open);
            own.open_on.clone_from(&apart.open_on);
        }
    }
    // Names that lead to machines of no definition are one host's to serve: the first that serves others.
    let serves = |own: &HostDraft| own.services.values().any(|draft| !draft.vhosts.is_empty());
    let first =
        all.iter().find(|(_, own)| serves(own)).or_else(|| all.iter().find(|(_, own)| !own.services.is_empty()));
    if let Some(own) = first.map(|(name, _)| name.clone()).and_then(|name| all.get_mut(&name)) {
        own.nixos.clone_from(&draft.nixos);
        own.acme_email = own.acme_email.take().or_else(|| draft.acme_email.clone().filter(|_| !draft.nixos.is_empty()));
    }
    all
}

/// Returns the folders of the host that a service uses.
fn paths(draft: &Draft) -> Vec<String> {
    let volumes = draft.as_container().into_iter().flat_map(|container| &container.volumes);
    let moved = draft.migration.iter().flat_map(|migration| &migration.volumes);
    let state = draft.state.iter().map(|state| state.path.clone());
    volumes.map(|volume| volume.source.clone()).chain(moved.map(|moved| moved.to.clone())).chain(state).collect()
}

/// Returns the secrets that a service uses.
fn secrets(draft: &Draft) -> Vec<&str> {
    let own = draft.secrets.iter().map(|secret| secret.name.as_str());
    let login = draft.as_container().and_then(|container| container.registry_login.as_deref());
    let entering = draft.vhosts.iter().filter_map(|vhost| vhost.auth.as_deref());
    own.chain(login).chain(entering).collect()
}
