//! Patterns of what stays behind, as regular expressions of awk over escaped paths.
//!
//! A pattern without a slash is about names at any depth (`*.tmp`), one with a slash about paths from the root of the volume
//! (`cache/*`). `*` and `?` stop at a slash, `**` does not, `[…]` is one of several characters. What is below a folder that fits
//! stays behind with it. Paths are written as `target.sh` has them: a backslash, a line break, a tabulator and a blank as `\134`,
//! `\012`, `\011`, `\040`.

/// Returns a path as `target.sh` writes it.
pub(super) fn escaped(path: &str) -> String {
    path.replace('\\', r"\134").replace('\n', r"\012").replace('\t', r"\011").replace(' ', r"\040")
}

/// Returns the extended regular expression for the paths that a pattern is about.
pub(super) fn expression(pattern: &str) -> String {
    let inner = pattern.trim_matches('/');
    let anchored = pattern.trim_end_matches('/').contains('/');
    let start = if anchored { "^" } else { "(^|/)" };
    let chars: Vec<char> = inner.chars().collect();
    let mut out = String::from(start);
    let mut rest = chars.as_slice();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            ('*', ['*', '/', further @ ..]) => {
                out.push_str("(.*/)?");
                rest = further;
            }
            ('*', ['*', further @ ..]) => {
                out.push_str(".*");
                rest = further;
            }
            ('*', _) => out.push_str("[^/]*"),
            ('?', _) => out.push_str("[^/]"),
            ('[', _) => match class(after) {
                Some((text, further)) => {
                    out.push_str(&text);
                    rest = further;
                }
                None => literal('[', &mut out),
            },
            (c, _) => literal(*c, &mut out),
        }
    }
    out.push_str("(/|$)");
    out
}

/// Reads the inside of a class of characters up to its end; none where it has none.
fn class(after: &[char]) -> Option<(String, &[char])> {
    let (negated, inside) = match after {
        ['!' | '^', inside @ ..] => (true, inside),
        inside => (false, inside),
    };
    // A bracket that comes first is one of the characters.
    let end = inside.iter().enumerate().skip(1).find(|(_, c)| **c == ']').map(|(at, _)| at)?;
    let (members, further) = inside.split_at_checked(end)?;
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_.,:+@~=%#".contains(*c);
    // What awk would read in another way than a shell is left to be literal.
    if !members.iter().all(plain) {
        return None;
    }
    let members: String = members.iter().collect();
    // A class that is negated does not match a slash.
    let text = if negated { format!("[^/{members}]") } else { format!("[{members}]") };
    Some((text, further.get(1..)?))
}

/// Writes one character that stands for itself.
fn literal(c: char, out: &mut String) {
    match c {
        '\\' => out.push_str(r"\\134"),
        '\n' => out.push_str(r"\\012"),
        '\t' => out.push_str(r"\\011"),
        ' ' => out.push_str(r"\\040"),
        '.' | '[' | '(' | ')' | '*' | '+' | '?' | '{' | '|' | '$' => {
            out.push('[');
            out.push(c);
            out.push(']');
        }
        '^' | ']' | '}' | '/' | '"' => {
            if c == '^' {
                out.push('\\');
            }
            out.push(c);
        }
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Tells by awk itself whether a pattern is about a path.
    #[allow(clippy::disallowed_methods, reason = "awk is the judge")]
    fn fits(pattern: &str, path: &str) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{}\n", expression(pattern))).unwrap();
        let program = "BEGIN { getline re < ARGV[1]; path = ENVIRON[\"P\"]; exit !(path ~ re) }";
        let mut awk = Command::new("awk");
        awk.arg(program).arg(file.path()).env("LC_ALL", "C");
        // ENVIRON is taken as it is.
        awk.env("P", escaped(path));
        awk.status().unwrap().success()
    }

    #[test]
    fn a_pattern_is_about_what_a_person_expects() {
        for (pattern, path, wanted) in [
            ("*.tmp", "a.tmp", true),
            ("*.tmp", "x/y/a.tmp", true),
            ("*.tmp", "a.tmpx", false),
            ("*.tmp", "a.tmp/inside", true),
            ("cache", "cache/x", true),
            ("cache", "a/cache", true),
            ("cache", "cached", false),
            ("/cache", "cache/x", true),
            ("/cache", "a/cache", false),
            ("cache/", "a/cache/b", true),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/b/c", false),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/b/c/d", true),
            ("**/x", "deep/er/x", true),
            ("log.[0-9]", "log.3", true),
            ("log.[!0-9]", "log.3", false),
            ("log.[!0-9]", "log.a", true),
            ("a b", "x/a b", true),
            ("a b", "a_b", false),
            ("a\\b", "a\\b", true),
            ("a\nb", "a\nb", true),
            ("a\tb", "a\tb", true),
            ("(1+1)|$x^{2}", "(1+1)|$x^{2}", true),
            ("x?z", "xyz", true),
            ("x?z", "x/z", false),
            ("[", "[", true),
            ("a]b", "a]b", true),
            ("\"q\"", "\"q\"", true),
        ] {
            assert_eq!(fits(pattern, path), wanted, "{pattern} on {path}: {}", expression(pattern));
        }
    }
}
