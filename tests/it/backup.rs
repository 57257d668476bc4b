//! tests/fleets/backup: backups as compiled, judged by the rules and real Nix; drills and dumps run for real.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use hostwright::check::check_files;
use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, Level, load};

use super::compile::{TODAY, compile_files, root};
use super::compile_nix::{evaluates, nixpkgs};
use super::quoting::{evaluate, is_installed};

fn fleet() -> FleetFiles {
    load(&root().join("tests/fleets/backup")).unwrap()
}

#[test]
fn every_way_of_making_backups_passes_the_checks() {
    let said = check_files(&mut fleet(), &Facts::embedded(), &[], TODAY.parse().unwrap(), |_, outcome, _| {
        let open = outcome.checked.findings.iter().filter(|finding| finding.level != Level::Note);
        open.map(|finding| format!("{}: {}", finding.rule, finding.message)).collect::<Vec<_>>()
    });
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn every_way_of_making_backups_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("every_way_of_making_backups_evaluates_without_a_warning") else { return };
    evaluates(&compile_files(&mut fleet(), &Facts::embedded()).unwrap(), &nix, &tree);
}

/// A unit of a compiled host: its script and environment, as real Nix reads them.
struct Unit {
    script: String,
    environment: BTreeMap<String, String>,
}

/// Compiles a host of the fleet with other words in its definition, and returns one of its units.
fn unit(host: &str, words: &[(&str, &str)], unit: &str) -> Unit {
    let path = format!("hosts/{host}/host.toml");
    let mut text = std::fs::read_to_string(root().join("tests/fleets/backup").join(&path)).unwrap();
    for (old, new) in words {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    let fleet = std::fs::read_to_string(root().join("tests/fleets/backup/fleet.toml")).unwrap();
    let mut files = FleetFiles::in_memory([("fleet.toml".to_owned(), fleet), (path, text)]);
    let compiled = compile_files(&mut files, &Facts::embedded()).unwrap();
    let module = compiled.files.iter().find(|file| file.path.ends_with("/backup.nix")).unwrap();
    let call = format!(
        "let unit = (({}) {{ config.services = {{ postgresql.package = 1; mysql.package = 1; }}; lib.mkDefault = x: x; \
         pkgs = {{ borgbackup = 1; restic = 1; diffutils = 1; findutils = 1; openssh = 1; sqlite = 1; util-linux = 1; }}; }})\
         .systemd.services.{unit}; in {{ inherit (unit) script; environment = unit.environment or {{ }}; }}",
        module.text()
    );
    let value = evaluate(&call);
    let environment = value["environment"].as_object().unwrap().iter();
    Unit {
        script: value["script"].as_str().unwrap().to_owned(),
        environment: environment.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
    }
}

impl Unit {
    fn run(&self, folder: &Path) -> Output {
        Command::new("bash")
            .args(["-c", &self.script])
            .envs(&self.environment)
            .env("CACHE_DIRECTORY", folder)
            .env("STATE_DIRECTORY", folder.join("state"))
            .env("HOME", folder)
            .env("BORG_BASE_DIR", folder)
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A folder with data, the secret of a repository, and the repository.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data/deep er");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("a file\n with 'a' name"), "what must come back").unwrap();
        std::fs::write(data.join("empty"), "").unwrap();
        std::fs::write(folder.path().join("secret"), "a long passphrase").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Runs a program with the environment of a unit.
    fn run(&self, unit: &Unit, words: &[&str]) {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).envs(&unit.environment).env("HOME", self.folder.path());
        let output = command.env("BORG_BASE_DIR", self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }

    /// What a drill says of a good backup, of one whose file has other bytes than the one that is there, and of an empty one.
    fn drill(&self, drill: &Unit, empty: &dyn Fn()) {
        let good = drill.run(self.folder.path());
        assert!(good.status.success(), "{}", said(&good));
        assert!(said(&good).contains("2 files came back, 2 the same, 0 changed or gone since"), "{}", said(&good));
        let done = self.folder.path().join("state/drills");
        assert_eq!(std::fs::read_dir(&done).unwrap().count(), 1);
        assert!(
            std::fs::read_dir(self.folder.path())
                .unwrap()
                .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with("drill.") })
        );

        // The same size and time, and another byte: what was stored is not what is there.
        let file = self.folder.path().join("data/deep er/a file\n with 'a' name");
        let time = std::fs::metadata(&file).unwrap().modified().unwrap();
        std::fs::write(&file, "what must come bacK").unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        std::fs::remove_dir_all(&done).unwrap();
        let wrong = drill.run(self.folder.path());
        assert!(!wrong.status.success() && said(&wrong).contains("came back with other bytes"), "{}", said(&wrong));
        assert!(!done.exists(), "a drill that failed is not written down as done");

        empty();
        let gone = drill.run(self.folder.path());
        assert!(!gone.status.success(), "{}", said(&gone));
    }
}

#[test]
fn a_drill_with_borg_restores_and_tells_wrong_bytes() {
    let name = "a_drill_with_borg_restores_and_tells_wrong_bytes";
    if !is_installed("borg", "borg", name) || !is_installed("nix-instantiate", "nix", name) {
        return;
    }
    let place = Place::new();
    let (repository, data) = (place.path("repository"), place.path("data"));
    let drill = unit(
        "borg",
        &[
            ("borg-passphrase = {}", &format!("borg-passphrase.path = '{}'", place.path("secret"))),
            ("1234@host.example.org:borg", &repository),
            ("paths = [\"/var/backup/offsite\"]", &format!("paths = ['{data}']")),
            ("[\"test\", \"-s\", \"var/backup/offsite/postgresql.sql\"]", "['test', '-d', '.']"),
        ],
        "hostwright-drill-offsite",
    );
    place.run(&drill, &["borg", "init", "--encryption", "repokey-blake2"]);
    place.run(&drill, &["borg", "create", "::first", &data]);
    place.drill(&drill, &|| place.run(&drill, &["borg", "delete", "::first"]));
}

#[test]
fn a_drill_with_restic_restores_and_tells_wrong_bytes() {
    let name = "a_drill_with_restic_restores_and_tells_wrong_bytes";
    if !is_installed("restic", "restic", name) || !is_installed("nix-instantiate", "nix", name) {
        return;
    }
    let place = Place::new();
    let (repository, data) = (place.path("repository"), place.path("data"));
    let drill = unit(
        "restic",
        &[
            ("restic-password = {}", &format!("restic-password.path = '{}'", place.path("secret"))),
            ("s3:s3.example.org/backups/restic", &repository),
            ("drill = {}", &format!("drill.paths = ['{data}']")),
        ],
        "hostwright-drill-bucket",
    );
    let mut drill = drill;
    drill.environment.insert("RESTIC_CACHE_DIR".to_owned(), place.path("cache"));
    place.run(&drill, &["restic", "init"]);
    place.run(&drill, &["restic", "backup", &data]);
    place.drill(&drill, &|| place.run(&drill, &["restic", "forget", "latest"]));
}

#[test]
fn a_dump_that_fails_stops_the_backup_and_leaves_the_one_before() {
    let name = "a_dump_that_fails_stops_the_backup_and_leaves_the_one_before";
    if !is_installed("nix-instantiate", "nix", name) {
        return;
    }
    let place = Place::new();
    let dumps = unit(
        "borg",
        &[("/var/backup/notes", &place.path("dumps")), ("  { dump = \"postgresql\" },\n", "")],
        "hostwright-dump-offsite",
    );
    let tools = place.folder.path().join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    let run = |says: &str| {
        let program = tools.join("sqlite3");
        std::fs::write(&program, format!("#!/bin/sh\n{says}\n")).unwrap();
        Command::new("chmod").arg("755").arg(&program).status().unwrap();
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        Command::new("bash").args(["-c", &dumps.script]).env("PATH", path).output().unwrap()
    };
    let good = run("echo first");
    assert!(good.status.success(), "{}", said(&good));
    assert!(said(&good).contains("a 'quoted' word, 100 %, $HOME"), "{}", said(&good));
    let file = place.path("dumps/0-notes.sqlite");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "first\n");
    assert!(!run("echo half; exit 1").status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "first\n");
}
