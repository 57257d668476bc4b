//! How a host is deployed, watched and tested.

use super::fleet_file::BuildOn;
use crate::fleet::decode::{Cx, Decode, Named, Setting, table};
use crate::fleet::scalar::{HttpUrl, Name, SshKeyword, SshValue, Target};
use crate::fleet::shape::Shape;
use crate::source::{Kind, Node, Place, Spanned};
use crate::units::{Size, SocketAddress, TimeSpan};

table! {
    /// How the host is deployed and watched.
    pub struct Deploy {
        /// Where it is reached.
        "target" => target: Option<Spanned<Target>>,
        /// Where its derivations are built; the fleet's choice when absent.
        "build-on" => build_on: Option<Spanned<BuildOn>>,
        /// Jump hosts on the way, in order.
        "jump" => jump: Vec<Spanned<Target>>,
        /// Further settings of ssh on the way, by the keywords of ssh_config(5).
        "ssh-options" => ssh_options: Named<SshKeyword, Spanned<SshValue>>,
        /// Words by which colmena selects hosts.
        "tags" => tags: Vec<Spanned<Name>>,
        /// Whether the host fetches what binary caches have from there instead of from the deployer.
        "substitute-on-target" => substitute_on_target: Setting<bool> = false,
        /// What is watched from the deployer while the host reboots.
        "watch" => watch: Vec<Watch>,
        /// Tunes the reboot test, which cannot be left out.
        "reboot-test" => reboot_test: Option<RebootTest>,
        /// Whether an update of several hosts begins here, and stops at the first that fails.
        "canary" => canary: Setting<bool> = false,
        /// How much is copied to it in a second, for the times of plans; the first copy of a migration measures it.
        "copy-rate" => copy_rate: Option<Spanned<Size>>,
    }
    later { "sudo" }
}

impl Deploy {
    /// Returns the words of ssh that lead to the host beyond its name and port: jump hosts, settings.
    pub fn ssh_words(&self) -> Vec<String> {
        let jump: Vec<String> = self.jump.iter().filter_map(|jump| jump.value.jump_word()).collect();
        let mut words = if jump.is_empty() { Vec::new() } else { vec!["-J".to_owned(), jump.join(",")] };
        for (name, value) in self.ssh_options.iter() {
            words.extend(["-o".to_owned(), format!("{name}={}", value.value.value)]);
        }
        words
    }
}

table! {
    /// One thing to watch: exactly one of `ping`, `tcp`, `http`, `ssh`.
    pub struct WatchTable {
        /// Address or name that must answer pings.
        "ping" => ping: Option<Spanned<crate::fleet::scalar::DnsName>>,
        /// Address and port that must accept connections.
        "tcp" => tcp: Option<Spanned<SocketAddress>>,
        /// URL that must answer.
        "http" => http: Option<Spanned<HttpUrl>>,
        /// Status that the URL answers with.
        "expect" => expect: Setting<u32> = 200u32,
        /// Text that the answer holds.
        "contains" => contains: Option<Spanned<String>>,
        /// Whether an ssh login must work.
        "ssh" => ssh: Option<Spanned<bool>>,
    }
}

/// One thing to watch.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: WatchKind,
}

impl Watch {
    /// Returns the name or address that is asked; none where it is the deployment's own target.
    pub fn asked(&self) -> Option<&str> {
        match &self.kind {
            WatchKind::Ping(host) => Some(host),
            WatchKind::Tcp(address) => Some(&address.host),
            WatchKind::Http { url, .. } => Some(url.host()),
            WatchKind::Ssh => None,
        }
    }
}

/// The kinds of watch.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchKind {
    /// Answers pings.
    Ping(String),
    /// Accepts connections.
    Tcp(SocketAddress),
    /// Answers requests.
    Http {
        /// The URL.
        url: HttpUrl,
        /// The status.
        expect: u32,
        /// Text of the answer.
        contains: Option<String>,
    },
    /// Accepts a login.
    Ssh,
}

impl Decode for Watch {
    fn shape() -> Shape {
        WatchTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        // An IPv6 address is no DNS name: the table's check of `ping` would refuse it.
        let ping = node.at(&["ping"]).and_then(Node::as_str).filter(|ping| ping.parse::<std::net::IpAddr>().is_ok());
        if let Some(ping) = ping
            && node.as_table().is_some_and(|table| table.len() == 1)
        {
            return Some(Self { place: node.place, kind: WatchKind::Ping(ping.to_owned()) });
        }
        let table = WatchTable::decode(node, cx)?;
        let contains = table.contains.map(|contains| contains.value);
        let kind = match (table.ping, table.tcp, table.http, table.ssh) {
            (Some(host), None, None, None) => WatchKind::Ping(host.value.to_string()),
            (None, Some(address), None, None) => WatchKind::Tcp(address.value),
            (None, None, Some(url), None) => WatchKind::Http { url: url.value, expect: table.expect.value, contains },
            (None, None, None, Some(ssh)) if ssh.value => WatchKind::Ssh,
            _ => return cx.invalid(node, "exactly one of `ping`, `tcp`, `http` and `ssh = true` is wanted"),
        };
        Some(Self { place: node.place, kind })
    }
}

table! {
    /// Tunes the reboot test, which cannot be left out.
    pub struct RebootTestTable {
        /// Reboots in all: the trial boots and one through the default entry.
        "times" => times: Setting<u32> = 2u32,
        /// How long the host may be away.
        "max-downtime" => max_downtime: Setting<TimeSpan> = TimeSpan::minutes(10),
        /// How long an unconfirmed trial boot lives before it resets itself.
        "give-up-after" => give_up_after: Setting<TimeSpan> = TimeSpan::minutes(10),
        /// The same for stage 1.
        "initrd-give-up-after" => initrd_give_up_after: Setting<TimeSpan> = TimeSpan::minutes(5),
        /// Time that firmware and loader take; measured by the baseline boot when absent.
        "post-time" => post_time: Option<Spanned<TimeSpan>>,
        /// How long the host must stay well before it is judged.
        "settle" => settle: Setting<TimeSpan> = TimeSpan::of_seconds(30),
        /// Whether a cold boot through the power-cycle hook is part of it.
        "cold" => cold: Setting<bool> = false,
        /// Cannot be switched off: the rule `reboot-test-disabled` reports it.
        "enable" => enable: Option<Spanned<bool>>,
    }
}

/// The reboot test of a host. Every way of leaving it out is read, so that a rule can say why that is not possible.
#[derive(Debug, Clone, PartialEq)]
pub enum RebootTest {
    /// Tuned, or as it comes.
    Tuned(Box<RebootTestTable>),
    /// `reboot-test = true` or `false`.
    Switch(Spanned<bool>),
}

impl Decode for RebootTest {
    fn shape() -> Shape {
        RebootTestTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match node.kind {
            Kind::Bool(value) => Some(Self::Switch(Spanned::new(value, node.place))),
            _ => RebootTestTable::decode(node, cx).map(Box::new).map(Self::Tuned),
        }
    }
}
