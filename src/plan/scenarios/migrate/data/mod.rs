//! How the data of a volume moves: prepared, copied while the writers run, copied again when they have stopped, verified.
//!
//! Here belong the commands and scripts of one volume. Not here: when each of these steps comes (`migrate`), which sets ids and needs.
//! The work is done by three scripts (`templates/migrate`): `move.sh` on the deployer, `source.sh` where the volume can be read,
//! `target.sh` on the host. A step names the volume and what to do; everything else stands in the volume's own file beside them.
//!
//! Pods and claims that a step makes in the cluster are named `hostwright-*` and carry the label [`super::kubectl::OURS`]: who looks
//! whether writers are gone does not count them. The units of the services on the host are held (they cannot start) until the
//! volume is verified, those of a service excepted whose volumes all move by a dump: it runs, to take it.
//!
//! Invariant: nothing here writes to a volume of the cluster, and nothing on the host is removed that did not come from there.

mod manifests;
mod patterns;
mod values;

use std::collections::BTreeMap;

use super::context;
use super::ids::Ids;
use super::volume::{self, Volume};
use crate::fleet::cluster::ClusterFacts;
use crate::fleet::schema::migration::{Dump, DumpOf, ReadVia};
use crate::plan::reach::Reach;
use crate::plan::step::{RunsOn, Step, StepKind};
use crate::plan::{PlanCx, PlanError, Script, scripts, seconds};
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::printable;
use crate::text::ShellCommand;

/// What a volume is taken to hold where nobody says it, in bytes.
const UNKNOWN: u64 = 10 << 30;

/// What a disk reads for a comparison in a second, in bytes.
const READ: u64 = 100_000_000;

/// The steps of a volume. Their `needs` are wired by `migrate`; of the ids those of `first_copy`, `final_copy` and `verify` too.
#[derive(Debug)]
pub(super) struct DataSteps {
    /// What comes before the first copy, in order.
    pub(super) prepare: Vec<Step>,
    /// The copy while the writers run.
    pub(super) first_copy: Option<Step>,
    /// The copy, or the dump, after which nothing is written to the volume any more.
    pub(super) final_copy: Step,
    /// The comparison of both sides.
    pub(super) verify: Step,
    /// What comes once both sides are the same, in order.
    pub(super) cleanup: Vec<Step>,
    /// Whether the final copy reads from the running workload (a dump): then its clients are stopped before, itself after it.
    pub(super) reads_running: bool,
}

/// Makes the steps of a volume.
pub(super) fn steps(cx: &PlanCx<'_>, volume: &Volume<'_>) -> DataSteps {
    let dump = volume.def.dump.as_ref().map(|dump| &dump.value);
    let copied_twice = is_copied_twice(volume);
    let times = Times::of(cx.host, volume, copied_twice);
    let shown = volume.titled();
    let script = cx.reach.out("migrate/move.sh");
    let action = |verb: &str| ShellCommand::new("sh").arg(&script).args([&volume.id, verb]);
    let step = |id: &str, kind, title: String| Step::new(format!("{id}-{}", volume.id), kind, RunsOn::Cluster, title);
    let is_gone = volume.def.via.value == ReadVia::Backup;
    let title = if is_gone { "Make the place of" } else { "Make" };
    let end = if is_gone { "ready" } else { "readable, and its place ready" };
    let prepare = step("prepare", StepKind::Command, format!("{title} {shown} {end}"))
        .why(prepare_why(cx, volume))
        .run(&action("prepare"))
        .undo(&action("clean"))
        .takes(60);
    let (first_title, final_title) = match dump {
        Some(_) => (format!("Rehearse the dump of {shown}"), format!("Dump {shown} for good")),
        None => (format!("Copy {shown} while it is in use"), format!("Copy what has changed in {shown}")),
    };
    let first_copy = copied_twice.then(|| {
        step("first-copy", StepKind::Copy, first_title)
            .why(first_why(cx, volume))
            .run(&action("first"))
            .takes(times.first)
    });
    let final_title = if copied_twice { final_title } else { format!("Copy {shown}") };
    // What a dump replaces is what the rehearsal brought.
    let back = |step: Step| if dump.is_some() { step } else { step.undo(&action("put-back")) };
    let first_copy = first_copy.map(back);
    let final_copy = if is_gone {
        let title = format!("Restore {shown} from a copy of it");
        let step = Step::new(format!("final-copy-{}", volume.id), StepKind::Instruction, RunsOn::Person, title);
        step.why(restore_why(cx, volume)).takes(times.last)
    } else {
        back(
            step("final-copy", StepKind::Copy, final_title)
                .why(final_why(volume, copied_twice))
                .run(&action("final"))
                .takes(times.last),
        )
    };
    let title = if is_gone {
        format!("Look at what was restored of {shown}")
    } else {
        format!("Hold the copy of {shown} against it")
    };
    let verify = step("verify", StepKind::Verify, title)
        .why(verify_why(cx, volume))
        .run(&action("verify"))
        .after(&is_verified(cx, volume))
        .undo(&action("again"))
        .takes(times.verify);
    let (title, why) = match is_gone {
        true => (
            format!("Take away what {shown} was restored with"),
            "The lists on the host are not needed any more. The copies stay where they are.",
        ),
        false => (
            format!("Take away what {shown} was read through"),
            "The pod, the mount and the lists of the copy are not needed any more. The volume itself stays as it is.",
        ),
    };
    let close = step("close", StepKind::Command, title).why(why).run(&action("clean")).takes(30);
    // The comparison of files writes down how the volume is; a database writes until it has stopped.
    let seal = dump.map(|_| {
        step("seal", StepKind::Command, format!("Write down how {shown} is left"))
            .why(
                "The database has stopped. What its files are from here on is written down, not read, so that nothing is deleted that somebody \
                 writes later.",
            )
            .run(&action("seal"))
            .takes(seconds::LOOK)
    });
    let guarded = |step: Step| context::guarded(cx, volume.cluster, step);
    DataSteps {
        prepare: vec![guarded(prepare)],
        first_copy: first_copy.map(guarded),
        final_copy: guarded(final_copy),
        verify: guarded(verify),
        cleanup: seal.into_iter().chain([close]).map(guarded).collect(),
        reads_running: dump.is_some(),
    }
}

/// Returns a check that nobody has written to a volume since its copy was verified; none of what is gone.
pub(super) fn is_unchanged(cx: &PlanCx<'_>, volume: &Volume<'_>) -> Option<ShellCommand> {
    let check = || ShellCommand::new("sh").arg(cx.reach.out("migrate/move.sh")).args([&volume.id, "unchanged"]);
    (volume.def.via.value != ReadVia::Backup).then(check)
}

/// Returns a check that the comparison of a volume has found both sides the same.
pub(super) fn is_verified(cx: &PlanCx<'_>, volume: &Volume<'_>) -> ShellCommand {
    ShellCommand::new("test").args(["-s", &cx.reach.state(&format!("migrate/verified-{}.json", volume.id))])
}

/// Returns the files below `out/hosts/HOST/migrate/` that the steps work with.
pub(super) fn scripts(
    fleet: &Resolved<'_>,
    host: &ResolvedHost<'_>,
    clusters: &BTreeMap<String, ClusterFacts>,
) -> Result<Vec<Script>, PlanError> {
    let reach = Reach::of(host).ok_or_else(|| PlanError::NoTarget(host.name.to_owned()))?;
    let volumes = volume::volumes_of(fleet, host, clusters, &mut Ids::default());
    let templates = scripts::templates()?;
    let common = values::Common::of(host, &reach);
    let file = |name: String, text: String| Script { path: format!("migrate/{name}"), text };
    let mut files = Vec::new();
    for name in ["move.sh", "target.sh", "source.sh"] {
        files.push(file(name.to_owned(), templates.render(&format!("migrate/{name}.tera"), &common)?));
    }
    for kind in [DumpOf::Postgresql, DumpOf::Mysql, DumpOf::Mongodb, DumpOf::Redis] {
        let is_it = |volume: &Volume<'_>| {
            volume.def.dump.as_ref().is_some_and(|dump| matches!(&dump.value, Dump::Of(of) if *of == kind))
        };
        if volumes.iter().any(is_it) {
            let name = format!("{kind}.sh");
            let text = templates.render(&format!("migrate/{name}.tera"), &common)?;
            files.push(file(name, text));
        }
    }
    for volume in &volumes {
        let values = values::Values::of(host, volume, &volumes);
        files.push(file(format!("{}.sh", volume.id), templates.render("migrate/volume.sh.tera", &values)?));
        files.push(file(format!("{}.json", volume.id), values::head(volume)));
        let manifests = manifests::of(fleet, volume, values.pod());
        files.extend(manifests.into_iter().map(|(kind, text)| file(format!("{}.{kind}.json", volume.id), text)));
    }
    Ok(files)
}

/// Tells whether a volume is read while its writers run, too.
///
/// A dump by a command is known to nobody, so that it cannot be rehearsed; what one pod alone may mount
/// (`ReadWriteOncePod`) no second pod reads; a copy of what is gone does not change.
fn is_copied_twice(volume: &Volume<'_>) -> bool {
    let one_pod = volume.facts.is_some_and(|facts| facts.access.iter().any(|mode| mode == "ReadWriteOncePod"));
    match volume.def.dump.as_ref().map(|dump| &dump.value) {
        Some(Dump::Command(_)) => false,
        Some(Dump::Of(_)) => true,
        None => match volume.def.via.value {
            ReadVia::Pod => !one_pod,
            ReadVia::Node | ReadVia::Snapshot | ReadVia::Nfs => true,
            ReadVia::Backup => false,
        },
    }
}

/// How long each part takes, in seconds.
#[derive(Debug, Clone, Copy)]
struct Times {
    first: u64,
    last: u64,
    verify: u64,
}

impl Times {
    fn of(host: &ResolvedHost<'_>, volume: &Volume<'_>, copied_twice: bool) -> Self {
        let bytes = volume.used.unwrap_or(UNKNOWN);
        let whole = seconds::copying(host, bytes).max(1);
        if volume.def.dump.is_some() {
            // Written, carried and read in again.
            let both = whole.saturating_mul(2).saturating_add(30);
            return Self { first: both, last: both, verify: 30 };
        }
        // A tenth is taken to change between the copies; listing takes a while however little does.
        let last = if copied_twice { whole.div_ceil(10).saturating_add(30) } else { whole.saturating_add(30) };
        Self { first: whole.saturating_add(30), last, verify: bytes.div_ceil(READ).saturating_add(30) }
    }
}

/// Returns bytes as people say them, with three digits at most.
fn about(bytes: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if bytes < unit.saturating_mul(1000) || name == "TiB" {
            let tenths = bytes.saturating_mul(10) / unit;
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return if whole >= 10 || tenth == 0 {
                format!("{whole} {name}")
            } else {
                format!("{whole}.{tenth} {name}")
            };
        }
        unit = unit.saturating_mul(1024);
    }
    format!("{bytes} B")
}

fn prepare_why(cx: &PlanCx<'_>, volume: &Volume<'_>) -> String {
    let mut words = Vec::new();
    match (&volume.def.dump, volume.def.via.value) {
        (Some(_), _) => words.push("The scripts come onto the host, and the pod that the dump is taken in is found.".to_owned()),
        (None, ReadVia::Pod) => words.push(
            "The scripts come onto the host. A pod mounts the claim beside its user, read-only, on the same node; files are read through \
             `kubectl exec`. It runs as root, with the one right to read every file, and nothing else. Where the namespace allows no \
             such pod (Pod Security `restricted`), read by another way: `via = \"node\"`."
                .to_owned(),
        ),
        (None, ReadVia::Node) => words.push(
            "The scripts come onto the host. Files are read on the node that holds them, over ssh: the node's name has to be one \
             that your ssh knows, as root or with sudo."
                .to_owned(),
        ),
        (None, ReadVia::Snapshot) => words.push(
            "The scripts come onto the host. For each copy a snapshot of the volume becomes a claim of its own, which a pod reads: the \
             volume itself is not touched, and all of the copy is of one moment."
                .to_owned(),
        ),
        (None, ReadVia::Nfs) => words.push(
            "The scripts come onto the host, which mounts the export read-only: it has to be allowed there, and root has to stay root \
             (`no_root_squash`), or what root alone may read is missing."
                .to_owned(),
        ),
        (None, ReadVia::Backup) => {
            words.push("The scripts come onto the host, and its place is made ready. The volume itself is not asked.".to_owned());
        }
    }
    if let Some(said) = volume.facts.and_then(|facts| facts.lies.words.as_deref()) {
        words.push(format!("Its data lies {}.", printable(said)));
    }
    let requested = volume.facts.and_then(|facts| facts.requested);
    if let (Some(used), Some(requested)) = (&volume.def.used, requested)
        && used.bytes() < requested
    {
        let requested = about(requested);
        let is_part = !volume.def.paths.is_empty() || volume.def.sub_path.is_some();
        let what = if is_part { "of it move" } else { "of it are in use" };
        words.push(format!("It asks for {requested}, and {} {what}.", used.value));
    }
    words.extend(too_small(cx, volume));
    words.join(" ")
}

/// Says that the place has less room than the volume needs, as far as the definition tells.
fn too_small(cx: &PlanCx<'_>, volume: &Volume<'_>) -> Option<String> {
    let (pool, name) = volume.dataset.as_deref()?.split_once('/')?;
    let pool = cx.host.pools.iter().find(|known| known.name == pool)?;
    let dataset = pool.def.value.datasets.iter().find(|(known, _)| *known == name).map(|(_, def)| &def.value);
    let quota =
        dataset.and_then(|dataset| dataset.refquota.as_ref().or(dataset.quota.as_ref())).map(|size| size.bytes());
    let room = [quota, pool.usable_bytes()].into_iter().flatten().min()?;
    let needs = volume.used.filter(|needs| *needs > room)?;
    let verb = if volume.def.used.is_some() { "holds" } else { "asks for" };
    Some(format!(
        "It {verb} {}, and its place has room for {} at most: the copy is refused before a byte comes if that is not enough.",
        about(needs),
        about(room)
    ))
}

fn first_why(cx: &PlanCx<'_>, volume: &Volume<'_>) -> String {
    let (rate, is_said) = seconds::copy_rate(cx.host);
    let rate = about(rate);
    let source =
        if is_said { "as `deploy.copy-rate` says" } else { "which is a guess: `deploy.copy-rate` says better" };
    let known = match (volume.used, &volume.def.used) {
        (Some(bytes), Some(_)) => format!("{} are reckoned with", about(bytes)),
        (Some(bytes), None) => format!("{} are reckoned with, since it asks for that much", about(bytes)),
        (None, _) => format!("{} are reckoned with, since nobody says how much it holds", about(UNKNOWN)),
    };
    let what = match &volume.def.dump {
        Some(_) => {
            "Nothing stops yet. The database here is filled from a dump as it will be for good, so that what it cannot take \
             (an extension, a locale, a newer version's syntax) shows before anybody waits; it rests again afterwards."
        }
        None => {
            "Nothing stops yet: most of the bytes come while the service is in use, and only what changes until then comes in the \
             downtime. Databases of SQLite, told by their header, wait for the final copy."
        }
    };
    format!("{what} It prints how fast it was. {known}, at {rate} a second, {source}.")
}

fn final_why(volume: &Volume<'_>, copied_twice: bool) -> String {
    match volume.def.dump.as_ref().map(|dump| &dump.value) {
        Some(Dump::Of(_)) => "Its clients have stopped, the database runs for this alone. The dump replaces what the rehearsal brought; rows \
                              and keys are counted on that side, for the comparison."
            .to_owned(),
        Some(Dump::Command(_)) => "Its clients have stopped, the database runs for this alone. The command's output comes onto the host with a \
                                   checksum; only you know how it is brought in."
            .to_owned(),
        None => {
            let again = if copied_twice {
                "The writers have stopped. What differs in size, time, owner, mode or links comes, what is gone there goes here; it is \
                 repeated until nothing differs."
            } else {
                "The writers have stopped, and nobody else has the volume. It is repeated until nothing differs."
            };
            let behind = if volume.def.paths.is_empty() && volume.def.exclude.is_empty() {
                ""
            } else {
                " What stays behind is listed, and shown."
            };
            format!("{again}{behind}")
        }
    }
}

fn restore_why(cx: &PlanCx<'_>, volume: &Volume<'_>) -> String {
    let copies: Vec<String> = volume
        .def
        .backups
        .iter()
        .map(|copy| {
            let note = copy.note.as_ref().map(|note| format!(": {}", printable(&note.value))).unwrap_or_default();
            format!("- of {}, {}{note}", copy.taken.value, printable(&copy.at.value))
        })
        .collect();
    let (to, host) = (volume.def.to.as_str(), cx.host.name);
    let restored = cx.reach.state(&format!("migrate/restored-{}", volume.id));
    format!(
        "The volume is gone, and with it what was written after the copy that is restored. The copies, the newest first:\n{}\nTake the newest \
         that can be read to its end, and bring what it holds to {to} on {host}. Where only the program itself reads it, put the file there now, \
         and restore it in the program as soon as that runs, before anybody uses it. Then write on the deployer which copy it was, as one line of \
         the file {restored}. Throw none of the others away.",
        copies.join("\n")
    )
}

fn verify_why(cx: &PlanCx<'_>, volume: &Volume<'_>) -> String {
    let verified = cx.reach.state(&format!("migrate/verified-{}.json", volume.id));
    let what = match volume.def.dump.as_ref().map(|dump| &dump.value) {
        Some(Dump::Of(DumpOf::Redis)) => "The keys of every database are counted here as they were there, those that expire left out.".to_owned(),
        Some(Dump::Of(DumpOf::Mongodb)) => "The documents of every collection are counted here as they were there.".to_owned(),
        Some(Dump::Of(_)) => "The rows of every table are counted here as they were there, and views, routines and sequences.".to_owned(),
        Some(Dump::Command(_)) => format!(
            "Nobody but you can tell: bring the dump into the service, look whether all is there, then make the file {}.",
            cx.reach.state(&format!("migrate/restored-{}", volume.id))
        ),
        None if volume.def.via.value == ReadVia::Backup => {
            "There is no other side to hold it against: it is looked at that files are there, and noted which copy they came from."
                .to_owned()
        }
        None => "Both sides are listed and read again: every path, kind, size, time, mode, owner, link, extended attribute, and the SHA-256 of \
                 every file. One different byte fails, with the file's name. Databases of SQLite are asked whether they are whole."
            .to_owned(),
    };
    format!("{what} The result lies in {verified}; without it nothing is ever removed from the cluster.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_as_people_say_them() {
        let said = [0, 999, 1 << 20, 10_000_000, (38 << 30) + 1, u64::MAX].map(about);
        assert_eq!(said, ["0 B", "999 B", "1 MiB", "9.5 MiB", "38 GiB", "1677721 TiB"]);
    }
}
