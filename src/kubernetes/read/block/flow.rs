//! Lists and mappings in brackets that end in their line.

use std::borrow::Cow;

use super::{Block, DEEPEST, Unusual, json_key, settle, span};
use crate::kubernetes::tree::{Node, Pair, Value};

impl<'s> Block<'s> {
    /// Reads a list or mapping in brackets that ends in its line.
    pub(super) fn flow(&mut self, start: usize) -> Result<Node<'s>, Unusual> {
        if self.depth == DEEPEST {
            return Err(Unusual);
        }
        self.depth += 1;
        let node = if self.byte(start) == Some(b'[') { self.flow_sequence(start) } else { self.flow_mapping(start) };
        self.depth -= 1;
        node
    }

    fn flow_sequence(&mut self, start: usize) -> Result<Node<'s>, Unusual> {
        let from = self.nodes.len();
        let mut at = self.skip_spaces(start + 1);
        while self.byte(at) != Some(b']') {
            let node = self.flow_item(at)?;
            at = self.behind_item(node.span.end as usize, b']')?;
            self.nodes.push(node);
        }
        let items = self.nodes.drain(from..).collect();
        Ok(Node::new(Value::Sequence(items), span(start, at + 1)))
    }

    fn flow_mapping(&mut self, start: usize) -> Result<Node<'s>, Unusual> {
        let from = self.pairs.len();
        let mut at = self.skip_spaces(start + 1);
        while self.byte(at) != Some(b'}') {
            let (key, end) = match self.byte(at) {
                Some(b'"' | b'\'') => self.quoted(at)?,
                _ => {
                    let end = self.flow_plain(at)?;
                    let text = self.slice(at, end);
                    if text == "<<" {
                        return Err(Unusual);
                    }
                    (json_key(Cow::Borrowed(text)).map_err(|_| Unusual)?, end)
                }
            };
            if self.byte(end) != Some(b':') || self.byte(end + 1) != Some(b' ') {
                return Err(Unusual);
            }
            let node = self.flow_item(self.skip_spaces(end + 1))?;
            let behind = self.behind_item(node.span.end as usize, b'}')?;
            self.pairs.push(Pair { key, at: span(at, end), node });
            at = behind;
        }
        let pairs = settle(&mut self.pairs, from, &mut self.twice);
        Ok(Node::new(Value::Mapping(pairs), span(start, at + 1)))
    }

    /// Returns the offset of the next element or of the bracket that closes.
    fn behind_item(&self, end: usize, close: u8) -> Result<usize, Unusual> {
        let at = self.skip_spaces(end);
        match self.byte(at) {
            Some(b',') => Ok(self.skip_spaces(at + 1)),
            Some(byte) if byte == close => Ok(at),
            _ => Err(Unusual),
        }
    }

    fn flow_item(&mut self, at: usize) -> Result<Node<'s>, Unusual> {
        let (value, end) = match self.byte(at) {
            Some(b'[' | b'{') => return self.flow(at),
            Some(b'"' | b'\'') => {
                let (text, end) = self.quoted(at)?;
                (Value::Text(text), end)
            }
            _ => {
                let end = self.flow_plain(at)?;
                (Value::Plain(Cow::Borrowed(self.slice(at, end))), end)
            }
        };
        Ok(Node::new(value, span(at, end)))
    }

    /// Returns where a scalar without quotes ends in brackets: before a comma, a bracket, or a colon with a blank.
    fn flow_plain(&self, start: usize) -> Result<usize, Unusual> {
        if !self.begins_plain(start) {
            return Err(Unusual);
        }
        let (mut at, mut end) = (start, start);
        loop {
            match self.byte(at).ok_or(Unusual)? {
                b',' | b']' | b'}' => return Ok(end),
                b':' if self.byte(at + 1) == Some(b' ') => return if end == at { Ok(end) } else { Err(Unusual) },
                b':' if matches!(self.byte(at + 1), Some(b',' | b']' | b'}' | b'[' | b'{')) => return Err(Unusual),
                0..0x20 | b'[' | b'{' | b'#' => return Err(Unusual),
                b' ' => {}
                _ => end = at + 1,
            }
            at += 1;
        }
    }
}
