//! Gateways and classes of controllers: what the host's own web server takes the place of.

use super::{Stage, Translator, annotations};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

const GROUPS: &[&str] = &["gateway.networking.k8s.io"];

pub(super) static GATEWAY: Translator =
    Translator { kind: "Gateway", groups: GROUPS, stage: Stage::Guards, run: gateway };
pub(super) static GATEWAY_CLASS: Translator =
    Translator { kind: "GatewayClass", groups: GROUPS, stage: Stage::Guards, run: class };
pub(super) static REFERENCE_GRANT: Translator =
    Translator { kind: "ReferenceGrant", groups: GROUPS, stage: Stage::Guards, run: grant };
pub(super) static INGRESS_CLASS: Translator =
    Translator { kind: "IngressClass", groups: &["networking.k8s.io"], stage: Stage::Guards, run: class };

fn gateway<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    for pair in object.tree().at(&["metadata", "annotations"]).map_or(&[][..], Node::pairs) {
        if pair.key.starts_with("cert-manager.io/") {
            cx.books.replaced(&pair.node, "security.acme");
        }
    }
    let Some(spec) = object.tree().get("spec") else { return };
    for listener in spec.list("listeners") {
        let port = listener.int_at("port");
        let protocol = listener.str_at("protocol");
        if let Some(tls) = listener.get("tls") {
            if tls.str_at("mode") == Some("Passthrough") {
                let question = "TLS went through to the programs themselves, and a virtual host ends it: how should their clients reach them?";
                cx.ask(object, tls, "passthrough", question, false);
            } else if tls.get("frontendValidation").is_some() {
                let question =
                    "only clients with a certificate got in, which a virtual host cannot ask for: what guards it here?";
                cx.ask(object, tls, "client-certificates", question, true);
            }
            cx.books.replaced(tls, "each virtual host has a certificate of its own (security.acme)");
        }
        if let Some(node) = listener.get("hostname") {
            cx.books.replaced(node, "the names of the virtual hosts themselves");
        }
        if let Some(node) = listener.get("allowedRoutes") {
            cx.books.dropped(node, "who may attach a route: a fleet has one author");
        }
        let by = match (protocol, port) {
            (Some("HTTP"), Some(80)) | (Some("HTTPS"), Some(443)) => "the host's own web server",
            (Some("HTTP" | "HTTPS"), _) => {
                let question =
                    "clients come in at this port, and virtual hosts answer at 80 and 443: will they be told?";
                if let Some(node) = listener.get("port") {
                    let key = format!("port-{}", port.unwrap_or(0));
                    cx.ask(object, node, &key, question, false);
                }
                "the host's own web server"
            }
            _ => "the ports of the services that are led to from here",
        };
        cx.books.replaced(listener, by);
    }
    if let Some(node) = spec.get("addresses") {
        let question = "clients come in at this address: does this machine take it over (`network`), or do the names lead elsewhere now?";
        cx.ask(object, node, "addresses", question, false);
    }
    if let Some(node) = spec.get("gatewayClassName") {
        cx.books.replaced(node, "the host's own web server");
    }
    if let Some(infrastructure) = spec.get("infrastructure") {
        for pair in infrastructure.map("annotations") {
            if pair.key.contains("lb-ipam")
                || pair.key.contains("lbipam.cilium.io/ips")
                || pair.key.contains("loadBalancerIPs")
            {
                let question = "clients come in at this address: does this machine take it over (`network`), or do the names lead elsewhere now?";
                cx.ask(object, &pair.node, "addresses", question, false);
            } else if pair.key.starts_with("external-dns.alpha.kubernetes.io/") {
                cx.ask(object, &pair.node, "dns", annotations::DNS_QUESTION, false);
            }
        }
        cx.books.dropped(infrastructure, "told the cluster how to make the gateway's own objects");
    }
}

fn class<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    if let Some(spec) = object.tree().get("spec") {
        cx.books.replaced(spec, "the host's own web server");
    }
    let default = object.tree().at(&["metadata", "annotations", "ingressclass.kubernetes.io/is-default-class"]);
    if let Some(node) = default {
        cx.books.dropped(node, "there is one web server");
    }
}

fn grant<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    if let Some(spec) = object.tree().get("spec") {
        cx.books.dropped(spec, "who may refer to objects of another namespace: a fleet has one author");
    }
}
