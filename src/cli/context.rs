//! What most commands begin with: the fleet's folder, its files, the date.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::terminal::Terminal;
use super::{ExitStatus, Failure, option_lists, output};
use crate::check::{Clusters, Group, Outcome, check_files, mark_findings, rules};
use crate::facts::Facts;
use crate::facts::pack::TableKind;
use crate::plan::{self, Plan, PlanError, Scenario, Tests};
use crate::report::{self, CheckReport, Format, Options, RuleText, Unchecked};
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{self, Asset, FleetFiles, Level, LoadError, Sources, nearest, printable};
use crate::text::Templates;
use crate::units::{Date, lies_in};

/// Returns the fleet's folder: the one that is named, else the nearest upwards with a fleet.toml.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub(super) fn fleet_folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let here = std::env::current_dir().map_err(|why| Failure::new(format!("cannot tell the current folder: {why}")))?;
    let found = here.ancestors().find(|folder| folder.join("fleet.toml").exists());
    found.map(Path::to_owned).ok_or_else(|| {
        no_fleet(Failure::new(format!("no fleet here: there is no fleet.toml in {} or above it", shown(&here))))
    })
}

fn no_fleet(failure: Failure) -> Failure {
    failure
        .help("`hostwright init` makes a new fleet here")
        .help("`hostwright --fleet DIR …` names a fleet elsewhere")
        .help("`hostwright lint-nix PATH` checks NixOS modules that belong to no fleet")
}

/// Returns a path as it is shown to people: relative where it lies below the current folder.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let short = path.strip_prefix(&here).ok().filter(|short| !short.as_os_str().is_empty());
    printable(&short.unwrap_or(path).display().to_string())
}

/// Reads the files of a fleet.
pub(super) fn load(folder: &Path) -> Result<FleetFiles, Failure> {
    source::load(folder).map_err(|error| {
        let failure = Failure::new(printable(&error.to_string()));
        match error {
            LoadError::NoFleet(_) => no_fleet(failure),
            LoadError::Folder { .. } => failure.help("check the path and its permissions"),
        }
    })
}

/// Returns the facts of a fleet: those that the program carries, and the option indexes that were imported into the fleet or that
/// its channels name. What is wrong with the latter is added to what was found in the fleet's files.
pub(super) fn facts(folder: &Path, files: &mut FleetFiles) -> Result<Facts, Failure> {
    let mut facts = imported(folder)?;
    for list in option_lists::of(files) {
        if let Err(finding) = list.add(folder, &mut facts) {
            files.found.push(*finding);
        }
    }
    Ok(facts)
}

/// Returns the facts that the program carries, and the option indexes that were imported into the fleet.
pub(super) fn imported(folder: &Path) -> Result<Facts, Failure> {
    let mut facts = Facts::embedded();
    for (path, table) in output::imported_tables(folder)? {
        if !facts.add(TableKind::Options, table) {
            return Err(Failure::new(format!("{} is no table of options", shown(&path)))
                .help("`hostwright facts import --release RELEASE options.json.br` makes it again")
                .help("remove it to go without"));
        }
    }
    Ok(facts)
}

/// Reads a date of the command line.
pub(super) fn parse_date(text: &str) -> Result<Date, String> {
    let date = text.parse().ok().filter(|_| text.len() == 10);
    date.ok_or_else(|| "a date is wanted, such as 2026-11-21".to_owned())
}

/// Returns the date that was asked for, else today's (UTC).
#[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
pub(super) fn today(asked: Option<Date>) -> Result<Date, Failure> {
    if let Some(date) = asked {
        return Ok(date);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let days = i64::try_from(since.as_secs() / 86_400).unwrap_or(0);
    let epoch = Date::constant(1970, 1, 1);
    epoch
        .checked_add(jiff::Span::new().days(days))
        .map_err(|_| Failure::new("the clock of this machine is out of range").help("`--today DATE` says the date"))
}

/// Checks that every host that was named is there.
pub(super) fn known_hosts(files: &FleetFiles, wanted: &[String]) -> Result<(), Failure> {
    let known: Vec<&str> =
        files.below("hosts").filter(|(_, rest, _)| *rest == "host.toml").map(|(name, _, _)| name).collect();
    for host in wanted {
        if !known.contains(&host.as_str()) {
            let failure = Failure::new(format!("there is no host {}", source::quoted(host)));
            return Err(match nearest(host, known.iter().copied()).first() {
                Some(near) => failure.help(format!("nearest: `{near}`")),
                None if known.is_empty() => failure.help("the fleet has no hosts: make hosts/NAME/host.toml"),
                None => failure.help(format!("the hosts are {}", known.join(", "))),
            });
        }
    }
    Ok(())
}

/// Returns the exit status that findings mean: input errors 2, others at or above `fail_on` 1.
pub(super) fn status(outcome: &Outcome, fail_on: Level) -> ExitStatus {
    let counted = || outcome.checked.findings.iter().filter(|finding| finding.allowed.is_none());
    let is_input = |rule: &str| rules::find(rule).is_some_and(|rule| rule.group == Group::Input);
    if counted().any(|finding| finding.level == Level::Error && is_input(finding.rule)) {
        ExitStatus::Invalid
    } else if counted().any(|finding| finding.level >= fail_on) {
        ExitStatus::Findings
    } else {
        ExitStatus::Success
    }
}

/// Adds to findings what a format carries beyond them.
pub(super) fn complete(outcome: &mut Outcome, format: Format, sources: &Sources) {
    if matches!(format, Format::Json | Format::Sarif) {
        mark_findings(&mut outcome.checked.findings, sources);
    }
}

/// A check's outcome in the form that `report` takes.
pub(super) struct Report<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) sources: &'a Sources,
    unchecked: Vec<Unchecked>,
}

impl<'a> Report<'a> {
    pub(super) fn new(outcome: &'a Outcome, sources: &'a Sources) -> Self {
        let unchecked = outcome.checked.unchecked.iter().map(|unchecked| Unchecked {
            rule: unchecked.rule,
            host: unchecked.host.clone(),
            why: unchecked.why.clone(),
        });
        Self { outcome, sources, unchecked: unchecked.collect() }
    }

    pub(super) fn as_check_report(&self) -> CheckReport<'_> {
        CheckReport {
            fleet: self.outcome.fleet.as_deref(),
            findings: &self.outcome.checked.findings,
            unchecked: &self.unchecked,
            hosts: self.outcome.hosts,
            rules: self.outcome.checked.rules,
            sources: self.sources,
        }
    }

    /// Returns the report in a format.
    pub(super) fn write(
        &self,
        terminal: &Terminal,
        format: Format,
        fail_on: Level,
        folder: &str,
        elapsed: Option<Duration>,
    ) -> String {
        let rules: Vec<RuleText<'_>> = rules::all()
            .map(|rule| RuleText { id: rule.id, summary: rule.summary, help_markdown: rule.doc, level: rule.level })
            .collect();
        let options = Options {
            format,
            verbosity: terminal.verbosity,
            color: terminal.color,
            elapsed,
            fail_on,
            folder,
            rules: &rules,
            ..Options::default()
        };
        report::write(&self.as_check_report(), &options)
    }
}

/// Commands that write check first. Returns the fleet and hosts to go on with, or the status to stop with, the errors printed.
pub(super) fn clean<'f>(
    terminal: &Terminal,
    fleet: Option<&'f Resolved<'f>>,
    report: &Report<'_>,
) -> Result<Result<&'f Resolved<'f>, ExitStatus>, Failure> {
    let status = status(report.outcome, Level::Error);
    match fleet {
        Some(fleet) if status == ExitStatus::Success => Ok(Ok(fleet)),
        _ => {
            terminal.print(&report.write(terminal, Format::Human, Level::Error, "", None))?;
            Ok(Err(if status == ExitStatus::Success { ExitStatus::Invalid } else { status }))
        }
    }
}

/// Returns findings that came after the check, as people read them.
pub(super) fn findings(terminal: &Terminal, found: &[source::Diagnostic], sources: &Sources) -> String {
    let outcome = Outcome {
        checked: crate::check::Checked { findings: found.to_vec(), unchecked: Vec::new(), rules: 0 },
        fleet: None,
        hosts: 0,
        clusters: Clusters::default(),
    };
    Report::new(&outcome, sources).write(terminal, Format::Human, Level::Error, "", None)
}

/// The files that plans are made from.
pub(super) struct Inputs {
    /// Those of the fleet, as (path, text).
    pub(super) texts: Vec<(String, String)>,
    /// The manifests of clusters, as (path, digest).
    pub(super) manifests: Vec<(String, String)>,
}

impl Inputs {
    /// Takes what was read, before a check uses it up.
    pub(super) fn of(files: &FleetFiles) -> Self {
        let manifests = files.manifests.iter().map(|manifest| {
            let digest = manifest.bytes.as_ref().map_or_else(source::sha256, source::sha256);
            (manifest.path.clone(), digest)
        });
        Self { texts: texts(files), manifests: manifests.collect() }
    }
}

/// Which plan of a host is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// Of a scenario; none for the one that fits.
    Scenario(Option<Scenario>),
    /// The reboot test alone.
    Tests(Tests),
}

/// Makes the plan of a host from the files that it depends on.
pub(super) fn plan_of(
    fleet: &Resolved<'_>,
    host: &ResolvedHost<'_>,
    wanted: Wanted,
    inputs: &Inputs,
    facts: &Facts,
    clusters: &Clusters,
) -> Result<Plan, PlanError> {
    let own = format!("hosts/{}/", host.name);
    // Of what is copied as it is the digest counts.
    let copies = digests(host.copies.iter().map(|copy| (copy.path.as_str(), &copy.asset)));
    // Only a migration stands on the manifests, and on those of the clusters that something comes from.
    let from = host.services.iter().filter_map(|service| service.def.migrates_from.as_ref());
    let migrates = match wanted {
        Wanted::Scenario(scenario) => {
            let chosen = scenario.unwrap_or_else(|| Scenario::default_for(host));
            matches!(chosen, Scenario::Migrate | Scenario::Decommission)
        }
        Wanted::Tests(_) => false,
    };
    let from: Vec<&str> = from.map(|from| from.cluster.as_str()).filter(|_| migrates).collect();
    let named: Vec<&str> = (fleet.fleet.file.clusters.iter())
        .filter(|(name, _)| from.contains(&name.as_str()))
        .flat_map(|(_, cluster)| cluster.value.manifests.iter().map(|path| path.value.0.as_str()))
        .collect();
    let is_named = |path: &str| named.iter().any(|named| lies_in(path, named));
    let of_host: Vec<(String, &str)> = inputs
        .texts
        .iter()
        .filter(|(path, _)| !path.starts_with("hosts/") || path.starts_with(&own))
        .map(|(path, text)| (path.clone(), text.as_str()))
        .chain(copies.iter().map(|(path, digest)| (path.clone(), digest.as_str())))
        .chain(
            inputs
                .manifests
                .iter()
                .filter(|(path, _)| is_named(path))
                .map(|(path, digest)| (path.clone(), digest.as_str())),
        )
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    match wanted {
        Wanted::Scenario(scenario) => plan::make(fleet, host, scenario, &of_host, version, facts, clusters.facts()),
        Wanted::Tests(tests) => plan::reboot_test(fleet, host, tests, &of_host, version, facts),
    }
}

/// Returns what ends a run that needs a plan and cannot have it.
pub(super) fn plan_failure(error: &PlanError) -> Failure {
    let failure = Failure::new(printable(&error.to_string()));
    match error {
        PlanError::NoTarget(host) => {
            failure.help(format!("add `target = \"root@ADDRESS\"` below `[deploy]` in hosts/{host}/host.toml"))
        }
        _ => failure,
    }
}

/// Returns the host of a fleet that has passed its check.
pub(super) fn host_of<'a>(fleet: &'a Resolved<'a>, name: &str) -> Result<&'a ResolvedHost<'a>, Failure> {
    let host = fleet.hosts.iter().find(|host| host.name == name);
    host.ok_or_else(|| Failure::new(format!("the host {} could not be read", source::quoted(name))))
}

/// Checks a host and makes its plan, then hands it on; with errors they are printed and nothing is handed on.
pub(super) fn with_plan(
    terminal: &Terminal,
    folder: &Path,
    host: &str,
    wanted: Wanted,
    today_asked: Option<Date>,
    then: impl FnOnce(Plan) -> Result<ExitStatus, Failure>,
) -> Result<ExitStatus, Failure> {
    with_plans(terminal, folder, &[host.to_owned()], wanted, today_asked, |mut plans| match plans.pop() {
        Some(plan) => then(plan),
        None => Ok(ExitStatus::Success),
    })
}

/// The same for several hosts, each once; canaries come first, else they stay in their order.
pub(super) fn with_plans(
    terminal: &Terminal,
    folder: &Path,
    hosts: &[String],
    wanted: Wanted,
    today_asked: Option<Date>,
    then: impl FnOnce(Vec<Plan>) -> Result<ExitStatus, Failure>,
) -> Result<ExitStatus, Failure> {
    let mut files = load(folder)?;
    known_hosts(&files, hosts)?;
    let inputs = Inputs::of(&files);
    let facts = facts(folder, &mut files)?;
    check_files(&mut files, &facts, hosts, today(today_asked)?, |fleet, outcome, sources| {
        let fleet = match clean(terminal, fleet, &Report::new(&outcome, sources))? {
            Ok(fleet) => fleet,
            Err(status) => return Ok(status),
        };
        let mut named: Vec<&ResolvedHost<'_>> = Vec::new();
        for name in hosts {
            let host = host_of(fleet, name)?;
            if !named.iter().any(|known| known.name == host.name) {
                named.push(host);
            }
        }
        let plan = |host: &&ResolvedHost<'_>| plan_of(fleet, host, wanted, &inputs, &facts, &outcome.clusters);
        let plans: Result<Vec<Plan>, PlanError> = plan::canaries_first(&named).iter().map(plan).collect();
        then(plans.map_err(|error| plan_failure(&error))?)
    })
}

/// Returns the path below the fleet's folder of every file that a check reads, those that cannot be read included.
pub(super) fn paths(folder: &Path, files: &FleetFiles) -> Result<Vec<String>, Failure> {
    let refused = files.found.iter().map(|finding| files.sources.file(finding.primary.place.file).path());
    let mut paths: Vec<String> = files.files.keys().map(String::as_str).chain(refused).map(str::to_owned).collect();
    paths.extend(fact_paths(folder, files)?);
    paths.extend(files.manifests.iter().map(|manifest| manifest.path.clone()));
    for (path, asset) in files.sources.assets() {
        let members = asset.files(path);
        paths.extend(members.is_empty().then(|| path.to_owned()));
        paths.extend(members.into_iter().map(|(path, _)| path));
    }
    Ok(paths)
}

/// Returns the path below the fleet's folder of every option index that was imported into it or that a channel names.
pub(super) fn fact_paths(folder: &Path, files: &FleetFiles) -> Result<Vec<String>, Failure> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let tables = output::imported_tables(folder)?;
    let mut paths: Vec<String> = tables.iter().map(|(path, _)| format!("facts/{}", name(path))).collect();
    paths.extend(option_lists::of(files).into_iter().map(|list| list.path));
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Returns the templates: the embedded ones, with those that a fleet brings in their place.
pub(super) fn templates(fleet: &Resolved<'_>, sources: &Sources) -> Result<Templates, Failure> {
    let overrides = fleet.fleet.templates.iter().map(|(name, id)| (name.clone(), sources.text(*id).to_string()));
    Templates::new(overrides).map_err(|error| {
        let file = fleet.fleet.templates.get(&error.template).map(|id| sources.file(*id).path());
        let line = error.line.map_or_else(String::new, |line| format!(":{line}"));
        Failure::new(printable(&format!("{}{line}: {}", file.unwrap_or(&error.template), error.message)))
    })
}

/// Returns every file that definitions name and that is copied as it is, as (path, digest).
pub(super) fn copied(files: &FleetFiles) -> Vec<(String, String)> {
    digests(files.sources.assets())
}

/// Returns the files below paths of the fleet, as (path, digest).
fn digests<'a>(assets: impl Iterator<Item = (&'a str, &'a Asset)>) -> Vec<(String, String)> {
    let members = assets.flat_map(|(path, asset)| asset.files(path));
    members.map(|(path, file)| (path, source::sha256(&file.bytes))).collect()
}

/// Returns every file of a fleet as (path, text).
pub(super) fn texts(files: &FleetFiles) -> Vec<(String, String)> {
    files.files.iter().map(|(path, id)| (path.clone(), files.sources.file(*id).text().to_owned())).collect()
}
