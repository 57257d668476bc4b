//! Definitions in the making: what the objects of a cluster become on a host, in the keys of a host.toml.
//!
//! Translators fill these; `write` turns them into TOML. A key that is `None` or empty is not written.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::object::ObjectId;

/// All that is to be added to a host's definition.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct HostDraft {
    /// Services by name, in the order in which their workloads were read.
    pub services: IndexMap<String, Draft>,
    /// Datasets that claims become, by name below the pool.
    pub datasets: IndexMap<String, DatasetDraft>,
    /// `[filesystems]`: what is mounted from elsewhere, by mount point.
    pub filesystems: IndexMap<String, FilesystemDraft>,
    /// `[network.hosts]`: names that this host has to know, by address.
    pub hosts: BTreeMap<String, Vec<String>>,
    /// Ports of the firewall beyond those of public services, as (port, protocol).
    pub open: Vec<(u16, Protocol)>,
    /// `[secrets.items]`: what a person has to fill in, by name, with what it is.
    pub secrets: IndexMap<String, String>,
    /// The accounts that read secrets while their services run, by the secret; root where there is none.
    pub secret_readers: BTreeMap<String, String>,
    /// `[web] acme-email`.
    pub acme_email: Option<String>,
    /// `[nixos]` options that no key of a definition has, by path, as JSON.
    pub nixos: IndexMap<String, serde_json::Value>,
    /// Ports that the firewall opens on single interfaces, as (port, protocol).
    pub open_on: BTreeMap<String, Vec<(u16, Protocol)>>,
    /// What single hosts of several get beyond their services, by name.
    pub apart: BTreeMap<String, HostDraft>,
}

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The object that it comes from.
    pub object: ObjectId,
    /// `migrates-from.workload`: `apps/Deployment/gitea`.
    pub workload: String,
    /// Lines of comment above its table.
    pub comments: Vec<String>,
    /// Whether it runs.
    pub enable: bool,
    /// What is particular to its kind.
    pub work: WorkDraft,
    /// Services that start before it.
    pub after: Vec<String>,
    /// Services that it needs.
    pub requires: Vec<String>,
    /// When it is ready.
    pub ready: Option<ProbeDraft>,
    /// How it is known that it still works.
    pub health: Option<ProbeDraft>,
    /// Directories with an owner.
    pub state: Vec<StateDraft>,
    /// `limits.memory`, as a size.
    pub memory: Option<String>,
    /// `limits.memory-low`, as a size.
    pub memory_low: Option<String>,
    /// `limits.cpu`: processors, as a decimal number.
    pub cpu: Option<String>,
    /// Its ports.
    pub ports: Vec<PortDraft>,
    /// Secrets that it gets.
    pub secrets: Vec<SecretDraft>,
    /// Files that it reads.
    pub files: Vec<FileDraft>,
    /// Virtual hosts that lead to it.
    pub vhosts: Vec<VhostDraft>,
    /// `migrates-from`, of the service that a workload's data moves to.
    pub migration: Option<MigrationDraft>,
    /// Why it is a container and no module; none of what is no workload's main container.
    pub why_container: Option<String>,
}

/// What is particular to a kind of service.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkDraft {
    /// A container.
    Container(Box<ContainerDraft>),
    /// A NixOS module.
    Native(NativeDraft),
}

/// A container.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct ContainerDraft {
    /// The image, with its registry.
    pub image: String,
    /// What it runs instead of the image's entry point.
    pub command: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Variables that are no secrets.
    pub environment: IndexMap<String, String>,
    /// `uid` or `uid:gid`.
    pub user: Option<String>,
    /// Further groups.
    pub groups: Vec<String>,
    /// Folders and files of the host.
    pub volumes: Vec<VolumeDraft>,
    /// Paths in memory, each with its size where it is limited.
    pub tmpfs: Vec<(String, Option<String>)>,
    /// Networks.
    pub networks: Vec<String>,
    /// The service whose network it shares.
    pub network_of: Option<String>,
    /// Its host name.
    pub hostname: Option<String>,
    /// Names that others reach it by.
    pub aliases: Vec<String>,
    /// Names that it knows, with their addresses.
    pub hosts: IndexMap<String, String>,
    /// Devices of the host.
    pub devices: Vec<String>,
    /// Capabilities that it gets.
    pub cap_add: Vec<String>,
    /// Capabilities that it does without.
    pub cap_drop: Vec<String>,
    /// Whether its own file system cannot be written.
    pub read_only_root: bool,
    /// Whether nothing keeps it from the host.
    pub privileged: bool,
    /// Whether it cannot gain privileges.
    pub no_new_privileges: bool,
    /// Whether it has the network of the host.
    pub host_network: bool,
    /// Seconds it may take to stop.
    pub stop_timeout: Option<u64>,
    /// `pull`, where it is not `missing`.
    pub pull: Option<&'static str>,
    /// The secret with the registry's password.
    pub registry_login: Option<String>,
    /// The size of /dev/shm.
    pub shm_size: Option<String>,
    /// Parameters of the kernel.
    pub sysctls: IndexMap<String, String>,
    /// The folder that it starts in.
    pub working_directory: Option<String>,
    /// Whether it runs to its end.
    pub oneshot: bool,
    /// `restart`, where it is not the default.
    pub restart: Option<&'static str>,
    /// When it runs: calendar events of systemd.
    pub schedule: Vec<String>,
    /// Whether a run that was missed is made up for; only with a schedule.
    pub persistent: Option<bool>,
    /// The time zone of the schedule.
    pub time_zone: Option<String>,
    /// Seconds after which it is stopped.
    pub run_at_most: Option<u64>,
    /// A command in the container after its start.
    pub after_start: Vec<String>,
    /// A command in the container before its end.
    pub before_stop: Vec<String>,
}

/// A NixOS module.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct NativeDraft {
    /// The module.
    pub module: String,
    /// `package`, where it is not the module's own.
    pub package: Option<String>,
    /// Options below the module's prefix, by dotted path, as JSON.
    pub options: IndexMap<String, serde_json::Value>,
}

/// Protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortDraft {
    /// On the host.
    pub port: u16,
    /// In the container, where it differs.
    pub to: Option<u16>,
    /// Its protocol.
    pub protocol: Protocol,
    /// What it is called.
    pub name: Option<String>,
    /// Whether everybody may reach it.
    pub public: bool,
    /// Addresses it listens on, where not the default.
    pub listen: Vec<String>,
}

/// A gate or check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeDraft {
    /// What is asked.
    pub ask: AskDraft,
    /// Seconds it may take until it succeeds.
    pub timeout: u64,
    /// Seconds between two tries.
    pub interval: u64,
    /// health: failures in a row that count as one.
    pub retries: Option<u64>,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskDraft {
    /// A URL, or a path at the first port.
    Http(String),
    /// A port of this host.
    Tcp(u16),
    /// A command in the container.
    Command(Vec<String>),
}

/// A directory with an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDraft {
    /// Where it is on the host.
    pub path: String,
    /// Its owner, a name or number.
    pub owner: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// Its permissions, in octal digits.
    pub mode: Option<String>,
    /// Whether it can be made again.
    pub rebuildable: bool,
}

/// A secret of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretDraft {
    /// The item of `[secrets.items]`.
    pub name: String,
    /// The variable that holds it, or the path of the file.
    pub to: SecretTo,
}

/// How a service gets a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretTo {
    /// In a variable.
    Env(String),
    /// All variables of an environment file.
    EnvFile,
    /// As a file.
    File {
        /// Its path in the container.
        path: String,
        /// Its permissions, in octal digits.
        mode: Option<String>,
        /// Its owner: a number.
        owner: Option<String>,
    },
    /// As what an option of the module takes.
    Option(String),
}

/// A file of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDraft {
    /// Its path in the container.
    pub path: String,
    /// What it holds. Long texts are written beside host.toml.
    pub content: Vec<u8>,
    /// Its permissions, in octal digits.
    pub mode: Option<String>,
}

/// A folder or file of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeDraft {
    /// On the host.
    pub source: String,
    /// In the container.
    pub target: String,
    /// Whether it cannot be written.
    pub read_only: bool,
}

/// A virtual host.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct VhostDraft {
    /// Its name.
    pub name: String,
    /// Further names.
    pub aliases: Vec<String>,
    /// The path it serves.
    pub path: String,
    /// The port, or `address:port`, it leads to; the service's first port when absent.
    pub to: Option<String>,
    /// `tls`, where it is not `acme`.
    pub tls: Option<&'static str>,
    /// Whether plain HTTP is redirected.
    pub redirect: Option<bool>,
    /// The largest request, as a size.
    pub max_body: Option<String>,
    /// Seconds that an answer may take.
    pub timeout: Option<u64>,
    /// The secret with the accounts that may look.
    pub auth: Option<String>,
    /// Networks that may enter; everybody when empty.
    pub allow: Vec<String>,
    /// Headers of each answer.
    pub headers: IndexMap<String, String>,
}

/// `migrates-from`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MigrationDraft {
    /// The cluster, as fleet.toml calls it.
    pub cluster: String,
    /// The image that ran in the cluster.
    pub image: Option<String>,
    /// Claims that move.
    pub volumes: Vec<MovedClaim>,
    /// Claims that are left behind, with the reason.
    pub leave: Vec<(String, String)>,
}

/// A claim that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedClaim {
    /// The claim, without its namespace.
    pub claim: String,
    /// The folder of it that goes there; the whole claim when absent.
    pub sub_path: Option<String>,
    /// Where it goes on the host.
    pub to: String,
    /// What moves of the folder; all of it when empty.
    pub paths: Vec<String>,
    /// Used bytes, as a size, where they are known.
    pub used: Option<String>,
    /// How it is dumped, where a copy of its files would not do.
    pub dump: Option<&'static str>,
    /// The owner that its files get.
    pub owner: Option<String>,
}

/// A dataset that a claim becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetDraft {
    /// Where it is mounted.
    pub mount: String,
    /// Its quota, as a size.
    pub quota: Option<String>,
    /// Whether it belongs into a backup.
    pub backup: bool,
    /// The claim: `apps/gitea-data`.
    pub claim: String,
}

/// A file system from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesystemDraft {
    /// Its type: `nfs`.
    pub kind: String,
    /// What is mounted.
    pub device: String,
    /// How.
    pub options: Vec<String>,
}

impl Draft {
    /// Returns a container's draft with nothing but its image.
    pub fn container(object: ObjectId, workload: String, image: String) -> Self {
        Self::new(
            object,
            workload,
            WorkDraft::Container(Box::new(ContainerDraft { image, ..ContainerDraft::default() })),
        )
    }

    /// Returns a draft with nothing but what is particular to its kind.
    pub fn new(object: ObjectId, workload: String, work: WorkDraft) -> Self {
        Self {
            object,
            workload,
            comments: Vec::new(),
            enable: true,
            work,
            after: Vec::new(),
            requires: Vec::new(),
            ready: None,
            health: None,
            state: Vec::new(),
            memory: None,
            memory_low: None,
            cpu: None,
            ports: Vec::new(),
            secrets: Vec::new(),
            files: Vec::new(),
            vhosts: Vec::new(),
            migration: None,
            why_container: None,
        }
    }

    /// Returns what is particular to a container.
    pub fn as_container(&self) -> Option<&ContainerDraft> {
        match &self.work {
            WorkDraft::Container(container) => Some(container),
            WorkDraft::Native(_) => None,
        }
    }

    /// Returns what is particular to a container, to be changed.
    pub fn as_container_mut(&mut self) -> Option<&mut ContainerDraft> {
        match &mut self.work {
            WorkDraft::Container(container) => Some(container),
            WorkDraft::Native(_) => None,
        }
    }
}
