//! The text of every file that was read, and places in it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::{Asset, AssetFile};

/// A file that was read in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes in one file.
///
/// Lines and columns are computed when a place is shown, never before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// How many bytes lie between two marks: what is counted again for each position.
const BETWEEN_MARKS: usize = 4096;

/// What lies before a byte of a text. With one every few kilobytes a position is found at once, in a file of a million lines as in
/// one whose only line has a hundred megabytes.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// Line breaks before it.
    breaks: u32,
    /// Characters that begin before it.
    characters: u32,
    /// Where the line begins that it stands in.
    line: u32,
}

impl Mark {
    /// Returns the mark behind bytes that follow this one at an offset.
    fn behind(self, bytes: &[u8], at: usize) -> Self {
        // Every byte begins a character but those that continue one: 0b10xx_xxxx.
        let characters = bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        Self {
            breaks: self.breaks.saturating_add(to_u32(memchr::memchr_iter(b'\n', bytes).count())),
            characters: self.characters.saturating_add(to_u32(characters)),
            line: memchr::memrchr(b'\n', bytes).map_or(self.line, |found| to_u32(at + found + 1)),
        }
    }
}

/// One file: its path below the fleet's folder and its text.
#[derive(Debug)]
pub struct SourceFile {
    path: String,
    text: Arc<String>,
    marks: OnceLock<Vec<Mark>>,
}

impl SourceFile {
    /// Returns the path relative to the fleet's folder, with `/` on every platform.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the whole text; empty for a file that could not be read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what lies before an offset.
    fn before(&self, offset: usize) -> Mark {
        let bytes = self.text.as_bytes();
        let marks = self.marks.get_or_init(|| {
            let blocks = bytes.chunks(BETWEEN_MARKS).enumerate();
            let marks = blocks.scan(Mark::default(), |mark, (at, block)| {
                let before = *mark;
                *mark = before.behind(block, at * BETWEEN_MARKS);
                Some(before)
            });
            marks.collect()
        });
        let offset = offset.min(bytes.len());
        let at = (offset / BETWEEN_MARKS).min(marks.len().saturating_sub(1));
        let (mark, start) = (marks.get(at).copied().unwrap_or_default(), at * BETWEEN_MARKS);
        mark.behind(bytes.get(start..offset).unwrap_or_default(), start)
    }

    fn position(&self, offset: u32) -> Position {
        let here = self.before(offset as usize);
        let characters = here.characters.saturating_sub(self.before(here.line as usize).characters);
        Position { line: here.breaks.saturating_add(1), column: characters.saturating_add(1) }
    }
}

/// All files of a run.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    assets: BTreeMap<String, Asset>,
}

impl Sources {
    /// Adds a file and returns its id. `path` is shown to people: relative to the fleet, with `/`.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(to_u32(self.files.len()));
        self.files.push(SourceFile { path: path.into(), text: Arc::new(text.into()), marks: OnceLock::new() });
        id
    }

    /// Adds what lies under a path below the fleet's folder that a definition names.
    pub fn add_asset(&mut self, path: impl Into<String>, asset: Asset) {
        self.assets.insert(path.into(), asset);
    }

    /// Returns what lies under a path below the fleet's folder: what was read for definitions that name it, else a text.
    pub fn asset(&self, path: &str) -> Option<Asset> {
        let known = self.assets.get(path).cloned();
        known.or_else(|| {
            let text = self.files.iter().find(|file| file.path == path)?;
            Some(Asset::File(AssetFile { bytes: text.text.as_bytes().into(), executable: false }))
        })
    }

    /// Returns what was read for definitions that name it, by path.
    pub fn assets(&self) -> impl Iterator<Item = (&str, &Asset)> {
        self.assets.iter().map(|(path, asset)| (path.as_str(), asset))
    }

    /// Returns the file of an id that this value gave out; an empty nameless one for a foreign id.
    pub fn file(&self, id: FileId) -> &SourceFile {
        static NONE: OnceLock<SourceFile> = OnceLock::new();
        self.files.get(id.0 as usize).unwrap_or_else(|| {
            NONE.get_or_init(|| SourceFile { path: String::new(), text: Arc::default(), marks: OnceLock::new() })
        })
    }

    /// Returns the shared text of a file.
    pub fn text(&self, id: FileId) -> Arc<String> {
        Arc::clone(&self.file(id).text)
    }

    /// Returns the line and column at which a place begins.
    pub fn position(&self, place: Place) -> Position {
        self.file(place.file).position(place.start)
    }

    /// Returns the text at a place.
    pub fn excerpt(&self, place: Place) -> &str {
        self.file(place.file).text.get(place.start as usize..place.end as usize).unwrap_or("")
    }

    /// Returns a place from byte offsets, moved onto character boundaries inside the file.
    pub fn place(&self, file: FileId, start: usize, end: usize) -> Place {
        place_in(self.file(file).text(), file, start, end)
    }

    /// Returns the first place of the first file: fleet.toml, for what concerns the fleet as a whole.
    pub fn first(&self) -> Option<Place> {
        (!self.files.is_empty()).then(|| self.start(FileId(0)))
    }

    /// Returns the first place of a file, for what concerns the file as a whole.
    pub fn start(&self, file: FileId) -> Place {
        self.place(file, 0, 0)
    }
}

/// Returns a place within `text`, whatever the offsets are.
pub(super) fn place_in(text: &str, file: FileId, start: usize, end: usize) -> Place {
    let start = floor(text, start);
    let end = floor(text, end).max(start);
    Place { file, start: to_u32(start), end: to_u32(end) }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Spanned<T> {
    /// Returns a value with its place.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "é = 1\r\nb = \"ü\" # x\n");
        let place = sources.place(file, 15, 16);
        assert_eq!(sources.position(sources.place(file, 3, 4)), Position { line: 1, column: 3 });
        assert_eq!(sources.position(place), Position { line: 2, column: 7 });
    }

    #[test]
    fn positions_in_long_lines_and_many_lines_are_those_that_counting_gives() {
        let long = "ü{\"a\":1}".repeat(2_000);
        let text = format!("{long}\n\n{}\n{long}é", "ab\n".repeat(5_000));
        let mut sources = Sources::default();
        let file = sources.add("a.json", text.as_str());
        let mut wanted = Position { line: 1, column: 1 };
        for (at, character) in text.char_indices() {
            if at % 7 == 0 || at.is_multiple_of(BETWEEN_MARKS) || character == '\n' {
                assert_eq!(sources.position(sources.place(file, at, at)), wanted, "{at}");
            }
            wanted = match character {
                '\n' => Position { line: wanted.line + 1, column: 1 },
                _ => Position { column: wanted.column + 1, ..wanted },
            };
        }
        assert_eq!(sources.position(sources.place(file, text.len(), text.len())), wanted);
    }

    #[test]
    fn a_place_beyond_the_text_is_moved_inside() {
        let mut sources = Sources::default();
        let file = sources.add("a", "é");
        assert_eq!(sources.place(file, 1, 99), Place { file, start: 0, end: 2 });
        assert_eq!(sources.position(sources.place(file, 99, 99)), Position { line: 1, column: 2 });
    }
}
