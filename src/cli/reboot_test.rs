//! `hostwright reboot-test`

use std::path::Path;

use clap::ValueEnum;

use super::carry::{self, Run, Shared};
use super::context;
use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::apply::{self, Options, Verdict};
use crate::plan::{Plan, Tests};
use crate::report;

/// Test whether a host comes back after a reboot, and whether its way back holds.
///
/// The system that boots by default is its own candidate: it is booted once through an entry of its own, judged, confirmed, and booted
/// by default. Nothing is built and nothing becomes another default. docs/reboot-test.md says what is looked at, what each outcome means,
/// and what happens by itself when it did not pass.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright reboot-test lufta                     prove the way back where it is not on record, then test
  hostwright reboot-test lufta --baseline          the baseline boots alone, whether they are on record or not
  hostwright reboot-test lufta --cold              with one more boot that has its power cut
  hostwright reboot-test lufta --format junit      the verdict for CI, progress on standard error
  hostwright reboot-test lufta --status            how far the test is

A test that came to its end begins anew the next time; one that was cut off goes on.

Exit status: 0 it has passed; 2 it is refused before anything ran; 3 it has not passed, waits for somebody, or was stopped.")]
pub(super) struct Args {
    /// The host
    host: String,
    /// The baseline boots alone: prove the way back, with the good system as its own candidate
    #[arg(long, conflicts_with = "cold")]
    baseline: bool,
    /// One more boot with the power cut, through the hook `power-cycle`
    #[arg(long)]
    cold: bool,
    #[command(flatten)]
    shared: Shared,
    /// The form of the verdict, or of `--status`
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: VerdictFormat,
}

/// The form of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VerdictFormat {
    /// For people
    Human,
    /// The document that `hostwright schema reboot-test` describes
    Json,
    /// JUnit's XML, with a case for each boot and check
    Junit,
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    if args.shared.status && args.format == VerdictFormat::Junit {
        return Err(Failure::new("`--status` has no form for JUnit").help("`--format json` is for programs"));
    }
    let tests = Tests { baseline_only: args.baseline, cold: args.cold };
    let wanted = context::Wanted::Tests(tests);
    context::with_plan(terminal, folder, &args.host, wanted, args.shared.today, |plan| {
        if args.shared.status {
            let status = apply::status(&plan, folder).map_err(carry::refused)?;
            terminal.print(&match args.format {
                VerdictFormat::Json => report::apply::status_json(&status),
                VerdictFormat::Human | VerdictFormat::Junit => report::apply::status(&status),
            })?;
            return Ok(ExitStatus::Success);
        }
        if let Some(step) = &args.shared.log {
            return carry::log(terminal, folder, &plan, step.as_deref());
        }
        carry_out(terminal, folder, args, &plan)
    })
}

fn carry_out(terminal: &Terminal, folder: &Path, args: &Args, plan: &Plan) -> Result<ExitStatus, Failure> {
    let mut again = vec!["hostwright".to_owned(), "reboot-test".to_owned(), args.host.clone()];
    for (option, is_asked) in [("--baseline", args.baseline), ("--cold", args.cold)] {
        again.extend(is_asked.then(|| option.to_owned()));
    }
    let options = Options { anew: true, ..Options::default() };
    let aside = args.format != VerdictFormat::Human;
    let run = Run { terminal, folder, shared: &args.shared, options, again, aside, part: false };
    let ran = run.carry_out(plan, &carry::stop_on_signals()?)?;
    if let Some(verdict) = &ran.verdict {
        print(terminal, args.format, verdict)?;
    }
    Ok(ran.status)
}

/// Prints a verdict; for people it was shown when it was given.
fn print(terminal: &Terminal, format: VerdictFormat, verdict: &Verdict) -> Result<(), Failure> {
    match format {
        VerdictFormat::Human => Ok(()),
        VerdictFormat::Json => terminal.print(&report::reboot_test::json(verdict)),
        VerdictFormat::Junit => terminal.print(&report::reboot_test::junit(verdict)),
    }
}
