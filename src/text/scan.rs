//! Splits a template into its parts, and sends each `{{ … }}` through the quoting filter of its language.
//!
//! The engine's own escape function sees text alone and cannot tell the string `5` from the number 5, nor a list from
//! its printed form. A filter sees the value. The engine's escape function stays on behind it: an expression that this
//! scan does not recognise is still quoted, as a string.

/// The filter that every expression goes through; not for templates to name.
pub(super) const FILTER: &str = "hostwright_quote";

/// A part of a template, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text that is printed as it stands; of `{% raw %}` the tags too.
    Text(&'a str),
    /// What stands between `{{` and `}}`.
    Expression(&'a str),
    /// A tag or a comment, with its braces.
    Silent(&'a str),
}

/// Splits a template into its parts, which together are the template.
///
/// Mirrors tera's lexer: strings in `"`, `'` or `` ` `` with backslash escapes, comments, `{% raw %}`.
pub(super) fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = next_marker(rest) {
        let (before, marked) = rest.split_at(at);
        parts.push(Part::Text(before));
        let (opening, inside) = marked.split_at(2);
        rest = match opening {
            "{#" => {
                let (comment, after) = split_after(marked, marked.find("#}").map(|end| end + 2));
                parts.push(Part::Silent(comment));
                after
            }
            "{%" => {
                if let Some(end) = raw_block(marked) {
                    let (raw, after) = marked.split_at(end);
                    parts.push(Part::Text(raw));
                    after
                } else {
                    let (tag, after) = split_after(marked, end_of(inside, "%}").map(|end| end + 4));
                    parts.push(Part::Silent(tag));
                    after
                }
            }
            _ => {
                let Some(end) = end_of(inside, "}}") else {
                    parts.push(Part::Silent(marked));
                    return parts;
                };
                let (expression, closed) = inside.split_at(end);
                parts.push(Part::Expression(expression));
                closed.get(2..).unwrap_or_default()
            }
        };
    }
    parts.push(Part::Text(rest));
    parts
}

/// Returns the template with `{{ expression }}` as `{{ (expression) | filter }}`, every line where it stood. Calls of
/// components (`{{ <name /> }}`) stay, since their own body is quoted already.
pub(super) fn quote_expressions(template: &str) -> String {
    let mut out = String::with_capacity(template.len() + template.len() / 4);
    for part in parts(template) {
        match part {
            Part::Text(text) | Part::Silent(text) => out.push_str(text),
            Part::Expression(expression) => quote_one(expression, &mut out),
        }
    }
    out
}

/// Writes one expression, given without its braces.
fn quote_one(expression: &str, out: &mut String) {
    let (open, body) = expression.strip_prefix('-').map_or(("{{", expression), |body| ("{{-", body));
    let (body, close) = body.strip_suffix('-').map_or((body, "}}"), |body| (body, "-}}"));
    out.push_str(open);
    if body.trim().is_empty() || body.trim_start().starts_with('<') {
        out.push_str(body);
    } else {
        out.push_str(" (");
        out.push_str(body);
        out.push_str(") | ");
        out.push_str(FILTER);
        out.push(' ');
    }
    out.push_str(close);
}

/// Returns where the next `{{`, `{%` or `{#` starts.
fn next_marker(text: &str) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

/// Returns where `end` starts outside of strings.
fn end_of(text: &str, end: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, b) in text.bytes().enumerate() {
        if let Some(q) = quote {
            if escaped {
                escaped = false;
            } else if b == b'\\' {
                escaped = true;
            } else if b == q {
                quote = None;
            }
        } else if matches!(b, b'"' | b'\'' | b'`') {
            quote = Some(b);
        } else if text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(end.as_bytes())) {
            return Some(at);
        }
    }
    None
}

/// Returns the length of a `{% raw %} … {% endraw %}` at the start of the text.
fn raw_block(text: &str) -> Option<usize> {
    let mut at = tag_end(text, "raw")?;
    loop {
        at += text.get(at..)?.find("{%")?;
        match text.get(at..).and_then(|rest| tag_end(rest, "endraw")) {
            Some(length) => return Some(at + length),
            None => at += 2,
        }
    }
}

/// Returns the length of the tag `{% name %}` at the start of the text.
fn tag_end(text: &str, name: &str) -> Option<usize> {
    let rest = text.strip_prefix("{%")?;
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start().strip_prefix(name)?.trim_start();
    let rest = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("%}")?;
    Some(text.len() - rest.len())
}

/// Splits at a place; without one, all of it comes first.
fn split_after(text: &str, at: Option<usize>) -> (&str, &str) {
    at.and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_goes_through_the_filter_and_nothing_else_changes() {
        for (template, quoted) in [
            ("a {{ b }} c", "a {{ ( b ) | hostwright_quote }} c"),
            ("{{- b | upper -}}", "{{- ( b | upper ) | hostwright_quote -}}"),
            (r#"{{ "}}\"" }}"#, r#"{{ ( "}}\"" ) | hostwright_quote }}"#),
            (r#"{% set a = "{{ %}" %}{{ a }}"#, r#"{% set a = "{{ %}" %}{{ ( a ) | hostwright_quote }}"#),
            ("{# {{ a }} #}", "{# {{ a }} #}"),
            ("{% raw %}{{ a }}{% if %}{%- endraw -%}x", "{% raw %}{{ a }}{% if %}{%- endraw -%}x"),
            ("{{ <card /> }}", "{{ <card /> }}"),
            ("{{ a", "{{ a"),
            ("{% if a", "{% if a"),
            ("{# a", "{# a"),
        ] {
            assert_eq!(quote_expressions(template), quoted);
        }
    }
}
