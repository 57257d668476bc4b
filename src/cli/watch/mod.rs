//! `hostwright watch`

mod look;
mod records;
mod send;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, probe};
use crate::check::check_files;
use crate::fleet::schema::fleet_file::WatchTimer;
use crate::report::watch::{self as report, WatchReport};
use crate::source::Level;
use crate::units::Date;
use crate::watch::{News, Waiting, Way, compare};

pub(super) use records::last_look;

/// Look at hosts as a timer does: drift, and how their restore drills stand, with a report of what is news.
///
/// Each machine is asked as `drift` asks it, and systemd there how each drill went. A host that does not answer is a finding like any
/// other. What was found lies in state/HOST/watch.json, and plan pages show it. `[deployer] timer` says who is told, by mail or webhook:
/// once of each thing that is found, and once when it is gone. out/deployer/watch.nix runs this on a timer (docs/watch.md).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright watch                              every host that says where it is reached
  hostwright watch lufta --report never         only look: nobody is told, and nothing counts as told
  hostwright watch --drills                     run drills that failed, are overdue or never passed, too
  hostwright watch --report always              tell what is found also where nothing has changed

Exit status: 0 nothing is found; 1 something is; 2 wrong usage or invalid input; 3 a report could not be sent: it waits in state/, and the
next run sends it.")]
pub(super) struct Args {
    /// The hosts [default: every host with a deploy.target]
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    /// Run drills that failed, are overdue or never passed, and wait for them
    #[arg(long)]
    drills: bool,
    /// When a report is sent
    #[arg(long, value_name = "WHEN", default_value = "changed")]
    report: ReportWhen,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: FormatArg,
    /// The file with the webhook's URL [default: the credential of the secret's name, else the secret's file on the deployer]
    #[arg(long, value_name = "FILE")]
    webhook_file: Option<PathBuf>,
    /// An ssh_config to use instead of your own
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,
    /// Seconds until a machine that does not answer is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    deadline: u64,
    /// Seconds until a drill that was started is waited for no longer; it runs on
    #[arg(long, value_name = "SECONDS", default_value_t = 21_600)]
    drill_deadline: u64,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
    /// The time to write down
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<jiff::Timestamp>,
}

/// When a report is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportWhen {
    /// Where something is found that was not, or is gone
    Changed,
    /// Each time
    Always,
    /// Not at all, and what is found does not count as told
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// For people: what a mail says
    Human,
    /// The document that `hostwright schema watch` describes
    Json,
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let mut files = context::load(folder)?;
    context::known_hosts(&files, &args.hosts)?;
    let all: Vec<String> =
        files.below("hosts").filter(|(_, rest, _)| *rest == "host.toml").map(|(name, ..)| name.to_owned()).collect();
    let facts = context::facts(folder, &mut files)?;
    let today = context::today(args.today)?;
    let looked = probe::now(args.now)?;
    let wanted = if args.hosts.is_empty() { &all } else { &args.hosts };
    check_files(&mut files, &facts, wanted, today, |resolved, outcome, sources| {
        // What is wrong with one host is found of that host; without a fleet there is nobody to tell.
        let Some(fleet) = resolved else {
            let report = context::Report::new(&outcome, sources);
            terminal.error(&report.write(terminal, crate::report::Format::Human, Level::Error, "", None));
            return Ok(ExitStatus::Invalid);
        };
        let _lock = records::lock(folder)?;
        let asking = look::Asking { folder, fleet, facts: &facts, args, looked: &looked };
        let (mut looks, left_out) = asking.all(terminal, wanted);
        let hosts: Vec<_> = looks.iter().map(compare).collect();
        let news = News { fleet: outcome.fleet.clone().unwrap_or_default(), looked: looked.clone(), hosts };
        let tells = args.report != ReportWhen::Never;
        let mut unsent = records::unsent(terminal, folder);
        if args.report == ReportWhen::Always || tells && news.is_news() {
            let report = WatchReport { news: &news, looks: &looks, left_out: &left_out };
            unsent.add(reports(fleet.timer(), &report));
            // Before anything counts as told: a run that is cut off behind this tells it the next time.
            records::keep_unsent(folder, &unsent)?;
        }
        for (look, told) in looks.iter_mut().zip(&news.hosts) {
            if tells {
                look.reported = told.told(look);
            }
            records::keep(folder, look)?;
        }
        let waiting = if tells {
            let outbox = send::Outbox { terminal, folder, fleet, webhook_file: args.webhook_file.as_deref() };
            outbox.send(&mut unsent)?
        } else {
            0
        };
        let report = WatchReport { news: &news, looks: &looks, left_out: &left_out };
        terminal.print(&match args.format {
            FormatArg::Human => report::human(&report),
            FormatArg::Json => report::json(&report, waiting),
        })?;
        Ok(match (waiting, news.counts()) {
            (1.., _) => ExitStatus::Stopped,
            (0, (0, ..)) => ExitStatus::Success,
            (0, _) => ExitStatus::Findings,
        })
    })
}

/// Returns the report for each of those who are told.
fn reports(timer: Option<&WatchTimer>, report: &WatchReport<'_>) -> Vec<Waiting> {
    let news = report.news;
    let waiting = |way, body| Waiting { way, made: news.looked.clone(), subject: report::subject(news), body };
    let mail = timer.and_then(|timer| timer.mail.as_ref()).map(|_| waiting(Way::Mail, report::human(report)));
    let webhook = timer.and_then(|timer| timer.webhook.as_ref()).map(|_| waiting(Way::Webhook, report::payload(news)));
    mail.into_iter().chain(webhook).collect()
}
