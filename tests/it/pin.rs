//! `hostwright pin`: what it changes in fleet.toml, what it leaves, and what it refuses.

use crate::program::Sandbox;

const REV: &str = "b6018f87da91d19d0ab4cf979885689b469cdd41";
const HASH: &str = "sha256-twXPFqFsrrY5r28Zh7Homgcp2gUMBgQ6WDS98Q/3xFI=";
const OLD: &str = "a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4";

/// A lock whose input `nixpkgs` is the node `nixpkgs_2`, with a node that is no nixpkgs.
fn lock(branch: &str) -> String {
    format!(
        r#"{{ "version": 7, "root": "root", "nodes": {{
  "root": {{ "inputs": {{ "nixpkgs": "nixpkgs_2", "utils": "utils", "same": ["utils", "nixpkgs"] }} }},
  "utils": {{ "inputs": {{ "nixpkgs": ["nixpkgs"] }},
    "locked": {{ "type": "github", "owner": "numtide", "repo": "flake-utils", "rev": "{OLD}" }} }},
  "bare": {{ "locked": {{ "type": "github", "owner": "NixOS", "repo": "nixpkgs", "rev": "{REV}" }} }},
  "nixpkgs_2": {{
    "locked": {{ "type": "github", "owner": "NixOS", "repo": "nixpkgs", "rev": "{REV}", "narHash": "{HASH}", "lastModified": 1790000000 }},
    "original": {{ "type": "github", "owner": "NixOS", "repo": "nixpkgs", "ref": "{branch}" }} }} }} }}"#
    )
}

fn fleet(text: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("fleet.toml", text);
    sandbox.write("flake.lock", lock("nixos-26.05"));
    sandbox
}

fn channel() -> String {
    format!(
        "# before\n[fleet]\nname = 'x' # kept\n\n[channels.stable] # the one\nhash = 'sha256-old' # a hash\n# above\nrelease = '26.05'\n\
         rev = '{OLD}' # a commit\n\n# after\n[defaults]\nchannel = 'stable'\n"
    )
}

#[test]
fn a_pin_changes_its_values_and_no_other_byte() {
    let expected = channel()
        .replace("'sha256-old'", &format!("\"{HASH}\""))
        .replace(&format!("'{OLD}' # a commit\n"), &format!("\"{REV}\" # a commit\nlast-modified = 1790000000\n"));
    for end in ["\n", "\r\n"] {
        let sandbox = fleet(&channel().replace('\n', end));
        sandbox.run(&["pin", "--from", "flake.lock"]).ends(0).says(&format!("rev: {OLD} -> {REV}"));
        assert_eq!(sandbox.read("fleet.toml"), expected.replace('\n', end));
        sandbox.run(&["pin", "--from", "flake.lock#same"]).ends(0).says(&format!("rev: {REV} (unchanged)"));
        assert_eq!(sandbox.read("fleet.toml"), expected.replace('\n', end));
    }
}

#[test]
fn inline_tables_and_dotted_keys_are_pinned_and_a_date_of_another_commit_goes() {
    for text in [
        format!("channels = {{ stable = {{ release = '26.05', rev = '{OLD}', last-modified = 1 }} }}\n"),
        format!(
            "channels.stable.release = '26.05'\nchannels.stable.rev = '{OLD}'\nchannels.stable.last-modified = 1\n"
        ),
    ] {
        let sandbox = fleet(&text);
        sandbox.run(&["pin", "stable", "--rev", REV, "--hash", HASH]).ends(0).says("last-modified: 1 -> none");
        let written: toml_edit::DocumentMut = sandbox.read("fleet.toml").parse().unwrap();
        let stable = written["channels"]["stable"].as_table_like().unwrap();
        let text = |key: &str| stable.get(key).and_then(toml_edit::Item::as_str);
        assert_eq!((text("rev"), text("hash")), (Some(REV), Some(HASH)));
        assert!(!stable.contains_key("last-modified"));
    }
}

#[test]
fn what_cannot_be_pinned_is_refused_and_nothing_is_written() {
    let sandbox = fleet(&channel());
    sandbox.write("bad.lock", "{");
    sandbox.write("other.lock", lock("nixos-25.11"));
    sandbox.write("none.lock", "{}");
    for (arguments, said) in [
        (&["--from", "bad.lock"][..], "bad.lock:1"),
        (&["--from", "none.lock"], "no `nodes`"),
        (&["--from", "flake.lock#nixpkg"], "`nixpkgs`"),
        (&["--from", "flake.lock#utils"], "flake.lock:3"),
        (&["--from", "flake.lock#bare"], "no `narHash`"),
        (&["--from", "absent.lock"], "absent.lock"),
        (&["--from", "other.lock"], "follows 25.11"),
        (&["stabel", "--from", "flake.lock"], "nearest: `stable`"),
        (&["--rev", "a5cc6f2", "--hash", HASH], "40 hexadecimal digits"),
        (&["--rev", REV, "--hash", "sha256-x"], "`--hash` cannot be"),
        (&["--rev", REV], "--hash"),
        (&[], "nix flake metadata"),
    ] {
        let run = sandbox.run(&[&["pin"], arguments].concat()).ends(2);
        let all = format!("{}{}", run.out, run.err);
        assert!(all.contains(said), "{arguments:?}: no {said:?} in\n{all}");
        assert_eq!(sandbox.read("fleet.toml"), channel(), "{arguments:?}");
    }
}

#[test]
fn a_channel_that_names_a_lock_is_pinned_by_it_and_what_is_wrong_there_is_said_there() {
    let sandbox = Sandbox::small();
    let pinned = sandbox.read("fleet.toml");
    let is_pin = |line: &&str| ["rev =", "hash ="].iter().any(|key| line.starts_with(key));
    let unpinned: String = pinned.lines().filter(|line| !is_pin(line)).flat_map(|line| [line, "\n"]).collect();
    let locked = unpinned.replace("[channels.stable]\n", "[channels.stable]\nlock = \"nix/flake.lock#same\"\n");
    sandbox.write("fleet.toml", &locked);
    sandbox.run(&["check"]).ends(2).says("error[reference-unknown]").says("there is no `nix/flake.lock` in the fleet");

    let text = lock("nixos-26.05");
    sandbox.write("nix/flake.lock", &text);
    sandbox.run(&["check"]).ends(0);
    sandbox.run(&["build"]).ends(0);
    let out = sandbox.read("out/flake.lock");
    assert!(out.contains(REV) && out.contains(HASH) && out.contains("1790000000"), "{out}");
    assert!(sandbox.read("out/manifest.json").contains("\"nix/flake.lock\""), "a change of the lock makes out/ stale");
    sandbox.run(&["build", "--check"]).ends(0);
    sandbox.write("nix/flake.lock", format!("{text}\n"));
    sandbox.run(&["build", "--check"]).ends(1);
    sandbox.run(&["pin", "stable", "--rev", REV, "--hash", HASH]).ends(2).complains("pinned by its `lock`");

    for (lock, rule, said) in [
        (&text[..text.len() - 1], "value-invalid", "nix/flake.lock:8:100"),
        ("{}", "key-missing", "nix/flake.lock:1:1"),
        (&text.replace("\"same\"", "\"other\""), "reference-unknown", "no node `same`"),
        (&text.replace("NixOS", "me"), "value-invalid", "no nixpkgs of github:NixOS/nixpkgs"),
        (&text.replace(HASH, "sha256-x"), "value-invalid", "nix/flake.lock:7"),
        (&text.replace("26.05", "25.11"), "value-invalid", "its lock follows 25.11"),
    ] {
        sandbox.write("nix/flake.lock", lock);
        let run = sandbox.run(&["check"]).ends(2).says(&format!("error[{rule}]")).says(said);
        assert!(!run.out.contains("channel-unpinned"), "{}", run.out);
    }
    sandbox.write("nix/flake.lock", b"\xff");
    sandbox.run(&["check"]).ends(2).says("error[file-unreadable]").says("nix/flake.lock");
    std::fs::remove_file(sandbox.path().join("nix/flake.lock")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", sandbox.path().join("nix/flake.lock")).unwrap();
    sandbox.run(&["check"]).ends(2).says("leads out of the fleet");
    sandbox.write("fleet.toml", locked.replace("nix/flake.lock#same", "../flake.lock"));
    sandbox.run(&["check"]).ends(2).says("a lock is `flake.lock#nixpkgs`");
    sandbox.write("fleet.toml", locked.replace("lock =", &format!("rev = \"{REV}\"\nlock =")));
    sandbox.run(&["check"]).ends(2).says("is pinned twice");
}
