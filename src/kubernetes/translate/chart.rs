//! Charts: objects that only helm knows, and the command that renders them.
//!
//! What refers to a chart (`HelmRelease` of Flux, `HelmChart` of k3s, `Application` of Argo CD) asks one question about it. Where the
//! input holds what the chart made, as a dump of a cluster does, nothing has to be asked.

use crate::kubernetes::reach::listed;
use crate::kubernetes::world::World;
use crate::text::ShellCommand;

/// A chart, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chart {
    /// The release.
    pub(super) release: String,
    /// Its namespace.
    pub(super) namespace: String,
    /// The chart: its name, or an address with its name.
    pub(super) chart: String,
    /// The repository that it is in, where the address does not say it.
    pub(super) repository: Option<String>,
    /// Its version.
    pub(super) version: Option<String>,
    /// Whether values are given.
    pub(super) has_values: bool,
    /// The repository of git that it is a folder of, where it is one.
    pub(super) checkout: Option<String>,
}

impl Chart {
    /// Returns the command that writes the chart's objects to standard output.
    pub(super) fn command(&self) -> String {
        let mut command =
            ShellCommand::new("helm").arg("template").arg(&self.release).arg(without_account(&self.chart));
        if let Some(repository) = &self.repository {
            command = command.arg("--repo").arg(without_account(repository));
        }
        if let Some(version) = &self.version {
            command = command.arg("--version").arg(version);
        }
        command = command.arg("--namespace").arg(&self.namespace);
        if self.has_values {
            command = command.raw("-f values.yaml");
        }
        command.to_string()
    }

    /// Returns what a person is asked; `values` are the fields that `values.yaml` is made of.
    pub(super) fn question(&self, values: &[String]) -> String {
        let from =
            if self.has_values { format!(", where values.yaml holds {}", listed(values)) } else { String::new() };
        let checkout = self
            .checkout
            .as_deref()
            .map_or_else(String::new, |url| format!(" in a checkout of `{}`", without_account(url)));
        format!(
            "what the chart makes is only known when it is rendered: run `{}`{checkout}{from}, and give the output to `migrate` together \
             with the rest",
            self.command()
        )
    }
}

/// Returns an address without the account that may stand in it.
fn without_account(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match path {
        Some(path) => format!("{scheme}://{host}/{path}"),
        None => format!("{scheme}://{host}"),
    }
}

/// Tells whether the input holds an object that a release of a chart made.
pub(super) fn is_rendered(world: &World<'_>, release: &str, namespace: &str) -> bool {
    ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Service", "ConfigMap"].into_iter().any(|kind| {
        world.of_kind(kind).any(|object| {
            let of_release = object.annotation("meta.helm.sh/release-name") == Some(release)
                && object.annotation("meta.helm.sh/release-namespace").is_none_or(|known| known == namespace);
            of_release
                || object.label("helm.toolkit.fluxcd.io/name") == Some(release) && object.namespace() == namespace
        })
    })
}

/// Tells whether an object of the input stands in a file below a folder of a repository.
pub(in crate::kubernetes) fn is_below(file: &str, folder: &str) -> bool {
    let folder = folder.trim_start_matches("./").trim_matches('/');
    if folder.is_empty() || folder == "." {
        return true;
    }
    let file = file.trim_start_matches("./");
    file.match_indices(folder).any(|(at, _)| {
        let before = file.get(..at).unwrap_or_default();
        let after = file.get(at + folder.len()..).unwrap_or_default();
        (before.is_empty() || before.ends_with('/')) && after.starts_with('/')
    })
}

/// Tells whether the input holds files of a folder of a repository, other than that of an object itself.
pub(super) fn is_given(world: &World<'_>, folder: &str, own: crate::source::FileId) -> bool {
    let mut last = Some(own);
    world.objects().iter().any(|object| {
        if last == Some(object.file) {
            return false;
        }
        last = Some(object.file);
        object.file != own && is_below(world.sources.file(object.file).path(), folder)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_repository_version_and_values_and_no_account() {
        let chart = Chart {
            release: "web".to_owned(),
            namespace: "apps".to_owned(),
            chart: "nginx".to_owned(),
            repository: Some("https://me:word@charts.example.org/stable".to_owned()),
            version: Some("1.2.*".to_owned()),
            has_values: true,
            checkout: None,
        };
        assert_eq!(
            chart.command(),
            "helm template web nginx --repo https://charts.example.org/stable --version '1.2.*' --namespace apps -f values.yaml"
        );
    }

    #[test]
    fn a_file_is_below_a_folder_by_whole_names() {
        assert!(is_below("k8s/apps/web/app.yaml", "./apps/web"));
        assert!(is_below("apps/web/app.yaml", "/apps/web/"));
        assert!(!is_below("k8s/apps/website/app.yaml", "apps/web"));
        assert!(is_below("x.yaml", "./"));
    }
}
