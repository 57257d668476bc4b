//! The names at the top of nixpkgs, as the tree had them that an option index was made from.
//!
//! Source: `facts/attributes-REL.json`. Section 5 of an option table: per name, sorted by its bytes, the offset of its string and
//! its state. Where a table has none, the packages of `packages` answer, as far as they are known.

use super::bytes::Section;
use super::options::OptionIndex;
use super::packages::PackageFact;
use super::value::{Fault, TypeFault};
use crate::source::{Place, nearest, quoted};

const ATTRIBUTES: usize = 5;
const ROW: usize = 8;

pub(super) const PRESENT: u32 = 0;
pub(super) const GONE: u32 = 1;

/// How many letters at its beginning a name must share with a misspelt one, unless they are of about the same length.
const START: usize = 2;

/// What a release has under a name at the top of nixpkgs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// A package, or a set of packages.
    Present,
    /// A name that only says that the package is gone, and fails the evaluation.
    Gone,
    /// Nothing.
    Absent,
    /// The facts do not say.
    Unknown,
}

/// What is wanted where a package's name stands.
pub(super) const PACKAGE: &str = "the name of a package in nixpkgs";

/// Compares a package's name that stands at a key of ours with the packages of a release; `option` is what it is compiled to.
pub fn check_package<'a>(index: OptionIndex<'a>, option: &[&str], name: &str, place: Place) -> Option<TypeFault<'a>> {
    Some(TypeFault {
        message: missing_package(index, name)?,
        fault: Fault::NoPackage,
        place,
        route: option.iter().map(|&segment| segment.to_owned()).collect(),
        wanted: PACKAGE.to_owned(),
        nearest: index.nearest_attributes(name),
    })
}

/// Says that a release has no package of a name; none where it has, or nobody knows.
pub(super) fn missing_package(index: OptionIndex<'_>, name: &str) -> Option<String> {
    match index.attribute(name) {
        Attribute::Present | Attribute::Unknown => None,
        Attribute::Gone => Some(format!("the package {} is gone", quoted(name))),
        Attribute::Absent => Some(format!("there is no package {}", quoted(name))),
    }
}

impl OptionIndex<'_> {
    /// Returns what the tree has under an attribute's name (`gitea`; of `python3Packages.requests` only the set is known).
    pub fn attribute(self, name: &str) -> Attribute {
        let section = self.table.section(ATTRIBUTES);
        if section.len() == 0 {
            return match self.packages.map(|packages| packages.find(name, self.asked)) {
                Some(PackageFact::Version(_)) => Attribute::Present,
                Some(PackageFact::Removed) => Attribute::Gone,
                Some(PackageFact::Absent) => Attribute::Absent,
                _ => Attribute::Unknown,
            };
        }
        let head = name.split('.').next().unwrap_or(name).trim_matches('"');
        let (mut low, mut high) = (0, section.len() / ROW);
        while low < high {
            let middle = low.midpoint(high);
            match self.attribute_at(section, middle) {
                Some(found) if found < head => low = middle + 1,
                Some(_) => high = middle,
                None => return Attribute::Unknown,
            }
        }
        match (self.attribute_at(section, low), section.u32(low * ROW + 4)) {
            (Some(found), Some(state)) if found == head => match state {
                GONE => Attribute::Gone,
                _ => Attribute::Present,
            },
            _ => Attribute::Absent,
        }
    }

    /// Returns up to three names of packages near one that is not there, nearest first.
    pub(super) fn nearest_attributes(self, name: &str) -> Vec<String> {
        let section = self.table.section(ATTRIBUTES);
        let start = name.get(..START).unwrap_or(name);
        let similar = (0..section.len() / ROW)
            .filter(|row| section.u32(row * ROW + 4) == Some(PRESENT))
            .filter_map(|row| self.attribute_at(section, row))
            // An edit distance is dear, and there are 25,000 names.
            .filter(|other| {
                let alike = other.get(..START).is_some_and(|other| other.eq_ignore_ascii_case(start));
                alike || other.len().abs_diff(name.len()) <= 1 && other.as_bytes().last() == name.as_bytes().last()
            });
        nearest(name, similar).into_iter().map(str::to_owned).collect()
    }

    fn attribute_at(&self, section: Section<'_>, row: usize) -> Option<&str> {
        self.table.text(section.u32(row * ROW)?)
    }
}
