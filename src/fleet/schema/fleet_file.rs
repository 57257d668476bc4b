//! fleet.toml: the fleet's name, its channels, its deployer.

use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{LockNode, MailAddress, Name, NameKey, OptionsFile, OutputPath, SourceUrl};
use crate::fleet::schema::host::System;
use crate::fleet::schema::migration::Cluster;
use crate::fleet::shape::{Scalar, Shape};
use crate::fleet::words::SecretName;
use crate::source::{Kind, Node, Spanned};
use crate::units::{Date, OnCalendar, Release, TimeSpan, Version};

table! {
    /// The whole of fleet.toml.
    pub struct FleetFile {
        /// The fleet itself.
        "fleet" => fleet: FleetTable,
        /// The pinned nixpkgs that hosts and the deployer use, by name.
        "channels" => channels: Named<NameKey, Channel>,
        /// Further sources that are pinned for out/, by name: sops-nix, agenix, disko, impermanence, deploy-rs, colmena.
        "inputs" => inputs: Named<NameKey, Input>,
        /// The machine that evaluates, builds and activates.
        "deployer" => deployer: Option<Deployer>,
        /// Settings merged under every host, as a host.toml.
        "defaults" => defaults: Option<Node>,
        /// Findings that are accepted, for what concerns no single host.
        "allow" => allow: Vec<Allow>,
        /// The Kubernetes clusters that are left, by name.
        "clusters" => clusters: Named<NameKey, Cluster>,
    }
}

table! {
    /// The fleet itself.
    pub struct FleetTable {
        /// The fleet's name, shown in every report.
        "name" => name: Spanned<Name>,
        /// The age from which facts of a machine are reported as old.
        "facts-max-age" => facts_max_age: Setting<TimeSpan> = TimeSpan::days(90),
        /// Appended to host names, as `networking.domain`.
        "domain" => domain: Option<Spanned<crate::fleet::scalar::DnsName>>,
    }
}

table! {
    /// A pinned nixpkgs.
    pub struct Channel {
        /// The NixOS release, or with `pre` the unstable channel before it.
        "release" => release: Spanned<Release>,
        /// The nixpkgs commit, 40 hexadecimal digits.
        "rev" => rev: Option<Spanned<String>>,
        /// Hash of the unpacked source tree (`narHash` of a flake.lock), as `sha256-…`.
        "hash" => hash: Option<Spanned<String>>,
        /// Date of the commit in seconds, as in a flake.lock.
        "last-modified" => last_modified: Option<Spanned<u64>>,
        /// Instead of these three: the node of a flake.lock in the fleet that has them, such as `flake.lock#nixpkgs`.
        "lock" => lock: Option<Spanned<LockNode>>,
        /// The OpenZFS of a channel that is no official release.
        "zfs" => zfs: Option<Spanned<Version>>,
        /// The Linux of a channel that is no official release.
        "kernel" => kernel: Option<Spanned<Version>>,
        /// Its own list of options, for hosts of this channel: its options.json, plain, .br or .zst, or the quicker .bin of `facts import`.
        "options" => options: Option<Spanned<OptionsFile>>,
    }
}

table! {
    /// A further source that is pinned for out/.
    pub struct Input {
        /// Where it comes from, without a commit: `github:Mic92/sops-nix`, `gitlab:OWNER/REPO`, or the https URL of an archive.
        "url" => url: Spanned<SourceUrl>,
        /// Its commit, 40 hexadecimal digits; an archive has none.
        "rev" => rev: Option<Spanned<String>>,
        /// Hash of the unpacked source tree (`narHash` of a flake.lock), as `sha256-…`.
        "hash" => hash: Option<Spanned<String>>,
        /// Date of the commit in seconds, as in a flake.lock.
        "last-modified" => last_modified: Option<Spanned<u64>>,
        /// The NixOS module among its flake's outputs that every host imports, such as `nixosModules.sops`.
        "module" => module: Option<Spanned<OutputPath>>,
    }
}

choice! {
    /// With what the deployer evaluates.
    pub enum Evaluation {
        /// The channel that the host is pinned to.
        Pinned = "pinned",
        /// Its own `<nixpkgs>`: its release decides.
        OwnChannel = "own-channel",
    }
}

choice! {
    /// Where derivations are built.
    pub enum BuildOn {
        /// On the deployer.
        Deployer = "deployer",
        /// On the host itself.
        Target = "target",
    }
}

choice! {
    /// What activates a generation.
    pub enum Tool {
        /// nixos-rebuild.
        NixosRebuild = "nixos-rebuild",
        /// colmena.
        Colmena = "colmena",
        /// deploy-rs.
        DeployRs = "deploy-rs",
        /// Something else.
        None = "none",
    }
}

choice! {
    /// An address family.
    pub enum Family {
        /// IPv4.
        Ipv4 = "ipv4",
        /// IPv6.
        Ipv6 = "ipv6",
    }
}

/// A system that can build: Linux, or macOS for the deployer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeployerSystem {
    /// A Linux system that hosts can have too.
    Linux(System),
    /// macOS, which cannot build Linux itself.
    Darwin(&'static str),
}

impl DeployerSystem {
    /// Returns Nix's name of the system.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Linux(system) => crate::fleet::decode::Word::word(*system),
            Self::Darwin(name) => name,
        }
    }
}

impl crate::fleet::shape::Shown for DeployerSystem {
    fn shown(self) -> serde_json::Value {
        serde_json::Value::from(self.as_str())
    }
}

impl Decode for DeployerSystem {
    fn shape() -> Shape {
        Shape::Choice(&["x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.as_str() {
            Some("x86_64-linux") => Some(Self::Linux(System::X86_64)),
            Some("aarch64-linux") => Some(Self::Linux(System::Aarch64)),
            Some("x86_64-darwin") => Some(Self::Darwin("x86_64-darwin")),
            Some("aarch64-darwin") => Some(Self::Darwin("aarch64-darwin")),
            _ => crate::fleet::decode::not_a_choice(
                node,
                cx,
                &["x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"],
            ),
        }
    }
}

table! {
    /// The machine that evaluates, builds and activates.
    pub struct Deployer {
        /// Its name; may be a host of the fleet.
        "name" => name: Spanned<Name>,
        /// The channel it evaluates with, or that it has itself.
        "channel" => channel: Spanned<Name>,
        /// Whether it evaluates with the pinned channel of the host or with its own `<nixpkgs>`.
        "evaluation" => evaluation: Setting<Evaluation> = Evaluation::Pinned,
        /// Its own system.
        "system" => system: Setting<DeployerSystem> = DeployerSystem::Linux(System::X86_64),
        /// Where derivations are built; `target` where the systems differ.
        "build-on" => build_on: Option<Spanned<BuildOn>>,
        /// What activates.
        "tool" => tool: Setting<Tool> = Tool::NixosRebuild,
        /// What it can reach; both when absent.
        "families" => families: Vec<Spanned<Family>>,
        /// Looks at the hosts on a timer of the deployer: drift and restore drills. `out/deployer/watch.nix` is made for it.
        "timer" => timer: Option<WatchTimer>,
    }
}

table! {
    /// Looks at the hosts on a timer of the deployer, and who hears of what they find.
    pub struct WatchTimer {
        /// When it looks; `daily` when absent.
        "schedule" => schedule: Option<Spanned<OnCalendar>>,
        /// Who gets a mail when something is found, changes or is well again.
        "mail" => mail: Option<Spanned<MailAddress>>,
        /// The secret that holds the URL to which the same is posted. Of a deployer that is a host of the fleet it is one of its secrets.
        "webhook" => webhook: Option<Spanned<SecretName>>,
    }
}

table! {
    /// A finding that is accepted, with its reason.
    pub struct Allow {
        /// The rule's slug.
        "rule" => rule: Spanned<String>,
        /// Why it is acceptable here.
        "reason" => reason: Spanned<String>,
        /// The last day on which it counts.
        "until" => until: Option<Spanned<Date>>,
        /// Narrows it to findings at or below this route of keys, such as `services.gitea`.
        "at" => at: Option<Spanned<String>>,
    }
}

impl Decode for Date {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "date",
            json: "string",
            pattern: None,
            wanted: "a date without quotes: `2027-01-01`",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a date is wanted, without quotes: `2027-01-01`";
        match &node.kind {
            Kind::Date(text) => {
                text.parse().ok().filter(|_| text.len() == 10).or_else(|| cx.refused(node.place, text, wanted))
            }
            _ => cx.invalid(node, wanted),
        }
    }
}
