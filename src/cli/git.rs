//! What differs from a revision of the git repository that the fleet lies in, for `--changed-since`.
//!
//! git itself is asked, with its hooks, monitors, locks and transports off, so that a stranger's change can be looked at. Not
//! here: which hosts a changed file concerns (`check::Changes`).

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use super::Failure;
use super::context::shown;
use crate::check::Changes;
use crate::source::{printable, quoted};

/// Returns what differs from a revision: in commits since, in the index, in the folder. `files` are the paths below `folder`
/// that are read.
pub(super) fn changes(folder: &Path, revision: &str, files: &[String]) -> Result<Changes, Failure> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let git = Git { folder: &folder };
    let commit = git.commit(revision)?;
    // Names alone, below this folder; a rename is one file less and one more.
    let compared = ["diff", "--name-only", "-z", "--relative", "--no-renames", "--no-ext-diff", "--no-textconv"];
    let compared = [&compared[..], &["--no-color", "--ignore-submodules=none", &commit, "--", "."]].concat();
    let mut paths = git.paths(&compared)?;
    let tracked = git.paths(&["ls-files", "-z", "--cached", "--", "."])?;
    let is_in = |known: &BTreeSet<String>, path: &str| ends_of_segments(path).any(|end| known.contains(end));
    for path in files {
        let real = real(&folder, path);
        if !is_in(&tracked, &real) || is_in(&paths, &real) {
            paths.insert(path.clone());
        }
    }
    let fleet_file = git.run(&["cat-file", "blob", &format!("{commit}:./fleet.toml")])?;
    let fleet_file = fleet_file.status.success().then(|| String::from_utf8_lossy(&fleet_file.stdout).into_owned());
    Ok(Changes { paths, fleet_file })
}

/// Returns the path itself and those of the folders that it lies in, as git names them.
fn ends_of_segments(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    ends.chain([path])
}

/// Returns where a file of the fleet really lies: git tracks what a symbolic link names, and the link, apart.
fn real(folder: &Path, path: &str) -> String {
    let real = folder.join(path).canonicalize().ok();
    let below = real.as_ref().and_then(|real| real.strip_prefix(folder).ok()).map(|below| below.to_string_lossy());
    below.map_or_else(|| path.to_owned(), |below| below.replace('\\', "/"))
}

/// The repository of a folder.
struct Git<'a> {
    folder: &'a Path,
}

impl Git<'_> {
    #[expect(clippy::disallowed_methods, reason = "`--changed-since` is the one option that asks git")]
    fn run(&self, arguments: &[&str]) -> Result<Output, Failure> {
        let off =
            ["core.fsmonitor=false", "core.hooksPath=/dev/null", "protocol.allow=never", "submodule.recurse=false"];
        let mut command = Command::new("git");
        command.arg("--no-pager").arg("--no-optional-locks").args(off.iter().flat_map(|setting| ["-c", *setting]));
        command.arg("-C").arg(self.folder).args(arguments);
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1").env("LC_ALL", "C");
        command.output().map_err(|why| {
            Failure::new(format!("`--changed-since` asks git, which cannot be run: {why}"))
                .help("install git")
                .help("without `--changed-since` every host is checked, and no git is needed")
        })
    }

    /// Returns the paths that a command prints, each ended by a zero.
    fn paths(&self, arguments: &[&str]) -> Result<BTreeSet<String>, Failure> {
        let output = self.run(arguments)?;
        if !output.status.success() {
            return Err(refused(self.folder, &output));
        }
        let paths = output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }

    /// Returns the commit of a revision.
    fn commit(&self, revision: &str) -> Result<String, Failure> {
        let inside = self.run(&["rev-parse", "--is-inside-work-tree", "--is-shallow-repository"])?;
        if !inside.status.success() {
            return Err(refused(self.folder, &inside));
        }
        let said = String::from_utf8_lossy(&inside.stdout).into_owned();
        let mut said = said.lines();
        if said.next() != Some("true") {
            return Err(no_work_tree(self.folder));
        }
        let commit =
            self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")])?;
        let name = String::from_utf8_lossy(&commit.stdout).trim().to_owned();
        // Of a commit that is named in full git believes that it is there.
        let there = commit.status.success() && self.run(&["cat-file", "-e", &name])?.status.success();
        if there {
            return Ok(name);
        }
        let message = format!("there is no revision {} in the repository of {}", quoted(revision), shown(self.folder));
        let failure = Failure::new(message);
        Err(match said.next() {
            Some("true") => failure
                .help("the clone is shallow: `git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout, brings what is older")
                .help("without `--changed-since` every host is checked"),
            _ => failure
                .help("`git fetch` it first, if it is a branch of elsewhere")
                .help("without `--changed-since` every host is checked"),
        })
    }
}

fn no_work_tree(folder: &Path) -> Failure {
    Failure::new(format!("`--changed-since` compares with a git repository, and {} lies in none", shown(folder)))
        .help("without `--changed-since` every host is checked")
}

/// Returns what to say when git does not answer.
fn refused(folder: &Path, output: &Output) -> Failure {
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("not a git repository") {
        return no_work_tree(folder);
    }
    let first = said.lines().next().unwrap_or("it says nothing");
    Failure::new(format!("git does not tell what changed in {}: {}", shown(folder), printable(first)))
        .help("without `--changed-since` every host is checked")
}
