//! The promises of the program that need more than the library: other programs as judges, files, whole runs.
#![allow(clippy::disallowed_methods, reason = "tests start programs and read files and the environment")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod bad_input;
mod build;
mod commands;
mod compile;
#[cfg(unix)]
mod compile_nix;
#[cfg(unix)]
mod compile_shell;
mod hostile;
mod incident;
mod plan;
mod plans;
mod program;
mod quoting;
mod reboot_scripts;
mod structure;
