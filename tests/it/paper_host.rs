//! A machine that is a folder, behind a real OpenSSH server, and a cluster that is a folder, behind the stand-in for kubectl: all that
//! a migration needs to be carried out to its end by the real program.
//!
//! What of NixOS a plan asks for is played by tests/host; time passes where a script sleeps, and twenty times as fast.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use hostwright::source::sha256;
use serde_json::Value;

use super::program::{Run, Sandbox, repository};
use super::sshd;

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

/// Calls the machine, or a node of the cluster whose volumes are folders there.
const SSH: &str = r#"#!/bin/sh
if [ "$1" = -- ]; then
  for node in FOLDER/clusters/*/nodes/"$2"; do
    if [ -d "$node" ]; then
      shift 2
      exec sh FOLDER/enter.sh "$node" "$*"
    fi
  done
fi
exec /usr/bin/ssh -F FOLDER/ssh_config "$@"
"#;

/// What the server runs in place of what was asked for: the same, within the machine.
const FORCED: &str = "#!/bin/sh\nexec sh FOLDER/enter.sh FOLDER/machine \"$SSH_ORIGINAL_COMMAND\"\n";

/// A database ends with its pod, as the kubelet has it; the stand-in ends pods and knows nothing of what runs in them.
const KUBECTL: &str = r#"#!/bin/sh
case "$*" in
  *" scale "*"/db --replicas=0")
    if [ -e FOLDER/database ]; then
      file=$(cat FOLDER/database)/pgdata/postmaster.pid tries=0
      if [ -e "$file" ]; then kill -INT "$(head -n 1 "$file")"; fi
      while [ -e "$file" ] && [ "$tries" -lt 300 ]; do
        tries=$((tries + 1))
        /bin/sleep 0.1
      done
    fi
    ;;
esac
exec python3 REPOSITORY/tests/kubectl/kubectl "$@"
"#;

/// Waits without waiting: the clock of the scripts goes on, and so does the cluster.
const SLEEP: &str = r#"#!/bin/sh
seconds=${1%.*}
seconds=$((seconds * 20))
echo $(($(cat FOLDER/slept 2> /dev/null || echo 0) + seconds)) > FOLDER/slept
ticks=$((seconds / 60))
if [ "$ticks" -gt 20 ]; then ticks=20; fi
if [ "$ticks" -gt 0 ]; then kubectl --context=CONTEXT stand-in tick "$ticks" > /dev/null 2>&1 || true; fi
"#;

const DATE: &str = r#"#!/bin/sh
if [ "$*" = +%s ]; then
  echo $(($(/usr/bin/date +%s) + $(cat FOLDER/slept 2> /dev/null || echo 0)))
else
  exec /usr/bin/date "$@"
fi
"#;

/// Names lead to the machine as soon as somebody asks, and whatever runs there answers.
const CURL: &str = r#"#!/bin/sh
case "$*" in
  *remote_ip*) echo 'ADDRESS 200' ;;
  *) echo 200 ;;
esac
"#;

/// The accounts of the machine, with numbers that the cluster does not use.
const ACCOUNTS: &[(&str, u32)] = &[
    ("root", 0),
    ("postgres", 71),
    ("buildbot", 901),
    ("docker-registry", 902),
    ("gitea", 903),
    ("miniflux", 904),
    ("nginx", 60),
    ("unifi", 905),
    ("nobody", 65534),
];

/// A database in a pod: a real one, in the folder that the claim is.
const DATABASE_THERE: &str = r#"
set -e
exec > /tmp/database-log 2>&1
ln -sfn /run /var/run
mkdir -p /run/postgresql
data=$1/pgdata
mkdir -p "$data"
chown postgres "$data" /run/postgresql
chmod 755 "$1"
cd /
as='setpriv --reuid=postgres --regid=postgres --clear-groups --'
$as initdb -D "$data" -A trust -U "${POSTGRES_USER:-postgres}" > /dev/null
$as pg_ctl -w -D "$data" -o "-k /run/postgresql -c listen_addresses='' -c fsync=off" -l "$data/log" start < /dev/null > /dev/null 2>&1
psql -h /run/postgresql -U "${POSTGRES_USER:-postgres}" -q -v ON_ERROR_STOP=1 -d postgres << 'SQL'
create role "an app" login password 'x';
create database "an app" owner "an app";
\c "an app"
create schema "s x";
create table "s x"."t'1" (i int, b bytea);
insert into "s x"."t'1" select i, decode(md5(i::text), 'hex') from generate_series(1, 5000) i;
create view v as select 1;
create sequence q;
SQL
"#;

/// The database of the machine, as its unit starts and stops it.
const DATABASE_HERE: [(&str, &str); 2] = [
    (
        "start",
        r#"data=/var/lib/postgresql/15
mkdir -p /run/postgresql "$data"
chown -R postgres: /run/postgresql /var/lib/postgresql
chmod 700 "$data"
cd /
as='setpriv --reuid=postgres --regid=postgres --clear-groups --'
exec > /var/lib/stand-in/database-log 2>&1 < /dev/null
[ -e "$data/PG_VERSION" ] || $as initdb -D "$data" -A trust -U postgres
$as pg_ctl -w -D "$data" -o "-k /run/postgresql -c listen_addresses='' -c fsync=off" -l "$data/log" start
"#,
    ),
    (
        "stop",
        "cd /\nsetpriv --reuid=postgres --regid=postgres --clear-groups -- pg_ctl -w -m fast -D /var/lib/postgresql/15 stop > /dev/null 2>&1\n",
    ),
];

/// A system that moves: its fleet, the host, the context of its cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System {
    pub(crate) folder: &'static str,
    pub(crate) host: &'static str,
    pub(crate) context: &'static str,
    pub(crate) address: &'static str,
}

pub(crate) const SYSTEMS: [System; 5] = [
    System { folder: "tests/fleets/ssb-pub", host: "haven", context: "do-nyc1-pub", address: "198.51.100.21" },
    System {
        folder: "tests/fleets/loklak",
        host: "search",
        context: "gke_search_europe-west1-b_search",
        address: "198.51.100.22",
    },
    System { folder: "tests/fleets/buildbot", host: "forge", context: "lab", address: "198.51.100.23" },
    System { folder: "tests/fleets/home-cluster", host: "larder", context: "microk8s", address: "192.168.7.2" },
    System { folder: "", host: "lufta", context: "do-nyc1", address: "135.181.162.99" },
];

/// A volume that moves, by what its script is told.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) id: String,
    values: BTreeMap<String, String>,
}

impl Volume {
    pub(crate) fn of(&self, key: &str) -> &str {
        &self.values[key]
    }

    /// `namespace/claim`.
    pub(crate) fn claim(&self) -> String {
        format!("{}/{}", self.of("namespace"), self.of("claim"))
    }

    /// Whether files are copied from the cluster.
    pub(crate) fn is_copied(&self) -> bool {
        self.of("dump").is_empty() && self.of("via") != "backup"
    }
}

/// A fleet with its machine and its cluster.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) system: System,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) steps: Vec<Value>,
    server: Child,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        // Databases go with the test, wherever they run.
        for entry in walkdir::WalkDir::new(self.sandbox.path()).into_iter().filter_map(Result::ok) {
            if entry.file_name() == "postmaster.pid"
                && let Ok(text) = fs::read_to_string(entry.path())
                && let Some(pid) = text.lines().next()
            {
                let _ = Command::new("kill").args(["-QUIT", pid]).status();
            }
        }
    }
}

fn skipped(test: &str, why: &str) {
    let required = std::env::var("HOSTWRIGHT_REQUIRE").unwrap_or_default();
    assert!(!required.split([',', ' ']).any(|name| name == "moves"), "{test}: {why}");
    eprintln!("skipped: {test}: {why}");
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let run = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Stage {
    /// Returns a system before its move; nothing, with the reason said, where this machine cannot play it.
    pub(crate) fn new(test: &str, system: System) -> Option<Self> {
        Self::with(test, system, |_| {})
    }

    /// The same of a fleet that is changed before.
    pub(crate) fn with(test: &str, system: System, change: impl FnOnce(&Sandbox)) -> Option<Self> {
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        if sshd::sshd().is_none() || !is_root || !succeeds("unshare", &["-m", "true"]) {
            skipped(test, "it needs sshd, and root that may make mount namespaces");
            return None;
        }
        if !succeeds("python3", &["-c", "import yaml"]) {
            skipped(test, "python3 with PyYAML is not there");
            return None;
        }
        let sandbox = if system.folder.is_empty() { Sandbox::example() } else { Sandbox::empty() };
        if !system.folder.is_empty() {
            copy(&repository().join(system.folder), sandbox.path());
        }
        // Accounts of the machine go through it.
        fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The machine has its system: how one is installed is not what is looked at here.
        let definition = format!("hosts/{}/host.toml", system.host);
        let text = sandbox.read(&definition);
        let method = text.lines().find(|line| line.starts_with("method = ")).unwrap().to_owned();
        sandbox.edit(&definition, &method, "method = \"existing\"");
        change(&sandbox);
        let _ = sandbox.run(&["build", TODAY[0], TODAY[1]]).ends(0);
        let plan: Value = serde_json::from_str(&sandbox.read(&format!("out/hosts/{}/plan.json", system.host))).unwrap();
        let steps = plan["steps"].as_array().unwrap().clone();
        let volumes = volumes(&sandbox, system.host);
        let has_dumps = volumes.iter().any(|volume| volume.of("dump") == "postgresql");
        if has_dumps && !["initdb", "pg_ctl", "psql", "pg_dumpall"].iter().all(|name| succeeds(name, &["--version"])) {
            skipped(test, "PostgreSQL is not installed");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for name in ["key", "host-key"] {
            sshd::keygen(&sandbox.path().join(name));
        }
        fs::create_dir_all("/run/sshd").unwrap();
        deployer(&sandbox, system, port);
        machine(&sandbox, &steps, &volumes);
        let server = sshd::start(&sandbox, port, "host-key", "");
        let stage = Self { sandbox, system, volumes, steps, server };
        stage.cluster();
        stage.restored();
        Some(stage)
    }

    /// Has somebody else clean up behind a stage that nobody drops: the server and the folder go when this process has gone.
    #[allow(clippy::zombie_processes, reason = "it outlives whoever could wait for it")]
    pub(crate) fn goes_with_this_process(&self) {
        let line = "while kill -0 \"$1\" 2> /dev/null; do sleep 1; done; kill \"$2\"; rm -rf -- \"$3\"";
        #[expect(clippy::zombie_processes, reason = "it outlives this process")]
        let _ = Command::new("sh")
            .args(["-c", line, "janitor", &std::process::id().to_string(), &self.server.id().to_string()])
            .arg(self.sandbox.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    }

    /// Runs a line of shell in the fleet's folder, with the stand-ins.
    pub(crate) fn try_sh(&self, line: &str) -> Output {
        Command::new("sh")
            .args(["-c", line])
            .current_dir(self.sandbox.path())
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn sh(&self, line: &str) -> String {
        let output = self.try_sh(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asks the cluster.
    pub(crate) fn kubectl(&self, words: &str) -> String {
        self.sh(&format!("kubectl --context={} {words}", self.system.context))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let folder = self.sandbox.path().display();
        vec![
            ("PATH", format!("{folder}/bin:/usr/local/bin:/usr/bin:/bin")),
            ("USER", "mara".to_owned()),
            ("HOME", folder.to_string()),
            ("HOSTWRIGHT_KUBECTL_STATE", format!("{folder}/clusters")),
            ("PYTHONPYCACHEPREFIX", format!("{folder}/cache")),
        ]
    }

    /// The folder of the data of a claim.
    pub(crate) fn folder_of(&self, claim: &str) -> PathBuf {
        PathBuf::from(self.sh(&format!("kubectl --context={} stand-in folder {claim}", self.system.context)).trim())
    }

    /// The folder that a path of the machine is.
    pub(crate) fn here(&self, path: &str) -> PathBuf {
        self.sandbox.path().join("machine").join(path.trim_start_matches('/'))
    }

    /// Loads the cluster and puts data into its claims.
    fn cluster(&self) {
        fs::create_dir_all(self.sandbox.path().join("clusters").join(self.system.context)).unwrap();
        let _ = self.kubectl("stand-in load k8s");
        let claims = self.kubectl(
            "get persistentvolumeclaims -A -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}'",
        );
        let script = repository().join("tests/migrate/claim.py");
        for claim in claims.lines() {
            let moved: Vec<&Volume> = self.volumes.iter().filter(|volume| volume.claim() == claim).collect();
            let folder = self.folder_of(claim);
            fs::create_dir_all(&folder).unwrap();
            if moved.iter().any(|volume| volume.of("dump") == "postgresql") {
                self.database(moved[0], claim);
                continue;
            }
            // Where several accounts have files and the definition does not say whose they become, the plan refuses.
            let owned = moved.iter().any(|volume| !volume.of("owner").is_empty());
            let accounts: &[&str] = if owned { &["1000"] } else { &["1000", "33", "70000"] };
            let parts: Vec<String> = moved.iter().map(|volume| volume.of("folder").to_owned()).collect();
            let parts = if parts.iter().all(String::is_empty) { vec![String::new()] } else { parts };
            for part in parts {
                let place = folder.join(part.trim_start_matches('/'));
                let made = Command::new("python3").arg(&script).arg(&place).args(accounts).output().unwrap();
                assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            }
            for only in moved.iter().flat_map(|volume| volume.of("only").lines()) {
                fs::write(folder.join(only), format!("what {only} says\n").repeat(1000)).unwrap();
                assert!(succeeds("chown", &["1000:1000", folder.join(only).to_str().unwrap()]));
                fs::set_permissions(folder.join(only), fs::Permissions::from_mode(0o400)).unwrap();
            }
        }
    }

    /// Does what a person does for volumes whose disk is gone: brings a copy of them, and says which.
    fn restored(&self) {
        for volume in self.volumes.iter().filter(|volume| volume.of("via") == "backup") {
            let place = self.here(volume.of("to")).join("restored/of a backup");
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, "what the newest copy has").unwrap();
            let said = format!("state/{}/migrate/restored-{}", self.system.host, volume.id);
            self.sandbox.write(&said, "the copy of the first of November\n");
        }
    }

    /// Starts a database in the pod that has a claim.
    fn database(&self, volume: &Volume, claim: &str) {
        let namespace = volume.of("namespace");
        let pods: Value =
            serde_json::from_str(&self.kubectl(&format!("get pods --namespace={namespace} -o json"))).unwrap();
        let name = volume.of("claim");
        let pod = pods["items"].as_array().unwrap().iter().find(|pod| {
            let volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
            volumes.iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == name)
        });
        let pod = pod.unwrap_or_else(|| panic!("nothing runs that has {claim}"));
        let has_claim = |named: &&Value| named["persistentVolumeClaim"]["claimName"] == name;
        let named = pod["spec"]["volumes"].as_array().unwrap().iter().find(has_claim).unwrap()["name"].clone();
        let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
        let path =
            mounts.iter().find(|mount| mount["name"] == named).unwrap()["mountPath"].as_str().unwrap().to_owned();
        self.sandbox.write("database.sh", DATABASE_THERE);
        self.sandbox.write("database", self.folder_of(claim).display().to_string());
        let name = pod["metadata"]["name"].as_str().unwrap();
        let _ = self.kubectl(&format!(
            "exec --namespace={namespace} {name} -- sh -c \"$(cat database.sh)\" database {path} || {{ cat clusters/*/pods/*/{name}/*/tmp/database-log >&2; exit 1; }}"
        ));
    }

    /// Every step that a person does, as options.
    pub(crate) fn answers(&self) -> Vec<String> {
        let mut words = Vec::new();
        for step in &self.steps {
            if step["kind"] == "instruction" {
                words.extend(["--confirm".to_owned(), step["id"].as_str().unwrap().to_owned()]);
            }
            for what in step["destroys"].as_array().into_iter().flatten() {
                let (_, name) = what.as_str().unwrap().split_once(':').unwrap();
                words.extend(["--yes-destroy".to_owned(), name.to_owned()]);
            }
        }
        words
    }

    /// Carries the plan on, as somebody does who says yes to everything.
    pub(crate) fn apply(&self, options: &[&str]) -> Run {
        let answers = self.answers();
        let mut words = vec!["apply", self.system.host, "--scenario", "migrate", "--non-interactive"];
        words.extend(TODAY);
        words.extend(answers.iter().map(String::as_str));
        words.extend(options);
        let environment = self.environment();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.sandbox.run_with(&environment, &words)
    }

    /// The journal.
    pub(crate) fn journal(&self) -> String {
        self.sandbox.read(&format!("state/{}/journal-migrate.log", self.system.host))
    }

    /// Lets a wait that has begun be as long ago as it was to last: each record stands on those before, so that all are written anew.
    pub(crate) fn pass(&self, step: &str, seconds: i64) {
        let mut digest = "hostwright journal 1".to_owned();
        let mut text = String::new();
        let mut found = false;
        for (at, line) in self.journal().lines().enumerate() {
            let mut body = line.splitn(3, ' ').nth(2).unwrap().to_owned();
            let record: Value = serde_json::from_str(&body).unwrap();
            if record["what"] == "waiting" && record["step"] == step {
                let since = record["since"].as_i64().unwrap();
                let old = format!("\"since\":{since}");
                assert!(body.contains(&old), "{body}");
                body = body.replace(&old, &format!("\"since\":{}", since - seconds));
                found = true;
            }
            digest = sha256(format!("{digest}\n{}\n{body}", at + 1)).chars().take(24).collect();
            text.push_str(&format!("{} {digest} {body}\n", at + 1));
        }
        assert!(found, "{step} does not wait");
        self.sandbox.write(&format!("state/{}/journal-migrate.log", self.system.host), text);
    }

    /// The seconds that a step lasts.
    pub(crate) fn lasts(&self, step: &str) -> Option<i64> {
        self.steps.iter().find(|known| known["id"] == step).map(|step| step["expected_seconds"].as_i64().unwrap())
    }

    /// Carries the plan out up to the soak, which has begun.
    pub(crate) fn up_to_soak(&self) {
        if let Some(seconds) = self.lasts("wait-dns-ttl") {
            let _ = self.apply(&[]).ends(3).says("waiting  wait-dns-ttl");
            self.pass("wait-dns-ttl", seconds);
        }
        let run = self.apply(&[]).ends(3);
        assert!(run.out.contains("waiting  soak"), "{}\n{}", run.out, run.err);
    }

    /// The same, and as much time as the soak takes.
    pub(crate) fn after_soak(&self) {
        self.up_to_soak();
        self.pass("soak", self.lasts("soak").unwrap());
    }

    /// What is there of some kinds in the cluster, one `kind namespace/name` a line.
    pub(crate) fn objects(&self, kinds: &str) -> Vec<String> {
        let text = self.kubectl(&format!(
            "get {kinds} -A -o 'jsonpath={{range .items[*]}}{{.kind}} {{.metadata.namespace}}/{{.metadata.name}}{{\"\\n\"}}{{end}}'"
        ));
        text.lines().map(str::to_owned).collect()
    }

    /// Claims that are bound, the folders of their data, and what becomes of that when they go.
    pub(crate) fn sources(&self) -> Vec<(String, PathBuf, String)> {
        let claims: Value = serde_json::from_str(&self.kubectl("get persistentvolumeclaims -A -o json")).unwrap();
        let volumes: Value = serde_json::from_str(&self.kubectl("get persistentvolumes -o json")).unwrap();
        let mut all = Vec::new();
        for claim in claims["items"].as_array().unwrap() {
            let named = |what: &Value| what["metadata"]["name"] == claim["spec"]["volumeName"];
            let Some(volume) = volumes["items"].as_array().unwrap().iter().find(|volume| named(volume)) else {
                continue;
            };
            let of = |key: &str| claim["metadata"][key].as_str().unwrap();
            let name = format!("{}/{}", of("namespace"), of("name"));
            let folder = self.folder_of(&name);
            let policy = volume["spec"]["persistentVolumeReclaimPolicy"].as_str().unwrap_or("Delete").to_owned();
            all.push((name, folder, policy));
        }
        all
    }

    /// What the comparison of a volume wrote down.
    pub(crate) fn record(&self, volume: &Volume) -> Value {
        let path = format!("state/{}/migrate/verified-{}.json", self.system.host, volume.id);
        serde_json::from_str(&self.sandbox.read(&path)).unwrap()
    }

    /// Everything below a folder that a copy must keep, by a program that knows nothing of ours.
    pub(crate) fn print(folder: &Path, accounts: &[String]) -> Vec<String> {
        let script = repository().join("tests/migrate/print.py");
        let output = Command::new("python3").arg(script).arg(folder).args(accounts).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// What of a volume has to arrive, as its claim holds it, with the owners that it has to have here.
    pub(crate) fn wanted(&self, volume: &Volume) -> Vec<String> {
        let folder = self.folder_of(&volume.claim()).join(volume.of("folder").trim_start_matches('/'));
        let owner = volume.of("owner");
        let number = ACCOUNTS.iter().find(|(name, _)| *name == owner).map(|(_, number)| number.to_string());
        let mapped = number.map(|number| format!("1000:{number}"));
        let only: Vec<&str> = volume.of("only").lines().collect();
        let is_wanted = |line: &String| {
            let path = line.split("' ").next().unwrap_or_default().trim_start_matches("b'./");
            let is_socket = line.contains("' 0o14");
            let is_chosen = only.is_empty() || only.contains(&path);
            !path.starts_with("lost+found") && !is_socket && is_chosen
        };
        let mapped: Vec<String> = mapped.into_iter().collect();
        Self::print(&folder, &mapped).into_iter().filter(is_wanted).collect()
    }

    /// What of a volume has arrived.
    pub(crate) fn arrived(&self, volume: &Volume) -> Vec<String> {
        let beside = volume.of("beside");
        let is_own = |line: &String| {
            let path = line.split("' ").next().unwrap_or_default().trim_start_matches("b'./");
            beside.is_empty() || (path != beside && !path.starts_with(&format!("{beside}/")))
        };
        Self::print(&self.here(volume.of("to")), &[]).into_iter().filter(is_own).collect()
    }
}

/// Reads what the scripts are told of each volume.
fn volumes(sandbox: &Sandbox, host: &str) -> Vec<Volume> {
    let folder = sandbox.path().join(format!("out/hosts/{host}/migrate"));
    let mut all = Vec::new();
    let mut names: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|ending| ending == "sh")) {
        if !fs::read_to_string(path).unwrap().starts_with("# What move.sh and target.sh know of") {
            continue;
        }
        let keys = ["namespace", "claim", "folder", "to", "owner", "only", "beside", "via", "dump", "dataset"];
        let words: Vec<String> = keys.iter().map(|key| format!("\"${key}\"")).collect();
        let line = format!(". {}; printf '%s\\0' {}", path.display(), words.join(" "));
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let values = keys.iter().map(|key| (*key).to_owned()).zip(text.split('\0').map(str::to_owned)).collect();
        all.push(Volume { id: path.file_stem().unwrap().to_str().unwrap().to_owned(), values });
    }
    all
}

/// Makes what the deployer runs.
fn deployer(sandbox: &Sandbox, system: System, port: u16) {
    let folder = sandbox.path().display().to_string();
    let write = |path: &str, text: &str| {
        let text = text
            .replace("REPOSITORY", &repository().display().to_string())
            .replace("FOLDER", &folder)
            .replace("CONTEXT", system.context)
            .replace("ADDRESS", system.address);
        sandbox.write(path, text);
        fs::set_permissions(sandbox.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let programs = [("kubectl", KUBECTL), ("ssh", SSH), ("sleep", SLEEP), ("date", DATE), ("curl", CURL)];
    for (name, text) in programs {
        write(&format!("bin/{name}"), text);
    }
    for name in ["ping", "nc"] {
        write(&format!("bin/{name}"), "#!/bin/sh\n");
    }
    write("forced.sh", FORCED);
    fs::copy(repository().join("tests/host/enter.sh"), sandbox.path().join("enter.sh")).unwrap();
    let key = sandbox.read("host-key.pub");
    sandbox.write("trusted", format!("machine {key}"));
    sandbox.write(
        "ssh_config",
        format!(
            "Host {}\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  HostKeyAlias machine\n  \
             UserKnownHostsFile {folder}/trusted\n  LogLevel ERROR\n  ControlMaster auto\n  ControlPath {folder}/c-%C\n  ControlPersist 20\n",
            system.address
        ),
    );
}

/// Makes the machine: accounts, datasets, what starts with it.
fn machine(sandbox: &Sandbox, steps: &[Value], volumes: &[Volume]) {
    for entry in fs::read_dir(repository().join("tests/host/programs")).unwrap().map(Result::unwrap) {
        let to = sandbox.path().join("machine/nix/stand-ins").join(entry.file_name());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(entry.path(), &to).unwrap();
    }
    for (verb, text) in DATABASE_HERE {
        sandbox.write(&format!("machine/nix/stand-ins/units/postgresql.service.{verb}"), text);
    }
    let passwd: String =
        ACCOUNTS.iter().map(|(name, number)| format!("{name}:x:{number}:{number}::/:/bin/sh\n")).collect();
    let group: String = ACCOUNTS.iter().map(|(name, number)| format!("{name}:x:{number}:\n")).collect();
    let mut datasets = "rpool/local/root /\n".to_owned();
    for volume in volumes.iter().filter(|volume| !volume.of("dataset").is_empty()) {
        datasets.push_str(&format!("{} {}\n", volume.of("dataset"), volume.of("to")));
        fs::create_dir_all(sandbox.path().join("machine").join(volume.of("to").trim_start_matches('/'))).unwrap();
    }
    let mut starts = String::new();
    for line in steps.iter().flat_map(|step| step["run"].as_array().unwrap()).filter_map(Value::as_str) {
        if let Some((_, rest)) = line.split_once("systemctl start -- ") {
            let units = rest.trim_end_matches('\'').split(' ');
            for unit in units.filter(|unit| {
                !["-health.", "borgbackup-", "restic-", "-drill-"].iter().any(|part| unit.contains(part))
            }) {
                if !starts.lines().any(|known| known == unit) {
                    starts.push_str(&format!("{unit}\n"));
                }
            }
        }
    }
    for (path, text) in [
        ("etc/passwd", passwd.as_str()),
        ("etc/group", &group),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\n"),
        ("etc/machine-id", "another\n"),
        ("etc/datasets", &datasets),
        ("etc/starts-at-boot", &starts),
        ("etc/ssh/ssh_host_ed25519_key.pub", &sandbox.read("host-key.pub")),
        ("boot-id", "boot-1\n"),
    ] {
        sandbox.write(&format!("machine/{path}"), text);
    }
    fs::create_dir_all(sandbox.path().join("machine/var/tmp")).unwrap();
    symlink("../run", sandbox.path().join("machine/var/run")).unwrap();
    let begun = Command::new("sh")
        .arg(repository().join("tests/host/enter.sh"))
        .arg(sandbox.path().join("machine"))
        .arg("while read -r unit; do systemctl start -- \"$unit\" || exit 1; done < /etc/starts-at-boot")
        .output()
        .unwrap();
    assert!(begun.status.success(), "{}", String::from_utf8_lossy(&begun.stderr));
}
