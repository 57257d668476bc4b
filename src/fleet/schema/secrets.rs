//! Secrets by name: where each lies on the host. No value of one is ever in a definition.

use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, inline, table};
use crate::fleet::scalar::{AbsPath, Account, FleetPath, Mode, NameKey};
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Node, Spanned};

table! {
    /// Secrets: who brings them, and where each lies.
    pub struct Secrets {
        /// Who brings them to the host. `sops-nix` and `agenix` are inputs of these names.
        "provider" => provider: Setting<Provider> = Provider::Credentials,
        /// sops-nix: the encrypted file below the fleet's folder that holds those which name none.
        "file" => file: Option<Spanned<FleetPath>>,
        /// The secrets, by the name that other keys use.
        "items" => items: Named<NameKey, SecretItem>,
    }
}

choice! {
    /// Who brings secrets to a host.
    pub enum Provider {
        /// Files that the installation puts there, handed to services by systemd.
        Credentials = "credentials",
        /// Files that sops encrypted, in the fleet; the host's ssh key opens them.
        SopsNix = "sops-nix",
        /// Files that age encrypted, in the fleet, one a secret; the host's ssh key opens them.
        Agenix = "agenix",
    }
}

table! {
    /// A secret.
    pub struct SecretItem {
        /// No key: a value stands in no definition, and is refused.
        "value" => value: Option<Never>,
        /// sops-nix, agenix: the encrypted file below the fleet's folder that holds it.
        "file" => file: Option<Spanned<FleetPath>>,
        /// sops-nix: its key in a file of YAML or JSON, with `/` between levels, `""` for the whole file; its name when absent.
        "key" => key: Option<Spanned<String>>,
        /// Its file on the host; /etc/credstore/NAME when absent. sops-nix, agenix: a link to where it lies.
        "path" => path: Option<Spanned<SecretPath>>,
        /// Who owns the file; root when absent.
        "owner" => owner: Option<Spanned<Account>>,
        /// The file's permissions; 0400 when absent.
        "mode" => mode: Option<Spanned<Mode>>,
    }
}

/// A secret's value, which never stands in a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Never;

impl Decode for Never {
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            form: "never",
            json: "null",
            pattern: None,
            wanted: "nothing: its value lies on the host only",
        })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        cx.found.push(inline::finding(&cx.route(), "the value of a secret", node.place));
        None
    }
}

/// An absolute path at which a secret may lie: not in the store, which everybody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPath(pub AbsPath);

impl Decode for SecretPath {
    fn shape() -> Shape {
        AbsPath::shape()
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let path = AbsPath::decode(node, cx)?;
        let wanted = "a path outside of the store, such as `/etc/credstore/NAME`: everybody on the host reads /nix";
        if path.is_below("/nix") || path.as_str() == "/" {
            cx.refused(node.place, path.as_str(), wanted)
        } else {
            Some(Self(path))
        }
    }
}
