//! JSON files as trees of [`Node`].

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};

use super::files::place_in;
use super::{Diagnostic, Diagnostics, Entry, FileId, Item, Kind, Node, ORDER, Place, Sources, Table};

/// Strict JSON (RFC 8259): none of the parser's extensions.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a JSON file; a syntax error becomes a finding of `rule`, and then nothing is returned.
pub fn parse_json(sources: &Sources, file: FileId, rule: &'static str, found: &mut Diagnostics) -> Option<Node> {
    let text = sources.text(file);
    let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
    let reader = Reader { text: &text, file };
    match parse_to_ast(&text, &collect, &STRICT) {
        Ok(parsed) => match parsed.value {
            Some(value) => Some(reader.node(value)),
            None => {
                found.push(Diagnostic::error(rule, reader.place(0, 0), "the file is empty, JSON is expected"));
                None
            }
        },
        Err(error) => {
            let range = error.range();
            let place = reader.place(range.start, range.end);
            let said = format!("not valid JSON: {}", error.kind());
            found.push(if is_cut_off(error.kind()) {
                let end = text.trim_end().len();
                let finding = Diagnostic::error(rule, reader.place(end, end), said).label("the file ends here");
                finding.related(reader.place(range.start, range.start + 1), "and this is still open")
            } else {
                Diagnostic::error(rule, place, said)
            });
            None
        }
    }
}

/// Tells whether an error is that the text ends before it is whole.
fn is_cut_off(kind: &ParseErrorKind) -> bool {
    matches!(kind, ParseErrorKind::UnterminatedArray | ParseErrorKind::UnterminatedObject)
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
}

impl Reader<'_> {
    fn place(&self, start: usize, end: usize) -> Place {
        place_in(self.text, self.file, start, end)
    }

    fn node(&self, value: Value<'_>) -> Node {
        let range = value.range();
        let kind = match value {
            Value::StringLit(text) => Kind::Str(text.value.into_owned()),
            Value::NumberLit(number) => match number.value.parse::<i64>() {
                Ok(int) => Kind::Int(int),
                Err(_) => Kind::Float(number.value.parse().unwrap_or(f64::NAN)),
            },
            Value::BooleanLit(value) => Kind::Bool(value.value),
            Value::NullKeyword(_) => Kind::Null,
            Value::Array(array) => Kind::List(
                array.elements.into_iter().map(|item| Item { node: self.node(item), order: ORDER }).collect(),
            ),
            Value::Object(object) => Kind::Table(
                object
                    .properties
                    .into_iter()
                    .map(|property| {
                        let range = property.name.range();
                        let entry = Entry { key: self.place(range.start, range.end), node: self.node(property.value) };
                        (property.name.into_string(), entry)
                    })
                    .collect::<Table>(),
            ),
        };
        Node::new(kind, self.place(range.start, range.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_place_and_only_strict_json_is_read() {
        let mut sources = Sources::default();
        let good = sources.add("facts.json", "{\"disks\": [{\"size_bytes\": 12}]}");
        let bad = sources.add("bad.json", "{\"a\": 1, // x\n}");
        let mut found = Vec::new();
        let node = parse_json(&sources, good, "value-invalid", &mut found).unwrap();
        let disk = &node.at(&["disks"]).unwrap().as_list().unwrap()[0].node;
        assert_eq!(sources.excerpt(disk.at(&["size_bytes"]).unwrap().place), "12");
        assert!(found.is_empty());
        assert!(parse_json(&sources, bad, "value-invalid", &mut found).is_none());
        assert_eq!(found.len(), 1);
    }
}
