//! Directories that a container cannot write.

use crate::check::migrations::{self, MANIFESTS};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::workloads::VolumeSource;
use crate::resolve::MountSource;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "host-path-owned-by-root",
    group: Group::Services,
    level: Level::Error,
    allowable: true,
    needs: &[MANIFESTS],
    summary: "a path of the node belongs to root, and who writes it does not run as root",
    doc: include_str!("host_path_owned_by_root.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for one in migrations::of(cx) {
        let Some(container) = one.service.def.container() else { continue };
        for path in &one.workload.host_paths {
            let writable = container.volumes.iter().filter(|volume| !volume.read_only.value);
            let mut mounted =
                writable.filter(|volume| path.targets.iter().any(|target| target == volume.target.as_str()));
            let Some(volume) = mounted.next() else { continue };
            let VolumeSource::Path(source) = &volume.source.value else { continue };
            let user = match &container.user {
                Some(user) => user.value.to_string().split(':').next().unwrap_or("").to_owned(),
                None => path.uid.map(|uid| uid.to_string()).unwrap_or_default(),
            };
            if matches!(user.as_str(), "" | "0" | "root") || has_owner(cx, source.as_str()) {
                continue;
            }
            found.report(
                Finding::at(volume.source.place, format!("`{source}` belongs to root, and `{user}` writes it"))
                    .related(path.place, "a path of the node, whose owner nobody sets")
                    .why("podman makes a directory that is not there as root's, and the program cannot write there")
                    .help(format!(
                        "`state = [{{ path = \"{source}\", owner = \"{user}\" }}]` of `services.{}`, and bring what the node holds there",
                        one.service.name
                    )),
            );
        }
    }
}

/// Tells whether something on the host gives a directory to somebody.
fn has_owner(cx: &HostCx<'_>, path: &str) -> bool {
    let mut state = cx.host.services.iter().flat_map(|service| &service.state);
    let of_dataset = cx.host.mount_of(path).filter(|mount| mount.path == path);
    state.any(|state| state.path == path && state.owner.is_some())
        || of_dataset.is_some_and(|mount| match &mount.source {
            MountSource::Dataset { def, .. } => def.owner.is_some(),
            // What is mounted from elsewhere has the owner that it has there.
            MountSource::Foreign(_) => true,
            _ => false,
        })
}
