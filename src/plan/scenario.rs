//! What a plan can be for.

use super::step::words;
use crate::resolve::ResolvedHost;

words! {
    /// What a plan is for.
    pub enum Scenario {
        /// The first system of a machine.
        Install = "install",
        /// Workloads that leave a Kubernetes cluster.
        Migrate = "migrate",
        /// Another generation of a machine that runs.
        Update = "update",
        /// A machine that is lost, from its backups.
        Recover = "recover",
        /// What a migration leaves behind, or the host itself.
        Decommission = "decommission",
        /// A host that goes for good: what `--retire` makes of a decommission.
        Retire = "retire",
        /// The reboot test alone, of the system that boots by default: no scenario that `plan` is asked for.
        RebootTest = "reboot-test",
    }
}

impl Scenario {
    /// Returns the scenario that fits a host: `migrate` where something moves to it, else `update` where its facts show a running NixOS,
    /// else `install`. What is not compiled here runs already.
    pub fn default_for(host: &ResolvedHost<'_>) -> Self {
        if host.def.external.is_some() {
            Self::Update
        } else if host.services.iter().any(|service| service.def.migrates_from.is_some()) {
            Self::Migrate
        } else if runs_nixos(host) {
            Self::Update
        } else {
            Self::Install
        }
    }

    /// Tells whether this version makes plans for it.
    pub fn is_available(self) -> bool {
        super::scenarios::find(self).is_some()
    }

    /// Returns the scenarios that this version makes plans for.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|scenario| scenario.is_available())
    }
}

/// Tells whether the facts of a host show a running NixOS.
pub(super) fn runs_nixos(host: &ResolvedHost<'_>) -> bool {
    host.source.facts.as_ref().is_some_and(|facts| facts.system.is_some())
}
