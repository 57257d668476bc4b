//! What runs on the host.

use super::migration::MigratesFrom;
use super::probes::Probe;
use super::service_parts::{
    HostAddress, Limits, OneOrMore, Owner, Port, Provision, ServiceFile, ServiceSecret, State, Text, Tmpfs, UserWord,
    Words,
};
use super::web::Vhosts;
use super::workloads::{
    Capabilities, Command, Container, Native, Pull, Restart, Run, Site, StartType, TimeZone, Volume,
};
use crate::fleet::decode::{Named, OfKinds, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, DnsName, EnvKey, FleetPath, ImageRef, Name, PackageAttr, SysctlKey};
use crate::fleet::words::{DnsKey, SecretName};
use crate::source::{Node, Place, Spanned};
use crate::units::{OnCalendar, Size, TimeSpan};

choice! {
    /// The kinds of service.
    pub enum ServiceKind {
        /// A NixOS module, described by a module.toml.
        Native = "native",
        /// A container under podman.
        Container = "container",
        /// Files that a web server hands out.
        StaticSite = "static-site",
        /// A program under systemd, always or at times.
        Command = "command",
    }
}

table! {
    /// A service, in the keys of all kinds.
    pub struct ServiceTable {
        /// Its kind.
        "kind" => kind: Spanned<ServiceKind>,
        /// Whether it runs.
        "enable" => enable: Setting<bool> = true,
        /// native: the module that describes it; the one of its own name when absent.
        "module" => module: Option<Spanned<Name>>,
        /// native: options below the module's prefix.
        "options" => options: Option<Node>,
        /// native: a package other than the channel's default.
        "package" => package: Option<Spanned<PackageAttr>>,
        /// Services that start before it.
        "after" => after: Vec<Spanned<Name>>,
        /// Services that it needs; it stops with them.
        "requires" => requires: Vec<Spanned<Name>>,
        /// The workload of a cluster that it takes the place of.
        "migrates-from" => migrates_from: Option<MigratesFrom>,
        /// When it is ready: those that come after it wait for that.
        "ready" => ready: Option<Probe>,
        /// How it is known that it still works.
        "health" => health: Option<Probe>,
        /// Directories with state beyond those of the module.
        "state" => state: Vec<State>,
        /// What it may use of the machine.
        "limits" => limits: Option<Limits>,
        /// Ports beyond those of the module.
        "ports" => ports: Vec<Port>,
        /// Secrets that it gets.
        "secrets" => secrets: Vec<ServiceSecret>,
        /// container, command: variables; no secrets, which the store would show to everybody.
        "environment" => environment: Named<EnvKey, Spanned<Text>>,
        /// Files that it reads.
        "files" => files: Vec<ServiceFile>,
        /// What other machines, or this one's boot, may need from it; the module's when empty.
        "provides" => provides: Vec<Spanned<Provision>>,
        /// Virtual hosts that lead to it.
        "vhost" => vhost: Vhosts,
        /// container, **required**: the image with tag and digest.
        "image" => image: Option<Spanned<ImageRef>>,
        /// container: what it runs instead of the image's entry point.
        "command" => command: Option<Spanned<Words>>,
        /// container: arguments of what it runs.
        "args" => args: Vec<Spanned<Text>>,
        /// container: as whom it runs, `uid:gid`; command: the account.
        "user" => user: Option<Spanned<UserWord>>,
        /// container: folders and files of the host.
        "volumes" => volumes: Vec<Volume>,
        /// container: paths that live in memory, or `{ path, size }`.
        "tmpfs" => tmpfs: Vec<Spanned<Tmpfs>>,
        /// container: networks that it shares with others, in which services are found by name.
        "networks" => networks: Vec<Spanned<Name>>,
        /// container: its host name.
        "hostname" => hostname: Option<Spanned<DnsName>>,
        /// container: further names that others reach it by.
        "aliases" => aliases: Vec<Spanned<DnsName>>,
        /// container: devices of the host.
        "devices" => devices: Vec<Spanned<AbsPath>>,
        /// container: what it may do beyond, or not.
        "capabilities" => capabilities: Option<Capabilities>,
        /// container: whether its own file system cannot be written.
        "read-only-root" => read_only_root: Setting<bool> = false,
        /// container: whether nothing keeps it from the host.
        "privileged" => privileged: Setting<bool> = false,
        /// container: whether it has the network of the host.
        "host-network" => host_network: Setting<bool> = false,
        /// container: the container whose network it shares, as if both were one machine; it starts after that one and stops with it.
        "network-of" => network_of: Option<Spanned<Name>>,
        /// container: further groups that it belongs to, by name in the image or by number.
        "groups" => groups: Vec<Spanned<Owner>>,
        /// container: names that it finds at an address, or at this machine (`host-gateway`).
        "hosts" => hosts: Named<DnsKey, Spanned<HostAddress>>,
        /// container: whether its programs cannot get more rights than they begin with.
        "no-new-privileges" => no_new_privileges: Setting<bool> = false,
        /// container: what runs in it once it has started; it is stopped where this fails.
        "after-start" => after_start: Option<Spanned<Words>>,
        /// container: what runs in it before it is stopped.
        "before-stop" => before_stop: Option<Spanned<Words>>,
        /// container: how long it may take to stop.
        "stop-timeout" => stop_timeout: Option<Spanned<TimeSpan>>,
        /// container: when the image is fetched.
        "pull" => pull: Setting<Pull> = Pull::Missing,
        /// container: the password of the registry.
        "registry-login" => registry_login: Option<Spanned<SecretName>>,
        /// container: whether a small init collects what its program leaves behind.
        "init" => init: Setting<bool> = false,
        /// container: the size of /dev/shm.
        "shm-size" => shm_size: Option<Spanned<Size>>,
        /// container: parameters of the kernel.
        "sysctls" => sysctls: Named<SysctlKey, Spanned<String>>,
        /// static-site: a folder on the host; this or `source` is **required**.
        "root" => root: Option<Spanned<AbsPath>>,
        /// static-site: a folder below the fleet's folder, or one page, which are copied into the store.
        "source" => source: Option<Spanned<FleetPath>>,
        /// static-site: what a folder's address shows; `index.html` when empty.
        "index" => index: Vec<Spanned<String>>,
        /// static-site: whether every address that is no file shows the index.
        "spa" => spa: Setting<bool> = false,
        /// static-site: how long browsers keep what they got.
        "cache" => cache: Option<Spanned<TimeSpan>>,
        /// command, **required**: the program with its arguments; one list item is one argument, no shell.
        "exec" => exec: Option<Spanned<Words>>,
        /// command: packages whose programs it finds.
        "packages" => packages: Vec<Spanned<PackageAttr>>,
        /// command: whether it is kept from what it does not need.
        "sandbox" => sandbox: Setting<bool> = true,
        /// container, command: where it runs.
        "working-directory" => working_directory: Option<Spanned<AbsPath>>,
        /// container (`simple`, `oneshot`), command: when it counts as started. `oneshot` with a schedule when absent.
        "type" => start: Setting<StartType> = StartType::Simple,
        /// container, command: when it is started again.
        "restart" => restart: Setting<Restart> = Restart::OnFailure,
        /// container, command: when it runs, as systemd.time(7) writes calendar events, one or several; always when absent.
        "schedule" => schedule: OneOrMore<Spanned<OnCalendar>>,
        /// container, command: whether a run that was missed is made up for.
        "persistent" => persistent: Setting<bool> = true,
        /// container, command: the time zone of the schedule.
        "time-zone" => time_zone: Option<Spanned<TimeZone>>,
        /// container, command: how long it may run; it is ended then, and has failed.
        "run-at-most" => run_at_most: Option<Spanned<TimeSpan>>,
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Where its table stands.
    pub place: Place,
    /// Its kind.
    pub kind: Spanned<ServiceKind>,
    /// Whether it runs.
    pub enable: Setting<bool>,
    /// What is particular to its kind.
    pub work: Work,
    /// Services that start before it.
    pub after: Vec<Spanned<Name>>,
    /// Services that it needs; it stops with them.
    pub requires: Vec<Spanned<Name>>,
    /// The workload of a cluster that it takes the place of.
    pub migrates_from: Option<MigratesFrom>,
    /// When it is ready.
    pub ready: Option<Probe>,
    /// How it is known that it still works.
    pub health: Option<Probe>,
    /// Directories with state beyond those of the module.
    pub state: Vec<State>,
    /// What it may use of the machine.
    pub limits: Option<Limits>,
    /// Ports beyond those of the module.
    pub ports: Vec<Port>,
    /// Secrets that it gets.
    pub secrets: Vec<ServiceSecret>,
    /// Variables.
    pub environment: Named<EnvKey, Spanned<Text>>,
    /// Files that it reads.
    pub files: Vec<ServiceFile>,
    /// What other machines, or this one's boot, may need from it.
    pub provides: Vec<Spanned<Provision>>,
    /// Virtual hosts that lead to it.
    pub vhost: Vhosts,
}

/// What is particular to a kind of service.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A NixOS module.
    Native(Native),
    /// A container.
    Container(Box<Container>),
    /// Files that a web server hands out.
    Site(Site),
    /// A program.
    Command(Box<Command>),
}

impl Service {
    /// Returns what is particular to a NixOS module.
    pub fn native(&self) -> Option<&Native> {
        match &self.work {
            Work::Native(native) => Some(native),
            _ => None,
        }
    }

    /// Returns what is particular to a container.
    pub fn container(&self) -> Option<&Container> {
        match &self.work {
            Work::Container(container) => Some(container),
            _ => None,
        }
    }

    /// Returns when it runs and for how long, of a container or a program.
    pub fn run(&self) -> Option<&Run> {
        match &self.work {
            Work::Container(container) => Some(&container.run),
            Work::Command(command) => Some(&command.run),
            _ => None,
        }
    }

    /// Tells whether it is a container that runs to its end at each start.
    pub fn is_oneshot_container(&self) -> bool {
        self.container().is_some_and(|container| container.run.start() == StartType::Oneshot)
    }

    /// Returns the options of a NixOS module, if it has any.
    pub fn options(&self) -> Option<&Node> {
        self.native()?.options.as_ref()
    }

    /// Returns the value that stands at an option below the module's prefix.
    pub fn option(&self, option: &str) -> Option<&Node> {
        let route: Vec<&str> = option.split('.').collect();
        self.options()?.at(&route)
    }
}

/// The keys that not every kind has, with the kinds that do.
pub(super) const OF_KINDS: &OfKinds<ServiceKind> = {
    use ServiceKind::{Command, Container, Native, StaticSite};
    &[
        ("module", &[Native]),
        ("options", &[Native]),
        ("package", &[Native]),
        ("after", &[Native, Container, Command]),
        ("requires", &[Native, Container, Command]),
        ("ready", &[Native, Container, Command]),
        ("health", &[Native, Container, Command]),
        ("limits", &[Native, Container, Command]),
        ("ports", &[Native, Container, Command]),
        ("secrets", &[Native, Container, Command]),
        ("environment", &[Container, Command]),
        ("image", &[Container]),
        ("command", &[Container]),
        ("args", &[Container]),
        ("user", &[Container, Command]),
        ("volumes", &[Container]),
        ("tmpfs", &[Container]),
        ("networks", &[Container]),
        ("hostname", &[Container]),
        ("aliases", &[Container]),
        ("devices", &[Container]),
        ("capabilities", &[Container]),
        ("read-only-root", &[Container]),
        ("privileged", &[Container]),
        ("host-network", &[Container]),
        ("network-of", &[Container]),
        ("groups", &[Container]),
        ("hosts", &[Container]),
        ("no-new-privileges", &[Container]),
        ("after-start", &[Container]),
        ("before-stop", &[Container]),
        ("stop-timeout", &[Container]),
        ("pull", &[Container]),
        ("registry-login", &[Container]),
        ("init", &[Container]),
        ("shm-size", &[Container]),
        ("sysctls", &[Container]),
        ("root", &[StaticSite]),
        ("source", &[StaticSite]),
        ("index", &[StaticSite]),
        ("spa", &[StaticSite]),
        ("cache", &[StaticSite]),
        ("exec", &[Command]),
        ("working-directory", &[Container, Command]),
        ("type", &[Container, Command]),
        ("restart", &[Container, Command]),
        ("packages", &[Command]),
        ("sandbox", &[Command]),
        ("schedule", &[Container, Command]),
        ("persistent", &[Container, Command]),
        ("time-zone", &[Container, Command]),
        ("run-at-most", &[Container, Command]),
    ]
};
