//! `hostwright apply`

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::carry::{self, Run, Shared};
use super::context::{self, shown};
use super::plan::ScenarioArg;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output, rehearse};
use crate::apply::{self, Options, Status, Stop};
use crate::plan::{self, Plan, Scenario};
use crate::report;
use crate::report::plan::PlanFormat;
use crate::source::{printable, quoted};

/// Carry a plan out, step by step, or go on where the last run stopped.
///
/// The plan is refused when one byte of it is not what the fleet's definitions lead to: its digest, its gates, and then every step are
/// compared with the plan made anew. What has been done stands in a journal in state/HOST/, written before and after each step, so that
/// a run that was cut off anywhere goes on where it was. docs/apply.md says how. Several hosts are gone over one after the other, canaries
/// first; the first failure ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright apply lufta --dry-run                     verify the plan that `build` wrote, and print it
  hostwright apply lufta                               carry it out, or go on with it
  hostwright apply lufta --status                      what is done, where it stands, what is next
  hostwright apply lufta --log build-system            what a step printed
  hostwright apply lufta --until check-disks           up to this step
  hostwright apply kos lufta attic                     one after the other, canaries first
  hostwright apply lufta --non-interactive --confirm prove-access --yes-destroy ata-X_1
                                                       with the answers given in advance
  hostwright apply lufta --scenario recover --rehearse
                                                       whether it would come back, on a virtual machine

Exit status: 0 every step, or every one up to `--until`, is done; 2 the plan or an option is refused, or another deployer is at work;
3 a step failed, waits for somebody, or the run was stopped: the same command goes on from there.")]
pub(super) struct Args {
    /// The hosts, each with its own plan; several are gone over one after the other, canaries first
    #[arg(value_name = "HOST", required = true)]
    hosts: Vec<String>,
    /// The plan [default: what `build` wrote: out/hosts/HOST/plan.json in the fleet's folder]
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// What the plan is for [default: what the definition and the facts call for]
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<ScenarioArg>,
    /// With `--scenario decommission`: retire the host itself and wipe its disks
    #[arg(long, requires = "scenario")]
    retire: bool,
    /// Tell by the exit status whether these steps are done: 0 all are, 1 one is not; only reads
    #[arg(long, value_name = "STEP", conflicts_with_all = ["from", "until", "yes_destroy", "confirm", "take_over", "restart", "status", "log", "dry_run"])]
    done: Vec<String>,
    /// Verify and print only
    #[arg(long, conflicts_with_all = ["from", "until", "yes_destroy", "confirm", "take_over", "restart", "status", "log"])]
    dry_run: bool,
    /// Begin at this step; refused where a gate before it has not passed
    #[arg(long, value_name = "STEP", conflicts_with_all = ["status", "log"])]
    from: Option<String>,
    /// End behind this step
    #[arg(long, value_name = "STEP", conflicts_with_all = ["status", "log"])]
    until: Option<String>,
    /// Agree in advance that this is destroyed, such as the id of a disk
    #[arg(long, value_name = "ID", conflicts_with_all = ["status", "log"])]
    yes_destroy: Vec<String>,
    /// With `--scenario recover`: carry it out on a virtual machine that is thrown away; the host is not touched
    #[arg(long, requires = "scenario", conflicts_with_all = ["plan", "retire", "done", "dry_run", "from", "until", "yes_destroy", "confirm", "take_over", "restart", "status", "log"])]
    rehearse: bool,
    /// With `--rehearse`: the image that its machine boots first, an ISO or a disk [default: built from the host's channel]
    #[arg(long, value_name = "IMAGE", requires = "rehearse")]
    installer: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
    /// The form of `--status`
    #[arg(long, value_name = "FORMAT", default_value = "human", requires = "status")]
    format: StatusFormat,
}

/// The form of `--status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    /// A table
    Human,
    /// JSON, whose fields may be added to and never change; of several hosts an array
    Json,
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let scenario = super::plan::scenario_of(args.scenario, args.retire)?;
    let wanted = context::Wanted::Scenario(scenario);
    if args.hosts.len() > 1 {
        only_for_one(args)?;
    }
    if args.rehearse {
        return rehearsed(terminal, folder, args, scenario);
    }
    context::with_plans(terminal, folder, &args.hosts, wanted, args.shared.today, |made| {
        if args.shared.status {
            return status(terminal, folder, args.format, &made);
        }
        if !args.done.is_empty() {
            return done(terminal, folder, args, &made);
        }
        if let Some(step) = &args.shared.log {
            let plan = made.first().ok_or_else(|| Failure::new("there is no plan"))?;
            return carry::log(terminal, folder, plan, step.as_deref());
        }
        let verified = |plan: &Plan| verified(terminal, folder, args, plan);
        let plans: Vec<Plan> = made.iter().map(verified).collect::<Result<_, _>>()?;
        if args.dry_run {
            for plan in &plans {
                let table = report::plan::write(plan, PlanFormat::Human, terminal.color);
                terminal.print(&table.map_err(|error| Failure::new(error.to_string()))?)?;
            }
            let what = if plans.len() == 1 { "the plan is" } else { "the plans are" };
            terminal
                .print(&format!("verified {what} what the fleet's definitions lead to\ndry run  nothing was run\n"))?;
            return Ok(ExitStatus::Success);
        }
        let stop = carry::stop_on_signals()?;
        match plans.as_slice() {
            [plan] => carry_out(terminal, folder, args, plan, &stop),
            _ => one_after_the_other(terminal, folder, args, &plans, &stop),
        }
    })
}

/// Carries a recovery out on a machine that is thrown away.
fn rehearsed(
    terminal: &Terminal,
    folder: &Path,
    args: &Args,
    scenario: Option<Scenario>,
) -> Result<ExitStatus, Failure> {
    let [host] = args.hosts.as_slice() else { return Err(Failure::new("one host is rehearsed at a time")) };
    if scenario != Some(Scenario::Recover) {
        return Err(Failure::new("`--rehearse` goes with `--scenario recover`")
            .help("it is the recovery that is rehearsed: an installation and more"));
    }
    let installer = args.installer.as_deref();
    rehearse::run(terminal, folder, &rehearse::Wanted { host, installer, today: args.shared.today })
}

/// Refuses what names something of one plan where there are several.
fn only_for_one(args: &Args) -> Result<(), Failure> {
    let named = [
        ("--plan", args.plan.is_some()),
        ("--from", args.from.is_some()),
        ("--until", args.until.is_some()),
        ("--yes-destroy", !args.yes_destroy.is_empty()),
        ("--log", args.shared.log.is_some()),
        ("--done", !args.done.is_empty()),
        ("--rehearse", args.rehearse),
    ];
    match named.into_iter().find(|(_, is_there)| *is_there) {
        Some((option, _)) => {
            Err(Failure::new(format!("`{option}` names something of one plan, and there are {}", args.hosts.len()))
                .help("go over that host alone first: the others find it done"))
        }
        None => Ok(()),
    }
}

/// Prints where plans stand.
fn status(terminal: &Terminal, folder: &Path, format: StatusFormat, plans: &[Plan]) -> Result<ExitStatus, Failure> {
    let read = |plan: &Plan| apply::status(plan, folder).map_err(carry::refused);
    let all: Vec<Status> = plans.iter().map(read).collect::<Result<_, _>>()?;
    terminal.print(&match (format, all.as_slice()) {
        (StatusFormat::Human, all) => all.iter().map(report::apply::status).collect::<Vec<_>>().join("\n"),
        (StatusFormat::Json, [one]) => report::apply::status_json(one),
        (StatusFormat::Json, all) => report::apply::statuses_json(all),
    })?;
    Ok(ExitStatus::Success)
}

/// Tells whether steps of a plan are done, by its journal.
fn done(terminal: &Terminal, folder: &Path, args: &Args, plans: &[Plan]) -> Result<ExitStatus, Failure> {
    let plan = plans.first().ok_or_else(|| Failure::new("there is no plan"))?;
    let status = apply::status(plan, folder).map_err(carry::refused)?;
    if !status.same_plan {
        terminal.error(&format!(
            "error: the journal of {} is of another plan than the definition makes today: what it says is not of these steps\n",
            printable(plan.host())
        ));
        return Ok(ExitStatus::Findings);
    }
    let mut open = false;
    for id in &args.done {
        let row = status.steps.iter().find(|row| row.id == *id);
        let row = row.ok_or_else(|| carry::refused(apply::unknown_step(plan, id)))?;
        if row.state != apply::Standing::Done {
            open = true;
            terminal.error(&format!("open     {}: {}\n", printable(id), printable(&row.title)));
        }
    }
    Ok(if open { ExitStatus::Findings } else { ExitStatus::Success })
}

/// Returns the plan of the file, verified.
fn verified(terminal: &Terminal, folder: &Path, args: &Args, made: &Plan) -> Result<Plan, Failure> {
    let written = folder.join("out/hosts").join(made.host()).join("plan.json");
    let path = args.plan.clone().unwrap_or(written);
    if !path.exists() {
        return Err(Failure::new(format!("there is no plan {}", shown(&path))).help("`hostwright build` writes it"));
    }
    let text = output::read_text(&path)?;
    if args.plan.is_none()
        && args.scenario.is_some()
        && let Some(other) = scenario_of(&text).filter(|written| written != made.scenario().as_str())
    {
        let said = format!(
            "{} is a plan for {}: the one for {} is made from the fleet's definitions",
            shown(&path),
            quoted(&other),
            made.scenario()
        );
        terminal.warn(&report::apply::remark(&said));
        return Ok(made.clone());
    }
    plan::load(&text, made).map_err(|refusals| {
        let reasons: String = refusals.iter().map(|refusal| format!("\n  {refusal}")).collect();
        Failure::new(format!("{} is refused{reasons}", shown(&path)))
            .help("`hostwright build` writes it anew from the definitions")
    })
}

/// Returns what a written plan says that it is for. Nothing of the file is run, so that nothing else of it is looked at here.
fn scenario_of(text: &str) -> Option<String> {
    let plan: serde_json::Value = serde_json::from_str(text).ok().filter(|_| text.len() <= plan::MAX_BYTES)?;
    plan.get("scenario")?.as_str().map(str::to_owned)
}

fn carry_out(terminal: &Terminal, folder: &Path, args: &Args, plan: &Plan, stop: &Stop) -> Result<ExitStatus, Failure> {
    let mut again = vec!["hostwright".to_owned(), "apply".to_owned(), plan.host().to_owned()];
    if let Some(scenario) = args.scenario {
        again.extend(["--scenario".to_owned(), Scenario::from(scenario).as_str().to_owned()]);
        if args.retire {
            again.push("--retire".to_owned());
        }
    }
    if let Some(path) = &args.plan {
        again.extend(["--plan".to_owned(), path.display().to_string()]);
    }
    let options = Options {
        from: args.from.clone(),
        until: args.until.clone(),
        yes_destroy: args.yes_destroy.clone(),
        ..Options::default()
    };
    let run = Run { terminal, folder, shared: &args.shared, options, again, aside: false, part: false };
    Ok(run.carry_out(plan, stop)?.status)
}

/// Goes over several hosts; whatever one of them ends with but success ends it.
fn one_after_the_other(
    terminal: &Terminal,
    folder: &Path,
    args: &Args,
    plans: &[Plan],
    stop: &Stop,
) -> Result<ExitStatus, Failure> {
    let names = |plans: &[Plan]| plans.iter().map(|plan| printable(plan.host())).collect::<Vec<_>>().join(", ");
    if !terminal.is_quiet() {
        terminal.print(&format!("hosts    {}: one after the other, and the first failure ends it\n", names(plans)))?;
    }
    for (at, plan) in plans.iter().enumerate() {
        if !terminal.is_quiet() {
            terminal.print(&format!("host     {}, {} of {}\n", printable(plan.host()), at + 1, plans.len()))?;
        }
        let ended = carry_out(terminal, folder, args, plan, stop);
        if matches!(ended, Ok(ExitStatus::Success)) {
            continue;
        }
        let (before, behind) = (plans.get(..at).unwrap_or_default(), plans.get(at + 1..).unwrap_or_default());
        let some = |plans: &[Plan]| if plans.is_empty() { "none".to_owned() } else { names(plans) };
        terminal.error(&format!(
            "hosts    done: {} · ended at: {} · not touched: {}\n",
            some(before),
            printable(plan.host()),
            some(behind)
        ));
        return ended;
    }
    terminal.print(&format!("hosts    done: {}\n", names(plans)))?;
    Ok(ExitStatus::Success)
}
