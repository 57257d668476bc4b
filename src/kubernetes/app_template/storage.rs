//! What is mounted: claims, volumes, ConfigMaps and Secrets of the release.

use super::make::{Map, instead, text_like};
use super::{Controller, Release};
use crate::kubernetes::tree::{Node, Pair, Value};

/// What a mount says in the words of Kubernetes, beside its path.
const OF_MOUNT: &[&str] = &["subPath", "subPathExpr", "readOnly", "mountPropagation", "recursiveReadOnly"];

impl<'n, 's> Release<'n, 's> {
    /// Returns what is mounted, without what is switched off.
    fn persistence(&self) -> impl Iterator<Item = &'n Pair<'s>> + use<'n, 's> {
        let is_on = |node: &Node<'s>| node.bool_at("enabled").unwrap_or(true);
        self.values.map("persistence").iter().filter(move |pair| is_on(&pair.node))
    }

    /// Returns the volumes of the pods of a controller.
    pub(super) fn volumes(&mut self, controller: &Controller<'n, 's>) -> Vec<Node<'s>> {
        let mut all = Vec::new();
        for pair in self.persistence() {
            let node = &pair.node;
            let advanced = node.get("advancedMounts");
            let is_mounted = advanced.is_none_or(|mounts| mounts.get(controller.key).is_some())
                || !node.list("globalMounts").is_empty();
            if is_mounted && let Some(volume) = self.volume(pair) {
                all.push(volume);
            }
        }
        all
    }

    fn volume(&mut self, pair: &'n Pair<'s>) -> Option<Node<'s>> {
        let node = &pair.node;
        let take = |from: &Self, key: &str| node.get(key).map(|node| from.fill(node));
        let mut source = Map::new(node);
        let key = match kind(node) {
            "persistentVolumeClaim" => {
                source = match node.get("existingClaim").filter(|claim| !claim.is_null()) {
                    Some(claim) => source.node("claimName", self.fill(claim)),
                    None => {
                        let name = self.claim_name(pair);
                        source.text("claimName", &name)
                    }
                };
                "persistentVolumeClaim"
            }
            "emptyDir" => {
                source = source.some("medium", take(self, "medium")).some("sizeLimit", take(self, "sizeLimit"));
                "emptyDir"
            }
            "hostPath" => {
                source = source.some("path", take(self, "hostPath")).some("type", take(self, "hostPathType"));
                "hostPath"
            }
            "nfs" => {
                source = source.some("server", take(self, "server")).some("path", take(self, "path"));
                "nfs"
            }
            "configMap" => {
                source = source.some("name", self.named_text(node, "configMaps", "name"));
                source = self.text_options(source, node);
                "configMap"
            }
            "secret" => {
                source = source.some("secretName", self.named_text(node, "secrets", "name"));
                source = self.text_options(source, node);
                "secret"
            }
            "image" => {
                source = source.some("reference", take(self, "image")).some("pullPolicy", take(self, "pullPolicy"));
                "image"
            }
            "custom" => {
                let mut volume = Map::new(node).text("name", &pair.key);
                for pair in node.map("volumeSpec") {
                    volume = volume.node(pair.key.clone(), self.fill(&pair.node));
                }
                return Some(volume.end());
            }
            _ => {
                let text = format!(
                    "the chart knows no volume of the type of `persistence.{}`: what should be mounted there?",
                    pair.key
                );
                self.notes.ask(self.id, node, &format!("persistence-{}", pair.key), text, true);
                return None;
            }
        };
        for key in ["type", "enabled", "retain"] {
            if let Some(node) = node.get(key) {
                self.notes.replaced(node, "the volume that is made of the values beside it");
            }
        }
        Some(Map::new(node).text("name", &pair.key).node(key, source.end()).end())
    }

    fn text_options(&self, mut source: Map<'n, 's>, node: &'n Node<'s>) -> Map<'n, 's> {
        for key in ["items", "defaultMode", "optional"] {
            source = source.some(key, node.get(key).map(|node| self.fill(node)));
        }
        source
    }

    /// Returns the name of a ConfigMap or Secret that is named, or identified among those of the release.
    fn named_text(&mut self, node: &'n Node<'s>, kind: &'static str, key: &str) -> Option<Node<'s>> {
        if let Some(identifier) = node.get("identifier")
            && let Some(key) = identifier.text()
        {
            let name = self.text_name(kind, key);
            return Some(instead(identifier, name));
        }
        node.get(key).map(|name| self.fill(name))
    }

    /// Returns what a container mounts.
    pub(super) fn mounts(&mut self, controller: &Controller<'n, 's>, container: &str) -> Vec<Node<'s>> {
        let mut all = Vec::new();
        for pair in self.persistence() {
            let node = &pair.node;
            if self.version == 1 {
                all.extend(self.mount_of_1(pair));
                continue;
            }
            let (global, advanced) = (node.get("globalMounts"), node.get("advancedMounts"));
            let own = advanced.and_then(|mounts| mounts.at(&[controller.key, container]));
            let global_items = global.map_or(&[][..], Node::items);
            for mount in global_items.iter().chain(own.map_or(&[][..], Node::items)) {
                all.push(self.mount(pair, mount));
            }
            if global.is_none() && advanced.is_none() {
                all.push(Map::new(node).text("name", &pair.key).node("mountPath", usual_path(pair)).end());
            }
        }
        for claim in self.claim_templates(controller) {
            let (global, advanced) = (claim.get("globalMounts"), claim.get("advancedMounts"));
            let own = advanced.and_then(|mounts| mounts.get(container));
            let mounts = global.into_iter().chain(own).flat_map(Node::items);
            for mount in mounts {
                let named = Map::new(mount).some("name", claim.get("name").cloned());
                all.push(self.mount_with(named, mount, "path"));
            }
            if claim.get("mountPath").is_some() {
                let named = Map::new(claim).some("name", claim.get("name").cloned());
                all.push(self.mount_with(named, claim, "mountPath"));
            }
        }
        all
    }

    fn mount(&self, pair: &'n Pair<'s>, mount: &'n Node<'s>) -> Node<'s> {
        let map = Map::new(mount).text("name", &pair.key);
        let node = self.mount_with(map, mount, "path");
        if node.get("mountPath").is_some() {
            return node;
        }
        let Value::Mapping(mut pairs) = node.value else { return node };
        let path = usual_path(pair);
        pairs.push(Pair { key: "mountPath".into(), at: path.span, node: path });
        Node::made(Value::Mapping(pairs), mount)
    }

    fn mount_with(&self, mut map: Map<'n, 's>, mount: &'n Node<'s>, path: &str) -> Node<'s> {
        map = map.some("mountPath", mount.get(path).map(|path| self.fill(path)));
        for key in OF_MOUNT {
            map = map.some(*key, mount.get(key).map(|node| self.fill(node)));
        }
        map.end()
    }

    /// Returns the mount of version 1, where a volume has one.
    fn mount_of_1(&mut self, pair: &'n Pair<'s>) -> Option<Node<'s>> {
        let node = &pair.node;
        let path = node.get("mountPath");
        if let Some(off) = path.filter(|path| path.text() == Some("-")) {
            self.notes.dropped(off, "it says that the volume is not mounted");
            return None;
        }
        let mut map = Map::new(node).text("name", &pair.key);
        map = match path {
            Some(path) => map.node("mountPath", self.fill(path)),
            None => map.node("mountPath", usual_path(pair)),
        };
        for key in OF_MOUNT {
            map = map.some(*key, node.get(key).map(|node| self.fill(node)));
        }
        Some(map.end())
    }

    /// Returns what the claim of a volume is called.
    fn claim_name(&mut self, pair: &'n Pair<'s>) -> String {
        let count = self.persistence().filter(|pair| is_claim(&pair.node)).count();
        self.called(&pair.key, &pair.node, count, false)
    }

    /// Adds the claims that the release makes.
    pub(super) fn claims(&mut self) {
        let off = |node: &Node<'s>| node.bool_at("enabled") == Some(false);
        for pair in self.values.map("persistence").iter().filter(|pair| off(&pair.node)) {
            self.notes.dropped(&pair.node, "it is switched off in the release");
        }
        let own: Vec<&'n Pair<'s>> = self.persistence().filter(|pair| is_claim(&pair.node)).collect();
        for pair in own {
            let name = self.claim_name(pair);
            let spec = self.claim_spec(&pair.node);
            let metadata = self.metadata(&name, Some(&pair.node));
            self.add("v1", "PersistentVolumeClaim", metadata, vec![("spec", spec)]);
        }
    }

    /// Returns `spec` of a claim.
    pub(super) fn claim_spec(&self, claim: &'n Node<'s>) -> Node<'s> {
        let modes = claim.get("accessMode").map(super::make::list_of).or_else(|| claim.get("accessModes").cloned());
        let size = claim.get("size").map(|size| self.fill(size));
        let requests = Map::new(claim).map("requests", Map::new(claim).some("storage", size));
        // `-` is the chart's word for no class.
        let class = claim.get("storageClass").filter(|class| !class.is_null()).map(|class| match class.text() {
            Some("-") => instead(class, String::new()),
            _ => self.fill(class),
        });
        let mut map =
            Map::new(claim).some("accessModes", modes).map("resources", requests).some("storageClassName", class);
        for key in ["volumeName", "dataSource", "dataSourceRef"] {
            map = map.some(key, claim.get(key).map(|node| self.fill(node)));
        }
        map.end()
    }

    /// Returns what a ConfigMap or Secret of the release is called; `list` is `configMaps` or `secrets`.
    pub(super) fn text_name(&mut self, list: &'static str, key: &str) -> String {
        let pairs = self.values.map(list);
        let is_on = |pair: &&Pair<'s>| pair.node.bool_at("enabled") != Some(false);
        let count = pairs.iter().filter(is_on).count();
        match pairs.iter().find(|pair| pair.key == key) {
            Some(pair) => self.called(&pair.key, &pair.node, count, false),
            None => key.to_owned(),
        }
    }

    /// Adds the ConfigMaps and Secrets that the release makes.
    pub(super) fn texts(&mut self) {
        for (list, kind) in [("configMaps", "ConfigMap"), ("secrets", "Secret")] {
            for pair in self.enabled(list, |_| true) {
                let name = self.text_name(list, &pair.key);
                let metadata = self.metadata(&name, Some(&pair.node));
                let keys: &[&'static str] =
                    if kind == "Secret" { &["stringData", "data", "type"] } else { &["data", "binaryData"] };
                let parts = keys.iter().filter_map(|key| Some((*key, self.fill(pair.node.get(key)?))));
                self.add("v1", kind, metadata, parts.collect());
                for key in ["includeInChecksum"] {
                    if let Some(node) = pair.node.get(key) {
                        self.notes.replaced(node, "the service starts again when one of its files changes");
                    }
                }
            }
        }
    }
}

/// Returns the type of a volume.
fn kind<'a>(node: &'a Node<'_>) -> &'a str {
    match node.get("type").and_then(Node::text) {
        None | Some("pvc" | "") => "persistentVolumeClaim",
        Some(kind) => kind,
    }
}

/// Tells whether the release makes the claim of a volume.
fn is_claim(node: &Node<'_>) -> bool {
    kind(node) == "persistentVolumeClaim" && node.get("existingClaim").is_none_or(Node::is_null)
}

/// Returns where a volume is mounted that does not say so: by its name, or where it lies on the host.
fn usual_path<'s>(pair: &Pair<'s>) -> Node<'s> {
    match pair.node.get("hostPath") {
        Some(path) if kind(&pair.node) == "hostPath" => path.clone(),
        _ => text_like(&pair.node, &format!("/{}", pair.key)),
    }
}
