//! Which rules look at a host whose NixOS configuration is elsewhere.
//!
//! Its host.toml says how it is reached, watched and tested, and nothing of its disks, network and services. Rules about what a definition
//! compiles to would report everything as missing, so those run that stand on facts, on channels and on the way it is deployed.

use super::rule::{Group, Rule};
use crate::resolve::ResolvedHost;

/// Rules of the groups that run which ask for what only a compiled host's definition has.
const NOT: &[&str] = &["state-version-missing", "default-changed-by-release", "kernel-below-hardware"];

/// Rules of the other groups that hold for every host.
const ALSO: &[&str] = &["no-out-of-band-access"];

/// Tells whether a rule looks at a host.
pub(super) fn applies(rule: &Rule, host: &ResolvedHost<'_>) -> bool {
    if host.def.external.is_none() {
        return true;
    }
    let of_group = matches!(rule.group, Group::Input | Group::Channel | Group::Deploy);
    (of_group && !NOT.contains(&rule.id)) || ALSO.contains(&rule.id)
}
