//! The order of steps: by what they need, and among those that could come next the one that was declared first.

use std::collections::{BTreeMap, BTreeSet};

use super::step::Step;
use crate::source::{nearest, quoted};

/// Why steps have no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two steps have one id.
    #[error("there are two steps {}", quoted(.0))]
    Duplicate(String),
    /// A step needs one that is not there.
    #[error("the step {} needs {}, which is no step{}", quoted(.step), quoted(.need), near(.nearest.as_deref()))]
    Unknown {
        /// The step.
        step: String,
        /// What it needs.
        need: String,
        /// The nearest id there is.
        nearest: Option<String>,
    },
    /// Steps need each other in a circle; the first one stands at both ends.
    #[error("steps need each other: {}", path(.0))]
    Cycle(Vec<String>),
}

fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |id| format!(" (nearest: {})", quoted(id)))
}

fn path(ids: &[String]) -> String {
    ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(" -> ")
}

/// Puts steps into an order in which each comes after what it needs (Kahn's algorithm with an ordered queue).
///
/// Steps that nothing forces apart keep the order in which they were declared; those that a person does once the plan is over come last.
pub(super) fn order(steps: Vec<Step>) -> Result<Vec<Step>, Vec<GraphError>> {
    let errors = faults(&steps);
    if !errors.is_empty() {
        return Err(errors);
    }
    let places: BTreeMap<&str, usize> = steps.iter().enumerate().map(|(at, step)| (step.id.as_str(), at)).collect();
    let mut waiting: Vec<usize> = Vec::with_capacity(steps.len());
    let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        let needs: BTreeSet<usize> = step.needs.iter().filter_map(|need| places.get(need.as_str()).copied()).collect();
        waiting.push(needs.len());
        for need in needs {
            followers.entry(need).or_default().push(at);
        }
    }
    let turn = |at: usize| (steps.get(at).is_some_and(|step| step.parting), at);
    let mut ready: BTreeSet<(bool, usize)> =
        waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| turn(at)).collect();
    let mut ordered = Vec::with_capacity(steps.len());
    while let Some((_, at)) = ready.pop_first() {
        ordered.push(at);
        for follower in followers.remove(&at).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(follower) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(turn(follower));
                }
            }
        }
    }
    let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    Ok(ordered.into_iter().filter_map(|at| slots.get_mut(at).and_then(Option::take)).collect())
}

/// Returns everything that keeps steps from having an order.
pub(super) fn faults(steps: &[Step]) -> Vec<GraphError> {
    let mut errors = Vec::new();
    let mut ids = BTreeSet::new();
    for step in steps {
        if !ids.insert(step.id.as_str()) {
            errors.push(GraphError::Duplicate(step.id.clone()));
        }
    }
    for step in steps {
        for need in &step.needs {
            if !ids.contains(need.as_str()) {
                let nearest = nearest(need, ids.iter().copied()).first().map(|id| (*id).to_owned());
                errors.push(GraphError::Unknown { step: step.id.clone(), need: need.clone(), nearest });
            }
        }
    }
    if errors.is_empty() {
        errors.extend(cycle(steps).map(GraphError::Cycle));
    }
    errors
}

/// Finds a circle of needs, from the first declared step that is in one.
fn cycle(steps: &[Step]) -> Option<Vec<String>> {
    let by_id: BTreeMap<&str, &Step> = steps.iter().map(|step| (step.id.as_str(), step)).collect();
    // What remains after taking away all that needs nothing that remains.
    let mut left: BTreeSet<&str> = by_id.keys().copied().collect();
    loop {
        let free: Vec<&str> = left
            .iter()
            .copied()
            .filter(|id| by_id.get(id).is_none_or(|step| !step.needs.iter().any(|need| left.contains(need.as_str()))))
            .collect();
        if free.is_empty() {
            break;
        }
        for id in free {
            left.remove(id);
        }
    }
    let mut at = steps.iter().map(|step| step.id.as_str()).find(|id| left.contains(id))?;
    // Every step that is left needs one that is left: following them leads into a circle.
    let mut walked: Vec<&str> = Vec::new();
    loop {
        if let Some(start) = walked.iter().position(|id| *id == at) {
            let mut circle: Vec<String> = walked.iter().skip(start).map(|id| (*id).to_owned()).collect();
            circle.push(at.to_owned());
            return Some(circle);
        }
        walked.push(at);
        at = by_id.get(at)?.needs.iter().map(String::as_str).find(|need| left.contains(need))?;
    }
}

/// Takes out of steps that are in order what they need through something else that they need.
pub(super) fn reduced(mut steps: Vec<Step>) -> Vec<Step> {
    let places: BTreeMap<String, usize> = steps.iter().enumerate().map(|(at, step)| (step.id.clone(), at)).collect();
    let mut before: Vec<BTreeSet<usize>> = Vec::with_capacity(steps.len());
    for step in &mut steps {
        let needs: Vec<usize> = step.needs.iter().filter_map(|need| places.get(need).copied()).collect();
        let through = |need: usize| needs.iter().any(|other| before.get(*other).is_some_and(|all| all.contains(&need)));
        let kept: BTreeSet<usize> = needs.iter().copied().filter(|need| !through(*need)).collect();
        step.needs.retain(|need| places.get(need).is_some_and(|at| kept.contains(at)));
        let mut all: BTreeSet<usize> = kept.iter().filter_map(|need| before.get(*need)).flatten().copied().collect();
        all.extend(kept);
        before.push(all);
    }
    steps
}

/// Answers which steps come before which, through any number of others.
#[derive(Debug)]
pub(super) struct Ancestors<'s> {
    by_id: BTreeMap<&'s str, &'s Step>,
}

impl<'s> Ancestors<'s> {
    /// Takes the steps of a plan.
    pub(super) fn of(steps: &'s [Step]) -> Self {
        Self { by_id: steps.iter().map(|step| (step.id.as_str(), step)).collect() }
    }

    /// Returns every step that a step needs, directly or not.
    pub(super) fn before(&self, id: &str) -> BTreeSet<&'s str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&'s str> = self.needs(id).collect();
        while let Some(need) = open.pop() {
            if found.insert(need) {
                open.extend(self.needs(need));
            }
        }
        found
    }

    fn needs(&self, id: &str) -> impl Iterator<Item = &'s str> + use<'s> {
        self.by_id.get(id).copied().into_iter().flat_map(|step| step.needs.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::step::{RunsOn, StepKind};

    #[test]
    fn what_is_done_once_the_plan_is_over_comes_last() {
        let step = |id: &str| Step::new(id, StepKind::Command, RunsOn::Deployer, id);
        let steps = vec![step("a"), step("told").needs("a").parting(), step("b").needs("a"), step("c").needs("b")];
        let ids: Vec<String> = order(steps).unwrap().into_iter().map(|step| step.id).collect();
        assert_eq!(ids, ["a", "b", "c", "told"]);
    }

    fn step(id: &str, needs: &[&str]) -> Step {
        needs.iter().fold(Step::new(id, StepKind::Command, RunsOn::Deployer, id), |step, need| step.needs(*need))
    }

    fn ids(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn a_circle_is_shown_as_a_path_that_returns() {
        let error =
            order(vec![step("x", &[]), step("a", &["b", "x"]), step("b", &["c"]), step("c", &["b"])]).unwrap_err();
        assert_eq!(error, [GraphError::Cycle(vec!["b".into(), "c".into(), "b".into()])]);
        assert_eq!(error[0].to_string(), "steps need each other: `b` -> `c` -> `b`");
    }

    #[test]
    fn unknown_needs_and_double_ids_are_all_told() {
        let error = order(vec![step("export", &[]), step("export", &[]), step("boot", &["exprt"])]).unwrap_err();
        let said: Vec<String> = error.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["there are two steps `export`", "the step `boot` needs `exprt`, which is no step (nearest: `export`)"]
        );
    }

    #[test]
    fn steps_that_nothing_forces_apart_keep_their_order() {
        let steps = order(vec![step("z", &[]), step("b", &["c"]), step("a", &[]), step("c", &[])]).unwrap();
        assert_eq!(ids(&steps), ["z", "a", "c", "b"]);
    }

    /// Steps `s0`, `s1`, … of which each needs some of those before it.
    fn acyclic() -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..20).prop_map(|rows| {
            rows.iter()
                .enumerate()
                .map(|(at, needs)| {
                    let needs: Vec<String> =
                        needs.iter().filter(|_| at > 0).map(|need| format!("s{}", need.index(at))).collect();
                    step(&format!("s{at}"), &needs.iter().map(String::as_str).collect::<Vec<_>>())
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn every_step_comes_after_what_it_needs_however_they_are_declared(
            (_, shuffled) in acyclic().prop_flat_map(|steps| (Just(steps.clone()), Just(steps).prop_shuffle()))
        ) {
            let count = shuffled.len();
            let ordered = order(shuffled).unwrap();
            prop_assert_eq!(ordered.len(), count);
            let mut seen = BTreeSet::new();
            for step in &ordered {
                prop_assert!(step.needs.iter().all(|need| seen.contains(need)));
                seen.insert(step.id.clone());
            }
            // An order is its own order.
            prop_assert_eq!(order(ordered.clone()).unwrap(), ordered);
        }

        #[test]
        fn a_chain_has_one_order_however_it_is_declared(
            shuffled in Just((0..12).map(|at: usize| match at {
                0 => step("s0", &[]),
                _ => step(&format!("s{at}"), &[&format!("s{}", at - 1)]),
            }).collect::<Vec<_>>()).prop_shuffle()
        ) {
            let ordered = order(shuffled).unwrap();
            let wanted: Vec<String> = (0..12).map(|at| format!("s{at}")).collect();
            prop_assert_eq!(ids(&ordered), wanted.iter().map(String::as_str).collect::<Vec<_>>());
        }

        #[test]
        fn any_steps_have_an_order_or_a_reason_and_never_a_panic(
            rows in prop::collection::vec((0..6usize, prop::collection::vec(0..8usize, 0..4)), 0..12)
        ) {
            let steps: Vec<Step> = rows
                .iter()
                .map(|(id, needs)| {
                    let needs: Vec<String> = needs.iter().map(|need| format!("s{need}")).collect();
                    step(&format!("s{id}"), &needs.iter().map(String::as_str).collect::<Vec<_>>())
                })
                .collect();
            match order(steps.clone()) {
                Ok(ordered) => prop_assert_eq!(ordered.len(), steps.len()),
                Err(errors) => prop_assert!(!errors.is_empty()),
            }
        }
    }
}
