//! Lines of tmpfiles.d(5), in the form that the release takes.

use super::HostCx;
use super::settings::Settings;
use crate::nix::{Attrs, Expr, Value};
use crate::source::Place;
use crate::text::tmpfiles_path;

/// A line of tmpfiles.d(5).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule<'a> {
    /// The letter: `d` makes a directory, `z` sets owner and permissions of what is there, `L+` a link, `C` a copy.
    pub(super) kind: &'static str,
    /// The path.
    pub(super) path: &'a str,
    /// Permissions, octal.
    pub(super) mode: Option<&'a str>,
    /// The owner.
    pub(super) user: Option<&'a str>,
    /// The group.
    pub(super) group: Option<&'a str>,
    /// What the letter takes.
    pub(super) argument: Option<Argument<'a>>,
}

impl<'a> Rule<'a> {
    /// Returns a rule about a path with nothing else said.
    pub(super) fn new(kind: &'static str, path: &'a str) -> Self {
        Self { kind, path, mode: None, user: None, group: None, argument: None }
    }
}

/// What the letter of a rule takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Argument<'a> {
    /// Text.
    Text(&'a str),
    /// Something in the store, by its path.
    Stored(&'a Expr),
}

/// Adds a rule to the file `hostwright-TOPIC.conf`; with releases that have no such files, to the one of all rules.
pub(super) fn add(cx: &HostCx<'_>, topic: &str, rule: Rule<'_>, place: Place, out: &mut Settings) {
    if cx.spelling.tmpfiles_settings() {
        let said = [("group", rule.group), ("mode", rule.mode), ("user", rule.user)];
        let mut said: Attrs = said.into_iter().filter_map(|(key, value)| Some((key, Value::from(value?)))).collect();
        match rule.argument {
            Some(Argument::Text(text)) => said.set(&["argument"], text),
            Some(Argument::Stored(expr)) => said.set(&["argument"], in_store("", expr)),
            None => None,
        };
        let file = if topic.is_empty() { "hostwright".to_owned() } else { format!("hostwright-{topic}") };
        out.set_below("systemd.tmpfiles.settings", &[&file, rule.path, rule.kind], said, place);
        return;
    }
    let line = line(rule);
    let line = match rule.argument {
        Some(Argument::Text(text)) => format!("{line} {text}").into(),
        Some(Argument::Stored(expr)) => in_store(&format!("{line} "), expr),
        None => Value::from(line),
    };
    out.list("systemd.tmpfiles.rules", [line], place);
}

/// Returns the path of something in the store behind other text.
fn in_store(before: &str, expr: &Expr) -> Value {
    expr.in_string(before, "").map_or(Value::Null, Value::from)
}

/// Returns the line of a rule without its argument.
fn line(rule: Rule<'_>) -> String {
    let or_none = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let path = tmpfiles_path(rule.path);
    format!("{} {path} {} {} {} -", rule.kind, or_none(rule.mode), or_none(rule.user), or_none(rule.group))
}
