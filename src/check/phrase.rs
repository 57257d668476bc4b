//! Lists and numbers as messages write them.

use crate::source::{self, printable};

/// How many names a message lists at most.
const MOST: usize = 6;

/// Lists names in backticks: "`a`, `b` and `c`"; of many the first few and how many more there are.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", printable(name.as_ref()))).collect();
    joined(&names)
}

/// Joins phrases with commas and "and"; of many the first few and how many more there are.
pub(super) fn joined(phrases: &[String]) -> String {
    if phrases.is_empty() { "nothing".to_owned() } else { source::joined(phrases, MOST) }
}

/// Writes a whole number of bytes with separators: `512,110,190,592 bytes`.
pub(super) fn bytes(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 6);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(" bytes");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_says_how_much_it_leaves_out() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(listed(["a", "b", "c", "d", "e", "f", "g", "h"]), "`a`, `b`, `c`, `d`, `e`, `f` and 2 more");
        assert_eq!(listed(["a\u{1b}b"]), "`a\\u{1b}b`");
    }

    #[test]
    fn digits_are_grouped_by_three_from_the_right() {
        for (number, text) in [(0, "0 bytes"), (999, "999 bytes"), (1000, "1,000 bytes")] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(bytes(512_110_190_592), "512,110,190,592 bytes");
    }
}
