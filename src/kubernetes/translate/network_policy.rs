//! NetworkPolicy and CiliumNetworkPolicy: who may speak with whom.
//!
//! They never vanish silently. What they keep out from elsewhere stays out, because a container's port is reachable from outside only
//! where it is published; what they forbid among services and towards the internet is allowed on the host, and that is a question.

use super::{Stage, Translator, annotations};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::reach::listed;
use crate::kubernetes::tree::Node;

const CILIUM: &[&str] = &["cilium.io"];

pub(super) static NETWORK_POLICY: Translator = Translator {
    kind: "NetworkPolicy",
    groups: &["networking.k8s.io", "extensions"],
    stage: Stage::Guards,
    run: kubernetes,
};
pub(super) static CILIUM_POLICY: Translator =
    Translator { kind: "CiliumNetworkPolicy", groups: CILIUM, stage: Stage::Guards, run: cilium };
pub(super) static CILIUM_CLUSTER_POLICY: Translator =
    Translator { kind: "CiliumClusterwideNetworkPolicy", groups: CILIUM, stage: Stage::Guards, run: cilium };

/// What a policy forbids.
#[derive(Debug, Clone, Copy)]
struct Forbids {
    incoming: bool,
    outgoing: bool,
}

fn kubernetes<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let types: Vec<&str> = spec.list("policyTypes").iter().filter_map(Node::str).collect();
    // Without `policyTypes` a policy is about what comes in, and about what goes out where it has rules for that.
    let incoming = types.is_empty() || types.contains(&"Ingress");
    let outgoing = if types.is_empty() { spec.get("egress").is_some() } else { types.contains(&"Egress") };
    let open = |key: &str| spec.list(key).iter().any(Node::is_leaf);
    let forbids = Forbids { incoming: incoming && !open("ingress"), outgoing: outgoing && !open("egress") };
    settle(cx, object, spec, spec.get("podSelector"), forbids);
}

fn cilium<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let one = object.tree().get("spec").into_iter();
    let many = object.tree().list("specs").iter();
    for spec in one.chain(many) {
        let denies = |key: &str| spec.at(&["enableDefaultDeny", key]).and_then(Node::bool);
        let open = |key: &str, of: &str| {
            spec.list(key).iter().any(|rule| {
                rule.is_leaf()
                    || rule.pairs().len() == 1 && rule.list(of).iter().any(|one| matches!(one.str(), Some("all")))
            })
        };
        let forbids = Forbids {
            incoming: spec.get("ingressDeny").is_some()
                || denies("ingress").unwrap_or(spec.get("ingress").is_some()) && !open("ingress", "fromEntities"),
            outgoing: spec.get("egressDeny").is_some()
                || denies("egress").unwrap_or(spec.get("egress").is_some()) && !open("egress", "toEntities"),
        };
        settle(cx, object, spec, spec.get("endpointSelector"), forbids);
    }
}

/// Settles a policy: what it permits needs nothing, what it forbids is a question.
fn settle<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    spec: &'w Node<'s>,
    selector: Option<&'w Node<'s>>,
    forbids: Forbids,
) {
    if !forbids.incoming && !forbids.outgoing {
        cx.books.dropped(spec, "it forbids nothing: all that it permits is permitted on a host too");
        return;
    }
    let whom = selected(cx, object, selector);
    let subject = match whom.as_slice() {
        [] => "the workloads that it selects".to_owned(),
        all if all.len() > 4 => format!("{} workloads", all.len()),
        all => listed(all),
    };
    let keys: &[(&str, bool)] = &[("ingress", true), ("ingressDeny", true), ("egress", false), ("egressDeny", false)];
    for (key, incoming) in keys {
        if let Some(node) = spec.get(key)
            && !(if *incoming { forbids.incoming } else { forbids.outgoing })
        {
            cx.books.dropped(node, "it permits everything, as a host does");
        }
    }
    let lost = match forbids {
        Forbids { incoming: true, outgoing: false } => format!(
            "from outside of the machine only published ports of {subject} can be reached, as before; but every container of the same \
             podman network may speak with {subject} now"
        ),
        Forbids { incoming: false, .. } => {
            format!("{subject} may speak with the whole internet and with every other service now")
        }
        Forbids { incoming: true, outgoing: true } => format!(
            "from outside of the machine only published ports of {subject} can be reached, as before; but every container of the same \
             podman network may speak with {subject} now, and {subject} with the whole internet"
        ),
    };
    let question = format!(
        "this policy has no counterpart: {lost}. Is that acceptable, or should it get a network of its own (`networks`)?"
    );
    if let Some(answer) = cx.ask(object, spec, "policy", question, false)
        && !super::http_route::is_yes(answer)
    {
        let name = answer.trim();
        if name.parse::<crate::fleet::scalar::Name>().is_ok() {
            for service in &whom {
                let draft = cx.host.services.get_mut(service);
                if let Some(container) = draft.and_then(|draft| draft.as_container_mut()) {
                    container.networks = vec![name.to_owned()];
                }
            }
        }
    }
}

/// Returns the services that a policy is about; none where its selector says more than labels.
fn selected<'w, 's>(cx: &Cx<'w, 's>, object: &'w Object<'s>, selector: Option<&'w Node<'s>>) -> Vec<String> {
    if selector.is_some_and(|selector| selector.get("matchExpressions").is_some()) {
        return Vec::new();
    }
    let labels = selector.map_or(&[][..], |selector| selector.map("matchLabels"));
    let of_cluster = object.kind == "CiliumClusterwideNetworkPolicy";
    let here = cx.world.objects().iter().filter(|other| of_cluster || other.namespace() == object.namespace());
    let mut all = Vec::new();
    for other in here {
        let Some(service) = cx.services.get(&other.id).filter(|name| cx.host.services.contains_key(*name)) else {
            continue;
        };
        let known = other.pod_labels();
        let has = |key: &str, value: Option<&str>| {
            let key = key.strip_prefix("k8s:").unwrap_or(key);
            value.is_some() && known.and_then(|labels| labels.get(key)).and_then(Node::text) == value
        };
        if labels.iter().all(|pair| has(&pair.key, pair.node.text())) && !all.contains(service) {
            all.push(service.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::draft::Draft;
    use crate::kubernetes::sample::{leaf, reached, workload};

    fn policy(spec: &str) -> String {
        format!(
            "{}---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: guard }}\nspec: {{ podSelector: {{ matchLabels: {{ app: web }} }}, {spec} }}\n",
            workload("web")
        )
    }

    #[test]
    fn a_policy_is_a_question_that_says_what_becomes_possible() {
        for (spec, becomes) in [
            ("policyTypes: [Ingress]", "every container of the same podman network may speak with `web` now."),
            (
                "ingress: [{ from: [{ podSelector: {} }] }]",
                "every container of the same podman network may speak with `web` now.",
            ),
            (
                "policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 10.0.0.0/8 } }] }]",
                "`web` may speak with the whole internet",
            ),
            ("policyTypes: [Ingress, Egress]", "and `web` with the whole internet."),
        ] {
            let inventory = reached(&policy(spec), &[]);
            let question = inventory.questions.first().unwrap();
            assert!(question.question.contains(becomes), "{spec}: {}", question.question);
            assert!(
                leaf(&inventory, "NetworkPolicy", "spec.podSelector.matchLabels.app").starts_with("needs-you"),
                "{spec}"
            );
        }
    }

    #[test]
    fn a_policy_that_forbids_nothing_is_dropped() {
        for spec in
            ["policyTypes: [Ingress], ingress: [{}]", "policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]"]
        {
            let inventory = reached(&policy(spec), &[]);
            assert!(inventory.questions.is_empty(), "{spec}");
            assert!(
                leaf(&inventory, "NetworkPolicy", "spec.policyTypes[0]").starts_with("dropped it forbids nothing"),
                "{spec}"
            );
        }
    }

    #[test]
    fn an_answer_accepts_it_or_names_a_network() {
        let networks = |answer: &str| {
            let inventory =
                reached(&policy("policyTypes: [Ingress]"), &[("default/NetworkPolicy/guard#policy", answer)]);
            assert!(inventory.questions.is_empty(), "{answer}");
            inventory.host.services.get("web").and_then(Draft::as_container).unwrap().networks.clone()
        };
        assert_eq!(networks("yes"), Vec::<String>::new());
        assert_eq!(networks("web-only"), ["web-only"]);
    }
}
