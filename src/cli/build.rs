//! `hostwright build`

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::context::{self, Report, shown};
use super::output::{self, Content, Difference, Existing, MANIFEST, Tree};
use super::terminal::Terminal;
use super::{ExitStatus, Failure};
use crate::check::{Clusters, check_files};
use crate::compile::{self, Compiled, OutFile};
use crate::facts::Facts;
use crate::plan::{self, Plan, PlanError};
use crate::report;
use crate::report::plan::PlanFormat;
use crate::resolve::Resolved;
use crate::source::Sources;
use crate::units::{Date, Size};

/// Check, compile to Nix, and plan.
///
/// Writes out/ as a whole or not at all; when nothing changed, it writes nothing. Files that somebody edited are not replaced.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hostwright build                 every host
  hostwright build lufta --diff    what would change for one host
  hostwright build --check         in CI: fails when out/ is stale")]
pub(super) struct Args {
    /// The hosts to compile [default: all]
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
    /// The folder to write [default: out/ in the fleet's folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write nothing; fail if the folder is not what would be written
    #[arg(long, conflicts_with = "diff")]
    check: bool,
    /// Write nothing; show what would change
    #[arg(long)]
    diff: bool,
    /// Replace files that were edited or that hostwright did not write
    #[arg(long)]
    force: bool,
    /// The day to check for [default: today, UTC]
    #[arg(long, value_name = "DATE", value_parser = context::parse_date)]
    today: Option<Date>,
}

impl Args {
    /// Returns the options that build one host as it is.
    pub(super) fn of(host: &str, today: Option<Date>) -> Self {
        Self { hosts: vec![host.to_owned()], out: None, check: false, diff: false, force: false, today }
    }
}

#[expect(clippy::disallowed_methods, reason = "the last line tells how long the build took")]
pub(super) fn run(terminal: &Terminal, folder: &Path, args: &Args) -> Result<ExitStatus, Failure> {
    let started = Instant::now();
    let mut files = context::load(folder)?;
    context::known_hosts(&files, &args.hosts)?;
    let today = context::today(args.today)?;
    let out = args.out.clone().unwrap_or_else(|| folder.join("out"));
    let inputs = context::Inputs::of(&files);
    let mut tables = output::digests(folder, context::fact_paths(folder, &files)?);
    tables.extend(context::copied(&files));
    let facts = context::facts(folder, &mut files)?;
    check_files(&mut files, &facts, &args.hosts, today, |fleet, outcome, sources| {
        let report = Report::new(&outcome, sources);
        let fleet = match context::clean(terminal, fleet, &report)? {
            Ok(fleet) => fleet,
            Err(status) => return Ok(status),
        };
        if !terminal.is_quiet() && !args.diff {
            terminal.print(&format!("checked  {}\n", report.as_check_report().outcome()))?;
        }
        let job = Job {
            terminal,
            args,
            fleet,
            facts: &facts,
            sources,
            inputs: &inputs,
            tables: &tables,
            out: &out,
            clusters: &outcome.clusters,
        };
        let built = match job.compile()? {
            Ok(built) => built,
            Err(status) => return Ok(status),
        };
        job.deliver(&built, started)
    })
}

/// One build.
struct Job<'a> {
    terminal: &'a Terminal,
    args: &'a Args,
    fleet: &'a Resolved<'a>,
    facts: &'a Facts,
    clusters: &'a Clusters,
    sources: &'a Sources,
    inputs: &'a context::Inputs,
    /// The option indexes that it goes by and the files that it copies: path and digest.
    tables: &'a [(String, String)],
    out: &'a Path,
}

/// The plan of a host, and the files that belong to it.
type Planned = (Plan, Vec<OutFile>);

/// What is to be written, and what to say of it.
struct Built {
    tree: Tree,
    existing: Existing,
    lines: Vec<String>,
}

impl Job<'_> {
    /// Compiles and plans. Findings that only compiling brings are printed, and end the run.
    fn compile(&self) -> Result<Result<Built, ExitStatus>, Failure> {
        let templates = context::templates(self.fleet, self.sources)?;
        let Compiled { mut files, hosts } =
            match compile::compile(self.fleet, &self.args.hosts, self.facts, self.sources, &templates) {
                Ok(compiled) => compiled,
                Err(mut found) => {
                    report::sort(&mut found, self.sources);
                    self.terminal.print(&context::findings(self.terminal, &found, self.sources))?;
                    return Ok(Err(ExitStatus::Invalid));
                }
            };
        let mut lines = Vec::new();
        let width = hosts.iter().map(|host| host.name.len()).max().unwrap_or(0).max(8);
        for summary in &hosts {
            let mut scripts = summary.scripts;
            let plan = match self.plan(&summary.name, self.facts)? {
                Some((plan, of_plan)) => {
                    scripts += of_plan.iter().filter(|file| file.executable).count();
                    files.extend(of_plan);
                    format!("plan: {}, {} steps", plan.scenario(), plan.steps().len())
                }
                None => "no plan: `[deploy] target` is not stated".to_owned(),
            };
            lines.push(format!(
                "{:width$} {} · {} Nix files, {scripts} scripts, {plan}",
                summary.name, summary.words, summary.nix_files
            ));
        }
        let existing = output::existing(self.out)?;
        let tree = self.tree(files, &existing);
        Ok(Ok(Built { tree, existing, lines }))
    }

    /// Returns the plan of a host for the scenario that fits, and the files that belong to it; none for a host that does not say where it is
    /// reached.
    fn plan(&self, host: &str, facts: &Facts) -> Result<Option<Planned>, Failure> {
        let Some(resolved) = self.fleet.hosts.iter().find(|known| known.name == host) else { return Ok(None) };
        let plan = match context::plan_of(
            self.fleet,
            resolved,
            context::Wanted::Scenario(None),
            self.inputs,
            facts,
            self.clusters,
        ) {
            Ok(plan) => plan,
            Err(PlanError::NoTarget(_)) => return Ok(None),
            Err(error) => return Err(context::plan_failure(&error)),
        };
        let folder = format!("hosts/{host}");
        let scripts =
            plan::files(self.fleet, resolved, self.clusters.facts()).map_err(|error| context::plan_failure(&error))?;
        let mut files: Vec<OutFile> = scripts
            .into_iter()
            .map(|script| OutFile {
                executable: script.is_executable(),
                ..OutFile::of_text(format!("{folder}/{}", script.path), script.text)
            })
            .collect();
        for format in [PlanFormat::Markdown, PlanFormat::Json, PlanFormat::Html] {
            let text = report::plan::write(&plan, format, false).map_err(|error| Failure::new(error.to_string()))?;
            files.push(OutFile::of_text(format!("{folder}/plan.{}", format.as_str()), text));
        }
        Ok(Some((plan, files)))
    }

    /// Puts the files together with those of hosts that this run leaves alone, and writes the manifest.
    fn tree(&self, files: Vec<OutFile>, existing: &Existing) -> Tree {
        let mut tree: Tree = files.into_iter().map(Content::of).collect();
        if !self.args.hosts.is_empty() {
            for (path, content) in &existing.files {
                if self.is_left_alone(path) && existing.ours.contains_key(path) {
                    tree.insert(path.clone(), content.clone());
                }
            }
        }
        let inputs: Vec<(String, &str)> = self
            .inputs
            .texts
            .iter()
            .filter(|(path, _)| !self.is_left_alone(path))
            .map(|(path, text)| (path.clone(), text.as_str()))
            .collect();
        // What stays as it is was made from what the last manifest says.
        let kept = existing.inputs().filter(|(path, _)| self.is_left_alone(path));
        let tables = self.tables.iter().filter(|(path, _)| !self.is_left_alone(path));
        let kept = kept.chain(tables.map(|(path, digest)| (path.as_str(), digest.as_str())));
        let outputs: Vec<OutFile> = tree.iter().map(|(path, content)| content.to_file(path)).collect();
        let pins = compile::channel_pins(self.fleet);
        let manifest = compile::manifest(&inputs, kept, &outputs, &pins, env!("CARGO_PKG_VERSION"));
        tree.insert(MANIFEST.to_owned(), Content::of(manifest).1);
        tree
    }

    /// Tells whether a path below the fleet or the output belongs to a host that this run leaves alone.
    fn is_left_alone(&self, path: &str) -> bool {
        let host = path.strip_prefix("hosts/").and_then(|rest| rest.split('/').next());
        !self.args.hosts.is_empty() && host.is_some_and(|host| !self.args.hosts.iter().any(|wanted| wanted == host))
    }

    /// Writes, or says what would be written.
    fn deliver(&self, built: &Built, started: Instant) -> Result<ExitStatus, Failure> {
        let difference = output::difference(&built.existing, &built.tree);
        if self.args.diff {
            self.terminal.print(&diff(&built.existing, &built.tree, &difference))?;
            return Ok(ExitStatus::Success);
        }
        if self.args.check {
            return self.compare(&difference);
        }
        let strange = output::not_ours(&built.existing, &built.tree);
        if !strange.is_empty() && !self.args.force {
            let mut failure = Failure::new(format!(
                "{} has {} that hostwright did not write like this: {}",
                shown(self.out),
                if strange.len() == 1 { "a file" } else { "files" },
                listed(&strange)
            ));
            failure = failure.help("move what you changed into the definition or a .nix beside the host.toml");
            return Err(failure.help("`--force` replaces them").help("`--out DIR` writes elsewhere"));
        }
        if !difference.is_empty() {
            output::exchange(self.out, &built.tree)?;
        }
        if self.terminal.is_quiet() {
            return Ok(ExitStatus::Success);
        }
        let mut text = built.lines.join("\n") + if built.lines.is_empty() { "" } else { "\n" };
        let bytes: u64 = built.tree.values().map(|content| content.bytes.len() as u64).sum();
        let took = started.elapsed().as_millis();
        let size = Size::human(bytes);
        let folder = self.shown_out();
        if difference.is_empty() {
            text.push_str(&format!(
                "current  {folder} ({} files, {size}): nothing to write, in {took} ms\n",
                built.tree.len()
            ));
        } else {
            text.push_str(&format!("wrote    {folder} ({} files, {size}) in {took} ms\n", built.tree.len()));
        }
        if let Some(host) = self.first_host() {
            text.push_str(&format!(
                "next     read {folder}hosts/{host}/plan.md · evaluate with real Nix: hostwright check --eval\n"
            ));
        }
        self.terminal.print(&text)?;
        Ok(ExitStatus::Success)
    }

    fn compare(&self, difference: &Difference) -> Result<ExitStatus, Failure> {
        if difference.is_empty() {
            if !self.terminal.is_quiet() {
                self.terminal.print(&format!("current  {}\n", self.shown_out()))?;
            }
            return Ok(ExitStatus::Success);
        }
        let mut text = format!("stale    {}\n", self.shown_out());
        for (word, paths) in
            [("missing", &difference.added), ("differs", &difference.changed), ("extra", &difference.removed)]
        {
            for path in paths {
                text.push_str(&format!("  {word:8} {}\n", crate::source::printable(path)));
            }
        }
        text.push_str("next     hostwright build\n");
        self.terminal.print(&text)?;
        Ok(ExitStatus::Findings)
    }

    /// Returns the output folder as people see it, relative where that is shorter.
    fn shown_out(&self) -> String {
        let text = shown(self.out);
        match (&self.args.out, self.out.file_name()) {
            (None, Some(name)) => format!("{}/", crate::source::printable(&name.to_string_lossy())),
            _ => format!("{}/", text.trim_end_matches('/')),
        }
    }

    /// Returns the host whose plan is worth reading first: the one that was named, else the first of the fleet.
    fn first_host(&self) -> Option<&str> {
        self.args.hosts.first().map(String::as_str).or_else(|| self.fleet.hosts.last().map(|host| host.name))
    }
}

fn listed(paths: &[String]) -> String {
    let shown: Vec<String> = paths.iter().take(5).map(|path| crate::source::quoted(path)).collect();
    let more = paths.len().saturating_sub(5);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Returns a unified diff of everything that would change.
fn diff(existing: &Existing, tree: &Tree, difference: &Difference) -> String {
    let mut paths: Vec<&String> =
        difference.added.iter().chain(&difference.changed).chain(&difference.removed).collect();
    paths.sort();
    let mut text = String::new();
    for path in paths.into_iter().filter(|path| *path != MANIFEST) {
        let (old, new) = (existing.files.get(path), tree.get(path));
        let name = |there: bool| if there { crate::source::printable(path) } else { "/dev/null".to_owned() };
        let (from, to) = (name(old.is_some()), name(new.is_some()));
        let side = |content: Option<&Content>| match content {
            Some(content) => String::from_utf8(content.bytes.clone()).ok(),
            None => Some(String::new()),
        };
        let (Some(old), Some(new)) = (side(old), side(new)) else {
            text.push_str(&format!("Binary files {from} and {to} differ\n"));
            continue;
        };
        let changes = similar::TextDiff::from_lines(&old, &new);
        let unified = changes.unified_diff().context_radius(3).header(&from, &to).to_string();
        for line in unified.lines() {
            text.push_str(&crate::source::printable(line).replace("\\u{9}", "\t"));
            text.push('\n');
        }
    }
    text
}
