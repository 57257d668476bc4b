//! Disks, partitions, boot. These rules know layouts and what firmware and loaders read, and take every size in bytes.
//!
//! What they guarantee: nothing is reported of a disk whose size or identity neither definition nor facts state (that
//! is unchecked); one defect of a layout is one finding, at the line that has to change.

mod bios_boot_missing;
mod boot_filesystem_unreadable;
mod boot_not_mirrored;
mod boot_too_small;
mod configuration_limit_too_low;
mod disk_has_data;
mod disk_not_found;
mod disk_size_mismatch;
mod disk_unstable_name;
mod disk_used_twice;
mod ephemeral_root_loses;
mod esp_missing;
mod gc_removes_fallback;
mod initrd_missing_driver;
mod layer_impossible;
mod loader_firmware_mismatch;
mod mount_duplicate;
mod mount_missing_root;
mod mount_order;
mod partition_label_too_long;
mod partitions_overflow;
mod ssd_write_wear;
mod stage2_emergency_shell;
mod swap_on_zfs;
mod swap_on_zvol;

use crate::check::rule::Rule;

pub(super) static RULES: &[&Rule] = &[
    &bios_boot_missing::RULE,
    &boot_filesystem_unreadable::RULE,
    &boot_not_mirrored::RULE,
    &boot_too_small::RULE,
    &configuration_limit_too_low::RULE,
    &disk_has_data::RULE,
    &disk_not_found::RULE,
    &disk_size_mismatch::RULE,
    &disk_unstable_name::RULE,
    &disk_used_twice::RULE,
    &ephemeral_root_loses::RULE,
    &esp_missing::RULE,
    &gc_removes_fallback::RULE,
    &initrd_missing_driver::RULE,
    &layer_impossible::RULE,
    &loader_firmware_mismatch::RULE,
    &mount_duplicate::RULE,
    &mount_missing_root::RULE,
    &mount_order::RULE,
    &partition_label_too_long::RULE,
    &partitions_overflow::RULE,
    &ssd_write_wear::RULE,
    &stage2_emergency_shell::RULE,
    &swap_on_zfs::RULE,
    &swap_on_zvol::RULE,
];
