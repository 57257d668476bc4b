//! Where the documents of a stream begin and end, found before any of them is parsed.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem};

/// Returns the ranges of a stream's documents: each begins with its directives or its `---`, and ends with the line before the next.
/// What holds nothing but comments is none.
pub(super) fn documents(text: &str, from: usize) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut start = from;
    let mut push = |start: usize, end: usize, next: usize| -> usize {
        match Lines::of(bytes.get(start..end).unwrap_or(&[])) {
            Lines::Nothing => next,
            // Directives belong to the document that follows them.
            Lines::Directives => start,
            Lines::Content => {
                found.push(start..end);
                next
            }
        }
    };
    for line in marks(bytes, from) {
        if bytes.get(line) == Some(&b'-') {
            start = push(start, line, line);
        } else {
            let end = memchr(b'\n', bytes.get(line..).unwrap_or(&[])).map_or(bytes.len(), |at| line + at + 1);
            start = push(start, line, end);
        }
    }
    push(start, bytes.len(), bytes.len());
    found
}

/// Returns where lines begin that consist of `---` or `...`, alone or before a blank.
fn marks(bytes: &[u8], from: usize) -> Vec<usize> {
    let rest = bytes.get(from..).unwrap_or(&[]);
    let is_mark = |at: usize| match bytes.get(at..) {
        Some([b'-', b'-', b'-', rest @ ..] | [b'.', b'.', b'.', rest @ ..]) => {
            matches!(rest, [] | [b' ' | b'\t' | b'\r' | b'\n', ..])
        }
        _ => false,
    };
    let mut found: Vec<usize> = std::iter::once(from)
        .chain(memmem::find_iter(rest, "\n---").map(|at| from + at + 1))
        .chain(memmem::find_iter(rest, "\n...").map(|at| from + at + 1))
        .filter(|at| is_mark(*at))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// What the lines between two marks hold.
enum Lines {
    Nothing,
    Directives,
    Content,
}

impl Lines {
    fn of(bytes: &[u8]) -> Self {
        let mut directives = false;
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let begins = match line {
                [b'-', b'-', b'-', rest @ ..] if index == 0 => rest,
                _ => line,
            };
            match begins.trim_ascii_start() {
                [] | [b'#', ..] => {}
                [b'%', ..] if line.first() == Some(&b'%') => directives = true,
                [0xef, 0xbb, 0xbf, rest @ ..] if rest.trim_ascii().is_empty() => {}
                _ => return Self::Content,
            }
        }
        if directives { Self::Directives } else { Self::Nothing }
    }
}

/// The parts of a document that is one long list, as `kubectl get -o yaml` writes it.
pub(super) struct Parts {
    /// The lines before the elements, the last of which is `items:`.
    pub(super) head: Range<usize>,
    /// The elements.
    pub(super) items: Vec<Range<usize>>,
    /// The lines behind them.
    pub(super) tail: Range<usize>,
}

/// Cuts a document whose `items:` stands at the first column, its elements' dashes below it. Within a mapping no other line can begin
/// with a dash at the first column: neither a block nor a string in quotes may reach so far to the left.
pub(super) fn parts(text: &str, document: &Range<usize>) -> Option<Parts> {
    let bytes = text.as_bytes().get(..document.end)?;
    let from = memmem::find(bytes.get(document.start..)?, b"\nitems:\n- ").map(|at| document.start + at)?;
    let first = from + "\nitems:\n".len();
    let mut starts = vec![first];
    let mut end = document.end;
    for newline in memchr_iter(b'\n', bytes.get(first..)?) {
        let at = first + newline + 1;
        match bytes.get(at..)? {
            [b'-', b' ' | b'\n', ..] => starts.push(at),
            [] | [b' ' | b'\n' | b'#', ..] => {}
            _ => {
                end = at;
                break;
            }
        }
    }
    let ends = starts.iter().skip(1).copied().chain([end]);
    let items = starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect();
    Some(Parts { head: document.start..first, items, tail: end..document.end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        documents(text, 0).into_iter().map(|range| text.get(range).unwrap()).collect()
    }

    #[test]
    fn documents_end_at_marks_and_comments_are_none() {
        assert_eq!(cut("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
        assert_eq!(cut("# only\n---\n---\n# this\n--- # x\nb: 2\n...\n"), ["--- # x\nb: 2\n"]);
        assert_eq!(
            cut("%YAML 1.1\n# c\n---\na: 1\n...\n%TAG ! x\n---\nb: 1"),
            ["%YAML 1.1\n# c\n---\na: 1\n", "%TAG ! x\n---\nb: 1"]
        );
        assert_eq!(cut("a: |\n  ---\n  ...\n ---\nb: ---\n---x: 1\n"), ["a: |\n  ---\n  ...\n ---\nb: ---\n---x: 1\n"]);
        assert_eq!(cut("a: 1\r\n---\r\nb: 2\r\n"), ["a: 1\r\n", "---\r\nb: 2\r\n"]);
        assert_eq!(cut("--- {a: 1}\n--- {b: 1}"), ["--- {a: 1}\n", "--- {b: 1}"]);
        assert_eq!(cut(""), [""; 0]);
    }

    #[test]
    fn a_long_list_is_cut_at_its_elements() {
        let text = "apiVersion: v1\nitems:\n- a: 1\n  b: |\n    - x\n# c\n- c: 2\nkind: List\nother:\n- 1\n";
        let parts = parts(text, &(0..text.len())).unwrap();
        assert_eq!(text.get(parts.head).unwrap(), "apiVersion: v1\nitems:\n");
        let items: Vec<_> = parts.items.into_iter().map(|range| text.get(range).unwrap()).collect();
        assert_eq!(items, ["- a: 1\n  b: |\n    - x\n# c\n", "- c: 2\n"]);
        assert_eq!(text.get(parts.tail).unwrap(), "kind: List\nother:\n- 1\n");
    }
}
