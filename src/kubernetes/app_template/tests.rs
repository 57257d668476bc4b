use crate::kubernetes::load::load;
use crate::kubernetes::object::Object;
use crate::kubernetes::sample::{flow, leaf, translated, translated_files};
use crate::source::Sources;

const HEAD: &str =
    "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: web, namespace: apps }\nspec:\n";

fn objects(text: &str, keep: impl Fn(&Object<'_>) -> bool) -> Vec<String> {
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text);
    let loaded = load(&sources, &[file]);
    assert!(loaded.refused.is_empty(), "{:?}", loaded.refused);
    let all = loaded.world.objects().iter().filter(|object| keep(object));
    all.map(|object| flow(object.tree()).replace(", ", ",\n")).collect()
}

/// Compares what a release makes with what a person would write.
fn makes(release: &str, plain: &str) {
    let made = objects(release, |object| object.made_from.is_some()).join("\n---\n");
    let plain = objects(plain, |_| true).join("\n---\n");
    let difference = similar::TextDiff::from_lines(&plain, &made);
    assert!(made == plain, "{}", difference.unified_diff().header("plain", "made"));
}

const NEW: &str = "  chartRef: { kind: OCIRepository, name: app-template }
  values:
    controllers:
      web:
        strategy: RollingUpdate
        initContainers:
          fill: { image: { repository: docker.io/library/busybox, tag: 1.36 }, command: [cp, -r, /a, /b] }
        containers:
          app:
            image: { repository: ghcr.io/a/web, tag: 1.2.3, digest: sha256:00 }
            args: --serve
            env:
              ZONE: Europe/Berlin
              DEBUG: true
              PORT: &port 8080
              NAME: '{{ .Release.Name }}-x'
              TOKEN: { valueFrom: { secretKeyRef: { name: web-secret, key: token } } }
            envFrom: [{ secretRef: { name: web-secret } }, { configMapRef: { identifier: env } }]
            probes:
              liveness: { enabled: true, custom: true, spec: { httpGet: { path: /healthz, port: *port }, periodSeconds: 5 } }
              readiness: { enabled: true }
              startup: { enabled: false, spec: { failureThreshold: 30 } }
            securityContext: { readOnlyRootFilesystem: true }
    defaultPodOptions: { hostNetwork: true, securityContext: { runAsUser: 1000, fsGroup: 1000 } }
    service:
      app: { controller: web, ports: { http: { port: *port, protocol: HTTP } } }
    route:
      app: { hostnames: ['{{ .Release.Name }}.example.org'], parentRefs: [{ name: outer, namespace: network }] }
    persistence:
      data: { existingClaim: web-data, advancedMounts: { web: { app: [{ path: /data, subPath: d }] } } }
      cache: { type: emptyDir, sizeLimit: 1Gi }
      settings: { type: configMap, identifier: settings, globalMounts: [{ path: /etc/web, readOnly: true }] }
      state: { accessMode: ReadWriteOnce, size: 5Gi, storageClass: fast }
    configMaps:
      env: { data: { A: b } }
      settings: { data: { web.yaml: 'x: 1' } }
";

const NEW_PLAIN: &str = "apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: apps }
spec:
  selector: { matchLabels: &labels { app.kubernetes.io/controller: web, app.kubernetes.io/instance: web, app.kubernetes.io/name: web } }
  strategy: { type: RollingUpdate }
  template:
    metadata: { labels: *labels }
    spec:
      hostNetwork: true
      securityContext: { runAsUser: 1000, fsGroup: 1000 }
      initContainers:
        - name: fill
          image: docker.io/library/busybox:1.36
          command: [cp, -r, /a, /b]
          volumeMounts: [{ name: cache, mountPath: /cache }, { name: settings, mountPath: /etc/web, readOnly: true }, { name: state, mountPath: /state }]
      containers:
        - name: app
          image: ghcr.io/a/web:1.2.3@sha256:00
          args: [--serve]
          env:
            - { name: DEBUG, value: 'true' }
            - { name: NAME, value: web-x }
            - { name: PORT, value: '8080' }
            - { name: TOKEN, valueFrom: { secretKeyRef: { name: web-secret, key: token } } }
            - { name: ZONE, value: Europe/Berlin }
          envFrom: [{ secretRef: { name: web-secret } }, { configMapRef: { name: web-env } }]
          livenessProbe: { httpGet: { path: /healthz, port: 8080 }, periodSeconds: 5 }
          readinessProbe: { tcpSocket: { port: 8080 } }
          securityContext: { readOnlyRootFilesystem: true }
          volumeMounts:
            - { name: data, mountPath: /data, subPath: d }
            - { name: cache, mountPath: /cache }
            - { name: settings, mountPath: /etc/web, readOnly: true }
            - { name: state, mountPath: /state }
      volumes:
        - { name: data, persistentVolumeClaim: { claimName: web-data } }
        - { name: cache, emptyDir: { sizeLimit: 1Gi } }
        - { name: settings, configMap: { name: web-settings } }
        - { name: state, persistentVolumeClaim: { claimName: web } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: apps }
spec: { selector: { app.kubernetes.io/controller: web, app.kubernetes.io/instance: web, app.kubernetes.io/name: web }, ports: [{ name: http, port: 8080, protocol: TCP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web, namespace: apps }
spec: { hostnames: [web.example.org], parentRefs: [{ name: outer, namespace: network }], rules: [{ backendRefs: [{ name: web, port: 8080 }] }] }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: web, namespace: apps }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 5Gi } }, storageClassName: fast }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: web-env, namespace: apps }
data: { A: b }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: web-settings, namespace: apps }
data: { web.yaml: 'x: 1' }
";

#[test]
fn a_release_of_version_4_makes_what_a_person_would_write() {
    makes(&format!("{HEAD}{NEW}"), NEW_PLAIN);
}

const OLD: &str =
    "  chart: { spec: { chart: app-template, version: 1.5.1, sourceRef: { kind: HelmRepository, name: bjw-s } } }
  values:
    image: { repository: ghcr.io/a/web, tag: v1 }
    controller: { type: statefulset, replicas: 1 }
    env: { TZ: UTC }
    podSecurityContext: { runAsUser: 568 }
    initContainers: { fill: { image: busybox, command: [sleep, '1'] } }
    service: { main: { ports: { http: { port: 80, targetPort: 8080 } }, type: LoadBalancer } }
    ingress:
      main:
        enabled: true
        ingressClassName: nginx
        annotations: { a.b/c: d }
        hosts: [{ host: web.example.org, paths: [{ path: /, pathType: Prefix }] }]
        tls: [{ hosts: [web.example.org] }]
    persistence:
      config: { enabled: true, size: 1Gi, mountPath: /config, accessMode: ReadWriteOnce }
      media: { enabled: true, type: nfs, server: nas.example.org, path: /media }
      off: { enabled: false, mountPath: /off }
";

const OLD_PLAIN: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: { name: web, namespace: apps }
spec:
  replicas: 1
  selector: { matchLabels: &labels { app.kubernetes.io/controller: main, app.kubernetes.io/instance: web, app.kubernetes.io/name: web } }
  template:
    metadata: { labels: *labels }
    spec:
      securityContext: { runAsUser: 568 }
      initContainers: [{ name: fill, image: busybox, command: [sleep, '1'] }]
      containers:
        - name: web
          image: ghcr.io/a/web:v1
          env: [{ name: TZ, value: UTC }]
          volumeMounts: [{ name: config, mountPath: /config }, { name: media, mountPath: /media }]
      volumes:
        - { name: config, persistentVolumeClaim: { claimName: web-config } }
        - { name: media, nfs: { server: nas.example.org, path: /media } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: apps }
spec: { type: LoadBalancer, selector: { app.kubernetes.io/controller: main, app.kubernetes.io/instance: web, app.kubernetes.io/name: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: apps, annotations: { a.b/c: d } }
spec:
  ingressClassName: nginx
  rules: [{ host: web.example.org, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]
  tls: [{ hosts: [web.example.org] }]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: web-config, namespace: apps }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
";

#[test]
fn a_release_of_version_1_makes_what_a_person_would_write() {
    makes(&format!("{HEAD}{OLD}"), OLD_PLAIN);
}

const JOBS: &str = "  chart: { spec: { chart: app-template, version: 3.x, sourceRef: { kind: HelmRepository, name: bjw-s } } }
  targetNamespace: tools
  releaseName: tool
  values:
    controllers:
      main: { containers: { app: { image: { repository: a/b, tag: 1 } } } }
      nightly:
        type: cronjob
        cronjob: { schedule: '@daily', timeZone: UTC, backoffLimit: 2, successfulJobsHistory: 1 }
        containers:
          second: { image: { repository: a/c, tag: 2 }, dependsOn: third }
          third: { image: { repository: a/d, tag: 3 } }
    service:
      main: { controller: main, ports: { http: { port: 80 }, admin: { port: 81 } } }
      side: { controller: main, ports: { grpc: { port: 90 } } }
    ingress:
      main: { className: nginx, hosts: [{ host: t.example.org, paths: [{ path: /x, service: { identifier: side, port: grpc } }] }] }
    secrets: { key: { stringData: { k: v } } }
";

const JOBS_PLAIN: &str = "apiVersion: apps/v1
kind: Deployment
metadata: { name: tool, namespace: tools }
spec:
  selector: { matchLabels: &main { app.kubernetes.io/controller: main, app.kubernetes.io/instance: tool, app.kubernetes.io/name: tool } }
  template:
    metadata: { labels: *main }
    spec: { containers: [{ name: app, image: 'a/b:1' }] }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: tool-nightly, namespace: tools }
spec:
  schedule: '@daily'
  timeZone: UTC
  successfulJobsHistoryLimit: 1
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 2
      template:
        metadata: { labels: { app.kubernetes.io/controller: nightly, app.kubernetes.io/instance: tool, app.kubernetes.io/name: tool } }
        spec: { restartPolicy: Never, containers: [{ name: third, image: 'a/d:3' }, { name: second, image: 'a/c:2' }] }
---
apiVersion: v1
kind: Service
metadata: { name: tool, namespace: tools }
spec: { selector: *main, ports: [{ name: admin, port: 81 }, { name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: tool-side, namespace: tools }
spec: { selector: *main, ports: [{ name: grpc, port: 90 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: tool, namespace: tools }
spec: { ingressClassName: nginx, rules: [{ host: t.example.org, http: { paths: [{ path: /x, pathType: Prefix, backend: { service: { name: tool-side, port: { name: grpc } } } }] } }] }
---
apiVersion: v1
kind: Secret
metadata: { name: tool-key, namespace: tools }
stringData: { k: v }
";

#[test]
fn a_release_of_version_3_makes_what_a_person_would_write() {
    // Anchors do not reach into other documents: what stands for them is written out.
    let main = "{ app.kubernetes.io/controller: main, app.kubernetes.io/instance: tool, app.kubernetes.io/name: tool }";
    let plain = JOBS_PLAIN.replace("&main ", "").replace("*main", main);
    makes(&format!("{HEAD}{JOBS}"), &plain);
}

#[test]
fn other_charts_are_left_alone() {
    let other = "  chartRef: { kind: OCIRepository, name: other }\n  values: { controller: { leaderElection: { enabled: true } }, image: { tag: x } }\n";
    assert!(objects(&format!("{HEAD}{other}"), |object| object.made_from.is_some()).is_empty());
}

#[test]
fn a_source_tells_the_chart_and_its_version() {
    let source = "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: { name: web, namespace: apps }\nspec: { url: oci://ghcr.io/bjw-s-labs/helm/app-template, ref: { tag: 3.7.3 } }\n";
    let release = format!(
        "{HEAD}  chartRef: {{ kind: OCIRepository, name: web }}\n  values: {{ controllers: {{ web: {{ containers: {{ app: {{ image: {{ repository: a/b }} }} }} }} }}, persistence: {{ data: {{ size: 1Gi }} }} }}\n{source}"
    );
    let all = objects(&release, |object| object.kind == "PersistentVolumeClaim");
    assert!(all.iter().any(|claim| claim.contains("web-data")), "{all:?}");
}

#[test]
fn what_is_read_is_settled_in_the_release_alone() {
    for release in [NEW, OLD, JOBS] {
        let inventory = translated(&format!("{HEAD}{release}"));
        assert_eq!(inventory.objects.len(), 1, "what a release makes is no object of the input");
        assert!(inventory.workloads.iter().all(|workload| workload.object.contains("/Deployment/")
            || workload.object.contains("Set/")
            || workload.object.contains("Job/")));
    }
    let inventory = translated_files(&[("k8s/web/release.yaml", &format!("{HEAD}{NEW}"))]);
    assert!(leaf(&inventory, "HelmRelease", "spec.chartRef.name").starts_with("replaced "));
    assert!(leaf(&inventory, "HelmRelease", "spec.values.service.app.controller").starts_with("replaced "));
    assert!(
        leaf(&inventory, "HelmRelease", "spec.values.controllers.web.containers.app.probes.startup.enabled")
            .starts_with("dropped ")
    );
}

#[test]
fn odd_values_are_no_reason_to_fall_over() {
    for values in [
        "{ controllers: 1 }",
        "{ controllers: { a: null } }",
        "{ controllers: { a: { type: nonsense, containers: [1] } } }",
        "{ controllers: { a: { containers: { b: { image: [], env: 5, probes: { liveness: 1 }, envFrom: [1, {}] }, c: { dependsOn: [b, c] } } } }, persistence: { p: 1, q: { type: nonsense }, r: { globalMounts: [1] } }, service: { s: { ports: { p: 1 } } }, ingress: { i: { hosts: [1] } }, route: { r: { rules: [1] } }, configMaps: { c: 1 } }",
    ] {
        let text = format!("{HEAD}  chartRef: {{ kind: OCIRepository, name: app-template }}\n  values: {values}\n");
        translated(&text);
    }
}
