//! Files in the fleet's folder that channels name: a node of a flake.lock, a list of options.

use std::fmt;
use std::str::FromStr;

/// A node of a flake.lock: `flake.lock#nixpkgs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockNode {
    /// The file's path below the fleet's folder.
    pub path: String,
    /// The input or node; `nixpkgs` where none is named.
    pub node: Option<String>,
}

impl FromStr for LockNode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, node) = text.split_once('#').map_or((text, None), |(path, node)| (path, Some(node)));
        let fits = is_path(path) && node.is_none_or(|node| !node.is_empty() && is_plain(node));
        if fits {
            return Ok(Self { path: path.to_owned(), node: node.map(str::to_owned) });
        }
        Err("a lock is `flake.lock#nixpkgs`: a file below the fleet's folder, then one of its inputs or nodes"
            .to_owned())
    }
}

/// Tells whether a text is the path of a file below the fleet's folder.
pub(super) fn is_path(text: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..") && !part.starts_with('-');
    text.split('/').all(part) && is_plain(text)
}

fn is_plain(text: &str) -> bool {
    text.len() <= 200 && !text.contains('\\') && !text.chars().any(char::is_control)
}

impl fmt::Display for LockNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        self.node.iter().try_for_each(|node| write!(f, "#{node}"))
    }
}
