//! `hostwright drift`

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context;
use super::terminal::Terminal;
use super::way::{self, Way};
use super::{ExitStatus, Failure, output, probe as asking};
use crate::check::check_files;
use crate::compile;
use crate::drift::{self, Contract, Machine, Recorded};
use crate::facts::Facts;
use crate::probe;
use crate::report::drift::{self as report, DriftReport, HostDrift};
use crate::resolve::ResolvedHost;
use crate::source::{Level, Sources, printable};
use crate::units::Date;

/// Compare the definition of hosts with the machines as they run.
///
/// Each machine is only read: nothing is written there, no module loaded, no pool imported. It is known by the keys in
/// state/HOST/known_hosts where a plan recorded them, else as `probe` knows it. What could not be read is listed as not compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright drift lufta                          one host, over ssh
  hostwright drift lufta attic --format json      several, for a timer that mails what changed
  hostwright drift --script >look.sh              to run by hand, as root: sh look.sh >lufta.look
  hostwright drift lufta --facts lufta.look       from what it printed
  hostwright drift lufta --facts hosts/lufta/facts.json   from facts, as far as they go

Exit status: 0 no difference; 1 a difference; 2 a host cannot be reached, or it or its definition cannot be read.")]
pub(super) struct Args {
    /// The hosts
    #[arg(value_name = "HOST", required_unless_present = "script")]
    hosts: Vec<String>,
    /// Compare with this instead of asking: facts.json, or what the script printed (- for standard input)
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Print the script that does the reading
    #[arg(long, conflicts_with_all = ["hosts", "facts", "format"])]
    script: bool,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: FormatArg,
    /// An ssh_config to use instead of your own
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,
    /// Seconds until a machine that does not answer is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    deadline: u64,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// For people
    Human,
    /// The document that `hostwright schema drift` describes
    Json,
}

pub(super) fn run(
    terminal: &Terminal,
    fleet: &dyn Fn() -> Result<PathBuf, Failure>,
    args: &Args,
) -> Result<ExitStatus, Failure> {
    if args.script {
        terminal.print(&probe::live_script())?;
        return Ok(ExitStatus::Success);
    }
    if args.facts.is_some() && args.hosts.len() > 1 {
        return Err(Failure::new("`--facts` is of one machine, and several hosts are named").help("name one host"));
    }
    let folder = fleet()?;
    let mut files = context::load(&folder)?;
    context::known_hosts(&files, &args.hosts)?;
    let facts = context::facts(&folder, &mut files)?;
    let today = context::today(args.today)?;
    check_files(&mut files, &facts, &args.hosts, today, |resolved, outcome, sources| {
        let find = |name: &String| resolved?.hosts.iter().find(|host| host.name == name.as_str());
        let hosts: Option<Vec<&ResolvedHost<'_>>> = args.hosts.iter().map(find).collect();
        // What rules find is no hindrance; what cannot be read is.
        let Some(hosts) = hosts else {
            let text = context::Report::new(&outcome, sources).write(
                terminal,
                crate::report::Format::Human,
                Level::Error,
                "",
                None,
            );
            terminal.error(&text);
            return Ok(ExitStatus::Invalid);
        };
        let mut compared = Vec::new();
        for host in hosts {
            let machine = machine(&folder, host, args);
            let result = machine.map(|machine| {
                let recorded = recorded(&folder, host, &facts);
                (machine.taken.clone(), drift::compare(host, &machine, &facts, &recorded))
            });
            let target = host.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref());
            compared.push(HostDrift {
                host: host.name,
                target: target.map(|target| target.value.to_string()),
                result: result.map_err(|failure| std::iter::once(failure.message).chain(failure.help).collect()),
            });
        }
        let report = DriftReport { fleet: outcome.fleet.as_deref(), hosts: &compared, sources };
        terminal.print(&match args.format {
            FormatArg::Human => report::human(&report, terminal.color, terminal.verbosity),
            FormatArg::Json => report::json(&report),
        })?;
        Ok(if compared.iter().any(|host| host.result.is_err()) {
            ExitStatus::Invalid
        } else if compared.iter().any(HostDrift::differs) {
            ExitStatus::Findings
        } else {
            ExitStatus::Success
        })
    })
}

/// Returns what a machine says, or what a file says of it.
fn machine(folder: &Path, host: &ResolvedHost<'_>, args: &Args) -> Result<Machine, Failure> {
    let (name, text) = match &args.facts {
        Some(file) if file.as_os_str() == "-" => ("standard input".to_owned(), asking::from_stdin()?),
        Some(file) => (context::shown(file), output::read_text(file)?),
        None => {
            let way = Way::to_host(folder, host.name)?.bound(folder, host.name);
            return ask(&way, args.ssh_config.as_deref(), args.deadline);
        }
    };
    told(&name, text)
}

/// Asks a machine what it is like.
pub(super) fn ask(way: &Way, ssh_config: Option<&Path>, deadline: u64) -> Result<Machine, Failure> {
    let asked = asking::over_ssh(way, &probe::live_script(), ssh_config, deadline);
    // The other command's script asks for less.
    let text = asked.map_err(|failure| Failure {
        message: failure.message,
        help: failure.help.iter().map(|help| help.replace("hostwright probe", "hostwright drift")).collect(),
    })?;
    told(&format!("answer of {}", way.target), text)
}

/// Returns what a machine told, as the script or as facts.
fn told(name: &str, text: String) -> Result<Machine, Failure> {
    let json = if text.trim_start().starts_with('{') { text } else { seen(name, text)? };
    serde_json::from_str(&json).map_err(|error| {
        Failure::new(printable(&format!("{name} holds no facts of a machine: {error}")))
            .help("`hostwright probe` writes facts.json; `hostwright drift --script` prints what to run on the machine")
    })
}

/// Returns the facts from what the script printed.
fn seen(name: &str, text: String) -> Result<String, Failure> {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let mut found = Vec::new();
    let Some(sections) = probe::read(&sources, file, &mut found) else {
        let finding = found.into_iter().next();
        let message = finding.as_ref().map_or("no answer", |finding| finding.message.as_str());
        return Err(Failure::new(printable(&format!("{name}: {message}")))
            .help("`hostwright drift --script >look.sh`, and `sh look.sh >HOST.look` on the machine"));
    };
    Ok(probe::see(&sections, "", None).to_json())
}

/// Returns what the machine is compared with beyond its definition.
pub(super) fn recorded(folder: &Path, host: &ResolvedHost<'_>, facts: &Facts) -> Recorded {
    let contract = |pool: &crate::resolve::ResolvedPool<'_>| {
        let limit = compile::for_pool(host, pool, facts);
        (pool.name.to_owned(), Contract { set: limit.set, features: limit.features })
    };
    Recorded { host_keys: way::recorded_keys(folder, host.name), contracts: host.pools.iter().map(contract).collect() }
}
