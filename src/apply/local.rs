//! Lines for a shell on the deployer: each in a process group of its own, which ends with its time, with the run, or with us.
#![allow(clippy::disallowed_methods, reason = "carrying out a plan is starting processes, each with a time")]

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::run::Stop;
use super::transport::{Heard, Ran, Trouble};

/// How long a group has between being asked to end and being ended.
const GRACE: Duration = Duration::from_secs(5);

/// How long what is left of an output is waited for once its process has ended.
const DRAIN: Duration = Duration::from_millis(500);

/// How many pieces of output wait to be heard: whoever prints faster than it is heard waits, or its output would fill our memory.
pub(super) const WAITING: usize = 16;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the line as its first argument. Its standard input is a pipe that we hold: when we are gone, however that came, the
/// group ends, so that no line goes on unseen while a later run begins it anew.
const LIFELINE: &str = r#"exec 3<&0 </dev/null
( trap '' TERM; cat <&3; kill -TERM 0; sleep 5; kill -KILL 0 ) >/dev/null 2>&1 &
line=$!
sh -c "$1" 3<&-
status=$?
{ kill -KILL "$line"; wait "$line"; } 2>/dev/null
exit "$status""#;

/// Runs a line for a shell.
pub(super) fn shell(line: &str, folder: &Path, until: Instant, stop: &Stop, heard: &mut dyn FnMut(Heard<'_>)) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", LIFELINE, "sh", line]).current_dir(folder).stdin(Stdio::piped());
    command.envs(path().map(|path| ("PATH", path)));
    let spawned = std::io::pipe().and_then(|(reader, writer)| {
        command.stdout(writer.try_clone()?).stderr(writer);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn()?;
        // Our own ends of the pipe go with the command.
        drop(command);
        Ok((child, reader))
    });
    let (mut child, mut reader) = match spawned {
        Ok(spawned) => spawned,
        Err(why) => return Ran::NotStarted(Trouble::new(format!("a shell cannot be started: {why}"))),
    };
    let (send, receive) = sync_channel(WAITING);
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(count) = reader.read(&mut piece)
            && count > 0
            && send.send(piece.get(..count).unwrap_or_default().to_vec()).is_ok()
        {}
    });
    let ran = watch(&mut child, &receive, until, stop, heard);
    drain(&receive, heard);
    ran
}

/// Returns where programs are looked for: last of all beside this one, since lines of a plan call it by its name.
fn path() -> Option<std::ffi::OsString> {
    let path = std::env::var_os("PATH").filter(|path| !path.is_empty())?;
    let own = std::env::current_exe().ok()?.parent()?.to_owned();
    std::env::join_paths(std::env::split_paths(&path).chain([own])).ok()
}

/// Runs a line that asks a person, with our own terminal.
pub(super) fn terminal(line: &str, folder: &Path) -> Ran {
    match Command::new("sh").args(["-c", line]).current_dir(folder).status() {
        Ok(status) => Ran::Exit(code(status)),
        Err(why) => Ran::NotStarted(Trouble::new(format!("a shell cannot be started: {why}"))),
    }
}

fn watch(
    child: &mut Child,
    receive: &Receiver<Vec<u8>>,
    until: Instant,
    stop: &Stop,
    heard: &mut dyn FnMut(Heard<'_>),
) -> Ran {
    loop {
        match receive.recv_timeout(LOOK) {
            Ok(bytes) => heard(Heard::Bytes(&bytes)),
            Err(RecvTimeoutError::Timeout) => heard(Heard::Tick),
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
        }
        match child.try_wait() {
            Ok(Some(status)) => return Ran::Exit(code(status)),
            Ok(None) => {}
            Err(why) => return Ran::Unknown(Trouble::new(format!("its end cannot be waited for: {why}"))),
        }
        let ended = if Instant::now() >= until {
            Ran::Late
        } else if stop.is_asked() {
            Ran::Stopped { goes_on: false }
        } else {
            continue;
        };
        end(child);
        return ended;
    }
}

/// Ends the group: asks first, and gives it a moment.
fn end(child: &mut Child) {
    signal(child, false);
    let given = Instant::now() + GRACE;
    while Instant::now() < given {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            break;
        }
        std::thread::sleep(LOOK);
    }
    // What of the group ignored it goes now, the shell itself included.
    signal(child, true);
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(unix)]
fn signal(child: &Child, kill: bool) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let signal = if kill { Signal::KILL } else { Signal::TERM };
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself in the meantime.
        let _ = kill_process_group(group, signal);
    }
}

#[cfg(not(unix))]
fn signal(_: &Child, _: bool) {}

/// Hears what is left once the process has ended; what it left running may hold the pipe open for ever.
fn drain(receive: &Receiver<Vec<u8>>, heard: &mut dyn FnMut(Heard<'_>)) {
    let given = Instant::now() + DRAIN;
    // By the clock, too: what was left running may print for ever.
    while Instant::now() < given
        && let Ok(bytes) = receive.recv_timeout(given.saturating_duration_since(Instant::now()))
    {
        heard(Heard::Bytes(&bytes));
    }
}

/// Returns the exit status as a shell counts: 128 and the number of the signal that ended it.
pub(super) fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return 128 + signal;
        }
    }
    status.code().unwrap_or(-1)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str, millis: u64) -> (Ran, String) {
        let mut out = Vec::new();
        let until = Instant::now() + Duration::from_millis(millis);
        let ran = shell(line, Path::new("/"), until, &Stop::never(), &mut |heard| {
            if let Heard::Bytes(bytes) = heard {
                out.extend_from_slice(bytes);
            }
        });
        (ran, String::from_utf8(out).unwrap())
    }

    #[test]
    fn output_of_both_kinds_keeps_its_order_and_the_status_is_the_lines() {
        assert_eq!(run("echo a; echo b >&2; pwd; exit 7", 60_000), (Ran::Exit(7), "a\nb\n/\n".to_owned()));
        assert_eq!(run("kill -KILL $$", 60_000).0, Ran::Exit(137));
        assert_eq!(run("cat", 60_000), (Ran::Exit(0), String::new()), "standard input is empty");
    }

    #[test]
    fn a_line_that_takes_too_long_ends_with_everything_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let line = format!("sh -c 'echo $$ > {}; while :; do sleep 1; done' & wait", pid.display());
        let start = Instant::now();
        assert_eq!(run(&line, 500).0, Ran::Late);
        assert!(start.elapsed() < Duration::from_secs(20));
        let pid = std::fs::read_to_string(pid).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert!(!Path::new("/proc").join(pid.trim()).join("cwd").exists(), "process {pid} goes on");
    }

    #[test]
    fn what_a_line_leaves_running_does_not_hold_the_run() {
        let start = Instant::now();
        assert_eq!(run("sleep 30 & echo done", 60_000), (Ran::Exit(0), "done\n".to_owned()));
        let (ran, out) = run("(trap '' TERM; timeout 30 yes) & echo done", 60_000);
        assert_eq!((ran, out.contains("done")), (Ran::Exit(0), true));
        assert!(start.elapsed() < Duration::from_secs(15));
    }
}
