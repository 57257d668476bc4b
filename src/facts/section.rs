//! Sections of systemd, networkd and nspawn units: what nixpkgs checks of their fields by functions.
//!
//! Source: `facts/sections-REL.json`, the arguments of the functions in nixpkgs `nixos/lib/systemd-lib.nix`. Each function is a
//! [`Rule`] here, with the same verdict. Not here: what systemd itself accepts, which nobody asks at evaluation.

use super::bytes::{NONE, Packed, Section};
use super::member::is_member;
use super::types::Literal;
use crate::source::{Kind, Node, Table, nearest};

/// A check of a section.
#[derive(Debug, Clone)]
pub struct SectionCheck<'a> {
    /// What is checked.
    rule: Rule,
    /// The field that it is about; none where it is about all.
    field: Option<&'a str>,
    min: f64,
    max: f64,
    other: Option<&'a str>,
    values: Vec<Literal<'a>>,
}

macro_rules! rules {
    ($($name:ident = $word:literal,)*) => {
        /// The functions, by the word that the data has for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Rule {
            $($name,)*
        }

        /// The words, in the order of their numbers in a table.
        pub(super) const WORDS: &[&str] = &[$($word,)*];

        const RULES: &[Rule] = &[$(Rule::$name,)*];
    };
}

rules! {
    OneOf = "one-of",
    SomeOf = "some-of",
    HasField = "has-field",
    OnlyFields = "only-fields",
    Range = "range",
    RangeOrOneOf = "range-or-one-of",
    RangeWithMask = "range-with-mask",
    Minimum = "minimum",
    Int = "int",
    Removed = "removed",
    Credential = "credential",
    ByteFormat = "byte-format",
    Mac = "mac",
    MacOrNone = "mac-or-none",
    Port = "port",
    PortOrRange = "port-or-range",
    RouteMetric = "route-metric",
}

/// What is wrong with a section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SectionFault {
    /// The field it is about, if that is written.
    pub(super) field: Option<String>,
    /// Whether the field's name is wrong, not its value.
    pub(super) name: bool,
    /// What is wanted.
    pub(super) wanted: String,
    /// Near names or values.
    pub(super) nearest: Vec<String>,
}

impl<'a> SectionCheck<'a> {
    /// Reads a check (rule, field, bounds, further text, number of values) whose values `members` reads; returns the offset behind.
    pub(super) fn read(
        table: Packed<'a>,
        section: Section<'a>,
        at: usize,
        members: impl Fn(u32, usize) -> Option<(Vec<Literal<'a>>, usize)>,
    ) -> Option<(Self, usize)> {
        let text = |at: usize| section.u32(at).filter(|text| *text != NONE).and_then(|text| table.text(text));
        let (values, end) = members(section.u32(at + 25)?, at + 29)?;
        let check = Self {
            rule: *RULES.get(usize::from(section.u8(at)?))?,
            field: text(at + 1),
            min: section.f64(at + 5)?,
            max: section.f64(at + 13)?,
            other: text(at + 21),
            values,
        };
        Some((check, end))
    }

    /// Holds a section against the check. What is written in Nix is not judged.
    pub(super) fn faults(&self, group: &str, table: &Table) -> Vec<SectionFault> {
        let strings = || {
            self.values.iter().filter_map(|value| match value {
                Literal::Str(text) => Some(*text),
                _ => None,
            })
        };
        if self.rule == Rule::OnlyFields {
            let strange = table.keys().filter(|key| !strings().any(|known| known == key.as_str()));
            let fault = |key: &String| SectionFault {
                field: Some(key.clone()),
                name: true,
                wanted: format!("a field of the section [{group}]"),
                nearest: nearest(key, strings()).into_iter().map(str::to_owned).collect(),
            };
            return strange.map(fault).collect();
        }
        let Some(field) = self.field else { return Vec::new() };
        let node = table.get(field).map(|entry| &entry.node);
        let wanted = match (self.rule, node) {
            (Rule::HasField, None) => Some(format!("the field {field} of the section [{group}]")),
            (Rule::HasField, Some(_)) | (_, None) => None,
            (_, Some(node)) if matches!(node.kind, Kind::Nix(_)) => None,
            (_, Some(node)) => self.refused(node),
        };
        let Some(wanted) = wanted else { return Vec::new() };
        let near = match node.map(|node| &node.kind) {
            Some(Kind::Str(text)) => nearest(text, strings()),
            _ => Vec::new(),
        };
        vec![SectionFault {
            field: node.is_some().then(|| field.to_owned()),
            name: self.rule == Rule::Removed,
            wanted,
            nearest: near.into_iter().map(str::to_owned).collect(),
        }]
    }

    /// Returns what is wanted in place of a value that the check refuses.
    fn refused(&self, node: &Node) -> Option<String> {
        let text = node.as_str();
        let number = number(&node.kind);
        let within = |number: f64| (self.min..=self.max).contains(&number);
        let one_of = || self.values.iter().any(|value| is_member(*value, &node.kind));
        let listed = || self.values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let bounds = format!("between {} and {}", self.min, self.max);
        let (fits, wanted) = match self.rule {
            Rule::OneOf => (one_of(), format!("one of {}", listed())),
            Rule::SomeOf => {
                let word = |word: &str| self.values.contains(&Literal::Str(word));
                let fits = text.is_some_and(|text| text.split(' ').all(word) || Some(text) == self.other);
                (fits, format!("some of {} with spaces between, or \"{}\"", listed(), self.other.unwrap_or_default()))
            }
            Rule::Range => (number.is_some_and(within), format!("a number {bounds}")),
            Rule::RangeOrOneOf => {
                (number.is_some_and(within) || one_of(), format!("a number {bounds}, or one of {}", listed()))
            }
            Rule::RangeWithMask => {
                let part = |part: &str| based(part).is_some_and(within);
                let fits = number.map(within).or_else(|| {
                    let (value, mask) =
                        text?.split_once('/').map_or((text?, None), |(value, mask)| (value, Some(mask)));
                    Some(part(value) && mask.is_none_or(part))
                });
                (fits == Some(true), format!("a number {bounds}, alone or with a mask behind a slash"))
            }
            Rule::Minimum => {
                (number.is_some_and(|number| number >= self.min), format!("a number from {} on", self.min))
            }
            Rule::Int => (matches!(node.kind, Kind::Int(_)), "an integer".to_owned()),
            Rule::Removed => {
                (false, self.other.map_or_else(String::new, |see| format!("nothing: it was removed, see {see}")))
            }
            Rule::Credential => (text.is_some_and(|text| text.starts_with('@')), "a credential, `@NAME`".to_owned()),
            Rule::ByteFormat => {
                let fits = matches!(node.kind, Kind::Int(_)) || text.is_some_and(is_byte_format);
                (fits, "a number of bytes, as an integer or with K, M, G or T behind it".to_owned())
            }
            Rule::Mac => (text.is_some_and(is_mac), "a MAC address".to_owned()),
            Rule::MacOrNone => {
                (text.is_some_and(|text| is_mac(text) || text == "none"), "a MAC address, or \"none\"".to_owned())
            }
            Rule::Port => (number.is_some_and(is_port), "a port, an integer between 0 and 65535".to_owned()),
            Rule::PortOrRange => {
                let fits = number.map_or_else(|| text.is_some_and(is_port_range), is_port);
                (fits, "a port between 0 and 65535, or two with `-` between".to_owned())
            }
            Rule::RouteMetric => {
                let is_metric = |metric: f64| (0.0..=4_294_967_295.0).contains(&metric);
                let triple = |text: &str| {
                    let parts: Vec<&str> = text.split(':').collect();
                    parts.len() == 3 && parts.iter().all(|part| decimal(part).is_some_and(is_metric))
                };
                let fits = number.map_or_else(|| text.is_some_and(triple), is_metric);
                (fits, "an integer between 0 and 4294967295, or three with `:` between".to_owned())
            }
            Rule::HasField | Rule::OnlyFields => (true, String::new()),
        };
        (!fits).then_some(wanted)
    }
}

#[expect(clippy::cast_precision_loss, reason = "Nix compares an integer with a float the same way")]
fn number(kind: &Kind) -> Option<f64> {
    match kind {
        Kind::Int(int) => Some(*int as f64),
        Kind::Float(float) => Some(*float),
        _ => None,
    }
}

fn decimal(text: &str) -> Option<f64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Reads a number of the decimal or of the hexadecimal system.
fn based(text: &str) -> Option<f64> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(f64::from),
        None => decimal(text),
    }
}

fn is_byte_format(text: &str) -> bool {
    let digits = text.strip_suffix(['K', 'M', 'G', 'T']).unwrap_or(text);
    !text.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_mac(text: &str) -> bool {
    text.len() == 17 && text.split(':').all(|byte| byte.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn is_port(number: f64) -> bool {
    (0.0..=65_535.0).contains(&number)
}

fn is_port_range(text: &str) -> bool {
    let parts: Vec<Option<f64>> = text.split('-').map(decimal).collect();
    match parts.as_slice() {
        [Some(one)] => is_port(*one),
        [Some(low), Some(high)] => low <= high && is_port(*low) && is_port(*high),
        _ => false,
    }
}
