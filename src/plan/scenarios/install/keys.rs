//! What encrypted disks and secrets ask of an installation: files that are brought to the installer, passphrases that are
//! typed, and how the host is opened whenever it boots.
//!
//! A private file travels from state/HOST on the deployer through ssh's standard input, and lies in the installer's memory
//! until it is placed.

use super::access::{hook, hooks};
use crate::fleet::schema::machine::Unlock;
use crate::fleet::schema::zfs::KeyFormat;
use crate::plan::PlanCx;
use crate::plan::parts::{PlaceKeys, PlaceSecrets};
use crate::plan::reach::Who;
use crate::plan::seconds;
use crate::resolve::{BlockDevice, BootFileKind, EncryptionRoot, ResolvedPool, boot_files};
use crate::text::ShellCommand;

/// Where keys lie on the installer.
pub(super) const KEYS: &str = "/root/hostwright-keys";

/// Where secrets lie on the installer.
pub(super) const SECRETS: &str = "/root/hostwright-secrets";

fn on(cx: &PlanCx<'_>, command: &ShellCommand) -> ShellCommand {
    cx.reach.run(Who::Installer, command)
}

/// Returns the LUKS devices of a host.
fn luks<'a>(cx: &PlanCx<'a>) -> impl Iterator<Item = &'a BlockDevice<'a>> {
    cx.host.devices.iter().filter(|device| device.luks.is_some())
}

/// Returns the names of LUKS devices that a file opens, which is wanted whenever they are made or opened.
fn luks_files(cx: &PlanCx<'_>) -> Vec<String> {
    luks(cx)
        .filter_map(|device| device.luks)
        .filter(|luks| luks.key_file.is_some())
        .map(|luks| luks.name.to_string())
        .collect()
}

/// Returns the passphrases of ZFS that lie in files, each with the place where pools.sh looks for it. Keys of random bytes are
/// made there.
fn zfs_files(cx: &PlanCx<'_>) -> Vec<(String, String)> {
    let roots = cx.host.pools.iter().flat_map(ResolvedPool::encryption_roots);
    let in_file = |root: EncryptionRoot<'_>| {
        let file = root.def.key_location.file()?.to_string();
        (root.def.key_format.value == KeyFormat::Passphrase).then(|| (root.name.replace('/', "."), file))
    };
    roots.filter_map(in_file).collect()
}

/// Returns what opens with a passphrase that somebody types when LUKS is made.
fn typed_luks(cx: &PlanCx<'_>) -> Vec<String> {
    luks(cx)
        .filter_map(|device| device.luks)
        .filter(|luks| luks.key_file.is_none())
        .map(|luks| luks.name.to_string())
        .collect()
}

/// Returns what opens with a key that somebody types when a pool is made.
fn typed_zfs(cx: &PlanCx<'_>) -> Vec<String> {
    let roots = cx.host.pools.iter().flat_map(ResolvedPool::encryption_roots);
    roots.filter(|root| root.def.key_location.file().is_none()).map(|root| root.name).collect()
}

/// A script of the installation that may ask for passphrases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// partition.sh makes LUKS.
    Partition,
    /// pools.sh makes encrypted datasets.
    Pools,
    /// mount.sh opens what a reboot of the installer has closed.
    Mount,
}

/// Returns a script as it runs on the installer: at a terminal where it asks for a passphrase. With it what is asked, as a sentence.
pub(super) fn asking(cx: &PlanCx<'_>, script: &ShellCommand, asks: Asks) -> (ShellCommand, String) {
    let names = match asks {
        Asks::Partition => typed_luks(cx),
        Asks::Pools => typed_zfs(cx),
        Asks::Mount => typed_luks(cx).into_iter().chain(typed_zfs(cx)).collect(),
    };
    if names.is_empty() {
        return (on(cx, script), String::new());
    }
    let names = names.join(", ");
    let words = match asks {
        Asks::Partition => format!(
            " Type the new passphrase of {names} twice when it is asked for: one for all of them, which nothing keeps but you."
        ),
        Asks::Pools => format!(" Type the key of each when it is asked for, twice: {names}. Nothing keeps it but you."),
        Asks::Mount => format!(" Where the installer was started anew since, it asks for the passphrase of {names}."),
    };
    (cx.reach.run_at_terminal(Who::Installer, script), words)
}

/// Tells whether the installation's scripts want the folder of keys.
pub(super) fn has_luks_files(cx: &PlanCx<'_>) -> bool {
    luks(cx).filter_map(|device| device.luks).any(|luks| luks.key_file.is_some())
}

/// Tells whether there is anything to be placed before the system is installed.
pub(super) fn has_secrets(cx: &PlanCx<'_>) -> bool {
    !boot_files(cx.host).is_empty()
}

/// Returns commands that bring a private folder of the host's state to the installer.
fn bring(cx: &PlanCx<'_>, from: &str, to: &str) -> [ShellCommand; 2] {
    let owner = ShellCommand::new("chown").args(["-R", "root:root", to]);
    let mode = ShellCommand::new("chmod").args(["-R", "u=rwX,go=", to]);
    [cx.reach.copy_folder(Who::Installer, &cx.reach.state(from), to), on(cx, &owner.then("&&", &mode))]
}

/// Makes the step that brings key files; none where nothing opens by a file that somebody has to bring.
pub(super) fn place_keys(cx: &PlanCx<'_>) -> Option<PlaceKeys> {
    let (luks, zfs) = (luks_files(cx), zfs_files(cx));
    if luks.is_empty() && zfs.is_empty() {
        return None;
    }
    let folder = cx.reach.state("keys");
    let names: Vec<&str> = luks.iter().chain(zfs.iter().map(|(name, _)| name)).map(String::as_str).collect();
    Some(PlaceKeys::new("Bring the keys of the encrypted disks", |step| {
        let step = step.why(format!(
            "Put each key into {folder}/ first, in a file of this name: {}. A key of random bytes is made with: head -c 64 \
             /dev/urandom. A passphrase has no line break behind it. Keep another copy away from this machine: without its key \
             nobody reads the disk again.",
            names.join(", ")
        ));
        let there = |step, name: &&str| {
            crate::plan::step::Step::before(step, &ShellCommand::new("test").args(["-s", &format!("{folder}/{name}")]))
        };
        let step = names.iter().fold(step, there).run_all(&bring(cx, "keys", KEYS));
        let step = zfs.iter().fold(step, |step, (name, file)| {
            let place = ShellCommand::new("install").args(["-D", "-m", "0400", "--"]);
            step.run(&on(cx, &place.args([&format!("{KEYS}/{name}"), file])))
        });
        step.undo(&on(cx, &ShellCommand::new("rm").args(["-rf", "--", KEYS]))).takes(seconds::LOOK)
    }))
}

/// Makes the step that brings secrets and the host key of the initrd; none where there are none.
pub(super) fn place_secrets(cx: &PlanCx<'_>) -> Option<PlaceSecrets> {
    let files = boot_files(cx.host);
    if files.is_empty() {
        return None;
    }
    let folder = cx.reach.state("secrets");
    let of = |host_key: bool| -> Vec<&str> {
        let wanted = files.iter().filter(|file| (file.kind == BootFileKind::HostKey) == host_key);
        wanted.map(|file| file.name.as_str()).collect()
    };
    let (host_keys, secrets) = (of(true), of(false));
    let title = match (host_keys.is_empty(), secrets.is_empty()) {
        (false, true) => "Bring the host key of the initrd",
        (true, _) => "Bring the secrets",
        (false, false) => "Bring the secrets and the host key of the initrd",
    };
    Some(PlaceSecrets::new(title, |step| {
        let mut words = Vec::new();
        if !secrets.is_empty() {
            words.push(format!(
                "Put each secret into {folder}/ first, in a file of its name: {}. install.sh places them before the first boot.",
                secrets.join(", ")
            ));
        }
        if !host_keys.is_empty() {
            words.push(format!(
                "The initrd has a host key of its own, since who has the disk can read it: {}, made here unless it is there. \
                 Whoever opens the disks over ssh knows it as {}.",
                host_keys.join(", "),
                cx.reach.alias(Who::Initrd)
            ));
        }
        let mut step = step.why(words.join(" "));
        for name in &secrets {
            step = step.before(&ShellCommand::new("test").args(["-s", &format!("{folder}/{name}")]));
        }
        step = step.run(&super::private_folder(&folder));
        for name in &host_keys {
            let key = format!("{folder}/{name}");
            let make = ShellCommand::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C"]);
            let make = make.arg(format!("root@{}-initrd", cx.host.name)).args(["-f", &key]);
            step = step.run(&ShellCommand::new("test").args(["-e", &key]).then("||", &make));
            let known = cx.reach.state("known_hosts");
            let name =
                ShellCommand::new("sed").args(["-n", &format!("s/^ssh-/{} ssh-/p", cx.reach.alias(Who::Initrd))]);
            let write = ShellCommand::new("tee").args(["-a", "--", &known]);
            let public = ShellCommand::new("ssh-keygen").args(["-y", "-f", &key]);
            step = step.run(&public.then("|", &name).then("|", &write));
        }
        step.run_all(&bring(cx, "secrets", SECRETS))
            .undo(&on(cx, &ShellCommand::new("rm").args(["-rf", "--", SECRETS])))
            .takes(seconds::LOOK)
    }))
}

/// How the host is opened whenever it boots.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// The hook that does it, run while the host boots.
    pub(super) hook: Option<ShellCommand>,
    /// What a person does at the first boot, as sentences.
    pub(super) first: String,
    /// What a person does at every later one.
    pub(super) later: String,
    /// Commands that teach the TPM to do it, once the host has come up.
    pub(super) enroll: Vec<ShellCommand>,
}

/// Returns how a host is opened; nothing to do where it opens by itself.
pub(super) fn opening(cx: &PlanCx<'_>) -> Opening {
    let boot = &cx.host.def.boot;
    let typed: Vec<(&BlockDevice<'_>, Option<Unlock>)> = luks(cx)
        .filter(|device| device.luks.is_some_and(|luks| luks.key_file.is_none()))
        .map(|device| (device, device.unlock(boot.unlock.value)))
        .collect();
    let zfs = cx.host.pools.iter().filter(|pool| pool.is_imported_at_boot()).flat_map(ResolvedPool::encryption_roots);
    let by_person = typed.iter().any(|(_, by)| matches!(by, Some(Unlock::Console | Unlock::Ssh)))
        || zfs.into_iter().any(|root| root.def.key_location.file().is_none());
    let enroll = typed.iter().filter(|(_, by)| *by == Some(Unlock::Tpm2)).map(|(device, _)| {
        let enroll = ShellCommand::new("systemd-cryptenroll").args(["--tpm2-device=auto", &device.raw]);
        cx.reach.run_at_terminal(Who::System, &enroll)
    });
    let enroll: Vec<ShellCommand> = enroll.collect();
    let hook = hooks(cx).and_then(|hooks| hooks.unlock.as_ref()).map(|text| hook(&text.value)).filter(|_| by_person);
    let later = match (&hook, boot.unlock.value) {
        _ if !by_person => String::new(),
        (Some(_), _) => "The hook opens the encrypted disks while it boots.".to_owned(),
        (None, Unlock::Ssh) if cx.host.initrd_network().is_some() => format!(
            "The boot waits for the passphrase: as soon as the initrd answers, type it there: {}",
            cx.reach.run_at_terminal(Who::Initrd, &ShellCommand::new("systemd-tty-ask-password-agent"))
        ),
        (None, _) => "The boot waits for the passphrase: type it at the console.".to_owned(),
    };
    let first = if enroll.is_empty() {
        later.clone()
    } else {
        let tpm = "The TPM does not know the disks yet: type their passphrase at the console this once, and again when the TPM is \
                   taught to open them.";
        format!("{tpm} {later}").trim_end().to_owned()
    };
    Opening { hook, first, later, enroll }
}
