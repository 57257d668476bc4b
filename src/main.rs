//! The program. Everything it does is in the library's `cli`.

use std::process::ExitCode;

/// Trees of definitions and manifests are millions of small pieces, made by all processors at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hostwright::cli::main()
}
