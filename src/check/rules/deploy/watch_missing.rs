//! A host that nothing outside is watched of while it reboots.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::deploy::WatchKind;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "watch-missing",
    group: Group::Deploy,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "nothing outside is watched while the host reboots",
    doc: include_str!("watch_missing.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let deploy = cx.host.def.deploy.as_ref();
    let watch = deploy.map(|deploy| deploy.watch.as_slice()).unwrap_or_default();
    let host = cx.host.name;
    let finding = match watch {
        [] => {
            let place = deploy.map_or(cx.host.place, |deploy| deploy.place);
            Finding::at(place, format!("nothing of `{host}` is watched while it reboots"))
        }
        [only] if only.kind == WatchKind::Ssh => {
            Finding::at(only.place, format!("of `{host}` only ssh is watched while it reboots"))
        }
        _ => return,
    };
    let mut finding = finding
        .why("success would rest on ssh alone: a host whose sshd answers and whose services do not would pass its reboot test");
    let vhosts = cx.host.services.iter().flat_map(|service| &service.def.vhost.0);
    if let Some(vhost) = vhosts.map(|vhost| vhost.name.as_str()).next() {
        finding = finding.help(format!("add `{{ http = \"https://{vhost}/\" }}` to `watch`: what people use"));
    }
    finding = match cx.host.main_address() {
        Some(address) => finding.help(format!("add `{{ ping = \"{address}\" }}` to `watch` of `[deploy]`")),
        None => finding.help("add `{ ping = \"…\" }` with the host's name or address to `watch` of `[deploy]`"),
    };
    found.report(finding);
}
