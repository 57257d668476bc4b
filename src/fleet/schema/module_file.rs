//! module.toml: a service module or a profile.

use super::literal::Literal;
use super::probes::Probe;
use super::service_parts::{Protocol, Provision};
use crate::fleet::decode::{Cx, Decode, MapKey, Named, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, Account, HttpUrl, Mode, Name, OptionPath, PackageAttr, PathKey};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Node, Spanned};
use crate::units::{Release, Size, Version};

choice! {
    /// What a module is.
    pub enum ModuleKind {
        /// Describes a service.
        Service = "service",
        /// Settings to merge into hosts.
        Profile = "profile",
    }
}

table! {
    /// The whole of a module.toml.
    pub struct ModuleFile {
        /// What it is.
        "kind" => kind: Spanned<ModuleKind>,
        /// What it is for, in one sentence.
        "summary" => summary: Spanned<String>,
        /// Where the software lives.
        "homepage" => homepage: Option<Spanned<String>>,
        /// The NixOS option prefix it stands on; `enable` below it is set.
        "prefix" => prefix: Option<Spanned<OptionPath>>,
        /// The nixpkgs attribute whose version matters.
        "package" => package: Option<Spanned<PackageAttr>>,
        /// The attributes that NixOS takes by the host's state version where nobody names one, the latest first.
        "packages" => packages: Vec<PackageSince>,
        /// The option that takes another package, by its whole name; `package` below the prefix when absent.
        "package-option" => package_option: Option<Spanned<OptionPath>>,
        /// Packages, by their names, that are not free software: the host has to permit them.
        "unfree" => unfree: Vec<Spanned<String>>,
        /// Packages, by their names, with holes that are known: the host has to permit them.
        "insecure" => insecure: Vec<Spanned<String>>,
        /// Options below the prefix that have these values unless the definition says otherwise.
        "set" => set: Option<Node>,
        /// Settings to merge, as a host.toml.
        "host" => host: Option<Node>,
        /// Ports that the service listens on.
        "ports" => ports: Vec<ModulePort>,
        /// Directories that hold its state.
        "state" => state: Vec<ModuleState>,
        /// Its account.
        "user" => user: Option<Spanned<Account>>,
        /// Its group.
        "group" => group: Option<Spanned<Account>>,
        /// Its account's number, only where NixOS fixes it.
        "uid" => uid: Option<Spanned<u32>>,
        /// Its group's number, only where NixOS fixes it.
        "gid" => gid: Option<Spanned<u32>>,
        /// Its units under systemd; the last part of the prefix when empty.
        "units" => units: Vec<Spanned<UnitName>>,
        /// The target of systemd, without `.target`, that is reached when it is set up; what comes after it comes after that, too.
        "target" => target: Option<Spanned<UnitName>>,
        /// The virtual host of nginx that it makes itself.
        "vhost" => vhost: Option<OwnVhost>,
        /// Modules that it needs.
        "requires" => requires: Vec<Requirement>,
        /// What other machines, or the host's boot, may need from it.
        "provides" => provides: Vec<Spanned<Provision>>,
        /// The option below the prefix that lists the interfaces on which it gives addresses.
        "dhcp-on" => dhcp_on: Option<Spanned<OptionPath>>,
        /// How it is known that it still works.
        "health" => health: Option<Probe>,
        /// When it is ready.
        "ready" => ready: Option<Probe>,
        /// Options that take the path of a file with a secret.
        "secrets" => secrets: Vec<ModuleSecret>,
        /// Memory it is known to need.
        "sizing" => sizing: Option<Sizing>,
        /// How its data moves between versions.
        "data" => data: Option<Data>,
        /// The images in Kubernetes that it replaces.
        "images" => images: Vec<ReplacedImage>,
        /// Where the volumes of those images go.
        "volumes" => volumes: Vec<MovedVolume>,
        /// Whether the program knows files of people by the paths that they choose: what is mounted elsewhere keeps its path.
        "keeps-paths" => keeps_paths: Setting<bool> = false,
        /// The variables that those images read, where that is all they read: names, in which `*` stands for any text.
        "reads" => reads: Vec<Spanned<String>>,
        /// What variables of those images become.
        "env" => env: Named<VariableKey, Moved>,
        /// What files of those images become.
        "files" => files: Named<PathKey, MovedFile>,
        /// What flags of those images become.
        "args" => args: Named<FlagKey, Moved>,
        /// Beginnings of command lines of those images that run the program as they do by themselves, such as `gitea web`.
        "commands" => commands: Vec<Spanned<String>>,
    }
}

table! {
    /// The nixpkgs attribute that NixOS takes from a state version on.
    pub struct PackageSince {
        /// The first state version of which it is true.
        "since" => since: Spanned<Release>,
        /// The attribute.
        "package" => package: Spanned<PackageAttr>,
    }
}

table! {
    /// A module that another one needs.
    pub struct Requirement {
        /// The module.
        "module" => module: Spanned<Name>,
        /// When: an option below the prefix has a value.
        "when" => when: Option<When>,
    }
}

table! {
    /// A condition: an option below the prefix, by default or as set, has this value.
    pub struct When {
        /// The option below the prefix.
        "option" => option: Spanned<OptionPath>,
        /// Its value.
        "is" => is: Spanned<Literal>,
        /// Whether it has that value when nobody sets it.
        "default" => default: Setting<bool> = false,
    }
}

table! {
    /// An option that takes the path of a file with a secret.
    pub struct ModuleSecret {
        /// The option below the prefix.
        "option" => option: Spanned<OptionPath>,
        /// What services call it.
        "key" => key: Spanned<Name>,
        /// What the secret is.
        "about" => about: Spanned<String>,
        /// Whether the service does not start without it.
        "required" => required: Setting<bool> = false,
        /// required: only when an option has a value.
        "when" => when: Option<When>,
        /// What the option holds, with `FILE` in place of the path; the path alone when absent.
        "form" => form: Option<Spanned<String>>,
        /// Whether the file holds lines `NAME=value`.
        "lines" => lines: Setting<bool> = false,
        /// The account that reads the file; root, before the service starts, when absent.
        "read-by" => read_by: Option<Spanned<Account>>,
    }
}

table! {
    /// A virtual host of nginx that a NixOS module makes itself, with all that answers there.
    pub struct OwnVhost {
        /// The option below the prefix that takes its name.
        "option" => option: Spanned<OptionPath>,
        /// The option below the prefix that tells whether it speaks TLS.
        "tls-option" => tls_option: Option<Spanned<OptionPath>>,
    }
}

choice! {
    /// How data moves between versions.
    pub enum DataRule {
        /// An older version cannot read what a newer one wrote.
        NeverDowngrade = "never-downgrade",
        /// Another major version cannot read it.
        SameMajor = "same-major",
        /// Each major version reads what the one before it wrote, and no older one.
        OneMajorAtATime = "one-major-at-a-time",
        /// It is dumped by the old version and read by the new one.
        DumpAndRestore = "dump-and-restore",
    }
}

impl DataRule {
    /// Tells whether data goes back to a version that cannot read it.
    pub fn goes_back(self, from: Version, to: Version) -> bool {
        // What a change of its last number writes, the version before it reads, unless the program refuses all the same.
        let numbers = match self {
            Self::OneMajorAtATime => 4,
            Self::NeverDowngrade => 2,
            Self::SameMajor | Self::DumpAndRestore => 1,
        };
        to.truncate(numbers) < from.truncate(numbers)
    }

    /// Tells whether data goes on further than the new version follows.
    pub fn jumps(self, from: Version, to: Version) -> bool {
        match self {
            Self::NeverDowngrade => false,
            Self::SameMajor | Self::DumpAndRestore => to.truncate(1) > from.truncate(1),
            Self::OneMajorAtATime => to.major() > from.major().saturating_add(1),
        }
    }
}

table! {
    /// How data moves between versions.
    pub struct Data {
        /// The rule.
        "rule" => rule: Spanned<DataRule>,
        /// A file below the state that holds the version which wrote it.
        "version-file" => version_file: Option<Spanned<String>>,
        /// Where the project says so.
        "docs" => docs: Option<Spanned<HttpUrl>>,
    }
}

table! {
    /// An image that the module replaces.
    pub struct ReplacedImage {
        /// Registry and path without tag.
        "name" => name: Spanned<String>,
        /// The versions that it replaces: comparisons such as `>=2, <3`, of which all hold; every version when absent.
        "versions" => versions: Option<Spanned<VersionRange>>,
        /// How a tag holds the version, which `*` stands for: `pg*`; a tag that begins with the version when absent.
        "tag" => tag: Option<Spanned<String>>,
    }
}

table! {
    /// Where a volume goes.
    pub struct MovedVolume {
        /// The path in the container.
        "target" => target: Spanned<AbsPath>,
        /// The path on the host.
        "to" => to: Spanned<AbsPath>,
        /// What it holds.
        "kind" => kind: Setting<StateKind> = StateKind::Data,
        /// What a person has to see to before what lies there is used here.
        "ask" => ask: Option<Spanned<String>>,
    }
}

table! {
    /// What a variable or flag becomes: exactly one of `option`, `secret`, `drop` and `ask`.
    pub struct Moved {
        /// The option below the prefix. A `*` stands for what the `*` of the key stands for; where the key has none, the value is
        /// `NAME=value` and it stands for the name.
        "option" => option: Option<Spanned<OptionPattern>>,
        /// option: what its values become; as they are when absent.
        "map" => map: Option<Node>,
        /// The key of the secret that it holds.
        "secret" => secret: Option<Spanned<Name>>,
        /// Why it is not needed.
        "drop" => drop: Option<Spanned<String>>,
        /// What a person has to decide about it.
        "ask" => ask: Option<Spanned<String>>,
    }
}

choice! {
    /// Formats of configuration files.
    pub enum FileFormat {
        /// INI.
        Ini = "ini",
        /// JSON.
        Json = "json",
        /// YAML.
        Yaml = "yaml",
        /// TOML.
        Toml = "toml",
        /// Lines `NAME=value`.
        Env = "env",
        /// Whatever the program reads: the option takes the whole text.
        Text = "text",
    }
}

table! {
    /// What a configuration file becomes.
    pub struct MovedFile {
        /// The option below the prefix that takes its settings.
        "option" => option: Spanned<OptionPath>,
        /// Its format.
        "format" => format: Spanned<FileFormat>,
    }
}

/// A unit of systemd without its suffix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitName(pub String);

impl Decode for UnitName {
    fn shape() -> Shape {
        let pattern = Some("^[A-Za-z0-9_][A-Za-z0-9:_.@-]*$");
        Shape::Scalar(Scalar {
            form: "unit",
            json: "string",
            pattern,
            wanted: "a unit's name without `.service`, in quotes",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a unit of systemd by its name without `.service`, such as `postgresql`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let fits = |b: u8| b.is_ascii_alphanumeric() || b":_.@-".contains(&b);
        let start = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        if start && text.len() <= 200 && text.bytes().all(fits) && !text.ends_with(".service") {
            Some(Self(text.to_owned()))
        } else {
            cx.refused(node.place, text, wanted)
        }
    }
}

/// Flags of a program, as names of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagKey;

impl MapKey for FlagKey {
    fn check(name: &str) -> Result<(), String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if name.starts_with('-') && name.len() <= 100 && name.bytes().all(fits) {
            Ok(())
        } else {
            Err("a flag is written with its hyphens: `--data-dir`".to_owned())
        }
    }

    fn pattern() -> &'static str {
        "^--?[A-Za-z0-9._-]+$"
    }
}

/// Variables of images, as names of tables; `*` stands for any text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableKey;

impl MapKey for VariableKey {
    fn check(name: &str) -> Result<(), String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_*".contains(&b);
        let start = name.bytes().next().is_some_and(|b| !b.is_ascii_digit() && b != b'*');
        if start && name.len() <= 200 && name.bytes().all(fits) && !name.contains("**") {
            Ok(())
        } else {
            Err("a variable's name is wanted, where `*` may stand for a part of it: `GITEA__*__*`".to_owned())
        }
    }

    fn pattern() -> &'static str {
        "^[A-Za-z_][A-Za-z0-9_*]*$"
    }
}

/// A path of option names below a prefix, of which some may be `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionPattern(pub String);

impl Decode for OptionPattern {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "option",
            json: "string",
            pattern: None,
            wanted: "the path of a NixOS option, in quotes",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "the path of a NixOS option is wanted, such as `settings.server.DOMAIN` or `settings.*.*`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let fits = |part: &str| part == "*" || part.parse::<OptionPath>().is_ok();
        if text.split('.').all(fits) { Some(Self(text.to_owned())) } else { cx.refused(node.place, text, wanted) }
    }
}

/// Comparisons with versions, of which all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange(Vec<(Comparison, Version)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    Above,
    Below,
    AtMost,
}

impl VersionRange {
    /// Tells whether a version is among them.
    pub fn contains(&self, version: Version) -> bool {
        self.0.iter().all(|(comparison, bound)| match comparison {
            Comparison::AtLeast => version >= *bound,
            Comparison::Above => version > *bound,
            Comparison::Below => version < *bound,
            Comparison::AtMost => version <= *bound,
        })
    }
}

impl Decode for VersionRange {
    fn shape() -> Shape {
        let wanted = "comparisons of versions, in quotes: `\">=2, <3\"`";
        Shape::Scalar(Scalar { form: "\">=2, <3\"", json: "string", pattern: None, wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "comparisons of versions are wanted, with commas between them: `>=2, <3`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let words = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::Above),
            ("<", Comparison::Below),
        ];
        let one = |part: &str| {
            let part = part.trim();
            let (rest, comparison) = words.iter().find_map(|(word, by)| Some((part.strip_prefix(word)?, *by)))?;
            Some((comparison, rest.trim().parse().ok()?))
        };
        match text.split(',').map(one).collect::<Option<Vec<_>>>() {
            Some(all) => Some(Self(all)),
            None => cx.refused(node.place, text, wanted),
        }
    }
}

choice! {
    /// Whom a port is for.
    pub enum Exposure {
        /// Everybody.
        Public = "public",
        /// Other programs on the host.
        Local = "local",
        /// The people who run the host.
        Admin = "admin",
    }
}

table! {
    /// A port of a service.
    pub struct ModulePort {
        /// What it is for.
        "name" => name: Spanned<Name>,
        /// The port when no option moves it.
        "port" => port: Spanned<u16>,
        /// Its protocol.
        "proto" => proto: Setting<Protocol> = Protocol::Tcp,
        /// The option below the prefix that moves it.
        "option" => option: Option<Spanned<OptionPath>>,
        /// The option below the prefix that holds the address it listens on.
        "listen-option" => listen_option: Option<Spanned<OptionPath>>,
        /// The address it listens on when no option moves it; every address when absent.
        "listen" => listen: Option<Spanned<std::net::IpAddr>>,
        /// Whom it is for.
        "exposure" => exposure: Setting<Exposure> = Exposure::Local,
    }
}

choice! {
    /// What kind of state a directory holds.
    pub enum StateKind {
        /// Data of people.
        Data = "data",
        /// A database's files.
        Database = "database",
        /// What can be made again.
        Cache = "cache",
        /// Settings that the program writes itself.
        Config = "config",
    }
}

table! {
    /// A directory with state.
    pub struct ModuleState {
        /// Where it is when no option moves it.
        "path" => path: Spanned<AbsPath>,
        /// The option below the prefix that moves it.
        "option" => option: Option<Spanned<OptionPath>>,
        /// Its owner.
        "owner" => owner: Option<Spanned<Account>>,
        /// Its group.
        "group" => group: Option<Spanned<Account>>,
        /// Its permissions.
        "mode" => mode: Option<Spanned<Mode>>,
        /// What it holds.
        "kind" => kind: Setting<StateKind> = StateKind::Data,
        /// Whether it belongs into a backup.
        "backup" => backup: Setting<bool> = true,
        /// Whether it can be made again.
        "rebuildable" => rebuildable: Setting<bool> = false,
    }
}

table! {
    /// What a service is known to need.
    pub struct Sizing {
        /// Memory.
        "memory" => memory: Option<Spanned<Size>>,
    }
}
