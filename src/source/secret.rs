//! Secrets in texts: told by forms that nothing else has, or by the name before them.
//!
//! Here belong: what counts as a secret, and where in a text one stands, so that reports can leave it out. Not here: what is said of one
//! (`fleet::decode::inline`, the rule `secret-inline`).

use std::borrow::Cow;
use std::ops::Range;

/// What a text is the secret of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inline {
    /// A private key (PEM, OpenSSH, PuTTY, age).
    PrivateKey,
    /// A password's hash (crypt(5)).
    Hash,
    /// A token of a well-known service, told by its prefix.
    Token,
}

impl Inline {
    /// Says what it is.
    pub fn as_str(self) -> &'static str {
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

/// Names that end as those of secrets do, and say where nginx passes requests on to (`proxy_pass`, in NixOS `proxyPass`).
const NGINX: &[&str] = &["PROXY_PASS", "FASTCGI_PASS", "GRPC_PASS", "MEMCACHED_PASS", "SCGI_PASS", "UWSGI_PASS"];

/// The length of the shortest secret that is known. Nearly all texts of a definition are shorter.
const SHORTEST: usize = 20;

/// What may begin where a value would: something else fills the value in.
const FILLED_IN: &[char] = &['$', '<', '{', '%'];

/// What stands in a definition for a secret of a manifest's command line, until a person has put it where nobody reads it.
pub const PLACEHOLDER: &str = "SECRET";

/// How far before a line the begin of a key is looked for, in bytes: private keys are shorter.
const LONGEST_KEY: usize = 16 << 10;

/// Tells whether a text is or holds a secret, by forms that nothing else has.
pub fn find(text: &str) -> Option<Inline> {
    if text.len() < SHORTEST {
        return None;
    }
    if keys(text).next().is_some() || word(text, "AGE-SECRET-KEY-1", 74).next().is_some() {
        return Some(Inline::PrivateKey);
    }
    let any = |forms: &[(&str, usize)]| forms.iter().any(|(prefix, least)| word(text, prefix, *least).next().is_some());
    if text.contains('$') && any(METHODS) {
        return Some(Inline::Hash);
    }
    any(TOKENS).then_some(Inline::Token)
}

/// Returns what stands between the first and the last line of each private key in a text.
fn keys(text: &str) -> impl Iterator<Item = Range<usize>> {
    let pem = text.match_indices("-----BEGIN ").filter_map(|(at, begin)| {
        let rest = text.get(at + begin.len()..)?;
        let title =
            rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ')).unwrap_or(rest.len());
        rest.get(..title).filter(|title| title.contains("PRIVATE KEY"))?;
        let body = rest.get(title..).map_or(title, |rest| title + rest.len() - rest.trim_start_matches('-').len());
        let end = rest.find("-----END ").filter(|end| *end >= body).unwrap_or(rest.len());
        Some(at + begin.len() + body..at + begin.len() + end)
    });
    // Of PuTTY's files the private lines come last.
    let putty = text.match_indices("PuTTY-User-Key-File-").map(|(at, begin)| at + begin.len()..text.len());
    pem.chain(putty)
}

/// Returns the words of a text that begin with `prefix` and have the length and characters of a secret.
fn word(text: &str, prefix: &str, least: usize) -> impl Iterator<Item = Range<usize>> {
    text.match_indices(prefix).filter_map(move |(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let fits = |c: char| c.is_ascii_alphanumeric() || "$./=+,-_".contains(c);
        let rest = text.get(at..)?;
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        (before.is_none_or(|c| !c.is_ascii_alphanumeric()) && end >= least).then_some(at..at + end)
    })
}

/// Tells whether a name says that it stands for a secret: `DB_PASSWORD`, `api-token`, `privateKey`.
pub fn is_called(name: &str) -> bool {
    let mut variable = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            variable.push('_');
        }
        variable.push(if c == '-' { '_' } else { c.to_ascii_uppercase() });
        before = c;
    }
    SECRETS.iter().any(|end| variable.ends_with(end)) && !NGINX.contains(&variable.as_str())
}

/// Tells whether a variable's name says that it holds a secret, and its value may be one: not a path, a number or a switch.
pub fn is_called_secret(name: &str, value: &str) -> bool {
    let is_switch = ["true", "false", "yes", "no", "on", "off"].iter().any(|word| value.eq_ignore_ascii_case(word));
    // An account that nobody can log in to has the hash `!`.
    let is_word = value.contains(char::is_alphanumeric) && !value.starts_with('/');
    is_word && value.parse::<i64>().is_err() && !is_switch && is_called(name)
}

/// Tells whether a text of several lines holds a secret by its form or by the name before it, outside of comments.
pub fn in_lines(text: &str) -> bool {
    let is_comment = |line: &&str| ["#", ";", "//"].iter().any(|start| line.trim_start().starts_with(start));
    text.lines().filter(|line| !is_comment(line)).any(|line| !places(line).is_empty())
}

/// Tells whether something else fills a value in: `$TOKEN`, `{token}`, `<token>`, or the word that `migrate` writes.
pub fn is_filled_in(value: &str) -> bool {
    value.starts_with(FILLED_IN) || value == PLACEHOLDER
}

/// Tells whether a text is an address with an account and its password: `postgres://forge:horse@db/forge`. A place that something
/// else fills in (`$PASSWORD`, `{password}`, `<password>`) is none.
pub fn holds_password(text: &str) -> bool {
    passwords(text).next().is_some()
}

/// Returns the passwords of the addresses in a text.
fn passwords(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(at, slashes)| {
        let from = at + slashes.len();
        let rest = text.get(from..)?;
        let authority = rest.split(|c: char| c.is_whitespace() || "/?#\"'`".contains(c)).next()?;
        let (account, _) = authority.rsplit_once('@')?;
        let (user, password) = account.split_once(':')?;
        let from = from + user.len() + 1;
        (!password.is_empty() && !is_filled_in(password)).then_some(from..from + password.len())
    })
}

/// Returns the values that stand behind names of secrets: `DB_PASSWORD=horse`, `"apiToken": "x"`, `--token=x`.
fn named(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices(['=', ':']).filter_map(|(at, _)| {
        let before = text.get(..at)?.trim_end_matches([' ', '\t', '\\', '"', '\'']);
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = before.rsplit(|c| !in_name(c)).next().filter(|name| is_called(name))?;
        // Behind a colon stands a value where a key may stand before it, and in prose anything.
        let front = before.strip_suffix(name)?.trim_end_matches([' ', '\t']).chars().next_back();
        let is_key = front.is_none_or(|c| "\n{[,-\"'\\".contains(c));
        (text.as_bytes().get(at) == Some(&b'=') || is_key).then_some(())?;
        let rest = text.get(at + 1..)?;
        let value = rest.trim_start_matches([' ', '\t', '\\', '[', '(']);
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = value.trim_start_matches(['"', '\'']);
        let end = match quote {
            Some(quote) => value.find(quote),
            None => value.find(|c: char| c.is_whitespace() || "\"'`,;)}]".contains(c)),
        };
        let found = value.get(..end.unwrap_or(value.len()))?;
        let from = text.len() - value.len();
        (is_called_secret(name, found) && !is_filled_in(found)).then_some(from..from + found.len())
    })
}

/// Returns where secrets stand in a text, told by their form or by the name before them: in order, none within another.
pub fn places(text: &str) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = keys(text).chain(passwords(text)).chain(named(text)).collect();
    if text.len() >= SHORTEST {
        let forms = METHODS.iter().chain(TOKENS).chain([&("AGE-SECRET-KEY-1", 74)]);
        all.extend(forms.flat_map(|(prefix, least)| word(text, prefix, *least)));
    }
    all.sort_by_key(|place| (place.start, place.end));
    all.dedup_by(|later, first| {
        let is_one = later.start < first.end;
        first.end = if is_one { first.end.max(later.end) } else { first.end };
        is_one
    });
    all
}

/// Returns a text with `[secret]` in the place of each secret that is told.
pub fn masked(text: &str) -> Cow<'_, str> {
    replaced(text, |_| "[secret]".to_owned())
}

/// Returns a line of a text that begins at `at` with stars in the place of each secret that is told, a star a byte, so that places stay
/// where they are. Of a private key each line is one.
pub fn covered<'l>(line: &'l str, text: &str, at: usize) -> Cow<'l, str> {
    let stars = |part: &str| "*".repeat(part.len());
    if is_within_key(text, at) && !line.contains("-----END ") {
        let from = line.len() - line.trim_start().len();
        return Cow::Owned(format!("{}{}", line.get(..from).unwrap_or_default(), stars(line.trim_start())));
    }
    replaced(line, stars)
}

/// Tells whether a place in a text lies between the first and the last line of a private key.
fn is_within_key(text: &str, at: usize) -> bool {
    let before = text.as_bytes().get(at.saturating_sub(LONGEST_KEY)..at).unwrap_or_default();
    let Some(begin) = memchr::memmem::rfind(before, b"-----BEGIN ") else { return false };
    let rest = before.get(begin..).unwrap_or_default();
    let title = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    memchr::memmem::find(title, b"PRIVATE KEY").is_some() && memchr::memmem::find(rest, b"-----END ").is_none()
}

fn replaced(text: &str, by: impl Fn(&str) -> String) -> Cow<'_, str> {
    let places = places(text);
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), 0);
    for place in places {
        out.push_str(text.get(rest..place.start).unwrap_or_default());
        out.push_str(&by(text.get(place.clone()).unwrap_or_default()));
        rest = place.end;
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    Cow::Owned(out)
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
        assert!(is_called_secret("CHAT_HOOK_TOKEN", "https://chat.example.org/hooks/1/x7") && is_called("smtpPass"));
        assert!(!is_called_secret("proxyPass", "http://127.0.0.1:3000"));
        assert!(is_filled_in(PLACEHOLDER) && !is_filled_in("SECRETS"));
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

    #[test]
    fn each_secret_of_a_text_is_masked_and_what_stands_around_it_is_not() {
        let token = "glpat-zL1YX7ZedMZR70CDmjJM";
        for (text, left) in [
            (format!("a = [ \"{token}\" ], b.\"{token}\" = 1"), "a = [ \"[secret]\" ], b.\"[secret]\" = 1"),
            (
                "postgres://forge:horse@db/forge https://a:b@c".to_owned(),
                "postgres://forge:[secret]@db/forge https://a:[secret]@c",
            ),
            ("services.x.adminPassword = \"correct horse\";".to_owned(), "services.x.adminPassword = \"[secret]\";"),
            ("{\"apiToken\": \"x1\", \"n\": 1}".to_owned(), "{\"apiToken\": \"[secret]\", \"n\": 1}"),
            ("run --db-password=horse --port=1".to_owned(), "run --db-password=[secret] --port=1"),
            ("DB_PASSWORD: horse # x".to_owned(), "DB_PASSWORD: [secret] # x"),
            ("what prints the token: a word".to_owned(), "what prints the token: a word"),
            (
                "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\nx".to_owned(),
                "-----BEGIN PRIVATE KEY-----[secret]-----END PRIVATE KEY-----\nx",
            ),
            (
                "passwordFile = \"x\"; token = \"${x}\"; secretPath = /run/x; password = /run/y".to_owned(),
                "passwordFile = \"x\"; token = \"${x}\"; secretPath = /run/x; password = /run/y",
            ),
        ] {
            assert_eq!(masked(&text), left);
        }
    }

    #[test]
    fn a_line_of_a_private_key_is_stars_and_keeps_its_length() {
        let text =
            "a = ''\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  b3Blbn\n  -----END OPENSSH PRIVATE KEY-----\n  b3Blbn\n";
        let lines: Vec<String> = text
            .split_inclusive('\n')
            .scan(0, |at, line| {
                let begin = std::mem::replace(at, *at + line.len());
                Some(covered(line.trim_end_matches('\n'), text, begin).into_owned())
            })
            .collect();
        assert_eq!(lines[2], "  ******");
        assert_eq!((lines[0].as_str(), lines[4].as_str()), ("a = ''", "  b3Blbn"));
        assert!(text.lines().zip(&lines).all(|(line, shown)| line.len() == shown.len()));
    }
}
