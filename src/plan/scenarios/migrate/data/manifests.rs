//! What the copy makes in the cluster: the pod that reads a claim, and for `via = "snapshot"` the snapshot and its claim.
//!
//! Words that are known only when the copy runs stand as `@NODE@`, `@CLASS@`, `@SIZE@`, and are put in by `move.sh`, which looks
//! at them first.

use serde_json::{Value, json};

use super::super::kubectl::OURS;
use super::super::volume::Volume;
use crate::fleet::schema::migration::ReadVia;
use crate::resolve::Resolved;

/// The image of the pod that reads: Debian has find, tar, xargs and sha256sum of GNU, and perl, which reads extended attributes.
///
/// The tag is that of a release, which gets security fixes alone; it is not pinned by a digest, so that a cluster of any processor
/// finds its own.
const IMAGE: &str = "docker.io/library/debian:12-slim";

/// Returns the manifests of a volume: what each is called, and its text.
pub(super) fn of(fleet: &Resolved<'_>, volume: &Volume<'_>, pod: &str) -> Vec<(&'static str, String)> {
    let image = fleet.fleet.file.clusters.iter().find(|(name, _)| name.as_str() == volume.cluster.name);
    let image = image.and_then(|(_, cluster)| cluster.value.rescue_image.as_ref());
    let image = image.map_or_else(|| IMAGE.to_owned(), |image| image.value.to_string());
    let (key, value) = OURS.split_once('=').unwrap_or((OURS, ""));
    let metadata = |with: Value| {
        let mut all = json!({
            "name": pod,
            "namespace": volume.namespace,
            "labels": { (key): value },
        });
        if let (Some(all), Value::Object(with)) = (all.as_object_mut(), with) {
            all.extend(with);
        }
        all
    };
    let claim = if volume.def.via.value == ReadVia::Snapshot { pod } else { volume.claim() };
    let reader = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        // Nothing that others put beside containers: it would keep the volume.
        "metadata": metadata(json!({ "annotations": { "sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled" } })),
        "spec": reader(&image, claim),
    });
    let snapshot = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": metadata(json!({})),
        "spec": { "source": { "persistentVolumeClaimName": volume.claim() } },
    });
    let restored = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(json!({})),
        "spec": {
            "storageClassName": "@CLASS@",
            "accessModes": ["ReadWriteOnce"],
            "dataSource": { "apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": pod },
            "resources": { "requests": { "storage": "@SIZE@" } },
        },
    });
    match volume.def.via.value {
        ReadVia::Pod => vec![("pod", text(&reader))],
        ReadVia::Snapshot => {
            vec![("pod", text(&reader)), ("snapshot", text(&snapshot)), ("claim", text(&restored))]
        }
        ReadVia::Node | ReadVia::Nfs | ReadVia::Backup => Vec::new(),
    }
}

/// Returns the specification of the pod.
///
/// Root without rights reads only its own files; `DAC_OVERRIDE` is the one right that Pod Security `baseline` lets a pod have which
/// reads all. The claim is read-only for the container alone: a claim mounted read-only by the pod would be attached in another way
/// than its user's, which some drivers refuse.
fn reader(image: &str, claim: &str) -> Value {
    json!({
        "nodeName": "@NODE@",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "tolerations": [{ "operator": "Exists" }],
        "securityContext": { "runAsUser": 0, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{
            "name": "hostwright",
            "image": image,
            "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"],
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"], "add": ["DAC_OVERRIDE"] },
            },
            "resources": {
                "requests": { "cpu": "50m", "memory": "64Mi" },
                "limits": { "memory": "512Mi" },
            },
            "volumeMounts": [{ "name": "data", "mountPath": "/data", "readOnly": true }],
        }],
        "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": claim } }],
    })
}

fn text(object: &Value) -> String {
    format!("{object:#}\n")
}
