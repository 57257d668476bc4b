//! Expressions to values, as far as they are written out.

use std::cell::Cell;

use rnix::ast::{
    self, AstToken as _, BinOpKind, Entry as SetEntry, Expr, HasEntry as _, InterpolPart, LiteralKind, UnaryOpKind,
};

use super::super::read::node;
use super::scope::{Bound, Scope, attr_text};
use super::{COMPUTED, empty};
use crate::source::{Entry, FileId, Item, Kind, Node, ORDER, Place};

/// How deep values are read; what is deeper counts as computed.
const MAX_DEPTH: usize = 100;

/// How many definitions of one value are followed through `mkMerge`, `//` and `if`.
const MAX_DEFINITIONS: usize = 64;

/// Reads the expressions of one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'b> {
    file: FileId,
    depth: usize,
    /// How many expressions may still be read.
    budget: &'b Cell<usize>,
}

impl<'b> Reader<'b> {
    pub(super) fn new(file: FileId, budget: &'b Cell<usize>) -> Self {
        Self { file, depth: 0, budget }
    }

    fn place(self, node: &rnix::SyntaxNode) -> Place {
        let range = node.text_range();
        Place { file: self.file, start: range.start().into(), end: range.end().into() }
    }

    fn computed(self, expr: &Expr) -> Vec<Node> {
        // What it is made from is of no use to a reader, and may be long.
        vec![Node::new(Kind::Nix(String::new()), self.place(node(expr)))]
    }

    /// Returns the definitions that an expression stands for: several of `mkMerge` and `if`, none of an empty `mkMerge`.
    pub(super) fn nodes(self, expr: &Expr, scope: &Scope<'_>) -> Vec<Node> {
        let left = self.budget.get();
        if self.depth >= MAX_DEPTH || left == 0 {
            return self.computed(expr);
        }
        self.budget.set(left - 1);
        let deeper = Self { depth: self.depth + 1, ..self };
        let mut nodes = deeper.read(expr, scope);
        nodes.truncate(MAX_DEFINITIONS);
        nodes
    }

    fn read(self, expr: &Expr, scope: &Scope<'_>) -> Vec<Node> {
        let place = self.place(node(expr));
        let known = |kind| vec![Node::new(kind, place)];
        let inner = |expr: Option<Expr>| expr.map_or_else(Vec::new, |expr| self.nodes(&expr, scope));
        match expr {
            Expr::Paren(paren) => inner(paren.expr()),
            Expr::With(with) => inner(with.body()),
            Expr::Assert(assert) => inner(assert.body()),
            Expr::LetIn(bindings) => {
                let scope = Scope::of_let(bindings, scope);
                bindings.body().map_or_else(Vec::new, |body| self.nodes(&body, &scope))
            }
            Expr::IfElse(branches) => [inner(branches.body()), inner(branches.else_body())].concat(),
            Expr::AttrSet(set) if set.rec_token().is_some() => self.table(set, &Scope::of_rec(set, scope), place),
            Expr::AttrSet(set) => self.table(set, scope, place),
            Expr::List(list) => {
                let item = |item: Expr| {
                    let node = self.nodes(&item, scope).into_iter().next();
                    node.map(|node| Item { node, order: ORDER })
                };
                known(Kind::List(list.items().filter_map(item).collect()))
            }
            Expr::Str(string) => plain(string).map_or_else(|| self.computed(expr), |text| known(Kind::Str(text))),
            Expr::Literal(literal) => match literal.kind() {
                LiteralKind::Integer(value) => {
                    value.value().map_or_else(|_| self.computed(expr), |v| known(Kind::Int(v)))
                }
                LiteralKind::Float(value) => {
                    value.value().map_or_else(|_| self.computed(expr), |v| known(Kind::Float(v)))
                }
                LiteralKind::Uri(uri) => known(Kind::Str(uri.syntax().text().to_owned())),
            },
            Expr::UnaryOp(operation) if operation.operator() == Some(UnaryOpKind::Negate) => {
                match inner(operation.expr()).as_slice() {
                    [Node { kind: Kind::Int(value), .. }] => known(Kind::Int(value.saturating_neg())),
                    [Node { kind: Kind::Float(value), .. }] => known(Kind::Float(-value)),
                    _ => self.computed(expr),
                }
            }
            Expr::BinOp(operation) => match operation.operator() {
                Some(BinOpKind::Update | BinOpKind::Concat) => {
                    [inner(operation.lhs()), inner(operation.rhs())].concat()
                }
                _ => self.computed(expr),
            },
            Expr::Ident(ident) => self.ident(ident, expr, scope),
            Expr::Apply(apply) => self.apply(apply, expr, scope),
            _ => self.computed(expr),
        }
    }

    fn ident(self, ident: &ast::Ident, expr: &Expr, scope: &Scope<'_>) -> Vec<Node> {
        let token = ident.ident_token();
        let name = token.as_ref().map_or("", |token| token.text());
        match (scope.find(name), name) {
            (Some(Bound::To(bound, scope)), _) => self.nodes(bound, scope),
            (None, "true" | "false") => vec![Node::new(Kind::Bool(name == "true"), self.place(node(expr)))],
            (None, "null") => vec![Node::new(Kind::Null, self.place(node(expr)))],
            _ => self.computed(expr),
        }
    }

    /// Reads what functions of `lib` stand around a definition.
    fn apply(self, apply: &ast::Apply, expr: &Expr, scope: &Scope<'_>) -> Vec<Node> {
        let mut arguments = Vec::new();
        let mut function = Expr::Apply(apply.clone());
        while let Expr::Apply(next) = &function {
            let (Some(lambda), Some(argument)) = (next.lambda(), next.argument()) else { return self.computed(expr) };
            arguments.push(argument);
            function = lambda;
        }
        arguments.reverse();
        let name = match &function {
            Expr::Ident(ident) => ident.ident_token().map(|token| token.text().to_owned()),
            Expr::Select(select) => select.attrpath().and_then(|path| attr_text(&path.attrs().last()?)),
            _ => None,
        };
        let Some(name) = name else { return self.computed(expr) };
        match (name.as_str(), arguments.as_slice()) {
            (
                "mkDefault"
                | "mkForce"
                | "mkBefore"
                | "mkAfter"
                | "mkOptionDefault"
                | "mkVMOverride"
                | "mkImageMediaOverride"
                | "mkOverrideDefault",
                [value],
            )
            | ("mkIf" | "mkOverride" | "mkOrder" | "optionalAttrs" | "optionals" | "optionalString", [_, value])
            | ("mkAssert", [_, _, value]) => self.nodes(value, scope),
            ("mkMerge", [list]) => self.merged(list, scope).unwrap_or_else(|| self.computed(expr)),
            ("recursiveUpdate", [first, second]) => [self.nodes(first, scope), self.nodes(second, scope)].concat(),
            _ => self.computed(expr),
        }
    }

    /// Returns the definitions of a list that `mkMerge` takes; none where the list is computed.
    fn merged(self, list: &Expr, scope: &Scope<'_>) -> Option<Vec<Node>> {
        match list {
            Expr::Paren(paren) => self.merged(&paren.expr()?, scope),
            Expr::List(list) => Some(list.items().flat_map(|item| self.nodes(&item, scope)).collect()),
            Expr::BinOp(operation) if operation.operator() == Some(BinOpKind::Concat) => {
                let sides = [operation.lhs()?, operation.rhs()?];
                // A side that is computed defines what nobody can tell.
                Some(sides.iter().filter_map(|side| self.merged(side, scope)).flatten().collect())
            }
            _ => None,
        }
    }

    fn table(self, set: &ast::AttrSet, scope: &Scope<'_>, place: Place) -> Vec<Node> {
        let mut tables = vec![empty(place)];
        for entry in set.entries() {
            match entry {
                SetEntry::Inherit(inherit) => self.inherit(&inherit, scope, place, &mut tables),
                SetEntry::AttrpathValue(entry) => {
                    let (Some(path), Some(value)) = (entry.attrpath(), entry.value()) else { continue };
                    let names: Vec<(String, Place)> = path
                        .attrs()
                        .map(|attr| {
                            let name = attr_text(&attr).unwrap_or_else(|| COMPUTED.to_owned());
                            (name, self.place(node(&attr)))
                        })
                        .collect();
                    for node in self.nodes(&value, scope) {
                        add(&mut tables, place, &names, node);
                    }
                }
            }
        }
        tables
    }

    fn inherit(self, inherit: &ast::Inherit, scope: &Scope<'_>, place: Place, tables: &mut Vec<Node>) {
        let is_from = inherit.from().is_some();
        for attr in inherit.attrs() {
            let Some(name) = attr_text(&attr) else { continue };
            let at = self.place(node(&attr));
            let nodes = match scope.find(&name) {
                Some(Bound::To(bound, scope)) if !is_from => self.nodes(bound, scope),
                _ => vec![Node::new(Kind::Nix(String::new()), at)],
            };
            for node in nodes {
                add(tables, place, &[(name.clone(), at)], node);
            }
        }
    }
}

/// Adds a definition to the first table in which its name is free or leads to a table; a new one where there is none.
fn add(tables: &mut Vec<Node>, place: Place, names: &[(String, Place)], node: Node) {
    let mut node = Some(node);
    for table in tables.iter_mut() {
        if let Some(rest) = node.take() {
            node = insert(table, names, rest);
        }
    }
    if let Some(node) = node.filter(|_| tables.len() < MAX_DEFINITIONS) {
        let mut table = empty(place);
        let left = insert(&mut table, names, node);
        if left.is_none() {
            tables.push(table);
        }
    }
}

/// Inserts a value into a table; returns it where its name is taken by something else.
fn insert(table: &mut Node, names: &[(String, Place)], node: Node) -> Option<Node> {
    let Kind::Table(entries) = &mut table.kind else { return Some(node) };
    let Some(((name, key), rest)) = names.split_first() else { return Some(node) };
    let Some(entry) = entries.get_mut(name) else {
        let value = rest.iter().rev().fold(node, |inner, (name, key)| {
            let mut outer = empty(*key);
            if let Kind::Table(entries) = &mut outer.kind {
                entries.insert(name.clone(), Entry { key: *key, node: inner });
            }
            outer
        });
        entries.insert(name.clone(), Entry { key: *key, node: value });
        return None;
    };
    if !rest.is_empty() {
        return insert(&mut entry.node, rest, node);
    }
    // `a = { b = 1; }; a.c = 2;`: both are parts of one set, as long as no name stands in both.
    match (&mut entry.node.kind, node.kind) {
        (Kind::Table(entries), Kind::Table(new)) if new.keys().all(|name| !entries.contains_key(name)) => {
            entries.extend(new);
            None
        }
        (_, kind) => Some(Node { kind, ..Node::new(Kind::Null, node.place) }),
    }
}

/// Returns the text of a string without interpolations.
pub(super) fn plain(string: &ast::Str) -> Option<String> {
    let mut text = String::new();
    for part in string.normalized_parts() {
        match part {
            InterpolPart::Literal(literal) => text.push_str(&literal),
            InterpolPart::Interpolation(_) => return None,
        }
    }
    Some(text)
}
