//! The promises of the program that need more than the library: other programs as judges, files, whole runs.
#![allow(clippy::disallowed_methods, reason = "tests start programs and read files and the environment")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "a test fails by a panic")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(clippy::case_sensitive_file_extension_comparisons, reason = "the program writes these names itself")]

mod apply;
mod assertions;
mod backup;
mod bad_input;
mod boot_evaluated;
mod browser;
mod build;
mod changed_since;
mod ci_docs;
mod clusters;
mod commands;
mod compile;
mod compile_nix;
mod compile_shell;
mod cron;
mod disko;
mod drift;
mod engines;
mod eval;
mod examples;
mod facts;
mod five_systems;
mod fix;
mod formats;
mod fuzz;
mod hostile;
mod incident;
mod injection;
mod json_schema;
mod kills;
mod layers;
mod lint_nix;
mod live_cluster;
mod machines;
mod migrate_counts;
mod migrate_data;
mod migrate_dump;
mod migrate_input;
mod migrated;
mod mirrored_esp;
mod module_nix;
mod modules;
mod moved;
mod moved_refused;
mod network;
mod new;
mod option_cases;
mod paper_host;
mod pin;
mod plan;
mod plan_cluster;
mod plan_migrate;
mod plans;
mod planted;
mod planted_secrets;
mod pods;
mod probe;
mod program;
mod quoting;
mod readme;
mod reboot_scripts;
mod reboot_verdicts;
mod recover;
mod secrets;
mod spread;
mod sshd;
mod structure;
mod updates;
mod watch;
mod watch_module;
