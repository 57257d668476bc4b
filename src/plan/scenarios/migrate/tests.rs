//! A thousand fleets and clusters that nobody thought of: whatever they hold, the steps come in an order that loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::facts::Facts;
use crate::fleet::cluster::{Claim, ClaimUse, ClusterFacts, Lies, Reclaim, Restorer, RestorerKind, Talk, Workload};
use crate::plan::{Plan, RunsOn, Scenario, Step, StepKind, make};
use crate::source::{FleetFiles, Place, Sources, Spanned};

/// A host with room, to which services are added.
const HOST: &str = include_str!("../../../../tests/fleets/migrated/hosts/lufta/host.toml");

const FLEET: &str = "[fleet]\nname = 'x'\n[channels.stable]\nrelease = '26.05'\n[deployer]\nname = 'd'\nchannel = 'stable'\n\
                     [clusters.home]\ncontext = 'home'\n[clusters.attic]\n[defaults]\nchannel = 'stable'\n";

/// Words that would do harm on a command line.
const HOSTILE: &[&str] = &[
    "plain",
    "-f",
    "a'b",
    "$(touch pwned)",
    "`touch pwned`",
    "a\nb; touch pwned",
    "a\"b",
    "x/y",
    "",
    "*",
    "é ü",
    "}} {{",
];

const KINDS: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "CronJob",
    "Job",
    "Pod",
    "Widget",
];

const RESTORERS: &[RestorerKind] = &[
    RestorerKind::ArgoApplicationSet,
    RestorerKind::ArgoApplication,
    RestorerKind::FluxKustomization,
    RestorerKind::FluxHelmRelease,
    RestorerKind::Fleet,
    RestorerKind::K3sAddon,
    RestorerKind::AddonManager,
    RestorerKind::Helm,
    RestorerKind::Operator,
    RestorerKind::HorizontalPodAutoscaler,
    RestorerKind::Keda,
    RestorerKind::Outside,
];

#[derive(Debug, Clone)]
struct AnyVolume {
    claim: &'static str,
    to: u8,
    dump: bool,
    used: Option<u16>,
}

#[derive(Debug, Clone)]
struct AnyService {
    name: &'static str,
    is_container: bool,
    cluster: &'static str,
    namespace: &'static str,
    kind: &'static str,
    workload: &'static str,
    volumes: Vec<AnyVolume>,
    left: Option<&'static str>,
    after: Vec<Index>,
    requires: Vec<Index>,
    soak: u16,
    vhost: bool,
    public: bool,
    /// What the manifests say beyond: claims, whom it speaks with.
    more_claims: Vec<&'static str>,
    talks: Vec<Index>,
    is_known: bool,
}

#[derive(Debug, Clone)]
struct AnyRestorer {
    kind: RestorerKind,
    namespace: &'static str,
    object: &'static str,
    name: &'static str,
    interval: Option<u16>,
    under: Vec<Index>,
    restores: Vec<Index>,
}

#[derive(Debug, Clone)]
struct Any {
    services: Vec<AnyService>,
    restorers: Vec<AnyRestorer>,
    has_manifests: bool,
    unread: bool,
    existing: bool,
    rate: bool,
}

fn volume() -> impl Strategy<Value = AnyVolume> {
    let claim = select(&["data", "b-data", "c", "data-x-0"][..]);
    (claim, 0u8..3, any::<bool>(), option::of(1u16..2000)).prop_map(|(claim, to, dump, used)| AnyVolume {
        claim,
        to,
        dump,
        used,
    })
}

fn service() -> impl Strategy<Value = AnyService> {
    let identity = (
        select(&["home", "attic"][..]),
        select(&["a", "a-b", "default"][..]),
        select(KINDS),
        select(&["x", "b-x", "y"][..]),
    );
    let data = (vec(volume(), 0..3), option::of(select(&["left", "c"][..])), 0u16..60);
    let order = (vec(any::<Index>(), 0..3), vec(any::<Index>(), 0..2), vec(any::<Index>(), 0..3));
    let rest = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        vec(select(&["data", "forgotten", "c"][..]), 0..3),
    );
    (identity, data, order, rest).prop_map(
        |(
            (cluster, namespace, kind, workload),
            (volumes, left, soak),
            (after, requires, talks),
            (is_container, vhost, public, is_known, more_claims),
        )| {
            AnyService {
                name: "",
                is_container,
                cluster,
                namespace,
                kind,
                workload,
                volumes,
                left,
                after,
                requires,
                soak,
                vhost,
                public,
                more_claims,
                talks,
                is_known,
            }
        },
    )
}

fn restorer() -> impl Strategy<Value = AnyRestorer> {
    let kind = select(&["Kustomization", "Application", "Cluster", "postgresql", "Prometheus", "Thing", ""][..]);
    (
        select(RESTORERS),
        select(HOSTILE),
        kind,
        select(HOSTILE),
        option::of(1u16..8000),
        vec(any::<Index>(), 0..3),
        vec(any::<Index>(), 0..4),
    )
        .prop_map(|(kind, namespace, object, name, interval, under, restores)| AnyRestorer {
            kind,
            namespace,
            object,
            name,
            interval,
            under,
            restores,
        })
}

fn anything() -> impl Strategy<Value = Any> {
    // Names that are beginnings of ids of their own.
    const NAMES: &[&str] = &["installer", "disks", "console", "data", "web", "copy", "traffic-x"];
    (vec(service(), 1..7), vec(restorer(), 0..8), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(mut services, restorers, has_manifests, unread, existing, rate)| {
            for (service, name) in services.iter_mut().zip(NAMES) {
                service.name = name;
            }
            Any { services, restorers, has_manifests, unread, existing, rate }
        },
    )
}

impl AnyService {
    fn identity(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.kind, self.workload)
    }

    fn toml(&self, all: &[Self]) -> String {
        let mut text = format!("\n[services.{}]\n", self.name);
        let _ = if self.is_container {
            writeln!(
                text,
                "kind = 'container'\nimage = 'docker.io/x/y:1'\nuser = '1000:1000'\nports = [{{ port = 8080, name = 'http', public = {} }}]",
                self.public
            )
        } else {
            writeln!(text, "kind = 'command'\nexec = ['/run/current-system/sw/bin/x']")
        };
        let names = |indices: &[Index]| -> String {
            let names: BTreeSet<&str> =
                indices.iter().map(|index| index.get(all).name).filter(|name| *name != self.name).collect();
            names.into_iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
        };
        let _ = writeln!(text, "after = [{}]\nrequires = [{}]", names(&self.after), names(&self.requires));
        if self.vhost && self.is_container {
            let _ = writeln!(text, "vhost = {{ name = '{}.example.org' }}", self.name);
        }
        let mut seen = BTreeSet::new();
        let volumes = self.volumes.iter().filter(|volume| seen.insert((volume.claim, volume.to))).map(|volume| {
            let used = volume.used.map_or_else(String::new, |used| format!(", used = '{used}GiB'"));
            let dump = if volume.dump { ", dump = 'redis'" } else { "" };
            format!("{{ claim = '{}', to = '/var/lib/d{}'{used}{dump} }}", volume.claim, volume.to)
        });
        let volumes: Vec<String> = volumes.collect();
        let left = self.left.map_or_else(String::new, |left| format!("{{ claim = '{left}', reason = 'not needed' }}"));
        let _ = writeln!(
            text,
            "[services.{}.migrates-from]\ncluster = '{}'\nworkload = '{}'\nvolumes = [{}]\nleave = [{left}]\nsoak = '{}d'",
            self.name,
            self.cluster,
            self.identity(),
            volumes.join(", "),
            self.soak
        );
        text
    }
}

impl Any {
    fn facts(&self) -> BTreeMap<String, ClusterFacts> {
        let mut sources = Sources::default();
        let file = sources.add("k8s.yaml", "x");
        let place: Place = sources.start(file);
        let mut facts = ClusterFacts::default();
        let own: Vec<&AnyService> = self.services.iter().filter(|service| service.cluster == "home").collect();
        for service in own.iter().filter(|service| service.is_known) {
            // Several services may come from one workload.
            let same = own.iter().filter(|other| other.is_known && other.identity() == service.identity());
            let names: BTreeSet<&str> = same
                .flat_map(|other| {
                    other.more_claims.iter().copied().chain(other.volumes.iter().map(|volume| volume.claim))
                })
                .collect();
            let claims = names.iter().map(|name| ClaimUse {
                name: (*name).to_owned(),
                place,
                read_only: false,
                is_template: service.kind == "StatefulSet",
            });
            let talks = service.talks.iter().map(|index| Talk {
                to: index.get(&self.services).identity(),
                key: "environment.X".to_owned(),
                at: "k8s.yaml:1".to_owned(),
            });
            facts.workloads.insert(
                service.identity(),
                Workload {
                    namespace: service.namespace.to_owned(),
                    place,
                    replicas: Some(Spanned::new(2, place)),
                    scaler: None,
                    claims: claims.collect(),
                    host_paths: Vec::new(),
                    image: Some(Spanned::new("x/y:$(touch pwned)".to_owned(), place)),
                    module: None,
                    probes: Vec::new(),
                    limits: Vec::new(),
                    unfilled: Vec::new(),
                    talks: talks.collect(),
                },
            );
            for name in names {
                let claim =
                    facts.claims.entry((service.namespace.to_owned(), name.to_owned())).or_insert_with(|| Claim {
                        place,
                        access: vec!["ReadWriteOnce".to_owned()],
                        requested: Some(1 << 30),
                        owner: None,
                        reclaim: Some(Reclaim { policy: "Delete".to_owned(), place, volume: None }),
                        lies: Lies { volume: service.public.then(|| format!("-{name};x")), ..Lies::default() },
                        workloads: Vec::new(),
                    });
                claim.workloads.push(service.identity());
            }
        }
        let by = |restorer: &AnyRestorer| format!("{}/{}/{}", restorer.namespace, restorer.object, restorer.name);
        let mut seen = BTreeSet::new();
        for restorer in self.restorers.iter().filter(|restorer| seen.insert((restorer.kind, by(restorer)))) {
            let restores =
                restorer.restores.iter().map(|index| (index.get(&self.services).identity(), "a label".to_owned()));
            facts.restorers.push(Restorer {
                kind: restorer.kind,
                what: "the restorer",
                group: None,
                interval: restorer.interval.map(u64::from),
                by: by(restorer),
                place: None,
                by_itself: true,
                behaviour: "it brings back what is gone",
                suspend: "tell it to stop".to_owned(),
                under: restorer.under.iter().map(|index| by(index.get(&self.restorers))).collect(),
                restores: restores.collect(),
            });
        }
        if self.unread {
            facts.unread.push("secret.yaml:1: cannot be read".to_owned());
        }
        if self.has_manifests { BTreeMap::from([("home".to_owned(), facts)]) } else { BTreeMap::new() }
    }

    fn plan(&self) -> Plan {
        let mut host = HOST.to_owned();
        for service in &self.services {
            host.push_str(&service.toml(&self.services));
        }
        if self.existing {
            host = host.replace("method = \"kexec\"", "method = \"existing\"");
        }
        if self.rate {
            host = host.replace("[deploy]\n", "[deploy]\ncopy-rate = \"100MB\"\n");
        }
        let texts = [("fleet.toml".to_owned(), FLEET.to_owned()), ("hosts/h/host.toml".to_owned(), host)];
        let mut files = FleetFiles::in_memory(texts);
        let facts = &*FACTS;
        let reading = crate::fleet::read(&mut files, &[], &|_| false);
        let fleet = reading.fleet.expect("fleet.toml reads");
        let mut found = reading.found;
        let resolved = crate::resolve::resolve(&fleet, facts, &files.sources, &mut found);
        assert!(found.is_empty(), "{found:#?}");
        make(&resolved, &resolved.hosts[0], Some(Scenario::Migrate), &[], "0.1.0", facts, &self.facts())
            .expect("a plan")
    }
}

/// The place of a step in its plan; none of what is not there.
fn at(plan: &Plan, id: &str) -> Option<usize> {
    plan.number(id)
}

fn of<'p>(plan: &'p Plan, beginning: &str) -> Vec<&'p Step> {
    // Ids that begin alike and mean something else.
    let is_other =
        |id: &str| ["start-installer", "watch-console"].contains(&id) || id.starts_with("decommission-claim-");
    let fits = |step: &&Step| {
        step.id().starts_with(beginning) && (beginning.starts_with("decommission-claim") || !is_other(step.id()))
    };
    plan.steps().iter().filter(fits).collect()
}

fn all_before(plan: &Plan, earlier: &[&Step], later: &[&Step]) -> Result<(), TestCaseError> {
    for one in earlier {
        for other in later {
            let (first, second) = (at(plan, one.id()), at(plan, other.id()));
            prop_assert!(first < second, "{} comes after {}", one.id(), other.id());
        }
    }
    Ok(())
}

/// Everything that the issue of a move promises of its order, told by the places of steps alone and not by the gates.
fn keeps_its_promises(fleet: &Any, plan: &Plan) -> Result<(), TestCaseError> {
    let test = plan.step("reboot-test").expect("a reboot test");
    let again = plan.step("reboot-test-after-data").expect("a second one");
    let (soak, confirm) =
        (plan.step("soak").expect("a soak"), plan.step("confirm-decommission").expect("a confirmation"));
    let stops = of(plan, "stop-");
    let copies: Vec<&Step> =
        ["first-copy-", "final-copy-", "final-dump-"].iter().flat_map(|family| of(plan, family)).collect();
    let destroys: Vec<&Step> = plan
        .steps()
        .iter()
        .filter(|step| step.destroyed().iter().any(|what| what.starts_with("claim:") || what.starts_with("workload:")))
        .collect();
    // Retain before any scale-down; suspend before stop; no data before a passed reboot test.
    all_before(plan, &of(plan, "retain-"), &stops)?;
    all_before(plan, &of(plan, "retain-"), &copies)?;
    all_before(plan, &of(plan, "suspend-"), &stops)?;
    all_before(plan, &of(plan, "find-restorers-"), &stops)?;
    all_before(plan, &[test], &copies)?;
    all_before(plan, &[test], &stops)?;
    // Nothing is destroyed without a verified copy, a second reboot test and a finished soak.
    all_before(plan, &of(plan, "verify-"), &destroys)?;
    all_before(plan, &[again, soak, confirm], &destroys)?;
    all_before(plan, &[again], &[soak])?;
    all_before(plan, &of(plan, "verify-"), &[again])?;
    all_before(plan, &of(plan, "start-"), &[again])?;
    all_before(plan, &of(plan, "account-"), &destroys)?;
    all_before(plan, &of(plan, "backup-drill-"), &destroys)?;
    // Before anything is deleted it is looked at again: which cluster that is, and whether somebody has written to what goes.
    for step in &destroys {
        let looks = |word: &str| step.checks_before().iter().any(|line| line.contains(word));
        prop_assert!(looks("same-cluster.sh"), "{} does not look which cluster it is", step.id());
        let is_quiet = looks("stopped.sh look") || step.id().starts_with("decommission-claim-");
        prop_assert!(is_quiet, "{} does not look who came back", step.id());
    }
    for step in plan.steps().iter().filter(|step| step.runs_on() == RunsOn::Cluster && step.kind() != StepKind::Verify)
    {
        let looks = step.checks_before().first().is_some_and(|line| line.contains("same-cluster.sh"));
        prop_assert!(looks, "{} does not look first which cluster it is", step.id());
    }
    // Every stopped thing has an undo.
    for step in stops.iter().chain(&of(plan, "retain-")).chain(&of(plan, "suspend-")) {
        prop_assert!(step.kind() == StepKind::Verify || !step.way_back().is_empty(), "{} has no undo", step.id());
    }
    // A claim is destroyed only with a comparison of its own, and nothing else of the cluster is.
    for step in of(plan, "decommission-claim-") {
        let name = step.id().trim_start_matches("decommission-claim-");
        prop_assert!(plan.step(&format!("verify-{name}")).is_some(), "{name} is not verified");
        prop_assert_eq!(step.kind(), StepKind::Destroy);
    }
    let workloads: BTreeSet<(&str, String)> =
        fleet.services.iter().map(|service| (service.cluster, service.identity())).collect();
    prop_assert_eq!(stops.len(), workloads.len(), "each workload is stopped once");
    prop_assert_eq!(of(plan, "stays-stopped-").len(), workloads.len());
    prop_assert_eq!(of(plan, "start-").len(), fleet.services.len(), "each service starts once");
    prop_assert_eq!(plan.downtime().len(), fleet.services.len(), "each service has its downtime");
    for down in plan.downtime() {
        prop_assert!(at(plan, down.from()) < at(plan, down.to()));
    }
    for stop in of(plan, "final-copy-") {
        let name = stop.id().trim_start_matches("final-copy-");
        let verify = plan.step(&format!("verify-{name}")).expect("a comparison");
        all_before(plan, &[stop], &[verify])?;
    }
    // No claim is unaccounted for: each that anybody knows of is kept, and moved, left, or a person's to decide.
    for service in &fleet.services {
        let known = service.cluster == "home" && fleet.has_manifests && service.is_known;
        let more = if known { service.more_claims.as_slice() } else { &[] };
        for claim in more.iter().copied().chain(service.volumes.iter().map(|volume| volume.claim)).chain(service.left) {
            let slug = format!("retain-{}-{claim}", service.namespace);
            prop_assert!(!of(plan, &slug).is_empty(), "{slug} is not there");
            let same = |other: &&AnyService| other.cluster == service.cluster && other.namespace == service.namespace;
            let is_said = fleet
                .services
                .iter()
                .filter(same)
                .any(|other| other.left == Some(claim) || other.volumes.iter().any(|volume| volume.claim == claim));
            let decided = format!("account-claim-{}-{claim}", service.namespace);
            prop_assert!(is_said || !of(plan, &decided).is_empty(), "{decided} is not there");
        }
    }
    if fleet.unread && fleet.has_manifests && fleet.services.iter().any(|service| service.cluster == "home") {
        prop_assert!(plan.step("account-unread-home").is_some());
    }
    Ok(())
}

static FACTS: LazyLock<Facts> = LazyLock::new(Facts::embedded);

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_move_keeps_its_order_and_accounts_for_every_claim(fleet in anything()) {
        let plan = fleet.plan();
        keeps_its_promises(&fleet, &plan)?;
        for step in plan.steps() {
            prop_assert!(!step.heading().unwrap_or("").is_empty(), "{} has no heading", step.id());
        }
    }
}
