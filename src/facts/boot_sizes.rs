//! How large kernel and initrd of a generation are on a boot partition.
//!
//! Estimates, not measurements: facts/README.md says what they stand on. They lie at the lower end of what NixOS makes, so that
//! arithmetic with them reports what cannot fit, never what may.

use crate::units::Release;

/// What an initrd holds, as far as its size goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitrdParts {
    /// The modules and commands of ZFS.
    pub zfs: bool,
    /// An uncompressed kernel image, as 64-bit ARM boots it.
    pub arm: bool,
}

const MIB: u64 = 1 << 20;

/// Returns the bytes of one generation's kernel and initrd, at the lower end.
pub fn generation_bytes(release: Release, parts: InitrdParts) -> u64 {
    let since = |first: &str| first.parse().is_ok_and(|first: Release| release.base() >= first);
    let kernel = match () {
        () if parts.arm => 40,
        () if since("24.05") => 11,
        () => 7,
    };
    // systemd in stage 1 is the default from 26.05 on.
    let initrd = if since("26.05") { 20 } else { 10 };
    let zfs = if parts.zfs { 5 } else { 0 };
    (kernel + initrd + zfs) * MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_grow_with_releases_and_with_what_they_hold() {
        let bytes = |release: &str, zfs, arm| generation_bytes(release.parse().unwrap(), InitrdParts { zfs, arm });
        assert!(bytes("20.09", false, false) < bytes("24.05", false, false));
        assert!(bytes("24.05", false, false) < bytes("26.05", false, false));
        assert!(bytes("26.05", false, false) < bytes("26.05", true, false));
        assert!(bytes("26.05", true, false) < bytes("26.05", true, true));
    }
}
