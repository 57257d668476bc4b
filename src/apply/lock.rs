//! The lock on the deployer: one apply for each host and fleet's folder, held as long as the process lives.
#![allow(clippy::disallowed_methods, reason = "a lock is a file that the system releases with the process")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use super::journal::now;
use super::outcome::Refused;
use crate::source::printable;

/// How often the lock is tried, and how long between.
const TRIES: (u32, Duration) = (20, Duration::from_millis(50));

/// Tries to lock a file. A process that another run has just started holds the lock of that run, too, until it is another program: what is
/// held for a moment is nobody's run.
fn try_for_a_moment(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES.0 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(TRIES.1),
            taken => return taken,
        }
    }
    file.try_lock()
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who holds it. The file stays; the lock goes with the process, however that ends.
    pub(super) fn take(state: &Path, who: &str) -> Result<Self, Refused> {
        let path = state.join("lock");
        let failed = |why: std::io::Error| Refused::file(&path, "lock", &why);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        match try_for_a_moment(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is for people; a file that cannot be read changes nothing.
                let _ = file.take(500).read_to_string(&mut holder);
                let holder = printable(holder.trim());
                let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
                return Err(Refused::new(format!("another apply is at work on this host: {holder}"))
                    .help("wait for it, or end it: its journal says where this one goes on"));
            }
            Err(TryLockError::Error(why)) => return Err(failed(why)),
        }
        let holder = format!("{who}, process {}, since {}\n", std::process::id(), now());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}
