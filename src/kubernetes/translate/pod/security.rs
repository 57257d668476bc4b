//! `securityContext` of a pod and its containers.
//!
//! What a container says goes before what its pod says, field by field ("Configure a Security Context for a Pod or Container").

use super::{Container, Role, Workload};
use crate::fleet::scalar::Capability;
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;

const OWN: &str = "securityContext";

/// Settles the `securityContext` of a container, and adds what it and its pod say to a service.
pub(super) fn translate<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    draft: &mut Draft,
) {
    let own = container.node.get(OWN);
    let of_pod = workload.spec.get(OWN);
    user(cx, workload, container, draft);
    groups(cx, workload, container, draft);
    if container.role == Role::Main {
        sysctls(cx, workload, container, draft);
    }
    for context in [own, of_pod].into_iter().flatten() {
        seccomp(cx, workload, container, context);
    }
    let Some(own) = own else { return };
    if let Some(capabilities) = own.get("capabilities") {
        self::capabilities(cx, workload, container, capabilities, draft);
    }
    let Some(work) = draft.as_container_mut() else { return };
    let set = |cx: &mut Cx<'w, 's>, field: &str, key: &str, place: &mut bool| {
        let Some(node) = own.get(field) else { return };
        match node.bool() {
            Some(true) => {
                *place = true;
                cx.books.translated(node, container.key(key));
            }
            Some(false) => cx.books.dropped(node, "this is the default"),
            None => {}
        }
    };
    set(cx, "readOnlyRootFilesystem", "read-only-root", &mut work.read_only_root);
    match own.get("allowPrivilegeEscalation").and_then(|node| Some((node, node.bool()?))) {
        Some((node, false)) => {
            work.no_new_privileges = true;
            cx.books.translated(node, container.key("no-new-privileges"));
        }
        Some((node, true)) => cx.books.dropped(node, "this is the default"),
        None => {}
    }
    match own.get("privileged").and_then(|node| Some((node, node.bool()?))) {
        Some((node, true)) => {
            work.privileged = true;
            let text = "nothing keeps it from the host: does it need that, or is a device or a capability enough?";
            cx.ask(workload.object, node, &container.question("privileged"), text, false);
        }
        Some((node, false)) => cx.books.dropped(node, "this is the default"),
        None => {}
    }
    match own.get("procMount").and_then(|node| Some((node, node.str()?))) {
        Some((node, "Unmasked")) => {
            let text = "it sees all of /proc: what does it look for there?";
            cx.ask(workload.object, node, &container.question("procMount"), text, false);
        }
        Some((node, _)) => cx.books.dropped(node, "this is the default"),
        None => {}
    }
}

/// Settles what concerns all containers of a pod, after each of them.
pub(super) fn settle<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>) {
    let Some(context) = workload.spec.get(OWN) else { return };
    if context.is_leaf() {
        cx.books.dropped(context, "it says nothing");
    }
    if let Some(policy) = context.get("supplementalGroupsPolicy") {
        match policy.str() {
            Some("Strict") => {
                let text = "the groups that the image gives its user do not count: does it matter that they do here?";
                cx.ask(workload.object, policy, "supplementalGroupsPolicy", text, false);
            }
            _ => cx.books.dropped(policy, "podman adds groups to those of the image, too"),
        }
    }
}

/// Returns a field of a container or else of its pod.
fn field<'w, 's>(workload: &Workload<'w, 's>, container: &Container<'w, 's>, key: &str) -> Option<&'w Node<'s>> {
    let of = |node: &'w Node<'s>| node.at(&[OWN, key]).filter(|node| !node.is_null());
    of(container.node).or_else(|| of(workload.spec))
}

fn user<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>, draft: &mut Draft) {
    let number = |key: &str| {
        let node = field(workload, container, key)?;
        Some((node, node.int().filter(|id| (0..=i64::from(u32::MAX)).contains(id))))
    };
    let (user, group) = (number("runAsUser"), number("runAsGroup"));
    let mut word = None;
    match (user, group) {
        (Some((_, Some(user))), Some((_, Some(group)))) => word = Some(format!("{user}:{group}")),
        (Some((_, Some(user))), None) => word = Some(user.to_string()),
        (None, Some((node, Some(group)))) => {
            let text = format!("it runs as the image's user with the group {group}: which number has that user?");
            let answer = cx.ask(workload.object, node, &container.question("runAsGroup"), text, false);
            word = answer.filter(|answer| answer.parse::<u32>().is_ok()).map(|user| format!("{user}:{group}"));
        }
        (None, None) => {}
        _ => {
            for node in [user, group].into_iter().flatten().filter(|(_, id)| id.is_none()).map(|(node, _)| node) {
                let text = "this is no number of a user or group: which one is it?";
                cx.ask(workload.object, node, &container.question("user"), text, true);
            }
        }
    }
    if word.is_some() {
        for node in [user, group].into_iter().flatten().map(|(node, _)| node) {
            cx.books.translated(node, container.key("user"));
        }
    }
    // What a container says goes before what its pod says; the pod's may still be that of another container.
    if let Some(node) = field(workload, container, "runAsNonRoot") {
        match (node.bool(), user) {
            (Some(true), Some((_, Some(0)))) => {
                let text = "it must not run as root and runs as user 0, which a cluster refuses: as whom does it run?";
                cx.ask(workload.object, node, &container.question("runAsNonRoot"), text, true);
            }
            (Some(true), Some(_)) => cx.books.replaced(node, container.key("user")),
            (Some(true), None) => {
                cx.books
                    .dropped(node, "a cluster refuses an image whose user is root; podman runs it as the image's user");
            }
            _ => cx.books.dropped(node, "this is the default"),
        }
    }
    if let Some(work) = draft.as_container_mut() {
        work.user = word;
    }
}

/// "fsGroup" and "supplementalGroups" are further groups of every process of the pod.
fn groups<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>, draft: &mut Draft) {
    let Some(context) = workload.spec.get(OWN) else { return };
    let Some(work) = draft.as_container_mut() else { return };
    for node in context.list("supplementalGroups") {
        match node.int().filter(|group| *group >= 0) {
            Some(group) => {
                work.groups.push(group.to_string());
                cx.books.translated(node, container.key("groups"));
            }
            None => {
                let text = "this is no number of a group: which one is it?";
                cx.ask(workload.object, node, "supplementalGroups", text, false);
            }
        }
    }
    if let Some((node, group)) = workload.fs_group().filter(|(_, group)| *group >= 0) {
        let word = group.to_string();
        if !work.groups.contains(&word) {
            work.groups.push(word);
        }
        let how = "its volumes get this group when their data is copied, not at each start";
        cx.books.translated_as(node, container.key("groups"), how);
    }
}

/// Parameters of the kernel belong to the network of a pod, or to what its containers share.
fn sysctls<'w, 's>(cx: &mut Cx<'w, 's>, workload: &Workload<'w, 's>, container: &Container<'w, 's>, draft: &mut Draft) {
    let list = workload.spec.get(OWN).map_or(&[][..], |context| context.list("sysctls"));
    let Some(work) = draft.as_container_mut() else { return };
    for node in list {
        let (Some(name), Some(value)) = (node.str_at("name"), node.get("value").and_then(Node::text)) else { continue };
        let name = name.replace('/', ".");
        if workload.has_host_network() && name.starts_with("net.") {
            let text = format!("`{name}` would change the network of the host: does the host set it?");
            cx.ask(workload.object, node, &format!("sysctl.{name}"), text, false);
            continue;
        }
        cx.books.translated(node, container.key(&format!("sysctls.{name}")));
        work.sysctls.insert(name, value.to_owned());
    }
}

fn seccomp<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    context: &'w Node<'s>,
) {
    for (key, name) in [("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")] {
        let Some(profile) = context.get(key) else { continue };
        match profile.str_at("type") {
            Some("RuntimeDefault") => {
                cx.books.replaced(profile, format!("podman's own profile of {name}, where the host has it"));
            }
            Some("Unconfined") => {
                cx.books.dropped(
                    profile,
                    format!("podman keeps its own profile of {name}, which allows what programs usually do"),
                );
            }
            Some("Localhost") => {
                let text =
                    format!("it runs with a profile of {name} that lies on the nodes: what does that allow or forbid?");
                cx.ask(workload.object, profile, &container.question(key), text, false);
            }
            _ => {}
        }
    }
}

fn capabilities<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    capabilities: &'w Node<'s>,
    draft: &mut Draft,
) {
    let Some(work) = draft.as_container_mut() else { return };
    for (list, place) in [("add", &mut work.cap_add), ("drop", &mut work.cap_drop)] {
        for node in capabilities.list(list) {
            let name = node.text().unwrap_or("").to_ascii_uppercase();
            let name = name.strip_prefix("CAP_").unwrap_or(&name);
            if name.parse::<Capability>().is_ok() {
                if !place.iter().any(|known| known == name) {
                    place.push(name.to_owned());
                }
                cx.books.translated(node, container.key(&format!("capabilities.{list}")));
            } else {
                let text = "this is no capability of Linux: which one is it?";
                cx.ask(workload.object, node, &container.question(&format!("capabilities.{list}")), text, false);
            }
        }
        if let Some(node) = capabilities.get(list).filter(|node| node.is_leaf()) {
            cx.books.dropped(node, "it names none");
        }
    }
    if capabilities.is_leaf() {
        cx.books.dropped(capabilities, "it names none");
    }
}
