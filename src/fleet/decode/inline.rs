//! Secrets that stand in a definition: what has the form of a private key or of a password's hash is never taken in.
//!
//! No message repeats any part of one.

use super::Cx;
use crate::source::{Diagnostic, Kind, Node, Place};

/// What a text is the secret of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inline {
    /// A private key (PEM, OpenSSH, PuTTY, age).
    PrivateKey,
    /// A password's hash (crypt(5)).
    Hash,
    /// A token of a well-known service, told by its prefix.
    Token,
}

impl Inline {
    /// Says what it is.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PrivateKey => "a private key",
            Self::Hash => "a password's hash",
            Self::Token => "an access token",
        }
    }
}

/// Methods of crypt(5) whose hashes are long enough to be told from other text, with the least length of a whole hash.
const METHODS: &[(&str, usize)] = &[
    ("$y$", 40),
    ("$gy$", 40),
    ("$7$", 40),
    ("$2a$", 59),
    ("$2b$", 59),
    ("$2y$", 59),
    ("$6$", 90),
    ("$5$", 48),
    ("$1$", 28),
    ("$argon2", 40),
];

/// Prefixes of tokens that their issuers made to be found, with the least length of a whole token.
const TOKENS: &[(&str, usize)] = &[
    ("ghp_", 40),
    ("gho_", 40),
    ("ghs_", 40),
    ("github_pat_", 60),
    ("glpat-", 26),
    ("xoxb-", 30),
    ("AKIA", 20),
    // A web hook of Slack is a password and an address in one.
    ("hooks.slack.com/services/T", 60),
    // A JSON Web Token, by the begin of its header: {"alg":
    ("eyJhbGciOi", 60),
];

/// How the names of variables end that hold a secret, whatever their case.
const SECRETS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "_PASS",
    "_PWD",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "SECRET_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "ENCRYPTION_KEY",
    "MASTER_KEY",
];

/// The length of the shortest secret that is known. Nearly all texts of a definition are shorter.
const SHORTEST: usize = 20;

/// Tells whether a text is or holds a secret, by forms that nothing else has.
pub(crate) fn find(text: &str) -> Option<Inline> {
    if text.len() < SHORTEST {
        return None;
    }
    let pem = text.split("-----BEGIN ").skip(1).any(|rest| {
        let title: String =
            rest.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == ' ').collect();
        title.contains("PRIVATE KEY")
    });
    if pem || text.contains("PuTTY-User-Key-File-") || word(text, "AGE-SECRET-KEY-1", 74) {
        return Some(Inline::PrivateKey);
    }
    if METHODS.iter().any(|(prefix, least)| word(text, prefix, *least)) {
        return Some(Inline::Hash);
    }
    TOKENS.iter().any(|(prefix, least)| word(text, prefix, *least)).then_some(Inline::Token)
}

/// Tells whether a word of a text begins with `prefix` and has the length and characters of a secret.
fn word(text: &str, prefix: &str, least: usize) -> bool {
    text.match_indices(prefix).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let starts = before.is_none_or(|c| !c.is_ascii_alphanumeric());
        let fits = |c: &char| c.is_ascii_alphanumeric() || "$./=+,-_".contains(*c);
        starts && text.get(at..).is_some_and(|rest| rest.chars().take_while(fits).count() >= least)
    })
}

/// Tells whether a variable's name says that it holds a secret, and its value may be one: not a path, a number or a switch.
pub(crate) fn is_called_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_switch = ["true", "false", "yes", "no", "on", "off"].contains(&value.to_ascii_lowercase().as_str());
    let may_be = !value.is_empty() && !value.starts_with('/') && value.parse::<i64>().is_err() && !is_switch;
    may_be && SECRETS.iter().any(|end| name.ends_with(end))
}

/// Tells whether a text is an address with an account and its password: `postgres://forge:horse@db/forge`. A place that something
/// else fills in (`$PASSWORD`, `{password}`, `<password>`) is none.
pub(crate) fn holds_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((account, _)) = authority.rsplit_once('@') else { return false };
    account.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.starts_with(['$', '<', '{']))
}

/// Reports a text that is a secret; tells whether it is one.
pub(crate) fn report(text: &str, place: Place, cx: &mut Cx<'_>) -> bool {
    let Some(what) = find(text) else { return false };
    cx.found.push(finding(&cx.route(), what.as_str(), place));
    true
}

/// Returns the finding about a secret at a place.
pub(crate) fn finding(route: &str, what: &str, place: Place) -> Diagnostic {
    Diagnostic::error("secret-inline", place, format!("{route} holds {what}"))
        .label("a secret in a definition")
        .why("it would land in the store of every machine that builds or runs the host, where every account and program reads it; it is in the version control by now")
        .help("make a new one: this one is known to everybody who has the definition")
        .help("`[secrets.items.NAME]` in the definition, NAME where the key wants a secret, and the value in a file on the host only")
}

/// Reports every secret at or below a value; tells whether there were any.
pub(crate) fn below(node: &Node, cx: &mut Cx<'_>) -> bool {
    let mut any = false;
    match &node.kind {
        Kind::Str(text) | Kind::Nix(text) => any = report(text, node.place, cx),
        Kind::List(items) => {
            for item in items {
                any |= below(&item.node, cx);
            }
        }
        Kind::Table(table) => {
            for (name, entry) in table {
                any |= cx.within(name, |cx| below(&entry.node, cx));
            }
        }
        Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) | Kind::Date(_) | Kind::Null => {}
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shorter_than_the_shortest() {
        let least = METHODS.iter().chain(TOKENS).map(|(_, least)| *least).min();
        assert_eq!(least, Some(SHORTEST));
        assert!("-----BEGIN PRIVATE KEY-----".len().min("PuTTY-User-Key-File-".len()) >= SHORTEST);
    }

    #[test]
    fn an_address_holds_a_password_that_stands_there_itself() {
        assert!(holds_password("postgres://forge:horse@db/forge"));
        for text in
            ["postgres://forge:{PASSWORD}@db/forge", "amqp://a:$PASSWORD@b", "amqp://a:<password>@b", "https://a/b:c@d"]
        {
            assert!(!holds_password(text), "{text}");
        }
        assert!(is_called_secret("DB_PASSWORD", "horse"));
        for switch in ["yes", "True", "OFF", "1", ""] {
            assert!(!is_called_secret("ALLOW_EMPTY_PASSWORD", switch), "{switch}");
        }
    }

    #[test]
    fn whole_secrets_are_found_and_words_about_them_are_not() {
        let hash = format!("$6$saltsalt${}", "a".repeat(86));
        for (text, what) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn", Inline::PrivateKey),
            ("x = ''-----BEGIN RSA PRIVATE KEY-----''", Inline::PrivateKey),
            (hash.as_str(), Inline::Hash),
            ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", Inline::Hash),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345", Inline::Token),
            ("https://hooks.slack.com/services/T00000000/B00000000/abcdefghijABCDEFGHIJ0123", Inline::Token),
            ("bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl", Inline::Token),
        ] {
            assert_eq!(find(text), Some(what), "{text}");
        }
        for text in [
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "$y$x",
            "costs $6$ or so",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA ghp_",
            "https://example.org/AKIA",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
