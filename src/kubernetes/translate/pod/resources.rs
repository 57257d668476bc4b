//! What a container may use: `resources`, and what the downward API says of them.

use super::{Container, Workload};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;
use crate::units::Quantity;

/// Settles `resources`, and adds limits to a service.
pub(super) fn translate<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    draft: &mut Draft,
) {
    let Some(resources) = container.node.get("resources") else { return };
    let mut most = None;
    for pair in resources.map("limits") {
        let node = &pair.node;
        match &*pair.key {
            "memory" => {
                most = quantity(cx, workload, container, node, "limits.memory", true);
                if let Some(size) = most.and_then(|most| most.size()) {
                    cx.books.translated(node, container.key("limits.memory"));
                    draft.memory = Some(size.to_string());
                }
            }
            "cpu" => {
                let quantity = quantity(cx, workload, container, node, "limits.cpu", true);
                if let Some(cpu) = quantity.and_then(|quantity| quantity.cpu()) {
                    cx.books.translated(node, container.key("limits.cpu"));
                    draft.cpu = Some(cpu);
                }
            }
            _ => other(cx, workload, container, "limits", &pair.key, node),
        }
    }
    for pair in resources.map("requests") {
        let node = &pair.node;
        match &*pair.key {
            "memory" => {
                let Some(least) = quantity(cx, workload, container, node, "requests.memory", false) else { continue };
                if most.is_some_and(|most| most < least) {
                    let text =
                        "it asks for more memory than it may have, which a cluster refuses: how much does it need?";
                    cx.ask(workload.object, node, &container.question("requests.memory"), text, false);
                } else if let Some(size) = least.size() {
                    cx.books.translated(node, container.key("limits.memory-low"));
                    draft.memory_low = Some(size.to_string());
                }
            }
            "cpu" => cx.books.dropped(node, "it tells a scheduler where there is room; on one host nobody is placed"),
            _ => other(cx, workload, container, "requests", &pair.key, node),
        }
    }
    if resources.is_leaf() {
        cx.books.dropped(resources, "nothing is limited");
    }
}

/// Settles what neither memory nor processor is.
fn other<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    kind: &str,
    name: &str,
    node: &'w Node<'s>,
) {
    if name == "ephemeral-storage" {
        return cx.books.dropped(node, "what a container writes beside its volumes is not limited on a host");
    }
    if kind == "requests" && container.node.at(&["resources", "limits", name]).is_some() {
        return cx.books.dropped(node, "the limit of the same name says as much");
    }
    let text = format!("it needs `{name}`: which device or setting of the host gives it that?");
    cx.ask(workload.object, node, &container.question(name), text, true);
}

/// Reads a quantity that is more than nothing; else it is settled.
fn quantity<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    node: &'w Node<'s>,
    what: &str,
    is_limit: bool,
) -> Option<Quantity> {
    if node.is_null() {
        return None;
    }
    let text = node.text().unwrap_or("");
    match text.parse::<Quantity>() {
        Ok(quantity) if quantity.is_zero() => {
            let reason = if is_limit { "nothing is no limit" } else { "it asks for nothing" };
            cx.books.dropped(node, reason);
            None
        }
        Ok(quantity) if quantity.bytes().is_some() => Some(quantity),
        _ => {
            let said = format!("`{text}` is no quantity: how much is it?");
            let answer = cx.ask(workload.object, node, &container.question(what), said, false)?;
            answer.parse().ok()
        }
    }
}

/// Returns what a `resourceFieldRef` stands for: the limit or request in units of the divisor, rounded up (`ExtractContainerResourceValue`
/// in pkg/api/v1/resource of Kubernetes); none where the container is not limited. A request that is absent is the limit.
pub(super) fn field(container: &Node<'_>, reference: &Node<'_>) -> Option<String> {
    let (kind, name) = reference.str_at("resource")?.split_once('.')?;
    let of = |kind: &str| container.at(&["resources", kind, name])?.text()?.parse::<Quantity>().ok();
    let value = match kind {
        "limits" => of("limits"),
        "requests" => of("requests").or_else(|| of("limits")),
        _ => None,
    }?;
    let divisor = match reference.get("divisor").filter(|divisor| !divisor.is_null()).and_then(Node::text) {
        Some(text) => Some(text.parse::<Quantity>().ok()?).filter(|divisor| !divisor.is_zero()),
        None => None,
    };
    let (value, divisor) = if name == "cpu" {
        (value.milli()?, divisor.map_or(Some(1000), |divisor| divisor.milli())?)
    } else {
        (value.bytes()?, divisor.map_or(Some(1), |divisor| divisor.bytes())?)
    };
    Some(value.div_ceil(divisor.max(1)).to_string())
}
