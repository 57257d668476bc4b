//! TOML files as trees of [`Node`].

use std::borrow::Cow;

use toml::Spanned as TomlSpanned;
use toml::de::{DeTable, DeValue};

use super::files::place_in;
use super::{Diagnostic, Diagnostics, Entry, FileId, Item, Kind, Node, ORDER, Sources, Table};

/// Reads a TOML file; every syntax error becomes a finding `toml-invalid`, and what could be read is returned.
pub fn parse_toml(sources: &Sources, file: FileId, found: &mut Diagnostics) -> Node {
    let text = sources.text(file);
    let (root, errors) = DeTable::parse_recoverable(&text);
    let reader = Reader { text: &text, file };
    let mut said: Diagnostics = errors
        .into_iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            let place = place_in(&text, file, span.start, span.end);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            with_cure(Diagnostic::error("toml-invalid", place, message))
        })
        .collect();
    let place = place_in(&text, file, 0, 0);
    let tree = Node::new(Kind::Table(reader.table(root.into_inner(), &mut said)), place);
    // The parser goes on after an error, and what it then says in that line follows from the first. Only what stands between two
    // is looked at: a file can have as many errors as lines.
    let in_one_line = |later: &mut Diagnostic, first: &mut Diagnostic| {
        let between = first.primary.place.start as usize..later.primary.place.start as usize;
        text.as_bytes().get(between).is_some_and(|between| memchr::memchr(b'\n', between).is_none())
    };
    said.sort_by_key(|finding| finding.primary.place.start);
    if said.len() > 1 {
        only_unclosed(&mut said, &tree, &text);
        said.dedup_by(in_one_line);
    }
    found.append(&mut said);
    tree
}

/// Leaves of the errors in a list or inline table that is not closed the one that says so, at the bracket that opens it: all that
/// comes after was read as its elements.
fn only_unclosed(said: &mut Diagnostics, tree: &Node, text: &str) {
    let unclosed = |finding: &Diagnostic| {
        ["unclosed array,", "unclosed inline table,"].iter().any(|start| finding.message.starts_with(start))
    };
    let Some(last) = said.iter().rev().find(|finding| unclosed(finding)) else { return };
    let message = last.message.clone();
    let Some(mut opening) = last_open(tree, text) else { return };
    opening.end = opening.start + 1;
    said.retain(|finding| finding.primary.place.start < opening.start);
    said.push(
        Diagnostic::error("toml-invalid", opening, message)
            .label("opened here")
            .help("close it; what follows in the file was read as its elements"),
    );
}

/// Returns the place of the last list or inline table that has no end.
fn last_open(node: &Node, text: &str) -> Option<super::Place> {
    let nodes: Vec<&Node> = match &node.kind {
        Kind::Table(table) => table.values().map(|entry| &entry.node).collect(),
        Kind::List(items) => items.iter().map(|item| &item.node).collect(),
        _ => return None,
    };
    let below = nodes.into_iter().filter_map(|node| last_open(node, text)).max_by_key(|place| place.start);
    let own = text.get(node.place.start as usize..node.place.end as usize).unwrap_or_default();
    let is_open = own.starts_with('[') && !own.ends_with(']') || own.starts_with('{') && !own.ends_with('}');
    below.or(is_open.then_some(node.place))
}

fn with_cure(finding: Diagnostic) -> Diagnostic {
    if finding.message.contains("duplicate key") {
        return finding.help("write the key once; two tables of one name become one");
    }
    if finding.message.contains("recursion limit") {
        return finding.help("values nest 80 levels deep at most");
    }
    finding
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
}

impl Reader<'_> {
    fn table(&self, table: DeTable<'_>, found: &mut Diagnostics) -> Table {
        let mut entries: Vec<(String, Entry)> = table
            .into_iter()
            .map(|(key, value)| {
                let span = key.span();
                let key_place = place_in(self.text, self.file, span.start, span.end);
                (key.into_inner().into_owned(), Entry { key: key_place, node: self.node(value, found) })
            })
            .collect();
        // The parser sorts by name; people think in the order of the file.
        entries.sort_by_key(|(_, entry)| entry.key.start);
        entries.into_iter().collect()
    }

    fn node(&self, value: TomlSpanned<DeValue<'_>>, found: &mut Diagnostics) -> Node {
        let span = value.span();
        let place = place_in(self.text, self.file, span.start, span.end);
        let kind = match value.into_inner() {
            DeValue::String(text) => Kind::Str(Cow::into_owned(text)),
            DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
                Ok(int) => Kind::Int(int),
                Err(_) => self.bad_number(place, "an integer must fit 64 bits", found),
            },
            DeValue::Float(float) => match float.as_str().parse() {
                Ok(float) => Kind::Float(float),
                Err(_) => self.bad_number(place, "the number cannot be read", found),
            },
            DeValue::Boolean(value) => Kind::Bool(value),
            DeValue::Datetime(date) => Kind::Date(date.to_string()),
            DeValue::Array(array) => {
                Kind::List(array.into_iter().map(|item| Item { node: self.node(item, found), order: ORDER }).collect())
            }
            DeValue::Table(table) => Kind::Table(self.table(table, found)),
        };
        Node::new(kind, place)
    }

    #[expect(clippy::unused_self, reason = "keeps the reader's calls alike")]
    fn bad_number(&self, place: super::Place, why: &str, found: &mut Diagnostics) -> Kind {
        found.push(Diagnostic::error("toml-invalid", place, why));
        Kind::Int(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test measures time")]

    use super::*;

    fn parse(text: &str) -> (Sources, Node, Diagnostics) {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", text);
        let mut found = Vec::new();
        let node = parse_toml(&sources, file, &mut found);
        (sources, node, found)
    }

    #[test]
    fn as_many_errors_as_lines_take_no_longer_than_to_read_them() {
        let began = std::time::Instant::now();
        let (_, _, found) = parse(&"[nixos.a.b]\nc = 1\n".repeat(20_000));
        // Of each repetition the table and its key, on a line each.
        assert_eq!(found.len(), 39_998);
        // Where each looked at all lines before it these were ten minutes.
        assert!(began.elapsed() < std::time::Duration::from_mins(2), "{:?}", began.elapsed());
    }

    #[test]
    fn one_mistake_is_one_error_at_its_place() {
        let tail = "role = 'x'\n[machine]\ncpu = 'amd'\n[boot]\nloader = 'grub'\n";
        for (line, at) in [
            ("a = = 1", 4),
            ("a = \"abc", 8),
            ("a = [1, 2", 4),
            ("a = [[1, 2]", 4),
            ("a = { b = 1", 4),
            ("a = [{ b = 1 }, { b = 2", 4),
            ("a = { b = [1, 2 }", 10),
            ("[machine", 8),
            ("a b = 1", 2),
            ("a: 1", 1),
            ("a = 01", 4),
            ("a = [1 2]", 5),
            ("a = 1, b = 2", 5),
        ] {
            let (_, _, found) = parse(&format!("{line}\n{tail}"));
            let at_all: Vec<u32> = found.iter().map(|finding| finding.primary.place.start).collect();
            assert_eq!(at_all, [at], "{line}: {found:#?}");
        }
        let (_, _, found) = parse("a = = 1\nb = 2\nc = = 3\n");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn every_key_and_value_keeps_its_place_and_order() {
        let (sources, node, found) = parse("z = 1\n[a.\"b.c\"]\nx = [true, \"é\"]\n");
        assert!(found.is_empty());
        let keys: Vec<_> = node.as_table().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["z", "a"]);
        let list = node.at(&["a", "b.c", "x"]).unwrap();
        assert_eq!(sources.excerpt(list.place), "[true, \"é\"]");
        assert_eq!(sources.excerpt(list.as_list().unwrap()[1].node.place), "\"é\"");
    }

    #[test]
    fn all_syntax_errors_of_a_file_are_found_in_one_run() {
        let (_, _, found) = parse("a = \nb = 2\nc == 3\nd = 99999999999999999999\n");
        assert!(found.len() >= 3, "{found:?}");
        assert!(found.iter().all(|finding| finding.rule == "toml-invalid"));
    }

    #[test]
    fn ten_thousand_levels_are_refused_and_do_not_overflow_the_stack() {
        for text in [
            format!("a = {}", "[".repeat(10_000)),
            format!("a = {}", "{b=".repeat(10_000)),
            vec!["a"; 10_000].join(".") + " = 1",
        ] {
            let (_, _, found) = parse(&text);
            assert!(!found.is_empty());
        }
    }
}
