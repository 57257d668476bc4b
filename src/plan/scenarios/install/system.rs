//! The system itself: built, copied, its host keys placed, installed.

use super::disks::MNT;
use super::installer::{FOLDER, SYSTEM_FILE, builds_on_host, script};
use super::{keys, record_keys};
use crate::fleet::schema::secrets::Provider;
use crate::plan::parts::{BuildSystem, CopySystem, HostKeys, InstallSystem, PlaceHostKeys};
use crate::plan::reach::Who;
use crate::plan::{PlanCx, seconds};
use crate::resolve::persistent_path;
use crate::text::{ShellCommand, ShellWord, nix_attribute};

fn on(cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
    cx.reach.run(Who::Installer, command)
}

/// Returns the attribute of the host's system in out/default.nix.
pub(in crate::plan::scenarios) fn attribute(cx: &PlanCx<'_>) -> String {
    format!("nixosConfigurations.{}.config.system.build.toplevel", nix_attribute(cx.host.name))
}

pub(in crate::plan::scenarios) fn nix_build() -> ShellCommand {
    ShellCommand::new("nix").args(["--extra-experimental-features", "nix-command", "build"])
}

/// Makes the step that builds the system, or where the host builds it itself: proves that it evaluates.
pub(super) fn build(cx: &PlanCx<'_>) -> BuildSystem {
    if builds_on_host(cx) {
        let dry = nix_build().args(["--dry-run", "--file", FOLDER, &attribute(cx)]);
        return BuildSystem::new("Evaluate the system on the machine", |step| {
            step.why(
                "The deployer does not build for this system. What does not evaluate is found out before a disk is \
                 wiped; the build itself takes place on the new disks, since the installer lives in memory.",
            )
            .run(&on(cx, &dry))
            .takes(120)
        })
        .on_host();
    }
    let link = cx.reach.state("system");
    BuildSystem::new("Build the system", |step| {
        step.why("A system that does not build is found out before a disk is wiped.")
            .run(&nix_build().args(["--file", "out", &attribute(cx), "--out-link", &link]))
            .after(&ShellCommand::new("test").args(["-x", &format!("{link}/bin/switch-to-configuration")]))
            .takes(seconds::build(cx.host))
    })
}

/// Makes the step that brings the system onto the new disks.
pub(super) fn copy(cx: &PlanCx<'_>) -> CopySystem {
    let valid = ShellCommand::from_raw("nix-store --store /mnt --check-validity \"$(cat").arg(SYSTEM_FILE).raw(")\"");
    if builds_on_host(cx) {
        let build =
            nix_build().args(["--store", MNT, "--no-link", "--print-out-paths", "--file", FOLDER, &attribute(cx)]);
        return CopySystem::new("Build the system onto the disks", |step| {
            step.why("The store on the new disks has the room that the installer's memory lacks.")
                .run(&on(cx, &build.then("|", &ShellCommand::new("tee").arg(SYSTEM_FILE))))
                .after(&on(cx, &valid))
                .takes(seconds::build(cx.host).saturating_mul(2))
        })
        .by_building();
    }
    let link = cx.reach.state("system");
    let name = ShellCommand::new("readlink").args(["--", &link]);
    CopySystem::new("Copy the system onto the disks", |step| {
        step.why("The closure goes straight into the store on the new disks, not into the installer's memory.")
            .run(&cx.reach.copy_closure(Who::Installer, &link, Some(MNT)))
            .run(&name.then("|", &on(cx, &ShellCommand::new("tee").arg(SYSTEM_FILE))))
            .after(&on(cx, &valid))
            .takes(seconds::copy_closure(cx.host))
    })
}

/// Makes the steps that place the host keys and record them.
pub(super) fn host_keys(cx: &PlanCx<'_>) -> HostKeys {
    let folder = format!("{MNT}{}", persistent_path(cx.host, "/etc/ssh"));
    let key = |kind: &str| format!("{folder}/ssh_host_{kind}_key");
    let known: Vec<&str> =
        cx.host.def.access.iter().flat_map(|access| access.host_keys.iter().map(|key| key.value.as_str())).collect();
    let shown = on(cx, &ShellCommand::new("ssh-keygen").args(["-l", "-f", &key("ed25519")]));
    let encrypted_for = recipient(cx);
    let place = if known.is_empty() && encrypted_for.is_none() {
        PlaceHostKeys::new("Make the host keys", |step| {
            let step = step.why(
                "The host is known by these keys from its first boot on, and secrets may be decrypted with them: they \
                 are there before the system is installed. The private halves never leave the machine.",
            );
            let step = step.run(&on(cx, &ShellCommand::new("install").args(["-d", "-m", "755", "--", &folder])));
            let keygen = |kind: &str| {
                let make = ShellCommand::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C"]);
                let make = make.arg(format!("root@{}", cx.host.name)).args(["-f", &key(kind)]);
                on(cx, &ShellCommand::new("test").args(["-e", &key(kind)]).then("||", &make))
            };
            step.run(&keygen("ed25519")).run(&keygen("rsa")).after(&shown).takes(seconds::LOOK)
        })
    } else {
        let from = cx.reach.state("ssh");
        PlaceHostKeys::new("Place the host keys", |step| {
            let exists = match known.is_empty() {
                true => "The host's key is needed before the host is there",
                false => "The definition names the keys that the host is known by, so its private keys exist",
            };
            let step = step.why(format!(
                "{exists}: put them into {from}/ as ssh_host_ed25519_key and the like, with their .pub files. They travel through \
                 standard input.{}",
                encrypted_for.unwrap_or_default()
            ));
            let private = format!("{from}/ssh_host_ed25519_key");
            let owner = ShellCommand::new("chown").args(["-R", "root:root", &folder]);
            let mode = ShellCommand::new("chmod").args(["-R", "u=rwX,go=", &folder]);
            let step = step
                .before(&ShellCommand::new("test").args(["-e", &private]))
                .run(&cx.reach.copy_folder(Who::Installer, &from, &folder))
                .run(&on(cx, &owner.then("&&", &mode)))
                .after(&shown)
                .takes(seconds::LOOK);
            // Of a public key the second word is the key itself; the comment may differ.
            known.iter().filter_map(|key| key.split_whitespace().nth(1)).fold(step, |step, blob| {
                let find = ShellCommand::new("grep").args(["-rqF", "--include=*.pub", "-e", blob, "--", &folder]);
                step.after(&on(cx, &find))
            })
        })
    };
    let read = on(cx, &ShellCommand::new("cat").arg(format!("{}.pub", key("ed25519"))));
    HostKeys { place, record: record_keys(cx, &read, "Record the host keys") }
}

/// Returns what there is to do so that the host can decrypt its secrets, as sentences; none where they are placed by hand.
fn recipient(cx: &PlanCx<'_>) -> Option<String> {
    let mut files: Vec<&str> =
        cx.host.secrets.iter().filter_map(|secret| secret.sealed.as_ref()).map(|sealed| sealed.file).collect();
    files.sort_unstable();
    files.dedup();
    let key = ShellWord::new(&cx.reach.state("ssh/ssh_host_ed25519_key")).to_string();
    let encrypt = match cx.host.secret_provider() {
        Provider::Credentials => return None,
        Provider::SopsNix => format!(
            "`ssh-to-age -i {key}.pub` prints it as sops wants it in .sops.yaml; `sops updatekeys FILE` then encrypts a file for it, too"
        ),
        Provider::Agenix => format!(
            "`cat {key}.pub` prints it as agenix wants it in secrets.nix; `agenix --rekey` then encrypts for it"
        ),
    };
    (!files.is_empty()).then(|| {
        format!(
            " The host decrypts its secrets with this key, and nothing else has to be brought: it must be a recipient of {}. Where \
             there is no key yet: `ssh-keygen -q -t ed25519 -N '' -f {key}`. {encrypt}. Then build the system again: it \
             carries the encrypted files.",
            files.join(", ")
        )
    })
}

/// Makes the step that installs the system and the boot loader.
pub(super) fn install(cx: &PlanCx<'_>) -> InstallSystem {
    let run = script(cx, "install");
    let run = if keys::has_secrets(cx) { run.args(["--secrets", keys::SECRETS]) } else { run };
    let run = run.arg("--system").raw("\"$(cat").arg(SYSTEM_FILE).raw(")\"");
    InstallSystem::new("Install the system and the boot loader", |step| {
        step.why("nixos-install activates the system on the new disks and writes the loader of every disk that boots.")
            .run(&on(cx, &run))
            .takes(180)
    })
}
