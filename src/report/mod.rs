//! Findings as people and machines read them.
//!
//! Here belong: the result of a check as a plain value ([`CheckReport`]), its order and counts, and one file for each
//! format. A format is added as one file and one variant of [`Format`].
//! Not here: what a rule says (`check`), whether the terminal has colour and what the exit status is (`cli`).
//!
//! Invariant: a report becomes a string that depends on the arguments alone. Text from outside reaches a terminal, a
//! workflow log, XML or JSON with its control and invisible characters written as escapes, which in JSON say the same.

pub mod apply;
mod check;
pub mod drift;
mod excerpt;
mod github;
mod human;
mod json;
mod junit;
mod line;
pub mod migrate;
mod pen;
mod plain;
pub mod plan;
pub mod reboot_test;
#[cfg(test)]
mod sample;
mod sarif;
pub mod watch;
mod words;

use std::time::Duration;

pub use check::{CheckReport, Counts, Unchecked, sort};

use crate::source::Level;

/// The width of human output when the caller knows no better, in columns.
pub const WIDTH: usize = 100;

/// The formats a check's result is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people, at a terminal.
    #[default]
    Human,
    /// The program's own stable document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitHub's workflow commands, which become annotations of a change.
    Github,
    /// JUnit's XML, which most CI systems show as test results.
    Junit,
}

impl Format {
    /// Every format, in the order in which help names them.
    pub const ALL: [Self; 5] = [Self::Human, Self::Json, Self::Sarif, Self::Github, Self::Junit];

    /// Returns the word that chooses the format on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Github => "github",
            Self::Junit => "junit",
        }
    }
}

/// How much human output says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// One line for each error and nothing else.
    Quiet,
    /// Errors; warnings if there is no error; the summary.
    #[default]
    Normal,
    /// Every finding, the allowed ones with their reason, and why rules were not checked.
    Verbose,
}

/// A rule as SARIF's catalogue describes it.
#[derive(Debug, Clone, Copy)]
pub struct RuleText<'a> {
    /// The slug.
    pub id: &'a str,
    /// What it reports, in one sentence.
    pub summary: &'a str,
    /// The rule's page, as Markdown.
    pub help_markdown: &'a str,
    /// The level it reports at.
    pub level: Level,
}

/// How a report is to be written. Each format takes what concerns it.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The format.
    pub format: Format,
    /// How much human output says.
    pub verbosity: Verbosity,
    /// Columns of human output; paths are never broken, and less than 40 counts as 40.
    pub width: usize,
    /// Whether human output carries ANSI colours.
    pub color: bool,
    /// How long the check took, for the summary; none leaves it out, so that output can be compared.
    pub elapsed: Option<Duration>,
    /// The level from which JUnit counts a finding as a failure.
    pub fail_on: Level,
    /// The fleet's folder as seen from the repository's root, with `/`; empty if it is the root. SARIF and GitHub name
    /// files from there.
    pub folder: &'a str,
    /// The rules, for SARIF.
    pub rules: &'a [RuleText<'a>],
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            format: Format::Human,
            verbosity: Verbosity::Normal,
            width: WIDTH,
            color: false,
            elapsed: None,
            fail_on: Level::Error,
            folder: "",
            rules: &[],
        }
    }
}

/// Returns the report in the format of `options`; not empty output ends with a line break.
pub fn write(report: &CheckReport<'_>, options: &Options<'_>) -> String {
    match options.format {
        Format::Human => human::write(report, options),
        Format::Json => json::write(report),
        Format::Sarif => sarif::write(report, options),
        Format::Github => github::write(report, options),
        Format::Junit => junit::write(report, options),
    }
}

/// Returns the ways out as one sentence, without naming it help.
fn ways_out(help: &[String]) -> Option<String> {
    match help {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("any one of: {}", several.join(" · "))),
    }
}

/// Returns a file's path as seen from the repository's root.
fn from_root(folder: &str, path: &str) -> String {
    match folder.trim_end_matches('/') {
        "" | "." => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}
