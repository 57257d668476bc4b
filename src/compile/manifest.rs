//! out/manifest.json: what was compiled from what, so that a stale, edited or foreign file is noticed.

use std::collections::BTreeMap;

use super::OutFile;
use crate::resolve::Resolved;
use crate::source::sha256;

/// A channel as it was pinned.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChannelPin {
    /// The NixOS release.
    pub release: String,
    /// The nixpkgs commit.
    pub rev: Option<String>,
    /// Hash of the unpacked tree.
    pub hash: Option<String>,
}

#[derive(serde::Serialize)]
struct Manifest<'a> {
    version: u32,
    tool_version: &'a str,
    channels: &'a BTreeMap<String, ChannelPin>,
    inputs: BTreeMap<&'a str, String>,
    outputs: BTreeMap<&'a str, Output>,
}

#[derive(serde::Serialize)]
struct Output {
    sha256: String,
    executable: bool,
}

/// Returns the pins of all channels of a fleet, by name.
pub fn channel_pins(fleet: &Resolved<'_>) -> BTreeMap<String, ChannelPin> {
    let pin = |channel: &crate::fleet::schema::fleet_file::Channel| ChannelPin {
        release: channel.release.value.to_string(),
        rev: channel.rev.as_ref().map(|rev| rev.value.clone()),
        hash: channel.hash.as_ref().map(|hash| hash.value.clone()),
    };
    fleet.fleet.file.channels.iter().map(|(name, channel)| (name.clone(), pin(channel))).collect()
}

/// Returns the manifest: SHA-256 of every input (path below the fleet, text) and output, the pins, the tool's version.
///
/// `kept` are inputs by their digests: those of an earlier run whose outputs are taken over as they are, and what is no text.
pub fn manifest<'a>(
    inputs: &'a [(String, &str)],
    kept: impl Iterator<Item = (&'a str, &'a str)>,
    outputs: &[OutFile],
    channels: &BTreeMap<String, ChannelPin>,
    tool_version: &str,
) -> OutFile {
    let manifest = Manifest {
        version: 1,
        tool_version,
        channels,
        inputs: kept
            .map(|(path, digest)| (path, digest.to_owned()))
            .chain(inputs.iter().map(|(path, text)| (path.as_str(), sha256(text))))
            .collect(),
        outputs: outputs
            .iter()
            .map(|file| (file.path.as_str(), Output { sha256: sha256(&file.bytes), executable: file.executable }))
            .collect(),
    };
    // Only maps with other keys than strings cannot be written, and there are none.
    let mut text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    text.push('\n');
    OutFile::of_text("manifest.json", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_the_same_whatever_order_the_files_come_in() {
        let file = |path: &str| OutFile { executable: path == "b.sh", ..OutFile::of_text(path, "") };
        let text = |outputs: &[OutFile], inputs: &[(String, &str)]| {
            manifest(inputs, std::iter::empty(), outputs, &BTreeMap::new(), "0.1.0").text().to_owned()
        };
        let inputs = [("b".to_owned(), "x"), ("a".to_owned(), "")];
        let one = text(&[file("b.sh"), file("a")], &inputs);
        let mut reversed = inputs.clone();
        reversed.reverse();
        assert_eq!(one, text(&[file("a"), file("b.sh")], &reversed));
        assert!(one.contains("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    }
}
