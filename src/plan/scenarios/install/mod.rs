//! Scenario install: the first system of a machine, up to the point where data may come onto it.
//!
//! REBOOT-TEST, "First install": there is no last good system yet, so the fallback is the rescue system, reached by a
//! hook or a person; that is the first gate. The first boots are baseline boots of the installed generation. After them
//! the machine has a last good system, and the reboot test is that of every other deployment.
//!
//! Where the machine runs already (`installer.method = "existing"`, or facts that show NixOS while something moves to it), nothing is
//! installed and nothing destroyed: the machine as it is gets its baseline boots and its reboot test.

mod access;
mod after;
mod disks;
mod installer;
mod keys;
mod reboot;
mod system;
mod watch;

use crate::fleet::schema::machine::Method;
pub(super) use access::{console_words, gate, hooks};
pub(super) use after::{learn, look, looks};
pub(super) use installer::builds_on_host;
pub(super) use reboot::{Baseline, Tested, again, baseline, copy_scripts, script, test};
pub(super) use system::{attribute, nix_build};
pub(super) use watch::watches;

use crate::plan::PlanCx;
use crate::plan::parts::{CheckDefinition, InstallParts, NewSystem, Origin, Proven, RecordHostKeys, RunningSystem};
use crate::plan::parts::{Rescue, RunsAlready};
use crate::plan::reach::Who;
use crate::plan::scenario::{Scenario, runs_nixos};
use crate::plan::seconds;
use crate::text::ShellCommand;

/// Makes the steps.
pub(super) fn steps(cx: &PlanCx<'_>) -> Proven {
    let (mut proven, runs_already) = proven(cx);
    for step in after::steps(cx, runs_already) {
        proven.then(step);
    }
    proven
}

/// Makes the steps up to the reboot test, and tells whether the machine runs already: where another scenario begins.
pub(super) fn proven(cx: &PlanCx<'_>) -> (Proven, bool) {
    let method = method(cx);
    let found_running = cx.scenario == Scenario::Migrate && runs_nixos(cx.host);
    let runs_already = method == Method::Existing || found_running;
    let origin = if runs_already {
        Origin::Running(Box::new(RunningSystem { instruction: runs(cx), keys: known_keys(cx) }))
    } else {
        Origin::New(Box::new(new_system(cx, method)))
    };
    let proven = InstallParts {
        definition: definition(cx),
        access: gate(cx),
        origin,
        reboot_scripts: copy_scripts(cx),
        baseline: baseline(cx, Baseline::Always),
        reboot_test: test(cx, &Tested::current()),
    }
    .assemble();
    (proven, runs_already)
}

/// Returns how the first system comes onto the disks.
fn method(cx: &PlanCx<'_>) -> Method {
    cx.host.def.installer.as_ref().map_or(Method::Existing, |installer| installer.method.value)
}

fn new_system(cx: &PlanCx<'_>, method: Method) -> NewSystem {
    NewSystem {
        installer: installer::way(cx, method),
        scripts: installer::copy_scripts(cx),
        build: system::build(cx),
        disks: disks::disks(cx),
        pools: disks::pools(cx),
        mount: disks::mount(cx),
        disk_keys: keys::place_keys(cx),
        secrets: keys::place_secrets(cx),
        keys: system::host_keys(cx),
        copy: system::copy(cx),
        install: system::install(cx),
        export: disks::export(cx),
        first_boot: reboot::first_boot(cx, method),
    }
}

/// Returns a command that runs another on the installer.
pub(super) fn on_installer(cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
    cx.reach.run(Who::Installer, command)
}

/// Returns a script of the installation, as it is called on the installer.
pub(super) fn install_script(cx: &PlanCx<'_>, name: &str) -> ShellCommand {
    installer::script(cx, name)
}

/// Makes the way to a machine whose disks are wiped.
pub(super) fn rescue(cx: &PlanCx<'_>, heading: &'static str) -> Rescue {
    let (check, confirm) = disks::retired(cx);
    Rescue { installer: installer::way(cx, method(cx)), scripts: installer::copy_scripts(cx), check, confirm, heading }
}

/// Returns a command that makes a folder on the deployer which nobody else reads.
pub(super) fn private_folder(path: &str) -> ShellCommand {
    let make = ShellCommand::new("mkdir").args(["-p", "--", path]);
    make.then("&&", &ShellCommand::new("chmod").args(["700", "--", path]))
}

pub(super) fn definition(cx: &PlanCx<'_>) -> CheckDefinition {
    let hostwright = |command: &str| ShellCommand::new("hostwright").arg(command);
    CheckDefinition::new("Check the definition and out/", |step| {
        step.why("What is deployed is what was checked: no errors, and out/ is what the definition says today.")
            .run(&hostwright("check").arg(cx.host.name))
            .run(&hostwright("build").args(["--check", cx.host.name]))
            .run(&private_folder(cx.reach.state("").trim_end_matches('/')))
            .takes(seconds::LOOK)
    })
}

fn runs(cx: &PlanCx<'_>) -> RunsAlready {
    let why = if cx.scenario == Scenario::Migrate {
        format!(
            "The machine has its system already, so nothing is installed here and nothing wiped. Make sure that it answers and runs what \
             its definition says, the services that move included (`hostwright plan {} --scenario update` brings it there): they come up \
             empty. Then go on.",
            cx.host.name
        )
    } else {
        "The definition says `installer.method = \"existing\"`: the machine has its system already. Nothing is installed here and nothing \
         wiped; make sure that the machine answers and runs what its definition says, then go on."
            .to_owned()
    };
    RunsAlready::new("The machine runs already", |step| step.why(why).takes(seconds::PERSON))
}

/// Takes the host keys over the connection that the person trusts already.
fn known_keys(cx: &PlanCx<'_>) -> RecordHostKeys {
    let read = ShellCommand::new("cat").arg("/etc/ssh/ssh_host_ed25519_key.pub");
    record_keys(cx, &cx.reach.run(Who::Stranger, &read), "Record the host keys")
}

/// Writes the keys that a command prints into the plan's known_hosts, under the host's name.
fn record_keys(cx: &PlanCx<'_>, read: &ShellCommand, title: &str) -> RecordHostKeys {
    let name = ShellCommand::new("sed").args(["-n", &format!("s/^ssh-/{} ssh-/p", cx.host.name)]);
    let known = cx.reach.state("known_hosts");
    let fingerprint = ShellCommand::new("ssh-keygen").args(["-l", "-F", cx.host.name, "-f", &known]);
    RecordHostKeys::new(title, |step| {
        step.why(
            "From here on every connection to the system is bound to this key; nothing is accepted on first sight. The \
             last step puts it into the definition.",
        )
        .run(&read.clone().then("|", &name).then("|", &ShellCommand::new("tee").args(["-a", "--", &known])))
        .after(&fingerprint)
        .takes(seconds::LOOK)
    })
}
