//! Where a file of a host lies so that it is there at the next boot.

use super::ResolvedHost;
use crate::units::lies_in;

/// Returns where a file or folder of the running system is kept: the path itself where the root stays as it is, else the
/// place below `[persistence] root` if the path, a folder above it, or a file below it is among what persists.
///
/// Scripts that write before the first boot write there, not to the path: what lies on a root that forgets is gone by then.
/// A path below the persistent root itself stays what it is.
pub fn persistent_path(host: &ResolvedHost<'_>, path: &str) -> String {
    let Some(persistence) = &host.def.persistence else { return path.to_owned() };
    let root = persistence.root.as_str();
    let kept = persistence.directories.iter().any(|entry| lies_in(path, entry.value.0.path.as_str()))
        || persistence.files.iter().any(|file| file.is_below(path));
    let root = root.trim_end_matches('/');
    if kept && !lies_in(path, root) { format!("{root}{path}") } else { path.to_owned() }
}
