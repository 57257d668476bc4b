//! `hostwright apply`

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context::{self, shown};
use super::front::Seat;
use super::plan::ScenarioArg;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::apply::{self, Ending, Options, Refused, Stop};
use crate::plan::{self, Plan, Scenario};
use crate::report;
use crate::report::plan::PlanFormat;
use crate::source::printable;
use crate::units::Date;

/// Carry a plan out, step by step, or go on where the last run stopped.
///
/// The plan is refused when one byte of it is not what the fleet's definitions lead to: its digest, its gates, and then every step are
/// compared with the plan made anew. What has been done stands in a journal in state/HOST/, written before and after each step, so that
/// a run that was cut off anywhere goes on where it was. docs/apply.md says how.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright apply lufta --dry-run                     verify the plan that `build` wrote, and print it
  hostwright apply lufta                               carry it out, or go on with it
  hostwright apply lufta --status                      what is done, where it stands, what is next
  hostwright apply lufta --log build-system            what a step printed
  hostwright apply lufta --until check-disks           up to this step
  hostwright apply lufta --non-interactive --confirm prove-access --yes-destroy ata-X_1
                                                       with the answers given in advance

Exit status: 0 every step, or every one up to `--until`, is done; 2 the plan or an option is refused, or another deployer is at work;
3 a step failed, waits for somebody, or the run was stopped: the same command goes on from there.")]
#[expect(clippy::option_option, reason = "clap's form of an option whose value may be left out")]
pub(super) struct Args {
    /// The host
    host: String,
    /// The plan [default: what `build` wrote: out/hosts/HOST/plan.json in the fleet's folder, of a migration plan-migrate.json]
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// What the plan is for [default: what the definition and the facts call for]
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<ScenarioArg>,
    /// Verify and print only
    #[arg(long, conflicts_with_all = ["from", "until", "yes_destroy", "confirm", "take_over", "restart", "status", "log"])]
    dry_run: bool,
    /// Begin at this step; refused where a gate before it has not passed
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// End behind this step
    #[arg(long, value_name = "STEP")]
    until: Option<String>,
    /// Agree in advance that this is destroyed, such as the id of a disk
    #[arg(long, value_name = "ID")]
    yes_destroy: Vec<String>,
    /// Say that this step, which a person does, is done
    #[arg(long, value_name = "STEP")]
    confirm: Vec<String>,
    /// Ask nobody: end with status 3 where somebody would be asked
    #[arg(long)]
    non_interactive: bool,
    /// Take the lock on the machine from another deployer whose run has ended
    #[arg(long)]
    take_over: bool,
    /// Move the journal aside and begin with the first step
    #[arg(long)]
    restart: bool,
    /// Print where the plan stands, and run nothing
    #[arg(long, conflicts_with_all = ["from", "until", "yes_destroy", "confirm", "take_over", "restart"])]
    status: bool,
    /// Print what a step printed, or every step, and run nothing
    #[arg(long, value_name = "STEP", num_args = 0..=1, conflicts_with_all = ["from", "until", "yes_destroy", "confirm", "take_over", "restart", "status"])]
    log: Option<Option<String>>,
    /// The form of `--status`
    #[arg(long, value_name = "FORMAT", default_value = "human", requires = "status")]
    format: StatusFormat,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
}

/// The form of `--status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    /// A table
    Human,
    /// JSON, whose fields may be added to and never change
    Json,
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let scenario = args.scenario.map(Scenario::from);
    context::with_plan(terminal, folder, &args.host, scenario, args.today, |again| {
        if args.status {
            let status = apply::status(&again, folder).map_err(refused)?;
            let text = match args.format {
                StatusFormat::Human => report::apply::status(&status),
                StatusFormat::Json => report::apply::status_json(&status),
            };
            terminal.print(&text)?;
            return Ok(ExitStatus::Success);
        }
        if let Some(step) = &args.log {
            let text = apply::log(&again, folder, step.as_deref()).map_err(refused)?;
            // What a machine printed is shown as it was, but for what would steer a terminal.
            let text: String = text.split_inclusive('\n').map(line).collect();
            terminal.print(&text)?;
            return Ok(ExitStatus::Success);
        }
        let plan = verified(folder, args, &again)?;
        if args.dry_run {
            let table = report::plan::write(&plan, PlanFormat::Human, terminal.color);
            terminal.print(&table.map_err(|error| Failure::new(error.to_string()))?)?;
            terminal.print("verified the plan is what the fleet's definitions lead to\ndry run  nothing was run\n")?;
            return Ok(ExitStatus::Success);
        }
        carry_out(terminal, folder, args, &plan)
    })
}

fn line(text: &str) -> String {
    match text.strip_suffix('\n') {
        Some(text) => printable(text) + "\n",
        None => printable(text),
    }
}

/// Returns the plan of the file, verified.
fn verified(folder: &Path, args: &Args, again: &Plan) -> Result<Plan, Failure> {
    let asked = args.scenario.map(Scenario::from);
    let name = if asked == Some(Scenario::Migrate) { "plan-migrate.json" } else { "plan.json" };
    let path = args.plan.clone().unwrap_or_else(|| folder.join("out/hosts").join(&args.host).join(name));
    if !path.exists() {
        return Err(Failure::new(format!("there is no plan {}", shown(&path))).help("`hostwright build` writes it"));
    }
    plan::load(&output::read_text(&path)?, again).map_err(|refusals| {
        let reasons: String = refusals.iter().map(|refusal| format!("\n  {refusal}")).collect();
        Failure::new(format!("{} is refused{reasons}", shown(&path)))
            .help("`hostwright build` writes it anew from the definitions")
    })
}

fn carry_out(terminal: &Terminal, folder: &Path, args: &Args, plan: &Plan) -> Result<ExitStatus, Failure> {
    if cfg!(not(unix)) {
        return Err(
            Failure::new("apply works from Linux and macOS").help("`--dry-run` verifies the plan and prints it")
        );
    }
    let options = Options {
        from: args.from.clone(),
        until: args.until.clone(),
        yes_destroy: args.yes_destroy.clone(),
        confirm: args.confirm.clone(),
        take_over: args.take_over,
        restart: args.restart,
        who: who(),
    };
    let stop = Stop::on_signals().map_err(|why| Failure::new(format!("signals cannot be heard: {why}")))?;
    let ending = {
        let mut seat = Seat::new(terminal, !args.non_interactive, stop.clone());
        apply::run(plan, folder, &options, &stop, &mut seat).map_err(refused)?
    };
    let mut again = vec!["hostwright".to_owned(), "apply".to_owned(), args.host.clone()];
    if let Some(scenario) = args.scenario {
        again.extend(["--scenario".to_owned(), Scenario::from(scenario).as_str().to_owned()]);
    }
    if let Some(path) = &args.plan {
        again.extend(["--plan".to_owned(), path.display().to_string()]);
    }
    if args.non_interactive {
        again.push("--non-interactive".to_owned());
    }
    let text = report::apply::ending(&ending, &again, plan.steps().len());
    match ending {
        Ending::Failed(_) => terminal.error(&text),
        _ => terminal.print(&text)?,
    }
    Ok(match ending {
        Ending::Complete | Ending::Until(_) => ExitStatus::Success,
        Ending::Awaiting(_) | Ending::Failed(_) | Ending::Interrupted { .. } => ExitStatus::Stopped,
    })
}

fn refused(refused: Refused) -> Failure {
    let failure = Failure::new(printable(&refused.what));
    refused.help.into_iter().fold(failure, |failure, help| failure.help(printable(&help)))
}

/// Returns who deploys from where, for other deployers to read.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
fn who() -> String {
    let user =
        ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "somebody".into());
    let host =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].into_iter().find_map(|path| std::fs::read_to_string(path).ok());
    let host = host.map(|name| name.trim().to_owned()).unwrap_or_default();
    if host.is_empty() { user } else { format!("{user}@{host}") }
}
