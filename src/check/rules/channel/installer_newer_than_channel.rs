//! An installer from a newer release than the system it puts on the disks.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "installer-newer-than-channel",
    group: Group::Channel,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "the installer's release is newer than the host's channel",
    doc: include_str!("installer_newer_than_channel.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(installer) = cx.host.installer else { return };
    let (of_installer, of_host) = (&installer.channel.release, &cx.host.channel.channel.release);
    if of_installer.value <= of_host.value {
        return;
    }
    let (host, newer, older) = (cx.host.name, of_installer.value, of_host.value);
    let message = format!("the installer of `{host}` has {newer}, and the host is on {older}");
    found.report(
        Finding::at(installer.at, message)
            .label(format!("makes file systems as {newer} does"))
            .related(of_host.place, format!("{host} boots this"))
            .why("what makes a file system decides who can mount it: ext4, XFS, btrfs and ZFS all switch on what older kernels lack")
            .help(format!("install with `{}`, the channel that the host runs", cx.host.channel.name))
            .help(format!("put the host on `{}`", installer.name)),
    );
}
