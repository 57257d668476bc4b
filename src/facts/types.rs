//! The type of an option, as a view over its packed form, and its description in NixOS's words.
//!
//! Here belong: decoding and describing (the rules are those of nixpkgs `lib/types.nix`). Not here: comparing a value
//! with a type (`value`).
//!
//! Layout: a type is a byte of [`tag`] and its fields; `u32` references to elements point to lower offsets, which bounds
//! every walk. An unreadable or unknown type is [`Shape::Anything`] or [`Shape::Other`] and accepts everything.

use std::fmt::Write as _;

use super::bytes::{NONE, Packed, Section};
use super::section::SectionCheck;

/// The first byte of a packed type; also of an enum's member.
pub(super) mod tag {
    pub(crate) const OTHER: u8 = 0;
    pub(crate) const BOOL: u8 = 1;
    pub(crate) const FLOAT: u8 = 2;
    pub(crate) const STR: u8 = 3;
    pub(crate) const NON_EMPTY_STR: u8 = 4;
    pub(crate) const SINGLE_LINE_STR: u8 = 5;
    pub(crate) const PACKAGE: u8 = 6;
    pub(crate) const ATTRS: u8 = 7;
    pub(crate) const ANYTHING: u8 = 8;
    pub(crate) const RAW: u8 = 9;
    pub(crate) const UNSPECIFIED: u8 = 10;
    pub(crate) const INT: u8 = 11;
    pub(crate) const NUMBER: u8 = 12;
    pub(crate) const ENUM: u8 = 13;
    pub(crate) const PATTERN: u8 = 14;
    pub(crate) const SEPARATED: u8 = 15;
    pub(crate) const PATH: u8 = 16;
    pub(crate) const NULL_OR: u8 = 17;
    pub(crate) const LIST_OF: u8 = 18;
    pub(crate) const ATTRS_OF: u8 = 19;
    pub(crate) const LAZY_ATTRS_OF: u8 = 20;
    pub(crate) const LOA_OF: u8 = 21;
    pub(crate) const UNIQUE: u8 = 22;
    pub(crate) const FUNCTION_TO: u8 = 23;
    pub(crate) const EITHER: u8 = 24;
    pub(crate) const COERCED: u8 = 25;
    pub(crate) const SUBMODULE: u8 = 26;
    pub(crate) const VALUE: u8 = 27;
    pub(crate) const ATTR_TAG: u8 = 28;
    pub(crate) const SECTION: u8 = 29;
}

/// The section of an options table that holds types.
pub(super) const TYPES: usize = 3;

/// A type of a table; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Type<'a> {
    table: Packed<'a>,
    at: u32,
}

/// What a type is. Names are those of nixpkgs `lib.types`.
#[derive(Debug, Clone)]
pub enum Shape<'a> {
    /// `bool`
    Bool,
    /// `int` and `ints.*`
    Int {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
        /// `int`, `unsignedInt16`, `intBetween` and so on.
        name: &'a str,
    },
    /// `float`; an integer is none.
    Float,
    /// `number` and `numbers.*`: an integer or a float.
    Number {
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
        /// `numberBetween` and so on.
        name: &'a str,
    },
    /// `str`
    Str {
        /// Its description, when it carries a check of its own, which the facts do not know.
        check: Option<&'a str>,
    },
    /// `nonEmptyStr`: not only white space.
    NonEmptyStr,
    /// `singleLineStr`
    SingleLineStr,
    /// `strMatching`: a POSIX extended regular expression for the whole string.
    Pattern(&'a str),
    /// `separatedString`, `lines`, `commas`, `envVar`: definitions are joined with this.
    Separated(&'a str),
    /// `path`, `pathInStore`, `externalPath`, `pathWith`
    Path {
        /// Must (not) begin with `/`.
        absolute: Option<bool>,
        /// Must (not) lie in the Nix store.
        in_store: Option<bool>,
        /// The one type `path` of the releases before `pathWith` came.
        plain: bool,
    },
    /// `package`
    Package,
    /// `attrs`
    Attrs,
    /// `anything`, and types that the facts cut off.
    Anything,
    /// `raw`
    Raw,
    /// `unspecified`
    Unspecified,
    /// `nullOr`
    NullOr(Type<'a>),
    /// `listOf`, `nonEmptyListOf`
    ListOf {
        /// The type of each element.
        element: Type<'a>,
        /// An empty list is refused.
        non_empty: bool,
    },
    /// `attrsOf`, `lazyAttrsOf`
    AttrsOf {
        /// The type of each value.
        element: Type<'a>,
        /// `lazyAttrsOf`
        lazy: bool,
    },
    /// `loaOf`: a list or a set (releases before 21.03).
    LoaOf(Type<'a>),
    /// `unique`, `uniq`: one definition only.
    Unique(Type<'a>),
    /// `functionTo`
    FunctionTo(Type<'a>),
    /// `either`, `oneOf`
    Either(Vec<Type<'a>>),
    /// `coercedTo`
    Coerced {
        /// What it becomes.
        to: Type<'a>,
        /// What it may be written as; not known for 20.09.
        from: Option<Type<'a>>,
    },
    /// `submodule`: its declared members are options of their own below it.
    Submodule {
        /// The type of attributes that are not declared; none for a closed one.
        free: Option<Type<'a>>,
    },
    /// A serialization format's value ("JSON value").
    Value {
        /// Its description.
        text: &'a str,
        /// Null is a value of it.
        null: bool,
    },
    /// `attrsOf` with the checks of a unit's section.
    Section {
        /// The type of each field.
        element: Type<'a>,
        /// The section's name.
        group: &'a str,
        /// A field that may hold the whole section, from an earlier form of the option.
        legacy: Option<&'a str>,
        /// What is checked.
        checks: Vec<SectionCheck<'a>>,
    },
    /// `attrTag`: exactly one of these attributes.
    AttrTag(Vec<(&'a str, Type<'a>)>),
    /// `enum`
    Enum(Vec<Literal<'a>>),
    /// Any other type, with its description or name: not checked.
    Other(&'a str),
}

/// A member of an `enum`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal<'a> {
    /// A string.
    Str(&'a str),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// null
    Null,
    /// Something that is no literal.
    Other,
}

/// How a description binds within another (`descriptionClass`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Noun,
    Conjunction,
    Composite,
    Clause,
    None,
}

impl<'a> Type<'a> {
    pub(super) fn new(table: Packed<'a>, at: u32) -> Self {
        Self { table, at }
    }

    /// Returns the type that accepts everything.
    pub fn anything() -> Self {
        Self { table: Packed::new(&[]), at: NONE }
    }

    /// Returns what it is.
    pub fn shape(self) -> Shape<'a> {
        self.decode().unwrap_or(Shape::Anything)
    }

    fn decode(self) -> Option<Shape<'a>> {
        let section = self.table.section(TYPES);
        let at = self.at as usize;
        let word = |offset: usize| section.u32(at + 1 + offset);
        let text = |offset: usize| self.table.text(word(offset)?);
        // Elements come before what holds them; anything else is a damaged table, and a walk over it must end.
        let child = |at: u32| (at < self.at).then_some(Type { table: self.table, at });
        let element = |offset: usize| child(word(offset)?);
        Some(match section.u8(at)? {
            tag::BOOL => Shape::Bool,
            tag::FLOAT => Shape::Float,
            tag::STR => Shape::Str { check: text(0) },
            tag::NON_EMPTY_STR => Shape::NonEmptyStr,
            tag::SINGLE_LINE_STR => Shape::SingleLineStr,
            tag::PACKAGE => Shape::Package,
            tag::ATTRS => Shape::Attrs,
            tag::ANYTHING => Shape::Anything,
            tag::RAW => Shape::Raw,
            tag::UNSPECIFIED => Shape::Unspecified,
            tag::INT => Shape::Int { min: section.i64(at + 1)?, max: section.i64(at + 9)?, name: text(16)? },
            tag::NUMBER => Shape::Number { min: section.f64(at + 1)?, max: section.f64(at + 9)?, name: text(16)? },
            tag::ENUM => Shape::Enum(members(self.table, section, word(0)?, at + 5)?.0),
            tag::SECTION => {
                let mut checks = Vec::new();
                let mut next = at + 17;
                for _ in 0..word(12)? {
                    let values = |count, start| members(self.table, section, count, start);
                    let (check, end) = SectionCheck::read(self.table, section, next, values)?;
                    checks.push(check);
                    next = end;
                }
                Shape::Section { element: element(0)?, group: text(4)?, legacy: text(8), checks }
            }
            tag::PATTERN => Shape::Pattern(text(0)?),
            tag::SEPARATED => Shape::Separated(text(0)?),
            tag::PATH => Shape::Path {
                absolute: truth(section.u8(at + 1)?),
                in_store: truth(section.u8(at + 2)?),
                plain: section.u8(at + 1)? == 3,
            },
            tag::NULL_OR => Shape::NullOr(element(0)?),
            tag::LIST_OF => Shape::ListOf { element: element(1)?, non_empty: section.u8(at + 1)? == 1 },
            tag::ATTRS_OF => Shape::AttrsOf { element: element(0)?, lazy: false },
            tag::LAZY_ATTRS_OF => Shape::AttrsOf { element: element(0)?, lazy: true },
            tag::LOA_OF => Shape::LoaOf(element(0)?),
            tag::UNIQUE => Shape::Unique(element(0)?),
            tag::FUNCTION_TO => Shape::FunctionTo(element(0)?),
            tag::EITHER => Shape::Either((0..word(0)? as usize).map_while(|n| element(4 + n * 4)).collect()),
            tag::COERCED => Shape::Coerced { to: element(0)?, from: element(4) },
            tag::SUBMODULE => match word(0)? {
                NONE => Shape::Submodule { free: None },
                free => Shape::Submodule { free: Some(child(free).unwrap_or_else(Type::anything)) },
            },
            tag::VALUE => Shape::Value { text: text(1)?, null: section.u8(at + 1)? == 1 },
            tag::ATTR_TAG => {
                let tags = (0..word(0)? as usize).map_while(|n| Some((text(4 + n * 8)?, element(8 + n * 8)?)));
                Shape::AttrTag(tags.collect())
            }
            tag::OTHER => Shape::Other(text(0)?),
            _ => return None,
        })
    }

    /// Returns the description that NixOS's manual and error messages use ("list of string").
    pub fn describe(self) -> String {
        self.phrase().0
    }

    /// Tells whether a definition is missing nothing when there is none: the type has an empty value of its own.
    pub fn has_empty_value(self) -> bool {
        match self.shape() {
            Shape::NullOr(_)
            | Shape::AttrsOf { .. }
            | Shape::Section { .. }
            | Shape::LoaOf(_)
            | Shape::Attrs
            | Shape::Submodule { .. }
            | Shape::Anything
            | Shape::Raw
            | Shape::Unspecified
            | Shape::Value { .. }
            | Shape::Other(_) => true,
            Shape::ListOf { non_empty, .. } => !non_empty,
            Shape::Unique(element) | Shape::Coerced { to: element, .. } => element.has_empty_value(),
            _ => false,
        }
    }

    fn phrase(self) -> (String, Class) {
        let simple = |text: &str| (text.to_owned(), Class::Noun);
        match self.shape() {
            Shape::Bool => simple("boolean"),
            Shape::Int { min, max, name } => int_phrase(min, max, name),
            Shape::Float => simple("floating point number"),
            Shape::Number { min, max, name } => match name {
                "numberNonnegative" => {
                    ("nonnegative integer or floating point number, meaning >=0".to_owned(), Class::Clause)
                }
                "numberPositive" => ("positive integer or floating point number, meaning >0".to_owned(), Class::Clause),
                "numberBetween" => {
                    let text = format!("integer or floating point number between {min} and {max} (both inclusive)");
                    (text, Class::Conjunction)
                }
                _ => ("signed integer or floating point number".to_owned(), Class::Conjunction),
            },
            Shape::Str { check } => simple(check.unwrap_or("string")),
            Shape::NonEmptyStr => simple("non-empty string"),
            Shape::SingleLineStr => simple("(optionally newline-terminated) single-line string"),
            Shape::Pattern(pattern) => (format!("string matching the pattern {pattern}"), Class::Noun),
            Shape::Separated(separator) => {
                (format!("strings concatenated with \"{}\"", json_escaped(separator)), Class::Noun)
            }
            Shape::Path { plain: true, .. } => simple("path"),
            Shape::Path { absolute, in_store, .. } => {
                let first = absolute.map_or("", |absolute| if absolute { "absolute " } else { "relative " });
                let last =
                    in_store.map_or("", |inside| if inside { " in the Nix store" } else { " not in the Nix store" });
                (format!("{first}path{last}"), Class::Noun)
            }
            Shape::Package => simple("package"),
            Shape::Attrs => ("attribute set".to_owned(), Class::None),
            Shape::Anything => simple("anything"),
            Shape::Raw => simple("raw value"),
            Shape::Unspecified => simple("unspecified value"),
            Shape::NullOr(element) => {
                (format!("null or {}", element.within(&[Class::Noun, Class::Conjunction])), Class::Conjunction)
            }
            Shape::ListOf { element, non_empty } => {
                let list = format!("list of {}", element.within(&[Class::Noun, Class::Composite]));
                if non_empty { (format!("non-empty ({list})"), Class::Composite) } else { (list, Class::Composite) }
            }
            Shape::AttrsOf { element, lazy } => {
                let first = if lazy { "lazy " } else { "" };
                let element = element.within(&[Class::Noun, Class::Composite]);
                (format!("{first}attribute set of {element}"), Class::Composite)
            }
            Shape::Section { element, .. } => {
                (format!("attribute set of {}", element.within(&[Class::Noun, Class::Composite])), Class::Composite)
            }
            Shape::LoaOf(element) => (
                format!("list or attribute set of {}", element.within(&[Class::Noun, Class::Composite])),
                Class::Composite,
            ),
            Shape::Unique(element) => element.phrase(),
            Shape::FunctionTo(element) => {
                let element = element.within(&[Class::Noun, Class::Composite]);
                (format!("function that evaluates to a(n) {element}"), Class::Composite)
            }
            Shape::Either(alternatives) => (either_phrase(&alternatives), Class::Conjunction),
            Shape::Coerced { to, from: None } => (to.describe(), Class::None),
            Shape::Coerced { to, from: Some(from) } => (
                format!("{} or {} convertible to it", to.within(&[Class::Noun]), from.within(&[Class::Noun])),
                Class::None,
            ),
            Shape::Submodule { free: None } => ("submodule".to_owned(), Class::None),
            Shape::Submodule { free: Some(free) } => {
                (format!("open submodule of {}", free.within(&[Class::Noun, Class::Composite])), Class::None)
            }
            Shape::Value { text, .. } => (text.to_owned(), Class::Conjunction),
            Shape::AttrTag(tags) => {
                let names: Vec<&str> = tags.iter().map(|(name, _)| *name).collect();
                (format!("attribute-tagged union with choices: {}", names.join(", ")), Class::Noun)
            }
            Shape::Enum(members) => enum_phrase(&members),
            Shape::Other(text) => (text.to_owned(), Class::None),
        }
    }

    /// Returns the description as it stands inside another, in parentheses unless its class is one of these.
    fn within(self, bare: &[Class]) -> String {
        let (text, class) = self.phrase();
        if bare.contains(&class) { text } else { format!("({text})") }
    }
}

/// Reads the members of an enum, and returns the offset behind them.
fn members<'a>(table: Packed<'a>, section: Section<'a>, count: u32, start: usize) -> Option<(Vec<Literal<'a>>, usize)> {
    let mut at = start;
    let mut members = Vec::new();
    for _ in 0..count {
        let (member, len) = match section.u8(at)? {
            tag::STR => (Literal::Str(table.text(section.u32(at + 1)?)?), 5),
            tag::INT => (Literal::Int(section.i64(at + 1)?), 9),
            tag::FLOAT => (Literal::Float(section.f64(at + 1)?), 9),
            tag::BOOL => (Literal::Bool(section.u8(at + 1)? == 1), 2),
            tag::NULL_OR => (Literal::Null, 1),
            _ => (Literal::Other, 1),
        };
        members.push(member);
        at += len;
    }
    Some((members, at))
}

fn truth(state: u8) -> Option<bool> {
    match state {
        1 | 3 => Some(true),
        2 => Some(false),
        _ => None,
    }
}

fn int_phrase(min: i64, max: i64, name: &str) -> (String, Class) {
    let range = format!("between {min} and {max} (both inclusive)");
    let bits =
        |sign: &str| format!("{} bit {sign} integer; {range}", name.trim_start_matches(|c: char| !c.is_ascii_digit()));
    match name {
        "int" => ("signed integer".to_owned(), Class::Noun),
        "unsignedInt" => ("unsigned integer, meaning >=0".to_owned(), Class::Clause),
        "positiveInt" => ("positive integer, meaning >0".to_owned(), Class::Clause),
        "intBetween" => (format!("integer {range}"), Class::Noun),
        name if name.starts_with("unsigned") => (bits("unsigned"), Class::Noun),
        _ => (bits("signed"), Class::Noun),
    }
}

fn either_phrase(alternatives: &[Type<'_>]) -> String {
    let Some((first, rest)) = alternatives.split_first() else { return "anything".to_owned() };
    let (mut text, mut class) = first.phrase();
    for alternative in rest {
        let next = if class == Class::Clause {
            format!("{text}, or {}", alternative.within(&[Class::Noun, Class::Conjunction]))
        } else {
            let left = if matches!(class, Class::Noun | Class::Conjunction) { text } else { format!("({text})") };
            format!("{left} or {}", alternative.within(&[Class::Noun, Class::Conjunction, Class::Composite]))
        };
        text = next;
        class = Class::Conjunction;
    }
    text
}

fn enum_phrase(members: &[Literal<'_>]) -> (String, Class) {
    let names: Vec<String> = members.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => ("impossible (empty enum)".to_owned(), Class::Noun),
        [one] => (format!("value {one} (singular enum)"), Class::Noun),
        _ => (format!("one of {}", names.join(", ")), Class::Conjunction),
    }
}

impl std::fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Str(text) => write!(f, "\"{text}\""),
            Self::Int(int) => write!(f, "{int}"),
            Self::Float(_) => f.write_str("<float>"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("<null>"),
            Self::Other => f.write_str("<other>"),
        }
    }
}

fn json_escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            // Writing to a String cannot fail.
            c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
