//! The Nix that a module brings itself, in its default.nix.tera: of services that stand on it, and of profiles that a host imports.
//!
//! A template gets values and no access to the definition: what it may use is part of how modules are written (docs/services.md).
//! What it yields is formatted, and must parse.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::HostCx;
use crate::nix;
use crate::resolve::{ResolvedHost, ResolvedService};
use crate::source::{Diagnostic, Diagnostics, FileId, Kind, Node, Sources, printable};

/// What a template is given.
#[derive(Serialize, Default)]
struct Values<'a> {
    /// The host's name.
    host: &'a str,
    /// The service's name; of a profile its own.
    name: &'a str,
    /// The option prefix that the module stands on.
    prefix: &'a str,
    /// The service's options below the prefix; of those in Nix nothing.
    options: Json,
    /// The module's account and group.
    user: &'a str,
    group: &'a str,
    /// Port by name.
    ports: BTreeMap<&'a str, u16>,
    /// Where its state lies.
    state: Vec<&'a str>,
    /// The file on the host by the name that the module has for a secret.
    secrets: BTreeMap<&'a str, &'a str>,
}

/// Returns the Nix files that a host's modules bring, as (path below the host's folder, text); what cannot be filled or does not parse
/// is reported at its place in the template.
pub(super) fn files(cx: &HostCx<'_>, found: &mut Diagnostics) -> Vec<(String, String)> {
    let fleet = cx.fleet.fleet;
    let mut files = Vec::new();
    for name in &cx.host.source.imports {
        if let Some(template) = fleet.template_of(name) {
            let values = Values { host: cx.host.name, name, ..Values::default() };
            files.extend(one(cx, template, &values, found).map(|text| (format!("modules/profile-{name}.nix"), text)));
        }
    }
    for service in cx.host.running() {
        let Some(module) = service.module else { continue };
        if let Some(template) = fleet.template_of(module.name) {
            let text = one(cx, template, &of_service(cx.host, service), found);
            files.extend(text.map(|text| (format!("modules/service-{}.nix", service.name), text)));
        }
    }
    files
}

fn of_service<'a>(host: &'a ResolvedHost<'a>, service: &'a ResolvedService<'a>) -> Values<'a> {
    let module = service.module.map(|module| module.file);
    let account = |account: Option<&'a crate::source::Spanned<crate::fleet::scalar::Account>>| {
        account.map_or("", |one| one.as_str())
    };
    let secrets = service.def.secrets.iter().filter_map(|given| {
        let key = given.key.as_ref().map_or(given.name.as_str(), |key| key.as_str());
        Some((key, host.secret(given.name.as_str())?.path.as_str()))
    });
    Values {
        host: host.name,
        name: service.name,
        prefix: service.module.map_or("", |module| module.prefix),
        options: service.def.options().and_then(json).unwrap_or(Json::Object(Map::new())),
        user: account(module.and_then(|module| module.user.as_ref())),
        group: account(module.and_then(|module| module.group.as_ref())),
        ports: service.ports.iter().map(|port| (port.name.as_str(), port.port)).collect(),
        state: service.state.iter().map(|state| state.path.as_str()).collect(),
        secrets: secrets.collect(),
    }
}

/// Fills the template of a module and formats what comes of it.
fn one(cx: &HostCx<'_>, template: (&str, FileId), values: &Values<'_>, found: &mut Diagnostics) -> Option<String> {
    let (name, file) = template;
    let text = cx.render(name, values, found)?;
    match nix::format(&text) {
        Ok(text) => Some(format!("# Written by hostwright from {name}; changes here are lost.\n{text}")),
        Err(error) => {
            found.push(broken(cx.sources, file, &text, &error));
            None
        }
    }
}

/// Reports what does not parse, at the line of the template that looks like the one to blame, if there is one.
fn broken(sources: &Sources, file: FileId, text: &str, error: &nix::NixSyntaxError) -> Diagnostic {
    let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
    let written = sources.file(file).text();
    let mut at = 0;
    let same = written.split_inclusive('\n').find_map(|other| {
        let start = at;
        at += other.len();
        (!line.trim().is_empty() && other.trim() == line.trim()).then_some(start..start + other.trim_end().len())
    });
    let place = same.map_or_else(|| sources.place(file, 0, 0), |range| sources.place(file, range.start, range.end));
    let what = printable(&error.message);
    Diagnostic::error("nix-invalid", place, format!("the template yields Nix that does not parse: {what}"))
        .label(format!("line {} of what it yields: {}", error.line, printable(line.trim())))
        .help("every `{{ … }}` is a literal already, with its quotes: it stands where Nix wants a value")
}

/// Returns a value as JSON; nothing of Nix text, which a template cannot use as a value.
fn json(node: &Node) -> Option<Json> {
    Some(match &node.kind {
        Kind::Str(text) | Kind::Date(text) => Json::from(text.as_str()),
        Kind::Int(int) => Json::from(*int),
        Kind::Float(float) => Json::from(*float),
        Kind::Bool(truth) => Json::from(*truth),
        Kind::Null => Json::Null,
        Kind::Nix(_) => return None,
        Kind::List(items) => items.iter().filter_map(|item| json(&item.node)).collect(),
        Kind::Table(table) => {
            let entries = table.iter().filter_map(|(name, entry)| Some((name.clone(), json(&entry.node)?)));
            Json::Object(entries.collect())
        }
    })
}
