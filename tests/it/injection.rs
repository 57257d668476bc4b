//! Texts that mean harm, in every string of every file that the program reads and in what machines answer: each is refused, or it is
//! still a text in Nix, in shells, for ssh and kubectl, in a browser, in Markdown, in annotations and on a terminal.
//!
//! The judges are those languages themselves (`judges`), and each has to notice a text that does what it wants before it is asked.

mod fields;
mod judges;
mod machines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::OnceLock;

use hostwright::check::{SCAFFOLD, check_files, rules};
use hostwright::compile::compile;
use hostwright::facts::Facts;
use hostwright::fleet::schema::documents;
use hostwright::kubernetes::context::Target;
use hostwright::kubernetes::ledger::Outcome;
use hostwright::kubernetes::tree::Node as YamlNode;
use hostwright::kubernetes::{inventory, load, read, write};
use hostwright::plan::{self, Scenario};
use hostwright::propose::{Machine, Wishes, host_toml};
use hostwright::report::migrate::{MigrateFormat, MigrateOptions};
use hostwright::report::plan::PlanFormat;
use hostwright::report::{self, CheckReport, Format, Options, Verbosity};
use hostwright::source::{FleetFiles, Level, ManifestFile, Node, Place, Sources, parse_json, parse_toml};
use hostwright::text::Templates;
use rayon::prelude::*;

use crate::program::repository;
use crate::quoting::is_installed;
use judges::{CANARY, Cage};

/// What is put into every field.
pub(crate) fn corpus() -> Vec<String> {
    let texts = [
        // Nix.
        "${hwcanary}",
        "''${hwcanary}",
        "''; hwcanary; ''",
        "\"; hwcanary = hwcanary; x = \"",
        "*/ hwcanary /*",
        "a # ${builtins.abort \"hwcanary\"}",
        "\\${hwcanary}",
        "$${hwcanary}",
        // Shells.
        "$(touch /hwcanary)",
        "`touch /hwcanary`",
        "'; touch /hwcanary; '",
        "\"; touch /hwcanary; \"",
        "a\ntouch /hwcanary\n",
        "x'\\''; touch /hwcanary #",
        "| touch /hwcanary &",
        "EOF\ntouch /hwcanary\nEOF\n",
        // Options where a word is meant.
        "-oProxyCommand=touch /hwcanary",
        "--",
        "--kubeconfig=/hwcanary",
        "-o",
        // Terminals.
        "\u{1b}[2J\u{1b}]0;hwcanary\u{7}",
        "\u{1b}]8;;https://hwcanary/\u{1b}\\x\u{1b}]8;;\u{1b}\\",
        "\u{1b}]52;c;aHdjYW5hcnk=\u{7}",
        "a\rb\u{8}\u{9b}31m",
        "\u{202e}yranac\u{2066}\u{200b}\u{feff}",
        "a\0b",
        // Pages.
        "</script><script>window.hwcanary=1</script>",
        "<img src=x onerror=window.hwcanary=1>",
        "\"><svg onload=window.hwcanary=1>",
        "</title></style></textarea><iframe srcdoc=x>",
        "[x](javascript:window.hwcanary=1)",
        "javascript:window.hwcanary=1",
        "a | b || <b>c</b>",
        "```\n<script>window.hwcanary=1</script>\n```",
        "\n# hwcanary\n\n| a | b |\n|---|---|\n",
        // Annotations.
        "::error file=a.b,line=1::hwcanary",
        "\n::error file=hwcanary::x\n::stop-commands::hwcanary",
        "%0A::set-output name=hwcanary::x",
        // Paths and templates.
        "../../../../hwcanary",
        "/hwcanary",
        "{{ hwcanary }}{% raw %}",
        "$(HWCANARY) ${HWCANARY} %h%i%%",
    ];
    let mut all: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    all.push("x".repeat(64 << 10));
    all
}

/// Where definitions hold commands for a shell.
const COMMANDS: &[&str] = &["host.machine.hooks."];

/// What came of all cases so far.
#[derive(Default)]
struct Came {
    cases: usize,
    refused: usize,
    /// Texts of Nix, of scripts and of lines of plans, each with the first case that it came of.
    nix: BTreeMap<String, String>,
    scripts: BTreeMap<String, String>,
    lines: BTreeMap<String, String>,
    /// Pages, for the browser.
    pages: BTreeMap<String, String>,
}

impl Came {
    fn add(mut self, other: Self) -> Self {
        self.cases += other.cases;
        self.refused += other.refused;
        self.nix.extend(other.nix);
        self.scripts.extend(other.scripts);
        self.lines.extend(other.lines);
        self.pages.extend(other.pages);
        self
    }

    /// Prints what was done.
    fn counted(&self, of: &str, fields: usize) {
        let passed = self.cases - self.refused;
        println!(
            "{of}: {fields} fields, {} cases, {} refused, {passed} passed through; {} texts of Nix, {} scripts, {} lines, {} pages",
            self.cases,
            self.refused,
            self.nix.len(),
            self.scripts.len(),
            self.lines.len(),
            self.pages.len()
        );
    }
}

/// Tells whether every text goes into every field; else it is a sample.
fn is_whole() -> bool {
    std::env::var_os("HOSTWRIGHT_ALL").is_some()
}

/// Tells whether a string is a command of the fleet's own people, which is there to be run.
fn is_command(name: &str) -> bool {
    COMMANDS.iter().any(|start| name.starts_with(start))
}

/// Returns a text of the corpus, another one at each turn.
fn text_of(turn: usize) -> String {
    let all = corpus();
    all[turn % all.len()].clone()
}

/// Takes a sample out of cases, evenly; all of them where everything is wanted.
fn some<T>(cases: Vec<T>, most: usize) -> Vec<T> {
    let step = if is_whole() { 1 } else { cases.len().div_ceil(most).max(1) };
    cases.into_iter().step_by(step).collect()
}

/// Reads a file of TOML or JSON.
fn tree(path: &str, text: &str) -> Node {
    let mut sources = Sources::default();
    let file = sources.add(path, text);
    let mut found = Vec::new();
    if path.ends_with(".json") {
        parse_json(&sources, file, "input", &mut found).unwrap()
    } else {
        parse_toml(&sources, file, &mut found)
    }
}

/// Puts texts into a file, each as a string at its place; places must not overlap.
fn put(text: &str, at: &[(Place, &str)]) -> String {
    let mut out = text.to_owned();
    let mut at = at.to_vec();
    at.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, new) in at {
        // A JSON string is a string of TOML and of YAML, too.
        out.replace_range(place.start as usize..place.end as usize, &serde_json::Value::from(new).to_string());
    }
    out
}

type Files = Vec<(String, String)>;

fn fleet_files(files: &Files) -> FleetFiles {
    let is_manifest = |path: &str| path.ends_with(".yaml");
    let (manifests, texts): (Files, Files) = files.iter().cloned().partition(|(path, _)| is_manifest(path));
    let mut fleet = FleetFiles::in_memory(texts);
    fleet.manifests =
        manifests.into_iter().map(|(path, text)| ManifestFile { path, bytes: Ok(text.into_bytes()) }).collect();
    fleet
}

/// Takes a fleet the whole way; `pages` says whether the pages of its plans are kept.
fn take(files: &Files, what: &str, facts: &Facts, pages: bool) -> Came {
    let mut came = Came { cases: 1, ..Came::default() };
    check_files(&mut fleet_files(files), facts, &[], "2026-11-21".parse().unwrap(), |fleet, outcome, sources| {
        let checked = CheckReport {
            fleet: outcome.fleet.as_deref(),
            findings: &outcome.checked.findings,
            unchecked: &[],
            hosts: outcome.hosts,
            rules: outcome.checked.rules,
            sources,
        };
        let written =
            |format| report::write(&checked, &Options { format, verbosity: Verbosity::Verbose, ..Options::default() });
        let human = written(Format::Human);
        assert_eq!(judges::steers_a_terminal(&human), None, "{what}");
        assert!(!human.contains("internal error"), "{what}: {human}");
        assert_eq!(judges::is_no_annotation(&written(Format::Github)), None, "{what}");
        for format in [Format::Json, Format::Sarif] {
            serde_json::from_str::<serde_json::Value>(&written(format)).unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        roxmltree::Document::parse(&written(Format::Junit)).unwrap_or_else(|why| panic!("{what}: {why}"));
        // What breaks a rule may be allowed by its author, what cannot be read goes nowhere.
        let is_input = |rule: &str| rules::find(rule).is_some_and(|rule| rule.group.as_str() == "input");
        let findings = outcome.checked.findings.iter();
        let stops = findings.filter(|finding| finding.level == Level::Error && is_input(finding.rule)).count() > 0;
        let Some(fleet) = fleet.filter(|_| !stops) else {
            came.refused = 1;
            return;
        };
        let none: [(String, String); 0] = [];
        let Ok(compiled) = compile(fleet, &[], facts, sources, &Templates::new(none).unwrap()) else {
            came.refused = 1;
            return;
        };
        for file in &compiled.files {
            if file.path.ends_with(".nix") {
                came.nix.insert(file.text().to_owned(), what.to_owned());
            } else if file.path.ends_with(".sh") {
                came.scripts.insert(file.text().to_owned(), what.to_owned());
            }
        }
        for host in &fleet.hosts {
            for scenario in Scenario::available().filter(|scenario| pages || *scenario == Scenario::default_for(host)) {
                let Ok(made) = plan::make(fleet, host, Some(scenario), &[], "0.1.0", facts, outcome.clusters.facts())
                else {
                    continue;
                };
                for step in made.steps() {
                    let lines = step
                        .checks_before()
                        .iter()
                        .chain(step.commands())
                        .chain(step.checks_after())
                        .chain(step.way_back());
                    for line in lines {
                        assert!(!line.contains(['\n', '\0']), "{what}: {line:?}");
                        came.lines.insert(line.clone(), what.to_owned());
                    }
                }
                let human = report::plan::write(&made, PlanFormat::Human, false).unwrap();
                assert_eq!(judges::steers_a_terminal(&human), None, "{what}");
                let markdown = report::plan::write(&made, PlanFormat::Markdown, false).unwrap();
                assert_eq!(judges::is_more_than_words(&markdown), None, "{what}");
                let page = report::plan::write(&made, PlanFormat::Html, false).unwrap();
                assert_eq!(judges::is_more_than_text(&page), None, "{what}");
                if pages {
                    came.pages.insert(page, what.to_owned());
                }
            }
        }
    });
    came
}

/// A fleet whose strings are changed.
struct Subject {
    name: String,
    files: Files,
    sound: OnceLock<bool>,
}

impl Subject {
    fn new(name: &str, files: Files) -> Self {
        Self { name: name.to_owned(), files, sound: OnceLock::new() }
    }

    /// Returns the fleet with texts in one of its files.
    fn with(&self, file: usize, at: &[(Place, &str)]) -> Files {
        let mut files = self.files.clone();
        files[file].1 = put(&self.files[file].1, at);
        files
    }

    /// Tells whether the fleet as it is goes the whole way.
    fn is_sound(&self, facts: &Facts) -> bool {
        *self.sound.get_or_init(|| take(&self.files, &self.name, facts, false).refused == 0)
    }
}

/// Returns the files of a folder that a fleet is made of, by their paths in it.
fn files_below(folder: &str) -> Files {
    let root = repository().join(folder);
    let mut files: Files = ["fleet.toml", "hosts", "modules", "nixos"]
        .iter()
        .flat_map(|part| walkdir::WalkDir::new(root.join(part)).into_iter().filter_map(Result::ok))
        .filter(|entry| entry.file_type().is_file() && !entry.path().components().any(|part| part.as_os_str() == "nix"))
        .filter_map(|entry| {
            let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            Some((path, fs::read_to_string(entry.path()).ok()?))
        })
        .collect();
    files.sort();
    files
}

/// Returns fleets of one host each: those of the tests, the example, and for each module one that has nothing else.
fn subjects() -> Vec<Subject> {
    let scaffold: Files = SCAFFOLD.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let with = |more: &[(&str, &str)]| -> Files {
        scaffold
            .iter()
            .cloned()
            .chain(more.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
            .collect()
    };
    let mut all = vec![
        Subject::new("tests/strings", files_below("tests/strings")),
        Subject::new("names of everything", with(&[("hosts/a/host.toml", crate::hostile::NAMES)])),
    ];
    let other = fs::read_to_string(repository().join("tests/strings/other-fleet.toml")).unwrap();
    all.push(Subject::new("tests/strings/other-fleet.toml", vec![("fleet.toml".to_owned(), other)]));
    let mut folders: Vec<String> = fs::read_dir(repository().join("tests/fleets"))
        .unwrap()
        .map(|entry| format!("tests/fleets/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    folders.sort();
    for folder in folders.iter().map(String::as_str).chain([""]) {
        let files = files_below(folder);
        let host_of =
            |path: &str| path.strip_prefix("hosts/").and_then(|rest| Some(rest.split_once('/')?.0.to_owned()));
        let hosts: BTreeSet<String> = files.iter().filter_map(|(path, _)| host_of(path)).collect();
        // The repository's own modules are embedded.
        let is_own = |path: &str| !folder.is_empty() || !path.starts_with("modules/");
        for host in hosts {
            let is_its = |path: &str| host_of(path).is_none_or(|other| other == host) && is_own(path);
            let own = files.iter().filter(|(path, _)| is_its(path)).cloned().collect();
            all.push(Subject::new(&format!("{folder} {host}"), own));
        }
    }
    for (path, text) in files_below("").into_iter().filter(|(path, _)| path.ends_with("/module.toml")) {
        let name = path.split('/').nth(1).unwrap();
        let is_profile = text.contains("kind = \"profile\"");
        let host = if is_profile {
            format!("imports = [\"{name}\"]\n")
        } else {
            format!("[services.{name}]\nkind = \"native\"\n")
        };
        all.push(Subject::new(&path, with(&[(&path, &text), ("hosts/a/host.toml", &host)])));
    }
    all.sort_by_key(|subject| subject.files.iter().map(|(_, text)| text.len()).sum::<usize>());
    all
}

/// Returns the schema of a file, by its path in a fleet.
fn schema_of(path: &str) -> Option<(&'static str, serde_json::Value)> {
    match path.rsplit('/').next()? {
        "fleet.toml" => Some(("fleet", documents::fleet())),
        "host.toml" => Some(("host", documents::host())),
        "facts.json" => Some(("facts", documents::facts())),
        "module.toml" => Some(("module", documents::module())),
        _ => None,
    }
}

/// Where a string stands: the number of a fleet, that of one of its files, and the place there.
type Spot = (usize, usize, Place);

/// Returns every string and free name of all fleets, by its name in the schemas; what stands in the smallest fleet first.
fn spots(subjects: &[Subject]) -> BTreeMap<String, Vec<Spot>> {
    let mut all: BTreeMap<String, Vec<Spot>> = BTreeMap::new();
    for (number, subject) in subjects.iter().enumerate() {
        for (file, (path, text)) in subject.files.iter().enumerate() {
            let Some((kind, schema)) = schema_of(path) else { continue };
            for (field, place) in fields::of_file(&schema, &tree(path, text)) {
                all.entry(format!("{kind}{field}")).or_default().push((number, file, place));
            }
        }
    }
    all
}

#[test]
fn every_string_that_a_schema_allows_stands_in_a_file_of_the_tests() {
    let spots = spots(&subjects());
    let mut missing = Vec::new();
    let mut strings = 0;
    for path in ["fleet.toml", "host.toml", "facts.json", "module.toml"] {
        let (kind, schema) = schema_of(path).unwrap();
        for field in fields::of_schema(&schema) {
            strings += 1;
            let name = format!("{kind}{field}");
            if !spots.contains_key(&name) {
                missing.push(name);
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new(), "no file of the tests has these; write them into tests/strings");
    println!("{strings} strings of schemas; {} with those of few words", spots.len());
    assert!(strings > 300);
}

/// Judges what all cases brought, and says how much there was.
fn judge(came: &Came, test: &str, lines: usize) {
    // Nix parses everything; what takes a process each is a share.
    let times = if is_whole() { 30 } else { 1 };
    // Those first that hold a text.
    let first = |texts: &BTreeMap<String, String>, most: usize| -> Vec<String> {
        let (with, without): (Vec<&String>, Vec<&String>) = texts.keys().partition(|text| text.contains(CANARY));
        with.into_iter().chain(without).take(most * times).cloned().collect()
    };
    if let Some(files) = judges::nix_reads(&came.nix, test) {
        let evaluated = judges::nix_evaluates(&first(&came.nix, 60));
        assert!(evaluated > 5, "{evaluated} files are evaluated");
        println!("nix-instantiate --parse {files} files, --eval {evaluated} of them to the end");
    }
    if let Some(cage) = Cage::new(test) {
        let (lines, scripts) = (first(&came.lines, lines), first(&came.scripts, lines / 8));
        if let Some(line) = cage.run(&lines) {
            panic!("{:?}: a line did what a text of it says: {line}", came.lines.get(&line));
        }
        if let Some(script) = cage.run(&scripts) {
            panic!("{:?}: a script did what a text of it says:\n{script}", came.scripts.get(&script));
        }
        let (ssh, kubectl) = (cage.calls("ssh"), cage.calls("kubectl"));
        assert_eq!(judges::kubectl_takes_an_option(&kubectl), None);
        let few: BTreeSet<Vec<String>> = ssh.into_iter().take(60 * times).collect();
        assert_eq!(judges::ssh_starts_something(&few), None);
        let (lines, scripts) = (lines.len(), scripts.len());
        println!(
            "run {lines} lines and {scripts} scripts; {} calls of ssh by ssh -G, {} of kubectl",
            few.len(),
            kubectl.len()
        );
    }
    let mut pages: Vec<String> = came.pages.keys().cloned().collect();
    if !pages.is_empty() && is_installed("chromium", "chromium", test) {
        pages.sort_by_key(|page| !page.contains(CANARY));
        pages.truncate(3 * times);
        assert_eq!(judges::browser_runs(&pages), None);
        println!("{} pages opened in a browser", pages.len());
    }
}

#[test]
fn a_text_in_any_string_of_definitions_modules_and_facts_is_refused_or_stays_a_text() {
    let test = "a_text_in_any_string_of_definitions_modules_and_facts_is_refused_or_stays_a_text";
    let facts = Facts::embedded();
    let subjects = subjects();
    let spots = spots(&subjects);
    // Of each string the place in the smallest fleet that goes the whole way.
    let best = |spots: &Vec<Spot>| -> Spot {
        let sound = spots.iter().find(|(subject, ..)| subjects[*subject].is_sound(&facts));
        *sound.unwrap_or(&spots[0])
    };
    let strings: Vec<(&String, Spot)> = spots.par_iter().map(|(name, spots)| (name, best(spots))).collect();
    let mut cases: Vec<(String, Spot, String)> = Vec::new();
    for (turn, (name, spot)) in strings.iter().enumerate() {
        let texts = if is_whole() { corpus() } else { vec![text_of(turn)] };
        cases.extend(texts.into_iter().map(|text| ((*name).clone(), *spot, text)));
    }
    let one = |(name, (subject, file, place), text): &(String, Spot, String)| {
        let files = subjects[*subject].with(*file, &[(*place, text)]);
        let what = format!("{name} of {} as {text:.60?}", subjects[*subject].name);
        let mut came = take(&files, &what, &facts, false);
        if is_command(name) {
            came.lines.clear();
        }
        came
    };
    let came: Vec<Came> = cases.par_iter().map(one).collect();
    // What each file took by itself, all at once: what pages show.
    let mut taken: BTreeMap<(usize, usize), BTreeMap<Place, &str>> = BTreeMap::new();
    for ((name, (subject, file, place), text), came) in cases.iter().zip(&came) {
        if came.refused == 0 && text.len() < 1000 && !is_command(name) {
            taken.entry((*subject, *file)).or_default().insert(*place, text);
        }
    }
    let together = |((subject, file), texts): (&(usize, usize), &BTreeMap<Place, &str>)| {
        let texts: Vec<(Place, &str)> = texts.iter().map(|(place, text)| (*place, *text)).collect();
        let what = format!("all strings of {}", subjects[*subject].name);
        take(&subjects[*subject].with(*file, &texts), &what, &facts, true)
    };
    let mut most: Vec<_> = taken.iter().collect();
    most.sort_by_key(|(_, texts)| std::cmp::Reverse(texts.len()));
    most.truncate(if is_whole() { usize::MAX } else { 4 });
    let at_once: Vec<Came> = most.into_par_iter().map(together).collect();
    let all = came.into_iter().chain(at_once).fold(Came::default(), Came::add);
    all.counted("definitions, modules and facts", strings.len());
    assert!(all.refused > 50 && all.cases - all.refused > 50, "both ways must have been seen");
    judge(&all, test, 600);
}

/// Returns where every scalar and every key of manifests stands.
fn yaml_places(text: &str) -> Vec<(u32, u32)> {
    fn collect(node: &YamlNode<'_>, places: &mut Vec<(u32, u32)>) {
        for pair in node.pairs() {
            places.push((pair.at.start, pair.at.end));
            collect(&pair.node, places);
        }
        node.items().iter().for_each(|item| collect(item, places));
        if node.pairs().is_empty() && node.items().is_empty() {
            places.push((node.span.start, node.span.end));
        }
    }
    let mut sources = Sources::default();
    let file = sources.add("k8s/a.yaml", text);
    let mut places = Vec::new();
    read::read(&sources, file).documents.iter().for_each(|document| collect(&document.root, &mut places));
    places.sort_unstable();
    places.dedup();
    places.retain(|(start, end)| start < end);
    places
}

/// Takes manifests the whole way: to the ledger in every format, to definitions, and these to what is compiled of them.
fn take_manifests(text: &str, what: &str, facts: &Facts, pages: bool) -> Came {
    let mut came = Came { cases: 1, ..Came::default() };
    let mut sources = Sources::default();
    let file = sources.add("k8s/a.yaml", text);
    let loaded = load::load(&sources, &[file]);
    let refused = loaded.refused();
    if !refused.is_empty() {
        came.refused = 1;
    }
    let modules = hostwright::fleet::service_modules(None, hostwright::modules::embedded(), |_, _| true);
    let target = Target::nowhere("home", &modules, facts);
    let made = inventory(&loaded.world, &target, true).unwrap_or_else(|bug| panic!("{what}: {bug}"));
    let written = write::write("", &made.host, "a", None).unwrap();
    let ledger = made.into_ledger(1, refused, Outcome::default());
    let options = MigrateOptions { color: false, verbose: true, words: "k8s", written: false };
    let shown = |format| report::migrate::write(&ledger, format, &options).unwrap();
    assert_eq!(judges::steers_a_terminal(&shown(MigrateFormat::Human)), None, "{what}");
    serde_json::from_str::<serde_json::Value>(&shown(MigrateFormat::Json)).unwrap();
    assert_eq!(judges::is_more_than_words(&shown(MigrateFormat::Markdown)), None, "{what}");
    let page = shown(MigrateFormat::Html);
    assert_eq!(judges::is_more_than_text(&page), None, "{what}");
    if pages {
        came.pages.insert(page, what.to_owned());
    }
    let mut files: Files = SCAFFOLD.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    files.push(("hosts/a/host.toml".to_owned(), written.text));
    files.extend(written.files.into_iter().filter_map(|(path, bytes)| Some((path, String::from_utf8(bytes).ok()?))));
    let compiled = take(&files, what, facts, false);
    came.nix = compiled.nix;
    came.scripts = compiled.scripts;
    came.lines = compiled.lines;
    came
}

#[test]
fn a_text_in_any_field_of_manifests_is_refused_or_stays_a_text_in_every_language() {
    let test = "a_text_in_any_field_of_manifests_is_refused_or_stays_a_text_in_every_language";
    let facts = Facts::embedded();
    let mut files: Vec<_> = ["k8s", "tests/manifests/kinds"]
        .iter()
        .flat_map(|folder| fs::read_dir(repository().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    let (mut cases, mut fields, mut at_once) = (Vec::new(), 0, Vec::new());
    let texts: Vec<(String, String)> = files
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    for (number, (_, text)) in texts.iter().enumerate() {
        let places = yaml_places(text);
        for (turn, place) in places.iter().enumerate() {
            fields += 1;
            cases.push((number, vec![*place], text_of(turn + number * 7)));
        }
        // All values at once, those alone that no other holds: what a page shows.
        let short = |text: &String| text.len() < 1000;
        for hostile in if is_whole() { corpus() } else { vec![text_of(number)] }.into_iter().filter(short) {
            let leaves: Vec<(u32, u32)> =
                places.iter().filter(|(start, end)| *end - *start > 3 && start % 3 == 0).copied().collect();
            at_once.push((number, leaves, hostile));
        }
    }
    let one = |(number, at, hostile): &(usize, Vec<(u32, u32)>, String), pages: bool| {
        let (name, text) = &texts[*number];
        let mut changed = text.clone();
        for (start, end) in at.iter().rev() {
            changed
                .replace_range(*start as usize..*end as usize, &serde_json::Value::from(hostile.as_str()).to_string());
        }
        let what = format!("{name} at {:?} as {:?}", at.first(), hostile.chars().take(60).collect::<String>());
        take_manifests(&changed, &what, &facts, pages)
    };
    let (cases, at_once) = (some(cases, 120), some(at_once, 8));
    let came = cases.par_iter().map(|case| one(case, false)).reduce(Came::default, Came::add);
    let all = came.add(at_once.par_iter().map(|case| one(case, true)).reduce(Came::default, Came::add));
    all.counted("manifests", fields);
    assert!(all.cases > all.refused, "nothing passed through");
    judge(&all, test, 300);
}

#[test]
fn a_text_in_any_fact_becomes_a_proposal_that_says_no_more_than_it() {
    let (path, text) = ("facts.json", crate::new::FACTS);
    let (mut cases, mut proposals) = (0, 0);
    let spots = fields::of_file(&documents::facts(), &tree(path, text));
    for (turn, (_, place)) in spots.into_iter().enumerate() {
        for hostile in if is_whole() { corpus() } else { (0..4).map(|more| text_of(turn * 5 + more * 11)).collect() } {
            cases += 1;
            let Ok(machine) = Machine::read(&put(text, &[(place, &hostile)])) else { continue };
            let wishes = Wishes { channel: "stable".to_owned(), release: "26.05".to_owned(), ..Wishes::default() };
            let Ok(proposal) = host_toml(&machine, &wishes) else { continue };
            proposals += 1;
            let (mut sources, mut found) = (Sources::default(), Vec::new());
            let file = sources.add("host.toml", proposal.as_str());
            let tree = parse_toml(&sources, file, &mut found);
            assert!(found.is_empty(), "{hostile:?}: {found:?}\n{proposal}");
            assert!(tree.as_table().unwrap().keys().all(|key| !key.contains(CANARY)), "{proposal}");
            assert_eq!(judges::steers_a_terminal(&proposal), None, "{hostile:?}");
        }
    }
    println!("proposals: {cases} cases, {proposals} proposals");
    assert!(proposals > 30);
}
