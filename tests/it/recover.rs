//! The script of a backup from which a host is recovered, with real Borg and restic: what it refuses before anything is touched, and
//! that what comes back is what was there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hostwright::facts::Facts;
use hostwright::plan;
use hostwright::source::{FleetFiles, load};

use super::compile::{TODAY, compile_files, root};
use super::compile_nix::{evaluates, nixpkgs};
use super::plan::golden;
use super::plan_migrate::is_clean;
use super::program::Sandbox;
use super::quoting::is_installed;

/// A program that makes backups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Borg,
    Restic,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Borg => "borg",
            Self::Restic => "restic",
        }
    }
}

/// A host whose service keeps its state in `data`, its rest in `home`, and a repository.
struct Place {
    folder: tempfile::TempDir,
    kind: Kind,
}

const STATE: &str = "/var/lib/hostwright/recover";

impl Place {
    /// Returns one; nothing where the program is not installed, or where this is not root's, which restores owners.
    fn new(kind: Kind, test: &str) -> Option<Self> {
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        if !is_installed(kind.word(), kind.word(), test) || !is_installed("nix-instantiate", "nix", test) {
            return None;
        }
        if !is_root {
            eprintln!("skipped: {test}: only root restores owners");
            return None;
        }
        // What lies below /tmp is never restored.
        let place = Self { folder: tempfile::tempdir_in("/srv").unwrap(), kind };
        place.write("secrets/passphrase", "a long passphrase");
        place.fill();
        let script = place.script(&[]);
        place.write("recover/store.sh", &script);
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Data with what a copy could lose.
    fn fill(&self) {
        self.write("data/deep er/a file\twith 'a' name", "what must come back");
        self.write("data/owned", "somebody's");
        fs::set_permissions(self.path("data/owned"), fs::Permissions::from_mode(0o4751)).unwrap();
        assert!(Command::new("chown").args(["4711:4712"]).arg(self.path("data/owned")).status().unwrap().success());
        fs::set_permissions(self.path("data/owned"), fs::Permissions::from_mode(0o4751)).unwrap();
        fs::hard_link(self.path("data/owned"), self.path("data/the same")).unwrap();
        symlink("deep er", self.path("data/link")).unwrap();
        symlink("/nix/store/00000000000000000000000000000000-gone/x", self.path("data/of the store")).unwrap();
        fs::write(self.path("data/.hidden"), vec![7_u8; 300_000]).unwrap();
        // Just before the next second, to which some programs round.
        for name in [
            "data/late",
            "data/sp\u{e4}t",
            "data/late\ta tab",
            "data/late\na line",
            "data/late\\n back",
            "data/late\u{7f}\n",
        ] {
            self.write(name, "late");
            let late =
                Command::new("touch").args(["-d", "2024-05-06 07:08:09.987654321"]).arg(self.path(name)).status();
            assert!(late.unwrap().success());
        }
        fs::create_dir_all(self.path("data/empty")).unwrap();
        fs::create_dir_all(self.path("data/inner")).unwrap();
        fs::write(self.path("data/inner/kept"), "another service's").unwrap();
        self.write("home/mara/letter", "dear");
        for name in ["data/owned", "data/.hidden", "data/deep er/a file\twith 'a' name"] {
            let status =
                Command::new("touch").args(["-d", "2024-05-06 07:08:09.123456789"]).arg(self.path(name)).status();
            assert!(status.unwrap().success());
        }
    }

    /// Returns the definition with more words changed.
    fn files(&self, words: &[(&str, &str)]) -> FleetFiles {
        let mut fleet = load(&root().join("tests/fleets/recovered")).unwrap();
        let text = |name: &str| fleet.files.get(name).map(|file| fleet.sources.file(*file).text().to_owned());
        let fleet_toml = text("fleet.toml").unwrap();
        let host = text("hosts/lighthouse/host.toml").unwrap();
        let _ = &mut fleet;
        let disks = &host[host.find("[disks.ssd0]").unwrap()..host.find("# In an order").unwrap()];
        let mut host = format!(
            "[secrets.items]\npassphrase.path = '{}'\n[backup.store]\nkind = '{}'\nrepository = '{}'\npassword = 'passphrase'\npaths = ['{}']\n\
             {disks}\n[services.notes]\nkind = 'command'\nexec = ['sleep', 'infinity']\nstate = [{{ path = '{}' }}]\n\
             [services.other]\nkind = 'command'\nexec = ['sleep', 'infinity']\nstate = [{{ path = '{}' }}]\n[deploy]\ntarget = 'root@192.0.2.84'\n",
            self.text("secrets/passphrase"),
            self.kind.word(),
            self.text("repository"),
            self.text("home"),
            self.text("data"),
            self.text("data/inner"),
        )
        .replace(", backup = true", "");
        for (from, to) in words {
            assert!(host.contains(from), "{from}\n{host}");
            host = host.replace(from, to);
        }
        FleetFiles::in_memory([("fleet.toml".to_owned(), fleet_toml), ("hosts/lighthouse/host.toml".to_owned(), host)])
    }

    /// Returns the script that is compiled for the host.
    fn script(&self, words: &[(&str, &str)]) -> String {
        let mut files = self.files(words);
        let facts = Facts::embedded();
        hostwright::check::check_files(&mut files, &facts, &[], "2026-11-21".parse().unwrap(), |fleet, outcome, _| {
            let errors: Vec<String> = outcome
                .checked
                .findings
                .iter()
                .filter(|finding| finding.level == hostwright::source::Level::Error && finding.rule == "value-invalid")
                .map(|finding| finding.message.clone())
                .collect();
            assert_eq!(errors, Vec::<String>::new());
            let fleet = fleet.unwrap();
            let host = fleet.hosts.iter().find(|host| host.name == "lighthouse").unwrap();
            let made = plan::files(fleet, host, &BTreeMap::new()).unwrap();
            let script = made.into_iter().find(|file| file.path == "recover/store.sh").unwrap();
            script.text.replace(STATE, &self.text("state"))
        })
    }

    /// Runs the program that makes backups.
    fn program(&self, words: &[&str]) -> Output {
        let mut command = Command::new(self.kind.word());
        let output = match self.kind {
            Kind::Borg => command
                .env("BORG_REPO", self.path("repository"))
                .env("BORG_PASSPHRASE", "a long passphrase")
                .env("BORG_BASE_DIR", self.path("base")),
            Kind::Restic => command
                .env("RESTIC_REPOSITORY", self.path("repository"))
                .env("RESTIC_PASSWORD", "a long passphrase")
                .env("RESTIC_CACHE_DIR", self.path("base")),
        }
        .args(words)
        .output()
        .unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn init(&self) {
        let _ = match self.kind {
            Kind::Borg => self.program(&["init", "--encryption", "repokey-blake2"]),
            Kind::Restic => self.program(&["init"]),
        };
    }

    /// Makes a backup as the host would, of the paths, as another host, of another day.
    fn backup(&self, name: &str, paths: &[&str], host: &str, day: Option<&str>) {
        let paths: Vec<String> = paths.iter().map(|path| self.text(path)).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let archive = format!("::{name}");
        let mut words: Vec<&str> = match self.kind {
            Kind::Borg => vec!["create"],
            Kind::Restic => vec!["backup", "--host", host],
        };
        match (self.kind, day) {
            (Kind::Borg, Some(day)) => words.extend(["--timestamp", day]),
            (Kind::Restic, Some(day)) => words.extend(["--time", day]),
            (_, None) => {}
        }
        if self.kind == Kind::Borg {
            words.push(&archive);
        }
        words.extend(paths);
        if self.kind == Kind::Restic {
            let _ = self.program(&words);
            return;
        }
        // Borg takes the name of the machine from the machine.
        let script = format!("hostname {host}; exec borg \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--uts", "sh", "-c", &script, "sh"]).args(words);
        command.env("BORG_REPO", self.path("repository")).env("BORG_PASSPHRASE", "a long passphrase");
        let output = command.env("BORG_BASE_DIR", self.path("base")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn run_script(&self, words: &[&str]) -> Said {
        let output = Command::new("sh").arg(self.path("recover/store.sh")).args(words).output().unwrap();
        Said {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Looks from the deployer.
    fn look(&self) -> Said {
        let (secrets, folder) = (self.text("secrets"), self.text("deployer"));
        self.run_script(&["look", &secrets, &folder])
    }

    /// What the plan does between the look and the restore.
    fn choose(&self) {
        fs::copy(self.path("deployer/store/archive"), self.path("recover/store.archive")).unwrap();
    }
}

/// What a run of the script said.
#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Said {
    fn ok(self) -> Self {
        assert_eq!(self.status, 0, "{self:#?}");
        self
    }

    fn refuses(self, what: &str) -> Self {
        assert!(self.status != 0 && self.err.contains(what), "{what}\n{self:#?}");
        self
    }

    fn says(self, what: &str) -> Self {
        assert!(self.out.contains(what) || self.err.contains(what), "{what}\n{self:#?}");
        self
    }
}

/// Every file below a folder with what a restore has to keep, but for times of folders.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let entries = walkdir::WalkDir::new(folder).min_depth(1).into_iter().map(Result::unwrap);
    entries
        .map(|entry| {
            let about = entry.path().symlink_metadata().unwrap();
            let (mode, user, group) = (about.mode(), about.uid(), about.gid());
            let what = if about.is_symlink() {
                format!("-> {}", fs::read_link(entry.path()).unwrap().display())
            } else if about.is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                format!(
                    "{} bytes {:?} {}.{} links {}",
                    bytes.len(),
                    &bytes[..bytes.len().min(40)],
                    about.mtime(),
                    about.mtime_nsec(),
                    about.nlink()
                )
            } else {
                String::new()
            };
            (
                entry.path().strip_prefix(folder).unwrap().display().to_string(),
                format!("{mode:o} {user}:{group} {what}"),
            )
        })
        .collect()
}

fn both(test: &str, run: impl Fn(&Place)) {
    for kind in [Kind::Borg, Kind::Restic] {
        if let Some(place) = Place::new(kind, test) {
            place.init();
            run(&place);
        }
    }
}

#[test]
fn what_comes_back_is_what_was_there_and_what_the_empty_service_wrote_is_gone() {
    both("what_comes_back_is_what_was_there_and_what_the_empty_service_wrote_is_gone", |place| {
        let mut there = tree(&place.path("data"));
        assert!(there.remove("of the store").is_some() && there.remove("inner/kept").is_some());
        place.backup("first", &["data", "home"], "lighthouse", None);
        let _ = place.look().ok().says("store: archive").says("to restore and compare it");
        place.choose();

        // The machine is new: its service has run empty, and another one has files of its own below.
        fs::remove_dir_all(place.path("data")).unwrap();
        fs::remove_dir_all(place.path("home")).unwrap();
        place.write("data/first start", "an empty database");
        place.write("data/deep er/too", "of the first start");
        place.write("data/inner/kept", "another service's");
        let _ = place.run_script(&["verify", "notes"]).refuses("is not restored");
        let _ = place.run_script(&["restore", "notes"]).ok().says("restored from");
        assert!(place.path("data/.hostwright-before/first start").exists(), "it is put away until all is verified");
        let _ = place.run_script(&["verify", "notes"]).ok().says("every file is as in");
        let mut here = tree(&place.path("data"));
        // That of another service was neither put away nor restored over.
        assert!(here.remove("inner/kept").is_some());
        assert_eq!(here, there, "{:?}", place.kind);
        assert!(!place.path("home").exists(), "the rest is a step of its own");
        let _ = place.run_script(&["restore", "rest"]).ok();
        let _ = place.run_script(&["verify", "rest"]).ok();
        assert_eq!(fs::read_to_string(place.path("home/mara/letter")).unwrap(), "dear");
        // Once it is verified nothing writes over it: the service may have gone on.
        place.write("data/owned", "newer");
        let _ = place.run_script(&["restore", "notes"]).ok().says("restored and verified already");
        assert_eq!(fs::read_to_string(place.path("data/owned")).unwrap(), "newer");
    });
}

#[test]
fn one_byte_that_differs_stops_the_start_and_another_restore_cures_it() {
    both("one_byte_that_differs_stops_the_start_and_another_restore_cures_it", |place| {
        place.backup("first", &["data", "home"], "lighthouse", None);
        let _ = place.look().ok();
        place.choose();
        fs::remove_dir_all(place.path("data")).unwrap();
        let _ = place.run_script(&["restore", "notes"]).ok();
        let file = place.path("data/.hidden");
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[150_000] = 8;
        fs::write(&file, bytes).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        let _ = place.run_script(&["verify", "notes"]).refuses("1 differences").says(".hidden");
        let _ = place.run_script(&["restore", "notes"]).ok();
        let _ = place.run_script(&["verify", "notes"]).ok();
        // One that is missing, one of another owner, one of another time.
        fs::remove_file(place.path("state/store/notes.verified")).unwrap();
        let touched = Command::new("touch").args(["-d", "2024-05-06 07:08:20"]).arg(place.path("data/late")).status();
        assert!(touched.unwrap().success());
        fs::remove_file(place.path("data/deep er/a file\twith 'a' name")).unwrap();
        assert!(Command::new("chown").arg("1:1").arg(place.path("data/.hidden")).status().unwrap().success());
        let _ = place.run_script(&["verify", "notes"]).refuses("4 differences");
    });
}

#[test]
fn an_empty_repository_and_one_of_another_host_are_refused_by_name() {
    both("an_empty_repository_and_one_of_another_host_are_refused_by_name", |place| {
        let _ = place.look().refuses("holds no archive of lighthouse").says("nothing at all");
        place.backup("theirs", &["data"], "barn", None);
        let _ = place.look().refuses("holds no archive of lighthouse").says("1 of barn");
        // What begins alike is another host.
        place.backup("alike", &["data"], "lighthouse2", None);
        let _ = place.look().refuses("holds no archive of lighthouse");
        place.backup("whole", &["data", "home"], "lighthouse.example.org", None);
        let _ = place.look().ok();
    });
}

#[test]
fn an_archive_without_a_byte_or_without_a_service_is_refused() {
    both("an_archive_without_a_byte_or_without_a_service_is_refused", |place| {
        fs::create_dir_all(place.path("nothing")).unwrap();
        place.backup("empty", &["nothing"], "lighthouse", None);
        let _ = place.look().refuses("holds not one byte");
        place.backup("half", &["home"], "lighthouse", None);
        let _ = place.look().refuses("holds nothing of:").says(&place.text("data"));
        // Who knows that it is right says so, path by path.
        place.write("deployer/store/without", &format!("{}\n{}\n", place.text("data"), place.text("data/inner")));
        let _ = place.look().ok();
    });
}

#[test]
fn a_backup_that_is_older_than_its_schedule_is_refused_until_somebody_names_it() {
    both("a_backup_that_is_older_than_its_schedule_is_refused_until_somebody_names_it", |place| {
        let day = if place.kind == Kind::Borg { "2025-01-02T03:04:05" } else { "2025-01-02 03:04:05" };
        place.backup("old", &["data", "home"], "lighthouse", Some(day));
        let said = place.look().refuses("is of 2025-01-02 03:04 UTC").says("its schedule is daily");
        // What it says is what does it.
        let line = said.err.lines().find_map(|line| line.trim().strip_prefix("to recover from this one: ")).unwrap();
        assert!(Command::new("sh").args(["-c", line]).status().unwrap().success());
        let _ = place.look().ok().says("2025-01-02");
        place.write("deployer/store/archive.wanted", "nosucharchive\n");
        let _ = place.look().refuses("names an archive that the repository does not hold");
    });
}

#[test]
fn a_repository_that_is_gone_locked_truncated_or_encrypted_otherwise_is_refused_before_anything_is_touched() {
    let test =
        "a_repository_that_is_gone_locked_truncated_or_encrypted_otherwise_is_refused_before_anything_is_touched";
    both(test, |place| {
        place.backup("first", &["data", "home"], "lighthouse", None);
        let _ = place.look().ok();

        place.write("secrets/passphrase", "another one");
        let _ = place.look().refuses("does not open the repository");
        fs::remove_file(place.path("secrets/passphrase")).unwrap();
        let _ = place.look().refuses("secrets/passphrase is missing or empty");
        place.write("secrets/passphrase", "a long passphrase");

        if place.kind == Kind::Borg {
            // A machine that died while it wrote leaves this behind.
            let lock = place.path("repository/lock.exclusive");
            fs::create_dir_all(&lock).unwrap();
            fs::write(lock.join("elsewhere@1.1234-0"), "").unwrap();
            let _ = place.look().refuses("is locked").says("borg break-lock");
            fs::remove_dir_all(&lock).unwrap();
        }

        let moved = place.path("elsewhere");
        fs::rename(place.path("repository"), &moved).unwrap();
        let _ = place.look().refuses("there is no repository at");
        fs::rename(&moved, place.path("repository")).unwrap();

        // The largest file of its data ends too early, as after a disk that was full.
        let data = place.path("repository/data");
        let files =
            walkdir::WalkDir::new(&data).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
        let largest = files.max_by_key(|entry| entry.metadata().unwrap().len()).unwrap().into_path();
        let size = fs::metadata(&largest).unwrap().len();
        fs::set_permissions(&largest, fs::Permissions::from_mode(0o600)).unwrap();
        fs::File::options().write(true).open(&largest).unwrap().set_len(size / 2).unwrap();
        let _ = place.look().refuses("cannot read");
    });
}

#[test]
fn pools_that_are_too_small_are_refused_before_anything_is_touched_and_a_full_place_before_a_byte_comes() {
    let test = "pools_that_are_too_small_are_refused_before_anything_is_touched_and_a_full_place_before_a_byte_comes";
    both(test, |place| {
        fs::File::create(place.path("data/large")).unwrap().set_len(3 << 30).unwrap();
        place.backup("large", &["data", "home"], "lighthouse", None);
        let small = place.script(&[("size = \"500GB\"", "size = \"4GB\"")]);
        place.write("recover/store.sh", &small);
        let _ = place.look().refuses("the archive holds 3.0 GiB").says("the pools of lighthouse will hold");
        let whole = place.script(&[]);
        place.write("recover/store.sh", &whole);
        let _ = place.look().ok();
        place.choose();

        fs::remove_dir_all(place.path("data")).unwrap();
        fs::create_dir_all(place.path("data")).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64M", "none"]).arg(place.path("data")).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("skipped: {test}: nothing can be mounted here");
            return;
        }
        place.write("data/first start", "an empty database");
        let said = place.run_script(&["restore", "notes"]);
        let there = place.path("data/first start").exists();
        let _ = Command::new("umount").arg(place.path("data")).status();
        let _ = said.refuses("has room for").says("nothing of it was restored");
        assert!(there, "nothing was put away either");
    });
}

#[test]
fn a_backup_that_failed_or_that_the_empty_machine_made_is_not_the_one() {
    let Some(place) = Place::new(Kind::Borg, "a_backup_that_failed_or_that_the_empty_machine_made_is_not_the_one")
    else {
        return;
    };
    place.init();
    place.backup("lighthouse-store-1", &["data", "home"], "lighthouse", Some("2026-11-21T02:30:00"));
    place.backup("lighthouse-store-2.failed", &["home"], "lighthouse", None);
    let script = fs::read_to_string(place.path("recover/store.sh")).unwrap();
    // The day of the test is no part of it.
    place.write("recover/store.sh", &script.replace("-gt 259200", "-gt 99999999999"));
    let _ = place.look().ok().says("archive lighthouse-store-1 of 2026-11-21 02:30 UTC");
    place.choose();
    // A backup after the look, of a machine that runs empty, changes nothing of what was chosen.
    place.backup("lighthouse-store-3", &["home"], "lighthouse", None);
    fs::remove_dir_all(place.path("data")).unwrap();
    let _ = place.run_script(&["restore", "notes"]).ok().says("from lighthouse-store-1");
}

#[test]
fn a_dump_is_loaded_in_place_of_the_file_that_was_copied_while_somebody_wrote() {
    let test = "a_dump_is_loaded_in_place_of_the_file_that_was_copied_while_somebody_wrote";
    let Some(place) = Place::new(Kind::Borg, test) else { return };
    if !is_installed("sqlite3", "sqlite3", test) {
        return;
    }
    place.init();
    let database = place.text("data/notes.sqlite");
    let sql = |text: &str| {
        let output = Command::new("sqlite3").args([&database, text]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let _ = sql(
        "create table notes (id integer primary key, text); insert into notes values (1, 'one'), (2, 'it''s two');",
    );
    fs::create_dir_all(place.path("dumps")).unwrap();
    let dump = Command::new("sqlite3").args([&database, ".dump"]).output().unwrap();
    fs::write(place.path("dumps/0-notes.sqlite"), dump.stdout).unwrap();
    // The file in the archive is torn.
    fs::write(&database, "half of a page").unwrap();
    assert!(Command::new("chown").args(["4711:4712", &database]).status().unwrap().success());
    let before = format!(
        "before = [{{ dump = 'sqlite', database = '{database}', to = '{}' }}]\n[disks.ssd0]",
        place.text("dumps")
    );
    let script = place.script(&[("[disks.ssd0]", &before)]);
    place.write("recover/store.sh", &script);
    place.backup("first", &["data", "home", "dumps"], "lighthouse", None);
    let _ = place.look().ok();
    place.choose();
    fs::remove_dir_all(place.path("data")).unwrap();
    fs::remove_dir_all(place.path("dumps")).unwrap();
    let _ = place.run_script(&["load", "0"]).refuses("is missing or empty");
    for (verb, what) in [("restore", "dumps"), ("verify", "dumps"), ("restore", "notes"), ("verify", "notes")] {
        let _ = place.run_script(&[verb, what]).ok();
    }
    let _ = place.run_script(&["load", "0"]).ok();
    let _ = place.run_script(&["verify-load", "0"]).ok().says("every row of the dump");
    assert_eq!(sql("select text from notes order by id"), "one\nit's two\n");
    assert_eq!(fs::metadata(&database).unwrap().uid(), 4711, "it belongs to the service");
    let _ = sql("delete from notes where id = 2");
    let _ = place.run_script(&["verify-load", "0"]).refuses("1 rows of the dump");
}

#[test]
fn files_find_their_owners_on_a_machine_that_numbers_its_accounts_anew() {
    let Some(place) = Place::new(Kind::Restic, "files_find_their_owners_on_a_machine_that_numbers_its_accounts_anew")
    else {
        return;
    };
    place.init();
    // The account `games` had another number on the machine that is gone, and `mail` had the one that `games` has now.
    let number = |account: &str| {
        let output = Command::new("id").args(["-u", account]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
    };
    let (games, mail) = (number("games"), number("mail"));
    let own = |name: &str, owner: u32| {
        let status = Command::new("chown").arg(owner.to_string()).arg(place.path(name)).status();
        assert!(status.unwrap().success());
    };
    own("data/.hidden", 4711);
    own("data/owned", games);
    fs::set_permissions(place.path("data/owned"), fs::Permissions::from_mode(0o4751)).unwrap();
    place.write("nixos/uid-map", &format!("{{\"games\":4711,\"mail\":{games},\"root\":0,\"gone\":4999}}"));
    place.write("nixos/gid-map", "{\"root\":0}");
    let script = place.script(&[("paths = [", &format!("paths = ['{}', ", place.text("nixos")))]);
    place.write("recover/store.sh", &script.replace("/var/lib/nixos/", &format!("{}/", place.text("nixos"))));
    place.backup("first", &["data", "home", "nixos"], "lighthouse", None);
    let _ = place.look().ok();
    place.choose();
    fs::remove_dir_all(place.path("data")).unwrap();
    let _ = place.run_script(&["restore", "notes"]).ok();
    let owner = |name: &str| fs::metadata(place.path(name)).unwrap().uid();
    assert_eq!((owner("data/.hidden"), owner("data/owned")), (games, mail));
    assert_eq!(fs::metadata(place.path("data/owned")).unwrap().mode() & 0o7777, 0o4751, "setuid bits stay");
}

/// A copy of the fleet, built.
fn built() -> Sandbox {
    let sandbox = Sandbox::empty();
    for path in ["fleet.toml", "hosts/lighthouse/host.toml"] {
        sandbox.write(path, fs::read(root().join("tests/fleets/recovered").join(path)).unwrap());
    }
    let _ = sandbox.run(&["build", "--today", TODAY]).ends(0);
    sandbox
}

#[test]
fn plans_of_a_host_that_is_gone_and_of_one_that_goes_are_these() {
    let sandbox = built();
    for (name, more) in [("recover", &["recover"][..]), ("retire", &["decommission", "--retire"])] {
        let words: Vec<&str> = ["plan", "lighthouse", "--today", TODAY, "--format", "md", "--scenario"]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let run = sandbox.run(&words).ends(0);
        golden(&root().join(format!("tests/golden/plan/lighthouse.{name}.md")), &run.out);
        for format in ["human", "html", "json", "dot"] {
            let words: Vec<&str> = words.iter().map(|word| if *word == "md" { format } else { *word }).collect();
            let _ = sandbox.run(&words).ends(0);
        }
    }
}

#[test]
fn what_others_need_comes_back_first() {
    let run =
        built().run(&["plan", "lighthouse", "--today", TODAY, "--format", "json", "--scenario", "recover"]).ends(0);
    let plan: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let ids: Vec<&str> = plan["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    let started: Vec<&str> = ids.iter().filter_map(|id| id.strip_prefix("start-service-")).collect();
    // Whatever order the definition has: addresses, images, then the rest.
    assert_eq!(started, ["kea", "registry", "gitea", "notes"]);
    assert!(ids.contains(&"restore-by-hand-copies"), "what syncoid has sent and no backup of files holds");
}

#[test]
fn the_scripts_of_a_recovery_are_clean_shell() {
    let sandbox = built();
    for name in ["offsite", "attic"] {
        is_clean(name, &sandbox.read(&format!("out/hosts/lighthouse/recover/{name}.sh")));
    }
    let wipe = sandbox.path().join("out/hosts/lighthouse/install/wipe.sh");
    assert!(Command::new("bash").arg("-n").arg(wipe).status().unwrap().success());
}

#[test]
fn the_fleet_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("the_fleet_evaluates_without_a_warning") else { return };
    let mut fleet = load(&root().join("tests/fleets/recovered")).unwrap();
    evaluates(&compile_files(&mut fleet, &Facts::embedded()).unwrap(), &nix, &tree);
}
