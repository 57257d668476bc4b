//! The values with which the installation scripts make and open arrays, LUKS, file systems and swap.

use serde::Serialize;

use crate::compile::HostCx;
use crate::fleet::decode::Word as _;
use crate::fleet::schema::disks::Format;
use crate::fleet::schema::storage::RaidLevel;
use crate::resolve::{Content, MountSource};

/// What lies between partitions and mounts, from below to above.
#[derive(Serialize)]
pub(super) struct LayersPlan<'a> {
    arrays: Vec<ArrayPlan<'a>>,
    luks: Vec<LuksPlan<'a>>,
    makes: Vec<MakePlan>,
    subvolumes: Vec<SubvolumePlan<'a>>,
    /// Programs of the rescue system that the layers need.
    programs: Vec<&'static str>,
    swap_file: Option<SwapFilePlan<'a>>,
    /// Directories that are kept, with their permissions.
    kept: Vec<KeptPlan>,
    /// Files that are kept.
    kept_files: Vec<String>,
    /// The machine's id where it is kept; empty where the root keeps it.
    machine_id: String,
}

#[derive(Serialize)]
struct ArrayPlan<'a> {
    name: &'a str,
    device: &'a str,
    level: u8,
    metadata: &'static str,
    bitmap: &'static str,
    members: Vec<&'a str>,
}

#[derive(Serialize)]
struct LuksPlan<'a> {
    name: &'a str,
    raw: &'a str,
    label: &'a str,
    /// The path of its key file on the installed host; empty where a passphrase opens it.
    key_file: &'a str,
    /// Whether that is a file which the installation puts there.
    places_key: bool,
    discards: bool,
    /// Whether it lies on a disk that is only described.
    described: bool,
}

#[derive(Serialize)]
struct MakePlan {
    device: String,
    make: &'static str,
}

#[derive(Serialize)]
struct SubvolumePlan<'a> {
    device: String,
    name: &'a str,
}

#[derive(Serialize)]
struct SwapFilePlan<'a> {
    path: &'a str,
    mebibytes: u64,
}

#[derive(Serialize)]
struct KeptPlan {
    path: String,
    mode: String,
}

impl<'a> LayersPlan<'a> {
    /// Puts together what the scripts of a host make and open.
    pub(super) fn of(cx: &HostCx<'a>) -> Self {
        let host = cx.host;
        let arrays: Vec<ArrayPlan<'a>> = host
            .arrays
            .iter()
            .map(|array| ArrayPlan {
                name: array.name,
                device: &array.device,
                level: array.def.level.number(),
                metadata: array.metadata.word(),
                // Without one, a lost connection costs a copy of everything; level 0 knows none.
                bitmap: if array.def.level.value == RaidLevel::Raid0 { "none" } else { "internal" },
                members: array.members.iter().map(|member| member.device.as_str()).collect(),
            })
            .collect();
        let luks: Vec<LuksPlan<'a>> = host
            .devices
            .iter()
            .filter_map(|device| {
                let luks = device.luks?;
                Some(LuksPlan {
                    name: luks.name.as_str(),
                    raw: &device.raw,
                    label: &device.label,
                    key_file: luks.key_file.as_ref().map_or("", |key| key.as_str()),
                    places_key: luks.key_file.as_ref().is_some_and(|key| !key.is_below("/dev")),
                    discards: luks.allow_discards.value,
                    described: device.described,
                })
            })
            .collect();
        let made = host.devices.iter().filter(|device| !device.described);
        let makes: Vec<MakePlan> = made
            .filter_map(|device| {
                let make = match device.content {
                    // A new key at each boot makes swap of it at each boot.
                    Content::Swap if device.random_encryption.is_none() => "swap",
                    Content::FileSystem(Some(format)) => format.word(),
                    _ => return None,
                };
                Some(MakePlan { device: device.device(), make })
            })
            .collect();
        let is_btrfs = |content: Content| content == Content::FileSystem(Some(Format::Btrfs));
        let subvolumes: Vec<SubvolumePlan<'a>> = host
            .devices
            .iter()
            .filter(|device| is_btrfs(device.content) && !device.described)
            .flat_map(|device| {
                let mut names: Vec<&str> = device.subvolumes.keys().map(String::as_str).collect();
                // A subvolume within another comes after it.
                names.sort_by_key(|name| name.matches('/').count());
                names.into_iter().map(|name| SubvolumePlan { device: device.device(), name })
            })
            .collect();
        let mut programs = Vec::new();
        for (wanted, program) in [
            (!arrays.is_empty(), "mdadm"),
            (!luks.is_empty(), "cryptsetup"),
            (makes.iter().any(|make| make.make == "btrfs"), "btrfs"),
        ] {
            if wanted {
                programs.push(program);
            }
        }
        let persistence = host.def.persistence.as_ref();
        let root = persistence.map_or("", |persistence| persistence.root.as_str().trim_end_matches('/'));
        let files = || persistence.into_iter().flat_map(|persistence| &persistence.files);
        let kept = host
            .mounts
            .iter()
            .filter_map(|mount| {
                let MountSource::Persisted { kept, def } = &mount.source else { return None };
                let own = if def.is_none() { "0700" } else { "0755" };
                let mode = def.and_then(|def| def.mode.as_ref()).map_or(own, |mode| mode.as_str());
                Some(KeptPlan { path: kept.clone(), mode: mode.to_owned() })
            })
            .collect();
        let keeps_id = files().any(|file| file.as_str() == "/etc/machine-id");
        let swap = host.def.swap.as_ref().and_then(|swap| swap.file.as_ref());
        Self {
            arrays,
            luks,
            makes,
            subvolumes,
            programs,
            swap_file: swap
                .map(|file| SwapFilePlan { path: file.path.as_str(), mebibytes: file.size.bytes().div_ceil(1 << 20) }),
            kept,
            kept_files: files().map(|file| format!("{root}{}", file.as_str())).collect(),
            machine_id: if keeps_id { format!("{root}/etc/machine-id") } else { String::new() },
        }
    }
}
