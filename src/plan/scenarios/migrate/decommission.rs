//! What stays in the cluster goes last: verified copies only, after the soak, and after a person has read what is deleted.

use super::context;
use super::ids::Ids;
use super::kubectl::{cluster_wide, within};
use super::record::{file, script};
use super::retain::Kept;
use super::suspend::{self, Suspensions};
use super::volume::{ClusterRef, Volume};
use super::writers::{Writer, step_id};
use crate::plan::PlanCx;
use crate::plan::gates::{family, id};
use crate::plan::seconds;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::source::printable;
use crate::text::ShellCommand;

/// Tells whether a service of the fleet moves a claim or says why it is left.
fn is_accounted(cx: &PlanCx<'_>, cluster: &str, namespace: &str, claim: &str) -> bool {
    let services = cx.fleet.hosts.iter().flat_map(|host| &host.services);
    let mut all = services.filter_map(|service| service.def.migrates_from.as_ref());
    all.any(|from| {
        from.cluster.as_str() == cluster
            && from.workload.namespace == namespace
            && (from.volumes.iter().any(|moved| moved.claim.as_str() == claim)
                || from.leave.iter().any(|left| left.claim.as_str() == claim))
    })
}

/// Makes the steps without which nothing is deleted: claims that nobody speaks of, clusters and files that could not be read.
pub(super) fn accounts(
    cx: &PlanCx<'_>,
    clusters: &[ClusterRef<'_>],
    writers: &[Writer<'_>],
    kept: &[Kept<'_>],
) -> Vec<Step> {
    let mut steps = Vec::new();
    for cluster in clusters {
        let own: Vec<&Writer<'_>> = writers.iter().filter(|writer| writer.cluster == *cluster).collect();
        let Some(known) = cx.clusters.get(cluster.name) else {
            let look: Vec<String> = own
                .iter()
                .map(|writer| {
                    format!("- `{}`", within(*cluster, writer.namespace()).args(["describe", &writer.object()]))
                })
                .collect();
            steps.push(
                Step::new(
                    format!("{}{}", family::ACCOUNT_CLUSTER, cluster.name),
                    StepKind::Instruction,
                    RunsOn::Person,
                    format!("Account for every claim in {}", cluster.name),
                )
                .why(format!(
                    "There are no manifests of {}, so the plan knows only the claims that host.toml names. A claim that neither moves nor is \
                     left with a reason is lost with the cluster. Look at the volumes of each workload:\n{}",
                    cluster.name,
                    look.join("\n")
                ))
                .takes(600),
            );
            continue;
        };
        let unread: Vec<String> = known
            .unread
            .iter()
            .cloned()
            .chain(known.templates.iter().map(|template| printable(&template.reason)))
            .collect();
        if !unread.is_empty() {
            let shown: Vec<String> = unread.iter().take(10).map(|line| printable(line)).collect();
            let more = unread.len() - shown.len();
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            steps.push(
                Step::new(
                    format!("{}{}", family::ACCOUNT_UNREAD, cluster.name),
                    StepKind::Instruction,
                    RunsOn::Person,
                    format!("Look at what could not be read of {}", cluster.name),
                )
                .why(format!(
                    "What could not be read may use the same claims: {}{more}. Read it, or export it again and make the plan anew.",
                    shown.join("; ")
                ))
                .takes(600),
            );
        }
    }
    for one in kept.iter().filter(|one| !is_accounted(cx, one.cluster.name, one.namespace, one.claim)) {
        steps.push(
            Step::new(
                format!("{}{}", family::ACCOUNT, one.id),
                StepKind::Instruction,
                RunsOn::Person,
                format!("Decide about the claim {}/{}", one.namespace, one.claim),
            )
            .why(
                "A workload that moves has it, and no service moves it or says why it is left. Name it in `volumes` or `leave` of \
                 `migrates-from` and make the plan again: nothing is deleted before.",
            )
            .takes(seconds::PERSON),
        );
    }
    steps
}

/// Makes the step in which a person reads what goes.
pub(super) fn confirm(writers: &[Writer<'_>], volumes: &[Volume<'_>]) -> Step {
    let objects: Vec<String> =
        writers.iter().map(|writer| format!("{} of {}", writer.identity(), writer.cluster.name)).collect();
    let mut claims: Vec<String> =
        volumes.iter().map(|volume| format!("{} ({} has it)", volume.shown(), volume.def.to.as_str())).collect();
    claims.dedup();
    let mut words = vec!["The steps that follow delete:".to_owned()];
    words.extend(objects.iter().map(|object| format!("- the workload {object}")));
    words.extend(claims.iter().map(|claim| format!("- with its data, the claim {claim}")));
    let mut left: Vec<String> = Vec::new();
    let mut partly: Vec<String> = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    for writer in writers {
        for service in &writer.services {
            let Some(from) = &service.def.migrates_from else { continue };
            let ns = &from.workload.namespace;
            left.extend(
                from.leave.iter().map(|one| format!("{ns}/{} ({})", one.claim.as_str(), printable(&one.reason.value))),
            );
            partly.extend(
                from.volumes
                    .iter()
                    .filter(|one| !one.paths.is_empty() || !one.exclude.is_empty() || one.sub_path.is_some())
                    .map(|one| format!("{ns}/{}", one.claim.as_str())),
            );
        }
        let written = writer.facts.iter().flat_map(|facts| &facts.host_paths).filter(|path| !path.targets.is_empty());
        paths.extend(written.map(|path| printable(&path.path)));
    }
    left.dedup();
    if !left.is_empty() {
        words.push("Left in the cluster and not deleted:".to_owned());
        words.extend(left.iter().map(|claim| format!("- the claim {claim}")));
    }
    if !partly.is_empty() {
        words.push(format!(
            "Of these only chosen parts have moved, and the rest goes with the claim: {}. Read the lists of what was left behind in the \
             host's state first.",
            partly.join(", ")
        ));
    }
    if !paths.is_empty() {
        paths.sort();
        paths.dedup();
        words.push(format!("These paths of nodes were written by them and are not touched: {}.", paths.join(", ")));
    }
    let mut sources: Vec<String> = Vec::new();
    for writer in writers {
        for restorer in writer.restorers() {
            let line = format!("{} {}", restorer.what, printable(&restorer.by));
            if !sources.contains(&line) {
                sources.push(line);
            }
        }
    }
    if !sources.is_empty() {
        words.push(
            "Take the objects out of what delivers them before anything that was suspended is resumed, or they come back:".to_owned(),
        );
        words.extend(sources.iter().map(|source| format!("- {source}")));
    }
    words.push("There is no way back from here on. If anything of this is wanted, stop.".to_owned());
    Step::new(id::CONFIRM_DECOMMISSION, StepKind::Instruction, RunsOn::Person, "Confirm what is deleted in the cluster")
        .why(words.join("\n"))
        .takes(600)
}

/// Makes the steps that delete workloads, then the claims whose copies are verified.
pub(super) fn steps(
    cx: &PlanCx<'_>,
    writers: &[Writer<'_>],
    volumes: &[Volume<'_>],
    kept: &[Kept<'_>],
    suspensions: &Suspensions,
    ids: &mut Ids,
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // Weeks lie between the comparison and this: nobody has resumed what restores, nobody has come back, nobody has written.
    let is_quiet = |writer: &Writer<'_>, mut step: Step| {
        // Who brings back is said before who came back.
        step.before.extend(suspensions.checks(writer));
        let step = step.before(&super::stop::look(cx, writer));
        let own = volumes.iter().filter(|volume| writer.uses(volume));
        own.filter_map(|volume| super::data::is_unchanged(cx, volume)).fold(step, |step, check| step.before(&check))
    };
    let mut of_writer: Vec<String> = Vec::new();
    for writer in writers {
        let id_of = step_id(ids, family::DECOMMISSION.trim_end_matches('-'), writer.name);
        of_writer.push(id_of.clone());
        let record = file(cx, &format!("deleted-{}.yaml", writer.name));
        let kubectl = |verb: &str| within(writer.cluster, writer.namespace()).args([verb, &writer.object()]);
        let by_operator = writer.restorers().into_iter().find_map(|restorer| {
            suspend::operator_stop(restorer)?;
            Some((suspend::parts(restorer).0, suspend::object(restorer)?))
        });
        let step = Step::new(id_of, StepKind::Destroy, RunsOn::Cluster, format!("Delete {}", writer.identity()))
            .destroys("workload", &format!("{}/{}", writer.cluster.name, writer.identity()))
            .takes(seconds::LOOK);
        let mut step = context::guarded(cx, writer.cluster, is_quiet(writer, step));
        step = match by_operator {
            // Deleting what an operator made brings it back; deleting what it reads lets it clean up.
            Some((namespace, object)) => step
                .why("It belongs to an operator, so the object that the operator reads is deleted. What it was is written down first.")
                .run(&within(writer.cluster, namespace).args(["get", &object, "-o", "yaml"]).then("|", &ShellCommand::new("tee").args(["--", &record])))
                .run(&within(writer.cluster, namespace).args(["delete", "--ignore-not-found", &object])),
            None => step
                .why(
                    "It has run nothing since the move, what would restore it is suspended still, and nobody has written to its volumes: all of \
                     this is looked at once more. What it was is written down first.",
                )
                .run(&kubectl("get").args(["-o", "yaml"]).then("|", &ShellCommand::new("tee").args(["--", &record])))
                .run(&kubectl("delete").arg("--ignore-not-found")),
        };
        steps.push(step.needs(id::CONFIRM_DECOMMISSION));
    }
    for one in kept {
        let copies: Vec<&Volume<'_>> = volumes
            .iter()
            .filter(|volume| {
                volume.cluster == one.cluster && volume.namespace == one.namespace && volume.claim() == one.claim
            })
            .collect();
        if copies.is_empty() {
            continue;
        }
        let shown = format!("{}/{}", one.namespace, one.claim);
        let lies = one.facts.and_then(|facts| facts.lies.words.as_deref());
        let lies = lies.map_or_else(String::new, |words| format!(" Its data lies {}.", printable(words)));
        let mut step = Step::new(
            ids.name(&format!("{}{}", family::DECOMMISSION_CLAIM, one.id)),
            StepKind::Destroy,
            RunsOn::Cluster,
            format!("Delete the claim {shown}"),
        )
        .why(format!(
            "Its copy was verified, has been through a reboot and the soak, and is in the backup. Where the policy of the volume was \
             `Delete` before this plan, it is set back, so that the storage is freed as well; else the storage stays and is \
             freed by hand.{lies} Whatever still has it mounted stops this, and so does whoever has written to it since."
        ))
        .destroys("claim", &shown)
        .needs(id::CONFIRM_DECOMMISSION)
        .takes(60);
        for volume in &copies {
            step = step.needs(format!("{}{}", family::VERIFY, volume.id)).before(&super::data::is_verified(cx, volume));
            if let Some(check) = super::data::is_unchanged(cx, volume) {
                step = step.before(&check);
            }
        }
        let mut step = context::guarded(cx, one.cluster, step);
        for (writer, id_of) in writers.iter().zip(&of_writer) {
            if copies.iter().any(|volume| writer.uses(volume)) {
                step = step.needs(id_of);
            }
        }
        let run = script(cx, "delete-claim")
            .args([one.cluster.context, one.namespace, one.claim])
            .arg(one.policy_file(cx))
            .arg(one.volume_file(cx));
        let gone = within(one.cluster, one.namespace).args([
            "get",
            "--ignore-not-found",
            "-o",
            "name",
            &format!("persistentvolumeclaim/{}", one.claim),
        ]);
        let none = ShellCommand::new("grep").args(["-c", "."]).then("|", &ShellCommand::new("grep").args(["-qx", "0"]));
        steps.push(step.run(&run).after(&gone.then("|", &none)));
    }
    if !steps.is_empty() {
        let last: Vec<String> = steps.iter().map(|step| step.id().to_owned()).collect();
        let mut clusters: Vec<ClusterRef<'_>> = writers.iter().map(|writer| writer.cluster).collect();
        clusters.dedup();
        let look = |kinds: &str| {
            clusters
                .iter()
                .map(|cluster| format!("`{}`", cluster_wide(*cluster).args(["get", kinds, "-A"])))
                .collect::<Vec<_>>()
                .join("; ")
        };
        let end = Step::new(id::END_OF_MOVE, StepKind::Instruction, RunsOn::Person, "Say in the definition that the move is done")
            .parting()
            .why(format!(
                "Take `migrates-from` out of the services, and the cluster out of fleet.toml when nothing comes from it any more. Set the time to \
                 live of the names back to what is usual. What is left in the cluster shows in\n{}",
                look("deployments,statefulsets,daemonsets,cronjobs,persistentvolumeclaims,persistentvolumes")
            ))
            .takes(seconds::PERSON);
        steps.push(last.into_iter().fold(end, Step::needs));
    }
    steps
}
