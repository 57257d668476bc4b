//! What a kustomization names: paths, before anything of it is read.

use std::collections::BTreeSet;

use crate::kubernetes::read::inline;
use crate::kubernetes::tree::Node;

/// The names that a kustomization's file may have.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What kustomizations name, as paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Files and folders with objects.
    pub objects: BTreeSet<String>,
    /// Files with patches.
    pub patches: BTreeSet<String>,
    /// Files that become values of ConfigMaps and Secrets, or that only kustomize reads.
    pub data: BTreeSet<String>,
}

impl Listed {
    /// Adds what a kustomization in a folder names.
    pub fn add(&mut self, folder: &str, root: &Node<'_>) {
        let path = |text: &str| join(folder, text);
        for entry in ["resources", "bases", "components"].iter().flat_map(|key| root.list(key)) {
            self.objects.extend(entry.text().filter(|text| is_local(text)).map(path));
        }
        for entry in root.list("patchesStrategicMerge") {
            self.patches.extend(entry.text().filter(|text| is_local(text)).map(path));
        }
        for entry in ["patches", "patchesJson6902"].iter().flat_map(|key| root.list(key)) {
            self.patches.extend(entry.get("path").and_then(Node::text).map(path));
        }
        for entry in ["configMapGenerator", "secretGenerator"].iter().flat_map(|key| root.list(key)) {
            for file in entry.list("files") {
                let text = file.text().map(|text| text.split_once('=').map_or(text, |(_, path)| path));
                self.data.extend(text.map(path));
            }
            self.data.extend(entry.list("envs").iter().chain(entry.get("env")).filter_map(Node::text).map(path));
        }
        for key in ["configurations", "crds", "generators", "transformers", "validators"] {
            self.data.extend(root.list(key).iter().filter_map(Node::text).filter(|text| is_local(text)).map(path));
        }
        for chart in root.list("helmCharts") {
            let more = chart.list("additionalValuesFiles").iter();
            self.data.extend(chart.get("valuesFile").into_iter().chain(more).filter_map(Node::text).map(path));
        }
        self.data.extend(root.at(&["openapi", "path"]).and_then(Node::text).map(path));
    }

    /// Returns all files and folders.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.objects.iter().chain(&self.patches).chain(&self.data)
    }
}

/// Returns what the kustomizations among some files name, from path and text.
pub fn of_files<'t>(files: impl Iterator<Item = (&'t str, &'t str)>) -> Listed {
    let mut listed = Listed::default();
    for (path, text) in files.filter(|(path, _)| is_kustomization_file(path)) {
        for root in inline(text).unwrap_or_default() {
            listed.add(folder_of(path), &root);
        }
    }
    listed
}

/// Keys of a kustomization that only kustomize can act on.
pub(super) const ONLY_KUSTOMIZE: &[&str] = &[
    "configurations",
    "generators",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "openapi",
    "replacements",
    "transformers",
    "validators",
    "vars",
];

/// Tells whether a kustomization does more than can be read here: it runs generators, or lists what lies elsewhere.
pub fn is_more_than_a_list(root: &Node<'_>) -> bool {
    let entries = ["resources", "bases", "components"].iter().flat_map(|key| root.list(key));
    let mut texts = entries.filter_map(Node::text);
    ONLY_KUSTOMIZE.iter().any(|key| root.get(key).is_some()) || texts.any(|text| !is_local(text))
}

/// Returns the folders that a kustomization lists.
pub(super) fn folders(folder: &str, root: &Node<'_>) -> Vec<String> {
    let entries = ["resources", "bases", "components"].iter().flat_map(|key| root.list(key));
    entries.filter_map(Node::text).map(|text| join(folder, text)).collect()
}

/// Tells whether a file is a kustomization, by its name.
pub fn is_kustomization_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    NAMES.contains(&name)
}

/// Returns the folder of a file; empty for the current one.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Tells whether an entry of a kustomization is a path, rather than an address or a patch that stands there itself.
pub(super) fn is_local(text: &str) -> bool {
    !text.contains("://")
        && !text.contains('\n')
        && !text.contains("?ref=")
        && !text.starts_with("git@")
        && !text.starts_with("github.com/")
}

/// Returns a path from a folder, without `.` and `..` in its middle.
pub(super) fn join(folder: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.trim_end_matches('/').to_owned();
    }
    let root = if folder.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_folders_are() {
        for (folder, path, joined) in [
            ("k8s/apps", "./web.yaml", "k8s/apps/web.yaml"),
            ("k8s/apps", "../../base/", "base"),
            ("k8s", "../../base", "../base"),
            ("", "a//b", "a/b"),
            ("/srv/k8s", "../x", "/srv/x"),
            ("k8s", ".", "k8s"),
        ] {
            assert_eq!(join(folder, path), joined, "{folder} {path}");
        }
    }

    #[test]
    fn a_kustomization_names_files_and_no_addresses() {
        let text = "resources: [a.yaml, 'https://example.org/x.yaml', ../base]\npatches: [{ path: p.yaml }, { patch: x }]\nconfigMapGenerator: [{ name: c, files: [x.conf=files/x, y], envs: [.env] }]\n";
        let listed = of_files([("k/kustomization.yaml", text), ("k/other.yaml", "resources: [z]")].into_iter());
        assert_eq!(
            listed.all().map(String::as_str).collect::<Vec<_>>(),
            ["base", "k/a.yaml", "k/p.yaml", "k/.env", "k/files/x", "k/y"]
        );
    }
}
