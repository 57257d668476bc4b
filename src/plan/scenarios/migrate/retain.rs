//! No volume goes with its claim: the reclaim policy of each is `Retain` before anything is stopped.

use super::kubectl::{cluster_wide, within};
use super::record::{file, once, says};
use super::volume::ClusterRef;
use crate::fleet::cluster::Claim;
use crate::plan::PlanCx;
use crate::plan::gates::family;
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::text::ShellCommand;

/// A claim of a workload that moves, whatever becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Kept<'a> {
    pub(super) cluster: ClusterRef<'a>,
    pub(super) namespace: &'a str,
    pub(super) claim: &'a str,
    pub(super) facts: Option<&'a Claim>,
    /// `NAMESPACE-CLAIM`, unique within the plan.
    pub(super) id: String,
}

impl Kept<'_> {
    /// Returns the file with the name of the volume.
    pub(super) fn volume_file(&self, cx: &PlanCx<'_>) -> String {
        file(cx, &format!("volume-{}", self.id))
    }

    /// Returns the file with the policy that the volume had.
    pub(super) fn policy_file(&self, cx: &PlanCx<'_>) -> String {
        file(cx, &format!("policy-{}", self.id))
    }
}

/// Makes the step that keeps the volume of a claim.
pub(super) fn step(cx: &PlanCx<'_>, kept: &Kept<'_>) -> Step {
    let shown = format!("{}/{}", kept.namespace, kept.claim);
    let (name, policy) = (kept.volume_file(cx), kept.policy_file(cx));
    let of_claim = within(kept.cluster, kept.namespace).args([
        "get",
        &format!("persistentvolumeclaim/{}", kept.claim),
        "-o",
        "jsonpath={.spec.volumeName}",
    ]);
    let known = kept.facts.and_then(|facts| facts.lies.volume.as_deref());
    // The volume is what the claim names; where the manifests know it, it has to be that one.
    let volume = |command: ShellCommand| match known {
        Some(volume) => command.arg(format!("persistentvolume/{volume}")),
        None => command.arg("persistentvolume").raw("\"$(cat").arg(&name).raw(")\""),
    };
    let of_volume =
        volume(cluster_wide(kept.cluster).arg("get")).args(["-o", "jsonpath={.spec.persistentVolumeReclaimPolicy}"]);
    let patch = || volume(cluster_wide(kept.cluster).arg("patch")).arg("--type=merge");
    let retain = patch().arg(r#"--patch={"spec":{"persistentVolumeReclaimPolicy":"Retain"}}"#);
    let back =
        patch().raw(r#"--patch "{\"spec\":{\"persistentVolumeReclaimPolicy\":\"$(cat"#).arg(&policy).raw(r#")\"}}""#);
    let said = kept.facts.and_then(|facts| facts.reclaim.as_ref()).map(|reclaim| reclaim.policy.as_str());
    let why = match said {
        Some("Retain") => "The manifests say that it is kept already; this makes sure of it.".to_owned(),
        Some(policy) => format!("The manifests say `{policy}`: the data would go with the claim."),
        None => "The manifests do not say what becomes of the data when the claim goes.".to_owned(),
    };
    let step = Step::new(
        format!("{}{}", family::RETAIN, kept.id),
        StepKind::Command,
        RunsOn::Cluster,
        format!("Keep the volume of {shown} whatever becomes of its claim"),
    )
    .why(format!("{why} What the policy was is written down first, and the undo sets it back. No workload is touched."))
    .run(&once(&name, &of_claim));
    let step = match known {
        Some(volume) => step.before(&says(&of_claim, volume)),
        None => step,
    };
    step.run(&once(&policy, &of_volume))
        .run(&retain)
        .after(&says(&of_volume, "Retain"))
        .undo(&back)
        .takes(seconds::LOOK)
}
