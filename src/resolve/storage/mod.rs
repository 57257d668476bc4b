//! Disks cut into partitions, arrays and pools put together from them, what lies on each block device, and what is mounted
//! where.

mod devices;
mod disks;
mod encryption;
mod mounts;
mod pools;

pub use devices::{ArrayUse, Base, BlockDevice, Content, ResolvedArray};
pub use disks::{ALIGNMENT, ResolvedDisk, ResolvedPartition};
pub use encryption::{EncryptionRoot, is_needed_for_boot};
pub use mounts::{Mount, MountSource, MountWords, STATE};
pub use pools::{MemberUse, ResolvedMember, ResolvedPool, ResolvedVdev, VdevClass};

pub(super) use devices::{arrays, devices};
pub(super) use disks::disks;
pub(super) use mounts::mounts;
pub(super) use pools::pools;
