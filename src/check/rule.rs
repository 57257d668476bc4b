//! What a rule is, what it sees and what it says.

use std::cell::OnceCell;

use super::clusters::Clusters;
use super::migrations::MANIFESTS;
use super::scope::Scope;
use super::settings::Settings;
use crate::facts::Facts;
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{Diagnostic, Level, Place, Sources};
use crate::units::Date;

/// A group of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What cannot be read (exit status 2).
    Input,
    /// What version meets what version.
    Channel,
    /// Settings against the channel's option index.
    Options,
    /// Disks, partitions, boot.
    Disk,
    /// Pools.
    Zfs,
    /// Addresses, routes, ports.
    Network,
    /// Who may log in.
    Access,
    /// What runs on a host, and its state.
    Services,
    /// How a host is deployed and tested.
    Deploy,
    /// What Nix says of the compiled host.
    Evaluation,
}

impl Group {
    /// All groups, in the order of the catalogue.
    pub const ALL: [Self; 10] = [
        Self::Input,
        Self::Channel,
        Self::Options,
        Self::Disk,
        Self::Zfs,
        Self::Network,
        Self::Access,
        Self::Services,
        Self::Deploy,
        Self::Evaluation,
    ];

    /// Returns the group's name, which is also its folder's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Channel => "channel",
            Self::Options => "options",
            Self::Disk => "disk",
            Self::Zfs => "zfs",
            Self::Network => "network",
            Self::Access => "access",
            Self::Services => "services",
            Self::Deploy => "deploy",
            Self::Evaluation => "evaluation",
        }
    }

    /// Returns what the group is about, for the catalogue.
    pub fn about(self) -> &'static str {
        match self {
            Self::Input => "what cannot be read",
            Self::Channel => "what version meets what version",
            Self::Options => "settings against the channel's option index",
            Self::Disk => "disks, partitions, boot",
            Self::Zfs => "pools",
            Self::Network => "addresses, routes, ports",
            Self::Access => "who may log in",
            Self::Services => "what runs on a host, and its state",
            Self::Deploy => "how a host is deployed and tested",
            Self::Evaluation => "what Nix says of the compiled host (`check --eval`)",
        }
    }
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its slug: the defect's name, so that "allow this" reads as a sentence.
    pub id: &'static str,
    /// Its group.
    pub group: Group,
    /// The level of its findings unless one says otherwise.
    pub level: Level,
    /// Whether its findings can be allowed. Rules that guard data and boot cannot.
    pub allowable: bool,
    /// The facts it needs, in words; empty when definitions suffice.
    pub needs: &'static [&'static str],
    /// What it reports, in one phrase.
    pub summary: &'static str,
    /// Its page: why, cure, examples.
    pub doc: &'static str,
    /// What it looks at.
    pub check: Check,
}

impl Rule {
    /// Tells whether it looks at what manifests of Kubernetes say.
    pub fn sees_clusters(&self) -> bool {
        self.needs.contains(&MANIFESTS)
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Nothing: it is reported while files are read and references followed.
    Reading,
    /// The `allow` entries, after all other rules.
    Allows,
    /// Nothing: it is reported where Nix evaluates the compiled hosts.
    Evaluating,
    /// Nothing: it is reported where Kubernetes manifests are read, by `migrate` alone.
    Migrating,
    /// The fleet as a whole.
    Fleet(fn(&FleetCx<'_>, &mut Findings)),
    /// One host.
    Host(fn(&HostCx<'_>, &mut Findings)),
}

/// What a rule about the fleet sees.
#[derive(Debug, Clone, Copy)]
pub struct FleetCx<'a> {
    /// The fleet.
    pub fleet: &'a Resolved<'a>,
    /// The facts.
    pub facts: &'a Facts,
    /// The files, for what a place says.
    pub sources: &'a Sources,
    /// The day of the check.
    pub today: Date,
    /// The hosts that are checked.
    pub scope: &'a Scope,
    /// What manifests say of the clusters that services come from.
    pub clusters: &'a Clusters,
}

impl<'a> FleetCx<'a> {
    /// Returns the hosts that are checked. Rules about what hosts have in common look at `fleet.hosts`, those about what
    /// hosts make use of look at these.
    pub fn subjects(&self) -> impl Iterator<Item = &'a ResolvedHost<'a>> {
        self.fleet.hosts.iter().filter(|host| self.scope.has(host.name))
    }
}

/// What a rule about one host sees.
#[derive(Debug, Clone, Copy)]
pub struct HostCx<'a> {
    /// The host.
    pub host: &'a ResolvedHost<'a>,
    /// The fleet it belongs to.
    pub fleet: &'a Resolved<'a>,
    /// The facts.
    pub facts: &'a Facts,
    /// The files, for what a place says.
    pub sources: &'a Sources,
    /// The day of the check.
    pub today: Date,
    /// The hosts that are checked.
    pub scope: &'a Scope,
    /// What manifests say of the clusters that services come from.
    pub clusters: &'a Clusters,
    /// What the option index says of the host's settings, worked out by the first rule that asks.
    pub settings: &'a OnceCell<Settings<'a>>,
}

impl<'a> HostCx<'a> {
    /// Returns what the option index says of the host's settings.
    pub fn settings(&self) -> &'a Settings<'a> {
        self.settings.get_or_init(|| Settings::of(self))
    }
}

/// What a rule says about a place. Rule and level are not its to choose: the engine adds them.
#[derive(Debug)]
pub struct Finding(Diagnostic);

impl Finding {
    /// Returns a finding at a place: a lower-case phrase without full stop, subjects in backticks.
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self(Diagnostic::error("", place, message))
    }

    /// Says what stands at the place.
    #[must_use]
    pub fn label(self, message: impl Into<String>) -> Self {
        Self(self.0.label(message))
    }

    /// Adds a further place with what is there.
    #[must_use]
    pub fn related(self, place: Place, message: impl Into<String>) -> Self {
        Self(self.0.related(place, message))
    }

    /// Says why it matters.
    #[must_use]
    pub fn why(self, why: impl Into<String>) -> Self {
        Self(self.0.why(why))
    }

    /// Adds one way out, complete in itself.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self(self.0.help(help))
    }

    /// Gives the name that is certainly meant in place of the one at the finding's place, by segments.
    #[must_use]
    pub fn rename(mut self, from: &[String], to: &[String]) -> Self {
        self.0.rename = Some((from.to_vec(), to.to_vec()));
        self
    }

    /// Says what it is about, where several findings of the rule may stand at one place and begin with the same name.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Names the host, for a rule about the fleet whose finding is about one.
    #[must_use]
    pub fn of_host(self, host: &str) -> Self {
        Self(self.0.host(host))
    }
}

/// What could not be checked, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unchecked {
    /// The rule.
    pub rule: &'static str,
    /// The host.
    pub host: Option<String>,
    /// Which fact is missing.
    pub why: String,
}

/// Collects what one rule says about one subject.
#[derive(Debug)]
pub struct Findings {
    rule: &'static Rule,
    host: Option<String>,
    pub(super) found: Vec<Diagnostic>,
    pub(super) unchecked: Vec<Unchecked>,
}

impl Findings {
    pub(super) fn new(rule: &'static Rule, host: Option<&str>) -> Self {
        Self { rule, host: host.map(str::to_owned), found: Vec::new(), unchecked: Vec::new() }
    }

    /// Reports a finding at the rule's own level.
    pub fn report(&mut self, finding: Finding) {
        self.report_as(self.rule.level, finding);
    }

    /// Reports a finding at another level, where the catalogue gives a rule more than one.
    pub fn report_as(&mut self, level: Level, finding: Finding) {
        let host = finding.0.host.clone().or_else(|| self.host.clone());
        self.found.push(Diagnostic { rule: self.rule.id, level, host, ..finding.0 });
    }

    /// Says that the subject could not be checked, and which fact is missing.
    pub fn unchecked(&mut self, why: impl Into<String>) {
        self.unchecked.push(Unchecked { rule: self.rule.id, host: self.host.clone(), why: why.into() });
    }

    /// Says of one host what a rule about the fleet could not check.
    pub fn unchecked_of(&mut self, host: &str, why: impl Into<String>) {
        self.unchecked.push(Unchecked { rule: self.rule.id, host: Some(host.to_owned()), why: why.into() });
    }
}
