//! Updates of every host of the example fleets, and of hosts whose configuration hostwright does not compile.

use std::collections::BTreeMap;
use std::process::Command;

use hostwright::facts::Facts;
use hostwright::plan::{self, Plan, Scenario};
use hostwright::report::plan::{Outcome, PlanFormat, RanStep, RunState, page, write};
use hostwright::source;
use serde_json::Value;

use crate::program::{Sandbox, repository};

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

/// Hands the update of every host of a fleet that can be reached to a function.
fn updates(folder: &str, mut then: impl FnMut(&Plan)) {
    let facts = Facts::embedded();
    let mut files = source::load(&repository().join(folder)).unwrap();
    let today = "2026-11-21".parse().unwrap();
    hostwright::check::check_files(&mut files, &facts, &[], today, |fleet, _, _| {
        for host in &fleet.unwrap().hosts {
            if host.def.deploy.as_ref().is_none_or(|deploy| deploy.target.is_none()) {
                continue;
            }
            let inputs = [("fleet.toml".to_owned(), "")];
            let clusters = BTreeMap::new();
            let update = Some(Scenario::Update);
            let made = plan::make(fleet.unwrap(), host, update, &inputs, "0.1.0", &facts, &clusters);
            then(&made.unwrap_or_else(|error| panic!("{folder} {}: {error}", host.name)));
        }
    });
}

#[test]
fn every_host_of_every_fleet_has_an_update_that_keeps_the_gates_and_destroys_nothing() {
    let mut seen = 0;
    let fleets = std::fs::read_dir(repository().join("tests/fleets")).unwrap().map(Result::unwrap);
    let mut folders: Vec<String> =
        fleets.map(|entry| format!("tests/fleets/{}", entry.file_name().to_str().unwrap())).collect();
    folders.push(String::new());
    for folder in folders {
        updates(&folder, |plan| {
            seen += 1;
            assert_eq!(plan::gates::verify(plan), [], "{folder} {}", plan.host());
            assert!(plan.first_destroying().is_none());
            assert!(plan.number("reboot-test").unwrap() > plan.number("baseline-boot-default").unwrap());
            let lines = plan.steps().iter().flat_map(|step| {
                [step.commands(), step.checks_before(), step.checks_after(), step.way_back()].concat()
            });
            let script = lines.inspect(|line| assert!(!line.contains('\n'), "{line}")).collect::<Vec<_>>().join("\n");
            let status = Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
            assert!(status.success(), "{folder} {}", plan.host());
            for format in PlanFormat::ALL {
                assert!(write(plan, format, false).unwrap().ends_with('\n'));
            }
        });
    }
    assert!(seen > 30, "{seen} hosts");
}

/// A fleet of one host that is configured elsewhere and runs the release before.
fn elsewhere(external: &str, loader: &str) -> Sandbox {
    let sandbox = Sandbox::example();
    std::fs::remove_dir_all(sandbox.path().join("hosts")).unwrap();
    sandbox.write(
        "hosts/kos/host.toml",
        format!(
            "system = \"x86_64-linux\"\n[machine]\nfirmware = \"uefi\"\nconsole = \"provider\"\n[boot]\nloader = \"{loader}\"\n\
             [external]\n{external}\n[deploy]\ntarget = \"root@192.0.2.7\"\nwatch = [{{ ssh = true }}]\n"
        ),
    );
    sandbox.write(
        "hosts/kos/facts.json",
        r#"{ "version": 1, "taken": "2026-11-20T10:00:00Z", "host": "kos", "firmware": "uefi",
             "disks": [{ "ids": ["nvme-one"], "mounted": ["/", "/boot/efi"] }], "zfs": { "module": "2.3.5-1" },
             "system": { "release": "25.11", "kernel": "6.12.60", "generations": [{ "number": 7, "current": true, "zfs": "2.3.5" }] } }"#,
    );
    sandbox
}

#[test]
fn a_host_that_is_configured_elsewhere_is_checked_planned_and_not_compiled() {
    let sandbox = elsewhere("flake = \".#kos\"", "systemd-boot");
    let _ = sandbox.run(&["check", TODAY[0], TODAY[1]]).ends(0);
    sandbox
        .run(&["build", TODAY[0], TODAY[1]])
        .ends(0)
        .says("not compiled: .#nixosConfigurations.kos")
        .says("plan: update");
    let files = sandbox.tree("out/hosts/kos");
    assert!(files.contains_key("plan.json") && files.contains_key("reboot/arm.sh"), "{:?}", files.keys());
    assert!(!files.keys().any(|path| path.ends_with(".nix")), "{:?}", files.keys());
    assert!(!sandbox.read("out/default.nix").contains("kos"));
    let plan: Value = serde_json::from_str(&sandbox.read("out/hosts/kos/plan.json")).unwrap();
    let step = |id: &str| plan["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap().to_string();
    assert!(step("build-system").contains("'.#nixosConfigurations.kos.config.system.build.toplevel' --out-link"));
    // No definition says what it should be like, so it is held against what it was.
    assert!(step("reboot-test").contains("judge.sh trial recorded"));
    // The facts say where the menu is.
    assert!(sandbox.read("out/hosts/kos/reboot/ready.sh").contains("for boot in /boot/efi; do"));
    let _ = sandbox.run(&["build", "--check", TODAY[0], TODAY[1]]).ends(0);
    sandbox.run(&["plan", "kos", "--scenario", "install", TODAY[0], TODAY[1]]).ends(2).complains("[external]");
}

#[test]
fn a_file_with_an_attribute_is_built_as_it_is() {
    let sandbox = elsewhere("file = \"nixos/default.nix\"\nattribute = \"hosts.kos\"", "grub");
    let run = sandbox.run(&["plan", "kos", "--format", "md", TODAY[0], TODAY[1]]).ends(0);
    run.says("build --file nixos/default.nix hosts.kos.config.system.build.toplevel --out-link state/kos/system");
    for bad in
        ["flake = \"kos\"", "flake = \"--impure#a\"", "file = \"../x.nix\"\nattribute = \"a\"", "file = \"x.nix\""]
    {
        let sandbox = elsewhere(bad, "grub");
        let _ = sandbox.run(&["check", TODAY[0], TODAY[1]]).ends(2).says("hosts/kos/host.toml");
    }
}

#[test]
fn the_page_tells_after_a_run_what_happened_and_stands_alone() {
    let mut pages = Vec::new();
    updates("", |plan| {
        let ran = |id: &str, outcome, note: Option<&str>| RanStep {
            id: id.to_owned(),
            outcome,
            seconds: Some(90),
            ended: Some("2026-11-21T10:00:00Z".to_owned()),
            note: note.map(str::to_owned),
        };
        let run = RunState {
            steps: vec![
                ran("check-definition", Outcome::Done, None),
                ran("build-system", Outcome::Failed, Some("exit status 1: <b>no space</b>")),
            ],
        };
        pages.push((page(plan, Some(&run), None).unwrap(), page(plan, None, None).unwrap(), plan.steps().len()));
    });
    for (after, before, steps) in pages {
        assert!(after.contains(&format!("1 of {steps} steps are done, in 3 min; build-system has failed")), "{steps}");
        assert!(after.contains("failed, 1 min 30 s, 2026-11-21T10:00:00Z: exit status 1: &lt;b&gt;no space"));
        assert!(!before.contains("class=\"failed\"") && before.contains("Nothing is destroyed."));
        for page in [after, before] {
            assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("src="), "it stands alone");
            assert_eq!(page.matches("<text ").count(), steps);
        }
    }
}
