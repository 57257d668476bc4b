//! The catalogue: one folder a group, two files a rule.

mod access;
mod channel;
mod deploy;
mod disk;
mod evaluation;
mod input;
mod network;
mod options;
mod services;
mod zfs;

use super::rule::Rule;

pub(super) use options::OF_SETTINGS;

/// The groups' rules, in the order of the catalogue.
static GROUPS: &[&[&Rule]] = &[
    input::RULES,
    channel::RULES,
    options::RULES,
    disk::RULES,
    zfs::RULES,
    network::RULES,
    access::RULES,
    services::RULES,
    deploy::RULES,
    evaluation::RULES,
];

/// Returns every rule, group by group, each group sorted by slug.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().flat_map(|group| group.iter().copied())
}

/// Returns the rule of a slug.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}
