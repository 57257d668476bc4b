//! `hostwright init`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context::shown;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::fleet::pin::{self, Pin};
use crate::fleet::schema::documents;
use crate::source::{Sources, parse_json};
use crate::text::ShellWord;
use crate::units::Release;

/// Make a new fleet: fleet.toml, one host, a CI workflow, editor settings.
///
/// What it writes checks and builds as it is; lines that say EDIT are to be filled in for a real machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright init my-fleet        a fleet with one host to edit
  hostwright init --example tour  the worked example: a server with a raidz1, a forge, and its plan")]
pub(super) struct Args {
    /// The folder; made when it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Copy the worked example instead
    #[arg(long)]
    example: bool,
}

pub(super) fn run(terminal: &Terminal, args: &Args) -> Result<ExitStatus, Failure> {
    let pin = flake_pin(&args.folder)?;
    let mut files = if args.example { example() } else { fresh(pin.as_ref()) };
    files.extend(editor()?);
    output::write_into(&args.folder, &files)?;
    let folder = args.folder.display().to_string();
    let enter = if folder == "." { String::new() } else { format!("cd {} && ", ShellWord::new(&folder)) };
    let pinned = match &pin {
        Some((_, pin)) if !args.example => format!("pinned   nixpkgs {} as flake.lock has it\n", pin.rev),
        _ => String::new(),
    };
    let edit =
        if args.example { "" } else { "edit     the lines that say EDIT in fleet.toml and hosts/first/host.toml\n" };
    terminal.print(&format!(
        "wrote    {} ({} files)\n{pinned}{edit}next     {enter}hostwright check && hostwright build\n",
        shown(&args.folder),
        files.len()
    ))?;
    Ok(ExitStatus::Success)
}

/// Returns the pin of the folder's flake.lock with its release, when its nixpkgs follows one.
fn flake_pin(folder: &std::path::Path) -> Result<Option<(Release, Pin)>, Failure> {
    let path = folder.join("flake.lock");
    if !path.exists() {
        return Ok(None);
    }
    let mut sources = Sources::default();
    let file = sources.add(shown(&path), output::read_text(&path)?);
    let mut found = Vec::new();
    let Some(lock) = parse_json(&sources, file, "value-invalid", &mut found) else {
        let why = found.first().map_or("it cannot be read", |finding| finding.message.as_str());
        return Err(Failure::new(format!("{}: {why}", shown(&path))));
    };
    // A lock without a nixpkgs that can be taken is no hindrance: the template has a pin of its own.
    let pin = pin::of_lock(&lock, None, &mut found);
    Ok(pin.and_then(|pin| Some((pin.branch.as_ref()?.strip_prefix("nixos-")?.parse().ok()?, pin))))
}

fn fresh(pin: Option<&(Release, Pin)>) -> BTreeMap<String, String> {
    let fleet = include_str!("init/fleet.toml");
    let fleet = match pin {
        Some(pin) => with_pin(fleet, pin),
        None => fleet.to_owned(),
    };
    [
        ("fleet.toml", fleet),
        ("hosts/first/host.toml", include_str!("init/host.toml").to_owned()),
        (".github/workflows/hostwright.yml", include_str!("init/workflow.yml").to_owned()),
        (".gitignore", "/out/\n/state/\n".to_owned()),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text))
    .collect()
}

/// Replaces the pin of the template by that of a flake.lock.
fn with_pin(fleet: &str, (release, pin): &(Release, Pin)) -> String {
    let line = |line: &str| match line.split(" = ").next() {
        Some("release") => format!("release = \"{release}\"\n"),
        _ => format!("{line}\n"),
    };
    let fleet: String = fleet.lines().map(line).collect();
    pin::write(&fleet, "stable", pin).unwrap_or(fleet)
}

fn example() -> BTreeMap<String, String> {
    [
        ("fleet.toml", include_str!("../../fleet.toml")),
        ("hosts/lufta/host.toml", include_str!("../../hosts/lufta/host.toml")),
        ("hosts/attic/host.toml", include_str!("../../hosts/attic/host.toml")),
        ("k8s/flux.yaml", include_str!("../../k8s/flux.yaml")),
        ("k8s/gitea.yaml", include_str!("../../k8s/gitea.yaml")),
        ("k8s/miniflux.yaml", include_str!("../../k8s/miniflux.yaml")),
        ("k8s/navidrome.yaml", include_str!("../../k8s/navidrome.yaml")),
        ("k8s/site.yaml", include_str!("../../k8s/site.yaml")),
        ("k8s/volumes.yaml", include_str!("../../k8s/volumes.yaml")),
        (".gitignore", "/out/\n/state/\n"),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .collect()
}

/// Returns the editor settings: schemas, and which file each is for, as Taplo and Even Better TOML read them.
fn editor() -> Result<BTreeMap<String, String>, Failure> {
    let pretty = |value: serde_json::Value| {
        serde_json::to_string_pretty(&value).map(|text| text + "\n").map_err(|error| Failure::new(error.to_string()))
    };
    Ok(BTreeMap::from([
        (".taplo.toml".to_owned(), include_str!("init/taplo.toml").to_owned()),
        (".schemas/fleet.json".to_owned(), pretty(documents::fleet())?),
        (".schemas/host.json".to_owned(), pretty(documents::host())?),
        (".schemas/module.json".to_owned(), pretty(documents::module())?),
    ]))
}
