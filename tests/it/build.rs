//! `build` as people and CI run it: whole or not at all, nothing twice, nobody's edits lost.

use std::fs;

use crate::program::Sandbox;

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

fn build(sandbox: &Sandbox, more: &[&str]) -> crate::program::Run {
    let arguments: Vec<&str> = ["build"].iter().chain(more).chain(&TODAY).copied().collect();
    sandbox.run(&arguments)
}

#[test]
fn a_second_build_writes_nothing_and_check_agrees() {
    let sandbox = Sandbox::example();
    build(&sandbox, &[]).ends(0).says("wrote    out/").says("next     read out/hosts/");
    let written = |path: &str| fs::metadata(sandbox.path().join(path)).unwrap().modified().unwrap();
    let (tree, at) = (sandbox.tree("out"), written("out/manifest.json"));
    build(&sandbox, &[]).ends(0).says("current  out/").says("nothing to write");
    assert!(tree == sandbox.tree("out") && at == written("out/manifest.json"), "the second build wrote something");
    build(&sandbox, &["--check"]).ends(0);
}

#[test]
fn the_same_fleet_in_another_place_gives_the_same_bytes() {
    let (one, other) = (Sandbox::example(), Sandbox::example());
    build(&one, &[]).ends(0);
    build(&other, &[]).ends(0);
    assert!(one.tree("out") == other.tree("out"));
    assert!(one.tree("out").len() > 40);
}

#[test]
fn a_change_is_shown_by_diff_found_by_check_and_written_by_build() {
    let sandbox = Sandbox::example();
    build(&sandbox, &[]).ends(0);
    let before = sandbox.tree("out");
    sandbox.edit("hosts/lufta/host.toml", "tcp = [22, 80, 443]", "tcp = [22, 80, 443, 8443]");
    build(&sandbox, &["--check"]).ends(1).says("differs  hosts/lufta/network.nix").says("stale    out/");
    let diff = build(&sandbox, &["--diff"]).ends(0).says("+        8443").says("--- hosts/lufta/network.nix");
    assert!(!diff.out.contains("hosts/attic/network.nix"));
    assert!(before == sandbox.tree("out"), "--check and --diff write nothing");
    build(&sandbox, &[]).ends(0).says("wrote");
    assert!(sandbox.read("out/hosts/lufta/network.nix").contains("8443"));
}

#[test]
fn an_edited_or_foreign_file_stops_the_build_with_its_name_until_forced() {
    let sandbox = Sandbox::example();
    build(&sandbox, &[]).ends(0);
    sandbox.edit("out/hosts/lufta/boot.nix", "timeout", "timeout # mine\n");
    sandbox.write("out/hosts/notes.txt", "mine");
    let before = sandbox.tree("out");
    build(&sandbox, &[]).ends(2).complains("hosts/lufta/boot.nix").complains("hosts/notes.txt").complains("--force");
    assert!(before == sandbox.tree("out"));
    build(&sandbox, &["--force"]).ends(0);
    build(&sandbox, &["--check"]).ends(0);
    assert!(!sandbox.path().join("out/hosts/notes.txt").exists());
}

#[test]
fn a_folder_of_somebody_else_is_never_taken() {
    let sandbox = Sandbox::example();
    sandbox.write("precious/thesis.txt", "years of work");
    build(&sandbox, &["--out", "precious"]).ends(2).complains("thesis.txt");
    assert_eq!(sandbox.tree("precious").len(), 1);
    sandbox.write("file", "x");
    build(&sandbox, &["--out", "file"]).ends(2).complains("is no folder");
}

#[test]
fn an_error_anywhere_leaves_out_as_it_was() {
    let sandbox = Sandbox::example();
    build(&sandbox, &[]).ends(0);
    let before = sandbox.tree("out");
    sandbox.edit("hosts/attic/host.toml", "firmware = \"uefi\"", "firmware = \"uefii\"");
    build(&sandbox, &[]).ends(2).says("error[value-invalid]");
    assert!(before == sandbox.tree("out"));
    sandbox.edit("hosts/attic/host.toml", "firmware = \"uefii\"", "firmware = \"bios\"");
    build(&sandbox, &[]).ends(1).says("error[loader-firmware-mismatch]");
    assert!(before == sandbox.tree("out"));
}

#[test]
fn nix_in_a_definition_that_does_not_parse_is_an_error_at_its_place() {
    let sandbox = Sandbox::example();
    let text = sandbox.read("hosts/attic/host.toml")
        + "\n[nixos]\nenvironment.systemPackages = { literalExpression = \"[ pkgs.vim\" }\n";
    sandbox.write("hosts/attic/host.toml", &text);
    let run = build(&sandbox, &[]).ends(2);
    assert!(run.out.contains("hosts/attic/host.toml:"), "{}", run.out);
    assert!(!sandbox.path().join("out").exists());
}

#[test]
fn a_host_that_leaves_the_fleet_leaves_out_and_one_host_alone_keeps_the_others() {
    let sandbox = Sandbox::example();
    build(&sandbox, &[]).ends(0);
    let attic = sandbox.tree("out/hosts/attic");
    sandbox.edit("hosts/lufta/host.toml", "tcp = [22, 80, 443]", "tcp = [22, 80, 443, 8443]");
    sandbox.edit("hosts/attic/host.toml", "tcp = [22]", "tcp = [22, 8443]");
    build(&sandbox, &["lufta"]).ends(0);
    assert!(sandbox.read("out/hosts/lufta/network.nix").contains("8443"));
    assert!(attic == sandbox.tree("out/hosts/attic"), "attic was not asked for");
    build(&sandbox, &["--check"]).ends(1);
    fs::remove_dir_all(sandbox.path().join("hosts/attic")).unwrap();
    // The other end of its tunnel.
    sandbox.edit("hosts/lufta/host.toml", "peers = [{ host = \"attic\" }]", "peers = []");
    build(&sandbox, &[]).ends(0);
    assert!(!sandbox.path().join("out/hosts/attic").exists());
}

#[test]
fn a_run_that_was_cut_short_is_finished_by_the_next() {
    let sandbox = Sandbox::example();
    build(&sandbox, &[]).ends(0);
    let tree = sandbox.tree("out");
    // Killed between the two renames of a file system that cannot exchange, and while a new tree was being written.
    fs::rename(sandbox.path().join("out"), sandbox.path().join(".out.old")).unwrap();
    sandbox.write(".out.new/half", "x");
    build(&sandbox, &[]).ends(0).says("current");
    assert!(tree == sandbox.tree("out"));
}

#[test]
fn the_users_own_modules_come_along_and_are_imported() {
    let sandbox = Sandbox::example();
    sandbox.write("hosts/attic/extra.nix", "{ environment.variables.EDITOR = \"ed\"; }\n");
    build(&sandbox, &[]).ends(0);
    assert_eq!(sandbox.read("out/hosts/attic/user/extra.nix"), "{ environment.variables.EDITOR = \"ed\"; }\n");
    assert!(sandbox.read("out/hosts/attic/default.nix").contains("./user/extra.nix"));
}

#[test]
fn one_host_is_current_while_others_change_and_the_manifest_says_what_theirs_was_made_from() {
    let sandbox = Sandbox::example();
    build(&sandbox, &[]).ends(0);
    let digest = |path: &str| {
        let manifest: serde_json::Value = serde_json::from_str(&sandbox.read("out/manifest.json")).unwrap();
        manifest["inputs"][path].as_str().unwrap().to_owned()
    };
    let (attic, lufta) = (digest("hosts/attic/host.toml"), digest("hosts/lufta/host.toml"));
    sandbox.edit("hosts/attic/host.toml", "tcp = [22]", "tcp = [22, 8443]");
    build(&sandbox, &["lufta", "--check"]).ends(0).says("current");
    build(&sandbox, &["attic", "--check"]).ends(1).says("differs  hosts/attic/network.nix");
    sandbox.edit("hosts/lufta/host.toml", "tcp = [22, 80, 443]", "tcp = [22, 80, 443, 8443]");
    build(&sandbox, &["lufta"]).ends(0);
    assert!(digest("hosts/attic/host.toml") == attic && digest("hosts/lufta/host.toml") != lufta);
    build(&sandbox, &["--check"]).ends(1).says("hosts/attic/network.nix");
}
