//! Files that are there before a host boots for the first time, and that no store may hold: keys of the initrd, secrets.
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
    /// What it is.
    pub kind: BootFileKind,
    /// Where it is asked for.
    pub place: Place,
}

/// What a file is that is placed before the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootFileKind {
    /// A host key of the initrd: one that nobody brings is made on the machine.
    HostKey,
    /// A secret of root's: the host boots without it, and what uses it does not work.
    Secret,
    /// A secret that an account of the installed system reads, so that its folder has to be passable.
    SharedSecret,
}

/// Returns the files that are there before the first boot, in the order in which they are asked for.
///
/// NixOS reads `boot.initrd.network.ssh.hostKeys` when the boot loader is installed: a path that is not there ends the
/// installation at its very end.
pub fn boot_files(host: &ResolvedHost<'_>) -> Vec<BootFile> {
    let raw = host.def.nixos.as_ref().and_then(|nixos| nixos.at(&["boot", "initrd", "network", "ssh", "hostKeys"]));
    let raw = raw.and_then(|keys| keys.as_list()).into_iter().flatten().filter_map(|item| match &item.node.kind {
        Kind::Str(path) => Some((path.as_str(), item.node.place)),
        _ => None,
    });
    let typed = host.initrd_network().and_then(|initrd| initrd.host_key);
    let typed = typed.map(|key| (key.0.as_str(), key.place));
    let mut files: Vec<BootFile> = Vec::new();
    for (path, place) in typed.into_iter().chain(raw) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let kept = persistent_path(host, path);
        if !path.starts_with('/') || name.is_empty() || files.iter().any(|file| file.path == kept) {
            continue;
        }
        let mode = "0600".to_owned();
        files.push(BootFile { name: name.to_owned(), path: kept, mode, kind: BootFileKind::HostKey, place });
    }
    let by_hand = host.secrets.iter().filter(|secret| secret.sealed.is_none());
    files.extend(by_hand.map(|secret| BootFile {
        name: secret.name.to_owned(),
        path: persistent_path(host, &secret.path),
        mode: secret.mode.to_owned(),
        kind: if secret.owner == "root" { BootFileKind::Secret } else { BootFileKind::SharedSecret },
        place: secret.place,
    }));
    files
}
