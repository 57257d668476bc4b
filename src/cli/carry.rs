//! What the commands that carry plans out have in common: options, the run itself, its page, how it is looked at.

use std::path::Path;

use super::context::{self, shown};
use super::front::Seat;
use super::terminal::Terminal;
use super::watch::last_look;
use super::{ExitStatus, Failure, output};
use crate::apply::{self, Ending, Options, Refused, Status, Stop, Verdict};
use crate::plan::{Plan, Scenario};
use crate::report;
use crate::report::plan::RunState;
use crate::source::printable;
use crate::units::Date;

/// The options of every command that carries a plan out.
#[derive(Debug, clap::Args)]
#[expect(clippy::option_option, reason = "clap's form of an option whose value may be left out")]
pub(super) struct Shared {
    /// Say that this step, which a person does, is done
    #[arg(long, value_name = "STEP")]
    pub(super) confirm: Vec<String>,
    /// Ask nobody: end with status 3 where somebody would be asked
    #[arg(long)]
    pub(super) non_interactive: bool,
    /// Take the lock on the machine from another deployer whose run has ended
    #[arg(long)]
    take_over: bool,
    /// Move the journal aside and begin with the first step
    #[arg(long)]
    restart: bool,
    /// Print where the plan stands, and run nothing
    #[arg(long, conflicts_with_all = ["confirm", "take_over", "restart"])]
    pub(super) status: bool,
    /// Print what a step printed, or every step, and run nothing
    #[arg(long, value_name = "STEP", num_args = 0..=1, conflicts_with_all = ["confirm", "take_over", "restart", "status"])]
    pub(super) log: Option<Option<String>>,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    pub(super) today: Option<Date>,
}

impl Shared {
    /// Returns the options of a run that asks nobody: these steps of a person are done.
    pub(super) fn answered(confirm: Vec<String>, today: Option<Date>) -> Self {
        Self { confirm, non_interactive: true, take_over: false, restart: false, status: false, log: None, today }
    }
}

/// A run that is over.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    /// The last verdict that was given.
    pub(super) verdict: Option<Verdict>,
}

/// A run of a plan.
pub(super) struct Run<'a> {
    pub(super) terminal: &'a Terminal,
    /// The fleet's folder.
    pub(super) folder: &'a Path,
    pub(super) shared: &'a Shared,
    /// What it is told beside the shared options.
    pub(super) options: Options,
    /// The command, without the options of single steps, that goes on with it.
    pub(super) again: Vec<String>,
    /// Whether standard output is left to a document.
    pub(super) aside: bool,
    /// Whether it is a part of something longer, which goes on by itself behind its last step.
    pub(super) part: bool,
}

impl Run<'_> {
    /// Carries a plan out as far as it goes, and writes the page of what happened.
    pub(super) fn carry_out(self, plan: &Plan, stop: &Stop) -> Result<Ran, Failure> {
        if cfg!(not(unix)) {
            return Err(Failure::new("apply works from Linux and macOS")
                .help("`hostwright apply HOST --dry-run` verifies the plan and prints it"));
        }
        let options = Options {
            confirm: self.shared.confirm.clone(),
            take_over: self.shared.take_over,
            restart: self.shared.restart,
            who: who(),
            ..self.options.clone()
        };
        let state = self.folder.join("state").join(plan.host());
        let mut seat = Seat::new(self.terminal, !self.shared.non_interactive, stop.clone(), self.aside, state);
        let ending = apply::run(plan, self.folder, &options, stop, &mut seat).map_err(refused)?;
        let verdict = seat.leave();
        let mut again = self.again.clone();
        if self.shared.non_interactive && !self.part {
            again.push("--non-interactive".to_owned());
        }
        let text = report::apply::ending(&ending, &again, plan.steps().len());
        let goes_on = self.part && matches!(ending, Ending::Until(_));
        match ending {
            Ending::Failed(_) => self.terminal.error(&text),
            _ if goes_on => {}
            _ => self.print(&text)?,
        }
        let stands = apply::status(plan, self.folder).map_err(refused)?;
        if matches!(ending, Ending::Complete) {
            self.print(&report::apply::took(plan, &stands))?;
        }
        self.page(plan, &stands, goes_on)?;
        let status = match ending {
            Ending::Complete | Ending::Until(_) => ExitStatus::Success,
            Ending::Awaiting(_) | Ending::Failed(_) | Ending::Interrupted { .. } => ExitStatus::Stopped,
        };
        Ok(Ran { status, verdict })
    }

    fn print(&self, text: &str) -> Result<(), Failure> {
        if self.aside {
            self.terminal.warn(text);
            return Ok(());
        }
        self.terminal.print(text)
    }

    /// Writes the plan as a page with what happened. A page that cannot be written takes nothing from the run.
    fn page(&self, plan: &Plan, stands: &Status, goes_on: bool) -> Result<(), Failure> {
        let name = if plan.scenario() == Scenario::RebootTest { "reboot-test.html" } else { "plan.html" };
        let path = self.folder.join("state").join(plan.host()).join(name);
        let look = last_look(self.folder, plan.host());
        let page = report::plan::page(plan, Some(&RunState::of_status(stands)), look.as_ref());
        let page = page.map_err(|error| Failure::new(error.to_string()))?;
        match output::replace(&path, page.as_bytes()) {
            Err(why) => self.terminal.warn(&report::apply::remark(&format!("{why:#}"))),
            Ok(()) if self.terminal.is_quiet() || goes_on => {}
            Ok(()) => self.print(&format!("page     {}: the plan with what happened\n", shown(&path)))?,
        }
        Ok(())
    }
}

/// Prints what a step printed; only reads.
pub(super) fn log(terminal: &Terminal, folder: &Path, plan: &Plan, step: Option<&str>) -> Result<ExitStatus, Failure> {
    let text = apply::log(plan, folder, step).map_err(refused)?;
    // What a machine printed is shown as it was, but for what would steer a terminal.
    let line = |text: &str| match text.strip_suffix('\n') {
        Some(text) => printable(text) + "\n",
        None => printable(text),
    };
    let text: String = text.split_inclusive('\n').map(line).collect();
    terminal.print(&text)?;
    Ok(ExitStatus::Success)
}

/// Begins to hear the signals that stop a run.
pub(super) fn stop_on_signals() -> Result<Stop, Failure> {
    Stop::on_signals().map_err(|why| Failure::new(format!("signals cannot be heard: {why}")))
}

/// Returns a refusal as what ends a command.
pub(super) fn refused(refused: Refused) -> Failure {
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
