//! `hostwright init`

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context::shown;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::fleet::schema::documents;
use crate::text::ShellWord;

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
        Some(pin) if !args.example => {
            format!("pinned   nixpkgs {} as flake.lock has it\n", crate::source::printable(&pin.rev))
        }
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

/// A nixpkgs that a flake.lock pins.
#[derive(Debug)]
struct Pin {
    release: String,
    rev: String,
    hash: String,
    last_modified: i64,
}

/// Returns the pin of the folder's flake.lock: its node `nixpkgs`, when that follows a release.
fn flake_pin(folder: &std::path::Path) -> Result<Option<Pin>, Failure> {
    let path = folder.join("flake.lock");
    if !path.exists() {
        return Ok(None);
    }
    let text = output::read_text(&path)?;
    let lock: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{} is not valid JSON: {error}", shown(&path))))?;
    let node = |name: &str| lock.get("nodes").and_then(|nodes| nodes.get(name));
    let root = lock.get("root").and_then(|root| root.as_str()).unwrap_or("root");
    let name = node(root).and_then(|root| root.get("inputs")?.get("nixpkgs")?.as_str()).unwrap_or("nixpkgs");
    let pin = node(name).and_then(|node| {
        let locked = node.get("locked")?;
        let branch = node.get("original")?.get("ref")?.as_str()?;
        Some(Pin {
            release: branch
                .strip_prefix("nixos-")
                .filter(|release| release.parse::<crate::units::Release>().is_ok())?
                .to_owned(),
            rev: locked.get("rev")?.as_str()?.to_owned(),
            hash: locked.get("narHash")?.as_str()?.to_owned(),
            last_modified: locked.get("lastModified")?.as_i64()?,
        })
    });
    Ok(pin)
}

fn fresh(pin: Option<&Pin>) -> BTreeMap<String, String> {
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

/// Replaces the pin of the template, line by line, by that of a flake.lock.
fn with_pin(fleet: &str, pin: &Pin) -> String {
    // A JSON string of ASCII is a TOML string too; what is not is left for `check` to refuse at its place.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let line = |line: &str| match line.split(" = ").next() {
        Some("release") => format!("release = {}", quoted(&pin.release)),
        Some("rev") => format!("rev = {}", quoted(&pin.rev)),
        Some("hash") => format!("hash = {}", quoted(&pin.hash)),
        Some("last-modified") => format!("last-modified = {}", pin.last_modified),
        _ => line.to_owned(),
    };
    fleet.lines().map(|text| line(text) + "\n").collect()
}

fn example() -> BTreeMap<String, String> {
    [
        ("fleet.toml", include_str!("../../fleet.toml")),
        ("hosts/lufta/host.toml", include_str!("../../hosts/lufta/host.toml")),
        ("hosts/attic/host.toml", include_str!("../../hosts/attic/host.toml")),
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
