//! Plans of hand-made steps, for tests of what carries plans out. No gate is verified and no fleet is there.

use super::document::{Head, Plan};
use super::reach::{Reach, Who};
use super::role::Role;
use super::scenario::Scenario;
use super::step::{RunsOn, Step, StepKind};
use crate::text::ShellCommand;

/// A step as a test writes it.
#[derive(Debug, Clone)]
pub(crate) struct Sketch(Step);

impl Sketch {
    /// Begins a step that runs on the deployer.
    pub(crate) fn new(id: &str, kind: StepKind) -> Self {
        Self(Step::new(id, kind, RunsOn::Deployer, format!("Do {id}")).why("Since a test wants it.").takes(1))
    }

    pub(crate) fn on_host(mut self) -> Self {
        self.0.runs_on = RunsOn::Target;
        self
    }

    pub(crate) fn parting(self) -> Self {
        Self(self.0.parting())
    }

    pub(crate) fn needs(self, id: &str) -> Self {
        Self(self.0.needs(id))
    }

    pub(crate) fn takes(self, seconds: u64) -> Self {
        Self(self.0.takes(seconds))
    }

    pub(crate) fn run(mut self, line: impl Into<String>) -> Self {
        self.0.run.push(line.into());
        self
    }

    pub(crate) fn run_as(self, role: Role, line: &'static str) -> Self {
        Self(self.0.run_as(role, &ShellCommand::from_raw(line)))
    }

    pub(crate) fn after_as(self, role: Role, line: &'static str) -> Self {
        Self(self.0.after_as(role, &ShellCommand::from_raw(line)))
    }

    pub(crate) fn undo_as(self, role: Role, line: &'static str) -> Self {
        Self(self.0.undo_as(role, &ShellCommand::from_raw(line)))
    }

    pub(crate) fn before(mut self, line: impl Into<String>) -> Self {
        self.0.before.push(line.into());
        self
    }

    pub(crate) fn after(mut self, line: impl Into<String>) -> Self {
        self.0.after.push(line.into());
        self
    }

    pub(crate) fn undo(mut self, line: impl Into<String>) -> Self {
        self.0.undo.push(line.into());
        self
    }

    pub(crate) fn destroys(mut self, what: &str) -> Self {
        self.0.destroys.push(what.to_owned());
        self
    }
}

fn reach() -> Reach {
    Reach::to("a", "root@a.example")
}

/// Returns a line that runs a text on the host's own system.
pub(crate) fn remote(text: &str) -> String {
    reach().run(Who::System, &ShellCommand::new("sh").args(["-c", text])).to_string()
}

/// Makes a plan of the host `a`.
pub(crate) fn plan(steps: Vec<Sketch>) -> Plan {
    let head = Head {
        tool_version: "0.1.0".to_owned(),
        host: "a".to_owned(),
        scenario: Scenario::Install,
        inputs_sha256: String::new(),
    };
    let sizes = [("disk:ata-X_SERIAL1".to_owned(), "2 TB".to_owned())];
    let steps = steps.into_iter().map(|sketch| sketch.0).collect();
    Plan::seal(head, steps, Vec::new()).reached_by(reach(), sizes.into())
}
