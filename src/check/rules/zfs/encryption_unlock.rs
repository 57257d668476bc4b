//! Encrypted disks and datasets that nothing opens at boot.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::machine::{Console, Machine, Unlock};
use crate::fleet::schema::zfs::KeyFormat;
use crate::resolve::{BlockDevice, EncryptionRoot, MountSource, ResolvedPool};
use crate::source::Level;
use crate::units::Release;

pub(super) static RULE: Rule = Rule {
    id: "encryption-unlock",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "what is encrypted has no way to be opened at boot",
    doc: include_str!("encryption_unlock.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for device in &cx.host.devices {
        luks(cx, device, found);
    }
    for pool in cx.host.pools.iter().filter(|pool| pool.is_imported_at_boot()) {
        for root in pool.encryption_roots() {
            match root.def.key_location.file() {
                None => typed(cx, &root, found),
                Some(file) => in_file(cx, pool, &root, file.as_str(), found),
            }
        }
    }
}

/// LUKS around a block device.
fn luks(cx: &HostCx<'_>, device: &BlockDevice<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some(luks) = device.luks else { return };
    let Some(unlock) = device.unlock(host.def.boot.unlock.value) else { return };
    if luks.key_file.is_some() {
        return;
    }
    let place = luks.unlock.as_ref().map_or(luks.place, |unlock| unlock.place);
    let message = format!("nobody opens the LUKS device `{}` of `{}` at boot", luks.name.value, device.base);
    let finding = match unlock {
        Unlock::None => Finding::at(place, message)
            .label("no person, no TPM and no key file")
            .help("`key-file`: the path of its key on a disk that is open by then"),
        Unlock::Console if !is_answered(&host.def.machine) => Finding::at(place, message)
            .label("a passphrase is asked for at the console")
            .related(host.def.machine.console.place, "no console can be reached")
            .help("`machine.console`, where there is one")
            .help("`machine.hooks.unlock`: a command that opens it from the deployer"),
        Unlock::Tpm2 if !has_systemd_in_initrd(cx) => Finding::at(place, message)
            .label("the TPM would open it")
            .related(host.channel.channel.release.place, "its initrd is a script and knows no TPM")
            .help("a channel from 22.11 on"),
        Unlock::Console | Unlock::Ssh | Unlock::Tpm2 => return,
    };
    let finding = finding.why("the boot waits for a key that does not come: the host is gone after its next reboot");
    found.report(finding.help("`unlock = \"console\"`, with a console that somebody reaches"));
}

/// Tells whether somebody reads what the console asks, or a command of the deployer answers it.
fn is_answered(machine: &Machine) -> bool {
    machine.console.value != Console::None || machine.hooks.as_ref().is_some_and(|hooks| hooks.unlock.is_some())
}

fn has_systemd_in_initrd(cx: &HostCx<'_>) -> bool {
    let first: Option<Release> = "22.11".parse().ok();
    first.is_none_or(|first| cx.host.channel.channel.release.base() >= first)
}

/// A key that somebody has to type.
fn typed(cx: &HostCx<'_>, root: &EncryptionRoot<'_>, found: &mut Findings) {
    let (boot, machine) = (&cx.host.def.boot, &cx.host.def.machine);
    if root.def.key_format.value == KeyFormat::Raw {
        found.report(
            Finding::at(root.def.key_format.place, format!("nobody can type the raw key of `{}`", root.name))
                .label("32 bytes of any value")
                .help("`key-format = \"passphrase\"`")
                .help("`key-location = \"file:///PATH\"`"),
        );
    }
    let why = "the boot waits for the key, for ever, and nobody can give it";
    let finding = match boot.unlock.value {
        Unlock::Console if !is_answered(machine) => {
            Finding::at(root.place, format!("the key of `{}` is asked for at a console that nobody reaches", root.name))
                .label("opens with a key that is typed")
                .related(boot.unlock.place, "`unlock = \"console\"`, and `machine.console` is `none`")
                .help("say how the console is reached: `[machine] console`")
                .help("`[boot] unlock = \"ssh\"`")
        }
        unlock @ (Unlock::Tpm2 | Unlock::None) => {
            Finding::at(root.place, format!("`{}` opens with a key that is typed, and nobody is asked", root.name))
                .label("native encryption of ZFS")
                .related(boot.unlock.place, format!("`unlock = \"{}\"`", unlock.word()))
                .help("`[boot] unlock = \"console\"` or `\"ssh\"`")
                .help("`key-location = \"file:///PATH\"` on a file system that is open by then")
        }
        Unlock::Console | Unlock::Ssh => return,
    };
    found.report(finding.why(why));
}

/// A key in a file.
fn in_file(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, root: &EncryptionRoot<'_>, file: &str, found: &mut Findings) {
    let place = root.def.key_location.place;
    let of_root = |pool: &ResolvedPool<'_>, name: &str| {
        pool.encryption_root_of(name).is_some_and(|other| other.name == root.name)
    };
    let itself = cx.host.mount_of(file).is_some_and(|mount| {
        matches!(&mount.source, MountSource::Dataset { pool: of, name, .. } if *of == pool.name && of_root(pool, name))
    });
    let initrd = cx.host.mounts.iter().any(|mount| {
        matches!(&mount.source, MountSource::Dataset { name, .. } if pool.mounts_in_initrd(mount) && of_root(pool, name))
    });
    if itself {
        found.report(
            Finding::at(place, format!("the key of `{}` lies on what it opens", root.name))
                .label("on the encrypted dataset itself")
                .why("the file can be read only after it has been read")
                .help("a path on another file system")
                .help("`key-location = \"prompt\"`"),
        );
    } else if initrd && nixos::setting(cx.host, &["boot", "initrd", "secrets", file]).is_none() {
        found.report(
            Finding::at(place, format!("the key of `{}` is not in the initrd, which mounts it", root.name))
                .label("a file of the installed system")
                .why("the initrd sees no file system of the host before it has opened this one")
                .help("`key-location = \"prompt\"`")
                .help(format!(
                    "`boot.initrd.secrets.\"{file}\"` under `[nixos]`: the key then lies unencrypted beside the kernel"
                )),
        );
    }
}
