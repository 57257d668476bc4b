//! The names that an expression sees: `let`, arguments of functions, `rec`.

use std::collections::BTreeMap;

use rnix::ast::{self, Attr, Expr};

/// What a name is bound to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound<'a> {
    /// An expression, and the scope in which it is read.
    To(&'a Expr, &'a Scope<'a>),
    /// Something that the text does not say.
    Unknown,
}

/// A frame of names, with those around it.
#[derive(Debug, Default)]
pub(super) struct Scope<'s> {
    names: BTreeMap<String, Option<Expr>>,
    outer: Option<&'s Scope<'s>>,
}

impl<'s> Scope<'s> {
    /// Returns the scope of what follows `in`.
    pub(super) fn of_let(bindings: &ast::LetIn, outer: &'s Scope<'s>) -> Self {
        Self { names: bound(bindings, true), outer: Some(outer) }
    }

    /// Returns the scope within `rec { }`: its names are known to be there, and nothing more.
    pub(super) fn of_rec(set: &ast::AttrSet, outer: &'s Scope<'s>) -> Self {
        Self { names: bound(set, false), outer: Some(outer) }
    }

    /// Returns the scope of a function's body, and whether the function takes further arguments than it names.
    pub(super) fn of_lambda(lambda: &ast::Lambda, outer: &'s Scope<'s>) -> (Self, bool) {
        let mut names = BTreeMap::new();
        let is_open = match lambda.param() {
            Some(ast::Param::Pattern(pattern)) => {
                let arguments = pattern.pat_entries().filter_map(|entry| entry.ident());
                let whole = pattern.pat_bind().and_then(|bind| bind.ident());
                names.extend(arguments.chain(whole).filter_map(|ident| Some((text(&ident)?, None))));
                pattern.ellipsis_token().is_some()
            }
            Some(ast::Param::IdentParam(param)) => {
                names.extend(param.ident().and_then(|ident| Some((text(&ident)?, None))));
                false
            }
            None => false,
        };
        (Self { names, outer: Some(outer) }, is_open)
    }

    /// Returns what a name is bound to; none where nothing binds it.
    pub(super) fn find<'a>(&'a self, name: &str) -> Option<Bound<'a>> {
        let mut scope: Option<&'a Scope<'a>> = Some(self);
        while let Some(here) = scope {
            if let Some(bound) = here.names.get(name) {
                return Some(bound.as_ref().map_or(Bound::Unknown, |expr| Bound::To(expr, here)));
            }
            scope = here.outer;
        }
        None
    }
}

fn text(ident: &ast::Ident) -> Option<String> {
    Some(ident.ident_token()?.text().to_owned())
}

/// Returns what bindings bind: whole names to their expressions, and all else to what is not known.
fn bound(bindings: &impl ast::HasEntry, known: bool) -> BTreeMap<String, Option<Expr>> {
    let mut names = BTreeMap::new();
    for entry in bindings.entries() {
        match entry {
            ast::Entry::Inherit(inherit) => {
                names.extend(inherit.attrs().filter_map(|attr| Some((attr_text(&attr)?, None))));
            }
            ast::Entry::AttrpathValue(entry) => {
                let attrs: Vec<Attr> = entry.attrpath().into_iter().flat_map(|path| path.attrs()).collect();
                let Some(first) = attrs.first().and_then(attr_text) else { continue };
                let value = entry.value().filter(|_| known && attrs.len() == 1);
                names.insert(first, value);
            }
        }
    }
    names
}

/// Returns an attribute's name, where it is written out.
pub(super) fn attr_text(attr: &Attr) -> Option<String> {
    match attr {
        Attr::Ident(ident) => text(ident),
        Attr::Str(string) => super::eval::plain(string),
        Attr::Dynamic(dynamic) => match dynamic.expr()? {
            Expr::Str(string) => super::eval::plain(&string),
            _ => None,
        },
    }
}
