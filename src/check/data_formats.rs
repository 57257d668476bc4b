//! Whose data a service takes over: the versions of its package in the release that runs and in the one that is to run.
//!
//! Here belongs which version meets which data. Not here: what is wrong with that (the rules `data-format-*`).
//!
//! Known are the versions of packages per release; that a service ran before is taken from the host's facts, which say which
//! release runs there.

use super::phrase::listed;
use super::probed;
use super::rule::{Finding, Findings, HostCx};
use crate::facts::PackageFact;
use crate::fleet::schema::module_file::Data;
use crate::resolve::ResolvedService;
use crate::source::Spanned;
use crate::units::{Release, Version};

/// A service whose data another version of its package takes over.
#[derive(Debug)]
pub(super) struct Takeover<'a> {
    pub(super) service: &'a ResolvedService<'a>,
    /// How its data moves between versions.
    pub(super) data: &'a Data,
    /// The nixpkgs attribute.
    pub(super) attribute: &'a str,
    /// The release that runs.
    pub(super) running: Spanned<Release>,
    /// The version that wrote the data.
    pub(super) from: (&'a str, Version),
    /// The version that is to read it.
    pub(super) to: (&'a str, Version),
}

impl Takeover<'_> {
    /// Tells whether the data goes back to a version that cannot read it.
    pub(super) fn goes_back(&self) -> bool {
        self.data.rule.value.goes_back(self.from.1, self.to.1)
    }

    /// Tells whether the data goes on further than the new version follows.
    pub(super) fn jumps(&self) -> bool {
        self.data.rule.value.jumps(self.from.1, self.to.1)
    }
}

/// Returns the services of a host whose package has another version in the host's channel than in the release that runs. Where the
/// facts do not say which version that is, the rule is unchecked.
pub(super) fn takeovers<'a>(cx: &HostCx<'a>, found: &mut Findings) -> Vec<Takeover<'a>> {
    let services: Vec<_> =
        cx.host.running().filter_map(|service| Some((service, service.module?.file.data.as_ref()?))).collect();
    if services.is_empty() {
        return Vec::new();
    }
    let Some(running) = probed::running_release(cx, found) else { return Vec::new() };
    let release = cx.host.channel.channel.release.value;
    if running.value == release {
        return Vec::new();
    }
    let state_version = cx.host.def.state_version.as_ref().map(|state| state.value);
    let (mut takeovers, mut unknown) = (Vec::new(), Vec::new());
    for (service, data) in services {
        let Some(attribute) = service.package(state_version) else { continue };
        let version = |release| match cx.facts.packages().find(attribute, release) {
            PackageFact::Version(text) | PackageFact::FromNotes { version: text, .. } => {
                Some((text, text.parse().ok()?))
            }
            _ => None,
        };
        match (version(running.value), version(release)) {
            (Some(from), Some(to)) => takeovers.push(Takeover { service, data, attribute, running, from, to }),
            _ => unknown.push(attribute),
        }
    }
    if !unknown.is_empty() {
        let packages = listed(unknown);
        found.unchecked(format!(
            "the facts do not say which versions of {packages} NixOS {} and {release} have",
            running.value
        ));
    }
    takeovers
}

/// Adds to a finding where the project of a package tells how its data moves, if that is known; `what` says what is found there.
pub(super) fn with_docs(finding: Finding, what: &str, data: Option<&Data>) -> Finding {
    match data.and_then(|data| data.docs.as_ref()) {
        Some(docs) => finding.help(format!("{what}: {}", docs.value)),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    /// What the two rules say of a service of a host that runs one release and is to run another.
    fn of(running: &str, channel: &str, service: &str) -> Vec<String> {
        let fleet = format!(
            "[fleet]\nname = 'example'\n[channels.stable]\nrelease = '{channel}'\n\
             rev = 'a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4'\nhash = 'sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU='\n\
             [deployer]\nname = 'desk'\nchannel = 'stable'\n[defaults]\nimports = ['scaffold']\n"
        );
        let host = format!("state-version = '20.03'\n{service}\n");
        let facts = format!(
            "{{ \"version\": 1, \"taken\": \"2026-11-20T10:00:00Z\", \"host\": \"a\",
               \"system\": {{ \"release\": \"{running}\", \"state_version\": \"20.03\" }} }}"
        );
        let files = [("fleet.toml", fleet), ("hosts/a/host.toml", host), ("hosts/a/facts.json", facts)];
        let back = said_of("data-format-downgrade", &files).into_iter().map(|line| format!("downgrade {line}"));
        back.chain(said_of("data-format-jump", &files).into_iter().map(|line| format!("jump {line}"))).collect()
    }

    #[test]
    fn data_goes_forward_as_far_as_its_module_says_and_never_back() {
        let gitea = "services.gitea.kind = 'native'";
        assert!(of("20.09", "26.11pre", gitea).is_empty(), "1.12 to 1.26: it converts what it finds");
        assert!(
            of("26.11pre", "20.09", gitea)[0]
                .starts_with("downgrade error: `gitea` would go from 1.26.4 back to 1.12.2")
        );
        assert!(of("26.11pre", "26.11pre", gitea).is_empty());
        let postgresql = "services.postgresql = { kind = 'native', package = 'postgresql' }";
        assert!(
            of("20.09", "26.11pre", postgresql)[0].starts_with("jump error: `postgresql` would go from 11.8 to 17.10")
        );
        assert!(of("26.11pre", "20.09", postgresql)[0].starts_with("downgrade error"));
        assert!(of("19.03", "20.09", "services.mysql.kind = 'native'").is_empty(), "10.2 to 10.4");
    }

    #[test]
    fn a_version_that_nobody_knows_is_unchecked_and_one_that_the_channel_dropped_is_an_error_by_itself() {
        let unknown = of("26.05", "26.11pre", "services.gitea.kind = 'native'");
        assert_eq!(unknown.len(), 2, "{unknown:?}");
        assert!(unknown.iter().all(|line| line.contains("unchecked: the facts do not say which versions of `gitea`")));
        let dropped = of("26.11pre", "26.11pre", "services.postgresql.kind = 'native'");
        assert_eq!(dropped.len(), 1, "{dropped:?}");
        assert!(
            dropped[0]
                .starts_with("jump error: `postgresql` would be `postgresql_11`, which NixOS 26.11pre no longer has")
        );
        assert!(
            of("26.11pre", "26.11pre", "services.postgresql = { kind = 'native', package = 'postgresql_16' }")
                .is_empty()
        );
    }
}
