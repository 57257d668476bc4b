//! cert-manager: who signs certificates, and which ones there are.
//!
//! A virtual host has a certificate of its own, so that most of this is said already when a route has been translated.

use super::{Stage, Translator, annotations};
use crate::kubernetes::context::Cx;
use crate::kubernetes::object::Object;
use crate::kubernetes::reach::is_private_name;
use crate::kubernetes::tree::Node;

const GROUPS: &[&str] = &["cert-manager.io", "certmanager.k8s.io"];

pub(super) static ISSUER: Translator = Translator { kind: "Issuer", groups: GROUPS, stage: Stage::Guards, run: issuer };
pub(super) static CLUSTER_ISSUER: Translator =
    Translator { kind: "ClusterIssuer", groups: GROUPS, stage: Stage::Guards, run: issuer };
pub(super) static CERTIFICATE: Translator =
    Translator { kind: "Certificate", groups: GROUPS, stage: Stage::Guards, run: certificate };

fn issuer<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    let Some(acme) = spec.get("acme") else {
        let question = "this authority is your own: which of its certificates are still wanted, and who keeps its key?";
        cx.ask(object, spec, "authority", question, false);
        return;
    };
    if let Some(node) = acme.get("email") {
        match node.text() {
            Some(mail) if mail.contains('@') && !mail.contains("${") => {
                let known = cx.host.acme_email.get_or_insert_with(|| mail.to_owned());
                if known == mail {
                    cx.books.translated(node, "web.acme-email");
                } else {
                    cx.books.replaced(node, "web.acme-email, which another issuer says");
                }
            }
            _ => {
                cx.ask(
                    object,
                    node,
                    "email",
                    "this is no mail address: whom should the ACME provider write to?",
                    false,
                );
            }
        }
    }
    if let Some(node) = acme.get("server") {
        let text = node.text().unwrap_or_default();
        if text.contains("acme-staging") {
            cx.books.dropped(node, "it was for trying things out: no client trusts its certificates");
        } else if text.contains(".api.letsencrypt.org") {
            cx.books.replaced(node, "security.acme, whose provider is Let's Encrypt");
        } else {
            let question = "certificates came from another provider than Let's Encrypt: which one should it be \
                            (`nixos.security.acme.defaults.server`)?";
            cx.ask(object, node, "server", question, false);
        }
    }
    for key in ["privateKeySecretRef", "disableAccountKeyGeneration"] {
        if let Some(node) = acme.get(key) {
            cx.books.replaced(node, "security.acme makes an account of its own");
        }
    }
    for key in ["profile", "preferredChain", "enableDurationFeature"] {
        if let Some(node) = acme.get(key) {
            cx.books
                .dropped(node, "which kind of certificate it asked for: security.acme takes the provider's usual one");
        }
    }
    if let Some(node) = acme.get("skipTLSVerify").filter(|node| node.bool() != Some(true)) {
        cx.books.dropped(node, "this is the default");
    }
    for key in ["caBundle", "skipTLSVerify"] {
        if let Some(node) = acme.get(key).filter(|node| !cx.books.is_settled(node)) {
            let question = "the provider itself has a certificate of an authority that is not known everywhere: does the host know it \
                            (`nixos.security.pki.certificateFiles`)?";
            cx.ask(object, node, "provider-authority", question, false);
        }
    }
    if let Some(node) = acme.get("externalAccountBinding") {
        let question =
            "the provider knows you by an account of its own: should the host use it (`nixos.security.acme`)?";
        cx.ask(object, node, "account", question, false);
    }
    for solver in acme.list("solvers") {
        if let Some(node) = solver.get("dns01") {
            let provider =
                node.pairs().iter().map(|pair| &*pair.key).find(|key| *key != "cnameStrategy").unwrap_or("DNS");
            let question = format!(
                "names were proved through {provider}: should this host do so too (`web.acme-dns`, which needs the provider's credentials \
                 as a secret), or over port 80, which the internet has to reach then?"
            );
            cx.ask(object, node, "dns01", question, false);
        }
        if let Some(node) = solver.get("http01") {
            cx.books.replaced(node, "security.acme, which proves names over port 80");
        }
        if let Some(node) = solver.get("selector") {
            cx.books.dropped(node, "all names of a host are proved in one way");
        }
    }
    // The keys of the first API stand beside `email`.
    if let Some(node) = acme.get("http01") {
        cx.books.replaced(node, "security.acme, which proves names over port 80");
    }
    if let Some(node) = acme.get("dns01") {
        let question = "names were proved through DNS: should this host do so too (`web.acme-dns`, which needs the provider's credentials \
                        as a secret), or over port 80, which the internet has to reach then?";
        cx.ask(object, node, "dns01", question, false);
    }
}

fn certificate<'w, 's>(cx: &mut Cx<'w, 's>, object: &'w Object<'s>) {
    annotations::settle(cx, object);
    let Some(spec) = object.tree().get("spec") else { return };
    if spec.list("dnsNames").is_empty() && spec.get("commonName").is_none_or(Node::is_null) {
        cx.ask(object, spec, "names", "this certificate names nothing: what is it for?", false);
        return;
    }
    let names = spec.list("dnsNames").iter().chain(spec.get("commonName"));
    let mut waits = false;
    for node in names {
        let name = node.text().unwrap_or_default().to_ascii_lowercase();
        let below = name.strip_prefix('*');
        let is_proved = |known: &String| *known == name || below.is_some_and(|below| known.ends_with(below));
        if cx.reach.proved.iter().any(is_proved) {
            cx.books.replaced(node, "security.acme, by the virtual host of this name");
        } else if is_private_name(&name) {
            let question = "no ACME provider proves this name: is the certificate still wanted, and who signs it?";
            cx.ask(object, node, &format!("name-{name}"), question, false);
            waits = true;
        } else {
            let question =
                "no virtual host has this name, so that the host gets no certificate for it: what is it for?";
            cx.ask(object, node, &format!("name-{name}"), question, false);
            waits = true;
        }
    }
    if let Some(node) = spec.get("isCA").filter(|node| !waits && node.bool() == Some(true)) {
        cx.ask(
            object,
            node,
            "authority",
            "it signs certificates itself: who needs them, and who keeps its key?",
            false,
        );
        waits = true;
    }
    if waits {
        cx.books.needs_you(spec, "what this certificate is for is not known: see the question about it");
        return;
    }
    for pair in spec.pairs() {
        match &*pair.key {
            "secretName" => cx.books.replaced(&pair.node, "security.acme keeps each certificate in /var/lib/acme"),
            "secretTemplate" => cx.books.dropped(&pair.node, "told the cluster about the Secret with the certificate"),
            "keystores" | "ipAddresses" | "uris" | "emailAddresses" | "subject" => {
                let question =
                    "the certificate held more than names, which one of an ACME provider does not: who needs it?";
                cx.ask(object, &pair.node, &pair.key, question, false);
            }
            _ => cx.books.replaced(&pair.node, "security.acme"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::sample::{leaf, reached, workload};

    fn with_certificate(name: &str) -> String {
        format!(
            "{}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: web }}\nspec:\n  tls: [{{ secretName: x }}]\n  rules: [{{ host: web.example.org, http: {{ paths: [{{ path: /, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}] }} }}]\n---\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {{ name: x }}\nspec: {{ secretName: x, dnsNames: ['{name}'], issuerRef: {{ name: le }} }}\n",
            workload("web")
        )
    }

    #[test]
    fn a_certificate_is_that_of_the_virtual_host_of_its_name() {
        for name in ["web.example.org", "*.example.org"] {
            let inventory = reached(&with_certificate(name), &[]);
            assert!(inventory.questions.is_empty(), "{name}: {:?}", inventory.questions);
            assert!(leaf(&inventory, "Certificate", "spec.dnsNames[0]").starts_with("replaced"), "{name}");
            assert!(leaf(&inventory, "Certificate", "spec.issuerRef.name").starts_with("replaced"), "{name}");
        }
        let other = reached(&with_certificate("mail.example.org"), &[]);
        assert!(other.questions.first().unwrap().question.starts_with("no virtual host has this name"));
        assert!(leaf(&other, "Certificate", "spec.secretName").starts_with("needs-you"));
    }

    #[test]
    fn an_issuer_gives_the_address_of_the_account_and_asks_about_dns() {
        let yaml = "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: { name: le }\nspec:\n  acme:\n    email: a@example.org\n    server: https://acme-v02.api.letsencrypt.org/directory\n    privateKeySecretRef: { name: x }\n    solvers: [{ http01: { ingress: { class: nginx } } }, { dns01: { cloudflare: { apiTokenSecretRef: { name: y, key: z } } } }]\n";
        let inventory = reached(yaml, &[]);
        assert_eq!(inventory.host.acme_email.as_deref(), Some("a@example.org"));
        assert_eq!(leaf(&inventory, "ClusterIssuer", "spec.acme.email"), "translated web.acme-email");
        assert_eq!(inventory.questions.len(), 1);
        assert!(inventory.questions.first().unwrap().question.starts_with("names were proved through cloudflare"));
    }
}
