//! A mount of a container: what of which volume is where.

use super::{Site, is_path, slug};
use crate::kubernetes::context::Cx;
use crate::kubernetes::tree::Node;

/// A mount of a container.
#[derive(Debug)]
pub(super) struct Mount<'w, 's> {
    /// Where it stands.
    pub node: &'w Node<'s>,
    /// The volume, by name.
    pub volume: String,
    /// The path in the container, without a slash at its end.
    pub path: String,
    /// The part of the volume that is mounted.
    pub sub: Option<String>,
    /// Whether it cannot be written.
    pub read_only: bool,
}

impl Mount<'_, '_> {
    /// Returns the part of a path of the host that is mounted.
    pub(super) fn below(&self, path: &str) -> String {
        match &self.sub {
            Some(sub) => format!("{}/{sub}", path.trim_end_matches('/')),
            None => path.to_owned(),
        }
    }
}

/// Reads a mount and settles what is particular to it; none, with a question, where it cannot be carried over.
pub(super) fn read<'w, 's>(cx: &mut Cx<'w, 's>, site: &Site<'_, 'w, 's>, node: &'w Node<'s>) -> Option<Mount<'w, 's>> {
    let object = site.workload.object;
    let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or("");
    let volume = text("name").to_owned();
    let written = text("mountPath");
    // Kubernetes takes a path without a slash as one below the root.
    let path = format!("/{}", written.trim_matches('/'));
    if written.is_empty() || !is_path(&path) || path == "/" {
        let question = "the path of this mount is none that a container can be given: where should the volume be?";
        cx.ask(object, node, &format!("mount-{}-{}", site.service, slug(&volume)), question, true);
        return None;
    }
    if let Some(sub) = node.get("subPathExpr").filter(|sub| !sub.is_null()) {
        let question = format!(
            "which directory of the volume `{volume}` is it? Its name is put together of variables when the pod starts"
        );
        let answer = cx.ask(object, sub, &format!("sub-path-{}-{}", site.service, slug(&volume)), question, true);
        let Some(answer) = answer.map(|answer| answer.trim_matches('/')).filter(|sub| is_path(&format!("/{sub}")))
        else {
            cx.books.needs_you(node, "the directory of the volume is a question of its own");
            return None;
        };
        let read_only = node.bool_at("readOnly") == Some(true);
        return Some(Mount { node, volume, path, sub: Some(answer.to_owned()), read_only });
    }
    let sub = text("subPath").trim_matches('/').to_owned();
    let sub = Some(sub).filter(|sub| !sub.is_empty() && sub != ".");
    if let Some(sub) = sub.as_ref().filter(|sub| !is_path(&format!("/{sub}"))) {
        let question = match sub.contains("${") {
            true => "a part of `subPath` is still to be filled in: which directory of the volume is it?",
            false => "`subPath` is no path within the volume: which directory of it should be mounted?",
        };
        cx.ask(object, node, &format!("sub-path-{}-{}", site.service, slug(&volume)), question, true);
        return None;
    }
    propagation(cx, site, node, &volume);
    if let Some(recursive) = node.get("recursiveReadOnly") {
        cx.books.dropped(recursive, "mounts below a volume are not carried into the container");
    }
    Some(Mount { node, volume, path, sub, read_only: node.bool_at("readOnly") == Some(true) })
}

/// Settles `mountPropagation`: none is what a container has anyway.
fn propagation<'w, 's>(cx: &mut Cx<'w, 's>, site: &Site<'_, 'w, 's>, node: &'w Node<'s>, volume: &str) {
    let Some(propagation) = node.get("mountPropagation") else { return };
    match propagation.text() {
        Some("None" | "") | None => cx.books.dropped(propagation, "this is what a container has without it"),
        Some(_) => {
            let question = format!(
                "mounts that are made below the volume `{volume}` while the container runs are to be seen on the other side: \
                 is this needed on the host?"
            );
            let key = format!("propagation-{}-{}", site.service, slug(volume));
            cx.ask(site.workload.object, propagation, &key, question, false);
        }
    }
}
