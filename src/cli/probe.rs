//! `hostwright probe`

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::context::{self, shown};
use super::terminal::Terminal;
use super::way::Way;
use super::{ExitStatus, Failure, names, output};
use crate::check::rules;
use crate::fleet::scalar::{Target, check_name};
use crate::probe;
use crate::source::{Diagnostic, Level, Sources, printable, quoted};

/// Read the facts of a machine: disks, interfaces, firmware, pools, the system that runs.
///
/// Asks over ssh, or reads what the printed script said on a machine that cannot be reached. Either way the machine is only read:
/// nothing is written there, no pool imported, no module loaded. Where the public names of a host of the fleet point is asked of this
/// machine's resolver.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("way").required(true).args(["target", "script", "from"])))]
#[command(after_help = "\
Examples:
  hostwright probe lufta                              a host of the fleet, at its deploy.target
  hostwright probe root@192.0.2.10 --host lufta       by address, written to hosts/lufta/facts.json
  hostwright probe --script >probe.sh                 to run by hand: sh probe.sh >lufta.probe
  hostwright probe --from lufta.probe --host lufta    the facts from what it printed
  hostwright probe --from - <lufta.probe              printed instead of written

Exit status: 0 the facts are there, also where tools were missing (which is said); 2 the machine did not answer, its
answer is cut off, or it is of another machine than the facts that are there.")]
pub(super) struct Args {
    /// `[user@]host[:port]`, or a host of the fleet
    #[arg(value_name = "TARGET")]
    target: Option<String>,
    /// Print the script that does the reading
    #[arg(long)]
    script: bool,
    /// Read what the script printed from a file, or from standard input (-)
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write hosts/HOST/facts.json of the fleet instead of printing
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Replace facts that are of another machine
    #[arg(long)]
    force: bool,
    /// An ssh_config to use instead of your own
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,
    /// Seconds until a machine that does not answer is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    deadline: u64,
    /// The time to write into the facts
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<jiff::Timestamp>,
}

pub(super) fn run(
    terminal: &Terminal,
    fleet: &dyn Fn() -> Result<PathBuf, Failure>,
    args: &Args,
) -> Result<ExitStatus, Failure> {
    if args.script {
        terminal.print(probe::SCRIPT)?;
        return Ok(ExitStatus::Success);
    }
    if let Some(host) = &args.host {
        check_name(host)
            .map_err(|wanted| Failure::new(format!("a host cannot be called {}", quoted(host))).help(wanted))?;
    }
    let (name, text, host) = match (&args.from, &args.target) {
        (Some(file), _) if file.as_os_str() == "-" => ("standard input".to_owned(), from_stdin()?, args.host.clone()),
        (Some(file), _) => (shown(file), output::read_text(file)?, args.host.clone()),
        (None, Some(target)) => {
            let (way, own) = way_to(target, fleet)?;
            let text = over_ssh(&way, probe::SCRIPT, args.ssh_config.as_deref(), args.deadline)?;
            (format!("answer of {}", way.target), text, args.host.clone().or(own))
        }
        (None, None) => return Err(Failure::new("a target, `--script` or `--from FILE` is wanted")),
    };
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let mut found = Vec::new();
    let Some(sections) = probe::read(&sources, file, &mut found) else {
        terminal.print(&context::findings(terminal, &found, &sources))?;
        return Ok(ExitStatus::Invalid);
    };
    let taken = now(args.now)?;
    let mut seen = probe::see(&sections, &taken, host.as_deref());
    let mut missing: Vec<Diagnostic> =
        seen.missing.iter().map(|(what, why)| lacks(&sources, file, what, why)).collect();
    if let (Some(host), Ok(folder)) = (&host, fleet()) {
        let (known, unknown): (BTreeMap<_, _>, _) =
            names::of_host(&folder, host).into_iter().partition(|(_, addresses)| !addresses.is_empty());
        seen.dns = known;
        missing.extend(unknown.keys().map(|name| {
            let message = format!("the name {} does not resolve on this machine", quoted(name));
            Diagnostic::new("key-missing", Level::Warning, sources.start(file), message)
                .why("the facts do not say where it points")
                .help("make the name, or probe again where names resolve")
        }));
    }
    let facts = seen.to_json();
    let Some(host) = host else {
        terminal.warn(&context::findings(terminal, &missing, &sources));
        terminal.print(&facts)?;
        return Ok(ExitStatus::Success);
    };
    let path = fleet()?.join("hosts").join(&host).join("facts.json");
    if path.exists() && !args.force {
        let old = output::read_text(&path)?;
        if let Some(difference) = probe::other_machine(&old, &facts) {
            return Err(Failure::new(format!(
                "these facts are of another machine than {}: {}",
                shown(&path),
                printable(&difference)
            ))
            .help("probe the right machine")
            .help("`--force`, if its disks were changed"));
        }
    }
    output::replace(&path, facts.as_bytes())?;
    terminal.warn(&context::findings(terminal, &missing, &sources));
    terminal.print(&format!("wrote    {}\nnext     hostwright check {host}\n", shown(&path)))?;
    Ok(ExitStatus::Success)
}

/// Returns what is said of something the machine could not tell, with the rules that will not be able to check it.
fn lacks(sources: &Sources, file: crate::source::FileId, what: &str, why: &str) -> Diagnostic {
    let needs = format!("probed {what}");
    let blind: Vec<String> =
        rules::all().filter(|rule| rule.needs.contains(&needs.as_str())).map(|rule| format!("`{}`", rule.id)).collect();
    let message = format!("the facts lack the {what} of the machine: {why}");
    let finding = Diagnostic::new("key-missing", Level::Warning, sources.start(file), message)
        .help("run it as root on a system with util-linux, iproute2 and, for pools, OpenZFS");
    if blind.is_empty() { finding } else { finding.why(format!("cannot check without them: {}", blind.join(", "))) }
}

pub(super) fn from_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(64 << 20)
        .read_to_end(&mut bytes)
        .map_err(|why| Failure::new(format!("cannot read standard input: {why}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns where to go, and which host of the fleet it is when a host was named.
fn way_to(word: &str, fleet: &dyn Fn() -> Result<PathBuf, Failure>) -> Result<(Way, Option<String>), Failure> {
    if check_name(word).is_ok()
        && let Ok(folder) = fleet()
        && folder.join("hosts").join(word).join("host.toml").exists()
    {
        return Ok((Way::to_host(&folder, word)?, Some(word.to_owned())));
    }
    let target = word.parse::<Target>().map_err(|wanted| {
        Failure::new(format!("{} is neither a host of the fleet nor a target", quoted(word))).help(wanted)
    })?;
    Ok((Way::to(target), None))
}

/// Runs a script on a machine and returns what it printed. ssh asks for what it needs: a password, an unknown host key.
#[expect(clippy::disallowed_methods, reason = "what does not answer is given up after a time")]
pub(super) fn over_ssh(
    way: &Way,
    script: &str,
    config: Option<&std::path::Path>,
    deadline: u64,
) -> Result<String, Failure> {
    let target = &way.target;
    let (mut command, _known) = way.command(config)?;
    let failed = |what: String| {
        Failure::new(format!("cannot probe {target}: {what}"))
            .help("`hostwright probe --script` prints the script, to be run by hand on the machine")
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|why| failed(format!("ssh cannot be started: {why}")))?;
    let (mut input, mut out) = (child.stdin.take(), child.stdout.take());
    // A machine that goes away closes the pipe; what it said until then tells more than that error.
    let script = script.as_bytes().to_vec();
    let writer = std::thread::spawn(move || input.take().map(|mut input| input.write_all(&script)));
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = out.take().map(|out| out.take(64 << 20).read_to_end(&mut bytes));
        bytes
    });
    let end = Instant::now() + Duration::from_secs(deadline);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("no answer within {deadline} s")).help("`--deadline SECONDS` waits longer"));
            }
            Err(why) => return Err(failed(why.to_string())),
        }
    };
    let _ = writer.join();
    let bytes = reader.join().unwrap_or_default();
    if !status.success() {
        return Err(failed(format!("ssh ended with {status}")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the time in RFC 3339, whole seconds, UTC.
#[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
pub(super) fn now(asked: Option<jiff::Timestamp>) -> Result<String, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let seconds = asked.map_or_else(|| i64::try_from(since).unwrap_or(0), jiff::Timestamp::as_second);
    let time = jiff::Timestamp::from_second(seconds);
    time.map(|time| time.to_string()).map_err(|_| Failure::new("the clock of this machine is out of range"))
}
