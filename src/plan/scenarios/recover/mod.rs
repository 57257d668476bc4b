//! Scenario recover: the host is gone, and comes back on new or blank disks, from its definition and its backups.
//!
//! The backups are looked at before a disk is touched. The machine is installed as in every first install, with the host keys and secrets
//! that it had, and passes its reboot test. Then its data comes back service by service, in the order in which others need them; each is
//! held from the reboot test until what it restores is the same as in its backup, byte for byte. A second reboot test shows
//! that the machine comes back with it.
//!
//! Here belongs the order; `sources` has what comes from where, `order` who is first.

mod backups;
mod order;
mod scripts;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub(super) use self::sources::is_of;
use self::sources::{DUMPS, REST, Source, Sources};
use super::migrate::hold;
use super::{install, on};
use crate::fleet::schema::backup::{Backup, Database};
use crate::plan::gates::restore;
use crate::plan::parts::{Proven, Recovery};
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::plan::{PlanCx, PlanError, Script, seconds};
use crate::resolve::{Dump, ResolvedHost, ResolvedService};
use crate::text::ShellCommand;

/// The headings under which the steps are read.
const BACKUPS: &str = "The backups";
const MACHINE: &str = "The machine";
const DATA: &str = "The data";
const AGAIN: &str = "Prove it again, with the data";

/// How long a restore may take before it counts as stuck, in seconds: nobody knows before how much there is, and a connection that
/// says nothing any more is noticed by itself.
const PATIENCE: u64 = 3 * 86_400;

/// Returns the files that the plan works with: a script for each backup of files.
pub(in crate::plan) fn files(host: &ResolvedHost<'_>) -> Result<Vec<Script>, PlanError> {
    scripts::scripts(host)
}

/// Makes the steps.
pub(super) fn steps(cx: &PlanCx<'_>) -> Proven {
    let sources = Sources::of(cx.host);
    let looks = sources.files.iter().map(|source| backups::look(cx, source)).chain(backups::account(cx, &sources));
    let looks: Vec<Step> = looks.map(|step| step.phase(BACKUPS)).collect();
    let (machine, runs_already) = install::proven(cx);
    let mut back = Recovery::new(machine.under(MACHINE), looks);

    let all: Vec<(&str, &Backup)> = cx.host.def.backup.iter().map(|(name, def)| (name.as_str(), &def.value)).collect();
    let held = held(cx, &sources);
    for (name, def) in &all {
        back.hold(backups::hold(cx, name, def).phase(DATA));
    }
    for service in order::by_need(cx.host).into_iter().filter(|service| held.contains(service.name)) {
        back.hold(hold_service(cx, service).phase(DATA));
    }
    if let Some(step) = backups::bring(cx, &sources) {
        back.bring(step.phase(DATA));
    }
    for (name, def) in &sources.snapshots {
        let datasets = sources.by_hand(cx.host, def);
        if !datasets.is_empty() {
            back.restore(backups::snapshots(cx, name, def, &datasets).phase(DATA));
        }
    }
    let loads = databases(cx, &sources, &mut back);
    for service in order::by_need(cx.host).into_iter().filter(|service| held.contains(service.name)) {
        for step in service_steps(cx, &sources, service, &held, &loads) {
            back.restore(step.phase(DATA));
        }
    }
    for source in &sources.files {
        if let Some(thing) = source.thing(REST) {
            let title = format!("the rest of {}", source.name);
            let name = format!("{REST}-{}", source.name);
            let takes = sources::takes(cx.host, thing);
            for step in restored(cx, source, REST, &name, &title, takes) {
                // What others need does not wait for what nobody does.
                let step = order::by_need(cx.host)
                    .iter()
                    .filter(|service| held.contains(service.name))
                    .fold(step, |step, service| step.needs(start_id(service)));
                back.restore(step.phase(DATA));
            }
        }
    }
    let verifies = sources.files.iter().filter_map(|source| {
        let verify = source.def.drill.as_ref()?.verify.as_ref()?;
        let command = ShellCommand::of_words(&verify.value.0)?;
        let run = ShellCommand::new("cd").arg("/").then("&&", &command);
        let step = Step::new(
            format!("{}drill-{}", restore::VERIFY, source.name),
            StepKind::Verify,
            RunsOn::Target,
            format!("Ask what the drill of {} asks", source.name),
        );
        Some(
            step.why("The definition knows what a good restore looks like: its drill asks it of every one.")
                .run(&on(cx, &run))
                .takes(seconds::LOOK),
        )
    });
    for step in verifies.collect::<Vec<_>>() {
        back.last(step.phase(DATA));
    }
    let release = backups::release(cx, &all).map(|step| step.phase(DATA));
    let looks: Vec<Step> = install::looks(cx).into_iter().map(|step| step.phase(AGAIN)).collect();
    let again = install::again(cx).phase(AGAIN);
    let mut proven = back.end(release, again, looks);
    proven.then(install::learn(cx, runs_already).phase(AGAIN));
    proven
}

/// Returns the services that wait for their data: those with data to come, and whoever needs one of them.
fn held<'h>(cx: &PlanCx<'h>, sources: &Sources<'_>) -> BTreeSet<&'h str> {
    let host = cx.host;
    let mut held: BTreeSet<&str> = host
        .running()
        .filter(|service| hold::can_be_held(service) && !is_dumped(sources, service))
        .filter(|service| sources.of_service(service.name).is_some() || !by_hand(cx, sources, service).is_empty())
        .map(|service| service.name)
        .collect();
    loop {
        let needs_held = |service: &&ResolvedService<'_>| {
            let needs = order::needs(host, service);
            !held.contains(service.name)
                && hold::can_be_held(service)
                && needs.iter().any(|need| held.contains(need.name) || is_dumped(sources, need))
        };
        let more: Vec<&str> = host.running().filter(needs_held).map(|service| service.name).collect();
        if more.is_empty() {
            return held;
        }
        held.extend(more);
    }
}

/// Returns the steps of a person that a service waits for: those of snapshots in which its state lies.
fn by_hand(cx: &PlanCx<'_>, sources: &Sources<'_>, service: &ResolvedService<'_>) -> Vec<String> {
    let lies_in = |datasets: &[String]| {
        service.state.iter().any(|state| {
            let dataset = cx.host.mount_of(&state.path).and_then(|mount| mount.source.dataset());
            sources.of_service(service.name).is_none() && dataset.is_some_and(|dataset| datasets.contains(&dataset))
        })
    };
    let of = sources.snapshots.iter().filter(|(_, def)| lies_in(&sources.by_hand(cx.host, def)));
    of.map(|(name, _)| format!("{}by-hand-{name}", restore::RESTORE)).collect()
}

/// Tells whether a service is a database that a dump is loaded into: it has to run for that.
fn is_dumped(sources: &Sources<'_>, service: &ResolvedService<'_>) -> bool {
    sources.files.iter().flat_map(|source| &source.dumps).any(|dump| is_of(service, dump))
}

fn hold_service(cx: &PlanCx<'_>, service: &ResolvedService<'_>) -> Step {
    hold::hold(cx, service, &format!("{}service-{}", restore::HOLD, service.name))
}

fn start_id(service: &ResolvedService<'_>) -> String {
    format!("{}{}", restore::START, service.name)
}

/// The steps that restore a thing and hold it against its backup.
fn restored(cx: &PlanCx<'_>, source: &Source<'_>, thing: &str, name: &str, title: &str, takes: u64) -> [Step; 2] {
    let paths = source.thing(thing).map_or_else(String::new, |thing| thing.paths.join(", "));
    let restore = Step::new(format!("{}{name}", restore::RESTORE), StepKind::Copy, RunsOn::Target, format!("Restore {title}"))
        .why(format!(
            "{paths}: from {}, the archive that was looked at. What the empty service has written there is put away first, and nothing is \
             restored into too little room.",
            source.name
        ))
        .run(&backups::script(cx, source, &["restore", thing]))
        .takes(takes)
        .may_take(PATIENCE);
    let verify = Step::new(
        format!("{}{name}", restore::VERIFY),
        StepKind::Verify,
        RunsOn::Target,
        format!("Compare {title} with the backup"),
    )
    .why("Every file, byte for byte, with owners, modes and times: nothing starts on data that differs.")
    .needs(restore.id())
    .run(&backups::script(cx, source, &["verify", thing]))
    .takes(takes)
    .may_take(PATIENCE);
    [restore, verify]
}

/// Adds the steps of dumps: restored, loaded, asked for. Returns the last step of each backup's, and of each file of SQLite.
fn databases<'a>(cx: &PlanCx<'_>, sources: &'a Sources<'_>, back: &mut Recovery) -> Vec<(&'a Dump<'a>, String)> {
    let mut loads = Vec::new();
    for source in &sources.files {
        let Some(thing) = source.thing(DUMPS) else { continue };
        let name = format!("{DUMPS}-{}", source.name);
        let steps = restored(
            cx,
            source,
            DUMPS,
            &name,
            &format!("the dumps of {}", source.name),
            sources::takes(cx.host, thing),
        );
        let verified = steps[1].id().to_owned();
        for step in steps {
            back.restore(step.phase(DATA));
        }
        for dump in &source.dumps {
            let number = dump.number.to_string();
            let id = format!("{}{}-{number}", restore::LOAD, source.name);
            let what = dump.database.map_or_else(|| dump.file.clone(), str::to_owned);
            let unit = match dump.kind {
                Database::Postgresql => Some("postgresql.service"),
                Database::Mysql => Some("mysql.service"),
                Database::Mongodb => Some("mongodb.service"),
                Database::Sqlite => None,
            };
            let step = Step::new(id.as_str(), StepKind::Command, RunsOn::Target, format!("Load the dump of {what}"))
                .why("A dump is whole, where files that were copied under a running database may not be. Its clients are held.")
                .needs(verified.as_str());
            let step = unit.into_iter().fold(step, |step, unit| {
                step.run(&on(cx, &ShellCommand::new("systemctl").args(["start", "--", unit])))
            });
            let mut step = step
                .run(&backups::script(cx, source, &["load", &number]))
                .after(&backups::script(cx, source, &["verify-load", &number]))
                .takes(sources::takes(cx.host, thing))
                .may_take(PATIENCE);
            // A file of SQLite lies among the files of its service, which come first.
            let owner = dump.database.filter(|_| dump.kind == Database::Sqlite).and_then(|path| {
                let holds = |thing: &&sources::Thing| {
                    ![DUMPS, REST].contains(&thing.name.as_str())
                        && thing.paths.iter().any(|above| crate::units::lies_in(path, above))
                };
                source.things.iter().find(holds)
            });
            if let Some(owner) = owner {
                step = step.needs(format!("{}service-{}", restore::VERIFY, owner.name));
            }
            loads.push((dump, id));
            back.restore(step.phase(DATA));
        }
    }
    loads
}

/// The steps of a service: restored, compared, started, asked.
fn service_steps(
    cx: &PlanCx<'_>,
    sources: &Sources<'_>,
    service: &ResolvedService<'_>,
    held: &BTreeSet<&str>,
    loads: &[(&Dump<'_>, String)],
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut before: Vec<String> = Vec::new();
    if let Some((source, thing)) = sources.of_service(service.name) {
        let takes = sources::takes(cx.host, thing);
        let [restore, verify] =
            restored(cx, source, service.name, &format!("service-{}", service.name), service.name, takes);
        let restore =
            restore.before(&hold::is_held(cx, service)).needs(format!("{}service-{}", restore::HOLD, service.name));
        before.push(verify.id().to_owned());
        steps.extend([restore, verify]);
    }
    for (dump, id) in loads {
        let own_file = dump
            .database
            .is_some_and(|path| service.state.iter().any(|state| crate::units::lies_in(path, &state.path)));
        // Who asks a server for its data is not always known. What others need first is known to need none, unless it says so.
        let asks = dump.kind != Database::Sqlite
            && (!order::is_first(service) || order::needs(cx.host, service).iter().any(|need| is_of(need, dump)));
        if asks || own_file {
            before.push(id.clone());
        }
    }
    before.extend(by_hand(cx, sources, service));
    before.extend(
        order::needs(cx.host, service).iter().filter(|need| held.contains(need.name)).map(|need| start_id(need)),
    );
    before.push(format!("{}service-{}", restore::HOLD, service.name));
    let why = "Its data is there and the same as in the backup, and what it needs has started.";
    let start = hold::started(cx, service, &start_id(service), true, why);
    steps.push(before.into_iter().fold(start, Step::needs));
    let questions = hold::questions(cx, service);
    if !questions.is_empty() {
        let probe = Step::new(
            format!("{}{}", restore::ASK, service.name),
            StepKind::Verify,
            RunsOn::Target,
            format!("Ask {}", service.name),
        )
        .why("It answers, with its data.")
        .needs(start_id(service))
        .run_all(&questions)
        .takes(seconds::LOOK);
        steps.push(probe);
    }
    steps
}
