//! Nix's words as messages of ours, and the names of options in them.

use crate::facts::split_name;
use crate::source::printable;

/// The longest message, in characters.
const LONGEST: usize = 300;

/// Returns lines of Nix as one phrase: subjects in backticks, no full stop, not too long.
pub(super) fn phrase<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> String {
    let mut words = String::new();
    for line in lines {
        for word in line.as_ref().split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
    }
    let text = printable(&in_backticks(&words));
    let text = text.trim_end_matches(['.', ':', ' ']);
    let mut text = match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    };
    // An abbreviation or a name in capitals keeps them.
    let mut chars = text.chars();
    if let (Some(first), Some(second)) = (chars.next(), chars.next())
        && first.is_ascii_uppercase()
        && (second.is_ascii_lowercase() || second == ' ')
    {
        let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        if !word.chars().skip(1).any(|c| c.is_ascii_uppercase()) && !NAMES.contains(&word.as_str()) {
            text.replace_range(..1, &first.to_ascii_lowercase().to_string());
        }
    }
    text
}

/// Names that begin with a capital wherever they stand.
const NAMES: [&str; 8] = ["Nix", "Nixpkgs", "Linux", "Docker", "Python", "Nextcloud", "Gitea", "Grafana"];

/// Turns `x' and 'x' into `x`.
fn in_backticks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['`', '\'', '‘', '“']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut chars = from.chars();
        let open = chars.next().unwrap_or('`');
        let inner = chars.as_str();
        let close = match open {
            '`' => ['`', '\''].as_slice(),
            '\'' => &['\''],
            '‘' => &['’'],
            _ => &['”'],
        };
        let starts = before.is_empty() || before.ends_with(|c: char| c.is_whitespace() || "([=,:".contains(c));
        let end = inner.find(close).filter(|end| starts && *end > 0 && *end < 200);
        let closes = |end: usize| {
            let after = inner.get(end..).unwrap_or_default().chars().nth(1);
            after.is_none_or(|c| !c.is_alphanumeric())
        };
        match end.filter(|end| closes(*end)) {
            Some(end) => {
                let (subject, after) = inner.split_at(end);
                out.push('`');
                out.push_str(subject);
                out.push('`');
                let mut after = after.chars();
                after.next();
                rest = after.as_str();
            }
            None => {
                out.push(open);
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Returns the option that Nix's module system says something about: `The option `a.b' …`, `A definition for option `a.b' …`.
pub(super) fn subject(text: &str) -> Option<Vec<String>> {
    let at = text.find("option `")? + "option `".len();
    let rest = text.get(at..)?;
    // A name may hold quotes of its own; what ends it is followed by a blank or the end.
    let end = rest.match_indices('\'').map(|(at, _)| at).find(|at| {
        rest.get(at + 1..).is_none_or(|after| after.is_empty() || after.starts_with([' ', ':', '.', ',', '\n']))
    })?;
    rest.get(..end).map(split_name)
}

/// Returns the words of a text that may be names of options, in their order: two segments or more.
pub(super) fn names(text: &str) -> Vec<Vec<String>> {
    let mut words: Vec<String> = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        let is_end = c.is_whitespace() || "`'‘’“”(),;=[]{}".contains(c);
        if c == '"' && (quoted || words.last().is_some_and(|word| word.ends_with('.'))) {
            quoted = !quoted;
        }
        match words.last_mut() {
            Some(word) if !is_end || (quoted && c != '\n') => word.push(c),
            _ => words.push(String::new()),
        }
    }
    let mut found = Vec::new();
    for word in words {
        let word = word.trim_matches(|c: char| ".:!?\"".contains(c) && c != '"').trim_start_matches('"');
        let word = word.strip_prefix("config.").unwrap_or(word);
        let fits = |c: char| c.is_alphanumeric() || "-_.\"<>*/".contains(c) || c == ' ';
        if word.contains('.') && !word.contains("://") && word.chars().all(fits) {
            let name = split_name(word);
            if name.len() > 1 && name.iter().all(|segment| !segment.is_empty()) && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_nix_become_a_phrase() {
        for (said, phrase_of) in [
            ("The option `a.b' does not exist.", "the option `a.b` does not exist"),
            ("undefined variable 'x'", "undefined variable `x`"),
            ("it doesn't do 'x', isn't it", "it doesn't do `x`, isn't it"),
            ("ZFS requires ‘networking.hostId’ to be set", "ZFS requires `networking.hostId` to be set"),
            ("You must\n  set it.", "you must set it"),
            ("a \u{1b}[31m", "a \\u{1b}[31m"),
            ("``'", "``'"),
        ] {
            assert_eq!(phrase([said]), phrase_of);
        }
        assert!(phrase(["x".repeat(1000)]).chars().count() < 310);
    }

    #[test]
    fn the_option_of_a_message_and_the_names_in_one_are_found() {
        assert_eq!(subject("The option `a.\"b'c\".d' is read-only"), Some(split_name("a.\"b'c\".d")));
        assert_eq!(subject("A definition for option `a.b' is not of type `str'."), Some(split_name("a.b")));
        assert_eq!(subject("no option"), None);
        let of = |text: &str| names(text).iter().map(|name| name.join("|")).collect::<Vec<_>>();
        assert_eq!(
            of(
                "Set `services.a.b` (or config.c.d), not services.nginx.virtualHosts.\"x.org\".root. See https://a.b/c.d!"
            ),
            ["services|a|b", "c|d", "services|nginx|virtualHosts|x.org|root"]
        );
        assert!(of("e.g this, and that. No. 5").len() <= 1);
    }
}
