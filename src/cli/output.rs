//! Files as they reach the disk: whole or not at all.
//!
//! A tree is written beside the old one, synced, and exchanged with it in one step. Only files that the previous manifest
//! names, with the bytes it names, are ours to replace; an edited or foreign file stops the run with its name.
#![allow(clippy::disallowed_methods, reason = "this is the one place that writes files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use walkdir::WalkDir;

use crate::compile::OutFile;

use super::Failure;
use super::context::shown;
use crate::source::sha256;

/// The name of the manifest in an output folder.
pub(super) const MANIFEST: &str = "manifest.json";

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) executable: bool,
}

impl Content {
    /// Returns a compiled file's path and content.
    pub(super) fn of(file: OutFile) -> (String, Self) {
        (file.path, Self { bytes: file.bytes, executable: file.executable })
    }

    /// Returns the content as a compiled file.
    pub(super) fn to_file(&self, path: &str) -> OutFile {
        OutFile { path: path.to_owned(), bytes: self.bytes.clone(), executable: self.executable }
    }
}

/// Path below the folder (with `/`) -> file.
pub(super) type Tree = BTreeMap<String, Content>;

/// What there is in an output folder.
#[derive(Debug, Default)]
pub(super) struct Existing {
    /// The files that are there.
    pub(super) files: Tree,
    /// Digests that the manifest names, by path.
    pub(super) ours: BTreeMap<String, String>,
    /// The manifest itself, where it can be read.
    pub(super) manifest: Option<serde_json::Value>,
}

impl Existing {
    /// Returns what the manifest says of the files that the output was made from, as (path, digest).
    pub(super) fn inputs(&self) -> impl Iterator<Item = (&str, &str)> {
        let inputs = self.manifest.as_ref().and_then(|manifest| manifest.get("inputs")?.as_object());
        inputs.into_iter().flatten().filter_map(|(path, digest)| Some((path.as_str(), digest.as_str()?)))
    }
}

/// How a tree differs from what is on disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) added: Vec<String>,
    pub(super) changed: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl Difference {
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Reads an output folder; one that is not there is empty. An exchange that was cut short is finished first.
pub(super) fn existing(folder: &Path) -> Result<Existing, Failure> {
    finish_exchange(folder)?;
    let mut existing = Existing::default();
    if fs::symlink_metadata(folder).is_err() {
        return Ok(existing);
    }
    if !folder.is_dir() {
        return Err(Failure::new(format!("{} is no folder", shown(folder))).help("`--out DIR` names another one"));
    }
    for entry in WalkDir::new(folder).min_depth(1) {
        let entry = entry.map_err(|why| Failure::new(format!("cannot read {}: {why}", shown(folder))))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let path = path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        // A link or a socket is nothing that we made; as an empty file it will count as foreign.
        let bytes = if entry.file_type().is_file() { read_file(entry.path())? } else { Vec::new() };
        existing.files.insert(path, Content { bytes, executable: is_executable(entry.path()) });
    }
    if let Some(manifest) = existing.files.get(MANIFEST) {
        existing.manifest = serde_json::from_slice(&manifest.bytes).ok();
        let outputs =
            existing.manifest.as_ref().and_then(|manifest| manifest.get("outputs")).and_then(|map| map.as_object());
        let digest = |file: &serde_json::Value| Some(file.get("sha256")?.as_str()?.to_owned());
        let ours = outputs.into_iter().flatten().filter_map(|(path, file)| Some((path.clone(), digest(file)?)));
        existing.ours = ours.collect();
    }
    Ok(existing)
}

/// Returns how a tree differs from what is on disk.
pub(super) fn difference(existing: &Existing, tree: &Tree) -> Difference {
    let mut difference = Difference::default();
    for (path, content) in tree {
        match existing.files.get(path) {
            None => difference.added.push(path.clone()),
            Some(old) if old != content => difference.changed.push(path.clone()),
            Some(_) => {}
        }
    }
    difference.removed = existing.files.keys().filter(|path| !tree.contains_key(*path)).cloned().collect();
    difference
}

/// Returns the files that are there and that nobody but a person can have made or edited, of those that a tree would replace or drop.
pub(super) fn not_ours(existing: &Existing, tree: &Tree) -> Vec<String> {
    let is_ours = |path: &str, content: &Content| {
        path == MANIFEST && existing.manifest.is_some()
            || existing.ours.get(path).is_some_and(|digest| *digest == sha256(&content.bytes))
    };
    let unchanged = |path: &String, content: &Content| tree.get(path) == Some(content);
    let strange = existing.files.iter().filter(|(path, content)| !unchanged(path, content) && !is_ours(path, content));
    strange.map(|(path, _)| path.clone()).collect()
}

/// Replaces a folder by a tree, in one step.
pub(super) fn exchange(folder: &Path, tree: &Tree) -> Result<(), Failure> {
    let failed = |what: &str, path: &Path, why: &dyn std::fmt::Display| {
        Failure::new(format!("cannot {what} {}: {why}", shown(path)))
    };
    let (beside, _) = neighbours(folder)?;
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(|why| failed("remove", &beside, &why))?;
    }
    let written = write_tree(&beside, tree);
    if let Err((path, why)) = written {
        // Nothing of a run that failed stays behind.
        let _ = fs::remove_dir_all(&beside);
        return Err(failed("write", &path, &why).help("nothing was changed; make room or check the permissions"));
    }
    swap(folder, &beside).map_err(|why| {
        let _ = fs::remove_dir_all(&beside);
        failed("replace", folder, &why)
    })
}

/// Exchanges the new folder with the old one and removes the old.
fn swap(folder: &Path, beside: &Path) -> io::Result<()> {
    let parent = parent_of(folder);
    if !folder.exists() {
        fs::rename(beside, folder)?;
        return sync_folder(&parent);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, beside, CWD, folder, RenameFlags::EXCHANGE).is_ok() {
            sync_folder(&parent)?;
            return fs::remove_dir_all(beside);
        }
    }
    // File systems without an exchange: between the two renames there is no folder; the next run finds the old one beside.
    let (_, old) = neighbours(folder).map_err(|failure| io::Error::other(failure.message))?;
    fs::rename(folder, &old)?;
    fs::rename(beside, folder)?;
    sync_folder(&parent)?;
    fs::remove_dir_all(old)
}

/// Puts the old folder back when a run ended between the two renames of [`swap`], and clears what else it left.
fn finish_exchange(folder: &Path) -> Result<(), Failure> {
    let (_, old) = neighbours(folder)?;
    if old.exists() && !folder.exists() {
        fs::rename(&old, folder).map_err(|why| Failure::new(format!("cannot restore {}: {why}", shown(folder))))?;
    }
    Ok(())
}

/// Returns the names beside a folder under which a new tree is written and an old one waits.
fn neighbours(folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| Failure::new(format!("{} cannot be an output folder", shown(folder))))?;
    Ok((folder.with_file_name(format!(".{name}.new")), folder.with_file_name(format!(".{name}.old"))))
}

fn parent_of(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn write_tree(folder: &Path, tree: &Tree) -> Result<(), (PathBuf, io::Error)> {
    fs::create_dir_all(folder).map_err(|why| (folder.to_owned(), why))?;
    let mut folders = BTreeSet::new();
    for (path, content) in tree {
        let path = folder.join(path);
        let parent = parent_of(&path);
        fs::create_dir_all(&parent).map_err(|why| (parent.clone(), why))?;
        folders.insert(parent);
        write_file(&path, content).map_err(|why| (path, why))?;
    }
    for folder in folders {
        sync_folder(&folder).map_err(|why| (folder, why))?;
    }
    Ok(())
}

fn write_file(path: &Path, content: &Content) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(&content.bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if content.executable { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o100 != 0)
    }
    #[cfg(not(unix))]
    {
        path.extension().is_some_and(|ending| ending == "sh")
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|why| Failure::new(format!("cannot read {}: {why}", shown(path))))
}

/// Reads a file of data; one that cannot be read is empty, which whoever unpacks it reports.
pub(super) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

/// Returns the digests of files below a folder, those that are there.
pub(super) fn digests(folder: &Path, paths: Vec<String>) -> Vec<(String, String)> {
    let digest = |path: &String| fs::read(folder.join(path)).ok().map(sha256);
    paths.into_iter().filter_map(|path| digest(&path).map(|digest| (path, digest))).collect()
}

/// The largest options.json that is read, packed or unpacked, in bytes. That of a release is about 30 MB.
const MAX_OPTIONS_BYTES: u64 = 128 << 20;

/// Returns the option tables that were imported into a fleet, in the order of their names.
pub(super) fn imported_tables(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let Ok(entries) = fs::read_dir(folder.join("facts")) else { return Ok(Vec::new()) };
    let is_table = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("options-") && path.extension().is_some_and(|ending| ending == "bin")
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_table).collect();
    paths.sort();
    paths.into_iter().map(|path| read_file(&path).map(|bytes| (path, bytes))).collect()
}

/// Reads an options.json: plain, packed with zstd, or with brotli, which only its name tells.
pub(super) fn read_options_file(path: &Path) -> Result<Vec<u8>, String> {
    let bounded = |from: &mut dyn io::Read, what: &str| {
        let mut bytes = Vec::new();
        from.take(MAX_OPTIONS_BYTES + 1).read_to_end(&mut bytes).map_err(|why| format!("{what}: {why}"))?;
        if bytes.len() as u64 > MAX_OPTIONS_BYTES {
            return Err(format!(
                "it is larger than {} MiB, and that of a release has about 30",
                MAX_OPTIONS_BYTES >> 20
            ));
        }
        Ok(bytes)
    };
    let mut file = fs::File::open(path).map_err(|why| format!("it cannot be read: {why}"))?;
    let packed = bounded(&mut file, "it cannot be read")?;
    let broken = "it cannot be unpacked, it may be truncated";
    if path.extension().is_some_and(|ending| ending == "br") {
        return bounded(&mut brotli_decompressor::Decompressor::new(packed.as_slice(), 4096), broken);
    }
    // The magic number of a zstd frame, RFC 8878 section 3.1.1.
    if packed.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = ruzstd::decoding::StreamingDecoder::new(packed.as_slice());
        return bounded(&mut decoder.map_err(|why| format!("{broken}: {why}"))?, broken);
    }
    Ok(packed)
}

/// Reads a text file that the command line names.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read_file(path)?).map_err(|_| Failure::new(format!("{} is not UTF-8", shown(path))))
}

/// Replaces one file, whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", shown(path));
    let parent = parent_of(path);
    fs::create_dir_all(&parent).with_context(failed)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = parent.join(format!(".{name}.new"));
    // One that an earlier run left; that there is none is the usual case.
    let _ = fs::remove_file(&beside);
    write_file(&beside, &Content { bytes: bytes.to_vec(), executable: false }).with_context(failed)?;
    fs::rename(&beside, path).with_context(failed)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            Err(why).with_context(|| format!("cannot remove {}", shown(path)))
        }
        _ => Ok(()),
    }
}

/// Tells whether a folder is there and has nothing in it.
pub(super) fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Returns the file that a path leads to: one that is a link stays a link when its file is replaced.
pub(super) fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Writes files into a folder that is not there or empty.
pub(super) fn write_new(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), Failure> {
    let taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if taken || (folder.exists() && !folder.is_dir()) {
        return Err(Failure::new(format!("{} is not empty", shown(folder))).help("name a folder that is not there yet"));
    }
    write_into(folder, files)
}

/// Writes files into a folder, none of which may be there.
pub(super) fn write_into(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), Failure> {
    let there: Vec<&str> = files.keys().filter(|path| folder.join(path).exists()).map(String::as_str).collect();
    if !there.is_empty() {
        return Err(
            Failure::new(format!("{} already has {}", shown(folder), there.join(", "))).help("nothing was written")
        );
    }
    let tree: Tree = files
        .iter()
        .map(|(path, text)| (path.clone(), Content { bytes: text.clone().into_bytes(), executable: false }))
        .collect();
    write_tree(folder, &tree).map_err(|(path, why)| Failure::new(format!("cannot write {}: {why}", shown(&path))))
}
