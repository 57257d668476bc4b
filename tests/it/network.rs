//! What systemd-networkd and nftables get in the end, by evaluation with a real nixpkgs.

use std::process::Command;

use hostwright::facts::Facts;
use hostwright::source::load;

use super::compile::{compile_files, root};
use super::compile_nix::{evaluate_over, nixpkgs};
use super::quoting::is_installed;

/// The hosts of tests/fleets/machines that are about the network.
const HOSTS: [&str; 6] = ["hetzner-cloud", "initrd-ssh", "router", "vlan-bond", "wg-hub", "wg-site"];

/// Evaluates an expression about the `config` of one host.
fn of_config(nix: &[String], tree: &str, host: &str, wanted: &str) -> serde_json::Value {
    let mut files = load(&root().join("tests/fleets/machines")).unwrap();
    let compiled = compile_files(&mut files, &Facts::embedded()).unwrap();
    let expression = format!("let config = out.nixosConfigurations.\"{host}\".config; in {wanted}");
    evaluate_over(&compiled, nix, tree, &expression).0
}

#[test]
fn the_units_that_networkd_gets_are_those_that_were_read() {
    let Some((nix, tree)) = nixpkgs("the_units_that_networkd_gets_are_those_that_were_read") else { return };
    for host in HOSTS {
        let wanted = "builtins.mapAttrs (_: units: builtins.mapAttrs (_: unit: unit.text) units) \
                      { running = config.systemd.network.units; initrd = config.boot.initrd.systemd.network.units; }";
        let units = of_config(&nix, &tree, host, wanted);
        let mut text = String::new();
        for (stage, units) in units.as_object().unwrap() {
            for (name, unit) in units.as_object().unwrap() {
                text.push_str(&format!("# {stage}: {name}\n{}\n", unit.as_str().unwrap().trim_end()));
            }
        }
        let path = root().join(format!("tests/golden/networkd/{host}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "{} is another: UPDATE=1 cargo test, and read the difference", path.display());
    }
}

#[test]
fn nft_reads_the_firewall_of_a_router() {
    let test = "nft_reads_the_firewall_of_a_router";
    let Some((nix, tree)) = nixpkgs(test) else { return };
    if !is_installed("nft", "nftables", test) {
        return;
    }
    for host in ["router", "hetzner-cloud", "wg-hub"] {
        let tables = of_config(
            &nix,
            &tree,
            host,
            "builtins.mapAttrs (_: table: { inherit (table) family name content; }) config.networking.nftables.tables",
        );
        let mut rules = String::new();
        for table in tables.as_object().unwrap().values() {
            let of = |key: &str| table[key].as_str().unwrap();
            rules.push_str(&format!("table {} {} {{\n{}\n}}\n", of("family"), of("name"), of("content")));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.nft");
        std::fs::write(&file, rules).unwrap();
        // Even a check opens a socket to the kernel, for which one must be root in some network namespace.
        let output = Command::new("unshare")
            .args(["--map-root-user", "--net", "nft", "--check", "--file"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{host}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
