//! `hostwright apply` over a real OpenSSH: a server of its own on this machine, with its own keys and a port of its own, and what real
//! connections do: other keys, noise, settings of people, cuts, and more output than anybody keeps.
//!
//! A forced command stands between: what a machine keeps in /var/lib and /run lies in a folder of the test.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Run, Sandbox};

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

/// What the server runs in place of what was asked for: the same, with the machine's folders below the test's.
const FORCED: &str = r#"#!/bin/sh
F=FOLDER/machine
[ ! -e "$F/noise" ] || cat "$F/noise"
PATH=$F/bin:$PATH
move() {
  sed "s#/var/lib/hostwright#$F/var#g; s#/run/hostwright#$F/run#g; s#/etc/machine-id#$F/machine-id#g; s#/nix/var#$F/nix#g; s#/proc/sys/kernel/random/boot_id#$F/boot-id#g"
}
if [ "$SSH_ORIGINAL_COMMAND" = sh ]; then
  move > "$F/script.$$"
  exec sh < "$F/script.$$"
fi
exec sh -c "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | move)"
"#;

/// A configuration such as people have: blocks that match in every way there is.
const CONFIG: &str = r#"Host *.example.net !127.0.0.1
  User nobody
  ProxyCommand false
Match originalhost nowhere,elsewhere exec "exit 0"
  Port 1
Match host 127.0.0.1 exec "test -d FOLDER"
  IdentityFile FOLDER/key
  IdentitiesOnly yes
Match final all
  SendEnv LANG LC_*
  LogLevel VERBOSE
  HashKnownHosts yes
  VisualHostKey yes
"#;

/// A server, and a fleet whose one host it is.
struct Server {
    sandbox: Sandbox,
    port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn sshd() -> Option<PathBuf> {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/run/current-system/sw/bin/sshd"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

pub(crate) fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(status.success());
}

/// Tells whether a server can run here, and says so where it cannot.
pub(crate) fn can_serve(test: &str) -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if sshd().is_none() || !is_root {
        let required = std::env::var("HOSTWRIGHT_REQUIRE").unwrap_or_default();
        assert!(!required.split([',', ' ']).any(|name| name == "sshd"), "sshd is required, and root to run it");
        eprintln!("skipped: {test}: no sshd is installed, or this is not root's");
        return false;
    }
    // The server wants it for its own safety; a package makes it at boot.
    fs::create_dir_all("/run/sshd").unwrap();
    true
}

impl Server {
    /// Returns a server and a fleet that was built; nothing where there is no sshd, or no root whose server may let root in.
    fn new(test: &str) -> Option<Self> {
        if !can_serve(test) {
            return None;
        }
        let sandbox = Sandbox::example();
        let folder = sandbox.path().display().to_string();
        for name in ["key", "host-key", "other-key"] {
            keygen(&sandbox.path().join(name));
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        sandbox.write("machine/boot-id", "boot-1\n");
        sandbox.write("machine/machine-id", "another\n");
        let write = |path: &str, text: &str| {
            sandbox.write(path, text.replace("FOLDER", &folder));
            fs::set_permissions(sandbox.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
        };
        write("forced.sh", FORCED);
        write("machine/bin/sync", "#!/bin/sh\n");
        write("machine/bin/nix-store", "#!/bin/sh\nexit 0\n");
        write("machine/nix/nix/gcroots/hostwright-candidate/bin/switch-to-configuration", "#!/bin/sh\n");
        write("bin/ssh", "#!/bin/sh\nexec /usr/bin/ssh -F FOLDER/ssh_config \"$@\"\n");
        write(
            "bin/nix",
            "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\n[ -n \"$1\" ] || exit 0\nmkdir -p \"$1/bin\"\n: > \"$1/bin/switch-to-configuration\"; chmod +x \"$1/bin/switch-to-configuration\"\n",
        );
        sandbox.write("ssh_config", CONFIG.replace("FOLDER", &folder));
        fs::remove_dir_all(sandbox.path().join("hosts")).unwrap();
        let key = sandbox.read("host-key.pub");
        let key: Vec<&str> = key.split_whitespace().take(2).collect();
        sandbox.write(
            "hosts/kos/host.toml",
            format!(
                "system = 'x86_64-linux'\n[machine]\nfirmware = 'uefi'\nconsole = 'provider'\n[boot]\nloader = 'systemd-boot'\n[external]\nflake = '.#kos'\n\
                 [access]\nhost-keys = ['{}']\n[deploy]\ntarget = 'root@127.0.0.1:{port}'\nwatch = [{{ ssh = true }}]\n",
                key.join(" ")
            ),
        );
        sandbox.write(
            "hosts/kos/facts.json",
            r#"{ "version": 1, "taken": "2026-11-20T10:00:00Z", "host": "kos", "firmware": "uefi",
                 "disks": [{ "ids": ["nvme-one"], "mounted": ["/", "/boot/efi"] }], "zfs": { "module": "2.3.5-1" },
                 "system": { "release": "25.11", "kernel": "6.12.60", "generations": [{ "number": 7, "current": true, "zfs": "2.3.5" }] } }"#,
        );
        let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
        let child = start(&sandbox, port, "host-key", "");
        Some(Self { sandbox, port, child })
    }

    /// Starts the server anew with another key, or with further settings.
    fn restart(&mut self, key: &str, more: &str) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = start(&self.sandbox, self.port, key, more);
    }

    fn words<'a>(options: &[&'a str]) -> Vec<&'a str> {
        ["apply", "kos", "--non-interactive"].into_iter().chain(TODAY).chain(options.iter().copied()).collect()
    }

    fn path(&self) -> String {
        format!("{}/bin:/usr/bin:/bin", self.sandbox.path().display())
    }

    fn apply(&self, options: &[&str]) -> Run {
        self.sandbox.run_with(&[("PATH", &self.path()), ("USER", "mara")], &Self::words(options))
    }

    fn begin(&self, options: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_hostwright"))
            .args(Self::words(options))
            .current_dir(self.sandbox.path())
            .env_clear()
            .envs([("PATH", self.path().as_str()), ("USER", "mara")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Goes up to the step whose script on the machine is then another one.
    fn reach(&self, script: &str) {
        let _ = self.apply(&["--until", "copy-reboot-scripts"]).ends(0);
        let folder = self.sandbox.path().display().to_string();
        self.sandbox.write("machine/var/reboot/changes.sh", script.replace("FOLDER", &folder));
    }

    fn log(&self, step: &str) -> String {
        self.sandbox.read(&format!("state/kos/logs/update/{step}.log"))
    }

    /// Kills the processes that serve connections; the server itself stays.
    fn cut(&self) {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id())).unwrap();
        let mut killed = 0;
        for pid in children.split_whitespace() {
            killed += u32::from(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
        }
        assert!(killed > 0, "there is no connection to be cut");
    }
}

pub(crate) fn start(sandbox: &Sandbox, port: u16, key: &str, more: &str) -> Child {
    let folder = sandbox.path().display();
    sandbox.write(
        "sshd_config",
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/{key}\nAuthorizedKeysFile {folder}/key.pub\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nPidFile none\nForceCommand {folder}/forced.sh\n{more}"
        ),
    );
    fs::set_permissions(sandbox.path().join(key), fs::Permissions::from_mode(0o600)).unwrap();
    let log = fs::File::options().create(true).append(true).open(sandbox.path().join("sshd.log")).unwrap();
    let child = Command::new(sshd().unwrap())
        .args(["-D", "-e", "-f"])
        .arg(sandbox.path().join("sshd_config"))
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let given = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < given, "sshd does not come up: {}", sandbox.read("sshd.log"));
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

pub(crate) fn wait_for(path: &Path) {
    let given = Instant::now() + Duration::from_mins(2);
    while !path.exists() {
        assert!(Instant::now() < given, "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn noise_of_servers_and_login_shells_and_settings_of_people_are_no_part_of_an_answer() {
    let Some(mut server) =
        Server::new("noise_of_servers_and_login_shells_and_settings_of_people_are_no_part_of_an_answer")
    else {
        return;
    };
    let banner = server.sandbox.path().join("banner");
    fs::write(
        &banner,
        "\u{1b}[31m*** Permission to enter is logged ***\r\n@0123 end 0\n@0123 hello boot=x machine=y\n\u{fffd}\n",
    )
    .unwrap();
    server.restart("host-key", &format!("Banner {}\n", banner.display()));
    let mut noise =
        b"Last login: yesterday\n@0000000000000000 end 0\nhello boot= machine=\n\x00\xff\xfe no line break at the end"
            .to_vec();
    noise.extend(std::iter::repeat_n(b'x', 70_000));
    fs::write(server.sandbox.path().join("machine/noise"), noise).unwrap();
    server.reach("echo what changes\nprintf 'no line break'\n");
    let _ = server.apply(&["--until", "show-changes"]).ends(0).says("stopped  after show-changes");
    let log = server.log("show-changes");
    assert!(log.contains("what changes\nno line break"), "{log}");
    assert!(!log.contains("yesterday") && !log.contains("xxxx"), "{log}");
}

#[test]
fn another_host_key_ends_the_run_at_once_and_says_what_to_do() {
    let Some(mut server) = Server::new("another_host_key_ends_the_run_at_once_and_says_what_to_do") else { return };
    server.reach("echo reached >> FOLDER/calls\n");
    server.restart("other-key", "");
    let began = Instant::now();
    let refused = server.apply(&["--until", "show-changes"]).ends(3);
    assert!(began.elapsed() < Duration::from_secs(20), "it was called again and again: {:?}", began.elapsed());
    let refused = refused.complains("shows another host key than kos has in state/kos/known_hosts");
    let _ = refused.complains("ssh-keygen -R kos -f state/kos/known_hosts");
    assert!(!server.sandbox.path().join("calls").exists());
    // The right machine again, and it goes on.
    server.restart("host-key", "");
    let _ = server.apply(&["--until", "show-changes"]).ends(0);
    assert_eq!(server.sandbox.read("calls"), "reached\n");
}

#[test]
fn a_key_that_is_not_let_in_is_said_and_not_tried_for_ever() {
    let Some(server) = Server::new("a_key_that_is_not_let_in_is_said_and_not_tried_for_ever") else { return };
    server.reach("echo reached\n");
    fs::write(server.sandbox.path().join("key.pub"), server.sandbox.read("other-key.pub")).unwrap();
    let began = Instant::now();
    let refused = server.apply(&["--until", "show-changes"]).ends(3).complains("Permission denied");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let _ = refused.complains("`ssh-add -l` shows which keys the agent offers");
}

#[test]
fn a_target_that_is_the_deployer_itself_is_refused() {
    let Some(server) = Server::new("a_target_that_is_the_deployer_itself_is_refused") else { return };
    let own = fs::read_to_string("/etc/machine-id").unwrap_or_default().trim().to_owned();
    if own.is_empty() {
        eprintln!("skipped: a_target_that_is_the_deployer_itself_is_refused: this machine has no id");
        return;
    }
    server.reach("echo reached >> FOLDER/calls\n");
    server.sandbox.write("machine/machine-id", format!("{own}\n"));
    let _ = server.apply(&["--until", "show-changes"]).ends(2).complains("deployer");
    assert!(!server.sandbox.path().join("calls").exists());
}

#[test]
fn a_command_whose_connection_is_cut_is_found_again_and_ran_once() {
    let Some(server) = Server::new("a_command_whose_connection_is_cut_is_found_again_and_ran_once") else { return };
    server.reach("echo called >> FOLDER/calls\necho before\nsleep 6\necho behind\n");
    let mut run = server.begin(&["--until", "show-changes"]);
    wait_for(&server.sandbox.path().join("calls"));
    // Twice: the connection that was made anew is cut as well.
    server.cut();
    std::thread::sleep(Duration::from_secs(3));
    let served = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.child.id())).unwrap();
    if !served.trim().is_empty() {
        server.cut();
    }
    assert_eq!(run.wait().unwrap().code(), Some(0), "{}", server.log("show-changes"));
    assert_eq!(server.sandbox.read("calls"), "called\n");
    let log = server.log("show-changes");
    assert_eq!((log.matches("before\n").count(), log.matches("behind\n").count()), (1, 1), "{log}");
    assert!(!log.contains("status 255"), "{log}");
}

/// Waits for a run and returns its status and the most memory that it had, in KiB.
fn most_memory(mut run: Child) -> (Option<i32>, u64) {
    let mut most = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(most);
        if let Some(status) = run.try_wait().unwrap() {
            return (status.code(), most);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_gigabyte_of_output_is_cut_and_takes_no_memory() {
    let Some(server) = Server::new("a_gigabyte_of_output_is_cut_and_takes_no_memory") else { return };
    server.reach(
        "echo first\nyes 'a line of output that nobody will ever read to its end' | head -c 1073741824\necho last\n",
    );
    for (step, what) in [("show-changes", "on the machine"), ("build-system", "on the deployer")] {
        if step == "build-system" {
            // The same of a command on the deployer, in a plan that begins anew.
            let nix = server.sandbox.read("bin/nix");
            let loud =
                nix.replacen("#!/bin/sh\n", "#!/bin/sh\necho first\nyes 'a line' | head -c 1073741824\necho last\n", 1);
            fs::write(server.sandbox.path().join("bin/nix"), loud).unwrap();
        }
        let began = Instant::now();
        let more: &[&str] = if step == "build-system" { &["--restart", "--until", step] } else { &["--until", step] };
        let (status, memory) = most_memory(server.begin(more));
        let took = began.elapsed();
        let log = server.log(step);
        eprintln!(
            "1 GiB {what}: {} s, {} MiB of memory, a log of {} MiB",
            took.as_secs(),
            memory / 1024,
            log.len() >> 20
        );
        assert_eq!(status, Some(0));
        assert!(memory < 100 * 1024, "{what}: {memory} KiB");
        assert!(log.len() < 18 << 20, "{what}: {} bytes of log", log.len());
        assert!(log.contains("first\n") && log.contains("last\n"), "{what}: its beginning and its end are kept");
        let journal = fs::metadata(server.sandbox.path().join("state/kos/journal-update.log")).unwrap().len();
        assert!(journal < 1 << 20, "{what}: a journal of {journal} bytes");
    }
}
