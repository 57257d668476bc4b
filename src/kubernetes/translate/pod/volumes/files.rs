//! Files of objects at their paths in a container.

use super::mount::Mount;
use super::{Site, is_path};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::{Draft, FileDraft, SecretDraft, SecretTo};
use crate::kubernetes::tree::Node;

/// A file of a volume.
#[derive(Debug)]
pub(super) struct Entry<'w, 's> {
    /// Its path within the volume.
    pub path: String,
    /// What it holds.
    pub holds: Holds<'w, 's>,
    /// Its permissions in octal digits, where they are not 0644.
    pub mode: Option<String>,
}

/// What a file of a volume holds.
#[derive(Debug)]
pub(super) enum Holds<'w, 's> {
    /// What a key of a ConfigMap holds.
    Content {
        /// The key's value.
        node: &'w Node<'s>,
        /// Its bytes.
        content: Vec<u8>,
    },
    /// A text.
    Constant(String),
    /// A secret, by its name in `[secrets.items]`.
    Secret {
        /// The name.
        item: String,
    },
    /// What a question will tell.
    Later,
}

/// Puts the files of a volume where a container finds them.
pub(super) fn put<'w, 's>(
    cx: &mut Cx<'w, 's>,
    site: &Site<'_, 'w, 's>,
    mount: &Mount<'w, 's>,
    entries: Vec<Entry<'w, 's>>,
    draft: &mut Draft,
) {
    let (mut any, mut is_later, mut key) = (false, false, "files");
    let has_entries = !entries.is_empty();
    for entry in entries {
        if matches!(entry.holds, Holds::Later) {
            is_later = true;
            continue;
        }
        let Some(path) = target(mount, &entry.path) else { continue };
        if !is_path(&path) {
            cx.books.needs_you(
                mount.node,
                "a file of this volume has a path that a container cannot be given: where should it be?",
            );
            continue;
        }
        any = true;
        match entry.holds {
            Holds::Content { node, content } => {
                cx.books.translated(node, site.key("files"));
                file(draft, path, content, entry.mode);
            }
            Holds::Constant(text) => file(draft, path, text.into_bytes(), entry.mode),
            Holds::Secret { item } => {
                key = "secrets";
                let owner = site.rights.owner.clone();
                let to = SecretTo::File { path, mode: entry.mode, owner };
                let secret = SecretDraft { name: item, to };
                if !draft.secrets.contains(&secret) {
                    draft.secrets.push(secret);
                }
            }
            Holds::Later => {}
        }
    }
    if any {
        if let Some(at) = mount.node.get("mountPath").filter(|_| mount.sub.is_none()) {
            let how = format!(
                "each file by itself: what else the image has in {} stays visible, which the mount hid in the cluster",
                mount.path
            );
            cx.books.translated_as(at, site.key(key), how);
        }
        cx.books.translated(mount.node, site.key(key));
    } else if is_later {
        cx.books.needs_you(mount.node, WAITS);
    } else if has_entries {
        let text = "the volume has no file of the name in `subPath`: which one should be mounted here?";
        cx.ask(
            site.workload.object,
            mount.node,
            &format!("sub-path-{}-{}", site.service, super::slug(&mount.volume)),
            text,
            true,
        );
    }
}

/// What is said of a volume whose files another question is about.
pub(super) const WAITS: &str = "its files wait for a question: which ones there are, or what they hold";

/// Returns the path of a file in the container; none where another part of the volume is mounted.
fn target(mount: &Mount<'_, '_>, path: &str) -> Option<String> {
    let path = path.trim_matches('/');
    let Some(sub) = &mount.sub else { return Some(format!("{}/{path}", mount.path)) };
    let rest = path.strip_prefix(sub.as_str())?;
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", mount.path))
}

/// Adds a file; the first at a path counts.
fn file(draft: &mut Draft, path: String, content: Vec<u8>, mode: Option<String>) {
    if !draft.files.iter().any(|known| known.path == path) {
        draft.files.push(FileDraft { path, content, mode });
    }
}
