//! Where a file of a host lies so that it is there at the next boot.

use super::ResolvedHost;

/// Returns where a file or folder of the running system is kept: the path itself where the root stays as it is, else the
/// place below `[persistence] root` if the path, a folder above it, or a file below it is among what persists.
///
/// Scripts that write before the first boot write there, not to the path: what lies on a root that forgets is gone by then.
/// A path below the persistent root itself stays what it is.
pub fn persistent_path(host: &ResolvedHost<'_>, path: &str) -> String {
    let Some(persistence) = &host.def.persistence else { return path.to_owned() };
    let is_below =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let root = persistence.root.as_str();
    let kept = persistence.directories.iter().any(|entry| is_below(entry.value.0.path.as_str()))
        || persistence
            .files
            .iter()
            .any(|file| file.as_str().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    let root = root.trim_end_matches('/');
    if kept && !is_below(root) { format!("{root}{path}") } else { path.to_owned() }
}
