//! Plans of the example fleet in every format, plans that somebody changed, and the scripts that plans work with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostwright::facts::Facts;
use hostwright::plan::{self, Plan, PlanError, RunsOn, Scenario, Script, StepKind};
use hostwright::report::plan::{PlanFormat, write};
use hostwright::resolve::{Resolved, ResolvedHost};
use hostwright::source::{self, FleetFiles};

const HOSTS: [&str; 2] = ["attic", "lufta"];

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn example() -> FleetFiles {
    source::load(&root()).unwrap()
}

/// Hands a resolved host and its inputs to a function.
pub(crate) fn with_host<R>(
    files: &mut FleetFiles,
    host: &str,
    then: impl FnOnce(&Resolved<'_>, &ResolvedHost<'_>, &Facts) -> R,
) -> R {
    let facts = Facts::embedded();
    let today = "2026-11-21".parse().unwrap();
    hostwright::check::check_files(files, &facts, &[], today, |fleet, outcome, _| {
        let fleet = fleet.unwrap();
        // A host that does not resolve has findings that say why.
        let said: Vec<&str> = outcome.checked.findings.iter().map(|finding| finding.message.as_str()).collect();
        let resolved = fleet.hosts.iter().find(|resolved| resolved.name == host).ok_or(said).unwrap();
        then(fleet, resolved, &facts)
    })
}

/// The plan of a host, that of an installation unless another is named, made from fixed inputs: what the goldens show is the plan and not the digest of the example.
fn make(files: &mut FleetFiles, host: &str, scenario: Option<Scenario>) -> Plan {
    let inputs = [("fleet.toml".to_owned(), "")];
    with_host(files, host, |fleet, host, facts| {
        let scenario = scenario.unwrap_or(Scenario::Install);
        plan::make(fleet, host, Some(scenario), &inputs, "0.1.0", facts, &BTreeMap::new()).unwrap()
    })
}

fn changed(host: &str, change: impl Fn(&str) -> String) -> FleetFiles {
    let files = example();
    let path = format!("hosts/{host}/host.toml");
    let texts = files.files.iter().map(|(name, id)| {
        let text = files.sources.text(*id).to_string();
        (name.clone(), if *name == path { change(&text) } else { text })
    });
    FleetFiles::in_memory(texts.collect::<Vec<_>>())
}

/// Compares a text with a file of tests/golden; `UPDATE=1` writes it.
pub(crate) fn golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == text, "{} is another: UPDATE=1 cargo test, and read the difference", path.display());
}

#[test]
fn the_plans_of_the_example_fleet_are_these_in_every_format() {
    for host in HOSTS {
        let plan = make(&mut example(), host, None);
        for format in PlanFormat::ALL {
            let ending = if format == PlanFormat::Human { "txt" } else { format.as_str() };
            let text = write(&plan, format, false).unwrap();
            assert!(text.ends_with('\n') && !text.contains('\u{1b}'));
            golden(&root().join(format!("tests/golden/plan/{host}.{ending}")), &text);
        }
    }
}

/// The files that the plans of the example work with.
pub(crate) fn files_of(host: &str) -> Vec<Script> {
    with_host(&mut example(), host, |fleet, host, _| plan::files(fleet, host, &BTreeMap::new()).unwrap())
}

pub(crate) fn is_installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("{program} is not installed: its part of the test is left out");
    }
    there
}

#[test]
fn the_scripts_of_the_reboot_test_are_clean_shell() {
    for host in HOSTS {
        let folder = tempfile::tempdir().unwrap();
        for file in files_of(host).iter().filter(|file| file.path.starts_with("reboot/")) {
            let path = folder.path().join(file.path.replace('/', "-"));
            std::fs::write(&path, &file.text).unwrap();
            assert!(Command::new("sh").arg("-n").arg(&path).status().unwrap().success(), "{}", file.path);
            if is_installed("shellcheck") {
                // SC2317, SC2329: functions that each_boot calls. SC2034: names that only some of them use. SC2043: lists of one.
                let output = Command::new("shellcheck")
                    .args(["-s", "sh", "-e", "SC2317,SC2329,SC2034,SC2043"])
                    .arg(&path)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}\n{}", file.path, String::from_utf8_lossy(&output.stdout));
            }
        }
    }
}

/// The plan of a host whose definition was changed.
fn changed_plan(host: &str, change: impl Fn(&str) -> String) -> Plan {
    make(&mut changed(host, change), host, None)
}

fn all_lines(plan: &Plan) -> Vec<&str> {
    plan.steps()
        .iter()
        .flat_map(|step| [step.commands(), step.checks_before(), step.checks_after(), step.way_back()])
        .flatten()
        .map(String::as_str)
        .collect()
}

#[test]
fn every_scenario_gives_a_plan_and_the_reboot_test_alone_is_asked_for_otherwise() {
    for scenario in Scenario::ALL.iter().copied().filter(|scenario| *scenario != Scenario::RebootTest) {
        with_host(&mut example(), "lufta", |fleet, host, facts| {
            let plan = plan::make(fleet, host, Some(scenario), &[], "0.1.0", facts, &BTreeMap::new()).unwrap();
            assert_eq!(plan.scenario(), scenario);
            assert!(plan.steps().len() > 8, "{scenario}");
        });
    }
    let error = with_host(&mut example(), "lufta", |fleet, host, facts| {
        plan::make(fleet, host, Some(Scenario::RebootTest), &[], "0.1.0", facts, &BTreeMap::new()).unwrap_err()
    });
    assert!(matches!(error, PlanError::NotAvailable { .. }));
    assert!(error.to_string().contains("`reboot-test`"), "{error}");
}

#[test]
fn a_host_that_cannot_be_reached_has_no_plan() {
    let mut files = changed("lufta", |text| text.replace("target = \"root@135.181.162.99\"\n", ""));
    let error = with_host(&mut files, "lufta", |fleet, host, facts| {
        plan::make(fleet, host, None, &[], "0.1.0", facts, &BTreeMap::new()).unwrap_err()
    });
    assert!(error.to_string().contains("no `[deploy] target`"));
}

#[test]
fn a_machine_that_runs_already_is_tested_and_never_wiped() {
    let existing = changed_plan("lufta", |text| text.replace("method = \"kexec\"", "method = \"existing\""));
    let running = r#"{ "version": 1, "system": { "release": "26.05", "generations": [] } }"#;
    let mut with_facts = example();
    with_facts.add("hosts/lufta/facts.json".to_owned(), running.to_owned());
    let moved_to = make(&mut with_facts, "lufta", Some(Scenario::Migrate));
    assert!(moved_to.step("partition-disks").is_none() && moved_to.step("machine-runs-already").is_some());
    assert!(existing.first_destroying().is_none());
    assert!(existing.step("partition-disks").is_none() && existing.step("machine-runs-already").is_some());
    assert!(existing.steps().iter().any(|step| step.kind() == StepKind::RebootTest));
    assert!(!all_lines(&existing).iter().any(|line| line.contains("partition.sh") || line.contains("lufta-installer")));
    assert!(write(&existing, PlanFormat::Human, false).unwrap().contains("nothing is destroyed"));
    // Asked for, it is installed from scratch.
    let mut with_facts = example();
    with_facts.add("hosts/lufta/facts.json".to_owned(), running.to_owned());
    assert!(make(&mut with_facts, "lufta", Some(Scenario::Install)).step("partition-disks").is_some());
}

/// Facts of a machine that runs the release before.
const RUNNING: &str = r#"{ "version": 1, "zfs": { "module": "2.3.5-1" }, "system": { "release": "25.11", "kernel": "6.12.60",
    "generations": [{ "number": 41, "current": true, "zfs": "2.3.5" }] } }"#;

/// The update of a host of the example that runs the release before.
fn update(host: &str) -> Plan {
    let mut files = example();
    files.add(format!("hosts/{host}/facts.json"), RUNNING.to_owned());
    make(&mut files, host, Some(Scenario::Update))
}

#[test]
fn the_updates_of_the_example_fleet_are_these() {
    for host in HOSTS {
        let plan = update(host);
        for (format, ending) in [(PlanFormat::Human, "txt"), (PlanFormat::Markdown, "md"), (PlanFormat::Dot, "dot")] {
            golden(
                &root().join(format!("tests/golden/plan/{host}.update.{ending}")),
                &write(&plan, format, false).unwrap(),
            );
        }
    }
}

#[test]
fn the_reboot_test_alone_is_these_steps() {
    let inputs = [("fleet.toml".to_owned(), "")];
    let mut text = String::new();
    for baseline_only in [false, true] {
        let tests = plan::Tests { baseline_only, cold: false };
        let plan = with_host(&mut example(), "attic", |fleet, host, facts| {
            plan::reboot_test(fleet, host, tests, &inputs, "0.1.0", facts).unwrap()
        });
        text.push_str(&write(&plan, PlanFormat::Markdown, false).unwrap());
    }
    golden(&root().join("tests/golden/plan/attic.reboot-test.md"), &text);
}

#[test]
fn graphviz_draws_every_plan() {
    if Command::new("dot").arg("-V").output().is_err() {
        eprintln!("dot is not installed: the test is left out");
        return;
    }
    for plan in [make(&mut example(), "lufta", None), update("lufta"), update("attic")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.dot");
        std::fs::write(&path, write(&plan, PlanFormat::Dot, false).unwrap()).unwrap();
        let output = Command::new("dot").args(["-Tplain"]).arg(&path).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let drawn = String::from_utf8(output.stdout).unwrap();
        let count = |word: &str| drawn.lines().filter(|line| line.starts_with(word)).count();
        assert_eq!(count("node "), plan.steps().len());
        assert_eq!(count("edge "), plan.steps().iter().map(|step| step.needed().len()).sum::<usize>());
    }
}

#[test]
fn a_loader_that_cannot_boot_once_makes_a_person_at_the_console_the_gate() {
    let plan = changed_plan("lufta", |text| text.replace("loader = \"grub\"", "loader = \"other\""));
    assert!(plan.step("baseline-boot-once").is_none());
    let person = plan.step("watch-console").unwrap();
    assert!(person.runs_on() == RunsOn::Person && plan.gate(person).is_some());
    for script in ["arm.sh", "promote.sh", "disarm.sh", "ready.sh"] {
        let called = format!("sh /var/lib/hostwright/reboot/{script}");
        assert!(!all_lines(&plan).iter().any(|line| line.contains(&called)), "{script}");
    }
    // Two boots, each judged.
    let test = plan.step("reboot-test").unwrap();
    assert_eq!(test.commands().iter().filter(|line| line.contains("judge.sh default")).count(), 2);
}

#[test]
fn the_times_of_the_definition_decide_how_often_and_how_long() {
    let plan = changed_plan("lufta", |text| {
        let tuned = "max-downtime = \"7min\"\ntimes = 4\ngive-up-after = \"15min\"\npost-time = \"100s\"";
        text.replace("max-downtime = \"10min\"\ntimes = 2", tuned)
    });
    let test = plan.step("reboot-test").unwrap();
    let count = |part: &str| test.commands().iter().filter(|line| line.contains(part)).count();
    assert_eq!(
        (count("arm.sh trial"), count("confirm.sh"), count("promote.sh"), count("systemctl reboot")),
        (3, 3, 1, 4)
    );
    // 2 x firmware + dead-man + panic + a boot of the old system: 200 + 900 + 30 + 300.
    assert!(test.commands().iter().any(|line| line.ends_with("reboot/wait.sh 420 1430")), "{:?}", test.commands());
    assert_eq!(count("ping -c 3"), 4);
}

#[test]
fn hooks_of_the_definition_become_commands() {
    let plan = changed_plan("lufta", |text| {
        let hooks = "firmware = \"bios\"\nhooks = { console = \"bmc log 'lufta'\", power-cycle = \"bmc cycle lufta\", \
                     rescue = \"bmc rescue lufta\" }";
        text.replace("firmware = \"bios\"", hooks).replace("method = \"kexec\"", "method = \"rescue\"")
    });
    let lines = |id: &str| plan.step(id).unwrap().commands().to_vec();
    assert_eq!(lines("prove-access"), [r"sh -c 'bmc log '\''lufta'\'''"]);
    assert_eq!(lines("start-installer").first().unwrap(), "sh -c 'bmc rescue lufta'");
    assert!(plan.step("reboot-test").unwrap().way_back().contains(&"sh -c 'bmc cycle lufta'".to_owned()));
    assert!(plan.step("build-installer").is_none());
}

#[test]
fn every_way_of_reaching_a_host_stands_in_the_commands() {
    let plan = changed_plan("lufta", |text| {
        let target = "target = \"admin@[2001:db8::9]:2222\"\njump = [\"op@gate.example.net\", \"[2001:db8::1]:2200\"]";
        text.replace("target = \"root@135.181.162.99\"", target)
    });
    let jump = "-J 'op@gate.example.net,[2001:db8::1]:2200'";
    for line in all_lines(&plan) {
        if !line.contains("HostKeyAlias=") || line.starts_with("env ") {
            continue;
        }
        assert!(line.contains(jump), "{line}");
        // The installer is root's, on ssh's own port; the system has its own account and port, and sudo.
        if line.contains("HostKeyAlias=lufta-installer") {
            assert!(line.contains("-- root@2001:db8::9 ") && !line.contains("2222"), "{line}");
        } else {
            assert!(line.contains("-p 2222 -- admin@2001:db8::9 'sudo sh -c "), "{line}");
        }
    }
    let copy = plan.step("copy-system").unwrap().commands();
    assert!(copy[0].contains("'ssh-ng://root@[2001:db8::9]?remote-store=local%3Froot%3D/mnt'"), "{}", copy[0]);
    let scan = &plan.step("scan-installer-key").unwrap().commands()[0];
    assert!(scan.starts_with("ssh -J op@gate.example.net -- 'ssh://[2001:db8::1]:2200' 'ssh-keyscan"), "{scan}");
}

#[test]
fn a_host_that_builds_itself_evaluates_before_its_disks_are_wiped() {
    let plan = changed_plan("lufta", |text| text.replace("[deploy]", "[deploy]\nbuild-on = \"target\""));
    let build = plan.step("build-system").unwrap();
    assert!(build.runs_on() == RunsOn::Rescue && build.commands()[0].contains("--dry-run"));
    assert!(plan.step("copy-system").unwrap().commands()[0].contains("--store /mnt"));
    assert!(plan.number("build-system") < plan.number("partition-disks"));
}

#[test]
fn host_keys_of_the_definition_are_placed_and_not_made() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA root@lufta";
    let plan = changed_plan("lufta", |text| text.replace("[access]", &format!("[access]\nhost-keys = [\"{key}\"]")));
    let place = plan.step("place-host-keys").unwrap();
    assert!(!place.commands().iter().any(|line| line.contains("ssh-keygen -q")));
    assert!(place.checks_after().iter().any(|line| line.contains(key.split(' ').nth(1).unwrap())));
    // Private keys travel through standard input, never as an argument.
    assert!(place.commands()[0].starts_with("tar -C state/lufta/ssh "));
}

#[test]
fn every_command_line_is_one_line_of_valid_shell_here_and_behind_ssh() {
    let inputs = [("fleet.toml".to_owned(), "")];
    let alone = with_host(&mut example(), "lufta", |fleet, host, facts| {
        plan::reboot_test(fleet, host, plan::Tests::default(), &inputs, "0.1.0", facts).unwrap()
    });
    // In place of ssh and sudo: what they would run is parsed.
    let parse = "ssh() { for last; do :; done; sh -n -c \"$last\" || echo bad; }; ";
    for plan in HOSTS.iter().flat_map(|host| [make(&mut example(), host, None), update(host)]).chain([alone]) {
        for line in all_lines(&plan) {
            assert!(!line.contains('\n'), "{line}");
            let status = Command::new("sh").args(["-n", "-c", line]).status().unwrap();
            assert!(status.success(), "{line}");
            let line = line.split_once("baseline-proven || ").map_or(line, |(_, rest)| rest);
            if line.starts_with("ssh ") {
                let only = [" | sed ", " | tee ", " || rm ", " || test "]
                    .iter()
                    .fold(line, |line, end| line.split(end).next().unwrap());
                let output = Command::new("sh").args(["-c", &format!("{parse}{only}")]).output().unwrap();
                assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{line}");
            }
        }
        if is_installed("shellcheck") {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("lines.sh");
            std::fs::write(&path, all_lines(&plan).join("\n")).unwrap();
            let output = Command::new("shellcheck").args(["-s", "sh", "-S", "warning"]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn no_word_of_a_definition_reaches_a_page_as_markup() {
    let plan = changed_plan("lufta", |text| {
        let hooks =
            "firmware = \"bios\"\nhooks = { console = \"echo '</pre><script>alert(1)</script>```' ; # **x**\" }";
        text.replace("firmware = \"bios\"", hooks)
    });
    let html = write(&plan, PlanFormat::Html, false).unwrap();
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
    let markdown = write(&plan, PlanFormat::Markdown, false).unwrap();
    assert!(markdown.contains("````sh\n"), "a block with backticks has a longer fence");
}

#[test]
fn the_table_fits_a_terminal_and_its_columns_stand_in_line() {
    for host in HOSTS {
        let plan = make(&mut example(), host, None);
        let text = write(&plan, PlanFormat::Human, false).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let column = text.lines().nth(1).unwrap().find("where").unwrap();
        for step in plan.steps() {
            let line = text.lines().find(|line| line.contains(&format!(" {} ", step.id()))).unwrap();
            assert!(line.get(column..).unwrap().starts_with(step.runs_on().as_str()), "{line}");
        }
        assert!(write(&plan, PlanFormat::Human, true).unwrap().contains('\u{1b}'));
    }
}
