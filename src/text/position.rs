//! Where the expressions of a template stand: a value that brings its own quotes must not stand within others.
//!
//! `echo "pool {{ pool }}"` would print the quotes that a name with a space gets, and run what a name such as `$(…)` holds.
//! In a comment a line feed of the value ends the comment. Such places are refused when the template is read, so that no
//! value is needed to find the mistake. What ends in `| safe` may stand anywhere, `| comment` in a comment.

use super::scan::{Part, parts};
use super::template::Language;

/// The line, from 1, of an expression that stands where no value can be quoted, with the reason.
pub(super) fn refused(language: Language, template: &str) -> Option<(usize, &'static str)> {
    let mut shell = Shell::default();
    let mut nix = Nix::default();
    let mut line = 1;
    for part in parts(template) {
        let text = match part {
            Part::Text(text) => {
                match language {
                    Language::Shell => shell.read(text),
                    Language::Nix => nix.read(text),
                    Language::Markdown | Language::Html => return None,
                }
                text
            }
            Part::Expression(text) => {
                let last =
                    text.rsplit('|').next().map(|last| last.trim_matches(|c: char| c == '-' || c.is_whitespace()));
                let within = if language == Language::Shell { shell.within() } else { nix.within() };
                match (within, last) {
                    (Within::Nothing, _) | (_, Some("safe")) | (Within::Comment, Some("comment")) => {}
                    (Within::Comment, _) => {
                        return Some((line, "a value within a comment could end it: add `| comment`"));
                    }
                    (Within::Quotes, _) => {
                        return Some((line, "a value within quotes brings its own: take it out of the quotes"));
                    }
                }
                shell.word();
                text
            }
            Part::Silent(text) => text,
        };
        line += text.matches('\n').count();
    }
    None
}

/// What an expression stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Comment,
    Quotes,
}

/// One level of what is open in a shell script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShellLevel {
    /// Commands, in `$(…)` with the number of parentheses that are open in it.
    Commands(usize),
    /// `$((…))`, where `<<` is a shift.
    Arithmetic,
    Single,
    Double,
    Comment,
    /// The text of the first of the here-documents.
    Document,
}

/// Reads a shell script as far as quotes, comments and here-documents go.
struct Shell {
    levels: Vec<ShellLevel>,
    /// The ends of the here-documents that follow, and whether tabs before them count.
    documents: Vec<(String, bool)>,
    /// The line of a here-document so far.
    line: String,
    /// The character before, as far as it tells whether `#` starts a comment.
    before: char,
}

impl Default for Shell {
    fn default() -> Self {
        Self { levels: vec![ShellLevel::Commands(0)], documents: Vec::new(), line: String::new(), before: '\n' }
    }
}

impl Shell {
    fn within(&self) -> Within {
        match self.levels.last() {
            Some(ShellLevel::Comment) => Within::Comment,
            Some(ShellLevel::Single | ShellLevel::Double | ShellLevel::Document) => Within::Quotes,
            _ => Within::Nothing,
        }
    }

    /// A word of unknown text came.
    fn word(&mut self) {
        self.before = 'a';
        self.line.push('a');
    }

    #[expect(clippy::match_same_arms, clippy::unnested_or_patterns, reason = "one arm for each state and character")]
    fn read(&mut self, text: &str) {
        use ShellLevel::{Arithmetic, Commands, Comment, Document, Double, Single};
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let mut next = rest.get(c.len_utf8()..).unwrap_or_default();
            match (self.levels.last_mut(), c) {
                (Some(Document), '\n') => self.end_of_document_line(),
                (Some(Document), _) => self.line.push(c),
                (Some(Single), '\'') | (Some(Double), '"') => self.close(),
                (Some(Single), _) => {}
                (Some(Comment), '\n') => {
                    self.close();
                    // The line feed itself belongs to what the comment stood in.
                    next = rest;
                }
                (Some(Comment), _) => {}
                (Some(Arithmetic), ')') if next.starts_with(')') => {
                    self.close();
                    next = next.get(1..).unwrap_or_default();
                }
                (Some(Arithmetic), _) => {}
                (_, '\\') => next = next.get(next.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default(),
                (_, '$') if next.starts_with("((") => {
                    self.levels.push(Arithmetic);
                    next = next.get(2..).unwrap_or_default();
                }
                (_, '$') if next.starts_with('(') => {
                    self.levels.push(Commands(0));
                    next = next.get(1..).unwrap_or_default();
                }
                (Some(Double), _) | (None, _) => {}
                (Some(Commands(open)), '(') => *open += 1,
                (Some(Commands(0)), ')') => self.close(),
                (Some(Commands(open)), ')') => *open -= 1,
                (Some(Commands(_)), '\'') => self.levels.push(Single),
                (Some(Commands(_)), '"') => self.levels.push(Double),
                (Some(Commands(_)), '#') if matches!(self.before, ' ' | '\t' | '\n' | ';' | '|' | '&' | '(') => {
                    self.levels.push(Comment);
                }
                (Some(Commands(_)), '<') if next.starts_with('<') && !next.starts_with("<<") && self.before != '<' => {
                    next = self.document(next.get(1..).unwrap_or_default());
                }
                (Some(Commands(_)), '\n') if !self.documents.is_empty() => self.levels.push(Document),
                (Some(Commands(_)), _) => {}
            }
            self.before = c;
            rest = next;
        }
    }

    /// Closes the innermost level; the outermost stays.
    fn close(&mut self) {
        if self.levels.len() > 1 {
            self.levels.pop();
        }
    }

    /// Notes the here-document whose operator came before the text; returns what follows its end word.
    fn document<'a>(&mut self, text: &'a str) -> &'a str {
        let (text, tabs) = text.strip_prefix('-').map_or((text, false), |text| (text, true));
        let text = text.trim_start_matches([' ', '\t']);
        let length = text.find([' ', '\t', '\n', ';', '&', '|', ')', '>', '<']).unwrap_or(text.len());
        let (word, after) = text.split_at(length);
        let word = word.replace(['\'', '"', '\\'], "");
        if !word.is_empty() {
            self.documents.push((word, tabs));
        }
        after
    }

    fn end_of_document_line(&mut self) {
        if let Some((end, tabs)) = self.documents.first() {
            let line = if *tabs { self.line.trim_start_matches('\t') } else { &self.line };
            if line == end {
                self.documents.remove(0);
            }
        }
        self.line.clear();
        if self.documents.is_empty() {
            self.close();
        }
    }
}

/// One level of what is open in a Nix file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NixLevel {
    /// Code, with the number of braces that are open in it.
    Code(usize),
    /// `"…"`.
    Line,
    /// `''…''`.
    Lines,
    Comment,
    /// `/* … */`.
    Block,
}

/// Reads Nix as far as strings and comments go.
struct Nix {
    levels: Vec<NixLevel>,
}

impl Default for Nix {
    fn default() -> Self {
        Self { levels: vec![NixLevel::Code(0)] }
    }
}

impl Nix {
    fn within(&self) -> Within {
        match self.levels.last() {
            Some(NixLevel::Comment | NixLevel::Block) => Within::Comment,
            Some(NixLevel::Line | NixLevel::Lines) => Within::Quotes,
            _ => Within::Nothing,
        }
    }

    #[expect(clippy::match_same_arms, reason = "one arm for each state and character")]
    fn read(&mut self, text: &str) {
        use NixLevel::{Block, Code, Comment, Line, Lines};
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let skip = match (self.levels.last_mut(), c) {
                (Some(Line), '\\') => 2,
                (Some(Line), '"') => self.close(1),
                (Some(Lines), '\'') if rest.starts_with("'''") || rest.starts_with("''$") => 3,
                (Some(Lines), '\'') if rest.starts_with("''\\") => 4,
                (Some(Lines), '\'') if rest.starts_with("''") => self.close(2),
                (Some(Line | Lines), '$') if rest.starts_with("$$") => 2,
                (Some(Line | Lines), '$') if rest.starts_with("${") => self.open(Code(0), 2),
                (Some(Comment), '\n' | '\r') => self.close(1),
                (Some(Block), '*') if rest.starts_with("*/") => self.close(2),
                (Some(Code(_)), '"') => self.open(Line, 1),
                (Some(Code(_)), '\'') if rest.starts_with("''") => self.open(Lines, 2),
                (Some(Code(_)), '#') => self.open(Comment, 1),
                (Some(Code(_)), '/') if rest.starts_with("/*") => self.open(Block, 2),
                (Some(Code(0)), '}') => self.close(1),
                (Some(Code(open)), '{') => {
                    *open += 1;
                    1
                }
                (Some(Code(open)), '}') => {
                    *open -= 1;
                    1
                }
                _ => 1,
            };
            rest = rest.char_indices().nth(skip).and_then(|(at, _)| rest.get(at..)).unwrap_or_default();
        }
    }

    /// Closes the innermost level, but not the outermost; returns how many characters that took.
    fn close(&mut self, characters: usize) -> usize {
        if self.levels.len() > 1 {
            self.levels.pop();
        }
        characters
    }

    fn open(&mut self, level: NixLevel, characters: usize) -> usize {
        self.levels.push(level);
        characters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(language: Language, template: &str) -> Option<usize> {
        refused(language, template).map(|(line, _)| line)
    }

    #[test]
    fn a_value_within_quotes_or_comments_of_a_shell_is_refused() {
        for bad in [
            "echo \"a {{ x }}\"",
            "echo 'a {{ x }}'",
            "# {{ x }}",
            "a; # {{ x }}",
            "cat <<EOF\n{{ x }}\nEOF",
            "cat <<-'E'\n\tE2\n{{ x }}",
            "echo \"${a:-{{ x }}}\"",
            "echo \"$(a \"{{ x }}\")\"",
            "echo \\\\\"{{ x }}\"",
            "a <<A <<B\nA\n{{ x }}\nB",
            "echo \"{{ x | upper }}\"",
        ] {
            assert!(line(Language::Shell, bad).is_some(), "{bad}");
        }
        for good in [
            "a {{ x }}",
            "a=\"b\"{{ x }}'c'",
            "# don't\na {{ x }}",
            "echo \"$(a {{ x }})\"",
            "cat <<EOF\n$(\"\nEOF\na {{ x }}",
            "echo a#b {{ x }}",
            "echo $((1<<2)) {{ x }}\na\n{{ x }}",
            "# {{ x | comment }}",
            "\"{{ x | safe }}\"",
            "echo \\\" {{ x }}",
            "case a in b) {{ x }};; esac {{ x }}",
            "a <<<b\n{{ x }}",
            "echo ${#a} {{ x }}",
            "{% if x %}# 'a\n{% endif %}{{ x }}",
            "{{- x -}}",
            "cat <<-E\n\tE\n{{ x }}",
        ] {
            assert_eq!(line(Language::Shell, good), None, "{good}");
        }
        assert_eq!(line(Language::Shell, "a\n{# \n #}\n\"{{ x }}"), Some(4));
    }

    #[test]
    fn a_value_within_strings_or_comments_of_nix_is_refused() {
        for bad in [
            "\"a {{ x }}\"",
            "''a {{ x }}''",
            "# {{ x }}",
            "/* {{ x }} */",
            "''a ''${ {{ x }}''",
            "\"\\\"{{ x }}\"",
            "\"${a}{{ x }}\"",
            "''''' {{ x }}''",
            "\"${{ x }}",
        ] {
            assert!(line(Language::Nix, bad).is_some(), "{bad}");
        }
        for good in [
            "{ a = {{ x }}; }",
            "\"a\" {{ x }}",
            "\"${f {{ x }} { } }\" {{ x }}",
            "''a ''' '' {{ x }}",
            "# '' \"\n{{ x }}",
            "/* \" */ {{ x }}",
            "# {{ x | comment }}",
            "a' {{ x }}",
        ] {
            assert_eq!(line(Language::Nix, good), None, "{good}");
        }
    }
}
