//! Where public names point, as this machine's resolver says: what a migration has to move.

use std::collections::{BTreeMap, BTreeSet};
use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::way::tree;
use crate::source::Node;

/// How long all look-ups together may take: a machine without a network has no answers, and is no reason to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the addresses of the public names of a host of the fleet (`[network.names]`), sorted; none for a name that did not resolve,
/// which may not be there as well as not be known here. A host that cannot be read has no names: `check` tells what is wrong with it.
pub(super) fn of_host(folder: &Path, host: &str) -> BTreeMap<String, Vec<String>> {
    let path = folder.join("hosts").join(host).join("host.toml");
    let Ok(tree) = tree(&path) else { return BTreeMap::new() };
    let names = tree.at(&["network", "names"]).and_then(Node::as_table);
    resolve(names.into_iter().flatten().map(|(name, _)| name.clone()))
}

/// Looks names up, all at the same time.
#[expect(clippy::disallowed_methods, reason = "what does not answer is given up after a time")]
fn resolve(names: impl Iterator<Item = String>) -> BTreeMap<String, Vec<String>> {
    let (sender, receiver) = mpsc::channel();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in names {
        let sender = sender.clone();
        found.insert(name.clone(), Vec::new());
        std::thread::spawn(move || {
            let addresses = (name.as_str(), 0).to_socket_addrs().into_iter().flatten();
            let addresses: BTreeSet<_> = addresses.map(|address| address.ip()).collect();
            // Whoever waited no longer listens.
            let _ = sender.send((name, addresses));
        });
    }
    drop(sender);
    let end = Instant::now() + PATIENCE;
    while let Ok((name, addresses)) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        found.insert(name, addresses.iter().map(ToString::to_string).collect());
    }
    found
}
