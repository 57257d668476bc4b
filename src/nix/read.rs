//! Reading Nix: syntax trees and syntax errors of text that others wrote.

use rnix::ast::AstNode;
use rnix::{ParseError, Root, SyntaxKind, SyntaxNode, TextRange};

use super::nesting::{MAX_RUN, nesting};

/// The deepest nesting that is read, as levels of brackets and links of operator chains. The long chains of `++` in
/// nixpkgs stay below 500; what rnix reads within this bound fits a thread's stack of 2 MiB without optimisation.
pub const MAX_NESTING: usize = 2000;

/// Where and why text is not Nix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NixSyntaxError {
    /// What is wrong, as a phrase.
    pub message: String,
    /// The line in which the place begins, from 1.
    pub line: usize,
    /// The first byte of the place; on a character boundary within the text.
    pub start: usize,
    /// The byte after the place.
    pub end: usize,
}

impl NixSyntaxError {
    /// Makes an error at a range, moved onto character boundaries within the text.
    pub(super) fn new(text: &str, message: impl Into<String>, start: usize, end: usize) -> Self {
        Errors { text, at: 0, line: 1 }.error(message, start, end)
    }
}

/// Makes the errors of a text. It counts the lines between one error and the next: a file can have as many errors as words.
struct Errors<'t> {
    text: &'t str,
    /// A place, and the line that it stands in.
    at: usize,
    line: usize,
}

impl Errors<'_> {
    /// Makes an error at a range, moved onto character boundaries within the text.
    fn error(&mut self, message: impl Into<String>, start: usize, end: usize) -> NixSyntaxError {
        let start = self.text.floor_char_boundary(start.min(self.text.len()));
        let end = self.text.ceil_char_boundary(end.clamp(start, self.text.len()));
        if start < self.at {
            (self.at, self.line) = (0, 1);
        }
        let between = self.text.as_bytes().get(self.at..start).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', between).count();
        self.at = start;
        NixSyntaxError { message: message.into(), line: self.line, start, end }
    }
}

/// Returns how deeply text nests; the error is text that nests too deeply to be read, or goes on too long without a
/// break.
pub(super) fn bounded_nesting(text: &str) -> Result<usize, NixSyntaxError> {
    let levels = nesting(text).map_err(|place| {
        let message = format!("more than {MAX_RUN} characters without a space between them");
        NixSyntaxError::new(text, message, place.start, place.end)
    })?;
    if levels <= MAX_NESTING {
        return Ok(levels);
    }
    Err(NixSyntaxError::new(text, format!("nested more than {MAX_NESTING} levels deep"), 0, text.len()))
}

/// Parses a Nix file to its root node, whose one child node is the expression. The errors are never empty.
pub fn parse(text: &str) -> Result<SyntaxNode, Vec<NixSyntaxError>> {
    bounded_nesting(text).map_err(|error| vec![error])?;
    let parsed = Root::parse(text);
    if parsed.errors().is_empty() {
        return Ok(parsed.syntax());
    }
    let mut errors = Errors { text, at: 0, line: 1 };
    Err(parsed.errors().iter().map(|error| from_rnix(&mut errors, error)).collect())
}

/// Returns a node as one of rnix's types, if it is of that kind.
pub fn cast<T: AstNode>(node: SyntaxNode) -> Option<T> {
    T::cast(node)
}

/// Returns the node below one of rnix's types.
pub fn node<T: AstNode>(typed: &T) -> &SyntaxNode {
    typed.syntax()
}

/// Returns the syntax errors of a Nix file, in the order in which the parser met them.
pub fn syntax_errors(text: &str) -> Vec<NixSyntaxError> {
    parse(text).err().unwrap_or_default()
}

/// Says an error of rnix in words.
fn from_rnix(errors: &mut Errors<'_>, error: &ParseError) -> NixSyntaxError {
    let whole = (0, errors.text.len());
    let end = (errors.text.trim_end().len(), errors.text.len());
    let of = |range: &TextRange| (range.start().into(), range.end().into());
    let (message, (start, end)) = match error {
        ParseError::Unexpected(range) => ("unexpected text".to_owned(), of(range)),
        ParseError::UnexpectedExtra(range) => ("text after the end of the expression".to_owned(), of(range)),
        ParseError::UnexpectedWanted(_, range, wanted) => (format!("expected {}", words(wanted)), of(range)),
        ParseError::UnexpectedDoubleBind(range) => ("the argument set is named twice".to_owned(), of(range)),
        ParseError::UnexpectedEOF => ("the file ends within an expression".to_owned(), end),
        ParseError::UnexpectedEOFWanted(wanted) => (format!("the file ends where {} is expected", words(wanted)), end),
        ParseError::DuplicatedArgs(range, name) => (format!("the argument `{name}` is named twice"), of(range)),
        other => (other.to_string(), whole),
    };
    errors.error(message, start, end)
}

/// Names what a parser expected, as it is written.
fn words(kinds: &[SyntaxKind]) -> String {
    let mut words: Vec<&str> = kinds.iter().map(|kind| word(*kind)).collect();
    words.dedup();
    match words.split_last() {
        None => "something else".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// Returns how a token is written or called.
fn word(kind: SyntaxKind) -> &'static str {
    match kind {
        SyntaxKind::TOKEN_IDENT => "a name",
        SyntaxKind::TOKEN_STRING_START => "a string",
        SyntaxKind::TOKEN_STRING_CONTENT => "text",
        SyntaxKind::TOKEN_STRING_END => "the end of the string",
        SyntaxKind::TOKEN_INTERPOL_START => "`${`",
        SyntaxKind::TOKEN_INTERPOL_END | SyntaxKind::TOKEN_R_BRACE => "`}`",
        SyntaxKind::TOKEN_L_BRACE => "`{`",
        SyntaxKind::TOKEN_L_BRACK => "`[`",
        SyntaxKind::TOKEN_R_BRACK => "`]`",
        SyntaxKind::TOKEN_L_PAREN => "`(`",
        SyntaxKind::TOKEN_R_PAREN => "`)`",
        SyntaxKind::TOKEN_SEMICOLON => "`;`",
        SyntaxKind::TOKEN_COLON => "`:`",
        SyntaxKind::TOKEN_COMMA => "`,`",
        SyntaxKind::TOKEN_ASSIGN => "`=`",
        SyntaxKind::TOKEN_AT => "`@`",
        SyntaxKind::TOKEN_QUESTION => "`?`",
        SyntaxKind::TOKEN_ELLIPSIS => "`...`",
        SyntaxKind::TOKEN_IN => "`in`",
        SyntaxKind::TOKEN_THEN => "`then`",
        SyntaxKind::TOKEN_ELSE => "`else`",
        SyntaxKind::TOKEN_REC => "`rec`",
        SyntaxKind::TOKEN_OR => "`or`",
        SyntaxKind::TOKEN_INHERIT => "`inherit`",
        _ => "an expression",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test measures time")]

    use super::*;

    #[test]
    fn as_many_errors_as_words_take_no_longer_than_to_read_them() {
        let began = std::time::Instant::now();
        let errors = syntax_errors(&format!("{{ a = [ {}", ")\n".repeat(300_000)));
        assert!(errors.len() > 250_000, "{}", errors.len());
        let lines: Vec<usize> = errors.iter().take(250_000).map(|error| error.line).collect();
        assert!(lines.is_sorted() && lines.last() > Some(&200_000), "{:?}", lines.last());
        // Where each counted the lines before it these were half an hour.
        assert!(began.elapsed() < std::time::Duration::from_mins(4), "{:?}", began.elapsed());
    }

    #[test]
    fn an_error_lies_within_the_text_and_says_what_is_missing() {
        let errors = syntax_errors("{ a = 1 }");
        assert_eq!(errors.first().map(|error| error.message.as_str()), Some("expected `;`"), "{errors:?}");
        for text in ["{ ä = ", "\"ä", "''", "}", "a b ; ü", "a@{ b }@c: 1", "( \u{1f600}", "", "\0", "/* ä"] {
            let errors = syntax_errors(text);
            assert!(!errors.is_empty(), "{text}");
            for error in errors {
                assert!(text.get(error.start..error.end).is_some(), "{text} {error:?}");
            }
        }
        assert!(syntax_errors("{ pkgs, ... }: { }").is_empty());
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        for unit in [
            "(",
            "[",
            "{a=",
            "!",
            "- ",
            "a + ",
            "[] ++ ",
            "f ",
            "x: ",
            "a.",
            "a . ",
            "\"${",
            "''${",
            "with a; ",
            "if a then b else ",
            "let a = ",
            "a ? b ",
        ] {
            let errors = syntax_errors(&unit.repeat(10_000));
            let refused = if unit == "a." { "without a space" } else { "levels deep" };
            assert!(errors.iter().any(|error| error.message.contains(refused)), "{unit} {errors:?}");
            // Just below the bound the parser itself runs.
            for units in [MAX_NESTING, MAX_NESTING / 2, MAX_NESTING / 3, MAX_NESTING / 5] {
                syntax_errors(&unit.repeat(units - 1));
            }
        }
    }
}
