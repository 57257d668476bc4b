//! Compiling, judged by files that people have read, by Nix and by the shell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostwright::check::check_files;
use hostwright::compile::{Compiled, compile};
use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, load};
use hostwright::text::Templates;

/// The day on which everything here happens.
const TODAY: &str = "2026-11-21";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a fleet; the error is what reading, resolving or compiling found at error level.
fn compile_files(files: &mut FleetFiles, facts: &Facts) -> Result<Compiled, Vec<String>> {
    check_files(files, facts, &[], TODAY.parse().unwrap(), |fleet, outcome, sources| {
        let said = |found: &[hostwright::source::Diagnostic]| -> Vec<String> {
            found.iter().map(|finding| format!("{}: {}", finding.rule, finding.message)).collect()
        };
        let Some(fleet) = fleet else { return Err(said(&outcome.checked.findings)) };
        let overrides = fleet.fleet.templates.iter().map(|(name, file)| (name.clone(), sources.file(*file).text()));
        let templates = Templates::new(overrides).map_err(|error| vec![error.to_string()])?;
        if fleet.hosts.len() < outcome.hosts {
            return Err(said(&outcome.checked.findings));
        }
        compile(fleet, &[], facts, sources, &templates).map_err(|found| said(&found))
    })
}

fn example() -> Compiled {
    let mut files = load(&root()).unwrap();
    compile_files(&mut files, &Facts::embedded()).unwrap()
}

fn texts(compiled: &Compiled) -> BTreeMap<String, String> {
    compiled.files.iter().map(|file| (file.path.clone(), file.text.clone())).collect()
}

/// Compares files with a folder below tests/golden, or with `UPDATE=1` writes them there.
fn golden(name: &str, files: &BTreeMap<String, String>) {
    let folder = root().join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        for (path, text) in files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        return;
    }
    let mut there = BTreeMap::new();
    below(&folder, &folder, &mut there);
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&there), names(files), "other files than tests/golden/{name} has; UPDATE=1 rewrites them");
    for (path, text) in files {
        assert!(
            there[path] == *text,
            "{path} differs from tests/golden/{name}; UPDATE=1 rewrites it, git diff shows it"
        );
    }
}

fn below(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_example_fleet_compiles_to_the_files_that_were_read() {
    golden("out-hexagone", &texts(&example()));
}
