//! Definitions in the making as TOML: into the text of a host.toml, where all that stands there stays as it is.

mod service;
mod toml;

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item, Table, TomlError};

use self::toml::{commented, inline, item_of, list, string, strings, value_of};
use super::draft::{DatasetDraft, FilesystemDraft, HostDraft, Protocol};
use crate::facts::split_name;

/// What a host.toml becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its text.
    pub text: String,
    /// Files that it names, by their path below the fleet's folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Tables that were added: `services.gitea`.
    pub added: Vec<String>,
    /// Tables that stood there before and stay as they are.
    pub kept: Vec<String>,
}

/// Adds definitions to the text of a host.toml; an empty text gives the definitions alone. `host` is the host's name, `pool` the pool
/// that datasets belong to. Fails where the text is no TOML.
pub fn write(text: &str, draft: &HostDraft, host: &str, pool: Option<&str>) -> Result<Written, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let mut out =
        Writer { root: document.as_table_mut(), files: BTreeMap::new(), added: Vec::new(), kept: Vec::new(), host };
    for (name, dataset) in &draft.datasets {
        if let Some(pool) = pool {
            let comment = format!("claim {}", dataset.claim);
            out.add_value(&["zfs", "pools", pool, "datasets", name], dataset_of(dataset), &comment);
        }
    }
    for (path, filesystem) in &draft.filesystems {
        out.add_value(&["filesystems", path], filesystem_of(filesystem), "");
    }
    for (address, names) in &draft.hosts {
        out.extend(&["network", "hosts", address], names.iter().map(|name| string(name)));
    }
    for (protocol, key) in [(Protocol::Tcp, "tcp"), (Protocol::Udp, "udp")] {
        let ports = draft.open.iter().filter(|(_, own)| *own == protocol);
        out.extend(&["network", "firewall", key], ports.map(|(port, _)| i64::from(*port).into()));
    }
    for (interface, open) in &draft.open_on {
        for (protocol, key) in [(Protocol::Tcp, "tcp"), (Protocol::Udp, "udp")] {
            let ports = open.iter().filter(|(_, own)| *own == protocol);
            out.extend(
                &["network", "firewall", "interfaces", interface, key],
                ports.map(|(port, _)| i64::from(*port).into()),
            );
        }
    }
    if let Some(email) = &draft.acme_email {
        out.add_value(&["web", "acme-email"], string(email), "");
    }
    for (name, about) in &draft.secrets {
        let reader = draft.secret_readers.get(name);
        let path = reader.map(|_| string(&format!("/var/lib/secrets/{name}")));
        let item = inline([("path", path), ("owner", reader.map(|reader| string(reader)))]);
        out.add_value(&["secrets", "items", name], item, about);
    }
    for (name, service) in &draft.services {
        service::add(&mut out, name, service);
    }
    for (option, value) in &draft.nixos {
        let keys = split_name(option);
        let route: Vec<&str> = std::iter::once("nixos").chain(keys.iter().map(String::as_str)).collect();
        out.add_value(&route, value_of(value), "");
    }
    let Writer { files, added, kept, .. } = out;
    Ok(Written { text: document.to_string(), files, added, kept })
}

/// A document that is added to.
struct Writer<'d> {
    root: &'d mut Table,
    files: BTreeMap<String, Vec<u8>>,
    added: Vec<String>,
    kept: Vec<String>,
    host: &'d str,
}

impl Writer<'_> {
    /// Adds a value, with a comment behind it, unless something stands there.
    fn add_value(&mut self, route: &[&str], value: toml_edit::Value, comment: &str) {
        let shown = shown(route);
        let Some((key, tables)) = route.split_last() else { return };
        match self.table(tables) {
            Some(table) if !table.contains_key(key) => {
                table.insert(key, item_of(value, comment));
                self.added.push(shown);
            }
            _ => self.kept.push(shown),
        }
    }

    /// Adds a table of its own, with lines of comment above it, unless something stands there.
    fn add_table(&mut self, route: &[&str], table: Table, comments: &[String]) {
        let shown = shown(route);
        let Some((key, tables)) = route.split_last() else { return };
        match self.table(tables) {
            Some(parent) if !parent.contains_key(key) => {
                parent.insert(key, Item::Table(commented(table, comments)));
                self.added.push(shown);
            }
            _ => self.kept.push(shown),
        }
    }

    /// Adds those elements to a list that are not in it.
    fn extend(&mut self, route: &[&str], values: impl Iterator<Item = toml_edit::Value>) {
        let values: Vec<toml_edit::Value> = values.collect();
        let Some((key, tables)) = route.split_last() else { return };
        if values.is_empty() {
            return;
        }
        let shown = shown(route);
        let Some(table) = self.table(tables) else { return self.kept.push(shown) };
        let item = table.entry(key).or_insert_with(|| Item::Value(list([])));
        let Some(array) = item.as_array_mut() else { return self.kept.push(shown) };
        for value in values {
            let text = value.to_string();
            if !array.iter().any(|known| known.to_string().trim() == text.trim()) {
                array.push(value);
            }
        }
        self.added.push(shown);
    }

    /// Returns the table at a route, made where there is none; none where something else stands there.
    fn table(&mut self, route: &[&str]) -> Option<&mut dyn toml_edit::TableLike> {
        let mut table: &mut dyn toml_edit::TableLike = self.root;
        for key in route {
            let implicit = || {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            };
            if !table.contains_key(key) {
                table.insert(key, implicit());
            }
            table = table.get_mut(key)?.as_table_like_mut()?;
        }
        Some(table)
    }

    /// Keeps a file beside host.toml and returns its path below the fleet's folder.
    fn file(&mut self, service: &str, path: &str, content: &[u8]) -> String {
        let name: String = path.rsplit('/').next().unwrap_or("file").chars().filter(|c| !c.is_control()).collect();
        let plain: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
        let plain = plain.trim_start_matches(['.', '-']);
        let plain = if plain.is_empty() { "file" } else { plain };
        let place = |name: &str| format!("hosts/{}/files/{service}/{name}", self.host);
        let names = std::iter::once(plain.to_owned()).chain((2..).map(|number: u32| format!("{number}-{plain}")));
        let mut paths = names.map(|name| place(&name));
        let is_free = |path: &String| self.files.get(path).is_none_or(|known| known == content);
        let path = paths.find(is_free).unwrap_or_else(|| place(plain));
        self.files.insert(path.clone(), content.to_owned());
        path
    }
}

fn shown(route: &[&str]) -> String {
    route.join(".")
}

fn dataset_of(dataset: &DatasetDraft) -> toml_edit::Value {
    inline([
        ("mount", Some(string(&dataset.mount))),
        ("quota", dataset.quota.as_deref().map(string)),
        ("backup", dataset.backup.then(|| true.into())),
    ])
}

fn filesystem_of(filesystem: &FilesystemDraft) -> toml_edit::Value {
    let options = (!filesystem.options.is_empty()).then(|| strings(&filesystem.options));
    inline([
        ("type", Some(string(&filesystem.kind))),
        ("device", Some(string(&filesystem.device))),
        ("options", options),
    ])
}
