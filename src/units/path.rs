//! Paths as text: which lies in which, and what a disk is called.

/// Tells whether a path is `folder` or lies below it. Both are absolute, or both below the same folder, and without a slash at the
/// end, but for `/` itself.
///
/// ```
/// use hostwright::units::lies_in;
///
/// assert!(lies_in("/var/lib", "/var") && lies_in("/var", "/var") && lies_in("/var", "/"));
/// assert!(!lies_in("/variable", "/var"));
/// ```
pub fn lies_in(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns a disk's name without the folder /dev/disk/by-id.
pub fn by_id_name(id: &str) -> &str {
    id.strip_prefix("/dev/disk/by-id/").unwrap_or(id)
}
