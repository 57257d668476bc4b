//! `hostwright new`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::context::shown;
use super::terminal::Terminal;
use super::{ExitStatus, Failure, output};
use crate::fleet::scalar::check_name;
use crate::propose::{self, Filesystem, Machine, Wishes};
use crate::source::{Sources, parse_toml, printable, quoted};

/// Propose the definition of a new host from the facts of its machine.
///
/// Writes hosts/HOST/host.toml with a layout that suits the disks and the firmware, and the facts beside it. Disks that are not
/// known to be blank are left out and named. Nothing that is there is replaced, and no machine is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright probe --from lufta.probe >lufta.json                          the facts of the machine
  hostwright new lufta --facts lufta.json --key ~/.ssh/id_ed25519.pub      hosts/lufta/host.toml from them
  hostwright new attic --facts attic.json --filesystem ext4                the root on ext4 instead of ZFS

Exit status: 0 written; 2 the host is there already, the facts cannot be read, or no disk is known to be blank.")]
pub(super) struct Args {
    /// The host's name
    #[arg(value_name = "HOST")]
    host: String,
    /// The facts that `probe` printed
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
    /// What the root is on
    #[arg(long, value_name = "NAME", default_value = "zfs")]
    filesystem: Root,
    /// A file of ssh public keys that may log in as root
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// What the root is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Root {
    /// A pool
    Zfs,
    /// ext4, one disk
    Ext4,
}

pub(super) fn run(terminal: &Terminal, fleet: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    check_name(&args.host)
        .map_err(|wanted| Failure::new(format!("a host cannot be called {}", quoted(&args.host))).help(wanted))?;
    let facts = output::read_text(&args.facts)?;
    let machine = Machine::read(&facts).map_err(|why| {
        Failure::new(format!("cannot read the facts in {}: {}", shown(&args.facts), printable(&why)))
            .help("`hostwright probe` writes them")
    })?;
    let (channel, write_channel, release) = channel_of(fleet)?;
    let filesystem = match args.filesystem {
        Root::Zfs => Filesystem::Zfs,
        Root::Ext4 => Filesystem::Ext4,
    };
    let keys = args.key.as_deref().map(keys_in).transpose()?.unwrap_or_default();
    let wishes = Wishes { filesystem, channel, write_channel, release, keys };
    let text = propose::host_toml(&machine, &wishes).map_err(|unusable| {
        let failure = Failure::new("none of the machine's disks is known to be usable");
        let failure = unusable.disks.iter().fold(failure, |failure, disk| failure.help(printable(disk)));
        if unusable.disks.is_empty() { failure.help("the facts list no disks: probe again as root") } else { failure }
    })?;
    let folder = fleet.join("hosts").join(&args.host);
    // Facts that `probe --host` wrote there already are those that are read: they stay.
    let beside = folder.join("facts.json");
    let is_there = beside.exists() && output::read_text(&beside)? == facts;
    let mut files = BTreeMap::from([("host.toml".to_owned(), text.clone())]);
    if !is_there {
        files.insert("facts.json".to_owned(), facts);
    }
    output::write_into(&folder, &files)?;
    let mut said = String::new();
    for file in files.keys() {
        said += &format!("wrote    {}\n", shown(&folder.join(file)));
    }
    for line in text.lines().filter_map(|line| line.strip_prefix("# not used: ")) {
        said += &format!("not used {line}\n");
    }
    // The first line speaks of the word.
    let edits = (1..).zip(text.lines()).skip(1).filter(|(_, line)| line.contains("EDIT"));
    let edits: Vec<String> = edits.map(|(number, _): (u32, _)| number.to_string()).collect();
    said += &format!("edit     the lines that say EDIT: {}\n", edits.join(", "));
    said += &format!("next     hostwright check {}\n", args.host);
    terminal.print(&said)?;
    Ok(ExitStatus::Success)
}

/// Returns the channel of a new host, whether the host has to name it, and its release. fleet.toml alone is read: a fleet whose
/// other hosts have errors takes a new one.
fn channel_of(fleet: &Path) -> Result<(String, bool, String), Failure> {
    let path = fleet.join("fleet.toml");
    let mut sources = Sources::default();
    let file = sources.add(shown(&path), output::read_text(&path)?);
    let mut found = Vec::new();
    let tree = parse_toml(&sources, file, &mut found);
    if !found.is_empty() {
        return Err(Failure::new(format!("{} cannot be read", shown(&path))).help("`hostwright check` says why"));
    }
    let default = tree.at(&["defaults", "channel"]).and_then(|node| node.as_str()).map(str::to_owned);
    let channel = default.clone().or_else(|| {
        let table = tree.at(&["channels"])?.as_table()?;
        let mut names = table.keys();
        names.next().filter(|_| names.next().is_none()).cloned()
    });
    let channel = channel.ok_or_else(|| {
        Failure::new("the fleet has no default channel").help("`channel = \"NAME\"` below `[defaults]` of fleet.toml")
    })?;
    let release = tree.at(&["channels", &channel, "release"]).and_then(|node| node.as_str()).map(str::to_owned);
    let release = release.ok_or_else(|| {
        Failure::new(format!("the release of the channel {} is not known", quoted(&channel)))
            .help("`hostwright check` says what is wrong with fleet.toml")
    })?;
    Ok((channel, default.is_none(), release))
}

/// Returns the ssh public keys in a file, one a line.
fn keys_in(path: &Path) -> Result<Vec<String>, Failure> {
    let text = output::read_text(path)?;
    if text.contains("PRIVATE KEY") {
        return Err(
            Failure::new(format!("{} holds a private key", shown(path))).help("name the file that ends in .pub")
        );
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines.map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Failure::new(format!("{} holds no key", shown(path))).help("name the file that ends in .pub"));
    }
    Ok(keys)
}
