//! The options of a NixOS release: which names there are, what type each has, and what became of old names.
//!
//! Here belong: finding a name in a packed table, aliases, what may stand below an option. Not here: `nearest`, `value`.
//!
//! An option index is a tree of name segments. A name that is no declared option may still be legal: below an
//! attribute set, in an open submodule or in a JSON value. Where the tables cannot tell, a name is legal.
//!
//! Layout, sections after the strings: 1 release, base, month of the source, releases it is exact for,
//! 1 when hidden options are missing, 1 when it is known which members modules fill in; 2 nodes (20 bytes: segment, first child, number of children with [`flag`]s in the
//! top byte, type or none, default or none), breadth first, children sorted with placeholders first; 3 types (see
//! `types`); 5 names of packages (see
//! `attributes`); 4 aliases by node (28 bytes: node, kind, target, end of a chain (empty: a removal), text, file, since).

use super::below::below;
use super::bytes::{NONE, Packed};
use super::name::{is_placeholder, split_name};
use super::packages::Packages;
use super::types::Type;
use crate::units::Release;

/// What a node is, as bits.
pub(super) mod flag {
    pub(crate) const OPTION: u8 = 1;
    pub(crate) const HIDDEN: u8 = 2;
    pub(crate) const INTERNAL: u8 = 4;
    pub(crate) const READ_ONLY: u8 = 8;
    pub(crate) const REQUIRED: u8 = 16;
    pub(crate) const ALIAS: u8 = 32;
    pub(crate) const PLACEHOLDER: u8 = 64;
}

/// What an alias is.
pub(super) mod alias_kind {
    pub(crate) const RENAMED: u32 = 0;
    pub(crate) const PERMANENT: u32 = 1;
    pub(crate) const REMOVED: u32 = 2;
    pub(crate) const CHANGED: u32 = 3;
}

const NODES: usize = 2;
const ALIASES: usize = 4;
const NODE: usize = 20;
const ALIAS: usize = 28;

/// The option index that answers for a release.
#[derive(Debug, Clone, Copy)]
pub struct OptionIndex<'a> {
    /// The release whose options these are.
    pub release: Release,
    /// The release that was asked for.
    pub asked: Release,
    /// Whether it is the release's own index, made so near to the release that what it lacks is not there.
    pub exact: bool,
    /// Whether it lacks hidden and internal options and old names, as the manual's own list does.
    pub visible_only: bool,
    /// What the index was made from, in words.
    pub base: &'a str,
    pub(super) table: Packed<'a>,
    pub(super) packages: Option<Packages<'a>>, // answer where the table has no names of packages
}

/// A declared option.
#[derive(Debug, Clone, Copy)]
pub struct OptionRef<'a> {
    pub(super) index: OptionIndex<'a>,
    pub(super) node: u32,
}

/// What a name is.
#[derive(Debug, Clone)]
pub enum Found<'a> {
    /// A declared option.
    Option(OptionRef<'a>),
    /// No option itself; options lie below it.
    Prefix,
    /// Not declared, and legal: an instance in an attribute set, or below something open. With its type.
    Free(Type<'a>),
    /// An old name, or below one.
    Alias(Alias<'a>),
    /// Not legal.
    Unknown {
        /// How many leading segments are known; the parent is when only the last is not.
        known: usize,
    },
}

/// What became of an old name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias<'a> {
    /// What happened.
    pub kind: AliasKind,
    /// How many leading segments of the name asked for are the old name: it may stand for a whole subtree.
    pub len: usize,
    /// The name to use, with what followed the old name; placeholders are filled in.
    pub to: Option<Vec<String>>,
    /// The last name of a chain of renames, when there is one.
    pub last: Option<Vec<String>>,
    /// A rename that leads to a removed option.
    pub leads_to_removed: bool,
    /// Why it was removed and what to do, in NixOS's words (cut at 220 characters); empty when NixOS says nothing.
    pub text: &'a str,
    /// The file in nixpkgs that says so.
    pub file: &'a str,
    /// The release since which the old name warns; known of few.
    pub since: Option<Release>,
}

/// The kinds of alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasKind {
    /// Still works and warns.
    Renamed,
    /// A second name, without a warning.
    Permanent,
    /// Setting it fails the evaluation.
    Removed,
    /// Still works and warns; the value is converted on the way.
    Changed,
}

/// A place in the tree, its type, and the type of what is not declared there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) node: Option<u32>,
    /// The option's or instance's type; none for a mere prefix.
    pub(super) ty: Option<Type<'a>>,
    /// Of a prefix inside an open submodule: the free type at this depth.
    pub(super) free: Option<Type<'a>>,
}

impl Spot<'_> {
    /// The top of the tree, where all options lie.
    pub(super) const ROOT: Self = Self { node: Some(0), ty: None, free: None };
}

/// Returns the month of a release, counted from the year 0; of an unstable channel the middle of its half-year.
fn months(release: Release) -> u32 {
    let months = i32::from(release.year()) * 12 + i32::from(release.month()) - if release.is_pre() { 3 } else { 0 };
    months.unsigned_abs()
}

impl<'a> OptionIndex<'a> {
    /// Opens a packed table; none when the bytes are no option table.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        let table = Packed::new(bytes);
        let meta = table.section(1);
        let release: Release = table.text(meta.u32(0)?)?.parse().ok()?;
        let base = meta.u32(4).and_then(|at| table.text(at)).unwrap_or_default();
        let visible_only = meta.u32(16) == Some(1);
        Some(Self { release, asked: release, exact: true, visible_only, base, table, packages: None })
    }

    /// The index as one that answers for a release. Without a list of releases that it is exact for, those are the release
    /// and the unstable channel before it.
    pub(super) fn asked_for(self, asked: Release) -> Self {
        let exact = self.table.section(1).u32(12).and_then(|at| self.table.text(at));
        let own = || asked.base() == self.release.base();
        let exact = exact.map_or_else(own, |list| list.split(' ').any(|name| name.parse() == Ok(asked)));
        Self { asked, exact, ..self }
    }

    /// Tells whether it is known which members of submodules have a value although they declare no default.
    pub(super) fn knows_provided(self) -> bool {
        self.table.section(1).u32(20) == Some(1)
    }

    /// Returns how many options and how many old names there are.
    pub fn counts(self) -> (usize, usize) {
        let nodes = u32::try_from(self.table.section(NODES).len() / NODE).unwrap_or(0);
        let options = (0..nodes).filter(|node| self.flags(*node) & flag::OPTION != 0).count();
        (options, self.table.section(ALIASES).len() / ALIAS)
    }

    /// Returns the names of the releases that it is exact for.
    pub fn exact_for(self) -> Vec<String> {
        let list = self.table.section(1).u32(12).and_then(|at| self.table.text(at));
        match list {
            Some(list) => list.split_whitespace().map(str::to_owned).collect(),
            None => vec![self.release.to_string()],
        }
    }

    /// Returns how far in time its source is from a release, in months.
    pub fn months_from(self, release: Release) -> u32 {
        self.taken().abs_diff(months(release))
    }

    /// Returns the month of its source, counted from the year 0.
    pub(super) fn taken(self) -> u32 {
        self.table.section(1).u32(8).filter(|taken| *taken != NONE).unwrap_or_else(|| months(self.release))
    }

    /// Returns what a name is. Segments are attribute names as they are, without quotes.
    pub fn lookup(self, loc: &[&str]) -> Found<'a> {
        let mut spot = Spot::ROOT;
        let mut alias = None;
        for (at, segment) in loc.iter().enumerate() {
            let Some(next) = self.step(spot, segment) else {
                return match alias {
                    Some((node, len)) => {
                        self.alias_at(node, loc, len).map_or(Found::Unknown { known: at }, Found::Alias)
                    }
                    None => Found::Unknown { known: at },
                };
            };
            spot = next;
            if let Some(node) = spot.node.filter(|node| self.flags(*node) & flag::ALIAS != 0) {
                alias = Some((node, at + 1));
            }
        }
        if let Some(alias) = alias.and_then(|(node, len)| self.alias_at(node, loc, len)) {
            return Found::Alias(alias);
        }
        match (spot.node, spot.ty) {
            (Some(node), _) if self.flags(node) & flag::OPTION != 0 => Found::Option(OptionRef { index: self, node }),
            (_, Some(ty)) => Found::Free(ty),
            _ => Found::Prefix,
        }
    }

    /// Returns the declared option of a name, through renames; none for a prefix, a free name, a removed or unknown one.
    pub fn option(self, loc: &[&str]) -> Option<OptionRef<'a>> {
        match self.lookup(loc) {
            Found::Option(option) => Some(option),
            Found::Alias(Alias { kind: AliasKind::Renamed | AliasKind::Permanent, to: Some(to), last, .. }) => {
                let to = last.unwrap_or(to);
                match self.lookup(&to.iter().map(String::as_str).collect::<Vec<_>>()) {
                    Found::Option(option) => Some(option),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Tells whether a name is legal and the manual does not list it: a hidden or internal option, or an old name.
    pub fn is_unlisted(self, loc: &[&str]) -> bool {
        match self.lookup(loc) {
            Found::Option(option) => option.hidden() || option.internal(),
            Found::Alias(_) => true,
            _ => false,
        }
    }

    /// Returns the type of what stands at a name: of an option, of an instance, of a free value; none for a prefix and
    /// for what is unknown.
    pub fn type_of(self, loc: &[&str]) -> Option<Type<'a>> {
        self.spot(loc)?.ty
    }

    /// Goes down a name from the top; none when nothing of that name can stand there.
    pub(super) fn spot(self, loc: &[&str]) -> Option<Spot<'a>> {
        loc.iter().try_fold(Spot::ROOT, |spot, segment| self.step(spot, segment))
    }

    /// Goes one segment down; none when nothing of that name can stand there.
    pub(super) fn step(self, spot: Spot<'a>, segment: &str) -> Option<Spot<'a>> {
        let around = spot.ty.or(spot.free);
        let mut opaque = true;
        // The module system's own options: at the top and in every submodule, and mostly undeclared in the tables.
        if segment == "_module" {
            let node = spot.node.and_then(|node| self.child(node, segment));
            return Some(Spot { node, ty: Some(Type::anything()), free: None });
        }
        if let Some(node) = spot.node {
            opaque = self.count(node) == 0;
            if let Some(child) = self.child(node, segment) {
                let ty = self.type_at(child);
                let free = if ty.is_none() { around.and_then(|ty| below(ty, segment, false)) } else { None };
                return Some(Spot { node: Some(child), ty, free });
            }
            if let Some(child) = self.placeholder(node, false) {
                let ty = self.type_at(child).or_else(|| around.and_then(|ty| below(ty, segment, false)));
                return Some(Spot { node: Some(child), ty: ty.or(Some(Type::anything())), free: None });
            }
        }
        Some(Spot { node: None, ty: Some(below(around?, segment, opaque)?), free: None })
    }

    /// Goes into the elements of a list.
    pub(super) fn element(self, spot: Spot<'a>, element: Type<'a>) -> Spot<'a> {
        let node = spot.node.and_then(|node| self.placeholder(node, true));
        Spot { node, ty: node.and_then(|node| self.type_at(node)).or(Some(element)), free: None }
    }

    pub(super) fn flags(self, node: u32) -> u8 {
        self.field(node, 2).map_or(0, |field| field.to_le_bytes()[3])
    }

    pub(super) fn children(self, node: u32) -> impl Iterator<Item = u32> {
        let first = self.field(node, 1).unwrap_or(0);
        // Children stand behind their parent; anything else is a damaged table, and a walk over it must end.
        let count = if first > node { self.count(node) } else { 0 };
        first..first.saturating_add(count)
    }

    pub(super) fn segment(self, node: u32) -> Option<&'a str> {
        self.table.text(self.field(node, 0)?)
    }

    /// Returns the visible options whose last segment is this one, whatever its case.
    pub(super) fn ends_in(self, last: &str) -> impl Iterator<Item = u32> {
        let nodes = self.table.section(NODES);
        let texts = self.table.section(0);
        let count = u32::try_from(nodes.len() / NODE).unwrap_or(0);
        (0..count).filter(move |node| {
            let text = self.field(*node, 0).and_then(|at| texts.text_bytes(at));
            text.is_some_and(|text| text.eq_ignore_ascii_case(last.as_bytes()))
                && self.flags(*node) & (flag::OPTION | flag::HIDDEN | flag::INTERNAL) == flag::OPTION
        })
    }

    /// Returns the node above one; none for the root. Children stand in the order of their parents, and a node without
    /// children has the place where they would be.
    pub(super) fn parent(self, node: u32) -> Option<u32> {
        if node == 0 {
            return None;
        }
        let (mut low, mut high) = (0, node);
        while low < high {
            let middle = low.midpoint(high);
            if self.field(middle, 1)? <= node {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }

    /// Returns the segments of a node's name.
    pub(super) fn path(self, node: u32) -> Vec<&'a str> {
        let mut path: Vec<&str> = Vec::new();
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            path.push(self.segment(at).unwrap_or_default());
            at = parent;
        }
        path.reverse();
        path
    }

    fn count(self, node: u32) -> u32 {
        self.field(node, 2).unwrap_or(0) & 0x00ff_ffff
    }

    fn field(self, node: u32, field: usize) -> Option<u32> {
        self.table.section(NODES).u32((node as usize).checked_mul(NODE)? + field * 4)
    }

    fn type_at(self, node: u32) -> Option<Type<'a>> {
        self.field(node, 3).filter(|at| *at != NONE).map(|at| Type::new(self.table, at))
    }

    /// Returns the child that stands for any name or, with `list`, for any element.
    fn placeholder(self, node: u32, list: bool) -> Option<u32> {
        self.children(node).take_while(|child| self.flags(*child) & flag::PLACEHOLDER != 0).find(|child| {
            match self.segment(*child) {
                Some("<name?>") => true,
                Some(segment) => (segment == "*") == list,
                None => false,
            }
        })
    }

    fn child(self, node: u32, segment: &str) -> Option<u32> {
        let range = self.children(node);
        let texts = self.table.section(0);
        let nodes = self.table.section(NODES);
        let key = (!is_placeholder(segment), segment.as_bytes());
        let (mut low, mut high) = range.size_hint().1.map(|len| (0, len))?;
        let first = self.field(node, 1)? as usize;
        while low < high {
            let middle = low.midpoint(high);
            let found = texts.text_bytes(nodes.u32((first + middle) * NODE)?)?;
            let literal = nodes.u32((first + middle) * NODE + 8)?.to_le_bytes()[3] & flag::PLACEHOLDER == 0;
            match (literal, found).cmp(&key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return u32::try_from(first + middle).ok(),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Returns the alias of a node that was reached by the first `len` segments of `loc`.
    pub(super) fn alias_at<S: AsRef<str>>(self, node: u32, loc: &[S], len: usize) -> Option<Alias<'a>> {
        let section = self.table.section(ALIASES);
        let (mut low, mut high) = (0, section.len() / ALIAS);
        while low < high {
            let middle = low.midpoint(high);
            if section.u32(middle * ALIAS)? < node {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let at = low * ALIAS;
        if section.u32(at)? != node {
            return None;
        }
        let text = |field: usize| section.u32(at + field * 4).and_then(|at| self.table.text(at));
        let target = |name: &str| {
            let mut to = split_name(name);
            // Both names share what stands before and at a placeholder.
            for (segment, own) in to.iter_mut().zip(loc).filter(|(segment, _)| is_placeholder(segment)) {
                own.as_ref().clone_into(segment);
            }
            to.extend(loc.iter().skip(len).map(|segment| segment.as_ref().to_owned()));
            to
        };
        Some(Alias {
            kind: match section.u32(at + 4)? {
                alias_kind::PERMANENT => AliasKind::Permanent,
                alias_kind::REMOVED => AliasKind::Removed,
                alias_kind::CHANGED => AliasKind::Changed,
                _ => AliasKind::Renamed,
            },
            len,
            to: text(2).map(target),
            last: text(3).filter(|name| !name.is_empty()).map(target),
            leads_to_removed: text(3) == Some(""),
            text: text(4).unwrap_or_default(),
            file: text(5).unwrap_or_default(),
            since: text(6).and_then(|since| since.parse().ok()),
        })
    }
}

impl<'a> OptionRef<'a> {
    /// Returns the type.
    pub fn ty(self) -> Type<'a> {
        self.index.type_at(self.node).unwrap_or_else(Type::anything)
    }

    /// Tells whether it must not be set.
    pub fn read_only(self) -> bool {
        self.has(flag::READ_ONLY)
    }

    /// Tells whether the manual leaves it out; setting it is legal.
    pub fn hidden(self) -> bool {
        self.has(flag::HIDDEN)
    }

    /// Tells whether it is meant for other modules; setting it is legal.
    pub fn internal(self) -> bool {
        self.has(flag::INTERNAL)
    }

    /// Tells whether it has no declared default. Its value is asked for only when its module is in use.
    pub fn required(self) -> bool {
        self.has(flag::REQUIRED)
    }

    /// Returns the default as the manual prints it, a Nix expression; cut at 600 characters.
    pub fn default(self) -> Option<&'a str> {
        self.index.field(self.node, 4).and_then(|at| self.index.table.text(at))
    }

    fn has(self, bit: u8) -> bool {
        self.index.flags(self.node) & bit != 0
    }
}
