//! A machine and a deployer on which plans are cut off: a real OpenSSH server, a real installation plan of the example's `attic`, and
//! programs on the machine that do little, but write down how often they began and ended.
//!
//! A forced command stands between: what a machine keeps in its own folders lies in `machine` of the test.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Run, Sandbox, repository};
use crate::sshd::{can_serve, keygen, start};

pub(crate) const JOURNAL: &str = "state/attic/journal-install.log";
const TODAY: [&str; 2] = ["--today", "2026-11-21"];
/// What persons answer, all of it at once.
const ANSWERS: &[&str] = &[
    "--confirm=prove-access",
    "--confirm=start-installer",
    "--confirm=compare-fingerprint",
    "--confirm=confirm-disks",
    "--yes-destroy=nvme-WD_Red_SN700_1000GB_22104D800321",
    "--yes-destroy=nvme-WD_Red_SN700_1000GB_22104D800377",
];

const FORCED: &str = r#"#!/bin/sh
F=FOLDER/machine
PATH=$F/bin:$PATH
move() {
  sed "s#sh /var/lib/hostwright/reboot/#$F/bin/reboot-script #g; s#/var/lib/hostwright#$F/var#g; s#/run/hostwright#$F/run#g
    s#/root/hostwright#$F/root/hostwright#g; s#/mnt#$F/mnt#g; s#/etc/hostid#$F/hostid#g; s#/etc/machine-id#$F/machine-id#g
    s#/proc/sys/kernel/random/boot_id#$F/boot-id#g; s#/proc/meminfo#$F/meminfo#g; s#/dev/disk/by-id#$F/by-id#g
    s#/run/booted-system#$F/booted#g; s#/nix/var#$F/nix-var#g"
}
if [ "$SSH_ORIGINAL_COMMAND" = sh ]; then
  move > "FOLDER/scripts/$$"
  exec sh < "FOLDER/scripts/$$"
fi
exec sh -c "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | move)"
"#;

/// Stands in for what runs the install scripts: a script that is not the fleet's, byte for byte, is run by nobody.
const INSTALL_SCRIPTS: &str = r#"#!/bin/sh
F=FOLDER/machine S=FOLDER
case $1 in "$F"/root/hostwright/hosts/attic/install/*.sh) ;; *) exec /bin/bash "$@" ;; esac
name=${1##*/}
cmp -s "$1" "$S/out/hosts/attic/install/$name" || { echo "$name" >> "$S/torn"; echo "$name is not whole" >&2; exit 9; }
shift
case "$*" in *--dry-run*) echo 'nothing is written'; exit 0 ;; esac
echo "begin $name" >> "$S/count"
case $name in
  partition.sh)
    mkdir -p "$F/by-id"
    for part in 321-part1 321-part2 377-part1 377-part2; do
      echo "cutting $part"
      head -c 50000 /dev/zero | tr '\0' "${part#*part}" > "$F/by-id/nvme-WD_Red_SN700_1000GB_22104D800$part"
      sleep 0.1
    done
    if [ -e "$S/hook" ]; then . "$S/hook"; fi
    ;;
  pools.sh) sleep 0.1; echo rpool > "$F/pool" ;;
  mount.sh) mkdir -p "$F/mnt"; : > "$F/mounted" ;;
  install.sh)
    [ "$4" = "$S/store/abc-nixos-system-attic" ] || exit 8
    mkdir -p "$F/mnt/secrets" "$F/nix-var/nix/profiles"
    cp -a "$F/root/hostwright-secrets/." "$F/mnt/secrets"
    sleep 0.1
    ln -sfn "$4" "$F/nix-var/nix/profiles/system"
    ln -sfn "$4" "$F/booted"
    ;;
esac
echo "end $name" >> "$S/count"
"#;

const REBOOT_SCRIPTS: &str = r#"#!/bin/sh
F=FOLDER/machine S=FOLDER name=$1
cmp -s "$F/var/reboot/$name" "$S/out/hosts/attic/reboot/$name" || { echo "$name" >> "$S/torn"; echo "$name is not whole" >&2; exit 9; }
case "$*" in
  arm.sh*)
    # Two at once undo each other's work.
    mkdir "$S/arming" || { echo arm.sh >> "$S/torn"; exit 8; }
    sleep 0.3
    echo "$2" > "$F/armed"
    rmdir "$S/arming"
    ;;
  disarm.sh*) if [ -e "$S/arming" ]; then echo disarm.sh >> "$S/torn"; fi; rm -f "$F/armed" ;;
  promote.sh*) rm -f "$F/armed"; echo promoted > "$F/default" ;;
  'baseline.sh keep') echo kept > "$F/baseline" ;;
  'baseline.sh proven') test -e "$F/baseline" ;;
esac
echo "$*: all is well"
"#;

/// Another boot, in a moment: what was armed is spent, and what lay in /run is gone.
const REBOOTS: &str = r#"#!/bin/sh
F=FOLDER/machine
setsid sh -c "sleep 0.7; rm -f '$F/armed'; echo boot-\$\$ > '$F/boot-id'; rm -rf '$F/run/jobs'" < /dev/null > /dev/null 2>&1 &
echo 'Running timer as unit: run-r1.timer'
"#;

const KEYS: &str = r#"#!/bin/sh
S=FOLDER
case "$*" in
  -q*ed25519*) while [ $# -gt 1 ]; do shift; done; cp "$S/host-key" "$1.new"; cp "$S/host-key.pub" "$1.pub"; mv "$1.new" "$1" ;;
  -q*) while [ $# -gt 1 ]; do shift; done; echo another > "$1" ;;
  *) exec /usr/bin/ssh-keygen "$@" ;;
esac
"#;

/// Programs of the machine.
const MACHINE: &[(&str, &str)] = &[
    ("bash", INSTALL_SCRIPTS),
    ("reboot-script", REBOOT_SCRIPTS),
    ("systemd-run", REBOOTS),
    ("ssh-keygen", KEYS),
    ("sync", "#!/bin/sh\n"),
    ("lsblk", "#!/bin/sh\n"),
    ("hostid", "#!/bin/sh\nod -An -tx4 FOLDER/machine/hostid | tr -d ' '\n"),
    ("findmnt", "#!/bin/sh\ntest -e FOLDER/machine/mounted && echo /mnt\n"),
    ("umount", "#!/bin/sh\nrm FOLDER/machine/mounted\n"),
    ("nix-store", "#!/bin/sh\ncase \"$*\" in *--check-validity*) test -e FOLDER/machine/mnt/nix/valid ;; esac\n"),
    ("systemctl", "#!/bin/sh\necho running\n"),
    (
        "zpool",
        "#!/bin/sh\nF=FOLDER/machine\ncase \"$*\" in\n'list -H -o name') cat $F/pool 2> /dev/null ;;\nlist*) cat $F/pool ;;\n'export -a') \
         if [ -e $F/pool ]; then mv $F/pool $F/exported; fi ;;\nesac\nexit 0\n",
    ),
    (
        "zfs",
        "#!/bin/sh\nF=FOLDER/machine\ncase $1 in\nsnapshot) [ ! -e $F/snapshots ] || exit 1; echo \"$*\" > $F/snapshots ;;\n\
         *) test -e $F/snapshots ;;\nesac\n",
    ),
];

/// `nix copy`: a tree with all that a copy has to keep, in pieces, so that it takes its time.
const NIX: &str = r#"#!/bin/sh
S=FOLDER
case " $* " in
  *' copy '*)
    tar -C "$S/store" --sort=name --xattrs --xattrs-include='*' -cpf - abc-nixos-system-attic |
      while head -c 300000 > "$S/piece.$$" && [ -s "$S/piece.$$" ]; do cat "$S/piece.$$"; sleep 0.02; done |
      ssh $NIX_SSHOPTS -- root@attic.example.net "mkdir -p /mnt/nix/store && tar -C /mnt/nix/store --xattrs --xattrs-include='*' -xpf - &&
        test -e /mnt/nix/store/abc-nixos-system-attic/zz-last && : > /mnt/nix/valid"
    ;;
  *)
    echo build >> "$S/built"
    while [ $# -gt 1 ]; do shift; done
    sleep 0.1
    if [ "$1" = state/attic/system ]; then ln -sfn "$S/store/abc-nixos-system-attic" "$1"; else mkdir -p "$1"; fi
    ;;
esac
"#;

/// Programs of the deployer.
const DEPLOYER: &[(&str, &str)] = &[
    ("ssh", "#!/bin/sh\nexec /usr/bin/ssh -F FOLDER/ssh_config \"$@\"\n"),
    ("nix", NIX),
    ("ssh-keyscan", "#!/bin/sh\nsed 's/^/attic.example.net /' FOLDER/host-key.pub\n"),
    ("ping", "#!/bin/sh\n"),
    // What the plan's first lines call: here the definition stays as it is, and each run would check it for a second.
    ("hostwright", "#!/bin/sh\n"),
    // wait.sh asks every three seconds.
    ("sleep", "#!/bin/sh\ncase $1 in 3) exec /bin/sleep 0.3 ;; *) exec /bin/sleep \"$@\" ;; esac\n"),
];

/// What `nix copy` brings: odd names, hard links, holes, attributes, modes, times.
const TREE: &str = r#"mkdir -p store/abc-nixos-system-attic/bin store/abc-nixos-system-attic/dir
cd store/abc-nixos-system-attic
printf '#!/bin/sh\n' > bin/switch-to-configuration; chmod 555 bin/switch-to-configuration
for n in $(seq 12); do head -c $((n * 70000)) /dev/zero | tr '\0' $(printf %x $n | cut -c 1) > dir/file$n; done
echo 'odd name' > 'dir/with space and é'; ln dir/file3 dir/hard; ln -s dir/file4 link; mkfifo pipe
truncate -s 3M holes; printf end >> holes; chmod 4711 dir/file5; chown 4711:4712 dir/file6
python3 -c 'import os; os.setxattr("dir/file7", "user.note", b"kept")' 2> /dev/null || :
echo last > zz-last
find . -exec touch -h -d '2026-01-02 03:04:05.678' {} +"#;

/// A deployer, a machine, and the server between them.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    child: Child,
    /// The last step that is carried out; none for all of them.
    pub(crate) last: Option<&'static str>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for folder in ["state/attic", "machine/run", "machine/var", "machine/mnt"] {
            self.unmount(folder);
        }
    }
}

impl Lab {
    /// Returns one whose fleet was built; nothing where no server can run.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !can_serve(test) {
            return None;
        }
        let sandbox = Sandbox::example();
        let folder = sandbox.path().display().to_string();
        for name in ["key", "host-key"] {
            keygen(&sandbox.path().join(name));
        }
        let program = |path: String, text: &str| {
            sandbox.write(&path, text.replace("FOLDER", &folder));
            fs::set_permissions(sandbox.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
        };
        program("forced.sh".into(), FORCED);
        for (name, text) in MACHINE {
            program(format!("machine/bin/{name}"), text);
        }
        for (name, text) in DEPLOYER {
            program(format!("bin/{name}"), text);
        }
        fs::create_dir(sandbox.path().join("scripts")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        sandbox.write(
            "ssh_config",
            format!(
                "Host attic.example.net\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  \
                 ServerAliveInterval 2\n  ServerAliveCountMax 2\n"
            ),
        );
        let made = Command::new("sh").args(["-ec", TREE]).current_dir(sandbox.path()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
        let child = start(&sandbox, port, "host-key", "MaxStartups 100\n");
        let lab = Self { sandbox, child, last: None };
        lab.reset();
        Some(lab)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.sandbox.path().join(path)
    }

    /// A machine with blank disks, and a deployer that has never deployed.
    pub(crate) fn reset(&self) {
        for folder in ["state/attic", "machine/run", "machine/var", "machine/mnt"] {
            self.unmount(folder);
        }
        for entry in fs::read_dir(self.path("machine")).unwrap().map(Result::unwrap) {
            if entry.file_name() != "bin" {
                remove(&entry.path());
            }
        }
        for path in ["state/attic", "count", "torn", "hook", "arming", "built", "said"] {
            remove(&self.path(path));
        }
        self.sandbox.write("machine/boot-id", "boot-1\n");
        self.sandbox.write("machine/machine-id", "another\n");
        self.sandbox.write("machine/meminfo", "MemTotal: 16384000 kB\n");
        for folder in ["machine/root", "machine/run", "machine/var"] {
            fs::create_dir_all(self.path(folder)).unwrap();
        }
        self.sandbox.write("state/attic/secrets/wireguard", "a key that nobody else has\n");
        self.sandbox.write("count", "");
    }

    /// Tells where the plan stands; changes nothing.
    pub(crate) fn status(&self, options: &[&str]) -> Run {
        let words: Vec<&str> =
            ["apply", "attic", "--status"].into_iter().chain(TODAY).chain(options.iter().copied()).collect();
        self.sandbox.run(&words).ends(0)
    }

    fn command(&self, options: &[&str]) -> Command {
        let path = format!("{}/bin:/usr/local/bin:/usr/bin:/bin", self.sandbox.path().display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostwright"));
        command.args(["apply", "attic", "--non-interactive"]).args(TODAY).args(ANSWERS).args(options);
        if let (Some(last), false) = (self.last, options.contains(&"--until")) {
            command.args(["--until", last]);
        }
        command.current_dir(self.sandbox.path()).env_clear().envs([("PATH", path.as_str()), ("USER", "mara")]);
        command
    }

    /// Runs `apply` to where it ends.
    pub(crate) fn apply(&self, options: &[&str]) -> Run {
        Run::of(&self.command(options).output().unwrap(), self.sandbox.path())
    }

    /// Starts `apply` at the head of a process group of its own.
    pub(crate) fn begin(&self) -> Child {
        let said = fs::File::options().create(true).append(true).open(self.path("said")).unwrap();
        let mut command = self.command(&[]);
        command.process_group(0).stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        command.spawn().unwrap()
    }

    /// Runs `apply` again until the plan is over; returns how often it ran.
    #[track_caller]
    pub(crate) fn finish(&self, what: &str) -> usize {
        for runs in 1..=8 {
            let run = self.apply(&[]);
            if run.status == 0 {
                return runs;
            }
            assert_eq!(run.status, 3, "{what}\n{}\n{}", run.out, run.err);
            eprintln!("{what}: ended with 3: {}", run.err.lines().next().unwrap_or_default());
        }
        panic!("{what}: the plan does not come to its end: {}", self.sandbox.read(JOURNAL));
    }

    /// The journal's whole records.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read(self.path(JOURNAL)).unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let text = String::from_utf8_lossy(&text[..whole]).into_owned();
        text.lines().map(|line| serde_json::from_str(line.splitn(3, ' ').nth(2).unwrap()).unwrap()).collect()
    }

    pub(crate) fn journal_size(&self) -> u64 {
        fs::metadata(self.path(JOURNAL)).map_or(0, |about| about.len())
    }

    /// How often programs of the machine began and ended, as `begin NAME` and `end NAME`.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in self.sandbox.read("count").lines() {
            *counts.entry(line.to_owned()).or_insert(0) += 1;
        }
        counts
    }

    /// Asserts that nothing was destroyed twice, that no script ran which was not whole, and that no lock is left.
    #[track_caller]
    pub(crate) fn is_sound(&self, what: &str) {
        let counts = self.counts();
        for word in ["begin partition.sh", "end partition.sh"] {
            assert_eq!(counts.get(word), Some(&1), "{what}: {counts:?}");
        }
        assert!(!self.path("torn").exists(), "{what}: {}", self.sandbox.read("torn"));
        assert!(!self.path("machine/var/deploy").exists(), "{what}: the lock on the machine is left");
        assert!(!self.path("machine/armed").exists(), "{what}: the loader is left armed");
    }

    /// Everything that a plan leaves on the machine and on the deployer, a line an entry.
    pub(crate) fn end_state(&self) -> String {
        let mut lines = Vec::new();
        // What a copy keeps, its times and attributes too.
        for folder in ["machine/root/hostwright/hosts/attic", "machine/mnt/nix/store", "machine/var/reboot"] {
            if !self.path(folder).exists() {
                continue;
            }
            let script = repository().join("tests/migrate/print.py");
            let output = Command::new("python3").arg(script).arg(self.path(folder)).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            lines.extend(String::from_utf8(output.stdout).unwrap().lines().map(|line| format!("{folder} {line}")));
        }
        for entry in walkdir::WalkDir::new(self.path("machine")).sort_by_file_name() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(self.path("machine")).unwrap().display().to_string();
            if ["bin", "run", "boot-id"].iter().any(|left_out| Path::new(&name).starts_with(left_out)) {
                continue;
            }
            let about = fs::symlink_metadata(entry.path()).unwrap();
            let holds = if about.is_file() { format!("{:?}", digest(entry.path())) } else { String::new() };
            let to = fs::read_link(entry.path()).map(|to| to.display().to_string()).unwrap_or_default();
            lines.push(format!("{name} {:o} {}:{} {holds}{to}", about.mode(), about.uid(), about.gid()));
        }
        let known: std::collections::BTreeSet<String> =
            self.sandbox.read("state/attic/known_hosts").lines().map(str::to_owned).collect();
        lines.extend(known);
        let status: Value = serde_json::from_str(&self.status(&["--format", "json"]).out).unwrap();
        lines.push(format!("{} of {}, {}", status["done"], status["of"], status["next"]));
        lines.join("\n") + "\n"
    }

    /// The processes that serve connections.
    pub(crate) fn sessions(&self) -> Vec<u32> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id())).unwrap_or_default();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Puts a small file system of its own in the place of a folder, with what is in it; says whether that is allowed here.
    pub(crate) fn small(&self, folder: &str, size: &str) -> bool {
        let (path, kept) = (self.path(folder), self.path("kept"));
        remove(&kept);
        fs::create_dir_all(&path).unwrap();
        let copy = |from: &Path, to: &Path| {
            let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
            assert!(status.success());
        };
        copy(&path, &kept);
        let option = format!("size={size},mode={:o}", fs::metadata(&path).unwrap().mode() & 0o7777);
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(&path)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        if mounted.success() {
            copy(&kept.join("."), &path);
        }
        mounted.success()
    }

    /// Takes a small file system away; what is in it stays.
    pub(crate) fn large(&self, folder: &str) {
        let (path, kept) = (self.path(folder), self.path("kept"));
        remove(&kept);
        assert!(Command::new("cp").arg("-a").arg(&path).arg(&kept).status().unwrap().success());
        self.unmount(folder);
        assert!(Command::new("cp").arg("-a").arg(kept.join(".")).arg(&path).status().unwrap().success());
    }

    fn unmount(&self, folder: &str) {
        let _ = Command::new("umount").arg("-l").arg(self.path(folder)).stderr(Stdio::null()).status();
    }
}

fn digest(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap_or_default().to_owned()
}

fn remove(path: &Path) {
    let _ = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Ends a process, or a group of processes, as `kill -9` does; tells whether it was there.
pub(crate) fn kill(signal: &str, pid: u32, group: bool) -> bool {
    let whom = if group { format!("-{pid}") } else { pid.to_string() };
    Command::new("kill").args([&format!("-{signal}"), "--", &whom]).stderr(Stdio::null()).status().unwrap().success()
}

/// Waits until something is so, or a process has ended; tells whether it is so.
pub(crate) fn until(run: &mut Child, mut is_so: impl FnMut() -> bool) -> bool {
    let given = Instant::now() + Duration::from_mins(5);
    loop {
        if is_so() {
            return true;
        }
        if run.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < given, "it does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}
