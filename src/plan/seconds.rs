//! How long things take, roughly: rates and times from ordinary hardware, so that a person knows when to worry.

use crate::fleet::schema::deploy::RebootTestTable;
use crate::resolve::ResolvedHost;

/// A look at something over ssh.
pub(super) const LOOK: u64 = 10;

/// A person does something simple that is prepared.
pub(super) const PERSON: u64 = 120;

/// A small system with a few services, in bytes: what NixOS's own closure takes.
const CLOSURE: u64 = 2 << 30;

/// What a service adds to the closure, in bytes.
const SERVICE: u64 = 300 << 20;

/// What a line between data centre and household carries, in bytes a second (80 Mbit/s).
const LINE: u64 = 10_000_000;

/// The times of a reboot test: as tuned, else the defaults of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Boots in all.
    pub(super) boots: u64,
    pub(super) max_downtime: u64,
    pub(super) give_up_after: u64,
    pub(super) settle: u64,
    /// Firmware and loader; 3 minutes until they are measured (1 to 8 on real servers).
    pub(super) post: u64,
    pub(super) panic: u64,
}

impl Times {
    /// Returns the times of a host.
    pub(super) fn of(host: &ResolvedHost<'_>) -> Self {
        let test = host.reboot_test();
        let or = |of: fn(&RebootTestTable) -> u64, default: u64| test.map_or(default, of);
        Self {
            // Less than two would leave out the trial or the boot that makes sure of the default.
            boots: or(|test| u64::from(test.times.value), 2).max(2),
            max_downtime: or(|test| test.max_downtime.seconds(), 600),
            give_up_after: or(|test| test.give_up_after.seconds(), 600),
            settle: or(|test| test.settle.seconds(), 30),
            post: test.and_then(|test| test.post_time.as_ref()).map_or(180, |post| post.seconds()),
            panic: host.def.boot.panic_timeout.seconds(),
        }
    }

    /// Returns how long a boot takes until somebody can log in.
    pub(super) fn boot(self) -> u64 {
        self.post.saturating_add(60)
    }

    /// Returns how long the host is watched: until then the last good system may still come back.
    pub(super) fn watched(self) -> u64 {
        (self.post.saturating_mul(2))
            .saturating_add(self.give_up_after)
            .saturating_add(self.panic)
            .saturating_add(300)
            .max(self.max_downtime)
    }
}

/// Returns how much is copied to a host in a second, in bytes, and whether its definition says so.
pub(super) fn copy_rate(host: &ResolvedHost<'_>) -> (u64, bool) {
    let stated = host.def.deploy.as_ref().and_then(|deploy| deploy.copy_rate.as_ref());
    stated.map_or((LINE, false), |rate| (rate.bytes().max(1), true))
}

/// Returns how long bytes take to a host.
pub(super) fn copying(host: &ResolvedHost<'_>, bytes: u64) -> u64 {
    bytes.div_ceil(copy_rate(host).0)
}

/// Returns the bytes of a host's closure.
fn closure(host: &ResolvedHost<'_>) -> u64 {
    CLOSURE.saturating_add(SERVICE.saturating_mul(host.services.len() as u64))
}

/// Returns how long copying a closure takes.
pub(super) fn copy_closure(host: &ResolvedHost<'_>) -> u64 {
    closure(host) / LINE
}

/// Returns how long building takes where a binary cache has most of it.
pub(super) fn build(host: &ResolvedHost<'_>) -> u64 {
    copy_closure(host).saturating_add(300)
}
