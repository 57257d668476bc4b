//! What to do with a step, from what the journal knows of it. Pure: no file, no machine, no clock.

use super::state::{LineState, Phase, StepState};
use crate::plan::StepKind;

/// What of a step decides how it goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) kind: StepKind,
    pub(super) destroys: bool,
    pub(super) lines: usize,
    pub(super) has_after: bool,
    /// A step that needs this one has begun: what this one looked at may be another by now.
    pub(super) left_behind: bool,
    /// It leaves the rescue system for good: once the machine has booted from its disks, its lines can no longer run.
    pub(super) leaves_rescue: bool,
}

/// What to do with a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// It is done.
    Skip,
    /// It begins, in this attempt.
    Begin { attempt: u32 },
    /// It goes on at a line, in the attempt that it was in; that line may run on the machine already.
    GoOn { line: usize },
    /// Its checks tell whether it is done; if not, what follows.
    Judge { otherwise: Box<Next> },
    /// It is a destructive one and what of it ran is not known, or ended badly: nothing is run.
    Stuck { line: usize, why: String },
}

/// Decides how a step goes on.
pub(super) fn next(shape: Shape, state: &StepState) -> Next {
    let anew = Next::Begin { attempt: state.attempt + 1 };
    match &state.phase {
        Phase::Done(_) if shape.kind == StepKind::Verify && !shape.left_behind => anew,
        Phase::Done(_) => Next::Skip,
        Phase::Untouched => anew,
        // Nothing was armed: a machine that runs what was installed has booted it from its disks, whoever watched.
        Phase::Failed(_) | Phase::Begun if shape.leaves_rescue && shape.has_after && !state.lines.is_empty() => {
            Next::Judge { otherwise: Box::new(anew) }
        }
        Phase::Failed(_) if !shape.destroys => anew,
        // Nothing of it was started.
        Phase::Failed(_) | Phase::Begun if state.lines.is_empty() && shape.lines > 0 => anew,
        Phase::Failed(_) | Phase::Begun => unknown_end(shape, state, anew),
    }
}

fn unknown_end(shape: Shape, state: &StepState, anew: Next) -> Next {
    let judge = |otherwise: Next| {
        if shape.has_after { Next::Judge { otherwise: Box::new(otherwise) } } else { otherwise }
    };
    let open = state.lines.iter().find(|(_, line)| matches!(line, LineState::Begun { .. }));
    let bad = state.lines.iter().find(|(_, line)| matches!(line, LineState::Ended { status } if *status != 0));
    // Lines are begun in order, so that these are the first ones.
    let ended = state.lines.len();
    if shape.destroys {
        return match (open, bad) {
            (Some((line, LineState::Begun { job: Some(_), .. })), _) => Next::GoOn { line: *line },
            (Some((line, _)), _) => {
                judge(Next::Stuck { line: *line, why: "whether it ran to its end is not known".to_owned() })
            }
            (None, Some((line, LineState::Ended { status }))) => {
                judge(Next::Stuck { line: *line, why: format!("it ended with status {status}") })
            }
            (None, _) if ended < shape.lines => Next::GoOn { line: ended },
            // Only the word that it is done was missing.
            (None, _) if !shape.has_after => Next::GoOn { line: ended },
            (None, _) => {
                judge(Next::Stuck { line: ended.saturating_sub(1), why: "the checks behind it do not hold".to_owned() })
            }
        };
    }
    match shape.kind {
        // Looking again costs nothing, and a boot counts only when it was watched from beginning to end: after a trial that failed, the
        // machine looks as if nothing had happened.
        // Only the answer ends what a person does, and only time ends a wait, whatever the checks say before.
        StepKind::Verify | StepKind::Instruction | StepKind::Soak => anew,
        StepKind::BaselineBoot | StepKind::RebootTest if open.is_some() || bad.is_some() || ended < shape.lines => anew,
        _ => match (open, bad) {
            (Some((line, LineState::Begun { job: Some(_), .. })), _) => Next::GoOn { line: *line },
            (None, None) if ended == shape.lines && !shape.has_after => Next::GoOn { line: ended },
            (None, None) if ended == shape.lines => judge(anew),
            // What a line that was cut off has left may look whole to the checks, and the lines behind it have not run at all.
            _ => anew,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(kind: StepKind, lines: usize) -> Shape {
        Shape {
            kind,
            destroys: kind == StepKind::Destroy,
            lines,
            has_after: true,
            left_behind: false,
            leaves_rescue: false,
        }
    }

    fn begun(lines: &[LineState]) -> StepState {
        StepState {
            attempt: 1,
            phase: Phase::Begun,
            lines: lines.iter().cloned().enumerate().collect(),
            ..StepState::default()
        }
    }

    fn here() -> LineState {
        LineState::Begun { job: None, boot: None }
    }

    fn there() -> LineState {
        LineState::Begun { job: Some("j".into()), boot: Some("b".into()) }
    }

    fn ended(status: i32) -> LineState {
        LineState::Ended { status }
    }

    #[test]
    fn a_destructive_step_is_never_begun_again_once_a_line_of_it_may_have_run() {
        let shape = shape(StepKind::Destroy, 3);
        for lines in
            [&[here()][..], &[there()], &[ended(0)], &[ended(1)], &[ended(0), here()], &[ended(0), ended(0), ended(0)]]
        {
            for phase in [Phase::Begun, Phase::Failed("x".into())] {
                let state = StepState { phase, ..begun(lines) };
                let mut found = next(shape, &state);
                if let Next::Judge { otherwise } = found {
                    found = *otherwise;
                }
                assert!(!matches!(found, Next::Begin { .. } | Next::Skip), "{lines:?}: {found:?}");
                // And it goes on only where the line did not run, or is found again by its name.
                if let Next::GoOn { line } = found {
                    assert!(lines.get(line).is_none_or(|line| *line == there()), "{lines:?}");
                }
            }
        }
        assert_eq!(next(shape, &begun(&[])), Next::Begin { attempt: 2 });
    }

    #[test]
    fn a_command_on_the_machine_is_found_again_and_one_here_begins_anew() {
        let shape = shape(StepKind::Command, 2);
        assert_eq!(next(shape, &begun(&[ended(0), there()])), Next::GoOn { line: 1 });
        assert_eq!(next(Shape { has_after: false, ..shape }, &begun(&[here()])), Next::Begin { attempt: 2 });
    }

    #[test]
    fn a_step_of_which_lines_were_cut_off_or_never_ran_begins_anew_however_well_its_checks_look() {
        for kind in [StepKind::Command, StepKind::Copy] {
            for lines in [&[here()][..], &[ended(0)], &[ended(0), here()]] {
                assert_eq!(next(shape(kind, 2), &begun(lines)), Next::Begin { attempt: 2 }, "{lines:?}");
            }
            let judged = Next::Judge { otherwise: Box::new(Next::Begin { attempt: 2 }) };
            assert_eq!(next(shape(kind, 2), &begun(&[ended(0), ended(0)])), judged);
        }
    }

    #[test]
    fn a_boot_that_was_not_watched_to_its_end_is_done_again_however_well_its_checks_look() {
        for kind in [StepKind::RebootTest, StepKind::BaselineBoot] {
            for lines in [&[here()][..], &[there()], &[ended(0)]] {
                assert_eq!(next(shape(kind, 2), &begun(lines)), Next::Begin { attempt: 2 });
            }
            let judged = Next::Judge { otherwise: Box::new(Next::Begin { attempt: 2 }) };
            assert_eq!(next(shape(kind, 2), &begun(&[ended(0), ended(0)])), judged);
        }
    }

    #[test]
    fn the_way_out_of_the_rescue_system_is_judged_by_what_runs_since_nobody_can_go_it_twice() {
        let shape = Shape { leaves_rescue: true, ..shape(StepKind::BaselineBoot, 3) };
        let judged = Next::Judge { otherwise: Box::new(Next::Begin { attempt: 2 }) };
        for lines in [&[here()][..], &[ended(0), there()], &[ended(0), ended(0), here()], &[ended(255)]] {
            for phase in [Phase::Begun, Phase::Failed("x".into())] {
                assert_eq!(next(shape, &StepState { phase, ..begun(lines) }), judged, "{lines:?}");
            }
        }
        assert_eq!(next(shape, &begun(&[])), Next::Begin { attempt: 2 });
    }

    #[test]
    fn what_a_person_did_not_answer_is_asked_again_however_well_its_checks_look() {
        for kind in [StepKind::Instruction, StepKind::Soak] {
            assert_eq!(next(shape(kind, 0), &begun(&[])), Next::Begin { attempt: 2 });
        }
    }

    #[test]
    fn a_step_of_which_only_the_last_word_is_missing_is_finished_and_not_run_again() {
        for kind in [StepKind::Command, StepKind::Destroy, StepKind::RebootTest] {
            let shape = Shape { has_after: false, ..shape(kind, 2) };
            assert_eq!(next(shape, &begun(&[ended(0), ended(0)])), Next::GoOn { line: 2 });
        }
    }

    #[test]
    fn what_was_verified_is_looked_at_again_until_something_stands_on_it() {
        let done = StepState { attempt: 1, phase: Phase::Done(super::super::record::How::Ran), ..StepState::default() };
        let verify = shape(StepKind::Verify, 1);
        assert_eq!(next(verify, &done), Next::Begin { attempt: 2 });
        assert_eq!(next(Shape { left_behind: true, ..verify }, &done), Next::Skip);
        assert_eq!(next(shape(StepKind::Command, 1), &done), Next::Skip);
    }
}
