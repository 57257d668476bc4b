//! What becomes of leaves that no translator settled: the table of fields, and in the end a question.
//!
//! The table is data (`facts/kubernetes/fields.toml`). An object's tree and the table's patterns are walked together, once; objects
//! do not depend on each other here, so they are walked on all processors. A field that the table lacks is asked about, once an
//! object; so is an object of a kind that the table lacks.
//!
//! Invariant: afterwards every leaf of every object is settled.

mod table;

#[cfg(test)]
mod coverage;

use rayon::iter::ParallelIterator as _;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, IntoParallelRefMutIterator as _};

use self::table::{LineId, StepId, TABLE, Table};
use super::context::Cx;
use super::ledger::{Account, Disposition, Entry, Said};
use super::object::Object;
use super::tree::{Node, Value};

/// Settles every leaf that is not settled yet.
pub(super) fn settle_rest(cx: &mut Cx<'_, '_>) {
    let world = cx.world;
    let table: &'static Table = &TABLE;
    let accounts = cx.books.accounts_mut();
    // What an object is made into says what its fields are; what the table lacks there is asked about where it stands.
    for object in world.objects() {
        let Some(from) = object.made_from else { continue };
        let mut is_whole = true;
        object.tree().each_leaf(&mut |_, leaf| is_whole &= leaf.leaf().owner == from.0);
        if let Some(account) = accounts.get_mut(from.0 as usize).filter(|_| is_whole) {
            Walk::made(table, object, account);
        }
    }
    let left: Vec<Left<'_, '_>> = world
        .objects()
        .par_iter()
        .zip(accounts.par_iter_mut())
        // What another object made is settled as a whole, and most of a dump.
        .filter(|(object, account)| object.made_from.is_none() && !account.is_settled())
        .map(|(object, account)| Walk::over(table, object, account))
        .filter(|left| !left.is_empty())
        .collect();
    for left in left {
        ask(cx, table, left);
    }
}

/// What a person has to decide of an object.
struct Left<'w, 's> {
    object: &'w Object<'s>,
    /// Fields that the table leaves to a person, with their lines.
    asked: Vec<(LineId, &'w Node<'s>)>,
    /// Leaves that the table lacks.
    unknown: Vec<&'w Node<'s>>,
    /// Where those stand: the first few, without numbers of elements.
    paths: Vec<String>,
    /// How many fields with other paths there are.
    more: usize,
    /// Whether the table knows the kind.
    known: bool,
}

impl Left<'_, '_> {
    fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.unknown.is_empty()
    }
}

fn ask<'w, 's>(cx: &mut Cx<'w, 's>, table: &'static Table, left: Left<'w, 's>) {
    let Left { object, mut asked, unknown, paths, more, known } = left;
    asked.sort_by_key(|(line, _)| *line);
    for group in asked.chunk_by(|(one, _), (other, _)| one == other) {
        let nodes: Vec<&Node<'_>> = group.iter().map(|(_, node)| *node).collect();
        if let Some(line) = group.first().and_then(|(line, _)| table.line(*line)) {
            cx.ask_once(object, &nodes, &line.key, line.text.as_str(), false);
        }
    }
    if unknown.is_empty() {
        return;
    }
    if !known {
        cx.ask(object, object.tree(), "kind", unknown_kind(object), false);
        return;
    }
    let mut shown = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {more} more"));
    }
    let text = format!("no translation is known for {shown} of this {}: what does it do for you there?", object.kind);
    cx.ask_once(object, &unknown, "fields", text, false);
}

fn unknown_kind(object: &Object<'_>) -> String {
    let kind = &object.kind;
    match object.group() {
        "" => format!("{kind} is no kind of the core API that is known here: what should take its place on the host?"),
        group => format!(
            "{kind} belongs to a program of the cluster ({group}), which reads it and acts on it: find out what that program did with `{}` for you, and say what does it on the host",
            object.shown_name()
        ),
    }
}

/// A walk over one object.
struct Walk<'w, 's, 'a> {
    table: &'static Table,
    account: &'a mut Account,
    /// Entries of lines that were used already; an object uses few of them.
    entries: Vec<(LineId, Entry)>,
    null: Option<Entry>,
    empty: Option<Entry>,
    route: Vec<Part<'w>>,
    left: Left<'w, 's>,
}

#[derive(Clone, Copy)]
enum Part<'w> {
    Key(&'w str),
    Item,
}

/// How many paths a question names.
const SHOWN: usize = 6;

impl<'w, 's, 'a> Walk<'w, 's, 'a> {
    fn over(table: &'static Table, object: &'w Object<'s>, account: &'a mut Account) -> Left<'w, 's> {
        let (start, known) = table.start(object.group(), &object.kind);
        let left = Left { object, asked: Vec::new(), unknown: Vec::new(), paths: Vec::new(), more: 0, known };
        let mut walk = Self { table, account, entries: Vec::new(), null: None, empty: None, route: Vec::new(), left };
        walk.overridden();
        walk.value(&object.root, Some(start), None);
        walk.left
    }

    /// Settles what the table knows of an object that was made of another one, in the account of that one.
    fn made(table: &'static Table, object: &'w Object<'s>, account: &'a mut Account) {
        let (start, known) = table.start(object.group(), &object.kind);
        let left = Left { object, asked: Vec::new(), unknown: Vec::new(), paths: Vec::new(), more: 0, known };
        let mut walk = Self { table, account, entries: Vec::new(), null: None, empty: None, route: Vec::new(), left };
        walk.value(object.tree(), Some(start), None);
    }

    /// Settles what a patch took out of the object.
    fn overridden(&mut self) {
        let object = self.left.object;
        let Some(patched) = &object.patched else { return };
        let mut kept = vec![false; object.leaves as usize];
        mark(patched, object.id.0, &mut kept);
        let reason = "a patch of the kustomization sets something else, or removes it";
        let entry = self.account.entry(Disposition::Dropped, None, Some(reason.into()));
        settle_lost(&object.root, &kept, self.account, entry);
    }

    fn value(&mut self, node: &'w Node<'s>, step: Option<StepId>, above: Option<LineId>) {
        let step = step.and_then(|step| self.table.step(step));
        let below = step.and_then(|step| step.below).or(above);
        if node.is_leaf() {
            if self.account.is_open(node) {
                let line = step.and_then(|step| step.leaf(Some(shown(node)))).or(below);
                self.leaf(node, line);
            }
            return;
        }
        let Some(step) = step.filter(|step| !step.is_last()) else { return self.all(node, below) };
        match &node.value {
            Value::Sequence(items) => {
                self.route.push(Part::Item);
                for item in items {
                    self.value(item, step.item, below);
                }
                self.route.pop();
            }
            Value::Mapping(pairs) => {
                for pair in pairs {
                    self.route.push(Part::Key(&pair.key));
                    self.value(&pair.node, step.key(&pair.key), below);
                    self.route.pop();
                }
            }
            Value::Plain(_) | Value::Text(_) => {}
        }
    }

    /// Settles all leaves below a value that no pattern goes into.
    fn all(&mut self, node: &'w Node<'s>, line: Option<LineId>) {
        if let Some(id) = line
            && let Some(entry) = self.entry(id)
        {
            return self.account.settle_below(node, entry);
        }
        let (before, asked) = (self.left.unknown.len(), self.left.asked.len());
        self.collect(node, line);
        if self.left.unknown.len() > before && self.left.asked.len() == asked {
            self.note();
        }
    }

    fn collect(&mut self, node: &'w Node<'s>, line: Option<LineId>) {
        if node.is_leaf() {
            if self.account.is_open(node) {
                match line {
                    _ if node.is_null() => self.nothing(node),
                    Some(line) => self.left.asked.push((line, node)),
                    None => self.left.unknown.push(node),
                }
            }
            return;
        }
        node.items().iter().for_each(|item| self.collect(item, line));
        node.pairs().iter().for_each(|pair| self.collect(&pair.node, line));
    }

    fn leaf(&mut self, node: &'w Node<'s>, line: Option<LineId>) {
        let Some(id) = line else {
            if node.text().is_none() || node.is_null() {
                return self.nothing(node);
            }
            self.left.unknown.push(node);
            return self.note();
        };
        match self.entry(id) {
            Some(entry) => self.account.settle(node, entry),
            None if node.is_null() => self.nothing(node),
            None => self.left.asked.push((id, node)),
        }
    }

    /// Settles null, an empty list or an empty mapping.
    fn nothing(&mut self, node: &Node<'_>) {
        let (known, reason) = match node.text() {
            Some(_) => (&mut self.null, "null: Kubernetes treats the field as if it were not there"),
            None => (&mut self.empty, "empty: nothing is asked for"),
        };
        let account = &mut *self.account;
        let entry = *known.get_or_insert_with(|| account.entry(Disposition::Dropped, None, Some(reason.into())));
        account.settle(node, entry);
    }

    /// Returns the entry of a line; none where it asks.
    fn entry(&mut self, id: LineId) -> Option<Entry> {
        if let Some((_, entry)) = self.entries.iter().find(|(known, _)| *known == id) {
            return Some(*entry);
        }
        let line = self.table.line(id)?;
        let text: Said = line.text.as_str().into();
        let entry = match line.disposition {
            Disposition::NeedsYou => return None,
            Disposition::Dropped => self.account.entry(Disposition::Dropped, None, Some(text)),
            other => self.account.entry(other, Some(text), None),
        };
        self.entries.push((id, entry));
        Some(entry)
    }

    /// Notes the path of a field that the table lacks.
    fn note(&mut self) {
        if self.left.paths.len() == SHOWN {
            self.left.more += 1;
            return;
        }
        let path = route(&self.route);
        if !self.left.paths.contains(&path) {
            self.left.paths.push(path);
        }
    }
}

/// Returns a leaf as the table writes it.
fn shown<'n>(node: &'n Node<'_>) -> &'n str {
    match &node.value {
        Value::Plain(text) | Value::Text(text) => text,
        Value::Sequence(_) => "[]",
        Value::Mapping(_) => "{}",
    }
}

fn route(parts: &[Part<'_>]) -> String {
    let mut path = String::new();
    for part in parts {
        match part {
            Part::Item => path.push_str("[]"),
            Part::Key(key) => super::tree::push_key(&mut path, key),
        }
    }
    path
}

/// Notes which leaves of an object a tree still has.
fn mark(node: &Node<'_>, owner: u32, kept: &mut [bool]) {
    if node.is_leaf() {
        if node.leaf().owner == owner
            && let Some(place) = kept.get_mut(node.leaf().number as usize)
        {
            *place = true;
        }
        return;
    }
    node.items().iter().for_each(|item| mark(item, owner, kept));
    node.pairs().iter().for_each(|pair| mark(&pair.node, owner, kept));
}

fn settle_lost(node: &Node<'_>, kept: &[bool], account: &mut Account, entry: Entry) {
    if node.is_leaf() {
        if kept.get(node.leaf().number as usize) == Some(&false) {
            account.settle(node, entry);
        }
        return;
    }
    node.items().iter().for_each(|item| settle_lost(item, kept, account, entry));
    node.pairs().iter().for_each(|pair| settle_lost(&pair.node, kept, account, entry));
}
