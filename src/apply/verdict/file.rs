//! state/HOST/reboot-test.json: there whole, or as it was before.
#![allow(clippy::disallowed_methods, reason = "a verdict is a file below state/")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::Verdict;
use crate::apply::journal::private_new;
use crate::apply::outcome::Refused;

/// The name of the file in the folder of the host's state.
const NAME: &str = "reboot-test.json";

/// Writes a verdict and returns when it is on the disk. `state` is the folder of the host's state.
pub(in crate::apply) fn write(state: &Path, verdict: &Verdict) -> Result<(), Refused> {
    let path = state.join(NAME);
    let beside = state.join(format!("{NAME}.new"));
    let text = serde_json::to_string_pretty(verdict).unwrap_or_default() + "\n";
    let put = || {
        let mut file = private_new(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)?;
        // The name is on the disk only when the folder is.
        File::open(state)?.sync_all()
    };
    put().map_err(|why| Refused::storage(&path, &why))
}
