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

/// Returns the paths that lie in no other of them, sorted, each once.
///
/// ```
/// use hostwright::units::topmost;
///
/// assert_eq!(topmost(["/var/lib", "/srv", "/var", "/srv", "/variable"]), ["/srv", "/var", "/variable"]);
/// ```
pub fn topmost<P: AsRef<str> + Ord>(paths: impl IntoIterator<Item = P>) -> Vec<P> {
    let mut paths: Vec<P> = paths.into_iter().collect();
    paths.sort();
    let mut kept: Vec<P> = Vec::new();
    for path in paths {
        if !kept.iter().any(|above| lies_in(path.as_ref(), above.as_ref())) {
            kept.push(path);
        }
    }
    kept
}

/// Returns a disk's name without the folder /dev/disk/by-id.
pub fn by_id_name(id: &str) -> &str {
    id.strip_prefix("/dev/disk/by-id/").unwrap_or(id)
}
