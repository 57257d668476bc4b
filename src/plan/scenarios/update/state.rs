//! Data that another version of its service takes over: what the fallback to the old system does not bring back.

use std::collections::BTreeSet;

use super::versions;
use crate::fleet::schema::module_file::StateKind;
use crate::plan::PlanCx;
use crate::plan::scenarios::install;
use crate::resolve::ResolvedService;
use crate::text::ShellCommand;
use crate::units::topmost;

/// Services whose data the old version may not read any more once the new one has run.
#[derive(Debug, Default)]
pub(super) struct TakenOver<'a> {
    /// Their names, with the versions as far as they are known.
    pub(super) services: Vec<(&'a str, Option<(String, String)>)>,
    /// The datasets that hold their data.
    datasets: BTreeSet<String>,
    /// Directories with their data that lie in no dataset.
    elsewhere: BTreeSet<String>,
}

impl TakenOver<'_> {
    /// Returns the command that takes snapshots; none where no dataset holds any of the data.
    pub(super) fn snapshot(&self, cx: &PlanCx<'_>) -> Option<ShellCommand> {
        let roots = topmost(self.datasets.iter().map(String::as_str));
        (!roots.is_empty()).then(|| install::script(cx, "snapshot", &roots))
    }

    /// Returns whose data it is and where it lies, as sentences.
    pub(super) fn words(&self) -> String {
        let services: Vec<String> = self
            .services
            .iter()
            .map(|(name, versions)| match versions {
                Some((old, new)) => format!("{name} (from {old} to {new})"),
                None => format!("{name} (the versions are not known)"),
            })
            .collect();
        let mut words =
            format!("What has run once under the new version may be closed to the old one: {}.", services.join(", "));
        if !self.elsewhere.is_empty() {
            let paths: Vec<&str> = self.elsewhere.iter().map(String::as_str).collect();
            words.push_str(&format!(
                " In no dataset, so that no snapshot holds it: {}; back it up first.",
                paths.join(", ")
            ));
        }
        words
    }
}

/// Returns the services of a host whose data another version takes over: by the rule of its module where there is one, else where the first
/// number of the version changes. What nobody knows counts as a change.
pub(super) fn taken_over<'a>(cx: &PlanCx<'a>) -> TakenOver<'a> {
    let new = cx.host.channel.channel.release.value;
    let old = versions::running(cx);
    let mut all = TakenOver::default();
    for service in cx.host.running() {
        let holds = service
            .state
            .iter()
            .filter(|state| !state.rebuildable && matches!(state.kind, StateKind::Data | StateKind::Database));
        let holds: Vec<_> = holds.collect();
        let Some(attribute) = versions::attribute(cx, service).filter(|_| !holds.is_empty()) else { continue };
        let version = |release| versions::package(cx, attribute, release);
        let pair = old.and_then(version).zip(version(new));
        let closes = match &pair {
            Some((old, new)) => closes(service, old, new),
            // Of one release the versions differ in small numbers only.
            None => old != Some(new),
        };
        if !closes {
            continue;
        }
        all.services.push((service.name, pair));
        for state in holds {
            match cx.host.mount_of(&state.path).and_then(|mount| mount.source.dataset()) {
                Some(dataset) => drop(all.datasets.insert(dataset)),
                None => drop(all.elsewhere.insert(state.path.clone())),
            }
        }
    }
    all
}

/// Tells whether data that a new version has written may be closed to the old one.
fn closes(service: &ResolvedService<'_>, old: &str, new: &str) -> bool {
    use crate::units::Version;
    let (Ok(from), Ok(to)) = (old.parse::<Version>(), new.parse::<Version>()) else { return old != new };
    match service.module.and_then(|module| module.file.data.as_ref()) {
        Some(data) => data.rule.value.goes_back(to, from),
        None => from.major() != to.major(),
    }
}
