//! The lines of files that a finding points at, with marks under them.
//!
//! annotate-snippets draws the lines and the marks; no other file gives it text. What is drawn is prepared
//! here: the library computes columns from the text it is given, prints some control and invisible characters as they
//! are, and has no way to break a label. So a line arrives there cut to the width, with escapes for what cannot be
//! seen; the place's line and column come from `source`; and a label too long for its line is written here.
//!
//! Invariants: every span given to the library is not empty, lies on one line and within the text. No line except
//! that of a path is wider than the pen's width.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as DrawnLevel, Renderer, Snippet};

use super::line::cut;
use super::pen::{CONTEXT, FRAME, Pen, level_style};
use super::words::{width, wrap};
use crate::source::secret::covered as covered_line;
use crate::source::{Diagnostic, FileId, Label, Level, Position, Sources, printable};

/// Marks of one file that lie further apart than this, in lines, are drawn apart.
const NEAR: u32 = 1000;

/// A label gets at least this many columns before it moves below its mark.
const LABEL: usize = 24;

/// The drawn lines of a finding.
pub(super) struct Excerpt {
    /// Lines, each with its line break.
    pub(super) text: String,
    /// The column in which the frame's bars stand, from 0: what follows is aligned with it.
    pub(super) bar: usize,
}

/// A place to mark.
struct Mark<'a> {
    file: FileId,
    path: &'a str,
    /// The whole file.
    text: &'a str,
    at: Position,
    /// Where the marked line begins in the file.
    begin: usize,
    /// The marked bytes of that line; of a place of several lines those on the first.
    range: Range<usize>,
    label: String,
    primary: bool,
}

/// The findings whose place is a secret.
const SECRET: &str = "secret-inline";

/// Returns files of a finding as they are shown, with stars in the place of a secret: what a check prints lies about in logs.
fn covered(finding: &Diagnostic, sources: &Sources) -> Vec<(FileId, String)> {
    if finding.hides {
        let places = std::iter::once(&finding.primary).chain(&finding.related);
        let mut files: Vec<FileId> = places.map(|label| label.place.file).collect();
        files.sort_unstable();
        files.dedup();
        // A definition holds no secrets; where it does, that is the finding.
        files.retain(|file| sources.file(*file).path().rsplit('.').next() != Some("toml"));
        return files.into_iter().map(|file| (file, around(finding, file, sources))).collect();
    }
    secret(finding, sources).into_iter().collect()
}

/// Returns the file of a secret that is itself the finding.
fn secret(finding: &Diagnostic, sources: &Sources) -> Option<(FileId, String)> {
    let place = finding.primary.place;
    let (start, end) = (place.start as usize, place.end as usize);
    let text = sources.file(place.file).text();
    let (front, secret, rest) = (text.get(..start)?, text.get(start..end)?, text.get(end..)?);
    // A star for each byte, so that places stay where they are.
    let stars: String = secret.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
    (finding.rule == SECRET).then(|| (place.file, format!("{front}{stars}{rest}")))
}

/// Returns a file of a finding with stars for all that its places do not mark: beside a key may stand a secret.
fn around(finding: &Diagnostic, file: FileId, sources: &Sources) -> String {
    let places = std::iter::once(&finding.primary).chain(&finding.related).map(|label| label.place);
    let places: Vec<_> = places.filter(|place| place.file == file).collect();
    let shown = |at: usize| places.iter().any(|place| (place.start as usize..place.end as usize).contains(&at));
    let mut text = String::with_capacity(sources.file(file).text().len());
    for (at, character) in sources.file(file).text().char_indices() {
        if character.is_ascii_whitespace() || shown(at) {
            text.push(character);
        } else {
            text.extend(std::iter::repeat_n('*', character.len_utf8()));
        }
    }
    text
}

impl<'a> Mark<'a> {
    fn new(label: &Label, sources: &'a Sources, primary: bool, covered: &'a [(FileId, String)]) -> Self {
        let place = label.place;
        let file = sources.file(place.file);
        let text = covered.iter().find(|(id, _)| *id == place.file).map_or(file.text(), |(_, text)| text);
        let (start, end) = (place.start as usize, place.end as usize);
        let begin = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        Self {
            file: place.file,
            path: file.path(),
            text,
            at: sources.position(place),
            begin,
            range: start.saturating_sub(begin)..end.saturating_sub(begin),
            label: printable(&label.message),
            primary,
        }
    }
}

/// Draws the places of a finding: the primary one first, those of one file together where that stays readable.
pub(super) fn draw(finding: &Diagnostic, sources: &Sources, pen: Pen) -> Excerpt {
    let covered = covered(finding, sources);
    let mut marks = vec![Mark::new(&finding.primary, sources, true, &covered)];
    marks.extend(finding.related.iter().map(|label| Mark::new(label, sources, false, &covered)));
    let digits = marks.iter().map(|mark| digits(mark.at.line)).max().unwrap_or(1);
    let bar = digits + 2;
    // The frame takes the bar and a space; one column stays free for a mark behind the end of a line.
    let frame = Frame { bar, columns: pen.width.saturating_sub(bar + 3), level: finding.level, pen };
    let mut text = String::new();
    for group in groups(&marks) {
        let together = Block::new(&group, frame.columns);
        if group.len() == 1 {
            frame.alone(&together, &mut text);
        } else if frame.fits(&together) {
            frame.together(&together, &mut text);
        } else {
            for mark in group {
                frame.alone(&Block::new(&[mark], frame.columns), &mut text);
            }
        }
    }
    Excerpt { text, bar }
}

/// Returns marks by file, in the order in which the files are named first; distant ones apart.
fn groups<'m, 'a>(marks: &'m [Mark<'a>]) -> Vec<Vec<&'m Mark<'a>>> {
    let mut groups: Vec<Vec<&Mark<'_>>> = Vec::new();
    for mark in marks {
        let near = |old: &&Mark<'_>| old.file == mark.file && old.at.line.abs_diff(mark.at.line) <= NEAR;
        match groups.iter_mut().find(|group| group.iter().all(near)) {
            Some(group) => group.push(mark),
            None => groups.push(vec![mark]),
        }
    }
    groups
}

/// Lines of one file, ready to be drawn.
struct Block<'m, 'a> {
    /// The number of the first line.
    first: u32,
    /// The number of the last line.
    last: u32,
    /// The lines, each with a line break; those that are not shown are empty.
    source: String,
    /// The marks in the order in which they were given.
    spans: Vec<Span<'m, 'a>>,
}

/// A mark in the prepared text.
struct Span<'m, 'a> {
    mark: &'m Mark<'a>,
    /// Bytes of the block's text.
    bytes: Range<usize>,
    /// Columns of its line.
    columns: Range<usize>,
}

impl<'m, 'a> Block<'m, 'a> {
    fn new(marks: &[&'m Mark<'a>], columns: usize) -> Self {
        let first = marks.iter().map(|mark| mark.at.line).min().unwrap_or(1);
        let last = marks.iter().map(|mark| mark.at.line).max().unwrap_or(1);
        let begin = marks.iter().map(|mark| mark.begin).min().unwrap_or(0);
        let text = marks.first().map_or("", |mark| mark.text);
        let marked = |number: u32| marks.iter().any(|mark| mark.at.line == number);
        let mut block = Self { first, last, source: String::new(), spans: Vec::new() };
        let mut next = begin;
        for (number, line) in (first..=last).zip(text.get(begin..).unwrap_or("").split('\n')) {
            let at = next;
            next += line.len() + 1;
            let here: Vec<_> = marks.iter().copied().filter(|mark| mark.at.line == number).collect();
            // The library shows a single line between two marked ones and folds longer gaps.
            if !here.is_empty() || (marked(number.saturating_sub(1)) && marked(number.saturating_add(1))) {
                let ranges: Vec<_> = here.iter().map(|mark| mark.range.clone()).collect();
                let line = covered_line(line.strip_suffix('\r').unwrap_or(line), text, at);
                let (shown, bytes) = cut(&line, &ranges, columns);
                let before = block.source.len();
                block.spans.extend(here.into_iter().zip(bytes).map(|(mark, bytes)| {
                    let column = |at| width(shown.get(..at).unwrap_or(&shown));
                    Span {
                        mark,
                        columns: column(bytes.start)..column(bytes.end),
                        bytes: before + bytes.start..before + bytes.end,
                    }
                }));
                block.source.push_str(&shown);
            }
            block.source.push('\n');
        }
        block.spans.sort_by_key(|span| !span.mark.primary);
        block
    }
}

/// What all blocks of one finding share.
#[derive(Clone, Copy)]
struct Frame {
    /// The column of the bars, from 0.
    bar: usize,
    /// Columns of source text.
    columns: usize,
    level: Level,
    pen: Pen,
}

impl Frame {
    /// Says whether every label has room next to its mark.
    fn fits(self, block: &Block<'_, '_>) -> bool {
        block.spans.iter().all(|span| span.columns.end + 1 + width(&span.mark.label) <= self.columns)
    }

    /// Draws several marks with the labels next to them.
    fn together(self, block: &Block<'_, '_>, out: &mut String) {
        self.head(block, out);
        out.push_str(&self.lines(block, true));
    }

    /// Draws one mark and breaks its label.
    fn alone(self, block: &Block<'_, '_>, out: &mut String) {
        self.head(block, out);
        let lines = self.lines(block, false);
        let Some(span) = block.spans.first() else { return };
        out.push_str(lines.trim_end_matches('\n'));
        let style = if span.mark.primary { level_style(self.level) } else { CONTEXT };
        if !span.mark.label.is_empty() {
            let beside = self.columns.saturating_sub(span.columns.end + 1) >= LABEL.min(width(&span.mark.label));
            let from = if beside {
                out.push(' ');
                span.columns.end + 1
            } else {
                let from = span.columns.start.min(self.columns.saturating_sub(LABEL));
                out.push('\n');
                self.margin(from, out);
                from
            };
            let room = self.columns.saturating_sub(from);
            for (index, piece) in wrap(&span.mark.label, room, room).iter().enumerate() {
                if index > 0 {
                    out.push('\n');
                    self.margin(from, out);
                }
                out.push_str(&self.pen.paint(style, piece));
            }
        }
        out.push('\n');
    }

    /// Writes the place of a block's first mark, with the arrow that its rank among the blocks asks for.
    fn head(self, block: &Block<'_, '_>, out: &mut String) {
        let Some(span) = block.spans.first() else { return };
        if !out.is_empty() {
            let _ = writeln!(out, "{:bar$}{}", "", self.pen.paint(FRAME, "|"), bar = self.bar);
        }
        let arrow = self.pen.paint(FRAME, if out.is_empty() { "-->" } else { ":::" });
        let Mark { path, at, .. } = span.mark;
        let path = printable(path);
        let _ = writeln!(out, "{:gap$}{arrow} {path}:{}:{}", "", at.line, at.column, gap = self.bar - 1);
    }

    /// Writes the frame of a line of label text up to a column.
    fn margin(self, column: usize, out: &mut String) {
        let bar = self.pen.paint(FRAME, "|");
        let _ = write!(out, "{:gap$}{bar} {:column$}", "", "", gap = self.bar);
    }

    /// Has the library draw the lines, and moves them to the finding's frame.
    fn lines(self, block: &Block<'_, '_>, labels: bool) -> String {
        let renderer = if self.pen.color { Renderer::styled() } else { Renderer::plain() };
        let level = match self.level {
            Level::Error => DrawnLevel::ERROR,
            Level::Warning => DrawnLevel::WARNING,
            Level::Note => DrawnLevel::NOTE,
        };
        let annotations = block.spans.iter().map(|span| {
            let kind = if span.mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let label = Some(span.mark.label.as_str()).filter(|label| labels && !label.is_empty());
            kind.span(span.bytes.clone()).label(label)
        });
        let snippet = Snippet::source(block.source.as_str()).line_start(block.first as usize).annotations(annotations);
        // Lines arrive cut, so the library gets all the room it could ask for.
        let drawn = renderer.term_width(10_000).render(&[Group::with_level(level).element(snippet)]);
        let shift = " ".repeat(self.bar.saturating_sub(digits(block.last) + 1));
        drawn.lines().fold(String::new(), |mut out, line| {
            let _ = writeln!(out, "{shift}{}", line.trim_end());
            out
        })
    }
}

/// Returns how many digits a line's number has.
fn digits(number: u32) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Draws an error at the places, given as byte ranges of one file, in 60 columns.
    fn drawn(text: &str, places: &[(usize, usize, &str)]) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", text);
        let mut places = places.iter().map(|(start, end, label)| (sources.place(file, *start, *end), *label));
        let (place, label) = places.next().unwrap();
        let finding = Diagnostic::error("rule", place, "").label(label);
        let finding = places.fold(finding, |finding, (place, label)| finding.related(place, label));
        draw(&finding, &sources, Pen { width: 60, color: false }).text
    }

    #[test]
    fn the_end_of_a_file_can_be_marked_with_and_without_a_last_line_break() {
        insta::assert_snapshot!(drawn("a = 1\nb =", &[(9, 9, "a value is missing")]), @r##"
     --> a.toml:2:4
      |
    2 | b =
      |    ^ a value is missing
    "##);
        insta::assert_snapshot!(drawn("a = 1\n", &[(6, 6, "here")]), @r##"
     --> a.toml:2:1
      |
    2 |
      | ^ here
    "##);
        insta::assert_snapshot!(drawn("", &[(0, 0, "")]), @r##"
     --> a.toml:1:1
      |
    1 |
      | ^
    "##);
    }

    #[test]
    fn a_place_of_several_lines_is_marked_on_its_first() {
        insta::assert_snapshot!(drawn("a = [\r\n  1,\r\n]\r\n", &[(4, 14, "a list")]), @r##"
     --> a.toml:1:5
      |
    1 | a = [
      |     ^ a list
    "##);
    }

    #[test]
    fn a_long_line_is_cut_around_its_mark() {
        let text = format!("{{\"a\": \"{}\", \"id\": 0, \"b\": \"{}\"}}", "x".repeat(5000), "y".repeat(5000));
        let at = text.find("\"id\"").unwrap();
        insta::assert_snapshot!(drawn(&text, &[(at, at + 4, "zero")]), @r##"
     --> a.toml:1:5011
      |
    1 | …xxxxxxxxxx", "id": 0, "b": "yyyyyyyyyyyyyyyyyyyyyyyy…
      |               ^^^^ zero
    "##);
        insta::assert_snapshot!(drawn(&text, &[(6, 5010, "too long")]), @r##"
     --> a.toml:1:7
      |
    1 | {"a": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |       too long
    "##);
    }

    #[test]
    fn deep_indentation_is_cut_and_tabulators_become_spaces() {
        let text = format!("{}\tkey = 1", " ".repeat(50));
        insta::assert_snapshot!(drawn(&text, &[(51, 54, "far out")]), @r##"
     --> a.toml:1:52
      |
    1 | …    key = 1
      |      ^^^ far out
    "##);
        insta::assert_snapshot!(drawn("\tkey\t= 1", &[(5, 6, "")]), @r##"
     --> a.toml:1:6
      |
    1 |     key    = 1
      |            ^
    "##);
    }

    #[test]
    fn white_space_that_is_marked_is_shown() {
        insta::assert_snapshot!(drawn(&format!("{}x = 1", " ".repeat(60)), &[(40, 42, "odd")]), @r##"
     --> a.toml:1:41
      |
    1 | …                                 x = 1
      |               ^^ odd
    "##);
    }

    #[test]
    fn the_one_line_between_two_marked_ones_is_shown() {
        insta::assert_snapshot!(drawn("a = 1\nb = \u{7}2\nc = 3\n", &[(0, 1, "one"), (13, 14, "three")]), @r##"
     --> a.toml:1:1
      |
    1 | a = 1
      | ^ one
    2 | b = \u{7}2
    3 | c = 3
      | - three
    "##);
    }

    #[test]
    fn marks_of_one_line_stand_together() {
        insta::assert_snapshot!(drawn("a = 1 # b\n", &[(4, 5, "one"), (0, 1, "key")]), @r##"
     --> a.toml:1:5
      |
    1 | a = 1 # b
      | -   ^ one
      | |
      | key
    "##);
    }

    #[test]
    fn labels_without_room_are_broken_and_their_marks_drawn_apart() {
        let label = "a label of many words that cannot stand in the columns that are left to it";
        insta::assert_snapshot!(drawn("a = 1\nbb = 2\n", &[(4, 5, label), (6, 8, "other")]), @r##"
     --> a.toml:1:5
      |
    1 | a = 1
      |     ^ a label of many words that cannot stand in the
      |       columns that are left to it
      |
     ::: a.toml:2:1
      |
    2 | bb = 2
      | -- other
    "##);
        let text = format!("{}= 1", " ".repeat(18) + &"k".repeat(30));
        insta::assert_snapshot!(drawn(&text, &[(18, 48, label)]), @r##"
     --> a.toml:1:19
      |
    1 |                   kkkkkkkkkkkkkkkkkkkkkkkkkkkkkk= 1
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |                   a label of many words that cannot
      |                   stand in the columns that are left
      |                   to it
    "##);
    }

    #[test]
    fn numbers_of_different_length_share_one_frame() {
        let text = "x\n".repeat(120);
        insta::assert_snapshot!(drawn(&text, &[(0, 1, "first"), (200, 201, "hundredth"), (236, 237, "near")]), @r##"
       --> a.toml:1:1
        |
      1 | x
        | ^ first
    ...
    101 | x
        | - hundredth
    ...
    119 | x
        | - near
    "##);
        insta::assert_snapshot!(drawn(&"x\n".repeat(2000), &[(3998, 3999, "last"), (0, 1, "first")]), @r##"
        --> a.toml:2000:1
         |
    2000 | x
         | ^ last
         |
        ::: a.toml:1:1
         |
       1 | x
         | - first
    "##);
    }

    /// Text with more of what is hard to show than chance would give.
    fn hard() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => any::<String>(),
            2 => "[a-z =\"]{0,30}",
            1 => Just("x".repeat(150)),
            1 => Just(" ".repeat(45)),
            2 => prop_oneof![
                Just("\n"), Just("\r\n"), Just("\r"), Just("\t"), Just("\u{1b}[2J"), Just("\u{202e}"), Just("\u{200d}"),
                Just("漢字"), Just("e\u{301}"), Just("\u{9b}"), Just("\u{3000}"),
            ].prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn no_text_and_no_place_breaks_the_frame(
            texts in prop::collection::vec(hard(), 1..3),
            places in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..600, 0_usize..600, hard()), 1..5),
            width in 40_usize..120,
            color in any::<bool>(),
        ) {
            let mut sources = Sources::default();
            let files: Vec<_> = texts.iter().map(|text| sources.add("a", text.as_str())).collect();
            let mut labels = places.iter().map(|(file, start, end, label)| {
                (sources.place(*file.get(&files), *start, *end), label.as_str())
            });
            let (place, label) = labels.next().unwrap();
            let finding = Diagnostic::new("rule", Level::Warning, place, "").label(label);
            let finding = labels.fold(finding, |finding, (place, label)| finding.related(place, label));
            let excerpt = draw(&finding, &sources, Pen { width, color });
            let hidden = |c: char| c.is_control() && c != '\n' && !(color && c == '\u{1b}');
            prop_assert!(!excerpt.text.contains(hidden));
            let unseen = ['\u{202e}', '\u{200d}', '\u{9b}'];
            prop_assert!(!excerpt.text.contains(unseen));
            prop_assert!(excerpt.text.ends_with('\n'));
            if !color {
                for line in excerpt.text.lines() {
                    prop_assert!(super::super::words::width(line) <= width, "{:?}", line);
                }
            }
            let position = sources.position(place);
            let shown = format!(" a:{}:{}", position.line, position.column);
            prop_assert!(excerpt.text.lines().next().unwrap().ends_with(&shown));
        }
    }
}
