//! `hostwright apply`

use std::path::{Path, PathBuf};

use super::context::{self, shown};
use super::plan::ScenarioArg;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::plan::{self, Scenario};
use crate::report;
use crate::report::plan::PlanFormat;
use crate::source::printable;
use crate::units::Date;

/// Verify a plan against the fleet and print what would be done.
///
/// The plan is refused when one byte of it is not what the fleet's definitions lead to: its digest, its gates, and then every step are
/// compared with the plan made anew. This version verifies and prints (`--dry-run`); it does not run plans.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright apply lufta --dry-run                     the plan that `build` wrote
  hostwright apply lufta --plan plan.json --dry-run    another one")]
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
    #[arg(long)]
    dry_run: bool,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    if !args.dry_run {
        return Err(Failure::new("this version does not run plans")
            .help("`--dry-run` verifies the plan and prints it")
            .help(format!("follow out/hosts/{}/plan.md by hand", printable(&args.host))));
    }
    let scenario = args.scenario.map(Scenario::from);
    let name = if scenario == Some(Scenario::Migrate) { "plan-migrate.json" } else { "plan.json" };
    let path = args.plan.clone().unwrap_or_else(|| folder.join("out/hosts").join(&args.host).join(name));
    context::with_plan(terminal, folder, &args.host, scenario, args.today, |again| {
        if !path.exists() {
            return Err(Failure::new(format!("there is no plan {}", shown(&path))).help("`hostwright build` writes it"));
        }
        match plan::load(&output::read_text(&path)?, &again) {
            Ok(plan) => {
                let table = report::plan::write(&plan, PlanFormat::Human, terminal.color);
                terminal.print(&table.map_err(|error| Failure::new(error.to_string()))?)?;
                terminal
                    .print("verified the plan is what the fleet's definitions lead to\ndry run  nothing was run\n")?;
                Ok(ExitStatus::Success)
            }
            Err(refusals) => {
                let reasons: String = refusals.iter().map(|refusal| format!("\n  {refusal}")).collect();
                Err(Failure::new(format!("{} is refused{reasons}", shown(&path)))
                    .help("`hostwright build` writes it anew from the definitions"))
            }
        }
    })
}
