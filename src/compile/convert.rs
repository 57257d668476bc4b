//! Values of definitions as values of Nix, with the types of the options they are for.

use crate::facts::{OptionIndex, Shape, Type};
use crate::nix::{Attrs, Expr, NixFloat, NixString, Value};
use crate::source::{Diagnostic, Diagnostics, Item, Kind, NORMAL, Node, ORDER, printable};

/// Turns a value below an option's name into Nix. In an option of type package a string names an attribute of nixpkgs.
///
/// What Nix cannot hold, and Nix that does not parse, is reported at its place.
pub(super) fn value(index: Option<OptionIndex<'_>>, loc: &[&str], node: &Node, found: &mut Diagnostics) -> Value {
    let ty = index.and_then(|index| index.type_of(loc));
    let value = match &node.kind {
        Kind::Table(table) => {
            let mut attrs = Attrs::new();
            for (name, entry) in table {
                if name.contains('\0') {
                    found.push(nul(&entry.node, "a name"));
                    continue;
                }
                let mut loc = loc.to_vec();
                loc.push(name);
                attrs.set(&[name], value(index, &loc, &entry.node, found));
            }
            Value::Attrs(attrs)
        }
        _ => scalar(ty, node, found),
    };
    if node.priority == NORMAL { value } else { value.with_priority(node.priority) }
}

/// Turns a value of a known type into Nix. What lies below a list has no name of its own, only the element's type.
fn scalar(ty: Option<Type<'_>>, node: &Node, found: &mut Diagnostics) -> Value {
    match &node.kind {
        Kind::Str(text) if ty.is_some_and(takes_package) && is_attribute(text) => Expr::select("pkgs", text).into(),
        Kind::Str(text) | Kind::Date(text) => {
            if let Ok(text) = NixString::new(text.as_str()) {
                return text.into();
            }
            found.push(nul(node, "a string"));
            Value::Null
        }
        Kind::Int(int) => Value::Int(*int),
        Kind::Bool(truth) => Value::Bool(*truth),
        Kind::Null => Value::Null,
        Kind::Float(float) => match NixFloat::new(*float) {
            Ok(float) => float.into(),
            Err(error) => {
                found.push(Diagnostic::error("value-invalid", node.place, error.to_string()).help("write it as text"));
                Value::Null
            }
        },
        Kind::Nix(text) => match Expr::parse(text) {
            Ok(expr) => expr.into(),
            Err(error) => {
                let (what, line) = (printable(&error.message), error.line);
                let message = format!("this is no expression of Nix: {what} in line {line} of it");
                let found_here = Diagnostic::error("value-invalid", node.place, message);
                found.push(found_here.help("write one whole expression, such as `pkgs.vim.override { }`"));
                Value::Null
            }
        },
        Kind::List(items) => list(ty.and_then(element), items, found),
        Kind::Table(table) => {
            let mut attrs = Attrs::new();
            for (name, entry) in table {
                if name.contains('\0') {
                    found.push(nul(&entry.node, "a name"));
                    continue;
                }
                attrs.set(&[name], scalar(ty.and_then(element), &entry.node, found));
            }
            Value::Attrs(attrs)
        }
    }
}

/// Turns a list into Nix: elements of one order stay together.
fn list(ty: Option<Type<'_>>, items: &[Item], found: &mut Diagnostics) -> Value {
    let mut parts: Vec<(u32, Vec<Value>)> = Vec::new();
    for item in items {
        let value = scalar(ty, &item.node, found);
        match parts.last_mut() {
            Some((order, part)) if *order == item.order => part.push(value),
            _ => parts.push((item.order, vec![value])),
        }
    }
    if parts.iter().all(|(order, _)| *order == ORDER) {
        return Value::List(parts.into_iter().flat_map(|(_, part)| part).collect());
    }
    let mut parts: Vec<Value> = parts
        .into_iter()
        .map(|(order, part)| {
            let part = Value::List(part);
            if order == ORDER { part } else { part.with_order(order) }
        })
        .collect();
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => Value::Merge(parts.into_iter().chain(last).collect()),
    }
}

/// Returns the type of the elements of a list or set.
fn element(ty: Type<'_>) -> Option<Type<'_>> {
    match ty.shape() {
        Shape::ListOf { element, .. } | Shape::AttrsOf { element, .. } | Shape::LoaOf(element) => Some(element),
        Shape::NullOr(inner) | Shape::Unique(inner) | Shape::Coerced { to: inner, .. } => element(inner),
        Shape::Either(alternatives) => alternatives.into_iter().find_map(element),
        _ => None,
    }
}

/// Tells whether a package may stand there and text may not.
fn takes_package(ty: Type<'_>) -> bool {
    match ty.shape() {
        Shape::Package => true,
        Shape::NullOr(inner) | Shape::Unique(inner) => takes_package(inner),
        Shape::Either(alternatives) => {
            let text = |ty: &Type<'_>| matches!(ty.shape(), Shape::Str { .. } | Shape::Path { .. });
            alternatives.iter().any(|ty| takes_package(*ty)) && !alternatives.iter().any(text)
        }
        _ => false,
    }
}

/// Tells whether text is a path of attributes below `pkgs`; anything else stays text, about which NixOS then speaks.
fn is_attribute(text: &str) -> bool {
    text.parse::<crate::fleet::scalar::PackageAttr>().is_ok()
}

fn nul(node: &Node, what: &str) -> Diagnostic {
    let message = format!("{what} of Nix cannot hold a NUL character");
    Diagnostic::error("value-invalid", node.place, message).help("remove `\\u0000`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::nix::Module;
    use crate::source::{Sources, parse_toml};

    fn nix(toml: &str, loc: &[&str]) -> Result<String, Vec<String>> {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", toml);
        let mut found = Vec::new();
        let node = parse_toml(&sources, file, &mut found);
        let facts = Facts::embedded();
        let value = value(facts.options("26.11".parse().unwrap()), loc, &node, &mut found);
        if !found.is_empty() {
            return Err(found.into_iter().map(|finding| finding.message).collect());
        }
        let Value::Attrs(settings) = value else { panic!("{value:?}") };
        Ok(Module { settings, ..Module::default() }.to_file())
    }

    #[test]
    fn a_string_for_an_option_of_type_package_is_an_attribute_of_nixpkgs() {
        let text = nix(
            "services.postgresql.package = 'postgresql_17'\nenvironment.systemPackages = ['vim', 'kdePackages.kate']\n",
            &[],
        )
        .unwrap();
        assert!(text.contains("package = pkgs.postgresql_17;"), "{text}");
        assert!(text.contains("pkgs.kdePackages.kate"), "{text}");
        let text = nix("services.gitea.package = 'x'\nservices.gitea.appName = 'x'\n", &[]).unwrap();
        assert!(text.contains("package = pkgs.x;") && text.contains("appName = \"x\";"), "{text}");
    }

    #[test]
    fn nix_that_is_no_expression_and_numbers_that_nix_lacks_are_reported() {
        assert!(nix("a = inf\n", &[]).is_err());
        assert!(nix("a = \"x\\u0000\"\n", &[]).is_err());
        assert!(nix("a = [{ \"x\\u0000\" = 1 }]\n", &[]).is_err());
        let place = {
            let mut sources = Sources::default();
            let file = sources.add("a.toml", "");
            sources.start(file)
        };
        let mut found = Vec::new();
        let node = |text: &str| Node::new(Kind::Nix(text.to_owned()), place);
        assert!(matches!(value(None, &["a"], &node("pkgs.vim"), &mut found), Value::Expr(_)));
        assert!(found.is_empty());
        value(None, &["a"], &node("x }; evil = {"), &mut found);
        assert!(found[0].message.starts_with("this is no expression of Nix"), "{found:?}");
    }
}
