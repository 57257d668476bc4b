//! What stands around a place in a module's text, and where a name is bound there: by syntax alone.
//!
//! Nix names a place in a generated file; what is bound there tells which definition the file has it from.

use std::ops::Range;

use rnix::{SyntaxKind, SyntaxNode, SyntaxToken, TextSize, ast};

use super::read::{cast, node, parse};

/// Something around a byte of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    /// What it is.
    pub what: Enclosing,
    /// Its bytes, with what ends it.
    pub range: Range<usize>,
}

/// The kinds of what encloses a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enclosing {
    /// `a.b = …;`: the names, none of them computed.
    Binding(Vec<String>),
    /// An element of a list, counted from 0.
    Element(usize),
}

/// Returns the bindings and elements around a byte of a text, the outermost first; nothing for text that is not Nix.
pub fn around(text: &str, offset: usize) -> Vec<Around> {
    let Ok(root) = parse(text) else { return Vec::new() };
    let Some(token) = token_at(&root, offset) else { return Vec::new() };
    let mut found: Vec<Around> = token.parent_ancestors().filter_map(|node| enclosing(&node)).collect();
    found.reverse();
    found
}

/// Returns the ranges of the bindings of a module that define what a path of names leads to, or something below it.
///
/// Only the module's own set is looked into, and the sets that stand in it as they are.
pub fn bindings_of(text: &str, path: &[String]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let body =
        parse(text).ok().and_then(|root| root.descendants().find(|node| node.kind() == SyntaxKind::NODE_ATTR_SET));
    if let Some(body) = body {
        collect(&body, path, &mut found);
    }
    found
}

fn collect(set: &SyntaxNode, path: &[String], found: &mut Vec<Range<usize>>) {
    for entry in set.children().filter(|child| child.kind() == SyntaxKind::NODE_ATTRPATH_VALUE) {
        let Some(names) = names_of(&entry) else { continue };
        if names.starts_with(path) {
            found.push(range_of(&entry));
        } else if let Some(rest) = path.strip_prefix(names.as_slice()) {
            let inner = entry.children().find(|child| child.kind() == SyntaxKind::NODE_ATTR_SET);
            let before = found.len();
            if let Some(inner) = inner {
                collect(&inner, rest, found);
            }
            // A value that is no plain set holds what lies below it.
            if found.len() == before {
                found.push(range_of(&entry));
            }
        }
    }
}

/// Returns the range of an element of the first list in a range of a text, counted from 0.
pub fn element_of(text: &str, range: &Range<usize>, index: usize) -> Option<Range<usize>> {
    let root = parse(text).ok()?;
    let within = |node: &SyntaxNode| {
        let own = range_of(node);
        own.start >= range.start && own.end <= range.end
    };
    let list = root.descendants().find(|node| node.kind() == SyntaxKind::NODE_LIST && within(node))?;
    list.children().nth(index).map(|element| range_of(&element))
}

/// Returns where, within `part`, that stands which begins at `offset` in `text`, in bytes: a token, or `a.b.c`; `part` is an
/// expression, and `text[range]` holds it, however it is laid out.
pub fn token_within(text: &str, range: &Range<usize>, offset: usize, part: &str) -> Option<Range<usize>> {
    let root = parse(text).ok()?;
    let wanted = token_at(&root, offset)?;
    let part_root = parse(part).ok()?;
    let own = tokens(&part_root, &(0..part.len()));
    let all = tokens(&root, range);
    let at = all.iter().position(|token| *token == wanted)?;
    let same = |start: usize| {
        let of_text = all.get(start..).unwrap_or_default();
        of_text.len() >= own.len() && of_text.iter().zip(&own).all(|(a, b)| is_same(a, b))
    };
    let start = (0..=at).rev().find(|start| same(*start))?;
    own.get(at - start).map(range_of_selection)
}

/// Tells whether two tokens are the same but for layout.
fn is_same(a: &SyntaxToken, b: &SyntaxToken) -> bool {
    // The formatter indents the lines of a string anew.
    a.kind() == b.kind() && (a.kind() == SyntaxKind::TOKEN_STRING_CONTENT || a.text() == b.text())
}

fn tokens(root: &SyntaxNode, range: &Range<usize>) -> Vec<SyntaxToken> {
    root.descendants_with_tokens()
        .filter_map(rnix::NodeOrToken::into_token)
        .filter(|token| !token.kind().is_trivia())
        .filter(|token| {
            let own = range_of_token(token);
            own.start >= range.start && own.end <= range.end
        })
        .collect()
}

fn token_at(root: &SyntaxNode, offset: usize) -> Option<SyntaxToken> {
    let offset = TextSize::new(u32::try_from(offset).ok()?);
    (offset < root.text_range().end()).then(|| root.token_at_offset(offset).right_biased()).flatten()
}

fn enclosing(node: &SyntaxNode) -> Option<Around> {
    let range = range_of(node);
    if node.kind() == SyntaxKind::NODE_ATTRPATH_VALUE {
        return Some(Around { what: Enclosing::Binding(names_of(node)?), range });
    }
    let list = node.parent().filter(|parent| parent.kind() == SyntaxKind::NODE_LIST)?;
    let index = list.children().position(|child| child == *node)?;
    Some(Around { what: Enclosing::Element(index), range })
}

/// Returns the names of a binding; none where one is computed.
fn names_of(entry: &SyntaxNode) -> Option<Vec<String>> {
    let path = entry.children().find_map(cast::<ast::Attrpath>)?;
    path.attrs()
        .map(|attr| match attr {
            ast::Attr::Ident(ident) => Some(node(&ident).text().to_string()),
            ast::Attr::Str(text) => match text.normalized_parts().as_slice() {
                [] => Some(String::new()),
                [ast::InterpolPart::Literal(text)] => Some(text.clone()),
                _ => None,
            },
            ast::Attr::Dynamic(_) => None,
        })
        .collect()
}

fn range_of(node: &SyntaxNode) -> Range<usize> {
    node.text_range().start().into()..node.text_range().end().into()
}

/// Returns the range of a token, and of the attributes that are selected of it.
fn range_of_selection(token: &SyntaxToken) -> Range<usize> {
    let start = token.text_range().start();
    let begins = token.parent_ancestors().take_while(|node| node.text_range().start() == start);
    let selection = begins.filter(|node| node.kind() == SyntaxKind::NODE_SELECT).last();
    selection.map_or_else(|| range_of_token(token), |node| range_of(&node))
}

fn range_of_token(token: &SyntaxToken) -> Range<usize> {
    token.text_range().start().into()..token.text_range().end().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::string_slice, reason = "a test fails by a panic")]

    use super::*;

    const TEXT: &str = "{ pkgs, ... }:\n{\n  a.\"b.c\" = {\n    d = [\n      pkgs.x\n      (pkgs.y.override { z = 1; })\n    ];\n    e = 2;\n  };\n}\n";

    fn at(needle: &str) -> usize {
        TEXT.find(needle).unwrap()
    }

    #[test]
    fn what_stands_around_a_place_is_named_from_outside_in() {
        let what: Vec<Enclosing> = around(TEXT, at("y.override")).into_iter().map(|around| around.what).collect();
        let names = |names: &[&str]| Enclosing::Binding(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(what, [names(&["a", "b.c"]), names(&["d"]), Enclosing::Element(1)]);
        for bad in ["{", "", "{ a = "] {
            assert!(around(bad, 0).is_empty());
        }
        assert!(around(TEXT, usize::MAX).is_empty());
    }

    #[test]
    fn a_name_leads_to_its_binding_to_those_below_it_and_to_a_value_that_holds_it() {
        let of = |path: &[&str]| -> Vec<&str> {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            bindings_of(TEXT, &path).into_iter().map(|range| &TEXT[range]).collect()
        };
        assert_eq!(of(&["a", "b.c", "e"]), ["e = 2;"]);
        assert_eq!(of(&["a", "b.c", "e", "f"]), ["e = 2;"]);
        assert_eq!(of(&["a"]), [&TEXT[at("a.\"")..at("\n}\n")]]);
        assert!(of(&["b"]).is_empty());
    }

    #[test]
    fn an_element_is_found_by_its_number() {
        let binding = bindings_of(TEXT, &["a".to_owned(), "b.c".to_owned(), "d".to_owned()]).remove(0);
        assert_eq!(element_of(TEXT, &binding, 0).map(|range| &TEXT[range]), Some("pkgs.x"));
        assert_eq!(element_of(TEXT, &binding, 2), None);
    }

    #[test]
    fn a_token_of_a_formatted_expression_is_found_in_the_one_that_was_written() {
        let written = "pkgs.y.override   {\n z=1;}";
        let range = at("(pkgs.y")..at("\n    ];");
        let token = token_within(TEXT, &range, at("z = 1"), written).unwrap();
        assert_eq!(&written[token], "z");
        assert_eq!(token_within(TEXT, &range, at("e = 2"), written), None);
        let selection = token_within(TEXT, &range, at("pkgs.y"), written).unwrap();
        assert_eq!(&written[selection], "pkgs.y.override");
    }
}
