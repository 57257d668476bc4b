//! HTTPRoute: virtual hosts; and the other routes of the Gateway API, which lead to ports.

use super::{Stage, Translator, annotations};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Protocol;
use crate::kubernetes::object::Object;
use crate::kubernetes::ports::port_number;
use crate::kubernetes::reach::{
    Backend, Manners, PortRef, Route, backend, connect, network_owner, no_public_name, path_below, publish,
};
use crate::kubernetes::tree::Node;

const GROUPS: &[&str] = &["gateway.networking.k8s.io"];

pub(super) static HTTP_ROUTE: Translator =
    Translator { kind: "HTTPRoute", groups: GROUPS, stage: Stage::Routes, run: http };
pub(super) static GRPC_ROUTE: Translator =
    Translator { kind: "GRPCRoute", groups: GROUPS, stage: Stage::Routes, run: other };
pub(super) static TCP_ROUTE: Translator =
    Translator { kind: "TCPRoute", groups: GROUPS, stage: Stage::Routes, run: port };
pub(super) static TLS_ROUTE: Translator =
    Translator { kind: "TLSRoute", groups: GROUPS, stage: Stage::Routes, run: other };
pub(super) static UDP_ROUTE: Translator =
    Translator { kind: "UDPRoute", groups: GROUPS, stage: Stage::Routes, run: port };

fn http<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let listeners = listeners(cx, object);
    let tls = listeners.is_empty() || listeners.iter().any(|listener| listener.tls);
    let names = names(cx, object, spec, &listeners);
    let mut first = None;
    for (index, rule) in spec.list("rules").iter().enumerate() {
        let manners = filters(cx, object, rule, index, tls);
        timeouts(cx, object, rule, index);
        let manners = Manners { timeout: timeout(rule), ..manners };
        let key = of_rule(cx, object, (rule, index), &names, &manners);
        first = first.or(key);
    }
    let redirects = spec.list("rules").iter().all(|rule| rule.list("backendRefs").is_empty());
    for node in spec.list("hostnames") {
        match &first {
            Some(key) => cx.books.translated(node, format!("{key}.name")),
            None if redirects => cx.books.replaced(node, "each virtual host redirects plain HTTP itself"),
            None => {
                cx.books.needs_you(node, "nothing answers at this name yet: see the question about what it leads to");
            }
        }
    }
    parents(cx, object, spec, "the host's own web server");
}

/// What a route knows of a listener that it is attached to.
struct Listener {
    tls: bool,
    name: Option<String>,
}

/// Returns the listeners of the Gateways that a route is attached to.
fn listeners(cx: &Cx<'_, '_>, object: &Object<'_>) -> Vec<Listener> {
    let mut all = Vec::new();
    for parent in object.tree().at(&["spec", "parentRefs"]).map_or(&[][..], Node::items) {
        let section = parent.get("sectionName").and_then(Node::text);
        let namespace = parent.str_at("namespace").unwrap_or_else(|| object.namespace());
        let gateway = parent.str_at("name").and_then(|name| cx.world.find("Gateway", namespace, name));
        let known =
            gateway.map_or(&[][..], |gateway| gateway.tree().at(&["spec", "listeners"]).map_or(&[][..], Node::items));
        let chosen = known.iter().filter(|one| section.is_none() || one.get("name").and_then(Node::text) == section);
        let before = all.len();
        for one in chosen {
            let tls = matches!(one.str_at("protocol"), Some("HTTPS" | "TLS"));
            all.push(Listener { tls, name: one.get("hostname").and_then(Node::text).map(str::to_owned) });
        }
        if all.len() == before
            && let Some(section) = section
        {
            // The Gateway is not among the input: what its listener is called tells.
            let tls = annotations::is_secure([section]) || !section.contains("http") && section != "web";
            all.push(Listener { tls, name: None });
        }
    }
    all
}

/// Settles what a route is attached to; `by` takes the place of a Gateway.
fn parents<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>, by: &'static str) {
    for parent in spec.list("parentRefs") {
        match parent.str_at("kind") {
            None | Some("Gateway") => cx.books.replaced(parent, by),
            Some("Service") => {
                let question = "it changes how services of a mesh speak with each other: is that still wanted?";
                cx.ask(object, parent, "mesh", question, false);
            }
            Some(_) => {
                let question = "it is attached to something that is no Gateway: what leads there?";
                cx.ask(object, parent, "parent", question, false);
            }
        }
    }
}

/// Returns the public names of a route, each with the key that tells questions about it apart.
fn names<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    spec: &'w Node<'s>,
    listeners: &[Listener],
) -> Vec<String> {
    let mut all = Vec::new();
    for (index, node) in spec.list("hostnames").iter().enumerate() {
        let text = node.text().unwrap_or_default();
        match no_public_name(text) {
            None => all.push(text.to_owned()),
            Some(question) => {
                let answer = cx.ask(object, node, &format!("host-{index}"), question, false);
                all.extend(answer.and_then(super::ingress::answered_name));
            }
        }
    }
    if spec.list("hostnames").is_empty() {
        let known = listeners.iter().filter_map(|listener| listener.name.clone());
        all.extend(known.filter(|name| no_public_name(name).is_none()));
        all.dedup();
        if all.is_empty() {
            let at = spec.get("parentRefs").unwrap_or(spec);
            let question = "it answers at every name that leads to its Gateway: which name should it have here?";
            all.extend(cx.ask(object, at, "host", question, false).and_then(super::ingress::answered_name));
        }
    }
    all
}

/// Connects what a rule matches, and returns the key of the first virtual host that it became.
fn of_rule<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    (rule, index): (&'w Node<'s>, usize),
    names: &[String],
    manners: &Manners,
) -> Option<String> {
    let mut paths: Vec<(Option<&'w Node<'s>>, String)> = Vec::new();
    for (at, one) in rule.list("matches").iter().enumerate() {
        if one.pairs().iter().any(|pair| pair.key != "path" && !pair.node.is_null()) {
            let question = "only requests with this method, header or parameter lead here, which a virtual host cannot tell apart: \
                            should all of them lead here?";
            let answer = cx.ask(object, one, &format!("match-{index}-{at}"), question, false);
            if !answer.is_some_and(is_yes) {
                continue;
            }
        }
        let text = one.at(&["path", "value"]).and_then(Node::text).unwrap_or("/");
        if one.at(&["path", "type"]).and_then(Node::text) == Some("RegularExpression") || path_below(text).is_none() {
            let question = "this path is a pattern, and a virtual host knows paths: below which path should it answer?";
            let answer = cx.ask(object, one, &format!("path-{index}-{at}"), question, false);
            paths.extend(answer.and_then(path_below).map(|path| (Some(one), path)));
            continue;
        }
        paths.extend(path_below(text).map(|path| (Some(one), path)));
    }
    if rule.list("matches").is_empty() {
        paths.push((None, "/".to_owned()));
    }
    let target = target(cx, object, rule, index);
    let mut first = None;
    for (node, path) in paths {
        let mut key = None;
        for name in names {
            let Some(target) = &target else { break };
            let route =
                Route { by: object.identity(), name: name.clone(), path: path.clone(), manners: manners.clone() };
            match connect(cx, route, target) {
                Ok(done) => key = Some(done),
                Err(why) => {
                    let at = node.or_else(|| rule.list("backendRefs").first()).unwrap_or(rule);
                    let blocks = why.contains(" already, by ");
                    cx.ask(object, at, &format!("route-{index}-{name}"), why, blocks);
                }
            }
        }
        if let (Some(key), Some(node)) = (&key, node) {
            if let Some(at) = node.get("path") {
                if at.str_at("type") == Some("Exact") && path != "/" {
                    let how = "the service answers at this path and below it, where only the path itself was asked for";
                    cx.books.translated_as(at, format!("{key}.path"), how);
                }
                cx.books.translated(at, format!("{key}.path"));
            }
        } else if let Some(node) = node {
            if rule.list("backendRefs").is_empty() {
                cx.books.replaced(node, "each virtual host redirects plain HTTP itself");
            } else {
                cx.books.needs_you(
                    node,
                    "nothing answers at this path yet: see the question about its name or what it leads to",
                );
            }
        }
        first = first.or(key);
    }
    if let Some(key) = &first {
        for node in rule.list("backendRefs") {
            cx.books.translated(node, format!("{key}.to"));
        }
    } else {
        for node in rule.list("backendRefs") {
            cx.books.needs_you(node, "no name leads there yet: see the question about its name");
        }
    }
    if let Some(node) = rule.get("name") {
        cx.books.dropped(node, "what the rule was called among the rules");
    }
    first
}

/// Tells whether an answer agrees.
pub(super) fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "yes" | "y" | "true" | "all")
}

/// Returns what a rule leads to; asks where that is not one thing.
fn target<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, rule: &'w Node<'s>, index: usize) -> Option<Backend> {
    let refs = rule.list("backendRefs");
    let weighed = refs.iter().filter(|one| one.int_at("weight") != Some(0)).collect::<Vec<_>>();
    let [only] = weighed.as_slice() else {
        if let Some(node) = rule.get("backendRefs").filter(|_| !refs.is_empty()) {
            let question = "several services share these requests: which one should answer here?";
            let answer = cx.ask(object, node, &format!("backends-{index}"), question, false).map(str::trim);
            let chosen = answer.and_then(|answer| refs.iter().find(|one| one.str_at("name") == Some(answer)));
            return chosen.and_then(|chosen| of_reference(cx, object, chosen).ok());
        }
        return None;
    };
    match of_reference(cx, object, only) {
        Ok(backend) => Some(backend),
        Err(why) => {
            cx.ask(object, only, &format!("backend-{index}"), why, false);
            None
        }
    }
}

/// Returns what a reference to a backend leads to.
fn of_reference(cx: &Cx<'_, '_>, object: &Object<'_>, node: &Node<'_>) -> Result<Backend, String> {
    let name = node.get("name").and_then(Node::text).unwrap_or_default();
    match node.str_at("kind") {
        None | Some("Service" | "") => {}
        Some(kind) => {
            return Err(format!("it leads to a {kind}, which is no Service: what should answer at this name?"));
        }
    }
    let namespace = node.str_at("namespace").unwrap_or_else(|| object.namespace());
    let port = node.get("port").and_then(port_number).map_or(PortRef::Only, PortRef::Number);
    backend(cx, namespace, name, port)
}

/// Reads the filters of a rule, and settles them.
fn filters<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    rule: &'w Node<'s>,
    index: usize,
    tls: bool,
) -> Manners {
    let mut manners = Manners { tls, ..Manners::default() };
    for (at, filter) in rule.list("filters").iter().enumerate() {
        let key = format!("filter-{index}-{at}");
        match filter.str_at("type").unwrap_or_default() {
            "RequestRedirect" => {
                let redirect = filter.get("requestRedirect");
                let plain = redirect.is_some_and(|redirect| {
                    redirect.str_at("scheme") == Some("https")
                        && redirect.pairs().iter().all(|pair| matches!(&*pair.key, "scheme" | "statusCode" | "port"))
                });
                if plain {
                    cx.books.replaced(filter, "each virtual host redirects plain HTTP itself (`redirect`)");
                } else {
                    let question = "requests were sent to another address, which a virtual host does not do: is that still wanted \
                                    (`nixos.services.nginx.virtualHosts`)?";
                    cx.ask(object, filter, &key, question, false);
                }
            }
            "ResponseHeaderModifier" => {
                let body = filter.get("responseHeaderModifier");
                for pair in body.into_iter().flat_map(|body| ["set", "add"].map(|key| body.list(key))).flatten() {
                    let (Some(name), Some(value)) =
                        (pair.get("name").and_then(Node::text), pair.get("value").and_then(Node::text))
                    else {
                        continue;
                    };
                    manners.headers.push((name.to_owned(), value.to_owned()));
                    cx.books.translated(pair, "vhost.headers");
                }
                if let Some(node) = body.and_then(|body| body.get("remove")) {
                    let question =
                        "these headers were taken away from answers, which a virtual host does not do: does it matter?";
                    cx.ask(object, node, &key, question, false);
                }
                cx.books.translated(filter, "vhost.headers");
            }
            "URLRewrite" => {
                let question = "the program got another path or name than the one that was asked for, and a virtual host passes them on as \
                                they are: can the program live with that?";
                cx.ask(object, filter, &key, question, false);
            }
            "RequestHeaderModifier" => {
                let question = "the program got these headers with every request, which a virtual host does not add: does it need them?";
                cx.ask(object, filter, &key, question, false);
            }
            "RequestMirror" => {
                cx.books.dropped(filter, "a copy of each request, whose answers nobody saw");
            }
            "ExtensionRef" => {
                let question =
                    "a filter of the gateway's own stood before this name, perhaps a login: what guards it here?";
                cx.ask(object, filter, &key, question, true);
            }
            _ => {
                cx.ask(object, filter, &key, "a virtual host has no such filter: what is it for?", false);
            }
        }
    }
    manners
}

/// Settles how long an answer may take.
fn timeouts<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, rule: &'w Node<'s>, index: usize) {
    let Some(node) = rule.get("timeouts") else { return };
    for pair in node.pairs() {
        match pair.node.text().and_then(seconds) {
            Some(_) => cx.books.translated(&pair.node, "vhost.timeout"),
            None => {
                let question = "this is no time span: how long may an answer take?";
                cx.ask(object, &pair.node, &format!("timeout-{index}"), question, false);
            }
        }
    }
}

/// Returns how many seconds an answer may take: the longest of those that are said; none where there is no end.
fn timeout(rule: &Node<'_>) -> Option<u64> {
    let all = rule.map("timeouts").iter().filter_map(|pair| seconds(pair.node.text()?));
    all.max().map(|seconds| if seconds == 0 { 86_400 } else { seconds })
}

/// Returns the seconds of a duration of the Gateway API (`1h30m10s500ms`), rounded up.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut milliseconds: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        let unit: u64 = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        milliseconds = milliseconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = tail;
    }
    Some(milliseconds.div_ceil(1_000))
}

/// Translates a route that leads a port of the Gateway to a Service.
fn port<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let protocol = if object.kind == "UDPRoute" { Protocol::Udp } else { Protocol::Tcp };
    let mut listening = Vec::new();
    for parent in spec.list("parentRefs") {
        let namespace = parent.str_at("namespace").unwrap_or_else(|| object.namespace());
        let gateway = parent.str_at("name").and_then(|name| cx.world.find("Gateway", namespace, name));
        let known = gateway.and_then(|gateway| gateway.tree().at(&["spec", "listeners"])).map_or(&[][..], Node::items);
        let section = parent.get("sectionName").and_then(Node::text);
        let chosen = known.iter().filter(|one| section.is_none() || one.get("name").and_then(Node::text) == section);
        listening.extend(chosen.filter_map(|one| port_number(one.get("port")?)));
        listening.extend(parent.get("port").and_then(port_number));
    }
    for (index, rule) in spec.list("rules").iter().enumerate() {
        for node in rule.list("backendRefs") {
            let outcome = of_reference(cx, object, node).and_then(|backend| match backend {
                Backend::Here { service, port } => {
                    let owner = network_owner(cx, &service);
                    let wanted = listening.first().copied().or_else(|| node.get("port").and_then(port_number));
                    publish(cx, &owner, port, protocol, wanted, true).map(|_| owner)
                }
                Backend::Elsewhere(_) => Err("it leads to another machine: who should pass it on?".to_owned()),
            });
            match outcome {
                Ok(service) => {
                    cx.books.translated(node, format!("services.{service}.ports"));
                    parents(cx, object, spec, "the port of the service itself");
                }
                Err(why) => {
                    cx.ask(object, node, &format!("backend-{index}"), why, false);
                }
            }
        }
    }
    cx.books.needs_you(spec, "what answers there is not known yet: see the question about what it leads to");
}

/// Asks about a route of a kind that virtual hosts do not have.
fn other<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let question = match &*object.kind {
        "GRPCRoute" => "a virtual host speaks HTTP with a program and not gRPC: how should its clients reach it?",
        _ => "TLS went through to the program itself, and a virtual host ends it: how should its clients reach it?",
    };
    cx.ask(object, spec, "route", question, false);
}

#[cfg(test)]
mod tests {
    use super::seconds;
    use crate::kubernetes::sample::{leaf, reached, vhosts, workload};

    const GATEWAY: &str = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: gate }\nspec:\n  gatewayClassName: cilium\n  listeners:\n    - { name: web, protocol: HTTP, port: 80 }\n    - { name: secure, protocol: HTTPS, port: 443, hostname: gate.example.org, tls: { certificateRefs: [{ name: x }] } }\n    - { name: git, protocol: TCP, port: 2222 }\n";

    /// A route with its parent, its names and one rule.
    fn route(section: &str, names: &str, rule: &str) -> String {
        format!(
            "{}{GATEWAY}---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{ name: web }}\nspec:\n  parentRefs: [{{ name: gate, sectionName: {section} }}]\n  hostnames: [{names}]\n  rules: [{{ {rule} }}]\n",
            workload("web")
        )
    }

    #[test]
    fn a_route_becomes_a_virtual_host_of_each_of_its_names_and_paths() {
        let to = "backendRefs: [{ name: web, port: 80, weight: 1 }]";
        let of = |section: &str, names: &str, rule: &str| vhosts(&reached(&route(section, names, rule), &[]));
        assert_eq!(of("secure", "a.example.org", to), ["web a.example.org/ -> \"8080\""]);
        assert_eq!(of("web", "a.example.org", to), ["web a.example.org/ -> \"8080\" tls=none"]);
        assert_eq!(of("secure", "", to), ["web gate.example.org/ -> \"8080\""]);
        let paths = format!(
            "matches: [{{ path: {{ type: PathPrefix, value: /a/ }} }}, {{ path: {{ type: Exact, value: /b }} }}], {to}"
        );
        assert_eq!(
            of("secure", "a.example.org, b.example.org", &paths),
            [
                "web a.example.org/a -> \"8080\"",
                "web b.example.org/a -> \"8080\"",
                "web a.example.org/b -> \"8080\"",
                "web b.example.org/b -> \"8080\""
            ]
        );
        let timeouts = format!("timeouts: {{ request: 1h30m, backendRequest: 10s }}, {to}");
        assert_eq!(of("secure", "a.example.org", &timeouts), ["web a.example.org/ -> \"8080\" timeout=5400"]);
        let headers = format!(
            "filters: [{{ type: ResponseHeaderModifier, responseHeaderModifier: {{ set: [{{ name: X-A, value: b }}] }} }}], {to}"
        );
        assert_eq!(
            of("secure", "a.example.org", &headers),
            ["web a.example.org/ -> \"8080\" headers={\"X-A\": \"b\"}"]
        );
    }

    #[test]
    fn what_a_virtual_host_cannot_tell_apart_is_a_question_and_leads_nowhere() {
        let to = "backendRefs: [{ name: web, port: 80 }]";
        for (names, rule, id) in [
            ("'*.example.org'", to.to_owned(), "host-0"),
            ("'a.${DOMAIN}'", to.to_owned(), "host-0"),
            ("a.example.org", format!("matches: [{{ method: GET }}], {to}"), "match-0-0"),
            (
                "a.example.org",
                format!("matches: [{{ path: {{ value: / }}, headers: [{{ name: X, value: y }}] }}], {to}"),
                "match-0-0",
            ),
            (
                "a.example.org",
                format!("matches: [{{ path: {{ type: RegularExpression, value: /.* }} }}], {to}"),
                "path-0-0",
            ),
            (
                "a.example.org",
                "backendRefs: [{ name: web, port: 80, weight: 9 }, { name: other, port: 80, weight: 1 }]".to_owned(),
                "backends-0",
            ),
            ("a.example.org", "backendRefs: [{ name: absent, port: 80 }]".to_owned(), "backend-0"),
            ("a.example.org", "backendRefs: [{ name: web, port: 81 }]".to_owned(), "backend-0"),
        ] {
            let inventory = reached(&route("secure", names, &rule), &[]);
            assert_eq!(vhosts(&inventory), Vec::<String>::new(), "{rule}");
            let id = format!("default/HTTPRoute/web#{id}");
            assert!(inventory.questions.iter().any(|question| question.id == id), "{rule}: {:?}", inventory.questions);
        }
        for filter in ["URLRewrite", "RequestHeaderModifier", "ExtensionRef", "Odd"] {
            let inventory =
                reached(&route("secure", "a.example.org", &format!("filters: [{{ type: {filter} }}], {to}")), &[]);
            let question = inventory.questions.iter().find(|question| question.id.ends_with("#filter-0-0")).unwrap();
            assert_eq!(question.blocks, filter == "ExtensionRef", "{filter}");
        }
    }

    #[test]
    fn a_redirect_to_tls_is_what_virtual_hosts_do_anyway() {
        let rule = "filters: [{ type: RequestRedirect, requestRedirect: { scheme: https, statusCode: 301 } }]";
        let inventory = reached(&route("web", "a.example.org", rule), &[]);
        assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
        assert!(leaf(&inventory, "HTTPRoute", "spec.hostnames[0]").starts_with("replaced"));
        assert!(
            leaf(&inventory, "HTTPRoute", "spec.rules[0].filters[0].requestRedirect.scheme").starts_with("replaced")
        );
    }

    #[test]
    fn a_route_of_ports_publishes_the_port_of_its_listener() {
        let yaml = format!(
            "{}{GATEWAY}---\napiVersion: gateway.networking.k8s.io/v1alpha2\nkind: TCPRoute\nmetadata: {{ name: git }}\nspec:\n  parentRefs: [{{ name: gate, sectionName: git }}]\n  rules: [{{ backendRefs: [{{ name: web, port: 80 }}] }}]\n",
            workload("web")
        );
        let inventory = reached(&yaml, &[]);
        let port = inventory.host.services.get("web").unwrap().ports.first().unwrap();
        assert_eq!((port.port, port.to, port.public), (2222, Some(8080), true));
    }

    #[test]
    fn durations_of_the_gateway_api_are_read() {
        for (text, meant) in [
            ("10s", Some(10)),
            ("1h30m10s", Some(5410)),
            ("500ms", Some(1)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("1d", None),
            ("s", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(seconds(text), meant, "{text}");
        }
    }
}
