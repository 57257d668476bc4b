//! The quoting type of Markdown (CommonMark with GitHub's tables): plain words, cells, code spans and code blocks.

use std::fmt;

use super::is_hidden;

/// Markdown in which everything from outside is plain text or code.
///
/// Written as a string by serde, so that a template prints it with `| safe`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Md(String);

impl Md {
    /// Escapes text for one line of running text or a table's cell: no markup, no HTML, no line break, and no list,
    /// heading or rule where it stands at the start of a line.
    pub fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        let flat = flattened(text);
        // How many digits stand at the start so far; none once something else has come.
        let mut digits = Some(0);
        let mut before = ' ';
        let mut chars = flat.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            let after = chars.peek().map_or(' ', |(_, c)| *c);
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                // White space at the start may make a code block; a reference is never structure.
                ' ' if at == 0 => out.push_str("&#32;"),
                '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
                '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => out.push_str("\\_"),
                '#' | '+' | '-' | '=' if at == 0 => out.extend(['\\', c]),
                '.' | ')' if digits.is_some_and(|n| n > 0) => out.extend(['\\', c]),
                _ => out.push(c),
            }
            digits = digits.filter(|_| c.is_ascii_digit()).map(|n| n + 1);
            before = c;
        }
        Self(out)
    }

    /// Returns text as a code span, for running text.
    pub fn code(text: &str) -> Self {
        let flat = flattened(text);
        let fence = "`".repeat(longest_run(&flat) + 1);
        // A span cannot be empty; one space at both ends is taken away by the reader if something else stands between.
        let pad = flat.starts_with(['`', ' ']) || flat.ends_with(['`', ' ']);
        let pad = if flat.is_empty() || pad && !flat.trim_matches(' ').is_empty() { " " } else { "" };
        Self(if flat.is_empty() { "` `".to_owned() } else { format!("{fence}{pad}{flat}{pad}{fence}") })
    }

    /// Returns text as a code span in a table's cell, where a pipe ends the cell even in code.
    pub fn code_cell(text: &str) -> Self {
        Self(Self::code(text).0.replace('|', "\\|"))
    }

    /// Returns text as a fenced code block that ends with a line feed; `language` may be empty.
    pub fn block(language: &'static str, text: &str) -> Self {
        let mut shown = String::with_capacity(text.len());
        for c in text.replace("\r\n", "\n").chars() {
            if is_hidden(c) && !matches!(c, '\n' | '\t') {
                shown.extend(c.escape_unicode());
            } else {
                shown.push(c);
            }
        }
        if !shown.is_empty() && !shown.ends_with('\n') {
            shown.push('\n');
        }
        let fence = "`".repeat((longest_run(&shown) + 1).max(3));
        Self(format!("{fence}{language}\n{shown}{fence}\n"))
    }

    /// Returns the Markdown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Md {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns text on one line: line breaks and tabs as spaces, other hidden characters as `\u{…}`.
fn flattened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            _ if is_hidden(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

/// Returns the length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_makes_no_markup_and_no_second_line() {
        assert_eq!(
            Md::text("a*b*_c_ d_e [x](y) <b>|`\\\nq").as_str(),
            "a\\*b\\*\\_c\\_ d_e \\[x\\](y) &lt;b&gt;\\|\\`\\\\ q"
        );
    }

    #[test]
    fn text_at_the_start_of_a_line_makes_no_structure() {
        for (text, escaped) in [
            ("# a", "\\# a"),
            ("- a", "\\- a"),
            ("1. a", "1\\. a"),
            ("12) a", "12\\) a"),
            ("    a", "&#32;   a"),
            ("> a", "&gt; a"),
            ("===", "\\==="),
        ] {
            assert_eq!(Md::text(text).as_str(), escaped);
        }
        assert_eq!(Md::text("zfs 2.1. ok - a").as_str(), "zfs 2.1. ok - a");
    }

    #[test]
    fn code_is_fenced_longer_than_any_backticks_in_it() {
        assert_eq!(Md::code("a``b").as_str(), "```a``b```");
        assert_eq!(Md::code("`").as_str(), "`` ` ``");
        assert_eq!(Md::code(" a").as_str(), "`  a `");
        assert_eq!(Md::code("").as_str(), "` `");
        assert_eq!(Md::code_cell("a|b").as_str(), "`a\\|b`");
        assert_eq!(Md::block("sh", "````\nx").as_str(), "`````sh\n````\nx\n`````\n");
    }
}
