//! out/deployer/watch.nix: when it is there, and that NixOS takes it.

use hostwright::check::SCAFFOLD;
use hostwright::facts::Facts;
use hostwright::source::FleetFiles;

use super::compile::compile_files;
use super::compile_nix::{OVERLAYS, evaluate_over, nixpkgs};
use super::quoting::is_installed;

/// Returns the scaffold with a timer of its deployer and a host.
fn fleet(timer: &str, deployer: &str, host: &str) -> FleetFiles {
    let named = format!("name = \"{deployer}\"\n{timer}\n");
    let files = SCAFFOLD.iter().map(|(path, text)| (*path, text.replace("name = \"desk\"\n", &named)));
    let mut files = FleetFiles::in_memory(files);
    files.add("hosts/a/host.toml".to_owned(), host.to_owned());
    files
}

fn module(files: &mut FleetFiles) -> Option<String> {
    let compiled = compile_files(files, &Facts::embedded()).unwrap();
    let file = |path: &str| compiled.files.iter().find(|file| file.path == path).map(|file| file.text().to_owned());
    let default = file("default.nix").unwrap();
    let module = file("deployer/watch.nix");
    assert_eq!(default.contains("nixosModules.deployer = ./deployer/watch.nix;"), module.is_some(), "{default}");
    module
}

#[test]
fn the_module_is_there_where_a_timer_is() {
    assert_eq!(module(&mut fleet("", "d", "")), None);
    let text = module(&mut fleet("timer = { schedule = 'Mon 04:00' }", "d", "")).unwrap();
    assert!(text.contains("OnCalendar = \"Mon 04:00\";") && !text.contains("webhookFile"), "{text}");
    // Of a deployer that is a host the secret's file is known, of another one it is asked for.
    let timer = "timer = { webhook = 'hook' }";
    let text = module(&mut fleet(timer, "a", "[secrets.items]\nhook = {}\n")).unwrap();
    assert!(text.contains("default = \"/etc/credstore/hook\";"), "{text}");
    let text = module(&mut fleet(timer, "d", "")).unwrap();
    assert!(text.contains("webhookFile") && !text.contains("default = \"/etc/credstore/hook\";"), "{text}");
    assert!(text.contains("OnCalendar = \"daily\";"), "{text}");
}

/// A machine written by hand that imports the module.
fn expression(tree: &str, more: &str) -> String {
    format!(
        "let hand = {{ pkgs, ... }}: {{ boot.loader.grub.device = \"/dev/sda\"; nixpkgs = {{ hostPlatform = \"x86_64-linux\"; overlays = {OVERLAYS}; }}; \
         fileSystems.\"/\" = {{ device = \"/dev/sda2\"; fsType = \"ext4\"; }}; system.stateVersion = \"26.05\"; \
         services.hostwright-watch = {{ package = pkgs.hello; fleet = \"/srv/fleet\"; {more} }}; }}; \
         c = (import \"{tree}/nixos/lib/eval-config.nix\" {{ system = null; modules = [ out.nixosModules.deployer hand ]; }}).config; in {{ \
         drv = c.system.build.toplevel.drvPath; warnings = c.warnings; service = c.systemd.units.\"hostwright-watch.service\".text; \
         timer = c.systemd.units.\"hostwright-watch.timer\".text; script = c.systemd.services.hostwright-watch.script; \
         rules = c.systemd.tmpfiles.rules; }}"
    )
}

#[test]
fn nixos_takes_the_module_without_a_warning() {
    let test = "nixos_takes_the_module_without_a_warning";
    let Some((nix, tree)) = nixpkgs(test) else { return };
    let mut seen = Vec::new();
    for (timer, host, more) in [
        ("timer = {}", "", ""),
        ("timer = { mail = 'ops@example.org' }", "", "user = \"deploy\"; hosts = [ \"a\" ]; drills = false;"),
        (
            "timer = { mail = 'ops@example.org', webhook = 'hook', schedule = '*-*-* 04:30' }",
            "",
            "webhookFile = \"/etc/credstore/50%\"; sshKeyFile = \"/etc/credstore/key\";",
        ),
        ("timer = { webhook = 'hook' }", "", "webhookFile = \"/run/secrets/hook\";"),
        ("timer = {}", "[deploy]\ntarget = 'local'\n", ""),
    ] {
        let compiled = compile_files(&mut fleet(timer, "d", host), &Facts::embedded()).unwrap();
        let (read, said) = evaluate_over(&compiled, &nix, &tree, &expression(&tree, more));
        assert!(!said.contains("warning"), "{timer}: {said}");
        assert_eq!(read["warnings"], serde_json::json!([]), "{timer}");
        assert!(read["drv"].as_str().unwrap().starts_with("/nix/store/"), "{timer}");
        let text = |key: &str| read[key].as_str().unwrap().to_owned();
        assert!(text("timer").contains("Persistent=true") && text("timer").contains("RandomizedDelaySec=15min"));
        verified(test, &text("service"), &text("timer"));
        seen.push((text("service"), text("script"), text("timer")));
    }
    let [plain, mail, both, hook, local] = seen.as_slice() else { panic!() };
    assert!(plain.0.contains("ProtectSystem=strict") && plain.0.contains("NoNewPrivileges=true"), "{}", plain.0);
    assert!(plain.0.contains("SuccessExitStatus=1\n") && !plain.0.contains("LoadCredential"), "{}", plain.0);
    assert_eq!(plain.1.trim(), "exec hostwright --fleet /srv/fleet watch --drills");
    // What queues mail may have to write to a spool, with rights of its own.
    assert!(mail.0.contains("ProtectSystem=full") && !mail.0.contains("NoNewPrivileges"), "{}", mail.0);
    assert!(mail.0.contains("User=deploy"), "{}", mail.0);
    assert_eq!(mail.1.trim(), "exec hostwright --fleet /srv/fleet watch a");
    for line in ["LoadCredential=ssh-key:/etc/credstore/key", "LoadCredential=hook:/etc/credstore/50%%"] {
        assert!(both.0.contains(line), "{line}: {}", both.0);
    }
    assert!(both.1.contains("--ssh-config /nix/store/") && both.2.contains("OnCalendar=*-*-* 04:30"), "{}", both.1);
    assert!(hook.0.contains("LoadCredential=hook:/run/secrets/hook"), "{}", hook.0);
    assert!(!local.0.contains("Protect") && !local.0.contains("PrivateTmp"), "{}", local.0);
}

/// Lets systemd judge the units.
fn verified(test: &str, service: &str, timer: &str) {
    if !is_installed("systemd-analyze", "systemd", test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // What is in the store of another machine cannot be found here.
    let begins = |line: &&str| !line.starts_with("ExecStart=");
    let service: String = service.lines().filter(begins).map(|line| format!("{line}\n")).collect();
    let service = service.replace("[Service]\n", "[Service]\nExecStart=/bin/true\n");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("hostwright-watch.service"), service.replace("User=deploy", "User=root")).unwrap();
    std::fs::write(path("hostwright-watch.timer"), timer).unwrap();
    let run = std::process::Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args([path("hostwright-watch.service"), path("hostwright-watch.timer")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    let said: Vec<&str> = said.lines().filter(|line| line.contains("hostwright-watch")).collect();
    assert!(said.is_empty(), "{said:?}");
}
