//! What is kept in state/: a record of the last look for each host, and the reports that nobody took yet.
#![allow(clippy::disallowed_methods, reason = "what a look found is kept for the next one")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::apply::private_folder;
use crate::cli::Failure;
use crate::cli::context::shown;
use crate::cli::terminal::Terminal;
use crate::report::plan::LastLook;
use crate::watch::{Finding, Look, RECORD, Unsent};

/// The reports that nobody took yet, below state/. No host has a dot in its name.
const UNSENT: &str = "watch-unsent.json";

/// A look that nobody else takes at the same time.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock of the fleet's folder; it goes with the process.
pub(super) fn lock(folder: &Path) -> Result<Lock, Failure> {
    let state = state(folder)?;
    let path = state.join("watch.lock");
    let failed = |why: std::io::Error| Failure::new(format!("cannot lock {}: {why}", shown(&path)));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    let file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::new("another `hostwright watch` is at work on this fleet").help("wait for it to end"))
        }
        Err(TryLockError::Error(why)) => Err(failed(why)),
    }
}

/// Returns the fleet's folder of state, which is made where there is none.
fn state(folder: &Path) -> Result<PathBuf, Failure> {
    let state = folder.join("state");
    if !state.is_dir() {
        private_folder(&state).map_err(|why| Failure::new(format!("cannot make {}: {why}", shown(&state))))?;
    }
    Ok(state)
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// Returns a record; none where there is none, or where it cannot be read, with the reason.
fn record(folder: &Path, host: &str) -> Result<Option<Look>, String> {
    let path = folder.join("state").join(host).join(RECORD);
    match fs::read_to_string(&path) {
        Ok(text) => match Look::from_json(&text) {
            Some(look) => Ok(Some(look)),
            None => Err(format!("{} is no record of a look", shown(&path))),
        },
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(format!("{} cannot be read: {why}", shown(&path))),
    }
}

/// Returns the last look at a host in words. A record that cannot be read takes nothing from a plan.
pub(in crate::cli) fn last_look(folder: &Path, host: &str) -> Option<LastLook> {
    record(folder, host).ok().flatten().map(|look| LastLook::of(&look))
}

/// Returns what somebody was told about a host.
pub(super) fn reported(terminal: &Terminal, folder: &Path, host: &str) -> Vec<Finding> {
    match record(folder, host) {
        Ok(look) => look.map(|look| look.reported).unwrap_or_default(),
        Err(why) => {
            terminal.warn(&format!("warning: {why}: everything that is found counts as new\n"));
            Vec::new()
        }
    }
}

/// Writes the record of a look.
pub(super) fn keep(folder: &Path, look: &Look) -> Result<(), Failure> {
    let own = state(folder)?.join(&look.host);
    private_folder(&own).map_err(|why| Failure::new(format!("cannot make {}: {why}", shown(&own))))?;
    replace(&own.join(RECORD), &look.to_json())
}

/// Returns the reports that nobody took yet.
pub(super) fn unsent(terminal: &Terminal, folder: &Path) -> Unsent {
    let path = folder.join("state").join(UNSENT);
    let read = match fs::read_to_string(&path) {
        Ok(text) => Unsent::from_json(&text),
        Err(why) if why.kind() == ErrorKind::NotFound => Some(Unsent::default()),
        Err(_) => None,
    };
    read.unwrap_or_else(|| {
        terminal.warn(&format!("warning: {} cannot be read: reports in it are not sent\n", shown(&path)));
        Unsent::default()
    })
}

/// Writes down which reports wait; without any the file goes.
pub(super) fn keep_unsent(folder: &Path, unsent: &Unsent) -> Result<(), Failure> {
    let path = state(folder)?.join(UNSENT);
    if !unsent.reports.is_empty() {
        return replace(&path, &unsent.to_json());
    }
    match fs::remove_file(&path) {
        Err(why) if why.kind() != ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove {}: {why}", shown(&path))))
        }
        _ => Ok(()),
    }
}

/// Replaces a private file, whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |why: std::io::Error| Failure::new(format!("cannot write {}: {why}", shown(path)));
    let beside = path.with_extension("json.new");
    // One that an earlier run left; that there is none is the usual case.
    let _ = fs::remove_file(&beside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    let mut file = options.open(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}
