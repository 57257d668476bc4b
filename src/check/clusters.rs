//! From the manifests of a fleet to the facts that rules see of a cluster.
//!
//! The one file here that knows manifests. A fleet whose services come from no cluster pays nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::Facts;
use crate::fleet::cluster::ClusterFacts;
use crate::fleet::schema::migration::MigratesFrom;
use crate::fleet::{Fleet, service_modules};
use crate::kubernetes::context::{Target, answers_of};
use crate::kubernetes::read::decode;
use crate::kubernetes::{cluster_facts, load, may_hold_secret};
use crate::source::{Diagnostic, Diagnostics, FileId, FleetFiles, Place, Sources};
use crate::units::lies_in;

/// What manifests say of the clusters that services come from.
#[derive(Debug, Default)]
pub struct Clusters {
    /// By the cluster's name; without those that have no manifests.
    facts: BTreeMap<String, ClusterFacts>,
    /// The manifests.
    files: BTreeSet<FileId>,
}

impl Clusters {
    /// Reads the manifests of the clusters that a service of the fleet comes from, each file once. What cannot be decoded is added to
    /// what was found.
    pub(super) fn read(fleet: &Fleet, files: &mut FleetFiles, facts: &Facts, found: &mut Diagnostics) -> Self {
        let mut moving: BTreeMap<&str, Vec<(&str, &MigratesFrom)>> = BTreeMap::new();
        for host in fleet.hosts.values() {
            for (name, service) in host.def.services.iter() {
                if let Some(from) = &service.value.migrates_from {
                    moving.entry(from.cluster.as_str()).or_default().push((name.as_str(), from));
                }
            }
        }
        let mut clusters = Self::default();
        if moving.is_empty() || fleet.file.clusters.iter().all(|(_, cluster)| cluster.value.manifests.is_empty()) {
            return clusters;
        }
        let mut texts: BTreeMap<String, FileId> = BTreeMap::new();
        for manifest in std::mem::take(&mut files.manifests) {
            match manifest.bytes.and_then(decode) {
                Ok(text) => {
                    let id = files.sources.add(manifest.path.clone(), text);
                    texts.insert(manifest.path, id);
                }
                Err(why) => {
                    let id = files.sources.add(manifest.path, "");
                    let place = files.sources.start(id);
                    let help = "save it as UTF-8, or take it out of the folder of manifests";
                    let message = format!("cannot be read: {why}");
                    found.push(Diagnostic::error("file-unreadable", place, message).help(help));
                }
            }
        }
        // What was read as something else, or comes from memory.
        for (path, id) in &files.files {
            texts.entry(path.clone()).or_insert(*id);
        }
        let of_clusters: BTreeMap<&str, Vec<FileId>> = fleet
            .file
            .clusters
            .iter()
            .filter(|(name, _)| moving.contains_key(name.as_str()))
            .map(|(name, cluster)| {
                let is_named = |(path, _): &(&String, &FileId)| {
                    cluster.value.manifests.iter().any(|named| lies_in(path, named.value.0.as_str()))
                };
                (name.as_str(), texts.iter().filter(is_named).map(|(_, id)| *id).collect())
            })
            .collect();
        let read: Vec<&str> = of_clusters.values().flatten().map(|id| files.sources.file(*id).text()).collect();
        let answers = moving.values().flatten().flat_map(|(_, from)| answers_of(from)).map(|(_, said)| said);
        let spoken_of = spoken_of(&read, answers.collect());
        let modules = service_modules(Some(files), crate::modules::embedded(), spoken_of);
        for (name, ids) in of_clusters {
            let Some(moving) = moving.get(name).filter(|_| !ids.is_empty()) else { continue };
            let target = Target {
                moved: moving.iter().map(|(name, from)| (from.workload.to_string(), (*name).to_owned())).collect(),
                answers: moving.iter().flat_map(|(_, from)| answers_of(from)).collect(),
                ..Target::nowhere(name, &modules, facts)
            };
            let loaded = load::load(&files.sources, &ids);
            clusters.facts.insert(name.to_owned(), cluster_facts(&loaded, &target));
            clusters.files.extend(ids);
        }
        clusters
    }

    /// Returns what the manifests of a cluster say; none where there are no manifests.
    pub(super) fn get(&self, name: &str) -> Option<&ClusterFacts> {
        self.facts.get(name)
    }

    /// Returns what the manifests say, by the cluster's name; clusters without manifests are not among it.
    pub fn facts(&self) -> &BTreeMap<String, ClusterFacts> {
        &self.facts
    }

    /// Returns the clusters with manifests that services come from, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &ClusterFacts)> {
        self.facts.iter().map(|(name, facts)| (name.as_str(), facts))
    }

    /// Keeps what may be a secret out of reports: lines of manifests that hold one, or stand in a file that does.
    pub(super) fn hide_secrets(&self, findings: &mut Diagnostics, sources: &Sources) {
        if self.files.is_empty() {
            return;
        }
        let mut known: BTreeMap<FileId, bool> = BTreeMap::new();
        let mut holds = |place: Place| {
            let is_manifest = self.files.contains(&place.file);
            is_manifest && *known.entry(place.file).or_insert_with(|| may_hold_secret(sources.file(place.file).text()))
        };
        for finding in findings {
            let places: Vec<Place> =
                std::iter::once(&finding.primary).chain(&finding.related).map(|label| label.place).collect();
            finding.hides |= places.into_iter().any(&mut holds);
        }
    }
}

/// Manifests of more bytes than this take so long to read that it does not matter how many modules are.
const SMALL: usize = 1 << 18;

/// Returns whether manifests can be about a module: they hold its name, or the last part of the name of one of its images. To decode
/// all modules takes longer than everything else that a check of one host does.
fn spoken_of<'t>(texts: &[&'t str], answers: BTreeSet<String>) -> impl Fn(&str, &str) -> bool + use<'t> {
    let large = texts.iter().map(|text| text.len()).sum::<usize>() > SMALL;
    let mut words: BTreeSet<&str> = BTreeSet::new();
    if !large {
        let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let whole = texts.iter().flat_map(|text| text.split(|c: char| !in_name(c)));
        // Of an operator's objects the group says which program it runs: `postgresql.cnpg.io`.
        words.extend(whole.flat_map(|word| std::iter::once(word).chain(word.split('.'))));
    }
    move |name, text| {
        let last_of = |image: &str| image.rsplit('/').next().is_some_and(|last| words.contains(last));
        large || words.contains(name) || answers.contains(name) || images_of(text).any(last_of)
    }
}

/// Returns the images that a module.toml of the program replaces, without decoding it: they stand in one list, one a line.
fn images_of(text: &str) -> impl Iterator<Item = &str> {
    let list =
        text.split_once("\nimages = [").and_then(|(_, rest)| rest.split_once("\n]")).map_or("", |(list, _)| list);
    list.lines().filter_map(|line| line.trim_start().strip_prefix("{ name = \"")?.split('"').next())
}

#[cfg(test)]
mod tests {

    use super::{images_of, spoken_of};
    use crate::fleet::service_modules;
    use crate::modules::embedded;

    #[test]
    fn the_images_of_a_module_are_found_without_decoding_it() {
        let decoded = service_modules(None, embedded(), |_, _| true);
        for (name, text) in embedded() {
            let images = decoded.get(*name).map_or(&[][..], |module| &module.file.images);
            let images: Vec<&str> = images.iter().map(|image| image.name.value.as_str()).collect();
            assert_eq!(images_of(text).collect::<Vec<_>>(), images, "{name}");
        }
    }

    #[test]
    fn modules_that_manifests_cannot_mean_are_not_read() {
        let names = |text: &str, answers: &[&str]| {
            let is_wanted = spoken_of(&[text], answers.iter().map(|answer| (*answer).to_owned()).collect());
            let all = embedded().iter().filter(|(name, text)| is_wanted(name, text));
            all.map(|(name, _)| *name).collect::<Vec<_>>()
        };
        assert_eq!(names("image: docker.io/gitea/gitea:1.22.6@sha256:aa", &[]), ["gitea"]);
        assert_eq!(names(r#"{"image":"ghcr.io/miniflux/miniflux"}"#, &[]), ["miniflux"]);
        assert_eq!(names("repository: deluan/navidrome\ntag: '0.58'", &[]), ["navidrome"]);
        assert_eq!(names("image: busybox", &["forgejo"]), ["forgejo"]);
        assert_eq!(names("kind: Cluster\napiVersion: postgresql.cnpg.io/v1", &[]), ["postgresql"]);
        assert!(names("image: example/my-gitea", &[]).is_empty());
        assert_eq!(names(&" ".repeat(super::SMALL + 1), &[]).len(), embedded().len());
    }
}
