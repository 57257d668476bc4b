//! Which definition is to be changed: for an error with its trace, and for a sentence of a module.

use super::origins::{Origin, Origins};
use super::phrase::{names, subject};
use super::said::{At, Said};
use crate::facts::split_name;

/// What Nix said of which option is declared in which files.
pub(super) type Declared = [(Vec<String>, Vec<String>)];

/// Returns the part of a path that lies below a host's compiled folder: a file's name, or default.nix for the folder itself.
pub(super) fn below<'t>(path: &'t str, folder: &str) -> Option<&'t str> {
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() { Some("default.nix") } else { rest.strip_prefix('/') }
}

/// Returns what an error comes from. `folder` holds the host's compiled files.
pub(super) fn of_error(said: &Said, origins: &Origins<'_>, declared: &Declared, folder: &str) -> Option<Origin> {
    let at = |at: &At| origins.of_place(below(&at.file, folder)?, at);
    if let Some(origin) = said.at.as_ref().and_then(at) {
        return Some(origin);
    }
    let message = said.error.join("\n");
    if let Some(name) = subject(&message) {
        let files: Vec<String> = files(&said.error).filter_map(|file| below(file, folder)).map(str::to_owned).collect();
        let in_files = origins.of_option_in(&name, &files).into_iter().next();
        if let Some(origin) = in_files.or_else(|| origins.of_option(&name).filter(|origin| is_near(origin, &name))) {
            return Some(origin);
        }
    }
    let mut named = names(&message).into_iter().filter_map(|name| origins.of_option(&name));
    if let Some(origin) = named.find(|origin| origin.whole && origin.written && origin.depth > 1) {
        return Some(origin);
    }
    // `import` of a file that is not there: only its path is said.
    let mut of_user = message.split(['`', '\'', ' ']).filter_map(|word| below(word, folder)?.strip_prefix("user/"));
    if let Some(origin) = of_user.find_map(|path| origins.of_mention(path)) {
        return Some(origin);
    }
    let on_the_way = || Way { frames: said.frames.iter().rev(), foreign: false, origins, folder };
    on_the_way()
        .find(|origin| origin.written)
        .or_else(|| of_modules(said, origins, declared, &message))
        .or_else(|| on_the_way().find(|origin| origin.computed))
}

/// Tells whether what was found for a name is at most one segment away from it, and no mere first segment.
fn is_near(origin: &Origin, name: &[String]) -> bool {
    origin.whole || (origin.depth > 1 && origin.depth + 1 >= name.len())
}

/// The definitions that the frames of a trace lead through, from the innermost on.
struct Way<'a, 's, I> {
    frames: I,
    /// Whether the definition of the next option is one of nixpkgs.
    foreign: bool,
    origins: &'s Origins<'a>,
    folder: &'s str,
}

impl<'f, I: Iterator<Item = &'f super::said::Frame>> Iterator for Way<'_, '_, I> {
    type Item = Origin;

    fn next(&mut self) -> Option<Origin> {
        for frame in self.frames.by_ref() {
            let quoted = |words: &str| frame.text.strip_prefix(words)?.trim_end_matches(':').strip_suffix('\'');
            if let Some(file) = quoted("while evaluating definitions from `") {
                self.foreign = below(file, self.folder).is_none();
            } else if let Some(name) = quoted("while evaluating the option `") {
                let foreign = std::mem::take(&mut self.foreign);
                let name = split_name(name);
                let origin =
                    self.origins.of_option(&name).filter(|origin| !foreign && origin.whole && origin.depth > 1);
                if origin.is_some() {
                    return origin;
                }
            }
            let place = frame.at.as_ref().and_then(|at| self.origins.of_place(below(&at.file, self.folder)?, at));
            if place.is_some() {
                return place;
            }
        }
        None
    }
}

/// Returns what is set of the options of the innermost module of NixOS that a trace leads through.
fn of_modules(said: &Said, origins: &Origins<'_>, declared: &Declared, message: &str) -> Option<Origin> {
    let frames = said.frames.iter().rev().filter_map(|frame| frame.at.as_ref());
    let files = said.at.iter().chain(frames).map(|at| at.file.as_str()).filter(|file| is_module(file));
    let mut tried: Vec<&str> = Vec::new();
    for file in files {
        if !tried.contains(&file) {
            tried.push(file);
            if let Some(origin) = of_file(file, message, origins, declared) {
                return Some(origin);
            }
        }
    }
    None
}

/// Tells whether a file may declare options that somebody sets; every way leads through the library of modules.
fn is_module(file: &str) -> bool {
    !["/lib/modules.nix", "/lib/types.nix", "/lib/options.nix", "/lib/attrsets.nix", "/lib/lists.nix"]
        .iter()
        .any(|own| file.ends_with(own))
}

/// Tells whether something is decided by the options of a trace's modules, so that it is worth asking where they are declared.
pub(super) fn needs_declared(said: &Said, origins: &Origins<'_>, folder: &str) -> bool {
    of_error(said, origins, &[], folder).is_none_or(|origin| !origin.written)
        && said.frames.iter().filter_map(|frame| frame.at.as_ref()).any(|at| is_module(&at.file))
}

/// Returns what a sentence is about that a module says: an assertion or a warning. `file` is the module's, where it is known.
pub(super) fn of_sentence(
    text: &str,
    file: Option<&str>,
    origins: &Origins<'_>,
    declared: &Declared,
    folder: &str,
) -> Option<Origin> {
    // A rename says which files use the old name.
    if let Some(name) = subject(text) {
        let files: Vec<String> = quoted_paths(text).filter_map(|path| below(path, folder)).map(str::to_owned).collect();
        if let Some(origin) = origins.of_option_in(&name, &files).into_iter().next() {
            return Some(origin);
        }
    }
    let found: Vec<Origin> =
        names(text).iter().filter_map(|name| origins.of_option(name)).filter(|origin| origin.depth > 1).collect();
    let first = |fits: &dyn Fn(&Origin) -> bool| found.iter().find(|origin| fits(origin)).cloned();
    first(&|origin| origin.whole && origin.written)
        .or_else(|| first(&|origin| origin.written && origin.depth > 2))
        .or_else(|| of_file(file?, text, origins, declared).filter(|origin| origin.written))
        .or_else(|| first(&|origin| origin.whole))
        .or_else(|| of_file(file?, text, origins, declared))
        .or_else(|| found.into_iter().max_by_key(|origin| (origin.written, origin.depth)))
}

/// Returns what is set of the options that a file declares: the one that the text has a word of, else what switches it on.
fn of_file(file: &str, text: &str, origins: &Origins<'_>, declared: &Declared) -> Option<Origin> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').collect();
    let mut best: Option<(usize, Origin)> = None;
    for (name, _) in declared.iter().filter(|(_, files)| files.iter().any(|known| known == file)) {
        let Some(origin) = origins.of_option(name) else { continue };
        let last = name.last().map(|last| last.to_lowercase()).unwrap_or_default();
        let rank = match () {
            () if words.contains(&last.as_str()) => 4,
            () if last == "enable" => 3,
            () => 2,
        } + if origin.written { 4 } else { 0 };
        if best.as_ref().is_none_or(|(known, _)| rank > *known) {
            best = Some((rank, origin));
        }
    }
    best.map(|(_, origin)| origin)
}

/// Returns the files that a message of the module system lists: `- In `FILE': VALUE`.
pub(super) fn files(lines: &[String]) -> impl Iterator<Item = &str> {
    lines.iter().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("- In `")?;
        rest.split_once('\'').map(|(file, _)| file)
    })
}

fn quoted_paths(text: &str) -> impl Iterator<Item = &str> {
    text.split(['`', '\'']).filter(|part| part.starts_with('/'))
}
