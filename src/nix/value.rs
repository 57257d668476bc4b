//! Values of Nix and of NixOS's module system.

use std::collections::BTreeSet;

use super::{Attrs, Expr, NixFloat, NixString};
use crate::source::{NORMAL, ORDER};
use crate::text::NUL_THROW;

/// A value as a NixOS module states it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(NixFloat),
    /// A string.
    Str(NixString),
    /// A path relative to the file that is printed.
    Path(NixPath),
    /// A list.
    List(Vec<Value>),
    /// An attribute set.
    Attrs(Attrs),
    /// Nix that stands as it is.
    Expr(Expr),
    /// A definition with a priority other than the plain one: `lib.mkForce`, `lib.mkDefault`, `lib.mkOverride`.
    Prioritised {
        /// NixOS's priority: 50 is `mkForce`, 1000 `mkDefault`, 100 plain.
        priority: u32,
        /// What is defined.
        value: Box<Value>,
    },
    /// Part of a list definition with its order: `lib.mkBefore`, `lib.mkAfter`, `lib.mkOrder`.
    Ordered {
        /// NixOS's order: 500 is `mkBefore`, 1500 `mkAfter`, 1000 plain.
        order: u32,
        /// What is defined.
        value: Box<Value>,
    },
    /// Several definitions of one option: `lib.mkMerge`.
    Merge(Vec<Value>),
}

impl Value {
    /// Returns the value with NixOS's priority (50 `mkForce`, 100 plain, 1000 `mkDefault`).
    #[must_use]
    pub fn with_priority(self, priority: u32) -> Self {
        Self::Prioritised { priority, value: Box::new(self) }
    }

    /// Returns the value as `lib.mkDefault`.
    #[must_use]
    pub fn default_priority(self) -> Self {
        self.with_priority(1000)
    }

    /// Returns the value as `lib.mkForce`.
    #[must_use]
    pub fn forced(self) -> Self {
        self.with_priority(50)
    }

    /// Returns the value with NixOS's order within a list (500 `mkBefore`, 1000 plain, 1500 `mkAfter`).
    #[must_use]
    pub fn with_order(self, order: u32) -> Self {
        Self::Ordered { order, value: Box::new(self) }
    }

    /// Returns a path relative to the printed file, such as `./boot.nix`.
    pub fn path(path: &str) -> Result<Self, NixPathError> {
        NixPath::new(path).map(Self::Path)
    }

    /// Adds the variables that the printed value mentions, `lib` for priorities included.
    pub(super) fn mentions(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Str(_) | Self::Path(_) => {}
            Self::List(values) => values.iter().for_each(|value| value.mentions(names)),
            Self::Attrs(attrs) => attrs.iter().for_each(|(_, value)| value.mentions(names)),
            Self::Expr(expr) => names.extend(expr.names().iter().cloned()),
            Self::Prioritised { priority, value } => {
                names.extend((*priority != NORMAL).then(|| "lib".to_owned()));
                value.mentions(names);
            }
            Self::Ordered { order, value } => {
                names.extend((*order != ORDER).then(|| "lib".to_owned()));
                value.mentions(names);
            }
            Self::Merge(values) => {
                names.insert("lib".to_owned());
                for value in values {
                    value.mentions(names);
                }
            }
        }
    }
}

/// A path relative to the printed file: `./boot.nix`, `../common/ssh keys.nix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NixPath(String);

/// The text is no path below or beside the printed file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a relative path starts with `./` or `../` and goes on with plain names, such as `./boot.nix`")]
pub struct NixPathError;

impl NixPath {
    /// Takes a path that starts with `./` or any number of `../` and goes on with at least one name; no name is empty,
    /// `.` or `..`, and none holds a control character.
    pub fn new(path: &str) -> Result<Self, NixPathError> {
        let mut names = path.strip_prefix("./").unwrap_or(path);
        let prefixed = names.len() < path.len() || path.starts_with("../");
        if names.len() == path.len() {
            while let Some(rest) = names.strip_prefix("../") {
                names = rest;
            }
        }
        let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(char::is_control);
        if prefixed && names.split('/').all(plain) { Ok(Self(path.to_owned())) } else { Err(NixPathError) }
    }

    /// Returns the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path as Nix, and whether it may stand as a list's element without parentheses. Names that a path
    /// literal cannot hold, such as those with spaces, are added to the folder as a string.
    pub(super) fn literal(&self) -> (String, bool) {
        let literal = |b: u8| b.is_ascii_alphanumeric() || b"._-+/".contains(&b);
        if self.0.bytes().all(literal) {
            return (self.0.clone(), true);
        }
        let text = NixString::new(format!("/{}", self.0.strip_prefix("./").unwrap_or(&self.0)));
        // No control character, hence no NUL, is in a path.
        (format!("./. + {}", text.map_or_else(|_| "\"\"".to_owned(), |text| text.one_line())), false)
    }
}

impl From<&str> for Value {
    /// Text with a NUL character, which Nix cannot hold, becomes a `throw` that says so: use [`NixString::new`] where it
    /// can be reported.
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Value {
    /// As from `&str`.
    fn from(text: String) -> Self {
        match NixString::new(text) {
            Ok(text) => Self::Str(text),
            Err(_) => Self::Expr(Expr::own(NUL_THROW.to_owned(), false, &[])),
        }
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Expr> for Value {
    fn from(expr: Expr) -> Self {
        Self::Expr(expr)
    }
}

impl From<Attrs> for Value {
    fn from(attrs: Attrs) -> Self {
        Self::Attrs(attrs)
    }
}

impl From<NixString> for Value {
    fn from(text: NixString) -> Self {
        Self::Str(text)
    }
}

impl From<NixPath> for Value {
    fn from(path: NixPath) -> Self {
        Self::Path(path)
    }
}

impl From<NixFloat> for Value {
    fn from(float: NixFloat) -> Self {
        Self::Float(float)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

macro_rules! from_int {
    ($($int:ty),*) => {$(
        impl From<$int> for Value {
            fn from(int: $int) -> Self {
                Self::Int(i64::from(int))
            }
        }
    )*};
}

from_int!(i64, i32, u32, u16, u8);

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    /// None is `null`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_a_path_of_plain_names() {
        for good in ["./boot.nix", "../a/b+c.nix", "../../x", "./a b.nix", "./ä", "./user/..."] {
            assert_eq!(NixPath::new(good).unwrap().as_str(), good);
        }
        for bad in
            ["", ".", "./", "..", "../", "a", "/etc", "~/a", "./a/", "./a//b", "./a/../b", "./../a", "./a\nb", "<a>"]
        {
            assert!(NixPath::new(bad).is_err(), "{bad}");
        }
        assert_eq!(NixPath::new("./a ${b}.nix").unwrap().literal().0, "./. + \"/a \\${b}.nix\"");
    }

    #[test]
    fn text_that_nix_cannot_hold_stops_the_evaluation() {
        assert!(matches!(Value::from("a\0b"), Value::Expr(expr) if expr.as_str().starts_with("throw ")));
    }
}
