//! Writing a packed table: sections, and a string section that holds each string once.

use std::collections::BTreeMap;

use super::TableKind;
use crate::facts::bytes::{MAGIC, NONE};

/// A table that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    texts: Vec<u8>,
    known: BTreeMap<String, u32>,
    sections: Vec<Vec<u8>>,
}

impl Writer {
    /// Returns the offset of a string; what does not fit a `u16` length is cut at a character.
    pub(super) fn text(&mut self, text: &str) -> u32 {
        let mut end = text.len().min(usize::from(u16::MAX));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = to_u32(self.texts.len());
        self.texts.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
        self.texts.extend(text.as_bytes());
        self.known.insert(text.to_owned(), at);
        at
    }

    /// Returns the offset of a string, or the mark for none.
    pub(super) fn maybe(&mut self, text: Option<&str>) -> u32 {
        text.map_or(NONE, |text| self.text(text))
    }

    /// Adds the next section, from number 1 on: section 0 holds the strings.
    pub(super) fn section(&mut self, bytes: Vec<u8>) {
        self.sections.push(bytes);
    }

    /// Returns the whole table.
    pub(super) fn finish(self, kind: TableKind) -> Vec<u8> {
        let all: Vec<&Vec<u8>> = std::iter::once(&self.texts).chain(&self.sections).collect();
        let mut out = MAGIC.to_vec();
        out.extend(u16::try_from(all.len()).unwrap_or(0).to_le_bytes());
        out.extend(kind.number().to_le_bytes());
        let mut start = out.len() + all.len() * 8;
        for section in &all {
            out.extend(to_u32(start).to_le_bytes());
            out.extend(to_u32(section.len()).to_le_bytes());
            start += section.len();
        }
        for section in all {
            out.extend(section);
        }
        out
    }
}

/// Appends numbers to a section.
pub(super) trait Put {
    /// Appends a `u32`.
    fn u32(&mut self, value: u32) -> &mut Self;
}

impl Put for Vec<u8> {
    fn u32(&mut self, value: u32) -> &mut Self {
        self.extend(value.to_le_bytes());
        self
    }
}

/// Returns a length as `u32`; no table of ours comes near its end.
pub(super) fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(NONE)
}
