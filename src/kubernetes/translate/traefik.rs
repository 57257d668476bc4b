//! Traefik's own kinds: IngressRoute and its kin are routes, Middleware says how they behave.
//!
//! The rule of a route is a small language; what of it names hosts and paths is read, everything else is a question.

mod middleware;
mod rule;

pub(super) use self::middleware::by_word;
use self::middleware::{apply, missing};
use self::rule::places;
use super::{Stage, Translator, annotations};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Protocol;
use crate::kubernetes::object::Object;
use crate::kubernetes::ports::port_number;
use crate::kubernetes::reach::{Backend, Manners, PortRef, Route, backend, connect, network_owner, publish};
use crate::kubernetes::tree::Node;

const GROUPS: &[&str] = &["traefik.io", "traefik.containo.us"];

pub(super) static INGRESS_ROUTE: Translator =
    Translator { kind: "IngressRoute", groups: GROUPS, stage: Stage::Routes, run: http };
pub(super) static INGRESS_ROUTE_TCP: Translator =
    Translator { kind: "IngressRouteTCP", groups: GROUPS, stage: Stage::Routes, run: port };
pub(super) static INGRESS_ROUTE_UDP: Translator =
    Translator { kind: "IngressRouteUDP", groups: GROUPS, stage: Stage::Routes, run: port };
pub(super) static MIDDLEWARE: Translator =
    Translator { kind: "Middleware", groups: GROUPS, stage: Stage::Guards, run: middleware::middleware };
pub(super) static TLS_OPTION: Translator =
    Translator { kind: "TLSOption", groups: GROUPS, stage: Stage::Guards, run: tls_option };
pub(super) static SERVERS_TRANSPORT: Translator =
    Translator { kind: "ServersTransport", groups: GROUPS, stage: Stage::Guards, run: servers_transport };

fn http<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let by_annotation = annotations::manners(cx, object, false);
    let Some(spec) = object.tree().get("spec") else { return };
    let entry_points = spec.list("entryPoints").iter().filter_map(Node::text);
    let tls = by_annotation.tls || spec.get("tls").is_some() || annotations::is_secure(entry_points);
    for (index, node) in spec.list("routes").iter().enumerate() {
        let mut manners = Manners { tls, ..by_annotation.clone() };
        for (at, one) in node.list("middlewares").iter().enumerate() {
            let name = one.get("name").and_then(Node::text).unwrap_or_default();
            let namespace = one.str_at("namespace").unwrap_or_else(|| object.namespace());
            let found = cx.world.find("Middleware", namespace, name);
            match found.map_or_else(|| Err(missing(name)), |found| apply(cx, found, &mut manners, 0)) {
                Ok(()) => cx.books.translated(one, "vhost"),
                Err(question) => {
                    cx.ask(object, one, &format!("middleware-{index}-{at}"), question, true);
                }
            }
        }
        route(cx, object, node, index, &manners);
        if let Some(node) = node.get("priority") {
            cx.books.replaced(node, "the longest path counts");
        }
        if let Some(node) = node.get("kind") {
            cx.books.dropped(node, "the only kind of route that there is");
        }
        if let Some(node) = node.get("observability") {
            cx.books.dropped(node, "what traefik wrote about requests");
        }
    }
    if let Some(node) = spec.get("entryPoints") {
        cx.books.replaced(node, "the host's web server listens on ports 80 and 443");
    }
    if let Some(node) = spec.get("tls") {
        for key in ["secretName", "certResolver", "domains", "store"] {
            if let Some(node) = node.get(key) {
                cx.books.replaced(node, "each virtual host has a certificate of its own (security.acme)");
            }
        }
        if let Some(node) = node.get("options") {
            options(cx, object, node);
        }
        cx.books.translated(node, "vhost.tls");
    }
}

/// Settles what a route says of its TLSOption, which may ask clients for certificates.
fn options<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, node: &'w Node<'s>) {
    let name = node.str_at("name").unwrap_or("default");
    let namespace = node.str_at("namespace").unwrap_or_else(|| object.namespace());
    if name == "default" || cx.world.find("TLSOption", namespace, name).is_some() {
        cx.books.replaced(node, "services.nginx.recommendedTlsSettings");
        return;
    }
    let question = format!(
        "the TLSOption `{name}` is not among the input: did it ask clients for a certificate, and what guards this name then?"
    );
    cx.ask(object, node, "tls-options", question, true);
}

/// Connects one route.
fn route<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, node: &'w Node<'s>, index: usize, manners: &Manners) {
    let services = node.get("services");
    let ask_whole = |cx: &mut Cx<'w, 's>, question: &str| {
        let at = node.get("match").unwrap_or(node);
        cx.ask(object, at, &format!("match-{index}"), question.to_owned(), false);
        if let Some(services) = services {
            cx.books.needs_you(services, "nothing leads there yet: see the question about the rule");
        }
    };
    let Some(at) = node.get("match") else {
        return ask_whole(cx, "this route has no rule: which name should lead there?");
    };
    let rule = match places(at.text().unwrap_or_default()) {
        Ok(rule) => rule,
        Err(why) => return ask_whole(cx, &why),
    };
    let first = node.list("services").first();
    let one = match (node.list("services"), first) {
        ([one], _) => one,
        ([], _) | (_, None) => {
            return ask_whole(cx, "this route leads to no service: what should answer at its names?");
        }
        (_, Some(_)) => return ask_whole(cx, "several services share these requests: which one should answer here?"),
    };
    let target = of_service(cx, object, one);
    let target = match target {
        Ok(target) => target,
        Err(why) => {
            cx.ask(object, one, &format!("service-{index}"), why, false);
            cx.books.needs_you(at, "nothing answers at this name yet: see the question about its service");
            return;
        }
    };
    let mut key = None;
    for (name, path) in rule {
        let route = Route { by: object.identity(), name: name.clone(), path, manners: manners.clone() };
        match connect(cx, route, &target) {
            Ok(done) => key = Some(done),
            Err(why) => {
                let blocks = why.contains(" already, by ");
                cx.ask(object, at, &format!("route-{index}-{name}"), why, blocks);
            }
        }
    }
    if let Some(key) = key {
        let is_exact = at.text().is_some_and(|text| text.contains("Path("));
        if is_exact {
            let how = "the service answers at this path and below it, where only the path itself was asked for";
            cx.books.translated_as(at, format!("{key}.name"), how);
        }
        cx.books.translated(at, format!("{key}.name"));
        if let Some(node) = one.get("passHostHeader") {
            if node.bool() == Some(false) {
                let question = "the program got the name of its Service instead of the one that was asked for, which is passed on here: \
                                can it live with that?";
                cx.ask(object, node, &format!("host-header-{index}"), question, false);
            }
            cx.books.replaced(node, "the name that was asked for is passed on");
        }
        for (field, by) in [
            ("strategy", "one process answers"),
            ("weight", "one process answers"),
            ("sticky", "one process answers: every session is with the same one"),
            ("responseForwarding", "how often traefik passed parts of an answer on"),
            ("nativeLB", "there is one machine"),
            ("healthCheck", "the host asks the service itself (`health`)"),
        ] {
            if let Some(node) = one.get(field) {
                cx.books.dropped(node, by);
            }
        }
        cx.books.translated(one, format!("{key}.to"));
    } else {
        cx.books.needs_you(one, "nothing leads there yet: see the question about the rule");
    }
}

/// Returns what an element of `services` leads to.
fn of_service(cx: &Cx<'_, '_>, object: &Object<'_>, node: &Node<'_>) -> Result<Backend, String> {
    let name = node.get("name").and_then(Node::text).unwrap_or_default();
    if node.str_at("kind") == Some("TraefikService") {
        return Err(if name.ends_with("@internal") {
            "it leads to a page of traefik itself, which is not there any more: is it still wanted?".to_owned()
        } else {
            format!("it leads to the TraefikService `{name}`, which shares requests out: what should answer here?")
        });
    }
    if matches!(node.str_at("scheme"), Some("https" | "h2c")) || node.get("serversTransport").is_some() {
        return Err("the program speaks something else than plain HTTP, which is what a virtual host speaks with it: can it be told to \
                    speak HTTP?"
            .to_owned());
    }
    let namespace = node.str_at("namespace").unwrap_or_else(|| object.namespace());
    let port = match node.get("port") {
        None => PortRef::Only,
        Some(node) => match port_number(node) {
            Some(number) => PortRef::Number(number),
            None => node.text().map_or(PortRef::Only, PortRef::Name),
        },
    };
    backend(cx, namespace, name, port)
}

fn tls_option<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    if let Some(node) = spec.get("clientAuth") {
        let question =
            "only clients with a certificate got in, which a virtual host cannot ask for: what guards it here?";
        cx.ask(object, node, "client-certificates", question, true);
    }
    cx.books.replaced(spec, "services.nginx.recommendedTlsSettings");
}

fn servers_transport<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    for (key, reason) in [
        ("maxIdleConnsPerHost", "how many connections traefik kept open"),
        ("disableHTTP2", "the web server speaks HTTP/1.1 with programs"),
        (
            "forwardingTimeouts",
            "how long traefik waited: `timeout` of the virtual host says that here, a minute when absent",
        ),
    ] {
        if let Some(node) = spec.get(key) {
            cx.books.dropped(node, reason);
        }
    }
    if cx.books.is_settled(spec) {
        return;
    }
    let question =
        "how traefik spoke TLS with the program, and a virtual host speaks HTTP with it: can it be told to speak HTTP?";
    cx.ask(object, spec, "transport", question, false);
}

/// Translates a route that leads a port of traefik to a Service.
fn port<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let protocol = if object.kind == "IngressRouteUDP" { Protocol::Udp } else { Protocol::Tcp };
    for (index, node) in spec.list("routes").iter().enumerate() {
        if let Some(node) = node.get("middlewares") {
            let question = "Middlewares stood before this port, which everybody reaches here: what guards it?";
            cx.ask(object, node, &format!("middlewares-{index}"), question, true);
        }
        for one in node.list("services") {
            if let Some(node) = one.get("proxyProtocol") {
                let question = "traefik told the program by the PROXY protocol who its clients are, which nobody does here: can it go without?";
                cx.ask(object, node, &format!("proxy-protocol-{index}"), question, false);
            }
            for key in ["weight", "nativeLB", "nodePortLB", "terminationDelay"] {
                if let Some(node) = one.get(key) {
                    cx.books.dropped(node, "one process answers, and clients speak with it themselves");
                }
            }
            let outcome = of_service(cx, object, one).and_then(|backend| match backend {
                Backend::Here { service, port } => {
                    let owner = network_owner(cx, &service);
                    let wanted = one.get("port").and_then(port_number);
                    publish(cx, &owner, port, protocol, wanted, true).map(|_| owner)
                }
                Backend::Elsewhere(_) => Err("it leads to another machine: who should pass it on?".to_owned()),
            });
            match outcome {
                Ok(service) => cx.books.translated(one, format!("services.{service}.ports")),
                Err(why) => {
                    cx.ask(object, one, &format!("service-{index}"), why, false);
                }
            }
        }
        if let Some(at) = node.get("match") {
            match at.text().map(|text| text.replace([' ', '"', '\'', '`'], "")) {
                Some(text) if text == "HostSNI(*)" => cx.books.replaced(at, "the port of the service itself"),
                text => {
                    let question = "only some connections led here, by the name, address or protocol of clients, and a port of the host \
                                    leads all of them to the service: is that right?";
                    let is_guard = text.is_some_and(|text| text.contains("ClientIP"));
                    cx.ask(object, at, &format!("match-{index}"), question, is_guard);
                }
            }
        }
    }
    if let Some(node) = spec.get("tls") {
        if node.bool_at("passthrough") == Some(true) {
            cx.books.replaced(node, "the program itself, which speaks TLS as before");
        } else {
            let question =
                "traefik spoke TLS with clients, and they speak with the program itself here: does it speak TLS?";
            cx.ask(object, node, "tls", question, true);
        }
    }
    if let Some(node) = spec.get("entryPoints") {
        let question = "clients come in at the port of this entry point: which one is it (`ports` of the service)?";
        cx.ask(object, node, "entry-points", question, false);
    }
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{leaf, reached, vhosts, workload};

    /// A route with what it says of Middlewares, and one Middleware.
    fn route(middlewares: &str, middleware: &str) -> String {
        format!(
            "{}---\napiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{ name: guard }}\nspec: {{ {middleware} }}\n---\napiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {{ name: web }}\nspec:\n  entryPoints: [websecure]\n  routes:\n    - match: Host(`web.example.org`) && PathPrefix(`/x`)\n      kind: Rule\n      services: [{{ name: web, port: web }}]\n      middlewares: [{middlewares}]\n",
            workload("web")
        )
    }

    #[test]
    fn middlewares_say_how_a_virtual_host_behaves() {
        for (middleware, behaves) in [
            ("redirectScheme: { scheme: https, permanent: true }", ""),
            ("compress: {}", ""),
            ("ipAllowList: { sourceRange: [10.0.0.0/8] }", " allow=10.0.0.0/8"),
            ("ipWhiteList: { sourceRange: [192.0.2.1] }", " allow=192.0.2.1/32"),
            ("basicAuth: { secret: web-users }", " auth=web-users"),
            ("buffering: { maxRequestBodyBytes: 1000 }", " max-body=1kB"),
            (
                "headers: { frameDeny: true, stsSeconds: 60 }",
                " headers={\"X-Frame-Options\": \"DENY\", \"Strict-Transport-Security\": \"max-age=60\"}",
            ),
            ("chain: { middlewares: [] }", ""),
        ] {
            let inventory = reached(&route("{ name: guard }", middleware), &[]);
            assert_eq!(vhosts(&inventory), [format!("web web.example.org/x -> \"8080\"{behaves}")], "{middleware}");
            assert!(inventory.questions.is_empty(), "{middleware}: {:?}", inventory.questions);
        }
        for middleware in [
            "forwardAuth: { address: 'http://login' }",
            "stripPrefix: { prefixes: [/x] }",
            "plugin: { crowdsec: { enabled: true } }",
            "rateLimit: { average: 5 }",
            "ipAllowList: { sourceRange: ['${LAN}'] }",
            "headers: { customRequestHeaders: { X-A: b } }",
            "chain: { middlewares: [{ name: guard }] }",
            "chain: { middlewares: [{ name: absent }] }",
        ] {
            let inventory = reached(&route("{ name: guard }", middleware), &[]);
            assert!(inventory.questions.iter().any(|question| question.blocks), "{middleware}");
            assert!(
                leaf(&inventory, "IngressRoute", "spec.routes[0].middlewares[0].name").starts_with("needs-you"),
                "{middleware}"
            );
        }
    }
}
