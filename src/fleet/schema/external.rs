//! A host that has its NixOS configuration elsewhere: it is not compiled, but planned, tested and updated.

use crate::fleet::decode::{Cx, Decode, table};
use crate::fleet::scalar::{ConfigurationPath, FlakeOutput, NixFile};
use crate::fleet::shape::Shape;
use crate::source::{Node, Place, Spanned};

table! {
    /// Where the configuration is: either `flake`, or `file` and `attribute`.
    pub struct ExternalTable {
        /// A flake and the configuration in it, such as `.#lufta`.
        "flake" => flake: Option<Spanned<FlakeOutput>>,
        /// A Nix file below the fleet's folder.
        "file" => file: Option<Spanned<NixFile>>,
        /// The configuration in what the file evaluates to.
        "attribute" => attribute: Option<Spanned<ConfigurationPath>>,
    }
}

/// Where a host's NixOS configuration is that hostwright does not compile.
#[derive(Debug, Clone, PartialEq)]
pub struct External {
    /// Where it stands.
    pub place: Place,
    /// What is built.
    pub source: ExternalSource,
}

/// What Nix is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum ExternalSource {
    /// An output of a flake.
    Flake(FlakeOutput),
    /// An attribute of a file.
    File(NixFile, ConfigurationPath),
}

impl Decode for External {
    fn shape() -> Shape {
        ExternalTable::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let table = ExternalTable::decode(node, cx)?;
        let source = match (table.flake, table.file, table.attribute) {
            (Some(flake), None, None) => ExternalSource::Flake(flake.value),
            (None, Some(file), Some(attribute)) => ExternalSource::File(file.value, attribute.value),
            _ => return cx.invalid(node, "either `flake`, or `file` and `attribute` are wanted"),
        };
        Some(Self { place: node.place, source })
    }
}

impl ExternalSource {
    /// Returns what it is called where people read it.
    pub fn words(&self) -> String {
        match self {
            Self::Flake(flake) => flake.full(),
            Self::File(file, attribute) => format!("{file}, {attribute}"),
        }
    }
}
