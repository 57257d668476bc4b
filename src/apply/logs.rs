//! What steps printed, as files: state/HOST/logs/SCENARIO/STEP.log, every attempt behind the one before.
#![allow(clippy::disallowed_methods, reason = "outputs are stored below state/, and read back for people")]

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::journal::{private_folder, private_log};

/// The largest part of a log that is shown, in bytes from its end.
const SHOWN: u64 = 32 << 20;

/// The logs of a host and scenario.
#[derive(Debug, Clone)]
pub(super) struct Logs {
    folder: PathBuf,
}

impl Logs {
    /// Names the folder below the host's state.
    pub(super) fn of(state: &Path, scenario: &str) -> Self {
        Self { folder: state.join("logs").join(scenario) }
    }

    /// Returns where a step's log lies.
    pub(super) fn path(&self, step: &str) -> PathBuf {
        let name: String =
            step.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        self.folder.join(format!("{name}.log"))
    }

    /// Opens a step's log to be added to; none when it cannot be, which stops no step.
    pub(super) fn open(&self, step: &str) -> Option<File> {
        private_folder(&self.folder).ok()?;
        private_log(&self.path(step)).ok()
    }

    /// Adds a line of our own to a step's log.
    pub(super) fn note(&self, step: &str, text: &str) {
        if let Some(mut file) = self.open(step) {
            let _ = file.write_all(text.as_bytes());
        }
    }

    /// Returns what a step printed; none when it has printed nothing.
    pub(super) fn read(&self, step: &str) -> std::io::Result<Option<String>> {
        let mut file = match File::open(self.path(step)) {
            Ok(file) => file,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(why),
        };
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(SHOWN)))?;
        let mut bytes = Vec::new();
        file.take(SHOWN).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
