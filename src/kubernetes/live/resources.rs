//! The kinds of objects that a cluster has, and which of them tell nothing that a host would need.

use std::collections::BTreeSet;

use super::unread::Unread;

/// A kind that is not asked for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// The kind, as `deployments.apps`.
    pub resource: String,
    /// Why its objects are of no use.
    pub reason: &'static str,
}

/// The kinds of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Those to be asked for, sorted.
    pub wanted: Vec<String>,
    /// Those that are left out, sorted.
    pub left_out: Vec<LeftOut>,
    /// What the list holds that is no name of a kind.
    pub unread: Vec<Unread>,
}

const MEASURED: &str = "what was measured at one moment";
const CATALOGUE: &str = "what could be installed, not what is";
const NETWORK: &str = "addresses that the network gave out: made again from pods and services";
const REPORTS: &str = "reports of a scanner, made again from what runs";
const CERTIFICATE_STEPS: &str = "steps on the way to a certificate: the Certificate says what is wanted";

/// Kinds that are left out, as `resource.group`.
const KINDS: &[(&str, &str)] = &[
    ("apiservices.apiregistration.k8s.io", "which server answers for a group of kinds"),
    ("certificaterequests.cert-manager.io", CERTIFICATE_STEPS),
    ("certificatesigningrequests.certificates.k8s.io", "requests of the cluster's own machines"),
    ("challenges.acme.cert-manager.io", CERTIFICATE_STEPS),
    ("ciliumendpoints.cilium.io", NETWORK),
    ("ciliumidentities.cilium.io", NETWORK),
    ("ciliumnodes.cilium.io", NETWORK),
    ("componentstatuses", "how the control plane was at one moment"),
    ("controllerrevisions.apps", "earlier states of workloads"),
    ("csinodes.storage.k8s.io", "which drivers run on which node"),
    ("csistoragecapacities.storage.k8s.io", MEASURED),
    ("customresourcedefinitions.apiextensions.k8s.io", "how kinds are built: their objects are read"),
    ("endpointslices.discovery.k8s.io", "made from Services and pods"),
    ("events", "what happened, and is forgotten after an hour"),
    ("events.events.k8s.io", "what happened, and is forgotten after an hour"),
    ("flowschemas.flowcontrol.apiserver.k8s.io", "how the API server shares its time"),
    ("ipaddresses.networking.k8s.io", NETWORK),
    ("leases.coordination.k8s.io", "who leads at the moment"),
    ("orders.acme.cert-manager.io", CERTIFICATE_STEPS),
    ("packagemanifests.packages.operators.coreos.com", CATALOGUE),
    ("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", "how the API server shares its time"),
    ("servicecidrs.networking.k8s.io", NETWORK),
    ("volumeattachments.storage.k8s.io", "which volume is at which node at the moment"),
];

/// Groups of kinds that are left out whole.
const GROUPS: &[(&str, &str)] = &[
    ("aquasecurity.github.io", REPORTS),
    ("crd.projectcalico.org", NETWORK),
    ("custom.metrics.k8s.io", MEASURED),
    ("external.metrics.k8s.io", MEASURED),
    ("metrics.k8s.io", MEASURED),
    ("reports.kyverno.io", REPORTS),
    ("wgpolicyk8s.io", REPORTS),
];

/// Where objects of the group `extensions` are too, in clusters that still have it.
const NEWER: &[&str] = &["apps", "networking.k8s.io", "policy"];

/// Returns what `kubectl api-resources --verbs=list -o name` lists, sorted, each kind once.
pub fn resources(listed: &str) -> Listed {
    let mut all = Listed::default();
    let lines = listed.lines().map(str::trim).filter(|line| !line.is_empty());
    let (names, strange): (BTreeSet<&str>, BTreeSet<&str>) = lines.partition(|line| is_resource(line));
    for _ in strange {
        // What it says is not repeated: it was never meant to be read.
        all.unread.push(Unread::of("api-resources", "the list of kinds holds a line that names none"));
    }
    for name in &names {
        match reason(name, &names) {
            Some(reason) => all.left_out.push(LeftOut { resource: (*name).to_owned(), reason }),
            None => all.wanted.push((*name).to_owned()),
        }
    }
    all
}

/// Tells whether a word names a kind, such as `deployments.apps`: it becomes an argument and the name of a file.
fn is_resource(word: &str) -> bool {
    crate::fleet::schema::migration::is_object_name(word)
}

fn reason(name: &str, all: &BTreeSet<&str>) -> Option<&'static str> {
    let (kind, group) = name.split_once('.').unwrap_or((name, ""));
    if let Some((_, reason)) = KINDS.iter().find(|(known, _)| *known == name) {
        return Some(reason);
    }
    if let Some((_, reason)) = GROUPS.iter().find(|(known, _)| *known == group) {
        return Some(reason);
    }
    let is_twice = group == "extensions" && NEWER.iter().any(|newer| all.contains(format!("{kind}.{newer}").as_str()));
    is_twice.then_some("the same objects as in the newer group")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_about_a_host_is_left_out_with_its_reason() {
        let listed = resources(
            "pods\nevents\nleases.coordination.k8s.io\ndeployments.apps\npods.metrics.k8s.io\ningresses.extensions\n\
             ingresses.networking.k8s.io\npods\n",
        );
        assert_eq!(listed.wanted, ["deployments.apps", "ingresses.networking.k8s.io", "pods"]);
        let left: Vec<&str> = listed.left_out.iter().map(|left| left.resource.as_str()).collect();
        assert_eq!(left, ["events", "ingresses.extensions", "leases.coordination.k8s.io", "pods.metrics.k8s.io"]);
        assert!(listed.unread.is_empty());
    }

    #[test]
    fn a_line_that_could_be_an_option_or_a_path_is_never_asked_for() {
        let listed = resources("--kubeconfig=/etc/passwd\n../x\npods;reboot\n$(id)\nPods\n");
        assert!(listed.wanted.is_empty(), "{listed:?}");
        assert_eq!(listed.unread.len(), 5);
    }

    #[test]
    fn old_groups_are_read_where_there_is_no_newer_one() {
        assert_eq!(resources("ingresses.extensions\n").wanted, ["ingresses.extensions"]);
    }
}
