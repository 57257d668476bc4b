//! What gave services their addresses and names outside of the cluster: MetalLB, load balancers of Cilium, external-dns.

use super::{Stage, Translator, annotations};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::tree::Node;

const METALLB: &[&str] = &["metallb.io"];
const CILIUM: &[&str] = &["cilium.io"];

/// Every kind of this file.
pub(super) static ALL: &[Translator] = &[
    Translator { kind: "IPAddressPool", groups: METALLB, stage: Stage::Guards, run: pool },
    Translator { kind: "AddressPool", groups: METALLB, stage: Stage::Guards, run: pool },
    Translator { kind: "CiliumLoadBalancerIPPool", groups: CILIUM, stage: Stage::Guards, run: pool },
    Translator { kind: "L2Advertisement", groups: METALLB, stage: Stage::Guards, run: advertisement },
    Translator { kind: "CiliumL2AnnouncementPolicy", groups: CILIUM, stage: Stage::Guards, run: advertisement },
    Translator { kind: "BGPAdvertisement", groups: METALLB, stage: Stage::Guards, run: bgp },
    Translator { kind: "BGPPeer", groups: METALLB, stage: Stage::Guards, run: bgp },
    Translator { kind: "BFDProfile", groups: METALLB, stage: Stage::Guards, run: session },
    Translator { kind: "CiliumBGPPeeringPolicy", groups: CILIUM, stage: Stage::Guards, run: bgp },
    Translator { kind: "CiliumBGPClusterConfig", groups: CILIUM, stage: Stage::Guards, run: bgp },
    Translator { kind: "CiliumBGPPeerConfig", groups: CILIUM, stage: Stage::Guards, run: session },
    Translator { kind: "CiliumBGPAdvertisement", groups: CILIUM, stage: Stage::Guards, run: bgp },
    Translator { kind: "DNSEndpoint", groups: &["externaldns.k8s.io"], stage: Stage::Guards, run: records },
];

fn pool<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    for key in ["addresses", "blocks", "cidrs"] {
        if let Some(node) = spec.get(key) {
            cx.books.dropped(
                node,
                "services answer at the addresses of the host itself; these become free in your network",
            );
        }
    }
    cx.books.dropped(spec, "how addresses were given out: services answer at the addresses of the host itself");
}

fn advertisement<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    if let Some(spec) = object.tree().get("spec") {
        cx.books.dropped(spec, "the host answers for its own addresses, as every machine of a network does");
    }
}

fn bgp<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let question = "a router learns from the cluster by BGP where addresses are: which route does it need to this machine instead?";
    cx.ask(object, spec, "bgp", question, false);
}

fn session<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    if let Some(spec) = object.tree().get("spec") {
        cx.books.dropped(
            spec,
            "how nodes kept in touch with a router, which learns a route to this machine in another way",
        );
    }
}

fn records<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(endpoints) = object.tree().at(&["spec", "endpoints"]) else { return };
    for (index, node) in endpoints.items().iter().enumerate() {
        let name = node.get("dnsName").and_then(Node::text).unwrap_or("the name");
        let question = format!("external-dns made this record of `{name}`: who does so now, and where should it lead?");
        cx.ask(object, node, &format!("record-{index}"), question, false);
    }
}
