//! install/*.sh: partitions, pools, mounts and the installation itself, for any rescue system.
//!
//! Here the values are put together; the scripts are templates, which quote every value. Nothing here decides to destroy:
//! the scripts look at the disks and refuse, or ask.

mod layers;
mod mounts;
mod pools;

use serde::Serialize;

use self::layers::LayersPlan;
use self::mounts::{MountPlan, mounts};
use self::pools::KeyPlan;
pub(super) use self::pools::PoolPlan;

use super::compatibility;
use super::{HostCx, OutFile};
use crate::fleet::schema::disks::{PartitionSize, Role, Table};
use crate::fleet::schema::machine::Loader;
use crate::resolve::ResolvedDisk;
use crate::resolve::{BootFile, BootFileKind, BootPlaces, boot_files, persistent_path};
use crate::source::Diagnostics;

/// Returns sgdisk's type code of a partition (sgdisk(8), `-L`).
pub(super) fn type_code(role: Role) -> &'static str {
    match role {
        Role::BiosBoot => "EF02",
        Role::Esp => "EF00",
        Role::Filesystem => "8300",
        Role::Swap => "8200",
        Role::Zfs => "BF01",
        Role::Mdraid => "FD00",
    }
}

/// The values of all scripts.
#[derive(Serialize)]
struct Install<'a> {
    host: &'a str,
    host_id: &'a str,
    disks: Vec<DiskPlan<'a>>,
    pools: Vec<PoolPlan<'a>>,
    mounts: Vec<MountPlan>,
    /// The files of keys that the installed system is to have.
    key_files: Vec<String>,
    /// Whether there is any key.
    has_keys: bool,
    /// Whether any dataset is rolled back at boot.
    has_blank: bool,
    /// The datasets that ZFS itself mounts once all is in place.
    at_last: Vec<String>,
    layers: LayersPlan<'a>,
    /// Where the host's ssh keys are kept.
    ssh_folder: String,
    /// What else is placed before the installation.
    files: Vec<FilePlan>,
    /// Where a secret goes that nothing names.
    credentials: String,
    /// What the boot loader's installer must have left, on each disk that boots.
    loaders: Vec<String>,
    /// Whether the loader's installer fails where the firmware shows no variables.
    needs_efi_variables: bool,
    /// Whether the firmware is to start the loader by an entry of its own.
    uefi: bool,
}

/// A file that is placed before the installation.
#[derive(Serialize)]
struct FilePlan {
    name: String,
    path: String,
    mode: String,
    /// The permissions of its folder, where that is not there.
    folder_mode: &'static str,
    /// `key` for one that can be made on the machine, `secret` for one that the boot does without.
    kind: &'static str,
}

#[derive(Serialize)]
struct DiskPlan<'a> {
    name: &'a str,
    id: &'a str,
    device: String,
    /// 0 where the size is not stated.
    bytes: u64,
    disposable: bool,
    /// Whether it is only described, and never laid out.
    described: bool,
    partitions: Vec<PartitionPlan<'a>>,
}

#[derive(Serialize)]
struct PartitionPlan<'a> {
    number: u32,
    /// First and last place as sgdisk takes them, in MiB.
    span: String,
    code: &'static str,
    label: &'a str,
    device: &'a str,
}

fn disk_plan<'a>(disk: &'a ResolvedDisk<'a>) -> DiskPlan<'a> {
    let partitions = disk.partitions.iter().map(|partition| {
        let rest = partition.def.is_none_or(|def| matches!(def.size.value, PartitionSize::Rest));
        let end = match partition.bytes.filter(|_| !rest) {
            Some(bytes) => format!("+{}M", bytes >> 20),
            None => "0".to_owned(),
        };
        PartitionPlan {
            number: partition.number,
            span: format!("{}M:{end}", partition.start >> 20),
            code: type_code(partition.role),
            label: &partition.label,
            device: &partition.device,
        }
    });
    DiskPlan {
        name: disk.name,
        id: disk.def.id.as_str(),
        device: disk.device(),
        bytes: disk.bytes().unwrap_or(0),
        disposable: disk.def.disposable.value,
        described: disk.def.table.value == Table::Mbr,
        partitions: partitions.collect(),
    }
}

impl From<BootFile> for FilePlan {
    fn from(file: BootFile) -> Self {
        let (kind, folder_mode) = match file.kind {
            BootFileKind::HostKey => ("key", "0700"),
            BootFileKind::Secret => ("secret", "0700"),
            BootFileKind::SharedSecret => ("secret", "0755"),
        };
        Self { name: file.name, path: file.path, mode: file.mode, folder_mode, kind }
    }
}

/// Returns the menus that the boot loader's installer writes, on each disk that boots.
fn loaders(cx: &HostCx<'_>) -> Vec<String> {
    let loader = cx.host.def.boot.loader.value;
    let menu = match loader {
        Loader::Grub => "grub/grub.cfg",
        Loader::SystemdBoot => "loader/loader.conf",
        Loader::Other => return Vec::new(),
    };
    let places = BootPlaces::of(cx.host).menus(loader);
    places.into_iter().map(|place| format!("{}/{menu}", place.trim_end_matches('/'))).collect()
}

/// The scripts, by template.
const SCRIPTS: [&str; 4] = ["install", "mount", "partition", "pools"];

/// Returns the scripts of a host, for its folder in out/; without pools there is none that makes them.
pub(super) fn scripts(cx: &HostCx<'_>, found: &mut Diagnostics) -> Vec<OutFile> {
    let pools: Vec<PoolPlan<'_>> = cx
        .host
        .pools
        .iter()
        .map(|pool| PoolPlan::of(cx, pool, &compatibility::for_pool(cx.host, pool, cx.facts)))
        .collect();
    let loader = cx.host.def.boot.loader.value;
    let datasets = || pools.iter().flat_map(|pool| &pool.datasets);
    let keys: Vec<KeyPlan> = pools
        .iter()
        .flat_map(|pool| pool.key.iter().chain(pool.datasets.iter().filter_map(|dataset| dataset.key.as_ref())))
        .cloned()
        .collect();
    let mut key_files: Vec<String> = keys.iter().filter_map(|key| key.file.clone()).collect();
    key_files.sort_unstable();
    key_files.dedup();
    let has_blank = datasets().any(|dataset| dataset.blank.is_some());
    let at_last = datasets().filter(|dataset| dataset.can_mount_at_last).map(|dataset| dataset.name.clone()).collect();
    let values = Install {
        has_keys: !keys.is_empty(),
        has_blank,
        at_last,
        key_files,
        host: cx.host.name,
        host_id: &cx.host.host_id.id,
        disks: cx.host.disks.iter().filter(|disk| !disk.partitions.is_empty()).map(disk_plan).collect(),
        pools,
        mounts: mounts(cx),
        layers: LayersPlan::of(cx),
        ssh_folder: persistent_path(cx.host, "/etc/ssh"),
        files: boot_files(cx.host).into_iter().map(FilePlan::from).collect(),
        credentials: persistent_path(cx.host, "/etc/credstore"),
        loaders: loaders(cx),
        needs_efi_variables: loader == Loader::Grub && cx.host.has_uefi() && !cx.host.has_bios(),
        uefi: cx.host.has_uefi() && !cx.host.has_bios() && loader != Loader::Other,
    };
    SCRIPTS
        .iter()
        .filter(|name| **name != "pools" || !values.pools.is_empty())
        .filter_map(|name| {
            let text = cx.render(&format!("install/{name}.sh.tera"), &values, found)?;
            Some(OutFile { executable: true, ..OutFile::of_text(format!("install/{name}.sh"), text) })
        })
        .collect()
}
