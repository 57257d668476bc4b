//! State that no dataset holds, or one that forgets.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::services::kept_state;
use crate::resolve::{Mount, MountSource};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "state-not-on-dataset",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a service's state lies on no dataset, or on one that forgets",
    doc: include_str!("state_not_on_dataset.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for (service, state) in kept_state(cx.host) {
        let mount = cx.host.mount_of(&state.path);
        let finding = |what: &str| {
            let finding =
                Finding::at(state.place, format!("`{}` keeps its state in `{}`, {what}", service.name, state.path));
            match mount {
                Some(mount) => finding.related(mount.place, format!("`{}` is mounted here", mount.path)),
                None => finding,
            }
        };
        let help = format!("a dataset with `mount = \"{}\"`", state.path);
        match mount {
            Some(mount) if forgets(mount) => found.report(
                finding("which is gone after the next boot")
                    .why("the root is emptied at each boot, and the state with it")
                    .help(help)
                    .help(format!(
                        "`\"{}\"` in `persistence.directories`, where there is a `[persistence]`",
                        state.path
                    )),
            ),
            // What is mounted from elsewhere is described by hand, and its owner knows why.
            Some(Mount {
                source: MountSource::Dataset { .. } | MountSource::Persisted { .. } | MountSource::Foreign(_),
                ..
            }) => {}
            // Without pools there is nothing better on the machine: a backup is what its state needs.
            _ if cx.host.pools.is_empty() => {}
            _ => found.report(
                finding("which no dataset holds")
                    .why("no snapshot, no quota and no checksum guards it, and a full root stops the machine")
                    .help(help),
            ),
        }
    }
}

/// Tells whether what is written here is gone after a boot: memory, or a dataset that is rolled back.
fn forgets(mount: &Mount<'_>) -> bool {
    match &mount.source {
        MountSource::Foreign(def) => matches!(def.kind.as_str(), "tmpfs" | "ramfs"),
        MountSource::Dataset { def, .. } => def.rollback.is_some(),
        _ => false,
    }
}
