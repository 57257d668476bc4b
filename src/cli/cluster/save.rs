//! The folder that keeps what was read of a cluster.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::context::shown;
use super::super::render::Texts;
use super::super::{Failure, output};
use super::name_of;
use crate::kubernetes::live::{Saved, unread};
use crate::units::Size;

/// The file of used bytes, as `[clusters.NAME] metrics` names it.
const USED: &str = "used.txt";

/// Looks whether a folder may be written: it is new or empty, or an earlier read is in it.
pub(super) fn may(folder: &Path) -> Result<(), Failure> {
    let is_ours = earlier(folder).is_some();
    if is_ours || !folder.exists() || output::is_empty(folder) {
        return Ok(());
    }
    Err(Failure::new(format!("{} holds something else than an earlier read of a cluster", shown(folder)))
        .help("name a folder that is not there yet")
        .help(format!("`{}` marks a folder that may be written again", unread::FILE)))
}

/// Writes what was read, and takes away what an earlier read left and this one has not.
pub(super) fn put(folder: &Path, context: &str, texts: &Texts, used: &BTreeMap<String, Size>) -> Result<(), Failure> {
    let objects = texts.len().saturating_sub(1);
    if objects == 0 {
        return Err(Failure::new(format!("nothing was read of context `{context}`, and nothing is saved"))
            .help("without `--save` the inventory says what was refused"));
    }
    let before = earlier(folder).unwrap_or_default();
    for (path, text) in texts {
        output::replace(&folder.join(name_of(path)), text.as_bytes())?;
    }
    let lines: String = used.iter().map(|(claim, size)| format!("{claim} {}\n", size.bytes())).collect();
    output::replace(&folder.join(USED), lines.as_bytes())?;
    for gone in before.iter().filter(|name| !texts.iter().any(|(path, _)| name_of(path) == name.as_str())) {
        output::remove(&folder.join(gone))?;
    }
    Ok(())
}

/// Returns the files that an earlier read wrote; none where there was none.
fn earlier(folder: &Path) -> Option<Vec<String>> {
    let path = folder.join(unread::FILE);
    Saved::files_of(&output::read_text(&path).ok().filter(|_| path.is_file())?)
}
