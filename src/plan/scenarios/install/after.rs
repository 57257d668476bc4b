//! What comes behind the reboot test: services looked at, the first snapshots and backups, what the definition learns.

use crate::fleet::schema::machine::SwitchOr;
use crate::fleet::schema::service_parts::Protocol;
use crate::fleet::schema::web::Tls;
use crate::fleet::schema::zfs::Dataset;
use crate::plan::PlanCx;
use crate::plan::gates::reserved_ids;
use crate::plan::scenarios::on;
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::resolve::{MountSource, ResolvedService};
use crate::text::ShellCommand;

/// Makes the steps.
pub(super) fn steps(cx: &PlanCx<'_>, runs_already: bool) -> Vec<Step> {
    let mut steps = looks(cx);
    steps.extend(snapshots(cx));
    steps.extend(backup(cx));
    steps.push(learn(cx, runs_already));
    steps
}

/// Makes the steps that look at every service and ask for every virtual host.
pub(in crate::plan::scenarios) fn looks(cx: &PlanCx<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for service in cx.host.running() {
        steps.push(look(cx, service));
        for vhost in &service.def.vhost.0 {
            let scheme = if vhost.tls.value == Tls::Acme { "https" } else { "http" };
            let url = format!("{scheme}://{}{}", vhost.name.as_str(), vhost.path.value.as_str());
            let id = format!("probe-{}", vhost.name.as_str());
            // Two virtual hosts of one name are one probe.
            if steps.iter().any(|step| step.id() == id) {
                continue;
            }
            steps.push(
                Step::new(id, StepKind::Verify, RunsOn::Deployer, format!("Ask {url} from outside"))
                    .why(
                        "Name, certificate, web server and service work together. A certificate from ACME takes a \
                         moment, and needs the name to point here.",
                    )
                    .needs(look_id(service.name))
                    .run(&reachable(&url))
                    .takes(60),
            );
        }
    }
    steps
}

/// Returns a command that succeeds when a URL answers without a server's error, redirections followed.
fn reachable(url: &str) -> ShellCommand {
    ShellCommand::new("curl").args([
        "-sSL",
        "--fail",
        "--max-time",
        "20",
        "--retry",
        "5",
        "-o",
        "/dev/null",
        "--url",
        url,
    ])
}

/// Returns the id of the step that looks at a service; some names make one that has a meaning of its own.
fn look_id(service: &str) -> String {
    let id = format!("check-{service}");
    if reserved_ids().any(|reserved| reserved == id) { format!("check-service-{service}") } else { id }
}

/// Makes the step that looks whether a service is as it should be.
pub(in crate::plan::scenarios) fn look(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> Step {
    let title = format!("Look at {}", service.name);
    let mut step = Step::new(look_id(service.name), StepKind::Verify, RunsOn::Target, title)
        .why("It listens where it should, its directories are its own, and nothing has failed.")
        .needs(crate::plan::gates::id::REBOOT_TEST)
        .takes(seconds::LOOK);
    for port in &service.ports {
        let (flag, name) = match port.protocol {
            Protocol::Tcp => ("-Hltn", "sport"),
            Protocol::Udp => ("-Hlun", "sport"),
        };
        let look = ShellCommand::new("ss").args([flag, &format!("{name} = :{}", port.port)]);
        step = step.run(&on(cx, &look.then("|", &ShellCommand::new("grep").args(["-q", "."]))));
    }
    for state in &service.state {
        let path = state.path.as_str();
        let Some(owner) = state.owner else { continue };
        if mounted(cx, path).is_some() {
            let stat = ShellCommand::new("stat").args(["-c", "%U", "--", path]);
            step = step.run(&on(cx, &stat.then("|", &ShellCommand::new("grep").args(["-qx", "--", owner]))));
        }
    }
    let failed = ShellCommand::new("systemctl").args(["list-units", "--state=failed", "--no-legend"]);
    step.run(&on(cx, &super::reboot::nothing_failed(cx))).after(&on(cx, &failed))
}

/// Returns the dataset that is mounted at a path.
fn mounted<'a>(cx: &PlanCx<'a>, path: &str) -> Option<&'a Dataset> {
    cx.host.mounts.iter().find_map(|mount| match &mount.source {
        MountSource::Dataset { def, .. } if mount.path == path => Some(*def),
        _ => None,
    })
}

/// Returns the names of the datasets that something holds of.
fn datasets(cx: &PlanCx<'_>, wanted: impl Fn(&Dataset) -> bool) -> Vec<String> {
    let pools = cx.host.pools.iter();
    pools
        .flat_map(|pool| pool.def.value.datasets.iter().map(move |(name, def)| (pool.name, name, def)))
        .filter(|(_, _, def)| wanted(&def.value))
        .map(|(pool, name, _)| format!("{pool}/{name}"))
        .collect()
}

fn snapshots(cx: &PlanCx<'_>) -> Option<Step> {
    let is_on = |dataset: &Dataset| {
        dataset.snapshots.as_ref().is_some_and(|snapshots| snapshots.value != SwitchOr::Switch(false))
    };
    let names: Vec<String> =
        datasets(cx, is_on).into_iter().map(|dataset| format!("{dataset}@hostwright-installed")).collect();
    if names.is_empty() {
        return None;
    }
    let list = ShellCommand::new("zfs").args(["list", "-t", "snapshot", "-o", "name,creation"]);
    // Those of one pool are taken at one moment, all or none; a run that was cut off between two pools has those of the first.
    let of_pool = |pool: &str| -> Vec<&String> {
        names.iter().filter(|name| name.split(['/', '@']).next() == Some(pool)).collect()
    };
    let takes = cx.host.pools.iter().map(|pool| of_pool(pool.name)).filter(|names| !names.is_empty()).map(|names| {
        let there = list.clone().args(&names).raw("> /dev/null 2>&1");
        on(cx, &there.then("||", &ShellCommand::new("zfs").arg("snapshot").args(&names)))
    });
    let step = Step::new("first-snapshots", StepKind::Command, RunsOn::Target, "Take the first snapshots")
        .why("The state before any data: what comes later can be compared with it.");
    let step =
        takes.fold(step, |step, take| step.run(&take)).after(&on(cx, &list.clone().args(&names))).takes(seconds::LOOK);
    Some(
        names
            .iter()
            .fold(step, |step, name| step.undo(&on(cx, &ShellCommand::new("zfs").args(["destroy", "--", name])))),
    )
}

fn backup(cx: &PlanCx<'_>) -> Option<Step> {
    let names = datasets(cx, |dataset| dataset.backup.value);
    if names.is_empty() {
        return None;
    }
    Some(
        Step::new("first-backup", StepKind::Instruction, RunsOn::Person, "Make the first backup and read it back")
            .why(format!(
                "These datasets are marked for the backup: {}. Run it once by hand before they hold data that matters, \
                 and restore one file of each from it: a backup that was never read is none.",
                names.join(", ")
            ))
            .takes(1800),
    )
}

/// Makes the step that writes down what the machine is.
pub(in crate::plan::scenarios) fn learn(cx: &PlanCx<'_>, runs_already: bool) -> Step {
    let host = cx.host.name;
    let keys = cx.host.def.access.as_ref().is_some_and(|access| !access.host_keys.is_empty());
    let mut words = Vec::new();
    if !keys {
        words.push(format!(
            "Put the host's public key from {} into hosts/{host}/host.toml as `[access] host-keys`, so that every deployer \
             knows the host by it.",
            cx.reach.state("known_hosts")
        ));
    }
    words.push(format!("Write down what the machine is: `hostwright probe {host}` makes hosts/{host}/facts.json."));
    if !runs_already {
        words.push("Commit both: from now on the fitting scenario is an update, not an install.".to_owned());
    }
    Step::new("record-in-definition", StepKind::Instruction, RunsOn::Person, "Record keys and facts in the definition")
        .parting()
        .why(words.join(" "))
        .takes(seconds::PERSON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_word_whatever_it_holds() {
        assert!(reachable("https://a/?b=1&c").as_str().ends_with("--url 'https://a/?b=1&c'"));
    }
}
