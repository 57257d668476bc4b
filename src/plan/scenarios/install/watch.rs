//! What is asked of a host from outside, from the deployer.

use crate::fleet::schema::deploy::{Watch, WatchKind};
use crate::plan::PlanCx;
use crate::plan::scenarios::on;
use crate::text::ShellCommand;

/// Returns what is watched from outside, as commands on the deployer.
pub(in crate::plan::scenarios) fn watches(cx: &PlanCx<'_>) -> Vec<ShellCommand> {
    watched(cx, &[])
}

/// Returns what is watched from outside, without what goes by one of these names.
pub(super) fn watched(cx: &PlanCx<'_>, elsewhere: &[&str]) -> Vec<ShellCommand> {
    let leads_here = |watch: &&Watch| watch.asked().is_none_or(|host| !elsewhere.contains(&host));
    let watches = cx.host.def.deploy.iter().flat_map(|deploy| &deploy.watch).filter(leads_here);
    let mut commands: Vec<ShellCommand> = Vec::new();
    for watch in watches {
        match &watch.kind {
            WatchKind::Ping(host) => commands.push(ShellCommand::new("ping").args(["-c", "3", "--", host])),
            WatchKind::Tcp(address) => {
                let port = address.port.to_string();
                commands.push(ShellCommand::new("nc").args(["-z", "-w", "10", "--", &address.host, &port]));
            }
            WatchKind::Http { url, expect, contains } => {
                commands.push(http(url.as_str(), *expect));
                if let Some(text) = contains {
                    let get = ShellCommand::new("curl").args(["-sS", "--max-time", "20", "--url", url.as_str()]);
                    commands.push(get.then("|", &ShellCommand::new("grep").args(["-qF", "-e", text])));
                }
            }
            WatchKind::Ssh => commands.push(on(cx, &ShellCommand::new("true"))),
        }
    }
    commands
}

/// Returns a command that succeeds when a URL answers with a status.
pub(super) fn http(url: &str, expect: u32) -> ShellCommand {
    let get = ShellCommand::new("curl").args(["-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}\\n"]);
    get.args(["--url", url]).then("|", &ShellCommand::new("grep").args(["-qx", "--", &expect.to_string()]))
}
