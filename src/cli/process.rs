//! Programs that are asked something: run to their end within a time, with what they print kept up to a size.
//!
//! Here belongs nothing about what is asked. A program that takes too long is killed.
#![allow(clippy::disallowed_methods, reason = "whoever starts a program gives it a time")]

use std::io::{ErrorKind, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long one look whether a program has ended waits, at most.
const LOOK: Duration = Duration::from_millis(20);

/// What a program came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
}

/// Why a program came to nothing.
#[derive(Debug)]
pub(super) enum Unended {
    /// It is not installed.
    Missing,
    /// It cannot be run, in words.
    Broken(String),
    /// It took longer than it may.
    Late,
    /// It printed more than it may.
    TooMuch,
}

/// Runs a program without input. `most` bytes of what it prints are read, and as much of what it complains about.
pub(super) fn run(command: Command, longest: Duration, most: u64) -> Result<Ended, Unended> {
    run_with(command, None, longest, most)
}

/// The same with what it reads from its standard input.
pub(super) fn run_with(
    mut command: Command,
    input: Option<Vec<u8>>,
    longest: Duration,
    most: u64,
) -> Result<Ended, Unended> {
    let end = Instant::now() + longest;
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| match why.kind() {
        ErrorKind::NotFound => Unended::Missing,
        _ => Unended::Broken(why.to_string()),
    })?;
    let (out, err) =
        (child.stdout.take().map(|out| reader(out, most)), child.stderr.take().map(|err| reader(err, most)));
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // A program that reads no further says by its end what it thinks of that.
        std::thread::spawn(move || drop(pipe.write_all(&input)));
    }
    let mut pause = Duration::from_millis(1);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(LOOK);
            }
            Ok(None) => {
                stop(&mut child);
                return Err(Unended::Late);
            }
            Err(why) => {
                stop(&mut child);
                return Err(Unended::Broken(why.to_string()));
            }
        }
    };
    let (out, err) = (read(out)?, read(err)?);
    if out.len() as u64 > most { Err(Unended::TooMuch) } else { Ok(Ended { status, out, err }) }
}

type Reader = std::thread::JoinHandle<std::io::Result<Vec<u8>>>;

/// Reads in a thread of its own, so that a program which prints much never waits for us.
fn reader(from: impl Read + Send + 'static, most: u64) -> Reader {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.take(most + 1).read_to_end(&mut bytes).map(|_| bytes)
    })
}

fn read(reader: Option<Reader>) -> Result<Vec<u8>, Unended> {
    let Some(reader) = reader else { return Ok(Vec::new()) };
    match reader.join() {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(why)) => Err(Unended::Broken(why.to_string())),
        Err(_) => Err(Unended::Broken("what it printed was lost".to_owned())),
    }
}

fn stop(child: &mut Child) {
    // It has ended already where this fails.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, longest: u64, most: u64) -> Result<Ended, Unended> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, Duration::from_millis(longest), most)
    }

    #[test]
    fn a_program_is_heard_to_its_end() {
        let ended = shell("echo a; echo b >&2; exit 3", 10_000, 100).unwrap();
        assert_eq!((ended.status.code(), &*ended.out, &*ended.err), (Some(3), &b"a\n"[..], &b"b\n"[..]));
    }

    #[test]
    fn a_program_reads_its_input_or_leaves_it() {
        let cat = |input: Vec<u8>, script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run_with(command, Some(input), Duration::from_secs(10), 1 << 20).unwrap()
        };
        assert_eq!(&*cat(b"abc".to_vec(), "cat").out, b"abc");
        assert!(cat(vec![b'x'; 1 << 20], "exit 0").status.success());
    }

    #[test]
    fn what_is_missing_late_or_too_much_is_told_apart() {
        let missing = run(Command::new("no-such-program-at-all"), Duration::from_secs(1), 1);
        assert!(matches!(missing, Err(Unended::Missing)));
        assert!(matches!(shell("exec sleep 60", 50, 1), Err(Unended::Late)));
        assert!(matches!(shell("echo abc", 10_000, 2), Err(Unended::TooMuch)));
    }
}
