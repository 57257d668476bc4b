//! hostwright turns typed host definitions into NixOS machines that are known to come back after a reboot.
//!
//! The library behind the program of that name; it promises no stable API. ARCHITECTURE.md has the picture: data flows
//! one way, `source → fleet → resolve → check → compile → plan → report`, and `cli` is the only folder that prints.
#![forbid(unsafe_code)]

pub mod apply;
pub mod check;
pub mod cli;
pub mod compile;
pub mod drift;
pub mod evaluate;
pub mod facts;
pub mod fleet;
pub mod kubernetes;
pub mod modules;
pub mod nix;
pub mod plan;
pub mod probe;
pub mod propose;
pub mod rehearse;
pub mod report;
pub mod resolve;
pub mod source;
pub mod text;
pub mod units;
pub mod watch;
