//! `hostwright pin`

use std::path::{Path, PathBuf};

use super::context::{self, shown};
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::fleet::pin::{self, Pin, fault_of_hash, fault_of_rev};
use crate::source::{Kind, Node, Sources, nearest, parse_json, parse_toml, printable, quoted};
use crate::units::Release;

/// Pin channels of fleet.toml to a nixpkgs: rev, hash and date.
///
/// Reads a flake.lock, or takes what is said; nothing is fetched. Comments and the order of fleet.toml stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright pin --from flake.lock                  the only channel, from the input nixpkgs
  hostwright pin stable --from flake.lock#nixos     from another input or node of the lock
  hostwright pin stable --rev HEX --hash sha256-…   by hand; --last-modified adds the date of the commit

A lock of a release, to pin to, in an empty folder:
  nix flake lock --override-input nixpkgs github:NixOS/nixpkgs/nixos-26.05")]
pub(super) struct Args {
    /// The channels [default: the only one there is]
    #[arg(value_name = "CHANNEL")]
    channels: Vec<String>,
    /// A flake.lock, and which of its inputs or nodes [default: nixpkgs]
    #[arg(long, value_name = "FLAKE.LOCK[#NODE]", conflicts_with_all = ["rev", "hash", "last_modified"])]
    from: Option<String>,
    /// The commit, 40 hexadecimal digits
    #[arg(long, value_name = "HEX", requires = "hash")]
    rev: Option<String>,
    /// The hash of its unpacked tree (narHash), as sha256-…
    #[arg(long, value_name = "SRI", requires = "rev")]
    hash: Option<String>,
    /// The date of the commit, in seconds since 1970
    #[arg(long, value_name = "N", requires = "rev", value_parser = clap::value_parser!(i64).range(0..))]
    last_modified: Option<i64>,
}

pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let path = output::real(&folder.join("fleet.toml"));
    let mut sources = Sources::default();
    let mut found = Vec::new();
    let mut text = output::read_text(&path)?;
    let file = sources.add(shown(&path), text.clone());
    let fleet = parse_toml(&sources, file, &mut found);
    let pin = if let Some(from) = &args.from {
        let (lock, node) = from.rsplit_once('#').map_or((from.as_str(), None), |(lock, node)| (lock, Some(node)));
        let lock = PathBuf::from(lock);
        let file = sources.add(shown(&lock), output::read_text(&lock)?);
        parse_json(&sources, file, "value-invalid", &mut found).and_then(|lock| pin::of_lock(&lock, node, &mut found))
    } else {
        Some(said(args)?)
    };
    let Some(pin) = pin.filter(|_| found.is_empty()) else {
        terminal.print(&context::findings(terminal, &found, &sources))?;
        return Ok(ExitStatus::Invalid);
    };
    let mut changes = String::new();
    for name in channels(&fleet, &args.channels)? {
        let channel = fleet.at(&["channels", name]);
        follows(name, channel, &pin)?;
        text = pin::write(&text, name, &pin)
            .ok_or_else(|| Failure::new(format!("the channel {} cannot be written", quoted(name))))?;
        changes.push_str(&changed(name, channel, &pin));
    }
    output::replace(&path, text.as_bytes())?;
    terminal.print(&format!("{changes}wrote    {}\nnext     hostwright check\n", shown(&path)))?;
    Ok(ExitStatus::Success)
}

/// Returns the pin that the command line says.
fn said(args: &Args) -> Result<Pin, Failure> {
    let (Some(rev), Some(hash)) = (&args.rev, &args.hash) else {
        return Err(Failure::new("nothing says what to pin to: `--from` or `--rev` with `--hash` is wanted")
            .help("`hostwright pin --from flake.lock` takes the nixpkgs of a flake")
            .help("`nix flake lock` in the folder of a flake writes its flake.lock")
            .help("`nix flake metadata --json github:NixOS/nixpkgs/nixos-26.05` says rev, narHash and lastModified below `locked`"));
    };
    for (option, value, fault) in [("--rev", rev, fault_of_rev(rev)), ("--hash", hash, fault_of_hash(hash))] {
        if let Some((label, wanted)) = fault {
            return Err(Failure::new(format!("`{option}` cannot be {}: {label}", quoted(value))).help(wanted));
        }
    }
    Ok(Pin { rev: rev.clone(), hash: hash.clone(), last_modified: args.last_modified, branch: None })
}

/// Returns the channels to pin: those that are named, else the only one.
fn channels<'a>(fleet: &'a Node, wanted: &'a [String]) -> Result<Vec<&'a str>, Failure> {
    let table = fleet.at(&["channels"]).and_then(Node::as_table);
    let known: Vec<&str> = table.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let all: Vec<String> = known.iter().map(|name| quoted(name)).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        let failure = Failure::new(format!("there is no channel {}", quoted(unknown)));
        return Err(match nearest(unknown, known.iter().copied()).first() {
            Some(near) => failure.help(format!("nearest: {}", quoted(near))),
            None if known.is_empty() => {
                failure.help("fleet.toml has no channels: add `[channels.stable]` with its `release`")
            }
            None => failure.help(format!("the channels are {}", all.join(", "))),
        });
    }
    match (wanted, known.as_slice()) {
        ([], [only]) => Ok(vec![*only]),
        ([], []) => Err(Failure::new("fleet.toml has no channels").help("add `[channels.stable]` with its `release`")),
        ([], _) => Err(Failure::new("which channel is to be pinned?").help(format!("name some of {}", all.join(", ")))),
        _ => Ok(wanted.iter().map(String::as_str).collect()),
    }
}

/// Refuses the branch of one release for a channel of another, and a channel that is pinned elsewhere.
fn follows(name: &str, channel: Option<&Node>, pin: &Pin) -> Result<(), Failure> {
    if channel.is_some_and(|channel| channel.at(&["lock"]).is_some()) {
        return Err(Failure::new(format!("the channel {} is pinned by its `lock`", quoted(name)))
            .help("`nix flake update` in the folder of the lock moves the pin")
            .help("without `lock` in fleet.toml, `hostwright pin` writes rev, hash and date there"));
    }
    let said = channel.and_then(|channel| channel.at(&["release"])?.as_str()?.parse::<Release>().ok());
    match said.and_then(|said| Some((said, pin.other_release(said)?))) {
        Some((said, branch)) => {
            Err(Failure::new(format!("the channel {} is {said}, and the lock follows {branch}", quoted(name)))
                .help(format!("`release = \"{branch}\"` in fleet.toml first, if the channel is to change its release"))
                .help("`--from FLAKE.LOCK#NODE` names another node of the lock"))
        }
        None => Ok(()),
    }
}

/// Returns the lines that show what changes in a channel.
fn changed(name: &str, channel: Option<&Node>, pin: &Pin) -> String {
    let old = |key: &str| match channel.and_then(|channel| channel.at(&[key])).map(|node| &node.kind) {
        Some(Kind::Str(text)) => printable(text),
        Some(Kind::Int(number)) => number.to_string(),
        _ => "none".to_owned(),
    };
    let same = old("rev") == pin.rev;
    let date = pin.last_modified.map(|seconds| seconds.to_string());
    let date = date.unwrap_or_else(|| if same { old("last-modified") } else { "none".to_owned() });
    let mut lines = format!("pinned   {}\n", printable(name));
    for (key, new) in [("rev", pin.rev.clone()), ("hash", pin.hash.clone()), ("last-modified", date)] {
        let old = old(key);
        let change = if old == new { format!("{new} (unchanged)") } else { format!("{old} -> {new}") };
        lines.push_str(&format!("         {key}: {change}\n"));
    }
    lines
}
