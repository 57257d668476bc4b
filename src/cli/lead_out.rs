//! `hostwright lead-out`: what the machine of a rehearsal starts for each connection to a repository. Nobody types it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

use super::{ExitStatus, Failure};

/// Connect standard input and output with a port of a machine, unless a file is there
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Args {
    /// While this file exists, nothing is connected
    closed: PathBuf,
    /// The machine
    host: String,
    /// Its port
    port: u16,
}

pub(super) fn run(args: &Args) -> Result<ExitStatus, Failure> {
    if args.closed.exists() {
        return Ok(ExitStatus::Findings);
    }
    let failed = |why: std::io::Error| Failure::new(format!("{}:{}: {why}", args.host, args.port));
    let mut to = TcpStream::connect((args.host.as_str(), args.port)).map_err(failed)?;
    let mut from = to.try_clone().map_err(failed)?;
    std::thread::spawn(move || {
        // What the machine has ended goes to the other side as its end.
        let _ = carry(&mut std::io::stdin().lock(), &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    carry(&mut from, &mut std::io::stdout().lock()).map_err(failed)?;
    Ok(ExitStatus::Success)
}

/// Carries bytes over as they come, until there are no more.
fn carry(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                to.write_all(bytes.get(..count).unwrap_or_default())?;
                to.flush()?;
            }
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
}
