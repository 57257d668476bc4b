//! Words of a text that name a Service, and words that only look so.
//!
//! A name with its namespace is one wherever it stands whole. A short name is a word like any other (`POSTGRES_USER: postgres`), so it
//! counts only where a host is expected: in a URL, before a port of the Service, as the value of something that is called a host, or of a
//! variable beside which another one holds its port.

use std::collections::BTreeMap;

use crate::kubernetes::reach::Service;

/// What is known of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speech<'a> {
    /// The namespace of who speaks.
    pub namespace: &'a str,
    /// What introduces the text: a variable, a flag, the path of a file.
    pub hint: &'a str,
    /// Whether it is a file, whose lines introduce their values themselves.
    pub is_file: bool,
    /// Whether a port stands in a variable of its own beside it: `MASTER_PORT` beside `MASTER`.
    pub has_port: bool,
}

/// A word that names a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends, its port included.
    pub end: usize,
    /// The namespace of the Service.
    pub namespace: String,
    /// The Service.
    pub name: String,
    /// How it is written.
    pub spelled: String,
    /// The pod before it: `db-0.db`.
    pub pod: Option<String>,
    /// The port behind it.
    pub port: Option<u16>,
    /// The port that goes without saying, from the scheme of a URL.
    pub default_port: Option<u16>,
}

const SCHEMES: &[(&str, u16)] = &[
    ("amqp", 5672),
    ("amqps", 5671),
    ("ftp", 21),
    ("http", 80),
    ("https", 443),
    ("imap", 143),
    ("ldap", 389),
    ("ldaps", 636),
    ("mariadb", 3306),
    ("mongodb", 27017),
    ("mqtt", 1883),
    ("mysql", 3306),
    ("nats", 4222),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("rediss", 6379),
    ("smtp", 25),
    ("ssh", 22),
    ("valkey", 6379),
    ("ws", 80),
    ("wss", 443),
];

/// Returns the words of a text that name Services, in order.
pub(super) fn find(text: &str, speech: &Speech<'_>, services: &BTreeMap<(String, String), Service>) -> Vec<Word> {
    let mut all = Vec::new();
    for (start, end) in runs(text) {
        let Some(run) = text.get(start..end) else { continue };
        let spelled = run.trim_end_matches(['.', '-', '_']);
        // A dot at the end belongs to a whole name only: `db.apps.svc.cluster.local.`
        let spelled = if run.ends_with("cluster.local.") { run } else { spelled };
        let end = start + spelled.len();
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(end..).unwrap_or_default();
        let port = port_of(after);
        let Some((pod, name, namespace, whole)) = named(spelled, speech.namespace, services) else { continue };
        let Some(service) = services.get(&(namespace.clone(), name.clone())) else { continue };
        let scheme = scheme_of(before);
        let has_port =
            port.is_some_and(|port| service.ports.iter().any(|known| known.port == port || known.target == port));
        let is_place = scheme.is_some() || has_port && !before.ends_with('/') && !before.ends_with('\\');
        let bare = !before.ends_with(['/', '\\', '@', '$']) && !after.starts_with(['/', '\\', '(', '=']);
        let fits = if whole {
            bare || scheme.is_some() || has_port
        } else {
            is_place || bare && is_value(before, after, speech)
        };
        if !fits {
            continue;
        }
        let port_end = port.map_or(end, |port| end + 1 + digits(port, after));
        let default_port = scheme.and_then(|scheme| {
            let scheme = scheme.rsplit('+').next().unwrap_or(scheme);
            SCHEMES.iter().chain(&[]).find(|(known, _)| known.eq_ignore_ascii_case(scheme)).map(|(_, port)| *port)
        });
        all.push(Word {
            start,
            end: port_end,
            namespace,
            name,
            spelled: spelled.to_owned(),
            pod,
            port,
            default_port: default_port.filter(|_| port.is_none()),
        });
    }
    all
}

/// Returns the longest runs of characters that names of hosts consist of.
fn runs(text: &str) -> Vec<(usize, usize)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    let mut all = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        match (is_word(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                all.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    all.extend(start.map(|from| (from, text.len())));
    all
}

/// What a name is made of: the pod, the Service, its namespace, and whether the namespace is written.
type Named = (Option<String>, String, String, bool);

/// Returns the Service that a word names.
fn named(word: &str, own: &str, services: &BTreeMap<(String, String), Service>) -> Option<Named> {
    let plain = word.strip_suffix('.').unwrap_or(word);
    let known = |name: &str, namespace: &str| services.contains_key(&(namespace.to_owned(), name.to_owned()));
    let parts: Vec<&str> = plain.split('.').collect();
    let is_pod = |pod: &str| {
        pod.rsplit_once('-').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    let tail = |rest: &[&str]| matches!(rest, [] | ["svc"] | ["svc", "cluster", "local"]);
    match parts.as_slice() {
        [name] if known(name, own) => Some((None, (*name).to_owned(), own.to_owned(), false)),
        [name, namespace, rest @ ..] if tail(rest) && known(name, namespace) => {
            Some((None, (*name).to_owned(), (*namespace).to_owned(), true))
        }
        [pod, name] if is_pod(pod) && known(name, own) => {
            Some((Some((*pod).to_owned()), (*name).to_owned(), own.to_owned(), true))
        }
        [pod, name, namespace, rest @ ..] if is_pod(pod) && tail(rest) && known(name, namespace) => {
            Some((Some((*pod).to_owned()), (*name).to_owned(), (*namespace).to_owned(), true))
        }
        _ => None,
    }
}

/// Returns the port behind a word.
fn port_of(after: &str) -> Option<u16> {
    let rest = after.strip_prefix(':')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, behind) = rest.split_at_checked(end)?;
    let ends = !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-');
    number.parse().ok().filter(|port| *port > 0 && ends)
}

/// Returns how many characters a port behind a word has.
fn digits(_port: u16, after: &str) -> usize {
    after.get(1..).map_or(0, |rest| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))
}

/// Returns the scheme of the URL whose host begins behind a text: `http` of `http://user:word@`.
fn scheme_of(before: &str) -> Option<&str> {
    let at = before.rfind("://")?;
    let authority = before.get(at + 3..)?;
    let in_host = authority.is_empty()
        || authority.ends_with('@') && !authority.contains(|c: char| c.is_whitespace() || "/\"'<>".contains(c))
        || authority.ends_with(',') && !authority.contains(|c: char| c.is_whitespace() || "/\"'<>".contains(c));
    if !in_host {
        return None;
    }
    let head = before.get(..at)?;
    let begin =
        head.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '-' && c != '.').map_or(0, |at| at + 1);
    // `rfind` gives the beginning of a character, which is of one byte wherever a URL may begin.
    let scheme = head.get(begin..)?;
    (!scheme.is_empty()).then_some(scheme)
}

/// Tells whether a word is the whole value of something that is called a host.
fn is_value(before: &str, after: &str, speech: &Speech<'_>) -> bool {
    if !speech.is_file {
        if let Some((flag, rest)) = before.split_once('=').filter(|_| before.starts_with('-')) {
            return rest.chars().all(|c| c.is_ascii_alphanumeric() || ",:.-".contains(c))
                && is_host_key(flag)
                && !after.starts_with(|c: char| c.is_whitespace());
        }
        let list = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ",;:.-".contains(c));
        let is_host = is_host_key(speech.hint) && list(before) && list(after);
        return is_host || speech.has_port && before.is_empty() && after.is_empty();
    }
    let line = before.rsplit('\n').next().unwrap_or_default();
    let rest = after.split('\n').next().unwrap_or_default();
    let rest = rest.trim().trim_end_matches(['"', '\'', ',', ';']);
    let opened = line.trim_end_matches(['"', '\'']).trim_end();
    let Some(key) = opened.strip_suffix([':', '=']).or_else(|| opened.strip_suffix(|c: char| c == ' ')) else {
        return false;
    };
    let key = key.trim().trim_matches(['"', '\'']);
    let key = key.rsplit([' ', '\t', '{', ',']).next().unwrap_or(key).trim_matches(['"', '\'']);
    (rest.is_empty() || port_of(rest).is_some()) && is_host_key(key)
}

/// Tells whether something is called a host: `DB_HOST`, `--redis-host`, `smtpServer`.
fn is_host_key(key: &str) -> bool {
    const ENDS: &[&str] = &[
        "host",
        "hosts",
        "hostname",
        "server",
        "servers",
        "address",
        "addr",
        "addresses",
        "endpoint",
        "endpoints",
        "brokers",
        "broker",
        "url",
        "uri",
        "upstream",
        "backend",
        "fqdn",
        "ip",
    ];
    let key = key.trim_start_matches('-').to_ascii_lowercase();
    let parts = key.rsplit(['_', '-', '.']).next().unwrap_or(&key);
    ENDS.contains(&parts)
        || ENDS.iter().take(6).any(|end| parts.ends_with(end) && *end != "addr" && !parts.ends_with("ghost"))
}

/// Tells whether a variable may hold where something is: a host, a port, a URL, a string with all of it.
pub(super) fn is_address_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    is_host_key(key)
        || ["port", "dsn", "conn", "connection", "database_url", "uri", "url"].iter().any(|word| lower.contains(word))
}
