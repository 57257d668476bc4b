//! Reads a fleet's folder: the one place where definitions come from the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::assets::{may_name, named_in};
use super::{
    Asset, AssetFile, Diagnostic, Diagnostics, FileId, MAX_ASSET_BYTES, MAX_FOLDER_BYTES, MAX_FOLDER_FILES,
    ManifestFile, Node, OWN_FOLDERS, Sources, load_manifests, parse_toml,
};

/// The largest file that is read, in bytes. A definition is a page of text; what is larger is a mistake.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// Everything of a fleet that was read, not yet understood.
#[derive(Debug, Default)]
pub struct FleetFiles {
    /// The texts.
    pub sources: Sources,
    /// Path below the fleet's folder (with `/`) -> file, sorted.
    pub files: BTreeMap<String, FileId>,
    /// The manifests of the clusters that fleet.toml names, by their paths below the fleet's folder; not decoded yet.
    pub manifests: Vec<ManifestFile>,
    /// What is there and could not be read.
    pub found: Diagnostics,
}

/// Why there is no fleet to read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder has no fleet.toml.
    #[error("{} is no fleet: there is no fleet.toml in it", .0.display())]
    NoFleet(PathBuf),
    /// The folder is not there or cannot be listed.
    #[error("cannot read the folder {}: {why}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
}

impl FleetFiles {
    /// Returns a fleet from texts in memory, as `(path below the fleet, text)`.
    pub fn in_memory<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        let mut fleet = Self::default();
        for (path, text) in files {
            fleet.add(path.into(), text.into());
        }
        fleet
    }

    /// Adds a text under its path.
    pub fn add(&mut self, path: String, text: String) {
        let id = self.sources.add(path.clone(), text);
        self.files.insert(path, id);
    }

    /// Returns the files directly below a folder as (first segment below it, rest of the path, file).
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str, FileId)> {
        self.files.iter().filter_map(move |(path, id)| {
            let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
            let (name, rest) = rest.split_once('/')?;
            Some((name, rest, *id))
        })
    }

    fn refuse(&mut self, rule: &'static str, path: &str, message: String, help: &str) {
        let id = self.sources.add(path, "");
        let place = self.sources.start(id);
        self.found.push(Diagnostic::error(rule, place, message).help(help));
    }
}

/// Reads every file of the fleet in `root` that hostwright knows.
///
/// Files that are there and cannot be read (permissions, size, encoding, a link out of the fleet) are findings, so that
/// the rest of the fleet is still checked.
pub fn load(root: &Path) -> Result<FleetFiles, LoadError> {
    let folder = |why| LoadError::Folder { path: root.to_owned(), why };
    let root_real = root.canonicalize().map_err(folder)?;
    if !root_real.is_dir() {
        return Err(folder(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let mut fleet = FleetFiles::default();
    if std::fs::symlink_metadata(root_real.join("fleet.toml")).is_err() {
        return Err(LoadError::NoFleet(root.to_owned()));
    }
    let mut loader = Loader { root: &root_real, fleet: &mut fleet, plain: BTreeSet::new() };
    loader.read("fleet.toml");
    for lock in loader.locks() {
        loader.read(&lock);
    }
    loader.manifests();
    for host in loader.names("hosts") {
        let folder = format!("hosts/{host}");
        for name in loader.names(&folder) {
            if name == "host.toml" || name == "facts.json" || ends_with(&name, ".nix") {
                loader.read(&format!("{folder}/{name}"));
            }
        }
    }
    for module in loader.names("modules") {
        for name in ["module.toml", "default.nix.tera"] {
            let path = format!("modules/{module}/{name}");
            if loader.root.join(&path).exists() {
                loader.read(&path);
            }
        }
    }
    for name in loader.template_names() {
        if ends_with(&name, ".tera") {
            loader.read(&format!("templates/{name}"));
        }
    }
    loader.assets();
    Ok(fleet)
}

/// Reads the .nix files at and below some paths, for `lint-nix`. Their names are the paths as given.
pub fn load_nix(paths: &[PathBuf]) -> Result<FleetFiles, LoadError> {
    let mut fleet = FleetFiles::default();
    for path in paths {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(path).to_owned();
                LoadError::Folder { path, why: error.into() }
            })?;
            let named = entry.depth() == 0 && entry.file_type().is_file();
            if !named && (!entry.file_type().is_file() || entry.path().extension().is_none_or(|ending| ending != "nix"))
            {
                continue;
            }
            let shown = entry.path().to_string_lossy().replace('\\', "/");
            match read_text(entry.path()) {
                Ok(text) => fleet.add(shown, text),
                Err((rule, message, help)) => fleet.refuse(rule, &shown, message, help),
            }
        }
    }
    Ok(fleet)
}

fn ends_with(name: &str, ending: &str) -> bool {
    name.len() > ending.len() && name.ends_with(ending)
}

struct Loader<'a> {
    root: &'a Path,
    fleet: &'a mut FleetFiles,
    /// Folders that no symbolic link leads to: to ask the system for the real path of every file takes longer than to read them.
    plain: BTreeSet<String>,
}

impl Loader<'_> {
    /// Returns the sorted names in a folder; none where there is no such folder.
    fn names(&mut self, folder: &str) -> Vec<String> {
        let path = self.root.join(folder);
        if !path.is_dir() {
            return Vec::new();
        }
        #[expect(clippy::disallowed_methods, reason = "this is the door through which files come")]
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(why) => {
                self.fleet.refuse(
                    "file-unreadable",
                    folder,
                    format!("the folder cannot be listed: {why}"),
                    "make it readable",
                );
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for entry in entries.flatten() {
            match entry.file_name().into_string() {
                Ok(name) if name.starts_with('.') => {}
                Ok(name) => names.push(name),
                Err(name) => {
                    let shown = format!("{folder}/{}", name.to_string_lossy());
                    self.fleet.refuse("name-invalid", &shown, "the name is not UTF-8".to_owned(), "rename it");
                }
            }
        }
        names.sort();
        names
    }

    /// Returns the names below templates/, those of its folders as `folder/name`.
    fn template_names(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        for name in self.names("templates") {
            let below = self.names(&format!("templates/{name}"));
            names.extend(below.into_iter().map(|file| format!("{name}/{file}")));
            names.push(name);
        }
        names
    }

    /// Returns the paths of the flake.locks that channels name, those that are there; an absent one is reported where it is named.
    fn locks(&self) -> Vec<String> {
        let Some(file) = self.fleet.files.get("fleet.toml") else { return Vec::new() };
        let tree = parse_toml(&self.fleet.sources, *file, &mut Diagnostics::new());
        let channels = tree.at(&["channels"]).and_then(Node::as_table).into_iter().flatten();
        let locks = channels.filter_map(|(_, channel)| channel.node.at(&["lock"])?.as_str());
        let paths = locks.map(|lock| lock.split_once('#').map_or(lock, |(path, _)| path));
        let plain = |path: &&str| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let there = |path: &&str| std::fs::symlink_metadata(self.root.join(path)).is_ok();
        let paths: BTreeSet<&str> = paths.filter(plain).filter(there).collect();
        paths.into_iter().filter(|path| !self.fleet.files.contains_key(*path)).map(str::to_owned).collect()
    }

    /// Reads the manifests of the clusters that fleet.toml names. What is not there is said by whoever needs it; what a link leads to
    /// outside of the fleet is left out in the same way.
    fn manifests(&mut self) {
        let Some(file) = self.fleet.files.get("fleet.toml") else { return };
        if !self.fleet.sources.file(*file).text().contains("manifests") {
            return;
        }
        let tree = parse_toml(&self.fleet.sources, *file, &mut Diagnostics::new());
        let clusters = tree.at(&["clusters"]).and_then(Node::as_table).into_iter().flatten();
        let lists = clusters.filter_map(|(_, cluster)| cluster.node.at(&["manifests"])?.as_list());
        let named = lists.flatten().filter_map(|path| path.node.as_str()).map(|path| path.trim_end_matches('/'));
        let plain = |path: &&str| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let paths: BTreeSet<String> = named.filter(plain).map(str::to_owned).collect();
        for path in paths {
            let whole = self.root.join(&path);
            let inside = |path: &Path| path.canonicalize().is_ok_and(|real| real.starts_with(self.root));
            if !inside(&whole) {
                continue;
            }
            match load_manifests(&[whole]) {
                Ok(files) => {
                    for file in files {
                        let below = Path::new(&file.path).strip_prefix(self.root).ok().and_then(Path::to_str);
                        let Some(below) = below.filter(|_| inside(Path::new(&file.path))) else { continue };
                        let path = below.replace('\\', "/");
                        if !self.fleet.manifests.iter().any(|known| known.path == path) {
                            self.fleet.manifests.push(ManifestFile { path, ..file });
                        }
                    }
                }
                Err(why) => {
                    let message = format!("cannot be read: {why}");
                    self.fleet.refuse("file-unreadable", &path, message, "make the folder and what is in it readable");
                }
            }
        }
    }

    /// Reads the files that definitions name; one that is not there is reported where it is named.
    fn assets(&mut self) {
        let mut named = BTreeSet::new();
        for (path, file) in &self.fleet.files {
            if ends_with(path, ".toml") && may_name(self.fleet.sources.file(*file).text()) {
                named.extend(named_in(&parse_toml(&self.fleet.sources, *file, &mut Diagnostics::new())));
            }
        }
        let plain = |path: &String| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        for path in named.into_iter().filter(plain) {
            if let Some(asset) = self.asset(&path) {
                self.fleet.sources.add_asset(path, asset);
            }
        }
    }

    /// Returns what lies under a path that a definition names; none where there is nothing.
    fn asset(&self, path: &str) -> Option<Asset> {
        let whole = self.root.join(path);
        std::fs::symlink_metadata(&whole).ok()?;
        let read = self.within(&whole).and_then(|real| {
            if !real.is_dir() {
                return read_asset(&real).map(Asset::File);
            }
            self.folder(&real).map(Asset::Folder)
        });
        Some(read.unwrap_or_else(|(rule, message, help)| Asset::Refused { rule, message, help }))
    }

    /// Follows links; what lies outside of the fleet, or where nothing is copied from, is refused.
    fn within(&self, path: &Path) -> Result<PathBuf, Refusal> {
        let real = path.canonicalize().map_err(unreadable)?;
        let below = real.strip_prefix(self.root).map_err(|_| leads_out("leads out of the fleet by a symbolic link"))?;
        let first = below.components().next().map(std::path::Component::as_os_str);
        let is_own = first.is_none_or(|first| OWN_FOLDERS.iter().any(|own| first == *own));
        if is_own {
            let help = "put the file itself where the definition names it";
            return Err(("file-unreadable", "leads to a folder that nothing is copied from".to_owned(), help));
        }
        Ok(real)
    }

    /// Reads every file of a folder. Links to files of the fleet are read, those to folders refused, since they may lead in circles.
    fn folder(&self, folder: &Path) -> Result<BTreeMap<String, AssetFile>, Refusal> {
        let small = "a folder of a few files is meant: what is larger is built by a package or put onto the host";
        let mut files = BTreeMap::new();
        let mut bytes = 0u64;
        for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
            let entry = entry.map_err(|why| unreadable(why.into()))?;
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let name: Vec<Option<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
            let Some(name) = name.into_iter().collect::<Option<Vec<&str>>>() else {
                return Err((
                    "name-invalid",
                    format!("has a name that is not UTF-8: {}", below.display()),
                    "rename it",
                ));
            };
            let name = name.join("/");
            if entry.file_name() == ".git" {
                let help = "name a folder below it: what is copied may be handed out, with all its history";
                return Err(("file-unreadable", format!("holds a repository: {name}"), help));
            }
            if name.contains('\\') || name.chars().any(char::is_control) {
                let message = format!("has a name that cannot be copied: {name}");
                return Err(("name-invalid", message, "rename it: no backslash and no control character"));
            }
            if entry.file_type().is_dir() {
                continue;
            }
            let real = self
                .within(entry.path())
                .map_err(|(rule, why, help)| (rule, format!("holds {name}, which {why}"), help))?;
            if real.is_dir() {
                let help = "put the folder itself there";
                return Err(("file-unreadable", format!("holds a symbolic link to a folder: {name}"), help));
            }
            let file =
                read_asset(&real).map_err(|(rule, why, help)| (rule, format!("holds {name}, which {why}"), help))?;
            bytes = bytes.saturating_add(file.bytes.len() as u64);
            files.insert(name, file);
            if bytes > MAX_FOLDER_BYTES {
                return Err(("too-large", format!("holds more than {} MiB", MAX_FOLDER_BYTES >> 20), small));
            }
            if files.len() > MAX_FOLDER_FILES {
                return Err(("too-large", format!("holds more than {MAX_FOLDER_FILES} files"), small));
            }
        }
        Ok(files)
    }

    fn read(&mut self, path: &str) {
        match self.text(path) {
            Ok(text) => self.fleet.add(path.to_owned(), text),
            Err((rule, message, help)) => self.fleet.refuse(rule, path, message, help),
        }
    }

    fn text(&mut self, path: &str) -> Result<String, Refusal> {
        let whole = self.root.join(path);
        if self.is_plain(path) {
            return read_text(&whole);
        }
        let real = whole.canonicalize().map_err(unreadable)?;
        if !real.starts_with(self.root) {
            return Err(leads_out("a symbolic link leads out of the fleet"));
        }
        read_text(&real)
    }

    /// Tells whether no part of a path is a symbolic link.
    fn is_plain(&mut self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for part in ends.filter_map(|end| path.get(..end)) {
            if self.plain.contains(part) {
                continue;
            }
            match std::fs::symlink_metadata(self.root.join(part)) {
                Ok(about) if about.is_dir() => drop(self.plain.insert(part.to_owned())),
                Ok(about) if about.is_file() => {}
                _ => return false,
            }
        }
        true
    }
}

/// Why a file was not read: rule, message, help.
type Refusal = (&'static str, String, &'static str);

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unreadable(why: io::Error) -> Refusal {
    let help = "check that the file is there and its permissions";
    ("file-unreadable", format!("cannot be read: {why}"), help)
}

fn leads_out(message: &str) -> Refusal {
    let help = "put the file itself into the fleet: what a build depends on must be under its roof";
    ("file-unreadable", message.to_owned(), help)
}

/// Reads a regular file up to a size; `help` says what to do with a larger one.
fn read_bytes(path: &Path, most: u64, help: &'static str) -> Result<(Vec<u8>, std::fs::Metadata), Refusal> {
    // To open a pipe would wait for somebody who writes.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(("file-unreadable", "is not a regular file".to_owned(), "replace it with a file"));
    }
    #[expect(clippy::disallowed_methods, reason = "this is the door through which files come")]
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::with_capacity(usize::try_from(about.len().min(most)).unwrap_or(0));
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(("too-large", format!("is larger than {} MiB", most >> 20), help));
    }
    Ok((bytes, about))
}

/// Reads one file as it is.
fn read_asset(path: &Path) -> Result<AssetFile, Refusal> {
    let help = "what is large is built by a package or put onto the host";
    let (bytes, about) = read_bytes(path, MAX_ASSET_BYTES, help)?;
    Ok(AssetFile { bytes: bytes.into(), executable: is_program(&about) })
}

#[cfg(unix)]
fn is_program(about: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_program(_about: &std::fs::Metadata) -> bool {
    false
}

/// Reads one file of text, within the bounds of size and encoding.
fn read_text(path: &Path) -> Result<String, Refusal> {
    let help = "a definition is a page of text: split it or remove what does not belong";
    let (bytes, _) = read_bytes(path, MAX_FILE_BYTES, help)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        ("file-unreadable", format!("is not UTF-8: line {line} has a byte that cannot be read"), "save it as UTF-8")
    })
}
