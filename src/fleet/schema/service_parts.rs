//! What services of several kinds have: ports, state, secrets, files, limits.

use crate::fleet::decode::{Cx, Decode, Setting, choice, inline, lacks, table};
use crate::fleet::scalar::{AbsPath, Account, CpuShare, FleetPath, Mode, Name};
use crate::fleet::shape::{Scalar, Shape};
use crate::fleet::words::SecretName;
use crate::source::{Kind, Node, Spanned};
use crate::units::Size;

/// A user: of a container `uid:gid`, of a command an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserWord(pub String);

impl Decode for UserWord {
    fn shape() -> Shape {
        let wanted = "`uid:gid` in a container, an account for a command";
        Shape::Scalar(Scalar { form: "user", json: "string", pattern: None, wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        String::decode(node, cx).map(Self)
    }
}

/// A command: words, each one argument; a string is split at its spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Decode for Words {
    fn shape() -> Shape {
        Shape::OneOf(vec![String::shape(), Shape::List(Box::new(Text::shape()))])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let words: Vec<String> = match node.kind {
            Kind::List(_) => Vec::<Text>::decode(node, cx)?.into_iter().map(|text| text.0).collect(),
            _ => String::decode(node, cx)?.split_whitespace().map(str::to_owned).collect(),
        };
        if words.first().is_some_and(|first| !first.is_empty()) {
            Some(Self(words))
        } else {
            cx.invalid(node, "a program and its arguments are wanted: `[\"program\", \"argument\"]`")
        }
    }
}

choice! {
    /// A transport protocol.
    pub enum Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

table! {
    /// A port that a service listens on.
    pub struct Port {
        /// The port.
        "port" => port: Spanned<u16>,
        /// Its protocol.
        "proto" => proto: Setting<Protocol> = Protocol::Tcp,
        /// What it is for.
        "name" => name: Option<Spanned<Name>>,
        /// Addresses it listens on; `127.0.0.1` when empty.
        "listen" => listen: Vec<Spanned<std::net::IpAddr>>,
        /// container: the port within; the same when absent.
        "to" => to: Option<Spanned<u16>>,
        /// Whether the firewall opens it.
        "public" => public: Setting<bool> = false,
    }
}

table! {
    /// A directory with state.
    pub struct State {
        /// Where it is.
        "path" => path: Spanned<AbsPath>,
        /// Its owner.
        "owner" => owner: Option<Spanned<Owner>>,
        /// Its group.
        "group" => group: Option<Spanned<Owner>>,
        /// Its permissions.
        "mode" => mode: Option<Spanned<Mode>>,
        /// How much it may hold: the quota of the dataset that is mounted at `path`.
        "size" => size: Option<Spanned<Size>>,
        /// Whether it belongs into a backup.
        "backup" => backup: Setting<bool> = true,
        /// Whether it can be made again.
        "rebuildable" => rebuildable: Setting<bool> = false,
    }
}

/// An account or group by name, or by number: what containers write belongs to numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(pub String);

impl Decode for Owner {
    fn shape() -> Shape {
        let pattern = Some("^([a-z_][a-z0-9_-]{0,30}|[0-9]{1,10})$");
        Shape::Scalar(Scalar {
            form: "account",
            json: "string",
            pattern,
            wanted: "an account's name or number, in quotes",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.as_str() {
            Some(text) if text.parse::<u32>().is_ok() && text.bytes().all(|b| b.is_ascii_digit()) => {
                Some(Self(text.to_owned()))
            }
            _ => Account::decode(node, cx).map(|account| Self(account.to_string())),
        }
    }
}

table! {
    /// What a service may use of the machine (systemd.resource-control(5)).
    pub struct Limits {
        /// The most memory; beyond it processes are killed.
        "memory" => memory: Option<Spanned<Size>>,
        /// Memory that is not taken from it while others have more.
        "memory-low" => memory_low: Option<Spanned<Size>>,
        /// Processors that it may keep busy.
        "cpu" => cpu: Option<Spanned<CpuShare>>,
        /// Processes and threads.
        "tasks" => tasks: Option<Spanned<u32>>,
    }
}

choice! {
    /// How a service gets a secret.
    pub enum SecretAs {
        /// As a variable.
        Env = "env",
        /// As a file.
        File = "file",
        /// As a credential of systemd (systemd.exec(5)).
        Credential = "credential",
    }
}

table! {
    /// A secret that a service gets.
    pub struct ServiceSecret {
        /// The secret, by its name in `[secrets.items]`.
        "name" => name: Spanned<SecretName>,
        /// How.
        "as" => how: Setting<SecretAs> = SecretAs::Credential,
        /// env: the variable; when absent the secret itself holds lines `NAME=value`. credential: its name. native: what the module
        /// calls it, which sets the option that takes it.
        "key" => key: Option<Spanned<SecretWord>>,
        /// file, **required** but in a container: where the service finds it; /run/secrets/NAME in a container when absent.
        "path" => path: Option<Spanned<AbsPath>>,
        /// file: its owner; that of the service when absent. In a container a number.
        "owner" => owner: Option<Spanned<Owner>>,
        /// file: its permissions; 0400 when absent.
        "mode" => mode: Option<Spanned<Mode>>,
    }
}

/// What a service calls a secret: a variable, a credential, a name of its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretWord(String);

impl SecretWord {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for SecretWord {
    fn shape() -> Shape {
        let pattern = Some("^[A-Za-z_][A-Za-z0-9_-]*$");
        Shape::Scalar(Scalar { form: "word", json: "string", pattern, wanted: "a variable or a name, in quotes" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a variable or a name is letters, digits, `_` and `-`, and does not begin with a digit";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let start = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let fits = |b: u8| start(b) || b.is_ascii_digit() || b == b'-';
        if text.len() <= 200 && text.bytes().next().is_some_and(start) && text.bytes().all(fits) {
            Some(Self(text.to_owned()))
        } else {
            cx.refused(node.place, text, wanted)
        }
    }
}

table! {
    /// A file that a service reads. Everybody on the host can read what stands here: no secrets.
    pub struct ServiceFileTable {
        /// Where the service finds it.
        "path" => path: Spanned<AbsPath>,
        /// What it holds; this or `source`.
        "content" => content: Option<Spanned<Content>>,
        /// A file below the fleet's folder with what it holds, of any bytes.
        "source" => source: Option<Spanned<FleetPath>>,
        /// Its permissions.
        "mode" => mode: Option<Spanned<Mode>>,
        /// Its owner.
        "owner" => owner: Option<Spanned<Account>>,
    }
}

/// A file that a service reads.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceFile {
    /// Where the service finds it.
    pub path: Spanned<AbsPath>,
    /// What it holds.
    pub holds: FileHolds,
    /// Its permissions.
    pub mode: Option<Spanned<Mode>>,
    /// Its owner.
    pub owner: Option<Spanned<Account>>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum FileHolds {
    /// This text.
    Text(Spanned<Content>),
    /// What a file of the fleet holds.
    Copy(Spanned<FleetPath>),
}

impl Decode for ServiceFile {
    fn shape() -> Shape {
        ServiceFileTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = ServiceFileTable::decode(node, cx)?;
        let holds = match (table.content, table.source) {
            (Some(content), None) => FileHolds::Text(content),
            (None, Some(source)) => FileHolds::Copy(source),
            (None, None) => {
                lacks::<ServiceFileTable>("content", node.place, cx);
                return None;
            }
            (Some(_), Some(source)) => {
                let wanted = "one of them says what the file holds: leave `source` or `content` out";
                return cx.refused(source.place, "`source` beside `content`", wanted);
            }
        };
        Some(Self { path: table.path, holds, mode: table.mode, owner: table.owner })
    }
}

/// The text of a file, of any number of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(pub String);

impl Decode for Content {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "text", json: "string", pattern: None, wanted: "the text of the file" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        lines(node, cx, "the text of the file is wanted, in quotes").map(Self)
    }
}

/// An argument of a command, or the value of a variable: text of any number of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl Text {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for Text {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "text", json: "string", pattern: None, wanted: "text" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        lines(node, cx, "a string is wanted, in quotes").map(Self)
    }
}

/// Reads text of any number of lines, without null bytes.
fn lines(node: &Node, cx: &mut Cx<'_>, wanted: &str) -> Option<String> {
    let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
    if inline::report(text, node.place, cx) {
        return None;
    }
    if text.contains('\0') {
        return cx.refused(node.place, text, "text without null bytes is wanted");
    }
    Some(text.to_owned())
}

/// What other machines, or this one's boot, may need from a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provision {
    /// Addresses, on an interface.
    Dhcp(Name),
    /// Names.
    Dns,
    /// Time.
    Ntp,
    /// Images or packages.
    Registry,
    /// Keys that open disks.
    Unlock,
}

impl Decode for Provision {
    fn shape() -> Shape {
        let pattern = Some("^(dhcp:[a-z0-9-]+|dns|ntp|registry|unlock)$");
        let wanted = "`dhcp:INTERFACE`, `dns`, `ntp`, `registry` or `unlock`, in quotes";
        Shape::Scalar(Scalar { form: "provision", json: "string", pattern, wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "one of `\"dhcp:INTERFACE\"`, `\"dns\"`, `\"ntp\"`, `\"registry\"`, `\"unlock\"` is wanted";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        match text {
            "dns" => Some(Self::Dns),
            "ntp" => Some(Self::Ntp),
            "registry" => Some(Self::Registry),
            "unlock" => Some(Self::Unlock),
            _ => match text.strip_prefix("dhcp:").and_then(|interface| interface.parse().ok()) {
                Some(interface) => Some(Self::Dhcp(interface)),
                None => cx.refused(node.place, text, wanted),
            },
        }
    }
}

table! {
    /// A path that lives in memory.
    pub struct TmpfsTable {
        /// Where it is in the container.
        "path" => path: Spanned<AbsPath>,
        /// How much it may hold.
        "size" => size: Option<Spanned<Size>>,
    }
}

/// A path of a container that lives in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Tmpfs {
    /// Where it is in the container.
    pub path: AbsPath,
    /// How much it may hold.
    pub size: Option<Spanned<Size>>,
}

impl Decode for Tmpfs {
    fn shape() -> Shape {
        Shape::OneOf(vec![AbsPath::shape(), TmpfsTable::shape()])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let (place, tmpfs) = match node.kind {
            Kind::Table(_) => {
                let table = TmpfsTable::decode(node, cx)?;
                (table.path.place, Self { path: table.path.value, size: table.size })
            }
            _ => (node.place, Self { path: AbsPath::decode(node, cx)?, size: None }),
        };
        if tmpfs.path.as_str().contains(':') {
            return cx.refused(place, tmpfs.path.as_str(), "a path in a container has no colon");
        }
        Some(tmpfs)
    }
}

/// Where a container finds a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAddress {
    /// At an address.
    Address(std::net::IpAddr),
    /// At the machine that it runs on.
    Gateway,
}

impl std::fmt::Display for HostAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Gateway => f.write_str("host-gateway"),
        }
    }
}

impl Decode for HostAddress {
    fn shape() -> Shape {
        let wanted = "an IP address, or `host-gateway`, in quotes";
        Shape::Scalar(Scalar { form: "ip or `host-gateway`", json: "string", pattern: None, wanted })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "an IP address in quotes is wanted, or `\"host-gateway\"`: the machine that it runs on";
        match node.as_str() {
            Some("host-gateway") => Some(Self::Gateway),
            Some(text) => text.parse().ok().map(Self::Address).or_else(|| cx.refused(node.place, text, wanted)),
            None => cx.invalid(node, wanted),
        }
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<T: Decode> Decode for OneOrMore<T> {
    fn shape() -> Shape {
        Shape::OneOf(vec![T::shape(), Shape::List(Box::new(T::shape()))])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::List(_) => Vec::decode(node, cx).map(Self),
            _ => T::decode(node, cx).map(|one| Self(vec![one])),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }
}
