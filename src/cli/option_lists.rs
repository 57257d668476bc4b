//! The lists of options that channels of a fleet name as their own.

use std::path::Path;

use super::output;
use crate::facts::{Facts, pack};
use crate::fleet::scalar::OptionsFile;
use crate::source::{Diagnostic, Diagnostics, FleetFiles, Node, Place, parse_toml, quoted};
use crate::units::Release;

/// A list that a channel names.
pub(super) struct OptionList {
    channel: String,
    release: Release,
    place: Place,
    /// The file, below the fleet's folder.
    pub(super) path: String,
}

/// Returns the lists that the channels of fleet.toml name. What is no release and no path there is told when the file is decoded.
pub(super) fn of(files: &FleetFiles) -> Vec<OptionList> {
    let Some(file) = files.files.get("fleet.toml") else { return Vec::new() };
    if !files.sources.file(*file).text().contains("options") {
        return Vec::new();
    }
    let tree = parse_toml(&files.sources, *file, &mut Diagnostics::new());
    let channels = tree.at(&["channels"]).and_then(Node::as_table).into_iter().flatten();
    let of_channel = |(name, channel): (&String, &crate::source::Entry)| {
        let options = channel.node.at(&["options"])?;
        let path: OptionsFile = options.as_str()?.parse().ok()?;
        let release = channel.node.at(&["release"])?.as_str()?.parse().ok()?;
        Some(OptionList { channel: name.clone(), release, place: options.place, path: path.as_str().to_owned() })
    };
    channels.filter_map(of_channel).collect()
}

impl OptionList {
    /// Reads the list into the facts.
    pub(super) fn add(&self, folder: &Path, facts: &mut Facts) -> Result<(), Box<Diagnostic>> {
        let path = quoted(&self.path);
        let refused = |rule: &'static str, message: String, help: &str| {
            Box::new(Diagnostic::error(rule, self.place, message).help(help))
        };
        let remove = "remove `options` to go by the list of the release";
        let root = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let Ok(real) = root.join(&self.path).canonicalize() else {
            let help = "a path below the fleet's folder; options.json.br lies beside the channel's nixexprs.tar.xz";
            return Err(refused("reference-unknown", format!("there is no {path} in the fleet"), help));
        };
        if !real.starts_with(&root) {
            let message = format!("{path}: a symbolic link leads out of the fleet");
            return Err(refused("file-unreadable", message, "put the file itself into the fleet"));
        }
        let unreadable =
            |why: String| refused("file-unreadable", format!("{path} is no list of options: {why}"), remove);
        // The name as written tells brotli, not that of what a link leads to.
        let bytes = output::read_options_file(&root.join(&self.path)).map_err(unreadable)?;
        let table = if Path::new(&self.path).extension().is_some_and(|ending| ending == "bin") {
            bytes
        } else {
            pack::import(self.release, &bytes, facts.options(self.release)).map_err(unreadable)?.table
        };
        if !facts.add_channel(&self.channel, table) {
            return Err(unreadable("it is no table that `hostwright facts import` has made".to_owned()));
        }
        match facts.options_of(&self.channel, self.release) {
            Some(index) if index.release.base() != self.release.base() => {
                let message = format!(
                    "{path} has the options of {}, and {} is {}",
                    index.release,
                    quoted(&self.channel),
                    self.release
                );
                Err(refused("value-invalid", message, "`hostwright facts import` makes one of the channel's own list"))
            }
            _ => Ok(()),
        }
    }
}
