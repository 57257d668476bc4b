//! Who sits in front of `apply`: one line that is replaced on a terminal, plain lines in a log, and the questions.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::output;
use super::terminal::Terminal;
use crate::apply::{Ask, Front, Said, Stop, Verdict};
use crate::report::{apply as words, reboot_test};
use crate::source::printable;

/// The terminal that a run shows itself on.
pub(super) struct Seat<'a> {
    terminal: &'a Terminal,
    asks: bool,
    stop: Stop,
    /// What the line that is replaced begins with, and how long the step should take.
    at: Option<(String, u64)>,
    /// Whether standard output is left to a document.
    aside: bool,
    /// The folder of the host's state.
    state: PathBuf,
    /// The last verdict that was given.
    verdict: Option<Verdict>,
}

impl<'a> Seat<'a> {
    /// Takes the seat; `asks` is false where nobody is to be asked whatever there is, `aside` leaves standard output to a document.
    /// `state` is the folder of the host's state.
    pub(super) fn new(terminal: &'a Terminal, asks: bool, stop: Stop, aside: bool, state: PathBuf) -> Self {
        let asks = asks && std::io::stdin().is_terminal() && terminal.is_interactive();
        Self { terminal, asks, stop, at: None, aside, state, verdict: None }
    }

    /// Leaves the seat; returns the last verdict that was given, where there was one.
    pub(super) fn leave(mut self) -> Option<Verdict> {
        self.verdict.take()
    }

    /// Keeps a verdict for programs that read the results of tests, and shows it.
    fn judged(&mut self, verdict: &Verdict) {
        let path = self.state.join("reboot-test.junit.xml");
        if let Err(why) = output::replace(&path, reboot_test::junit(verdict).as_bytes()) {
            self.print(&words::remark(&printable(&format!("{why:#}"))));
        }
        if !self.aside {
            self.print(&reboot_test::human(verdict));
        }
        self.verdict = Some(verdict.clone());
    }

    fn print(&self, text: &str) {
        self.terminal.progress("");
        if self.aside {
            self.terminal.warn(text);
        } else if !self.terminal.is_quiet() {
            // A pipe that was closed stops no plan.
            let _ = self.terminal.print(text);
        }
    }
}

impl Front for Seat<'_> {
    fn is_interactive(&self) -> bool {
        self.asks
    }

    fn hear(&mut self, said: Said<'_>) {
        match said {
            Said::Remark(text) => self.print(&words::remark(text)),
            Said::Judged(verdict) => self.judged(verdict),
            Said::Left { why } => self.print(&words::left(why)),
            Said::Began { number, of, id, title, expected } => {
                let line = words::began(number, of, id, title);
                if self.terminal.shows_progress() {
                    self.terminal.progress(&words::going(&line, 0, expected));
                } else {
                    self.print(&format!("{line}\n"));
                }
                self.at = Some((line, expected));
            }
            Said::Goes { seconds } => {
                if let Some((line, expected)) = &self.at {
                    self.terminal.progress(&words::going(line, seconds, *expected));
                }
            }
            Said::Ended { seconds, how } => {
                if let Some((line, _)) = self.at.take() {
                    let ended = words::ended(&line, seconds, how);
                    self.print(&ended);
                }
            }
        }
    }

    fn ask(&mut self, ask: &Ask) -> Option<String> {
        self.print(&words::question(ask));
        let (send, receive) = channel();
        // A thread of its own: whoever waits for a line hears nothing of a signal.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            let _ = send.send(read.ok().filter(|count| *count > 0).map(|_| line));
        });
        loop {
            match receive.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return line.map(|line| line.trim_end_matches(['\r', '\n']).to_owned()),
                Err(RecvTimeoutError::Timeout) if !self.stop.is_asked() => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.terminal.progress("");
    }
}
