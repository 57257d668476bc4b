//! The YAML that people and kubectl write, read in one pass: mappings and lists by indentation, scalars that end with their line,
//! literal blocks, lists and mappings in brackets on one line.
//!
//! It reads this some ten times as fast as a parser of all YAML, and that is its only reason. Whatever it does not know for certain
//! (anchors, tags, folded blocks, strings over several lines, tabs, every mistake) is [`Unusual`]: the document then goes to
//! `events`, which gives the same tree for what both can read.

mod flow;

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::keys::{Twice, json_key, settle};
use super::{DEEPEST, span};
use crate::kubernetes::tree::{Node, Pair, Span, Value};

/// Something that this reader leaves to the parser of all YAML.
#[derive(Debug)]
pub(super) struct Unusual;

/// Reads a document, which holds more than comments; none where it is empty all the same.
pub(super) fn document<'s>(
    text: &'s str,
    range: &Range<usize>,
    twice: &mut Vec<Twice>,
) -> Result<Option<Node<'s>>, Unusual> {
    let bytes = text.as_bytes().get(..range.end).ok_or(Unusual)?;
    // A carriage return alone ends a line for YAML, not for this reader.
    let mut returns = memchr_iter(b'\r', bytes.get(range.start..).ok_or(Unusual)?);
    if returns.any(|at| bytes.get(range.start + at + 1) != Some(&b'\n')) {
        return Err(Unusual);
    }
    let mut block =
        Block { text, bytes, at: range.start, column: None, depth: 0, nodes: vec![], pairs: vec![], twice: vec![] };
    if bytes.get(range.start..).is_some_and(|rest| rest.starts_with(b"---")) {
        block.end_line(range.start + 3)?;
    }
    block.advance()?;
    let Some(column) = block.column else { return Ok(None) };
    let root = block.node(column)?;
    if block.column.is_some() {
        return Err(Unusual);
    }
    twice.append(&mut block.twice);
    Ok(Some(root))
}

struct Block<'s> {
    text: &'s str,
    /// The file up to the end of the document.
    bytes: &'s [u8],
    at: usize,
    /// Between nodes: the column of the next line that says something, at whose first byte the cursor stands; none at the end.
    column: Option<usize>,
    depth: usize,
    /// Elements and pairs of what is open: a list or mapping takes its own off the end, so that its vector is as long as needed.
    nodes: Vec<Node<'s>>,
    pairs: Vec<Pair<'s>>,
    twice: Vec<Twice>,
}

/// What a value stands behind.
#[derive(Clone, Copy, PartialEq)]
enum Behind {
    Key,
    Dash,
}

/// A key, and the offset behind its colon.
struct Key<'s> {
    text: Cow<'s, str>,
    quoted: bool,
    at: Span,
    behind: usize,
}

impl<'s> Block<'s> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'s str {
        self.text.get(start..end).unwrap_or("")
    }

    /// Tells whether a line or the document ends at an offset.
    fn is_end(&self, at: usize) -> bool {
        match self.byte(at) {
            None | Some(b'\n') => true,
            Some(b'\r') => self.byte(at + 1) == Some(b'\n'),
            _ => false,
        }
    }

    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && (self.byte(at + 1) == Some(b' ') || self.is_end(at + 1))
    }

    fn skip_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at += 1;
        }
        at
    }

    /// Moves from the start of a line to the next content.
    fn advance(&mut self) -> Result<(), Unusual> {
        loop {
            let start = self.at;
            let at = self.skip_spaces(start);
            match self.byte(at) {
                None => {
                    self.column = None;
                    return Ok(());
                }
                Some(b'\n') => self.at = at + 1,
                Some(b'\r') if self.is_end(at) => self.at = at + 2,
                Some(b'#') => self.at = self.next_line(at),
                Some(b'\t' | b'\r' | b'%') => return Err(Unusual),
                Some(_) => {
                    self.at = at;
                    self.column = Some(at - start);
                    return Ok(());
                }
            }
        }
    }

    fn next_line(&self, at: usize) -> usize {
        memchr(b'\n', self.bytes.get(at..).unwrap_or(&[])).map_or(self.bytes.len(), |end| at + end + 1)
    }

    /// Leaves a line behind which only blanks and a comment may follow at `at`.
    fn end_line(&mut self, at: usize) -> Result<(), Unusual> {
        let end = self.skip_spaces(at);
        let ends = self.is_end(end) || (end > at && self.byte(end) == Some(b'#'));
        if !ends {
            return Err(Unusual);
        }
        self.at = self.next_line(end);
        Ok(())
    }

    /// Reads the mapping or list that begins at the cursor, in that column.
    fn node(&mut self, column: usize) -> Result<Node<'s>, Unusual> {
        if self.depth == DEEPEST {
            return Err(Unusual);
        }
        self.depth += 1;
        let node = if self.is_dash(self.at) {
            self.sequence(column, false)
        } else {
            let key = self.key(self.at)?.ok_or(Unusual)?;
            self.mapping(column, key)
        };
        self.depth -= 1;
        node
    }

    /// Reads a list; one without indentation of its own ends where its mapping goes on in the same column.
    fn sequence(&mut self, column: usize, in_mapping: bool) -> Result<Node<'s>, Unusual> {
        let (start, from) = (self.at, self.nodes.len());
        loop {
            let node = self.value(column, Behind::Dash, self.at + 1)?;
            self.nodes.push(node);
            match self.column {
                Some(next) if next == column && self.is_dash(self.at) => {}
                Some(next) if next > column || (next == column && !in_mapping) => return Err(Unusual),
                _ => break,
            }
        }
        let items: Vec<_> = self.nodes.drain(from..).collect();
        let end = items.last().map_or(start, |last| last.span.end as usize);
        Ok(Node::new(Value::Sequence(items), span(start, end)))
    }

    fn mapping(&mut self, column: usize, first: Key<'s>) -> Result<Node<'s>, Unusual> {
        let (start, from) = (self.at, self.pairs.len());
        let mut key = first;
        loop {
            let Key { text, quoted, at, behind } = key;
            let text = match quoted {
                true => text,
                false if text == "<<" => return Err(Unusual),
                false => json_key(text).map_err(|_| Unusual)?,
            };
            let node = self.value(column, Behind::Key, behind)?;
            self.pairs.push(Pair { key: text, at, node });
            match self.column {
                Some(next) if next == column && !self.is_dash(self.at) => key = self.key(self.at)?.ok_or(Unusual)?,
                Some(next) if next >= column => return Err(Unusual),
                _ => break,
            }
        }
        let end = self.pairs.last().map_or(start, |last| last.node.span.end as usize);
        let pairs = settle(&mut self.pairs, from, &mut self.twice);
        Ok(Node::new(Value::Mapping(pairs), span(start, end)))
    }

    /// Reads what stands behind a key or dash of a column, and moves on to the next content.
    fn value(&mut self, column: usize, behind: Behind, mark: usize) -> Result<Node<'s>, Unusual> {
        let at = self.skip_spaces(mark);
        let Some(first) = self.byte(at).filter(|first| !self.is_end(at) && (*first != b'#' || at == mark)) else {
            self.at = self.next_line(at);
            self.advance()?;
            return match self.column {
                Some(next) if next > column => self.node(next),
                Some(next) if next == column && behind == Behind::Key && self.is_dash(self.at) => {
                    self.depth += 1;
                    let list = if self.depth > DEEPEST { Err(Unusual) } else { self.sequence(column, true) };
                    self.depth -= 1;
                    list
                }
                _ => Ok(Node::new(Value::Plain(Cow::Borrowed("")), span(mark, mark))),
            };
        };
        if behind == Behind::Dash {
            let inner = column + 1 + (at - mark);
            let compact = self.is_dash(at) || (first != b'[' && first != b'{' && self.key(at)?.is_some());
            if compact {
                self.at = at;
                return self.node(inner);
            }
        }
        let (value, end) = match first {
            b'|' => {
                let node = self.literal(at, column)?;
                self.advance()?;
                return Ok(node);
            }
            b'"' | b'\'' => {
                let (text, end) = self.quoted(at)?;
                (Value::Text(text), end)
            }
            b'[' | b'{' => {
                let node = self.flow(at)?;
                let end = node.span.end as usize;
                (node.value, end)
            }
            _ => {
                let end = self.plain(at)?;
                (Value::Plain(Cow::Borrowed(self.slice(at, end))), end)
            }
        };
        self.end_line(end)?;
        self.advance()?;
        // A deeper line would go on with the scalar.
        if self.column.is_some_and(|next| next > column) {
            return Err(Unusual);
        }
        Ok(Node::new(value, span(at, end)))
    }

    /// Tells whether a scalar without quotes can begin at an offset.
    fn begins_plain(&self, at: usize) -> bool {
        match self.byte(at) {
            Some(b'-') => !self.is_end(at + 1) && !matches!(self.byte(at + 1), Some(b' ' | b'\t' | b',' | b']' | b'}')),
            Some(
                b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
                | b'%' | b'@' | b'`',
            )
            | None => false,
            Some(byte) => byte > b' ',
        }
    }

    /// Returns where a scalar without quotes ends in its line.
    fn plain(&self, start: usize) -> Result<usize, Unusual> {
        if !self.begins_plain(start) {
            return Err(Unusual);
        }
        let (mut at, mut end) = (start, start);
        loop {
            match self.byte(at) {
                None | Some(b'\n') => return Ok(end),
                Some(b'\r') if self.is_end(at) => return Ok(end),
                Some(b'#') if end < at => return Ok(end),
                Some(b':') if self.byte(at + 1) == Some(b' ') || self.is_end(at + 1) => return Err(Unusual),
                Some(b' ') => {}
                Some(0..0x20) => return Err(Unusual),
                Some(_) => end = at + 1,
            }
            at += 1;
        }
    }

    /// Reads the key at an offset; none where the line holds none.
    fn key(&self, start: usize) -> Result<Option<Key<'s>>, Unusual> {
        if let Some(b'"' | b'\'') = self.byte(start) {
            let (text, end) = self.quoted(start)?;
            let is_key = self.byte(end) == Some(b':') && (self.byte(end + 1) == Some(b' ') || self.is_end(end + 1));
            if is_key && end - start > LONGEST_KEY {
                return Err(Unusual);
            }
            return Ok(is_key.then(|| Key { text, quoted: true, at: span(start, end), behind: end + 1 }));
        }
        if !self.begins_plain(start) {
            // Not for this reader as a key; as a value it is looked at once more.
            return Ok(None);
        }
        let mut at = start;
        loop {
            match self.byte(at) {
                None | Some(b'\n') => return Ok(None),
                Some(b'#') if self.byte(at - 1) == Some(b' ') => return Ok(None),
                Some(b':') if self.byte(at + 1) == Some(b' ') || self.is_end(at + 1) => break,
                Some(b'\r') if self.is_end(at) => return Ok(None),
                Some(0..0x20) => return Err(Unusual),
                Some(_) => at += 1,
            }
        }
        // A longer key needs a question mark before it. A blank before the colon is rare enough to be left to the parser.
        if at - start > LONGEST_KEY || self.byte(at - 1) == Some(b' ') {
            return Err(Unusual);
        }
        let text = Cow::Borrowed(self.slice(start, at));
        Ok(Some(Key { text, quoted: false, at: span(start, at), behind: at + 1 }))
    }

    /// Reads a string in quotes that ends in its line; returns the offset behind it.
    fn quoted(&self, start: usize) -> Result<(Cow<'s, str>, usize), Unusual> {
        let quote = self.byte(start).ok_or(Unusual)?;
        let mut owned: Option<String> = None;
        let mut at = start + 1;
        let mut copied = at;
        loop {
            let byte = self.byte(at).ok_or(Unusual)?;
            let character = match byte {
                b'\'' if quote == b'\'' && self.byte(at + 1) == Some(b'\'') => '\'',
                b'\\' if quote == b'"' => match self.byte(at + 1) {
                    Some(b'"') => '"',
                    Some(b'\\') => '\\',
                    Some(b'/') => '/',
                    Some(b'n') => '\n',
                    Some(b't') => '\t',
                    Some(b'r') => '\r',
                    _ => return Err(Unusual),
                },
                0..0x20 => return Err(Unusual),
                _ if byte == quote => break,
                _ => {
                    at += 1;
                    continue;
                }
            };
            let text = owned.get_or_insert_default();
            text.push_str(self.slice(copied, at));
            text.push(character);
            at += 2;
            copied = at;
        }
        let rest = self.slice(copied, at);
        let text = match owned {
            None => Cow::Borrowed(rest),
            Some(mut text) => {
                text.push_str(rest);
                Cow::Owned(text)
            }
        };
        Ok((text, at + 1))
    }

    /// Reads a literal block whose header stands at `header`, below a key or dash of a column.
    fn literal(&mut self, header: usize, column: usize) -> Result<Node<'s>, Unusual> {
        let strip = self.byte(header + 1) == Some(b'-');
        self.end_line(header + if strip { 2 } else { 1 })?;
        let first = self.skip_spaces(self.at);
        let indent = first - self.at;
        // No content, a first line that is blank, indentation that is told by number: none of it is common.
        if indent <= column || self.byte(first).is_none_or(|byte| matches!(byte, b'\n' | b'\r')) {
            return Err(Unusual);
        }
        let mut owned: Option<String> = None;
        let (mut from, mut end, mut blank, mut broken) = (first, first, 0, false);
        loop {
            // The cursor stands at the start of a line: how far is its content?
            let mut at = self.at;
            while at < self.at + indent && self.byte(at) == Some(b' ') {
                at += 1;
            }
            match self.byte(at) {
                None => break,
                Some(b'\n') => {
                    blank += 1;
                    self.at = at + 1;
                    continue;
                }
                Some(b'\r') => return Err(Unusual),
                Some(b'\t') if at < self.at + indent => return Err(Unusual),
                Some(_) if at < self.at + indent => break,
                Some(_) => {}
            }
            if at > first {
                let text = owned.get_or_insert_with(|| String::with_capacity(2 * (at - first)));
                text.push_str(self.slice(from, end));
                text.extend(std::iter::repeat_n('\n', blank + 1));
            }
            let next = self.next_line(at);
            broken = self.byte(next - 1) == Some(b'\n');
            (from, end, blank) = (at, if broken { next - 1 } else { next }, 0);
            if self.byte(end - 1) == Some(b'\r') {
                return Err(Unusual);
            }
            self.at = next;
        }
        let last = self.slice(from, if strip || !broken { end } else { end + 1 });
        let text = match owned {
            None => Cow::Borrowed(last),
            Some(mut text) => {
                text.push_str(last);
                text.shrink_to_fit();
                Cow::Owned(text)
            }
        };
        Ok(Node::new(Value::Text(text), span(first, self.slice(first, end).trim_end().len() + first)))
    }
}

/// The longest key that needs no question mark, in bytes; the rule counts 1,024 characters with what stands before the colon.
const LONGEST_KEY: usize = 1000;
