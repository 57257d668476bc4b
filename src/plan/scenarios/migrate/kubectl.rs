//! Command lines of kubectl: the cluster is always named, and no word that a manifest gave begins with `-`.

use super::volume::ClusterRef;
use crate::text::ShellCommand;

/// The label of what the plan itself makes in a cluster, as `key=value`; its names begin with `hostwright-`.
pub(super) const OURS: &str = "app.kubernetes.io/managed-by=hostwright";

/// Returns the beginning of a command for what has no namespace.
pub(super) fn cluster_wide(cluster: ClusterRef<'_>) -> ShellCommand {
    ShellCommand::new("kubectl").arg(format!("--context={}", cluster.context))
}

/// Returns the beginning of a command within a namespace.
pub(super) fn within(cluster: ClusterRef<'_>, namespace: &str) -> ShellCommand {
    cluster_wide(cluster).arg(format!("--namespace={namespace}"))
}
