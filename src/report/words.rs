//! Words in columns: how wide text is, where it is broken, and numbers with their nouns.

/// Returns how many columns a terminal gives a character: two for East Asian wide ones and pictographs.
///
/// The wide blocks of Unicode's EastAsianWidth.txt. A combining character counts as one, so text may come out
/// narrower than computed, never wider.
pub(super) fn columns(c: char) -> usize {
    match u32::from(c) {
        0x1100..=0x115f
        | 0x231a..=0x231b
        | 0x2329..=0x232a
        | 0x23e9..=0x23f3
        | 0x25fd..=0x27bf
        | 0x2b1b..=0x2b55
        | 0x2e80..=0xa4cf
        | 0xa960..=0xa97c
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe10..=0xfe6f
        | 0xff01..=0xff60
        | 0xffe0..=0xffe6
        | 0x16fe0..=0x18d08
        | 0x1aff0..=0x1b2fb
        | 0x1d300..=0x1d376
        | 0x1f004..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Returns the width of a text in columns.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Breaks a text between words into lines of at most `first` and then `rest` columns; a longer word is broken too.
/// There is always one line.
pub(super) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let room = if lines.is_empty() { first } else { rest };
        if !line.is_empty() {
            if used + 1 + width(word) > room {
                lines.push(std::mem::take(&mut line));
                used = 0;
            } else {
                line.push(' ');
                used += 1;
            }
        }
        for c in word.chars() {
            let room = if lines.is_empty() { first } else { rest };
            if used > 0 && used + columns(c) > room {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += columns(c);
        }
    }
    lines.push(line);
    lines
}

/// Returns a number with its noun: "no errors", "1 error", "2 errors".
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wrapped_text_keeps_every_word_and_no_line_is_too_wide(
            words in prop::collection::vec("[a-zé漢]{1,12}", 0..30), first in 2_usize..40, rest in 2_usize..40,
        ) {
            let text = words.join(" ");
            let lines = wrap(&text, first, rest);
            prop_assert!(width(&lines[0]) <= first);
            prop_assert!(lines.iter().skip(1).all(|line| width(line) <= rest));
            prop_assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }

    #[test]
    fn lines_break_between_words_where_that_is_possible() {
        assert_eq!(wrap("one two three", 7, 5), ["one two", "three"]);
        assert_eq!(wrap("", 7, 5), [""]);
    }
}
