//! What each kind of object becomes: one file a kind.
//!
//! A translator is a constant of type [`Translator`] with its line in [`ALL`]. It reads its object and those that it refers to, adds to
//! the definitions in [`Cx::host`] and settles the leaves that it understood. Leaves that no translator settles are settled by the
//! table of fields (`fields`). Order between kinds comes from [`Stage`] alone.

mod addresses;
mod annotations;
mod argo_application;
mod certificates;
pub(super) mod chart;
mod config_map;
mod cron_job;
mod daemon_set;
mod deployment;
mod endpoints;
mod external_secret;
mod flux_kustomization;
mod gateway;
mod helm_chart;
mod helm_release;
mod horizontal_pod_autoscaler;
mod http_route;
mod ingress;
mod job;
mod network_policy;
mod persistent_volume;
mod persistent_volume_claim;
pub mod pod;
mod pod_kind;
mod postgres_cluster;
mod replica_set;
mod replication_controller;
pub(super) mod secret;
pub mod service;
#[cfg(test)]
mod snapshots;
mod stateful_set;
mod storage_class;
mod traefik;
mod volume_snapshot;

use super::claims;
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
    &certificates::CERTIFICATE,
    &certificates::CLUSTER_ISSUER,
    &certificates::ISSUER,
    &config_map::CONFIG_MAP,
    &cron_job::CRON_JOB,
    &daemon_set::DAEMON_SET,
    &deployment::DEPLOYMENT,
    &endpoints::ENDPOINTS,
    &endpoints::ENDPOINT_SLICE,
    &external_secret::EXTERNAL_SECRET,
    &external_secret::ONE_PASSWORD_ITEM,
    &external_secret::SEALED_SECRET,
    &flux_kustomization::KUSTOMIZATION,
    &gateway::GATEWAY,
    &gateway::GATEWAY_CLASS,
    &gateway::INGRESS_CLASS,
    &gateway::REFERENCE_GRANT,
    &helm_chart::HELM_CHART,
    &helm_release::HELM_RELEASE,
    &horizontal_pod_autoscaler::HORIZONTAL_POD_AUTOSCALER,
    &http_route::GRPC_ROUTE,
    &http_route::HTTP_ROUTE,
    &http_route::TCP_ROUTE,
    &http_route::TLS_ROUTE,
    &http_route::UDP_ROUTE,
    &ingress::INGRESS,
    &job::JOB,
    &network_policy::CILIUM_CLUSTER_POLICY,
    &network_policy::CILIUM_POLICY,
    &network_policy::NETWORK_POLICY,
    &persistent_volume::PERSISTENT_VOLUME,
    &persistent_volume_claim::PERSISTENT_VOLUME_CLAIM,
    &pod_kind::POD,
    &postgres_cluster::CLUSTER,
    &replica_set::REPLICA_SET,
    &replication_controller::REPLICATION_CONTROLLER,
    &secret::SECRET,
    &service::SERVICE,
    &stateful_set::STATEFUL_SET,
    &storage_class::STORAGE_CLASS,
    &traefik::INGRESS_ROUTE,
    &traefik::INGRESS_ROUTE_TCP,
    &traefik::INGRESS_ROUTE_UDP,
    &traefik::MIDDLEWARE,
    &traefik::SERVERS_TRANSPORT,
    &traefik::TLS_OPTION,
    &volume_snapshot::VOLUME_SNAPSHOT,
    &volume_snapshot::VOLUME_SNAPSHOT_CLASS,
    &volume_snapshot::VOLUME_SNAPSHOT_CONTENT,
];

/// Translates all objects that no other object of the input made.
pub(super) fn run(cx: &mut Cx<'_, '_>) {
    claims::find(cx);
    run_from(cx, Stage::Sources);
}

/// Translates all objects whose stage is not before one.
pub(super) fn run_from(cx: &mut Cx<'_, '_>, stage: Stage) {
    let world = cx.world;
    let mut translators: Vec<&Translator> = ALL.iter().copied().chain(addresses::ALL).collect();
    translators.retain(|translator| translator.stage >= stage);
    translators.sort_by_key(|translator| translator.stage);
    for translator in translators {
        for object in world.of_kind(translator.kind) {
            if translator.groups.contains(&object.group()) && !cx.is_attributed(object) {
                (translator.run)(cx, object);
            }
        }
    }
    claims::finish(cx);
}
