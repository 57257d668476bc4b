//! Where in the definitions it comes from what Nix speaks of: a place in a compiled file, or the name of an option.
//!
//! What a person wrote is looked up in the tree that the file was made from, down to the element and the token; what
//! follows from a definition, by the place that its setting carries.

use std::ops::Range;

use super::said::At;
use crate::compile::Settings;
use crate::facts::split_name;
use crate::nix::{Around, Enclosing, Value, around, bindings_of, element_of, read_module, token_within};
use crate::resolve::ResolvedHost;
use crate::source::{FileId, Kind, Node, ORDER, Place, Sources};

/// Where something comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    /// The place in a definition.
    pub(super) place: Place,
    /// The option that is set there, as far as it is known.
    pub(super) option: Vec<String>,
    /// How many segments of the name led there.
    pub(super) depth: usize,
    /// Whether that was the whole name, or all up to the value that holds the rest.
    pub(super) whole: bool,
    /// Whether a person wrote the value.
    pub(super) written: bool,
    /// Whether the compiled file has an expression there: what follows from a definition is mostly plain.
    pub(super) computed: bool,
    /// What to leave out of the compiled files to go on without it.
    pub(super) cuts: Vec<Cut>,
}

/// A part of a compiled file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file, below the host's folder.
    pub file: String,
    /// Its bytes.
    pub range: Range<usize>,
}

/// A compiled file of the host.
struct Written {
    name: String,
    text: String,
    settings: Settings,
}

/// A .nix file of the user.
struct Own {
    name: String,
    text: String,
    file: FileId,
    definitions: Vec<Node>,
}

/// A tree of definitions that a compiled file was made from, below an option's name.
struct Root<'a> {
    file: &'static str,
    prefix: Vec<String>,
    node: &'a Node,
}

/// What a host's compiled files were made from.
pub(super) struct Origins<'a> {
    sources: &'a Sources,
    roots: Vec<Root<'a>>,
    written: Vec<Written>,
    own: Vec<Own>,
}

/// A step down a tree.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Element(usize),
}

/// How far steps led.
struct Descent<'a> {
    node: &'a Node,
    key: Option<Place>,
    /// The names that were followed.
    names: Vec<String>,
    /// How many steps were taken.
    steps: usize,
}

impl Descent<'_> {
    /// Returns the place that stands for what was found: a value, or the key of what holds several.
    fn place(&self) -> Place {
        match self.node.kind {
            Kind::Table(_) | Kind::List(_) => self.key.unwrap_or(self.node.place),
            _ => self.node.place,
        }
    }
}

impl<'a> Origins<'a> {
    /// Takes the compiled files as (name below the host's folder, text, what it sets).
    pub(super) fn new(
        host: &'a ResolvedHost<'a>,
        sources: &'a Sources,
        files: impl IntoIterator<Item = (String, String, Settings)>,
    ) -> Self {
        let mut roots = Vec::new();
        if let Some(node) = &host.def.nixos {
            roots.push(Root { file: "nixos.nix", prefix: Vec::new(), node });
        }
        for service in &host.services {
            if let (Some(module), Some(node)) = (service.module, service.def.options()) {
                roots.push(Root { file: "services.nix", prefix: split_name(module.prefix), node });
            }
        }
        let written = files.into_iter().map(|(name, text, settings)| Written { name, text, settings }).collect();
        let own = host.source.nix.iter().map(|(name, file)| {
            let text = sources.file(*file).text().to_owned();
            let definitions = read_module(&text, *file).map(|module| module.definitions).unwrap_or_default();
            Own { name: format!("user/{name}"), text, file: *file, definitions }
        });
        Self { sources, roots, written, own: own.collect() }
    }

    /// Returns the names of all options that are set, those that people wrote first.
    pub(super) fn options(&self) -> Vec<Vec<String>> {
        fn leaves(node: &Node, name: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
            match &node.kind {
                Kind::Table(table) if !table.is_empty() => {
                    for (segment, entry) in table {
                        name.push(segment.clone());
                        leaves(&entry.node, name, all);
                        name.pop();
                    }
                }
                _ => all.push(name.clone()),
            }
        }
        let mut all = Vec::new();
        for root in &self.roots {
            leaves(root.node, &mut root.prefix.clone(), &mut all);
        }
        for definition in self.own.iter().flat_map(|own| &own.definitions) {
            leaves(definition, &mut Vec::new(), &mut all);
        }
        all.extend(self.written.iter().flat_map(|file| file.settings.iter()).map(|definition| definition.path.clone()));
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|name| seen.insert(name.clone()));
        all
    }

    /// Returns the names of the options that people set with an expression, alone or in a list.
    pub(super) fn expressions(&self) -> Vec<Vec<String>> {
        fn walk(node: &Node, name: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
            match &node.kind {
                Kind::Table(table) => {
                    for (segment, entry) in table {
                        name.push(segment.clone());
                        walk(&entry.node, name, all);
                        name.pop();
                    }
                }
                Kind::Nix(_) => all.push(name.clone()),
                Kind::List(items) if items.iter().any(|item| matches!(item.node.kind, Kind::Nix(_))) => {
                    all.push(name.clone());
                }
                _ => {}
            }
        }
        let mut all = Vec::new();
        for root in &self.roots {
            walk(root.node, &mut root.prefix.clone(), &mut all);
        }
        all
    }

    /// Returns where the text at a place of a compiled file comes from; `file` is its name below the host's folder.
    pub(super) fn of_place(&self, file: &str, at: &At) -> Option<Origin> {
        if let Some(own) = self.own.iter().find(|own| own.name == file) {
            let offset = offset_of(&own.text, at)?;
            return Some(self.in_own(own, offset));
        }
        let written = self.written.iter().find(|written| written.name == file)?;
        let offset = offset_of(&written.text, at)?;
        let arounds = around(&written.text, offset);
        let steps = steps(&arounds);
        let of_root = self.roots.iter().filter(|root| root.file == file).filter_map(|root| {
            let (first, rest) = (steps.get(..root.prefix.len())?, steps.get(root.prefix.len()..)?);
            let is_below = first.iter().zip(&root.prefix).all(|((step, _), name)| *step == Step::Name(name.clone()));
            let descent = is_below.then(|| descend(root.node, rest.iter().map(|(step, _)| step)))?;
            (descent.steps > 0).then_some((root, descent))
        });
        let of_settings = Self::set_in(written, &steps);
        let Some((root, descent)) = of_root.max_by_key(|(root, descent)| root.prefix.len() + descent.names.len())
        else {
            return of_settings;
        };
        let depth = root.prefix.len() + descent.names.len();
        if of_settings.as_ref().is_some_and(|settings| settings.depth > depth) {
            return of_settings;
        }
        let last = steps.get(root.prefix.len() + descent.steps - 1).and_then(|(_, index)| arounds.get(*index))?;
        let place = match &descent.node.kind {
            Kind::Nix(text) => token_within(&written.text, &last.range, offset, text.trim())
                .and_then(|token| self.token_place(descent.node.place, text.trim(), &token))
                .unwrap_or(descent.node.place),
            _ => descent.place(),
        };
        Some(Origin {
            place,
            option: root.prefix.iter().chain(&descent.names).cloned().collect(),
            depth,
            whole: true,
            written: true,
            computed: true,
            cuts: vec![Cut { file: file.to_owned(), range: last.range.clone() }],
        })
    }

    /// Returns the place of a token of Nix that stands in a string of TOML, where the string holds it as it is.
    fn token_place(&self, string: Place, nix: &str, token: &Range<usize>) -> Option<Place> {
        let start = string.start as usize + self.sources.excerpt(string).find(nix)? + token.start;
        Some(self.sources.place(string.file, start, start + token.len()))
    }

    /// Returns what a user's own file sets around an offset, which is a place of its own.
    fn in_own(&self, own: &Own, offset: usize) -> Origin {
        let word = own.text.get(offset..).unwrap_or_default();
        let end = word.find(|c: char| !(c.is_alphanumeric() || "_-'.".contains(c))).unwrap_or(word.len());
        let arounds = around(&own.text, offset);
        let option: Vec<String> = steps(&arounds)
            .into_iter()
            .map_while(|(step, _)| match step {
                Step::Name(name) => Some(name),
                Step::Element(_) => None,
            })
            .skip_while(|name| name == "config")
            .collect();
        let cuts = arounds.last().map(|last| Cut { file: own.name.clone(), range: last.range.clone() });
        Origin {
            place: self.sources.place(own.file, offset, offset + end.max(1)),
            depth: option.len(),
            option,
            whole: true,
            written: true,
            computed: true,
            cuts: cuts.into_iter().collect(),
        }
    }

    /// Returns where a file of the user mentions a path beside it.
    pub(super) fn of_mention(&self, path: &str) -> Option<Origin> {
        self.own.iter().find_map(|own| {
            let offset = own.text.find(path)?;
            Some(self.in_own(own, offset))
        })
    }

    /// Returns the setting of a compiled file that stands around a place.
    fn set_in(file: &Written, steps: &[(Step, usize)]) -> Option<Origin> {
        let names: Vec<&String> = steps
            .iter()
            .map_while(|(step, _)| match step {
                Step::Name(name) => Some(name),
                Step::Element(_) => None,
            })
            .collect();
        let around = |path: &[String]| path.len() <= names.len() && path.iter().zip(&names).all(|(a, b)| a == *b);
        let below = |path: &[String]| path.len() > names.len() && path.iter().zip(&names).all(|(a, b)| a == *b);
        let settings = || file.settings.iter();
        let holds = settings().filter(|definition| around(&definition.path)).max_by_key(|one| one.path.len());
        let found = holds.or_else(|| settings().find(|one| !names.is_empty() && below(&one.path)))?;
        let computed = is_computed(&found.value);
        Some(Origin { computed, ..Self::set(file, &found.path, found.place) })
    }

    fn set(file: &Written, path: &[String], place: Place) -> Origin {
        let cut = |range| Cut { file: file.name.clone(), range };
        Origin {
            place,
            option: path.to_vec(),
            depth: path.len(),
            whole: true,
            written: false,
            computed: false,
            cuts: bindings_of(&file.text, path).into_iter().map(cut).collect(),
        }
    }

    /// Returns where an option is set, or what lies nearest above it, whatever file sets it.
    pub(super) fn of_option(&self, name: &[String]) -> Option<Origin> {
        self.options_in(name, |_| true).max_by(|a, b| (a.whole, a.depth, a.written).cmp(&(b.whole, b.depth, b.written)))
    }

    /// Returns where each of some files sets an option, the one that a person wrote first.
    pub(super) fn of_option_in(&self, name: &[String], files: &[String]) -> Vec<Origin> {
        let mut all: Vec<Origin> = self
            .options_in(name, |file| files.iter().any(|named| named == file))
            .filter(|origin| origin.whole)
            .collect();
        all.sort_by_key(|origin| (!origin.written, std::cmp::Reverse(origin.depth)));
        // A setting that stands in a tree is the same as the one that was made from it.
        let mut seen: Vec<(Vec<Cut>, Place)> = Vec::new();
        all.retain(|origin| {
            let known = seen.iter().any(|(cuts, place)| {
                *cuts == origin.cuts || contains(*place, origin.place) || contains(origin.place, *place)
            });
            seen.push((origin.cuts.clone(), origin.place));
            !known
        });
        all
    }

    fn options_in<'o>(
        &'o self,
        name: &'o [String],
        is_in: impl Fn(&str) -> bool + 'o,
    ) -> impl Iterator<Item = Origin> + 'o {
        let is_in = std::rc::Rc::new(is_in);
        let (roots, own, written) = (std::rc::Rc::clone(&is_in), std::rc::Rc::clone(&is_in), is_in);
        let of_roots =
            self.roots.iter().filter(move |root| roots(root.file)).filter_map(move |root| self.in_root(root, name));
        let of_own = self.own.iter().filter(move |file| own(&file.name)).flat_map(move |file| {
            file.definitions.iter().filter_map(move |node| {
                let descent = descend(node, to_steps(name).iter());
                let whole = !matches!(descent.node.kind, Kind::Table(_)) || descent.names.len() == name.len();
                (descent.steps > 0).then(|| {
                    let place = descent.place();
                    Origin {
                        place,
                        whole,
                        depth: descent.names.len(),
                        option: descent.names.clone(),
                        ..self.in_own(file, place.start as usize)
                    }
                })
            })
        });
        let of_settings = self.written.iter().filter(move |file| written(&file.name)).flat_map(move |file| {
            file.settings.iter().filter_map(move |definition| {
                let common = definition.path.iter().zip(name).take_while(|(a, b)| a == b).count();
                let whole = common == name.len() || common == definition.path.len();
                (common > 0).then(|| Origin {
                    whole,
                    depth: common,
                    ..Self::set(file, &definition.path, definition.place)
                })
            })
        });
        of_roots.chain(of_own).chain(of_settings)
    }

    fn in_root(&self, root: &Root<'_>, name: &[String]) -> Option<Origin> {
        let rest = name.strip_prefix(root.prefix.as_slice())?;
        let steps = to_steps(rest);
        let descent = descend(root.node, steps.iter());
        if descent.steps == 0 {
            return None;
        }
        let option: Vec<String> = root.prefix.iter().chain(&descent.names).cloned().collect();
        let whole = !matches!(descent.node.kind, Kind::Table(_)) || descent.steps == steps.len();
        let text = self.written.iter().find(|file| file.name == root.file).map_or("", |file| file.text.as_str());
        let mut ranges = bindings_of(text, &option);
        if let (Some(Step::Element(index)), [only]) = (steps.get(descent.steps.saturating_sub(1)), ranges.as_slice()) {
            ranges = element_of(text, only, *index).into_iter().collect();
        }
        let cuts = ranges.into_iter().map(|range| Cut { file: root.file.to_owned(), range }).collect();
        Some(Origin { place: descent.place(), depth: option.len(), option, whole, written: true, computed: true, cuts })
    }
}

/// Tells whether a value is an expression, perhaps with a priority.
fn is_computed(value: &Value) -> bool {
    match value {
        Value::Expr(_) => true,
        Value::Prioritised { value, .. } | Value::Ordered { value, .. } => is_computed(value),
        _ => false,
    }
}

/// Tells whether one place lies in another.
fn contains(outer: Place, inner: Place) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

/// Returns the offset that a line and a column in bytes name.
fn offset_of(text: &str, at: &At) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(at.line.checked_sub(1)?).map(str::len).sum();
    let offset = before + at.column.checked_sub(1)?;
    (offset < text.len() && text.is_char_boundary(offset)).then_some(offset)
}

/// Returns each step with the index of what it came from.
fn steps(arounds: &[Around]) -> Vec<(Step, usize)> {
    let mut steps = Vec::new();
    for (index, around) in arounds.iter().enumerate() {
        match &around.what {
            Enclosing::Binding(names) => steps.extend(names.iter().map(|name| (Step::Name(name.clone()), index))),
            Enclosing::Element(element) => steps.push((Step::Element(*element), index)),
        }
    }
    steps
}

/// Returns a name as steps; NixOS names an element of a list as `[definition 1-entry 2]`.
fn to_steps(name: &[String]) -> Vec<Step> {
    let element = |name: &String| {
        let (_, entry) = name.strip_prefix("[definition ")?.strip_suffix(']')?.split_once("-entry ")?;
        entry.parse::<usize>().ok()?.checked_sub(1)
    };
    name.iter().map(|name| element(name).map_or_else(|| Step::Name(name.clone()), Step::Element)).collect()
}

/// Goes down a tree as far as the steps lead.
fn descend<'n, 's>(node: &'n Node, steps: impl Iterator<Item = &'s Step>) -> Descent<'n> {
    let mut descent = Descent { node, key: None, names: Vec::new(), steps: 0 };
    let mut part = None;
    for step in steps {
        match (step, &descent.node.kind) {
            (Step::Name(name), Kind::Table(table)) => {
                let Some(entry) = table.get(name) else { break };
                descent.node = &entry.node;
                descent.key = Some(entry.key);
                descent.names.push(name.clone());
            }
            (Step::Element(index), Kind::List(items)) => {
                let mut sizes: Vec<(u32, usize)> = Vec::new();
                for item in items {
                    match sizes.last_mut() {
                        Some((order, size)) if *order == item.order => *size += 1,
                        _ => sizes.push((item.order, 1)),
                    }
                }
                // Several orders are printed as lists in a `lib.mkMerge`.
                let plain = sizes.len() < 2 || sizes.iter().all(|(order, _)| *order == ORDER);
                let item = match part {
                    None if !plain => {
                        part = Some(*index);
                        descent.steps += 1;
                        continue;
                    }
                    None => *index,
                    Some(part) => sizes.iter().take(part).map(|(_, size)| size).sum::<usize>() + index,
                };
                part = None;
                let Some(item) = items.get(item) else { break };
                descent.node = &item.node;
                descent.key = None;
            }
            _ => break,
        }
        descent.steps += 1;
    }
    descent
}
