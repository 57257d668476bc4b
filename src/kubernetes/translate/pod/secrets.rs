//! Secrets: what a person fills in, by name, and how a secret in plain text is told.
//!
//! Invariant: no value passes through here into a definition, a question or a reason.

use crate::kubernetes::context::{Cx, as_name};
use crate::kubernetes::translate::external_secret;
use crate::source::secret;

/// Returns the item of `[secrets.items]` for a key of a Secret, and adds it where it is not there.
pub fn of_key(cx: &mut Cx<'_, '_>, namespace: &str, secret: &str, key: &str) -> String {
    of_key_of(cx, "Secret", namespace, secret, key)
}

/// Returns the item of `[secrets.items]` for a key of an object that holds a secret, and adds it where it is not there.
pub fn of_key_of(cx: &mut Cx<'_, '_>, kind: &str, namespace: &str, object: &str, key: &str) -> String {
    item(cx, &[namespace, object, key], format!("key {key} of the {kind} {object} in the namespace {namespace}"))
}

/// Returns the item of `[secrets.items]` for all keys of a Secret that is not among the input, and adds it where it is not there.
pub fn of_all(cx: &mut Cx<'_, '_>, namespace: &str, secret: &str, prefix: &str) -> String {
    let what = if prefix.is_empty() { "NAME=value".to_owned() } else { format!("{prefix}NAME=value") };
    let text = format!("a line {what} for each key of the Secret {secret} in the namespace {namespace}");
    item(cx, &[namespace, secret, prefix], text)
}

/// Returns an item of `[secrets.items]` whose name is made of words, and adds it where it is not there. `what` says what is to be
/// filled in, and tells items apart.
pub fn item(cx: &mut Cx<'_, '_>, words: &[&str], what: String) -> String {
    let joined: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    let plain = as_name(&joined.join("-"));
    let mut name = plain.clone();
    let mut number = 2u32;
    while cx.host.secrets.get(&name).is_some_and(|known| *known != what) {
        let cut: String = plain.chars().take(58).collect();
        name = format!("{}-{number}", cut.trim_end_matches('-'));
        number += 1;
    }
    cx.host.secrets.entry(name.clone()).or_insert(what);
    name
}

/// Returns the keys of a Secret that the input holds, or that another object of the input makes; none where nothing is known of it.
pub fn keys(cx: &Cx<'_, '_>, namespace: &str, name: &str) -> Option<Vec<String>> {
    let mut keys: Vec<String> = Vec::new();
    let mut add = |key: &str| {
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    };
    if let Some(secret) = cx.world.find("Secret", namespace, name) {
        let tree = secret.tree();
        tree.map("data").iter().chain(tree.map("stringData")).for_each(|pair| add(&pair.key));
        return Some(keys);
    }
    if let Some(sealed) = cx.world.find("SealedSecret", namespace, name) {
        let sealed = sealed.tree().at(&["spec", "encryptedData"]).map_or(&[][..], |data| data.pairs());
        for pair in sealed {
            add(&pair.key);
        }
        return Some(keys);
    }
    let makes = |object: &&crate::kubernetes::object::Object<'_>| {
        let target = object.tree().at(&["spec", "target", "name"]).and_then(|target| target.text());
        object.namespace() == namespace && target.unwrap_or(object.name()) == name
    };
    let spec = cx.world.of_kind("ExternalSecret").find(makes)?.tree().get("spec")?;
    let template = spec.at(&["target", "template", "data"]).map_or(&[][..], |data| data.pairs());
    if !template.is_empty() {
        for pair in template {
            add(&pair.key);
        }
        return Some(keys);
    }
    spec.list("data").iter().filter_map(external_secret::key_of).for_each(add);
    // What `dataFrom` takes over has keys that only the other store knows.
    (spec.list("dataFrom").is_empty() && !keys.is_empty()).then_some(keys)
}

/// Tells whether the value of a variable looks like a secret: by the variable's name, or by its own form.
pub fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    // Sums of files and versions of programs look as if they were drawn at random, too.
    let is_sum = ["REF", "COMMIT", "SHA", "SHA256", "DIGEST", "CHECKSUM", "REVISION", "VERSION", "HASH"];
    is_called_secret(&name, value)
        || is_plain_secret(value)
        || is_random(value) && !is_sum.iter().any(|end| name.ends_with(end))
}

/// Tells whether a variable is called a secret here, where more names than in a definition count: a question costs less than a secret
/// that everybody reads.
fn is_called_secret(name: &str, value: &str) -> bool {
    let is_pass = name.ends_with("PASS") && !name.ends_with("BYPASS") && secret::is_called_secret("PASSWORD", value);
    let is_key = name.ends_with("_KEY") && !name.ends_with("PUBLIC_KEY") && value.len() >= 12;
    let is_word = !value.starts_with('/') && !value.contains(char::is_whitespace);
    secret::is_called_secret(name, value) || is_pass || is_key && is_word
}

/// Tells whether a word of a command line, behind the word before it, holds a secret: by the flag's name, or by its own form.
pub fn is_secret_word(before: Option<&str>, word: &str) -> bool {
    let called = |flag: &str, value: &str| {
        let name = flag.trim_start_matches('-').replace(['-', '.'], "_");
        let is_flag = flag.starts_with('-')
            || !name.is_empty() && !name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        // A passphrase of several words is one behind a flag; elsewhere several words are a sentence or a script.
        let is_one =
            !flag.contains(char::is_whitespace) && flag.starts_with('-') || !value.contains(char::is_whitespace);
        let is_value = !value.starts_with(['$', '-', '<']) && is_one;
        is_flag && is_value && secret::is_called_secret(&name, value)
    };
    let is_called = match word.split_once('=') {
        Some((flag, value)) => called(flag, value),
        None => before.is_some_and(|before| before.starts_with('-') && !before.contains('=') && called(before, word)),
    };
    is_called || is_secret_text(word)
}

/// Tells whether a text has the form of a secret, whatever it is called.
pub fn is_secret_text(text: &str) -> bool {
    is_plain_secret(text) || is_random(text)
}

/// Says which secret a file of a name holds: by the forms of secrets, by its own name, or by a name in it. An address with a password
/// in a comment is an example.
pub fn in_file(name: &str, text: &str) -> Option<&'static str> {
    let is_comment = |line: &&str| ["#", ";", "//"].iter().any(|start| line.trim_start().starts_with(start));
    let lines = || text.lines().filter(|line| !is_comment(line));
    let address = || lines().any(secret::holds_password).then_some("an address with its password");
    let is_called = || is_called_secret(&name.to_ascii_uppercase(), text.trim()) || is_random(text.trim());
    let called = || (is_called() || secret::in_lines(text)).then_some("what is called a secret");
    secret::find(text).map(secret::Inline::as_str).or_else(address).or_else(called)
}

/// Tells whether a text is a secret by a form that nothing else has.
fn is_plain_secret(text: &str) -> bool {
    secret::find(text).is_some() || text.split_whitespace().any(secret::holds_password)
}

/// Tells whether a text looks as if it was drawn at random: one long word without any order, which names and paths are not.
fn is_random(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    if !(24..=200).contains(&text.len()) || !text.chars().all(fits) || text.starts_with('/') {
        return false;
    }
    let has = |kind: fn(&char) -> bool| text.chars().any(|c| kind(&c));
    let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit);
    let is_hex = text.len() >= 32 && text.chars().all(|c| c.is_ascii_hexdigit()) && has(char::is_ascii_digit);
    // Random base64 of this length has more than four bits a character, words have less.
    is_mixed && entropy(text) > 4.0 || is_hex && entropy(text) > 3.2
}

/// Returns how many bits a character of a text holds, by how often each occurs.
fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    let mut all = 0.0f64;
    for c in text.chars() {
        *counts.entry(c).or_insert(0.0f64) += 1.0;
        all += 1.0;
    }
    counts.values().map(|count| -(count / all) * (count / all).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_plain_text_is_told_from_other_values() {
        for (name, value) in [
            ("DB_PASSWORD", "hunter2"),
            ("URL", "postgres://forge:horse@db/forge"),
            ("X", "first postgres://forge:horse@db/forge last"),
            ("X", "q3fJ8sKz0PvXw7LmN2bTgYhR"),
            ("X", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ("X", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
            ("WORKERPASS", "horse"),
            ("OPENAI_KEY", "sk-horse-battery"),
        ] {
            assert!(is_secret(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("DB_PASSWORD_FILE", "/run/secrets/db"),
            ("URL", "postgres://forge:$(DB_PASSWORD)@db/forge"),
            ("URL", "postgres://forge:${DB_PASSWORD}@db/forge"),
            ("URL", "https://git.example.org/a/b"),
            ("X", "/var/lib/postgresql/data/Pgdata16"),
            ("X", "default-http-backend-service-1"),
            ("ALLOW_EMPTY_PASSWORD", "yes"),
            ("GIT_REF", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            ("SSH_PUBLIC_KEY", "ssh-ed25519"),
            ("SORT_KEY", "created"),
            ("TZ", "Europe/Berlin"),
            ("X", "this is a text of several words, 1 of them Large"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }

    #[test]
    fn a_file_holds_a_secret_where_an_address_has_its_password_outside_of_comments() {
        let file = "[db]\nurl = postgres://web:horse@db/web\n";
        assert_eq!(in_file("a.ini", file), Some("an address with its password"));
        assert_eq!(in_file("a.ini", &file.replace("url", "# url")), None);
        assert_eq!(in_file("a.ini", "url = postgres://web:${PASSWORD}@db/web\n"), None);
        assert_eq!(in_file("a.pem", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n"), Some("a private key"));
        let called = Some("what is called a secret");
        assert_eq!(in_file("SMTP_PASSWORD", "horse\n"), called);
        assert_eq!(in_file("a.ini", "[smtp]\npassword = horse\n"), called);
        assert_eq!(in_file("a.ini", "[smtp]\npassword_file = horse\n; password = horse\npassword = /run/x\n"), None);
    }

    #[test]
    fn a_secret_on_a_command_line_is_told_by_its_flag() {
        for (before, word) in [
            (None, "--password=hunter2"),
            (Some("--api-token"), "x1y2"),
            (None, "ROOT_PASSWORD=horse"),
            (None, "--passphrase=correct horse"),
        ] {
            assert!(is_secret_word(before, word), "{word}");
        }
        for (before, word) in [
            (None, "--password-file=/run/x"),
            (Some("--token"), "--verbose"),
            (None, "--password=$(DB_PASSWORD)"),
            (Some("--data"), "/data"),
            (None, "echo a; PASSWORD=x run"),
        ] {
            assert!(!is_secret_word(before, word), "{word}");
        }
    }
}
