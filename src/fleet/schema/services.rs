//! What runs on the host.

use super::probes::Probe;
use super::service_parts::{Limits, Port, Provision, SecretAs, ServiceFile, ServiceSecret, State, UserWord, Words};
use super::web::Vhosts;
use super::workloads::{
    Capabilities, Command, Container, Native, Pull, Restart, Site, SiteFiles, StartType, TimeZone, Volume,
};
use crate::fleet::decode::{Cx, Decode, Named, OfKinds, Setting, choice, foreign_keys, lacks, table};
use crate::fleet::scalar::{
    AbsPath, Account, ContainerUser, DnsName, EnvKey, EnvName, FleetPath, ImageRef, Name, PackageAttr, SysctlKey,
};
use crate::fleet::shape::Shape;
use crate::fleet::words::SecretName;
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
        "environment" => environment: Named<EnvKey, Spanned<String>>,
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
        "args" => args: Vec<Spanned<String>>,
        /// container: as whom it runs, `uid:gid`; command: the account.
        "user" => user: Option<Spanned<UserWord>>,
        /// container: folders and files of the host.
        "volumes" => volumes: Vec<Volume>,
        /// container: paths that live in memory.
        "tmpfs" => tmpfs: Vec<Spanned<AbsPath>>,
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
        /// command: where it runs.
        "working-directory" => working_directory: Option<Spanned<AbsPath>>,
        /// command: when it counts as started.
        "type" => start: Setting<StartType> = StartType::Simple,
        /// command: when it is started again.
        "restart" => restart: Setting<Restart> = Restart::OnFailure,
        /// command: packages whose programs it finds.
        "packages" => packages: Vec<Spanned<PackageAttr>>,
        /// command: whether it is kept from what it does not need.
        "sandbox" => sandbox: Setting<bool> = true,
        /// command: when it runs, as systemd.time(7) writes calendar events; always when absent.
        "schedule" => schedule: Option<Spanned<OnCalendar>>,
        /// command: whether a run that was missed is made up for.
        "persistent" => persistent: Setting<bool> = true,
        /// command: the time zone of the schedule.
        "time-zone" => time_zone: Option<Spanned<TimeZone>>,
    }
    later { "migrates-from" }
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
    pub environment: Named<EnvKey, Spanned<String>>,
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
const OF_KINDS: &OfKinds<ServiceKind> = {
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
        ("working-directory", &[Command]),
        ("type", &[Command]),
        ("restart", &[Command]),
        ("packages", &[Command]),
        ("sandbox", &[Command]),
        ("schedule", &[Command]),
        ("persistent", &[Command]),
        ("time-zone", &[Command]),
    ]
};

impl Decode for Service {
    fn shape() -> Shape {
        ServiceTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = ServiceTable::decode(node, cx)?;
        for key in table
            .secrets
            .iter()
            .filter(|secret| secret.how.value == SecretAs::Env)
            .filter_map(|secret| secret.key.as_ref())
        {
            if let Err(wanted) = key.as_str().parse::<EnvName>() {
                return cx.refused(key.place, key.as_str(), &wanted);
            }
        }
        if !table.secrets.iter().all(|secret| is_placed(secret, table.kind.value, cx)) {
            return None;
        }
        let foreign = foreign_keys(node, table.kind.value, OF_KINDS, "service", cx);
        let lacks = |key: &str, cx: &mut Cx<'_>| lacks::<ServiceTable>(key, node.place, cx);
        let user = table.user.as_ref();
        let work = match table.kind.value {
            ServiceKind::Native => {
                Some(Work::Native(Native { module: table.module, options: table.options, package: table.package }))
            }
            ServiceKind::Container => {
                if table.image.is_none() {
                    lacks("image", cx);
                }
                let user = user.and_then(|user| in_container(user, cx));
                table.image.map(|image| {
                    Work::Container(Box::new(Container {
                        image,
                        command: table.command,
                        args: table.args,
                        user,
                        volumes: table.volumes,
                        tmpfs: table.tmpfs,
                        networks: table.networks,
                        hostname: table.hostname,
                        aliases: table.aliases,
                        devices: table.devices,
                        capabilities: table.capabilities,
                        read_only_root: table.read_only_root,
                        privileged: table.privileged,
                        host_network: table.host_network,
                        stop_timeout: table.stop_timeout,
                        pull: table.pull,
                        registry_login: table.registry_login,
                        init: table.init,
                        shm_size: table.shm_size,
                        sysctls: table.sysctls,
                    }))
                })
            }
            ServiceKind::StaticSite => {
                let (index, spa, cache) = (table.index, table.spa, table.cache);
                let files = match (table.root, table.source) {
                    (Some(root), None) => Some(SiteFiles::Root(root)),
                    (None, Some(source)) => Some(SiteFiles::Source(source)),
                    (None, None) => {
                        lacks("root", cx);
                        None
                    }
                    (Some(_), Some(source)) => {
                        let wanted = "a site lies on the host or in the fleet: leave `root` or `source` out";
                        cx.refused(source.place, "`source` beside `root`", wanted)
                    }
                };
                files.map(|files| Work::Site(Site { files, index, spa, cache }))
            }
            ServiceKind::Command => {
                if table.exec.is_none() {
                    lacks("exec", cx);
                }
                let user = user.and_then(|user| account(user, cx));
                table.exec.map(|exec| {
                    Work::Command(Box::new(Command {
                        exec,
                        working_directory: table.working_directory,
                        user,
                        start: table.start,
                        restart: table.restart,
                        packages: table.packages,
                        sandbox: table.sandbox,
                        schedule: table.schedule,
                        persistent: table.persistent,
                        time_zone: table.time_zone,
                    }))
                })
            }
        };
        Some(Self {
            place: table.place,
            kind: table.kind,
            enable: table.enable,
            work: work.filter(|_| !foreign)?,
            after: table.after,
            requires: table.requires,
            ready: table.ready,
            health: table.health,
            state: table.state,
            limits: table.limits,
            ports: table.ports,
            secrets: table.secrets,
            environment: table.environment,
            files: table.files,
            provides: table.provides,
            vhost: table.vhost,
        })
    }
}

/// Tells whether what a secret says of a file fits how the service gets it; what does not is reported.
fn is_placed(secret: &ServiceSecret, kind: ServiceKind, cx: &mut Cx<'_>) -> bool {
    let in_container = kind == ServiceKind::Container;
    let is_file = secret.how.value == SecretAs::File || in_container && secret.how.value == SecretAs::Credential;
    if secret.how.value == SecretAs::File && !in_container && secret.path.is_none() {
        lacks_path(secret, cx);
        return false;
    }
    let path = secret.path.as_ref().map(|path| ("path", path.place));
    let owner = secret.owner.as_ref().map(|owner| ("owner", owner.place));
    let mode = secret.mode.as_ref().map(|mode| ("mode", mode.place));
    let Some((key, place)) = path.or(owner).or(mode).filter(|_| !is_file) else { return true };
    let message = format!("{} says the `{key}` of a secret that is no file", cx.route());
    let help = "`as = \"file\"`, or leave it out";
    cx.found.push(crate::source::Diagnostic::error("value-invalid", place, message).help(help));
    false
}

fn lacks_path(secret: &ServiceSecret, cx: &mut Cx<'_>) {
    let message = format!("the file secret `{}` lacks the key `path`", secret.name.as_str());
    let help = "add `path`: where the service finds it, such as `/run/secrets/token`";
    cx.found.push(crate::source::Diagnostic::error("key-missing", secret.place, message).help(help));
}

fn in_container(user: &Spanned<UserWord>, cx: &mut Cx<'_>) -> Option<Spanned<ContainerUser>> {
    match user.value.0.parse() {
        Ok(known) => Some(Spanned::new(known, user.place)),
        Err(wanted) => cx.refused(user.place, &user.value.0, &wanted),
    }
}

fn account(user: &Spanned<UserWord>, cx: &mut Cx<'_>) -> Option<Spanned<Account>> {
    match user.value.0.parse() {
        Ok(known) => Some(Spanned::new(known, user.place)),
        Err(wanted) => cx.refused(user.place, &user.value.0, &wanted),
    }
}
