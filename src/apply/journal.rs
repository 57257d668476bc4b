//! The journal as a file: state/HOST/journal-SCENARIO.log, appended to and brought to the disk record by record.
#![allow(clippy::disallowed_methods, reason = "the journal is a file of its own, and tells when things happened")]

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::outcome::Refused;
use super::record::{Chain, Event, Record};
use super::replay::replay;
use super::state::State;

/// The largest journal that is read, in bytes: a plan writes a few hundred records.
const MOST: u64 = 256 << 20;

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    chain: Chain,
    pub(super) state: State,
    /// How many bytes of a record that was cut off were taken away.
    pub(super) torn: usize,
    /// How many bytes whole records have.
    size: u64,
    /// Why nothing is added any more.
    broken: Option<Refused>,
}

/// Returns where the journal of a host and scenario lies, below the fleet's folder.
pub(super) fn path(state: &Path, scenario: &str) -> PathBuf {
    state.join(format!("journal-{scenario}.log"))
}

/// Makes the private folder of a host's state.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// Opens a private file to be added to, which is made where there is none.
pub(super) fn private_log(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a private file that is empty, whatever was there.
pub(super) fn private_new(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads the bytes of a journal without changing it; none when there is none.
pub(super) fn bytes(path: &Path) -> Result<Option<Vec<u8>>, Refused> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => {
            file.take(MOST).read_to_end(&mut bytes).map_err(|why| Refused::file(path, "read", &why))?;
            Ok(Some(bytes))
        }
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Refused::file(path, "read", &why)),
    }
}

impl Journal {
    /// Opens the journal, or begins an empty one. A record that was cut off is taken away.
    pub(super) fn open(path: &Path) -> Result<Self, Refused> {
        let failed = |why: std::io::Error| Refused::file(path, "open", &why);
        let found = bytes(path)?;
        let read =
            replay(found.as_deref().unwrap_or_default()).map_err(|why| Refused::corrupt(path, &why.to_string()))?;
        let file = private_log(path).map_err(failed)?;
        if read.torn > 0 {
            file.set_len(read.whole as u64).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        if read.whole == 0 {
            // The name is on the disk only when the folder is, and that one when its own is.
            for folder in path.ancestors().skip(1).take(3) {
                File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            chain: read.chain,
            state: read.state,
            torn: read.torn,
            size: read.whole as u64,
            broken: None,
        })
    }

    /// Adds a record and returns when it is on the disk. Behind one that could not be written no other follows: what it announces
    /// must not happen, and half of it would make one line with the next.
    pub(super) fn add(&mut self, event: Event) -> Result<(), Refused> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        #[cfg(test)]
        death::at(self.chain.count + 1, false);
        let record = Record { at: now(), event };
        let line = self.chain.write(&record);
        if let Err(why) = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()) {
            // Where this does not work either, the next run takes the rest away.
            let _ = self.file.set_len(self.size).and_then(|()| self.file.sync_all());
            let refused = Refused::storage(&self.path, &why);
            self.broken = Some(refused.clone());
            return Err(refused);
        }
        self.size += line.len() as u64;
        #[cfg(test)]
        death::at(self.chain.count, true);
        self.state.apply(&record.at, &record.event).map_err(|why| Refused::corrupt(&self.path, &why))
    }

    /// Returns one whose file takes nothing.
    #[cfg(test)]
    pub(super) fn open_full(path: &Path) -> Self {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let read = super::replay::Replayed::default();
        let (chain, state) = (read.chain, read.state);
        Self { path: path.to_owned(), file, chain, state, torn: 0, size: 0, broken: None }
    }

    /// Moves the journal of a plan aside, so that the plan begins anew; returns where it lies now.
    pub(super) fn aside(path: &Path) -> Result<Option<PathBuf>, Refused> {
        if !path.exists() {
            return Ok(None);
        }
        let stamp: String = now().chars().filter(char::is_ascii_alphanumeric).collect();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let free = (0..1000).map(|at| {
            let number = if at == 0 { String::new() } else { format!("-{at}") };
            path.with_file_name(format!("{name}-until-{stamp}{number}.log"))
        });
        let Some(to) = free.into_iter().find(|to| !to.exists()) else { return Ok(None) };
        std::fs::rename(path, &to).map_err(|why| Refused::file(path, "move", &why))?;
        Ok(Some(to))
    }
}

/// Returns the time in RFC 3339, whole seconds, UTC. It tells people when; nothing is decided by it.
pub(super) fn now() -> String {
    let seconds = seconds_now();
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// Returns the seconds since 1970 that the clock shows.
pub(super) fn seconds_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

/// Ends the process of a test as `kill -9` does, before or behind a record.
#[cfg(test)]
pub(super) mod death {
    use std::sync::Mutex;

    /// The record's number in the journal, and whether it is written first.
    pub(in crate::apply) static RECORD: Mutex<Option<(u64, bool)>> = Mutex::new(None);

    pub(super) fn at(record: u64, written: bool) {
        if *RECORD.lock().unwrap() == Some((record, written)) {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
            std::thread::sleep(std::time::Duration::from_mins(1));
        }
    }
}
