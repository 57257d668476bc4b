use crate::kubernetes::Inventory;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, SecretTo};
use crate::kubernetes::sample::{leaf, on, translated, with};

/// Returns a Deployment `web` in the namespace `apps` whose container has these mounts; flow style, `more` are further keys of the pod.
fn pod(mounts: &str, volumes: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web, namespace: apps }}\nspec:\n  template:\n    metadata: {{ labels: {{ app: web, tier: front }} }}\n    spec:\n      {more}\n      containers:\n      - {{ name: web, image: registry.example/web:1, volumeMounts: [{mounts}] }}\n      volumes: [{volumes}]\n---\n"
    )
}

/// How the keys of this module's questions begin.
const OURS: &[&str] = &[
    "volume-",
    "mount-",
    "sub-path-",
    "size",
    "key",
    "secret-",
    "field-",
    "read",
    "un",
    "block-",
    "propagation-",
    "found-",
];

/// Returns what a host keeps and a service reads, a line each, and the questions about it.
fn kept(inventory: &Inventory) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (name, draft) in &inventory.host.services {
        lines.push(format!("[{name}]"));
        lines.extend(draft.comments.iter().map(|comment| format!("# {comment}")));
        lines.extend(of_draft(draft));
    }
    for (name, dataset) in &inventory.host.datasets {
        let quota = dataset.quota.as_deref().unwrap_or("-");
        lines.push(format!("dataset {name} {} quota {quota} of {}", dataset.mount, dataset.claim));
    }
    for (path, mounted) in &inventory.host.filesystems {
        lines.push(format!("filesystem {path} {} {} {}", mounted.kind, mounted.device, mounted.options.join(",")));
    }
    lines.extend(inventory.host.secrets.iter().map(|(name, words)| format!("secret {name}: {words}")));
    for question in &inventory.questions {
        let key = question.id.split('#').nth(1).unwrap_or("");
        if OURS.iter().any(|ours| key.starts_with(ours)) {
            let blocks = if question.blocks { "!" } else { "" };
            lines.push(format!("?{blocks} {}: {}", question.id, question.question));
        }
    }
    lines.join("\n")
}

fn of_draft(draft: &Draft) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let container = draft.as_container().unwrap();
    for volume in &container.volumes {
        let end = if volume.read_only { ":ro" } else { "" };
        lines.push(format!("volume {}:{}{end}", volume.source, volume.target));
    }
    for (path, size) in &container.tmpfs {
        lines.push(format!("tmpfs {path} {}", size.as_deref().unwrap_or("-")));
    }
    lines.extend(container.shm_size.iter().map(|size| format!("shm-size {size}")));
    lines.extend(container.devices.iter().map(|path| format!("device {path}")));
    for state in &draft.state {
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
        let end = if state.rebuildable { " rebuildable" } else { "" };
        lines.push(format!(
            "state {} {}:{} {}{end}",
            state.path,
            word(&state.owner),
            word(&state.group),
            word(&state.mode)
        ));
    }
    for file in &draft.files {
        let text = String::from_utf8_lossy(&file.content);
        lines.push(format!("file {} {} {text:?}", file.path, file.mode.as_deref().unwrap_or("-")));
    }
    for secret in &draft.secrets {
        if let SecretTo::File { path, mode, owner } = &secret.to {
            lines.push(format!("secret-file {path} of {} mode {mode:?} owner {owner:?}", secret.name));
        }
    }
    if let Some(migration) = &draft.migration {
        for moved in &migration.volumes {
            lines.push(format!("moves {} to {} used {:?} owner {:?}", moved.claim, moved.to, moved.used, moved.owner));
        }
        lines.extend(migration.leave.iter().map(|(claim, reason)| format!("leaves {claim}: {reason}")));
    }
    lines
}

const CLAIM: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data, namespace: apps }\nspec: { accessModes: [ReadWriteOnce], storageClassName: local-path, resources: { requests: { storage: 20Gi } } }\n";

#[test]
fn a_claim_becomes_a_dataset_of_its_size_with_the_owner_of_the_pod() {
    let yaml = pod(
        "{ name: data, mountPath: /data }, { name: data, mountPath: /etc/web, subPath: conf, readOnly: true }, { name: data, mountPath: /app/x.json, subPath: x.json }",
        "{ name: data, persistentVolumeClaim: { claimName: data } }",
        "securityContext: { runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000 }",
    );
    let inventory = translated(&format!("{yaml}{CLAIM}"));
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    volume /var/lib/web:/data
    volume /var/lib/web/conf:/etc/web:ro
    volume /var/lib/web/x.json:/app/x.json
    state /var/lib/web/conf 1000:3000 2770
    state /var/lib/web 1000:3000 2770
    moves data to /var/lib/web used None owner Some("1000")
    dataset safe/web /var/lib/web quota 20GiB of apps/data
    "#);
    assert_eq!(
        leaf(&inventory, "PersistentVolumeClaim", "spec.resources.requests.storage"),
        "translated zfs.pools.rpool.datasets.safe/web.quota"
    );
    let entry = inventory.claims.first().unwrap();
    assert_eq!((entry.requested, entry.via), (Some(20 << 30), crate::kubernetes::claims::Via::Node));
    assert_eq!(entry.workloads, ["apps/Deployment/web"]);
}

#[test]
fn a_part_of_a_claim_whose_owner_is_not_known_comes_with_its_data() {
    let yaml = pod(
        "{ name: data, mountPath: /data, subPath: sub }",
        "{ name: data, persistentVolumeClaim: { claimName: data } }",
        "",
    );
    let inventory = translated(&format!("{yaml}{CLAIM}"));
    let draft = &inventory.host.services["web"];
    assert_eq!(draft.as_container().unwrap().volumes[0].source, "/var/lib/web/sub");
    let paths: Vec<&str> = draft.state.iter().map(|state| state.path.as_str()).collect();
    assert_eq!(paths, ["/var/lib/web"]);
}

#[test]
fn without_datasets_a_claim_becomes_a_directory() {
    let yaml =
        pod("{ name: data, mountPath: /data }", "{ name: data, persistentVolumeClaim: { claimName: data } }", "");
    let inventory = with(&format!("{yaml}{CLAIM}"), |target| target.datasets = None);
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    volume /var/lib/web:/data
    state /var/lib/web -:- 0755
    moves data to /var/lib/web used None owner None
    "#);
}

#[test]
fn a_claim_that_holds_more_than_it_asks_for_is_a_question_whose_answer_is_the_quota() {
    let yaml =
        pod("{ name: data, mountPath: /data }", "{ name: data, persistentVolumeClaim: { claimName: data } }", "");
    let yaml = format!("{yaml}{CLAIM}");
    let used = |target: &mut crate::kubernetes::context::Target<'_>| {
        target.used.insert("apps/data".to_owned(), "38GiB".parse().unwrap());
    };
    insta::assert_snapshot!(kept(&with(&yaml, used)), @r#"
    [web]
    volume /var/lib/web:/data
    state /var/lib/web -:- -
    moves data to /var/lib/web used Some("38GiB") owner None
    dataset safe/web /var/lib/web quota - of apps/data
    ? apps/PersistentVolumeClaim/data#size: the claim asks for 20 GiB and holds 38 GiB already: how much may it hold on the host? (a size such as `20GiB`)
    "#);
    let answered = with(&yaml, |target| {
        used(target);
        target.answers.insert("apps/PersistentVolumeClaim/data#size".to_owned(), "60Gi".to_owned());
    });
    assert_eq!(answered.host.datasets["safe/web"].quota.as_deref(), Some("60GiB"));
    assert!(answered.questions.iter().all(|question| !question.id.ends_with("#size")));
}

#[test]
fn several_claims_of_a_workload_are_told_apart_and_one_that_several_mount_is_made_once() {
    let first = pod(
        "{ name: a, mountPath: /data }, { name: b, mountPath: /media }",
        "{ name: a, persistentVolumeClaim: { claimName: web-config } }, { name: b, persistentVolumeClaim: { claimName: media, readOnly: true } }",
        "",
    );
    let second = pod("{ name: b, mountPath: /media }", "{ name: b, persistentVolumeClaim: { claimName: media } }", "");
    let claims = CLAIM.replace("name: data", "name: web-config")
        + "---\n"
        + &CLAIM.replace("name: data", "name: media").replace("ReadWriteOnce", "ReadWriteMany");
    let inventory = translated(&format!("{first}{}{claims}", second.replace("name: web,", "name: other,")));
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    volume /var/lib/web/config:/data
    volume /var/lib/media:/media:ro
    state /var/lib/web/config -:- -
    state /var/lib/media -:- -
    moves web-config to /var/lib/web/config used None owner None
    moves media to /var/lib/media used None owner None
    [other]
    volume /var/lib/media:/media
    dataset safe/web-config /var/lib/web/config quota 20GiB of apps/web-config
    dataset safe/media /var/lib/media quota 20GiB of apps/media
    "#);
}

#[test]
fn a_stateful_set_has_the_claims_of_its_first_replica() {
    let yaml = pod("{ name: data, mountPath: /data }", "", "").replace("Deployment", "StatefulSet").replace(
        "spec:\n  template:",
        "spec:\n  replicas: 2\n  volumeClaimTemplates:\n  - { metadata: { name: data }, spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } } }\n  - { metadata: { name: wal }, spec: { resources: { requests: { storage: nonsense } } } }\n  template:",
    ).replace("volumeMounts: [", "volumeMounts: [{ name: wal, mountPath: /wal }, ");
    insta::assert_snapshot!(kept(&translated(&yaml)), @r#"
    [web]
    volume /var/lib/web/wal:/wal
    volume /var/lib/web/data:/data
    state /var/lib/web/data -:- -
    state /var/lib/web/wal -:- -
    moves data-web-0 to /var/lib/web/data used None owner None
    moves wal-web-0 to /var/lib/web/wal used None owner None
    dataset safe/web-data /var/lib/web/data quota 1GiB of apps/data-web-0
    dataset safe/web-wal /var/lib/web/wal quota - of apps/wal-web-0
    ? apps/StatefulSet/web#size-wal-web-0: this is no quantity of Kubernetes: how much may the claim hold? (a size such as `20GiB`)
    "#);
    let answered = with(&yaml, |target| {
        target.answers.insert("apps/StatefulSet/web#replicas".to_owned(), "yes".to_owned());
        target.answers.insert("apps/StatefulSet/web#size-wal-web-0".to_owned(), "4GiB".to_owned());
    });
    assert_eq!(answered.host.datasets["safe/web-wal"].quota.as_deref(), Some("4GiB"));
    let leave = &answered.host.services["web"].migration.as_ref().unwrap().leave;
    let left: Vec<&str> = leave.iter().map(|(claim, _)| claim.as_str()).collect();
    assert_eq!(left, ["wal-web-1", "data-web-1"]);
    let further = CLAIM.replace("name: data", "name: data-web-1");
    let further = translated(&format!("{yaml}{further}"));
    let said = leaf(&further, "PersistentVolumeClaim", "spec.storageClassName");
    assert!(said.starts_with("needs-you it belongs to a further replica of the StatefulSet web"), "{said}");
}

#[test]
fn an_nfs_volume_is_mounted_where_it_is_and_its_claim_stays() {
    let yaml = pod(
        "{ name: media, mountPath: /media }, { name: inline, mountPath: /inline, readOnly: true }",
        "{ name: media, persistentVolumeClaim: { claimName: data } }, { name: inline, nfs: { server: nas.lan, path: /export/media } }",
        "",
    );
    let volume = "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: { name: media }\nspec: { capacity: { storage: 1Ti }, accessModes: [ReadWriteMany], persistentVolumeReclaimPolicy: Delete, mountOptions: [nfsvers=4.1, 'hard,noatime'], claimRef: { namespace: apps, name: data }, nfs: { server: 10.0.0.2, path: /tank/media } }\n";
    let inventory = translated(&format!("{yaml}{CLAIM}{volume}"));
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    volume /mnt/web:/media
    volume /mnt/web-inline:/inline:ro
    leaves data: it stays on 10.0.0.2:/tank/media, which this host mounts
    filesystem /mnt/web nfs 10.0.0.2:/tank/media nfsvers=4.1,hard,noatime
    filesystem /mnt/web-inline nfs nas.lan:/export/media
    "#);
    let entry = inventory.claims.first().unwrap();
    assert_eq!((entry.volume.as_deref(), entry.reclaim.as_deref()), (Some("media"), Some("Delete")));
    assert_eq!(
        leaf(&inventory, "PersistentVolume", "spec.persistentVolumeReclaimPolicy"),
        "replaced the step `retain` of the plan, before anything is stopped|the cluster would throw the data away with its claim"
    );
    assert_eq!(leaf(&inventory, "PersistentVolume", "spec.mountOptions[0]"), "translated filesystems./mnt/web.options");
}

#[test]
fn a_volume_of_a_node_says_which_node_holds_the_data_and_one_of_a_driver_is_a_question() {
    let yaml =
        pod("{ name: data, mountPath: /data }", "{ name: data, persistentVolumeClaim: { claimName: data } }", "");
    let volume = |source: &str| {
        format!(
            "{yaml}{}---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {{ name: pv }}\nspec: {{ storageClassName: local-path, {source} }}\n",
            CLAIM.replace("spec: {", "spec: { volumeName: pv,")
        )
    };
    let local = translated(&volume(
        "local: { path: /mnt/disk1 }, nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [kuiper] }] }] } }",
    ));
    let entry = local.claims.first().unwrap();
    assert_eq!(
        (entry.node.as_deref(), entry.lies.as_deref()),
        (Some("kuiper"), Some("on the node kuiper in /mnt/disk1"))
    );
    let iscsi =
        translated(&volume("iscsi: { targetPortal: '10.0.0.2:3260', iqn: 'iqn.2005-10.org.example:x', lun: 0 }"));
    assert!(
        leaf(&iscsi, "PersistentVolume", "spec.iscsi.iqn")
            .starts_with("needs-you the data of this volume lies on an iSCSI target")
    );
    assert!(
        iscsi.questions.iter().any(|question| question.id == "default/PersistentVolume/pv#read" && question.blocks)
    );
}

#[test]
fn what_begins_empty_lies_in_memory_where_it_is_small_and_else_where_it_can_be_thrown_away() {
    let yaml = pod(
        "{ name: tmp, mountPath: /tmp }, { name: mem, mountPath: /scratch }, { name: small, mountPath: /small }, { name: cache, mountPath: /var/cache/web }, { name: shm, mountPath: /dev/shm }, { name: pages, mountPath: /huge }, { name: pvc, mountPath: /work }",
        "{ name: tmp, emptyDir: {} }, { name: mem, emptyDir: { medium: Memory, sizeLimit: 2Gi } }, { name: small, emptyDir: { sizeLimit: 10Mi } }, { name: cache, emptyDir: { sizeLimit: 50Gi } }, { name: shm, emptyDir: { medium: Memory } }, { name: pages, emptyDir: { medium: HugePages-2Mi } }, { name: pvc, ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: 5Gi } } } } } }, { name: forgotten, emptyDir: {} }",
        "",
    );
    let inventory = translated(&yaml);
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    volume /var/cache/web/cache:/var/cache/web
    volume /var/cache/web/pvc:/work
    tmpfs /tmp -
    tmpfs /scratch 2GiB
    tmpfs /small 10MiB
    shm-size 0B
    state /var/cache/web/cache -:- 0777 rebuildable
    state /var/cache/web/pvc -:- 0777 rebuildable
    ?! apps/Deployment/web#volume-pages: the volume lies in huge pages, which the host has to set aside: which path of the host takes its place, or `none`?
    "#);
    assert_eq!(leaf(&inventory, "Deployment", "spec.template.spec.volumes[7].name"), "dropped no container mounts it");
}

#[test]
fn containers_of_a_pod_share_what_begins_empty_and_init_containers_that_only_give_it_away_are_an_owner() {
    let yaml = pod(
        "{ name: shared, mountPath: /shared }, { name: data, mountPath: /data }",
        "{ name: shared, emptyDir: {} }, { name: data, persistentVolumeClaim: { claimName: data } }",
        "initContainers:\n      - { name: own, image: busybox, command: [sh, -c, 'mkdir -p /d/sub && chown -R 1000:1000 /d; chmod 700 /d/sub'], volumeMounts: [{ name: data, mountPath: /d }] }\n      - { name: seed, image: registry.example/seed:1, volumeMounts: [{ name: shared, mountPath: /out }] }",
    );
    let inventory = translated(&format!("{yaml}{CLAIM}"));
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    volume /var/cache/web/shared:/shared
    volume /var/lib/web:/data
    state /var/cache/web/shared -:- 0777 rebuildable
    state /var/lib/web/sub 1000:1000 0700
    state /var/lib/web 1000:1000 -
    moves data to /var/lib/web used None owner Some("1000")
    [web-seed]
    # Runs to its end before each start of web, in the same networks but not at its address.
    volume /var/cache/web/shared:/out
    dataset safe/web /var/lib/web quota 20GiB of apps/data
    "#);
}

#[test]
fn paths_of_the_node_are_data_devices_or_questions() {
    let yaml = pod(
        "{ name: a, mountPath: /media }, { name: b, mountPath: /dev/ttyUSB0 }, { name: c, mountPath: /var/run/docker.sock }, { name: d, mountPath: /etc/localtime, readOnly: true }, { name: e, mountPath: /host }, { name: f, mountPath: /dev/stick }, { name: g, mountPath: /etc/timezone }, { name: h, mountPath: /x, mountPropagation: Bidirectional }, { name: i, mountPath: /y, subPathExpr: $(POD) }",
        "{ name: a, hostPath: { path: /mnt/media/, type: DirectoryOrCreate } }, { name: b, hostPath: { path: /dev/ttyUSB0, type: CharDevice } }, { name: c, hostPath: { path: /var/run/docker.sock } }, { name: d, hostPath: { path: /etc/localtime } }, { name: e, hostPath: { path: / } }, { name: f, hostPath: { path: /dev/ttyACM0 } }, { name: g, hostPath: { path: /etc/timezone } }, { name: h, hostPath: { path: /srv/x } }, { name: i, hostPath: { path: '${PATH}' } }",
        "",
    );
    insta::assert_snapshot!(kept(&translated(&yaml)), @r#"
    [web]
    # /mnt/media lay on a node of the cluster: what it holds has to come along
    # /srv/x lay on a node of the cluster: what it holds has to come along
    volume /mnt/media:/media
    volume /etc/localtime:/etc/localtime:ro
    volume /srv/x:/x
    device /dev/ttyUSB0
    state /mnt/media -:- 0755
    ?! apps/Deployment/web#volume-c: `/var/run/docker.sock` of the node: the program drives the containers of the node through this socket: what does it do there, and does it have to on the host? Whoever has the socket has the host
    ?! apps/Deployment/web#volume-e: `/` of the node: the program gets the whole node: does it need the whole host? What for?
    ?! apps/Deployment/web#volume-f: `/dev/ttyACM0` of the node is a device that the container finds under another name, which is not carried over: can the program be told the device's own name?
    ?! apps/Deployment/web#sub-path-web-i: which directory of the volume `i` is it? Its name is put together of variables when the pod starts
    ? apps/Deployment/web#propagation-web-h: mounts that are made below the volume `h` while the container runs are to be seen on the other side: is this needed on the host?
    "#);
    let answered = with(&yaml, |target| {
        target.answers.insert("apps/Deployment/web#volume-c".to_owned(), "/run/podman/podman.sock".to_owned());
        target.answers.insert("apps/Deployment/web#volume-e".to_owned(), "none".to_owned());
    });
    let text = kept(&answered);
    assert!(text.contains("volume /run/podman/podman.sock:/var/run/docker.sock"), "{text}");
    assert!(!text.contains("#volume-e"), "{text}");
}

#[test]
fn keys_of_config_maps_become_files_and_keys_that_nobody_reads_are_named() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: conf, namespace: apps }\ndata: { app.yaml: 'a: 1', run.sh: 'exec web', left: over }\nbinaryData: { logo.png: iVBORw== , bad: '***' }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: alone, namespace: apps }\ndata: { x: y }\n";
    let yaml = pod(
        "{ name: items, mountPath: /etc/web }, { name: one, mountPath: /etc/one.yaml, subPath: app.yaml }, { name: none, mountPath: /none }, { name: gone, mountPath: /gone }, { name: sub, mountPath: /sub, subPath: missing }",
        "{ name: items, configMap: { name: conf, defaultMode: 0755, items: [{ key: run.sh, path: bin/run.sh }, { key: logo.png, path: logo.png, mode: 420 }, { key: bad, path: bad }] } }, { name: one, configMap: { name: conf, items: [{ key: app.yaml, path: app.yaml }] } }, { name: none, configMap: { name: absent, optional: true } }, { name: gone, configMap: { name: gone } }, { name: sub, configMap: { name: alone } }",
        "",
    );
    let inventory = translated(&format!("{yaml}{map}"));
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    file /etc/web/bin/run.sh 0755 "exec web"
    file /etc/web/logo.png - "�PNG"
    file /etc/one.yaml - "a: 1"
    ?! apps/ConfigMap/conf#key-bad: the key `bad` is no text that base64 gives: what should the file hold?
    ?! apps/Deployment/web#volume-gone: the ConfigMap `gone` is not among the input: what does it hold? Add it to the input, or name a directory of the host with its files
    ?! apps/Deployment/web#sub-path-web-sub: the volume has no file of the name in `subPath`: which one should be mounted here?
    "#);
    assert_eq!(leaf(&inventory, "ConfigMap", "data.left"), "dropped no workload of the input reads this key");
    assert_eq!(leaf(&inventory, "ConfigMap", "data[\"app.yaml\"]"), "translated services.web.files");
    let at = leaf(&inventory, "Deployment", "spec.template.spec.containers[0].volumeMounts[0].mountPath");
    assert!(at.contains("what else the image has in /etc/web stays visible"), "{at}");
}

#[test]
fn a_projected_volume_is_split_by_its_sources() {
    let yaml = pod(
        "{ name: all, mountPath: /all }, { name: info, mountPath: /info }",
        "{ name: all, projected: { defaultMode: 256, sources: [{ configMap: { name: conf } }, { secret: { name: login, items: [{ key: password, path: pw }] } }, { serviceAccountToken: { path: token } }, { downwardAPI: { items: [{ path: name, fieldRef: { fieldPath: metadata.name } }] } }] } }, { name: info, downwardAPI: { items: [{ path: labels, fieldRef: { fieldPath: metadata.labels } }, { path: tier, fieldRef: { fieldPath: \"metadata.labels['tier']\" } }, { path: ip, fieldRef: { fieldPath: status.podIP } }] } }",
        "",
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: conf, namespace: apps }\ndata: { a: b }\n";
    let inventory = translated(&format!("{yaml}{map}"));
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    file /all/a 0400 "b"
    file /all/name 0400 "web"
    file /info/labels - "app=\"web\"\ntier=\"front\""
    file /info/tier - "front"
    secret-file /all/pw of apps-login-password mode Some("0400") owner None
    secret apps-login-password: key password of the Secret login in the namespace apps
    ? apps/Deployment/web#field-web-ip: `ip` tells the program something that only the cluster knows: what should it hold on the host?
    "#);
    assert!(
        leaf(&inventory, "Deployment", "spec.template.spec.volumes[0].projected.sources[2].serviceAccountToken.path")
            .starts_with("dropped it leads to the API")
    );
}

#[test]
fn volumes_of_drivers_are_questions_but_those_of_nfs() {
    let yaml = pod(
        "{ name: a, mountPath: /a }, { name: b, mountPath: /b }, { name: c, mountPath: /c }, { name: d, mountPath: /d }",
        "{ name: a, csi: { driver: nfs.csi.k8s.io, volumeAttributes: { server: nas, share: /a, mountOptions: 'nfsvers=4' } } }, { name: b, csi: { driver: secrets-store.csi.k8s.io } }, { name: c, cephfs: { monitors: [x] } }, { name: d, nfs: { server: '${NAS}', path: /d } }",
        "",
    );
    insta::assert_snapshot!(kept(&translated(&yaml)), @r#"
    [web]
    volume /mnt/web-a:/a
    filesystem /mnt/web-a nfs nas:/a nfsvers=4
    ?! apps/Deployment/web#volume-b: its files are secrets of another store, which have to be filled in on the host: which path of the host takes its place? `none` leaves it out
    ?! apps/Deployment/web#volume-c: its data lies in CephFS: which path of the host takes its place? `none` leaves it out
    ?! apps/Deployment/web#volume-d: the server or the path of the export is still to be filled in: which path of the host takes its place?
    "#);
}

#[test]
fn values_of_secrets_are_in_no_output() {
    let (plain, packed) = ("planted-Zx81-value", "cGxhbnRlZC1aeDgxLXZhbHVl");
    let secrets = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: login, namespace: apps }}\ndata: {{ password: {packed} }}\nstringData: {{ token: {plain}, lines: 'a\n\n  {plain}' }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: pull, namespace: apps }}\ntype: kubernetes.io/dockerconfigjson\ndata: {{ .dockerconfigjson: {packed} }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: sh.helm.release.v1.web.v1, namespace: apps }}\ntype: helm.sh/release.v1\ndata: {{ release: {packed} }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: odd, namespace: apps }}\ndata: {{ nested: {{ deep: {plain} }}, list: [{plain}] }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: keyed, namespace: apps }}\ndata: {{ id: \"-----BEGIN OPENSSH PRIVATE KEY-----\\n{plain}\\n-----END OPENSSH PRIVATE KEY-----\" }}\n---\n"
    );
    let yaml = pod(
        "{ name: s, mountPath: /s }, { name: one, mountPath: /token, subPath: token }, { name: p, mountPath: /p }, { name: k, mountPath: /k }, { name: gone, mountPath: /gone }",
        "{ name: s, secret: { secretName: login, defaultMode: 256 } }, { name: one, secret: { secretName: login } }, { name: p, projected: { sources: [{ secret: { name: login } }] } }, { name: k, configMap: { name: keyed } }, { name: gone, secret: { secretName: gone } }",
        "securityContext: { runAsUser: 1000 }",
    );
    let inventory = translated(&format!("{secrets}{yaml}"));
    insta::assert_snapshot!(kept(&inventory), @r#"
    [web]
    secret-file /s/password of apps-login-password mode Some("0400") owner Some("1000")
    secret-file /s/token of apps-login-token mode Some("0400") owner Some("1000")
    secret-file /s/lines of apps-login-lines mode Some("0400") owner Some("1000")
    secret-file /token of apps-login-token mode None owner Some("1000")
    secret-file /p/password of apps-login-password mode None owner Some("1000")
    secret-file /p/token of apps-login-token mode None owner Some("1000")
    secret-file /p/lines of apps-login-lines mode None owner Some("1000")
    secret-file /k/id of apps-keyed-id mode None owner Some("1000")
    secret apps-login-password: key password of the Secret login in the namespace apps
    secret apps-login-token: key token of the Secret login in the namespace apps
    secret apps-login-lines: key lines of the Secret login in the namespace apps
    secret apps-keyed-id: key id of the ConfigMap keyed in the namespace apps
    ?! apps/ConfigMap/keyed#key-id: it holds a private key, which would land in the store for everybody to read: put the file into the secret `apps-keyed-id`
    ?! apps/Deployment/web#secret-gone: the Secret `gone` is not among the input: which keys has it? `kubectl describe secret -n apps gone` shows them without their values
    ?! apps/Secret/login#keys: fill in what `web` gets of the Secret `login`, which holds `password`, `token`, `lines`
    ? apps/Secret/pull#keys: no workload of the input uses the Secret `pull` (the login of a registry): is it still needed?
    ? apps/Secret/odd#keys: no workload of the input uses the Secret `odd` (`nested`, `list`): is it still needed?
    "#);
    let outputs = [
        format!("{:?}", inventory.host),
        format!("{:?}", inventory.questions),
        format!("{:?}", inventory.found),
        serde_json::to_string(&inventory.objects).unwrap(),
        serde_json::to_string(&inventory.claims).unwrap(),
    ];
    for output in outputs {
        assert!(!output.contains(plain) && !output.contains(packed), "{output}");
    }
}

#[test]
fn keys_of_an_unknown_secret_are_asked_for_and_the_answer_makes_the_files() {
    let yaml = pod("{ name: gone, mountPath: /gone }", "{ name: gone, secret: { secretName: gone } }", "");
    let answered = with(&yaml, |target| {
        target.answers.insert("apps/Deployment/web#secret-gone".to_owned(), "user, password".to_owned());
    });
    let names: Vec<&str> = answered.host.services["web"].secrets.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["apps-gone-user", "apps-gone-password"]);
    let sealed = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: { name: gone, namespace: apps }\nspec: { encryptedData: { key: AgBy3i4OJSWK } }\n";
    let sealed = translated(&format!("{yaml}{sealed}"));
    assert_eq!(sealed.host.services["web"].secrets[0].name, "apps-gone-key");
}

#[test]
fn a_claim_is_bound_to_the_only_volume_of_its_class_or_labels_and_to_none_where_two_would_do() {
    let yaml =
        pod("{ name: data, mountPath: /data }", "{ name: data, persistentVolumeClaim: { claimName: data } }", "");
    let volume = |name: &str, labels: &str, class: &str| {
        format!(
            "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {{ name: {name}, labels: {{ {labels} }} }}\nspec: {{ storageClassName: '{class}', capacity: {{ storage: 30Gi }}, persistentVolumeReclaimPolicy: Retain, hostPath: {{ path: /{name} }} }}\n"
        )
    };
    let bound = |claim: &str, volumes: &[String]| {
        let inventory = translated(&format!("{yaml}{claim}{}", volumes.concat()));
        inventory.claims.first().unwrap().volume.clone()
    };
    let (manual, labelled) = (
        CLAIM.replace("local-path", "manual"),
        CLAIM.replace("storageClassName: local-path", "storageClassName: '', selector: { matchLabels: { app: web } }"),
    );
    let one = volume("one", "", "manual");
    let two = volume("two", "app: web", "");
    let three = volume("three", "", "manual");
    assert_eq!(bound(&manual, &[one.clone(), two.clone()]).as_deref(), Some("one"));
    assert_eq!(bound(&labelled, &[one.clone(), two.clone()]).as_deref(), Some("two"));
    assert_eq!(bound(&manual, &[one.clone(), three]), None);
    assert_eq!(bound(&manual, &[one.replace("30Gi", "5Gi")]), None);
}

#[test]
fn a_claim_that_nobody_mounts_makes_no_dataset_whatever_it_is_bound_to() {
    let volume = "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: { name: pv }\nspec: { claimRef: { namespace: apps, name: data }, hostPath: { path: /x } }\n";
    let inventory = translated(&format!("{CLAIM}{volume}"));
    assert!(inventory.host.datasets.is_empty());
    assert_eq!(inventory.claims.first().unwrap().volume.as_deref(), Some("pv"));
    let said = leaf(&inventory, "PersistentVolume", "spec.hostPath.path");
    assert_eq!(said, "needs-you what becomes of its claim apps/data is a question of its own");
}

#[test]
fn a_device_without_a_file_system_is_a_question() {
    let yaml =
        pod("{ name: data, mountPath: /data }", "{ name: data, persistentVolumeClaim: { claimName: data } }", "");
    let claim = CLAIM.replace("spec: {", "spec: { volumeMode: Block,");
    let device = yaml.replace(
        "volumeMounts: [{ name: data, mountPath: /data }]",
        "volumeDevices: [{ name: data, devicePath: /dev/xvda }]",
    );
    for yaml in [yaml, device] {
        let inventory = translated(&format!("{yaml}{claim}"));
        assert!(inventory.host.datasets.is_empty());
        let question = inventory.questions.iter().find(|question| question.id == "apps/Deployment/web#volume-data");
        assert!(question.is_some_and(|question| question.blocks));
    }
}

#[test]
fn how_the_cluster_keeps_data_says_how_it_is_read() {
    let class = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: { name: fast, annotations: { storageclass.kubernetes.io/is-default-class: 'true' } }\nprovisioner: driver.longhorn.io\nallowVolumeExpansion: true\nvolumeBindingMode: Immediate\nparameters: { numberOfReplicas: '2' }\n---\n";
    let snapshots = "apiVersion: snapshot.storage.k8s.io/v1\nkind: VolumeSnapshot\nmetadata: { name: s }\nspec: { source: { persistentVolumeClaimName: data } }\n---\napiVersion: snapshot.storage.k8s.io/v1\nkind: VolumeSnapshotClass\nmetadata: { name: c }\ndriver: driver.longhorn.io\ndeletionPolicy: Delete\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: { name: lost }\nspec: { storageClassName: manual, hostPath: { path: /x } }\n---\n";
    let claim = CLAIM.replace("storageClassName: local-path, ", "");
    let inventory = translated(&format!("{class}{snapshots}{claim}"));
    let entry = inventory.claims.first().unwrap();
    assert_eq!(entry.reclaim.as_deref(), Some("Delete"));
    assert_eq!(entry.lies.as_deref(), Some("in Longhorn, whose replicas only Longhorn reads"));
    assert_eq!((entry.dataset.as_deref(), entry.mount.as_deref()), (None, None));
    let said = [
        leaf(&inventory, "StorageClass", "provisioner"),
        leaf(&inventory, "StorageClass", "parameters.numberOfReplicas"),
        leaf(&inventory, "VolumeSnapshotClass", "driver"),
        leaf(&inventory, "VolumeSnapshot", "spec.source.persistentVolumeClaimName"),
        leaf(&inventory, "PersistentVolume", "spec.hostPath.path"),
        leaf(&inventory, "PersistentVolumeClaim", "spec.accessModes[0]"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    replaced the copy of each claim by a pod that mounts it while its workload is stopped|data of this class lies in Longhorn, whose replicas only Longhorn reads
    dropped they say how the cluster makes volumes: a dataset has properties of its own
    replaced snapshots of datasets
    dropped an old state of a volume, which stays in the cluster: the data moves as it is, and snapshots of its dataset begin anew
    needs-you no claim of the input is bound to this volume: does it hold data that has to come along, and for whom?
    needs-you no workload of the input mounts this claim: does it hold data that has to come along, and for whom?
    "#);
}

#[test]
fn a_module_may_keep_a_claim_elsewhere_and_what_shares_it_follows() {
    let yaml = pod(
        "{ name: data, mountPath: /data, subPath: a }",
        "{ name: data, persistentVolumeClaim: { claimName: data } }",
        "",
    );
    on(
        &format!("{yaml}{CLAIM}"),
        |_| {},
        |world, target| {
            let mut cx = Cx::new(world, target);
            crate::kubernetes::translate::run(&mut cx);
            assert_eq!(cx.claim_mount("apps", "data").as_deref(), Some("/var/lib/web"));
            cx.redirect_claim("apps", "data", "/var/lib/module");
            assert_eq!(cx.claim_mount("apps", "data").as_deref(), Some("/var/lib/module"));
            let volumes = &cx.host.services["web"].as_container().unwrap().volumes;
            assert_eq!(volumes[0].source, "/var/lib/module/a");
        },
    );
}
