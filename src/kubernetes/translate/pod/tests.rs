//! What pods become, concern by concern. Expectations are written by hand from the documentation of Kubernetes.

use std::fmt::Write as _;

use super::shown::shown;
use crate::kubernetes::Inventory;
use crate::kubernetes::sample::{leaf, translated, with};

/// A Deployment `web` in `apps` whose pod has one container of these lines (at column 0), and these lines of its own.
fn deployment(container: &str, pod: &str) -> String {
    let indent = |text: &str, by: usize| {
        text.lines().fold(String::new(), |mut out, line| {
            writeln!(out, "{:by$}{line}", "").unwrap();
            out
        })
    };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: apps\nspec:\n  template:\n    spec:\n{}      containers:\n      - name: web\n        image: nginx:1.27\n{}",
        indent(pod, 6),
        indent(container, 8)
    )
}

const SPEC: &str = "spec.template.spec";

fn of(container: &str, pod: &str) -> Inventory {
    translated(&deployment(container, pod))
}

/// Returns the lines of the main service beyond those of every Deployment.
fn lines(container: &str, pod: &str) -> String {
    let inventory = of(container, pod);
    let text = shown(&inventory);
    let main = text.split("\n[").next().unwrap_or("");
    let usual = ["[web]", "image = docker.io/library/nginx:1.27", "restart = always"];
    main.lines().filter(|line| !usual.contains(line)).collect::<Vec<_>>().join("\n")
}

fn asked(inventory: &Inventory) -> Vec<&str> {
    inventory.questions.iter().map(|question| question.id.as_str()).collect()
}

#[test]
fn a_plain_deployment_becomes_a_container_that_always_runs() {
    let inventory = of("", "");
    assert_eq!(shown(&inventory), "[web]\nimage = docker.io/library/nginx:1.27\nrestart = always\n");
    assert_eq!(leaf(&inventory, "Deployment", "metadata.name"), "translated services.web");
    assert_eq!(leaf(&inventory, "Deployment", &format!("{SPEC}.containers[0].image")), "translated services.web.image");
    assert_eq!(inventory.host.services["web"].migration.as_ref().unwrap().image.as_deref(), Some("nginx:1.27"));
}

#[test]
fn command_and_args_are_those_of_kubernetes_and_variables_in_them_are_expanded_in_order() {
    assert_eq!(lines("args: [\"-g\", \"daemon off;\"]", ""), "args = [\"-g\", \"daemon off;\"]");
    assert_eq!(lines("command: [/bin/app, run]", ""), "command = [\"/bin/app\", \"run\"]");
    assert_eq!(
        lines(
            "command: [/bin/app]\nargs: [--port=$(PORT), $(URL), $$(PORT), $(NONE), $PORT, '']\nenv:\n- {name: PORT, value: \"80\"}\n- {name: URL, value: \"http://$(HOST):$(PORT)\"}\n- {name: HOST, value: a}\nworkingDir: /srv",
            ""
        ),
        "command = [\"/bin/app\"]\nargs = [\"--port=80\", \"http://$(HOST):80\", \"$(PORT)\", \"$(NONE)\", \"$PORT\", \"\"]\nenv PORT = \"80\"\nenv URL = \"http://$(HOST):80\"\nenv HOST = \"a\"\nworking-directory = /srv"
    );
}

#[test]
fn a_secret_never_stands_on_a_command_line() {
    let key = "env:\n- name: PASS\n  valueFrom: {secretKeyRef: {name: db, key: password}}\n";
    let inventory = of(&format!("{key}args: [\"--pass=$(PASS)\"]"), "");
    assert!(shown(&inventory).contains("args = [\"--pass=$(PASS)\"]"));
    assert_eq!(asked(&inventory), ["apps/Deployment/web#args.0"]);
    let inventory = of(&format!("{key}command: [/bin/sh, -ec]\nargs: [\"login -p $(PASS)\"]"), "");
    assert!(shown(&inventory).contains("args = [\"login -p ${PASS}\"]"), "{}", shown(&inventory));
    assert!(asked(&inventory).is_empty());
    for args in ["[--db-password=hunter2horse]", "[--db-password, hunter2horse]", "[\"postgres://a:hunter2horse@b/c\"]"]
    {
        let inventory = of(&format!("args: {args}"), "");
        assert_eq!(inventory.questions.len(), 1, "{args}");
        assert!(!format!("{inventory:?}").contains("hunter2horse"), "{args}");
    }
}

#[test]
fn variables_come_from_config_maps_secrets_and_the_pod() {
    let yaml = format!(
        "{}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: conf, namespace: apps}}\ndata:\n  MODE: prod\n  LEVEL: info\n  app.yaml: \"a: 1\"\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: apps}}\ndata: {{password: aHVudGVyMg==, user: cm9vdA==}}\n",
        deployment(
            "envFrom:\n- configMapRef: {name: conf}\n- prefix: DB_\n  secretRef: {name: db}\n- secretRef: {name: gone}\n- configMapRef: {name: none, optional: true}\nenv:\n- {name: LEVEL, value: debug}\n- {name: TZ, value: Europe/Berlin}\n- name: MODE2\n  valueFrom: {configMapKeyRef: {name: conf, key: MODE}}\n- name: MISSING\n  valueFrom: {configMapKeyRef: {name: conf, key: nope}}\n- name: PW\n  valueFrom: {secretKeyRef: {name: db, key: password}}\n- name: URL\n  value: postgres://$(DB_user):$(PW)@db/x\n- name: NODE\n  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}\n- name: NS\n  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}\n- name: IP\n  valueFrom: {fieldRef: {fieldPath: status.podIP}}\n- name: CPU\n  valueFrom: {resourceFieldRef: {resource: limits.cpu}}\n- name: MEM\n  valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}\nresources: {limits: {cpu: 1500m, memory: 1.5Gi}}",
            ""
        )
    );
    let inventory = translated(&yaml);
    assert_eq!(
        shown(&inventory),
        "[web]\nmemory = 1536MiB\ncpu = 1.5\nsecret apps-db-password = DB_password\nsecret apps-db-user = DB_user\nsecret apps-gone = EnvFile\nsecret apps-db-password = PW\nsecret apps-web-url = URL\nimage = docker.io/library/nginx:1.27\nenv MODE = \"prod\"\nenv LEVEL = \"debug\"\nenv TZ = \"Europe/Berlin\"\nenv MODE2 = \"prod\"\nenv NODE = \"lufta\"\nenv NS = \"apps\"\nenv CPU = \"2\"\nenv MEM = \"1536\"\nrestart = always\n"
    );
    assert_eq!(
        asked(&inventory),
        ["apps/Secret/db#keys", "apps/Deployment/web#env.MISSING", "apps/Deployment/web#env.IP"]
    );
    assert_eq!(leaf(&inventory, "ConfigMap", "data.MODE"), "translated services.web.environment.MODE");
    for planted in ["aHVudGVyMg==", "hunter2", "cm9vdA=="] {
        assert!(!format!("{inventory:?}").contains(planted), "{planted}");
    }
    let secrets: Vec<(&str, &str)> =
        inventory.host.secrets.iter().map(|(name, what)| (name.as_str(), what.as_str())).collect();
    assert_eq!(
        secrets,
        [
            ("apps-db-password", "key password of the Secret db in the namespace apps"),
            ("apps-db-user", "key user of the Secret db in the namespace apps"),
            ("apps-gone", "a line NAME=value for each key of the Secret gone in the namespace apps"),
            ("apps-web-url", "the variable URL of web, in whose manifest $(DB_user) and $(PW) stand for secrets"),
        ]
    );
}

#[test]
fn an_answer_about_a_variable_is_what_arguments_hold() {
    let yaml = deployment(
        "env:\n- name: IP\n  valueFrom: {fieldRef: {fieldPath: status.podIP}}\nargs: [\"--listen=$(IP):80\"]",
        "",
    );
    assert_eq!(asked(&translated(&yaml)), ["apps/Deployment/web#env.IP"]);
    let answered = with(&yaml, |target| {
        target.answers.insert("apps/Deployment/web#env.IP".to_owned(), "0.0.0.0".to_owned());
    });
    let text = shown(&answered);
    assert!(text.contains("args = [\"--listen=0.0.0.0:80\"]\nenv IP = \"0.0.0.0\""), "{text}");
}

#[test]
fn variables_that_grow_without_end_and_fields_of_the_wrong_kind_do_no_harm() {
    let mut env = String::from("env:\n- {name: A0, value: xxxxxxxxxxxxxxxx}\n");
    for level in 1..60 {
        writeln!(env, "- {{name: A{level}, value: $(A{0})$(A{0})$(A{0})}}", level - 1).unwrap();
    }
    let inventory = of(&format!("{env}args: [$(A59)]"), "");
    assert!(shown(&inventory).len() < 2_000_000);
    assert!(asked(&inventory).contains(&"apps/Deployment/web#env.A12"), "{:?}", asked(&inventory));
    for odd in ["3", "text", "[]", "{}", "[null, 3, [x], {name: [y], value: {a: b}}]", "{a: {b: [c]}}", "null"] {
        for key in
            ["env", "envFrom", "ports", "resources", "securityContext", "lifecycle", "command", "args", "workingDir"]
        {
            assert!(of(&format!("{key}: {odd}"), "").host.services.contains_key("web"), "{key}: {odd}");
        }
        for key in ["livenessProbe", "readinessProbe", "startupProbe", "imagePullPolicy"] {
            assert!(of(&format!("{key}: {odd}"), "").host.services.contains_key("web"), "{key}: {odd}");
        }
        for key in
            ["initContainers", "securityContext", "hostAliases", "affinity", "nodeSelector", "dnsConfig", "hostname"]
        {
            assert!(of("", &format!("{key}: {odd}")).host.services.contains_key("web"), "{key}: {odd}");
        }
        translated(&format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {{containers: {odd}}}\n"));
        translated(&format!("apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: x}}\nspec: {odd}\n"));
    }
}

#[test]
fn a_variable_without_a_name_is_no_variable() {
    let inventory = of("env:\n- {name: \"\", value: a}\n- {name: A, value: b}", "");
    assert!(shown(&inventory).contains("env A = \"b\""));
    assert!(!shown(&inventory).contains("env  ="));
    assert!(leaf(&inventory, "Deployment", &format!("{SPEC}.containers[0].env[0].value")).starts_with("needs-you"));
}

#[test]
fn a_literal_that_looks_like_a_secret_becomes_one_and_is_never_repeated() {
    let yaml =
        deployment("env:\n- {name: DB_PASSWORD, value: hunter2horse}\n- {name: API_TOKEN, value: \"${TOKEN}\"}", "");
    let inventory = translated(&yaml);
    assert_eq!(
        shown(&inventory),
        "[web]\nsecret apps-web-db-password = DB_PASSWORD\nsecret apps-web-api-token = API_TOKEN\nimage = docker.io/library/nginx:1.27\nrestart = always\n"
    );
    assert_eq!(asked(&inventory), ["apps/Deployment/web#env.DB_PASSWORD"]);
    assert!(!format!("{inventory:?}").contains("hunter2horse"));
    let plain = with(&yaml, |target| {
        target.answers.insert("apps/Deployment/web#env.DB_PASSWORD".to_owned(), "plain".to_owned());
    });
    assert!(shown(&plain).contains("env DB_PASSWORD = \"hunter2horse\""));
    assert!(plain.questions.is_empty());
}

#[test]
fn images_that_float_are_asked_about_and_answers_are_taken() {
    let image = |image: &str| deployment("", "").replace("nginx:1.27", image);
    let floating = translated(&image("nginx"));
    assert_eq!(shown(&floating), "[web]\nimage = docker.io/library/nginx:latest\npull = always\nrestart = always\n");
    assert_eq!(asked(&floating), ["apps/Deployment/web#image"]);
    assert!(!floating.questions[0].blocks);
    let unknown = translated(&image("ghcr.io/a/b:${TAG}"));
    assert!(shown(&unknown).contains("image = ghcr.io/a/b:latest"), "{}", shown(&unknown));
    assert!(unknown.questions[0].blocks);
    assert!(shown(&translated(&image("'{{ x }}'"))).contains("image = localhost/web:unknown"));
    let answered = with(&image("nginx"), |target| {
        target.answers.insert("apps/Deployment/web#image".to_owned(), "1.27.3".to_owned());
    });
    assert!(shown(&answered).contains("image = docker.io/library/nginx:1.27.3\nrestart"), "{}", shown(&answered));
}

#[test]
fn pulling_and_logins_are_kept() {
    assert_eq!(
        lines("imagePullPolicy: Always", "imagePullSecrets: [{name: ghcr}]"),
        "pull = always\nregistry-login = apps-ghcr"
    );
    let inventory = of("imagePullPolicy: IfNotPresent", "");
    assert_eq!(
        leaf(&inventory, "Deployment", &format!("{SPEC}.containers[0].imagePullPolicy")),
        "replaced podman pulls an image that is not there"
    );
}

#[test]
fn init_containers_run_before_in_order_and_others_share_the_network() {
    let inventory = of(
        "ports: [{containerPort: 80}]",
        "initContainers:\n- {name: chown, image: \"busybox:1.36\", command: [chown, \"-R\", \"1\", /data]}\n- {name: vpn, image: \"vpn:1\", restartPolicy: Always}\n- {name: migrate, image: \"web:1\"}\n",
    );
    let mut yaml = deployment("", "");
    yaml.push_str("      - {name: metrics, image: \"exporter:2\", ports: [{containerPort: 9100, hostPort: 9100}]}\n");
    assert_eq!(
        shown(&inventory),
        "[web]\nrequires = web-migrate\nimage = docker.io/library/nginx:1.27\nrestart = always\n[web-chown]\nimage = docker.io/library/busybox:1.36\ncommand = [\"chown\", \"-R\", \"1\", \"/data\"]\noneshot = true\n[web-vpn]\nimage = docker.io/library/vpn:1\nnetwork-of = web\nrestart = always\n[web-migrate]\nrequires = web-chown\nimage = docker.io/library/web:1\noneshot = true\n"
    );
    assert_eq!(
        shown(&translated(&yaml)),
        "[web]\nports = 9100/tcp public\nimage = docker.io/library/nginx:1.27\nrestart = always\n[web-metrics]\nimage = docker.io/library/exporter:2\nnetwork-of = web\nrestart = always\n"
    );
    let chosen = yaml.replace(
        "  template:\n",
        "  template:\n    metadata: {annotations: {kubectl.kubernetes.io/default-container: metrics}}\n",
    );
    assert!(
        shown(&translated(&chosen)).starts_with("[web]\nports = 9100/tcp public\nimage = docker.io/library/exporter:2")
    );
}

#[test]
fn a_security_context_is_that_of_the_container_before_that_of_its_pod() {
    assert_eq!(
        lines(
            "securityContext:\n  runAsUser: 1000\n  runAsNonRoot: true\n  allowPrivilegeEscalation: false\n  readOnlyRootFilesystem: true\n  privileged: false\n  seccompProfile: {type: RuntimeDefault}\n  capabilities: {drop: [ALL], add: [NET_BIND_SERVICE, CAP_CHOWN]}",
            "securityContext:\n  runAsUser: 1\n  runAsGroup: 3000\n  fsGroup: 2000\n  supplementalGroups: [44, 2000]\n  sysctls: [{name: net.core.somaxconn, value: \"1024\"}]"
        ),
        "user = 1000:3000\ngroups = 44 2000\ncap-add = NET_BIND_SERVICE CHOWN\ncap-drop = ALL\nread-only-root = true\nno-new-privileges = true\nsysctl net.core.somaxconn = 1024"
    );
    let inventory = of("securityContext: {privileged: true}", "securityContext: {runAsNonRoot: true, runAsUser: 0}");
    assert_eq!(
        asked(&inventory),
        ["apps/Deployment/web#runAsNonRoot", "apps/Deployment/web#privileged"],
        "what blocks comes first"
    );
}

#[test]
fn limits_are_exact_and_what_is_no_quantity_is_asked() {
    assert_eq!(
        lines(
            "resources:\n  limits: {memory: 512Mi, cpu: 250m, ephemeral-storage: 1Gi}\n  requests: {memory: 128974848, cpu: \"2\"}",
            ""
        ),
        "memory = 512MiB\nmemory-low = 123MiB\ncpu = 0.25"
    );
    let inventory =
        of("resources:\n  limits: {memory: 1.5GB, nvidia.com/gpu: 1, cpu: 0}\n  requests: {nvidia.com/gpu: 1}", "");
    assert_eq!(asked(&inventory), ["apps/Deployment/web#nvidia.com/gpu", "apps/Deployment/web#limits.memory"]);
}

#[test]
fn the_network_of_a_pod_is_its_own_or_that_of_the_host() {
    assert_eq!(
        lines(
            "ports:\n- {containerPort: 53, hostPort: 5353, protocol: UDP}\n- {containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}",
            "hostname: a\nsubdomain: b\nhostAliases: [{ip: 192.0.2.7, hostnames: [nas, nas.lan]}]"
        ),
        "ports = 5353>53/udp public 8080>80/tcp\nhostname = a\naliases = a.b\nhost nas = 192.0.2.7\nhost nas.lan = 192.0.2.7"
    );
    assert_eq!(
        lines(
            "ports: [{containerPort: 8123, name: http}]\nlivenessProbe: {httpGet: {port: http}}",
            "hostNetwork: true\ndnsPolicy: ClusterFirstWithHostNet"
        ),
        "health = http /; timeout 0 interval 10 retries 3\nports = 8123/tcp public\nhost-network = true"
    );
}

#[test]
fn hooks_run_in_the_container_and_waits_for_a_load_balancer_are_left_out() {
    assert_eq!(
        lines(
            "lifecycle:\n  postStart: {exec: {command: [touch, /ready]}}\n  preStop: {exec: {command: [nginx, -s, quit]}}",
            "terminationGracePeriodSeconds: 90"
        ),
        "stop-timeout = 90\nafter-start = [\"touch\", \"/ready\"]\nbefore-stop = [\"nginx\", \"-s\", \"quit\"]"
    );
    for hook in
        ["{exec: {command: [sleep, \"10\"]}}", "{exec: {command: [/bin/sh, -c, sleep 10]}}", "{sleep: {seconds: 5}}"]
    {
        assert_eq!(lines(&format!("lifecycle: {{preStop: {hook}}}"), ""), "", "{hook}");
    }
    let inventory = of("lifecycle: {preStop: {httpGet: {path: /quit, port: 80}}}", "");
    assert_eq!(asked(&inventory), ["apps/Deployment/web#preStop"]);
}

#[test]
fn hardware_is_asked_for_and_places_are_not() {
    let inventory = of(
        "",
        "nodeSelector: {kubernetes.io/os: linux, kubernetes.io/hostname: n1, zigbee: \"true\", kubernetes.io/arch: amd64}\nruntimeClassName: nvidia\nhostPID: true\ntolerations: [{operator: Exists}]\nserviceAccountName: web\naffinity: {podAntiAffinity: {x: 1}}",
    );
    assert_eq!(
        asked(&inventory),
        [
            "apps/Deployment/web#runtimeClassName",
            "apps/Deployment/web#node.zigbee",
            "apps/Deployment/web#node.kubernetes.io/arch",
            "apps/Deployment/web#hostPID",
        ]
    );
    assert!(leaf(&inventory, "Deployment", &format!("{SPEC}.serviceAccountName")).starts_with("dropped"));
    let bound = format!(
        "{}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: x}}\nsubjects: [{{kind: ServiceAccount, name: web, namespace: apps}}]\n",
        deployment("", "serviceAccountName: web")
    );
    assert_eq!(asked(&translated(&bound)), ["apps/Deployment/web#serviceAccountName"]);
}

#[test]
fn labels_lead_to_the_service_and_a_selector_has_to_match_them() {
    let yaml = |label: &str| {
        deployment("", "").replace(
            "  template:\n",
            &format!("  replicas: 0\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: {label}}}, annotations: {{checksum/config: abc}}}}\n"),
        )
    };
    let inventory = translated(&yaml("web"));
    assert!(shown(&inventory).contains("enable = false"));
    assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
    assert!(leaf(&inventory, "Deployment", "spec.selector.matchLabels.app").starts_with("replaced"));
    assert_eq!(asked(&translated(&yaml("other"))), ["apps/Deployment/web#selector"]);
}

#[test]
fn a_stateful_set_is_its_first_pod() {
    let yaml = deployment("", "").replace("kind: Deployment", "kind: StatefulSet").replace(
        "  template:\n",
        "  replicas: 3\n  serviceName: web\n  volumeClaimTemplates: [{metadata: {name: data}}]\n  template:\n",
    );
    let inventory = translated(&yaml);
    assert!(shown(&inventory).contains("hostname = web-0"));
    assert!(asked(&inventory).contains(&"apps/StatefulSet/web#replicas"));
}

#[test]
fn a_job_runs_to_its_end_and_a_cron_job_at_times() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: apps}\nspec:\n  backoffLimit: 0\n  activeDeadlineSeconds: 600\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: m, image: \"web:1\"}]\n";
    let inventory = translated(job);
    assert_eq!(
        shown(&inventory),
        "[migrate]\nimage = docker.io/library/web:1\noneshot = true\nrestart = no\nrun-at-most = 600\n"
    );
    assert_eq!(asked(&inventory), ["apps/Job/migrate#again"]);
    let over = translated(&format!("{job}status: {{succeeded: 1}}\n"));
    assert!(shown(&over).contains("enable = false"));
    let test = translated(&job.replace("namespace: apps", "namespace: apps, annotations: {helm.sh/hook: test}"));
    assert_eq!(shown(&test), "");

    let cron = |fields: &str| {
        format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: backup, namespace: apps}}\nspec:\n{fields}  jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: OnFailure\n          containers: [{{name: b, image: \"restic:1\"}}]\n"
        )
    };
    let inventory = translated(&cron(
        "  schedule: 30 4 * * mon\n  timeZone: Europe/Berlin\n  concurrencyPolicy: Forbid\n  startingDeadlineSeconds: 60\n",
    ));
    assert_eq!(
        shown(&inventory),
        "[backup]\nimage = docker.io/library/restic:1\noneshot = true\nschedule = [\"Mon *-*-* 04:30:00\"]\npersistent = false\ntime-zone = Europe/Berlin\n"
    );
    assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
    let both = translated(&cron("  schedule: \"0 0 1 * 5\"\n  suspend: true\n"));
    assert_eq!(
        shown(&both),
        "[backup]\nenable = false\nimage = docker.io/library/restic:1\noneshot = true\nschedule = [\"*-*-01 00:00:00\", \"Fri *-*-* 00:00:00\"]\ntime-zone = UTC\n"
    );
    let nowhere = translated(&cron("  schedule: 30 4 * * mon\n  timeZone: \"0x10\"\n"));
    assert!(shown(&nowhere).contains("enable = false"));
    assert_eq!(asked(&nowhere), ["apps/CronJob/backup#time-zone"]);
    let nonsense = translated(&cron("  schedule: soon\n"));
    assert!(shown(&nonsense).contains("enable = false"));
    assert_eq!(asked(&nonsense), ["apps/CronJob/backup#schedule"]);
}

#[test]
fn what_runs_beside_a_job_is_a_question() {
    let yaml = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: dump, namespace: apps}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: dump, image: \"a/b:1\"}\n      - {name: proxy, image: \"a/c:1\", env: [{name: A, value: b}]}\n";
    let inventory = translated(yaml);
    assert_eq!(inventory.host.services.keys().collect::<Vec<_>>(), ["dump"]);
    assert_eq!(asked(&inventory), ["apps/Job/dump#proxy.beside", "apps/Job/dump#again"]);
    assert!(leaf(&inventory, "Job", "spec.template.spec.containers[1].env[0].value").starts_with("needs-you"));
}

#[test]
fn twenty_probes_mean_what_they_mean_to_the_kubelet() {
    let ports = "ports: [{name: http, containerPort: 8080}]\n";
    // The probes of a container and what they become, derived by hand from "Configure Liveness, Readiness and Startup Probes":
    // periodSeconds is 10, failureThreshold 3, initialDelaySeconds 0 where nothing else is written.
    let cases: &[(&str, &str)] = &[
        (
            "livenessProbe: {httpGet: {path: /healthz, port: 8080}}",
            "health = http /healthz; timeout 0 interval 10 retries 3\nports = 28080>8080/tcp",
        ),
        (
            "livenessProbe: {httpGet: {path: healthz, port: http}, initialDelaySeconds: 15, periodSeconds: 20}",
            "health = http /healthz; timeout 15 interval 20 retries 3\nports = 28080>8080/tcp",
        ),
        (
            "livenessProbe: {httpGet: {port: \"8080\"}, failureThreshold: 1}",
            "health = http /; timeout 0 interval 10 retries 1\nports = 28080>8080/tcp",
        ),
        (
            "livenessProbe: {tcpSocket: {port: http}, periodSeconds: 5}",
            "health = tcp 28080; timeout 0 interval 5 retries 3\nports = 28080>8080/tcp",
        ),
        (
            "livenessProbe: {exec: {command: [cat, /tmp/healthy]}, initialDelaySeconds: 5, periodSeconds: 5}",
            "health = command [\"cat\", \"/tmp/healthy\"]; timeout 5 interval 5 retries 3",
        ),
        (
            "livenessProbe: {exec: {command: [/bin/grpc_health_probe, -addr=:9000]}}",
            "health = command [\"/bin/grpc_health_probe\", \"-addr=:9000\"]; timeout 0 interval 10 retries 3",
        ),
        (
            "livenessProbe: {grpc: {port: 2379}, initialDelaySeconds: 10}",
            "health = tcp 22379; timeout 10 interval 10 retries 3\nports = 22379>2379/tcp",
        ),
        (
            "readinessProbe: {httpGet: {path: /ready, port: http}}",
            "ready = http /ready; timeout 60 interval 10\nports = 28080>8080/tcp",
        ),
        (
            "readinessProbe: {httpGet: {path: /ready, port: http}, initialDelaySeconds: 30, periodSeconds: 5, failureThreshold: 60}",
            "ready = http /ready; timeout 330 interval 5\nports = 28080>8080/tcp",
        ),
        (
            "readinessProbe: {exec: {command: [pg_isready, -U, app]}, timeoutSeconds: 3, successThreshold: 2}",
            "ready = command [\"pg_isready\", \"-U\", \"app\"]; timeout 60 interval 10",
        ),
        ("readinessProbe: {tcpSocket: {port: 80}}", "ready = tcp 20080; timeout 60 interval 10\nports = 20080>80/tcp"),
        (
            "startupProbe: {httpGet: {path: /healthz, port: http}, failureThreshold: 30, periodSeconds: 10}",
            "ready = http /healthz; timeout 300 interval 10\nports = 28080>8080/tcp",
        ),
        (
            "startupProbe: {httpGet: {path: /s, port: http}, failureThreshold: 30}\nlivenessProbe: {httpGet: {path: /l, port: http}, periodSeconds: 10}",
            "ready = http /s; timeout 300 interval 10\nhealth = http /l; timeout 300 interval 10 retries 3\nports = 28080>8080/tcp",
        ),
        (
            "startupProbe: {tcpSocket: {port: http}, failureThreshold: 10, periodSeconds: 6}\nreadinessProbe: {httpGet: {path: /r, port: http}, initialDelaySeconds: 5, periodSeconds: 2}",
            "ready = http /r; timeout 67 interval 2\nports = 28080>8080/tcp",
        ),
        (
            "livenessProbe: {httpGet: {path: /l, port: http, scheme: HTTPS}}",
            "health = tcp 28080; timeout 0 interval 10 retries 3\nports = 28080>8080/tcp",
        ),
        (
            "livenessProbe: {httpGet: {path: /l, port: http}}\nreadinessProbe: {httpGet: {path: /r, port: 9090}}",
            "ready = http /r; timeout 60 interval 10\nhealth = http http://127.0.0.1:28080/l; timeout 0 interval 10 retries 3\nports = 29090>9090/tcp 28080>8080/tcp",
        ),
        (
            "livenessProbe: {httpGet: {path: /l, port: http, host: 192.0.2.9}}",
            "health = http http://192.0.2.9:8080/l; timeout 0 interval 10 retries 3",
        ),
        ("livenessProbe: {httpGet: {path: /l, port: web}}", ""),
        ("livenessProbe: {}\nreadinessProbe: {periodSeconds: 3}", ""),
        (
            "livenessProbe: {httpGet: {path: /l, port: http}, periodSeconds: 0, failureThreshold: 0, initialDelaySeconds: -1}",
            "health = http /l; timeout 0 interval 10 retries 3\nports = 28080>8080/tcp",
        ),
        (
            "livenessProbe: {httpGet: {path: /l, port: http, httpHeaders: [{name: Accept, value: text/html}]}}",
            "health = http /l; timeout 0 interval 10 retries 3\nports = 28080>8080/tcp",
        ),
    ];
    assert!(cases.len() >= 20);
    for (probes, wanted) in cases {
        assert_eq!(lines(&format!("{ports}{probes}"), ""), *wanted, "{probes}");
    }
    let asks = |probe: &str| of(&format!("{ports}livenessProbe: {probe}"), "").questions.len();
    assert_eq!(asks("{httpGet: {path: /l, port: web}}"), 1);
    assert_eq!(asks("{grpc: {port: 2379}}"), 1);
    assert_eq!(asks("{httpGet: {port: 80, httpHeaders: [{name: Host, value: a}]}}"), 1);
}
