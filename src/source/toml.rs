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
    let before = found.len();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let place = place_in(&text, file, span.start, span.end);
        // The parser reports follow-up errors at one place: the first says what is wrong.
        if found.iter().skip(before).any(|old| old.primary.place.start == place.start) {
            continue;
        }
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        found.push(with_cure(Diagnostic::error("toml-invalid", place, message)));
    }
    let place = place_in(&text, file, 0, 0);
    let table = reader.table(root.into_inner(), found);
    Node::new(Kind::Table(table), place)
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
    use super::*;

    fn parse(text: &str) -> (Sources, Node, Diagnostics) {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", text);
        let mut found = Vec::new();
        let node = parse_toml(&sources, file, &mut found);
        (sources, node, found)
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
