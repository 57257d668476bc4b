//! What each kind of object becomes: one file a kind.
//!
//! A translator is a constant of type [`Translator`] with its line in [`ALL`]. It reads its object and those that it refers to, adds to
//! the definitions in [`Cx::host`] and settles the leaves that it understood. Leaves that no translator settles are settled by the
//! table of fields (`fields`). Order between kinds comes from [`Stage`] alone.

mod addresses;
mod annotations;
mod certificates;
mod deployment;
mod endpoints;
mod gateway;
mod http_route;
mod ingress;
mod network_policy;
pub mod pod;
pub mod service;
mod traefik;

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
    &certificates::CERTIFICATE,
    &certificates::CLUSTER_ISSUER,
    &certificates::ISSUER,
    &deployment::DEPLOYMENT,
    &endpoints::ENDPOINTS,
    &endpoints::ENDPOINT_SLICE,
    &gateway::GATEWAY,
    &gateway::GATEWAY_CLASS,
    &gateway::INGRESS_CLASS,
    &gateway::REFERENCE_GRANT,
    &http_route::GRPC_ROUTE,
    &http_route::HTTP_ROUTE,
    &http_route::TCP_ROUTE,
    &http_route::TLS_ROUTE,
    &http_route::UDP_ROUTE,
    &ingress::INGRESS,
    &network_policy::CILIUM_CLUSTER_POLICY,
    &network_policy::CILIUM_POLICY,
    &network_policy::NETWORK_POLICY,
    &service::SERVICE,
    &traefik::INGRESS_ROUTE,
    &traefik::INGRESS_ROUTE_TCP,
    &traefik::INGRESS_ROUTE_UDP,
    &traefik::MIDDLEWARE,
    &traefik::SERVERS_TRANSPORT,
    &traefik::TLS_OPTION,
];

/// Translates all objects that no other object of the input made.
pub(super) fn run(cx: &mut Cx<'_, '_>) {
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
}
