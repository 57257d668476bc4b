//! The scripts that move data, run between two folders: kubectl and ssh run here what they would run in a pod and on the host.
//!
//! What a copy must keep is said by another program (tests/migrate/print.py), which knows nothing of the scripts.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hostwright::plan;
use hostwright::source::FleetFiles;

use crate::plan::{example, root, with_host};

/// The shells that scripts have to work in: that of Debian and that of NixOS.
pub(crate) const SHELLS: [&str; 2] = ["dash", "bash"];

/// Runs what comes behind the pod, with the folder of the volume for /data. A file `cut` lets the first stream of tar end too early.
const KUBECTL: &str = r#"#!/bin/sh
printf '%s\n' "$*" | head -n 1 | cut -c 1-160 >> T/log
while :; do case $1 in --context=home | --namespace=apps) shift ;; *) break ;; esac; done
case "$*" in
  exec*)
    while [ "$1" != -- ]; do shift; done
    shift
    left=$#
    while [ "$left" -gt 0 ]; do
      word=$1
      shift
      if [ "$word" = /data ]; then word=T/volume; fi
      set -- "$@" "$word"
      left=$((left - 1))
    done
    case " $* " in
      *" T/volume tar "*) if [ -e T/cut ]; then rm T/cut; "$@" | head -c 30000; exit 0; fi ;;
      *" T/volume sums "*) if [ -e T/cut-sums ]; then rm T/cut-sums; "$@" | head -c 300; exit 0; fi ;;
    esac
    if [ -e T/there ]; then . T/there; fi
    exec "$@"
    ;;
  "get pods "*) printf 'pod app-0 node-1 Running\nvolume data files\ncontainer app\nmount data\npod pg-0 node-2 Running\nvolume data pg\ncontainer pg\nmount data\n' ;;
  "get pod "*) cat T/phase 2> /dev/null ;;
  "get persistentvolumeclaim "*volumeMode*) if [ -e T/mode ]; then cat T/mode; fi ;;
  "get persistentvolumeclaim "*volumeName*) printf pv-1 ;;
  "get persistentvolumeclaim "*storageClassName*) printf fast ;;
  "get persistentvolume "*local.path*) if [ -e T/node ]; then printf T/volume; fi ;;
  "get persistentvolume "*hostname*) if [ -e T/node ]; then printf node-1; fi ;;
  "get persistentvolume "*nfs.server*) if [ -e T/nfs ]; then printf 192.0.2.9; fi ;;
  "get persistentvolume "*nfs.path*) if [ -e T/nfs ]; then printf /export; fi ;;
  "get volumesnapshot "*readyToUse*) printf true ;;
  "get volumesnapshot "*restoreSize*) printf 1Gi ;;
  "apply -f -") cat >> T/applied; printf Running > T/phase ;;
  apply*) cat "$3" >> T/applied ;;
  "delete pod "*) rm -f T/phase ;;
esac
"#;

/// Runs on the host, or on a node, what it is given.
const SSH: &str = r#"#!/bin/sh
while [ "$1" != -- ]; do shift; done
printf '%s\n' "$2" >> T/hosts
shift 2
exec SHELL -c "$*"
"#;

const PROGRAMS: &[(&str, &str)] = &[
    ("kubectl", KUBECTL),
    ("ssh", SSH),
    ("findmnt", "#!/bin/sh\ncat T/dataset\n"),
    ("mount", "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nrmdir \"$1\"\nln -s T/volume \"$1\"\n"),
    ("mount.nfs", "#!/bin/sh\n"),
    ("mountpoint", "#!/bin/sh\n[ -L \"$2\" ]\n"),
    ("umount", "#!/bin/sh\nrm \"$1\"\n"),
    ("podman", "#!/bin/sh\nshift 3\n. T/here\nexec \"$@\"\n"),
    ("runuser", "#!/bin/sh\nshift 3\n. T/here\nexec \"$@\"\n"),
    (
        "systemctl",
        "#!/bin/sh\necho \"$*\" >> T/units\ncase $1 in is-active) exit 3 ;; start | stop) if [ -e \"T/$1\" ]; then sh \"T/$1\"; fi ;; esac\n",
    ),
];

/// A cluster and a host of paper: `volume` is there, `to` is here.
pub(crate) struct Move {
    folder: tempfile::TempDir,
    shell: &'static str,
}

/// What a script said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Asserts that it succeeded.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self
    }

    /// Asserts that it failed and said why.
    pub(crate) fn refuses(self, why: &str) -> Self {
        assert!(self.status != Some(0) && self.err.contains(why), "{why}\n{self:#?}");
        self
    }

    /// Asserts that it said something.
    pub(crate) fn says(self, what: &str) -> Self {
        assert!(self.out.contains(what) || self.err.contains(what), "{what}\n{self:#?}");
        self
    }
}

/// Returns a program's path when it is installed; else says that a test is left out.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !there {
        eprintln!("{program} is not installed: its part of the test is left out");
    }
    there
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn has_xattrs(folder: &Path) -> bool {
    let script = "import os, sys\ntry:\n  os.setxattr(sys.argv[1], 'user.x', b'1')\nexcept OSError:\n  sys.exit(1)";
    Command::new("python3").args(["-c", script]).arg(folder).status().unwrap().success()
}

impl Move {
    /// Makes a volume with everything in it, and the scripts for a host where it goes to `to`. `entry` are further keys of the entry.
    pub(crate) fn new(shell: &'static str, entry: &str) -> Self {
        Self::with(shell, &format!("claim = \"files\", to = \"T/to\", {entry}"), "")
    }

    /// The same with a whole list of volumes, in which `T` is the folder, and further tables of the host.
    pub(crate) fn with(shell: &'static str, volumes: &str, tables: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), shell };
        // The account of a database goes through it.
        fs::set_permissions(this.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, text) in PROGRAMS {
            this.program(name, text);
        }
        this.write("dataset", "rpool/local/root\n");
        fs::create_dir_all(this.path("to")).unwrap();
        let made = Command::new("python3")
            .arg(root().join("tests/migrate/tree.py"))
            .arg(this.path("volume"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let from = format!(
            "\n[services.navidrome.migrates-from]\ncluster = \"home\"\nworkload = \"apps/Deployment/app\"\nvolumes = [{{ {} }}]\n{}",
            this.here(volumes),
            this.here(tables)
        );
        let mut files = changed(&from);
        let scripts =
            with_host(&mut files, "lufta", |fleet, host, _| plan::files(fleet, host, &BTreeMap::new()).unwrap());
        for script in scripts.iter().filter(|script| script.path.starts_with("migrate/")) {
            let text = script.text.replace("/var/lib/hostwright/migrate", this.path("work").to_str().unwrap());
            this.write(&format!("fleet/out/hosts/lufta/{}", script.path), &text.replace("-ge 300 ]", "-ge 2 ]"));
        }
        this
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Puts the folder in place of `T`, as in `T/to`.
    pub(crate) fn here(&self, text: &str) -> String {
        text.replace("T/", &format!("{}/", self.folder.path().display())).replace("SHELL", self.shell)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn program(&self, name: &str, text: &str) {
        self.write(&format!("bin/{name}"), &self.here(text));
        fs::set_permissions(self.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(path)).unwrap_or_default()).into_owned()
    }

    /// Does a step of the plan.
    pub(crate) fn step(&self, verb: &str) -> Said {
        self.step_of("apps-files", verb)
    }

    pub(crate) fn step_of(&self, volume: &str, verb: &str) -> Said {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(self.shell);
        command
            .args(["out/hosts/lufta/migrate/move.sh", volume, verb])
            .current_dir(self.path("fleet"))
            .env("PATH", path);
        said(&command.output().unwrap())
    }

    /// Changes something by a line of shell, with `volume` and `to` below the folder it runs in.
    pub(crate) fn sh(&self, line: &str) {
        let output = Command::new("sh").args(["-ec", line]).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }

    /// Everything of a folder that a copy must keep. `accounts` are pairs of numbers that become others.
    fn print(&self, folder: &str, accounts: &[&str]) -> String {
        let script = root().join("tests/migrate/print.py");
        let output = Command::new("python3").arg(script).arg(self.path(folder)).args(accounts).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asserts that both sides are the same.
    fn is_same(&self) {
        similar_asserts(&self.print("volume", &[]), &self.print("to", &[]));
    }
}

/// Compares line by line, so that a difference can be read.
fn similar_asserts(there: &str, here: &str) {
    let differs: Vec<_> = there
        .lines()
        .filter(|line| !here.lines().any(|other| other == *line))
        .map(|line| format!("there {line}"))
        .chain(
            here.lines().filter(|line| !there.lines().any(|other| other == *line)).map(|line| format!("here  {line}")),
        )
        .collect();
    assert!(differs.is_empty(), "{differs:#?}");
}

fn said(output: &Output) -> Said {
    Said {
        status: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The example fleet with another cluster, and with more in lufta's definition in place of what moves to it.
fn changed(more: &str) -> FleetFiles {
    let files = example();
    let mut moves = false;
    let mut stays = |line: &&str| {
        moves = (moves && !line.is_empty()) || line.ends_with(".migrates-from]");
        !moves
    };
    let texts = files.files.iter().map(|(name, id)| {
        let mut text = files.sources.text(*id).to_string();
        match name.as_str() {
            "fleet.toml" => text.push_str("\n[clusters.home]\n"),
            "hosts/lufta/host.toml" => {
                text = text.lines().filter(&mut stays).collect::<Vec<_>>().join("\n") + more;
            }
            _ => {}
        }
        (name.clone(), text)
    });
    FleetFiles::in_memory(texts.collect::<Vec<_>>())
}

/// Runs a test in each shell that is installed.
pub(crate) fn in_each_shell(test: impl Fn(&'static str)) {
    for shell in SHELLS {
        if installed(shell) {
            test(shell);
        }
    }
}

#[test]
fn a_volume_comes_over_with_all_that_it_holds() {
    in_each_shell(|shell| {
        let moved = Move::new(shell, "");
        moved.step("prepare").ok().says("MiB are free");
        moved.step("first").ok().says("1 databases of SQLite come with the final copy");
        assert!(!moved.path("to/dir/a b.db").exists());
        let said = moved.step("final").ok();
        assert!(said.out.contains("apps/files: 1 entries to bring"), "{said:#?}");
        moved.is_same();
        let moves = moved.step("final").ok();
        assert!(moves.out.contains("apps/files: 0 entries to bring"), "{moves:#?}");
        moved.step("verify").ok();
        let record: serde_json::Value =
            serde_json::from_str(&moved.read("fleet/state/lufta/migrate/verified-apps-files.json")).unwrap();
        assert_eq!((record["claim"].as_str(), record["hard_links"].as_u64()), (Some("apps/files"), Some(2)));
        assert_eq!(record["left_behind"].as_u64(), Some(0));
        if has_xattrs(&moved.path("to")) && installed("perl") {
            assert_eq!(record["extended_attributes"].as_str(), Some("compared"));
        }
        moved.is_same();
        assert_eq!(moved.read("fleet/state/lufta/migrate/left-apps-files.txt"), "");
        moved.step("clean").ok();
        assert!(!moved.path("phase").exists() && moved.read("log").contains("delete pod hostwright-files-"));
    });
}

#[test]
fn what_changes_between_the_copies_is_followed() {
    in_each_shell(|shell| {
        let moved = Move::new(shell, "");
        moved.step("prepare").ok();
        moved.step("first").ok();
        moved.sh(
            "cd volume; echo more >> plain; rm dir/n1; mv dir/n2 dir/N2; rm zero; mkdir zero; rmdir empty; echo f > empty; \
             ln dir/n5 dir/again; rm hard1; rm -rf dir/deep; chmod 640 dir/n6; touch -d 2001-01-01 dir/n7; ln -sfn zero link; \
             printf Y | dd of=dir/n8 conv=notrunc 2> /dev/null; echo new > 'a new one'; cp dir/n9 dir/x; mv dir/x dir/n9",
        );
        moved.step("final").ok();
        moved.is_same();
        moved.step("verify").ok();
    });
}

#[test]
fn a_copy_that_is_cut_is_taken_up_again() {
    in_each_shell(|shell| {
        let moved = Move::new(shell, "");
        moved.step("prepare").ok();
        moved.write("cut", "");
        moved.step("first").ok();
        moved.write("cut", "");
        moved.step("final").ok();
        moved.is_same();
        moved.write("cut-sums", "");
        moved.step("verify").refuses("the checksums were cut on their way");
        moved.step("verify").ok();
    });
}

#[test]
fn one_difference_fails_the_comparison_by_its_name_and_the_next_copy_cures_it() {
    let mut spoiled: Vec<(&str, &str)> = vec![
        (
            "f=to/dir/n100; t=$(stat -c %y $f); printf X | dd of=$f bs=1 seek=3 conv=notrunc; touch -d \"$t\" $f",
            "dir/n100: other bytes",
        ),
        ("t=$(stat -c %y to/dir); rm to/dir/n101; touch -d \"$t\" to/dir", "dir/n101: is missing"),
        ("chmod 600 to/dir/n102", "dir/n102: mode"),
        ("touch -h -d 2001-01-01 to/link", "link: time"),
        ("cp -p to/hard1 to/h; mv to/h to/hard1; touch -r volume to", "first-name"),
        ("touch to/strange", "strange: is not in the volume"),
        ("ln -sfn elsewhere to/link", "link: "),
    ];
    if is_root() {
        spoiled.push(("chown 77 'to/dir/with space'", "dir/with space: user 1000 is 77"));
    }
    let (dash, bash) = (Move::new("dash", ""), Move::new("bash", ""));
    for moved in [&dash, &bash] {
        moved.step("prepare").ok();
        moved.step("final").ok();
    }
    if has_xattrs(&dash.path("to")) {
        let unset = "python3 -c 'import os; os.removexattr(\"to/plain\", \"user.a b\")'";
        spoiled.push((unset, "plain: other attribute user.a b"));
    }
    for (at, (line, says)) in spoiled.iter().enumerate() {
        let moved = if at % 2 == 0 { &dash } else { &bash };
        moved.sh(line);
        let said = moved.step("verify").refuses("differences between the volume and");
        assert!(said.err.contains(says), "{says}\n{said:#?}");
        assert!(!moved.path("fleet/state/lufta/migrate/verified-apps-files.json").exists());
        moved.step("final").ok();
        moved.is_same();
        moved.step("verify").ok();
        moved.step("again").ok();
    }
}

#[test]
fn what_is_verified_is_not_overwritten_unless_somebody_says_so() {
    let moved = Move::new("dash", "");
    for verb in ["prepare", "final", "verify"] {
        moved.step(verb).ok();
    }
    moved.sh("echo 'written by the service' > to/plain");
    moved.step("final").refuses("verified already");
    assert_eq!(moved.read("to/plain"), "written by the service\n");
    moved.step("again").ok();
    moved.step("final").ok();
    moved.is_same();
}

#[test]
fn whoever_touches_a_volume_after_the_comparison_is_named() {
    in_each_shell(|shell| {
        let moved = Move::new(shell, "paths = [\"dir/deep\", \"plain\"]");
        for verb in ["prepare", "final"] {
            moved.step(verb).ok();
        }
        moved.step("unchanged").refuses("nothing says how apps/files was when it was verified");
        moved.step("verify").ok();
        moved.step("clean").ok();
        // The service writes on this side as it likes.
        moved.sh("echo 'written by the service' > to/plain");
        moved.step("unchanged").ok().says("none touched since the copy was verified");
        assert!(!moved.path("phase").exists(), "a pod that has the claim keeps it from being deleted");
        moved.sh(
            "t=$(stat -c %y volume/plain); printf X | dd of=volume/plain bs=1 seek=1 conv=notrunc 2> /dev/null; touch -d \"$t\" volume/plain; \
             echo new > 'volume/dir/a new one'; rm volume/dir/n7",
        );
        let said =
            moved.step("unchanged").refuses("apps/files: 6 entries are not as they were when the copy was verified");
        said.says("plain: was changed")
            .says("hard1: was changed")
            .says("dir/a new one: is new")
            .says("dir/n7: is gone")
            .says("dir: was changed");
        assert!(!moved.path("phase").exists());
        moved.step("seal").ok();
        moved.step("unchanged").ok();
        moved.sh("chmod 600 volume/zero; chmod 4755 volume/zero");
        moved.step("unchanged").refuses("zero: was changed");
        moved.step("again").ok();
        moved.step("unchanged").refuses("nothing says how");
    });
}

#[test]
fn only_chosen_paths_move_and_the_rest_is_listed() {
    in_each_shell(|shell| {
        let moved = Move::new(shell, "paths = [\"dir/deep\", \"plain\", \"dir/with space\"]");
        moved.step("prepare").ok();
        moved.step("final").ok().says("files stay behind");
        moved.step("verify").ok();
        let here: Vec<String> =
            moved.print("to", &[]).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(here.len(), 6, "{here:?}");
        assert_eq!(
            here,
            ["b'./dir'", "b'./plain'", "b'./dir/deep'", "b'./dir/with", "b'./dir/deep/er'", "b'./dir/deep/er/f'"]
        );
        let left = moved.read("fleet/state/lufta/migrate/left-apps-files.txt");
        assert!(left.contains("100 dir/n0\n") && left.contains("6 -rf\n") && !left.contains("deep"), "{left}");

        let moved = Move::new(shell, "exclude = [\"n*\", \"/dir/with space\", \"*.db\"]");
        moved.step("prepare").ok();
        moved.step("final").ok();
        moved.step("verify").ok();
        let here = moved.print("to", &[]);
        assert!(
            !here.contains("/n1") && !here.contains("with space") && !here.contains(".db") && here.contains("plain")
        );
        assert!(moved.read("fleet/state/lufta/migrate/left-apps-files.txt").contains("dir/a b.db\n"));

        let moved = Move::new(shell, "paths = [\"secret\", \"plain\"]");
        moved.step("prepare").ok();
        moved.step("first").refuses("apps/files has no secret");
    });
}

#[test]
fn files_get_the_owner_of_the_service_and_others_keep_theirs() {
    if !is_root() {
        eprintln!("not root: whose files become whose is left out");
        return;
    }
    in_each_shell(|shell| {
        let moved = Move::new(shell, "owner = \"4711\"");
        moved.sh(
            "chown 0:0 volume/dir/n10; chown -h 0:0 volume/link; printf '\\001' | tee -a volume/dir/n12 > /dev/null",
        );
        moved.step("prepare").ok();
        moved.step("first").ok().says("user 1000 becomes 4711, group 1000").says("user 0 stays, group 0 stays");
        // An account that appears later does not put in question what was decided.
        moved.sh("chown 33:33 volume/dir/n11");
        moved.step("final").ok();
        moved.step("verify").ok().says("user 33 stays");
        let owners = |line: &str| line.replace("1000 1000", "4711 1000");
        let wanted: String = moved.print("volume", &[]).lines().map(|line| owners(line) + "\n").collect();
        similar_asserts(&wanted, &moved.print("to", &[]));

        let moved = Move::new(shell, "owner = \"4711\"");
        moved.sh("chown 33:33 volume/dir/n10");
        moved.step("prepare").ok();
        moved.step("first").refuses("owners = { \"1000\" = \"4711\" }");

        let moved = Move::new(shell, "owner = \"4711\", owners = { \"1000\" = \"4711\", \"33\" = \"4712\" }");
        moved.sh("chown 33:33 volume/dir/n10");
        for verb in ["prepare", "final", "verify"] {
            moved.step(verb).ok();
        }
        assert_eq!(fs::metadata(moved.path("to/dir/n10")).unwrap().uid(), 4712);
    });
}

#[test]
fn what_a_service_wrote_at_its_first_start_is_put_away_and_comes_back() {
    in_each_shell(|shell| {
        let moved = Move::new(shell, "");
        moved.sh(
            "mkdir -p to/dir to/own; echo fresh > 'to/dir/a b.db'; echo w > 'to/dir/a b.db-wal'; echo k > to/own/key",
        );
        symlink("/nix/store/abc-config", moved.path("to/own/config")).unwrap();
        moved.step("prepare").ok();
        moved.step("first").ok().says("3 files lay at");
        assert!(!moved.path("to/dir/a b.db-wal").exists() && fs::symlink_metadata(moved.path("to/own/config")).is_ok());
        moved.step("final").ok();
        moved.step("verify").ok();
        moved.step("again").ok();
        moved.step("put-back").ok();
        assert_eq!((moved.read("to/own/key"), moved.read("to/dir/a b.db")), ("k\n".to_owned(), "fresh\n".to_owned()));
    });
}

#[test]
fn a_volume_below_another_is_left_alone() {
    in_each_shell(|shell| {
        let volumes = "claim = \"files\", to = \"T/to\" }, { claim = \"more\", to = \"T/to/dir/inner\"";
        let moved = Move::with(shell, volumes, "");
        moved.sh(
            "mkdir -p to/dir/inner volume/dir/inner; echo theirs > to/dir/inner/file; echo hidden > volume/dir/inner/x",
        );
        for verb in ["prepare", "first", "final", "verify"] {
            moved.step(verb).ok();
        }
        assert_eq!(moved.read("to/dir/inner/file"), "theirs\n");
        assert!(!moved.path("to/dir/inner/x").exists());
        moved.step_of("apps-more", "prepare").ok();
    });
}

#[test]
fn a_volume_that_has_no_room_is_refused_before_a_byte_comes() {
    let moved = Move::new("dash", "");
    moved.program("df", "#!/bin/sh\nprintf 'F\\nF 1 1 100 1 1\\n'\n");
    moved.step("prepare").ok();
    moved.step("first").refuses("bytes are to come, and ");
    assert_eq!(moved.print("to", &[]), "");
    moved.program("df", "#!/bin/sh\ncase $1 in -Pi) n=7 ;; *) n=9999999 ;; esac\nprintf 'F\\nF 1 1 %s 1 1\\n' $n\n");
    moved.step("first").refuses("files are to come, and ");
    moved.write("dataset", "rpool/local/other\n");
    moved.step("prepare").refuses("is not on the dataset rpool/local/root but on rpool/local/other");
}

#[test]
fn every_way_to_read_a_volume_brings_the_same() {
    for (via, shell) in [("node", "dash"), ("nfs", "bash"), ("snapshot", "dash")] {
        let moved = Move::new(shell, &format!("via = \"{via}\""));
        moved.write(via, "");
        for verb in ["prepare", "first", "final", "verify", "clean"] {
            moved.step(verb).ok();
        }
        moved.is_same();
        match via {
            "node" => assert!(moved.read("hosts").contains("node-1\n") && !moved.path("applied").exists()),
            "nfs" => assert!(!moved.path("work/apps-files.nfs").exists(), "it is mounted still"),
            _ => {
                let log = moved.read("log");
                assert!(log.contains("delete volumesnapshot hostwright-files-"), "{log}");
                assert!(moved.read("applied").contains("\"storageClassName\": \"fast\""));
            }
        }
    }
    let moved = Move::new("dash", "via = \"node\"");
    moved.step("prepare").refuses("does not lie in a folder of a node");
    let moved = Move::new("dash", "via = \"nfs\"");
    moved.step("prepare").refuses("does not lie on an NFS server");
}

#[test]
fn a_pod_reads_on_the_node_of_who_uses_the_volume_and_changes_nothing() {
    let moved = Move::new("dash", "");
    moved.step("prepare").ok();
    let pod: serde_json::Value = serde_json::from_str(&moved.read("applied")).unwrap();
    assert_eq!(pod["spec"]["nodeName"].as_str(), Some("node-1"));
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["volumeMounts"][0]["readOnly"].as_bool(), Some(true));
    assert_eq!(container["securityContext"]["capabilities"]["add"].as_array().map(Vec::len), Some(1));
    assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/managed-by"].as_str(), Some("hostwright"));
    let moved = Move::new("dash", "");
    moved.write("mode", "Block");
    moved.step("prepare").refuses("is a disk without a file system");
}

#[test]
fn the_scripts_that_move_data_are_clean_shell() {
    let moved = Move::with(
        "dash",
        "claim = \"files\", to = \"T/to's $(x)\", paths = [\"a'b $(touch evil) `x`\"], exclude = [\"it's $x\"] }, \
         { claim = \"pg\", to = \"T/pg\", dump = \"postgresql\" }, { claim = \"my\", to = \"T/my\", dump = \"mysql\" }, \
         { claim = \"mongo\", to = \"T/mongo\", dump = \"mongodb\" }, { claim = \"redis\", to = \"T/redis\", dump = \"redis\" }, \
         { claim = \"own\", to = \"T/own\", dump = [\"own-dump\", \"it's $(x)\"]",
        "",
    );
    let folder = moved.path("fleet/out/hosts/lufta/migrate");
    let mut names: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|ending| ending == "sh"));
    names.sort();
    assert!(names.len() >= 13, "{names:?}");
    for path in &names {
        for shell in SHELLS.into_iter().filter(|shell| installed(shell)) {
            assert!(Command::new(shell).arg("-n").arg(path).status().unwrap().success(), "{}", path.display());
        }
    }
    if installed("shellcheck") {
        let output = Command::new("shellcheck").args(["-s", "sh"]).args(&names).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_steps_of_a_volume_name_its_scripts() {
    let from = "\n[services.navidrome.migrates-from]\ncluster = \"home\"\nworkload = \"apps/Deployment/app\"\nvolumes = [\
                { claim = \"files\", to = \"/var/lib/navidrome\", used = \"10GiB\" }, \
                { claim = \"own\", to = \"/srv/own\", dump = [\"own-dump\"] }]\n";
    let plan = with_host(&mut changed(from), "lufta", |fleet, host, facts| {
        plan::make(fleet, host, Some(plan::Scenario::Migrate), &[], "0.1.0", facts, &BTreeMap::new()).unwrap()
    });
    let runs = |id: &str| {
        let step = plan.steps().iter().find(|step| step.id() == id);
        step.map(|step| (step.commands().join("\n"), step.way_back().join("\n"), step.expected_seconds()))
    };
    let script = |words: &str| format!("sh out/hosts/lufta/migrate/move.sh apps-{words}");
    // 10 GiB at 10 MB a second, a tenth of them again at the end.
    assert_eq!(runs("first-copy-apps-files"), Some((script("files first"), script("files put-back"), 1104)));
    assert_eq!(runs("final-copy-apps-files"), Some((script("files final"), script("files put-back"), 138)));
    assert_eq!(runs("verify-apps-files").unwrap().1, script("files again"));
    // A command's dump can only be taken for good, and nothing was put away for it.
    assert_eq!(runs("first-copy-apps-own"), None);
    assert!(plan.steps().iter().any(|step| step.commands() == [script("own final")] && step.way_back().is_empty()));
}
