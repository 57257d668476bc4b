//! The reboot test alone: the system that boots by default is its own candidate.
//!
//! It proves again what firmware, disks or a long time may have changed since, and it can be had without any update. Nothing is built and
//! nothing becomes another default; both sides are judged by what was seen before the boot, since the definition may have moved on.

use super::install::{self, Baseline, Tested};
use super::running;
use crate::plan::parts::{AloneParts, Proven};
use crate::plan::{PlanCx, Tests};

/// Makes the steps.
pub(in crate::plan) fn steps(cx: &PlanCx<'_>, tests: Tests) -> Proven {
    let current = Tested::current();
    let why = "The system that boots by default is its own candidate: what passed once is not taken for granted after other hardware, \
               other firmware or a long time.";
    let tested = Tested { by_record: true, cold: tests.cold, why, ..current };
    let when = if tests.baseline_only { Baseline::Again } else { Baseline::UnlessProven };
    AloneParts {
        definition: install::definition(cx),
        keys: running::host_keys(cx),
        reboot_scripts: install::copy_scripts(cx),
        access: running::access(cx),
        ready: running::ready(cx, tested.candidate),
        baseline: install::baseline(cx, when),
        reboot_test: (!tests.baseline_only).then(|| install::test(cx, &tested)),
    }
    .assemble()
}

#[cfg(test)]
mod tests {
    use crate::plan::gates::{self, id};
    use crate::plan::tests::alone;
    use crate::plan::{PlanError, Step, StepKind, Tests};

    const ALL: [Tests; 2] = [Tests { baseline_only: false, cold: false }, Tests { baseline_only: true, cold: false }];

    #[test]
    fn its_steps_are_these_and_keep_every_gate() {
        let ids = |tests| -> Vec<String> {
            let plan = alone("lufta", tests, str::to_owned).unwrap();
            assert_eq!(gates::verify(&plan), []);
            assert!(plan.first_destroying().is_none());
            plan.steps().iter().map(|step| step.id().to_owned()).collect()
        };
        let baseline = [
            id::CHECK_DEFINITION,
            id::RECORD_HOST_KEYS,
            id::COPY_REBOOT_SCRIPTS,
            id::PROVE_ACCESS,
            id::CHECK_READY,
            id::BASELINE_ONCE,
            id::BASELINE_DEFAULT,
        ];
        assert_eq!(ids(ALL[1]), baseline);
        assert_eq!(ids(ALL[0]), [&baseline[..], &[id::REBOOT_TEST]].concat());
    }

    #[test]
    fn taking_out_any_of_its_steps_or_adding_another_is_found() {
        for tests in ALL {
            let plan = alone("lufta", tests, str::to_owned).unwrap();
            let found = |steps: &[Step]| !gates::verify_steps(plan.scenario(), steps).is_empty();
            for gone in plan.steps().iter().filter(|step| step.id() != id::REBOOT_TEST) {
                let mut steps: Vec<Step> = plan.steps().iter().filter(|step| step.id() != gone.id()).cloned().collect();
                for step in &mut steps {
                    step.needs.retain(|need| *need != gone.id);
                }
                assert!(found(&steps), "{}", gone.id());
            }
            let mut more = plan.steps().to_vec();
            let last = more.last().unwrap().id.clone();
            more.push(Step::new("more", StepKind::Command, crate::plan::RunsOn::Target, "More").needs(last));
            assert!(found(&more));
        }
    }

    #[test]
    fn the_baseline_alone_is_booted_whether_it_is_proven_or_not() {
        let plan = alone("lufta", ALL[1], str::to_owned).unwrap();
        let lines = plan.step(id::BASELINE_ONCE).unwrap().commands();
        assert!(lines[0].contains("record.sh") && !lines.iter().any(|line| line.starts_with("test -e ")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("judge.sh baseline recorded")));
    }

    #[test]
    fn a_cold_boot_goes_through_the_hook_and_without_one_there_is_no_plan() {
        let cold = Tests { baseline_only: false, cold: true };
        let error = alone("lufta", cold, str::to_owned).unwrap_err();
        assert!(matches!(error, PlanError::NoPowerCycle(_)) && error.to_string().contains("power-cycle"), "{error}");
        let hooked = |text: &str| {
            text.replace("firmware = \"bios\"", "firmware = \"bios\"\nhooks = { power-cycle = \"bmc cycle\" }")
        };
        let plan = alone("lufta", cold, hooked).unwrap();
        let lines = plan.step(id::REBOOT_TEST).unwrap().commands();
        let at = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap();
        assert!(at("judge.sh default recorded") < at("bmc cycle"), "{lines:#?}");
        assert!(lines[at("bmc cycle") - 1].contains("sync"));
        assert!(lines.last().unwrap().contains("judge.sh default recorded"));
    }
}
