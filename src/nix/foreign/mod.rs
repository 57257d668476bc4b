//! Modules that others wrote: what they define with literals, which options they declare, which files they import.
//!
//! Here belong: finding definitions through `config = `, `mkIf`, `mkMerge`, `mkDefault` and their kin, `with`, `let`, `inherit`,
//! `//` and functions around a module. Not here: whether an option exists (`facts`), which files are modules of NixOS
//! (`check`).
//!
//! Invariant: what is computed is [`Kind::Nix`], and never guessed; a name that is computed is [`COMPUTED`].

mod eval;
mod scope;

use std::cell::Cell;

use rnix::ast::{self, Expr, HasEntry as _};

use self::eval::Reader;
use self::scope::Scope;
use super::read::{NixSyntaxError, cast, node, parse};
use crate::source::{FileId, Kind, Node, Place, Table};

/// Stands for a name that is computed; no attribute is written like this.
pub const COMPUTED: &str = "${…}";

/// A file that may be a module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModuleText {
    /// What it defines, below the root of all options; several tables where it defines a name several times.
    pub definitions: Vec<Node>,
    /// The options that it declares, as segments; [`COMPUTED`] for any name.
    pub declares: Vec<Vec<String>>,
    /// The shape of what the file holds.
    pub form: Form,
    /// The paths that it mentions.
    pub mentions: Vec<Mention>,
}

/// What a file's expression looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// No set, nor a function to one: not a module.
    #[default]
    Other,
    /// A set: a module, or any data.
    Set,
    /// A function of `{ config, lib, ... }` to a set: most probably a module.
    Function,
    /// A set with `config` or `options` beside `imports`: a module.
    Structured,
}

/// A path that a file mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The path as written.
    pub path: String,
    /// The names around it, outermost first: attributes that hold it, and functions that are applied to it.
    pub within: Vec<String>,
}

/// Reads a file that others wrote. The error is text that is not Nix.
pub fn read_module(text: &str, file: FileId) -> Result<ModuleText, Vec<NixSyntaxError>> {
    let root = parse(text)?;
    let mut module = ModuleText { mentions: mentions(&root), ..ModuleText::default() };
    if let Some(expr) = cast::<ast::Root>(root).and_then(|root| root.expr()) {
        let budget = Cell::new(MAX_READ);
        add_module(Reader::new(file, &budget), &expr, &Scope::default(), &mut module, 0);
    }
    Ok(module)
}

/// How many expressions of one file are read: names that are bound to each other can stand for any number of them.
const MAX_READ: usize = 200_000;

/// How deep functions, `let` and inline modules may stand around a module.
const MAX_AROUND: usize = 40;

fn add_module(reader: Reader<'_>, expr: &Expr, scope: &Scope<'_>, module: &mut ModuleText, depth: usize) {
    if depth > MAX_AROUND {
        return;
    }
    match expr {
        Expr::Paren(paren) => inner(reader, paren.expr(), scope, module, depth),
        Expr::With(with) => inner(reader, with.body(), scope, module, depth),
        Expr::Assert(assert) => inner(reader, assert.body(), scope, module, depth),
        Expr::LetIn(bindings) => inner(reader, bindings.body(), &Scope::of_let(bindings, scope), module, depth),
        Expr::Lambda(lambda) => {
            let (scope, is_open) = Scope::of_lambda(lambda, scope);
            inner(reader, lambda.body(), &scope, module, depth);
            module.form = match (module.form, is_open) {
                (Form::Set, true) => Form::Function,
                // What takes just the arguments that it names is called by hand.
                (Form::Set | Form::Function, false) => Form::Other,
                (form, _) => form,
            };
        }
        Expr::AttrSet(set) => {
            inline_modules(reader, set, scope, module, depth);
            add_definitions(reader.nodes(expr, scope), module);
        }
        Expr::Apply(_) | Expr::BinOp(_) | Expr::IfElse(_) => add_definitions(reader.nodes(expr, scope), module),
        _ => {}
    }
}

fn inner(reader: Reader<'_>, expr: Option<Expr>, scope: &Scope<'_>, module: &mut ModuleText, depth: usize) {
    if let Some(expr) = expr {
        add_module(reader, &expr, scope, module, depth + 1);
    }
}

/// Names that a module in its long form has beside `config` and `options`.
const AROUND: [&str; 6] = ["imports", "disabledModules", "meta", "_file", "key", "freeformType"];

/// Adds the tables that a module's set was read to.
fn add_definitions(nodes: Vec<Node>, module: &mut ModuleText) {
    let tables = || nodes.iter().filter_map(Node::as_table);
    if tables().next().is_none() {
        return;
    }
    let is_structured = tables().any(|table| ["config", "options"].iter().any(|name| table.contains_key(*name)));
    module.form = if is_structured { Form::Structured } else { Form::Set };
    for node in nodes {
        let place = node.place;
        let Kind::Table(mut table) = node.kind else { continue };
        if let Some(options) = table.get("options").filter(|_| is_structured) {
            declared(&options.node, &mut Vec::new(), &mut module.declares);
        }
        if is_structured {
            let config = table.swap_remove("config").map(|entry| entry.node);
            module.definitions.extend(config.filter(|node| node.as_table().is_some_and(|table| !table.is_empty())));
            continue;
        }
        table.retain(|name, _| !AROUND.contains(&name.as_str()));
        if !table.is_empty() {
            module.definitions.push(Node::new(Kind::Table(table), place));
        }
    }
}

/// Collects the names of declared options: what is no set is a declaration.
fn declared(node: &Node, route: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Some(table) = node.as_table() else {
        found.push(route.clone());
        return;
    };
    for (name, entry) in table {
        route.push(name.clone());
        declared(&entry.node, route, found);
        route.pop();
    }
}

/// Reads modules that stand within a module: elements of `imports`.
fn inline_modules(reader: Reader<'_>, set: &ast::AttrSet, scope: &Scope<'_>, module: &mut ModuleText, depth: usize) {
    for entry in set.attrpath_values() {
        let is_imports = entry.attrpath().is_some_and(|path| node(&path).text() == "imports");
        let Some(Expr::List(list)) = entry.value().filter(|_| is_imports) else { continue };
        for item in list.items() {
            let mut within = ModuleText::default();
            add_module(reader, &item, scope, &mut within, depth + 1);
            module.definitions.append(&mut within.definitions);
            module.declares.append(&mut within.declares);
        }
    }
}

/// Returns the paths that a file mentions, each with the names around it.
fn mentions(root: &rnix::SyntaxNode) -> Vec<Mention> {
    let paths = root.descendants().filter_map(cast::<ast::PathRel>);
    let named = |here: rnix::SyntaxNode| {
        if let Some(entry) = cast::<ast::AttrpathValue>(here.clone()) {
            return entry.attrpath().map(|path| node(&path).text().to_string());
        }
        cast::<ast::Apply>(here)?.lambda().map(|function| node(&function).text().to_string())
    };
    paths
        .map(|path| {
            let mut within: Vec<String> = node(&path).ancestors().filter_map(named).collect();
            within.reverse();
            Mention { path: node(&path).text().to_string(), within }
        })
        .collect()
}

/// Returns an empty table at a place.
fn empty(place: Place) -> Node {
    Node::new(Kind::Table(Table::new()), place)
}

#[cfg(test)]
mod tests;
