//! What each kind of object becomes: one file a kind.
//!
//! A translator is a constant of type [`Translator`] with its line in [`ALL`]. It reads its object and those that it refers to, adds to
//! the definitions in [`Cx::host`] and settles the leaves that it understood. Leaves that no translator settles are settled by the
//! table of fields (`fields`). Order between kinds comes from [`Stage`] alone.

mod argo_application;
pub(in crate::kubernetes) mod chart;
mod deployment;
mod external_secret;
mod flux_kustomization;
mod helm_chart;
mod helm_release;
mod horizontal_pod_autoscaler;
pub mod pod;
mod postgres_cluster;

use super::context::Cx;
use super::object::Object;

/// When a kind is translated: what it refers to is there before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What other kinds are read by: charts that stand for workloads, sources of substitutions.
    Sources,
    /// What runs.
    Workloads,
    /// How it is reached: Services, then what leads to Services.
    Names,
    /// Routes that lead to Services.
    Routes,
    /// What it keeps: claims, volumes, ConfigMaps and Secrets, after all that uses them.
    Storage,
    /// What guards, scales and watches it.
    Guards,
}

/// Translates one kind.
#[derive(Debug)]
pub struct Translator {
    /// `kind`.
    pub kind: &'static str,
    /// API groups, old and new; the core group is empty.
    pub groups: &'static [&'static str],
    /// When.
    pub stage: Stage,
    /// Adds to the definitions and settles leaves.
    pub run: for<'w, 's> fn(&mut Cx<'w, 's>, &'w Object<'s>),
}

/// Every translator, sorted by stage and kind.
static ALL: &[&Translator] = &[
    &argo_application::APPLICATION,
    &deployment::DEPLOYMENT,
    &external_secret::EXTERNAL_SECRET,
    &external_secret::ONE_PASSWORD_ITEM,
    &external_secret::SEALED_SECRET,
    &flux_kustomization::KUSTOMIZATION,
    &helm_chart::HELM_CHART,
    &helm_release::HELM_RELEASE,
    &horizontal_pod_autoscaler::HORIZONTAL_POD_AUTOSCALER,
    &postgres_cluster::CLUSTER,
];

/// Translates all objects that no other object of the input made.
pub(super) fn run(cx: &mut Cx<'_, '_>) {
    let world = cx.world;
    let mut translators: Vec<&Translator> = ALL.to_vec();
    translators.sort_by_key(|translator| translator.stage);
    for translator in translators {
        for object in world.of_kind(translator.kind) {
            if translator.groups.contains(&object.group()) && !cx.is_attributed(object) {
                (translator.run)(cx, object);
            }
        }
    }
}
