//! The shape of the source tree: which folder may use which, how long a file is, that nothing is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a folder of src/ may use of the others; ARCHITECTURE.md has the same table with its reasons.
const MAY_USE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("text", &[]),
    ("source", &["units"]),
    ("fleet", &["source", "units"]),
    ("facts", &["source", "units"]),
    ("modules", &["source", "fleet", "facts", "units"]),
    ("nix", &["source", "text", "units"]),
    ("resolve", &["source", "fleet", "facts", "modules", "units"]),
    ("check", &["source", "fleet", "facts", "modules", "nix", "resolve", "kubernetes", "units"]),
    ("compile", &["source", "fleet", "facts", "modules", "nix", "resolve", "text", "units"]),
    ("evaluate", &["source", "facts", "nix", "resolve", "check", "compile", "text", "units"]),
    ("plan", &["source", "fleet", "facts", "resolve", "text", "units"]),
    ("kubernetes", &["source", "fleet", "facts", "modules", "text", "units"]),
    ("probe", &["source", "units"]),
    ("propose", &["source", "units"]),
    ("rehearse", &["source", "fleet", "resolve", "text", "units"]),
    ("drift", &["source", "fleet", "facts", "resolve", "probe", "units"]),
    ("watch", &["source", "drift", "text"]),
    ("apply", &["source", "plan", "text", "units"]),
    ("report", &["source", "plan", "apply", "drift", "watch", "kubernetes", "text", "units"]),
    (
        "cli",
        &[
            "source",
            "fleet",
            "facts",
            "modules",
            "nix",
            "resolve",
            "check",
            "compile",
            "evaluate",
            "plan",
            "apply",
            "probe",
            "propose",
            "drift",
            "watch",
            "rehearse",
            "kubernetes",
            "report",
            "text",
            "units",
        ],
    ),
];

/// The longest a source file may be, its tests not counted, in lines.
const LONGEST: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every Rust file of src/ as (path below src/, text).
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let mut files: Vec<(String, String)> = walkdir::WalkDir::new(&src)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "rs"))
        .map(|entry| {
            let path = entry.path().strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
            (path, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn data_flows_one_way_through_the_folders() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some((folder, _)) = path.split_once('/') else { continue };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == folder) else {
            wrong.push(format!("src/{folder}/ is not in the table: say what it may use"));
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            // What a test uses is not what the folder stands on.
            if line.starts_with("#[cfg(test)]") {
                break;
            }
            let code = line.split("//").next().unwrap_or(line);
            for used in code.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let is_folder = MAY_USE.iter().any(|(name, _)| *name == used);
                if is_folder && used != folder && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("src/{path}:{}: `{folder}` may not use `{used}`", number + 1));
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_stand_on_values_and_never_on_manifests() {
    let knowing: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| path.starts_with("check/") && text.contains("crate::kubernetes"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(knowing, ["check/clusters.rs"]);
}

#[test]
fn no_source_file_is_longer_than_people_read() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .filter_map(|(path, text)| {
            let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            (lines > LONGEST).then(|| format!("src/{path} has {lines} lines before its tests: split it"))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_embedded_module_is_in_its_table() {
    let names = |folder: &str| -> BTreeSet<String> {
        walkdir::WalkDir::new(root().join(folder))
            .min_depth(1)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let path = entry.path().strip_prefix(root().join(folder)).unwrap();
                path.to_string_lossy().replace('\\', "/")
            })
            .collect()
    };
    let modules: BTreeSet<String> =
        hostwright::modules::embedded().iter().map(|(name, _)| format!("{name}/module.toml")).collect();
    assert_eq!(modules, names("modules"), "src/modules/mod.rs needs a line for each folder of modules/");
}

#[test]
fn every_test_file_is_part_of_the_one_test_program() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests/it")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem != "main" {
            assert!(main.contains(&format!("mod {stem};")), "tests/it/main.rs lacks `mod {stem};`");
        }
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // Paths of the machine it was written on and hosts of registries have no place in a repository.
    let words = ["/work/", "crates.io/api", "deb.debian.org", "pypi.org/simple", "registry.npmjs"];
    let mut found = Vec::new();
    for folder in ["src", "tests", "docs", "scripts", "benches", "modules", "templates", "hosts", "facts"] {
        for entry in walkdir::WalkDir::new(root().join(folder)).into_iter().filter_map(Result::ok) {
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            if entry.path().ends_with("it/structure.rs") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                if words.iter().any(|word| line.contains(word)) {
                    found.push(format!("{}:{}", entry.path().display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn printed_pages_are_current() {
    let same = |path: &str, arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hostwright")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let path: &Path = &root().join(path);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(path, &printed).unwrap();
        }
        let there = fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == printed,
            "{} is not what `hostwright {}` prints: UPDATE=1 cargo test",
            path.display(),
            arguments.join(" ")
        );
    };
    same("docs/rules.md", &["rules", "--format", "md"]);
    same("docs/schema.md", &["schema", "--format", "md"]);
}
