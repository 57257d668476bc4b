//! What is particular to a kind of service: native, container, static-site, command.

use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{
    AbsPath, Account, Capability, ContainerUser, DatasetName, DnsName, FleetPath, ImageRef, Name, PackageAttr,
    SysctlKey,
};
use crate::fleet::schema::service_parts::{HostAddress, Owner, Text, Tmpfs, Words};
use crate::fleet::shape::{Scalar, Shape};
use crate::fleet::words::{DnsKey, SecretName};
use crate::source::{Node, Spanned};
use crate::units::{OnCalendar, Size, TimeSpan};

/// A NixOS module, described by a module.toml.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// The module that describes it; the one of the service's name when absent.
    pub module: Option<Spanned<Name>>,
    /// Options below the module's prefix.
    pub options: Option<Node>,
    /// A package other than the channel's default.
    pub package: Option<Spanned<PackageAttr>>,
}

/// A container under podman.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// The image.
    pub image: Spanned<ImageRef>,
    /// What it runs instead of the image's entry point.
    pub command: Option<Spanned<Words>>,
    /// Arguments of what it runs.
    pub args: Vec<Spanned<Text>>,
    /// As whom it runs.
    pub user: Option<Spanned<ContainerUser>>,
    /// Folders and files of the host.
    pub volumes: Vec<Volume>,
    /// Paths that live in memory.
    pub tmpfs: Vec<Spanned<Tmpfs>>,
    /// Networks that it shares with other containers.
    pub networks: Vec<Spanned<Name>>,
    /// Its host name.
    pub hostname: Option<Spanned<DnsName>>,
    /// Further names that others reach it by.
    pub aliases: Vec<Spanned<DnsName>>,
    /// Devices of the host.
    pub devices: Vec<Spanned<AbsPath>>,
    /// What it may do beyond, or not.
    pub capabilities: Option<Capabilities>,
    /// Whether its own file system cannot be written.
    pub read_only_root: Setting<bool>,
    /// Whether nothing keeps it from the host.
    pub privileged: Setting<bool>,
    /// Whether it has the network of the host.
    pub host_network: Setting<bool>,
    /// How long it may take to stop.
    pub stop_timeout: Option<Spanned<TimeSpan>>,
    /// When the image is fetched.
    pub pull: Setting<Pull>,
    /// The password of the registry.
    pub registry_login: Option<Spanned<SecretName>>,
    /// Whether a small init collects what its program leaves behind.
    pub init: Setting<bool>,
    /// The size of /dev/shm.
    pub shm_size: Option<Spanned<Size>>,
    /// Parameters of the kernel.
    pub sysctls: Named<SysctlKey, Spanned<String>>,
    /// The container whose network it shares.
    pub network_of: Option<Spanned<Name>>,
    /// Further groups that it belongs to.
    pub groups: Vec<Spanned<Owner>>,
    /// Names that it finds at an address.
    pub hosts: Named<DnsKey, Spanned<HostAddress>>,
    /// Where it runs.
    pub working_directory: Option<Spanned<AbsPath>>,
    /// Whether its programs cannot get more rights than they begin with.
    pub no_new_privileges: Setting<bool>,
    /// What runs in it once it has started.
    pub after_start: Option<Spanned<Words>>,
    /// What runs in it before it is stopped.
    pub before_stop: Option<Spanned<Words>>,
    /// When it runs and for how long.
    pub run: Run,
}

/// When a container or a program runs, for how long, and what follows its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// When it runs; always when empty.
    pub schedule: Vec<Spanned<OnCalendar>>,
    /// Whether a run that was missed is made up for.
    pub persistent: Setting<bool>,
    /// The time zone of the schedule.
    pub time_zone: Option<Spanned<TimeZone>>,
    /// When it counts as started, as written; [`Run::start`] knows what follows from a schedule.
    pub start: Setting<StartType>,
    /// When it is started again.
    pub restart: Setting<Restart>,
    /// How long it may run.
    pub at_most: Option<Spanned<TimeSpan>>,
}

impl Run {
    /// Returns when it counts as started: what runs by the calendar when it is over, unless its definition says otherwise.
    pub fn start(&self) -> StartType {
        if !self.schedule.is_empty() && !self.start.written { StartType::Oneshot } else { self.start.value }
    }
}

/// Files that a web server hands out.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Where they are.
    pub files: SiteFiles,
    /// What a folder's address shows.
    pub index: Vec<Spanned<String>>,
    /// Whether every address that is no file shows the index.
    pub spa: Setting<bool>,
    /// How long browsers keep what they got.
    pub cache: Option<Spanned<TimeSpan>>,
}

/// Where the files of a site are.
#[derive(Debug, Clone, PartialEq)]
pub enum SiteFiles {
    /// In a folder on the host.
    Root(Spanned<AbsPath>),
    /// In the fleet: a folder, or one page.
    Source(Spanned<FleetPath>),
}

/// A program, run by systemd.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The program with its arguments.
    pub exec: Spanned<Words>,
    /// Where it runs.
    pub working_directory: Option<Spanned<AbsPath>>,
    /// As whom; an account of its own that exists while it runs when absent.
    pub user: Option<Spanned<Account>>,
    /// Packages whose programs it finds.
    pub packages: Vec<Spanned<PackageAttr>>,
    /// Whether it is kept from what it does not need.
    pub sandbox: Setting<bool>,
    /// When it runs and for how long.
    pub run: Run,
}

table! {
    /// What a container may do beyond podman's default, or not.
    pub struct Capabilities {
        /// What it may do, too.
        "add" => add: Vec<Spanned<Capability>>,
        /// What it may not do.
        "drop" => drop: Vec<Spanned<Capability>>,
    }
}

table! {
    /// A folder or file of the host within a container.
    pub struct Volume {
        /// A path on the host, or a dataset that is mounted (`pool/name`).
        "source" => source: Spanned<VolumeSource>,
        /// Where it is in the container.
        "target" => target: Spanned<AbsPath>,
        /// Whether it cannot be written there.
        "read-only" => read_only: Setting<bool> = false,
    }
}

/// Where a volume comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// A path on the host.
    Path(AbsPath),
    /// A dataset, pool included: the path that it is mounted on.
    Dataset(DatasetName),
}

impl Decode for VolumeSource {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "path or dataset",
            json: "string",
            pattern: None,
            wanted: "an absolute path or a dataset",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "an absolute path on the host, or a dataset such as `rpool/safe/photos`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        if text.starts_with('/') {
            return AbsPath::decode(node, cx).map(Self::Path);
        }
        match text.parse::<DatasetName>() {
            Ok(name) if text.contains('/') => Some(Self::Dataset(name)),
            _ => cx.refused(node.place, text, wanted),
        }
    }
}

choice! {
    /// When an image is fetched.
    pub enum Pull {
        /// When it is not there.
        Missing = "missing",
        /// At each start.
        Always = "always",
        /// Never: somebody puts it there.
        Never = "never",
        /// When the registry has a newer one.
        Newer = "newer",
    }
}

choice! {
    /// When a program counts as started (systemd.service(5), `Type=`).
    pub enum StartType {
        /// At once.
        Simple = "simple",
        /// When it is over.
        Oneshot = "oneshot",
        /// When it says so.
        Notify = "notify",
    }
}

choice! {
    /// When a program is started again (systemd.service(5), `Restart=`).
    pub enum Restart {
        /// Never.
        No = "no",
        /// When it failed.
        OnFailure = "on-failure",
        /// Whenever it ended.
        Always = "always",
    }
}

/// A time zone by its name in the tz database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone(pub String);

impl TimeZone {
    /// Tells whether a text has the form of such a name.
    pub fn has_form(text: &str) -> bool {
        let part =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b));
        text.starts_with(|c: char| c.is_ascii_uppercase()) && text.len() <= 64 && text.split('/').all(part)
    }
}

impl Decode for TimeZone {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "time zone", json: "string", pattern: None, wanted: "a time zone, in quotes" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a time zone is wanted, such as `UTC` or `Europe/Berlin`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        if Self::has_form(text) { Some(Self(text.to_owned())) } else { cx.refused(node.place, text, wanted) }
    }
}
