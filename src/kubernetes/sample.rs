//! What tests of translators begin with: manifests as text, the definitions and the ledger that come of them.

use std::collections::BTreeMap;

use super::context::Target;
use super::object::expand;
use super::tree::Node;
use super::{Inventory, World, inventory};
use crate::facts::Facts;
use crate::fleet::Module;
use crate::source::Sources;

/// Translates manifests to the host `lufta`, whose claims go below `rpool/safe`; every leaf is listed.
pub(crate) fn translated(yaml: &str) -> Inventory {
    with(yaml, |_| {})
}

/// Translates manifests to a place that `change` makes other than usual.
pub(crate) fn with(yaml: &str, change: impl FnOnce(&mut Target<'_>)) -> Inventory {
    made(yaml, change, |world, target| inventory(world, target, true))
}

/// Translates how workloads are reached, with the least of each workload: its first container with variables, arguments and command.
/// A workload with the label `native` becomes that module; one with `host-network` has the host's.
pub(crate) fn reached(yaml: &str, answers: &[(&str, &str)]) -> Inventory {
    use super::draft::{Draft, FileDraft, NativeDraft, SecretDraft, SecretTo, WorkDraft};
    use super::inventory::close;
    use super::translate::{Stage, run_from};
    let change = |target: &mut Target<'_>| {
        target.answers = answers.iter().map(|(id, answer)| ((*id).to_owned(), (*answer).to_owned())).collect();
    };
    made(yaml, change, |world, target| {
        let mut cx = super::context::Cx::new(world, target);
        for object in world.objects() {
            let Some(pod) = object.tree().at(&["spec", "template", "spec"]) else { continue };
            let Some(first) = pod.list("containers").first() else { continue };
            let name = cx.service_name(object);
            let mut draft = Draft::container(object.id, object.identity(), first.str_at("image").unwrap().to_owned());
            let words = |key: &str| first.list(key).iter().map(|node| node.text().unwrap().to_owned()).collect();
            let container = draft.as_container_mut().unwrap();
            (container.args, container.command) = (words("args"), words("command"));
            container.host_network = pod.bool_at("hostNetwork") == Some(true);
            let mut secrets = Vec::new();
            for one in first.list("env") {
                let key = one.str_at("name").unwrap().to_owned();
                match one.get("value") {
                    Some(value) => drop(container.environment.insert(key, value.text().unwrap().to_owned())),
                    None => secrets.push(SecretDraft { name: "secret".to_owned(), to: SecretTo::Env(key) }),
                }
            }
            draft.secrets = secrets;
            for pair in object.tree().at(&["metadata", "annotations"]).map_or(&[][..], Node::pairs) {
                if let Some(path) = pair.key.strip_prefix("file:") {
                    let content = pair.node.text().unwrap().as_bytes().to_vec();
                    draft.files.push(FileDraft { path: path.to_owned(), content, mode: None });
                }
            }
            if let Some(module) = object.label("native") {
                draft.work = WorkDraft::Native(NativeDraft { module: module.to_owned(), ..NativeDraft::default() });
            }
            cx.add(&name, draft);
            cx.books.translated(object.tree(), "services");
        }
        run_from(&mut cx, Stage::Names);
        close(cx, true)
    })
}

/// A workload that listens on 8080 and its Service at 80, by a name.
pub(crate) fn workload(name: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name} }}\nspec:\n  template:\n    metadata: {{ labels: {{ app: {name} }} }}\n    spec:\n      containers: [{{ name: main, image: docker.io/a/{name}:1, ports: [{{ name: http, containerPort: 8080 }}] }}]\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {{ name: {name} }}\nspec:\n  selector: {{ app: {name} }}\n  ports: [{{ name: web, port: 80, targetPort: http }}]\n"
    )
}

/// The virtual hosts of all services, a line each.
pub(crate) fn vhosts(inventory: &Inventory) -> Vec<String> {
    let mut all = Vec::new();
    for (name, draft) in &inventory.host.services {
        for vhost in &draft.vhosts {
            let mut line = format!("{name} {}{} -> {:?}", vhost.name, vhost.path, vhost.to.as_deref().unwrap_or("-"));
            let more = [
                vhost.tls.map(|tls| format!("tls={tls}")),
                vhost.redirect.map(|on| format!("redirect={on}")),
                vhost.max_body.clone().map(|size| format!("max-body={size}")),
                vhost.timeout.map(|seconds| format!("timeout={seconds}")),
                vhost.auth.clone().map(|auth| format!("auth={auth}")),
                (!vhost.allow.is_empty()).then(|| format!("allow={}", vhost.allow.join(","))),
                (!vhost.headers.is_empty()).then(|| format!("headers={:?}", vhost.headers)),
            ];
            more.into_iter().flatten().for_each(|word| line.push_str(&format!(" {word}")));
            all.push(line);
        }
    }
    all
}

fn made(
    yaml: &str,
    change: impl FnOnce(&mut Target<'_>),
    run: impl FnOnce(&World<'_>, &Target<'_>) -> Result<Inventory, super::ledger::Unsettled>,
) -> Inventory {
    complete(on(yaml, change, |world, target| run(world, target).unwrap()))
}

fn complete(inventory: Inventory) -> Inventory {
    let listed: usize = inventory.objects.iter().map(|object| object.fields.as_ref().map_or(0, Vec::len)).sum();
    assert_eq!(listed, inventory.totals.leaves, "every leaf is listed");
    inventory
}

/// Calls `read` with what manifests say and the place that they go to.
pub(crate) fn on<T>(
    yaml: &str,
    change: impl FnOnce(&mut Target<'_>),
    read: impl FnOnce(&World<'_>, &Target<'_>) -> T,
) -> T {
    let mut sources = Sources::default();
    let file = sources.add("k8s/all.yaml", yaml);
    let mut world = World::new(&sources);
    for document in super::read::read(&sources, file).documents {
        for (version, kind, root) in expand(document.root) {
            world.add(file, version, kind, root);
        }
    }
    super::load::arrange(&mut world, &[file]);
    in_world(&world, change, read)
}

/// Translates manifests in several files, by path and text, as the program reads them; every leaf is listed.
pub(crate) fn translated_files(files: &[(&str, &str)]) -> Inventory {
    let mut sources = Sources::default();
    let ids: Vec<_> = files.iter().map(|(path, text)| sources.add(*path, *text)).collect();
    let world = super::load::load(&sources, &ids).world;
    complete(in_world(&world, |_| {}, |world, target| inventory(world, target, true).unwrap()))
}

pub(crate) fn in_world<T>(
    world: &World<'_>,
    change: impl FnOnce(&mut Target<'_>),
    read: impl FnOnce(&World<'_>, &Target<'_>) -> T,
) -> T {
    let (modules, facts) = (modules(), Facts::embedded());
    let mut target = Target {
        host: Some("lufta"),
        release: "26.05".parse().ok(),
        datasets: Some("rpool/safe".to_owned()),
        ..Target::nowhere("do", &modules, &facts)
    };
    change(&mut target);
    read(world, &target)
}

/// Returns `disposition to|reason` of a leaf, by the kind of its object and its path.
pub(crate) fn leaf(inventory: &Inventory, kind: &str, path: &str) -> String {
    let objects = inventory.objects.iter().filter(|object| object.kind == kind);
    let mut fields = objects.flat_map(|object| object.fields.iter().flatten());
    let field = fields.find(|field| field.path == path).unwrap_or_else(|| panic!("{kind} has no leaf {path}"));
    let said = [field.to.as_deref(), field.reason.as_deref()];
    format!("{} {}", field.disposition.as_str(), said.into_iter().flatten().collect::<Vec<_>>().join("|"))
}

/// Calls `read` with the first document of a text.
pub(crate) fn parsed<T>(yaml: &str, read: impl FnOnce(&Node<'_>) -> T) -> T {
    let mut sources = Sources::default();
    let file = sources.add("k8s/all.yaml", yaml);
    read(&super::read::read(&sources, file).documents.first().unwrap().root)
}

/// Returns a value in one line, by its meaning, keys sorted.
pub(crate) fn flow(node: &Node<'_>) -> String {
    if !node.items().is_empty() {
        return format!("[{}]", node.items().iter().map(flow).collect::<Vec<_>>().join(", "));
    }
    if !node.pairs().is_empty() {
        let mut all: Vec<String> =
            node.pairs().iter().map(|pair| format!("{}: {}", pair.key, flow(&pair.node))).collect();
        all.sort();
        return format!("{{{}}}", all.join(", "));
    }
    format!("{:?}", node.plain())
}

/// Returns the service modules that the program carries.
pub(crate) fn modules() -> BTreeMap<String, Module> {
    use crate::fleet::decode::{Cx, Decode as _};
    let mut all = BTreeMap::new();
    for (name, text) in crate::modules::embedded() {
        let mut sources = Sources::default();
        let file = sources.add(format!("modules/{name}/module.toml"), *text);
        let mut found = Vec::new();
        let node = crate::source::parse_toml(&sources, file, &mut found);
        let module = crate::fleet::schema::module_file::ModuleFile::decode(&node, &mut Cx::new(&mut found));
        all.insert((*name).to_owned(), Module { file: module.unwrap(), overrides: false });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_a_deployment_has_a_disposition() {
        let inventory = translated(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps }\nspec:\n  replicas: 3\n  template:\n    spec:\n      containers: [{ name: web, image: nginx }]\n",
        );
        assert_eq!(inventory.totals.leaves, 7);
        assert_eq!(
            leaf(&inventory, "Deployment", "spec.replicas"),
            "dropped one process takes the place of all replicas"
        );
    }
}
