//! Controllers: Deployments, StatefulSets, DaemonSets, CronJobs and Jobs with their pods.

use super::make::{Map, text_like};
use super::{Controller, Release};
use crate::kubernetes::tree::{Node, Pair};

/// What a pod's options say in the words of Kubernetes.
const POD: &[&str] = &[
    "activeDeadlineSeconds",
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "hostname",
    "imagePullSecrets",
    "nodeSelector",
    "priorityClassName",
    "resourceClaims",
    "resources",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "subdomain",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
];

impl<'n, 's> Release<'n, 's> {
    /// Adds the workloads.
    pub(super) fn workloads(&mut self, controllers: &[Controller<'n, 's>]) {
        for controller in controllers {
            let kind = controller.node.and_then(|node| node.get("type"));
            if let Some(kind) = kind {
                self.notes.replaced(kind, "the kind of service that it becomes");
            }
            match kind.and_then(Node::str).unwrap_or("deployment").to_ascii_lowercase().as_str() {
                "deployment" => self.deployment(controller),
                "statefulset" => self.stateful_set(controller),
                "daemonset" => self.daemon_set(controller),
                "cronjob" => self.cron_job(controller),
                "job" => self.job(controller),
                _ => {
                    if let Some(node) = controller.node {
                        let text = "the chart knows no controller of this type: what should run, and when?";
                        self.notes.ask(self.id, node, &format!("controller-{}", controller.key), text, true);
                    }
                }
            }
        }
    }

    fn deployment(&mut self, controller: &Controller<'n, 's>) {
        let mut spec = self.running(controller);
        spec = spec.some("replicas", self.option(controller, "replicas"));
        let mut strategy = Map::new(self.named).some("type", self.option(controller, "strategy"));
        strategy = strategy.some("rollingUpdate", self.option(controller, "rollingUpdate"));
        let spec = spec.map("strategy", strategy);
        let template = self.template(controller, None);
        self.workload("apps/v1", "Deployment", controller, spec.node("template", template));
    }

    fn daemon_set(&mut self, controller: &Controller<'n, 's>) {
        let strategy = Map::new(self.named).some("type", self.option(controller, "strategy"));
        let spec = self.running(controller).map("updateStrategy", strategy);
        let template = self.template(controller, None);
        self.workload("apps/v1", "DaemonSet", controller, spec.node("template", template));
    }

    fn stateful_set(&mut self, controller: &Controller<'n, 's>) {
        let own = controller.node.and_then(|node| node.get("statefulset"));
        let strategy = Map::new(self.named).some("type", self.option(controller, "strategy"));
        let mut spec = self.running(controller).some("replicas", self.option(controller, "replicas"));
        spec = spec.map("updateStrategy", strategy);
        for key in ["podManagementPolicy", "persistentVolumeClaimRetentionPolicy"] {
            spec = spec.some(key, own.and_then(|own| own.get(key)).cloned());
        }
        let claims: Vec<Node<'s>> =
            self.claim_templates(controller).iter().map(|claim| self.claim_template(claim)).collect();
        let spec = spec.list("volumeClaimTemplates", claims);
        let template = self.template(controller, None);
        self.workload("apps/v1", "StatefulSet", controller, spec.node("template", template));
    }

    /// Returns the claim templates of a controller.
    pub(super) fn claim_templates(&self, controller: &Controller<'n, 's>) -> &'n [Node<'s>] {
        match self.version {
            1 => self.values.list("volumeClaimTemplates"),
            _ => controller
                .node
                .and_then(|node| node.at(&["statefulset", "volumeClaimTemplates"]))
                .map_or(&[], Node::items),
        }
    }

    fn claim_template(&self, claim: &'n Node<'s>) -> Node<'s> {
        let metadata =
            Map::new(claim).some("name", claim.get("name").cloned()).some("labels", claim.get("labels").cloned());
        Map::new(claim).node("metadata", metadata.end()).node("spec", self.claim_spec(claim)).end()
    }

    fn cron_job(&mut self, controller: &Controller<'n, 's>) {
        let own = controller.node.and_then(|node| node.get("cronjob"));
        let take = |key: &str| own.and_then(|own| own.get(key)).map(|node| self.fill(node));
        let mut spec = Map::new(self.named);
        for (key, theirs) in [
            ("schedule", "schedule"),
            ("timeZone", "timeZone"),
            ("suspend", "suspend"),
            ("concurrencyPolicy", "concurrencyPolicy"),
            ("startingDeadlineSeconds", "startingDeadlineSeconds"),
            ("successfulJobsHistoryLimit", "successfulJobsHistory"),
            ("failedJobsHistoryLimit", "failedJobsHistory"),
        ] {
            spec = spec.some(key, take(theirs));
        }
        // The chart's default differs from that of Kubernetes.
        spec = spec.text("concurrencyPolicy", "Forbid");
        let mut job = Map::new(self.named);
        for key in [
            "activeDeadlineSeconds",
            "backoffLimit",
            "completionMode",
            "completions",
            "parallelism",
            "ttlSecondsAfterFinished",
        ] {
            job = job.some(key, take(key));
        }
        let job = job.node("template", self.template(controller, Some("Never")));
        let spec = spec.map("jobTemplate", Map::new(self.named).map("spec", job));
        self.workload("batch/v1", "CronJob", controller, spec);
    }

    fn job(&mut self, controller: &Controller<'n, 's>) {
        let mut spec = Map::new(self.named);
        for pair in controller.node.and_then(|node| node.get("job")).map_or(&[][..], Node::pairs) {
            spec = spec.node(pair.key.clone(), self.fill(&pair.node));
        }
        let template = self.template(controller, Some("Never"));
        self.workload("batch/v1", "Job", controller, spec.node("template", template));
    }

    fn workload(
        &mut self,
        version: &'static str,
        kind: &'static str,
        controller: &Controller<'n, 's>,
        spec: Map<'n, 's>,
    ) {
        let metadata = self.metadata(&controller.name, controller.node);
        self.add(version, kind, metadata, vec![("spec", spec.end())]);
    }

    fn option(&self, controller: &Controller<'n, 's>, key: &str) -> Option<Node<'s>> {
        controller.node.and_then(|node| node.get(key)).map(|node| self.fill(node))
    }

    /// Begins the specification of a workload that always runs.
    fn running(&self, controller: &Controller<'n, 's>) -> Map<'n, 's> {
        let spec = Map::new(self.named).some("revisionHistoryLimit", self.option(controller, "revisionHistoryLimit"));
        spec.map("selector", Map::new(self.named).map("matchLabels", self.selector(controller.key)))
    }

    /// Returns the labels by which the pods of a controller are found.
    pub(super) fn selector(&self, controller: &str) -> Map<'n, 's> {
        Map::new(self.named)
            .text("app.kubernetes.io/controller", controller)
            .text("app.kubernetes.io/instance", &self.name)
            .text("app.kubernetes.io/name", &self.name)
    }

    /// Returns the pod of a controller.
    fn template(&mut self, controller: &Controller<'n, 's>, restart: Option<&str>) -> Node<'s> {
        let options = self.pod_options(controller);
        let (mut labels, mut annotations) = (self.selector(controller.key), Map::new(self.named));
        let mut spec = Map::new(self.named);
        for pair in options {
            match pair.key.as_ref() {
                "labels" | "podLabels" => {
                    for pair in pair.node.pairs() {
                        labels = labels.node(pair.key.clone(), self.fill(&pair.node));
                    }
                }
                "annotations" | "podAnnotations" => {
                    for pair in pair.node.pairs() {
                        annotations = annotations.node(pair.key.clone(), self.fill(&pair.node));
                    }
                }
                "podSecurityContext" => spec = spec.node("securityContext", self.fill(&pair.node)),
                key if POD.contains(&key) => spec = spec.node(pair.key.clone(), self.fill(&pair.node)),
                _ => {}
            }
        }
        let account = controller.node.and_then(|node| node.get("serviceAccount"));
        if let Some(account) = account {
            self.notes.dropped(account, "an account for the cluster's API, which a host does not have");
        }
        if let Some(restart) = restart {
            spec = spec.node("restartPolicy", text_like(self.named, restart));
        }
        let volumes = self.volumes(controller);
        let initial = self.containers(controller, true);
        let containers = self.containers(controller, false);
        let spec = spec.list("initContainers", initial).list("containers", containers).list("volumes", volumes);
        let metadata = Map::new(self.named).map("labels", labels).map("annotations", annotations);
        Map::new(self.named).node("metadata", metadata.end()).node("spec", spec.end()).end()
    }

    /// Returns the options of a pod, its own before those of all.
    fn pod_options(&mut self, controller: &Controller<'n, 's>) -> Vec<&'n Pair<'s>> {
        if self.version == 1 {
            return self.values.pairs().iter().collect();
        }
        let own = controller.node.map_or(&[][..], |node| node.map("pod"));
        let mut all: Vec<&'n Pair<'s>> = own.iter().collect();
        let strategy = self.values.get("defaultPodOptionsStrategy");
        if let Some(strategy) = strategy {
            self.notes.replaced(strategy, "how the options of all pods and of one are put together, as they are here");
        }
        let merges = strategy.and_then(Node::str) == Some("merge");
        let is_other = |pair: &&'n Pair<'s>| merges || own.is_empty() || !own.iter().any(|known| known.key == pair.key);
        // What a pod says itself takes the place of what is said for all: by the key with `overwrite`, the default.
        all.extend(self.values.map("defaultPodOptions").iter().filter(is_other));
        for pair in self.values.map("defaultPodOptions") {
            if !merges && own.iter().any(|known| known.key == pair.key) {
                self.notes.dropped(&pair.node, "every pod that is made of the release may say otherwise, and one does");
            }
        }
        all
    }
}
