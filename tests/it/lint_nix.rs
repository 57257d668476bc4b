//! `lint-nix` over folders of modules, as their authors have them.

use super::program::Sandbox;

/// Returns the findings of a run as `level rule file:line:column`.
fn findings(sandbox: &Sandbox, arguments: &[&str], status: i32) -> Vec<String> {
    let all: Vec<&str> = ["lint-nix", "--format", "json"].iter().chain(arguments).copied().collect();
    let run = sandbox.run(&all).ends(status);
    let read: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(read["fleet"], serde_json::Value::Null);
    let line = |finding: &serde_json::Value| {
        assert_eq!(finding["host"], serde_json::Value::Null);
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        format!("{} {} {}:{}:{}", text("level"), text("rule"), text("file"), finding["line"], finding["column"])
    };
    read["findings"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn what_modules_set_is_held_against_the_options_of_the_release() {
    let sandbox = Sandbox::empty();
    sandbox.write(
        "web.nix",
        "{ config, lib, ... }:\nwith lib;\nlet port = \"http\"; in\n{\n  services.nginx.enabel = true;\n  \
         services.nginx.virtualHosts.${config.x}.forceSLL = mkForce true;\n  config_ = 1;\n  \
         networking.firewall = mkIf true { allowedTCPPorts = [ 80 99999 ]; };\n  boot.cleanTmpDir = true;\n  \
         sound.enable = true;\n  services.openssh.ports = [ port ];\n  time.timeZone = config.y;\n}\n",
    );
    assert_eq!(
        findings(&sandbox, &["."], 1),
        [
            "error option-type ./web.nix:3:12",
            "error option-unknown ./web.nix:5:18",
            "error option-unknown ./web.nix:6:43",
            "warning option-unknown ./web.nix:7:3",
            "error option-type ./web.nix:8:60",
            "warning option-renamed ./web.nix:9:8",
            "error option-removed ./web.nix:10:9",
        ]
    );
    let old = findings(&sandbox, &["--release", "20.09", "web.nix"], 1);
    assert!(!old.iter().any(|line| line.contains("option-re")), "{old:?}");
    let between = findings(&sandbox, &["--release", "26.05", "web.nix"], 1);
    assert!(between.contains(&"warning option-unknown web.nix:5:18".to_owned()), "{between:?}");
}

#[test]
fn names_that_the_files_declare_and_those_of_other_module_systems_are_left_alone() {
    let sandbox = Sandbox::empty();
    sandbox.write("own.nix", "{ lib, ... }: { options.services.own.port = lib.mkOption { }; options.my.on = 1; }");
    sandbox.write(
        "use.nix",
        "{ ... }: { services.own.port = 1; my.on = true; my.x = 2; sops.secrets.a = { }; imports = [ ./home/x.nix ]; \
         home-manager.users.a = import ./editor.nix; services.theirs.enable = true; }",
    );
    // home-manager's, by what imports it, by its folder and by what it sets.
    sandbox.write("editor.nix", "{ ... }: { programs.git.delta.enable = 1; imports = [ ./deeper.nix ]; }");
    sandbox.write("deeper.nix", "{ ... }: { programs.git.difftastic = 1; }");
    sandbox.write("home/x.nix", "{ ... }: { programs.git.nonsense = 1; }");
    sandbox.write("mail.nix", "{ ... }: { home.stateVersion = \"24.05\"; programs.git.nonsense = 1; }");
    sandbox.write("mac.nix", "{ ... }: { system.stateVersion = 5; services.nginx.nonsense = 1; }");
    // No modules at all.
    sandbox.write("package.nix", "{ lib, stdenv }: { services.nginx.nonsense = 1; }");
    sandbox.write("overlay.nix", "final: prev: { services.nginx.nonsense = 1; }");
    sandbox.write("data.nix", "{ users = { }; hosts = { }; }");
    assert_eq!(findings(&sandbox, &["."], 0), ["warning option-unknown ./use.nix:1:162"]);
}

#[test]
fn a_service_of_another_flake_is_no_error_however_near_its_name_is() {
    let sandbox = Sandbox::empty();
    let text = "{\n  services.gitea-mq = { enable = true; };\n  services.hermes-agent = { enable = true; };\n  services.minidlna.mediaDirs = [ ];\n}\n";
    sandbox.write("own.nix", text);
    let expected = [
        "warning option-unknown ./own.nix:2:12",
        "warning option-unknown ./own.nix:3:12",
        "error option-unknown ./own.nix:4:21",
    ];
    assert_eq!(findings(&sandbox, &["."], 1), expected);
}

#[test]
fn one_file_that_cannot_be_read_does_not_keep_the_others_from_being_checked() {
    let sandbox = Sandbox::empty();
    let wrong = "{ ... }: { services.nginx.enabel = true; }";
    sandbox.write("a.nix", b"\xff\xfe not text");
    sandbox.write("b.nix", "{ ... }: { services.nginx.enable = ; }");
    sandbox.write("c.nix", format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    sandbox.write("d.nix", format!("{{ ... }}: {{ {}services.nginx.enabel = true; }}", "a.b = 1; ".repeat(60_000)));
    sandbox.write("e.nix", wrong);
    sandbox.write("f.nix", "");
    let found = findings(&sandbox, &["."], 2);
    for expected in [
        "error file-unreadable ./a.nix:1:1",
        "error nix-invalid ./b.nix:1:36",
        "error nix-invalid ./c.nix:1:1",
        "error option-unknown ./d.nix:1:540027",
        "error option-unknown ./e.nix:1:27",
        "error nix-invalid ./f.nix:1:1",
    ] {
        assert!(found.iter().any(|line| line == expected), "no {expected} in {found:#?}");
    }
}

#[test]
fn the_own_files_of_a_host_are_judged_by_its_release() {
    let sandbox = Sandbox::small();
    sandbox.write("hosts/a/extra.nix", "{ ... }: { services.nginx.enabel = true; environment.persistence.x = { }; }");
    sandbox.run(&["check", "--today", "2026-11-21"]).says("option-unknown").says("hosts/a/extra.nix:1:27");
}
