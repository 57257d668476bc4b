//! Where the sockets of shared connections lie.
#![allow(clippy::disallowed_methods, reason = "sockets need a folder, which a run makes")]

use std::path::{Path, PathBuf};

use crate::source::sha256;

/// Returns a private folder with a short name, which is the same for each run with this folder of state: the path of a socket has 104 bytes at most.
pub(super) fn sockets(state: &Path) -> Option<PathBuf> {
    let name: String = sha256(state.as_os_str().as_encoded_bytes()).chars().take(12).collect();
    let parents = [std::env::temp_dir(), PathBuf::from("/tmp")];
    parents.into_iter().filter(|parent| parent.as_os_str().len() < 30).find_map(|parent| {
        let path = parent.join(format!("hw-{name}"));
        #[cfg_attr(not(unix), expect(unused_mut, reason = "folders have modes on Unix alone"))]
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        (builder.create(&path).is_ok() || is_ours(&path)).then_some(path)
    })
}

/// Tells whether a folder that a run before has left belongs to this account alone.
#[cfg(unix)]
fn is_ours(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    std::fs::symlink_metadata(path)
        .is_ok_and(|about| about.is_dir() && about.uid() == own && about.mode().trailing_zeros() >= 6)
}

#[cfg(not(unix))]
fn is_ours(_: &Path) -> bool {
    false
}
