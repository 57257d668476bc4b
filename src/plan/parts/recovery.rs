//! The parts of a recovery: nothing is restored onto a machine that has not passed its reboot test, and nothing is wiped before a backup
//! was looked at.

use super::Proven;
use crate::plan::gates::id;
use crate::plan::step::Step;

/// A proven machine and backups that were looked at: data can come back.
#[derive(Debug)]
pub(in crate::plan) struct Recovery {
    proven: Proven,
    held: Vec<String>,
    brought: Option<String>,
    restored: Vec<String>,
}

impl Recovery {
    /// Joins the machine's steps and the looks at its backups, which come before anything of the machine is touched.
    pub(in crate::plan) fn new(mut proven: Proven, looks: Vec<Step>) -> Self {
        let machine = std::mem::take(&mut proven.steps);
        let (checked, machine): (Vec<Step>, Vec<Step>) =
            machine.into_iter().partition(|step| step.id == id::CHECK_DEFINITION);
        let looked: Vec<String> = looks.iter().map(|step| step.id.clone()).collect();
        let first = [id::START_INSTALLER, id::CONFIRM_DISKS, id::RUNS_ALREADY];
        let machine = machine.into_iter().map(|step| match first.contains(&step.id.as_str()) {
            true => looked.iter().fold(step, Step::needs),
            false => step,
        });
        let looks = looks.into_iter().map(|step| step.needs(id::CHECK_DEFINITION));
        proven.steps = checked.into_iter().chain(looks).chain(machine).collect();
        Self { proven, held: Vec::new(), brought: None, restored: Vec::new() }
    }

    /// Adds a step that keeps something from running until its data is back.
    pub(in crate::plan) fn hold(&mut self, step: Step) {
        self.held.push(step.id.clone());
        self.proven.then(step.needs(id::REBOOT_TEST));
    }

    /// Adds the step that brings what restores.
    pub(in crate::plan) fn bring(&mut self, step: Step) {
        self.brought = Some(step.id.clone());
        self.proven.then(step.needs(id::REBOOT_TEST));
    }

    /// Adds a step of what comes back; each needs everything to be held.
    pub(in crate::plan) fn restore(&mut self, step: Step) {
        let step = self.held.iter().chain(&self.brought).fold(step.needs(id::REBOOT_TEST), Step::needs);
        self.restored.push(step.id.clone());
        self.proven.then(step);
    }

    /// Adds a step behind everything that came back so far.
    pub(in crate::plan) fn last(&mut self, step: Step) {
        let step = self.restored.iter().fold(step.needs(id::REBOOT_TEST), Step::needs);
        self.proven.then(step.clone());
        self.restored.push(step.id);
    }

    /// Adds the end: backups are made again, the machine comes back with its data, and is looked at.
    pub(in crate::plan) fn end(mut self, release: Option<Step>, reboot_test: Step, looks: Vec<Step>) -> Proven {
        if let Some(step) = release {
            self.last(step);
        }
        self.last(reboot_test);
        for step in looks {
            self.proven.then(step.needs(id::REBOOT_TEST_AFTER_DATA));
        }
        self.proven
    }
}
