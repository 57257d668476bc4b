//! Option names: a name is a list of segments, and only its printed form has dots.
//!
//! `boot.kernel.sysctl."net.core.rmem_max"` has four segments, `services.redis.servers.""` has an empty one. In the names
//! of an index `<name>` and other `<...>` stand for any attribute name, `*` for the elements of a list and `<name?>` for
//! either (releases before 21.03).

use std::fmt::Write as _;

/// Splits a printed option name into its segments; quotes and backslash escapes are those of Nix strings.
pub fn split_name(name: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut segment = String::new();
    let mut quoted = false;
    let mut angle = false;
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => segment.extend(chars.next().map(|c| match c {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                c => c,
            })),
            '"' => quoted = !quoted,
            '<' if !quoted && segment.is_empty() => {
                angle = true;
                segment.push(c);
            }
            '>' if angle => {
                angle = false;
                segment.push(c);
            }
            '.' if !quoted && !angle => segments.push(std::mem::take(&mut segment)),
            _ => segment.push(c),
        }
    }
    segments.push(segment);
    segments
}

/// Prints segments as one option name, quoted where Nix needs it; `[3]` (a list element) follows without a dot.
pub fn join_name<S: AsRef<str>>(segments: &[S]) -> String {
    let mut out = String::new();
    for segment in segments {
        let segment = segment.as_ref();
        let element = is_element(segment);
        if !out.is_empty() && !element {
            out.push('.');
        }
        if is_placeholder(segment) || element || is_identifier(segment) {
            out.push_str(segment);
        } else {
            out.push('"');
            for c in segment.chars() {
                match c {
                    '"' | '\\' => {
                        out.push('\\');
                        out.push(c);
                    }
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    // Writing to a String cannot fail.
                    c if c.is_control() => drop(write!(out, "{}", c.escape_unicode())),
                    c => out.push(c),
                }
            }
            out.push('"');
        }
    }
    out
}

/// Tells whether a segment of an index name stands for any attribute name or list element.
pub(super) fn is_placeholder(segment: &str) -> bool {
    let inner = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    segment == "*"
        || inner.is_some_and(|inner| inner.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.? ".contains(&b)))
}

/// Tells whether a segment is the place of a list element, `[3]`.
pub(super) fn is_element(segment: &str) -> bool {
    segment
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_identifier(segment: &str) -> bool {
    segment.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'\'' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dot_inside_quotes_or_a_placeholder_does_not_split() {
        assert_eq!(split_name("boot.kernel.sysctl.\"net.core.rmem_max\"")[3], "net.core.rmem_max");
        assert_eq!(split_name("services.redis.servers.\"\".port")[3], "");
        assert_eq!(split_name("a.<x.y>.b"), ["a", "<x.y>", "b"]);
        assert_eq!(
            join_name(&["a", "[0]", "b", "c.d", "", "2bwm", "<name>", "*"]),
            "a[0].b.\"c.d\".\"\".\"2bwm\".<name>.*"
        );
    }

    proptest! {
        #[test]
        fn a_printed_name_splits_into_what_it_was_made_from(
            segments in prop::collection::vec("[a-zA-Z0-9_.\"\\\\ <>:é-]{0,8}", 1..6)
        ) {
            prop_assert_eq!(split_name(&join_name(&segments)), segments);
        }
    }
}
