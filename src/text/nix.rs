//! The quoting types of the Nix language: strings, attribute names and numbers as literals.
//!
//! The forms follow Nix's own lexer (`src/libexpr/lexer.l`): `"…"` knows the escapes `\" \\ \n \r \t \${`, `''…''` strips
//! the smallest indentation of its lines and knows `'''`, `''${` and `''\c`.

use std::fmt::Write as _;

/// A string that Nix can hold: any text without a NUL character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NixString(String);

/// The text holds a NUL character, which no string of Nix can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a string of Nix cannot hold a NUL character")]
pub struct NulInNix;

/// What stands where a string with a NUL character was asked for: evaluation stops with this message.
pub(crate) const NUL_THROW: &str = r#"throw "a string of Nix cannot hold a NUL character""#;

impl NixString {
    /// Takes any text without a NUL character.
    pub fn new(text: impl Into<String>) -> Result<Self, NulInNix> {
        let text = text.into();
        if text.contains('\0') { Err(NulInNix) } else { Ok(Self(text)) }
    }

    /// Returns the text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the string as `"…"` on one line.
    pub fn one_line(&self) -> String {
        let mut out = String::with_capacity(self.0.len() + 2);
        one_line(&self.0, &mut out);
        out
    }

    /// Returns the string in the form that reads best: several lines of text as `''…''`, everything else as `"…"`.
    ///
    /// The lines of `''…''` are indented by two spaces; a formatter may indent them further, all alike.
    pub fn literal(&self) -> String {
        if reads_as_lines(&self.0) { indented(&self.0) } else { self.one_line() }
    }
}

/// Writes text without NUL as a `"…"` literal.
fn one_line(text: &str, out: &mut String) {
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            // A literal CR would be read as a line feed.
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' if chars.peek() == Some(&'{') => out.push_str("\\$"),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Tells whether text is several lines that `''…''` represents exactly and legibly.
fn reads_as_lines(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    if !body.contains('\n') || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return false;
    }
    let blank = |line: &str| !line.is_empty() && line.trim().is_empty();
    let trailing = |line: &str| line.ends_with(char::is_whitespace);
    // Indentation that all lines share would be stripped; lines of white space alone and at line ends are what
    // formatters and editors take away.
    text.split('\n').any(|line| line.starts_with(|c| c != ' '))
        && !text.split('\n').any(|line| blank(line) || trailing(line))
}

/// Returns text as a `''…''` literal; only for text of which `reads_as_lines` is true.
fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 16);
    out.push_str("''\n");
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_none() && line.is_empty() {
            break;
        }
        if !line.is_empty() {
            out.push_str("  ");
            indented_line(line, lines.peek().is_none(), &mut out);
        }
        if lines.peek().is_some() {
            out.push('\n');
        }
    }
    out.push_str("''");
    out
}

/// Writes one line of a `''…''` literal; `last` says that the closing `''` follows at once.
fn indented_line(line: &str, last: bool, out: &mut String) {
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' if chars.peek() == Some(&'{') => out.push_str("''$"),
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                out.push_str("'''");
            }
            // A lone quote must not join the `''` of an escape or of the end.
            '\'' if chars.peek() == Some(&'$') || (last && chars.peek().is_none()) => out.push_str("''\\'"),
            _ => out.push(c),
        }
    }
}

/// Returns an attribute's name as it stands in Nix: bare where that is allowed, else quoted.
///
/// A name with a NUL character becomes `${throw …}`, so that evaluation stops.
pub fn nix_attribute(name: &str) -> String {
    const KEYWORDS: [&str; 10] = ["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"];
    let mut bytes = name.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if starts_well && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') && !KEYWORDS.contains(&name) {
        return name.to_owned();
    }
    if name.contains('\0') {
        return format!("${{{NUL_THROW}}}");
    }
    let mut out = String::with_capacity(name.len() + 2);
    one_line(name, &mut out);
    out
}

/// Returns an integer as Nix writes it, without the parentheses that a negative one may need.
pub fn nix_int(int: i64) -> String {
    // Nix has no negative literals: `-x` negates the literal x, and 2^63 is none.
    if int == i64::MIN { "-9223372036854775807 - 1".to_owned() } else { int.to_string() }
}

/// A floating-point number that Nix can write: finite, and zero or not below the smallest normal number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NixFloat(f64);

/// The number has no literal in Nix.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("`{0}` cannot be written in Nix: floating-point numbers are finite there, and not smaller than 2.3e-308")]
pub struct NixFloatError(f64);

impl NixFloat {
    /// Takes a finite number; Nix's lexer refuses what `strtod` reports as out of range, subnormal numbers included.
    pub fn new(number: f64) -> Result<Self, NixFloatError> {
        if number == 0.0 || number.is_normal() { Ok(Self(number)) } else { Err(NixFloatError(number)) }
    }

    /// Returns the number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Returns the number as Nix writes it, without the parentheses that a negative one may need.
    pub fn literal(self) -> String {
        // Rust's shortest form that reads back the same; Nix wants a point before the exponent.
        let mut text = format!("{:?}", self.0);
        if !text.contains('.') {
            match text.find('e') {
                Some(at) => text.insert_str(at, ".0"),
                None => {
                    let _ = write!(text, ".0");
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> String {
        NixString::new(text).unwrap().literal()
    }

    #[test]
    fn interpolation_quotes_and_backslashes_cannot_leave_a_string() {
        assert_eq!(literal(r#"a"b\c${d}$${e}$f"#), r#""a\"b\\c\${d}$\${e}$f""#);
        assert_eq!(literal("a\nb\r"), r#""a\nb\r""#);
        assert_eq!(NixString::new("a\0"), Err(NulInNix));
    }

    #[test]
    fn several_lines_become_an_indented_string_with_its_own_escapes() {
        assert_eq!(literal("echo ''\n  ${x}\n"), "''\n  echo '''\n    ''${x}\n''");
        assert_eq!(literal("a\n'"), "''\n  a\n  ''\\'''");
        assert_eq!(literal("'${a}\n'$b\n"), "''\n  ''\\'''${a}\n  ''\\'$b\n''");
    }

    #[test]
    fn text_that_stripping_would_change_stays_on_one_line() {
        for text in ["  a\n  b\n", "a\n  \nb\n", "a\r\nb\n", "a \nb\n", "a\n", "\n", "\n\n", "a\u{1b}\nb"] {
            assert!(literal(text).starts_with('"'), "{text:?}");
        }
    }

    #[test]
    fn attribute_names_are_bare_only_where_nix_reads_them_as_names() {
        for bare in ["a", "_a-b", "enableACME", "x1"] {
            assert_eq!(nix_attribute(bare), bare);
        }
        for quoted in ["", "/", "a.b", "1a", "-a", "if", "or", "a b", "ä", "a'"] {
            assert_eq!(nix_attribute(quoted), format!("\"{quoted}\""));
        }
        assert_eq!(nix_attribute("${a}"), "\"\\${a}\"");
        assert!(nix_attribute("a\0").starts_with("${throw "));
    }

    #[test]
    fn numbers_have_the_forms_that_nix_reads() {
        assert_eq!(nix_int(i64::MIN), "-9223372036854775807 - 1");
        let float = |number| NixFloat::new(number).unwrap().literal();
        assert_eq!([float(1.0), float(1e300), float(0.1), float(-2.5e-7)], ["1.0", "1.0e300", "0.1", "-2.5e-7"]);
        for bad in [f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 2.0] {
            assert!(NixFloat::new(bad).is_err());
        }
    }
}
