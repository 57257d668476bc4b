//! What inputs are made from: small files of the repository itself, each of which says something that others do not.

use std::fs;
use std::path::{Path, PathBuf};

use hostwright::check::{examples, rules};

use super::mutate::sealed;
use super::targets::{Program, Target};

/// A file to begin with.
pub(crate) struct Seed {
    /// What stands before it and is left as it is.
    pub(crate) head: Vec<u8>,
    /// What is changed.
    pub(crate) body: Vec<u8>,
}

/// The seeds of a target.
pub(crate) struct Corpus {
    /// The target.
    pub(crate) target: Target,
    /// At least one.
    pub(crate) seeds: Vec<Seed>,
}

impl Seed {
    fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { head: Vec::new(), body: body.into() }
    }

    /// Returns an input.
    pub(crate) fn whole(head: &[u8], body: &[u8]) -> Vec<u8> {
        [head, body].concat()
    }
}

/// The largest file that is a seed, in bytes.
const MOST: usize = 3_400;

impl Corpus {
    /// Collects the seeds of a target.
    pub(crate) fn of(target: Target, program: &Program) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let seeds = match target {
            Target::Toml => fleets(root),
            Target::Yaml => below(root, &["k8s", "tests/manifests", "tests/fleets"], &["yaml", "yml"])
                .into_iter()
                .map(Seed::new)
                .collect(),
            Target::Nix => below(root, &["tests/golden", "tests/fleets", "tests/eval", "tests/options"], &["nix"])
                .into_iter()
                .chain(MODULES.iter().map(|text| (*text).to_owned()))
                .map(Seed::new)
                .collect(),
            Target::Facts => facts(root),
            Target::Plan => program.plans().iter().flat_map(|plan| plans(plan)).collect(),
            Target::Journal => journals(program),
        };
        assert!(!seeds.is_empty(), "{} has no seeds", target.name());
        Self { target, seeds }
    }
}

/// Returns the small files below some folders, in the order of their paths.
fn below(root: &Path, folders: &[&str], endings: &[&str]) -> Vec<String> {
    let walks = folders.iter().flat_map(|folder| walkdir::WalkDir::new(root.join(folder)).sort_by_file_name());
    let paths = walks.filter_map(Result::ok).map(walkdir::DirEntry::into_path);
    let wanted = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| endings.contains(&ending))
    };
    let texts = paths.filter(wanted).map(|path| fs::read_to_string(path).unwrap());
    texts.filter(|text| !text.is_empty() && text.len() <= MOST).collect()
}

/// Returns the examples of all rules, and the small hosts of the fleets that tests use.
fn fleets(root: &Path) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for rule in rules::all() {
        let (bad, good) = examples(rule);
        for example in [bad, good] {
            let scaffold = hostwright::check::SCAFFOLD;
            let own = example.files.iter().filter(|file| !scaffold.contains(&(file.0, file.1)));
            let text: String = own.map(|(path, text)| format!("#### {path}\n{text}")).collect();
            if text.len() <= MOST {
                seeds.push(Seed::new(text));
            }
        }
    }
    for text in below(root, &["tests/fleets", "hosts"], &["toml"]) {
        let path = if text.contains("[fleet]") { "fleet.toml" } else { "hosts/a/host.toml" };
        seeds.push(Seed::new(format!("#### {path}\n{text}")));
    }
    seeds
}

/// Returns facts, each with a definition that they are of.
fn facts(root: &Path) -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |host: &str, body: String| {
        let head = format!("#### hosts/a/host.toml\n{host}\n#### hosts/a/facts.json\n").into_bytes();
        seeds.push(Seed { head, body: body.into_bytes() });
    };
    for rule in rules::all() {
        let (bad, good) = examples(rule);
        for example in [bad, good] {
            if let (Some(host), Some(facts)) =
                (example.files.get("hosts/a/host.toml"), example.files.get("hosts/a/facts.json"))
            {
                add(host, facts.clone());
            }
        }
    }
    for fleet in ["lufta-today", "lufta-2020"] {
        let folder = root.join("tests/fleets").join(fleet).join("hosts/lufta");
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let compact: serde_json::Value = serde_json::from_str(&read("facts.json")).unwrap();
        add("", compact.to_string());
        add(&read("host.toml"), read("facts.json"));
    }
    seeds
}

/// Returns a plan: whole, with its first steps, with some of its steps.
fn plans(plan: &str) -> Vec<Seed> {
    let whole: serde_json::Value = serde_json::from_str(plan).unwrap();
    let mut seeds = Vec::new();
    for keep in [|at: usize| at < 3, |at: usize| at.is_multiple_of(5), |at: usize| at % 3 != 1] {
        let mut part = whole.clone();
        let steps = part["steps"].as_array_mut().unwrap();
        let mut at = 0;
        steps.retain(|_| {
            at += 1;
            keep(at - 1)
        });
        seeds.push(Seed::new(part.to_string()));
    }
    seeds.push(Seed::new(plan));
    seeds
}

/// Returns journals of a plan: how runs go that end well, badly, in between.
fn journals(program: &Program) -> Vec<Seed> {
    let steps = program.step_ids();
    let step = |at: usize| steps[at % steps.len()].as_str();
    let listed: Vec<String> = steps.iter().map(|id| format!("[\"{id}\",\"d\"]")).collect();
    let opened = |plan: &str| {
        let steps = listed.join(",");
        format!(
            "{{\"at\":\"2026-11-21T10:00:00Z\",\"what\":\"opened\",\"host\":\"a\",\"scenario\":\"install\",\"plan\":\"{plan}\",\"tool\":\"0.1.0\",\"nonce\":\"n1\",\"steps\":[{steps}]}}\n"
        )
    };
    let event =
        |step: &str, what: &str| format!("{{\"at\":\"2026-11-21T10:00:01Z\",\"what\":{what},\"step\":\"{step}\"}}\n");
    let whole = |at: usize| {
        [
            event(step(at), "\"began\",\"attempt\":1"),
            event(step(at), "\"line-began\",\"line\":0,\"job\":\"j-1\",\"boot\":\"b-1\""),
            event(step(at), "\"line-done\",\"line\":0,\"status\":0,\"millis\":12,\"tail\":\"ok\\n\""),
            event(step(at), "\"done\",\"how\":\"ran\",\"millis\":1200"),
        ]
        .concat()
    };
    let all: Vec<String> = vec![
        opened("p"),
        [opened("p"), whole(0), whole(1), whole(2), "{\"at\":\"x\",\"what\":\"closed\"}\n".to_owned()].concat(),
        [
            opened(""),
            event(step(0), "\"began\",\"attempt\":1"),
            event(step(0), "\"failed\",\"why\":\"line 1 of 2 ended with status 1\""),
            event(step(0), "\"answered\",\"by\":\"terminal\""),
            event(step(0), "\"answered\",\"destroys\":\"disk:main\",\"by\":\"option\""),
            event(step(0), "\"began\",\"attempt\":2"),
            "{\"at\":\"x\",\"what\":\"interrupted\"}\n".to_owned(),
        ]
        .concat(),
        [
            opened("p"),
            event(step(3), "\"began\",\"attempt\":1"),
            event(step(3), "\"waiting\",\"since\":1795255200"),
            event(
                step(3),
                "\"judged\",\"outcome\":\"passed\",\"boots\":[{\"kind\":\"trial\",\"seconds_away\":61,\"seconds_allowed\":300}]",
            ),
            event(step(3), "\"aid-began\",\"aid\":\"evidence\""),
            event(step(3), "\"aid-done\",\"aid\":\"evidence\",\"status\":0,\"tail\":\"\""),
            "{\"at\":\"x\",\"what\":\"locked\",\"system\":\"installer\"}\n{\"at\":\"x\",\"what\":\"unlocked\",\"system\":\"installer\"}\n"
                .to_owned(),
        ]
        .concat(),
    ];
    all.into_iter().map(|text| Seed::new(sealed(text.as_bytes()))).collect()
}

/// Modules as people write them.
const MODULES: &[&str] = &[
    "{ config, lib, pkgs, ... }:\nlet cfg = config.services.own; in {\n  imports = [ ./hardware.nix ];\n  options.services.own = {\n    \
     enable = lib.mkEnableOption \"it\";\n    port = lib.mkOption { type = lib.types.port; default = 80; };\n  };\n  config = lib.mkIf \
     cfg.enable {\n    networking.firewall.allowedTCPPorts = [ cfg.port ];\n    systemd.services.own = {\n      wantedBy = [ \
     \"multi-user.target\" ];\n      serviceConfig.ExecStart = \"${pkgs.hello}/bin/hello -g ${toString cfg.port}\";\n    };\n  };\n}\n",
    "{ lib, ... }: {\n  services.nginx.enable = true;\n  services.nginx.virtualHosts.\"a.example.org\" = { forceSSL = true; \
     root = \"/srv\"; extraConfig = ''\n    add_header X ''${y} ''\\t;\n  ''; };\n  boot.loader.grub.device = \"/dev/sda\";\n  \
     users.users.a = { isNormalUser = true; extraGroups = [ \"wheel\" ]; };\n  networking.hostName = lib.mkForce \"a\";\n  \
     services.openssh.permitRootLogin = \"no\";\n  fonts.fonts = [ ];\n  sound.enable = true;\n  system.stateVersion = 26.05;\n}\n",
    "with import <nixpkgs> { }; rec { a = b: c@{ d ? 1, ... }: if a == b then c // { inherit (d) e; } else [ 1 2.5 ./x <y> ]; \
     f = assert 1 < 2 -> true; a.b.\"c\".${d} or null; }",
];
