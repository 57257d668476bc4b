//! Cluster of CloudNativePG: a PostgreSQL that an operator runs, which becomes the host's own.
//!
//! All databases of a host share one PostgreSQL: the first cluster becomes it, what becomes of further ones is a question. Its data is dumped and restored.

use indexmap::IndexMap;
use serde_json::json;

use super::{Stage, Translator, service};
use crate::facts::join_name;
use crate::kubernetes::claims::{Rights, bytes};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, MigrationDraft, MovedClaim, NativeDraft, Protocol, WorkDraft};
use crate::kubernetes::object::Object;
use crate::kubernetes::reach::ServicePort;
use crate::kubernetes::tree::Node;

pub(super) static CLUSTER: Translator =
    Translator { kind: "Cluster", groups: &["postgresql.cnpg.io"], stage: Stage::Workloads, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    if !cx.is_named(object) {
        return;
    }
    let name = cx.service_name(object);
    if let Some(other) = cx.native_of_other(&name, "postgresql") {
        cx.services.remove(&object.id);
        let text = format!(
            "`{other}` is the host's PostgreSQL, and there is one: should the databases go there, into `ensureDatabases` and \
             `ensureUsers` of `services.{other}.options`, restored from a dump?"
        );
        cx.ask(object, spec, "databases", text, true);
        return;
    }
    let to = |key: &str| format!("services.{name}.{key}");
    let mut options: IndexMap<String, serde_json::Value> = IndexMap::new();
    let other_owner = databases(cx, object, spec, &name, &mut options);
    let package = spec.get("imageName").and_then(|node| {
        let package = major(node.text()?).map(|major| format!("postgresql_{major}"))?;
        cx.books.translated_as(node, to("package"), "the major version; a dump may also be restored into a newer one");
        Some(package)
    });
    if let Some(node) = spec.get("imageName")
        && package.is_none()
    {
        cx.ask(
            object,
            node,
            "version",
            "the image does not say which major version of PostgreSQL it is: which one is it?",
            false,
        );
    }
    if let Some(node) = spec.get("instances") {
        match node.int() {
            Some(1) => cx.books.translated(node, to("module")),
            _ => cx.books.dropped(
                node,
                "one PostgreSQL takes the place of all instances; `[backup]` takes the place of the copies",
            ),
        }
    }
    let memory = limit(cx, spec, "memory", &name);
    let cpu = limit(cx, spec, "cpu", &name).and_then(|cpu| match cpu.strip_suffix('m') {
        Some(milli) => Some(format!("{}", milli.parse::<f64>().ok()? / 1000.0)),
        None => Some(cpu),
    });
    if let Some(parameters) = spec.at(&["postgresql", "parameters"]) {
        for pair in parameters.pairs() {
            let known = pair.node.text().filter(|text| !text.contains("${"));
            let Some(text) = known.or_else(|| {
                let question = "this setting is filled in from elsewhere: which value has it?";
                cx.ask(object, &pair.node, &format!("setting.{}", pair.key), question, false)
            }) else {
                continue;
            };
            // Parameters of extensions have a dot: `pg_stat_statements.max` is one setting.
            let option = join_name(&["settings", &*pair.key]);
            cx.books.translated(&pair.node, to(&format!("options.{option}")));
            options.insert(option, json!(text));
        }
    }
    let libraries = spec.at(&["postgresql", "shared_preload_libraries"]);
    let extensions: Vec<&str> = libraries.map_or(&[][..], Node::items).iter().filter_map(Node::text).collect();
    if let Some(node) = libraries.filter(|node| !node.items().is_empty()) {
        options.insert("settings.shared_preload_libraries".to_owned(), json!(extensions.join(",")));
        let question = format!(
            "the database loads {}: which packages of nixpkgs have them? They go into `options.extensions`",
            extensions.join(", ")
        );
        cx.ask(object, node, "extensions", question, false);
    }
    let moved = storage(cx, object, spec, &name);
    let native = NativeDraft { module: "postgresql".to_owned(), package, options };
    let mut draft = Draft::new(object.id, object.identity(), WorkDraft::Native(native));
    draft.comments = vec![format!(
        "All databases of a host share one PostgreSQL: what other clusters hold belongs into this service too. {} is dumped and restored.",
        object.name()
    )];
    if let Some((owner, database)) = &other_owner {
        let comment =
            format!("{owner} has to own the database {database}: ALTER DATABASE {database} OWNER TO {owner};");
        draft.comments.push(comment.replace(char::is_control, " "));
    }
    draft.memory = memory;
    draft.cpu = cpu;
    draft.migration = Some(MigrationDraft {
        image: spec.get("imageName").and_then(Node::text).map(str::to_owned),
        volumes: vec![moved],
        ..MigrationDraft::default()
    });
    cx.add(&name, draft);
    services(cx, object, spec, &name);
}

/// Settles where the data is, and returns how the claim of the first instance moves.
fn storage<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>, name: &str) -> MovedClaim {
    let key = (object.namespace().to_owned(), format!("{}-1", object.name()));
    let account = || Some("postgres".to_owned());
    cx.claim_used(&key, object.id, name, true, Rights { owner: account(), group: account(), mode: None });
    let size = spec.at(&["storage", "size"]);
    cx.claim_asks(&key, size.and_then(bytes));
    cx.claim_mount(&key.0, &key.1);
    cx.redirect_claim(&key.0, &key.1, DATA);
    let to = cx.claim_goes_to(&key);
    if let Some(node) = size.filter(|node| to.starts_with("zfs.") && bytes(node).is_some()) {
        cx.books.translated(node, format!("{to}.quota"));
    }
    for part in ["storage", "walStorage"] {
        if let Some(node) = spec.get(part) {
            cx.books.replaced(node, to.clone());
        }
    }
    MovedClaim {
        used: cx.target.used.get(&format!("{}/{}", key.0, key.1)).map(ToString::to_string),
        claim: key.1,
        sub_path: None,
        to: DATA.to_owned(),
        paths: Vec::new(),
        dump: Some("postgresql"),
        owner: account(),
    }
}

/// Lets the database be reached by the Services that the operator makes for it.
fn services<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>, name: &str) {
    let disabled = spec.at(&["managed", "services", "disabledDefaultServices"]).map_or(&[][..], Node::items);
    for kind in ["rw", "ro", "r"].into_iter().filter(|kind| !disabled.iter().any(|one| one.text() == Some(kind))) {
        let port = ServicePort { name: Some("postgres".to_owned()), port: 5432, target: 5432, protocol: Protocol::Tcp };
        service::offer(cx, object, &format!("{}-{kind}", object.name()), name, vec![port]);
    }
}

/// Where the module keeps its data.
const DATA: &str = "/var/lib/postgresql";

/// Settles how the database begins, and adds it with its owner. Returns owner and database where they do not share their name, which
/// the module's `ensureDBOwnership` asks for.
fn databases<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    spec: &'w Node<'s>,
    name: &str,
    options: &mut IndexMap<String, serde_json::Value>,
) -> Option<(String, String)> {
    let begin = ["initdb", "recovery", "pg_basebackup"].iter().find_map(|key| spec.at(&["bootstrap", key]));
    let text = |key: &str| begin.and_then(|begin| begin.get(key)).and_then(Node::text);
    // The operator calls database and owner `app` where nothing else is said.
    let database = text("database").unwrap_or("app");
    let owner = text("owner").unwrap_or(database);
    options.insert("ensureDatabases".to_owned(), json!([database]));
    options.insert("ensureUsers".to_owned(), json!([{ "name": owner, "ensureDBOwnership": owner == database }]));
    let other = (owner != database).then(|| (owner.to_owned(), database.to_owned()));
    let Some(begin) = begin else { return other };
    let to = |option: &str| format!("services.{name}.options.{option}");
    if let Some(node) = begin.get("database") {
        cx.books.translated(node, to("ensureDatabases"));
    }
    if let Some(node) = begin.get("owner") {
        cx.books.translated(node, to("ensureUsers"));
    }
    if let Some(node) = begin.get("secret") {
        let question = format!(
            "the password of `{owner}` is in a Secret of the cluster: services of this host reach the database by its socket without one; who needs it?"
        );
        cx.ask(object, node, "password", question, false);
    }
    for key in ["postInitSQL", "postInitApplicationSQL", "postInitTemplateSQL"] {
        if let Some(node) = begin.get(key) {
            cx.books.replaced(node, "the dump, which holds what these statements made");
        }
    }
    cx.books.replaced(begin, "the dump of the running cluster: the database does not begin anew");
    other
}

/// Settles a limit and returns it.
fn limit(cx: &mut Cx<'_, '_>, spec: &Node<'_>, what: &str, name: &str) -> Option<String> {
    let node = spec.at(&["resources", "limits", what])?;
    let text = node.text().filter(|text| !text.contains("${"))?;
    let text = if what == "memory" { size(text)? } else { text.to_owned() };
    cx.books.translated(node, format!("services.{name}.limits.{what}"));
    Some(text)
}

/// Returns a quantity as the size that definitions write.
fn size(quantity: &str) -> Option<String> {
    let digits = quantity.find(|c: char| !c.is_ascii_digit()).unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at_checked(digits)?;
    let unit = match unit {
        "Ki" => "KiB",
        "Mi" => "MiB",
        "Gi" => "GiB",
        "Ti" => "TiB",
        "" => "B",
        _ => return None,
    };
    (!number.is_empty()).then(|| format!("{number}{unit}"))
}

/// Returns the major version that an image names: `16` of `ghcr.io/cloudnative-pg/postgresql:16.3-1`.
fn major(image: &str) -> Option<u32> {
    let image = image.split('@').next()?;
    let (_, tag) = image.rsplit_once('/').unwrap_or(("", image)).1.split_once(':')?;
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|major| (9..=99).contains(major))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::sample::{leaf, translated};

    const CLUSTER: &str = "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: { name: forge-db, namespace: git }\nspec:\n  instances: 3\n  imageName: ghcr.io/cloudnative-pg/postgresql:16.3-1\n  bootstrap: { initdb: { database: forge, owner: forge, secret: { name: forge-login } } }\n  storage: { size: 10Gi, storageClass: fast }\n  resources: { limits: { memory: 1Gi }, requests: { cpu: 100m } }\n  postgresql: { parameters: { max_connections: '200', pg_stat_statements.max: '10000' } }\n  monitoring: { enablePodMonitor: true }\n  backup: { retentionPolicy: 30d, barmanObjectStore: { destinationPath: s3://b/c } }\n";

    #[test]
    fn a_cluster_becomes_the_postgresql_of_the_host() {
        let inventory = translated(CLUSTER);
        let (name, draft) = inventory.host.services.first().unwrap();
        let WorkDraft::Native(native) = &draft.work else { panic!("{draft:?}") };
        let migration = draft.migration.as_ref().unwrap();
        let shown = format!(
            "{name} = {} {:?} {}\nmemory {:?}\nclaim {:?}",
            native.module,
            native.package,
            native.options.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
            draft.memory,
            migration.volumes.first().map(|claim| (&claim.claim, claim.dump)),
        );
        insta::assert_snapshot!(shown, @r#"
        forge-db = postgresql Some("postgresql_16") ensureDatabases=["forge"] ensureUsers=[{"name":"forge","ensureDBOwnership":true}] settings.max_connections="200" settings."pg_stat_statements.max"="10000"
        memory Some("1GiB")
        claim Some(("forge-db-1", Some("postgresql")))
        "#);
        assert_eq!(inventory.questions.len(), 1, "{:#?}", inventory.questions);
        assert!(leaf(&inventory, "Cluster", "spec.instances").starts_with("dropped one PostgreSQL"));
        assert!(leaf(&inventory, "Cluster", "spec.backup.retentionPolicy").starts_with("replaced [backup]"));
    }

    #[test]
    fn an_image_names_its_major_version() {
        assert_eq!(major("ghcr.io/cloudnative-pg/postgresql:16.3-1"), Some(16));
        assert_eq!(major("registry:5000/postgresql:17@sha256:abc"), Some(17));
        assert_eq!(major("postgresql"), None);
        assert_eq!(major("postgresql:latest"), None);
    }
}
