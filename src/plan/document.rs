//! The plan as a document: its head, its steps in order, and its two digests.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::downtime::Downtime;
use super::gates;
use super::line::Line;
use super::reach::Reach;
use super::scenario::Scenario;
use super::step::Step;
use crate::source::{hex, sha256};

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// A plan of which every gate is in place.
///
/// It is made by [`super::make`] alone; [`super::load`] returns one that was made, never one that was merely read.
/// Serialised, it has the JSON form that is stable.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON form")]
pub struct Plan {
    version: u32,
    tool_version: String,
    host: String,
    scenario: Scenario,
    inputs_sha256: String,
    plan_sha256: String,
    steps: Vec<Step>,
    /// Of a migration, when which service is down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    downtime: Vec<Downtime>,
    /// The way to the machine, which tells what a line of a step is; no part of the JSON form.
    #[serde(skip)]
    reach: Option<Reach>,
    /// How large what is destroyed is, by `disk:<id>`; no part of the JSON form.
    #[serde(skip)]
    sizes: BTreeMap<String, String>,
}

/// What a plan says about itself, the steps aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) tool_version: String,
    pub(super) host: String,
    pub(super) scenario: Scenario,
    pub(super) inputs_sha256: String,
}

impl Plan {
    /// Seals steps that are in order; the caller has verified the gates.
    pub(super) fn seal(head: Head, steps: Vec<Step>, downtime: Vec<Downtime>) -> Self {
        let Head { tool_version, host, scenario, inputs_sha256 } = head;
        let plan_sha256 = String::new();
        let version = VERSION;
        let (reach, sizes) = (None, BTreeMap::new());
        let mut plan =
            Self { version, tool_version, host, scenario, inputs_sha256, plan_sha256, steps, downtime, reach, sizes };
        plan.plan_sha256 = digest(&serde_json::to_value(&plan).unwrap_or_default());
        plan
    }

    /// Adds the way to the machine, and how large its disks are.
    pub(super) fn reached_by(self, reach: Reach, sizes: BTreeMap<String, String>) -> Self {
        Self { reach: Some(reach), sizes, ..self }
    }

    /// Returns how large something is that a step destroys, as people write it; none where the definition does not say.
    pub fn size_of(&self, destroyed: &str) -> Option<&str> {
        self.sizes.get(destroyed).map(String::as_str)
    }

    /// Tells what a command line of one of its steps is to whoever runs it.
    pub fn line(&self, line: &str) -> Line {
        self.reach.as_ref().map_or_else(|| Line::Shell(line.to_owned()), |reach| reach.line(line))
    }

    /// Returns the digest of each step, as (id, first 16 hexadecimal digits of the sha256 of its canonical JSON).
    pub fn step_digests(&self) -> Vec<(String, String)> {
        let digest = |step: &Step| {
            let full = digest(&serde_json::to_value(step).unwrap_or_default());
            full.chars().take(16).collect()
        };
        self.steps.iter().map(|step| (step.id.clone(), digest(step))).collect()
    }

    /// Returns the ids of all steps that need a step, directly or not.
    pub fn dependents(&self, id: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        // Steps stand after what they need, so that one pass is enough.
        for step in &self.steps {
            if step.needs.iter().any(|need| need == id || found.contains(need.as_str())) {
                found.insert(step.id.as_str());
            }
        }
        found
    }

    /// Returns the version of the JSON form.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Returns the version of the program that made it.
    pub fn tool_version(&self) -> &str {
        &self.tool_version
    }

    /// Returns the host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns what it is a plan for.
    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// Returns the digest of the files it was made from, as hexadecimal digits.
    pub fn inputs_sha256(&self) -> &str {
        &self.inputs_sha256
    }

    /// Returns the digest of the plan itself, as hexadecimal digits.
    pub fn plan_sha256(&self) -> &str {
        &self.plan_sha256
    }

    /// Returns the steps, each after what it needs.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns when which service is down, in the order in which they stop; nothing where none moves.
    pub fn downtime(&self) -> &[Downtime] {
        &self.downtime
    }

    /// Returns the step of an id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// Returns a step's number, from 1.
    pub fn number(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == id).map(|at| at + 1)
    }

    /// Returns what a step holds back as long as it has not passed, in words; none when it is no gate.
    pub fn gate(&self, step: &Step) -> Option<&'static str> {
        gates::mark(self.scenario, step)
    }

    /// Returns how long all steps take one after the other, soaks aside, in seconds.
    pub fn working_seconds(&self) -> u64 {
        self.seconds(|step| step.kind != super::StepKind::Soak)
    }

    /// Returns how long the plan waits and watches, in seconds.
    pub fn soaking_seconds(&self) -> u64 {
        self.seconds(|step| step.kind == super::StepKind::Soak)
    }

    fn seconds(&self, counted: impl Fn(&Step) -> bool) -> u64 {
        self.steps.iter().filter(|step| counted(step)).map(|step| step.expected_seconds).fold(0, u64::saturating_add)
    }

    /// Returns the first step that destroys something: until it begins there is a way back.
    pub fn first_destroying(&self) -> Option<&Step> {
        self.steps.iter().find(|step| !step.destroys.is_empty())
    }
}

/// Returns the sha256 of a plan's canonical JSON without `plan_sha256`, as hexadecimal digits.
///
/// Canonical: keys of every object sorted by their bytes, no white space between tokens, UTF-8, in strings only `"`, `\`
/// and control characters below U+0020 escaped (`\b \f \n \r \t`, others as `\u00xx` in lower case). As all numbers of a
/// plan are integers, this is the form of RFC 8785.
pub(super) fn digest(plan: &serde_json::Value) -> String {
    let mut plan = plan.clone();
    if let Some(object) = plan.as_object_mut() {
        object.remove("plan_sha256");
    }
    plan.sort_all_objects();
    sha256(plan.to_string())
}

/// Returns the sha256 of the files that a plan is made from, as hexadecimal digits.
///
/// Of each file, sorted by path: the path, a NUL, the number of its bytes in decimal, a NUL, its bytes.
pub(super) fn digest_of_inputs(inputs: &[(String, &str)]) -> String {
    let mut sorted: Vec<(&str, &str)> = inputs.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    sorted.sort_unstable();
    let mut sha = Sha256::new();
    for (path, text) in sorted {
        sha.update(path);
        sha.update([0]);
        sha.update(text.len().to_string());
        sha.update([0]);
        sha.update(text);
    }
    hex(&sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_sorted_json_without_white_space_and_without_itself() {
        let plan = serde_json::json!({ "z": ["é\u{1}\n\"", 1], "plan_sha256": "x", "a": { "c": 1, "b": 2 } });
        let canonical = "{\"a\":{\"b\":2,\"c\":1},\"z\":[\"é\\u0001\\n\\\"\",1]}";
        assert_eq!(digest(&plan), sha256(canonical));
    }

    #[test]
    fn the_order_of_inputs_does_not_count_but_their_paths_and_borders_do() {
        let of = |files: &[(&str, &'static str)]| {
            digest_of_inputs(&files.iter().map(|(path, text)| ((*path).to_owned(), *text)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
        assert_ne!(of(&[("a", "1"), ("b", "2")]), of(&[("a", "12"), ("b", "")]));
        assert_ne!(of(&[("a", "1")]), of(&[("b", "1")]));
    }
}
