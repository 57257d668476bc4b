//! Manifests of a cluster: files and folders that need not belong to a fleet.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::load::LoadError;

/// The largest manifest that is read, in bytes: places are 32 bits wide.
const MAX_MANIFEST_BYTES: u64 = 2_000_000_000;

/// A file of manifests: its path as it was given, and its bytes or why there are none.
#[derive(Debug)]
pub struct ManifestFile {
    /// The path, with `/`; `-` is standard input.
    pub path: String,
    /// The bytes, or the reason in words.
    pub bytes: Result<Vec<u8>, String>,
}

/// Reads the .yaml, .yml and .json files at and below some paths, in the order of their names; `-` is standard input. A file that is
/// named is read whatever it is called. Hidden folders are left out.
pub fn load_manifests(paths: &[PathBuf]) -> Result<Vec<ManifestFile>, LoadError> {
    let mut all: Vec<ManifestFile> = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut bytes);
            let bytes = read.map_err(|why| why.to_string()).and_then(|_| small(bytes));
            all.push(ManifestFile { path: "-".to_owned(), bytes });
            continue;
        }
        let hidden =
            |entry: &walkdir::DirEntry| entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
        let walk = walkdir::WalkDir::new(path).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| !hidden(entry)) {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(path).to_owned();
                LoadError::Folder { path, why: error.into() }
            })?;
            // A link to a file within a folder is read as the file; links to folders are not followed.
            let is_file = entry.file_type().is_file() || entry.file_type().is_symlink() && entry.path().is_file();
            if is_file && (entry.depth() == 0 || is_manifest(entry.path())) {
                let path = entry.path().to_string_lossy().replace('\\', "/");
                let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
                if !all.iter().any(|known| known.path == path) {
                    all.push(ManifestFile { path, bytes: read(entry.path()) });
                }
            }
        }
    }
    Ok(all)
}

/// Reads files that manifests name, where they lie in the repository of one of the paths that were given; of a folder its
/// kustomization. What lies elsewhere, or is not there, is left out.
pub fn load_named(names: &[String], known: &BTreeSet<String>, paths: &[PathBuf]) -> Vec<ManifestFile> {
    let roots: Vec<PathBuf> = paths.iter().filter_map(|path| repository_of(path)).collect();
    let mut all: Vec<ManifestFile> = Vec::new();
    for name in names {
        let folder = Path::new(name);
        let inside = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
        let path = match folder.is_dir() {
            true => inside.iter().map(|file| format!("{name}/{file}")).find(|path| Path::new(path).is_file()),
            false => folder.is_file().then(|| name.clone()),
        };
        let Some(path) = path.filter(|path| !known.contains(path) && !all.iter().any(|file| file.path == *path)) else {
            continue;
        };
        let is_inside =
            Path::new(&path).canonicalize().is_ok_and(|real| roots.iter().any(|root| real.starts_with(root)));
        if is_inside {
            let bytes = read(Path::new(&path));
            all.push(ManifestFile { path, bytes });
        }
    }
    all
}

/// Returns the repository that a path lies in; where there is none the current folder, when the path is below it, else the path's own.
fn repository_of(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    let own = if real.is_dir() { real.as_path() } else { real.parent()? };
    let repository = own.ancestors().find(|folder| folder.join(".git").exists());
    let here = || Path::new(".").canonicalize().ok().filter(|here| own.starts_with(here));
    repository.map(Path::to_owned).or_else(here).or_else(|| Some(own.to_owned()))
}

fn is_manifest(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let kustomization = path.file_name().is_some_and(|name| name == "Kustomization");
    kustomization || ending.is_some_and(|ending| ["yaml", "yml", "json"].contains(&ending.as_str()))
}

#[expect(clippy::disallowed_methods, reason = "this is the door through which files come")]
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|why| why.to_string())?.len();
    if size > MAX_MANIFEST_BYTES {
        return Err(too_large());
    }
    std::fs::read(path).map_err(|why| why.to_string())
}

fn small(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.len() as u64 > MAX_MANIFEST_BYTES { Err(too_large()) } else { Ok(bytes) }
}

fn too_large() -> String {
    "it is larger than 2 GB: split it".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_named_are_read_inside_of_the_repository_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (given, base) = (root.join("repo/overlay"), root.join("repo/base"));
        for path in [&given, &base, &root.join("repo/.git")] {
            std::fs::create_dir_all(path).unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "a test writes what it reads")]
        for (path, text) in
            [(base.join("kustomization.yaml"), "a"), (base.join("web.yaml"), "b"), (root.join("out.yaml"), "c")]
        {
            std::fs::write(path, text).unwrap();
        }
        let name = |path: &str| format!("{}/{path}", root.display());
        let names = [name("repo/base"), name("repo/base/web.yaml"), name("out.yaml"), name("repo/gone.yaml")];
        let read = load_named(&names, &BTreeSet::new(), std::slice::from_ref(&given));
        let paths: Vec<&str> = read.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [name("repo/base/kustomization.yaml"), name("repo/base/web.yaml")]);
        let known = BTreeSet::from([name("repo/base/web.yaml")]);
        assert_eq!(load_named(&names, &known, &[given]).len(), 1);
    }
}
