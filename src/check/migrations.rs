//! Services that take the place of workloads, with what the manifests say of these.

use super::clusters::Clusters;
use super::rule::{FleetCx, HostCx};
use crate::fleet::cluster::{Claim, ClusterFacts, Fate, Workload};
use crate::fleet::schema::migration::{MigratesFrom, MovedClaim};
use crate::resolve::{ResolvedHost, ResolvedService};
use crate::source::{Place, printable};

/// What a rule needs that sees clusters, in words.
pub(super) const MANIFESTS: &str = "manifests of the cluster";

/// A service that takes the place of a workload whose manifest is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) host: &'a ResolvedHost<'a>,
    pub(super) service: &'a ResolvedService<'a>,
    pub(super) from: &'a MigratesFrom,
    pub(super) cluster: &'a ClusterFacts,
    pub(super) workload: &'a Workload,
}

impl<'a> Move<'a> {
    /// Returns the workload's identity: `apps/Deployment/gitea`.
    pub(super) fn identity(&self) -> String {
        self.from.workload.to_string()
    }

    /// Returns where host.toml names the workload.
    pub(super) fn place(&self) -> Place {
        self.from.workload.place
    }

    /// Returns a claim of the workload's namespace.
    pub(super) fn claim(&self, name: &str) -> Option<&'a Claim> {
        self.cluster.claims.get(&(self.workload.namespace.clone(), name.to_owned()))
    }

    /// Returns the claims that move, with what the manifests say of each.
    pub(super) fn moved(&self) -> impl Iterator<Item = (&'a MovedClaim, Option<&'a Claim>)> {
        let own = *self;
        self.from.volumes.iter().map(move |moved| (moved, own.claim(moved.claim.as_str())))
    }
}

/// Returns the services of a host that take the place of workloads whose manifests are known.
pub(super) fn of_host<'a>(host: &'a ResolvedHost<'a>, clusters: &'a Clusters) -> Vec<Move<'a>> {
    let mut all = Vec::new();
    for service in &host.services {
        let Some(from) = &service.def.migrates_from else { continue };
        let Some(cluster) = clusters.get(from.cluster.as_str()) else { continue };
        if let Some(workload) = cluster.workloads.get(&from.workload.to_string()) {
            all.push(Move { host, service, from, cluster, workload });
        }
    }
    all
}

/// The same of the host that a rule looks at.
pub(super) fn of<'a>(cx: &HostCx<'a>) -> Vec<Move<'a>> {
    of_host(cx.host, cx.clusters)
}

/// The same of every host of the fleet, whether it is looked at or not.
pub(super) fn of_fleet<'a>(cx: &FleetCx<'a>) -> Vec<Move<'a>> {
    cx.fleet.hosts.iter().flat_map(|host| of_host(host, cx.clusters)).collect()
}

/// Tells whether a service of the fleet takes the place of another workload of the same cluster.
pub(super) fn takes_over(moves: &[Move<'_>], one: &Move<'_>, other: &str) -> bool {
    let same = |known: &Move<'_>| known.from.cluster.as_str() == one.from.cluster.as_str();
    moves.iter().any(|known| same(known) && known.identity() == other)
}

/// Returns the service of a host that a field of a manifest went to, and the key there.
pub(super) fn gone_to<'a>(host: &'a ResolvedHost<'a>, fate: &'a Fate) -> Option<(&'a ResolvedService<'a>, &'a str)> {
    let (name, key) = fate.to.as_deref()?.strip_prefix("services.")?.split_once('.')?;
    host.services.iter().find(|service| service.name == name).map(|service| (service, key))
}

/// Writes a name from a manifest as messages have it.
pub(super) fn shown(name: &str) -> String {
    format!("`{}`", printable(name))
}

#[cfg(test)]
mod tests {
    use crate::check::sample::{reported, said_of};

    const EXEC: &str = "kind = 'command'\nexec = ['/run/current-system/sw/bin/x']\n";

    /// A service that takes the place of a workload, with further keys of `migrates-from`.
    fn from(name: &str, workload: &str, more: &str) -> String {
        format!(
            "[services.{name}]\n{EXEC}[services.{name}.migrates-from]\ncluster = 'home'\nworkload = '{workload}'\n{more}\n"
        )
    }

    /// A Deployment with further keys of its pod, in one line each.
    fn deployment(name: &str, pod: &str) -> String {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name}, namespace: apps }}\nspec:\n  template:\n    spec:\n      {pod}\n"
        )
    }

    fn with_claim(name: &str, claim: &str, more: &str) -> String {
        deployment(
            name,
            &format!(
                "{{ containers: [{{ name: x, image: x, volumeMounts: [{{ name: d, mountPath: /d{more} }}] }}], volumes: [{{ name: d, persistentVolumeClaim: {{ claimName: {claim} }} }}] }}"
            ),
        )
    }

    fn said(rule: &str, host: &str, yaml: &str) -> Vec<String> {
        said_of(rule, &[("hosts/a/host.toml", host.to_owned()), ("k8s/all.yaml", yaml.to_owned())])
    }

    #[test]
    fn each_replica_of_a_set_has_claims_that_somebody_has_to_speak_of() {
        let yaml = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: db, namespace: apps }\nspec:\n  replicas: 2\n  volumeClaimTemplates: [{ metadata: { name: data } }]\n  template: { spec: { containers: [{ name: x, image: x }] } }\n";
        let moved = "volumes = [{ claim = 'data-db-0', to = '/srv/db' }]";
        assert_eq!(
            said("claim-unaccounted", &from("db", "apps/StatefulSet/db", moved), yaml),
            ["error: `data-db-1` of `apps/StatefulSet/db` is neither moved nor left behind"]
        );
        let both = format!("{moved}\nleave = [{{ claim = 'data-db-1', reason = 'a copy' }}]");
        assert!(said("claim-unaccounted", &from("db", "apps/StatefulSet/db", &both), yaml).is_empty());
    }

    #[test]
    fn what_is_not_among_the_manifests_is_not_checked() {
        let host = from("web", "apps/Deployment/wbe", "");
        assert_eq!(
            said("claim-unaccounted", &host, &deployment("web", "{ containers: [{ name: x, image: x }] }")),
            [
                "unchecked: the claims of `apps/Deployment/wbe`: it is not among the manifests of `home`; nearest: `apps/Deployment/web`"
            ]
        );
        let none = said_of("claim-unaccounted", &[("hosts/a/host.toml", host.as_str())]);
        assert_eq!(
            none,
            ["unchecked: the claims of `apps/Deployment/wbe`: there are no manifests of the cluster `home`"]
        );
        let broken = format!("{}---\na: [1\n", deployment("wbe", "{ containers: [{ name: x, image: x }] }"));
        let found = said("claim-unaccounted", &host, &broken);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("unchecked: what cannot be read among the manifests of `home`: k8s/all.yaml:"));
    }

    #[test]
    fn a_volume_decides_for_itself_and_a_class_for_volumes_that_are_not_there() {
        let rule = "reclaim-policy-destroys-data";
        let host = from("web", "apps/Deployment/web", "volumes = [{ claim = 'd', to = '/srv/d' }]");
        let claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: d, namespace: apps }\nspec: { storageClassName: fast }\n";
        let class = |more: &str| {
            format!(
                "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{ name: fast }}\nprovisioner: x\n{more}"
            )
        };
        let volume = |more: &str| {
            format!(
                "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {{ name: v }}\nspec: {{ claimRef: {{ namespace: apps, name: d }}{more} }}\n"
            )
        };
        let of = |more: String| said(rule, &host, &format!("{}{claim}{more}", with_claim("web", "d", "")));
        let lost = |policy: &str| vec![format!("error: `d` loses its data with its claim: `{policy}`")];
        assert_eq!(of(class("")), lost("Delete"));
        assert!(of(class("reclaimPolicy: Retain\n")).is_empty());
        assert_eq!(of(volume(", persistentVolumeReclaimPolicy: Recycle")), lost("Recycle"));
        assert!(of(volume("") + &class("")).is_empty());
        let parts = "volumes = [{ claim = 'd', sub-path = 'a', to = '/srv/a' }, { claim = 'd', sub-path = 'b', to = '/srv/b' }]";
        let parted = from("web", "apps/Deployment/web", parts);
        assert_eq!(said(rule, &parted, &format!("{}{claim}{}", with_claim("web", "d", ""), class(""))), lost("Delete"));
        let copies = "volumes = [{ claim = 'd', to = '/srv/d', via = 'backup', backups = [{ at = 'nas:/d', taken = 2026-11-01 }] }]";
        let gone = from("web", "apps/Deployment/web", copies);
        assert!(said(rule, &gone, &format!("{}{claim}{}", with_claim("web", "d", ""), class(""))).is_empty());
        let unknown = of(String::new());
        assert!(unknown.len() == 1 && unknown[0].starts_with("unchecked: "), "{unknown:?}");
    }

    #[test]
    fn who_stays_and_writes_is_an_error_and_who_only_reads_is_not() {
        let host = from("web", "apps/Deployment/web", "volumes = [{ claim = 'd', to = '/srv/d' }]");
        let yaml = |more: &str| with_claim("web", "d", "") + &with_claim("other", "d", more);
        assert_eq!(
            said("single-writer", &host, &yaml("")),
            ["error: `d` moves, and `apps/Deployment/other` stays and writes it"]
        );
        assert!(said("single-writer", &host, &yaml(", readOnly: true")).is_empty());
        let both = host.clone() + &from("other", "apps/Deployment/other", "volumes = [{ claim = 'd', to = '/srv/e' }]");
        assert_eq!(said("single-writer", &both, &yaml("")), ["error: `d` moves twice"]);
        let folders = |other: &str| {
            let volumes = format!(
                "volumes = [{{ claim = 'd', sub-path = 'git', to = '/srv/git' }}, {{ claim = 'd', sub-path = '{other}', to = '/srv/e' }}]"
            );
            said("single-writer", &from("web", "apps/Deployment/web", &volumes), &with_claim("web", "d", ""))
        };
        assert!(folders("data").is_empty());
        assert_eq!(folders("git"), ["error: `d` moves twice"]);
    }

    #[test]
    fn what_heals_itself_restores_and_an_autoscaler_does_not() {
        let host = from("web", "apps/Deployment/web", "");
        let app = |policy: &str| {
            format!(
                "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{ name: home, namespace: argocd }}\nspec: {{ source: {{ path: k8s }}, syncPolicy: {{ {policy} }} }}\n"
            )
        };
        let scaler = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: a, namespace: apps }\nspec: { maxReplicas: 4, scaleTargetRef: { kind: Deployment, name: web } }\n";
        let web = deployment("web", "{ containers: [{ name: x, image: x }] }");
        let of = |more: String| said("gitops-will-restore", &host, &(web.clone() + &more));
        assert_eq!(
            of(app("automated: { selfHeal: true }")),
            ["error: the Application of Argo CD `argocd/Application/home` would bring `apps/Deployment/web` back"]
        );
        assert!(of(app("automated: {}")).is_empty());
        assert!(of(scaler.to_owned()).is_empty());
        assert_eq!(
            said("replicas-collapsed", &host, &(web + scaler)),
            ["warning: `apps/Deployment/web` runs up to 4 times, and `web` once"]
        );
    }

    #[test]
    fn who_a_moved_workload_speaks_with_has_to_move_too() {
        let web =
            deployment("web", "{ containers: [{ name: x, image: x, env: [{ name: DB_HOST, value: 'db:5432' }] }] }");
        let db = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: db, namespace: apps }\nspec: { template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: x, image: x, ports: [{ containerPort: 5432 }] }] } } }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: db, namespace: apps }\nspec: { selector: { app: db }, ports: [{ port: 5432 }] }\n";
        let yaml = web + db;
        let host = from("web", "apps/Deployment/web", "");
        assert_eq!(
            said("dependency-missing", &host, &yaml),
            ["error: `web` speaks with `apps/Deployment/db`, which nothing takes the place of"]
        );
        assert!(said("dependency-missing", &(host + &from("db", "apps/Deployment/db", "")), &yaml).is_empty());
    }

    #[test]
    fn a_name_in_braces_counts_where_a_value_is_wanted_and_not_in_a_script() {
        let host = from("web", "apps/Deployment/web", "");
        let of = |container: &str| {
            said(
                "template-not-rendered",
                &host,
                &deployment("web", &format!("{{ containers: [{{ name: x, {container} }}] }}")),
            )
        };
        assert_eq!(
            of("image: 'a/b:${TAG}'"),
            ["error: `spec.template.spec.containers[0].image` of `apps/Deployment/web` is still to be filled in"]
        );
        assert!(of("image: a/b, command: [sh, -c, 'echo ${HOME}']").is_empty());
    }

    #[test]
    fn lines_of_manifests_that_may_hold_a_secret_are_marked() {
        let yaml =
            deployment("web", "{ containers: [{ name: x, image: x, env: [{ name: API_TOKEN, value: hunter2 }] }] }")
                .replace("  template", "  replicas: 2\n  template");
        let lines =
            reported(&[("hosts/a/host.toml", &from("web", "apps/Deployment/web", "")), ("k8s/all.yaml", &yaml)], &[]);
        assert!(lines.iter().any(|line| line.contains("replicas-collapsed")), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("hunter2")), "{lines:#?}");
    }

    #[test]
    fn the_owner_of_the_files_is_that_of_the_manifest_unless_the_definition_says_otherwise() {
        let host = |owner: &str| {
            format!(
                "[services.jellyfin]\nkind = 'native'\n[services.jellyfin.migrates-from]\ncluster = 'home'\nworkload = 'apps/Deployment/web'\nvolumes = [{{ claim = 'd', to = '/var/lib/jellyfin'{owner} }}]\n"
            )
        };
        let yaml = |uid: u32| {
            with_claim("web", "d", "")
                .replace("{ containers", &format!("{{ securityContext: {{ runAsUser: {uid} }}, containers"))
        };
        let of = |owner: &str, uid: u32| said("owner-mismatch", &host(owner), &yaml(uid));
        assert_eq!(
            of("", 1000),
            ["error: the data of `d` belongs in the cluster to `1000`, and `jellyfin` runs as `jellyfin`"]
        );
        assert!(of(", owner = 'jellyfin'", 1000).is_empty());
        assert_eq!(of(", owner = 'media'", 1000).len(), 1);
        let near = of("", 900);
        assert!(near.len() == 1 && near[0].starts_with("unchecked: "), "{near:?}");
        assert!(of(", dump = 'redis'", 1000).is_empty());
    }
}
