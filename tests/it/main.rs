//! The promises of the program that need more than the library: other programs as judges, files, whole runs.
#![allow(clippy::disallowed_methods, reason = "tests start programs and read files and the environment")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod plan;
mod quoting;
mod reboot_scripts;
