//! The pool contract: a candidate that cannot import the pools is not booted, and neither is one that could make them unreadable for
//! whatever has to boot after it.

use std::collections::BTreeSet;

use crate::plan::parts::PoolContract;
use crate::plan::scenarios::install;
use crate::plan::{PlanCx, seconds};
use crate::resolve::{SystemRole, ZfsSystem};

/// Returns the systems that go on to import the pools, whatever becomes of the candidate.
fn others<'a>(cx: &'a PlanCx<'_>) -> impl Iterator<Item = &'a ZfsSystem> {
    cx.host.systems.iter().filter(|system| matches!(system.role, SystemRole::Rollback | SystemRole::Rescue))
}

/// Makes the step.
pub(super) fn step(cx: &PlanCx<'_>) -> PoolContract {
    let title = "Hold the pools against every system that may boot next";
    let lead = "A pool whose active features a system does not know is not imported, or imported read-only: that host does not come back.";
    // A release whose OpenZFS nobody knows has no older one than the release before it: what that knows, it knows.
    let line = |system: &ZfsSystem| system.zfs.or(system.at_least).and_then(|zfs| cx.facts.zfs().line(zfs));
    let candidate = cx.host.systems.iter().find(|system| system.role == SystemRole::New);
    let Some((candidate, features)) = candidate.and_then(|system| Some((system, line(system)?.features))) else {
        return PoolContract::new(title, |step| {
            step.why(format!(
                "{lead} The facts do not say which OpenZFS the candidate has, so nothing can compare for you. On the machine: `zpool get \
                 all` lists the features; each that is `active` must stand in zpool-features(7) of the candidate's OpenZFS and of the one \
                 that runs. A machine without pools needs nothing of this. `zfs` of the channel in fleet.toml makes this step a check."
            ))
            .takes(seconds::PERSON)
        })
        .by_person();
    };
    let known: Vec<_> = others(cx).filter_map(|system| Some((system, line(system)?.features))).collect();
    let shared: Option<BTreeSet<&str>> =
        known.iter().map(|(_, features)| features.names().collect()).reduce(|one: BTreeSet<&str>, two| &one & &two);
    let rule = "Features that are active must be known to all of these; one that is merely enabled, that the candidate knows and the others \
                do not, would be made active by it and close the way back:";
    let said = |system: &ZfsSystem| match (system.zfs, system.at_least) {
        (Some(zfs), _) => format!("{}, OpenZFS {zfs}", system.name),
        (None, Some(zfs)) => format!("{}, OpenZFS {zfs} or a newer one", system.name),
        (None, None) => format!("{}, whose OpenZFS nothing says", system.name),
    };
    let mut lines = vec![
        format!("- the candidate: {}, {} features", said(candidate), features.len()),
        "- the system that runs: what its kernel module says when this step runs".to_owned(),
    ];
    lines.extend(others(cx).map(|system| format!("- {}", said(system))));
    let why = format!("{lead} {rule}\n{}", lines.join("\n"));
    let of_candidate = features.names().collect::<Vec<_>>().join(" ");
    let of_others = shared.map(|names| names.into_iter().collect::<Vec<_>>().join(" "));
    let arguments: Vec<&str> = std::iter::once(of_candidate.as_str()).chain(of_others.as_deref()).collect();
    PoolContract::new(title, |step| {
        step.why(why).run(&install::script(cx, "contract", &arguments)).takes(seconds::LOOK)
    })
}
