//! Words from outside inside messages: no control character reaches a terminal, and near misses get a suggestion.

use std::fmt::Write as _;

use serde::Serialize;

use super::secret::masked;

/// The longest piece of foreign text that a message repeats, in characters.
const LONGEST: usize = 80;

/// Returns the text with control, bidirectional-override and invisible characters as `\u{..}` escapes.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Tells whether a terminal acts on a character, or does not show it.
fn is_hidden(c: char) -> bool {
    let hidden = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || hidden
}

/// Returns text of several lines, each as [`printable`] has it.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<String>>().join("\n")
}

/// Returns a value as JSON, indented by two spaces, with a final line break. What a terminal acts on or does not show is an escape in it,
/// which says the same.
pub fn pretty_json(value: &impl Serialize) -> String {
    // Strings, numbers and structs always become JSON: only maps with other keys than strings and failing implementations of
    // Serialize do not, and no document here has either.
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    if !text.contains(|c| c != '\n' && is_hidden(c)) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c != '\n' && is_hidden(c) {
            // Outside of strings JSON has none of these.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Joins phrases with commas and "and"; of more than `most` the first ones and how many more there are. Nothing of none.
pub fn joined<T: AsRef<str>>(phrases: &[T], most: usize) -> String {
    let listed = |some: &[T]| some.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    match phrases {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [front @ .., last] if phrases.len() <= most => format!("{} and {}", listed(front), last.as_ref()),
        _ => {
            let shown = phrases.get(..most).unwrap_or(phrases);
            format!("{} and {} more", listed(shown), phrases.len() - shown.len())
        }
    }
}

/// Returns the text in backticks, escaped, without what is told to be a secret, and cut to a length that fits a message.
pub fn quoted(text: &str) -> String {
    let mut shown = printable(&masked(text));
    if let Some((cut, _)) = shown.char_indices().nth(LONGEST) {
        shown.truncate(cut);
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Returns up to three of `known` that are near to `word`, nearest first.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // An edit distance costs the product of both lengths: a hostile key must not cost seconds.
    if word.len() > 200 {
        return Vec::new();
    }
    let mut near: Vec<(u32, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let score = strsim::jaro_winkler(word, name);
            let edits = strsim::damerau_levenshtein(word, name);
            let close = score > 0.88 || edits <= 1 + word.chars().count() / 5;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a score lies between 0 and 1")]
            close.then_some((((1.0 - score) * 10_000.0) as u32, name))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_or_bidi_character_reaches_a_message() {
        assert_eq!(quoted("a\u{1b}[31m\u{202e}b\n"), "`a\\u{1b}[31m\\u{202e}b\\u{a}`");
    }

    #[test]
    fn json_says_the_same_with_nothing_hidden_in_it() {
        let value = vec!["a\u{202e}b\u{9b}31m\u{feff}", "\u{1b}é\u{10ffff}\n", "\u{e0041}\u{61c}"];
        let text = pretty_json(&value);
        assert!(!text.contains(|c| c != '\n' && is_hidden(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), value);
    }

    #[test]
    fn no_part_of_a_secret_is_quoted_however_long_it_is() {
        assert_eq!(quoted(&format!("x = ghp_{}", "a1".repeat(100))), "`x = [secret]`");
    }

    #[test]
    fn the_nearest_key_comes_first_and_far_ones_not_at_all() {
        assert_eq!(nearest("gatways", ["gateways", "addresses", "mtu"]), ["gateways"]);
        assert!(nearest("zzz", ["gateways"]).is_empty());
    }
}
