//! What is known of leaves before anything is translated: it comes up while objects are put together from several, when the books
//! are not open yet.

use super::context::Cx;
use super::ledger::{Disposition, Said};
use super::object::ObjectId;
use super::tree::{Leaf, Node};

/// What is known of leaves.
#[derive(Debug, Default)]
pub(super) struct Notes {
    settled: Vec<Settled>,
    asked: Vec<Asked>,
    follows: Vec<(Leaf, Leaf)>,
}

#[derive(Debug)]
struct Settled {
    leaf: Leaf,
    disposition: Disposition,
    to: Option<Said>,
    reason: Option<Said>,
}

#[derive(Debug)]
struct Asked {
    object: ObjectId,
    leaves: Vec<Leaf>,
    key: String,
    text: String,
    blocks: bool,
}

impl Notes {
    /// Notes that something else does what is said below a value.
    pub(super) fn replaced(&mut self, node: &Node<'_>, by: impl Into<Said>) {
        self.all(node, Disposition::Replaced, Some(&by.into()), None);
    }

    /// Notes that what is said below a value has no meaning on a host.
    pub(super) fn dropped(&mut self, node: &Node<'_>, reason: impl Into<Said>) {
        self.all(node, Disposition::Dropped, None, Some(&reason.into()));
    }

    fn all(&mut self, node: &Node<'_>, disposition: Disposition, to: Option<&Said>, reason: Option<&Said>) {
        node.each_leaf(&mut |_, leaf| {
            let (to, reason) = (to.cloned(), reason.cloned());
            self.settled.push(Settled { leaf: leaf.leaf(), disposition, to, reason });
        });
    }

    /// Notes that something took the place of a leaf.
    pub(super) fn lost(&mut self, leaf: Leaf, by: String) {
        self.settled.push(Settled { leaf, disposition: Disposition::Replaced, to: Some(by.into()), reason: None });
    }

    /// Notes a question about what is said below a value; questions of one object with one key are one.
    pub(super) fn ask(&mut self, object: ObjectId, node: &Node<'_>, key: &str, text: impl Into<String>, blocks: bool) {
        let mut leaves = Vec::new();
        node.each_leaf(&mut |_, leaf| leaves.push(leaf.leaf()));
        self.asked.push(Asked { object, leaves, key: key.to_owned(), text: text.into(), blocks });
    }

    /// Notes that everything below a value becomes what the first leaf of another one becomes: it is part of the same thing.
    pub(super) fn follows(&mut self, node: &Node<'_>, leader: &Node<'_>) {
        node.each_leaf(&mut |_, leaf| self.follows.push((leaf.leaf(), leader.leaf())));
    }

    /// Adds what others noted.
    pub(super) fn append(&mut self, mut other: Self) {
        self.settled.append(&mut other.settled);
        self.asked.append(&mut other.asked);
        self.follows.append(&mut other.follows);
    }

    /// Settles what is known before anything is translated.
    pub(super) fn settle(&self, cx: &mut Cx<'_, '_>) {
        for Settled { leaf, disposition, to, reason } in &self.settled {
            cx.books.note(*leaf, *disposition, to.clone(), reason.clone());
        }
        let world = cx.world;
        for Asked { object, leaves, key, text, blocks } in &self.asked {
            let Some(object) = world.object(*object) else { continue };
            for leaf in leaves {
                let node = world.object(ObjectId(leaf.owner)).and_then(|owner| owner.root.find_leaf(*leaf));
                if let Some(node) = node.filter(|node| !cx.books.is_settled(node)) {
                    cx.ask(object, node, key, text.clone(), *blocks);
                }
            }
        }
    }

    /// Settles what is part of something that was translated.
    pub(super) fn follow(&self, cx: &mut Cx<'_, '_>) {
        for (leaf, leader) in &self.follows {
            cx.books.follow(*leaf, *leader);
        }
    }
}
