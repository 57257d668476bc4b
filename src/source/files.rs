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

/// One file: its path below the fleet's folder and its text.
#[derive(Debug)]
pub struct SourceFile {
    path: String,
    text: Arc<String>,
    lines: OnceLock<Vec<u32>>,
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

    fn line_starts(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let breaks = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(breaks.map(|at| to_u32(at + 1))).collect()
        })
    }

    fn position(&self, offset: u32) -> Position {
        let starts = self.line_starts();
        let line = starts.partition_point(|start| *start <= offset).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start as usize..offset as usize).unwrap_or("");
        Position { line: to_u32(line), column: to_u32(before.chars().count() + 1) }
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
        self.files.push(SourceFile { path: path.into(), text: Arc::new(text.into()), lines: OnceLock::new() });
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
            NONE.get_or_init(|| SourceFile { path: String::new(), text: Arc::default(), lines: OnceLock::new() })
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
    fn a_place_beyond_the_text_is_moved_inside() {
        let mut sources = Sources::default();
        let file = sources.add("a", "é");
        assert_eq!(sources.place(file, 1, 99), Place { file, start: 0, end: 2 });
        assert_eq!(sources.position(sources.place(file, 99, 99)), Position { line: 1, column: 2 });
    }
}
