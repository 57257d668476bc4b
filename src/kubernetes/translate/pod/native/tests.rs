//! Pods that modules take the place of, and pods that stay containers, with the reason.

use std::fmt::Write as _;

use crate::facts::Facts;
use crate::fleet::schema::module_file::FileFormat;
use crate::kubernetes::Inventory;
use crate::kubernetes::draft::{SecretTo, WorkDraft};
use crate::kubernetes::sample::{self, leaf, with};

/// A Deployment of one container, with lines of the container and of the pod in flow style.
fn pod(name: &str, image: &str, container: &str, volumes: &str) -> String {
    let container = if container.is_empty() { String::new() } else { format!(", {container}") };
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name} }}\nspec:\n  template:\n    spec:\n      volumes: [{volumes}]\n      \
         containers: [{{ name: main, image: '{image}'{container} }}]\n"
    )
}

/// A claim and its volume.
const DATA: &str = "{ name: data, persistentVolumeClaim: { claimName: data } }";

fn on_newest(yaml: &str, answers: &[(&str, &str)]) -> Inventory {
    with(yaml, |target| {
        target.release = "26.11pre".parse().ok();
        target.answers = answers.iter().map(|(id, answer)| ((*id).to_owned(), (*answer).to_owned())).collect();
    })
}

/// Returns what the first workload becomes, in a few lines.
fn shown(inventory: &Inventory) -> String {
    let mut out = String::new();
    for (name, draft) in &inventory.host.services {
        match &draft.work {
            WorkDraft::Container(_) => {
                writeln!(out, "[{name}] container: {}", draft.why_container.as_deref().unwrap_or("-")).unwrap();
                continue;
            }
            WorkDraft::Native(native) => {
                let package = native.package.as_deref().map(|package| format!(" {package}")).unwrap_or_default();
                writeln!(out, "[{name}] {}{package}", native.module).unwrap();
                for (option, value) in &native.options {
                    writeln!(out, "{option} = {value}").unwrap();
                }
            }
        }
        for secret in &draft.secrets {
            if let SecretTo::Option(key) = &secret.to {
                writeln!(out, "secret {key} = {}", secret.name).unwrap();
            }
        }
        for moved in draft.migration.iter().flat_map(|migration| &migration.volumes) {
            let below = moved.sub_path.as_ref().map(|below| format!("/{below}")).unwrap_or_default();
            let dump = moved.dump.map(|dump| format!(" dump {dump}")).unwrap_or_default();
            let owner = moved.owner.as_deref().unwrap_or("-");
            let only = if moved.paths.is_empty() { String::new() } else { format!(" only {}", moved.paths.join(",")) };
            writeln!(out, "claim {}{below} -> {} owner {owner}{dump}{only}", moved.claim, moved.to).unwrap();
        }
        for comment in draft.comments.iter().filter(|comment| comment.contains("lays its data")) {
            writeln!(out, "# {comment}").unwrap();
        }
    }
    for question in &inventory.questions {
        let id = question.id.split('#').next_back().unwrap_or_default();
        writeln!(out, "? {id}{}", if question.blocks { " blocks" } else { "" }).unwrap();
    }
    out
}

fn of(image: &str, container: &str, volumes: &str) -> String {
    shown(&on_newest(&pod("web", image, container, volumes), &[]))
}

fn why(image: &str, container: &str, volumes: &str) -> String {
    let text = of(image, container, volumes);
    text.lines()
        .next()
        .unwrap_or("")
        .strip_prefix("[web] container: ")
        .map_or_else(|| format!("native: {text}"), str::to_owned)
}

#[test]
fn a_pod_becomes_the_module_that_does_all_that_it_does() {
    insta::assert_snapshot!(of(
        "gitea/gitea:1.22.3",
        "env: [{ name: DB_TYPE, value: sqlite3 }, { name: GITEA__server__HTTP_PORT, value: '3000' }, { name: GITEA__service__DISABLE_REGISTRATION, value: 'true' }, { name: USER_UID, value: '1000' }, { name: TZ, value: Europe/Berlin }, { name: GITEA__mailer__PASSWD, valueFrom: { secretKeyRef: { name: mail, key: password } } }], volumeMounts: [{ name: data, mountPath: /data }]",
        DATA
    ), @r#"
    [web] gitea
    database.type = "sqlite3"
    settings.server.HTTP_PORT = 3000
    settings.service.DISABLE_REGISTRATION = true
    secret mailer-password = default-mail-password
    claim data/git/repositories -> /var/lib/gitea/repositories owner gitea
    claim data/gitea -> /var/lib/gitea/data owner gitea
    claim data/git/lfs -> /var/lib/gitea/data/lfs owner gitea
    # The image lays its data out in another way: only these parts of the claim data move.
    ? upgrade
    "#);
    insta::assert_snapshot!(of(
        "postgres:16-alpine",
        "args: [-c, max_connections=200], env: [{ name: POSTGRES_DB, value: forge }, { name: POSTGRES_USER, value: forge }, { name: POSTGRES_PASSWORD, valueFrom: { secretKeyRef: { name: db, key: p } } }, { name: PGDATA, value: /var/lib/postgresql/data/pg }], volumeMounts: [{ name: data, mountPath: /var/lib/postgresql/data, subPath: pg }]",
        DATA
    ), @r#"
    [web] postgresql postgresql_16
    ensureDatabases = ["forge"]
    settings.max_connections = 200
    ensureUsers = [{"name":"forge","ensureDBOwnership":true}]
    claim data -> /var/lib/postgresql owner postgres dump postgresql
    ? env.POSTGRES_PASSWORD
    "#);
    insta::assert_snapshot!(of(
        "redis:7.2",
        "command: [redis-server, --appendonly, 'yes', --requirepass, $(PASS)], env: [{ name: PASS, valueFrom: { secretKeyRef: { name: r, key: p } } }, { name: REDIS_PASSWORD, value: '' }], volumeMounts: [{ name: data, mountPath: /data }]",
        DATA
    ), @r#"
    [web] redis
    appendOnly = true
    secret password = default-web-redis-password
    claim data -> /var/lib/redis-main owner redis-main dump redis
    ? env.REDIS_PASSWORD
    ? upgrade
    "#);
    insta::assert_snapshot!(of(
        "vaultwarden/server:1.32.0",
        "env: [{ name: DOMAIN, value: 'https://v.example.org' }, { name: SIGNUPS_ALLOWED, value: 'false' }, { name: ADMIN_TOKEN, valueFrom: { secretKeyRef: { name: vw, key: token } } }, { name: SMTP_PASSWORD, valueFrom: { secretKeyRef: { name: vw, key: smtp } } }], volumeMounts: [{ name: data, mountPath: /data/ }]",
        DATA
    ), @r#"
    [web] vaultwarden
    config.DOMAIN = "https://v.example.org"
    config.SIGNUPS_ALLOWED = false
    secret environment = default-web-environment
    claim data -> /var/lib/vaultwarden owner vaultwarden
    ? upgrade
    "#);
    insta::assert_snapshot!(of(
        "prom/prometheus:v2.50.0",
        "args: [--config.file=/etc/prometheus/prometheus.yml, '--storage.tsdb.path=/prometheus', --storage.tsdb.retention.time=30d], volumeMounts: [{ name: data, mountPath: /prometheus, subPath: data }]",
        DATA
    ), @r#"
    [web] prometheus
    retentionTime = "30d"
    claim data -> /var/lib/prometheus2 owner prometheus
    ? upgrade
    "#);
    insta::assert_snapshot!(of("docker.io/library/registry:2", "env: [{ name: REGISTRY_STORAGE_DELETE_ENABLED, value: 'true' }], volumeMounts: [{ name: data, mountPath: /var/lib/registry }]", DATA), @r#"
    [web] registry
    enableDelete = true
    claim data -> /var/lib/docker-registry owner docker-registry
    "#);
}

#[test]
fn programs_of_a_home_become_modules_with_their_data_and_ports_of_the_host() {
    let key = "valueFrom: { secretKeyRef: { name: s, key: k } }";
    let at = |path: &str| format!("volumeMounts: [{{ name: data, mountPath: {path} }}]");
    let sonarr = format!(
        "env: [{{ name: SONARR__SERVER__PORT, value: '80' }}, {{ name: SONARR__AUTH__METHOD, value: Forms }}, {{ name: SONARR__AUTH__APIKEY, {key} }}], {}",
        at("/config")
    );
    insta::assert_snapshot!(of("ghcr.io/home-operations/sonarr:4.0.14", &sonarr, DATA), @r#"
    [web] sonarr
    settings.auth.method = "Forms"
    secret environment = default-web-environment
    claim data -> /var/lib/sonarr/.config/NzbDrone owner sonarr
    "#);
    let n8n = format!(
        "env: [{{ name: N8N_PORT, value: '5678' }}, {{ name: N8N_SECURE_COOKIE, value: 'false' }}, {{ name: N8N_ENCRYPTION_KEY, {key} }}], {}",
        at("/home/node/.n8n")
    );
    insta::assert_snapshot!(of("n8nio/n8n:1.80.0", &n8n, DATA), @r#"
    [web] n8n
    environment.N8N_SECURE_COOKIE = "false"
    secret encryption-key = default-s-k
    claim data -> /var/lib/private/n8n/.n8n owner -
    ? allowUnfreePredicate blocks
    ? upgrade
    "#);
    let influxdb = format!(
        "env: [{{ name: DOCKER_INFLUXDB_INIT_MODE, value: setup }}, {{ name: DOCKER_INFLUXDB_INIT_ORG, value: home }}, {{ name: DOCKER_INFLUXDB_INIT_PASSWORD, {key} }}], {}",
        at("/var/lib/influxdb2")
    );
    insta::assert_snapshot!(of("influxdb:2.7.1", &influxdb, DATA), @r#"
    [web] influxdb2
    provision.enable = true
    provision.initialSetup.organization = "home"
    secret admin-password = default-s-k
    secret admin-token = default-web-admin-token
    claim data -> /var/lib/influxdb2 owner influxdb2
    ? upgrade blocks
    "#);
    // The format of another major version, and paths of the system.
    for (image, path, wanted) in [
        ("influxdb:3.1-core", "/var/lib/influxdb3", "no module of this program replaces its image"),
        (
            "lscr.io/linuxserver/radarr:5.2.6",
            "/usr/share/movies",
            "the module radarr has no counterpart for what it keeps at /usr/share/movies",
        ),
        (
            "rabbitmq:3.13",
            "/var/lib/rabbitmq",
            "the module rabbitmq has no counterpart for what it keeps at /var/lib/rabbitmq",
        ),
    ] {
        assert_eq!(why(image, &at(path), DATA), wanted, "{image}");
    }
}

#[test]
fn a_layout_of_another_kind_is_told_where_each_part_goes() {
    let text = of("lscr.io/linuxserver/qbittorrent:4.6.7", "volumeMounts: [{ name: data, mountPath: /config }]", DATA);
    let files = "claim data/qBittorrent -> /var/lib/qBittorrent/qBittorrent/config owner qbittorrent only qBittorrent.conf,categories.json\n";
    let folder =
        "claim data/qBittorrent/BT_backup -> /var/lib/qBittorrent/qBittorrent/data/BT_backup owner qbittorrent\n";
    assert!(text.contains(files) && text.contains(folder), "{text}");
}

#[test]
fn what_has_no_counterpart_keeps_a_container_one() {
    for (image, container, volumes, wanted) in [
        ("busybox", "", "", "no module of this program replaces its image"),
        (
            "gitea/gitea:1.22",
            "env: [{ name: FOO, value: bar }, { name: BAR, value: hunter2 }]",
            "",
            "the module gitea has no counterpart for the variable FOO, the variable BAR",
        ),
        (
            "redis:7",
            "command: [sh, -c, 'exec redis-server']",
            "",
            "the module redis has no counterpart for its own command",
        ),
        (
            "redis:7",
            "args: [--unknown, x, --appendonly, 'yes', y]",
            "",
            "the module redis has no counterpart for the argument --unknown, its argument number 2, its argument number 5",
        ),
        (
            "gitea/gitea:1.99.0",
            "volumeMounts: [{ name: data, mountPath: /data }]",
            DATA,
            "gitea 1.99.0 wrote its data and the host has 1.26.4, which is older and does not read it",
        ),
        (
            "gitea/gitea:1.22.0",
            "volumeMounts: [{ name: data, mountPath: /elsewhere }]",
            DATA,
            "the module gitea has no counterpart for what it keeps at /elsewhere",
        ),
        (
            "gitea/gitea:1.22.0",
            "volumeMounts: [{ name: x, mountPath: /data }]",
            "{ name: x, hostPath: { path: /srv/gitea } }",
            "the module gitea has no counterpart for what it mounts at /data",
        ),
        (
            "gitea/gitea:1.22.0",
            "env: [{ name: DB_TYPE, value: oracle }]",
            "",
            "the module gitea has no counterpart for the value of the variable DB_TYPE",
        ),
        (
            "grafana/grafana:11.0.0",
            "env: [{ name: GF_SERVER_ROOT_URL, value: 'https://a:hunter2@b.example.org' }]",
            "",
            "the module grafana has no counterpart for the variable GF_SERVER_ROOT_URL, which looks like a secret",
        ),
        ("nginx:1.27", "", "", "the host's own web server has its ports, and serves the virtual hosts of services"),
        (
            "nextcloud:29",
            "volumeMounts: [{ name: data, mountPath: /var/www/html/data }]",
            DATA,
            "nextcloud 29 wrote its data and the host has 33.0.6, which reads that of one major version before: upgrade it in the cluster first",
        ),
    ] {
        assert_eq!(why(image, container, volumes), wanted, "{image} {container}");
    }
}

#[test]
fn a_host_has_one_of_each_module_and_containers_beside_one_keep_it_a_container() {
    let both = pod("a", "postgres:16", "", "") + &pod("b", "postgres:15", "", "");
    let text = shown(&on_newest(&both, &[]));
    assert!(text.contains("[b] container: a host has one postgresql, which `a` is already"), "{text}");
    let both = pod("a", "mariadb:11", "", "") + &pod("b", "mysql:8.4", "", "");
    let text = shown(&on_newest(&both, &[]));
    assert!(
        text.contains("[b] container: a host has one mysql84, which `a` is already"),
        "one has the options of the other: {text}"
    );
    let beside = pod("web", "redis:7", "", "").replace("containers: [", "containers: [{ name: x, image: busybox }, ");
    let beside = beside.replace(
        "{ name: x, image: busybox }, { name: main, image: 'redis:7' }",
        "{ name: main, image: 'redis:7' }, { name: x, image: busybox }",
    );
    assert!(shown(&on_newest(&beside, &[])).contains("the container `x` runs beside it in the same pod"));
    let init = pod("web", "redis:7", "", "")
        .replace("containers: [", "initContainers: [{ name: i, image: busybox }]\n      containers: [");
    assert!(shown(&on_newest(&init, &[])).contains("its init container `i` does something before it"));
}

#[test]
fn the_time_zone_of_a_container_does_not_keep_it_one_wherever_it_comes_from() {
    let mounts = "volumeMounts: [{ name: tz, mountPath: /etc/timezone, subPath: timezone }, { name: local, mountPath: /etc/localtime }]";
    let volumes =
        "{ name: tz, configMap: { name: tz } }, { name: local, hostPath: { path: /usr/share/zoneinfo/Europe/Berlin } }";
    let text = shown(&on_newest(&pod("a", "codeberg.org/forgejo/forgejo:12", mounts, volumes), &[]));
    assert!(text.contains("[a] forgejo"), "{text}");
}

#[test]
fn ports_of_two_modules_do_not_meet() {
    let both = pod("a", "gitea/gitea:1.22.0", "", "") + &pod("b", "grafana/grafana:11.0.0", "", "");
    let text = shown(&on_newest(&both, &[]));
    assert!(text.contains("[b] grafana\nsettings.server.http_port = 20000\n"), "{text}");
    // A port that a variable of the environment holds is text.
    let both = pod("a", "louislam/uptime-kuma:2", "env: [{ name: PORT, value: '3000' }]", "")
        + &pod("b", "gitea/gitea:1.22.0", "", "")
        + &pod("c", "grafana/grafana:11.0.0", "", "");
    let text = shown(&on_newest(&both, &[]));
    assert!(
        text.contains("settings.PORT = \"3000\"\n") && text.contains("settings.server.HTTP_PORT = 20000\n"),
        "{text}"
    );
    let both = pod("a", "gitea/gitea:1.22.0", "env: [{ name: HTTP_PORT, value: '3001' }]", "")
        + &pod("b", "louislam/uptime-kuma:2", "", "");
    let text = shown(&on_newest(&both, &[]));
    assert!(text.contains("[b] uptime-kuma\nsettings.PORT = \"20000\"\n"), "{text}");
}

#[test]
fn a_person_decides_against_the_table() {
    let yaml = pod("web", "gitea/gitea:1.22.0", "env: [{ name: FOO, value: bar }]", "");
    let native = on_newest(&yaml, &[("default/Deployment/web#native", "module = gitea")]);
    assert!(shown(&native).starts_with("[web] gitea\n"), "{}", shown(&native));
    let path = "spec.template.spec.containers[0].env[0].value";
    assert_eq!(leaf(&native, "Deployment", path), "dropped the answer to `native` makes it a module without this");
    let plain = pod("web", "gitea/gitea:1.22.0", "", "");
    let kept = on_newest(&plain, &[("default/Deployment/web#native", "container")]);
    assert_eq!(shown(&kept), "[web] container: a person decided so\n");
}

#[test]
fn a_moving_tag_with_data_is_a_question_that_blocks_until_its_answer() {
    let yaml = pod("web", "gitea/gitea:latest", "volumeMounts: [{ name: data, mountPath: /var/lib/gitea }]", DATA);
    assert!(shown(&on_newest(&yaml, &[])).ends_with("? version blocks\n"));
    let answered = on_newest(&yaml, &[("default/Deployment/web#version", "1.20.1")]);
    assert!(shown(&answered).ends_with("? upgrade\n"), "{}", shown(&answered));
    let newer = on_newest(&yaml, &[("default/Deployment/web#version", "1.99")]);
    assert!(shown(&newer).starts_with("[web] container: gitea 1.99 wrote its data"));
}

#[test]
fn what_a_module_asks_about_a_volume_blocks_until_its_answer() {
    let yaml = pod(
        "web",
        "koenkk/zigbee2mqtt:2.1.0",
        "env: [{ name: ZIGBEE2MQTT_CONFIG_SERIAL_PORT, value: /dev/serial/by-id/usb-x }], volumeMounts: [{ name: data, mountPath: /app/data }]",
        DATA,
    );
    let asked = on_newest(&yaml, &[]);
    insta::assert_snapshot!(shown(&asked), @r#"
    [web] zigbee2mqtt
    settings.serial.port = "/dev/serial/by-id/usb-x"
    claim data -> /var/lib/zigbee2mqtt owner zigbee2mqtt
    ? data.app-data blocks
    ? upgrade
    "#);
    let question = asked.questions.iter().find(|question| question.id.ends_with("#data.app-data"));
    assert!(
        question.is_some_and(|question| question.question.contains("every device is paired anew")),
        "{:?}",
        asked.questions
    );
    let answered = on_newest(&yaml, &[("default/Deployment/web#data.app-data", "done")]);
    assert!(!shown(&answered).contains("data.app-data"), "{}", shown(&answered));
}

#[test]
fn a_database_elsewhere_is_not_made_here_whatever_the_module_calls_that() {
    let of = |image: &str, env: &str| of(image, &format!("env: [{env}]"), "");
    let host = "{ name: KC_DB_URL_HOST, value: db.example.org }, { name: KC_DB, value: postgres }";
    let keycloak = of("quay.io/keycloak/keycloak:26.0.0", host);
    assert!(keycloak.contains("database.type = \"postgresql\"\n"), "{keycloak}");
    assert!(keycloak.contains("database.createLocally = false\n"), "{keycloak}");
    assert!(keycloak.contains("secret database-password"), "{keycloak}");
    let gitea = of("gitea/gitea:1.22.3", "{ name: DB_HOST, value: 'db.example.org:5432' }");
    assert!(gitea.contains("database.createDatabase = false\n") && !gitea.contains("createLocally"), "{gitea}");
}

#[test]
fn files_of_config_maps_become_settings_and_their_secrets_do_not() {
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: ini }\ndata:\n  app.ini: |\n    [server]\n    DOMAIN = git.example.org\n    HTTP_PORT = 3001\n    [mailer]\n    PASSWD = hunter2-planted\n";
    let yaml = pod(
        "web",
        "gitea/gitea:1.22.0-rootless",
        "volumeMounts: [{ name: ini, mountPath: /etc/gitea/app.ini, subPath: app.ini }], env: [{ name: GITEA__server__DOMAIN, value: forge.example.org }]",
        "{ name: ini, configMap: { name: ini } }",
    ) + map;
    let inventory = on_newest(&yaml, &[]);
    insta::assert_snapshot!(shown(&inventory), @r#"
    [web] gitea
    settings.server.DOMAIN = "forge.example.org"
    settings.server.HTTP_PORT = 3001
    ? setting.settings.mailer.PASSWD blocks
    "#);
    assert!(!format!("{inventory:?}").contains("hunter2"), "no secret stands anywhere");
}

#[test]
fn every_option_that_a_module_maps_to_exists() {
    let facts = Facts::embedded();
    let index = facts.options("26.11pre".parse().unwrap());
    for (name, module) in sample::modules() {
        let file = &module.file;
        let Some(prefix) = &file.prefix else { continue };
        let rules = file.env.iter().chain(file.args.iter());
        let mapped =
            rules.filter_map(|(key, entry)| Some((key.as_str(), entry.value.option.as_ref()?.value.0.clone())));
        for (key, option) in mapped {
            let full = format!("{}.{}", prefix.as_str(), option.replace('*', "x"));
            assert!(super::values::exists(index, &full), "{name}: {key} is {full}");
        }
        for (key, entry) in file.env.iter().chain(file.args.iter()) {
            let rule = &entry.value;
            let kinds = [rule.option.is_some(), rule.secret.is_some(), rule.drop.is_some(), rule.ask.is_some()];
            assert_eq!(kinds.iter().filter(|is| **is).count(), 1, "{name}: {key} becomes one thing");
            if let Some(secret) = &rule.secret {
                assert!(file.secrets.iter().any(|known| known.key.value == secret.value), "{name}: {key}");
            }
        }
        for (path, entry) in file.files.iter() {
            let full = format!("{}.{}", prefix.as_str(), entry.value.option.value.as_str());
            assert!(super::values::exists(index, &full), "{name}: {path} is {full}");
            assert!(matches!(entry.value.format.value, FileFormat::Text) || !full.ends_with("Text"), "{name}: {path}");
        }
    }
}

/// A forge with its database, in a cluster.
const FORGE: &str = include_str!("../../../../../tests/manifests/forge/forge.yaml");

#[test]
fn a_forge_and_its_database_become_modules_that_speak_by_a_socket() {
    let inventory = on_newest(FORGE, &[]);
    insta::assert_snapshot!(shown(&inventory), @r#"
    [forge] gitea
    settings.server.ROOT_URL = "https://git.example.org/"
    settings.server.DOMAIN = "git.example.org"
    settings.service.DISABLE_REGISTRATION = true
    database.type = "postgres"
    database.name = "gitea"
    database.user = "gitea"
    database.createDatabase = false
    database.socket = "/run/postgresql"
    secret database-password = git-forge-db-password
    claim forge-data/data -> /var/lib/gitea owner gitea
    claim forge-data/conf -> /var/lib/gitea/custom/conf owner gitea
    # The image lays its data out in another way: only these parts of the claim forge-data move.
    [forge-db] postgresql postgresql_16
    ensureDatabases = ["gitea"]
    settings.max_connections = 50
    ensureUsers = [{"name":"gitea","ensureDBOwnership":true}]
    claim data-forge-db-0 -> /var/lib/postgresql owner postgres dump postgresql
    ? data.var-lib-gitea blocks
    ? upgrade
    ? env.POSTGRES_PASSWORD
    "#);
    let totals = inventory.totals;
    assert_eq!(totals.leaves, totals.translated + totals.replaced + totals.dropped + totals.needs_you);
}

#[test]
fn what_programs_know_by_its_path_stays_there_wherever_it_lies() {
    let mounts = "volumeMounts: [{ name: data, mountPath: /config }, { name: media, mountPath: /media, readOnly: true }, { name: dl, mountPath: /downloads, subPath: done }, { name: same, mountPath: /srv/music }, { name: gpu, mountPath: /dev/dri }, { name: gone, mountPath: /gone }]";
    let volumes = "{ name: data, persistentVolumeClaim: { claimName: data } }, { name: media, nfs: { server: 192.0.2.9, path: /export/media } }, { name: dl, persistentVolumeClaim: { claimName: shared } }, { name: same, hostPath: { path: /srv/music } }, { name: gpu, hostPath: { path: /dev/dri } }";
    let other = pod(
        "other",
        "busybox",
        "volumeMounts: [{ name: dl, mountPath: /x }]",
        "{ name: dl, persistentVolumeClaim: { claimName: shared } }",
    );
    let inventory = on_newest(&(pod("web", "jellyfin/jellyfin:10.10.7", mounts, volumes) + &other), &[]);
    let mut text = shown(&inventory);
    for (path, mounted) in &inventory.host.filesystems {
        writeln!(text, "{path} = {} {} {:?}", mounted.kind, mounted.device, mounted.options).unwrap();
    }
    insta::assert_snapshot!(text, @r#"
    [web] jellyfin
    claim data -> /var/lib/jellyfin owner jellyfin
    claim shared -> /var/lib/shared owner -
    [other] container: no module of this program replaces its image
    ? files blocks
    ? device.dev-dri
    ? mount.gone
    ? upgrade
    ? image
    /mnt/web-media = nfs 192.0.2.9:/export/media []
    /media = bind /mnt/web-media ["ro", "_netdev"]
    /downloads = bind /var/lib/shared/done []
    "#);
    // A program that NixOS locks in finds nothing there.
    let media = "volumeMounts: [{ name: data, mountPath: /media }]";
    assert_eq!(
        why("lscr.io/linuxserver/transmission:4.0.6", media, DATA),
        "the module transmission has no counterpart for what it keeps at /media"
    );
}

#[test]
fn variables_that_an_image_does_not_read_go_and_unknown_secrets_are_asked_for() {
    let text = of(
        "postgres:16",
        "env: [{ name: POSTGRES_DB, value: a }, { name: BUILDBOT_DB_URL, value: x }, { name: POSTGRES_DB_HOST, value: db }]",
        "",
    );
    assert!(text.starts_with("[web] postgresql postgresql_16\nensureDatabases"), "{text}");
    let stays = why("postgres:16", "env: [{ name: POSTGRES_INITDB_WALDIR, value: /wal }]", "");
    assert_eq!(stays, "the module postgresql has no counterpart for the variable POSTGRES_INITDB_WALDIR");
    let key = "valueFrom: { secretKeyRef: { name: s, key: k } }";
    insta::assert_snapshot!(of(
        "vaultwarden/server:1.32.0",
        &format!("env: [{{ name: SMTP_USERNAME, {key} }}], envFrom: [{{ secretRef: {{ name: more }} }}]"),
        ""
    ), @r"
    [web] vaultwarden
    secret environment = default-web-environment
    ? secret.more blocks
    ");
    // Where nothing reads lines, nobody knows what is in it.
    let whole = why("grafana/grafana:11.0.0", "envFrom: [{ secretRef: { name: more } }]", "");
    assert_eq!(whole, "the module grafana has no counterpart for variables of an object that is not among the input");
}

#[test]
fn what_only_waits_for_another_program_keeps_no_pod_a_container() {
    let init = |script: &str| {
        pod("web", "redis:7", "", "").replace(
            "containers: [",
            &format!(
                "initContainers: [{{ name: i, image: busybox, command: [sh, -c, '{script}'] }}]\n      containers: ["
            ),
        )
    };
    let inventory = on_newest(&init("until nc -z db 5432; do sleep 1; done"), &[]);
    assert_eq!(shown(&inventory), "[web] redis\n");
    assert!(
        leaf(&inventory, "Deployment", "spec.template.spec.initContainers[0].command[2]")
            .contains("starts the program again")
    );
    let text = shown(&on_newest(&init("until nc -z db 5432; do sleep 1; done; touch /x"), &[]));
    assert!(text.contains("its init container `i` does something before it"), "{text}");
}

#[test]
fn a_brokers_file_becomes_listeners_and_its_accounts_a_question() {
    let conf = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: mq }\ndata:\n  mosquitto.conf: |\n    listener 1883\n    allow_anonymous false\n    password_file /mosquitto/config/password.txt\n    KEY\n";
    let mounts = "volumeMounts: [{ name: pw, mountPath: /mosquitto/config/password.txt, subPath: password.txt }, { name: conf, mountPath: /mosquitto/config/mosquitto.conf, subPath: mosquitto.conf }]";
    let volumes = "{ name: conf, configMap: { name: mq } }, { name: pw, secret: { secretName: mq } }";
    let with = |line: &str| conf.replace("KEY", line) + &pod("mq", "eclipse-mosquitto:2", mounts, volumes);
    insta::assert_snapshot!(shown(&on_newest(&with("persistence true"), &[])), @r#"
    [mq] mosquitto
    persistence = true
    listeners = [{"port":1883,"acl":["pattern readwrite #"],"settings":{"allow_anonymous":false}}]
    ? accounts blocks
    "#);
    let text = shown(&on_newest(&with("connection other"), &[]));
    assert!(text.contains("has no counterpart for the setting connection of mosquitto.conf"), "{text}");
}

#[test]
fn what_nixos_sets_up_in_the_hosts_database_is_reached_by_its_socket() {
    let key = "valueFrom: { secretKeyRef: { name: s, key: k } }";
    let env = format!(
        "env: [{{ name: DB_HOSTNAME, value: db }}, {{ name: DB_USERNAME, value: immich }}, {{ name: DB_PASSWORD, {key} }}, {{ name: REDIS_HOSTNAME, value: cache }}], volumeMounts: [{{ name: data, mountPath: /photos }}]"
    );
    let web = pod("web", "ghcr.io/immich-app/immich-server:v2.7.0", &env, DATA);
    let text = shown(&on_newest(&web, &[]));
    assert!(text.contains("database.host = \"db\"") && text.contains("database.enable = false"), "{text}");
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: { name: db }\nspec: { selector: { app: db }, ports: [{ port: 5432 }] }\n";
    let db = pod("db", "postgres:17", "", "")
        .replace("template:\n    spec:", "template:\n    metadata: { labels: { app: db } }\n    spec:");
    let text = shown(&on_newest(&(service.to_owned() + &db + &web), &[]));
    assert!(text.contains("[web] immich\ndatabase.user = \"immich\"\nsecret"), "{text}");
}
