//! `hostwright watch`: looks at a machine of paper over a stand-in for ssh; mail goes to a stand-in for sendmail, webhooks to a real
//! listener through the real curl.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::json_schema::faults;
use crate::program::{Run, Sandbox, repository};
use crate::quoting::is_installed;

const TODAY: &str = "2026-11-21";

/// What systemd says of a drill that passed three weeks ago and comes again in ten days.
const WELL: &str = "@now 2026-11-21T10:00:00Z\n@drill offsite\nunit.LoadState=loaded\nunit.ActiveState=inactive\nunit.Result=success\n\
                    unit.ExecMainStatus=0\ntimer.ActiveState=active\ntimer.NextElapseUSecRealtime=Tue 2026-12-01 00:00:00 UTC\n\
                    passed=2026-11-01T02:10:00Z\ndue=Tue 2026-12-01 00:00:00 UTC\n@end\n";

/// What hides in the webhook's URL.
const TOKEN: &str = "T0KEN-n0b0dy-sees";

/// The example fleet with lufta as it is defined, behind a stand-in for ssh.
struct Stage {
    sandbox: Sandbox,
}

impl Stage {
    /// `timer`: what `[deployer] timer` is; none without.
    fn new(timer: Option<&str>) -> Self {
        let sandbox = Sandbox::example();
        if let Some(timer) = timer {
            sandbox.edit("fleet.toml", "name = \"shachi\"\n", &format!("name = \"shachi\"\ntimer = {timer}\n"));
        }
        sandbox.write(
            "bin/ssh",
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >>\"$HOME/words\"\ncase \"$*\" in *135.181.162.99*) ;; *) exit 255 ;; esac\n\
             [ ! -e \"$HOME/down\" ] || exit 255\ncat >\"$HOME/script\"\n\
             if grep -q '^tell()' \"$HOME/script\"; then\n\
             if grep '^systemctl start' \"$HOME/script\" >>\"$HOME/started\"; then cp \"$HOME/drills-after\" \"$HOME/drills\"; fi\n\
             cat \"$HOME/drills\"\nelse cat \"$HOME/answer\"\nfi\n",
        );
        sandbox.write(
            "bin/sendmail",
            "#!/bin/sh\n[ ! -e \"$HOME/no-mail\" ] || { echo 'queue is full' >&2; exit 75; }\n\
             printf '%s ' \"$@\" >\"$HOME/sendmail-words\"\n{ cat; echo '=====' ; } >>\"$HOME/mails\"\n",
        );
        for program in ["bin/ssh", "bin/sendmail"] {
            let path = sandbox.path().join(program);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let stage = Self { sandbox };
        stage.machine(&[]);
        stage.sandbox.write("drills", WELL);
        stage
    }

    /// Makes the machine as it is defined but for some texts of its answer.
    fn machine(&self, changes: &[(&str, &str)]) {
        let mut look = std::fs::read_to_string(repository().join("tests/probe/lufta-live.probe")).unwrap();
        for (was, is) in changes {
            assert!(look.contains(was), "{was}");
            look = look.replace(was, is);
        }
        self.sandbox.write("answer", look);
    }

    fn watch(&self, words: &[&str]) -> Run {
        self.watch_with(&[], words)
    }

    fn watch_with(&self, environment: &[(&str, &str)], words: &[&str]) -> Run {
        let path = format!("{}:/usr/bin:/bin", self.sandbox.path().join("bin").display());
        let environment: Vec<(&str, &str)> =
            [("PATH", path.as_str())].into_iter().chain(environment.iter().copied()).collect();
        let fixed = ["watch", "lufta", "--today", TODAY, "--now", "2026-11-21T10:00:00Z"];
        self.sandbox.run_with(&environment, &[&fixed[..], words].concat())
    }

    /// Returns the mails since the last call.
    fn mails(&self) -> Vec<String> {
        let path = self.sandbox.path().join("mails");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.split("=====\n").filter(|mail| !mail.is_empty()).map(str::to_owned).collect()
    }

    fn has(&self, path: &str) -> bool {
        self.sandbox.path().join(path).exists()
    }

    fn json(&self, words: &[&str], status: i32) -> Value {
        let run = self.watch(&[words, &["--format", "json"]].concat()).ends(status);
        let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
        let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/watch.json")).unwrap();
        assert_eq!(faults(&schema, &document), Vec::<String>::new());
        document
    }
}

const QUOTA: (&str, &str) = ("gitea\tquota\t214748364800", "gitea\tquota\t0");
const HOST_ID: (&str, &str) = ("spl_hostid 612879647", "spl_hostid 1");

/// Somebody who takes webhooks.
struct Hook {
    port: u16,
    posts: Arc<Mutex<Vec<(String, Value)>>>,
    /// Command lines of processes that held the token, and how many processes were curl, while curl waited for its answer.
    seen: Arc<Mutex<(Vec<String>, usize)>>,
    status: Arc<AtomicU16>,
}

impl Hook {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hook = Self {
            port: listener.local_addr().unwrap().port(),
            posts: Arc::default(),
            seen: Arc::default(),
            status: Arc::new(AtomicU16::new(200)),
        };
        let (posts, seen, status) = (Arc::clone(&hook.posts), Arc::clone(&hook.seen), Arc::clone(&hook.status));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (path, body) = post(&stream);
                let mut seen = seen.lock().unwrap();
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line).replace('\0', " ");
                    seen.1 += usize::from(line.starts_with("curl "));
                    if line.contains(TOKEN) {
                        seen.0.push(line);
                    }
                }
                posts.lock().unwrap().push((path, body));
                let status = status.load(Ordering::SeqCst);
                write!(&stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            }
        });
        hook
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/{TOKEN}?a[]={{b}}\n", self.port)
    }

    /// Returns what was posted since the last call.
    fn posts(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.posts.lock().unwrap())
    }
}

fn post(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    assert!(head.iter().any(|line| line == "Content-Type: application/json"), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = head[0].strip_prefix("POST ").unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
    (path, serde_json::from_slice(&body).unwrap())
}

const MAIL: &str = "{ mail = \"ops@example.org\" }";
const HOOK: &str = "{ webhook = \"hook\" }";

#[test]
fn what_is_found_is_told_once_then_what_changes_and_once_that_it_is_well_again() {
    let stage = Stage::new(Some(MAIL));
    stage.watch(&[]).ends(0).says("hexagone: nothing found\n");
    assert_eq!(stage.mails(), Vec::<String>::new());
    stage.machine(&[QUOTA]);
    stage.watch(&[]).ends(1);
    let mails = stage.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("Subject: hexagone: 1 finding, 1 new (lufta)\n"), "{}", mails[0]);
    assert_eq!(stage.sandbox.read("sendmail-words"), "-t -i ");
    // The same again is nobody's news.
    stage.watch(&[]).ends(1).says("1 known");
    assert_eq!(stage.mails(), Vec::<String>::new());
    stage.machine(&[QUOTA, HOST_ID]);
    stage.watch(&[]).ends(1);
    assert!(stage.mails().concat().contains("Subject: hexagone: 2 findings, 1 new (lufta)\n"));
    stage.machine(&[]);
    stage.watch(&[]).ends(0);
    let mails = stage.mails().concat();
    assert!(mails.contains("Subject: hexagone: nothing found, 2 resolved (lufta)\n"), "{mails}");
    assert!(mails.contains("  resolved\n    machine host id: the machine has another host id\n"), "{mails}");
    stage.watch(&[]).ends(0);
    assert_eq!(stage.mails(), Vec::<String>::new());
    stage.watch(&["--report", "always"]).ends(0);
    assert_eq!(stage.mails().len(), 1);
}

#[test]
fn a_look_alone_tells_nobody_and_does_not_count_as_told() {
    let stage = Stage::new(Some(MAIL));
    stage.machine(&[QUOTA]);
    stage.watch(&["--report", "never"]).ends(1).says("1 new");
    assert_eq!(stage.mails(), Vec::<String>::new());
    stage.watch(&[]).ends(1).says("1 new");
    assert_eq!(stage.mails().len(), 1);
}

#[test]
fn a_mail_reads_like_this() {
    let stage = Stage::new(Some(MAIL));
    stage.machine(&[QUOTA]);
    stage.sandbox.write("drills", WELL.replace("Result=success", "Result=exit-code").replace("Status=0", "Status=1"));
    stage.watch(&[]).ends(1);
    insta::assert_snapshot!(stage.mails().concat(), @"
    To: ops@example.org
    Subject: hexagone: 2 findings, 2 new (lufta)
    MIME-Version: 1.0
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 8bit
    Auto-Submitted: auto-generated

    hexagone: 2 findings, 2 new (lufta)
    looked 2026-11-21T10:00:00Z

    lufta: 2 new
      new
        datasets rpool/safe/gitea: the property quota has another value
          defined quota=200 GiB, live quota=0
        drill offsite: the drill failed
          its last run ended with status 1; `journalctl -u hostwright-drill-offsite`
      drift: 103 compared, 3 not compared
      drills: offsite failed (last passed 2026-11-01)
    ");
}

#[test]
fn no_text_from_outside_becomes_a_header() {
    let stage = Stage::new(Some(MAIL));
    stage.machine(&[("|rpool\tautotrim\ton", "|rpool\tautotrim\toff\u{1b}[31m\rBcc: all@example.org\r.\r")]);
    stage.watch(&[]).ends(1);
    let mail = stage.mails().concat();
    let (head, body) = mail.split_once("\n\n").unwrap();
    let names: Vec<&str> = head.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    let wanted = ["To", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Auto-Submitted"];
    assert_eq!(names, wanted);
    assert!(body.contains("Bcc: all") && !mail.contains(['\r', '\u{1b}']), "{mail}");
    assert!(mail.lines().all(|line| line.len() < 400), "{mail}");
    // An address that would be more than one header is no address.
    let stage = Stage::new(Some("{ mail = \"ops@example.org\\nBcc: all@example.org\" }"));
    stage.watch(&[]).ends(2).complains("`deployer.timer.mail` cannot be");
}

#[test]
fn a_webhook_gets_a_small_document_and_its_url_is_nowhere_to_be_seen() {
    if !is_installed("curl", "curl", "a_webhook_gets_a_small_document_and_its_url_is_nowhere_to_be_seen") {
        return;
    }
    let (stage, hook) = (Stage::new(Some(HOOK)), Hook::new());
    stage.sandbox.write("credentials/hook", hook.url());
    let folder = stage.sandbox.path().join("credentials").display().to_string();
    stage.machine(&[QUOTA, ("|rpool\tautotrim\ton", "|rpool\tautotrim\t\"\\`<!channel>\\\"")]);
    let run = stage.watch_with(&[("CREDENTIALS_DIRECTORY", &folder)], &[]).ends(1);
    let posts = hook.posts();
    let [(path, body)] = posts.as_slice() else { panic!("{posts:?}") };
    assert_eq!(path, &format!("/hooks/{TOKEN}?a[]={{b}}"));
    assert_eq!(
        body["text"],
        "hexagone: 2 findings, 2 new (lufta)\n\
         + lufta: `pools pool rpool: the property autotrim has another value`\n\
         + lufta: `datasets rpool/safe/gitea: the property quota has another value`"
    );
    assert_eq!((&body["fleet"], &body["findings"], &body["resolved"]), (&"hexagone".into(), &2.into(), &0.into()));
    assert!(body["new_findings"][0]["more"].as_str().unwrap().contains("\"\\`<!channel>"), "{body}");
    let (holders, curls) = hook.seen.lock().unwrap().clone();
    assert!(holders.is_empty(), "{holders:?}");
    assert!(curls > 0, "curl was not seen at work, so that nothing was shown");
    // Neither what is printed nor what is kept holds it.
    let kept: Vec<u8> = stage.sandbox.tree("state").into_values().flatten().collect();
    for text in [run.out, run.err, String::from_utf8(kept).unwrap()] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[test]
fn a_report_that_is_not_taken_waits_and_the_next_run_sends_it() {
    if !is_installed("curl", "curl", "a_report_that_is_not_taken_waits_and_the_next_run_sends_it") {
        return;
    }
    let stage = Stage::new(Some("{ mail = \"ops@example.org\", webhook = \"hook\" }"));
    let hook = Hook::new();
    stage.sandbox.write("hook-url", hook.url());
    let words = ["--webhook-file", "hook-url"];
    hook.status.store(503, Ordering::SeqCst);
    stage.machine(&[QUOTA]);
    let run =
        stage.watch(&words).ends(3).complains("the report by webhook could not be sent").complains("HTTP status 503");
    assert!(!run.err.contains(TOKEN), "{}", run.err);
    assert_eq!((hook.posts().len(), stage.mails().len()), (1, 1));
    let mode = std::fs::metadata(stage.sandbox.path().join("state/watch-unsent.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // It is well again before anybody heard: both are told, in their order.
    stage.machine(&[]);
    stage.watch(&words).ends(3);
    assert_eq!((hook.posts().len(), stage.mails().len()), (1, 1));
    hook.status.store(204, Ordering::SeqCst);
    stage.watch(&words).ends(0);
    let texts: Vec<String> = hook.posts().iter().map(|(_, body)| body["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!((texts.len(), stage.mails().len()), (2, 0), "{texts:?}");
    assert!(texts[0].contains("1 new") && texts[1].contains("1 resolved"), "{texts:?}");
    assert!(!stage.has("state/watch-unsent.json"));
    // Nobody takes the connection, a redirect, no URL: each says so and nothing of the URL.
    for (status, url, said) in [
        (302, hook.url(), "HTTP status 302"),
        (200, format!("http://127.0.0.1:1/{TOKEN}"), "nobody takes the connection"),
        (200, format!("{TOKEN} and more"), "holds no URL"),
        (200, format!("https://x.example/{TOKEN}\nurl = file:///etc/passwd"), "holds no URL"),
    ] {
        hook.status.store(status, Ordering::SeqCst);
        stage.sandbox.write("hook-url", url);
        let run = stage.watch(&["--report", "always", "--webhook-file", "hook-url"]).ends(3).complains(said);
        assert!(!run.err.contains(TOKEN), "{}", run.err);
    }
}

#[test]
fn a_mail_that_is_not_taken_waits_too() {
    let stage = Stage::new(Some(MAIL));
    stage.machine(&[QUOTA]);
    stage.sandbox.write("no-mail", "");
    stage.watch(&[]).ends(3).complains("the report by mail could not be sent").complains("queue is full");
    let document = stage.json(&[], 3);
    assert_eq!(document["summary"]["unsent"], 1);
    std::fs::remove_file(stage.sandbox.path().join("no-mail")).unwrap();
    stage.watch(&[]).ends(1);
    assert_eq!(stage.mails().len(), 1);
    // Who is told no longer has nothing that waits.
    stage.sandbox.write("no-mail", "");
    stage.machine(&[]);
    stage.watch(&[]).ends(3);
    stage.sandbox.edit("fleet.toml", "timer = { mail = \"ops@example.org\" }\n", "");
    stage.watch(&[]).ends(0);
    assert!(!stage.has("state/watch-unsent.json"));
}

#[test]
fn a_webhook_whose_secret_nobody_knows_says_where_it_could_be() {
    let stage = Stage::new(Some(HOOK));
    stage.machine(&[QUOTA]);
    stage.watch(&[]).ends(3).complains("the deployer is no host of the fleet").complains("--webhook-file");
    // Of a deployer that is one the secret has to be defined, and its file is known.
    stage.sandbox.edit("fleet.toml", "name = \"shachi\"\n", "name = \"lufta\"\n");
    stage.watch(&[]).ends(3).complains("`lufta`, which is the deployer, has no secret `hook`");
    stage
        .sandbox
        .run(&["check", "lufta", "--today", TODAY])
        .ends(2)
        .says("there is no secret `hook`")
        .says("fleet.toml:");
    stage.sandbox.edit(
        "hosts/lufta/host.toml",
        "[secrets.items]\n",
        "[secrets.items]\nhook = { path = \"/nowhere/hook\" }\n",
    );
    stage.sandbox.run(&["check", "lufta", "--today", TODAY]).ends(0);
    stage.watch(&[]).ends(3).complains("cannot read /nowhere/hook");
}

#[test]
fn a_machine_that_does_not_answer_is_a_finding_and_resolves_nothing() {
    let stage = Stage::new(Some(MAIL));
    stage.machine(&[QUOTA]);
    stage.watch(&[]).ends(1);
    stage.mails();
    stage.sandbox.write("down", "");
    stage.watch(&[]).ends(1);
    let mails = stage.mails().concat();
    assert!(mails.contains("1 finding, 1 new (lufta)") && mails.contains("the machine could not be asked"), "{mails}");
    assert!(!mails.contains("resolved"), "{mails}");
    std::fs::remove_file(stage.sandbox.path().join("down")).unwrap();
    stage.watch(&[]).ends(1);
    let mails = stage.mails().concat();
    assert!(mails.contains("1 finding, 0 new, 1 resolved (lufta)"), "{mails}");
    // One host that is away does not hide another, and asks for nothing at a terminal.
    let path = format!("{}:/usr/bin:/bin", stage.sandbox.path().join("bin").display());
    let run = stage.sandbox.run_with(&[("PATH", &path)], &["watch", "--today", TODAY]).ends(1);
    assert!(run.out.contains("attic: 1 new") && run.out.contains("lufta: 1 known"), "{}", run.out);
    assert!(stage.sandbox.read("words").contains("BatchMode=yes\n"));
}

#[test]
fn a_definition_with_errors_is_a_finding_of_its_host_alone() {
    let stage = Stage::new(None);
    stage.sandbox.edit("hosts/attic/host.toml", "firmware = \"uefi\"", "firmware = \"none\"");
    let path = format!("{}:/usr/bin:/bin", stage.sandbox.path().join("bin").display());
    let run = stage.sandbox.run_with(&[("PATH", &path)], &["watch", "--today", TODAY]).ends(1);
    assert!(run.out.contains("`hostwright check attic`") && run.out.contains("lufta: nothing found"), "{}", run.out);
}

#[test]
fn a_drill_that_failed_is_overdue_or_never_passed_is_found() {
    let stage = Stage::new(None);
    for (was, is, wanted) in [
        ("Result=success", "Result=exit-code", "drill offsite: the drill failed"),
        ("due=Tue 2026-12-01", "due=Sun 2026-11-01", "drill offsite: the drill is overdue"),
        (
            "passed=2026-11-01T02:10:00Z\ndue=Tue 2026-12-01 00:00:00 UTC",
            "never=yes",
            "drill offsite: the drill has never passed",
        ),
        ("LoadState=loaded", "LoadState=not-found", "drill offsite: the machine has no unit for the drill"),
        ("timer.ActiveState=active", "timer.ActiveState=inactive", "drill offsite: the drill's timer does not run"),
        ("unit.ActiveState=inactive", "unit.ActiveState=activating", ""),
        ("@end\n", "", "the machine could not be asked"),
    ] {
        assert!(WELL.contains(was), "{was}");
        stage.sandbox.write("drills", WELL.replace(was, is));
        let document = stage.json(&["--report", "never"], i32::from(!wanted.is_empty()));
        let found = document["hosts"][0]["new"].as_array().unwrap();
        let found: Vec<&str> = found.iter().map(|finding| finding["what"].as_str().unwrap()).collect();
        assert_eq!(found, Vec::from_iter(Some(wanted).filter(|wanted| !wanted.is_empty())), "{is}");
    }
    assert!(!stage.has("started") || stage.sandbox.read("started").is_empty(), "only --drills starts anything");
}

#[test]
fn drills_are_run_where_they_are_asked_for_and_wanted() {
    let stage = Stage::new(None);
    stage.watch(&["--drills"]).ends(0);
    assert!(!stage.has("started") || stage.sandbox.read("started").is_empty(), "it passed, and is not due");
    let never = WELL.replace("passed=2026-11-01T02:10:00Z\ndue=Tue 2026-12-01 00:00:00 UTC", "never=yes");
    stage.sandbox.write("drills", &never);
    stage.sandbox.write("drills-after", WELL);
    stage.watch(&["--drills"]).ends(0).says("drills: offsite passed 2026-11-01");
    assert_eq!(
        stage.sandbox.read("started"),
        "systemctl start hostwright-drill-offsite.service </dev/null >/dev/null 2>&1 || :\n"
    );
    // One that was run and failed is found.
    stage.sandbox.write("drills", &never);
    stage.sandbox.write("drills-after", WELL.replace("Result=success", "Result=exit-code"));
    stage.watch(&["--drills"]).ends(1).says("drill offsite: the drill failed");
}

/// Writes a stand-in for systemctl that says what it was told to.
fn systemctl(folder: &std::path::Path, service: &str) {
    let text = format!(
        "#!/bin/sh\nfor last; do :; done\ncase $last in *.timer) echo ActiveState=active; echo 'NextElapseUSecRealtime=Tue 2099-12-01 00:00:00 UTC' ;;\n\
         *) printf '{service}' ;; esac\n"
    );
    std::fs::write(folder.join("systemctl"), text).unwrap();
    std::fs::set_permissions(folder.join("systemctl"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_script_asks_systemd_when_a_drill_is_due_again() {
    let test = "the_script_asks_systemd_when_a_drill_is_due_again";
    if !is_installed("systemd-analyze", "systemd", test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lib = folder.path().join("drills");
    std::fs::create_dir(&lib).unwrap();
    systemctl(folder.path(), "LoadState=loaded\\nActiveState=inactive\\nResult=success\\n");
    let names = ["fresh", "stale", "zone", "never"];
    let wanted: Vec<hostwright::watch::DrillWanted> = names
        .iter()
        .map(|name| hostwright::watch::DrillWanted {
            backup: (*name).to_owned(),
            schedule: if *name == "zone" { "*-*-* 03:30 Europe/Berlin".to_owned() } else { "monthly".to_owned() },
        })
        .collect();
    let now = jiff::Timestamp::now();
    let days_ago = |days: i64| jiff::Timestamp::from_second(now.as_second() - days * 86_400).unwrap().to_string();
    for (name, days) in [("fresh", 0), ("stale", 70), ("zone", 4)] {
        std::fs::write(lib.join(name), days_ago(days) + "\n").unwrap();
    }
    let script =
        hostwright::watch::script(&wanted, &[]).replace("/var/lib/hostwright/drills", &lib.display().to_string());
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    for shell in ["sh", "bash"] {
        let mut child = std::process::Command::new(shell)
            .env("PATH", &path)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let answer = String::from_utf8(output.stdout).unwrap();
        let words: Vec<String> =
            hostwright::watch::read(&answer, &wanted).unwrap().iter().map(hostwright::watch::Drill::words).collect();
        assert!(words[0].starts_with("fresh passed "), "{answer}");
        assert!(words[1].starts_with("stale is overdue ") && words[2].starts_with("zone is overdue "), "{answer}");
        // Only root can tell that there is no record.
        assert!(["never has never passed", "never is unknown"].contains(&words[3].as_str()), "{answer}");
    }
    if is_installed("shellcheck", "shellcheck", test) {
        let whole = hostwright::watch::script(&wanted, &["fresh"]);
        std::fs::write(folder.path().join("look.sh"), format!("#!/bin/sh\n{whole}")).unwrap();
        let run = std::process::Command::new("shellcheck").arg(folder.path().join("look.sh")).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    }
}

#[test]
fn plan_pages_show_the_last_look_and_the_plan_stays_the_same() {
    let stage = Stage::new(None);
    let plan = |format: &str| stage.sandbox.run(&["plan", "lufta", "--format", format, "--today", TODAY]).ends(0).out;
    let (json, human) = (plan("json"), plan("human"));
    assert!(!plan("md").contains("Last look") && !plan("html").contains("Last look"));
    stage.machine(&[("|rpool\tautotrim\ton", "|rpool\tautotrim\t<b>*x*")]);
    stage.watch(&[]).ends(1);
    let (md, html) = (plan("md"), plan("html"));
    for (page, said) in [
        (&md, "## Last look"),
        (&md, "drift: 1 difference ("),
        (&html, "<h2>Last look</h2>"),
        (&html, "drills: offsite passed 2026-11-01."),
        (
            &html,
            "<li>pools pool rpool: the property autotrim has another value (defined autotrim=on, live autotrim=&lt;b&gt;*x*)</li>",
        ),
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!md.contains("*x*") && !html.contains("<b>*x"), "text of a machine is text");
    assert_eq!((plan("json"), plan("human")), (json, human));
    stage.sandbox.run(&["plan", "lufta", "--out", "plans", "--today", TODAY]).ends(0);
    assert!(stage.sandbox.read("plans/plan.html").contains("Last look"));
    stage.sandbox.write("state/lufta/watch.json", "{}");
    assert!(!plan("md").contains("Last look"), "what is no record is not shown");
}

#[test]
fn records_are_private_and_one_that_is_broken_makes_everything_new() {
    let stage = Stage::new(None);
    stage.machine(&[QUOTA]);
    stage.watch(&[]).ends(1);
    for (path, wanted) in [("state", 0o700), ("state/lufta", 0o700), ("state/lufta/watch.json", 0o600)] {
        let mode = std::fs::metadata(stage.sandbox.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, wanted, "{path}");
    }
    let record: Value = serde_json::from_str(&stage.sandbox.read("state/lufta/watch.json")).unwrap();
    assert_eq!((&record["looked"], &record["host"]), (&"2026-11-21T10:00:00Z".into(), &"lufta".into()));
    stage.watch(&[]).ends(1).says("1 known");
    stage.sandbox.write("state/lufta/watch.json", "{ \"version\": 9 }");
    stage.watch(&[]).ends(1).complains("is no record of a look").says("1 new");
}

#[test]
fn two_looks_at_once_do_not_tell_everything_twice() {
    let stage = Stage::new(None);
    stage.watch(&[]).ends(0);
    let lock = std::fs::File::options().write(true).open(stage.sandbox.path().join("state/watch.lock")).unwrap();
    lock.lock().unwrap();
    stage.watch(&[]).ends(2).complains("another `hostwright watch` is at work");
    drop(lock);
    stage.watch(&[]).ends(0);
}
