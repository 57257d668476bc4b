//! Secrets by name: where each lies on the host. No value of one is ever in a definition.

use crate::fleet::decode::{Cx, Decode, Named, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, Account, Mode, NameKey};
use crate::fleet::schema::workloads::FilePath;
use crate::fleet::shape::{Scalar, Shape};
use crate::source::{Node, Spanned};

table! {
    /// Secrets: who brings them, and where each lies.
    pub struct Secrets {
        /// Who brings them to the host.
        "provider" => provider: Setting<Provider> = Provider::Credentials,
        /// The secrets, by the name that other keys use.
        "items" => items: Named<NameKey, SecretItem>,
        /// sops-nix: the encrypted file that holds those without a file of their own, below the host's folder.
        "file" => file: Option<Spanned<FilePath>>,
    }
}

choice! {
    /// Who brings secrets to a host.
    pub enum Provider {
        /// Files that the installation puts there, handed to services by systemd.
        Credentials = "credentials",
        /// sops-nix: files encrypted with SOPS beside the definition; needs `inputs.sops-nix`.
        SopsNix = "sops-nix",
        /// agenix: files encrypted with age beside the definition; needs `inputs.agenix`.
        Agenix = "agenix",
    }
}

table! {
    /// A secret.
    pub struct SecretItem {
        /// sops-nix, agenix: its encrypted file below the host's folder; `NAME.age` for agenix when absent.
        "file" => file: Option<Spanned<FilePath>>,
        /// sops-nix: its key within the file; its name when absent.
        "key" => key: Option<Spanned<SecretKey>>,
        /// Its file on the host; /etc/credstore/NAME when absent, with sops-nix and agenix /run/secrets/NAME and /run/agenix/NAME.
        "path" => path: Option<Spanned<SecretPath>>,
        /// Who owns the file; root when absent.
        "owner" => owner: Option<Spanned<Account>>,
        /// The file's permissions; 0400 when absent.
        "mode" => mode: Option<Spanned<Mode>>,
    }
}

/// A key within a file of SOPS: names with `/` between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKey(pub String);

impl Decode for SecretKey {
    fn shape() -> Shape {
        Shape::Scalar(Scalar { form: "key", json: "string", pattern: None, wanted: "a key within the file, in quotes" })
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a key within the file, names with `/` between them, such as `gitea/password`";
        let Some(text) = node.as_str() else { return cx.invalid(node, wanted) };
        let part =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if text.len() <= 200 && text.split('/').all(part) {
            Some(Self(text.to_owned()))
        } else {
            cx.refused(node.place, text, wanted)
        }
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
