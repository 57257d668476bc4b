//! How words are written: the width and the styles, which are those of annotate-snippets so that all lines match.

use annotate_snippets::renderer::{
    DEFAULT_CONTEXT_STYLE, DEFAULT_EMPHASIS_STYLE, DEFAULT_ERROR_STYLE, DEFAULT_LINE_NUM_STYLE, DEFAULT_NOTE_STYLE,
    DEFAULT_WARNING_STYLE, Style,
};

use crate::source::Level;

/// The frame around the lines of a file: numbers, bars and arrows.
pub(super) const FRAME: Style = DEFAULT_LINE_NUM_STYLE;

/// What is said about a further place.
pub(super) const CONTEXT: Style = DEFAULT_CONTEXT_STYLE;

/// A finding's message, and the names of what is said below it.
pub(super) const EMPHASIS: Style = DEFAULT_EMPHASIS_STYLE;

/// What is of less weight than the findings.
pub(super) const DIM: Style = Style::new().dimmed();

/// How text is written: how wide, and whether with colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    /// Columns.
    pub(super) width: usize,
    /// Whether styles become ANSI sequences.
    pub(super) color: bool,
}

impl Pen {
    /// Returns the text in a style, or as it is without colour.
    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Returns the style of a level's name and of what is marked at that level.
pub(super) fn level_style(level: Level) -> Style {
    match level {
        Level::Error => DEFAULT_ERROR_STYLE,
        Level::Warning => DEFAULT_WARNING_STYLE,
        Level::Note => DEFAULT_NOTE_STYLE,
    }
}
