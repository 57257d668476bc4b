//! Commands on the machine, over the system's OpenSSH: started apart from the connection, heard to their end, found again.
//!
//! What runs there is `job.sh`, sent over standard input, so that nothing of a command stands on a command line. The connection is
//! shared (`ControlMaster`) in a private folder; a setting of the plan's own words wins over ours, since the first one counts.
#![allow(clippy::disallowed_methods, reason = "carrying out a plan is starting processes, each with a time")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::complaint::{Answer, is_final, never_connected, trouble};
use super::frames::{Frame, Frames};
use super::local::WAITING;
use super::run::Stop;
use super::sockets::sockets;
use super::transport::{Contact, Heard, Ran, Trouble};
use crate::plan::{Remote, System};
use crate::source::sha256;
use crate::text::ShellWord;

/// What runs on the machine.
const JOB: &str = include_str!("job.sh");

/// How long a connection may say nothing: the other side speaks every two seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// How long a machine that does not answer is called again before a command that is not known to run there is given up.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long a short script may take.
const SHORT: Duration = Duration::from_secs(90);

/// How often a line is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The way to the machines of a run.
#[derive(Debug)]
pub(super) struct Ssh {
    /// The fleet's folder, which the words' paths are relative to.
    fleet: PathBuf,
    /// The folder of the host's state, which tells runs apart.
    state: PathBuf,
    /// Where the sockets of shared connections lie; none when no such folder could be made.
    sockets: Option<PathBuf>,
    interactive: bool,
    stop: Stop,
    count: u64,
    used: BTreeMap<System, Vec<String>>,
    /// Commands on the machine whose end is in the journal, or of no interest to it.
    forget: Vec<String>,
}

/// What a call was for.
#[derive(Debug, Clone, Copy, Default)]
struct Call<'a> {
    mode: &'static str,
    id: &'a str,
    boot: &'a str,
    off: u64,
    text: &'a str,
    flush: bool,
}

impl Call<'_> {
    /// Tells whether somebody who stops the run ends this call: what cleans up behind a run is let come to its end.
    fn heeds(&self) -> bool {
        matches!(self.mode, "run" | "hear" | "contact")
    }
}

impl Ssh {
    pub(super) fn new(fleet: &Path, host: &str, interactive: bool, stop: Stop) -> Self {
        Self {
            fleet: fleet.to_owned(),
            state: fleet.join("state").join(host),
            sockets: None,
            interactive,
            stop,
            count: 0,
            used: BTreeMap::new(),
            forget: Vec::new(),
        }
    }

    /// Returns the command that starts a shell as root on the machine.
    fn command(&mut self, remote: &Remote) -> Command {
        // Only now: a run that is refused touches nothing of the one at work.
        if self.sockets.is_none() {
            self.sockets = sockets(&self.state);
        }
        let Some(words) = &remote.ssh else {
            let mut command = Command::new(if is_root() { "sh" } else { "sudo" });
            if !is_root() {
                command.args(["-n", "--", "sh"]);
            }
            return command;
        };
        self.used.insert(remote.system, words.clone());
        let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
        let (options, host) = words.split_at(at);
        let mut command = Command::new(options.first().map_or("ssh", String::as_str));
        command.args(options.iter().skip(1)).arg("-T");
        let mut ours = vec!["ConnectTimeout=15", "ServerAliveInterval=5", "ServerAliveCountMax=3"];
        if !self.interactive {
            ours.push("BatchMode=yes");
        }
        for option in ours {
            command.args(["-o", option]);
        }
        command.args(self.shared(remote.system));
        command.args(host).arg(if remote.sudo { "sudo -n sh" } else { "sh" });
        command
    }

    /// Returns the options of the shared connection: one for each system, whose keys are not those of another.
    fn shared(&self, system: System) -> Vec<String> {
        let Some(folder) = &self.sockets else { return Vec::new() };
        let letter = match system {
            System::Stranger => 's',
            System::Installer => 'i',
            System::Host => 'h',
            System::Initrd => 'r',
        };
        let path = format!("ControlPath={}/{letter}%C", folder.display());
        ["ControlMaster=auto".to_owned(), "ControlPersist=60".to_owned(), path]
            .into_iter()
            .flat_map(|option| ["-o".to_owned(), option])
            .collect()
    }

    /// Ends the shared connection to a system, which may be dead without knowing it.
    fn hang_up(&self, system: System) {
        let (Some(words), false) = (self.used.get(&system), self.sockets.is_none()) else { return };
        let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
        let (options, host) = words.split_at(at);
        let mut command = Command::new(options.first().map_or("ssh", String::as_str));
        command.args(options.iter().skip(1)).args(self.shared(system)).args(["-O", "exit"]).args(host);
        command.current_dir(&self.fleet).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(mut child) = command.spawn() {
            let until = Instant::now() + Duration::from_secs(5);
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn nonce(&mut self) -> String {
        self.count += 1;
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seed = format!("{} {} {}", since.as_nanos(), std::process::id(), self.count);
        sha256(seed).chars().take(16).collect()
    }

    /// Sends the script once and hears the answers until it ends.
    fn call(
        &mut self,
        remote: &Remote,
        call: Call<'_>,
        until: Instant,
        heard: &mut dyn FnMut(Heard<'_>),
    ) -> (Answer, u64) {
        let nonce = self.nonce();
        let set = |name: &str, value: &str| format!("{name}={}\n", ShellWord::new(value));
        let forget = self.forget.join(" ");
        let head = [
            ("mode", call.mode),
            ("nonce", &nonce),
            ("id", call.id),
            ("boot", call.boot),
            ("off", &call.off.to_string()),
            ("text", call.text),
            ("flush", if call.flush { "yes" } else { "" }),
            ("forget", &forget),
        ];
        let script = head.iter().map(|(name, value)| set(name, value)).collect::<String>() + JOB;
        let mut command = self.command(remote);
        let complaints = self.complaints();
        command.current_dir(&self.fleet).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(
            complaints
                .as_ref()
                .map_or_else(Stdio::null, |(_, file)| file.try_clone().map_or_else(|_| Stdio::null(), Stdio::from)),
        );
        #[cfg(unix)]
        if !self.interactive {
            // Whoever stops us at a terminal stops ssh in his own way; nobody else does.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(why) => {
                let program = command.get_program().to_string_lossy().into_owned();
                return (Answer { complaint: format!("{program} cannot be started: {why}"), ..Answer::default() }, 0);
            }
        };
        let writer = child.stdin.take().map(|input| std::thread::spawn(move || feed(input, &script)));
        let receive = listen(&mut child);
        let (mut answer, sent) = self.hear(&mut child, &receive, (&nonce, call.heeds()), until, heard);
        drop(writer);
        if let Some((path, _)) = complaints {
            let mut text = String::new();
            if let Ok(file) = File::open(&path) {
                let mut bytes = Vec::new();
                let _ = file.take(4 << 10).read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).trim().clone_into(&mut text);
            }
            let _ = std::fs::remove_file(path);
            answer.complaint = text;
        }
        if matches!(call.mode, "run" | "hear" | "script") && answer.last.is_some() {
            self.forget.clear();
        }
        (answer, sent)
    }

    /// Returns a file for what ssh complains about: a pipe would be held open by a shared connection that stays.
    fn complaints(&self) -> Option<(PathBuf, File)> {
        let path = self.sockets.as_ref()?.join(format!("said-{}", self.count));
        let file = File::create(&path).ok()?;
        Some((path, file))
    }

    fn hear(
        &self,
        child: &mut Child,
        receive: &Receiver<Vec<u8>>,
        (nonce, heeds): (&str, bool),
        until: Instant,
        heard: &mut dyn FnMut(Heard<'_>),
    ) -> (Answer, u64) {
        let mut frames = Frames::new(nonce);
        let (mut answer, mut sent, mut cut) = (Answer::default(), 0, false);
        let mut last = Instant::now();
        loop {
            let closed = match receive.recv_timeout(LOOK) {
                Ok(bytes) => {
                    last = Instant::now();
                    for frame in frames.push(&bytes) {
                        match frame {
                            Frame::Hello { boot, machine } => {
                                let some = |text: String| Some(text).filter(|text| !text.is_empty());
                                answer.hello = Some(Contact { boot: some(boot), machine: some(machine) });
                            }
                            Frame::Out(bytes) => {
                                sent += if cut { 0 } else { bytes.len() as u64 };
                                heard(Heard::Bytes(&bytes));
                            }
                            Frame::Cut => {
                                cut = true;
                                heard(Heard::Bytes(b"\n[a part of the output was not kept on the machine]\n"));
                            }
                            Frame::Beat => {}
                            end => answer.last = Some(end),
                        }
                    }
                    false
                }
                Err(RecvTimeoutError::Timeout) => {
                    heard(Heard::Tick);
                    false
                }
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if answer.last.is_some() || closed {
                break;
            }
            answer.late = Instant::now() >= until;
            answer.stopped = heeds && self.stop.is_asked();
            if answer.late || answer.stopped || last.elapsed() > SILENCE {
                break;
            }
        }
        // The last answer was heard: what ssh does after it is of no interest, but how it ended without one is.
        let given = Instant::now() + Duration::from_secs(2);
        while Instant::now() < given && answer.last.is_none() && !answer.late && !answer.stopped {
            if let Ok(Some(status)) = child.try_wait() {
                answer.status = Some(super::local::code(status));
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if matches!(child.try_wait(), Ok(None)) && answer.last.is_some() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        (answer, sent)
    }

    /// Asks a machine who it is; calls again for a while.
    pub(super) fn contact(&mut self, remote: &Remote) -> Result<Contact, Trouble> {
        let call = Call { mode: "contact", ..Call::default() };
        let end = Instant::now() + PATIENCE;
        loop {
            let (answer, _) = self.call(remote, call, Instant::now() + SHORT, &mut |_| {});
            if let Some(contact) = answer.hello {
                return Ok(contact);
            }
            let trouble = trouble(remote, &answer);
            if answer.stopped
                || self.stop.is_asked()
                || is_final(&answer)
                || Instant::now() >= end
                || remote.ssh.is_none()
            {
                return Err(trouble);
            }
            self.hang_up(remote.system);
            std::thread::sleep(Duration::from_secs(2));
        }
    }

    /// Runs a short script and returns its status and output.
    pub(super) fn script(&mut self, remote: &Remote, text: &str) -> Result<(i32, String), Trouble> {
        let mut out = Vec::new();
        let call = Call { mode: "script", text, ..Call::default() };
        let (answer, _) = self.call(remote, call, Instant::now() + SHORT, &mut |heard| {
            if let Heard::Bytes(bytes) = heard {
                out.extend_from_slice(bytes);
            }
        });
        match answer.last {
            Some(Frame::End(status)) => Ok((status, String::from_utf8_lossy(&out).into_owned())),
            _ => Err(trouble(remote, &answer)),
        }
    }

    /// Runs a command apart from the connection; when that drops, calls again and hears on.
    pub(super) fn run(
        &mut self,
        remote: &Remote,
        (id, boot): (&str, Option<&str>),
        flush: bool,
        until: Instant,
        heard: &mut dyn FnMut(Heard<'_>),
    ) -> Ran {
        let (mut off, mut pause) = (0, Duration::from_secs(1));
        let (mut first_boot, mut seen) = (boot.map(str::to_owned), false);
        let end = Instant::now() + PATIENCE;
        loop {
            let boot = first_boot.clone().unwrap_or_default();
            let call = Call { mode: "run", id, boot: &boot, off, text: &remote.text, flush };
            let (answer, sent) = self.call(remote, call, until, heard);
            off += sent;
            if let Some(contact) = &answer.hello {
                seen = true;
                first_boot = first_boot.or_else(|| contact.boot.clone());
            }
            match &answer.last {
                Some(Frame::End(status)) => return Ran::Exit(*status),
                Some(Frame::Gone) => {
                    return Ran::Unknown(Trouble::new(
                        "the command has gone from the machine without an exit status: somebody ended it",
                    ));
                }
                Some(Frame::Rebooted) => {
                    return Ran::Unknown(
                        Trouble::new("the machine has booted anew while the command ran, or since")
                            .help("look at the machine: what the command did until then is there still"),
                    );
                }
                Some(Frame::Nowhere) => {
                    return Ran::NotStarted(Trouble::new("neither /run nor /tmp of the machine can be written").help(
                        "commands are kept in /run/hostwright/jobs there, so that they survive a lost connection",
                    ));
                }
                Some(Frame::Full) => {
                    return Ran::NotStarted(
                        Trouble::new("there is no room for the command on the machine, and nothing of it was started")
                            .help("commands are kept in /run/hostwright/jobs there: `df -h /run` shows how full it is"),
                    );
                }
                _ => {}
            }
            if answer.late || Instant::now() >= until {
                if seen {
                    let stop = Call { mode: "stop", id, ..Call::default() };
                    let _ = self.call(remote, stop, Instant::now() + Duration::from_secs(30), &mut |_| {});
                }
                return Ran::Late;
            }
            if answer.stopped || self.stop.is_asked() {
                return Ran::Stopped { goes_on: true };
            }
            if !seen && (is_final(&answer) || Instant::now() >= end) {
                let trouble = trouble(remote, &answer);
                return if never_connected(&answer) { Ran::NotStarted(trouble) } else { Ran::Unknown(trouble) };
            }
            self.hang_up(remote.system);
            self.pause(pause, heard);
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }

    /// Waits until a command that may be there has ended; starts nothing, and takes no output.
    pub(super) fn hear_out(
        &mut self,
        remote: &Remote,
        id: &str,
        boot: Option<&str>,
        until: Instant,
    ) -> Result<(), Trouble> {
        let call = Call { mode: "hear", id, boot: boot.unwrap_or_default(), ..Call::default() };
        let end = Instant::now() + PATIENCE;
        loop {
            let (answer, _) = self.call(remote, call, until, &mut |_| {});
            if answer.last.is_some() {
                self.forget(id);
                return Ok(());
            }
            let now = Instant::now();
            if answer.stopped || self.stop.is_asked() || now >= until || (answer.hello.is_none() && now >= end) {
                return Err(trouble(remote, &answer));
            }
            self.hang_up(remote.system);
            self.pause(Duration::from_secs(1), &mut |_| {});
        }
    }

    /// Lets the machine forget a command with the next call.
    pub(super) fn forget(&mut self, id: &str) {
        if !id.is_empty() {
            self.forget.push(id.to_owned());
        }
    }

    fn pause(&self, length: Duration, heard: &mut dyn FnMut(Heard<'_>)) {
        let until = Instant::now() + length;
        while Instant::now() < until && !self.stop.is_asked() {
            heard(Heard::Tick);
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        for system in self.used.keys() {
            self.hang_up(*system);
        }
        if let Some(folder) = &self.sockets {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn feed(mut input: ChildStdin, script: &str) {
    // A machine that goes away closes the pipe; what it said until then tells more than that error.
    let _ = input.write_all(script.as_bytes());
}

fn listen(child: &mut Child) -> Receiver<Vec<u8>> {
    let (send, receive) = sync_channel(WAITING);
    if let Some(mut out) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut piece = vec![0; 64 << 10];
            while let Ok(count) = out.read(&mut piece)
                && count > 0
                && send.send(piece.get(..count).unwrap_or_default().to_vec()).is_ok()
            {}
        });
    }
    receive
}

/// Tells whether this process is root's.
fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}
