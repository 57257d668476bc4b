//! The installer: its image, its start, and the first contact with it.

use super::access::{hook, hooks};
use crate::fleet::schema::fleet_file::BuildOn;
use crate::fleet::schema::machine::Method;
use crate::plan::parts::{BuildInstaller, CompareFingerprint, CopyScripts, Installer, ScanKey, StartInstaller};
use crate::plan::reach::Who;
use crate::plan::scenarios::sums_hold;
use crate::plan::{PlanCx, installer_image, seconds};
use crate::text::ShellCommand;

/// Where everything of ours lies on the installer.
pub(super) const FOLDER: &str = "/root/hostwright";

/// The file on the installer that names the system's store path.
pub(super) const SYSTEM_FILE: &str = "/root/hostwright-system";

/// Returns the release of the installer and its OpenZFS, in words.
fn image_words(cx: &PlanCx<'_>) -> String {
    let release = cx.host.installer.unwrap_or(cx.host.channel).channel.release.value;
    let stated = cx.host.def.installer.as_ref().and_then(|installer| installer.zfs.as_ref()).map(|zfs| zfs.value);
    let zfs = stated.or_else(|| cx.facts.releases().zfs(release).map(|figure| figure.value));
    match zfs {
        Some(zfs) => format!("NixOS {release} with OpenZFS {zfs}"),
        None => format!("NixOS {release}"),
    }
}

/// Makes the way to the installer: its image, its start, the first contact.
pub(super) fn way(cx: &PlanCx<'_>, method: Method) -> Installer {
    let (scan, compare) = contact(cx, method);
    Installer { build: build(cx, method), start: start(cx, method), scan, compare }
}

/// Makes the step that builds the image; none where the installer is no image of ours.
fn build(cx: &PlanCx<'_>, method: Method) -> Option<BuildInstaller> {
    if !installer_image::is_built(cx.host) {
        return None;
    }
    let attribute = if method == Method::Iso { "iso" } else { "kexec" };
    let link = cx.reach.state("installer");
    let nix = ShellCommand::new("nix").args(["--extra-experimental-features", "nix-command", "build"]);
    let title = format!("Build the installer: {}", image_words(cx));
    Some(BuildInstaller::new(title, |step| {
        step.why(
            "Images that are downloaded carry whichever ZFS their makers like, and a pool that a newer one makes may be \
             closed to the system that is installed. This one is of the installer's channel, with root's keys and the \
             host's own address and host id.",
        )
        .run(&nix.args(["--file", &cx.reach.out("install/installer.nix"), attribute, "--out-link", &link]))
        .after(&ShellCommand::new("test").args(["-e", &link]))
        .undo(&ShellCommand::new("rm").args(["-f", "--", &link]))
        .takes(seconds::build(cx.host))
    }))
}

/// Makes the step that starts it.
fn start(cx: &PlanCx<'_>, method: Method) -> StartInstaller {
    let built = installer_image::is_built(cx.host);
    match method {
        Method::Kexec if built => kexec(cx),
        Method::Iso => StartInstaller::new("Boot the installer image", |step| {
            let image = if built {
                format!(
                    "Write {}/iso/*.iso to a USB stick, or attach it as virtual medium, and boot the machine from it.",
                    cx.reach.state("installer")
                )
            } else {
                format!("Boot the machine from an image of {}.", image_words(cx))
            };
            step.why(format!("{image} It must answer on the address of `[deploy] target`, with root's keys."))
                .takes(600)
        })
        .by_person(),
        _ => rescue(cx),
    }
}

fn kexec(cx: &PlanCx<'_>) -> StartInstaller {
    let folder = "/root/hostwright-kexec";
    let jump =
        ShellCommand::new("systemd-run").args(["--on-active=3", "--"]).args(["bash", &format!("{folder}/kexec-boot")]);
    let on = |command: &ShellCommand| cx.reach.run(Who::Stranger, command);
    StartInstaller::new("Start the installer by kexec", |step| {
        step.why(
            "The system that runs on the machine jumps into the installer, which lives in memory: from here on nothing \
             of the old system runs, and its disks are untouched. A power cycle leads back to it.",
        )
        .before(&on(&ShellCommand::from_raw("command -v kexec && command -v systemd-run")))
        .run(&cx.reach.copy_folder(Who::Stranger, &cx.reach.state("installer"), folder))
        .run(&on(&jump))
        .run(&comes_up())
        .undo(&power_cycle(cx).unwrap_or_else(|| on(&ShellCommand::new("systemctl").arg("reboot"))))
        .takes(420)
    })
}

/// Returns the pause in which a system in memory unpacks itself and finds its network.
fn comes_up() -> ShellCommand {
    ShellCommand::new("sleep").arg("180")
}

fn power_cycle(cx: &PlanCx<'_>) -> Option<ShellCommand> {
    hooks(cx).and_then(|hooks| hooks.power_cycle.as_ref()).map(|text| hook(&text.value))
}

fn rescue(cx: &PlanCx<'_>) -> StartInstaller {
    let needs = format!(
        "It must be {}, or another Linux with that OpenZFS, sgdisk, Nix and nixos-install, and take root's key.",
        image_words(cx)
    );
    match hooks(cx).and_then(|hooks| hooks.rescue.as_ref()) {
        Some(text) => StartInstaller::new("Start the rescue system", |step| {
            step.why(format!("The hook starts the rescue system. {needs}"))
                .run(&hook(&text.value))
                .run(&comes_up())
                .takes(420)
        })
        .by_deployer(),
        None => StartInstaller::new("Start the rescue system", |step| {
            step.why(format!("Start the provider's rescue system, with root's key, and boot into it. {needs}"))
                .takes(600)
        })
        .by_person(),
    }
}

/// Makes the first contact: the key is read from the network, and a person compares it with what the console shows.
fn contact(cx: &PlanCx<'_>, method: Method) -> (ScanKey, CompareFingerprint) {
    let known = cx.reach.state("known_hosts");
    let show = ShellCommand::new("ssh-keygen").args(["-l", "-F", &cx.reach.alias(Who::Installer), "-f", &known]);
    let scan = ScanKey::new("Read the installer's host key", |step| {
        step.why("What the network shows is not trusted yet: the next step compares it with the machine itself.")
            .run(&cx.reach.scan(Who::Installer).then("|", &ShellCommand::new("tee").args(["--", &known])))
            .run(&show)
            .after(&ShellCommand::new("test").args(["-s", &known]))
            .undo(&ShellCommand::new("rm").args(["-f", "--", &known]))
            .takes(seconds::LOOK)
    });
    let where_shown = match method {
        Method::Rescue => {
            "The provider shows the rescue system's fingerprint beside its password, or log in on the console \
                           and type"
        }
        _ => "Log in on the console and type",
    };
    let compare = CompareFingerprint::new("Compare the fingerprint", |step| {
        step.why(format!(
            "{where_shown}: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. It must be the fingerprint of the step \
             before, letter by letter; else somebody stands in between, and the plan ends here. {}",
            super::access::console_words(cx)
        ))
        .after(&cx.reach.run(Who::Installer, &ShellCommand::new("true")))
        .takes(seconds::PERSON)
    });
    (scan, compare)
}

/// Makes the step that brings the scripts onto the installer.
pub(super) fn copy_scripts(cx: &PlanCx<'_>) -> CopyScripts {
    CopyScripts::new("Copy the install scripts", |step| {
        let own = cx.reach.out("");
        let there = folder(cx);
        // Of the files here, since a copy that was cut off leaves a file that is there, and shorter.
        let list = ShellCommand::new("cd")
            .arg(&own)
            .then("&&", &ShellCommand::new("find").args(["-L", ".", "-type", "f", "-exec", "sha256sum", "{}", "+"]));
        let list = ShellCommand::new("sh").arg("-c").arg(list.as_str());
        let check = ShellCommand::new("cd").arg(&there).then("&&", &sums_hold());
        // What builds on the host evaluates there, which takes all of out/.
        let (from, to) = if builds_on_host(cx) { ("out", FOLDER) } else { (own.as_str(), there.as_str()) };
        step.why("The scripts are those of out/, which were built from the definition that was checked.")
            .run(&cx.reach.copy_folder(Who::Installer, from, to))
            .after(&list.then("|", &cx.reach.run(Who::Installer, &check)))
            .undo(&cx.reach.run(Who::Installer, &ShellCommand::new("rm").args(["-rf", "--", FOLDER])))
            .takes(seconds::LOOK)
    })
}

/// Tells whether the host builds its own system.
pub(in crate::plan::scenarios) fn builds_on_host(cx: &PlanCx<'_>) -> bool {
    cx.host.build_on(cx.fleet) == BuildOn::Target
}

/// Returns where what was compiled of the host lies on the installer.
fn folder(cx: &PlanCx<'_>) -> String {
    format!("{FOLDER}/hosts/{}", cx.host.name)
}

/// Returns an install script on the installer, as a command there.
pub(super) fn script(cx: &PlanCx<'_>, name: &str) -> ShellCommand {
    let path = format!("{}/install/{name}.sh", folder(cx));
    if name != "pools" && super::keys::has_luks_files(cx) {
        let keys = format!("HOSTWRIGHT_KEYS={}", super::keys::KEYS);
        return ShellCommand::new("env").arg(keys).args(["bash", &path]);
    }
    ShellCommand::new("bash").arg(path)
}
