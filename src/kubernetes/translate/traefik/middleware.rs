//! Middlewares of Traefik: how the virtual hosts behave that they stand before.

use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::reach::Manners;
use crate::kubernetes::translate::annotations;
use crate::kubernetes::tree::Node;
use crate::units::Size;

/// Returns the question about a Middleware that nothing is known of.
pub(super) fn missing(name: &str) -> String {
    format!("the Middleware `{name}` is not among the input: did it guard this name, and what does so here?")
}

/// Lets a Middleware that an annotation names (`NAMESPACE-NAME`) say how a virtual host behaves; an error is a question.
pub(in crate::kubernetes::translate) fn by_word(
    cx: &mut Cx<'_, '_>,
    word: &str,
    manners: &mut Manners,
) -> Result<(), String> {
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
pub(super) fn apply(
    cx: &mut Cx<'_, '_>,
    object: &Object<'_>,
    manners: &mut Manners,
    depth: usize,
) -> Result<(), String> {
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
            "buffering" => {
                let bytes = body.int_at("maxRequestBodyBytes").and_then(|bytes| u64::try_from(bytes).ok());
                if let Some(bytes) = bytes.filter(|bytes| *bytes > 0) {
                    manners.max_body = Some(Size::of_bytes(bytes).to_string());
                }
            }
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
pub(super) fn middleware<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
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
                    "ipAllowList" | "ipWhiteList" => networks(cx, object, &pair.node),
                    "basicAuth" => login(cx, object, &pair.node),
                    "headers" => settle_headers(cx, &pair.node),
                    "buffering" => {
                        if let Some(node) = pair.node.get("maxRequestBodyBytes").filter(|_| manners.max_body.is_some())
                        {
                            cx.books.translated(node, "vhost.max-body");
                        }
                        cx.books.dropped(&pair.node, "how much of requests and answers traefik kept in memory");
                    }
                    _ => cx.books.translated(&pair.node, "vhost"),
                }
            }
        }
        Err(question) => cx.books.needs_you(spec, question),
    }
}

/// Settles who may enter.
fn networks<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, body: &'w Node<'s>) {
    if let Some(node) = body.get("ipStrategy").filter(|node| !node.is_leaf()) {
        let question = "clients came through another proxy, whose header said who they are, and the web server looks at who speaks with it: \
                        do clients speak with this machine themselves?";
        cx.ask(object, node, "ip-strategy", question, true);
    }
    if let Some(node) = body.get("rejectStatusCode") {
        cx.books.dropped(node, "who may not enter gets the status 403");
    }
    cx.books.translated(body, "vhost.allow");
}

/// Settles which accounts may look.
fn login<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>, body: &'w Node<'s>) {
    if let Some(node) = body.get("realm") {
        cx.books.dropped(node, "what the browser's window says");
    }
    for key in ["removeHeader", "headerField"] {
        let Some(node) = body.get(key) else { continue };
        if node.bool() == Some(false) {
            cx.books.dropped(node, "this is the default");
            continue;
        }
        let question = match key {
            "removeHeader" => "the program did not see who had logged in, and sees it here: does it mind?",
            _ => "a header told the program who had logged in, which a virtual host does not add: does it need that?",
        };
        cx.ask(object, node, key, question, false);
    }
    cx.books.translated(body, "vhost.auth");
}

/// Settles headers, of which some say what the web server does itself.
fn settle_headers(cx: &mut Cx<'_, '_>, body: &Node<'_>) {
    for (key, by) in [
        ("sslRedirect", "each virtual host redirects plain HTTP itself (`redirect`)"),
        ("sslProxyHeaders", "the web server tells the program itself whether TLS was spoken"),
        ("customRequestHeaders", "the web server tells the program itself whether TLS was spoken"),
    ] {
        if let Some(node) = body.get(key) {
            cx.books.replaced(node, by);
        }
    }
    for pair in body.pairs() {
        match pair.node.bool() {
            Some(false) => cx.books.dropped(&pair.node, "this is the default"),
            _ if pair.key == "forceSTSHeader" => cx.books.dropped(&pair.node, "the header is sent with each answer"),
            _ => cx.books.translated(&pair.node, "vhost.headers"),
        }
    }
}
