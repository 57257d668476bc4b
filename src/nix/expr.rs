//! Nix expressions that stand in a value as they are.

use std::collections::BTreeSet;

use rnix::{SyntaxKind, SyntaxNode};

use super::Value;
use super::print::argument;
use super::read::{NixSyntaxError, parse};
use crate::text::{NixString, nix_attribute};

/// One complete Nix expression. It cannot end the place where it is put, and a comment in it ends within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    text: String,
    /// Whether it may stand as a list's element or an argument without parentheses.
    simple: bool,
    /// Whether comments stand around the expression, so that parentheses must close them in.
    commented: bool,
    /// The names that it mentions as variables.
    names: BTreeSet<String>,
}

impl Expr {
    /// Takes Nix as a user wrote it, which must be one expression and nothing else; the places in errors are bytes of
    /// the text.
    pub fn parse(text: &str) -> Result<Self, NixSyntaxError> {
        let none = || NixSyntaxError::new(text, "there is no expression", 0, text.len());
        let root = parse(text).map_err(|errors| errors.into_iter().next().unwrap_or_else(none))?;
        let expr = root.children().next().ok_or_else(none)?;
        // The formatter refuses some text that rnix reads, such as `1 < 2 < 3`, as Nix does too.
        super::print::format(text)?;
        let text = text.trim();
        // Comments around the expression lie beside it, in the root.
        let commented = usize::from(expr.text_range().len()) != text.len();
        Ok(Self { text: text.to_owned(), simple: is_simple(&expr), commented, names: names(&root) })
    }

    /// Returns a variable or an attribute of one: `Expr::select("pkgs", "linuxPackages_6_12")`, and with an empty path the
    /// variable itself. Parts of the path that are no plain names are quoted, so any path is safe.
    pub fn select(variable: &'static str, path: &str) -> Self {
        let path = path.split('.').filter(|part| !part.is_empty());
        Self::select_path(variable, &path.collect::<Vec<_>>())
    }

    /// Returns an attribute of a variable by the parts of its path, which may hold any character.
    pub fn select_path<T: AsRef<str>>(variable: &'static str, path: &[T]) -> Self {
        let mut text = variable.to_owned();
        for part in path {
            text.push('.');
            text.push_str(&nix_attribute(part.as_ref()));
        }
        Self { text, simple: true, commented: false, names: BTreeSet::from([variable.to_owned()]) }
    }

    /// Returns a string that holds this expression's value, such as the path of a package, between other text; none where that
    /// text is one that Nix cannot hold.
    pub fn in_string(&self, before: &str, after: &str) -> Option<Self> {
        let literal = |text: &str| Some(NixString::new(text).ok()?.literal());
        let mut parts = vec![format!("\"${{{}}}\"", self.text)];
        if !before.is_empty() {
            parts.insert(0, literal(before)?);
        }
        if !after.is_empty() {
            parts.push(literal(after)?);
        }
        Self::parse(&parts.join(" + ")).ok()
    }

    /// Returns this function applied to arguments.
    #[must_use]
    pub fn apply(&self, arguments: impl IntoIterator<Item = Value>) -> Self {
        let mut text = String::new();
        let mut names = self.names.clone();
        self.write_simple(&mut text);
        for value in arguments {
            text.push(' ');
            argument(&value, &mut text);
            value.mentions(&mut names);
        }
        Self { text, simple: false, commented: false, names }
    }

    /// Returns Nix of the program itself. The caller vouches that it is one expression; `names` are the variables in it.
    pub(super) fn own(text: String, simple: bool, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Self { text, simple, commented: false, names }
    }

    /// Returns the expression as it was given, without white space around it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the names that the expression mentions as variables, those that it binds itself included.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Writes it where a semicolon follows.
    pub(super) fn write(&self, out: &mut String) {
        if self.commented { self.write_parenthesised(out) } else { out.push_str(&self.text) }
    }

    /// Writes it where another expression may follow.
    pub(super) fn write_simple(&self, out: &mut String) {
        if self.simple && !self.commented { out.push_str(&self.text) } else { self.write_parenthesised(out) }
    }

    fn write_parenthesised(&self, out: &mut String) {
        out.push('(');
        out.push_str(&self.text);
        // The line feed ends a comment.
        out.push_str(if self.text.contains('#') { "\n)" } else { ")" });
    }
}

/// Tells whether a node binds as tightly as an element of a list must.
fn is_simple(node: &SyntaxNode) -> bool {
    use SyntaxKind::{
        NODE_ATTR_SET, NODE_IDENT, NODE_LIST, NODE_LITERAL, NODE_PAREN, NODE_PATH_ABS, NODE_PATH_HOME, NODE_PATH_REL,
        NODE_PATH_SEARCH, NODE_SELECT, NODE_STRING, TOKEN_OR,
    };
    match node.kind() {
        NODE_SELECT => !node.children_with_tokens().any(|part| part.kind() == TOKEN_OR),
        NODE_IDENT | NODE_STRING | NODE_LIST | NODE_ATTR_SET | NODE_PAREN | NODE_LITERAL => true,
        kind => matches!(kind, NODE_PATH_ABS | NODE_PATH_HOME | NODE_PATH_REL | NODE_PATH_SEARCH),
    }
}

/// Collects the names that stand as variables.
fn names(root: &SyntaxNode) -> BTreeSet<String> {
    use SyntaxKind::{NODE_ATTRPATH, NODE_IDENT, NODE_IDENT_PARAM, NODE_PAT_BIND, NODE_PAT_ENTRY};
    root.descendants()
        .filter(|node| node.kind() == NODE_IDENT)
        .filter(|node| match node.parent().map(|parent| (parent.kind(), parent)) {
            Some((NODE_ATTRPATH | NODE_IDENT_PARAM | NODE_PAT_BIND, _)) => false,
            // `a ? b`: a is bound, b is used.
            Some((NODE_PAT_ENTRY, entry)) => entry.first_child().as_ref() != Some(node),
            // `inherit a;` uses the variable a, `inherit (s) a;` only its own s.
            Some((SyntaxKind::NODE_INHERIT, inherit)) => {
                !inherit.children().any(|child| child.kind() == SyntaxKind::NODE_INHERIT_FROM)
            }
            _ => true,
        })
        .map(|node| node.text().to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> (String, String) {
        let expr = Expr::parse(text).unwrap();
        let (mut bound, mut element) = (String::new(), String::new());
        expr.write(&mut bound);
        expr.write_simple(&mut element);
        (bound, element)
    }

    #[test]
    fn an_expression_cannot_end_its_place() {
        for bad in ["", "# x", "1; b = 2", "1 }", "a ) (b", "\"", "''", "{", "/* a", "a, b", "1 # \n ]", "1 < 2 < 3"] {
            assert!(Expr::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(printed("1 # x"), ("(1 # x\n)".to_owned(), "(1 # x\n)".to_owned()));
        assert_eq!(printed("/* a */ f"), ("(/* a */ f)".to_owned(), "(/* a */ f)".to_owned()));
    }

    #[test]
    fn parentheses_stand_where_an_element_needs_them_and_only_there() {
        for simple in ["a.b", "\"x\"", "[ 1 ]", "{ }", "(f x)", "./a", "1", "rec { }", "a.\"b\""] {
            assert_eq!(printed(simple).1, simple);
        }
        for wide in
            ["f x", "a + b", "-1", "x: x", "a.b or c", "with a; b", "let a = 1; in a", "if a then b else c", "!a"]
        {
            assert_eq!(printed(wide), (wide.to_owned(), format!("({wide})")));
        }
    }

    #[test]
    fn the_variables_of_an_expression_are_told_from_names_of_attributes() {
        let names = |text: &str| Expr::parse(text).unwrap().names.into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(
            names("{ lib, x ? config.y, ... }@args: pkgs.lib.id { inherit a; inherit (b) c; d = e.f; }"),
            "a b config e pkgs"
        );
        assert_eq!(names("with pkgs; [ \"${vim}\" ./lib ]"), "pkgs vim");
    }

    #[test]
    fn a_path_of_any_characters_selects_one_attribute() {
        assert_eq!(Expr::select("pkgs", "linuxPackages_6_12.zfs").as_str(), "pkgs.linuxPackages_6_12.zfs");
        assert_eq!(Expr::select("pkgs", "").as_str(), "pkgs");
        assert_eq!(Expr::select("pkgs", "a; b").as_str(), "pkgs.\"a; b\"");
        let call = Expr::select("pkgs", "f").apply([Value::from(-1), Value::from("a"), Expr::select("x", "").into()]);
        assert_eq!(call.as_str(), "pkgs.f (-1) \"a\" x");
    }
}
