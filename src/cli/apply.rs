//! `hostwright apply`

use std::path::{Path, PathBuf};

use super::context::{self, Report, shown};
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::check::check_files;
use crate::facts::Facts;
use crate::plan;
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
    /// The plan [default: out/hosts/HOST/plan.json in the fleet's folder]
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
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
    let mut files = context::load(folder)?;
    context::known_hosts(&files, std::slice::from_ref(&args.host))?;
    let today = context::today(args.today)?;
    let path = args.plan.clone().unwrap_or_else(|| folder.join("out/hosts").join(&args.host).join("plan.json"));
    if !path.exists() {
        return Err(Failure::new(format!("there is no plan {}", shown(&path))).help("`hostwright build` writes it"));
    }
    let text = output::read_text(&path)?;
    let inputs: Vec<(String, String)> =
        files.files.iter().map(|(path, id)| (path.clone(), files.sources.file(*id).text().to_owned())).collect();
    let wanted = [args.host.clone()];
    let facts = Facts::embedded();
    check_files(&mut files, &facts, &wanted, today, |fleet, outcome, sources| {
        let report = Report::new(&outcome, sources);
        let fleet = match context::clean(terminal, fleet, &report)? {
            Ok(fleet) => fleet,
            Err(status) => return Ok(status),
        };
        // The plan that `build` wrote is the one for the scenario that fits.
        let again = context::plan_of(fleet, context::host_of(fleet, &args.host)?, None, &inputs, &facts)
            .map_err(|error| context::plan_failure(&error))?;
        match plan::load(&text, &again) {
            Ok(plan) => {
                let table = report::plan::write(&plan, PlanFormat::Human, terminal.color);
                terminal.print(&table.map_err(|error| Failure::new(error.to_string()))?)?;
                terminal
                    .print("verified the plan is what the fleet's definitions lead to\ndry run  nothing was run\n")?;
                Ok(ExitStatus::Success)
            }
            Err(refusals) => {
                let mut failure = String::new();
                for refusal in refusals {
                    failure.push_str(&format!("  {refusal}\n"));
                }
                Err(Failure::new(format!("{} is refused\n{}", shown(&path), failure.trim_end()))
                    .help("`hostwright build` writes it anew from the definitions"))
            }
        }
    })
}
