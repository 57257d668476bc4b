//! What is fuzzed: the six doors through which bytes of others come, each on the whole way that the program takes with them.
//!
//! A target panics where a promise is broken: a panic of the program itself, an internal error, a refusal without a word.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;

use hostwright::apply;
use hostwright::check::{Clusters, Outcome, SCAFFOLD, check_files, lint_nix};
use hostwright::compile::compile;
use hostwright::facts::Facts;
use hostwright::fleet::Module;
use hostwright::kubernetes::context::Target as Destination;
use hostwright::kubernetes::{inventory, load, read, write};
use hostwright::nix::syntax_errors;
use hostwright::plan::{self, Plan, PlanError, Scenario};
use hostwright::propose::{Machine, Wishes, host_toml};
use hostwright::report::migrate::{MigrateFormat, MigrateOptions};
use hostwright::report::plan::{RunState, page};
use hostwright::report::{self, CheckReport, Format, Options};
use hostwright::source::{self, FleetFiles, Level, ManifestFile, Sources, parse_toml};
use hostwright::text::Templates;
use hostwright::units::Date;

/// A door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Definitions: from TOML to a fleet, its findings, and what is compiled and planned of it.
    Toml,
    /// Manifests: from YAML to the ledger and the definitions.
    Yaml,
    /// Modules of others, for `lint-nix`.
    Nix,
    /// The facts of a machine.
    Facts,
    /// A plan that is read back.
    Plan,
    /// The journal of a run.
    Journal,
}

impl Target {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [Self::Toml, Self::Yaml, Self::Nix, Self::Facts, Self::Plan, Self::Journal];

    /// Returns its name, which is that of the folder of its fixtures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Nix => "nix",
            Self::Facts => "facts",
            Self::Plan => "plan",
            Self::Journal => "journal",
        }
    }
}

/// What every input needs and none changes.
pub(crate) struct Program {
    facts: Facts,
    templates: Templates,
    modules: BTreeMap<String, Module>,
    today: Date,
    /// The plans of a small host, and their texts.
    made: Vec<(Plan, String)>,
}

/// The host that plans are made of: its facts show that it runs, so that it can be updated.
const SMALL: &[(&str, &str)] = &[("hosts/a/host.toml", "")];

impl Program {
    /// Makes what all inputs share.
    pub(crate) fn new() -> Self {
        let none: [(String, String); 0] = [];
        let mut program = Self {
            facts: Facts::embedded(),
            templates: Templates::new(none).unwrap(),
            modules: hostwright::fleet::service_modules(None, hostwright::modules::embedded(), |_, _| true),
            today: "2026-11-21".parse().unwrap(),
            made: Vec::new(),
        };
        let mut files = FleetFiles::in_memory(SCAFFOLD.iter().chain(SMALL).copied());
        program.made = check_files(&mut files, &program.facts, &[], program.today, |fleet, outcome, _| {
            let fleet = fleet.unwrap();
            let make = |scenario| {
                let clusters = outcome.clusters.facts();
                plan::make(fleet, &fleet.hosts[0], Some(scenario), &[], "0.1.0", &program.facts, clusters).unwrap()
            };
            let plans = [Scenario::Install, Scenario::Update].map(make);
            plans
                .map(|plan| (plan.clone(), report::plan::write(&plan, report::plan::PlanFormat::Json, false).unwrap()))
                .to_vec()
        });
        program
    }

    /// Returns the texts of the plans.
    pub(crate) fn plans(&self) -> Vec<&str> {
        self.made.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Returns the steps of the plan that journals are about.
    pub(crate) fn step_ids(&self) -> Vec<String> {
        self.made[0].0.steps().iter().map(|step| step.id().to_owned()).collect()
    }

    /// Takes an input the whole way; returns whether it was taken without an error.
    pub(crate) fn run(&self, target: Target, input: &[u8]) -> bool {
        match target {
            Target::Toml => self.fleet(input),
            Target::Facts => self.fleet(input) | proposal(input),
            Target::Yaml => self.manifests(input),
            Target::Nix => self.module(input),
            Target::Plan => self.plan(input),
            Target::Journal => self.journal(input),
        }
    }

    fn fleet(&self, input: &[u8]) -> bool {
        let mut files = fleet_files(input);
        check_files(&mut files, &self.facts, &[], self.today, |fleet, outcome, sources| {
            let broken = outcome.checked.findings.iter().find(|finding| finding.message.contains("internal error"));
            assert!(broken.is_none(), "{broken:?}");
            report_all(&outcome, sources, input);
            let errors = outcome
                .checked
                .findings
                .iter()
                .filter(|finding| finding.level == Level::Error && finding.allowed.is_none());
            let Some(fleet) = fleet.filter(|_| errors.count() == 0) else { return false };
            // Most of what is compiled is the same for every host, and takes as long as all that came before.
            if !every(8, input) {
                return true;
            }
            match compile(fleet, &[], &self.facts, sources, &self.templates) {
                Err(found) => {
                    assert!(!found.is_empty(), "refused without a word");
                    return false;
                }
                Ok(compiled) if every(32, input) => {
                    for file in compiled.files.iter().filter(|file| file.path.ends_with(".nix")) {
                        let errors = syntax_errors(file.text());
                        assert!(errors.is_empty(), "{} does not parse: {errors:?}\n{}", file.path, file.text());
                    }
                }
                Ok(_) => {}
            }
            for host in &fleet.hosts {
                let fitting = Scenario::default_for(host);
                for scenario in Scenario::available().filter(|scenario| *scenario == fitting || every(32, input)) {
                    let clusters = outcome.clusters.facts();
                    let made = plan::make(fleet, host, Some(scenario), &[], "0.1.0", &self.facts, clusters);
                    if let Err(error @ (PlanError::Graph(_) | PlanError::Gates(_) | PlanError::Template(_))) = made {
                        panic!("{scenario}: {error}");
                    }
                }
            }
            true
        })
    }

    fn manifests(&self, input: &[u8]) -> bool {
        let Ok(text) = read::decode(input.to_vec()) else { return false };
        let mut sources = Sources::default();
        let ids: Vec<_> = parts(&text, "k8s/a.yaml").into_iter().map(|(path, text)| sources.add(path, text)).collect();
        let loaded = load::load(&sources, &ids);
        let refused = loaded.refused();
        let target = Destination::nowhere("home", &self.modules, &self.facts);
        let inventory = inventory(&loaded.world, &target, true).expect("a leaf has no disposition");
        let written = write::write("", &inventory.host, "a", None).expect("definitions that cannot be read back");
        reads(&written.text);
        let taken = refused.is_empty() && !inventory.objects.is_empty();
        let ledger = inventory.into_ledger(ids.len(), refused, hostwright::kubernetes::ledger::Outcome::default());
        let options = MigrateOptions { color: false, verbose: true, words: "k8s", written: false };
        let mut formats = Vec::new();
        if every(4, input) {
            formats.extend([MigrateFormat::Human, MigrateFormat::Json]);
        }
        if every(16, input) {
            formats.extend([MigrateFormat::Markdown, MigrateFormat::Html]);
        }
        for format in formats {
            report::migrate::write(&ledger, format, &options).unwrap();
        }
        taken
    }

    fn module(&self, input: &[u8]) -> bool {
        let files = match std::str::from_utf8(input) {
            Ok(text) => FleetFiles::in_memory([("a.nix", text)]),
            Err(_) if !every(16, input) => FleetFiles::in_memory([("a.nix", String::from_utf8_lossy(input))]),
            Err(_) => {
                let folder = tempfile::tempdir().unwrap();
                fs::write(folder.path().join("a.nix"), input).unwrap();
                source::load_nix(&[folder.path().to_owned()]).unwrap()
            }
        };
        let checked = lint_nix(&files, &self.facts, None);
        let taken = checked.findings.iter().all(|finding| finding.level != Level::Error);
        let outcome = Outcome { checked, fleet: None, hosts: 0, clusters: Clusters::default() };
        report_all(&outcome, &files.sources, input);
        taken
    }

    fn plan(&self, input: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let mut taken = false;
        for (made, _) in &self.made {
            match plan::load(text, made) {
                Ok(read) => {
                    assert_eq!(read.plan_sha256(), made.plan_sha256(), "a plan was taken for another");
                    taken = true;
                }
                Err(refusals) => {
                    assert!(!refusals.is_empty(), "refused without a word");
                    for refusal in refusals {
                        assert!(!refusal.to_string().contains(char::is_control), "{:?}", refusal.to_string());
                    }
                }
            }
        }
        taken
    }

    fn journal(&self, input: &[u8]) -> bool {
        let made = &self.made[0].0;
        let Ok(status) = apply::standing(made, input) else { return false };
        assert_eq!(status.steps.len(), made.steps().len(), "a step without a state");
        if every(32, input) {
            page(made, Some(&RunState::of_status(&status)), None).unwrap();
        }
        true
    }
}

/// Asserts that a definition which the program wrote is TOML.
fn reads(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("host.toml", text);
    let mut found = Vec::new();
    parse_toml(&sources, file, &mut found);
    assert!(found.is_empty(), "not TOML: {found:?}\n{text}");
}

/// Tells whether an input is one of the few that what takes long is done with: the same every time it is run.
fn every(times: u64, input: &[u8]) -> bool {
    let hash = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 17).is_multiple_of(times)
}

/// Writes the findings of some inputs as people read them, of fewer as programs do.
fn report_all(outcome: &Outcome, sources: &Sources, input: &[u8]) {
    if !every(4, input) {
        return;
    }
    let checked = CheckReport {
        fleet: outcome.fleet.as_deref(),
        findings: &outcome.checked.findings,
        unchecked: &[],
        hosts: outcome.hosts,
        rules: outcome.checked.rules,
        sources,
    };
    let mut formats = vec![Format::Human];
    if every(16, input) {
        formats.extend([Format::Json, Format::Sarif, Format::Github, Format::Junit]);
    }
    for format in formats {
        report::write(&checked, &Options { format, verbosity: report::Verbosity::Verbose, ..Options::default() });
    }
}

/// Splits an input into files: a line `#### PATH` begins one. Paths that no loader gives are left out.
fn parts<'t>(text: &'t str, otherwise: &str) -> Vec<(String, &'t str)> {
    if !text.starts_with("#### ") {
        return vec![(otherwise.to_owned(), text)];
    }
    let named = text.split("#### ").filter_map(|part| part.split_once('\n'));
    let is_known = |path: &str| {
        path.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
            && path.len() < 80
    };
    named.filter(|(path, _)| is_known(path)).map(|(path, text)| (path.to_owned(), text)).collect()
}

/// Returns the fleet of an input, with the scaffold that it leaves out.
fn fleet_files(input: &[u8]) -> FleetFiles {
    // What is not text goes through the door that says so, now and then: that is a folder with files. Else what is left of it is read.
    let text = match std::str::from_utf8(input) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if every(64, input) => return from_disk(input),
        Err(_) => String::from_utf8_lossy(input),
    };
    let text = text.as_ref();
    let mut files: BTreeMap<String, &str> = SCAFFOLD.iter().map(|(path, text)| ((*path).to_owned(), *text)).collect();
    files.extend(parts(text, "hosts/a/host.toml"));
    if !files.keys().any(|path| path.starts_with("hosts/")) {
        files.insert("hosts/a/host.toml".to_owned(), "");
    }
    let is_manifest = |path: &str| [".yaml", ".yml"].iter().any(|ending| path.ends_with(ending));
    let (manifests, texts): (Vec<_>, Vec<_>) = files.into_iter().partition(|(path, _)| is_manifest(path));
    let mut files = FleetFiles::in_memory(texts);
    let manifest = |(path, text): (String, &str)| ManifestFile { path, bytes: Ok(text.as_bytes().to_vec()) };
    files.manifests = manifests.into_iter().map(manifest).collect();
    files
}

/// Returns the fleet of an input that stands in its files as it is.
fn from_disk(input: &[u8]) -> FleetFiles {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in SCAFFOLD {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(folder.path().join("hosts/a")).unwrap();
    fs::write(folder.path().join("hosts/a/host.toml"), input).unwrap();
    fs::write(folder.path().join("hosts/a/facts.json"), input).unwrap();
    source::load(folder.path()).unwrap()
}

fn proposal(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let Some((_, facts)) = text.rsplit_once("facts.json\n") else { return false };
    let Ok(machine) = Machine::read(facts) else { return false };
    let wishes = Wishes { channel: "stable".to_owned(), release: "26.05".to_owned(), ..Wishes::default() };
    let Ok(text) = host_toml(&machine, &wishes) else { return false };
    reads(&text);
    true
}
