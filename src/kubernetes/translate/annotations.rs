//! Annotations of Services and routes: what they tell a controller of the cluster, and what takes its place on a host.
//!
//! [`settle`] is for those that say nothing about one virtual host; [`manners`] reads those that do. A protection that cannot be had
//! (a login, client certificates, networks) is a question that blocks: the name would be open to everybody.

use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::reach::Manners;
use crate::kubernetes::tree::{Node, Pair};
use crate::units::Cidr;

/// What becomes of an annotation whose value does not matter.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// It has no meaning on a host, for a reason.
    Dropped(&'static str),
    /// Something does the same.
    Replaced(&'static str),
    /// A person decides; questions of one key are one.
    Ask(&'static str, &'static str),
    /// The same, and without an answer a protection would be lost.
    Guard(&'static str, &'static str),
}

/// The question about records that external-dns makes.
pub(super) const DNS_QUESTION: &str =
    "external-dns kept the records of this name in step with the cluster: who makes them lead to this machine?";

const DNS: Verdict = Verdict::Ask("dns", DNS_QUESTION);
const DASHBOARD: Verdict = Verdict::Dropped("an entry of a dashboard, which found it by asking the cluster");
const ADDRESS: Verdict = Verdict::Ask(
    "address",
    "clients know this service by this address: does this machine take it over (`network`), or do they learn another?",
);
const SHARED: Verdict = Verdict::Dropped("all services of a machine share its addresses");
const CLOUD: Verdict = Verdict::Dropped("told the load balancer of a cloud; the host itself takes its place");
const STICKY: Verdict = Verdict::Dropped("one process answers: every session is with the same one");
const BUFFERS: Verdict = Verdict::Dropped("how much of an answer the web server keeps: its own settings are used");
const LOGIN: Verdict = Verdict::Guard(
    "login",
    "a login elsewhere guarded this name, and a virtual host knows accounts of its own only (`auth`): what guards it here?",
);
const CLIENTS: Verdict = Verdict::Guard(
    "client-certificates",
    "only clients with a certificate got in, which a virtual host cannot ask for: what guards it here?",
);
const SNIPPET: Verdict = Verdict::Ask(
    "snippet",
    "lines for the configuration of nginx, which are yours to judge: what of them is still wanted \
     (`nixos.services.nginx.virtualHosts`)?",
);
const LIMIT: Verdict = Verdict::Ask(
    "limit",
    "requests were limited in number here, and a virtual host does not do that: is it still wanted?",
);
const CORS: Verdict = Verdict::Ask(
    "cors",
    "the web server told browsers which other sites may ask here: does the program do so itself, or should `headers` of the virtual host?",
);
const REWRITE: Verdict = Verdict::Ask(
    "rewrite",
    "the program got another path than the one that was asked for, and a virtual host passes it on as it is: can the program live below this path?",
);
const REDIRECT: Verdict = Verdict::Ask(
    "redirect",
    "requests were sent to another address, which a virtual host does not do: is that still wanted (`nixos.services.nginx.virtualHosts`)?",
);
const UPSTREAM: Verdict = Verdict::Ask(
    "backend-protocol",
    "the program speaks something else than plain HTTP, which is what a virtual host speaks with it: can it be told to speak HTTP?",
);

/// Annotations by the beginning of their name. The first that fits counts.
const KNOWN: &[(&str, Verdict)] = &[
    ("external-dns.alpha.kubernetes.io/", DNS),
    ("external-dns-cf/", DNS),
    ("coredns.io/", DNS),
    ("gethomepage.dev/", DASHBOARD),
    ("forecastle.stakater.com/", DASHBOARD),
    ("flame.pawelmalak/", DASHBOARD),
    ("glance/", DASHBOARD),
    ("hajimari.io/", DASHBOARD),
    (
        "gatus.home-operations.com/",
        Verdict::Dropped("told gatus what to watch; the host asks the service itself (`health`)"),
    ),
    ("uptimekuma.", Verdict::Dropped("told a monitor what to watch; the host asks the service itself (`health`)")),
    ("metallb.universe.tf/loadBalancerIPs", ADDRESS),
    ("metallb.io/loadBalancerIPs", ADDRESS),
    ("metallb.universe.tf/", SHARED),
    ("metallb.io/", SHARED),
    ("lbipam.cilium.io/ips", ADDRESS),
    ("io.cilium/lb-ipam-ips", ADDRESS),
    ("lbipam.cilium.io/", SHARED),
    ("kube-vip.io/loadbalancerIPs", ADDRESS),
    ("kube-vip.io/", SHARED),
    ("purelb.io/", SHARED),
    (
        "tailscale.com/",
        Verdict::Ask(
            "tailscale",
            "the tailnet reached this service by a name of its own: how do its users reach it here?",
        ),
    ),
    ("service.beta.kubernetes.io/", CLOUD),
    ("service.kubernetes.io/", CLOUD),
    ("cloud.google.com/", CLOUD),
    ("networking.gke.io/", CLOUD),
    ("load-balancer.hetzner.cloud/", CLOUD),
    (
        "service.alpha.kubernetes.io/tolerate-unready-endpoints",
        Verdict::Dropped("the name of a container is there as soon as it runs"),
    ),
    (
        "prometheus.io/",
        Verdict::Ask(
            "metrics",
            "prometheus found this service by asking the cluster: who asks it for its metrics (`monitoring`)?",
        ),
    ),
    ("traefik.ingress.kubernetes.io/service.sticky", STICKY),
    ("traefik.ingress.kubernetes.io/service.serversscheme", UPSTREAM),
    ("traefik.ingress.kubernetes.io/service.serverstransport", UPSTREAM),
    (
        "traefik.ingress.kubernetes.io/service.passhostheader",
        Verdict::Replaced("the name that was asked for is passed on"),
    ),
    ("traefik.ingress.kubernetes.io/router.priority", Verdict::Replaced("the longest path counts")),
    ("traefik.ingress.kubernetes.io/router.tls.options", Verdict::Replaced("services.nginx.recommendedTlsSettings")),
    ("traefik.ingress.kubernetes.io/router.observability", Verdict::Dropped("what traefik wrote about requests")),
    ("nginx.ingress.kubernetes.io/affinity", STICKY),
    ("nginx.ingress.kubernetes.io/session-cookie-", STICKY),
    ("nginx.ingress.kubernetes.io/upstream-hash-by", STICKY),
    ("nginx.ingress.kubernetes.io/load-balance", STICKY),
    ("nginx.ingress.kubernetes.io/service-upstream", STICKY),
    ("nginx.ingress.kubernetes.io/proxy-next-upstream", STICKY),
    ("nginx.ingress.kubernetes.io/proxy-buffer", BUFFERS),
    ("nginx.ingress.kubernetes.io/proxy-busy-buffers-size", BUFFERS),
    ("nginx.ingress.kubernetes.io/proxy-request-buffering", BUFFERS),
    ("nginx.ingress.kubernetes.io/proxy-max-temp-file-size", BUFFERS),
    ("nginx.ingress.kubernetes.io/client-body-buffer-size", BUFFERS),
    ("nginx.ingress.kubernetes.io/proxy-connect-timeout", Verdict::Dropped("the program is on the same machine")),
    ("nginx.ingress.kubernetes.io/proxy-http-version", Verdict::Replaced("services.nginx.recommendedProxySettings")),
    ("nginx.ingress.kubernetes.io/websocket-services", Verdict::Replaced("web sockets pass")),
    ("nginx.ingress.kubernetes.io/ssl-ciphers", Verdict::Replaced("services.nginx.recommendedTlsSettings")),
    (
        "nginx.ingress.kubernetes.io/ssl-prefer-server-ciphers",
        Verdict::Replaced("services.nginx.recommendedTlsSettings"),
    ),
    ("nginx.ingress.kubernetes.io/enable-access-log", Verdict::Dropped("what nginx wrote about requests")),
    ("nginx.ingress.kubernetes.io/auth-realm", Verdict::Dropped("what the browser's window says")),
    ("nginx.ingress.kubernetes.io/auth-secret-type", Verdict::Replaced("a secret with lines of htpasswd(1)")),
    ("nginx.ingress.kubernetes.io/auth-tls-", CLIENTS),
    ("nginx.ingress.kubernetes.io/auth-", LOGIN),
    ("nginx.ingress.kubernetes.io/configuration-snippet", SNIPPET),
    ("nginx.ingress.kubernetes.io/server-snippet", SNIPPET),
    ("nginx.ingress.kubernetes.io/location-snippet", SNIPPET),
    ("nginx.ingress.kubernetes.io/custom-headers", SNIPPET),
    ("nginx.ingress.kubernetes.io/limit-", LIMIT),
    ("nginx.ingress.kubernetes.io/enable-cors", CORS),
    ("nginx.ingress.kubernetes.io/cors-", CORS),
    ("nginx.ingress.kubernetes.io/permanent-redirect", REDIRECT),
    ("nginx.ingress.kubernetes.io/temporal-redirect", REDIRECT),
    ("nginx.ingress.kubernetes.io/from-to-www-redirect", REDIRECT),
    ("nginx.ingress.kubernetes.io/app-root", REDIRECT),
    ("nginx.ingress.kubernetes.io/upstream-vhost", REWRITE),
    ("nginx.ingress.kubernetes.io/x-forwarded-prefix", REWRITE),
    ("nginx.ingress.kubernetes.io/ssl-passthrough", UPSTREAM),
    ("nginx.ingress.kubernetes.io/proxy-ssl-", UPSTREAM),
    (
        "nginx.ingress.kubernetes.io/denylist-source-range",
        Verdict::Guard(
            "denied-networks",
            "these networks were kept out, and a virtual host knows only those that may enter (`allow`): which ones may?",
        ),
    ),
    (
        "nginx.ingress.kubernetes.io/modsecurity",
        Verdict::Guard(
            "waf",
            "a filter of requests guarded this name, which the host does not have: is it still wanted?",
        ),
    ),
    (
        "nginx.ingress.kubernetes.io/enable-modsecurity",
        Verdict::Guard(
            "waf",
            "a filter of requests guarded this name, which the host does not have: is it still wanted?",
        ),
    ),
    (
        "nginx.ingress.kubernetes.io/canary",
        Verdict::Ask("canary", "a part of the requests went to another version: which one stays?"),
    ),
];

/// Returns the annotations of an object.
fn annotations<'w, 's>(object: &'w Object<'s>) -> &'w [Pair<'s>] {
    object.tree().at(&["metadata", "annotations"]).map_or(&[], Node::pairs)
}

/// Settles the annotations whose value does not matter, unless they are settled.
pub(super) fn settle<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    for pair in annotations(object) {
        if cx.books.is_settled(&pair.node) {
            continue;
        }
        let Some((_, verdict)) = KNOWN.iter().find(|(known, _)| pair.key.starts_with(known)) else { continue };
        match *verdict {
            Verdict::Dropped(reason) => cx.books.dropped(&pair.node, reason),
            Verdict::Replaced(by) => cx.books.replaced(&pair.node, by),
            Verdict::Ask(key, question) => {
                cx.ask(object, &pair.node, key, question, false);
            }
            Verdict::Guard(key, question) => {
                cx.ask(object, &pair.node, key, question, true);
            }
        }
    }
}

/// Reads how the virtual hosts of a route behave from its annotations, and settles them. `to` is the key of their definitions.
///
/// `has_patterns` tells whether a path of the route is a pattern.
pub(super) fn manners<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, has_patterns: bool) -> Manners {
    let mut manners = Manners::default();
    for pair in annotations(object) {
        let Some(text) = pair.node.text() else { continue };
        let text = text.trim();
        let (of, name) = pair.key.split_once('/').unwrap_or(("", &pair.key));
        match of {
            "cert-manager.io" | "certmanager.k8s.io" => of_cert_manager(cx, object, pair, name, &mut manners),
            "kubernetes.io" if name == "tls-acme" => {
                manners.tls |= text == "true";
                cx.books.translated(&pair.node, "vhost.tls");
            }
            "kubernetes.io" if name == "ingress.class" => class(cx, object, &pair.node),
            "nginx.ingress.kubernetes.io" | "ingress.kubernetes.io" => {
                of_nginx(cx, object, pair, (name, text), has_patterns, &mut manners);
            }
            "traefik.ingress.kubernetes.io" => of_traefik(cx, object, pair, (name, text), &mut manners),
            _ => {}
        }
    }
    settle(cx, object);
    for pair in annotations(object) {
        let of = pair.key.split_once('/').map_or("", |(of, _)| of);
        if of.ends_with("ingress.kubernetes.io") {
            let question = "a virtual host has nothing like this: what is it for?";
            if !cx.books.is_settled(&pair.node) {
                cx.ask(object, &pair.node, &format!("annotation-{}", pair.key), question, false);
            }
        }
    }
    manners
}

/// Settles what names the controller that serves a route.
pub(super) fn class<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, node: &'w Node<'s>) {
    match node.text().unwrap_or_default() {
        "tailscale" | "cloudflare-tunnel" | "ngrok" => {
            let question = "clients came in through a tunnel of another provider: how do they reach this machine?";
            cx.ask(object, node, "class", question, false);
        }
        _ => cx.books.replaced(node, "the host's own web server"),
    }
}

fn of_cert_manager<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    pair: &'w Pair<'s>,
    name: &str,
    manners: &mut Manners,
) {
    manners.tls = true;
    if !matches!(name, "cluster-issuer" | "issuer") {
        cx.books.replaced(&pair.node, "security.acme");
        return;
    }
    let kind = if name == "issuer" { "Issuer" } else { "ClusterIssuer" };
    let issuer = pair.node.text().and_then(|issuer| cx.world.find(kind, object.namespace(), issuer));
    if issuer.is_some_and(|issuer| issuer.tree().at(&["spec", "acme"]).is_none()) {
        let question = "the certificate came from an authority of your own, and comes from an ACME provider here: do the clients reach that \
                        name through the internet, or should it be `tls = \"self\"`?";
        cx.ask(object, &pair.node, "issuer", question, false);
        return;
    }
    cx.books.translated(&pair.node, "vhost.tls");
}

fn of_nginx<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    pair: &'w Pair<'s>,
    (name, text): (&str, &str),
    has_patterns: bool,
    manners: &mut Manners,
) {
    let node = &pair.node;
    match name {
        "ssl-redirect" | "force-ssl-redirect" => {
            manners.redirect = Some(text == "true" || (name == "force-ssl-redirect" && manners.redirect == Some(true)));
            cx.books.translated(node, "vhost.redirect");
        }
        "proxy-body-size" => match nginx_size(text) {
            Some(size) => {
                manners.max_body = Some(size);
                cx.books.translated(node, "vhost.max-body");
            }
            None => {
                cx.ask(object, node, "max-body", "this is no size of nginx: how large may requests be?", false);
            }
        },
        "proxy-read-timeout" | "proxy-send-timeout" => match text.trim_end_matches('s').parse::<u64>() {
            Ok(seconds) if seconds > 0 => {
                manners.timeout = manners.timeout.max(Some(seconds));
                cx.books.translated(node, "vhost.timeout");
            }
            _ => {
                cx.ask(object, node, "timeout", "this is no number of seconds: how long may an answer take?", false);
            }
        },
        "whitelist-source-range" | "allowlist-source-range" => {
            let networks: Option<Vec<String>> = text.split(',').map(|word| network(word.trim())).collect();
            match networks {
                Some(networks) => {
                    manners.allow.extend(networks);
                    cx.books.translated(node, "vhost.allow");
                }
                None => {
                    let question = "only some networks got in, and these are none: which ones may?";
                    cx.ask(object, node, "allow", question, true);
                }
            }
        }
        "auth-type" if text == "basic" => cx.books.translated(node, "vhost.auth"),
        "auth-secret" => {
            let secret = text.rsplit('/').next().unwrap_or(text);
            manners.auth = Some(accounts(cx, object, secret));
            cx.books.translated_as(
                node,
                "vhost.auth",
                "the accounts are to be filled in again, as lines of htpasswd(1)",
            );
        }
        "enable-global-auth" if text == "false" => {
            cx.books.dropped(node, "it was an exception from a login of all names, which the host does not have");
        }
        "use-regex" if !has_patterns || text != "true" => cx.books.dropped(node, "no path of it is a pattern"),
        "use-regex" => {
            let question =
                "its paths are patterns, and a virtual host knows paths: below which paths should it answer?";
            cx.ask(object, node, "patterns", question, false);
        }
        "rewrite-target" if text == "/" && only_root(object) => {
            cx.books.dropped(node, "the path is the root, as it was");
        }
        "rewrite-target" => {
            cx.ask(object, node, "rewrite", question_of(REWRITE), false);
        }
        "backend-protocol" => match text.to_ascii_uppercase().as_str() {
            "HTTP" | "AUTO_HTTP" => cx.books.replaced(node, "a virtual host speaks HTTP with the program"),
            _ => {
                cx.ask(object, node, "backend-protocol", question_of(UPSTREAM), false);
            }
        },
        "secure-backends" if text == "false" => cx.books.replaced(node, "a virtual host speaks HTTP with the program"),
        "enable-cors" | "enable-modsecurity" | "canary" | "ssl-passthrough" | "from-to-www-redirect"
            if text == "false" =>
        {
            cx.books.dropped(node, "it is off, as it is on the host");
        }
        _ => {}
    }
}

fn question_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Dropped(text) | Verdict::Replaced(text) | Verdict::Ask(_, text) | Verdict::Guard(_, text) => text,
    }
}

/// Tells whether a route is about whole names only.
fn only_root(object: &Object<'_>) -> bool {
    let rules = object.tree().at(&["spec", "rules"]).map_or(&[][..], Node::items);
    let mut paths = rules.iter().filter_map(|rule| rule.at(&["http", "paths"])).flat_map(Node::items);
    paths.all(|path| matches!(path.str_at("path"), None | Some("/" | "")))
}

fn of_traefik<'w, 's>(
    cx: &mut Cx<'w, 's>,
    object: &'w Object<'s>,
    pair: &'w Pair<'s>,
    (name, text): (&str, &str),
    manners: &mut Manners,
) {
    let node = &pair.node;
    match name {
        "router.entrypoints" => {
            manners.tls |= is_secure(text.split(',').map(str::trim));
            cx.books.replaced(node, "the host's web server listens on ports 80 and 443");
        }
        "router.tls" => {
            manners.tls |= text == "true";
            cx.books.translated(node, "vhost.tls");
        }
        "router.tls.certresolver" | "router.tls.domains.0.main" | "router.tls.domains.0.sans" => {
            manners.tls = true;
            cx.books.replaced(node, "security.acme");
        }
        "router.middlewares" => {
            for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                let own = word.strip_suffix("@kubernetescrd").unwrap_or(word);
                if let Err(question) = super::traefik::by_word(cx, own, manners) {
                    cx.ask(object, node, &format!("middleware-{own}"), question, true);
                }
            }
            cx.books.translated(node, "vhost");
        }
        _ => {}
    }
}

/// Tells whether names of entry points mean TLS.
pub(super) fn is_secure<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    names.into_iter().any(|name| {
        let name = name.to_ascii_lowercase();
        name.contains("secure") || name.contains("https") || name.contains("443") || name == "tls"
    })
}

/// Returns a secret that holds accounts which may look, and says what a person has to fill in.
pub(super) fn accounts(cx: &mut Cx<'_, '_>, object: &Object<'_>, secret: &str) -> String {
    let plain: String =
        secret.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let name = plain.trim_matches('-').chars().take(63).collect::<String>();
    let name = if name.is_empty() { "web-accounts".to_owned() } else { name };
    let what = format!(
        "lines of htpasswd(1) with the accounts that may look; they are in the Secret {secret} of the namespace {}",
        object.namespace()
    );
    cx.host.secrets.entry(name.clone()).or_insert(what);
    name
}

/// Returns a network, or an address as a network of its own.
pub(super) fn network(text: &str) -> Option<String> {
    let whole = text.parse::<std::net::IpAddr>().ok().map(|address| Cidr::host(address).to_string());
    whole.or_else(|| text.parse::<Cidr>().ok().map(|network| network.to_string()))
}

/// Returns a size of nginx (`50m`, `1g`, `0` for none) as definitions have it.
fn nginx_size(text: &str) -> Option<String> {
    let (digits, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((at, _)) => text.split_at_checked(at)?,
        None => (text, ""),
    };
    let unit = match unit {
        "" => "B",
        "k" | "K" => "KiB",
        "m" | "M" => "MiB",
        "g" | "G" => "GiB",
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    Some(format!("{number}{unit}"))
}
