//! The parts of plans that delete: nothing goes before it was looked at, listed, and agreed to.

use super::{
    BuildInstaller, CheckDefinition, CheckDisks, CompareFingerprint, ConfirmDisks, CopyScripts, Installer, Proven,
    RecordHostKeys, ScanKey, StartInstaller, wire,
};
use crate::plan::gates::{self, id};
use crate::plan::step::Step;

/// What a migration has left behind.
#[derive(Debug)]
pub(in crate::plan) struct LeftBehind {
    pub(in crate::plan) definition: CheckDefinition,
    /// Looks at the cluster, the migration's journal, the last listing; all of them come before anybody confirms.
    pub(in crate::plan) before: Vec<Step>,
    /// None where nothing is left.
    pub(in crate::plan) confirm: Option<Step>,
    pub(in crate::plan) destroy: Vec<Step>,
}

impl LeftBehind {
    /// Puts the parts together.
    pub(in crate::plan) fn assemble(self) -> Proven {
        let Self { definition, before, confirm, destroy } = self;
        let before: Vec<Step> = before.into_iter().map(|step| step.needs(id::CHECK_DEFINITION)).collect();
        let confirm = confirm.map(|confirm| before.iter().fold(confirm, |step, look| step.needs(look.id.clone())));
        let mut steps: Vec<Step> = std::iter::once(definition.0).chain(before).chain(confirm).chain(destroy).collect();
        // What the steps of a migration need beside is in its own plan, whose journal is looked at first.
        let known: Vec<String> = steps.iter().map(|step| step.id.clone()).collect();
        for step in &mut steps {
            step.needs.retain(|need| known.contains(need));
        }
        Proven { steps, spans: Vec::new() }
    }
}

/// The way to a machine whose disks are wiped: another system runs on it, and it is known which machine that is.
#[derive(Debug)]
pub(in crate::plan) struct Rescue {
    pub(in crate::plan) installer: Installer,
    pub(in crate::plan) scripts: CopyScripts,
    pub(in crate::plan) check: CheckDisks,
    pub(in crate::plan) confirm: ConfirmDisks,
    pub(in crate::plan) heading: &'static str,
}

/// A host that goes for good.
#[derive(Debug)]
pub(in crate::plan) struct Retirement {
    pub(in crate::plan) definition: CheckDefinition,
    pub(in crate::plan) keys: RecordHostKeys,
    pub(in crate::plan) needed: Step,
    pub(in crate::plan) stop: Step,
    pub(in crate::plan) backup: Step,
    pub(in crate::plan) listing: Step,
    pub(in crate::plan) soak: Step,
    pub(in crate::plan) rescue: Rescue,
    pub(in crate::plan) wipe: Vec<Step>,
    pub(in crate::plan) end: Step,
}

impl Retirement {
    /// Puts the parts together and wires what they need by the gates.
    pub(in crate::plan) fn assemble(self) -> Proven {
        let Self { definition, keys, needed, stop, backup, listing, soak, rescue, wipe, end } = self;
        let Rescue {
            installer,
            scripts: CopyScripts(scripts),
            check: CheckDisks(check),
            confirm: ConfirmDisks(confirm),
            heading,
        } = rescue;
        let Installer {
            build,
            start: StartInstaller(start),
            scan: ScanKey(scan),
            compare: CompareFingerprint(compare),
        } = installer;
        let wipe: Vec<Step> = wipe.into_iter().map(|step| step.needs(id::CONFIRM_DISKS)).collect();
        let end = wipe.iter().fold(end, |step, one| step.needs(one.id.clone()));
        let rescue =
            build.map(|BuildInstaller(step)| step).into_iter().chain([start, scan, compare, scripts, check, confirm]);
        let rescue = rescue.map(|step| step.phase(heading));
        let mut steps: Vec<Step> = vec![definition.0, keys.0, needed, stop, backup, listing, soak];
        steps.extend(rescue);
        steps.extend(wipe);
        steps.push(end);
        wire(&mut steps, &[gates::INSTALL, gates::decommission::RETIRE]);
        Proven { steps, spans: Vec::new() }
    }
}
