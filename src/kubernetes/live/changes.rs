//! Whether a cluster stood still while it was read: workloads and claims are looked at again in the end.

use std::collections::BTreeMap;

use super::super::read::read_text;
use super::super::tree::Node;
use super::unread::Unread;

/// The kinds that are looked at twice: those whose change makes a plan wrong. Pods and jobs come and go by themselves.
const TWICE: &[&str] = &[
    "cronjobs.batch",
    "daemonsets.apps",
    "deployments.apps",
    "persistentvolumeclaims",
    "persistentvolumes",
    "replicationcontrollers",
    "statefulsets.apps",
];

/// What asks for the second look.
pub const COLUMNS: &str = "{range .items[*]}{.kind}{\"\\t\"}{.metadata.namespace}{\"\\t\"}{.metadata.name}{\"\\t\"}{.metadata.uid}{\"\\t\"}\
                           {.metadata.generation}{\"\\t\"}{.metadata.resourceVersion}{\"\\n\"}{end}";

/// Tells whether a kind is looked at twice.
pub fn is_looked_at(resource: &str) -> bool {
    TWICE.contains(&resource)
}

/// Objects with what changes when they do, by kind, namespace and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<(String, String, String), Version>);

/// Whether it is still the same object, and what its definition was. What a server counts for the definition alone is better than
/// what it counts for every change of the status.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    uid: String,
    generation: String,
    resource_version: String,
}

impl Version {
    fn is(&self, other: &Self) -> bool {
        let counted = !self.generation.is_empty() && !other.generation.is_empty();
        let same =
            if counted { self.generation == other.generation } else { self.resource_version == other.resource_version };
        self.uid == other.uid && same
    }
}

impl Seen {
    /// Adds the objects of an answer.
    pub fn add(&mut self, text: &str) {
        let Some(root) = read_text(text) else { return };
        for item in root.list("items") {
            let word = |route: &[&str]| item.at(route).and_then(Node::text).unwrap_or("").to_owned();
            let key = (word(&["kind"]), word(&["metadata", "namespace"]), word(&["metadata", "name"]));
            let version = Version {
                uid: word(&["metadata", "uid"]),
                generation: word(&["metadata", "generation"]),
                resource_version: word(&["metadata", "resourceVersion"]),
            };
            self.0.insert(key, version);
        }
    }

    /// Reads the second look. None where a line of it is none.
    pub fn again(columns: &str) -> Option<Self> {
        let mut all = BTreeMap::new();
        for line in columns.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            let [kind, namespace, name, uid, generation, resource_version] = words.as_slice() else { return None };
            let key = ((*kind).to_owned(), (*namespace).to_owned(), (*name).to_owned());
            let version = Version {
                uid: (*uid).to_owned(),
                generation: (*generation).to_owned(),
                resource_version: (*resource_version).to_owned(),
            };
            all.insert(key, version);
        }
        Some(Self(all))
    }

    /// Tells whether there is nothing to look at again.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is not as it was read.
    pub fn changes(&self, again: &Self) -> Vec<Unread> {
        let of = |(kind, namespace, name): &(String, String, String), what: &str| {
            let object = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
            let reason = format!("{what} while the cluster was read: read it again");
            Unread { resource: kind.clone(), object: Some(object), reason }
        };
        let mut all = Vec::new();
        for (key, version) in &self.0 {
            match again.0.get(key) {
                None => all.push(of(key, "it was deleted")),
                Some(after) if !version.is(after) => all.push(of(key, "it changed")),
                Some(_) => {}
            }
        }
        // A name that no cluster takes was refused in the first look, and is nothing to speak of here.
        let is_named = |(_, namespace, name): &&(String, String, String)| {
            let fits = crate::fleet::schema::migration::is_object_name;
            fits(name) && (namespace.is_empty() || fits(namespace))
        };
        all.extend(
            again.0.keys().filter(|key| !self.0.contains_key(*key)).filter(is_named).map(|key| of(key, "it was made")),
        );
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> Seen {
        let mut seen = Seen::default();
        seen.add(
            r#"{"items": [{"kind": "Deployment", "metadata": {"name": "web", "namespace": "apps", "uid": "u", "generation": 2, "resourceVersion": "7"}},
                          {"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "apps", "uid": "v", "resourceVersion": "3"}}], "kind": "List", "apiVersion": "v1"}"#,
        );
        seen
    }

    fn changes(columns: &str) -> Vec<String> {
        let again = Seen::again(columns).unwrap();
        let shown = |unread: Unread| format!("{} {}: {}", unread.resource, unread.object.unwrap(), unread.reason);
        first().changes(&again).into_iter().map(shown).collect()
    }

    #[test]
    fn a_new_status_is_no_change_and_a_new_definition_is() {
        let claim = "PersistentVolumeClaim\tapps\tdata\tv\t\t3\n";
        assert!(changes(&format!("Deployment\tapps\tweb\tu\t2\t9\n{claim}")).is_empty());
        let changed = changes(&format!("Deployment\tapps\tweb\tu\t3\t9\n{claim}"));
        assert_eq!(changed, ["Deployment apps/web: it changed while the cluster was read: read it again"]);
    }

    #[test]
    fn what_came_went_or_was_made_anew_is_named() {
        let changed = changes(
            "Deployment\tapps\tweb\tother\t2\t9\nStatefulSet\tapps\tdb\tw\t1\t9\nStatefulSet\tapps\t$(id)\tw\t1\t9\n",
        );
        let words: Vec<&str> = changed.iter().filter_map(|line| line.split(" while").next()).collect();
        assert_eq!(
            words,
            [
                "Deployment apps/web: it changed",
                "PersistentVolumeClaim apps/data: it was deleted",
                "StatefulSet apps/db: it was made"
            ]
        );
    }

    #[test]
    fn a_second_look_that_cannot_be_read_is_none() {
        assert_eq!(Seen::again("hello\n"), None);
        assert_eq!(Seen::again(""), Some(Seen::default()));
    }
}
