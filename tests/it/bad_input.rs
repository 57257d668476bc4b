//! Whatever lies in the folder: a clear error at its place and status 2, never a panic, never a partial out/.

use crate::program::Sandbox;

#[test]
fn a_folder_that_is_no_fleet_is_said_and_ways_on_are_offered() {
    let sandbox = Sandbox::empty();
    let run = sandbox
        .run(&["check"])
        .ends(2)
        .complains("no fleet here")
        .complains("hostwright init")
        .complains("hostwright lint-nix");
    assert_eq!(run.out, "");
    sandbox.run(&["--fleet", "nowhere", "check"]).ends(2).complains("cannot read the folder nowhere");
    sandbox.write("file", "x");
    sandbox.run(&["--fleet", "file", "check"]).ends(2).complains("not a directory");
}

#[test]
fn a_fleet_is_found_from_below() {
    let sandbox = Sandbox::small();
    std::fs::create_dir_all(sandbox.path().join("hosts/a/deep")).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hostwright"))
        .args(["check", "--today", "2026-11-21"])
        .current_dir(sandbox.path().join("hosts/a/deep"))
        .output()
        .unwrap();
    assert!(output.status.success());
}

#[test]
fn a_fleet_toml_that_cannot_be_read_is_an_error_at_its_place() {
    let sandbox = Sandbox::empty();
    std::fs::create_dir(sandbox.path().join("fleet.toml")).unwrap();
    sandbox.run(&["check"]).ends(2).says("error[file-unreadable]").says("fleet.toml:1:1");
}

#[test]
fn bytes_that_are_not_utf_8_name_the_line() {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/host.toml", b"role = \"x\"\nlocale = \"\xff\"\n");
    sandbox.run(&["check"]).ends(2).says("error[file-unreadable]").says("line 2").says("hosts/a/host.toml");
}

#[test]
fn a_link_out_of_the_fleet_is_refused() {
    let outside = Sandbox::small();
    let sandbox = Sandbox::small();
    std::fs::remove_file(sandbox.path().join("hosts/a/host.toml")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("hosts/a/host.toml"), sandbox.path().join("hosts/a/host.toml"))
        .unwrap();
    sandbox.run(&["check"]).ends(2).says("error[file-unreadable]").says("leads out of the fleet");
    std::fs::remove_file(sandbox.path().join("hosts/a/host.toml")).unwrap();
    std::os::unix::fs::symlink("gone", sandbox.path().join("hosts/a/host.toml")).unwrap();
    sandbox.run(&["check"]).ends(2).says("error[file-unreadable]");
}

#[test]
fn all_errors_of_all_files_come_in_one_run_and_the_other_hosts_are_checked() {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/host.toml", "rol = \"x\"\n[machine]\nmemory = 5\n");
    sandbox.write("hosts/b/host.toml", "a = = 1\n");
    sandbox.write("hosts/c/host.toml", "role = \"x\"\nrole = \"y\"\n");
    sandbox.write("hosts/d/host.toml", "[access]\nroot-keys = { mkForce = [] }\n");
    let run = sandbox.run(&["check", "--today", "2026-11-21", "-v"]).ends(2);
    run.says("hosts/a/host.toml:1:1")
        .says("hosts/a/host.toml:3:10")
        .says("hosts/b/host.toml:1:5")
        .says("hosts/c/host.toml:2:1")
        .says("ssh-lockout");
}

#[test]
fn a_file_of_ten_megabytes_and_a_value_ten_thousand_deep_are_refused_at_once() {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/host.toml", "# x\n".repeat(2_600_000));
    sandbox.write("hosts/b/host.toml", format!("nixos.a = {}1{}", "[".repeat(10_000), "]".repeat(10_000)));
    sandbox.write("hosts/c/host.toml", format!("nixos.{} = 1", vec!["a"; 10_000].join(".")));
    sandbox.write("hosts/d/host.toml", "");
    sandbox.write("hosts/d/facts.json", "[".repeat(10_000));
    let start = std::time::Instant::now();
    sandbox
        .run(&["check", "--today", "2026-11-21"])
        .ends(2)
        .says("error[too-large]")
        .says("hosts/b/host.toml")
        .says("hosts/c/host.toml")
        .says("hosts/d/facts.json");
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "took {:?}", start.elapsed());
}

#[test]
fn names_of_hosts_that_are_no_names_are_refused() {
    let sandbox = Sandbox::small();
    for name in ["a..b", "-a", "A", "a b", "\u{1b}[31m", &"x".repeat(64)] {
        sandbox.write(&format!("hosts/{name}/host.toml"), "");
    }
    let run = sandbox.run(&["check", "--today", "2026-11-21"]).ends(2);
    assert_eq!(run.out.matches("error[name-invalid]").count(), 6, "{}", run.out);
    assert!(!run.out.contains('\u{1b}'), "a control character reached the terminal");
}

#[test]
fn an_import_cycle_and_an_unknown_module_show_the_way() {
    let sandbox = Sandbox::small();
    sandbox.write("modules/x/module.toml", "kind = \"profile\"\nsummary = \"x\"\nhost.imports = [\"x\"]\n");
    sandbox.write("hosts/a/host.toml", "imports = [\"x\", \"bsae\"]\n");
    sandbox.run(&["check"]).ends(2).says("x -> x").says("nearest: `base`");
}

#[test]
fn wrong_usage_ends_with_two_and_unknown_hosts_have_a_nearest_name() {
    let sandbox = Sandbox::example();
    sandbox.run(&["check", "lufat"]).ends(2).complains("nearest: `lufta`");
    sandbox.run(&["check", "--today", "tomorrow"]).ends(2).complains("a date is wanted");
    sandbox.run(&["check", "--format", "xml"]).ends(2);
    sandbox.run(&["explain", "port-conflit"]).ends(2).complains("nearest: `port-conflict`");
    sandbox.run(&["frobnicate"]).ends(2);
}

#[test]
fn a_machine_format_has_standard_output_to_itself_also_with_input_errors() {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/host.toml", "rol = \"x\"\n");
    let run = sandbox.run(&["check", "--format", "json", "--today", "2026-11-21"]).ends(2);
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["findings"][0]["rule"], "key-unknown");
    assert_eq!(document["findings"][0]["host"], "a");
    assert_eq!(run.err, "");
    sandbox.write("fleet.toml", "x");
    let run = sandbox.run(&["check", "--format", "json"]).ends(2);
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["fleet"], serde_json::Value::Null);
}

#[test]
fn a_dataset_outside_any_pool_is_no_file_system() {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/host.toml", "[filesystems.\"/srv\"]\ntype = \"zfs\"\ndevice = \"tank/data\"\n");
    sandbox
        .run(&["check", "--today", "2026-11-21"])
        .ends(2)
        .says("reference-unknown")
        .says("hosts/a/host.toml:3:10")
        .says("tank");
}

#[test]
fn no_report_repeats_a_secret_that_stands_in_a_definition() {
    let sandbox = Sandbox::small();
    let host = sandbox.read("hosts/a/host.toml");
    let secrets = ["hunter2-of-somebody", "ghp_0123456789abcdefghijABCDEFGHIJ012345"];
    let text = format!(
        "{host}\n[secrets.items.x]\nvalue = \"{}\"\n[services.e]\nkind = \"command\"\nexec = \"/bin/e\"\n\
         environment = {{ A = \"{}\" }}\n",
        secrets[0], secrets[1]
    );
    sandbox.write("hosts/a/host.toml", text);
    for format in ["human", "json", "sarif", "github", "junit"] {
        let run = sandbox.run(&["check", "--format", format, "--today", "2026-11-21"]).ends(1).says("secret-inline");
        for secret in secrets {
            assert!(!run.out.contains(secret) && !run.err.contains(secret), "{format}: {}", run.out);
        }
    }
}
