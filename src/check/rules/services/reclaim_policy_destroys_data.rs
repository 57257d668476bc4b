//! Volumes that are deleted with their claims.

use std::collections::BTreeSet;

use crate::check::migrations::{self, MANIFESTS};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::migration::ReadVia;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "reclaim-policy-destroys-data",
    group: Group::Services,
    level: Level::Error,
    allowable: false,
    needs: &[MANIFESTS, "the volume or its storage class among them"],
    summary: "a volume whose data is to move is deleted with its claim",
    doc: include_str!("reclaim_policy_destroys_data.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        let mut said: BTreeSet<&str> = BTreeSet::new();
        // What comes from copies lies on a volume that is gone.
        for (moved, claim) in one.moved().filter(|(moved, _)| moved.via.value != ReadVia::Backup) {
            let (name, namespace) = (moved.claim.as_str(), one.workload.namespace.as_str());
            // A claim of which parts move is named for each.
            if !said.insert(name) {
                continue;
            }
            let Some(claim) = claim else { continue };
            let Some(reclaim) = &claim.reclaim else {
                found.unchecked(format!(
                    "what becomes of the data of `{namespace}/{name}` when the claim goes: neither its volume nor its storage class is \
                     among the manifests (`kubectl get pv,storageclass -o yaml`)"
                ));
                continue;
            };
            if !matches!(reclaim.policy.as_str(), "Delete" | "Recycle") {
                continue;
            }
            let label = match &reclaim.volume {
                Some(_) => "the volume that holds the data",
                None => "the class that made the volume, which is not among the manifests itself",
            };
            let volume = match reclaim.volume.as_deref().filter(|volume| is_tame(volume)) {
                Some(volume) => volume.to_owned(),
                None => format!("\"$(kubectl get pvc {name} -n {namespace} -o jsonpath='{{.spec.volumeName}}')\""),
            };
            let patch = r#"'{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'"#;
            found.report(
                Finding::at(reclaim.place, format!("`{name}` loses its data with its claim: `{}`", reclaim.policy))
                    .label(label)
                    .related(moved.claim.place, "the data that is to move")
                    .about(format!("{namespace}/{name}"))
                    .why("whoever deletes the claim, its namespace or what made it deletes the only copy, perhaps before the move is done")
                    .help(format!(
                        "`kubectl patch pv {volume} -p {patch}`, then put the volume among the manifests as it is now: \
                         `kubectl get pv {volume} -o yaml`"
                    )),
            );
        }
    }
}

/// Tells whether a name can stand in a command.
fn is_tame(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}
