//! What reaches standard output and standard error.

use std::io::{self, IsTerminal as _, Write as _};

use super::{ColorWhen, Failure};
use crate::report::Verbosity;
use crate::source::printable_lines;

/// Where a command prints to, and how.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) color: bool,
    color_err: bool,
    pub(super) verbosity: Verbosity,
    interactive: bool,
    watched: bool,
}

impl Terminal {
    pub(super) fn new(color: ColorWhen, quiet: bool, verbose: bool) -> Self {
        let auto = |choice: anstream::ColorChoice| choice != anstream::ColorChoice::Never;
        let (color, color_err) = match color {
            ColorWhen::Always => (true, true),
            ColorWhen::Never => (false, false),
            ColorWhen::Auto => {
                (auto(anstream::AutoStream::choice(&io::stdout())), auto(anstream::AutoStream::choice(&io::stderr())))
            }
        };
        let verbosity = match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Self {
            color,
            color_err,
            verbosity,
            interactive: io::stdout().is_terminal(),
            watched: io::stderr().is_terminal(),
        }
    }

    /// Tells whether somebody is looking at standard output.
    pub(super) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Tells whether somebody watches standard error and wants to know how far a run is.
    pub(super) fn shows_progress(&self) -> bool {
        self.watched && !self.is_quiet()
    }

    /// Shows one line that the next one replaces; an empty one clears it.
    pub(super) fn progress(&self, text: &str) {
        if self.shows_progress() {
            // Nothing can be done about a standard error that cannot be written.
            let _ = io::stderr().lock().write_all(format!("\r\u{1b}[K{text}").as_bytes());
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Prints to standard output. A closed pipe is no error: whoever reads has read enough.
    #[expect(clippy::unused_self, reason = "whoever prints has been given the terminal to print to")]
    pub(super) fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Prints findings beside a document that has standard output to itself.
    pub(super) fn warn(&self, text: &str) {
        if !self.is_quiet() {
            // Nothing can be done about a standard error that cannot be written.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }

    /// Prints what a run failed with; also where only errors are asked for.
    #[expect(clippy::unused_self, reason = "whoever prints has been given the terminal to print to")]
    pub(super) fn error(&self, text: &str) {
        // Nothing can be done about a standard error that cannot be written.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Prints what ended the run, and the ways out.
    pub(super) fn failure(&self, failure: &Failure) {
        let (red, bold, reset) = if self.color_err { ("\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
        let mut text = format!("{red}error{reset}{bold}: {}{reset}\n", printable_lines(&failure.message));
        for help in &failure.help {
            text.push_str(&format!("  = help: {}\n", printable_lines(help)));
        }
        // Nothing can be done about a standard error that cannot be written.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Prints what is wrong with the arguments, or help. An argument that is repeated may hold what a terminal acts on.
pub(super) fn usage(error: &clap::Error) {
    let text = error.render().to_string();
    let shown = printable_lines(&text);
    // A pipe that was closed while help is printed is nobody's error.
    let _ = if error.use_stderr() && shown != text {
        io::stderr().lock().write_all(shown.as_bytes())
    } else {
        error.print()
    };
}
