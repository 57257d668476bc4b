//! Words of network and secrets with a form of their own: names of secrets, servers, rules of nftables.

use std::fmt;
use std::net::IpAddr;

use super::decode::{Cx, Decode, MapKey, inline};
use super::scalar::{DnsName, check_name};
use super::schema::wireguard::is_key;
use super::shape::{Scalar, Shape};
use crate::source::{Node, quoted};
use crate::units::is_host_name;

/// The name of a secret, which `secrets.items` defines. A value in its place is refused, and never repeated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for SecretName {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "secret",
            json: "string",
            pattern: Some("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
            wanted: "the name of a secret in `[secrets.items]`, in quotes",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted =
            "the name of a secret in `[secrets.items]` is wanted, lower-case letters, digits and inner hyphens";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        if is_key(text) {
            cx.found.push(inline::finding(&cx.route(), "a key of wireguard", node.place));
            return None;
        }
        if inline::report(text, node.place, cx) {
            return None;
        }
        if check_name(text).is_ok() {
            return Some(Self(text.to_owned()));
        }
        // It may be a password in clear: what stands there is not shown.
        let message = format!("{} holds something that is no name of a secret", cx.route());
        cx.found.push(crate::source::Diagnostic::error("value-invalid", node.place, message).help(wanted));
        None
    }
}

/// A server by its DNS name or address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// By its address.
    Address(IpAddr),
    /// By its DNS name.
    Name(DnsName),
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl Decode for ServerName {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "DNS name or ip",
            json: "string",
            pattern: None,
            wanted: "a DNS name or an IP address, in quotes",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a DNS name or an IP address is wanted, such as `ntp.example.org`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        text.parse().ok().map(Self::Name).or_else(|| cx.refused(node.place, text, wanted))
    }
}

/// DNS names, as names of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsKey;

impl MapKey for DnsKey {
    fn check(name: &str) -> Result<(), String> {
        if is_host_name(name) { Ok(()) } else { Err("a DNS name is wanted, such as `tulpa.dev`".to_owned()) }
    }

    fn pattern() -> &'static str {
        "^[A-Za-z0-9_.-]+$"
    }
}

/// Rules of nftables for the chain of what comes in; they cannot end that chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftRules(String);

impl NftRules {
    /// Returns the rules, one a line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for NftRules {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "nft rules",
            json: "string",
            pattern: None,
            wanted: "rules of nftables, one a line",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Some(text) = node.as_str() else {
            return cx.invalid(node, "rules of nftables are wanted, one a line, in quotes");
        };
        match check_rules(text) {
            Ok(()) => Some(Self(text.to_owned())),
            Err((line, fault)) => {
                let message = format!("{} cannot hold the line {}", cx.route(), quoted(line.trim()));
                cx.found.push(crate::source::Diagnostic::error("value-invalid", node.place, message).label(fault).help(
                    "rules of the chain of what comes in, such as `tcp dport 22 ip saddr 192.0.2.0/24 accept`; whole tables \
                     stand in `[nixos] networking.nftables.tables.NAME`",
                ));
                None
            }
        }
    }
}

/// Words with which a line of nftables is no rule but a command, a definition, or the head of a chain.
const NO_RULES: &[&str] = &[
    "table", "chain", "flush", "delete", "destroy", "add", "create", "insert", "replace", "list", "reset", "rename",
    "include", "define", "redefine", "undefine", "import", "export", "monitor", "describe", "type", "policy", "hook",
];

/// Checks that lines are rules that stay within their chain: no command at the head of a line, every brace, bracket and
/// quote closed. What is wrong comes with the line where it shows.
pub(crate) fn check_rules(text: &str) -> Result<(), (&str, &'static str)> {
    let mut open: Vec<char> = Vec::new();
    let mut last = "";
    for line in text.lines() {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err((line, "a control character"));
        }
        let rest = line.trim_start();
        let begins = |word: &&&str| rest.split(|c: char| !c.is_ascii_alphabetic()).next() == Some(**word);
        if open.is_empty() && NO_RULES.iter().any(|word| begins(&word)) {
            return Err((line, "no rule of a chain"));
        }
        let mut quote = false;
        for c in rest.chars() {
            match c {
                '"' => quote = !quote,
                _ if quote => {}
                '#' => break,
                // A second statement on the line could be a command.
                ';' => return Err((line, "a `;`: one rule a line")),
                '{' | '(' => open.push(c),
                '}' | ')' => {
                    let wanted = if c == '}' { '{' } else { '(' };
                    if open.pop() != Some(wanted) {
                        return Err((line, "closes what nothing opened"));
                    }
                }
                '$' | '`' | '\\' => return Err((line, "a character that no rule needs")),
                _ => {}
            }
        }
        if quote {
            return Err((line, "a quote that is not closed"));
        }
        last = line;
    }
    if open.is_empty() { Ok(()) } else { Err((last, "something that is not closed")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cannot_leave_their_chain() {
        for good in [
            "",
            "tcp dport 22 ip saddr 192.0.2.0/24 accept",
            "# a remark with a brace }\nip saddr {\n  192.0.2.1,\n  192.0.2.2\n} udp dport { 53, 123 } accept comment \"dns; and } time\"",
            "tcp dport 25 limit rate 10/minute accept",
            "jump input-allow",
        ] {
            assert_eq!(check_rules(good), Ok(()), "{good}");
        }
        for bad in [
            "accept\n}\ntable inet x {",
            "}",
            "ip saddr { 192.0.2.1 accept",
            "flush ruleset",
            "include \"/etc/passwd\"",
            "accept; flush ruleset",
            "accept comment \"open",
            "accept \u{1b}[2J",
            "ip saddr $x accept",
            "policy accept",
            "ip saddr ( 192.0.2.1 } accept",
        ] {
            assert!(check_rules(bad).is_err(), "{bad}");
        }
    }
}
