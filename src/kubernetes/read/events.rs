//! All YAML, by way of a parser's events: anchors, merge keys, tags, every style of scalar.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::keys::{Twice, json_key, settle};
use super::reasons::in_words;
use super::{Broken, DEEPEST, TOO_DEEP, span};
use crate::kubernetes::scalar::{Plain, resolve};
use crate::kubernetes::tree::{Node, Pair, Span, Value};

/// Reads the documents between two marks: one, unless the text has lines that end with a carriage return alone.
pub(super) fn documents<'s>(
    text: &'s str,
    range: &Range<usize>,
    twice: &mut Vec<Twice>,
) -> Result<Vec<Node<'s>>, Broken> {
    let part = text.get(range.clone()).unwrap_or("");
    let mut builder = Builder {
        text,
        end: range.end,
        offsets: Offsets::new(part, range.start),
        open: Vec::new(),
        nodes: Vec::new(),
        pairs: Vec::new(),
        anchors: BTreeMap::new(),
        budget: 2_000 + part.len() / 2,
        roots: Vec::new(),
        twice: Vec::new(),
    };
    for event in Parser::new_from_str(part) {
        match event {
            Ok((event, at)) => {
                let at = span(builder.offsets.byte(at.start.index()), builder.offsets.byte(at.end.index()));
                builder.take(event, at)?;
            }
            Err(error) => {
                let at = builder.offsets.byte(error.marker().index());
                return Err(Broken::new(span(at, at), in_words(error.info())));
            }
        }
    }
    twice.append(&mut builder.twice);
    Ok(builder.roots)
}

/// Turns the parser's offsets, which count characters, into bytes.
struct Offsets<'s> {
    part: &'s str,
    start: usize,
    /// The bytes before every 64th character; nothing where each character is a byte.
    steps: Vec<usize>,
}

impl<'s> Offsets<'s> {
    fn new(part: &'s str, start: usize) -> Self {
        let steps = match part.is_ascii() {
            true => Vec::new(),
            false => part.char_indices().step_by(64).map(|(at, _)| at).collect(),
        };
        Self { part, start, steps }
    }

    fn byte(&self, characters: usize) -> usize {
        if self.steps.is_empty() {
            return self.start + characters.min(self.part.len());
        }
        let step = (characters / 64).min(self.steps.len().saturating_sub(1));
        let near = self.steps.get(step).copied().unwrap_or(0);
        let rest = self.part.get(near..).unwrap_or("");
        let within = rest.char_indices().nth(characters - 64 * step).map_or(rest.len(), |(at, _)| at);
        self.start + near + within
    }
}

/// A list or mapping whose end is not seen yet.
struct Open<'s> {
    mapping: bool,
    anchor: usize,
    start: u32,
    /// Where its elements or pairs begin on the stack.
    from: usize,
    key: Option<Key<'s>>,
    merged: Vec<Node<'s>>,
}

struct Key<'s> {
    text: Cow<'s, str>,
    at: Span,
    merges: bool,
}

struct Builder<'s> {
    text: &'s str,
    end: usize,
    offsets: Offsets<'s>,
    open: Vec<Open<'s>>,
    nodes: Vec<Node<'s>>,
    pairs: Vec<Pair<'s>>,
    anchors: BTreeMap<usize, Node<'s>>,
    /// How many more values anchors and aliases may copy.
    budget: usize,
    roots: Vec<Node<'s>>,
    twice: Vec<Twice>,
}

impl<'s> Builder<'s> {
    fn take(&mut self, event: Event<'_>, at: Span) -> Result<(), Broken> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, _) => self.open(false, anchor, self.with_dash(at)),
            Event::MappingStart(anchor, _) => self.open(true, anchor, at),
            Event::SequenceEnd | Event::MappingEnd => self.close(at),
        }
    }

    fn open(&mut self, mapping: bool, anchor: usize, at: Span) -> Result<(), Broken> {
        if self.wants_key() {
            return Err(Broken::new(span(at.start as usize, at.start as usize), COMPLEX_KEY.to_owned()));
        }
        if self.open.len() >= DEEPEST {
            return Err(Broken::new(at, TOO_DEEP.to_owned()));
        }
        let from = if mapping { self.pairs.len() } else { self.nodes.len() };
        self.open.push(Open { mapping, anchor, start: at.start, from, key: None, merged: Vec::new() });
        Ok(())
    }

    fn close(&mut self, at: Span) -> Result<(), Broken> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let last = match open.mapping {
            true => self.pairs.get(open.from..).and_then(<[_]>::last).map(|pair| pair.node.span.end.max(pair.at.end)),
            false => self.nodes.get(open.from..).and_then(<[_]>::last).map(|node| node.span.end),
        };
        let bracket = self.byte(at.start as usize).filter(|byte| matches!(byte, b']' | b'}'));
        let end = match bracket {
            Some(_) if at.end > at.start => at.start + 1,
            _ => last.unwrap_or(open.start),
        };
        let value = if open.mapping {
            let mut pairs = settle(&mut self.pairs, open.from, &mut self.twice);
            merge(&mut pairs, open.merged);
            Value::Mapping(pairs)
        } else {
            Value::Sequence(self.nodes.drain(open.from..).collect())
        };
        let node = Node::new(value, Span { start: open.start, end: end.max(open.start) });
        self.anchor(open.anchor, &node)?;
        self.push(node)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(..self.end)?.get(at).copied()
    }

    /// Tells whether the next node is a key.
    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.mapping && open.key.is_none())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Span,
    ) -> Result<(), Broken> {
        let is_key = self.wants_key();
        let node = if text.is_empty() && style == ScalarStyle::Plain {
            let at = self.place_of_nothing(at);
            Node::new(Value::Plain(Cow::Borrowed("")), span(at, at))
        } else {
            let at = self.extent(style, at);
            Node::new(Value::Plain(self.borrowed(text, style, at)), at)
        };
        let node = Node::new(typed(node.value, style, tag), node.span);
        self.anchor(anchor, &node)?;
        if is_key { self.key(node, style, tag) } else { self.push(node) }
    }

    /// Returns where a value would stand that is not there: behind its colon or dash.
    fn place_of_nothing(&self, at: Span) -> usize {
        let Some(open) = self.open.last() else { return at.start as usize };
        let Some(key) = &open.key else {
            return if open.mapping { at.start as usize } else { self.behind_dashes(at.start as usize) };
        };
        let mut behind = key.at.end as usize;
        while matches!(self.byte(behind), Some(b' ' | b'\t')) {
            behind += 1;
        }
        if self.byte(behind) == Some(b':') { behind + 1 } else { key.at.end as usize }
    }

    /// Returns the offset of the first byte in the line of an offset that is no blank.
    fn first_of_line(&self, at: usize) -> usize {
        let line = self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(self.offsets.start, |end| end + 1);
        let blanks = self.text.as_bytes().get(line.max(self.offsets.start)..).unwrap_or(&[]);
        line + blanks.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && matches!(self.byte(at + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n'))
    }

    /// Returns the offset behind the dashes with which a line begins: the parser tells only what stands behind them.
    fn behind_dashes(&self, at: usize) -> usize {
        let mut dash = self.first_of_line(at);
        let mut behind = at;
        while self.is_dash(dash) && dash < at {
            behind = dash + 1;
            dash = behind
                + self.text.get(behind..).map_or(0, |rest| rest.len() - rest.trim_start_matches([' ', '\t']).len());
        }
        behind
    }

    /// Returns the place of a list below a key, from its first dash on: the parser tells only what stands behind it.
    fn with_dash(&self, at: Span) -> Span {
        let dash = self.first_of_line(at.start as usize);
        let below =
            self.open.last().and_then(|open| open.key.as_ref()).is_some_and(|key| (key.at.start as usize) < dash);
        if below && self.is_dash(dash) && dash < at.start as usize { span(dash, at.end as usize) } else { at }
    }

    /// Returns where a scalar really begins and ends: the parser counts what follows it, and tags and anchors before it.
    fn extent(&self, style: ScalarStyle, at: Span) -> Span {
        let end = (at.end as usize).min(self.end);
        let mut start = at.start as usize;
        // Tags and anchors come before the scalar, a blank between them.
        while matches!(self.byte(start), Some(b'!' | b'&'))
            && style != ScalarStyle::Literal
            && style != ScalarStyle::Folded
        {
            let rest = self.text.get(start..end).unwrap_or("");
            let token = rest.find([' ', '\t', '\n', '\r']).unwrap_or(rest.len());
            let behind = rest.get(token..).unwrap_or("");
            start += token + (behind.len() - behind.trim_start().len());
        }
        let text = self.text.get(start..end).unwrap_or("");
        let length = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => quoted_length(text, style),
            _ => text.trim_end().len(),
        };
        span(start, start + length)
    }

    /// Returns the text of a scalar as a part of the file, where it stands there in the same letters.
    fn borrowed(&self, text: Cow<'_, str>, style: ScalarStyle, at: Span) -> Cow<'s, str> {
        let quote = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
        let start = at.start as usize + quote;
        let text = self.as_written(text, style);
        match self.text.get(start..start + text.len()) {
            Some(same) if same == text => Cow::Borrowed(same),
            _ => Cow::Owned(text.into_owned()),
        }
    }

    /// Takes off a line break that the parser adds to a block with which the file ends.
    fn as_written<'t>(&self, text: Cow<'t, str>, style: ScalarStyle) -> Cow<'t, str> {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let all = self.text.get(..self.end).unwrap_or("");
        let stripped = text
            .strip_suffix('\n')
            .filter(|text| is_block && !all.ends_with(['\n', '\r']) && all.ends_with(last_line(text)));
        match stripped {
            Some(stripped) if !stripped.is_empty() => Cow::Owned(stripped.to_owned()),
            _ => text,
        }
    }

    fn key(&mut self, node: Node<'s>, style: ScalarStyle, tag: Option<&Tag>) -> Result<(), Broken> {
        let merges = match &node.value {
            Value::Plain(text) => text == "<<" && style == ScalarStyle::Plain,
            _ => tag.is_some_and(|tag| name_of(tag) == Some("merge")),
        };
        let at = node.span;
        let text = match node.value {
            Value::Plain(text) if !merges => {
                json_key(text).map_err(|reason| Broken::new(at, format!("Kubernetes knows no such key: {reason}")))?
            }
            Value::Plain(text) | Value::Text(text) => text,
            _ => return Err(Broken::new(at, COMPLEX_KEY.to_owned())),
        };
        if let Some(open) = self.open.last_mut() {
            open.key = Some(Key { text, at, merges });
        }
        Ok(())
    }

    fn anchor(&mut self, anchor: usize, node: &Node<'s>) -> Result<(), Broken> {
        if anchor > 0 {
            let depth = self.open.len();
            self.weigh(node, depth).map_err(|reason| Broken::new(node.span, reason.to_owned()))?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Span) -> Result<(), Broken> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Broken::new(at, "an alias stands within what it refers to".to_owned()));
        };
        let depth = self.open.len();
        self.weigh(&node, depth).map_err(|reason| Broken::new(at, reason.to_owned()))?;
        if self.wants_key() { self.key(node, ScalarStyle::Plain, None) } else { self.push(node) }
    }

    /// Takes a copy from the budget.
    fn weigh(&mut self, node: &Node<'_>, depth: usize) -> Result<(), &'static str> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        let cost = match &node.value {
            Value::Plain(Cow::Owned(text)) | Value::Text(Cow::Owned(text)) => 1 + text.len() / 64,
            _ => 1,
        };
        self.budget = self.budget.checked_sub(cost).ok_or(TOO_MANY)?;
        node.items().iter().try_for_each(|item| self.weigh(item, depth + 1))?;
        node.pairs().iter().try_for_each(|pair| self.weigh(&pair.node, depth + 1))
    }

    fn push(&mut self, node: Node<'s>) -> Result<(), Broken> {
        let Some(open) = self.open.last_mut() else {
            if !node.is_null() {
                self.roots.push(node);
            }
            return Ok(());
        };
        let Some(key) = open.key.take() else {
            self.nodes.push(node);
            return Ok(());
        };
        if !key.merges {
            self.pairs.push(Pair { key: key.text, at: key.at, node });
            return Ok(());
        }
        let refused = || Broken::new(key.at, "a merge key takes a mapping, or a list of mappings".to_owned());
        match node.value {
            Value::Mapping(_) => open.merged.push(node),
            Value::Sequence(items) => {
                if items.iter().any(|item| !matches!(item.value, Value::Mapping(_))) {
                    return Err(refused());
                }
                open.merged.extend(items);
            }
            _ => return Err(refused()),
        }
        Ok(())
    }
}

const COMPLEX_KEY: &str = "a list or mapping stands as a key, which Kubernetes knows not";
const TOO_MANY: &str = "aliases make far more of this document than it is long";

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or(text)
}

/// Adds what merge keys bring: keys that the mapping has itself win, then those of the first.
fn merge<'s>(pairs: &mut Vec<Pair<'s>>, merged: Vec<Node<'s>>) {
    if merged.is_empty() {
        return;
    }
    let mut known: std::collections::HashSet<String> = pairs.iter().map(|pair| pair.key.clone().into_owned()).collect();
    for node in merged {
        if let Value::Mapping(added) = node.value {
            pairs.extend(added.into_iter().filter(|pair| known.insert(pair.key.clone().into_owned())));
        }
    }
}

/// Returns the length of the string in quotes with which a text begins.
fn quoted_length(text: &str, style: ScalarStyle) -> usize {
    let bytes = text.as_bytes();
    let quote = if style == ScalarStyle::SingleQuoted { b'\'' } else { b'"' };
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match *byte {
            b'\\' if quote == b'"' => at += 1,
            byte if byte == quote && quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Returns the name of a tag of YAML's own (`str` of `!!str`).
fn name_of(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() {
        return Some(&tag.suffix);
    }
    tag.suffix.strip_prefix("tag:yaml.org,2002:").filter(|_| tag.handle.is_empty())
}

/// Returns what a scalar is by its style and tag.
fn typed<'s>(value: Value<'s>, style: ScalarStyle, tag: Option<&Tag>) -> Value<'s> {
    let Value::Plain(text) = value else { return value };
    let name = tag.and_then(name_of);
    match name {
        Some("str") => Value::Text(text),
        Some("binary") => Value::Text(decoded(&text).map_or(text, Cow::Owned)),
        Some("int" | "float" | "bool" | "null") if style != ScalarStyle::Plain => match resolve(&text) {
            Plain::Text(_) => Value::Text(text),
            _ => Value::Plain(text),
        },
        _ if tag.is_some_and(|tag| tag.handle.is_empty() && tag.suffix == "!") => Value::Text(text),
        _ if style == ScalarStyle::Plain => Value::Plain(text),
        _ => Value::Text(text),
    }
}

fn decoded(text: &str) -> Option<String> {
    let letters: String = text.split_ascii_whitespace().collect();
    String::from_utf8(BASE64_STANDARD.decode(letters).ok()?).ok()
}
