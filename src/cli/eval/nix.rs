//! Nix as a program: how it is started, what it may do, and how it ends.
#![allow(clippy::disallowed_methods, reason = "`--eval` is what starts Nix, and is given up after a time")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::Failure;
use crate::evaluate::{End, Heard};
use crate::source::{printable, quoted};
use crate::units::Version;

/// The command, of several words perhaps.
const VARIABLE: &str = "HOSTWRIGHT_NIX";

/// The heap that Nix's collector begins with.
const HEAP: &str = "GC_INITIAL_HEAP_SIZE";

/// The oldest Nix whose traces are read: nixpkgs asks for it too.
const OLDEST: &str = "2.18";

/// The command that evaluates.
#[derive(Debug, Clone)]
pub(super) struct Nix {
    words: Vec<String>,
    trusted: bool,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) expression: &'a str,
    /// The folders that the evaluation may read, each by a name.
    pub(super) folders: &'a [(String, PathBuf)],
    /// Whether a warning ends it.
    pub(super) abort_on_warn: bool,
    /// When its time is over.
    pub(super) end: Instant,
    /// How much memory it may use, in bytes.
    pub(super) memory: u64,
}

impl Nix {
    /// Finds Nix, and looks whether it is new enough.
    pub(super) fn find(trusted: bool) -> Result<Self, Failure> {
        let words = std::env::var(VARIABLE).unwrap_or_default();
        let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            words.push("nix-instantiate".to_owned());
        }
        let nix = Self { words, trusted };
        let mut version = nix.command(None);
        version.arg("--version");
        let heard = listen(version, Instant::now() + Duration::from_mins(1)).map_err(|why| nix.missing(&why))?;
        let text = heard.out.lines().next().unwrap_or_default().trim();
        if heard.end != (End::Itself { success: true }) || text.is_empty() {
            let said = heard.err.lines().next().unwrap_or_default();
            return Err(nix.missing(if said.is_empty() { "it does not tell its version" } else { said }));
        }
        let number: Option<Version> = text.split_whitespace().last().and_then(|word| {
            let digits: String = word.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            digits.trim_end_matches('.').parse().ok()
        });
        let oldest: Option<Version> = OLDEST.parse().ok();
        if let (Some(number), Some(oldest)) = (number, oldest)
            && number < oldest
        {
            return Err(Failure::new(format!("{} is too old: Nix {OLDEST} is wanted", quoted(text)))
                .help("put a newer nix-instantiate on PATH")
                .help(format!("`{VARIABLE}` names another command")));
        }
        Ok(nix)
    }

    fn missing(&self, why: &str) -> Failure {
        Failure::new(format!("cannot start {}: {}", quoted(&self.words.join(" ")), printable(why)))
            .help("`--eval` needs Nix: nix-instantiate on PATH")
            .help(format!("`{VARIABLE}` names another command, of several words if need be"))
            .help("`hostwright check` alone needs no Nix")
    }

    /// Returns the command, within a limit of memory in bytes.
    fn command(&self, memory: Option<u64>) -> Command {
        let (program, arguments) =
            self.words.split_first().map_or(("nix-instantiate", [].as_slice()), |(first, rest)| (first.as_str(), rest));
        let mut command = match memory {
            // The shell sets the limit and becomes the program.
            Some(bytes) if cfg!(target_os = "linux") => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "ulimit -v \"$1\" 2>/dev/null; shift; exec \"$@\"", "sh"]);
                shell.arg((bytes / 1024).to_string()).arg(program);
                shell
            }
            _ => Command::new(program),
        };
        command.args(arguments);
        command
    }

    /// Evaluates an expression: strictly, to JSON.
    pub(super) fn evaluate(&self, run: Run<'_>) -> Heard {
        let mut command = self.command(Some(run.memory));
        command.args(["--eval", "--strict", "--json", "--show-trace"]);
        // As much as an evaluation needs anyhow: looking for garbage meanwhile takes 40 % of its time, measured.
        if std::env::var_os(HEAP).is_none() {
            command.env(HEAP, "1200M");
        }
        if !self.trusted {
            // What a definition computes neither reads nor fetches anything but what it is made of, and builds nothing.
            command.arg("--readonly-mode").env("NIX_PATH", "");
            for (option, value) in [
                ("restrict-eval", "true"),
                ("allowed-uris", ""),
                ("allow-import-from-derivation", "false"),
                ("allow-unsafe-native-code-during-evaluation", "false"),
                ("substitute", "false"),
            ] {
                command.args(["--option", option, value]);
            }
        }
        if run.abort_on_warn {
            command.args(["--option", "abort-on-warn", "true"]);
        }
        for (name, folder) in run.folders {
            command.arg("-I").arg(format!("{name}={}", folder.display()));
        }
        command.args(["-E", run.expression]);
        self.heard(command, run.end)
    }

    /// Evaluates an expression of ours that may fetch into the store.
    pub(super) fn fetch(&self, expression: &str, end: Instant) -> Heard {
        let mut command = self.command(None);
        command.args(["--eval", "--strict", "--json", "-E", expression]);
        self.heard(command, end)
    }

    fn heard(&self, command: Command, end: Instant) -> Heard {
        listen(command, end).unwrap_or_else(|why| Heard {
            out: String::new(),
            err: format!("error: cannot start {}: {why}", self.words.join(" ")),
            end: End::Itself { success: false },
        })
    }
}

/// How much of what a run prints is kept, in bytes: of more, its end.
const KEPT: usize = 32 << 20;

/// A thread that reads what a run prints, and what it has read.
struct Reader {
    kept: Arc<Mutex<Vec<u8>>>,
    thread: std::thread::JoinHandle<()>,
}

/// Reads in a thread of its own, so that a run which prints much never waits for us.
fn reader(mut from: impl Read + Send + 'static) -> Reader {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&kept);
    let thread = std::thread::spawn(move || {
        let mut chunk = vec![0; 64 << 10];
        while let Ok(count) = from.read(&mut chunk) {
            let Ok(mut kept) = into.lock() else { return };
            if count == 0 {
                return;
            }
            kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
            if kept.len() > 2 * KEPT {
                let surplus = kept.len() - KEPT;
                kept.drain(..surplus);
            }
        }
    });
    Reader { kept, thread }
}

/// Runs a command until it ends, or its time is over. The error says why it cannot be started.
fn listen(mut command: Command, end: Instant) -> Result<Heard, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| why.to_string())?;
    let out = child.stdout.take().map(reader);
    let err = child.stderr.take().map(reader);
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break of_status(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                break End::Deadline;
            }
            Err(why) => return Err(why.to_string()),
        }
    };
    let text = |from: Option<Reader>| {
        let Some(Reader { kept, thread }) = from else { return String::new() };
        // What the run started itself may live on and hold the pipe: then what was read is all there is.
        if ended != End::Deadline {
            let _ = thread.join();
        }
        kept.lock().map(|kept| String::from_utf8_lossy(&kept).into_owned()).unwrap_or_default()
    };
    Ok(Heard { out: text(out), err: text(err), end: ended })
}

fn of_status(status: ExitStatus) -> End {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return End::Signal(signal);
        }
    }
    // How a shell tells of a signal.
    match status.code() {
        Some(code @ 129..=159) => End::Signal(code - 128),
        _ => End::Itself { success: status.success() },
    }
}

/// Returns how much memory is available, in bytes, where the system tells.
pub(super) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Looks at a tree that is to be evaluated with: the release that it says it is of, where it says so.
pub(super) fn release_of(tree: &Path) -> Result<Option<String>, Failure> {
    let refused = |what: &str| {
        Failure::new(format!("{} is no nixpkgs: {what}", quoted(&tree.display().to_string())))
            .help("`--nixpkgs PATH` names the root of a nixpkgs tree, with nixos/ and pkgs/ in it")
            .help("without `--nixpkgs` Nix fetches the tree that the channel pins")
    };
    if !tree.is_dir() {
        return Err(refused("there is no such folder"));
    }
    if !tree.join("nixos/lib/eval-config.nix").is_file() {
        return Err(refused("it has no nixos/lib/eval-config.nix"));
    }
    let text = [".version", "lib/.version"].iter().find_map(|name| std::fs::read_to_string(tree.join(name)).ok());
    Ok(text.map(|text| text.trim().to_owned()))
}
