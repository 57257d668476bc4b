//! Where claims go, and what of the host follows from it: datasets, directories, owners, moves.

use super::super::context::{Cx, Held, as_name};
use super::super::draft::{DatasetDraft, FilesystemDraft, MovedClaim, StateDraft};
use super::{Claim, Export, Key, Place};
use crate::units::Size;

impl Cx<'_, '_> {
    /// Returns the usual place of a claim, which the first request decides on.
    pub(in crate::kubernetes) fn claim_place(&mut self, key: &Key) -> Place {
        if let Some(place) = self.claims.all.get(key).and_then(|claim| claim.place.clone()) {
            return place;
        }
        let place = self.new_place(key);
        if let Place::Dataset { mount, .. } | Place::Directory(mount) = &place {
            self.claims.taken.insert(mount.clone());
        }
        self.claims.all.entry(key.clone()).or_default().place = Some(place.clone());
        place
    }

    fn new_place(&mut self, key: &Key) -> Place {
        let (name, mount) = self.claim_name(key);
        if let Some(claim) = self.claims.all.get(key) {
            if let Some(export) = claim.bound.export.clone() {
                return Place::Export(self.export_mount(&export, &name));
            }
            if claim.is_block {
                return Place::Unknown;
            }
        }
        let placed = self.target.placed.get(&format!("{}/{}", key.0, key.1)).cloned();
        if let Some(placed) = &placed {
            match &placed.held {
                Held::Own(pool, name) => {
                    let (pool, name) = (pool.clone(), name.clone());
                    return Place::Dataset { pool, name, mount: placed.path.clone() };
                }
                Held::Above => return Place::Directory(placed.path.clone()),
                Held::Nowhere => {}
            }
        }
        let mount = placed.map_or(mount, |placed| placed.path);
        let user = self.claims.all.get(key).and_then(|claim| claim.users.first().copied());
        match self.datasets_of(user) {
            Some(above) => {
                self.claims.taken.insert(name.clone());
                let (pool, below) = above.split_once('/').unwrap_or((above, ""));
                let name = if below.is_empty() { name } else { format!("{below}/{name}") };
                Place::Dataset { pool: pool.to_owned(), name, mount }
            }
            None => Place::Directory(mount),
        }
    }

    /// Returns the name of a claim's dataset, and where it is mounted: the service's own where it has one claim, the claim's own
    /// where several workloads share it.
    fn claim_name(&mut self, key: &Key) -> (String, String) {
        let (namespace, claim_name) = key;
        let users = self.claims.all.get(key).map(|claim| claim.users.clone()).unwrap_or_default();
        let template = self.claims.all.get(key).and_then(|claim| claim.template.clone());
        let world = self.world;
        let service = match users.as_slice() {
            [user] => world.object(*user).map(|object| self.service_name(object)),
            _ => None,
        };
        let mut words: Vec<(String, String)> = Vec::new();
        if let (Some(service), [user]) = (&service, users.as_slice()) {
            if self.claims.of_user.get(user).is_none_or(|count| *count < 2) {
                words.push((service.clone(), service.clone()));
            }
            let short = match &template {
                Some(template) => template.as_str(),
                None => claim_name.strip_prefix(&format!("{service}-")).unwrap_or(claim_name),
            };
            let short = as_name(short);
            words.push((format!("{service}-{short}"), format!("{service}/{short}")));
        }
        let own = as_name(claim_name);
        words.push((own.clone(), own));
        let with_namespace = as_name(&format!("{namespace}-{claim_name}"));
        words.push((with_namespace.clone(), with_namespace.clone()));
        words.extend((2..100).map(|number: u32| {
            let numbered = format!("{with_namespace}-{number}");
            (numbered.clone(), numbered)
        }));
        let free = words.into_iter().map(|(name, below)| (name, format!("/var/lib/{below}")));
        let mut free =
            free.filter(|(name, mount)| !self.claims.taken.contains(name) && !self.claims.taken.contains(mount));
        free.next().unwrap_or_else(|| (with_namespace.clone(), format!("/var/lib/{with_namespace}")))
    }

    /// Returns where an export of a file server is mounted: once, however many use it.
    pub(in crate::kubernetes) fn export_mount(&mut self, export: &Export, name: &str) -> String {
        let device = export.device();
        let known = self.host.filesystems.iter().find(|(_, mounted)| mounted.device == device);
        if let Some((path, _)) = known {
            let path = path.clone();
            if let Some(mounted) = self.host.filesystems.get_mut(&path) {
                for option in &export.options {
                    if !mounted.options.contains(option) {
                        mounted.options.push(option.clone());
                    }
                }
            }
            return path;
        }
        let name = as_name(name);
        let numbered = (2..).map(|number: u32| format!("/mnt/{name}-{number}"));
        let mut paths = std::iter::once(format!("/mnt/{name}")).chain(numbered);
        let path = paths.find(|path| !self.host.filesystems.contains_key(path)).unwrap_or_default();
        let mounted = FilesystemDraft { kind: "nfs".to_owned(), device, options: export.options.clone() };
        self.host.filesystems.insert(path.clone(), mounted);
        path
    }

    /// Returns the key of the definitions that a claim becomes.
    pub(in crate::kubernetes) fn claim_goes_to(&mut self, key: &Key) -> String {
        let redirected = self.claims.redirected.get(key).cloned();
        match (self.claim_place(key), redirected) {
            (Place::Dataset { pool, name, .. }, _) => format!("zfs.pools.{pool}.datasets.{name}"),
            (_, Some(path)) => format!("the state of a module, in {path}"),
            (Place::Directory(mount), None) => {
                match self.claims.all.get(key).and_then(|claim| claim.services.first()) {
                    Some(service) => format!("services.{service}.state"),
                    None => format!("the directory {mount}"),
                }
            }
            (Place::Export(mount), None) => format!("filesystems.{mount}"),
            (Place::Unknown, None) => "nothing yet".to_owned(),
        }
    }
}

/// Writes what follows from the places of claims: datasets, the owners of their files, and which data moves with which service.
pub(in crate::kubernetes) fn finish(cx: &mut Cx<'_, '_>) {
    for ((namespace, name), claim) in &mut cx.claims.all {
        if let Some(reason) = cx.target.left.get(&format!("{namespace}/{name}")) {
            claim.left = Some(reason.clone());
        }
    }
    let quotas: Vec<Option<String>> = cx.claims.all.iter().map(|(key, claim)| quota(cx, key, claim)).collect();
    let claims = std::mem::take(&mut cx.claims);
    for ((key, claim), quota) in claims.all.iter().zip(quotas) {
        let Some(mount) = claim.place.as_ref().and_then(Place::mount) else { continue };
        let redirected = claims.redirected.get(key);
        let mount = redirected.map_or(mount, String::as_str);
        let used = cx.target.used.get(&format!("{}/{}", key.0, key.1)).cloned();
        let service = service_of(cx, claim);
        let is_left = cx.target.left.contains_key(&format!("{}/{}", key.0, key.1));
        if let (Some(Place::Dataset { name, .. }), false) = (&claim.place, is_left) {
            let dataset = DatasetDraft {
                mount: mount.to_owned(),
                quota,
                // The owner is that of the service's state, which may be a number.
                backup: true,
                claim: format!("{}/{}", key.0, key.1),
            };
            cx.host.datasets.insert(name.clone(), dataset);
        }
        let Some(draft) = service.and_then(|service| cx.host.services.get_mut(&service)) else { continue };
        let is_export = matches!(claim.place, Some(Place::Export(_)));
        if redirected.is_none() && !is_export && !draft.state.iter().any(|state| state.path == mount) {
            let open = matches!(claim.place, Some(Place::Directory(_))) && claim.rights.owner.is_none();
            let mode = claim.rights.mode.clone().or_else(|| open.then(|| "0755".to_owned()));
            draft.state.push(StateDraft {
                path: mount.to_owned(),
                owner: claim.rights.owner.clone(),
                group: claim.rights.group.clone(),
                mode,
                rebuildable: false,
            });
        }
        let migration = draft.migration.get_or_insert_with(Default::default);
        let stays = match &claim.bound.export {
            Some(export) if is_export => Some(format!("it stays on {}, which this host mounts", export.device())),
            _ => claim.left.clone(),
        };
        if let Some(reason) = stays {
            migration.leave.push((key.1.clone(), reason));
        } else if !migration.volumes.iter().any(|moved| moved.claim == key.1) {
            migration.volumes.push(MovedClaim {
                claim: key.1.clone(),
                sub_path: None,
                to: mount.to_owned(),
                paths: Vec::new(),
                used: used.as_ref().map(Size::to_string),
                dump: None,
                owner: claim.rights.owner.clone(),
            });
        }
    }
    for (key, claim) in claims.all.iter().filter(|(_, claim)| claim.place.is_none()) {
        let (Some(reason), Some(service)) = (&claim.left, service_of(cx, claim)) else { continue };
        if let Some(draft) = cx.host.services.get_mut(&service) {
            draft.migration.get_or_insert_with(Default::default).leave.push((key.1.clone(), reason.clone()));
        }
    }
    cx.claims = claims;
}

/// Returns the service that a claim moves with: the first whose container mounts it, else that of its first workload.
fn service_of(cx: &Cx<'_, '_>, claim: &Claim) -> Option<String> {
    let of_user = || claim.users.iter().find_map(|user| cx.services.get(user));
    let mounting = claim.services.iter().find(|service| cx.host.services.contains_key(*service));
    mounting.or_else(of_user).filter(|service| cx.host.services.contains_key(*service)).cloned()
}

/// Returns how much a claim's dataset may hold: an answer, else what the claim asks for, unless it holds more.
fn quota(cx: &Cx<'_, '_>, key: &Key, claim: &Claim) -> Option<String> {
    if let Some(size) = cx.target.answers.get(&cx.size_question(key)).and_then(|answer| size(answer)) {
        return Some(size.to_string());
    }
    let requested = claim.requested.filter(|bytes| *bytes > 0)?;
    let used = cx.target.used.get(&format!("{}/{}", key.0, key.1));
    let holds_more = used.is_some_and(|used| used.bytes() > requested);
    (!holds_more).then(|| Size::of_bytes(requested).to_string())
}

/// Returns a size as a host's definition or as Kubernetes writes it.
fn size(text: &str) -> Option<Size> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<crate::units::Quantity>().ok()?.size())
}

#[cfg(test)]
mod tests {
    use crate::kubernetes::Inventory;
    use crate::kubernetes::context::{Held, Placed};
    use crate::kubernetes::sample::with;

    const YAML: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web, namespace: apps }\nspec:\n  template:\n    spec:\n      containers: [{ name: web, image: docker.io/a/web:1, volumeMounts: [{ name: data, mountPath: /data }] }]\n      volumes: [{ name: data, persistentVolumeClaim: { claimName: web-data } }]\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: web-data, namespace: apps }\nspec: { resources: { requests: { storage: 5Gi } } }\n";

    /// Returns the datasets with their mounts, and where the container has its data from.
    fn told(inventory: &Inventory) -> (Vec<String>, Vec<String>) {
        let datasets = inventory.host.datasets.iter().map(|(name, dataset)| format!("{name} {}", dataset.mount));
        let web = inventory.host.services.get("web").and_then(|draft| draft.as_container()).unwrap();
        (datasets.collect(), web.volumes.iter().map(|volume| volume.source.clone()).collect())
    }

    #[test]
    fn what_a_definition_moves_elsewhere_is_not_put_back() {
        let at = |held: Held| {
            told(&with(YAML, |target| {
                let placed = Placed { path: "/srv/web".to_owned(), held };
                target.placed.insert("apps/web-data".to_owned(), placed);
            }))
        };
        let there = || vec!["/srv/web".to_owned()];
        let pair = |dataset: &str| (vec![dataset.to_owned()], there());
        assert_eq!(at(Held::Own("rpool".to_owned(), "sites".to_owned())), pair("sites /srv/web"));
        assert_eq!(at(Held::Above), (Vec::new(), there()));
        // Where no dataset holds it there will be one, at the very path.
        assert_eq!(at(Held::Nowhere), pair("safe/web /srv/web"));
    }

    #[test]
    fn what_a_definition_leaves_behind_has_no_dataset() {
        let inventory = with(YAML, |target| {
            target.left.insert("apps/web-data".to_owned(), "made again".to_owned());
        });
        assert_eq!(told(&inventory).0, Vec::<String>::new());
        let web = inventory.host.services.get("web").unwrap().migration.as_ref().unwrap();
        assert_eq!(web.leave, [("web-data".to_owned(), "made again".to_owned())]);
        assert!(web.volumes.is_empty());
    }
}
