//! Ingress, of every API group that had it: virtual hosts.

use super::annotations;
use super::{Stage, Translator};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::ports::port_number;
use crate::kubernetes::reach::{
    Manners, PortRef, Route, backend, connect, is_private_name, no_public_name, path_below,
};
use crate::kubernetes::tree::Node;

pub(super) static INGRESS: Translator =
    Translator { kind: "Ingress", groups: &["networking.k8s.io", "extensions"], stage: Stage::Routes, run };

fn run<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    let Some(spec) = object.tree().get("spec") else { return };
    let rules = spec.list("rules");
    let paths = || rules.iter().filter_map(|rule| rule.at(&["http", "paths"])).flat_map(Node::items);
    let has_patterns = paths().any(|path| path.str_at("path").is_some_and(is_pattern));
    let manners = annotations::manners(cx, object, has_patterns);
    if let Some(node) = spec.get("ingressClassName") {
        annotations::class(cx, object, node);
    }
    let tls = Tls::of(spec);
    for (index, rule) in rules.iter().enumerate() {
        let Some(name) = name_of(cx, object, spec, rule, index) else {
            // Who answers stays open with the name.
            let question = "which name leads there is not known yet: see the question about `host`";
            cx.books.needs_you(rule, question);
            continue;
        };
        let mut keys = Vec::new();
        for (number, path) in rule.at(&["http", "paths"]).map_or(&[][..], Node::items).iter().enumerate() {
            let of_name = Manners { tls: manners.tls || tls.covers(&name), ..manners.clone() };
            keys.extend(one(cx, object, (path, &format!("{index}-{number}")), &name, of_name));
        }
        if let Some(node) = rule.get("host") {
            match keys.first() {
                Some(key) => cx.books.translated(node, format!("{key}.name")),
                None => cx.books.needs_you(node, "nothing answers at this name yet: see the question about its paths"),
            }
        }
    }
    for key in ["defaultBackend", "backend"] {
        if let Some(node) = spec.get(key) {
            default(cx, object, node, rules.is_empty(), &manners);
        }
    }
    certificates(cx, object, spec);
}

/// The names that an Ingress has certificates for.
struct Tls {
    names: Vec<String>,
    /// Whether a certificate is for all names.
    all: bool,
}

impl Tls {
    fn of(spec: &Node<'_>) -> Self {
        let entries = spec.list("tls");
        let names = entries.iter().flat_map(|entry| entry.list("hosts")).filter_map(Node::text);
        let names = names.map(str::to_ascii_lowercase).collect();
        Self { names, all: entries.iter().any(|entry| entry.list("hosts").is_empty()) }
    }

    fn covers(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let below = name.split_once('.').map(|(_, domain)| format!("*.{domain}"));
        self.all || self.names.iter().any(|known| *known == name || Some(known) == below.as_ref())
    }
}

/// Returns the public name of a rule; asks for it where it has none that a virtual host can have.
fn name_of<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    spec: &'w Node<'s>,
    rule: &'w Node<'s>,
    index: usize,
) -> Option<String> {
    let key = format!("host-{index}");
    let host = rule.get("host").filter(|host| !host.is_null() && host.text() != Some(""));
    if let Some(host) = host {
        let text = host.text().unwrap_or_default();
        let Some(question) = no_public_name(text) else { return Some(text.to_owned()) };
        return cx.ask(object, host, &key, question, false).and_then(answered_name);
    }
    let mut named = spec.list("tls").iter().flat_map(|entry| entry.list("hosts")).filter_map(Node::text);
    if let (Some(only), None) = (named.next(), named.next())
        && no_public_name(only).is_none()
    {
        return Some(only.to_owned());
    }
    let question = "it answers at every name that leads to the cluster: which name should it have here?";
    cx.ask(object, rule, &key, question, false).and_then(answered_name)
}

/// Returns an answer where it is a public name.
pub(super) fn answered_name(answer: &str) -> Option<String> {
    let answer = answer.trim();
    no_public_name(answer).is_none().then(|| answer.to_owned())
}

/// Tells whether a path is a regular expression.
fn is_pattern(path: &str) -> bool {
    path.contains(['(', ')', '[', ']', '*', '+', '?', '|', '^', '$', '\\'])
}

/// Connects one path, and returns the key of the virtual host that it became.
fn one<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    (node, id): (&'w Node<'s>, &str),
    name: &str,
    manners: Manners,
) -> Option<String> {
    let text = node.get("path").and_then(Node::text).unwrap_or("/");
    let path = match node.get("path") {
        Some(at) if is_pattern(text) => {
            let question = "this path is a pattern, and a virtual host knows paths: below which path should it answer?";
            let answer = cx.ask(object, at, &format!("path-{id}"), question, false);
            answer.and_then(path_below)
        }
        Some(at) if path_below(text).is_none() => {
            let question = "this is no path: below which path should it answer?";
            cx.ask(object, at, &format!("path-{id}"), question, false).and_then(path_below)
        }
        _ => path_below(text),
    };
    let Some(path) = path else {
        cx.books.needs_you(node, "where this leads to waits for the question about its path");
        return None;
    };
    let Some(at) = node.get("backend") else {
        cx.ask(object, node, &format!("backend-{id}"), "nothing is said to answer here: which service should?", false);
        return None;
    };
    let route = Route { by: object.identity(), name: name.to_owned(), path, manners };
    let Some(key) = lead(cx, object, at, &format!("backend-{id}"), route) else {
        cx.books.needs_you(node, "nothing answers at this path yet: see the question about what it leads to");
        return None;
    };
    if let Some(at) = node.get("path") {
        cx.books.translated(at, format!("{key}.path"));
    }
    if let Some(at) = node.get("pathType") {
        let to = format!("{key}.path");
        match at.text() {
            Some("Exact") if text != "/" => {
                cx.books.translated_as(
                    at,
                    to,
                    "the service answers at this path and below it, where only the path itself was asked for",
                );
            }
            _ => cx.books.translated(at, to),
        }
    }
    Some(key)
}

/// Returns the Service, its port and the name of the port that a backend names, in the words of every API version.
fn named<'a>(node: &'a Node<'_>) -> Option<(&'a str, PortRef<'a>)> {
    let of = |port: &'a Node<'_>| match port_number(port) {
        Some(number) => PortRef::Number(number),
        None => port.text().map_or(PortRef::Only, PortRef::Name),
    };
    if let Some(name) = node.get("serviceName").and_then(Node::text) {
        return Some((name, node.get("servicePort").map_or(PortRef::Only, of)));
    }
    let service = node.get("service")?;
    let port = service.get("port");
    let port = port.and_then(|port| port.get("number").or_else(|| port.get("name")));
    Some((service.get("name").and_then(Node::text)?, port.map_or(PortRef::Only, of)))
}

/// Connects a route with what a backend names; asks where that cannot be.
fn lead<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    node: &'w Node<'s>,
    id: &str,
    route: Route,
) -> Option<String> {
    let Some((name, port)) = named(node) else {
        cx.ask(object, node, id, "this names no Service: what should answer at this name?", false);
        return None;
    };
    let is_twice = |why: &str| why.contains(" already, by ");
    match backend(cx, object.namespace(), name, port).and_then(|backend| connect(cx, route, &backend)) {
        Ok(key) => {
            cx.books.translated(node, format!("{key}.to"));
            Some(key)
        }
        Err(why) => {
            let blocks = is_twice(&why);
            cx.ask(object, node, id, why, blocks);
            None
        }
    }
}

/// Settles what answers where no rule fits.
fn default<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, node: &'w Node<'s>, alone: bool, manners: &Manners) {
    let question = if alone {
        "it answers at every name that leads to the cluster: which name should it have here?"
    } else {
        "it answers at all names and paths that no rule is about: which name should it have here, if any?"
    };
    let answer = cx.ask(object, node, "default-backend", question, false).and_then(answered_name);
    if let (Some(name), Some((service, port))) = (answer, named(node)) {
        let route = Route { by: object.identity(), name, path: "/".to_owned(), manners: manners.clone() };
        let outcome = backend(cx, object.namespace(), service, port).and_then(|backend| connect(cx, route, &backend));
        if let Err(why) = outcome {
            cx.ask(object, node, "default-backend-service", why, false);
        }
    }
}

/// Settles the certificates of an Ingress, after its rules.
fn certificates<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, spec: &'w Node<'s>) {
    let has_rule =
        |name: &str| spec.list("rules").iter().any(|rule| rule.get("host").and_then(Node::text) == Some(name));
    for entry in spec.list("tls") {
        for node in entry.list("hosts") {
            match node.text() {
                Some(name) if !name.starts_with("*.") && !cx.reach.answers_at(name) => {
                    if has_rule(name) {
                        let why = "nothing answers at this name yet: see the question about what it leads to";
                        cx.books.needs_you(node, why);
                    } else {
                        let question =
                            "no rule is about this name, so that the host gets no certificate for it: what is it for?";
                        cx.ask(object, node, &format!("tls-{name}"), question, false);
                    }
                }
                Some(name) if is_private_name(name) => cx.books.translated_as(
                    node,
                    "vhost.tls",
                    "no ACME provider proves this name: the host makes and signs a certificate itself",
                ),
                Some(name) if name.starts_with("*.") => {
                    cx.books.replaced(node, "each virtual host has a certificate of its own (security.acme)");
                }
                _ => cx.books.translated(node, "vhost.tls"),
            }
        }
        if let Some(node) = entry.get("secretName") {
            cx.books.replaced(node, "security.acme keeps each certificate in /var/lib/acme");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{leaf, reached, vhosts, workload};

    fn ingress(more: &str, annotations: &str) -> String {
        format!(
            "{}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  annotations: {{ {annotations} }}\nspec:\n{more}\n",
            workload("web")
        )
    }

    /// One rule for one path.
    fn rule(host: &str, path: &str) -> String {
        format!(
            "  rules:\n    - host: {host}\n      http:\n        paths:\n          - path: {path}\n            pathType: Prefix\n            backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }}\n"
        )
    }

    #[test]
    fn every_api_version_of_an_ingress_becomes_the_same_virtual_host() {
        let new = ingress(&rule("Web.example.org", "/"), "");
        let old = |version: &str| {
            format!(
                "{}---\napiVersion: {version}\nkind: Ingress\nmetadata: {{ name: web }}\nspec:\n  rules:\n    - host: web.example.org\n      http:\n        paths: [{{ backend: {{ serviceName: web, servicePort: web }} }}]\n",
                workload("web")
            )
        };
        for yaml in [new, old("extensions/v1beta1"), old("networking.k8s.io/v1beta1")] {
            let inventory = reached(&yaml, &[]);
            assert_eq!(vhosts(&inventory), ["web web.example.org/ -> \"8080\" tls=none"], "{yaml}");
            assert!(inventory.questions.is_empty(), "{:?}", inventory.questions);
            let ports = &inventory.host.services.get("web").unwrap().ports;
            assert_eq!(
                (ports.len(), ports.first().map(|port| (port.port, port.to, port.public))),
                (1, Some((8080, None, false)))
            );
            assert_eq!(inventory.reached_by.get("web").map(Vec::len), Some(2));
        }
    }

    #[test]
    fn prefixes_are_about_whole_elements_of_a_path() {
        for (path, meant) in [("/", "/"), ("/git", "/git"), ("/git/", "/git"), ("\"\"", "/"), ("/a/b//", "/a/b")] {
            let inventory = reached(&ingress(&rule("web.example.org", path), ""), &[]);
            assert_eq!(vhosts(&inventory), [format!("web web.example.org{meant} -> \"8080\" tls=none")], "{path}");
        }
        for path in ["/a(/|$)(.*)", "/.*", "git", "/a//b", "/a/../b"] {
            let inventory = reached(&ingress(&rule("web.example.org", &format!("'{path}'")), ""), &[]);
            assert_eq!(vhosts(&inventory), Vec::<String>::new(), "{path}");
            assert_eq!(inventory.questions.len(), 1, "{path}");
            let answered = reached(
                &ingress(&rule("web.example.org", &format!("'{path}'")), ""),
                &[("default/Ingress/web#path-0-0", "/git/")],
            );
            assert_eq!(vhosts(&answered), ["web web.example.org/git -> \"8080\" tls=none"], "{path}");
        }
    }

    #[test]
    fn names_that_a_virtual_host_cannot_have_are_questions_with_answers() {
        for host in ["'*.example.org'", "'${HOST}'", "'web.${DOMAIN}'", "'a b'", "''"] {
            let yaml = ingress(&rule(host, "/"), "");
            let inventory = reached(&yaml, &[]);
            assert_eq!(vhosts(&inventory), Vec::<String>::new(), "{host}");
            let ids: Vec<&str> = inventory.questions.iter().map(|question| question.id.as_str()).collect();
            assert_eq!(ids, ["default/Ingress/web#host-0"], "{host}");
            let answered = reached(&yaml, &[("default/Ingress/web#host-0", "web.example.org")]);
            assert_eq!(vhosts(&answered), ["web web.example.org/ -> \"8080\" tls=none"], "{host}");
        }
    }

    #[test]
    fn two_routes_for_one_path_of_a_name_are_a_question_that_blocks() {
        let both = format!(
            "{}{}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: other }}\nspec:\n  rules: [{{ host: web.example.org, http: {{ paths: [{{ path: /, backend: {{ service: {{ name: other, port: {{ name: web }} }} }} }}] }} }}]\n",
            ingress(&rule("web.example.org", "/"), ""),
            workload("other")
        );
        let inventory = reached(&both, &[]);
        assert_eq!(vhosts(&inventory), ["web web.example.org/ -> \"8080\" tls=none"]);
        let question = inventory.questions.first().unwrap();
        assert!(question.blocks);
        assert_eq!(
            question.question,
            "`web.example.org/` leads to the service `web` already, by default/Ingress/web: which one should answer there?"
        );
    }

    #[test]
    fn two_services_on_one_port_get_two_ports_of_the_host() {
        let other = format!(
            "{}{}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: other }}\nspec:\n  rules: [{{ host: other.example.org, http: {{ paths: [{{ path: /, backend: {{ service: {{ name: other, port: {{ name: web }} }} }} }}] }} }}]\n",
            ingress(&rule("web.example.org", "/"), ""),
            workload("other")
        );
        assert_eq!(
            vhosts(&reached(&other, &[])),
            ["web web.example.org/ -> \"8080\" tls=none", "other other.example.org/ -> \"20000\" tls=none"]
        );
    }

    #[test]
    fn tls_is_what_the_ingress_says() {
        let tls = |host: &str, entry: &str| {
            vhosts(&reached(&ingress(&format!("{}  tls: [{entry}]", rule(host, "/")), ""), &[])).join(" ")
        };
        let acme = "web web.example.org/ -> \"8080\"";
        assert_eq!(tls("web.example.org", "{ hosts: [web.example.org], secretName: x }"), acme);
        assert_eq!(tls("web.example.org", "{ hosts: ['*.example.org'], secretName: x }"), acme);
        assert_eq!(tls("web.example.org", "{ secretName: x }"), acme);
        assert_eq!(tls("web.example.org", "{ hosts: [x.example.org] }"), format!("{acme} tls=none"));
        assert_eq!(tls("web.lan", "{ hosts: [web.lan] }"), "web web.lan/ -> \"8080\" tls=self");
    }

    #[test]
    fn annotations_say_how_a_virtual_host_behaves() {
        const NGINX: &str = "nginx.ingress.kubernetes.io";
        const TRAEFIK: &str = "traefik.ingress.kubernetes.io";
        let cases = [
            ("cert-manager.io/cluster-issuer: letsencrypt".to_owned(), "", "translated vhost.tls"),
            ("certmanager.k8s.io/cluster-issuer: letsencrypt".to_owned(), "", "translated vhost.tls"),
            ("kubernetes.io/tls-acme: 'true'".to_owned(), "", "translated vhost.tls"),
            ("kubernetes.io/ingress.class: nginx".to_owned(), "tls=none", "replaced the host's own web server"),
            (format!("{NGINX}/ssl-redirect: 'false'"), "tls=none", "translated vhost.redirect"),
            (format!("{NGINX}/force-ssl-redirect: 'true'"), "tls=none", "translated vhost.redirect"),
            (format!("{NGINX}/proxy-body-size: 50m"), "tls=none max-body=50MiB", "translated vhost.max-body"),
            (format!("{NGINX}/proxy-body-size: '0'"), "tls=none max-body=0B", "translated vhost.max-body"),
            (format!("{NGINX}/proxy-read-timeout: '600'"), "tls=none timeout=600", "translated vhost.timeout"),
            (format!("{NGINX}/proxy-send-timeout: 600s"), "tls=none timeout=600", "translated vhost.timeout"),
            (
                format!("{NGINX}/whitelist-source-range: '10.0.0.0/8, 192.0.2.1'"),
                "tls=none allow=10.0.0.0/8,192.0.2.1/32",
                "translated vhost.allow",
            ),
            (format!("{NGINX}/auth-secret: web-users"), "tls=none auth=web-users", "translated vhost.auth"),
            (format!("{NGINX}/backend-protocol: HTTP"), "tls=none", "replaced a virtual host"),
            (format!("{NGINX}/backend-protocol: HTTPS"), "tls=none", "needs-you"),
            (format!("{NGINX}/auth-url: https://login.example.org"), "tls=none", "needs-you a login elsewhere"),
            (format!("{NGINX}/auth-signin: https://login.example.org"), "tls=none", "needs-you a login elsewhere"),
            (format!("{NGINX}/auth-response-headers: X-User"), "tls=none", "needs-you a login elsewhere"),
            (format!("{NGINX}/auth-tls-secret: apps/ca"), "tls=none", "needs-you only clients"),
            (format!("{NGINX}/auth-tls-verify-client: 'on'"), "tls=none", "needs-you only clients"),
            (format!("{NGINX}/enable-global-auth: 'false'"), "tls=none", "dropped it was an exception"),
            (format!("{NGINX}/rewrite-target: /"), "tls=none", "dropped the path is the root"),
            (format!("{NGINX}/rewrite-target: /$1"), "tls=none", "needs-you the program got another path"),
            (format!("{NGINX}/use-regex: 'true'"), "tls=none", "dropped no path of it is a pattern"),
            (format!("{NGINX}/affinity: cookie"), "tls=none", "dropped one process answers"),
            (format!("{NGINX}/session-cookie-name: route"), "tls=none", "dropped one process answers"),
            (format!("{NGINX}/session-cookie-expires: '1'"), "tls=none", "dropped one process answers"),
            (format!("{NGINX}/session-cookie-max-age: '1'"), "tls=none", "dropped one process answers"),
            (format!("{NGINX}/ssl-passthrough: 'true'"), "tls=none", "needs-you the program speaks something else"),
            (format!("{NGINX}/configuration-snippet: more"), "tls=none", "needs-you lines for the configuration"),
            (format!("{NGINX}/permanent-redirect: https://x.example.org"), "tls=none", "needs-you requests were sent"),
            (format!("{NGINX}/proxy-buffer-size: 8k"), "tls=none", "dropped how much"),
            (format!("{NGINX}/limit-rpm: '5'"), "tls=none", "needs-you requests were limited"),
            (format!("{NGINX}/unheard-of: '5'"), "tls=none", "needs-you a virtual host has nothing like this"),
            (format!("{TRAEFIK}/router.entrypoints: websecure"), "", "replaced the host's web server"),
            (format!("{TRAEFIK}/router.entrypoints: web"), "tls=none", "replaced the host's web server"),
            (format!("{TRAEFIK}/router.tls: 'true'"), "", "translated vhost.tls"),
            (
                format!("{TRAEFIK}/router.middlewares: default-guard@kubernetescrd"),
                "tls=none",
                "needs-you the Middleware",
            ),
            ("external-dns.alpha.kubernetes.io/target: x.example.org".to_owned(), "tls=none", "needs-you external-dns"),
            (
                "external-dns.alpha.kubernetes.io/hostname: x.example.org".to_owned(),
                "tls=none",
                "needs-you external-dns",
            ),
            ("external-dns.alpha.kubernetes.io/ttl: '60'".to_owned(), "tls=none", "needs-you external-dns"),
            (
                "external-dns.alpha.kubernetes.io/cloudflare-proxied: 'true'".to_owned(),
                "tls=none",
                "needs-you external-dns",
            ),
            ("external-dns-cf/is-dns-public: 'true'".to_owned(), "tls=none", "needs-you external-dns"),
            ("gethomepage.dev/enabled: 'true'".to_owned(), "tls=none", "dropped an entry of a dashboard"),
            ("forecastle.stakater.com/icon: x".to_owned(), "tls=none", "dropped an entry of a dashboard"),
            ("flame.pawelmalak/name: x".to_owned(), "tls=none", "dropped an entry of a dashboard"),
        ];
        for (annotation, behaves, settled) in cases {
            let inventory = reached(&ingress(&rule("web.example.org", "/"), &annotation), &[]);
            let known = vhosts(&inventory).join(" ");
            let more = known.strip_prefix("web web.example.org/ -> \"8080\"").unwrap().trim_start();
            assert_eq!(more, behaves, "{annotation}");
            let (key, _) = annotation.split_once(": ").unwrap();
            let path = if key.contains('.') { format!("[\"{key}\"]") } else { format!(".{key}") };
            let said = leaf(&inventory, "Ingress", &format!("metadata.annotations{path}"));
            assert!(said.starts_with(settled), "{annotation}: {said}");
        }
    }

    #[test]
    fn a_protection_that_would_be_lost_blocks() {
        for annotation in [
            "nginx.ingress.kubernetes.io/auth-url: https://login.example.org",
            "nginx.ingress.kubernetes.io/auth-tls-secret: apps/ca",
            "nginx.ingress.kubernetes.io/whitelist-source-range: '${OFFICE}'",
            "nginx.ingress.kubernetes.io/denylist-source-range: 192.0.2.0/24",
            "traefik.ingress.kubernetes.io/router.middlewares: default-guard@kubernetescrd",
        ] {
            let inventory = reached(&ingress(&rule("web.example.org", "/"), annotation), &[]);
            assert!(inventory.questions.iter().any(|question| question.blocks), "{annotation}");
        }
    }
}
