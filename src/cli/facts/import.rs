//! `hostwright facts import`

use std::path::{Path, PathBuf};

use super::super::context::shown;
use super::super::output;
use super::{ExitStatus, Failure, Terminal};
use crate::facts::{Facts, pack};
use crate::source::printable;
use crate::units::Release;

/// Take a channel's own list of options into the fleet.
///
/// The list answers for its release from then on, in place of the nearest one that the program carries. It is written to
/// `facts/options-RELEASE.bin` in the fleet's folder, and belongs into version control with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright facts import --release 26.05 options.json.br    the file that lies beside a channel's nixexprs.tar.xz
  hostwright facts import --release 26.05 result/share/doc/nixos/options.json
                                                             built by: nix-build '<nixpkgs/nixos/release.nix>' -A options")]
pub(in crate::cli) struct Args {
    /// The release that the file is of
    #[arg(long, value_name = "RELEASE")]
    release: Release,
    /// The file: plain, .br or .zst
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    // A folder that is no fleet gets no facts.
    super::context::load(folder)?;
    let refused = |why: &str| {
        Failure::new(format!("cannot import {}: {}", shown(&args.file), printable(why)))
            .help("the file wanted is `options.json.br` of the channel, beside its `nixexprs.tar.xz`")
            .help("`nix-build '<nixpkgs/nixos/release.nix>' -A options` makes it: result/share/doc/nixos/options.json")
    };
    let text = output::read_options_file(&args.file).map_err(|why| refused(&why))?;
    let facts = Facts::embedded();
    let imported = pack::import(args.release, &text, facts.options(args.release)).map_err(|why| refused(&why))?;
    let path = folder.join("facts").join(format!("options-{}.bin", args.release));
    output::replace(&path, &imported.table)?;
    terminal.print(&format!(
        "imported {} options of {} into {} ({} bytes)\n",
        imported.options,
        args.release,
        shown(&path),
        imported.table.len()
    ))?;
    if imported.unchecked > 0 && !terminal.is_quiet() {
        terminal.print(&format!(
            "note: {} of them have a type that is described in words only: any value passes there\n",
            imported.unchecked
        ))?;
    }
    Ok(ExitStatus::Success)
}
