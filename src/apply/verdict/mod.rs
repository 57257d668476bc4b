//! The verdict on a step that boots: what it came to, of each of its boots how long the host was away and what was found.
//!
//! It is made from the plan's marks and what the journal holds of the step's lines, so that a run that was cut off leads to the same one.

mod file;
mod outcome;
mod said;

use serde::{Deserialize, Serialize};

pub(super) use file::write;
pub use outcome::Outcome;
use outcome::{Known, outcome};
pub(super) use outcome::{may_answer, needs_judge};
use said::Said;

use super::state::{Ended, StepState};
use crate::plan::gates::id::CHECK_READY;
use crate::plan::{BootKind, Plan, Role, Step, StepKind};

/// Which line of a step ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// A check before it.
    Before,
    /// One of its lines, from 0.
    Line(usize),
    /// A check behind it, from 0.
    After(usize),
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With an exit status.
    Exit(i32),
    /// It took too long.
    Late,
    /// The machine could not be reached, or its answer got lost.
    Lost,
}

/// What ended a step before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broke {
    pub(super) at: Spot,
    pub(super) end: End,
}

/// Something that was asked of the host from outside, or a check behind a boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The line.
    pub line: String,
    /// Whether it was answered as it should be.
    pub passed: bool,
}

/// What was found on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The exit status of `judge.sh`: 0 well, 1 damage, 2 the old generation, 3 another one.
    pub status: i32,
    /// The system that ran, as a store path.
    pub system: Option<String>,
    /// Each damage.
    pub damages: Vec<String>,
}

/// A boot of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Boot {
    /// Which boot.
    pub kind: BootKind,
    /// The boot id before it.
    pub boot_id_before: Option<String>,
    /// The boot id that answered; none when none did.
    pub boot_id_after: Option<String>,
    /// How long the host was away or was watched in vain, in seconds; none when that is not known.
    pub seconds_away: Option<u64>,
    /// How long it may be away, in seconds.
    pub seconds_allowed: u64,
    /// How long of that the deployer was without its own network, in seconds.
    pub seconds_unseen: u64,
    /// What was asked from outside.
    pub asked: Vec<Asked>,
    /// What was found on the host; none when it was not judged.
    pub judged: Option<Judged>,
    /// Whether it was confirmed.
    pub confirmed: bool,
}

/// A verdict, as state/HOST/reboot-test.json holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The version of this form.
    pub version: u32,
    /// The host.
    pub host: String,
    /// What the plan is for.
    pub scenario: String,
    /// The step, by its id.
    pub step: String,
    /// The plan's digest.
    pub plan_sha256: String,
    /// What it came to.
    pub outcome: Outcome,
    /// Why, where it did not pass.
    pub why: Option<String>,
    /// When it was given, in UTC, as the clock of the deployer showed it.
    pub at: String,
    /// The system that was tested, as a store path; none when that is not known.
    pub candidate: Option<String>,
    /// The last good system before, as a store path; none when that is not known.
    pub old: Option<String>,
    /// Its boots, in their order; none where it was on record that they have passed.
    pub boots: Vec<Boot>,
    /// What is known of the boot that failed: files below the fleet's folder.
    pub evidence: Vec<String>,
    /// What of that explains it, as phrases.
    pub findings: Vec<String>,
    /// Whether the trial was taken away from every disk; none when nothing was armed.
    pub disarmed: Option<bool>,
}

/// The part of a verdict that the journal holds for the page and the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What it came to.
    pub outcome: Outcome,
    /// Its boots.
    #[serde(default)]
    pub boots: Vec<Away>,
}

/// How long a boot took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// Which boot.
    pub kind: String,
    /// How long the host was away, in seconds; none when that is not known.
    pub seconds_away: Option<u64>,
    /// How long it may be away, in seconds.
    pub seconds_allowed: u64,
}

/// Returns what explains a failure, of what was printed as evidence.
pub(super) fn findings(evidence: &str) -> Vec<String> {
    Said::read(evidence).findings
}

impl Verdict {
    /// Returns the part that the journal holds.
    pub(super) fn summary(&self) -> Summary {
        let away = |boot: &Boot| Away {
            kind: boot.kind.as_str().to_owned(),
            seconds_away: boot.seconds_away,
            seconds_allowed: boot.seconds_allowed,
        };
        Summary { outcome: self.outcome, boots: self.boots.iter().map(away).collect() }
    }
}

/// Tells whether a step gets a verdict: one that boots, and the look before it when that fails.
pub(super) fn is_given(step: &Step, failed: bool) -> bool {
    matches!(step.kind(), StepKind::BaselineBoot | StepKind::RebootTest) || (failed && step.id() == CHECK_READY)
}

/// What is known of a step that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// What the journal holds.
    pub(super) state: &'a StepState,
    /// The checks behind it that ran, with their places.
    pub(super) checks: &'a [(usize, Ended)],
    /// What ended it; none when nothing did.
    pub(super) broke: Option<Broke>,
    /// How a judge ended that was asked since the line that failed does not tell which generation runs.
    pub(super) judge: Option<&'a Ended>,
}

/// Gives the verdict on a step, without evidence.
pub(super) fn of(plan: &Plan, step: &Step, facts: Facts<'_>, at: String) -> Verdict {
    let mut found = Found::default();
    for line in 0..step.commands().len() {
        found.line(step, line, facts.state);
    }
    for (check, ended) in facts.checks {
        found.check(step, *check, ended);
    }
    if let Some(judge) = facts.judge {
        found.judge(judge);
    }
    let known = Known {
        judged: facts.judge.map(|judge| judge.status),
        blind: found.boots.last().map_or(0, |boot| boot.seconds_unseen),
        has_booted: found.has_booted,
    };
    Verdict {
        version: 1,
        host: plan.host().to_owned(),
        scenario: plan.scenario().as_str().to_owned(),
        step: step.id().to_owned(),
        plan_sha256: plan.plan_sha256().to_owned(),
        outcome: outcome(step, facts.broke.as_ref(), known),
        why: None,
        at,
        candidate: found.candidate,
        old: found.old,
        boots: found.boots,
        evidence: Vec::new(),
        findings: Vec::new(),
        disarmed: None,
    }
}

/// What the lines of a step have told so far.
#[derive(Debug, Default)]
struct Found {
    boots: Vec<Boot>,
    /// Whether the lines at hand belong to the last one of the boots; not where it is left out.
    is_booting: bool,
    has_booted: bool,
    candidate: Option<String>,
    old: Option<String>,
}

impl Found {
    fn line(&mut self, step: &Step, line: usize, state: &StepState) {
        let ended = state.ended.get(&line);
        let began = state.lines.contains_key(&line);
        let role = step.role(line);
        match role {
            Role::Reboot => self.has_booted |= ended.is_some_and(|ended| ended.status == 0),
            Role::Wait { kind, may, .. } if began => self.wait(kind, may, ended),
            _ => {}
        }
        let Some(ended) = ended else { return };
        let boot = self.boots.last_mut().filter(|_| self.is_booting);
        match (role, boot) {
            (Role::Record, _) => {
                self.is_booting = false;
                self.old = self.old.take().or_else(|| Said::read(&ended.tail).text("system"));
            }
            (Role::Arm, _) => {
                let said = Said::read(&ended.tail);
                self.candidate = said.text("new").or_else(|| self.candidate.take());
                self.old = said.text("old").or_else(|| self.old.take());
            }
            (Role::Watch, Some(boot)) => {
                let line = step.commands().get(line).cloned().unwrap_or_default();
                boot.asked.push(Asked { line, passed: ended.status == 0 });
            }
            (Role::Judge, Some(_)) => self.judge(ended),
            (Role::Confirm, Some(boot)) => boot.confirmed = ended.status == 0,
            _ => {}
        }
    }

    fn wait(&mut self, kind: BootKind, may: u64, ended: Option<&Ended>) {
        let said = ended.map(|ended| Said::read(&ended.tail)).unwrap_or_default();
        // Where it is on record that the boot has passed, the line does nothing.
        self.is_booting = said.is_there || ended.is_none_or(|ended| ended.status != 0);
        if !self.is_booting {
            return;
        }
        self.has_booted = true;
        self.boots.push(Boot {
            kind,
            boot_id_before: said.text("before"),
            boot_id_after: said.text("after"),
            seconds_away: said.number("away"),
            seconds_allowed: may,
            seconds_unseen: said.number("blind").unwrap_or(0),
            asked: Vec::new(),
            judged: None,
            confirmed: false,
        });
    }

    /// A check behind the last boot.
    fn check(&mut self, step: &Step, check: usize, ended: &Ended) {
        if step.role_after(check) == Role::Judge {
            return self.judge(ended);
        }
        let line = step.checks_after().get(check).cloned().unwrap_or_default();
        if let Some(boot) = self.boots.last_mut() {
            boot.asked.push(Asked { line, passed: ended.status == 0 });
        }
    }

    fn judge(&mut self, ended: &Ended) {
        let said = Said::read(&ended.tail);
        let Some(boot) = self.boots.last_mut() else { return };
        self.candidate = self.candidate.take().or_else(|| said.text("wanted"));
        self.old = self.old.take().or_else(|| said.text("old"));
        boot.judged = Some(Judged { status: ended.status, system: said.text("system"), damages: said.damages });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::state::LineState;
    use crate::plan::sketch::{Sketch, plan};

    fn boots() -> Sketch {
        let wait = |kind| Role::Wait { kind, may: 600, watched: 900 };
        let boot = |sketch: Sketch, kind| {
            let sketch =
                sketch.run_as(Role::Record, "record").run_as(Role::Reboot, "reboot").run_as(wait(kind), "wait");
            sketch.run_as(Role::Watch, "ping").run_as(Role::Judge, "judge")
        };
        let sketch = boot(Sketch::new("test", StepKind::RebootTest), BootKind::Trial);
        boot(sketch, BootKind::Default).after_as(Role::Judge, "judge")
    }

    fn state(ends: &[(i32, &str)]) -> StepState {
        let mut state = StepState { attempt: 1, ..StepState::default() };
        for (line, (status, tail)) in ends.iter().enumerate() {
            state.lines.insert(line, LineState::Ended { status: *status });
            state.ended.insert(line, Ended { status: *status, tail: (*tail).to_owned() });
        }
        state
    }

    const RECORD: (i32, &str) = (0, "recorded: x\nhostwright-result: boot=1 system=/nix/store/old");
    const WAIT: (i32, &str) = (0, "back after 70 s\nhostwright-result: away=70 may=600 blind=0 before=1 after=2");
    const WELL: (i32, &str) = (
        0,
        "well\nhostwright-result: mode=trial boot=2 system=/nix/store/new wanted=/nix/store/new old= damages=0 status=0",
    );

    #[test]
    fn each_boot_has_its_times_its_ids_and_what_was_found() {
        let plan = plan(vec![boots()]);
        let damage = (
            1,
            "damage: the pool tank is not healthy\nhostwright-result: mode=default system=/nix/store/new wanted=/nix/store/new damages=1",
        );
        let state = state(&[RECORD, (0, ""), WAIT, (0, ""), WELL, RECORD, (0, ""), WAIT, (0, ""), damage]);
        let broke = Some(Broke { at: Spot::Line(9), end: End::Exit(1) });
        let facts = Facts { state: &state, checks: &[], broke, judge: None };
        let verdict = of(&plan, &plan.steps()[0], facts, String::new());
        assert_eq!(verdict.outcome, Outcome::CameBackWithDamage);
        assert_eq!(
            (verdict.candidate.as_deref(), verdict.old.as_deref()),
            (Some("/nix/store/new"), Some("/nix/store/old"))
        );
        let kinds: Vec<_> = verdict.boots.iter().map(|boot| (boot.kind, boot.seconds_away, boot.asked.len())).collect();
        assert_eq!(kinds, [(BootKind::Trial, Some(70), 1), (BootKind::Default, Some(70), 1)]);
        assert_eq!(verdict.boots[1].boot_id_after.as_deref(), Some("2"));
        assert_eq!(verdict.boots[1].judged.as_ref().unwrap().damages, ["the pool tank is not healthy"]);
    }

    #[test]
    fn boots_that_are_on_record_are_none_and_the_step_has_passed() {
        let plan = plan(vec![boots()]);
        let state = state(&[(0, ""); 10]);
        let facts =
            Facts { state: &state, checks: &[(0, Ended { status: 0, tail: String::new() })], broke: None, judge: None };
        let verdict = of(&plan, &plan.steps()[0], facts, String::new());
        assert_eq!((verdict.outcome, verdict.boots.len()), (Outcome::Passed, 0));
    }

    #[test]
    fn a_host_that_is_back_too_late_is_judged_by_what_runs() {
        let plan = plan(vec![boots()]);
        let late = (3, "back after 800 s\nhostwright-result: away=800 may=600 blind=0 before=1 after=2");
        let state = state(&[RECORD, (0, ""), late]);
        let broke = Some(Broke { at: Spot::Line(2), end: End::Exit(3) });
        let judge = |status| Ended { status, tail: "hostwright-result: system=/nix/store/old".to_owned() };
        let of = |judge: Option<&Ended>| {
            of(&plan, &plan.steps()[0], Facts { state: &state, checks: &[], broke, judge }, String::new())
        };
        assert_eq!(of(None).outcome, Outcome::TooLate);
        assert_eq!(of(Some(&judge(0))).outcome, Outcome::TooLate);
        let old = of(Some(&judge(2)));
        assert_eq!((old.outcome, old.boots[0].seconds_away), (Outcome::CameBackOnOld, Some(800)));
        assert_eq!(old.boots[0].judged.as_ref().unwrap().system.as_deref(), Some("/nix/store/old"));
    }
}
