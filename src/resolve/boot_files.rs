//! Files that must be there before a host boots for the first time, and that no store may hold: keys of the initrd.
//!
//! Here belongs which files these are and where they go. Not here: who brings them (install.sh, the plan).

use super::{ResolvedHost, persistent_path};
use crate::source::{Kind, Place};

/// A file that is placed before the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootFile {
    /// Its name in the folder that is given to the installation.
    pub name: String,
    /// Where it goes, on what the next boot keeps.
    pub path: String,
    /// Its mode, in octal digits.
    pub mode: String,
    /// Its owner, `USER:GROUP`.
    pub owner: String,
    /// Whether it is a host key of the initrd: one that nobody brings is made on the machine.
    pub host_key: bool,
    /// Where it is asked for.
    pub place: Place,
}

/// Returns the files that must be there before the first boot, in the order in which they are asked for.
///
/// NixOS reads `boot.initrd.network.ssh.hostKeys` when the boot loader is installed: a path that is not there ends the
/// installation at its very end.
pub fn boot_files(host: &ResolvedHost<'_>) -> Vec<BootFile> {
    let keys = host.def.nixos.as_ref().and_then(|nixos| nixos.at(&["boot", "initrd", "network", "ssh", "hostKeys"]));
    let mut files: Vec<BootFile> = Vec::new();
    for item in keys.and_then(|keys| keys.as_list()).into_iter().flatten() {
        let Kind::Str(path) = &item.node.kind else { continue };
        let name = path.rsplit('/').next().unwrap_or_default();
        if !path.starts_with('/') || name.is_empty() || files.iter().any(|file| file.path == *path) {
            continue;
        }
        files.push(BootFile {
            name: name.to_owned(),
            path: persistent_path(host, path),
            mode: "0600".to_owned(),
            owner: "0:0".to_owned(),
            host_key: true,
            place: item.node.place,
        });
    }
    files
}
