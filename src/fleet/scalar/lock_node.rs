//! A node of a flake.lock in the fleet's folder.

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
        let part = |part: &str| !matches!(part, "" | "." | "..") && !part.starts_with('-');
        let plain = |text: &str| text.len() <= 200 && !text.contains('\\') && !text.chars().any(char::is_control);
        let fits = path.split('/').all(part) && plain(path) && node.is_none_or(|node| !node.is_empty() && plain(node));
        if fits {
            return Ok(Self { path: path.to_owned(), node: node.map(str::to_owned) });
        }
        Err("a lock is `flake.lock#nixpkgs`: a file below the fleet's folder, then one of its inputs or nodes"
            .to_owned())
    }
}

impl fmt::Display for LockNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        self.node.iter().try_for_each(|node| write!(f, "#{node}"))
    }
}
