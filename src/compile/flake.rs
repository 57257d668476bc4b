//! out/default.nix, out/flake.nix, out/flake.lock, out/hive.nix and out/hostwright.nix: the same systems with and without
//! flakes, and for the engines that build and deploy them.
//!
//! The pins of the fleet stand in all of them, so that neither Nix nor a person has to look anything up, and nothing is
//! written into out/ by an evaluation.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::spelling::Spelling;
use super::{OutFile, reboot_test};
use crate::fleet::decode::Word as _;
use crate::fleet::scalar::{Account, Forge, SourceUrl, Target};
use crate::fleet::schema::fleet_file::{BuildOn, Channel, Input};
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{Diagnostics, Sources, Spanned};
use crate::text::{TemplateError, Templates, nix_attribute};

/// The values of both entry points.
#[derive(Serialize)]
struct Entry<'a> {
    fleet: &'a str,
    description: String,
    channels: Vec<Pin<'a>>,
    inputs: Vec<InputPin<'a>>,
    /// The names of the channels' inputs.
    channel_inputs: Vec<String>,
    /// What every host imports of the further inputs, as attribute paths.
    modules: Vec<String>,
    has_colmena: bool,
    has_deploy_rs: bool,
    /// The module that looks at hosts on a timer; none without one.
    watch: Option<String>,
    hosts: Vec<HostEntry<'a>>,
}

#[derive(Serialize)]
struct Pin<'a> {
    name: &'a str,
    /// The name of the flake's input, and that as an attribute.
    input: String,
    input_attribute: String,
    release: String,
    url: String,
    rev: Option<&'a str>,
    hash: Option<&'a str>,
    archive: Option<String>,
    /// Its date as a flake tells it: `20260902233914`.
    date: Option<String>,
}

/// A further source.
#[derive(Serialize)]
struct InputPin<'a> {
    name: &'a str,
    attribute: String,
    url: String,
    hash: Option<&'a str>,
    archive: Option<String>,
}

#[derive(Serialize)]
struct HostEntry<'a> {
    name: &'a str,
    attribute: String,
    /// The name of its channel's input.
    input: String,
    /// Of an old NixOS, which takes the system as an argument of its evaluation.
    system: Option<&'static str>,
    nix_system: &'static str,
    path: String,
    target_host: Option<&'a str>,
    target_user: Option<&'a str>,
    target_port: Option<u16>,
    build_on_target: bool,
    substitute_on_target: bool,
    tags: Vec<&'a str>,
    /// Arguments of ssh that lead to it.
    ssh_options: Vec<String>,
    /// Whether its release has what a test in a virtual machine stands on.
    boot_test: bool,
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
    let compiled = || fleet.hosts.iter().filter(|host| host.def.external.is_none());
    let used = |name: &str| compiled().any(|host| host.channel.name == name);
    let pin = |name: &'a str, channel: &'a Channel| Pin {
        name,
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
        date: channel.last_modified.as_ref().and_then(|seconds| date(seconds.value)),
    };
    let inputs = || fleet.fleet.file.inputs.iter();
    let module = |(name, input): (&String, &crate::fleet::decode::Keyed<Input>)| {
        let path: Vec<String> = input.module.as_ref()?.as_str().split('.').map(nix_attribute).collect();
        Some(format!("{}.{}", nix_attribute(name), path.join(".")))
    };
    let channels = fleet.fleet.channels().iter().filter(|(name, _)| used(name));
    Entry {
        fleet: fleet.fleet.file.fleet.name.as_str(),
        description: format!("The hosts of the fleet {}", fleet.fleet.file.fleet.name.as_str()),
        channels: channels.clone().map(|(name, channel)| pin(name, channel)).collect(),
        inputs: inputs().map(|(name, input)| input_pin(name, input)).collect(),
        channel_inputs: channels.map(|(name, _)| input(name)).collect(),
        modules: inputs().filter_map(module).collect(),
        has_colmena: inputs().any(|(name, _)| name == "colmena"),
        has_deploy_rs: inputs().any(|(name, _)| name == "deploy-rs"),
        watch: fleet.timer().map(|_| format!("./{}", super::deployer::WATCH)),
        hosts: compiled().map(|host| host_entry(fleet, host)).collect(),
    }
}

/// A pinned source as an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Its name among the inputs of out/default.nix; `nixpkgs-CHANNEL` for a channel.
    pub name: String,
    /// Where it is; none without a commit.
    pub url: Option<String>,
    /// The hash of the unpacked tree.
    pub hash: Option<String>,
}

/// Returns the name of a channel among the inputs of out/default.nix.
pub fn channel_input(channel: &str) -> String {
    input(channel)
}

/// Returns the archives of the channels that hosts run, then those of the further inputs.
pub fn archives(fleet: &Resolved<'_>) -> Vec<Archive> {
    let entry = entry(fleet);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let channels = entry.channels.iter();
    let channels =
        channels.map(|pin| Archive { name: pin.input.clone(), url: pin.archive.clone(), hash: owned(pin.hash) });
    let inputs = entry.inputs.iter();
    let inputs =
        inputs.map(|pin| Archive { name: pin.name.to_owned(), url: pin.archive.clone(), hash: owned(pin.hash) });
    channels.chain(inputs).collect()
}

/// Returns seconds since 1970 as flakes write a date.
fn date(seconds: u64) -> Option<String> {
    let stamp = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(stamp.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%M%S").to_string())
}

fn input_pin<'a>(name: &'a str, input: &'a Input) -> InputPin<'a> {
    let rev = input.rev.as_ref().map(|rev| rev.value.as_str());
    let (url, archive) = match &input.url.value {
        SourceUrl::Forge { forge, owner, repo } => {
            let archive = |rev: &str| match forge {
                Forge::Github => format!("https://github.com/{owner}/{repo}/archive/{rev}.tar.gz"),
                Forge::Gitlab => {
                    format!("https://gitlab.com/api/v4/projects/{owner}%2F{repo}/repository/archive.tar.gz?sha={rev}")
                }
            };
            let at = rev.map_or_else(String::new, |rev| format!("/{rev}"));
            (format!("{}{at}", input.url.value), rev.map(archive))
        }
        SourceUrl::Archive(url) => (url.clone(), Some(url.clone())),
    };
    let hash = input.hash.as_ref().map(|hash| hash.value.as_str());
    InputPin { name, attribute: nix_attribute(name), url, hash, archive }
}

fn host_entry<'a>(fleet: &Resolved<'_>, host: &'a ResolvedHost<'a>) -> HostEntry<'a> {
    let deploy = host.def.deploy.as_ref();
    let target = deploy.and_then(|deploy| deploy.target.as_ref()).map(|target| &target.value);
    let (target_user, target_host, target_port) = match target {
        Some(Target::Ssh { user, host, port }) => (user.as_ref().map(Account::as_str), Some(host.as_str()), *port),
        Some(Target::Local) | None => (None, None, None),
    };
    let spelling = Spelling::of(host.channel.channel.release.value);
    let nix_system = host.system().word();
    let mut ssh_options = Vec::new();
    if let Some(port) = target_port {
        ssh_options.extend(["-p".to_owned(), port.to_string()]);
    }
    ssh_options.extend(deploy.into_iter().flat_map(crate::fleet::schema::deploy::Deploy::ssh_words));
    HostEntry {
        name: host.name,
        attribute: nix_attribute(host.name),
        input: input(host.channel.name),
        system: (!spelling.host_platform()).then_some(nix_system),
        nix_system,
        path: format!("hosts/{}", host.name),
        target_host,
        target_user,
        target_port,
        build_on_target: host.build_on(fleet) == BuildOn::Target,
        substitute_on_target: deploy.is_some_and(|deploy| deploy.substitute_on_target.value),
        tags: deploy.into_iter().flat_map(|deploy| &deploy.tags).map(|tag| tag.as_str()).collect(),
        ssh_options,
        boot_test: super::boot_test::exists(host, spelling),
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
        Ok(text) => files.push(OutFile::of_text(path, text)),
        Err(error) => found.extend(super::template_error(fleet, sources, &error)),
    };
    let inputs = (!entry.inputs.is_empty()).then_some("inputs.nix");
    let tested = entry.hosts.iter().any(|host| host.boot_test).then_some("boot-test.nix");
    for name in ["default.nix", "flake.nix", "hive.nix"].into_iter().chain(inputs).chain(tested) {
        let template = format!("{name}.tera");
        let text = templates.render(&template, &entry).and_then(|text| {
            // Only a fleet's own template can be no Nix.
            crate::nix::format(&text).map_err(|error| TemplateError {
                template,
                line: Some(error.line),
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

/// Returns flake.lock, version 7, as Nix would write it; none unless everything in use has its commit and hash.
fn lock(fleet: &Resolved<'_>, entry: &Entry<'_>) -> Option<String> {
    let mut nodes = Map::new();
    let mut inputs = Map::new();
    for pin in &entry.channels {
        let channel = fleet.fleet.channel(pin.name)?;
        let original = json!({ "owner": "NixOS", "repo": "nixpkgs", "rev": pin.rev?, "type": "github" });
        let locked = locked(original.clone(), pin.hash?, channel.last_modified.as_ref());
        nodes.insert(pin.input.clone(), json!({ "locked": locked, "original": original }));
        inputs.insert(pin.input.clone(), Json::from(pin.input.as_str()));
    }
    for pin in &entry.inputs {
        let input = fleet.fleet.file.inputs.get(pin.name)?;
        let original = match &input.url.value {
            SourceUrl::Forge { forge, owner, repo } => {
                json!({ "owner": owner, "repo": repo, "rev": input.rev.as_ref()?.value, "type": forge.as_str() })
            }
            SourceUrl::Archive(url) => json!({ "type": "tarball", "url": url }),
        };
        let locked = locked(original.clone(), pin.hash?, input.last_modified.as_ref());
        nodes.insert(pin.name.to_owned(), json!({ "flake": false, "locked": locked, "original": original }));
        inputs.insert(pin.name.to_owned(), Json::from(pin.name));
    }
    nodes.insert("root".to_owned(), if inputs.is_empty() { json!({}) } else { json!({ "inputs": sorted(inputs) }) });
    let lock = json!({ "nodes": sorted(nodes), "root": "root", "version": 7 });
    let mut text = serde_json::to_string_pretty(&lock).ok()?;
    text.push('\n');
    Some(text)
}

/// Returns what an entry of a lock file says of the tree: what was asked for, its hash, and its date where that is known.
fn locked(original: Json, hash: &str, last_modified: Option<&Spanned<u64>>) -> Json {
    let mut locked = match original {
        Json::Object(map) => map,
        _ => Map::new(),
    };
    locked.insert("narHash".to_owned(), Json::from(hash));
    if let Some(seconds) = last_modified {
        locked.insert("lastModified".to_owned(), Json::from(seconds.value));
    }
    Json::Object(sorted(locked))
}

/// Nix writes names in their order.
fn sorted(map: Map<String, Json>) -> Map<String, Json> {
    let mut entries: Vec<(String, Json)> = map.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries.into_iter().collect()
}
