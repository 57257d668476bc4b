//! One step of a plan, and how it is put together.

use std::collections::BTreeMap;

use super::role::Role;
use crate::text::ShellCommand;

/// Declares a closed set of words that a plan's JSON form holds.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the word that stands for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Returns the value of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use words;

words! {
    /// What a step does.
    pub enum StepKind {
        /// Changes something.
        Command = "command",
        /// Brings files from one machine to another.
        Copy = "copy",
        /// Looks, and stops the plan when it sees something else than it should.
        Verify = "verify",
        /// A person does it.
        Instruction = "instruction",
        /// Reboots a system that is known to be good, so that the way back is proven.
        BaselineBoot = "baseline-boot",
        /// Reboots into the candidate, judges it from outside and inside, and comes back by itself when it fails.
        RebootTest = "reboot-test",
        /// Destroys what its `destroys` names.
        Destroy = "destroy",
        /// Waits while something is watched.
        Soak = "soak",
    }
}

words! {
    /// Where a step takes effect. Its command lines are typed on the deployer all the same.
    pub enum RunsOn {
        /// The machine that evaluates, builds and activates.
        Deployer = "deployer",
        /// The host's own system.
        Target = "target",
        /// The rescue system or installer on the host.
        Rescue = "rescue",
        /// A Kubernetes cluster.
        Cluster = "cluster",
        /// A person.
        Person = "person",
    }
}

/// A step of a plan.
///
/// The fields are in the order of the JSON form. Command lines are only taken as [`ShellCommand`]s, so that every word
/// from a definition is quoted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    pub(super) id: String,
    pub(super) kind: StepKind,
    pub(super) title: String,
    pub(super) why: String,
    pub(super) needs: Vec<String>,
    pub(super) runs_on: RunsOn,
    pub(super) run: Vec<String>,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
    pub(super) undo: Vec<String>,
    pub(super) destroys: Vec<String>,
    pub(super) expected_seconds: u64,
    /// How long it may take at most where that is far from what is expected, in seconds; no part of the JSON form.
    #[serde(skip)]
    pub(super) may_take: u64,
    /// The heading; no part of the JSON form.
    #[serde(skip)]
    pub(super) phase: Option<String>,
    /// Whether a person does it once the plan is over, since it changes what the plan is made from; no part of the JSON form.
    #[serde(skip)]
    pub(super) parting: bool,
    /// What lines are for, where more than their exit status hangs on them; no part of the JSON form.
    #[serde(skip)]
    pub(super) roles: BTreeMap<(Part, usize), Role>,
}

/// A list of lines of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Run,
    After,
    Undo,
}

impl Step {
    /// Returns a step that does nothing yet.
    pub(super) fn new(id: impl Into<String>, kind: StepKind, runs_on: RunsOn, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            title: title.into(),
            why: String::new(),
            needs: Vec::new(),
            runs_on,
            run: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            undo: Vec::new(),
            destroys: Vec::new(),
            expected_seconds: 0,
            may_take: 0,
            phase: None,
            parting: false,
            roles: BTreeMap::new(),
        }
    }

    /// Says why the step is there; of an instruction also what the person does.
    #[must_use]
    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// Names a step that comes before.
    #[must_use]
    pub(super) fn needs(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        if !self.needs.contains(&id) {
            self.needs.push(id);
        }
        self
    }

    /// Adds a command line.
    #[must_use]
    pub(super) fn run(mut self, command: &ShellCommand) -> Self {
        self.run.push(command.to_string());
        self
    }

    /// Adds command lines.
    #[must_use]
    pub(super) fn run_all<'c>(self, commands: impl IntoIterator<Item = &'c ShellCommand>) -> Self {
        commands.into_iter().fold(self, Self::run)
    }

    /// Adds a command line and says what it is for.
    #[must_use]
    pub(super) fn run_as(mut self, role: Role, command: &ShellCommand) -> Self {
        self.roles.insert((Part::Run, self.run.len()), role);
        self.run(command)
    }

    /// Adds command lines that say what they are for.
    #[must_use]
    pub(super) fn run_roles<'c>(self, commands: impl IntoIterator<Item = &'c (Role, ShellCommand)>) -> Self {
        commands.into_iter().fold(self, |step, (role, command)| step.run_as(*role, command))
    }

    /// Adds command lines of other steps as they are.
    #[must_use]
    pub(super) fn run_lines(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.run.extend(lines);
        self
    }

    /// Says under which heading it stands where the plan is read.
    #[must_use]
    pub(super) fn phase(mut self, phase: impl Into<String>) -> Self {
        self.phase = Some(phase.into());
        self
    }

    /// Says that a person does it once the plan is over, since it changes what the plan is made from.
    #[must_use]
    pub(super) fn parting(mut self) -> Self {
        self.parting = true;
        self
    }

    /// Adds a check that must succeed before.
    #[must_use]
    pub(super) fn before(mut self, command: &ShellCommand) -> Self {
        self.before.push(command.to_string());
        self
    }

    /// Adds a check that must succeed after.
    #[must_use]
    pub(super) fn after(mut self, command: &ShellCommand) -> Self {
        self.after.push(command.to_string());
        self
    }

    /// Adds a check that must succeed after, and says what it is for.
    #[must_use]
    pub(super) fn after_as(mut self, role: Role, command: &ShellCommand) -> Self {
        self.roles.insert((Part::After, self.after.len()), role);
        self.after(command)
    }

    /// Adds a command of the way back and says what it is for.
    #[must_use]
    pub(super) fn undo_as(mut self, role: Role, command: &ShellCommand) -> Self {
        self.roles.insert((Part::Undo, self.undo.len()), role);
        self.undo(command)
    }

    /// Adds a command of the way back.
    #[must_use]
    pub(super) fn undo(mut self, command: &ShellCommand) -> Self {
        self.undo.push(command.to_string());
        self
    }

    /// Names something that is gone afterwards: `disk:<id>`, `pool:<name>`, `claim:<namespace>/<name>`.
    #[must_use]
    pub(super) fn destroys(mut self, what: &str, name: &str) -> Self {
        self.destroys.push(format!("{what}:{name}"));
        self
    }

    /// Says how long it takes.
    #[must_use]
    pub(super) fn takes(mut self, seconds: u64) -> Self {
        self.expected_seconds = seconds;
        self
    }

    /// Says how long it may take at most, where nobody knows before how much there is to do.
    #[must_use]
    pub(super) fn may_take(mut self, seconds: u64) -> Self {
        self.may_take = seconds;
        self
    }

    /// Returns its id, which other steps need it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns what it does.
    pub fn kind(&self) -> StepKind {
        self.kind
    }

    /// Returns what it is called: a short phrase.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Tells whether a person does it once the plan is over.
    pub fn is_parting(&self) -> bool {
        self.parting
    }

    /// Returns why it is there.
    pub fn reason(&self) -> &str {
        &self.why
    }

    /// Returns the ids of the steps that come before.
    pub fn needed(&self) -> &[String] {
        &self.needs
    }

    /// Returns where it takes effect.
    pub fn runs_on(&self) -> RunsOn {
        self.runs_on
    }

    /// Returns its command lines, typed on the deployer in the fleet's folder; none for what a person does.
    pub fn commands(&self) -> &[String] {
        &self.run
    }

    /// Returns the checks that must succeed before.
    pub fn checks_before(&self) -> &[String] {
        &self.before
    }

    /// Returns the checks that must succeed after.
    pub fn checks_after(&self) -> &[String] {
        &self.after
    }

    /// Returns the way back, as commands.
    pub fn way_back(&self) -> &[String] {
        &self.undo
    }

    /// Returns what a command line is for, by its place from 0.
    pub fn role(&self, line: usize) -> Role {
        self.role_of(Part::Run, line)
    }

    /// Returns what a check behind it is for, by its place from 0.
    pub fn role_after(&self, check: usize) -> Role {
        self.role_of(Part::After, check)
    }

    /// Returns the line of the way back that is for something.
    pub fn way_back_for(&self, role: Role) -> Option<&str> {
        let at = (0..self.undo.len()).find(|at| self.role_of(Part::Undo, *at) == role)?;
        self.undo.get(at).map(String::as_str)
    }

    fn role_of(&self, part: Part, at: usize) -> Role {
        self.roles.get(&(part, at)).copied().unwrap_or_default()
    }

    /// Returns what is gone afterwards.
    pub fn destroyed(&self) -> &[String] {
        &self.destroys
    }

    /// Returns the heading under which it stands.
    pub fn heading(&self) -> Option<&str> {
        self.phase.as_deref()
    }

    /// Returns how long it is given at least before it counts as stuck, in seconds; 0 where its kind decides.
    pub fn patience(&self) -> u64 {
        self.may_take
    }

    /// Returns how long it is expected to take.
    pub fn expected_seconds(&self) -> u64 {
        self.expected_seconds
    }
}
