//! out/default.nix, out/flake.nix, out/flake.lock and out/hostwright.nix: the same systems with and without flakes.
//!
//! The pins of the fleet stand in all of them, so that neither Nix nor a person has to look anything up, and nothing is
//! written into out/ by an evaluation.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::spelling::Spelling;
use super::{OutFile, reboot_test};
use crate::fleet::decode::Word as _;
use crate::fleet::scalar::Target;
use crate::fleet::schema::fleet_file::{BuildOn, Channel};
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{Diagnostics, Sources};
use crate::text::{TemplateError, Templates, nix_attribute};

/// The values of both entry points.
#[derive(Serialize)]
struct Entry<'a> {
    fleet: &'a str,
    description: String,
    channels: Vec<Pin<'a>>,
    hosts: Vec<HostEntry<'a>>,
}

#[derive(Serialize)]
struct Pin<'a> {
    name: &'a str,
    /// Its name as an attribute of Nix.
    attribute: String,
    /// The name of the flake's input, and that as an attribute.
    input: String,
    input_attribute: String,
    release: String,
    url: String,
    rev: Option<&'a str>,
    hash: Option<&'a str>,
    archive: Option<String>,
}

#[derive(Serialize)]
struct HostEntry<'a> {
    name: &'a str,
    attribute: String,
    channel: &'a str,
    input_attribute: String,
    /// Of an old NixOS, which takes the system as an argument of its evaluation.
    system: Option<&'static str>,
    nix_system: &'static str,
    path: String,
    target_host: Option<&'a str>,
    target_user: Option<&'a str>,
    target_port: Option<u16>,
    build_on_target: bool,
}

/// Returns the name of a channel's input in the flake.
fn input(channel: &str) -> String {
    format!("nixpkgs-{channel}")
}

/// Returns the flake reference of a channel: by commit, else its moving branch.
fn url(channel: &Channel) -> String {
    match &channel.rev {
        Some(rev) => format!("github:NixOS/nixpkgs/{}", rev.value),
        None if channel.release.value.is_pre() => "github:NixOS/nixpkgs/nixos-unstable".to_owned(),
        None => format!("github:NixOS/nixpkgs/nixos-{}", channel.release.value),
    }
}

fn entry<'a>(fleet: &'a Resolved<'a>) -> Entry<'a> {
    let used = |name: &str| fleet.hosts.iter().any(|host| host.channel.name == name);
    let pin = |name: &'a str, channel: &'a Channel| Pin {
        name,
        attribute: nix_attribute(name),
        input: input(name),
        input_attribute: nix_attribute(&input(name)),
        release: channel.release.value.to_string(),
        url: url(channel),
        rev: channel.rev.as_ref().map(|rev| rev.value.as_str()),
        hash: channel.hash.as_ref().map(|hash| hash.value.as_str()),
        archive: channel
            .rev
            .as_ref()
            .map(|rev| format!("https://github.com/NixOS/nixpkgs/archive/{}.tar.gz", rev.value)),
    };
    let channels = fleet.fleet.channels().iter().filter(|(name, _)| used(name));
    Entry {
        fleet: fleet.fleet.file.fleet.name.as_str(),
        description: format!("The hosts of the fleet {}", fleet.fleet.file.fleet.name.as_str()),
        channels: channels.map(|(name, channel)| pin(name, channel)).collect(),
        hosts: fleet.hosts.iter().map(|host| host_entry(fleet, host)).collect(),
    }
}

fn host_entry<'a>(fleet: &Resolved<'_>, host: &'a ResolvedHost<'a>) -> HostEntry<'a> {
    let target = host.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref()).map(|target| &target.value);
    let (target_user, target_host, target_port) = match target {
        Some(Target::Ssh { user, host, port }) => (user.as_ref().map(|user| user.as_str()), Some(host.as_str()), *port),
        Some(Target::Local) | None => (None, None, None),
    };
    let spelling = Spelling::of(host.channel.channel.release.value);
    let nix_system = host.system().word();
    HostEntry {
        name: host.name,
        attribute: nix_attribute(host.name),
        channel: host.channel.name,
        input_attribute: nix_attribute(&input(host.channel.name)),
        system: (!spelling.host_platform()).then_some(nix_system),
        nix_system,
        path: format!("hosts/{}", host.name),
        target_host,
        target_user,
        target_port,
        build_on_target: host.build_on(fleet) == BuildOn::Target,
    }
}

/// Returns the files that all hosts share.
pub(super) fn files(
    fleet: &Resolved<'_>,
    sources: &Sources,
    templates: &Templates,
    found: &mut Diagnostics,
) -> Vec<OutFile> {
    let entry = entry(fleet);
    let mut files = Vec::new();
    let mut add = |path: &str, text: Result<String, TemplateError>, found: &mut Diagnostics| match text {
        Ok(text) => files.push(OutFile { path: path.to_owned(), text, executable: false }),
        Err(error) => found.extend(super::template_error(fleet, sources, &error)),
    };
    for name in ["default.nix", "flake.nix"] {
        let template = format!("{name}.tera");
        let text = templates.render(&template, &entry).and_then(|text| {
            // Only a fleet's own template can be no Nix.
            crate::nix::format(&text).map_err(|error| TemplateError {
                template,
                line: Some(text.get(..error.start).map_or(1, |before| before.matches('\n').count() + 1)),
                message: format!("what it makes is no Nix: {}", error.message),
            })
        });
        add(name, text, found);
    }
    if let (Some(first), Some(place)) = (fleet.hosts.first(), sources.first()) {
        let release = fleet.hosts.iter().map(|host| host.channel.channel.release.value).max();
        let release = release.unwrap_or(first.channel.channel.release.value);
        let comment = [
            "The reboot test for hosts that hostwright does not compile: what a generation carries so that it gives up by",
            "itself, and the boot loader's part of it. Import it as nixosModules.hostwright.",
        ];
        let text = reboot_test::generic(release, templates, place).map(|mut settings| {
            super::boot::loader_hooks(&mut settings, place);
            settings.to_module(comment.map(str::to_owned).to_vec()).to_file()
        });
        add("hostwright.nix", text, found);
    }
    if let Some(text) = lock(fleet, &entry) {
        add("flake.lock", Ok(text), found);
    }
    files
}

/// Returns flake.lock, version 7, as Nix would write it; none unless every channel in use has its commit, hash and date.
fn lock(fleet: &Resolved<'_>, entry: &Entry<'_>) -> Option<String> {
    let mut nodes = Map::new();
    let mut inputs = Map::new();
    for pin in &entry.channels {
        let channel = fleet.fleet.channel(pin.name)?;
        let locked = json!({
            "lastModified": channel.last_modified.as_ref()?.value,
            "narHash": pin.hash?,
            "owner": "NixOS",
            "repo": "nixpkgs",
            "rev": pin.rev?,
            "type": "github",
        });
        let original = json!({ "owner": "NixOS", "repo": "nixpkgs", "rev": pin.rev?, "type": "github" });
        nodes.insert(pin.input.clone(), json!({ "locked": locked, "original": original }));
        inputs.insert(pin.input.clone(), Json::from(pin.input.as_str()));
    }
    nodes.insert("root".to_owned(), if inputs.is_empty() { json!({}) } else { json!({ "inputs": sorted(inputs) }) });
    let lock = json!({ "nodes": sorted(nodes), "root": "root", "version": 7 });
    let mut text = serde_json::to_string_pretty(&lock).ok()?;
    text.push('\n');
    Some(text)
}

/// Nix writes names in their order.
fn sorted(map: Map<String, Json>) -> Map<String, Json> {
    let mut entries: Vec<(String, Json)> = map.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.into_iter().collect()
}
