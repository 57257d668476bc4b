//! `hostwright facts pack`

use std::path::{Path, PathBuf};

use super::super::output;
use super::{ExitStatus, Failure, Terminal};
use crate::facts::pack;

/// Pack the data of a folder `facts` into the tables that the program carries
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder
    #[arg(value_name = "DIR", default_value = "facts")]
    folder: PathBuf,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let folder = &args.folder;
    let tables = pack::pack_all(|name| output::read(&folder.join(name)));
    let tables = tables.map_err(|error| Failure::new(error.to_string()))?;
    for (name, bytes) in &tables {
        let path: &Path = name.as_ref();
        output::replace(&folder.join("packed").join(path.file_name().unwrap_or(path.as_os_str())), bytes)?;
        terminal.print(&format!("packed   {name} ({} bytes)\n", bytes.len()))?;
    }
    Ok(ExitStatus::Success)
}
