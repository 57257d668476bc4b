//! The quoting types of the POSIX shell: words and command lines.
//!
//! Two strengths of bare words: a [`ShellWord`] may stand anywhere, so what is a keyword or an assignment at the start
//! of a command is quoted; an argument of a [`ShellCommand`] is known not to stand there, so that `ashift=12` stays
//! legible. Both hold for sh, bash, zsh and busybox.

use std::borrow::Cow;
use std::fmt;

/// What stands for text with a NUL character, which no argument can hold: the shell stops with this message.
const NUL_STOPS: &str = "\"${hostwright_no_nul:?a shell word cannot hold a NUL character}\"";

/// One word of a POSIX shell, quoted where needed, safe in every position in which a word may stand.
///
/// Text with a NUL character prints as an expansion that always fails, so the script stops instead of going on with a
/// changed word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellWord<'a>(Cow<'a, str>);

impl<'a> ShellWord<'a> {
    /// Quotes any text; borrows where nothing needs to be quoted.
    pub fn new(text: &'a str) -> Self {
        Self(quote(text, is_bare_anywhere(text)))
    }

    /// Returns the quoted word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command line of which every part is a quoted word or text of the program itself.
///
/// Written as a string by serde, so that a template prints it with `| safe`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct ShellCommand(String);

impl ShellCommand {
    /// Starts a command line with the name of a program.
    pub fn new(program: impl AsRef<str>) -> Self {
        Self(ShellWord::new(program.as_ref()).to_string())
    }

    /// Makes a command line of a program and its arguments; none without a program.
    pub fn of_words<T: AsRef<str>>(words: &[T]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        Some(Self::new(program).args(arguments))
    }

    /// Starts a command line with text of the program itself, such as `! ` or `LC_ALL=C zpool`.
    pub fn from_raw(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<str>) -> Self {
        let text = argument.as_ref();
        self.0.push(' ');
        self.0.push_str(&quote(text, is_bare_argument(text)));
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: AsRef<str>>(self, arguments: impl IntoIterator<Item = T>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Adds text of the program itself: a redirection, a variable. What follows a pipe or `&&` in it is another command:
    /// join those by [`Self::then`], since [`Self::arg`] does not quote for the start of a command.
    #[must_use]
    pub fn raw(mut self, text: &'static str) -> Self {
        self.0.push(' ');
        self.0.push_str(text);
        self
    }

    /// Adds the words of another command: for programs that run one, such as `env`.
    #[must_use]
    pub fn words(mut self, command: &Self) -> Self {
        self.0.push(' ');
        self.0.push_str(&command.0);
        self
    }

    /// Joins another command by an operator of the shell: `|`, `&&`, `||`, `;`.
    #[must_use]
    pub fn then(mut self, operator: &'static str, next: &Self) -> Self {
        if operator != ";" {
            self.0.push(' ');
        }
        self.0.push_str(operator);
        self.0.push(' ');
        self.0.push_str(&next.0);
        self
    }

    /// Returns the line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShellCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Quotes text unless it may stand bare.
fn quote(text: &str, bare: bool) -> Cow<'_, str> {
    if bare {
        Cow::Borrowed(text)
    } else if text.contains('\0') {
        Cow::Borrowed(NUL_STOPS)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// Tells whether text is one unchanged word where an argument may stand. `=` at the start is an expansion of zsh.
fn is_bare_argument(text: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b);
    !text.is_empty() && !text.starts_with('=') && text.bytes().all(harmless)
}

/// Tells whether text is one unchanged word even where a command may start: no assignment, no reserved word.
fn is_bare_anywhere(text: &str) -> bool {
    // POSIX.1-2024, XCU 2.4, and what bash and zsh add; those with other characters than letters are quoted anyway.
    const RESERVED: [&str; 24] = [
        "case",
        "coproc",
        "do",
        "done",
        "elif",
        "else",
        "end",
        "esac",
        "fi",
        "for",
        "foreach",
        "function",
        "if",
        "in",
        "namespace",
        "nocorrect",
        "repeat",
        "select",
        "then",
        "time",
        "typeset",
        "until",
        "while",
        "declare",
    ];
    let assignment = text.contains('=') && !text.starts_with('-');
    is_bare_argument(text) && !assignment && !RESERVED.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_where_it_needs_to_be() {
        for bare in ["zpool", "/dev/disk/by-id/ata-X_1", "root@[1]".trim_end_matches("[1]"), "a:b,c+d%", "-o", "--x=y"]
        {
            assert!(matches!(ShellWord::new(bare).0, Cow::Borrowed(_)), "{bare}");
            assert_eq!(ShellWord::new(bare).to_string(), bare);
        }
        for (text, quoted) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("if", "'if'"),
            ("A=b", "'A=b'"),
            ("=ls", "'=ls'"),
        ] {
            assert_eq!(ShellWord::new(text).to_string(), quoted);
        }
    }

    #[test]
    fn an_argument_with_an_equals_sign_stays_legible() {
        let line =
            ShellCommand::new("zpool").arg("create").arg("-o").arg("ashift=12").args(["r pool", "a"]).raw("2>&1");
        assert_eq!(line.to_string(), "zpool create -o ashift=12 'r pool' a 2>&1");
        let joined = ShellCommand::new("a").then("|", &ShellCommand::new("b=c")).then(";", &ShellCommand::new("d"));
        assert_eq!(joined.as_str(), "a | 'b=c'; d");
    }

    #[test]
    fn a_word_with_nul_stops_the_script() {
        assert!(ShellWord::new("a\0b").to_string().contains(":?"));
    }
}
