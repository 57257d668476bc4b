//! Whether a machine can boot an entry once and come back by itself when that boot fails.
//!
//! GRUB reads `next_entry` from its environment block and empties it before it boots; it can only empty it where it can write:
//! in blocks of a file that lie where the file system says, directly on a partition. On ZFS, btrfs, LVM, mdraid and LUKS the
//! entry stays set, and a candidate that fails would boot for ever. systemd-boot deletes its one-shot variable itself.

use super::{MountSource, ResolvedHost};
use crate::fleet::schema::disks::{Format, Partition};
use crate::fleet::schema::machine::Loader;
use crate::source::{Kind, Node, Place};

/// Where GRUB keeps its environment block, below each folder it is installed to.
const GRUB_FOLDER: &str = "grub";

/// What stands in the way of booting an entry once and falling back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoWayBack {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub obstacle: Obstacle,
}

/// The kinds of obstacle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A loader that only the user's own modules describe.
    Loader,
    /// Nothing says what holds this folder, where GRUB's environment block would be.
    Nowhere(String),
    /// GRUB's environment block is in a dataset: mount point of it.
    Dataset(String),
    /// GRUB's environment block is on a file system that it does not write to: mount point and format.
    Format(String, Format),
    /// GRUB's environment block is within LUKS: mount point.
    Luks(String),
    /// GRUB's environment block is on an array: mount point.
    Array(String),
    /// The file system with GRUB's environment block writes data through its journal: mount point.
    Journal(String),
    /// `boot.loader.grub.default = "saved"`: every boot overwrites the choice.
    Saved,
    /// `boot.loader.timeout = null`: the menu waits for a person.
    Waits,
}

impl ResolvedHost<'_> {
    /// Tells whether the loader can boot an entry once and fall back by itself.
    pub fn boots_once(&self) -> bool {
        self.no_way_back().is_none()
    }

    /// Returns what stands in the way of booting an entry once and falling back by itself.
    pub fn no_way_back(&self) -> Option<NoWayBack> {
        let loader = &self.def.boot.loader;
        // Nothing here says where its menu lies: the machine says that itself, before anything is armed.
        if self.def.external.is_some() && loader.value != Loader::Other {
            return None;
        }
        match loader.value {
            Loader::Other => Some(NoWayBack { place: loader.place, obstacle: Obstacle::Loader }),
            Loader::SystemdBoot => self.waits(),
            Loader::Grub => self.waits().or_else(|| self.saved()).or_else(|| {
                self.grub_folders().iter().find_map(|folder| self.unwritable(&format!("{folder}/{GRUB_FOLDER}")))
            }),
        }
    }

    fn waits(&self) -> Option<NoWayBack> {
        let timeout = self.setting(&["boot", "loader", "timeout"])?;
        let waits = match &timeout.kind {
            Kind::Null => true,
            Kind::Nix(text) => text.trim() == "null",
            _ => false,
        };
        waits.then_some(NoWayBack { place: timeout.place, obstacle: Obstacle::Waits })
    }

    fn saved(&self) -> Option<NoWayBack> {
        let default = self.setting(&["boot", "loader", "grub", "default"])?;
        (default.as_str() == Some("saved")).then_some(NoWayBack { place: default.place, obstacle: Obstacle::Saved })
    }

    /// Returns the folders that GRUB is installed to: `/boot`, or those of `mirroredBoots`.
    fn grub_folders(&self) -> Vec<&str> {
        let mirrored = self.setting(&["boot", "loader", "grub", "mirroredBoots"]).and_then(Node::as_list);
        let folders: Vec<&str> =
            mirrored.into_iter().flatten().filter_map(|item| item.node.at(&["path"])?.as_str()).collect();
        if folders.is_empty() { vec!["/boot"] } else { folders }
    }

    /// Returns why GRUB cannot write to a file in a folder.
    fn unwritable(&self, folder: &str) -> Option<NoWayBack> {
        let Some(mount) = self.mount_of(folder) else {
            return Some(NoWayBack {
                place: self.def.boot.loader.place,
                obstacle: Obstacle::Nowhere(folder.to_owned()),
            });
        };
        let path = mount.path.to_owned();
        let (place, obstacle) = match &mount.source {
            MountSource::Dataset { .. } => (mount.place, Obstacle::Dataset(path)),
            MountSource::Partition { def: Partition { luks: Some(luks), .. }, .. } => {
                (luks.place, Obstacle::Luks(path))
            }
            MountSource::Array { def, .. } => (def.place, Obstacle::Array(path)),
            MountSource::Foreign(_) | MountSource::Persisted { .. } => {
                (mount.place, Obstacle::Nowhere(folder.to_owned()))
            }
            MountSource::Partition { format: format @ (Format::Xfs | Format::Btrfs), def, .. } => {
                let place = def.format.as_ref().map_or(mount.place, |format| format.place);
                (place, Obstacle::Format(path, *format))
            }
            MountSource::Partition { format: Format::Ext4 | Format::Vfat, def, .. } => {
                let journal = def
                    .mount_options
                    .iter()
                    .find(|option| option.as_str().split(',').any(|option| option == "data=journal"))?;
                (journal.place, Obstacle::Journal(path))
            }
        };
        Some(NoWayBack { place, obstacle })
    }

    /// Returns what `[nixos]` sets an option to.
    fn setting(&self, option: &[&str]) -> Option<&Node> {
        self.def.nixos.as_ref()?.at(option)
    }
}
