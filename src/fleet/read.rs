//! From files to a typed fleet: imports followed, definitions merged, every value decoded with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rayon::prelude::*;

use super::decode::{Cx, Decode as _, Map};
use super::merge::{IsPrefix, Merged, Shadowed, merge};
use super::scalar::check_name;
use super::schema::facts_file::FactsFile;
use super::schema::fleet_file::FleetFile;
use super::schema::host::HostFile;
use super::schema::module_file::{ModuleFile, ModuleKind};
use super::shape::Shape;
use crate::source::{
    Diagnostic, Diagnostics, FileId, FleetFiles, Kind, Node, Place, Sources, nearest, parse_json, parse_toml, quoted,
};

/// A fleet that was read without an error in fleet.toml.
#[derive(Debug)]
pub struct Fleet {
    /// fleet.toml.
    pub file: FleetFile,
    /// fleet.toml as a tree, for looking a route up.
    pub tree: Node,
    /// The hosts that were read without an error, by name.
    pub hosts: BTreeMap<String, Host>,
    /// The names of the hosts that have errors.
    pub unread: BTreeSet<String>,
    /// The modules that hosts import or services stand on, by name.
    pub modules: BTreeMap<String, Module>,
    /// The names of the modules that have errors.
    pub unread_modules: BTreeSet<String>,
    /// The templates that the fleet brings, as (name, file): those below templates/ by what follows, those of modules by their path.
    pub templates: BTreeMap<String, FileId>,
}

impl Fleet {
    /// Returns the template of the Nix that a module brings itself, as (name of the template, file).
    pub fn template_of(&self, module: &str) -> Option<(&str, FileId)> {
        let found = self.templates.get_key_value(&format!("modules/{module}/default.nix.tera"));
        found.map(|(name, file)| (name.as_str(), *file))
    }
}

/// A host as its files say.
#[derive(Debug)]
pub struct Host {
    /// Its name: that of its folder.
    pub name: String,
    /// host.toml.
    pub file: FileId,
    /// Its definition, imports and defaults merged in.
    pub def: HostFile,
    /// The merged definition as a tree, for looking a route up.
    pub tree: Node,
    /// facts.json.
    pub facts: Option<FactsFile>,
    /// The user's own NixOS modules beside it, as (file name, file).
    pub nix: Vec<(String, FileId)>,
    /// The modules that were merged in, in order.
    pub imports: Vec<String>,
    /// What host.toml says and a module or the fleet's defaults override.
    pub shadowed: Vec<Shadowed>,
}

/// A module.
#[derive(Debug)]
pub struct Module {
    /// Its module.toml.
    pub file: ModuleFile,
    /// Whether the fleet brings it in place of an embedded one.
    pub overrides: bool,
}

/// What was read.
#[derive(Debug)]
pub struct Reading {
    /// The fleet, unless fleet.toml itself has errors.
    pub fleet: Option<Fleet>,
    /// How many hosts there are, those with errors included.
    pub hosts: usize,
    /// What is wrong with the files.
    pub found: Diagnostics,
}

/// The shape of a host.toml: the same for all fleets, and some hundreds of keys.
static SHAPE: LazyLock<Shape> = LazyLock::new(HostFile::shape);

/// Reads a fleet. `builtin` are the embedded modules as (name, text of module.toml); `is_prefix` tells prefixes of NixOS options
/// from options, for routes that begin with `nixos`.
pub fn read(files: &mut FleetFiles, builtin: &[(&str, &str)], is_prefix: &(dyn Fn(&[&str]) -> bool + Sync)) -> Reading {
    let mut found = files.found.clone();
    let fleet_tree = tree(files, "fleet.toml", &mut found);
    let mut fleet_file = fleet_tree.as_ref().and_then(|tree| FleetFile::decode(tree, &mut Cx::new(&mut found)));
    if let Some(file) = &mut fleet_file {
        super::lock::pins(file, files, &mut found);
    }
    let defaults = fleet_tree.as_ref().and_then(|tree| tree.at(&["defaults"])).cloned();

    let count = host_names(files).len();
    let trees = host_trees(files, &mut found);
    let mut modules = Modules::default();
    let roots = defaults.iter().chain(trees.iter().map(|tree| &tree.node));
    modules.load(roots, files, builtin, &mut found);

    let context =
        Context { sources: &files.sources, defaults: defaults.as_ref(), modules: &modules, shape: &SHAPE, is_prefix };
    let hosts: Vec<(Option<Host>, Diagnostics)> = trees.into_par_iter().map(|tree| context.host(tree)).collect();
    let mut read = BTreeMap::new();
    let mut unread = host_names(files);
    for (host, mut said) in hosts {
        found.append(&mut said);
        if let Some(host) = host {
            unread.remove(&host.name);
            read.insert(host.name.clone(), host);
        }
    }
    dedup(&mut found);
    let templates = files.files.iter().filter_map(|(path, id)| {
        let of_module = path.starts_with("modules/") && path.ends_with("/default.nix.tera");
        let name = if of_module { path } else { path.strip_prefix("templates/")? };
        Some((name.to_owned(), *id))
    });
    let templates = templates.collect();
    let fleet = fleet_file.zip(fleet_tree).map(|(file, tree)| Fleet {
        file,
        tree,
        hosts: read,
        unread,
        unread_modules: modules.unread(),
        modules: modules.into_modules(),
        templates,
    });
    Reading { fleet, hosts: count, found }
}

/// Returns the names of the fleet's hosts, those that cannot be read included.
fn host_names(files: &FleetFiles) -> BTreeSet<String> {
    let refused = files.found.iter().map(|finding| files.sources.file(finding.primary.place.file).path());
    let all = files.files.keys().map(String::as_str).chain(refused);
    let names = all.filter_map(|path| path.strip_prefix("hosts/")?.strip_suffix("/host.toml"));
    names.map(str::to_owned).collect()
}

/// Removes findings about one thing: what stands in defaults or a module is read once a host.
fn dedup(found: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    found.retain(|finding| seen.insert((finding.rule, finding.primary.place, finding.message.clone())));
}

fn tree(files: &FleetFiles, path: &str, found: &mut Diagnostics) -> Option<Node> {
    let file = *files.files.get(path)?;
    let before = found.len();
    let node = parse_toml(&files.sources, file, found);
    // A file with syntax errors would only bring follow-up errors.
    (found.len() == before).then_some(node)
}

/// A host's files, parsed.
struct HostTree {
    name: String,
    file: FileId,
    node: Node,
    facts: Option<FileId>,
    nix: Vec<(String, FileId)>,
}

fn host_trees(files: &FleetFiles, found: &mut Diagnostics) -> Vec<HostTree> {
    let mut by_name: BTreeMap<&str, Vec<(&str, FileId)>> = BTreeMap::new();
    for (name, rest, id) in files.below("hosts") {
        by_name.entry(name).or_default().push((rest, id));
    }
    let parsed: Vec<(Option<HostTree>, Diagnostics)> = by_name
        .into_par_iter()
        .map(|(name, members)| {
            let mut found = Vec::new();
            (host_tree(&files.sources, name, &members, &mut found), found)
        })
        .collect();
    parsed
        .into_iter()
        .filter_map(|(tree, mut said)| {
            found.append(&mut said);
            tree
        })
        .collect()
}

fn host_tree(sources: &Sources, name: &str, members: &[(&str, FileId)], found: &mut Diagnostics) -> Option<HostTree> {
    let member = |wanted: &str| members.iter().find(|(rest, _)| *rest == wanted).map(|(_, id)| *id);
    let Some(file) = member("host.toml") else {
        // A host.toml that could not be read is reported by the loader.
        return None;
    };
    if let Err(wanted) = check_name(name) {
        let message = format!("a host cannot be called {}", quoted(name));
        found.push(Diagnostic::error("name-invalid", sources.start(file), message).help(wanted));
        return None;
    }
    let before = found.len();
    let node = parse_toml(sources, file, found);
    if found.len() > before {
        for finding in found.iter_mut().skip(before) {
            finding.host = Some(name.to_owned());
        }
        return None;
    }
    let ends_with_nix = |rest: &str| rest.strip_suffix(".nix").is_some();
    let nix = members.iter().filter(|(rest, _)| ends_with_nix(rest)).map(|(rest, id)| ((*rest).to_owned(), *id));
    Some(HostTree { name: name.to_owned(), file, node, facts: member("facts.json"), nix: nix.collect() })
}

/// The modules that a fleet uses, as trees.
#[derive(Default)]
struct Modules {
    loaded: BTreeMap<String, LoadedModule>,
    /// Every name there is, for suggestions.
    names: BTreeSet<String>,
}

struct LoadedModule {
    module: Option<Module>,
    host: Option<Node>,
}

impl Modules {
    /// Reads the modules that the given trees name, and those that these name in turn.
    fn load<'a>(
        &mut self,
        roots: impl Iterator<Item = &'a Node>,
        files: &mut FleetFiles,
        builtin: &[(&str, &str)],
        found: &mut Diagnostics,
    ) {
        let own: BTreeMap<String, FileId> = files
            .below("modules")
            .filter(|(_, rest, _)| *rest == "module.toml")
            .map(|(name, _, id)| (name.to_owned(), id))
            .collect();
        self.names = own.keys().cloned().chain(builtin.iter().map(|(name, _)| (*name).to_owned())).collect();
        // The fleet's own are read even when nothing names them: their author wants to know what is wrong. A copy of a built-in one is
        // none of its own.
        let is_copy = |name: &str, file: FileId| {
            builtin.iter().any(|(known, text)| *known == name && *text == *files.sources.text(file))
        };
        let changed = own.iter().filter(|(name, file)| !is_copy(name, **file));
        let mut wanted: Vec<String> = changed.map(|(name, _)| name.clone()).collect();
        wanted.extend(roots.flat_map(names_in));
        while let Some(name) = wanted.pop() {
            if self.loaded.contains_key(&name) {
                continue;
            }
            let embedded = builtin.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
            let (file, overrides) = match (own.get(&name), embedded) {
                (Some(file), embedded) => {
                    let differs = embedded.is_some_and(|text| *text != *files.sources.text(*file));
                    (*file, differs)
                }
                (None, Some(text)) => {
                    (files.sources.add(format!("<built in>/modules/{name}/module.toml"), text), false)
                }
                (None, None) => continue,
            };
            let loaded = load_module(&files.sources, file, overrides, found);
            wanted.extend(loaded.host.iter().flat_map(names_in));
            self.loaded.insert(name, loaded);
        }
    }

    fn unread(&self) -> BTreeSet<String> {
        self.loaded.iter().filter(|(_, loaded)| loaded.module.is_none()).map(|(name, _)| name.clone()).collect()
    }

    fn into_modules(self) -> BTreeMap<String, Module> {
        self.loaded.into_iter().filter_map(|(name, loaded)| Some((name, loaded.module?))).collect()
    }
}

/// Returns the service modules: those that the program carries, and a fleet's own in their place. What is wrong with a module is
/// left to the check of the fleet.
///
/// `is_wanted` is asked with the name and the text of each that the program carries: to decode all of them takes a while.
pub fn service_modules(
    files: Option<&FleetFiles>,
    builtin: &[(&str, &str)],
    is_wanted: impl Fn(&str, &str) -> bool,
) -> BTreeMap<String, Module> {
    let mut sources = Sources::default();
    let mut texts: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
    for (name, text) in builtin.iter().filter(|(name, text)| is_wanted(name, text)) {
        texts.insert(name, (text, false));
    }
    if let Some(files) = files {
        for (name, _, id) in files.below("modules").filter(|(_, rest, _)| *rest == "module.toml") {
            let own = files.sources.file(id).text();
            let carried = builtin.iter().find(|(known, _)| *known == name);
            if carried.is_none_or(|(_, text)| *text != own) {
                texts.insert(name, (own, carried.is_some()));
            }
        }
    }
    let loaded = texts.into_iter().filter_map(|(name, (text, overrides))| {
        let file = sources.add(format!("modules/{name}/module.toml"), text);
        let module = load_module(&sources, file, overrides, &mut Diagnostics::new()).module?;
        (module.file.kind.value == ModuleKind::Service).then(|| (name.to_owned(), module))
    });
    loaded.collect()
}

fn load_module(sources: &Sources, file: FileId, overrides: bool, found: &mut Diagnostics) -> LoadedModule {
    let before = found.len();
    let node = parse_toml(sources, file, found);
    if found.len() > before {
        return LoadedModule { module: None, host: None };
    }
    let module = ModuleFile::decode(&node, &mut Cx::new(found)).map(|file| Module { file, overrides });
    if let (Some(module), Some(host)) = (&module, node.at(&["host"]))
        && module.file.kind.value == ModuleKind::Service
    {
        let message = "a service module cannot carry settings of a host yet";
        found.push(
            Diagnostic::error("value-invalid", host.place, message).help("put them into a profile and import that"),
        );
    }
    LoadedModule { module, host: node.at(&["host"]).cloned() }
}

/// Returns the modules that a host's tree names: its imports, and the modules of its services.
fn names_in(node: &Node) -> Vec<String> {
    let imports = node.at(&["imports"]).and_then(Node::as_list).unwrap_or_default();
    let mut names: Vec<String> = imports.iter().filter_map(|item| item.node.as_str().map(str::to_owned)).collect();
    if let Some(services) = node.at(&["services"]).and_then(Node::as_table) {
        for (name, entry) in services {
            names.push(entry.node.at(&["module"]).and_then(Node::as_str).map_or_else(|| name.clone(), str::to_owned));
        }
    }
    names
}

/// What every host is read with.
struct Context<'a> {
    sources: &'a Sources,
    defaults: Option<&'a Node>,
    modules: &'a Modules,
    shape: &'a Shape,
    is_prefix: &'a (dyn Fn(&[&str]) -> bool + Sync),
}

impl Context<'_> {
    fn host(&self, tree: HostTree) -> (Option<Host>, Diagnostics) {
        let mut found = Vec::new();
        let mut layers = Vec::new();
        let mut names = Vec::new();
        let before = found.len();
        for root in self.defaults.into_iter().chain([&tree.node]) {
            self.import(root, &mut Vec::new(), &mut names, &mut layers, &mut found);
            layers.push(root.clone());
        }
        let complete = found.len() == before;
        let is_prefix: &IsPrefix<'_> = &|route| (self.is_prefix)(route);
        let Merged { node, mut shadowed } = merge(layers, self.shape, is_prefix, &mut found);
        shadowed.retain(|lost| lost.place.file == tree.file && lost.by.file != tree.file);
        let def = node.and_then(|mut merged| {
            merged.place = self.sources.start(tree.file);
            Some((HostFile::decode(&merged, &mut Cx::new(&mut found))?, merged))
        });
        let facts = tree.facts.map(|file| self.facts(file, &mut found));
        let own_folder = format!("hosts/{}/", tree.name);
        for finding in &mut found {
            // An error in defaults or in a module is the fleet's: it would otherwise be told once a host.
            if self.sources.file(finding.primary.place.file).path().starts_with(&own_folder) {
                finding.host = Some(tree.name.clone());
            }
        }
        let readable = complete && facts != Some(None) && found.is_empty();
        let host = def.filter(|_| readable).map(|(def, merged)| Host {
            name: tree.name,
            file: tree.file,
            def,
            tree: merged,
            facts: facts.flatten(),
            nix: tree.nix,
            imports: names,
            shadowed,
        });
        (host, found)
    }

    fn facts(&self, file: FileId, found: &mut Diagnostics) -> Option<FactsFile> {
        let node = parse_json(self.sources, file, "value-invalid", found)?;
        let facts = FactsFile::decode(&node, &mut Cx::new(found))?;
        if facts.version.value != 1 {
            let message = format!("facts of version {} cannot be read", facts.version.value);
            let help = "take them again with this version's `hostwright probe`";
            found.push(Diagnostic::error("value-invalid", facts.version.place, message).help(help));
            return None;
        }
        Some(facts)
    }

    /// Adds the layers that a tree imports, each module once, what it imports before it.
    fn import(
        &self,
        node: &Node,
        path: &mut Vec<String>,
        names: &mut Vec<String>,
        layers: &mut Vec<Node>,
        found: &mut Diagnostics,
    ) {
        let imports = node.at(&["imports"]).and_then(Node::as_list).unwrap_or_default();
        for item in imports {
            let Kind::Str(name) = &item.node.kind else { continue };
            let place = item.node.place;
            if path.contains(name) {
                let cycle = path.iter().chain([name]).map(String::as_str).collect::<Vec<_>>().join(" -> ");
                let message = format!("modules import each other: {cycle}");
                found.push(Diagnostic::error("import-cycle", place, message).help("remove one of these imports"));
                continue;
            }
            if names.contains(name) {
                continue;
            }
            let Some(module) = self.modules.loaded.get(name) else {
                found.push(self.unknown_import(name, place));
                continue;
            };
            path.push(name.clone());
            if let Some(host) = &module.host {
                self.import(host, path, names, layers, found);
                let mut layer = host.clone();
                // What a module imports has been followed; the host's own list stays what it wrote.
                if let Kind::Table(table) = &mut layer.kind {
                    table.shift_remove("imports");
                }
                layers.push(layer);
            }
            path.pop();
            names.push(name.clone());
        }
    }

    fn unknown_import(&self, name: &str, place: Place) -> Diagnostic {
        let finding = Diagnostic::error("import-unknown", place, format!("there is no module {}", quoted(name)));
        let known = self.modules.names.iter().map(String::as_str);
        match nearest(name, known).as_slice() {
            [] => finding.help(format!("a module is a folder `modules/{name}` with a module.toml")),
            near => finding.help(format!(
                "nearest: {}",
                near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )),
        }
    }
}

/// Returns the modules by name; for code that only needs to look one up.
impl Fleet {
    /// Returns the channel of a name.
    pub fn channel(&self, name: &str) -> Option<&super::schema::fleet_file::Channel> {
        self.channels().get(name).map(|channel| &channel.value)
    }

    /// Returns the channels by name.
    pub fn channels(&self) -> &Map<super::schema::fleet_file::Channel> {
        &self.file.channels
    }
}
