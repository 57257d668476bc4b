//! A line of a file as it is shown: cut to a width around what is marked, with escapes for what cannot be seen.

use std::ops::Range;

use super::words::width;
use crate::source::printable;

/// Columns of a cut line that are kept before its first mark, and the indentation that is never cut: annotate-snippets
/// would itself cut more than 26 columns of it, and what is drawn would no longer be what was prepared.
const BEFORE: usize = 20;

/// Returns a line as it is shown, at most `room` columns wide (and one more where its end is marked), and what becomes
/// of each marked range of bytes: a range of the shown text that is not empty.
pub(super) fn cut(line: &str, ranges: &[Range<usize>], room: usize) -> (String, Vec<Range<usize>>) {
    let focus = ranges.iter().map(|range| range.start).min().unwrap_or(0).min(line.len());
    let indent = line.find(|c: char| !c.is_whitespace()).unwrap_or(line.len());
    let fits = line.chars().map(|c| width(&shown(c))).scan(0, |sum, columns| {
        *sum += columns;
        Some(*sum)
    });
    let start = if back(line, indent, BEFORE) == 0 && fits.take(room + 1).all(|sum| sum <= room) {
        0
    } else {
        let by_indent = if focus >= indent && back(line, indent, BEFORE) > 0 { back(line, indent, 4) } else { 0 };
        // Text is cut before the mark only if the mark would otherwise come late.
        let late = if focus < indent { BEFORE } else { room / 2 };
        let by_focus = if back(line, focus, late) == 0 { 0 } else { back(line, focus, BEFORE.min(room / 4)) };
        by_indent.max(by_focus)
    };

    let mut out = String::new();
    let mut used = 0;
    if start > 0 {
        out.push('…');
        used = 1;
    }
    // Offset in the line -> offset in what is shown, for every character that is shown.
    let mut offsets: Vec<(usize, usize)> = Vec::new();
    // Where to cut if the rest does not fit: so far one column for the sign of the cut is free.
    let mut keep = (out.len(), 0);
    let mut whole = true;
    for (at, c) in line.get(start..).unwrap_or("").char_indices() {
        let piece = shown(c);
        let wide = width(&piece);
        if used + wide > room {
            whole = false;
            break;
        }
        offsets.push((start + at, out.len()));
        out.push_str(&piece);
        used += wide;
        if used < room {
            keep = (out.len(), offsets.len());
        }
    }
    if !whole {
        out.truncate(keep.0);
        offsets.truncate(keep.1);
    }
    let end = out.len();
    // A mark behind the last character needs something to stand under.
    if !whole {
        out.push('…');
    } else if ranges.iter().any(|range| range.start >= line.len()) {
        out.push(' ');
    }
    let place = |offset: usize| offsets.iter().find(|(at, _)| *at >= offset).map_or(end, |(_, to)| *to);
    let spans = ranges.iter().map(|range| {
        let from = place(range.start);
        let next = offsets.iter().map(|(_, to)| *to).find(|to| *to > from).unwrap_or(end);
        let to = place(range.end).max(next);
        from..if to == from || (to == end && !whole) { out.len() } else { to }
    });
    let spans = spans.collect();
    (out, spans)
}

/// Returns what stands for a character: four spaces for a tabulator, an escape for what cannot be seen.
fn shown(c: char) -> String {
    if c == '\t' { "    ".to_owned() } else { printable(c.encode_utf8(&mut [0; 4])) }
}

/// Returns the offset that lies at most `room` columns before `from`.
fn back(line: &str, from: usize, room: usize) -> usize {
    let mut used = 0;
    let mut at = from.min(line.len());
    for (before, c) in line.get(..at).unwrap_or("").char_indices().rev() {
        used += width(&shown(c));
        if used > room {
            break;
        }
        at = before;
    }
    at
}
