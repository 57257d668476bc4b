//! What a machine says of itself: the script that asks it, and its answer as facts.
//!
//! Here belong: the read-only script, the reading of what it prints, what that makes of disks, interfaces, pools and the running
//! system, what it is like at this moment, and whether two sets of facts are of one machine. Not here: running the script or writing files (`cli`), what the facts
//! mean for a definition (`check`).
//!
//! Invariant: the same output and the same time give the same facts, byte for byte; what a machine did not say is absent from
//! them, never a guess.

mod blocks;
mod compare;
mod interfaces;
mod layout;
mod live;
mod machine;
mod nixos;
mod pci;
mod pools;
mod sections;
mod seen;

pub use compare::other_machine;
pub use layout::{Member, Vdev};
pub use live::{Dataset, Live, Menu, Mounted, PoolState, Socket, Unit};
pub use sections::{Sections, read};
pub use seen::{Seen, see};

/// The read-only script that a machine is asked with, for any POSIX shell.
pub const SCRIPT: &str = include_str!("script.sh");

/// What a comparison asks beyond that.
const LIVE: &str = include_str!("live.sh");

/// Returns the read-only script that asks for the facts and for all that a comparison needs beyond them.
pub fn live_script() -> String {
    SCRIPT.replacen("main() {\n", &format!("{LIVE}main() {{\n"), 1).replacen(
        "  section nixos nixos\n",
        "  section nixos nixos\n  live\n",
        1,
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_longer_script_asks_for_more() {
        let script = super::live_script();
        assert!(script.contains("\n  live\n") && script.contains("\nlive() {\n"), "{script}");
        assert_eq!(script.lines().last(), super::SCRIPT.lines().last());
    }
}
