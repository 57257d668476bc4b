//! Disks cut into partitions, pools put together from them, and what is mounted where.

mod disks;
mod encryption;
mod mounts;
mod pools;

pub use disks::{ALIGNMENT, ResolvedDisk, ResolvedPartition};
pub use encryption::{EncryptionRoot, is_needed_for_boot};
pub use mounts::{Mount, MountSource};
pub use pools::{MemberUse, ResolvedMember, ResolvedPool, ResolvedVdev, VdevClass};

pub(super) use disks::disks;
pub(super) use mounts::mounts;
pub(super) use pools::pools;
