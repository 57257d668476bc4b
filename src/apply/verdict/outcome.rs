//! What a step that boots came to, told by which of its lines failed and how. Pure.

use serde::{Deserialize, Serialize};

use super::{Broke, End, Spot};
use crate::plan::{BootKind, Role, Step};

/// What a reboot test, or a part of it, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every boot was as it should be.
    Passed,
    /// It was not begun: what has to be so before it is not.
    Refused,
    /// The host did not answer any more as long as it was watched.
    DidNotComeBack,
    /// The last good generation answered in place of the one that was tested.
    CameBackOnOld,
    /// The right generation answered, and something of it is not as it should be.
    CameBackWithDamage,
    /// Neither the one nor the other answered, or not through the entry that was armed.
    WrongGeneration,
    /// The right generation answered, later than it may.
    TooLate,
    /// Nothing is known for or against it: the test has to be made again.
    NotProven,
}

impl Outcome {
    /// Every one, in the order of the table in docs/reboot-test.md.
    pub const ALL: [Self; 8] = [
        Self::Passed,
        Self::Refused,
        Self::DidNotComeBack,
        Self::CameBackOnOld,
        Self::CameBackWithDamage,
        Self::WrongGeneration,
        Self::TooLate,
        Self::NotProven,
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::DidNotComeBack => "did-not-come-back",
            Self::CameBackOnOld => "came-back-on-old",
            Self::CameBackWithDamage => "came-back-with-damage",
            Self::WrongGeneration => "wrong-generation",
            Self::TooLate => "too-late",
            Self::NotProven => "not-proven",
        }
    }

    /// Returns it as people say it, a phrase.
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "not ready, so nothing was rebooted",
            Self::DidNotComeBack => "the host did not come back",
            Self::CameBackOnOld => "came back on the old generation",
            Self::CameBackWithDamage => "came back with damage",
            Self::WrongGeneration => "another generation came back than the one that was to be tested",
            Self::TooLate => "came back too late",
            Self::NotProven => "not proven: make the test again",
        }
    }

    /// Returns what it means and what to do, as a sentence.
    pub(in crate::apply) fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::Passed | Self::Refused => return None,
            Self::DidNotComeBack => {
                "neither the candidate nor the last good generation answers: cut its power (the one-shot is spent, so the last good \
                 generation boots), else its rescue system, else a person at its console"
            }
            Self::CameBackOnOld => {
                "the way back held: the host runs what it ran before. The candidate gave up by itself; the evidence says where, if it \
                 came that far"
            }
            Self::CameBackWithDamage => {
                "the candidate boots, and what is listed as damage has to be mended in the definition first"
            }
            Self::WrongGeneration => {
                "the arming or the machine's own boot order is at fault, not the candidate: find out what booted before anything else is \
                 tried"
            }
            Self::TooLate => {
                "`[deploy.reboot-test] max-downtime` says how long it may be away; a machine that needs longer every time has a longer one"
            }
            Self::NotProven => "nothing speaks against the candidate: run the same command again",
        })
    }
}

/// How long the deployer may have been without its network before what follows is not held against the host, in seconds.
const BLIND: u64 = 60;

/// What is known beside the line that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// How a judge ended that was asked since the line that failed does not tell which generation runs.
    pub(super) judged: Option<i32>,
    /// How long the deployer was without its network while the host was away, in seconds.
    pub(super) blind: u64,
    /// Whether a boot of this step had begun.
    pub(super) has_booted: bool,
}

/// Tells what a step came to. `broke` is what ended it; none when nothing did.
///
/// | what failed | how | outcome |
/// | --- | --- | --- |
/// | a check before it, or a line before the first boot | | refused |
/// | waiting | 3, and the right generation runs | too late |
/// | waiting | 3, and the judge says 2 or 3 | as of the judge |
/// | waiting | 4, or its time was over | did not come back |
/// | waiting | 5, anything else | not proven |
/// | a look from outside | the judge says 0 or 1 | damage |
/// | a look from outside | the judge says 2 or 3 | as of the judge |
/// | judging | 1 | damage |
/// | judging | 2 | on the old generation; not proven where the deployer had lost its network |
/// | judging | 3 | wrong generation |
/// | another check behind it | | damage |
/// | anything else, or a judge that cannot be asked | | not proven |
pub(super) fn outcome(step: &Step, broke: Option<&Broke>, known: Known) -> Outcome {
    let Some(Broke { at, end }) = broke else { return Outcome::Passed };
    match at {
        Spot::Before => Outcome::Refused,
        Spot::Line(line) => of_line(step.role(*line), *end, known),
        Spot::After(check) if step.role_after(*check) == Role::Judge => judged(*end, known),
        Spot::After(_) if matches!(end, End::Exit(_)) => Outcome::CameBackWithDamage,
        Spot::After(_) => Outcome::NotProven,
    }
}

fn of_line(role: Role, end: End, known: Known) -> Outcome {
    let by_judge = |otherwise: Outcome| match known.judged {
        Some(0) => otherwise,
        Some(status) => judged(End::Exit(status), known),
        None => Outcome::NotProven,
    };
    match (role, end) {
        // The installer's own judge does not lie there yet.
        (Role::Wait { kind: BootKind::First, .. }, End::Exit(3)) => Outcome::TooLate,
        (Role::Wait { .. }, End::Exit(3)) => match by_judge(Outcome::TooLate) {
            // It is back, and too late whatever is broken beside.
            Outcome::NotProven if known.judged.is_none() => Outcome::TooLate,
            other => other,
        },
        (Role::Wait { .. }, End::Exit(4) | End::Late) => Outcome::DidNotComeBack,
        (Role::Watch, End::Exit(_)) => by_judge(Outcome::CameBackWithDamage),
        (Role::Judge, end) => judged(end, known),
        (Role::Record | Role::Arm | Role::Other, _) | (Role::Reboot, End::Exit(_)) if !known.has_booted => {
            Outcome::Refused
        }
        _ => Outcome::NotProven,
    }
}

fn judged(end: End, known: Known) -> Outcome {
    match end {
        End::Exit(1) => Outcome::CameBackWithDamage,
        End::Exit(2) if known.blind >= BLIND => Outcome::NotProven,
        End::Exit(2) => Outcome::CameBackOnOld,
        End::Exit(3) => Outcome::WrongGeneration,
        End::Exit(_) | End::Late | End::Lost => Outcome::NotProven,
    }
}

/// Tells whether the host may answer after what ended a step: nothing was begun where a check before it failed, and who was watched in
/// vain to the end does not answer now.
pub(in crate::apply) fn may_answer(step: &Step, broke: &Broke) -> bool {
    match broke.at {
        Spot::Before => false,
        Spot::Line(line) => {
            let is_wait = matches!(step.role(line), Role::Wait { .. });
            !(is_wait && matches!(broke.end, End::Exit(4 | 5) | End::Late))
        }
        Spot::After(_) => true,
    }
}

/// Tells whether the judge has to be asked, since the line that failed does not tell which generation runs.
pub(in crate::apply) fn needs_judge(step: &Step, broke: &Broke) -> bool {
    let Broke { at: Spot::Line(line), end } = broke else { return false };
    match step.role(*line) {
        Role::Wait { kind, .. } => kind != BootKind::First && *end == End::Exit(3),
        Role::Watch => matches!(end, End::Exit(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StepKind;
    use crate::plan::sketch::{Sketch, plan};

    const LINES: [Role; 9] = [
        Role::Record,
        Role::Arm,
        Role::Reboot,
        Role::Wait { kind: BootKind::Trial, may: 600, watched: 900 },
        Role::Watch,
        Role::Judge,
        Role::Confirm,
        Role::Promote,
        Role::Other,
    ];

    fn step() -> Step {
        let sketch =
            LINES.iter().fold(Sketch::new("test", StepKind::RebootTest), |sketch, role| sketch.run_as(*role, "x"));
        let sketch = sketch.after("other").after_as(Role::Judge, "judge");
        plan(vec![sketch]).steps()[0].clone()
    }

    fn of(role: Role, end: End, known: Known) -> Outcome {
        let line = LINES.iter().position(|known| *known == role).unwrap();
        outcome(&step(), Some(&Broke { at: Spot::Line(line), end }), known)
    }

    #[test]
    fn each_way_to_fail_has_its_outcome() {
        use Outcome::{
            CameBackOnOld, CameBackWithDamage, DidNotComeBack, NotProven, Refused, TooLate, WrongGeneration,
        };
        let booted = Known { has_booted: true, ..Known::default() };
        let judged = |status| Known { judged: Some(status), ..booted };
        let blind = Known { blind: 90, ..booted };
        let wait = LINES[3];
        for (role, end, known, wanted) in [
            (Role::Record, End::Exit(1), Known::default(), Refused),
            (Role::Arm, End::Exit(1), Known::default(), Refused),
            (Role::Arm, End::Lost, Known::default(), Refused),
            (Role::Reboot, End::Exit(1), Known::default(), Refused),
            (Role::Reboot, End::Lost, Known::default(), NotProven),
            (Role::Arm, End::Exit(1), booted, NotProven),
            (wait, End::Exit(3), judged(0), TooLate),
            (wait, End::Exit(3), booted, TooLate),
            (wait, End::Exit(3), judged(1), CameBackWithDamage),
            (wait, End::Exit(3), judged(2), CameBackOnOld),
            (wait, End::Exit(3), judged(3), WrongGeneration),
            (wait, End::Exit(3), Known { blind: 90, ..judged(2) }, NotProven),
            (wait, End::Exit(4), booted, DidNotComeBack),
            (wait, End::Late, booted, DidNotComeBack),
            (wait, End::Exit(5), booted, NotProven),
            (wait, End::Exit(1), booted, NotProven),
            (Role::Watch, End::Exit(1), judged(0), CameBackWithDamage),
            (Role::Watch, End::Exit(1), judged(1), CameBackWithDamage),
            (Role::Watch, End::Exit(1), judged(2), CameBackOnOld),
            (Role::Watch, End::Exit(1), judged(3), WrongGeneration),
            (Role::Watch, End::Exit(1), booted, NotProven),
            (Role::Judge, End::Exit(1), booted, CameBackWithDamage),
            (Role::Judge, End::Exit(2), booted, CameBackOnOld),
            (Role::Judge, End::Exit(2), blind, NotProven),
            (Role::Judge, End::Exit(1), blind, CameBackWithDamage),
            (Role::Judge, End::Exit(3), booted, WrongGeneration),
            (Role::Judge, End::Exit(255), booted, NotProven),
            (Role::Judge, End::Lost, booted, NotProven),
            (Role::Judge, End::Late, booted, NotProven),
            (Role::Confirm, End::Exit(1), booted, NotProven),
            (Role::Promote, End::Exit(1), booted, NotProven),
            (Role::Other, End::Exit(1), booted, NotProven),
        ] {
            assert_eq!(of(role, end, known), wanted, "{role:?} {end:?} {known:?}");
        }
    }

    #[test]
    fn checks_before_refuse_and_checks_behind_judge() {
        let at = |at, end| outcome(&step(), Some(&Broke { at, end }), Known { has_booted: true, ..Known::default() });
        assert_eq!(at(Spot::Before, End::Exit(1)), Outcome::Refused);
        assert_eq!(at(Spot::After(0), End::Exit(7)), Outcome::CameBackWithDamage);
        assert_eq!(at(Spot::After(0), End::Lost), Outcome::NotProven);
        assert_eq!(at(Spot::After(1), End::Exit(2)), Outcome::CameBackOnOld);
        assert_eq!(outcome(&step(), None, Known::default()), Outcome::Passed);
    }

    #[test]
    fn the_judge_is_asked_where_a_line_does_not_tell_which_generation_runs() {
        let asks = |line, end| needs_judge(&step(), &Broke { at: Spot::Line(line), end });
        assert!(asks(3, End::Exit(3)) && asks(4, End::Exit(1)));
        assert!(!asks(3, End::Exit(4)) && !asks(5, End::Exit(1)) && !asks(4, End::Lost));
    }
}
