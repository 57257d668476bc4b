//! The candidate: built, brought onto the machine, and told apart from what runs.

use super::{CANDIDATE, on, versions};
use crate::fleet::schema::external::ExternalSource;
use crate::plan::parts::{BuildSystem, CopySystem, ShowChanges};
use crate::plan::reach::Who;
use crate::plan::scenarios::install;
use crate::plan::{PlanCx, seconds};
use crate::resolve::boot_files;
use crate::text::ShellCommand;

/// The file on the host that names the system which was built there.
const BUILT: &str = "/var/lib/hostwright/built";

/// Returns the words of `nix build` that name the host's system: of out/, or of the configuration that it has elsewhere.
fn source(cx: &PlanCx<'_>) -> Vec<String> {
    const SYSTEM: &str = "config.system.build.toplevel";
    match cx.host.def.external.as_ref().map(|external| &external.source) {
        None => vec!["--file".to_owned(), "out".to_owned(), install::attribute(cx)],
        Some(ExternalSource::Flake(flake)) => vec![format!("{}.{SYSTEM}", flake.full())],
        Some(ExternalSource::File(file, attribute)) => {
            vec!["--file".to_owned(), file.to_string(), format!("{attribute}.{SYSTEM}")]
        }
    }
}

/// Returns `nix build`; a flake is one more feature that has to be switched on.
fn nix_build(cx: &PlanCx<'_>) -> ShellCommand {
    match cx.host.def.external.as_ref().map(|external| &external.source) {
        Some(ExternalSource::Flake(_)) => {
            ShellCommand::new("nix").args(["--extra-experimental-features", "nix-command flakes", "build"])
        }
        _ => install::nix_build(),
    }
}

/// Makes the step that builds the candidate.
pub(super) fn build(cx: &PlanCx<'_>) -> BuildSystem {
    if install::builds_on_host(cx) {
        // Evaluated here, built there: the store of the host is the one that is built in.
        let store = ["--eval-store".to_owned(), "auto".to_owned(), "--store".to_owned(), cx.reach.store(Who::System)];
        let build = nix_build(cx).args(store).args(["--no-link", "--print-out-paths"]).args(source(cx));
        let build = cx.reach.with_ssh(Who::System, &build);
        let keep = ShellCommand::new("mkdir").args(["-p", "/var/lib/hostwright"]);
        let keep = keep.then("&&", &ShellCommand::new("tee").args(["--", BUILT]));
        return BuildSystem::new("Build the system on the machine", |step| {
            step.why("The deployer does not build for this system: it evaluates, and the machine builds. What runs there stays as it is.")
                .run(&build.then("|", &on(cx, &keep)))
                .after(&on(cx, &ShellCommand::new("test").args(["-s", BUILT])))
                .takes(seconds::build(cx.host).saturating_mul(2))
        })
        .on_target();
    }
    let link = cx.reach.state("system");
    BuildSystem::new("Build the system", |step| {
        step.why("What does not build is found out before anything on the machine is touched.")
            .run(&nix_build(cx).args(source(cx)).args(["--out-link", &link]))
            .after(&ShellCommand::new("test").args(["-x", &format!("{link}/bin/switch-to-configuration")]))
            .takes(seconds::build(cx.host))
    })
}

/// Makes the step that brings the candidate onto the machine, and keeps the garbage collector from it.
pub(super) fn copy(cx: &PlanCx<'_>) -> CopySystem {
    let root = ShellCommand::from_raw("read -r system && nix-store --realise \"$system\" --add-root").arg(CANDIDATE);
    let root = on(cx, &root.raw("> /dev/null"));
    let forget = on(cx, &ShellCommand::new("rm").args(["-f", "--", CANDIDATE]));
    let is_system = ShellCommand::new("test").args(["-x", &format!("{CANDIDATE}/bin/switch-to-configuration")]);
    let valid = ShellCommand::from_raw("nix-store --check-validity \"$(readlink -f").arg(CANDIDATE).raw(")\"");
    let why = "Nothing of it runs and nothing boots it: neither the profile of the system nor the boot menu is touched. It is kept from the \
               garbage collector until the next candidate takes its place.";
    if install::builds_on_host(cx) {
        let built = on(cx, &ShellCommand::new("cat").args(["--", BUILT]));
        return CopySystem::new("Keep the system that was built", |step| {
            step.why(why)
                .run(&built.then("|", &root))
                .after(&on(cx, &valid.then("&&", &is_system)))
                .undo(&forget)
                .takes(seconds::LOOK)
        })
        .by_building()
        .for_system();
    }
    let link = cx.reach.state("system");
    let name = ShellCommand::new("readlink").args(["-f", "--", &link]);
    let from_caches = cx.host.def.deploy.as_ref().is_some_and(|deploy| deploy.substitute_on_target.value);
    CopySystem::new("Copy the system onto the machine", |step| {
        // On the machine itself there is one store.
        let step = match cx.reach.is_local() {
            true => step,
            false if from_caches => step.run(&cx.reach.copy_closure_from_caches(Who::System, &link)),
            false => step.run(&cx.reach.copy_closure(Who::System, &link, None)),
        };
        step.why(why)
            .run(&name.then("|", &root))
            .after(&on(cx, &valid.then("&&", &is_system)))
            .undo(&forget)
            .takes(seconds::copy_closure(cx.host))
    })
    .for_system()
}

/// Makes the step that shows what the candidate changes: what the facts say of it, and what both systems say themselves.
pub(super) fn changes(cx: &PlanCx<'_>) -> ShowChanges {
    ShowChanges::new("Show what changes", |step| {
        let step =
            step.why(versions::words(cx)).run(&install::script(cx, "changes", &[CANDIDATE])).takes(seconds::LOOK);
        // A unit that lacks its secret fails, and the trial with it.
        let files = if cx.host.def.external.is_some() { Vec::new() } else { boot_files(cx.host) };
        files.iter().fold(step, |step, file| step.before(&on(cx, &ShellCommand::new("test").args(["-e", &file.path]))))
    })
}
