//! JSON, strictly, with the place of everything.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::keys::{Twice, settle};
use super::{DEEPEST, MANY_BYTES, TOO_DEEP, span};
use crate::kubernetes::tree::{Node, Pair, Value};

/// What is no JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Offset of the first byte that does not fit.
    pub(super) at: usize,
    /// The reason.
    pub(super) reason: &'static str,
}

/// Reads the values of a stream, one behind the other.
pub(super) fn stream<'s>(text: &'s str, range: Range<usize>, twice: &mut Vec<Twice>) -> Result<Vec<Node<'s>>, Wrong> {
    let mut json = Json::new(text, range);
    let mut values = Vec::new();
    loop {
        json.blanks();
        if json.peek().is_none() {
            twice.append(&mut json.twice);
            return Ok(values);
        }
        values.push(json.value()?);
    }
}

struct Json<'s> {
    text: &'s str,
    bytes: &'s [u8],
    at: usize,
    depth: usize,
    /// Elements and pairs of what is open: a list or mapping takes its own off the end, so that its vector is as long as needed.
    nodes: Vec<Node<'s>>,
    pairs: Vec<Pair<'s>>,
    twice: Vec<Twice>,
}

impl<'s> Json<'s> {
    fn new(text: &'s str, range: Range<usize>) -> Self {
        let bytes = text.as_bytes().get(..range.end).unwrap_or(&[]);
        let (nodes, pairs, twice) = (Vec::new(), Vec::new(), Vec::new());
        Self { text, bytes, at: range.start, depth: 0, nodes, pairs, twice }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn wrong<T>(&self, reason: &'static str) -> Result<T, Wrong> {
        Err(Wrong { at: self.at, reason })
    }

    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ') => {
                    self.at += 1;
                    // Most blanks are indentation.
                    while self.bytes.get(self.at..self.at + 8) == Some(b"        ") {
                        self.at += 8;
                    }
                }
                Some(b'\n' | b'\r' | b'\t') => self.at += 1,
                _ => return,
            }
        }
    }

    /// Reads a value; the cursor stands at its first byte.
    fn value(&mut self) -> Result<Node<'s>, Wrong> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'"') => Value::Text(self.string()?),
            Some(b'{') => self.within(Self::mapping)?,
            Some(b'[') => self.within(Self::sequence)?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return self.wrong("a value is expected here"),
        };
        Ok(Node::new(value, span(start, self.at)))
    }

    fn within(&mut self, read: fn(&mut Self) -> Result<Value<'s>, Wrong>) -> Result<Value<'s>, Wrong> {
        if self.depth == DEEPEST {
            return self.wrong(TOO_DEEP);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn mapping(&mut self) -> Result<Value<'s>, Wrong> {
        let from = self.pairs.len();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Mapping(Vec::new()));
        }
        loop {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return self.wrong("a key in double quotes is expected here");
            }
            let key = self.string()?;
            let at = span(start, self.at);
            self.blanks();
            if self.peek() != Some(b':') {
                return self.wrong("a colon is expected here, behind the key");
            }
            self.at += 1;
            self.blanks();
            let node = match self.peek() {
                Some(b'[') if self.depth == 1 && key == "items" => self.long_list()?,
                _ => self.value()?,
            };
            self.pairs.push(Pair { key, at, node });
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                }
                Some(b'}') => break,
                _ => return self.wrong("a comma or `}` is expected here"),
            }
        }
        self.at += 1;
        Ok(Value::Mapping(settle(&mut self.pairs, from, &mut self.twice)))
    }

    fn sequence(&mut self) -> Result<Value<'s>, Wrong> {
        let from = self.nodes.len();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Sequence(Vec::new()));
        }
        loop {
            let node = self.value()?;
            self.nodes.push(node);
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.blanks();
                }
                Some(b']') => break,
                _ => return self.wrong("a comma or `]` is expected here"),
            }
        }
        self.at += 1;
        Ok(Value::Sequence(self.nodes.drain(from..).collect()))
    }

    /// Reads the elements of a dump's `items` side by side, where there are enough of them.
    fn long_list(&mut self) -> Result<Node<'s>, Wrong> {
        let start = self.at;
        let Some((elements, end)) = elements(self.bytes, start) else { return self.value() };
        if end - start < MANY_BYTES || elements.len() < 2 {
            return self.value();
        }
        let text = self.text;
        let depth = self.depth + 1;
        let read: Vec<_> = elements
            .into_par_iter()
            .map(|element| {
                let mut json = Self { depth, ..Self::new(text, element) };
                json.blanks();
                let node = json.value()?;
                json.blanks();
                if json.peek().is_some() {
                    json.wrong("a comma or `]` is expected here")
                } else {
                    Ok((node, json.twice))
                }
            })
            .collect();
        let mut items = Vec::with_capacity(read.len());
        for element in read {
            let (node, mut twice) = element?;
            self.twice.append(&mut twice);
            items.push(node);
        }
        self.at = end;
        Ok(Node::new(Value::Sequence(items), span(start, end)))
    }

    fn word(&mut self, word: &'static str) -> Result<Value<'s>, Wrong> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let Some(behind) = rest.strip_prefix(word.as_bytes()) else { return self.wrong("a value is expected here") };
        if behind.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return self.wrong("a value is expected here");
        }
        self.at += word.len();
        Ok(Value::Plain(Cow::Borrowed(word)))
    }

    fn digits(&mut self) -> bool {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > from
    }

    fn number(&mut self) -> Result<Value<'s>, Wrong> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else if !self.digits() {
            return self.wrong("a digit is expected here");
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.digits() {
                return self.wrong("a digit is expected here");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.digits() {
                return self.wrong("a digit is expected here");
            }
        }
        if self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.') {
            return self.wrong("a number ends here, and something follows that is no comma");
        }
        Ok(Value::Plain(Cow::Borrowed(self.slice(start, self.at))))
    }

    fn slice(&self, start: usize, end: usize) -> &'s str {
        self.text.get(start..end).unwrap_or("")
    }

    /// Reads a string; the cursor stands at its quote.
    fn string(&mut self) -> Result<Cow<'s, str>, Wrong> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut copied = start;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let part = self.slice(copied, self.at);
                    let text = owned.get_or_insert_default();
                    text.push_str(part);
                    let character = self.escape()?;
                    owned.get_or_insert_default().push(character);
                    copied = self.at;
                }
                Some(0..=0x1f) => return self.wrong("a line break or control character stands within a string"),
                Some(_) => self.at += 1,
                None => return self.wrong("the text ends within a string"),
            }
        }
        let rest = self.slice(copied, self.at);
        self.at += 1;
        Ok(match owned {
            None => Cow::Borrowed(rest),
            Some(mut text) => {
                text.push_str(rest);
                Cow::Owned(text)
            }
        })
    }

    fn escape(&mut self) -> Result<char, Wrong> {
        let character = match self.bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return self.wrong("JSON has no such escape"),
        };
        self.at += 2;
        Ok(character)
    }

    fn unicode(&mut self) -> Result<char, Wrong> {
        let Some(first) = self.unit(self.at) else {
            return self.wrong("four hexadecimal digits are expected behind `\\u`");
        };
        let both = self.unit(self.at + 6);
        if let Some(character) = char::from_u32(u32::from(first)) {
            self.at += 6;
            return Ok(character);
        }
        let pair = both.and_then(|second| char::decode_utf16([first, second]).next().and_then(Result::ok));
        match pair {
            Some(character) => {
                self.at += 12;
                Ok(character)
            }
            None => self.wrong("half of a character: a surrogate stands alone"),
        }
    }

    /// Returns the number of a `\uXXXX` at an offset.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits
            .iter()
            .try_fold(0, |unit: u16, digit| Some(unit * 16 + u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
    }
}

/// Returns the ranges between the commas of a list, and the offset behind its bracket, without a look at what stands there: the list
/// opens at `start`. None where brackets do not match.
fn elements(bytes: &[u8], start: usize) -> Option<(Vec<Range<usize>>, usize)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut at = start;
    let mut begin = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += 1;
                loop {
                    at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
                    if bytes.get(at) == Some(&b'"') {
                        break;
                    }
                    at += 2;
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    found.push(begin..at);
                    return Some((found, at + 1));
                }
            }
            b',' if depth == 1 => {
                found.push(begin..at);
                begin = at + 1;
            }
            b' ' => {
                while bytes.get(at + 1..at + 9) == Some(b"        ") {
                    at += 8;
                }
            }
            _ => {}
        }
        at += 1;
    }
}
