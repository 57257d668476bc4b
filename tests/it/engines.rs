//! out/ as the engines of Nix take it: flakes, colmena, deploy-rs, Hydra, and the test in a virtual machine.

use std::path::Path;
use std::process::{Command, Stdio};

use hostwright::compile::Compiled;
use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, load};
use serde_json::Value;

use super::compile::{compile_files, example, root};
use super::compile_nix::{OVERLAYS, evaluate_over, nixpkgs, write};

/// Runs a command of Nix; returns what it prints and what it says.
fn run(words: &[String], arguments: &[&str]) -> (String, String) {
    let (program, first) = words.split_first().unwrap();
    let output = Command::new(program).args(first).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    (String::from_utf8_lossy(&output.stdout).trim().to_owned(), said)
}

/// Evaluates an expression over `out`, the outputs of a compiled fleet, without a warning.
fn over(compiled: &Compiled, nix: &[String], tree: &str, expression: &str) -> Value {
    let (read, said) = evaluate_over(compiled, nix, tree, expression);
    assert!(!said.contains("evaluation warning"), "{said}");
    read
}

/// Evaluates the boot test of every host: the derivation, its warnings, and its script, which Python reads.
fn boot_tests(compiled: &Compiled, nix: &[String], tree: &str) {
    for host in &compiled.hosts {
        let expression = format!(
            "let test = (out.checks.x86_64-linux // out.checks.aarch64-linux or {{ }}).\"{}-boot\"; nodes = test.nodes; in {{ drv = test.drvPath; \
             script = test.config.testScript; warnings = nodes.installer.warnings ++ nodes.target.warnings; }}",
            host.name
        );
        let read = over(compiled, nix, tree, &expression);
        assert!(read["drv"].as_str().unwrap().ends_with(&format!("-vm-test-run-{}-boot.drv", host.name)));
        assert_eq!(read["warnings"], serde_json::json!([]), "{}", host.name);
        let script = read["script"].as_str().unwrap();
        if !super::quoting::is_installed("python3", "python", "boot_tests") {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.py");
        std::fs::write(&file, script).unwrap();
        run(&["python3".to_owned()], &["-m", "py_compile", file.to_str().unwrap()]);
    }
}

#[test]
fn the_boot_test_of_every_example_host_instantiates_and_its_script_is_python() {
    let name = "the_boot_test_of_every_example_host_instantiates_and_its_script_is_python";
    let Some((nix, tree)) = nixpkgs(name) else { return };
    boot_tests(&example(), &nix, &tree);
}

#[test]
fn the_boot_test_of_every_machine_instantiates_and_its_script_is_python() {
    let Some((nix, tree)) = nixpkgs("the_boot_test_of_every_machine_instantiates_and_its_script_is_python") else {
        return;
    };
    let mut files = load(&root().join("tests/fleets/machines")).unwrap();
    boot_tests(&compile_files(&mut files, &Facts::embedded()).unwrap(), &nix, &tree);
}

#[test]
fn a_hive_says_where_hosts_are_reached_and_without_deploy_rs_there_are_no_nodes() {
    let Some((nix, tree)) = nixpkgs("a_hive_says_where_hosts_are_reached_and_without_deploy_rs_there_are_no_nodes")
    else {
        return;
    };
    let mut files = load(&root()).unwrap();
    change(&mut files, "hosts/lufta/host.toml", |text| {
        text.replace("[deploy]", "[deploy]\ntags = [\"web\", \"hel1\"]\nsubstitute-on-target = true")
            .replace("root@135.181.162.99", "root@135.181.162.99:2222")
    });
    let compiled = compile_files(&mut files, &Facts::embedded()).unwrap();
    let read = over(
        &compiled,
        &nix,
        &tree,
        "{ lufta = out.colmena.lufta.deployment; names = builtins.attrNames out.colmena; \
         modules = builtins.length out.colmena.lufta.imports; lib = out.colmena.meta.nodeNixpkgs.lufta.lib.version; \
         outputs = builtins.attrNames out; }",
    );
    assert_eq!(
        read["lufta"],
        serde_json::json!({
            "allowLocalDeployment": false, "buildOnTarget": false, "substituteOnDestination": true, "tags": ["web", "hel1"],
            "targetHost": "135.181.162.99", "targetPort": 2222, "targetUser": "root",
        })
    );
    assert_eq!(read["names"], serde_json::json!(["attic", "lufta", "meta"]));
    assert_eq!(read["modules"], 1);
    assert_eq!(
        read["outputs"],
        serde_json::json!(["checks", "colmena", "hydraJobs", "nixosConfigurations", "nixosModules"])
    );
}

fn change(files: &mut FleetFiles, path: &str, with: impl Fn(String) -> String) {
    let text = files.sources.text(files.files[path]).to_string();
    files.add(path.to_owned(), with(text));
}

/// A flake that a fleet pins: a module, what deploy-rs and colmena offer, and an input of its own that nobody needs.
const PINNED: &str = r#"{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs";
  inputs.other.url = "github:nobody/nothing";
  outputs =
    { self, nixpkgs, other }:
    {
      nixosModules.here = { environment.etc."here".text = nixpkgs.lib.trivial.release; };
      lib.x86_64-linux.activate.nixos = base: base.config.system.build.toplevel;
      lib.makeHive = hive: { nodes = builtins.attrNames hive; };
    };
}
"#;

/// Writes a small tree that behaves as the given nixpkgs, so that it can be pinned by its hash without copying it all.
fn stand_in(folder: &Path, tree: &str) {
    let add = |path: &str, text: String| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    add("flake.nix", format!("{{ outputs = _: {{ lib = import {tree}/lib; }}; }}"));
    add("default.nix", format!("args: import {tree} (args // {{ overlays = args.overlays or [ ] ++ {OVERLAYS}; }})"));
    add(
        "nixos/lib/eval-config.nix",
        format!(
            "args: import {tree}/nixos/lib/eval-config.nix (args // {{ modules = args.modules ++ [ \
             {{ nixpkgs.overlays = {OVERLAYS}; }} ]; }})"
        ),
    );
    add("nixos/lib/default.nix", format!("import {tree}/nixos/lib"));
    for module in ["profiles/qemu-guest", "testing/test-instrumentation"] {
        add(&format!("nixos/modules/{module}.nix"), format!("{{ imports = [ {tree}/nixos/modules/{module}.nix ]; }}"));
    }
}

/// Returns the command `nix` beside a command nix-instantiate.
fn nix_of(instantiate: &[String]) -> Option<Vec<String>> {
    let (last, first) = instantiate.split_last()?;
    let folder = last.strip_suffix("nix-instantiate")?;
    let mut words = first.to_vec();
    words.push(format!("{folder}nix"));
    words.extend(["--offline", "--extra-experimental-features", "nix-command flakes"].map(str::to_owned));
    let mut command = Command::new(&words[0]);
    let found = command.args(&words[1..]).arg("--version").output().ok()?;
    found.status.success().then_some(words)
}

#[test]
fn the_flake_is_evaluated_from_its_pins_and_nix_leaves_the_lock_file_as_it_is() {
    let name = "the_flake_is_evaluated_from_its_pins_and_nix_leaves_the_lock_file_as_it_is";
    let Some((instantiate, tree)) = nixpkgs(name) else { return };
    let Some(nix) = nix_of(&instantiate) else {
        eprintln!("skipped: {name}: there is no command nix beside nix-instantiate");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    stand_in(&place("nixpkgs"), &tree);
    std::fs::create_dir_all(place("pinned")).unwrap();
    std::fs::write(place("pinned/flake.nix"), PINNED).unwrap();
    // Nix takes a pinned tree from its store when one of that hash is there.
    let stored = |name: &str| {
        let path = place(name).display().to_string();
        run(&nix, &["store", "add-path", "--name", "source", &path]);
        run(&nix, &["hash", "path", &path]).0
    };
    let (tree_hash, pinned_hash) = (stored("nixpkgs"), stored("pinned"));

    let mut files = load(&root()).unwrap();
    change(&mut files, "fleet.toml", |text| {
        let mut text = text.replace("sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=", &tree_hash);
        let names = [("sops-nix", "\"github:Mic92/sops-nix\""), ("deploy-rs", "\"gitlab:serokell/deploy-rs\"")];
        for (at, (name, url)) in names.iter().enumerate() {
            text.push_str(&format!(
                "\n[inputs.{name}]\nurl = {url}\nrev = \"c591bf665727040c6cc5cb409079acb22dcce33{at}\"\nhash = \"{pinned_hash}\"\n"
            ));
            // A date that is not known is left out of the lock file.
            text.push_str(if at == 0 { "last-modified = 1788405554\nmodule = \"nixosModules.here\"\n" } else { "" });
        }
        text + &format!("\n[inputs.colmena]\nurl = \"https://example.org/c.tar.gz\"\nhash = \"{pinned_hash}\"\n")
    });
    let compiled = compile_files(&mut files, &Facts::embedded()).unwrap();
    write(&compiled, &place("out"));
    let lock = std::fs::read_to_string(place("out/flake.lock")).unwrap();
    let flake = format!("path:{}", place("out").display());
    run(&nix, &["flake", "lock", &flake]);
    assert_eq!(std::fs::read_to_string(place("out/flake.lock")).unwrap(), lock, "Nix wrote another lock file");

    let expression = format!(
        "let flake = builtins.getFlake \"{flake}\"; lufta = flake.nixosConfigurations.lufta.config; in {{ \
         drv = lufta.system.build.toplevel.drvPath; job = flake.hydraJobs.lufta.drvPath; \
         here = lufta.environment.etc.here.text; release = lufta.system.nixos.release; \
         label = lufta.system.nixos.version; warnings = lufta.warnings; \
         node = removeAttrs flake.deploy.nodes.lufta [ \"profiles\" ]; \
         path = flake.deploy.nodes.lufta.profiles.system.path.drvPath; \
         hive = flake.colmenaHive.nodes; module = builtins.typeOf flake.nixosModules.hostwright; \
         checks = builtins.attrNames flake.checks.x86_64-linux; }}"
    );
    let (printed, said) = run(&nix, &["eval", "--impure", "--json", "--expr", &expression]);
    assert!(!said.contains("evaluation warning") && !said.contains("lock file"), "{said}");
    let read: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(read["drv"], read["job"]);
    assert_eq!(read["drv"], read["path"]);
    assert_eq!(read["here"], read["release"], "the input's nixpkgs is the host's");
    assert!(read["label"].as_str().unwrap().ends_with(".20260903.a5cc6f2"), "{read}");
    assert_eq!(read["warnings"], serde_json::json!([]));
    assert_eq!(
        read["node"],
        serde_json::json!({
            "fastConnection": true, "hostname": "135.181.162.99", "remoteBuild": false, "sshOpts": [], "sshUser": "root",
        })
    );
    assert_eq!(read["hive"], serde_json::json!(["attic", "lufta", "meta"]));
    assert_eq!(read["checks"], serde_json::json!(["attic-boot", "lufta-boot"]));
}
