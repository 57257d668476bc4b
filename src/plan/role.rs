//! What a command line of a boot is for, so that whoever carries a plan out can tell what it means when the line fails.
//!
//! A mark stands beside the line and is no part of the JSON form: a plan that was read is the plan that was made again.

use super::step::words;

words! {
    /// Which boot a machine is made to do.
    pub enum BootKind {
        /// The first one from its disks, out of the installer.
        First = "first",
        /// The good system through the one-shot entry.
        Baseline = "baseline",
        /// The candidate through the one-shot entry, its services held.
        Bare = "bare",
        /// The candidate through the one-shot entry.
        Trial = "trial",
        /// Through the default entry.
        Default = "default",
        /// Through the default entry, after the power was cut.
        Cold = "cold",
    }
}

impl BootKind {
    /// Tells whether the loader is armed for it, so that the machine comes back on the last good system unless it is confirmed.
    pub fn is_armed(self) -> bool {
        matches!(self, Self::Baseline | Self::Bare | Self::Trial)
    }
}

/// What a line of a step that boots is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Nothing that a verdict hangs on.
    #[default]
    Other,
    /// It writes down what the machine is like.
    Record,
    /// It arms the loader.
    Arm,
    /// It lets the machine go down, or cuts its power.
    Reboot,
    /// It waits until the machine answers from another boot.
    Wait {
        /// Which boot.
        kind: BootKind,
        /// How long the machine may be away, in seconds.
        may: u64,
        /// How long it is watched, in seconds: until then the last good system may return.
        watched: u64,
    },
    /// It asks the machine something from outside.
    Watch,
    /// It judges the boot on the machine.
    Judge,
    /// It confirms the boot, so that the machine stays in it.
    Confirm,
    /// It makes the candidate the default.
    Promote,
    /// Of the way back: it collects what is known of the boot that failed.
    Evidence,
    /// Of the way back: it takes the trial away from every disk.
    Disarm,
}
