//! Encrypted disks that nobody opens at boot.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::machine::{Console, Unlock};
use crate::resolve::BlockDevice;
use crate::source::Level;
use crate::units::Release;

pub(super) static RULE: Rule = Rule {
    id: "encryption-unlock",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "an encrypted disk has no way to open at boot",
    doc: include_str!("encryption_unlock.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for device in &cx.host.devices {
        luks(cx, device, found);
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
    let hooks = host.def.machine.hooks.as_ref();
    let finding = match unlock {
        Unlock::None => Finding::at(place, message)
            .label("no person, no TPM and no key file")
            .help("`key-file`: the path of its key on a disk that is open by then"),
        Unlock::Console
            if host.def.machine.console.value == Console::None && hooks.is_none_or(|h| h.unlock.is_none()) =>
        {
            Finding::at(place, message)
                .label("a passphrase is asked for at the console")
                .related(host.def.machine.console.place, "no console can be reached")
                .help("`machine.console`, where there is one")
                .help("`machine.hooks.unlock`: a command that opens it from the deployer")
        }
        Unlock::Tpm2 if !has_systemd_in_initrd(cx) => Finding::at(place, message)
            .label("the TPM would open it")
            .related(host.channel.channel.release.place, "its initrd is a script and knows no TPM")
            .help("a channel from 22.11 on"),
        Unlock::Console | Unlock::Ssh | Unlock::Tpm2 => return,
    };
    let finding = finding.why("the boot waits for a key that does not come: the host is gone after its next reboot");
    found.report(finding.help("`unlock = \"console\"`, with a console that somebody reaches"));
}

fn has_systemd_in_initrd(cx: &HostCx<'_>) -> bool {
    let first: Option<Release> = "22.11".parse().ok();
    first.is_none_or(|first| cx.host.channel.channel.release.base() >= first)
}
