//! tests/fleets/secrets: secrets that lie encrypted in the fleet, and files that hosts carry as they are, judged by the rules, by Nix with the
//! real modules of sops-nix and agenix, and by what out/ holds.
//!
//! `HOSTWRIGHT_SOPS_NIX` and `HOSTWRIGHT_AGENIX` name copies of their sources.

use hostwright::compile::Compiled;
use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, load};

use super::compile::{compile_files, root};
use super::compile_nix::{OVERLAYS, evaluate, nixpkgs, write};
use super::machines::{judged_by_nix_and_shellcheck, passes_the_checks};

fn fleet() -> FleetFiles {
    load(&root().join("tests/fleets/secrets")).unwrap()
}

fn compiled() -> Compiled {
    compile_files(&mut fleet(), &Facts::embedded()).unwrap()
}

#[test]
fn every_host_with_encrypted_secrets_passes_the_checks() {
    passes_the_checks(fleet(), "tests/fleets/secrets");
}

#[test]
fn what_is_compiled_for_encrypted_secrets_is_read_by_nix_and_by_shellcheck() {
    let test = "what_is_compiled_for_encrypted_secrets_is_read_by_nix_and_by_shellcheck";
    judged_by_nix_and_shellcheck(&mut fleet(), test);
}

#[test]
fn every_host_evaluates_with_the_real_modules_of_sops_nix_and_agenix_without_a_warning() {
    let test = "every_host_evaluates_with_the_real_modules_of_sops_nix_and_agenix_without_a_warning";
    let Some((nix, tree)) = nixpkgs(test) else { return };
    let sources = ["HOSTWRIGHT_SOPS_NIX", "HOSTWRIGHT_AGENIX"].map(std::env::var);
    let [Ok(sops), Ok(agenix)] = sources else {
        eprintln!("skipped: {test}: HOSTWRIGHT_SOPS_NIX and HOSTWRIGHT_AGENIX name no copies of both");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write(&compiled(), folder.path());
    let out = folder.path().display();
    let read = |host: &str, more: &str| {
        let expression = format!(
            "let out = import (/. + \"{out}\") {{ nixpkgs = \"{tree}\"; overlays = {OVERLAYS}; \
             inputs = {{ sops-nix = /. + \"{sops}\"; agenix = /. + \"{agenix}\"; }}; }}; \
             c = out.nixosConfigurations.{host}.config; \
             in {{ drv = c.system.build.toplevel.drvPath; w = c.warnings; }} // {{ {more} }}"
        );
        let (read, said) = evaluate(&nix, &expression);
        assert!(!said.contains("evaluation warning"), "{host}: {said}");
        assert_eq!(read["w"], serde_json::json!([]), "{host}");
        assert!(read["drv"].as_str().unwrap().starts_with("/nix/store/"), "{host}");
        read
    };
    let shop = read(
        "shop",
        "paths = builtins.mapAttrs (_: s: s.path) c.sops.secrets; keys = c.sops.age.sshKeyPaths; \
         password = c.users.users.clerk.hashedPasswordFile; borg = c.services.borgbackup.jobs.offsite.encryption.passCommand;",
    );
    // Where each secret is looked for is where the module puts it.
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    assert_eq!(shop["keys"], serde_json::json!(["/persist/etc/ssh/ssh_host_ed25519_key"]));
    assert_eq!(shop["password"], shop["paths"]["admin-password"]);
    assert!(text(&shop["borg"]).contains(&text(&shop["paths"]["backup-passphrase"])), "{shop}");
    assert_eq!(shop["paths"]["stock.stock-token"], "/run/secrets/stock.stock-token");
    let relay = read(
        "relay",
        "paths = builtins.mapAttrs (_: s: s.path) c.age.secrets; keys = c.age.identityPaths; \
         password = c.users.users.clerk.hashedPasswordFile; vault = c.services.vaultwarden.environmentFile;",
    );
    assert_eq!(relay["keys"], serde_json::json!(["/etc/ssh/ssh_host_ed25519_key"]));
    assert_eq!(relay["password"], relay["paths"]["admin"]);
    assert!(relay["vault"].to_string().contains(&text(&relay["paths"]["vault"])), "{relay}");
}

#[test]
fn files_of_the_fleet_are_copied_byte_for_byte_and_named_once() {
    let compiled = compiled();
    for (host, path) in [
        ("shop", "hosts/shop/logo.bin"),
        ("shop", "hosts/shop/stock.conf"),
        ("shop", "hosts/shop/site/.well-known/security.txt"),
        ("shop", "secrets/shop.yaml"),
        ("relay", "hosts/shop/site/css/shop.css"),
        ("relay", "secrets/relay-vault.age"),
    ] {
        let there = format!("hosts/{host}/files/{path}");
        let copies: Vec<_> = compiled.files.iter().filter(|file| file.path == there).collect();
        assert_eq!(copies.len(), 1, "{there}");
        let own = std::fs::read(root().join("tests/fleets/secrets").join(path)).unwrap();
        assert_eq!(copies[0].bytes, own, "{there}");
    }
}
