//! The printer: values as Nix, and the formatter that every Nix file goes through.

use super::read::bounded_nesting;
use super::{Attrs, NixSyntaxError, Value};
use crate::source::{NORMAL, ORDER};
use crate::text::{nix_attribute, nix_int};

/// How deeply text may nest to be formatted on the caller's stack; measured, unoptimised, with room to spare.
const SHALLOW: usize = 40;

/// The stack for text that nests deeper, in bytes: enough for the deepest that is read.
const DEEP_STACK: usize = 256 << 20;

/// Formats a Nix file as RFC 166 asks. The error is the first place that does not parse.
pub fn format(text: &str) -> Result<String, NixSyntaxError> {
    if bounded_nesting(text)? <= SHALLOW {
        return format_here(text);
    }
    let failed = || NixSyntaxError::new(text, "could not be formatted: no memory for a thread", 0, text.len());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, || format_here(text));
        thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| Err(failed()))
    })
}

fn format_here(text: &str) -> Result<String, NixSyntaxError> {
    nixfmt_rs::format(text).map_err(|error| {
        let range = error.byte_range();
        NixSyntaxError::new(text, error.message(), range.start, range.end)
    })
}

/// Returns the value as formatted Nix, with a line feed at the end.
pub(super) fn file(head: &str, body: &Value) -> String {
    let mut out = String::from(head);
    expression(body, &mut out);
    out.push('\n');
    // Only nesting beyond the bound is refused, and Nix reads the text without its format too.
    format(&out).unwrap_or(out)
}

/// Writes a value where a semicolon or the end follows.
pub(super) fn expression(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(int) => out.push_str(&nix_int(*int)),
        Value::Float(float) => out.push_str(&float.literal()),
        Value::Str(text) => out.push_str(&text.literal()),
        Value::Path(path) => out.push_str(&path.literal().0),
        Value::List(values) => list(values, out),
        Value::Attrs(attrs) => set(attrs, out),
        Value::Expr(expr) => expr.write(out),
        Value::Prioritised { priority, value } => match *priority {
            NORMAL => expression(value, out),
            50 => call("lib.mkForce", value, out),
            1000 => call("lib.mkDefault", value, out),
            priority => call(&format!("lib.mkOverride {priority}"), value, out),
        },
        Value::Ordered { order, value } => match *order {
            ORDER => expression(value, out),
            500 => call("lib.mkBefore", value, out),
            1500 => call("lib.mkAfter", value, out),
            order => call(&format!("lib.mkOrder {order}"), value, out),
        },
        Value::Merge(values) => {
            out.push_str("lib.mkMerge ");
            list(values, out);
        }
    }
}

/// Writes a value where another expression may follow: as an element of a list, as an argument.
pub(super) fn argument(value: &Value, out: &mut String) {
    let wide = match value {
        Value::Null | Value::Bool(_) | Value::Str(_) | Value::List(_) | Value::Attrs(_) => false,
        Value::Int(int) => *int < 0,
        Value::Float(float) => float.value().is_sign_negative(),
        Value::Path(path) => !path.literal().1,
        Value::Expr(expr) => return expr.write_simple(out),
        Value::Prioritised { priority: NORMAL, value } | Value::Ordered { order: ORDER, value } => {
            return argument(value, out);
        }
        Value::Prioritised { .. } | Value::Ordered { .. } | Value::Merge(_) => true,
    };
    if wide {
        out.push('(');
    }
    expression(value, out);
    if wide {
        out.push(')');
    }
}

fn call(function: &str, value: &Value, out: &mut String) {
    out.push_str(function);
    out.push(' ');
    argument(value, out);
}

fn list(values: &[Value], out: &mut String) {
    out.push('[');
    for value in values {
        out.push(' ');
        argument(value, out);
    }
    out.push_str(" ]");
}

/// Writes a set; a set that holds a single attribute becomes part of the dotted path to it.
fn set(attrs: &Attrs, out: &mut String) {
    if attrs.is_empty() {
        out.push_str("{ }");
        return;
    }
    // The formatter keeps a set on several lines if it was.
    out.push_str("{\n");
    for (name, value) in attrs.iter() {
        out.push_str(&nix_attribute(name));
        let mut value = value;
        while let Value::Attrs(inner) = value
            && let (Some((name, only)), 1) = (inner.iter().next(), inner.len())
        {
            out.push('.');
            out.push_str(&nix_attribute(name));
            value = only;
        }
        out.push_str(" = ");
        expression(value, out);
        out.push_str(";\n");
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nix::{Expr, NixFloat};

    fn printed(value: impl Into<Value>) -> String {
        file("", &value.into())
    }

    #[test]
    fn elements_and_arguments_stand_in_parentheses_where_nix_needs_them() {
        let values = vec![
            Value::from(-1),
            i64::MIN.into(),
            NixFloat::new(-0.5).unwrap().into(),
            Expr::parse("f x").unwrap().into(),
            Value::path("./a b").unwrap(),
            Value::from("x").forced(),
            Value::from(None::<bool>),
        ];
        let mut out = String::new();
        list(&values, &mut out);
        assert_eq!(out, r#"[ (-1) (-9223372036854775807 - 1) (-0.5) (f x) (./. + "/a b") (lib.mkForce "x") null ]"#);
    }

    #[test]
    fn priorities_and_orders_have_the_names_of_nixos() {
        for (value, text) in [
            (Value::from(1).with_priority(50), "lib.mkForce 1\n"),
            (Value::from(-1).default_priority(), "lib.mkDefault (-1)\n"),
            (Value::from(1).with_priority(100), "1\n"),
            (Value::from(1).with_priority(60), "lib.mkOverride 60 1\n"),
            (Value::from(vec![1]).with_order(500), "lib.mkBefore [ 1 ]\n"),
            (Value::from(vec![1]).with_order(1500), "lib.mkAfter [ 1 ]\n"),
            (Value::from(vec![1]).with_order(10), "lib.mkOrder 10 [ 1 ]\n"),
            (Value::Merge(vec![1.into(), Value::from(2).forced()]), "lib.mkMerge [\n  1\n  (lib.mkForce 2)\n]\n"),
        ] {
            assert_eq!(printed(value), text);
        }
    }

    #[test]
    fn sets_of_one_attribute_become_a_dotted_path() {
        let mut attrs = Attrs::new();
        attrs.set(&["boot", "loader", "grub", "enable"], true);
        attrs.set(&["services", "a.b", "enable"], true);
        attrs.set(&["services", "if", "settings"], Attrs::new());
        attrs.set(&["ports"], vec![22, 80]);
        assert_eq!(
            printed(attrs),
            "{\n  boot.loader.grub.enable = true;\n  services = {\n    \"a.b\".enable = true;\n    \"if\".settings = { };\n  };\n  ports = [\n    22\n    80\n  ];\n}\n"
        );
    }

    #[test]
    fn formatting_text_that_is_deep_needs_no_large_stack() {
        for (open, core, close) in [
            ("(", "1", ")"),
            ("[", "", "]"),
            ("{a=", "1", ";}"),
            ("\"${", "1", "}\""),
            ("f (", "x", ")"),
            ("!", "a", ""),
        ] {
            for levels in [30, 100, 250] {
                let text = format!("{}{core}{}", open.repeat(levels), close.repeat(levels));
                if let Ok(formatted) = format(&text) {
                    assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()));
                }
            }
            assert!(format(&open.repeat(100_000)).is_err());
        }
    }
}
