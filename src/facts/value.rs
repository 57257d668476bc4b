//! A value against the type of its option.
//!
//! Here belong: the verdicts of `check` in nixpkgs `lib/types.nix`, for values that stand in a definition as literals.
//! Not here: rules and their levels (`check`), merging (`resolve`).
//!
//! Invariant: no false finding. A Nix expression other than `null` is never judged; a type that the facts do not know, an alternative that
//! may fit, a submodule whose members are unknown all accept. A package is written as its attribute name.

use super::attributes::{PACKAGE, missing_package};
use super::member::{by_description, is_member, may_be_attribute, passes};
use super::name::{is_element, join_name, split_name};
use super::options::{Alias, AliasKind, OptionIndex, Spot, flag};
use super::pattern;
use super::section::SectionCheck;
use super::types::{Literal, Shape, Type};
use crate::source::{Kind, Node, Place, nearest, quoted, secret};

/// How many unknown options of one value get suggestions.
const SUGGESTED: usize = 20;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault<'a> {
    /// No such option, nor can one be declared there.
    Unknown,
    /// The value cannot have the type.
    Type,
    /// The option is set by NixOS itself.
    ReadOnly,
    /// The release has no package of this name.
    NoPackage,
    /// A member that has no default is not there. NixOS fails when it asks for the member, which it does for nearly all.
    Missing,
    /// The option's name is an old one. A second permanent name is no fault.
    Alias(Alias<'a>),
}

/// A fault and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeFault<'a> {
    /// What kind of fault.
    pub fault: Fault<'a>,
    /// The place of the key for a name that is wrong, of the value for a value that is.
    pub place: Place,
    /// The segments of the option's name; a list element is `[n]`.
    pub route: Vec<String>,
    /// What is wrong, as a phrase.
    pub message: String,
    /// The type that is wanted, in NixOS's words; empty where that is not the point.
    pub wanted: String,
    /// Near names or enum members that may be meant.
    pub nearest: Vec<String>,
}

/// Compares a value that stands at an option name (empty: a whole set of definitions) with the types of the index.
/// Returns every fault in the order of the value.
pub fn check_value<'a>(index: OptionIndex<'a>, loc: &[&str], node: &Node) -> Vec<TypeFault<'a>> {
    let mut checker = Checker { index, route: Vec::new(), faults: Vec::new(), unknown: 0 };
    let mut spot = Spot::ROOT;
    for (at, segment) in loc.iter().enumerate() {
        checker.route.push((*segment).to_owned());
        let Some(next) = index.step(spot, segment) else {
            checker.route.extend(loc.iter().skip(at + 1).map(|segment| (*segment).to_owned()));
            checker.unknown(node.place, None);
            return checker.faults;
        };
        spot = next;
        if at + 1 < loc.len() && checker.alias(spot, node.place) {
            // The rest of the name is judged under its proper name.
            let Some(next) = checker.follow(spot) else { return checker.faults };
            spot = next;
        }
    }
    checker.option(spot, node, node.place);
    checker.faults
}

struct Checker<'a> {
    index: OptionIndex<'a>,
    route: Vec<String>,
    faults: Vec<TypeFault<'a>>,
    /// How many unknown options were met.
    unknown: usize,
}

impl<'a> Checker<'a> {
    fn fault(&mut self, fault: Fault<'a>, place: Place, message: String, wanted: String, nearest: Vec<String>) {
        self.faults.push(TypeFault { fault, place, route: self.route.clone(), message, wanted, nearest });
    }

    fn name(&self) -> String {
        quoted(&join_name(&self.route))
    }

    fn unknown(&mut self, place: Place, value: Option<&Node>) {
        // A suggestion costs a millisecond, and whoever has hundreds of unknown options needs no suggestions.
        let near = if self.unknown < SUGGESTED { self.near(value) } else { Vec::new() };
        self.unknown += 1;
        let message = format!("there is no option {}", self.name());
        self.fault(Fault::Unknown, place, message, String::new(), near);
    }

    /// Returns names near the route. What stands below an unknown name tells which of the known ones is meant.
    fn near(&self, value: Option<&Node>) -> Vec<String> {
        let mut route: Vec<&str> = self.route.iter().map(String::as_str).collect();
        let mut below = value;
        while let Some((name, entry)) = below.and_then(Node::as_table).and_then(|table| table.first()) {
            route.push(name);
            below = Some(&entry.node);
        }
        let own = self.route.len();
        let tail = route.get(own..).unwrap_or_default();
        let mut names = Vec::new();
        for name in self.index.nearest(&route) {
            let segments = split_name(&name);
            let name = match segments.split_at_checked(own) {
                Some((front, rest)) if !tail.is_empty() && rest == tail => join_name(front),
                _ => name,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Checks what stands at a spot that was reached by name: aliases and read-only options first.
    fn option(&mut self, spot: Spot<'a>, node: &Node, key: Place) {
        if let Some(at) = spot.node.filter(|at| self.index.flags(*at) & flag::READ_ONLY != 0) {
            if self.index.flags(at) & flag::ALIAS == 0 {
                let message = format!("{} is set by NixOS itself and cannot be changed", self.name());
                self.fault(Fault::ReadOnly, key, message, String::new(), Vec::new());
            }
            return;
        }
        if self.alias(spot, key) {
            if let Some(spot) = self.follow(spot) {
                self.value(spot, node);
            }
            return;
        }
        self.value(spot, node);
    }

    /// Tells whether a spot is an old name, and says so unless the name is permanent.
    fn alias(&mut self, spot: Spot<'a>, place: Place) -> bool {
        let Some(at) = spot.node.filter(|at| self.index.flags(*at) & flag::ALIAS != 0) else { return false };
        let Some(alias) = self.index.alias_at(at, &self.route, self.route.len()) else { return false };
        let to = alias.last.as_ref().or(alias.to.as_ref()).map(|to| quoted(&join_name(to)));
        let message = match (alias.kind, to) {
            (AliasKind::Permanent, _) => return true,
            (AliasKind::Renamed, Some(to)) => format!("{} was renamed to {to}", self.name()),
            (AliasKind::Changed, Some(to)) => format!("{} was replaced by {to}", self.name()),
            _ => format!("{} was removed", self.name()),
        };
        self.fault(Fault::Alias(alias), place, message, String::new(), Vec::new());
        true
    }

    /// Returns where an old name leads; none when its value is converted on the way or leads nowhere.
    fn follow(&self, spot: Spot<'a>) -> Option<Spot<'a>> {
        let alias = self.index.alias_at(spot.node?, &self.route, self.route.len())?;
        if !matches!(alias.kind, AliasKind::Renamed | AliasKind::Permanent) || alias.leads_to_removed {
            return None;
        }
        let target = alias.last.or(alias.to)?;
        let spot = target.iter().try_fold(Spot::ROOT, |spot, segment| match list_element(spot, segment) {
            Some(element) => Some(self.index.element(spot, element)),
            None => self.index.step(spot, segment),
        })?;
        // A chain that the facts did not resolve to its end is not followed further.
        spot.node.is_none_or(|at| self.index.flags(at) & flag::ALIAS == 0).then_some(spot)
    }

    fn value(&mut self, spot: Spot<'a>, node: &Node) {
        if is_null(node) {
            // TOML has no null: this is how a definition writes it.
            return self.literal(spot, &Node { kind: Kind::Null, ..node.clone() });
        }
        if !matches!(node.kind, Kind::Nix(_)) {
            self.literal(spot, node);
        }
    }

    fn literal(&mut self, spot: Spot<'a>, node: &Node) {
        match spot.ty {
            Some(ty) => self.typed(spot, ty, node),
            None => match &node.kind {
                Kind::Table(_) => self.members(spot, node),
                _ if spot.free.is_some() => {}
                _ => {
                    let message = format!("{} is a set of options, not {}", self.name(), node.describe());
                    self.fault(Fault::Type, node.place, message, "a set of options".to_owned(), Vec::new());
                }
            },
        }
    }

    /// Checks the attributes of a table, each by its name.
    fn members(&mut self, spot: Spot<'a>, node: &Node) {
        for (name, entry) in node.as_table().into_iter().flatten() {
            self.route.push(name.clone());
            match self.index.step(spot, name) {
                Some(next) => self.option(next, &entry.node, entry.key),
                None => self.unknown(entry.key, Some(&entry.node)),
            }
            self.route.pop();
        }
    }

    fn typed(&mut self, spot: Spot<'a>, ty: Type<'a>, node: &Node) {
        if let Err(near) = at_root(ty, node) {
            return self.wrong(ty, node, near);
        }
        match ty.shape() {
            Shape::NullOr(element) if !matches!(node.kind, Kind::Null) => self.typed(spot, element, node),
            Shape::Unique(element) => self.typed(spot, element, node),
            Shape::ListOf { element, .. } => self.elements(spot, element, node),
            Shape::LoaOf(element) => match node.kind {
                Kind::List(_) => self.elements(spot, element, node),
                _ => self.members(Spot { ty: Some(ty), ..spot }, node),
            },
            Shape::AttrsOf { .. } | Shape::AttrTag(_) => self.members(Spot { ty: Some(ty), ..spot }, node),
            Shape::Submodule { .. } => {
                let before = self.faults.len();
                self.members(Spot { ty: Some(ty), ..spot }, node);
                // A misspelt member is one mistake, not one here and one missing.
                let misspelt =
                    |fault: &TypeFault<'_>| fault.fault == Fault::Unknown && fault.route.len() == self.route.len() + 1;
                if !self.faults.iter().skip(before).any(misspelt) {
                    self.missing(spot, node);
                }
            }
            Shape::Package => self.package(node),
            Shape::Section { group, legacy, checks, .. } => self.section(group, legacy, &checks, node),
            Shape::Value { null: false, text } => self.no_null(text, node),
            Shape::Either(alternatives) => {
                let fitting = alternatives.into_iter().filter(|alternative| at_root(*alternative, node).is_ok());
                // The members of a submodule in an alternative are not in the facts.
                let hidden = Spot { node: None, ty: None, free: None };
                self.any_of(fitting.map(|alternative| (hidden, alternative)).collect(), node);
            }
            Shape::Coerced { to, from: Some(from) } => {
                let mut ways = Vec::new();
                if at_root(to, node).is_ok() {
                    ways.push((spot, to));
                }
                if at_root(from, node).is_ok() {
                    ways.push((Spot { node: None, ty: None, free: None }, from));
                }
                self.any_of(ways, node);
            }
            _ => {}
        }
    }

    /// Checks that a release has a package; a path in the store is one, too.
    fn package(&mut self, node: &Node) {
        if let Kind::Str(name) = &node.kind
            && !name.starts_with('/')
            && let Some(message) = missing_package(self.index, name)
        {
            let near = if self.unknown < SUGGESTED { self.index.nearest_attributes(name) } else { Vec::new() };
            self.unknown += 1;
            self.fault(Fault::NoPackage, node.place, message, PACKAGE.to_owned(), near);
        }
    }

    /// Reports the faults of the only way to read a value; where there are several ways, nothing unless all have faults.
    fn any_of(&mut self, ways: Vec<(Spot<'a>, Type<'a>)>, node: &Node) {
        let before = self.faults.len();
        let mut kept: Option<Vec<TypeFault<'a>>> = None;
        for (spot, ty) in ways {
            self.typed(spot, ty, node);
            let faults = self.faults.split_off(before);
            if faults.is_empty() {
                return;
            }
            // NixOS takes the first alternative whose outermost form fits.
            kept = kept.or(Some(faults));
        }
        self.faults.extend(kept.unwrap_or_default());
    }

    /// Reports members that have no default and are not there. Members of a set that is not there itself are nobody's.
    fn missing(&mut self, spot: Spot<'a>, node: &Node) {
        let (Some(at), Some(table)) = (spot.node, node.as_table()) else { return };
        // Without knowing what modules fill in by themselves, nearly every instance would lack its own name.
        if !self.index.knows_provided() {
            return;
        }
        for (name, option) in self.index.required_below(at) {
            if table.contains_key(name) || table.keys().any(|key| self.leads_to(spot, key, name)) {
                continue;
            }
            let message = format!("{} has no {}", self.name(), quoted(name));
            self.fault(Fault::Missing, node.place, message, option.ty().describe(), Vec::new());
        }
    }

    /// Tells whether a member's name is an old one of another member.
    fn leads_to(&self, spot: Spot<'a>, key: &str, name: &str) -> bool {
        let child = self.index.step(spot, key).and_then(|child| child.node);
        let Some(child) = child.filter(|child| self.index.flags(*child) & flag::ALIAS != 0) else { return false };
        let alias = self.index.alias_at(child, &self.route, self.route.len());
        alias.and_then(|alias| alias.to).is_some_and(|to| to.last().is_some_and(|last| last == name))
    }

    /// Checks the fields of a unit's section.
    fn section(&mut self, group: &str, legacy: Option<&str>, checks: &[SectionCheck<'a>], node: &Node) {
        let Some(table) = node.as_table() else { return };
        let held = legacy.and_then(|legacy| table.get(legacy)).filter(|_| table.len() == 1);
        let (table, place) = match held.map(|entry| (entry.node.as_table(), entry.node.place)) {
            Some((Some(inner), place)) => (inner, place),
            Some((None, _)) => return,
            None => (table, node.place),
        };
        let mut said: Vec<String> = Vec::new();
        for fault in checks.iter().flat_map(|check| check.faults(group, table)) {
            let entry = fault.field.as_ref().and_then(|field| table.get(field));
            // One field is wrong once, whatever else is checked of it.
            if let Some(field) = &fault.field {
                if said.contains(field) {
                    continue;
                }
                said.push(field.clone());
                self.route.push(field.clone());
            }
            let (place, message) = match entry {
                Some(entry) if fault.name => (entry.key, format!("{} is no field of its section", self.name())),
                Some(entry) => (entry.node.place, format!("{} cannot be {}", self.name(), shown(&entry.node))),
                None => (place, format!("{} is not complete", self.name())),
            };
            self.fault(Fault::Type, place, message, fault.wanted, fault.nearest);
            if fault.field.is_some() {
                self.route.pop();
            }
        }
    }

    /// Reports nulls in a value of a format that has none.
    fn no_null(&mut self, format: &str, node: &Node) {
        match &node.kind {
            _ if is_null(node) => {
                let message = format!("{} cannot be null", self.name());
                self.fault(Fault::Type, node.place, message, format.to_owned(), Vec::new());
            }
            Kind::Table(table) => {
                for (name, entry) in table {
                    self.route.push(name.clone());
                    self.no_null(format, &entry.node);
                    self.route.pop();
                }
            }
            Kind::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.route.push(format!("[{at}]"));
                    self.no_null(format, &item.node);
                    self.route.pop();
                }
            }
            _ => {}
        }
    }

    fn elements(&mut self, spot: Spot<'a>, element: Type<'a>, node: &Node) {
        let spot = self.index.element(spot, element);
        for (at, item) in node.as_list().into_iter().flatten().enumerate() {
            self.route.push(format!("[{at}]"));
            self.value(spot, &item.node);
            self.route.pop();
        }
    }

    fn wrong(&mut self, ty: Type<'a>, node: &Node, near: Vec<String>) {
        let wanted = ty.describe();
        let is_secret = self.route.last().is_some_and(|name| secret::is_called(name));
        let value = if is_secret { node.describe().to_owned() } else { shown(node) };
        let message = format!("{} cannot be {value}", self.name());
        self.fault(Fault::Type, node.place, message, wanted, near);
    }
}

/// Tells whether a value is null, as JSON or as a definition writes it.
fn is_null(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Nix(text) => text.trim() == "null",
        _ => false,
    }
}

/// Returns a value as a message shows it.
fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Str(text) => quoted(&format!("{text:?}")),
        Kind::Int(int) => format!("`{int}`"),
        Kind::Float(float) => format!("`{float:?}`"),
        Kind::Bool(value) => format!("`{value}`"),
        _ => node.describe().to_owned(),
    }
}

/// Returns the element type of a spot that is a list, when the segment is the place of an element.
fn list_element<'a>(spot: Spot<'a>, segment: &str) -> Option<Type<'a>> {
    let mut ty = spot.ty.filter(|_| is_element(segment))?;
    loop {
        match ty.shape() {
            Shape::ListOf { element, .. } | Shape::LoaOf(element) => return Some(element),
            Shape::NullOr(element) | Shape::Unique(element) | Shape::Coerced { to: element, .. } => ty = element,
            _ => return None,
        }
    }
}

/// Tells whether a value's outermost form fits a type, as `check` in nixpkgs does; with near enum members if not.
fn at_root(ty: Type<'_>, node: &Node) -> Result<(), Vec<String>> {
    let verdict = |fits: bool| if fits { Ok(()) } else { Err(Vec::new()) };
    if matches!(node.kind, Kind::Nix(_)) {
        return Ok(());
    }
    // A date of TOML is written to Nix as a string.
    let text = match &node.kind {
        Kind::Str(text) | Kind::Date(text) => Some(text.as_str()),
        _ => None,
    };
    let is_table = matches!(node.kind, Kind::Table(_));
    match ty.shape() {
        Shape::Anything | Shape::Raw | Shape::Unspecified | Shape::Value { .. } | Shape::Coerced { from: None, .. } => {
            Ok(())
        }
        Shape::Other(name) => verdict(by_description(name, node)),
        Shape::Bool => verdict(matches!(node.kind, Kind::Bool(_))),
        Shape::Int { min, max, .. } => verdict(matches!(node.kind, Kind::Int(int) if (min..=max).contains(&int))),
        Shape::Float => verdict(matches!(node.kind, Kind::Float(_))),
        Shape::Number { min, max, .. } => verdict(match node.kind {
            #[expect(clippy::cast_precision_loss, reason = "Nix compares an integer with a float the same way")]
            Kind::Int(int) => (min..=max).contains(&(int as f64)),
            Kind::Float(float) => (min..=max).contains(&float),
            _ => false,
        }),
        Shape::Separated(_) | Shape::Str { check: None } => verdict(text.is_some()),
        Shape::Package => verdict(text.is_some_and(may_be_attribute)),
        Shape::Str { check: Some(check) } => verdict(text.is_some_and(|text| passes(check, text))),
        Shape::NonEmptyStr => verdict(text.is_some_and(|text| text.chars().any(|c| !matches!(c, ' ' | '\t' | '\n')))),
        Shape::SingleLineStr => verdict(text.is_some_and(|text| {
            let line = text.strip_suffix('\n').unwrap_or(text);
            !line.contains(['\n', '\r'])
        })),
        Shape::Pattern(pattern) => verdict(text.is_some_and(|text| pattern::matches(pattern, text) != Some(false))),
        Shape::Path { absolute, in_store, .. } => verdict(text.is_some_and(|text| {
            absolute.is_none_or(|absolute| text.starts_with('/') == absolute)
                && in_store.is_none_or(|inside| text.starts_with("/nix/store/") == inside)
        })),
        // A set with `__functor` is a function to Nix.
        Shape::Attrs | Shape::AttrsOf { .. } | Shape::Section { .. } | Shape::FunctionTo(_) => verdict(is_table),
        // A module may also be a function or a path to one.
        Shape::Submodule { .. } => verdict(is_table || text.is_some_and(|text| text.starts_with('/'))),
        Shape::ListOf { non_empty, .. } => verdict(match &node.kind {
            Kind::List(items) => !non_empty || !items.is_empty(),
            _ => false,
        }),
        Shape::LoaOf(_) => verdict(is_table || matches!(node.kind, Kind::List(_))),
        Shape::NullOr(element) => match node.kind {
            Kind::Null => Ok(()),
            _ => at_root(element, node),
        },
        Shape::Unique(element) => at_root(element, node),
        Shape::Either(alternatives) => {
            let mut near = Vec::new();
            for alternative in alternatives {
                match at_root(alternative, node) {
                    Ok(()) => return Ok(()),
                    Err(more) => near.extend(more),
                }
            }
            Err(near)
        }
        Shape::Coerced { to, from: Some(from) } => {
            at_root(to, node).or_else(|near| at_root(from, node).map_err(|_| near))
        }
        Shape::AttrTag(tags) => verdict(match &node.kind {
            Kind::Table(table) => table.len() == 1 && table.keys().all(|key| tags.iter().any(|(name, _)| name == key)),
            _ => false,
        }),
        Shape::Enum(members) => {
            if members.iter().any(|member| is_member(*member, &node.kind)) {
                return Ok(());
            }
            let names = members.iter().filter_map(|member| match member {
                Literal::Str(name) => Some(*name),
                _ => None,
            });
            Err(text.map(|text| nearest(text, names)).unwrap_or_default().into_iter().map(str::to_owned).collect())
        }
    }
}
