//! The pin of a channel: commit, hash and date of a nixpkgs, as a flake.lock says them and as fleet.toml keeps them.
//!
//! Not here: which file is read, and what is shown of a change (`cli`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use toml_edit::{DocumentMut, Item, Value};

use crate::source::{Diagnostic, Diagnostics, Kind, Node, Table, nearest, quoted};
use crate::units::Release;

/// A pinned nixpkgs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The commit.
    pub rev: String,
    /// Hash of the unpacked source tree, as `sha256-…`.
    pub hash: String,
    /// Date of the commit in seconds since 1970, where it is known.
    pub last_modified: Option<i64>,
    /// The branch that a flake.lock follows, such as `nixos-26.05`.
    pub branch: Option<String>,
}

impl Pin {
    /// Returns the release of the branch that the lock follows, where it is another one.
    pub fn other_release(&self, release: Release) -> Option<Release> {
        let branch = self.branch.as_deref()?.strip_prefix("nixos-")?.parse::<Release>().ok()?;
        (branch != release).then_some(branch)
    }
}

/// Follows inputs from the root of a lock; a list is the route of an input that follows another one.
fn follow<'a>(nodes: &'a Table, root: &'a str, input: &'a Node, steps: &mut u32) -> Option<&'a str> {
    if let Some(name) = input.as_str() {
        return Some(name);
    }
    input.as_list()?.iter().try_fold(root, |at, step| {
        *steps = steps.checked_sub(1)?;
        let next = nodes.get(at)?.node.at(&["inputs", step.node.as_str()?])?;
        follow(nodes, root, next, steps)
    })
}

/// Returns the pin that a flake.lock has for an input of its flake or a node; for `nixpkgs` when none is named.
///
/// What is no lock, an unknown node and a node that is no nixpkgs become findings at their places.
pub fn of_lock(lock: &Node, wanted: Option<&str>, found: &mut Diagnostics) -> Option<Pin> {
    // Routes that follow routes end somewhere: a lock can be made in which they do not.
    let mut steps = 64;
    let Some(nodes) = lock.at(&["nodes"]).and_then(Node::as_table) else {
        let finding = Diagnostic::error("key-missing", lock.place, "this is no flake.lock: it has no `nodes`");
        found.push(finding.help("`nix flake lock` writes one"));
        return None;
    };
    let root = lock.at(&["root"]).and_then(Node::as_str).unwrap_or("root");
    let inputs = nodes.get(root).and_then(|node| node.node.at(&["inputs"])?.as_table());
    let wanted = wanted.unwrap_or("nixpkgs");
    let input = inputs.and_then(|inputs| inputs.get(wanted));
    let name = input.and_then(|input| follow(nodes, root, &input.node, &mut steps)).unwrap_or(wanted);
    let Some(entry) = nodes.get(name) else {
        let known: Vec<&str> = inputs
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .chain(nodes.keys().map(String::as_str))
            .collect();
        let near = nearest(wanted, known.iter().copied());
        let place = lock.at(&["nodes"]).map_or(lock.place, |nodes| nodes.place);
        let finding = Diagnostic::error("reference-unknown", place, format!("the lock has no node {}", quoted(wanted)));
        let names: Vec<String> = if near.is_empty() { known } else { near }.into_iter().take(8).map(quoted).collect();
        found.push(finding.help(format!("name one of its nodes after `#`, such as {}", names.join(", "))));
        return None;
    };
    let locked = |key: &str| entry.node.at(&["locked", key]);
    let text = |key: &str| locked(key).and_then(Node::as_str);
    let is = |key: &str, expected: &str| text(key).is_some_and(|said| said.eq_ignore_ascii_case(expected));
    if !(is("type", "github") && is("owner", "NixOS") && is("repo", "nixpkgs")) {
        let message = format!("the node {} is no nixpkgs of github:NixOS/nixpkgs", quoted(name));
        let finding = Diagnostic::error("value-invalid", entry.key, message);
        found.push(finding.help("name the node of nixpkgs after `#`, as in `--from flake.lock#nixpkgs`"));
        return None;
    }
    let mut sound = |key: &str, fault: fn(&str) -> Option<(&'static str, &'static str)>| {
        let Some((node, said)) = locked(key).and_then(|node| Some((node, node.as_str()?))) else {
            let message = format!("the node {} has no `{key}`", quoted(name));
            let finding = Diagnostic::error("key-missing", entry.key, message);
            found.push(finding.help("`nix flake lock` with a Nix of 2.4 or newer writes it"));
            return None;
        };
        if let Some((label, wanted)) = fault(said) {
            let message = format!("the `{key}` of the node {} cannot be {}", quoted(name), quoted(said));
            found.push(Diagnostic::error("value-invalid", node.place, message).label(label).help(wanted));
            return None;
        }
        Some(said.to_owned())
    };
    let (rev, hash) = (sound("rev", fault_of_rev), sound("narHash", fault_of_hash));
    let last_modified = match locked("lastModified").map(|node| &node.kind) {
        Some(Kind::Int(seconds)) if *seconds >= 0 => Some(*seconds),
        _ => None,
    };
    let branch = entry.node.at(&["original", "ref"]).and_then(Node::as_str).map(str::to_owned);
    Some(Pin { rev: rev?, hash: hash?, last_modified, branch })
}

/// Returns the text of a fleet.toml with the pin of a channel replaced, all else as it was; none where the text is no TOML or
/// has no such channel.
///
/// Without a date the old one is removed, as it is that of another commit.
pub fn write(text: &str, channel: &str, pin: &Pin) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let table = document.get_mut("channels")?.as_table_like_mut()?.get_mut(channel)?.as_table_like_mut()?;
    let same = table.get("rev").and_then(Item::as_str) == Some(&pin.rev);
    let mut set = |key: &str, new: Value| match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, Item::Value(new));
        }
    };
    set("rev", Value::from(pin.rev.as_str()));
    set("hash", Value::from(pin.hash.as_str()));
    match pin.last_modified {
        Some(seconds) => set("last-modified", Value::from(seconds)),
        None if same => {}
        None => {
            table.remove("last-modified");
        }
    }
    let written = document.to_string().replace("\r\n", "\n");
    // Lines end as they did, and a mark of the byte order stays.
    let written = if text.contains("\r\n") { written.replace('\n', "\r\n") } else { written };
    let mark = if text.starts_with('\u{feff}') && !written.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    Some(format!("{mark}{written}"))
}

/// Hashes that stand for nothing: of an empty file, and of the archive of an empty folder.
const OF_NOTHING: [&str; 2] =
    ["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo="];

/// Returns what is wrong with a commit, and what is wanted.
pub fn fault_of_rev(rev: &str) -> Option<(&'static str, &'static str)> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if rev.len() != 40 || !rev.bytes().all(hex) {
        return Some(("no commit", "write the commit in full: 40 hexadecimal digits in lower case"));
    }
    is_pattern(rev.as_bytes()).then_some(("a placeholder", "write the commit that the channel points to"))
}

/// Returns what is wrong with a hash, and what is wanted.
pub fn fault_of_hash(hash: &str) -> Option<(&'static str, &'static str)> {
    let wanted = "write it as `sha256-` and 32 bytes in base64: `narHash` in a flake.lock, or what `nix hash to-sri` makes of it";
    let Some(digest) = hash.strip_prefix("sha256-") else { return Some(("no SRI hash of sha256", wanted)) };
    // A placeholder is often no valid base64 in its last digit, and is worth its own word.
    let digits = digest.trim_end_matches('=');
    if digits.len() == 43 && is_pattern(digits.as_bytes()) || OF_NOTHING.contains(&digest) {
        return Some(("a placeholder", "write the hash that Nix names when it refuses this one"));
    }
    let is_sha256 = STANDARD.decode(digest).is_ok_and(|bytes| bytes.len() == 32);
    (!is_sha256).then_some(("not 32 bytes in base64", wanted))
}

/// Tells whether digits repeat with a period that no hash has: zeros, `deadbeef`, `0123456789`.
fn is_pattern(digits: &[u8]) -> bool {
    const LONGEST: usize = 16;
    (1..=LONGEST).any(|period| digits.iter().zip(digits.iter().skip(period)).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_forty_digits_that_do_not_repeat() {
        assert_eq!(fault_of_rev("a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4"), None);
        for bad in [
            "",
            "a5cc6f2",
            "nixos-26.05",
            "A5CC6F2C37BF518436DC8D1C288CCD0C43C2F4C4",
            "g5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4",
        ] {
            assert_eq!(fault_of_rev(bad).map(|(label, _)| label), Some("no commit"), "{bad}");
        }
        for bad in ["0".repeat(40), "f".repeat(40), "deadbeef".repeat(5), "1234567890".repeat(4)] {
            assert_eq!(fault_of_rev(&bad).map(|(label, _)| label), Some("a placeholder"), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_thirty_two_bytes_that_somebody_computed() {
        for good in [
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=",
            "sha256-9rlqZ5JwnA6nK04vKhV0s5ndepnWL5hpkaTV1b4ASvk=",
            "sha256-wR49KkuahcNq1xU3Tk+Mfbob3g2/B/fpbWPw8X+1wsg=",
        ] {
            assert_eq!(fault_of_hash(good), None, "{good}");
        }
        let placeholders = [
            format!("sha256-{}=", "A".repeat(43)),
            format!("sha256-{}=", "B".repeat(43)),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
        ];
        for bad in placeholders {
            assert_eq!(fault_of_hash(&bad).map(|(label, _)| label), Some("a placeholder"), "{bad}");
        }
        for bad in [
            "",
            "sha256-",
            "sha512-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU=",
            "sha256:0rq5l4z1wgqyqm4cjfgp4v1b8nvzkwlcvx1bxyp0g9nxw0ylqxvg",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JU",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59JV=",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS-lWBT60_IITjhTKI59JU=",
            "sha256-r2f1oUwixlgq9zOdYLqJLfS/lWBT60/IITjhTKI59J==",
        ] {
            assert!(fault_of_hash(bad).is_some(), "{bad}");
        }
    }
}
