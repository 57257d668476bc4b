//! Texts of variables, flags and files as the values that options take.

use serde_json::Value;

use crate::facts::{Literal, OptionIndex, Shape, Type, split_name};

/// Why a text is no value of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The release has no such option.
    NoOption,
    /// The option does not take it.
    NoValue,
}

/// How deep types nest at most.
const DEEPEST: usize = 16;

/// Returns a text as the value of an option, by the option's type.
pub(super) fn typed(index: Option<OptionIndex<'_>>, option: &str, text: &str) -> Result<Value, Fault> {
    let Some(index) = index else { return Ok(guessed(text)) };
    let loc = split_name(option);
    let loc: Vec<&str> = loc.iter().map(String::as_str).collect();
    let Some(ty) = index.type_of(&loc) else { return Err(Fault::NoOption) };
    of_type(ty, text, 0).ok_or(Fault::NoValue)
}

/// Tells whether a release knows an option, or a place for free names.
pub(super) fn exists(index: Option<OptionIndex<'_>>, option: &str) -> bool {
    let loc = split_name(option);
    let loc: Vec<&str> = loc.iter().map(String::as_str).collect();
    index.is_none_or(|index| index.type_of(&loc).is_some())
}

fn of_type(ty: Type<'_>, text: &str, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let inner = |ty: Type<'_>| of_type(ty, text, depth + 1);
    match ty.shape() {
        Shape::Bool => truth(text).map(Value::Bool),
        Shape::Int { min, max, .. } => {
            text.trim().parse::<i64>().ok().filter(|number| (min..=max).contains(number)).map(Value::from)
        }
        Shape::Float | Shape::Number { .. } => number(text),
        Shape::Str { .. }
        | Shape::SingleLineStr
        | Shape::Separated(_)
        | Shape::Pattern(_)
        | Shape::Other(_)
        | Shape::Unspecified => Some(text.into()),
        Shape::NonEmptyStr => (!text.trim().is_empty()).then(|| text.into()),
        Shape::Path { .. } => text.starts_with('/').then(|| text.into()),
        Shape::NullOr(ty) | Shape::Unique(ty) => inner(ty),
        Shape::ListOf { element, .. } => {
            let words = text.split([',', ' ', '\n']).map(str::trim).filter(|word| !word.is_empty());
            words.map(|word| of_type(element, word, depth + 1)).collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        Shape::Either(types) => {
            let values: Vec<Value> = types.into_iter().filter_map(inner).collect();
            let plain = guessed(text);
            let best =
                values.iter().find(|value| **value == plain).or_else(|| values.iter().find(|value| value.is_string()));
            best.or_else(|| values.first()).cloned()
        }
        Shape::Coerced { to, from } => inner(to).or_else(|| from.and_then(inner)),
        Shape::Enum(members) => members.iter().find_map(|member| match member {
            Literal::Str(word) => (*word == text).then(|| text.into()),
            Literal::Int(wanted) => (text.parse() == Ok(*wanted)).then(|| Value::from(*wanted)),
            Literal::Bool(wanted) => (truth(text) == Some(*wanted)).then_some(Value::Bool(*wanted)),
            _ => None,
        }),
        Shape::Value { .. } | Shape::Anything | Shape::Raw => Some(guessed(text)),
        Shape::Package
        | Shape::Attrs
        | Shape::AttrsOf { .. }
        | Shape::LoaOf(_)
        | Shape::FunctionTo(_)
        | Shape::Submodule { .. }
        | Shape::Section { .. }
        | Shape::AttrTag(_) => None,
    }
}

/// Returns what a text without a type is: a truth value or a number where it is written as one, else itself.
pub(super) fn guessed(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<i64>() {
            // `007` and `+7` are written so for a reason.
            Ok(number) if number.to_string() == text => number.into(),
            _ => text.into(),
        },
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    text.parse::<i64>()
        .ok()
        .map(Value::from)
        .or_else(|| text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;

    #[test]
    fn a_text_becomes_what_its_option_takes() {
        let facts = Facts::embedded();
        let index = facts.options("26.11pre".parse().unwrap());
        let of = |option: &str, text: &str| match typed(index, option, text) {
            Ok(value) => value.to_string(),
            Err(fault) => format!("{fault:?}"),
        };
        for (option, text, wanted) in [
            ("services.gitea.settings.server.HTTP_PORT", "3000", "3000"),
            ("services.gitea.settings.service.DISABLE_REGISTRATION", "true", "true"),
            ("services.gitea.settings.cron.SCHEDULE", "@every 1h", "\"@every 1h\""),
            ("services.gitea.settings.x.Y", "007", "\"007\""),
            ("services.gitea.appName", "12", "\"12\""),
            ("services.gitea.database.type", "postgres", "\"postgres\""),
            ("services.gitea.database.type", "oracle", "NoValue"),
            ("services.gitea.database.port", "5432", "5432"),
            ("services.gitea.database.port", "many", "NoValue"),
            ("services.gitea.nothing", "x", "NoOption"),
            ("services.dockerRegistry.enableDelete", "yes", "true"),
            ("services.postgresql.ensureDatabases", "forge", "[\"forge\"]"),
            ("services.postgresql.settings.max_connections", "200", "200"),
        ] {
            assert_eq!(of(option, text), wanted, "{option} = {text}");
        }
    }
}
