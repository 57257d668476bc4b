//! Plans that somebody changed: whatever is taken out of one or written into one is found.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::document::digest;
use super::gates::{self, id};
use super::*;
use crate::source::{FleetFiles, SourceFile};

/// The example fleet, embedded so that the test needs no disk.
const FILES: &[(&str, &str)] = &[
    ("fleet.toml", include_str!("../../fleet.toml")),
    ("hosts/attic/host.toml", include_str!("../../hosts/attic/host.toml")),
    ("hosts/lufta/host.toml", include_str!("../../hosts/lufta/host.toml")),
    ("modules/base/module.toml", include_str!("../../modules/base/module.toml")),
    ("modules/gitea/module.toml", include_str!("../../modules/gitea/module.toml")),
    ("modules/hetzner-dedicated/module.toml", include_str!("../../modules/hetzner-dedicated/module.toml")),
    ("modules/miniflux/module.toml", include_str!("../../modules/miniflux/module.toml")),
    ("modules/postgresql/module.toml", include_str!("../../modules/postgresql/module.toml")),
];

/// Facts of a machine that runs the release before.
pub(super) const RUNNING: &str = r#"{ "version": 1, "zfs": { "module": "2.3.5-1" },
    "system": { "release": "25.11", "kernel": "6.12.60", "generations": [{ "number": 41, "current": true, "zfs": "2.3.5" }] } }"#;

/// Returns the plan of a host of the example with this text of its host.toml changed.
fn plan_of(host: &str, from: &str, to: &str) -> Plan {
    plan_with(host, |text| text.replace(from, to))
}

/// Returns the plan of a host of the example with its host.toml edited.
fn plan_with(host: &str, edit: impl Fn(&str) -> String) -> Plan {
    made(host, Scenario::Install, None, edit)
}

/// Returns a plan of a host of the example: for a scenario, with facts, with its host.toml edited.
pub(super) fn made(host: &str, scenario: Scenario, facts: Option<&str>, edit: impl Fn(&str) -> String) -> Plan {
    with_host(host, facts, edit, |fleet, host, inputs, facts| {
        make(fleet, host, Some(scenario), inputs, "0.1.0", facts, &BTreeMap::new()).expect("a plan")
    })
}

/// Returns the plan of the reboot test alone.
pub(super) fn alone(host: &str, tests: Tests, edit: impl Fn(&str) -> String) -> Result<Plan, PlanError> {
    with_host(host, Some(RUNNING), edit, |fleet, host, inputs, facts| {
        reboot_test(fleet, host, tests, inputs, "0.1.0", facts)
    })
}

/// Hands a host of the example to a function: with facts, with its host.toml edited.
fn with_host<R>(
    host: &str,
    facts_json: Option<&str>,
    edit: impl Fn(&str) -> String,
    then: impl FnOnce(&Resolved<'_>, &ResolvedHost<'_>, &[(String, &str)], &Facts) -> R,
) -> R {
    let path = format!("hosts/{host}/host.toml");
    let texts = FILES.iter().map(|(name, text)| {
        let text = if *name == path { edit(text) } else { (*text).to_owned() };
        ((*name).to_owned(), text)
    });
    let probed = facts_json.map(|text| (format!("hosts/{host}/facts.json"), text.to_owned()));
    let mut files = FleetFiles::in_memory(texts.chain(probed));
    let facts = Facts::embedded();
    let reading = crate::fleet::read(&mut files, &[], &|_| false);
    let fleet = reading.fleet.expect("fleet.toml reads");
    let mut found = reading.found;
    let resolved = crate::resolve::resolve(&fleet, &facts, &files.sources, &mut found);
    assert!(found.iter().all(|finding| finding.host.as_deref() != Some(host)), "{found:?}");
    let inputs: Vec<(String, &str)> = files
        .files
        .iter()
        .map(|(path, file)| {
            let file: &SourceFile = files.sources.file(*file);
            (path.clone(), file.text())
        })
        .collect();
    let subject = resolved.hosts.iter().find(|resolved| resolved.name == host).expect("the host resolves");
    then(&resolved, subject, &inputs, &facts)
}

#[test]
fn canaries_come_first_and_else_the_order_is_the_given_one() {
    with_host(
        "lufta",
        None,
        |text| text.replace("[deploy]\n", "[deploy]\ncanary = true\n"),
        |fleet, _, _, _| {
            let names = |hosts: &[&ResolvedHost<'_>]| {
                canaries_first(hosts).iter().map(|host| host.name.to_owned()).collect::<Vec<_>>()
            };
            let [attic, lufta] =
                ["attic", "lufta"].map(|name| fleet.hosts.iter().find(|host| host.name == name).unwrap());
            assert_eq!(names(&[attic, lufta]), ["lufta", "attic"]);
            assert_eq!(names(&[attic, attic]), ["attic", "attic"]);
            assert_eq!(names(&[]), Vec::<String>::new());
        },
    );
    with_host("lufta", None, str::to_owned, |fleet, _, _, _| {
        let reversed: Vec<&ResolvedHost<'_>> = fleet.hosts.iter().rev().collect();
        assert_eq!(canaries_first(&reversed)[0].name, reversed[0].name);
    });
}

fn lufta() -> Plan {
    static PLAN: LazyLock<Plan> = LazyLock::new(|| plan_of("lufta", "", ""));
    PLAN.clone()
}

/// Plans of every form: with and without pools' mirrors, a person at the console, a machine that runs, no pool at all.
fn forms() -> Vec<Plan> {
    vec![
        lufta(),
        plan_of("attic", "", ""),
        plan_of("lufta", "loader = \"grub\"", "loader = \"other\""),
        plan_of("lufta", "method = \"kexec\"", "method = \"existing\""),
        plan_of("lufta", "method = \"kexec\"", "method = \"rescue\""),
        plan_of("lufta", "[deploy]\n", "[deploy]\nbuild-on = \"target\"\n"),
        encrypted(),
    ]
}

/// Updates of every form: with and without facts and data that another version takes over, by a person at the console, built on the host.
fn updates() -> Vec<Plan> {
    let update = |host: &str, facts: Option<&str>, from: &str, to: &str| {
        made(host, Scenario::Update, facts, |text| text.replace(from, to))
    };
    vec![
        update("lufta", Some(RUNNING), "", ""),
        update("lufta", None, "", ""),
        update("attic", Some(RUNNING), "", ""),
        update("lufta", Some(RUNNING), "loader = \"grub\"", "loader = \"other\""),
        update("lufta", Some(RUNNING), "[deploy]\n", "[deploy]\nbuild-on = \"target\"\n"),
    ]
}

/// A plan with everything that an encrypted host asks for: a key file, typed passphrases, a secret, an initrd that answers ssh.
fn encrypted() -> Plan {
    plan_of(
        "lufta",
        "  { name = \"slog\", role = \"zfs\", size = \"16GiB\" },\n]",
        "  { name = \"slog\", role = \"zfs\", size = \"16GiB\", luks = { name = \"slog\", key-file = \"/etc/keys/slog\" } },\n\
           { name = \"data\", role = \"filesystem\", size = \"16GiB\", format = \"ext4\", luks = { name = \"data\" } },\n]\n\
         [secrets.items.token]\n[boot.initrd-ssh]\nhost-key = \"/etc/secrets/initrd/key\"\n\
         [zfs.pools.rpool.encryption]\nkey-format = \"passphrase\"\nkey-location = \"file:///etc/zfs/rpool\"\n",
    )
}

#[test]
fn what_an_encrypted_host_needs_is_brought_before_it_is_wanted() {
    let plan = encrypted();
    let step = |id: &str| plan.step(id).unwrap_or_else(|| panic!("{id}"));
    let lines = |id: &str| step(id).commands().join("\n");
    let number = |id: &str| plan.number(id).unwrap();

    let keys = step(id::PLACE_KEYS);
    assert_eq!(keys.checks_before(), ["test -s state/lufta/keys/slog", "test -s state/lufta/keys/rpool"]);
    assert!(lines(id::PLACE_KEYS).contains("install -D -m 0400 -- /root/hostwright-keys/rpool /etc/zfs/rpool"));
    assert!(number(id::PLACE_KEYS) < number(id::CHECK_DISKS), "the dry run opens what is there");
    for id in [id::PARTITION_DISKS, id::MOUNT_TARGET, id::INSTALL_SYSTEM] {
        assert!(lines(id).contains("env HOSTWRIGHT_KEYS=/root/hostwright-keys bash "), "{}", lines(id));
    }
    assert!(lines(id::PARTITION_DISKS).starts_with("ssh -t ") && step(id::PARTITION_DISKS).reason().contains(" data "));
    assert!(lines(id::CREATE_POOLS).starts_with("ssh -o "), "nothing is typed for a key in a file");

    let secrets = step(id::PLACE_SECRETS);
    let wanted = ["token", "wireguard", "miniflux-admin", "borg-passphrase", "borg-key"]
        .map(|name| format!("test -s state/lufta/secrets/{name}"));
    assert_eq!(secrets.checks_before(), wanted);
    assert!(lines(id::PLACE_SECRETS).contains("s/^ssh-/lufta-initrd ssh-/p"), "{}", lines(id::PLACE_SECRETS));
    assert!(number(id::PLACE_SECRETS) < number(id::INSTALL_SYSTEM));
    assert!(lines(id::INSTALL_SYSTEM).contains("--secrets /root/hostwright-secrets --system"));
    assert!(step(id::FIRST_BOOT).reason().contains("type it at the console"));
    assert!(lufta().step(id::PLACE_KEYS).is_none(), "lufta has secrets and no keys");
    let tunnel = |text: &str| {
        let (before, rest) = text.split_once("[network.interfaces.wg0]").expect("the tunnel");
        let (_, after) = rest.split_once("\n[access]").expect("what follows");
        format!("{before}[network.firewall]\ntcp = [22]\n\n[access]{after}")
    };
    let plain = plan_with("attic", tunnel);
    assert!(plain.step(id::PLACE_KEYS).is_none() && plain.step(id::PLACE_SECRETS).is_none());
}

#[test]
fn disks_are_opened_at_every_boot_by_whoever_the_definition_names() {
    let luks = |boot: &str, machine: &str| {
        let data = "{ name = \"data\", role = \"filesystem\", size = \"16GiB\", format = \"ext4\", luks = { name = \"data\" } }";
        plan_with("lufta", |text| {
            text.replace("\n]\n\n[disks.hdd0]", &format!("\n  {data},\n]\n\n[disks.hdd0]"))
                .replace("generations = 10\n", &format!("generations = 10\n{boot}"))
                .replace("firmware = \"bios\"\n", &format!("firmware = \"bios\"\n{machine}"))
        })
    };
    let boots = [id::FIRST_BOOT, id::BASELINE_ONCE, id::BASELINE_DEFAULT, id::REBOOT_TEST];
    let count = |plan: &Plan, is: &dyn Fn(&Step) -> bool| boots.iter().filter(|id| is(plan.step(id).unwrap())).count();
    assert_eq!(count(&lufta(), &|step| step.reason().contains("passphrase")), 0);
    assert_eq!(count(&luks("", ""), &|step| step.reason().contains("type it at the console")), 4);
    let ssh = luks("unlock = \"ssh\"\ninitrd-ssh = { port = 2022, host-key = \"/etc/k\" }\n", "");
    let login = "HostKeyAlias=lufta-initrd -p 2022 -- root@135.181.162.99 systemd-tty-ask-password-agent";
    assert_eq!(count(&ssh, &|step| step.reason().contains(login)), 4);
    let hook = luks("", "hooks.unlock = \"./open 'lufta'\"\n");
    let hooked = |step: &Step| {
        let at = |text: &str| step.commands().iter().position(|line| line.contains(text)).unwrap_or(0);
        at("systemctl reboot") < at("./open") && at("./open") < at("wait.sh")
    };
    assert_eq!(count(&hook, &hooked), 4);
    let tpm = luks("unlock = \"tpm2\"\n", "");
    assert_eq!(count(&tpm, &|step| step.reason().contains("TPM")), 1, "what it was taught it does by itself");
    let first = tpm.step(id::FIRST_BOOT).unwrap().commands().last().unwrap();
    assert!(first.starts_with("ssh -t ") && first.contains("systemd-cryptenroll --tpm2-device=auto "), "{first}");
}

fn violations(plan: &Plan, steps: &[Step]) -> Vec<Violation> {
    gates::verify_steps(plan.scenario(), steps)
}

#[test]
fn every_form_of_the_plan_keeps_every_gate() {
    for plan in forms().into_iter().chain(updates()) {
        assert_eq!(gates::verify(&plan), []);
    }
}

/// The image may come from elsewhere, and what lies behind the reboot test holds nothing back.
fn may_be_missing(plan: &Plan, step: &Step) -> bool {
    let optional = [id::BUILD_INSTALLER, id::PLACE_KEYS, id::PLACE_SECRETS, id::SNAPSHOT_STATE];
    optional.contains(&step.id.as_str()) || plan.number(&step.id) > plan.number(id::REBOOT_TEST)
}

#[test]
fn taking_out_any_step_up_to_the_reboot_test_is_found() {
    for plan in forms().into_iter().chain(updates()) {
        for gone in plan.steps().iter().filter(|step| !may_be_missing(&plan, step)) {
            let mut steps: Vec<Step> = plan.steps().iter().filter(|step| step.id != gone.id).cloned().collect();
            assert!(!violations(&plan, &steps).is_empty(), "{}: without rewiring", gone.id);
            // Somebody who also lets those that needed it need what it needed.
            for step in &mut steps {
                if step.needs.contains(&gone.id) {
                    step.needs.retain(|need| *need != gone.id);
                    step.needs.extend(gone.needs.iter().cloned());
                }
            }
            assert!(!violations(&plan, &steps).is_empty(), "{}: rewired", gone.id);
        }
    }
}

#[test]
fn taking_out_any_need_is_found() {
    for plan in forms().into_iter().chain(updates()) {
        for (at, step) in plan.steps().iter().enumerate() {
            for need in &step.needs {
                // A probe comes after its service, which is order and no gate, as long as the reboot test is before both.
                if need.starts_with("check-") && !gates::reserved_ids().any(|id| id == need) {
                    continue;
                }
                let mut steps = plan.steps().to_vec();
                steps[at].needs.retain(|known| known != need);
                assert!(!violations(&plan, &steps).is_empty(), "{} -> {need}", step.id);
            }
        }
    }
}

#[test]
fn another_kind_of_a_step_that_a_gate_rests_on_is_found() {
    for (plan, at, step) in [lufta(), updates().remove(0)].iter().flat_map(|plan| {
        let steps = plan.steps().iter().enumerate().filter(|(_, step)| !may_be_missing(plan, step));
        steps.map(move |(at, step)| (plan, at, step))
    }) {
        let found = StepKind::ALL.iter().filter(|kind| {
            let mut steps = plan.steps().to_vec();
            steps[at].kind = **kind;
            !violations(plan, &steps).is_empty()
        });
        // At most one other kind belongs to a step: a person does what a command does elsewhere.
        assert!(found.count() >= StepKind::ALL.len() - 2, "{}", step.id);
    }
}

#[test]
fn a_step_that_is_added_comes_after_the_reboot_test_and_does_not_destroy() {
    let plan = lufta();
    let with = |step: Step| {
        let mut steps = plan.steps().to_vec();
        steps.push(step);
        violations(&plan, &steps).into_iter().map(|violation| violation.why).collect::<Vec<_>>()
    };
    let step = || Step::new("copy-data", StepKind::Copy, RunsOn::Target, "Copy data");
    assert_eq!(with(step().needs(id::BASELINE_DEFAULT)), ["the reboot test passes before any data moves"]);
    assert!(with(step().needs(id::REBOOT_TEST)).is_empty());
    let destroying = step().needs(id::REBOOT_TEST).destroys("disk", "x");
    assert_eq!(with(destroying).len(), 1, "what destroys is of kind `destroy`");
    let nameless = Step::new("wipe", StepKind::Destroy, RunsOn::Target, "Wipe").needs(id::REBOOT_TEST);
    assert_eq!(with(nameless).len(), 1, "what destroys names what");
    let mut run = step().needs(id::REBOOT_TEST);
    (run.runs_on, run.run) = (RunsOn::Person, vec!["rm -rf /".to_owned()]);
    assert_eq!(with(run), ["what a person does is not run"]);
}

#[test]
fn every_gate_between_steps_has_a_way_to_be_broken() {
    // Each row of the table counts in some form: without it, nothing else would hold the two steps in order.
    let forms = forms();
    for gate in gates::INSTALL {
        let both = |plan: &&Plan| plan.step(gate.earlier).is_some() && plan.step(gate.later).is_some();
        assert!(forms.iter().any(|plan| both(&plan)), "{} before {}", gate.earlier, gate.later);
    }
    let updates = updates();
    for gate in gates::update::BETWEEN {
        let both = |plan: &&Plan| plan.step(gate.earlier).is_some() && plan.step(gate.later).is_some();
        assert!(updates.iter().any(|plan| both(&plan)), "{} before {}", gate.earlier, gate.later);
    }
}

/// Returns a plan as JSON with something changed, the digest made anew where `sealed`.
fn edited(plan: &Plan, sealed: bool, edit: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::to_value(plan).unwrap();
    edit(&mut value);
    if sealed {
        value["plan_sha256"] = json!(digest(&value));
    }
    serde_json::to_string_pretty(&value).unwrap()
}

fn refused(text: &str, plan: &Plan) -> Vec<Refusal> {
    load(text, plan).expect_err("a changed plan is refused")
}

fn said(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn at(plan: &Plan, id: &str) -> usize {
    plan.number(id).unwrap() - 1
}

#[test]
fn an_untouched_plan_is_accepted_however_it_is_laid_out() {
    let plan = lufta();
    assert_eq!(load(&edited(&plan, false, |_| {}), &plan), Ok(plan.clone()));
    assert_eq!(load(&serde_json::to_string(&plan).unwrap(), &plan), Ok(plan.clone()));
}

#[test]
fn a_plan_without_its_reboot_test_is_refused_sealed_or_not() {
    let plan = lufta();
    let test = at(&plan, id::REBOOT_TEST);
    for sealed in [false, true] {
        let refusals =
            refused(&edited(&plan, sealed, |plan| drop(plan["steps"].as_array_mut().unwrap().remove(test))), &plan);
        let said = said(&refusals);
        assert!(said.contains("needs `reboot-test`, which is no step"), "{said}");
        assert!(said.contains("step 25 `check-gitea` differs in `id`"), "{said}");
        assert_eq!(said.contains("digest"), !sealed, "{said}");
    }
    let text = edited(&plan, true, |plan| plan["steps"][test]["kind"] = json!("command"));
    let said = said(&refused(&text, &plan));
    assert!(said.contains("the step `reboot-test` is of kind `command` (it has to be `reboot-test`)"), "{said}");
}

#[test]
fn one_word_of_one_step_is_named_with_its_place() {
    let plan = lufta();
    let step = at(&plan, id::CREATE_POOLS);
    for sealed in [false, true] {
        let text = edited(&plan, sealed, |plan| plan["steps"][step]["run"][0] = json!("ssh -- root@192.0.2.1 reboot"));
        let refusals = refused(&text, &plan);
        assert_eq!(refusals.len(), if sealed { 1 } else { 2 }, "{}", said(&refusals));
        let last = refusals.last().unwrap();
        assert_eq!(last.what, format!("step {} `create-pools` differs in `run`", step + 1));
        let line = text.lines().position(|line| line.contains("192.0.2.1")).unwrap();
        // The list begins on the line before.
        assert_eq!(last.place, RefusedAt::Place { line: u32::try_from(line).unwrap(), column: 14 });
    }
}

#[test]
fn a_need_that_is_dropped_and_steps_that_are_swapped_are_refused() {
    let plan = lufta();
    let boot = at(&plan, id::FIRST_BOOT);
    let text = edited(&plan, true, |plan| plan["steps"][boot]["needs"] = json!([]));
    let told = said(&refused(&text, &plan));
    assert!(told.contains("does not need `export-pools` (pools are exported before the first boot"), "{told}");
    let text = edited(&plan, true, |plan| plan["steps"].as_array_mut().unwrap().swap(boot, boot + 1));
    let told = said(&refused(&text, &plan));
    assert!(told.contains("the step `copy-reboot-scripts` stands before `first-boot`, which it needs"), "{told}");
    assert!(told.contains("differs in `id`"), "{told}");
}

#[test]
fn what_is_not_the_form_of_a_plan_is_refused_with_a_place() {
    let plan = lufta();
    let cases: Vec<(String, &str)> = vec![
        (edited(&plan, true, |plan| plan["yes"] = json!(true)), "there is no field `yes`"),
        (edited(&plan, true, |plan| plan["steps"][3]["undos"] = json!([])), "there is no field `undos`"),
        (
            edited(&plan, true, |plan| drop(plan["steps"][3].as_object_mut().unwrap().remove("undo"))),
            "the field `undo` is missing",
        ),
        (edited(&plan, true, |plan| plan["version"] = json!(2)), "the plan is of another version"),
        (edited(&plan, true, |plan| drop(plan.as_object_mut().unwrap().remove("version"))), "there is no `version`"),
        (edited(&plan, true, |plan| plan["steps"][3]["kind"] = json!("reboot")), "`kind` is `reboot`"),
        (edited(&plan, true, |plan| plan["steps"][3]["run"] = json!("ls")), "`run` is a string"),
        (edited(&plan, true, |plan| plan["steps"][3]["run"] = json!([1])), "`run` is an integer"),
        (edited(&plan, true, |plan| plan["steps"][3]["expected_seconds"] = json!(-1)), "`expected_seconds` is"),
        (edited(&plan, true, |plan| plan["steps"] = json!({})), "`steps` is a table"),
        (edited(&plan, true, |plan| plan["steps"][0] = json!(null)), "null stands where an object is expected"),
        (edited(&plan, true, |plan| plan["steps"] = json!(vec![1; 3000])), "there are 3000 steps"),
        (edited(&plan, true, |plan| plan["host"] = json!("kos")), "the plan is another host's"),
        (edited(&plan, true, |plan| plan["inputs_sha256"] = json!("0")), "the fleet's files have changed"),
        (edited(&plan, true, |plan| plan["tool_version"] = json!("0.0.9")), "another version of the program"),
        (edited(&plan, true, |plan| plan["scenario"] = json!("update")), "the plan is for another scenario"),
        (edited(&plan, false, |_| {}).chars().take(5000).collect(), "not valid JSON"),
        (String::new(), "the file is empty"),
        ("null".to_owned(), "there is no `version`"),
        ("[".repeat(10_000), "more than 16 levels are nested"),
        (format!("{{\"version\":1,\"steps\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000)), "more than 16 levels"),
        (format!("\"{}\"", "x".repeat(10 << 20)), "the file has 10485762 bytes"),
    ];
    for (text, wanted) in cases {
        let refusals = refused(&text, &plan);
        let told = said(&refusals);
        assert!(told.contains(wanted), "wanted {wanted}, said {told}");
        assert!(matches!(refusals.first().unwrap().place, RefusedAt::Place { line: 1.., column: 1.. }), "{told}");
    }
}

#[test]
fn a_step_that_is_missing_at_the_end_or_too_many_is_named() {
    let plan = lufta();
    let text = edited(&plan, true, |plan| drop(plan["steps"].as_array_mut().unwrap().pop()));
    let refusals = refused(&text, &plan);
    assert_eq!(refusals[0].place, RefusedAt::Step("record-in-definition".to_owned()));
    let text = edited(&plan, true, |plan| {
        let steps = plan["steps"].as_array_mut().unwrap();
        let mut more = steps.last().unwrap().clone();
        more["id"] = json!("more");
        steps.push(more);
    });
    assert!(said(&refused(&text, &plan)).contains("`more` is not in the plan"));
}

#[test]
fn the_plan_of_other_inputs_has_another_digest_and_the_same_inputs_the_same() {
    assert_eq!(plan_of("lufta", "", ""), lufta());
    let other = plan_of("lufta", "role = \"git forge,", "role = \"forge,");
    assert_eq!(other.steps(), lufta().steps());
    assert_ne!(other.inputs_sha256(), lufta().inputs_sha256());
    assert_ne!(other.plan_sha256(), lufta().plan_sha256());
}

/// Counts the scalars of a value, and changes the n-th.
fn change(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left)),
        Value::Object(map) => map.iter_mut().any(|(_, item)| change(item, left)),
        scalar => {
            if *left > 0 {
                *left -= 1;
                return false;
            }
            *scalar = match &scalar {
                Value::String(text) => json!(format!("{text} ")),
                Value::Number(number) => json!(number.as_u64().unwrap_or(0) + 1),
                _ => json!("x"),
            };
            true
        }
    }
}

proptest! {
    #[test]
    fn any_scalar_that_changes_is_refused_and_changes_the_digest(nth in 0usize..400) {
        let plan = lufta();
        let mut value = serde_json::to_value(&plan).unwrap();
        let before = digest(&value);
        if !change(&mut value, &mut nth.clone()) {
            return Ok(());
        }
        // The digest itself, the sixth scalar, is no part of what it is the digest of.
        prop_assert_eq!(digest(&value) == before, nth == 5);
        prop_assert!(load(&value.to_string(), &plan).is_err());
        value["plan_sha256"] = json!(digest(&value));
        // With the digest changed back to what it was, the plan is what it was.
        prop_assert_eq!(load(&value.to_string(), &plan).is_err(), nth != 5);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"a0\\\\\u{e9} ]{0,60}") {
        let plan = lufta();
        prop_assert!(load(&text, &plan).is_err());
    }

    #[test]
    fn a_plan_that_is_cut_anywhere_is_refused(share in 0.0f64..1.0) {
        let plan = lufta();
        let text = serde_json::to_string(&plan).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a length")]
        let cut = (text.chars().count() as f64 * share) as usize;
        let cut: String = text.chars().take(cut).collect();
        prop_assert!(cut == text || load(&cut, &plan).is_err());
    }
}
