//! Texts that mean harm, in every string of every file that the program reads and in what machines answer: each is refused, or it is
//! still a text in Nix, in shells, for ssh and kubectl, in a browser, in Markdown, in annotations and on a terminal.
//!
//! The judges are those languages themselves (`judges`), and each has to notice a text that does what it wants before it is asked.

mod judges;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use hostwright::check::{SCAFFOLD, check_files};
use hostwright::compile::compile;
use hostwright::facts::Facts;
use hostwright::kubernetes::context::Target;
use hostwright::kubernetes::ledger::Outcome;
use hostwright::kubernetes::tree::Node as YamlNode;
use hostwright::kubernetes::{inventory, load, read, write};
use hostwright::plan::{self, Scenario};
use hostwright::propose::{Machine, Wishes, host_toml};
use hostwright::report::migrate::{MigrateFormat, MigrateOptions};
use hostwright::report::plan::PlanFormat;
use hostwright::report::{self, CheckReport, Format, Options, Verbosity};
use hostwright::source::{FleetFiles, Kind, Level, ManifestFile, Node, Place, Sources, parse_json, parse_toml};
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

/// Returns the texts of a field: all of them, or of a sample a few, and others for the next field.
fn texts_of(turn: usize, every: usize) -> Vec<String> {
    let step = if is_whole() { 1 } else { every };
    corpus().into_iter().skip(turn % step).step_by(step).collect()
}

/// Takes a sample out of cases, evenly; all of them where everything is wanted.
fn some<T>(cases: Vec<T>, most: usize) -> Vec<T> {
    let step = if is_whole() { 1 } else { cases.len().div_ceil(most).max(1) };
    // A step that shares no factor with the number of texts meets all of them.
    cases.into_iter().step_by(step).collect()
}

/// Returns the places of every string and every key of a file of TOML or JSON.
fn places(path: &str, text: &str) -> Vec<Place> {
    fn collect(node: &Node, places: &mut Vec<Place>) {
        match &node.kind {
            Kind::Str(_) => places.push(node.place),
            Kind::List(items) => items.iter().for_each(|item| collect(&item.node, places)),
            Kind::Table(table) => table.values().for_each(|entry| {
                places.push(entry.key);
                collect(&entry.node, places);
            }),
            _ => {}
        }
    }
    let mut sources = Sources::default();
    let file = sources.add(path, text);
    let (mut found, mut places) = (Vec::new(), Vec::new());
    if path.ends_with(".json") {
        collect(&parse_json(&sources, file, "input", &mut found).unwrap(), &mut places);
    } else {
        collect(&parse_toml(&sources, file, &mut found), &mut places);
    }
    places.sort();
    places.dedup();
    places
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
        let errors = outcome
            .checked
            .findings
            .iter()
            .filter(|finding| finding.level == Level::Error && finding.allowed.is_none());
        let Some(fleet) = fleet.filter(|_| errors.count() == 0) else {
            came.refused = 1;
            return;
        };
        for format in [Format::Json, Format::Sarif] {
            serde_json::from_str::<serde_json::Value>(&written(format)).unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        roxmltree::Document::parse(&written(Format::Junit)).unwrap_or_else(|why| panic!("{what}: {why}"));
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
                if !pages {
                    continue;
                }
                let markdown = report::plan::write(&made, PlanFormat::Markdown, false).unwrap();
                assert_eq!(judges::is_more_than_words(&markdown), None, "{what}");
                let page = report::plan::write(&made, PlanFormat::Html, false).unwrap();
                assert_eq!(judges::is_more_than_text(&page), None, "{what}");
                came.pages.insert(page, what.to_owned());
            }
        }
    });
    came
}

/// A fleet, and which of its files get texts.
struct Subject {
    name: &'static str,
    files: Files,
    changed: Vec<&'static str>,
}

fn subjects() -> Vec<Subject> {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let of = |folder: &str, paths: &[&str]| -> Files {
        paths.iter().map(|path| ((*path).to_owned(), read(&format!("{folder}{path}")))).collect()
    };
    let scaffold: Files = SCAFFOLD.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let mut names = scaffold.clone();
    names.push(("hosts/a/host.toml".to_owned(), crate::hostile::NAMES.to_owned()));
    let example = [
        "fleet.toml",
        "hosts/lufta/host.toml",
        "hosts/attic/host.toml",
        "modules/base/module.toml",
        "modules/gitea/module.toml",
    ];
    let today = ["fleet.toml", "hosts/lufta/host.toml", "hosts/lufta/facts.json"];
    let mut with_facts = of("tests/fleets/lufta-today/", &today);
    // What that fleet is there to show is an error, and what has one is not compiled.
    with_facts[1].1 = with_facts[1].1.replace("rescue = { zfs = \"2.1\" }", "rescue = { zfs = \"2.4\" }");
    vec![
        Subject { name: "the example", files: of("", &example), changed: example.to_vec() },
        Subject { name: "names of everything", files: names, changed: vec!["hosts/a/host.toml"] },
        Subject {
            name: "backups",
            files: of(
                "tests/fleets/backup/",
                &["fleet.toml", "hosts/restic/host.toml", "hosts/borg/host.toml", "hosts/snapshots/host.toml"],
            ),
            changed: vec!["hosts/restic/host.toml", "hosts/borg/host.toml", "hosts/snapshots/host.toml"],
        },
        Subject {
            name: "services",
            files: of(
                "tests/fleets/services/",
                &["fleet.toml", "hosts/timers/host.toml", "hosts/pods/host.toml", "hosts/web/host.toml"],
            ),
            changed: vec!["hosts/timers/host.toml", "hosts/pods/host.toml", "hosts/web/host.toml"],
        },
        Subject { name: "facts", files: with_facts, changed: vec!["hosts/lufta/facts.json"] },
    ]
}

/// Judges what all cases brought, and says how much there was.
fn judge(came: &Came, test: &str, lines: usize) {
    let all = is_whole();
    // The judges see what they are there for.
    assert!(judges::steers_a_terminal("a\u{1b}[31m").is_some() && judges::steers_a_terminal("a\nb").is_none());
    assert!(judges::is_no_annotation("::error file=a::b\n::stop-commands::x\n").is_some());
    assert!(
        judges::is_more_than_text("<p>a<script>b").is_some()
            && judges::is_more_than_text("<p title=\"a\" onclick=b>").is_some()
    );
    assert!(
        judges::is_more_than_words("a <b>c").is_some() && judges::is_more_than_words("| a | b |\n| a |\n").is_some()
    );
    if let Some(files) = judges::nix_reads(&came.nix, test) {
        let mut texts: Vec<&String> = came.nix.keys().filter(|text| text.contains(CANARY)).collect();
        texts.extend(came.nix.keys().filter(|text| !text.contains(CANARY)));
        let evaluated = judges::nix_evaluates(texts.into_iter().take(if all { usize::MAX } else { 60 }));
        assert!(evaluated > 5, "{evaluated} files are evaluated");
        println!("nix-instantiate --parse {files} files, --eval {evaluated} of them to the end");
    }
    let Some(cage) = Cage::new(test) else {
        eprintln!("skipped: {test}: nobody may enter a root of their own");
        return;
    };
    // A sample of the lines, those first that hold a text.
    let mut chosen: Vec<&String> = came.lines.keys().filter(|line| line.contains(CANARY)).collect();
    chosen.extend(came.lines.keys().filter(|line| !line.contains(CANARY)));
    let chosen: Vec<String> = chosen.into_iter().take(if all { usize::MAX } else { lines }).cloned().collect();
    if let Some(line) = cage.run(&chosen) {
        panic!("{:?}: a line did what a text of it says: {line}", came.lines.get(&line));
    }
    let mut scripts: Vec<&String> = came.scripts.keys().filter(|text| text.contains(CANARY)).collect();
    scripts.extend(came.scripts.keys().filter(|text| !text.contains(CANARY)));
    let scripts: Vec<String> = scripts.into_iter().take(if all { usize::MAX } else { lines / 4 }).cloned().collect();
    if let Some(script) = cage.run(&scripts) {
        panic!("{:?}: a script did what a text of it says:\n{script}", came.scripts.get(&script));
    }
    let calls = cage.calls();
    let known = BTreeSet::from([vec!["-oProxyCommand=touch hwcanary".to_owned(), "--".to_owned(), "h".to_owned()]]);
    if judges::ssh_starts_something(&known, test).is_some() {
        let few: BTreeSet<Vec<String>> = calls.iter().take(if all { usize::MAX } else { 200 }).cloned().collect();
        assert_eq!(judges::ssh_starts_something(&few, test), None);
        println!(
            "run {} lines and {} scripts; {} calls of ssh judged by ssh -G",
            chosen.len(),
            scripts.len(),
            few.len()
        );
    }
    let mut pages: Vec<String> = came.pages.keys().cloned().collect();
    if !pages.is_empty() && is_installed("chromium", "chromium", test) {
        let bad =
            "<html><head><title>x</title></head><body><img src=x onerror=window.hwcanary=1></body></html>".to_owned();
        assert!(judges::browser_runs(&[bad]).is_some(), "the browser does not notice a page that runs something");
        pages.sort_by_key(|page| !page.contains(CANARY));
        pages.truncate(if all { 200 } else { 4 });
        assert_eq!(judges::browser_runs(&pages), None);
        println!("{} pages opened in a browser", pages.len());
    }
}

#[test]
fn a_text_in_any_field_of_definitions_and_facts_is_refused_or_stays_a_text_in_every_language() {
    let test = "a_text_in_any_field_of_definitions_and_facts_is_refused_or_stays_a_text_in_every_language";
    let facts = Facts::embedded();
    let mut whole = Came::default();
    for subject in subjects() {
        let own = take(&subject.files, subject.name, &facts, false);
        assert_eq!(own.refused, 0, "{} itself is sound", subject.name);
        let mut cases = Vec::new();
        let mut fields = 0;
        for (number, (path, text)) in
            subject.files.iter().enumerate().filter(|(_, (path, _))| subject.changed.contains(&path.as_str()))
        {
            for (turn, place) in places(path, text).into_iter().enumerate() {
                fields += 1;
                for hostile in texts_of(turn, 21) {
                    cases.push((number, place, hostile));
                }
            }
        }
        let cases = some(cases, 90);
        let one = |(number, place, hostile): &(usize, Place, String)| {
            let mut files = subject.files.clone();
            files[*number].1 = put(&subject.files[*number].1, &[(*place, hostile)]);
            let what = format!(
                "{} at {} as {:?}",
                files[*number].0,
                place.start,
                hostile.chars().take(60).collect::<String>()
            );
            take(&files, &what, &facts, false)
        };
        let came: Vec<Came> = cases.par_iter().map(one).collect();
        // Each text once more, at all places of a file at once that took one: what pages show.
        let mut places_of: BTreeMap<(usize, &str), Vec<Place>> = BTreeMap::new();
        for ((number, place, hostile), came) in cases.iter().zip(&came) {
            if came.refused == 0 {
                places_of.entry((*number, hostile)).or_default().push(*place);
            }
        }
        let together = |((number, hostile), places): (&(usize, &str), &Vec<Place>)| {
            let mut files = subject.files.clone();
            let at: Vec<(Place, &str)> = places.iter().map(|place| (*place, *hostile)).collect();
            files[*number].1 = put(&subject.files[*number].1, &at);
            take(&files, &format!("{} everywhere as {hostile:?}", files[*number].0), &facts, true)
        };
        let at_once: Vec<Came> = some(places_of.iter().collect(), 8).into_par_iter().map(together).collect();
        let mut all = Came::default();
        for came in came.into_iter().chain(at_once) {
            all = all.add(came);
        }
        all.counted(subject.name, fields);
        assert!(all.refused > 10 && all.cases - all.refused > 5, "both ways must have been seen with {}", subject.name);
        whole = whole.add(all);
    }
    judge(&whole, test, 1_200);
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
    let every = corpus().len();
    for (number, (_, text)) in texts.iter().enumerate() {
        let places = yaml_places(text);
        for (turn, place) in places.iter().enumerate() {
            fields += 1;
            // Every field gets one text; with `HOSTWRIGHT_ALL` all of them.
            for hostile in texts_of(turn + number * 7, every * 3) {
                cases.push((number, vec![*place], hostile));
            }
        }
        // All values at once, those alone that no other holds: what a page shows.
        for hostile in texts_of(number, every) {
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
    let (cases, at_once) = (some(cases, 250), some(at_once, 12));
    let mut came: Vec<Came> = cases.par_iter().map(|case| one(case, false)).collect();
    came.extend(at_once.par_iter().map(|case| one(case, true)).collect::<Vec<_>>());
    let all = came.into_iter().fold(Came::default(), Came::add);
    all.counted("manifests", fields);
    assert!(all.cases > all.refused, "nothing passed through");
    judge(&all, test, 600);
}

#[test]
fn a_text_in_any_fact_becomes_a_proposal_that_says_no_more_than_it() {
    let (path, text) = ("facts.json", crate::new::FACTS);
    let (mut cases, mut proposals) = (0, 0);
    for (turn, place) in places(path, text).into_iter().enumerate() {
        for hostile in texts_of(turn, 9) {
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
    assert!(proposals > 50);
}
