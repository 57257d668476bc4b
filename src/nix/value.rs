//! Values of Nix and of NixOS's module system.

use std::collections::BTreeSet;

use super::{Attrs, Expr, NixFloat, NixString};

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
            Self::Prioritised { priority: plain, value } | Self::Ordered { order: plain, value } => {
                let is_plain = match self {
                    Self::Prioritised { .. } => *plain == crate::source::NORMAL,
                    _ => *plain == crate::source::ORDER,
                };
                if !is_plain {
                    names.insert("lib".to_owned());
                }
                value.mentions(names);
            }
            Self::Merge(values) => {
                names.insert("lib".to_owned());
                values.iter().for_each(|value| value.mentions(names));
            }
        }
    }

    /// Returns the set that this value is, or the set beside it in a `lib.mkMerge` if it is something else.
    pub(super) fn as_attrs_mut(&mut self) -> &mut Attrs {
        todo!()
    }
}
