//! A deployer whose release is not that of the host it deploys.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::fleet_file::Evaluation;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "deployer-channel-mismatch",
    group: Group::Channel,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "the machine that evaluates uses another release than the host it deploys",
    doc: include_str!("deployer_channel_mismatch.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(deployer) = cx.fleet.deployer else { return };
    let (own, of_host) = (deployer.channel.channel.release.value, &cx.host.channel.channel.release);
    if own == of_host.value {
        return;
    }
    let (name, host) = (&deployer.def.name.value, cx.host.name);
    let evaluation = &deployer.def.evaluation;
    match evaluation.value {
        Evaluation::OwnChannel => found.report(
            Finding::at(deployer.channel.at, format!("`{name}` evaluates with its own {own}, `{host}` is on {}", of_host.value))
                .label(format!("{own}, what {host} would be made of"))
                .related(evaluation.place, "this makes its own release decide")
                .related(of_host.place, format!("{host} is meant to boot this"))
                .why("the host would get kernel, ZFS and services of a release that its definition does not name")
                .help("`evaluation = \"pinned\"`: hosts are evaluated with the channel they are pinned to")
                .help(format!("bring {name} to {}, and name that channel here", of_host.value))
                .help(format!("put {host} on `{}`", deployer.channel.name)),
        ),
        Evaluation::Pinned => found.report_as(
            Level::Note,
            Finding::at(deployer.channel.at, format!("`{name}` runs {own}, `{host}` is pinned to {}", of_host.value))
                .label(own.to_string())
                .related(of_host.place, format!("{host} boots this"))
                .why("the pin decides what the host gets; a command on the deployer that goes by `<nixpkgs>` would not use it")
                .help(format!("deploy {host} through the files that `hostwright build` writes, which carry the pin")),
        ),
    }
}
