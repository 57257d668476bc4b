//! The ledger: every leaf of every object has exactly one disposition.
//!
//! [`Books`] is filled while objects are translated: who understands a field settles its leaves, first come, first served, and what
//! nobody settled is settled by the table of fields in the end. [`Ledger`] is what leaves the program: plain data.
//!
//! Invariant: the dispositions of an object add up to its leaves. [`Books::close`] refuses anything else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use super::claims::{CapacityEntry, ClaimEntry};
use super::graph::{Edge, Way};
use super::live::Reading;
use super::lost::LostEntry;
use super::placement::PlacementEntry;
use super::restorers::Restorer;
use super::timeline::TimelineEntry;
use super::tree::{Leaf, Node};

/// What became of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// It went to a key of a definition.
    Translated,
    /// Something else does the same.
    Replaced,
    /// It has no meaning on a host.
    Dropped,
    /// A person has to decide.
    NeedsYou,
}

impl Disposition {
    /// Returns the word for people and machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Translated => "translated",
            Self::Replaced => "replaced",
            Self::Dropped => "dropped",
            Self::NeedsYou => "needs-you",
        }
    }
}

/// What became of a leaf, with texts by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    disposition: Disposition,
    to: Option<u32>,
    reason: Option<u32>,
}

/// What becomes of leaves, with the entry in the account that the last one is of.
struct Verdict {
    disposition: Disposition,
    to: Option<Said>,
    reason: Option<Said>,
    last: Option<(u32, Entry)>,
}

/// What became of the leaves of one object.
#[derive(Debug, Default)]
pub(super) struct Account {
    entries: Vec<Option<Entry>>,
    texts: IndexSet<Cow<'static, str>, RandomState>,
}

impl Account {
    fn text(&mut self, text: Cow<'static, str>) -> u32 {
        u32::try_from(self.texts.insert_full(text).0).unwrap_or(u32::MAX)
    }

    fn shown(&self, text: Option<u32>) -> Option<&str> {
        self.texts.get_index(text? as usize).map(AsRef::as_ref)
    }

    /// Returns what many leaves of the object may be settled as.
    pub(super) fn entry(&mut self, disposition: Disposition, to: Option<Said>, reason: Option<Said>) -> Entry {
        let to = to.map(|text| self.text(text));
        let reason = reason.map(|text| self.text(text));
        Entry { disposition, to, reason }
    }

    /// Tells whether a leaf of the object is not settled yet.
    pub(super) fn is_open(&self, leaf: &Node<'_>) -> bool {
        self.entries.get(leaf.leaf().number as usize).is_some_and(Option::is_none)
    }

    /// Settles a leaf of the object, unless it is settled.
    pub(super) fn settle(&mut self, leaf: &Node<'_>, entry: Entry) {
        if let Some(place) = self.entries.get_mut(leaf.leaf().number as usize) {
            place.get_or_insert(entry);
        }
    }

    /// Tells whether every leaf of the object is settled.
    pub(super) fn is_settled(&self) -> bool {
        self.entries.iter().all(Option::is_some)
    }

    /// Settles what is not settled yet of the whole object.
    pub(super) fn settle_rest(&mut self, entry: Entry) {
        self.entries.iter_mut().for_each(|place| *place = place.or(Some(entry)));
    }

    /// Settles what is not settled yet below a value of the object.
    pub(super) fn settle_below(&mut self, node: &Node<'_>, entry: Entry) {
        if node.is_leaf() {
            return self.settle(node, entry);
        }
        node.items().iter().for_each(|item| self.settle_below(item, entry));
        node.pairs().iter().for_each(|pair| self.settle_below(&pair.node, entry));
    }
}

/// A leaf of an object that nobody settled: a defect of this program, never of its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("internal error: leaf {leaf} of object {object} has no disposition")]
pub struct Unsettled {
    /// The number of the object.
    pub object: usize,
    /// The number of the leaf.
    pub leaf: usize,
}

/// What became of the leaves of all objects.
#[derive(Debug, Default)]
pub struct Books {
    accounts: Vec<Account>,
}

/// Where a leaf went, or why it did not: any text that makes a sentence of the ledger.
pub type Said = Cow<'static, str>;

impl Books {
    /// Opens the account of the next object.
    pub(super) fn open(&mut self, leaves: u32) {
        self.accounts.push(Account { entries: vec![None; leaves as usize], texts: IndexSet::default() });
    }

    /// Settles what is not settled yet below a value as translated to a key of the definitions (`services.gitea.image`).
    pub fn translated(&mut self, node: &Node<'_>, to: impl Into<Said>) {
        self.settle(node, Disposition::Translated, Some(to.into()), None);
    }

    /// Settles what is not settled yet below a value as translated, with what became different.
    pub fn translated_as(&mut self, node: &Node<'_>, to: impl Into<Said>, how: impl Into<Said>) {
        self.settle(node, Disposition::Translated, Some(to.into()), Some(how.into()));
    }

    /// Settles what is not settled yet below a value as replaced by something that does the same.
    pub fn replaced(&mut self, node: &Node<'_>, by: impl Into<Said>) {
        self.settle(node, Disposition::Replaced, Some(by.into()), None);
    }

    /// Settles what is not settled yet below a value as dropped, for a reason.
    pub fn dropped(&mut self, node: &Node<'_>, reason: impl Into<Said>) {
        self.settle(node, Disposition::Dropped, None, Some(reason.into()));
    }

    /// Settles what is not settled yet below a value as something that a person has to decide.
    pub fn needs_you(&mut self, node: &Node<'_>, question: impl Into<Said>) {
        self.settle(node, Disposition::NeedsYou, None, Some(question.into()));
    }

    /// Settles what is not settled yet below a value; its leaves may be of several objects.
    pub fn settle(&mut self, node: &Node<'_>, disposition: Disposition, to: Option<Said>, reason: Option<Said>) {
        self.settle_below(node, &mut Verdict { disposition, to, reason, last: None });
    }

    /// Returns the accounts of all objects, by their numbers: what concerns one object alone needs none of the others.
    pub(super) fn accounts_mut(&mut self) -> &mut [Account] {
        &mut self.accounts
    }

    fn settle_below(&mut self, node: &Node<'_>, verdict: &mut Verdict) {
        if node.is_leaf() {
            return self.settle_leaf(node.leaf(), verdict);
        }
        node.items().iter().for_each(|item| self.settle_below(item, verdict));
        node.pairs().iter().for_each(|pair| self.settle_below(&pair.node, verdict));
    }

    fn settle_leaf(&mut self, leaf: Leaf, verdict: &mut Verdict) {
        let Some(account) = self.accounts.get_mut(leaf.owner as usize) else { return };
        if !account.entries.get(leaf.number as usize).is_some_and(Option::is_none) {
            return;
        }
        let entry = match verdict.last {
            Some((owner, entry)) if owner == leaf.owner => entry,
            _ => {
                let to = verdict.to.clone().map(|text| account.text(text));
                let reason = verdict.reason.clone().map(|text| account.text(text));
                Entry { disposition: verdict.disposition, to, reason }
            }
        };
        verdict.last = Some((leaf.owner, entry));
        if let Some(place) = account.entries.get_mut(leaf.number as usize) {
            *place = Some(entry);
        }
    }

    /// Settles one leaf, unless it is settled.
    pub(super) fn note(&mut self, leaf: Leaf, disposition: Disposition, to: Option<Said>, reason: Option<Said>) {
        self.settle_leaf(leaf, &mut Verdict { disposition, to, reason, last: None });
    }

    /// Settles a leaf as another one is, unless it is settled or the other is not.
    pub(super) fn follow(&mut self, leaf: Leaf, leader: Leaf) {
        let Some(account) = self.accounts.get(leader.owner as usize) else { return };
        let Some(entry) = account.entries.get(leader.number as usize).copied().flatten() else { return };
        let said = |text: Option<u32>| account.shown(text).map(|text| Cow::Owned(text.to_owned()));
        let (to, reason) = (said(entry.to), said(entry.reason));
        self.note(leaf, entry.disposition, to, reason);
    }

    /// Tells whether every leaf below a value is settled.
    pub fn is_settled(&self, node: &Node<'_>) -> bool {
        if node.is_leaf() {
            let account = self.accounts.get(node.leaf().owner as usize);
            return account
                .and_then(|account| account.entries.get(node.leaf().number as usize))
                .is_none_or(Option::is_some);
        }
        node.items().iter().all(|item| self.is_settled(item))
            && node.pairs().iter().all(|pair| self.is_settled(&pair.node))
    }

    /// Returns the sums of an object; fails where a leaf is not settled.
    pub fn close(&self, object: usize) -> Result<Totals, Unsettled> {
        let mut totals = Totals { objects: 1, ..Totals::default() };
        let Some(account) = self.accounts.get(object) else { return Ok(totals) };
        for (leaf, entry) in account.entries.iter().enumerate() {
            totals.add(entry.ok_or(Unsettled { object, leaf })?.disposition);
        }
        Ok(totals)
    }

    /// Returns what became of a leaf: disposition, where it went, the reason.
    pub fn of(&self, node: &Node<'_>) -> Option<(Disposition, Option<&str>, Option<&str>)> {
        let account = self.accounts.get(node.leaf().owner as usize)?;
        let entry = (*account.entries.get(node.leaf().number as usize)?)?;
        Some((entry.disposition, account.shown(entry.to), account.shown(entry.reason)))
    }
}

/// Sums over leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Objects.
    pub objects: usize,
    /// Leaves: the sum of the four.
    pub leaves: usize,
    /// Leaves that went to a key of a definition.
    pub translated: usize,
    /// Leaves that something else does.
    pub replaced: usize,
    /// Leaves without meaning on a host.
    pub dropped: usize,
    /// Leaves that a person has to decide.
    pub needs_you: usize,
}

impl Totals {
    fn add(&mut self, disposition: Disposition) {
        self.leaves += 1;
        *match disposition {
            Disposition::Translated => &mut self.translated,
            Disposition::Replaced => &mut self.replaced,
            Disposition::Dropped => &mut self.dropped,
            Disposition::NeedsYou => &mut self.needs_you,
        } += 1;
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.leaves += other.leaves;
        self.translated += other.translated;
        self.replaced += other.replaced;
        self.dropped += other.dropped;
        self.needs_you += other.needs_you;
    }
}

/// What became of one leaf, for people and machines.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldEntry {
    /// The path of the leaf: `spec.template.spec.containers[0].image`.
    pub path: String,
    /// What became of it.
    pub disposition: Disposition,
    /// Where it went: a key of a definition, or what replaces it.
    pub to: Option<String>,
    /// Why it did not, or what became different; of needs-you the question.
    pub reason: Option<String>,
}

/// One object of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ObjectEntry {
    /// `apiVersion`, as written.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`; none where it has none.
    pub namespace: Option<String>,
    /// `metadata.name`, or `metadata.generateName` with a `*`; empty where it has neither.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// The line it begins on, from 1.
    pub line: u32,
    /// How many leaves it has.
    pub leaves: usize,
    /// Its sums.
    #[serde(skip)]
    pub totals: Totals,
    /// The object that made it, as `Kind/name`, where it was not written by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Every leaf; left out in a summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<FieldEntry>>,
}

/// A file, or a document of it, that is not read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RefusedEntry {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// Why.
    pub reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Something that a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct QuestionEntry {
    /// What an answer is filed under: `apps/Deployment/gitea#image`.
    pub id: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The path of the field.
    pub path: String,
    /// The question, in one or two sentences.
    pub question: String,
    /// Whether the plan cannot be carried out before it is answered.
    pub blocks: bool,
    /// How many leaves it stands for.
    pub leaves: usize,
}

/// A workload and what it becomes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WorkloadEntry {
    /// The object: `apps/Deployment/gitea`.
    pub object: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace and name.
    pub name: String,
    /// The services that it becomes, the main one first; empty where nothing runs.
    pub services: Vec<String>,
    /// What the main one is: `native gitea`, `container docker.io/library/nginx:1.27`; empty where nothing runs.
    pub becomes: String,
    /// Why it is a container and no module of NixOS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The host that it goes to, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Claims that move, as (claim, path on the host, size where it is known).
    pub state: Vec<StateEntry>,
    /// Questions about it that block.
    pub blocking: usize,
}

/// A claim of a workload.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StateEntry {
    /// The claim.
    pub claim: String,
    /// Where it goes.
    pub to: String,
    /// Used bytes, as a size.
    pub used: Option<String>,
}

/// What is added to a host's definition.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Definitions {
    /// The host.
    pub host: String,
    /// The keys, as TOML.
    pub toml: String,
    /// Files that it names, below the fleet's folder.
    pub files: Vec<String>,
}

/// The inventory as it leaves the program.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Ledger {
    /// The version of the form.
    pub version: u32,
    /// How many files were read.
    pub files: usize,
    /// Every object with its leaves.
    pub objects: Vec<ObjectEntry>,
    /// What was not read.
    pub refused: Vec<RefusedEntry>,
    /// What a person has to decide, in the order in which it blocks.
    pub questions: Vec<QuestionEntry>,
    /// What runs, and what it becomes.
    pub workloads: Vec<WorkloadEntry>,
    /// Every claim: what it asks for, where its data lies, and where it goes.
    pub claims: Vec<ClaimEntry>,
    /// Which service speaks with which.
    pub talks: Vec<Edge>,
    /// How each service is reached from outside of its containers' network.
    pub reached_by: BTreeMap<String, Vec<Way>>,
    /// What would bring back what, outermost first.
    pub restorers: Vec<Restorer>,
    /// What a cluster did that hosts do not, the gravest first.
    pub lost: Vec<LostEntry>,
    /// What the host has room for; absent in an inventory alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityEntry>,
    /// What is added to the host; absent in an inventory alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definitions: Option<Definitions>,
    /// How the cluster itself was read; absent where files were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// Which host each workload goes to; absent where there are not several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementEntry>,
    /// The moves of hosts whose definitions have services of a cluster already, step by step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timelines: Vec<TimelineEntry>,
    /// The sums.
    pub totals: Totals,
}

/// What a run adds to what the input says.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What the host has room for.
    pub capacity: Option<CapacityEntry>,
    /// What is added to the host.
    pub definitions: Option<Definitions>,
    /// Which host of several each workload goes to.
    pub placement: Option<PlacementEntry>,
    /// The moves that can be planned.
    pub timelines: Vec<TimelineEntry>,
}
