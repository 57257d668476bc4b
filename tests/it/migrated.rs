//! What `migrate` writes, judged by the program itself, by Nix and by a real nixpkgs: over the manifests of real clusters.
//!
//! The manifests lie outside of the repository: `HOSTWRIGHT_MANIFESTS` names the folder that holds `seeds/` and `wide/`, with a folder
//! a system in each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;

use super::compile::{TODAY, root};
use super::compile_nix::{OVERLAYS, nixpkgs, try_evaluate};
use super::program::Sandbox;
use super::quoting::is_installed;

/// The host of tests/fleets/migrated that everything moves to.
const HOST: &str = "lufta";

/// Rules that may find something in what was written, each with the reason.
const EXPECTED: &[&str] = &[
    // What ran in the cluster ran by this tag: which digest it stood for is a question of the inventory.
    "image-tag-floating",
    // A node of a cluster has no firewall that its manifests speak of: who may reach a module is the person's decision.
    "port-not-open",
];

/// Returns the folder of manifests, or says that the test is skipped.
pub(crate) fn manifests(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("HOSTWRIGHT_MANIFESTS").map(PathBuf::from);
    let beside = root().join("../shared/kubernetes");
    let found = named.or_else(|| beside.is_dir().then_some(beside)).and_then(|folder| folder.canonicalize().ok());
    if found.is_none() {
        eprintln!("skipped: {test}: HOSTWRIGHT_MANIFESTS names no folder");
    }
    found
}

/// Returns the systems of a part of the manifests, in the order of their names.
pub(crate) fn systems(manifests: &Path, part: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(manifests.join(part)).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    all.sort();
    assert!(!all.is_empty(), "{part} holds no system");
    all
}

pub(crate) fn name_of(system: &Path) -> String {
    system.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Returns a copy of the fleet that workloads move to.
pub(crate) fn base() -> Sandbox {
    let sandbox = Sandbox::empty();
    for path in ["fleet.toml", "hosts/lufta/host.toml"] {
        sandbox.write(path, std::fs::read(root().join("tests/fleets/migrated").join(path)).unwrap());
    }
    sandbox
}

/// Writes what the manifests of a folder become into a fleet.
pub(crate) fn migrate(sandbox: &Sandbox, system: &Path) {
    let path = system.to_str().unwrap();
    let run = sandbox.run(&["migrate", path, "--host", HOST, "--write", "--today", TODAY]);
    // 1: a file was refused, which the inventory says. A chart of templates alone is refused as a whole.
    assert!(run.status <= 1 || run.out.contains("Helm template"), "{path}: {}\n{}\n{}", run.status, run.out, run.err);
}

/// Returns what the rules find in a fleet beyond what is expected.
fn unexpected(sandbox: &Sandbox) -> Vec<String> {
    let run = sandbox.run(&["check", "--format", "json", "--today", TODAY]);
    let said: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}\n{}", run.out, run.err));
    let findings = said["findings"].as_array().unwrap().iter();
    let open = findings.filter(|finding| finding["level"] != "note" && finding["allowed"].is_null());
    let open = open.filter(|finding| !EXPECTED.contains(&finding["rule"].as_str().unwrap()));
    open.map(|finding| format!("{}: {} ({})", finding["rule"], finding["message"], finding["place"])).collect()
}

/// Calls a judge for each of several things, two at a time, and returns what was said against them.
pub(crate) fn judged<T: Sync>(all: &[T], judge: impl Fn(&T) -> Option<String> + Sync) -> Vec<String> {
    let (next, said) = (Mutex::new(all.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(one) = next.lock().unwrap().next() else { break };
                    if let Some(text) = judge(one) {
                        said.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let mut said = said.into_inner().unwrap();
    said.sort();
    said
}

#[test]
fn the_fleet_that_workloads_move_to_is_sound() {
    assert_eq!(unexpected(&base()), Vec::<String>::new());
}

#[test]
fn every_system_becomes_definitions_that_pass_the_checks_and_come_out_the_same_again() {
    let test = "every_system_becomes_definitions_that_pass_the_checks_and_come_out_the_same_again";
    let Some(manifests) = manifests(test) else { return };
    let mut all = systems(&manifests, "seeds");
    all.extend(systems(&manifests, "wide"));
    let said = judged(&all, |system| {
        let sandbox = base();
        migrate(&sandbox, system);
        let before = sandbox.tree(".");
        let mut said = unexpected(&sandbox);
        migrate(&sandbox, system);
        let after = sandbox.tree(".");
        said.extend(
            before
                .iter()
                .filter(|(path, bytes)| after.get(*path) != Some(bytes))
                .map(|(path, _)| format!("{path} changed")),
        );
        said.extend(after.keys().filter(|path| !before.contains_key(*path)).map(|path| format!("{path} was added")));
        (!said.is_empty()).then(|| format!("{}: {}", name_of(system), said.join("\n")))
    });
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn systems_that_move_to_one_host_leave_each_other_alone() {
    let Some(manifests) = manifests("systems_that_move_to_one_host_leave_each_other_alone") else { return };
    let sandbox = base();
    let path = format!("hosts/{HOST}/host.toml");
    let mut before = sandbox.read(&path);
    for system in systems(&manifests, "seeds") {
        migrate(&sandbox, &system);
        let after = sandbox.read(&path);
        let lines: BTreeSet<&str> = after.lines().collect();
        // Lists grow at their end; all other lines stay as they are.
        let lost: Vec<&str> = before.lines().filter(|line| !lines.contains(line) && !line.contains(" = [")).collect();
        assert_eq!(lost, Vec::<&str>::new(), "{}", name_of(&system));
        before = after;
    }
    assert_eq!(unexpected(&sandbox), Vec::<String>::new());
    sandbox.run(&["build", "--today", TODAY]).ends(0);
}

/// Builds what a system becomes.
fn built(system: &Path) -> Sandbox {
    let sandbox = base();
    migrate(&sandbox, system);
    sandbox.run(&["build", "--today", TODAY]).ends(0);
    sandbox
}

#[test]
fn what_every_system_is_compiled_to_is_read_by_nix_and_by_shellcheck() {
    let test = "what_every_system_is_compiled_to_is_read_by_nix_and_by_shellcheck";
    let Some(manifests) = manifests(test) else { return };
    let judges: [(&str, &str, &[&str], &str); 2] =
        [("nix-instantiate", "nix", &["--parse"], ".nix"), ("shellcheck", "shellcheck", &[], ".sh")];
    let judges: Vec<_> = judges.into_iter().filter(|(judge, name, ..)| is_installed(judge, name, test)).collect();
    let all = systems(&manifests, "seeds");
    let said = judged(&all, |system| {
        let sandbox = built(system);
        let files: BTreeMap<String, Vec<u8>> = sandbox.tree("out");
        assert!(files.keys().any(|path| path.ends_with(".nix")), "{}", name_of(system));
        for (judge, _, words, ending) in &judges {
            let files = files
                .keys()
                .filter(|path| path.ends_with(ending) && !path.contains("/files/"))
                .map(|path| sandbox.path().join("out").join(path));
            let output = Command::new(judge).args(*words).args(files).output().unwrap();
            if !output.status.success() {
                let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                return Some(format!("{}: {judge}: {out}{err}", name_of(system)));
            }
        }
        None
    });
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn services_of_a_cluster_become_modules_that_pass_the_checks_and_evaluate() {
    let found = nixpkgs("services_of_a_cluster_become_modules_that_pass_the_checks_and_evaluate");
    for (system, modules) in
        [("forge", &["gitea", "postgresql"][..]), ("services", &["vaultwarden", "grafana", "registry", "redis"])]
    {
        let sandbox = base();
        migrate(&sandbox, &root().join("tests/manifests").join(system));
        assert_eq!(unexpected(&sandbox), Vec::<String>::new(), "{system}");
        let definition = sandbox.read(&format!("hosts/{HOST}/host.toml"));
        for module in modules {
            assert!(
                definition.contains(&format!("kind = \"native\"\nmodule = \"{module}\"")),
                "{module}: {definition}"
            );
        }
        sandbox.run(&["build", "--today", TODAY]).ends(0);
        if let Some((nix, tree)) = &found
            && let Some(said) = warned(&sandbox, nix, tree)
        {
            panic!("{system}: {said}");
        }
    }
}

#[test]
fn every_kind_becomes_definitions_that_pass_the_checks_and_compile() {
    let folder = root().join("tests/manifests/kinds");
    let mut kinds: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    kinds.sort();
    let said = judged(&kinds, |kind| {
        let sandbox = base();
        migrate(&sandbox, kind);
        sandbox.run(&["build", "--today", TODAY]).ends(0);
        let said = unexpected(&sandbox);
        (!said.is_empty()).then(|| format!("{}: {}", name_of(kind), said.join("; ")))
    });
    assert_eq!(said, Vec::<String>::new());
}

/// Evaluates a compiled fleet; returns what is said against it.
fn warned(sandbox: &Sandbox, nix: &[String], tree: &str) -> Option<String> {
    let expression = format!(
        "let out = import (/. + \"{}\") {{ nixpkgs = \"{tree}\"; overlays = {OVERLAYS}; }}; \
         c = out.nixosConfigurations.{HOST}.config; in {{ drv = c.system.build.toplevel.drvPath; w = c.warnings; }}",
        sandbox.path().join("out").display()
    );
    match try_evaluate(nix, &expression) {
        Ok((read, said)) => {
            let is_clean = read["w"] == serde_json::json!([]) && !said.contains("evaluation warning");
            assert!(read["drv"].as_str().unwrap().starts_with("/nix/store/"));
            (!is_clean).then(|| format!("{} {said}", read["w"]))
        }
        Err(said) => Some(said),
    }
}

#[test]
fn every_system_evaluates_with_nixpkgs_without_a_warning() {
    let test = "every_system_evaluates_with_nixpkgs_without_a_warning";
    let (Some(manifests), Some((nix, tree))) = (manifests(test), nixpkgs(test)) else { return };
    let said = judged(&systems(&manifests, "seeds"), |system| {
        let sandbox = built(system);
        warned(&sandbox, &nix, &tree).map(|said| format!("{}: {said}", name_of(system)))
    });
    assert_eq!(said, Vec::<String>::new());
}
