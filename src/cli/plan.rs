//! `hostwright plan`

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context::{self, shown};
use super::terminal::Terminal;
use super::watch::last_look;
use super::{ExitStatus, Failure, output};
use crate::plan::{Plan, Scenario};
use crate::report;
use crate::report::plan::{LastLook, PlanFormat};
use crate::units::Date;

/// Show the deploy plan of a host.
///
/// The reboot test cannot be left out of it: it comes before any data, and a plan without it does not load.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright plan lufta                     the steps as a table
  hostwright plan lufta --format md         to follow by hand
  hostwright plan lufta --out plans/        plan.md, plan.json and plan.html
  hostwright plan lufta --scenario migrate  how its services come off their cluster
  hostwright plan lufta --scenario recover  how it comes back on new disks, from its backups
  hostwright plan lufta --scenario decommission --retire
                                            how it goes for good")]
pub(super) struct Args {
    /// The host
    host: String,
    /// What the plan is for [default: what the definition and the facts call for]
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<ScenarioArg>,
    /// With `--scenario decommission`: retire the host itself and wipe its disks
    #[arg(long, requires = "scenario")]
    retire: bool,
    /// How to print it
    #[arg(long, default_value = "human")]
    format: FormatArg,
    /// Write plan.md, plan.json and plan.html into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    out: Option<PathBuf>,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
}

/// What a plan can be for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ScenarioArg {
    /// The first system of a machine
    Install,
    /// Workloads that leave a Kubernetes cluster
    Migrate,
    /// Another generation of a machine that runs
    Update,
    /// A machine that is lost, from its backups
    Recover,
    /// What a migration leaves behind, or the host itself
    Decommission,
}

impl From<ScenarioArg> for Scenario {
    fn from(scenario: ScenarioArg) -> Self {
        match scenario {
            ScenarioArg::Install => Self::Install,
            ScenarioArg::Migrate => Self::Migrate,
            ScenarioArg::Update => Self::Update,
            ScenarioArg::Recover => Self::Recover,
            ScenarioArg::Decommission => Self::Decommission,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// A table
    Human,
    /// A page to follow at three in the morning
    Md,
    /// The document that `hostwright schema plan` describes
    Json,
    /// A page for a browser
    Html,
    /// The graph, for Graphviz
    Dot,
}

impl From<FormatArg> for PlanFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Human => Self::Human,
            FormatArg::Md => Self::Markdown,
            FormatArg::Json => Self::Json,
            FormatArg::Html => Self::Html,
            FormatArg::Dot => Self::Dot,
        }
    }
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let scenario = scenario_of(args.scenario, args.retire)?;
    context::with_plan(terminal, folder, &args.host, context::Wanted::Scenario(scenario), args.today, |plan| {
        let look = last_look(folder, plan.host());
        let look = look.as_ref();
        match &args.out {
            None => terminal.print(&rendered(&plan, args.format.into(), terminal.color, look)?)?,
            Some(folder) => {
                for format in [PlanFormat::Markdown, PlanFormat::Json, PlanFormat::Html] {
                    let path = folder.join(format!("plan.{}", format.as_str()));
                    output::replace(&path, rendered(&plan, format, false, look)?.as_bytes())?;
                }
                terminal.print(&format!("wrote    plan.md, plan.json, plan.html in {}\n", shown(folder)))?;
            }
        }
        Ok(ExitStatus::Success)
    })
}

/// Returns the scenario that is asked for.
pub(super) fn scenario_of(asked: Option<ScenarioArg>, retire: bool) -> Result<Option<Scenario>, Failure> {
    match (asked, retire) {
        (Some(ScenarioArg::Decommission), true) => Ok(Some(Scenario::Retire)),
        (_, true) => Err(Failure::new("`--retire` goes with `--scenario decommission`")
            .help("it retires the host itself: its disks are wiped in the end")),
        (asked, false) => Ok(asked.map(Scenario::from)),
    }
}

fn rendered(plan: &Plan, format: PlanFormat, color: bool, look: Option<&LastLook>) -> Result<String, Failure> {
    report::plan::write_with(plan, format, color, look).map_err(|error| Failure::new(error.to_string()))
}
