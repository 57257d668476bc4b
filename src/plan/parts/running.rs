//! The parts of plans for a machine that runs: another generation, and the reboot test alone.

use super::{
    AccessGate, BaselineBoots, BuildSystem, CheckDefinition, CheckReady, CopyRebootScripts, CopySystem, PoolContract,
    Proven, RebootTestStep, RecordHostKeys, ShowChanges, SnapshotState, WayBack, wire,
};
use crate::plan::gates;
use crate::plan::step::Step;

/// The candidate: built, on the machine, and known by what it changes.
#[derive(Debug)]
pub(in crate::plan) struct Candidate {
    pub(in crate::plan) build: BuildSystem,
    pub(in crate::plan) copy: CopySystem,
    pub(in crate::plan) changes: ShowChanges,
    pub(in crate::plan) contract: PoolContract,
}

/// Everything that must have happened before another generation is the default of a machine that runs.
#[derive(Debug)]
pub(in crate::plan) struct UpdateParts {
    pub(in crate::plan) definition: CheckDefinition,
    pub(in crate::plan) keys: RecordHostKeys,
    pub(in crate::plan) reboot_scripts: CopyRebootScripts,
    pub(in crate::plan) candidate: Candidate,
    pub(in crate::plan) access: AccessGate,
    /// None where the loader cannot boot an entry once.
    pub(in crate::plan) ready: Option<CheckReady>,
    pub(in crate::plan) baseline: BaselineBoots,
    /// None where no data is taken over by another version.
    pub(in crate::plan) snapshot: Option<SnapshotState>,
    pub(in crate::plan) reboot_test: RebootTestStep,
}

impl UpdateParts {
    /// Puts the parts together and wires what they need by the gates. The headings are those of the candidate, the way back, the test.
    pub(in crate::plan) fn assemble(self, [candidate, way_back, test]: [&str; 3]) -> Proven {
        let Candidate { build, copy, changes, contract } = self.candidate;
        let mut steps =
            vec![self.definition.0, self.keys.0, build.0, copy.0, self.reboot_scripts.0, changes.0, contract.0];
        steps = under(candidate, steps);
        steps.extend(under(way_back, leading_back(self.access, self.ready, self.baseline)));
        let tests = self.snapshot.map(|snapshot| snapshot.0).into_iter().chain([self.reboot_test.0]);
        steps.extend(under(test, tests.collect()));
        wired(steps)
    }
}

/// The reboot test alone, of the system that boots by default.
#[derive(Debug)]
pub(in crate::plan) struct AloneParts {
    pub(in crate::plan) definition: CheckDefinition,
    pub(in crate::plan) keys: RecordHostKeys,
    pub(in crate::plan) reboot_scripts: CopyRebootScripts,
    pub(in crate::plan) access: AccessGate,
    /// None where the loader cannot boot an entry once.
    pub(in crate::plan) ready: Option<CheckReady>,
    pub(in crate::plan) baseline: BaselineBoots,
    /// None where the baseline boots are all that is wanted.
    pub(in crate::plan) reboot_test: Option<RebootTestStep>,
}

impl AloneParts {
    /// Puts the parts together and wires what they need by the gates.
    pub(in crate::plan) fn assemble(self) -> Proven {
        let mut steps = vec![self.definition.0, self.keys.0, self.reboot_scripts.0];
        steps.extend(leading_back(self.access, self.ready, self.baseline));
        steps.extend(self.reboot_test.map(|test| test.0));
        wired(steps)
    }
}

fn leading_back(access: AccessGate, ready: Option<CheckReady>, baseline: BaselineBoots) -> Vec<Step> {
    let way_back = match baseline.way_back {
        WayBack::Once(step) => step.0,
        WayBack::Watched(step) => step.0,
    };
    let ready = ready.map(|ready| ready.0);
    std::iter::once(access.0).chain(ready).chain([way_back, baseline.default.0]).collect()
}

fn under(heading: &str, steps: Vec<Step>) -> Vec<Step> {
    steps.into_iter().map(|step| step.phase(heading)).collect()
}

fn wired(mut steps: Vec<Step>) -> Proven {
    wire(&mut steps, &[gates::INSTALL, gates::update::BETWEEN]);
    Proven { steps, spans: Vec::new() }
}
