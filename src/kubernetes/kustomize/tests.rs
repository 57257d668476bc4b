use crate::kubernetes::load::load;
use crate::kubernetes::sample::{flow, leaf, translated_files};
use crate::source::Sources;

/// The objects that come of some files, each in a line a part, with its namespace; kustomizations and patches left out.
fn objects(files: &[(&str, &str)]) -> Vec<String> {
    let mut sources = Sources::default();
    let ids: Vec<_> = files.iter().map(|(path, text)| sources.add(*path, *text)).collect();
    let loaded = load(&sources, &ids);
    assert!(loaded.refused.is_empty(), "{:?}", loaded.refused);
    let all =
        loaded.world.objects().iter().filter(|object| object.kind != "Kustomization" && object.kind != "Component");
    let all = all.filter(|object| !object.is_patch);
    // Where a namespace stands makes no difference.
    let shown = |text: &str| text.replace(", namespace: Some(Text(\"apps\"))", "").replace(", ", ",\n");
    let mut all: Vec<String> =
        all.map(|object| format!("{}\n{}", object.namespace(), shown(&flow(object.tree())))).collect();
    all.sort();
    all
}

/// Compares what kustomizations make of files with what a person would write.
fn becomes(files: &[(&str, &str)], plain: &str) {
    let (made, plain) = (objects(files).join("\n---\n"), objects(&[("plain.yaml", plain)]).join("\n---\n"));
    let difference = similar::TextDiff::from_lines(&plain, &made);
    assert!(made == plain, "{}", difference.unified_diff().header("plain", "made"));
}

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec:\n  replicas: 1\n  selector: { matchLabels: { app: web } }\n  template:\n    metadata: { labels: { app: web } }\n    spec:\n      containers:\n        - { name: web, image: 'nginx:1', env: [{ name: A, value: a }, { name: B, value: b }], ports: [{ containerPort: 80 }] }\n        - { name: side, image: busybox }\n      volumes: [{ name: v, configMap: { name: settings } }]\n";

#[test]
fn namespace_names_labels_images_and_replicas_are_changed() {
    let kustomization = "namespace: apps\nnamePrefix: my-\nnameSuffix: -x\nresources: [web.yaml, ./service.yaml]\ncommonLabels: { team: a }\ncommonAnnotations: { note: b }\nimages: [{ name: nginx, newName: ghcr.io/a/nginx, newTag: '2' }, { name: none, newTag: '1' }]\nreplicas: [{ name: web, count: 3 }]\nconfigMapGenerator: [{ name: settings, literals: [K=v=w], files: [a.conf=files/a.txt], envs: [.env] }]\ngeneratorOptions: { disableNameSuffixHash: true }\n";
    let service = "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n";
    becomes(
        &[
            ("k/kustomization.yaml", kustomization),
            ("k/web.yaml", WEB),
            ("k/service.yaml", service),
            ("k/files/a.txt", "listen: 80\n"),
            ("k/.env", "# words\nX=1\n"),
        ],
        "apiVersion: apps/v1
kind: Deployment
metadata: { name: my-web-x, namespace: apps, labels: { team: a }, annotations: { note: b } }
spec:
  replicas: 3
  selector: { matchLabels: { app: web, team: a } }
  template:
    metadata: { labels: { app: web, team: a }, annotations: { note: b } }
    spec:
      containers:
        - { name: web, image: 'ghcr.io/a/nginx:2', env: [{ name: A, value: a }, { name: B, value: b }], ports: [{ containerPort: 80 }] }
        - { name: side, image: busybox }
      volumes: [{ name: v, configMap: { name: my-settings-x } }]
---
apiVersion: v1
kind: Service
metadata: { name: my-web-x, namespace: apps, labels: { team: a }, annotations: { note: b } }
spec: { selector: { app: web, team: a }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: my-settings-x, namespace: apps, labels: { team: a }, annotations: { note: b } }
data: { K: v=w, a.conf: \"listen: 80\\n\", X: '1' }
",
    );
}

#[test]
fn patches_merge_by_the_keys_of_kubernetes() {
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml]\npatches:\n  - path: patch.yaml\n  - target: { kind: Deploy.*, name: web }\n    patch: |-\n      - op: replace\n        path: /spec/replicas\n        value: 2\n      - { op: add, path: /metadata/annotations, value: { a.b/c: d } }\n      - { op: remove, path: /spec/template/spec/volumes }\npatchesStrategicMerge:\n  - |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: web }\n    spec: { template: { spec: { hostNetwork: true } } }\n";
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec:\n  template:\n    spec:\n      containers:\n        - { name: web, image: 'nginx:2', env: [{ name: B, value: c }, { name: C, value: d }], ports: [{ containerPort: 80, name: http }] }\n        - { name: side, $patch: delete }\n        - { name: more, image: redis }\n";
    let files = [("k/kustomization.yml", kustomization), ("k/web.yaml", WEB), ("k/patch.yaml", patch)];
    becomes(
        &files,
        "apiVersion: apps/v1
kind: Deployment
metadata: { name: web, annotations: { a.b/c: d } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      hostNetwork: true
      containers:
        - { name: web, image: 'nginx:2', env: [{ name: B, value: c }, { name: C, value: d }, { name: A, value: a }], ports: [{ containerPort: 80, name: http }] }
        - { name: more, image: redis }
",
    );
    let inventory = translated_files(&files);
    assert_eq!(inventory.objects.len(), 3);
    let deployments: Vec<_> = inventory.objects.iter().filter(|object| object.kind == "Deployment").collect();
    let base = deployments.iter().find(|object| object.file == "k/web.yaml").unwrap();
    let image = base.fields.iter().flatten().find(|field| field.path.ends_with("containers[0].image")).unwrap();
    assert_eq!(image.to.as_deref(), Some("overridden by the patch at k/patch.yaml:1"));
    let patch = deployments.iter().find(|object| object.file == "k/patch.yaml").unwrap();
    let name = patch.fields.iter().flatten().find(|field| field.path == "metadata.name").unwrap();
    assert_eq!(name.disposition.as_str(), "replaced");
    assert_eq!(inventory.workloads.len(), 1, "a patch is no workload");
}

#[test]
fn bases_and_components_are_read_where_they_lie() {
    let base = "resources: [web.yaml]\n";
    let overlay = "namespace: one\nresources: [../../base]\ncomponents: [../../components/label]\n";
    let other = "namespace: two\nresources: [../../base]\n";
    let component =
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: { seen: 'yes' }\n";
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\n";
    let files = [
        ("base/kustomization.yaml", base),
        ("base/web.yaml", config),
        ("components/label/kustomization.yaml", component),
        ("overlays/one/kustomization.yaml", overlay),
        ("overlays/two/Kustomization", other),
    ];
    let made = objects(&files);
    assert_eq!(made.len(), 2, "{made:?}");
    assert!(made.first().unwrap().starts_with("one\n") && made.first().unwrap().contains("seen: "));
    assert!(made.last().unwrap().starts_with("two\n") && !made.last().unwrap().contains("seen: "));
}

#[test]
fn what_is_no_plain_list_is_asked_about_with_the_command() {
    let kustomization = "resources: [web.yaml, 'https://example.org/x?ref=v1', gone.yaml]\nhelmCharts: [{ name: a, repo: 'https://example.org' }]\npatches: [{ patch: '{ kind: Deployment, apiVersion: apps/v1, metadata: { name: other } }' }]\n";
    let inventory = translated_files(&[("k8s/kustomization.yaml", kustomization), ("k8s/web.yaml", WEB)]);
    for path in ["resources[1]", "resources[2]", "helmCharts[0].name", "patches[0].patch"] {
        let said = leaf(&inventory, "Kustomization", path);
        assert!(said.starts_with("needs-you ") && said.contains("`kustomize build -- k8s`"), "{path}: {said}");
    }
    assert!(leaf(&inventory, "Kustomization", "resources[0]").starts_with("replaced "));
}

#[test]
fn a_circle_ends() {
    let files = [("a/kustomization.yaml", "resources: [../b]\n"), ("b/kustomization.yaml", "resources: [../a]\n")];
    let inventory = translated_files(&files);
    assert_eq!(inventory.objects.len(), 2);
    let itself = translated_files(&[("a/kustomization.yaml", "resources: [., ../a]\nnamespace: x\n")]);
    assert_eq!(itself.totals.leaves, 3);
}

#[test]
fn flux_fills_in_names_and_moves_to_the_namespace() {
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: web, namespace: flux-system }\nspec:\n  path: ./kubernetes/apps/web\n  targetNamespace: apps\n  components: [../../components/volume]\n  postBuild: { substitute: { APP: web, SIZE: 5Gi }, substituteFrom: [{ kind: Secret, name: s }, { kind: ConfigMap, name: cluster }] }\n";
    let second =
        flux.replace("name: web,", "name: api,").replace("apps/web", "apps/api").replace("APP: web", "APP: api");
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: '${APP}' }\nspec: { resources: { requests: { storage: '${SIZE:=1Gi}' } } }\n";
    let config =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { zone: '${ZONE}', secret: '${SECRET}' }\n";
    let cluster = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: cluster, namespace: flux-system }\ndata: { ZONE: example.org }\n";
    let files = [
        ("home/kubernetes/flux/web.yaml", flux),
        ("home/kubernetes/flux/api.yaml", second.as_str()),
        ("home/kubernetes/flux/cluster.yaml", cluster),
        ("home/kubernetes/apps/web/kustomization.yaml", "resources: [c.yaml]\n"),
        ("home/kubernetes/apps/web/c.yaml", config),
        ("home/kubernetes/apps/api/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: api }\n"),
        (
            "home/kubernetes/components/volume/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [claim.yaml]\n",
        ),
        ("home/kubernetes/components/volume/claim.yaml", claim),
    ];
    let mut sources = Sources::default();
    let ids: Vec<_> = files.iter().map(|(path, text)| sources.add(*path, *text)).collect();
    let world = load(&sources, &ids).world;
    for name in ["web", "api"] {
        let claim = world.find("PersistentVolumeClaim", "apps", name).unwrap();
        assert_eq!(claim.tree().at(&["spec", "resources", "requests", "storage"]).unwrap().text(), Some("5Gi"));
    }
    let made = world.find("ConfigMap", "apps", "c").unwrap();
    assert_eq!(made.tree().at(&["data", "zone"]).unwrap().text(), Some("example.org"));
    assert_eq!(made.tree().at(&["data", "secret"]).unwrap().text(), Some("${SECRET}"));
    assert!(world.find("ConfigMap", "apps", "api").is_some());
    let inventory = translated_files(&files);
    assert!(leaf(&inventory, "Kustomization", "spec.postBuild.substitute.APP").starts_with("replaced "));
    assert!(leaf(&inventory, "Kustomization", "spec.postBuild.substituteFrom[0].name").starts_with("needs-you "));
}

#[test]
fn odd_kustomizations_are_no_reason_to_fall_over() {
    for text in [
        "resources: 5\n",
        "resources: [{ a: b }]\npatches: [1, {}, { path: [] }]\nimages: [{}]\nreplicas: [{ name: x }]\nlabels: [1]\ncommonLabels: [1]\nconfigMapGenerator: [{}, { name: x, literals: [nothing], files: [..] }]\ncomponents: [..]\n",
        "patches: [{ target: { name: '(' }, patch: '- op: add\n' }, { target: {}, patch: '[{ op: add, path: /a/b/-, value: 1 }]' }]\nresources: [a.yaml]\n",
    ] {
        translated_files(&[("k/kustomization.yaml", text), ("k/a.yaml", WEB)]);
    }
}

#[test]
fn an_object_that_a_patch_takes_away_is_none() {
    let kustomization = "resources: [web.yaml]\npatches: [{ path: gone.yaml }]\n";
    let gone = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\n$patch: delete\n";
    let files = [("k/kustomization.yaml", kustomization), ("k/web.yaml", WEB), ("k/gone.yaml", gone)];
    assert!(objects(&files).is_empty());
    let inventory = translated_files(&files);
    assert!(inventory.workloads.is_empty());
    assert_eq!(inventory.totals.needs_you, 0, "{:#?}", inventory.objects);
}
