//! Traefik's own kinds: IngressRoute and its kin are routes, Middleware says how they behave.
//!
//! The rule of a route is a small language; what of it names hosts and paths is read, everything else is a question.

mod rule;

use self::rule::{places, unreadable};
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
    Translator { kind: "Middleware", groups: GROUPS, stage: Stage::Guards, run: middleware };
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
            cx.books.translated(node, "vhost");
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
            cx.books.replaced(node, "services.nginx.recommendedTlsSettings");
        }
        cx.books.translated(node, "vhost.tls");
    }
}

fn missing(name: &str) -> String {
    format!("the Middleware `{name}` is not among the input: did it guard this name, and what does so here?")
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
        cx.books.translated(at, format!("{key}.name"));
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

/// Lets a Middleware that an annotation names (`NAMESPACE-NAME`) say how a virtual host behaves; an error is a question.
pub(super) fn by_word(cx: &mut Cx<'_, '_>, word: &str, manners: &mut Manners) -> Result<(), String> {
    let world = cx.world;
    let found = world.of_kind("Middleware").find(|object| {
        word.strip_prefix(object.namespace()).and_then(|rest| rest.strip_prefix('-')) == Some(object.name())
    });
    match found {
        Some(found) => apply(cx, found, manners, 0),
        None => Err(missing(word)),
    }
}

/// Lets a Middleware say how a virtual host behaves; an error is a question.
fn apply(cx: &mut Cx<'_, '_>, object: &Object<'_>, manners: &mut Manners, depth: usize) -> Result<(), String> {
    let name = object.name();
    let Some(spec) = object.tree().get("spec") else { return Ok(()) };
    for pair in spec.pairs() {
        let body = &pair.node;
        match &*pair.key {
            "redirectScheme" => manners.redirect = Some(true),
            "compress" | "retry" | "contentType" => {}
            "ipAllowList" | "ipWhiteList" => {
                let networks = body.list("sourceRange").iter().map(|node| annotations::network(node.text()?));
                let Some(networks) = networks.collect::<Option<Vec<String>>>() else {
                    return Err(format!(
                        "only some networks got in by the Middleware `{name}`, and these are none: which ones may?"
                    ));
                };
                manners.allow.extend(networks);
            }
            "basicAuth" => match body.get("secret").and_then(Node::text) {
                Some(secret) => manners.auth = Some(annotations::accounts(cx, object, secret)),
                None => {
                    return Err(format!(
                        "the Middleware `{name}` asked for an account: which ones may look here (`auth`)?"
                    ));
                }
            },
            "headers" => headers(name, body, manners)?,
            "buffering" => match body.int_at("maxRequestBodyBytes") {
                Some(bytes) if bytes > 0 => manners.max_body = Some(format!("{bytes}B")),
                _ => {}
            },
            "chain" if depth < 8 => {
                for one in body.list("middlewares") {
                    let namespace = one.str_at("namespace").unwrap_or_else(|| object.namespace());
                    let other = one.get("name").and_then(Node::text).unwrap_or_default();
                    match cx.world.find("Middleware", namespace, other) {
                        Some(found) => apply(cx, found, manners, depth + 1)?,
                        None => return Err(missing(other)),
                    }
                }
            }
            "forwardAuth" | "digestAuth" => {
                return Err(format!(
                    "the Middleware `{name}` had a login elsewhere guard this name, and a virtual host knows accounts of its own only \
                     (`auth`): what guards it here?"
                ));
            }
            "stripPrefix" | "stripPrefixRegex" | "addPrefix" | "replacePath" | "replacePathRegex" => {
                return Err(format!(
                    "by the Middleware `{name}` the program got another path than the one that was asked for, and a virtual host passes it \
                     on as it is: can the program live below this path?"
                ));
            }
            other => {
                return Err(format!(
                    "a virtual host has nothing like `{other}` of the Middleware `{name}`: is it still wanted?"
                ));
            }
        }
    }
    Ok(())
}

/// Reads headers that answers get.
fn headers(name: &str, body: &Node<'_>, manners: &mut Manners) -> Result<(), String> {
    let mut add = |key: &str, value: String| manners.headers.push((key.to_owned(), value));
    let seconds = body.int_at("stsSeconds").filter(|seconds| *seconds > 0);
    for pair in body.pairs() {
        let on = pair.node.bool() == Some(true);
        let text = pair.node.text().unwrap_or_default();
        match &*pair.key {
            "customResponseHeaders" => {
                for header in pair.node.pairs() {
                    match header.node.text() {
                        Some("") | None => {
                            return Err(format!(
                                "the Middleware `{name}` took a header away from answers, which a virtual host does not do: does it matter?"
                            ));
                        }
                        Some(value) => add(&header.key, value.to_owned()),
                    }
                }
            }
            "stsSeconds" => {
                if let Some(seconds) = seconds {
                    let below =
                        if body.bool_at("stsIncludeSubdomains") == Some(true) { "; includeSubDomains" } else { "" };
                    let listed = if body.bool_at("stsPreload") == Some(true) { "; preload" } else { "" };
                    add("Strict-Transport-Security", format!("max-age={seconds}{below}{listed}"));
                }
            }
            "stsIncludeSubdomains" | "stsPreload" | "forceSTSHeader" | "sslRedirect" | "sslProxyHeaders" => {}
            "customRequestHeaders" if forwards_scheme(&pair.node) => {}
            "frameDeny" | "contentTypeNosniff" | "browserXssFilter" if !on => {}
            "frameDeny" => add("X-Frame-Options", "DENY".to_owned()),
            "contentTypeNosniff" => add("X-Content-Type-Options", "nosniff".to_owned()),
            "browserXssFilter" => add("X-XSS-Protection", "1; mode=block".to_owned()),
            "customFrameOptionsValue" => add("X-Frame-Options", text.to_owned()),
            "contentSecurityPolicy" => add("Content-Security-Policy", text.to_owned()),
            "referrerPolicy" => add("Referrer-Policy", text.to_owned()),
            "permissionsPolicy" => add("Permissions-Policy", text.to_owned()),
            other => {
                return Err(format!(
                    "a virtual host has nothing like `headers.{other}` of the Middleware `{name}`: is it still wanted?"
                ));
            }
        }
    }
    Ok(())
}

/// Tells whether headers of requests only say that TLS was spoken, which the web server says itself.
fn forwards_scheme(node: &Node<'_>) -> bool {
    node.pairs().iter().all(|pair| pair.key.eq_ignore_ascii_case("X-Forwarded-Proto"))
}

/// Settles a Middleware, after all routes that use it.
fn middleware<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let mut manners = Manners::default();
    match apply(cx, object, &mut manners, 0) {
        Ok(()) => {
            for pair in spec.pairs() {
                match &*pair.key {
                    "redirectScheme" => {
                        cx.books.replaced(&pair.node, "each virtual host redirects plain HTTP itself (`redirect`)");
                    }
                    "compress" => cx.books.replaced(&pair.node, "services.nginx.recommendedGzipSettings"),
                    "retry" | "contentType" => {
                        cx.books.dropped(&pair.node, "the program answers on the same machine, and as it sees fit");
                    }
                    "ipAllowList" | "ipWhiteList" => cx.books.translated(&pair.node, "vhost.allow"),
                    "basicAuth" => cx.books.translated(&pair.node, "vhost.auth"),
                    "headers" => cx.books.translated(&pair.node, "vhost.headers"),
                    "buffering" => cx.books.translated(&pair.node, "vhost.max-body"),
                    _ => cx.books.translated(&pair.node, "vhost"),
                }
            }
        }
        Err(question) => cx.books.needs_you(spec, question),
    }
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
        for one in node.list("services") {
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
                _ => {
                    cx.ask(object, at, &format!("match-{index}"), unreadable(), false);
                }
            }
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
            ("buffering: { maxRequestBodyBytes: 1000 }", " max-body=1000B"),
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
