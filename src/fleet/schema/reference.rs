//! The keys of every file as a page: docs/schema.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::facts_file::FactsFile;
use super::fleet_file::FleetFile;
use super::host::HostFile;
use super::module_file::ModuleFile;
use crate::fleet::decode::Decode as _;
use crate::fleet::shape::{Shape, Table};

/// Returns the reference of all keys as Markdown.
pub fn reference() -> String {
    let mut page = "# The keys of a fleet's files\n\nPrinted by `hostwright schema --format md` from the tables that the program decodes with; \
                    a test holds this page\nagainst them. **Bold** is required, a default stands in brackets. Any value of a host.toml \
                    may be written in NixOS's terms:\n`{ mkDefault = x }`, `{ mkForce = x }`, `{ mkOverride = { priority = 60, value = x } }`, \
                    `{ mkBefore = [..] }`, `{ mkAfter = [..] }`,\nand below `nixos` and `services.*.options` as `{ literalExpression = \
                    \"nix\" }`.\n"
        .to_owned();
    let files = [
        ("fleet.toml", FleetFile::shape()),
        ("hosts/HOST/host.toml", HostFile::shape()),
        ("modules/NAME/module.toml", ModuleFile::shape()),
        ("hosts/HOST/facts.json", FactsFile::shape()),
    ];
    let mut seen = BTreeSet::new();
    for (title, shape) in files {
        let _ = write!(page, "\n## {title}\n");
        section(&mut page, &shape, "", &mut seen);
    }
    page
}

/// Writes the table of one shape, then those of the tables below it, each once.
fn section(page: &mut String, shape: &Shape, route: &str, seen: &mut BTreeSet<&'static str>) {
    for table in tables(shape) {
        if !seen.insert(table.name) {
            continue;
        }
        if !route.is_empty() {
            let _ = write!(page, "\n### {route}\n");
        }
        page.push_str("\n| key | type | meaning |\n| --- | --- | --- |\n");
        for key in &table.keys {
            let name = if key.required { format!("**{}**", key.name) } else { key.name.to_owned() };
            let default = key.default.as_ref().map_or_else(String::new, |default| format!(" [`{default}`]"));
            let _ = writeln!(page, "| {name} | {}{default} | {} |", type_of(&key.shape), key.about);
        }
        for key in &table.keys {
            let below = if route.is_empty() { key.name.to_owned() } else { format!("{route}.{}", key.name) };
            section(page, &key.shape, &name_of(&key.shape, below), seen);
        }
    }
}

fn name_of(shape: &Shape, route: String) -> String {
    match shape {
        Shape::Map { of, .. } => name_of(of, format!("{route}.NAME")),
        Shape::List(of) => name_of(of, format!("{route}[]")),
        _ => route,
    }
}

fn tables(shape: &Shape) -> Vec<&Table> {
    match shape {
        Shape::Table(table) => vec![table],
        Shape::Map { of, .. } | Shape::List(of) => tables(of),
        Shape::OneOf(shapes) => shapes.iter().flat_map(tables).collect(),
        Shape::Scalar(_) | Shape::Choice(_) | Shape::Any => Vec::new(),
    }
}

fn type_of(shape: &Shape) -> String {
    match shape {
        Shape::Scalar(scalar) => scalar.form.replace('|', "\\|"),
        Shape::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" \\| "),
        Shape::List(of) => format!("[{}]", type_of(of)),
        Shape::Map { of, .. } => format!("{{{}}}", type_of(of)),
        Shape::Table(_) => "table".to_owned(),
        Shape::OneOf(shapes) => shapes.iter().map(type_of).collect::<Vec<_>>().join(" \\| "),
        Shape::Any => "any".to_owned(),
    }
}
