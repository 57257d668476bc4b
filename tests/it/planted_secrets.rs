//! Secrets of twenty kinds, planted wherever one can be: none of them leaves by an output, a journal, a log, a plan, the list of
//! processes or what goes to the store.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::program::{Run, Sandbox};

const TODAY: [&str; 2] = ["--today", "2026-11-21"];

/// A secret: what it is, the name that a variable of it has, and itself.
struct Planted {
    kind: &'static str,
    name: &'static str,
    value: String,
    /// Whether its form alone tells it, whatever it is called.
    is_told: bool,
}

/// Returns letters and digits that look drawn, the same for the same number.
fn drawn(number: u64, length: usize) -> String {
    const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ALL[usize::try_from(state >> 33).unwrap() % ALL.len()] as char
    };
    (0..length).map(|_| next()).collect()
}

/// A file of a key, in lines as its programs write it.
fn armoured(title: &str, number: u64) -> String {
    let body: String = (0..4).map(|line| drawn(number * 100 + line, 64) + "\n").collect();
    format!("-----BEGIN {title}-----\n{body}-----END {title}-----\n")
}

fn planted() -> Vec<Planted> {
    let of = |kind, name, value: String, is_told| Planted { kind, name, value, is_told };
    vec![
        of("private key of ssh", "DEPLOY_PRIVATE_KEY", armoured("OPENSSH PRIVATE KEY", 1), true),
        of("key of TLS", "TLS_PRIVATE_KEY", armoured("PRIVATE KEY", 2), true),
        of("key of PGP", "SIGNING_PRIVATE_KEY", armoured("PGP PRIVATE KEY BLOCK", 3), true),
        of("key of age", "AGE_SECRET_KEY", format!("AGE-SECRET-KEY-1{}", drawn(4, 58).to_uppercase()), true),
        of("key of AWS", "AWS_SECRET_ACCESS_KEY", drawn(5, 40), false),
        of("token of GitHub", "GITHUB_TOKEN", format!("ghp_{}", drawn(6, 36)), true),
        of("token of GitLab", "GITLAB_TOKEN", format!("glpat-{}", drawn(7, 20)), true),
        of(
            "web hook of Slack",
            "SLACK_SECRET",
            format!("https://hooks.slack.com/services/T{}/B{}/{}", drawn(8, 8), drawn(9, 8), drawn(10, 24)),
            true,
        ),
        of(
            "token of a kubeconfig",
            "KUBE_TOKEN",
            format!("eyJhbGciOiJSUzI1NiJ9.{}.{}", drawn(11, 40), drawn(12, 60)),
            true,
        ),
        of(
            "address with an account",
            "FEED_PASSWORD",
            format!("https://mara:{}@feeds.example.org/x", drawn(13, 16)),
            false,
        ),
        of(
            "address of a database",
            "DATABASE_SECRET",
            format!("postgres://forge:{}@db.example.org:5432/forge", drawn(14, 18)),
            false,
        ),
        of("hash of a password", "HTPASSWD_SECRET", format!("$2b$12${}", drawn(15, 53)), true),
        of("key of WireGuard", "WG_PRIVATE_KEY", STANDARD.encode(drawn(16, 32)), false),
        of("login of a registry", "DOCKER_AUTH_TOKEN", STANDARD.encode(format!("mara:{}", drawn(17, 30))), false),
        of(
            "passphrase of restic",
            "RESTIC_PASSWORD",
            format!("{}-{}-{}", drawn(18, 9), drawn(19, 9), drawn(20, 9)),
            false,
        ),
        of(
            "passphrase of borg",
            "BORG_PASSPHRASE",
            format!("{} {} {}", drawn(21, 8), drawn(22, 8), drawn(23, 8)),
            false,
        ),
        of("password of SMTP", "SMTP_PASSWORD", drawn(24, 22), false),
        of("token of DNS for ACME", "HETZNER_DNS_API_TOKEN", drawn(25, 32), false),
        of("key of ZFS or LUKS", "ZFS_KEY_PASSPHRASE", drawn(26, 64), false),
        of("credential of systemd", "CREDENTIAL_SECRET", STANDARD.encode(drawn(27, 72)), false),
        of("token of a service account", "SERVICE_ACCOUNT_TOKEN", drawn(28, 48), false),
    ]
}

/// Returns what of a secret must not be found: its lines, and what they are as base64, whatever stands around them there.
fn needles(value: &str) -> Vec<String> {
    let mut all: Vec<String> = value.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect();
    // Of an address the password is the secret, of a web hook its last part.
    let password = |line: &String| {
        line.split_once("://").and_then(|(_, rest)| Some(rest.split_once('@')?.0.split_once(':')?.1.to_owned()))
    };
    all.extend(all.clone().iter().filter_map(password));
    all.extend(value.rsplit_once("/services/").map(|(_, parts)| parts.rsplit('/').next().unwrap().to_owned()));
    for text in all.clone().into_iter().chain([value.to_owned()]) {
        for before in 0..3 {
            let encoded = STANDARD.encode([vec![0; before], text.clone().into_bytes()].concat());
            let (from, until) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
            all.push(encoded[from..until].to_owned());
        }
    }
    assert!(all.iter().all(|needle| needle.len() >= 12), "{all:?}");
    all
}

/// Says which secrets a text holds.
fn leaks(text: &[u8], secrets: &[Planted]) -> Vec<String> {
    let holds = |needle: &String| memchr::memmem::find(text, needle.as_bytes()).is_some();
    secrets
        .iter()
        .filter(|secret| needles(&secret.value).iter().any(holds))
        .map(|secret| secret.kind.to_owned())
        .collect()
}

/// Asserts that a run said nothing of them.
#[track_caller]
fn keeps(run: &Run, secrets: &[Planted], what: &str) {
    for (name, text) in [("standard output", &run.out), ("standard error", &run.err)] {
        assert_eq!(leaks(text.as_bytes(), secrets), Vec::<String>::new(), "{what}: {name}\n{text}");
    }
}

/// Asserts that no file below a folder holds them.
#[track_caller]
fn holds_none(sandbox: &Sandbox, folder: &str, secrets: &[Planted], what: &str) -> usize {
    let tree = sandbox.tree(folder);
    for (path, bytes) in &tree {
        assert_eq!(leaks(bytes, secrets), Vec::<String>::new(), "{what}: {folder}/{path}");
    }
    tree.len()
}

/// Tells whether everything is wanted, else a sample.
fn whole() -> bool {
    std::env::var_os("HOSTWRIGHT_ALL").is_some()
}

/// A value in quotes of both YAML and TOML.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[test]
fn there_are_twenty_kinds_and_the_judge_sees_each_of_them_plain_and_encoded() {
    let secrets = planted();
    assert!(secrets.len() >= 20);
    for secret in &secrets {
        let one = std::slice::from_ref(secret);
        assert_eq!(leaks(format!("x {} y", secret.value).as_bytes(), one).len(), 1, "{}", secret.kind);
        assert_eq!(leaks(STANDARD.encode(format!("ab{}", secret.value)).as_bytes(), one).len(), 1, "{}", secret.kind);
        assert_eq!(leaks(b"nothing", one).len(), 0, "{}", secret.kind);
    }
}

#[test]
fn a_secret_in_a_definition_is_an_error_that_no_command_repeats() {
    let secrets = planted();
    let mut seen = 0;
    for (at, secret) in secrets.iter().enumerate() {
        let sandbox = Sandbox::small();
        let value = quoted(&secret.value);
        let variable = format!(
            "[services.e]\nkind = \"command\"\nexec = \"/bin/e\"\nenvironment = {{ {} = {value} }}\n",
            secret.name
        );
        let name = secret.name;
        let service = "[services.e]\nkind = \"container\"\nimage = \"example.org/e:1\"\n";
        let flag = quoted(&format!("--{}={}", name.to_lowercase().replace('_', "-"), secret.value));
        // A secret of several words or lines on a command line is one of a quoted word.
        let is_word = !secret.value.contains(char::is_whitespace);
        let mut places = vec![
            variable,
            format!("nixos.environment.variables.{name} = {value}\n"),
            format!("[services.gitea]\nkind = \"native\"\noptions = {{ settings.x.{name} = {value} }}\n"),
            format!("{service}files = [{{ path = \"/etc/e/{name}\", content = {value} }}]\n"),
            format!(
                "{service}files = [{{ path = \"/etc/e.ini\", content = {} }}]\n",
                quoted(&format!("a = b\n{name} = {value}\n"))
            ),
        ];
        places.extend(is_word.then(|| format!("{service}args = [{flag}]\n")));
        if secret.is_told {
            places.extend([
                format!("role = {value}\n"),
                format!("nixos.environment.etc.x.text = {value}\n"),
                format!("[secrets.items.x]\nvalue = {value}\n"),
                format!("[zfs.pools.a]\nvdevs = []\nproperties = {{ \"org.x:y\" = {value} }}\n"),
                format!("nixos = {{ a = [ {value} ], b.{value} = 1 }}\n"),
            ]);
        }
        for text in places {
            sandbox.write("hosts/a/host.toml", &text);
            let formats = ["human", "json", "sarif", "github", "junit"];
            // Each format with some kinds, all of them with every kind together.
            for format in formats.iter().skip(at % 5).step_by(if whole() { 1 } else { 5 }) {
                let run = sandbox.run(&["check", "-v", "--format", format, TODAY[0], TODAY[1]]);
                assert!(run.status == 1 || run.status == 2, "{}: {text}\n{}", secret.kind, run.out);
                assert!(run.out.contains("secret-inline") || run.err.contains("secret-inline"), "{text}\n{}", run.out);
                keeps(&run, &secrets, &format!("check --format {format}: {text}"));
                seen += 1;
            }
        }
        for words in [&["build", TODAY[0], TODAY[1]][..], &["plan", "a", TODAY[0], TODAY[1]]] {
            let run = sandbox.run(words);
            assert_ne!(run.status, 0, "{}", secret.kind);
            keeps(&run, &secrets, &format!("{words:?} with {}", secret.kind));
        }
        assert!(!sandbox.path().join("out").exists(), "{}", secret.kind);
    }
    println!("{} kinds, {seen} checks", secrets.len());
}

#[test]
fn a_secret_in_a_nix_file_is_not_repeated() {
    let secrets = planted();
    let sandbox = Sandbox::small();
    for (at, secret) in secrets.iter().enumerate() {
        let value = quoted(&secret.value);
        // Where it is right, where its type is wrong, where nothing has the name, and where the syntax ends. What neither its form nor
        // its name tells is a text like any other.
        let text = format!(
            "{{ ... }}: {{\n  environment.variables.{} = {value};\n  users.users.a.hashedPassword = {value};\n  \
             services.keycloak.initialAdminPassword = [ {value} ];\n  services.gitea.apiToken = {value};\n}}\n",
            secret.name
        );
        sandbox.write(&format!("nix/{at}.nix"), &text);
        sandbox.write(&format!("nix/{at}-broken.nix"), format!("{{ ... }}: {{ password = {value} = b; }}\n"));
        if secret.is_told {
            let anywhere = format!(
                "{{ ... }}: {{\n  services.gitea.enable = {value};\n  networking.firewall.allowedTCPPorts = [ {value} ];\n  \
                 services.gitea.tokn = {value};\n  environment.etc.x.text = {value};\n}}\n"
            );
            sandbox.write(&format!("nix/{at}-anywhere.nix"), &anywhere);
            sandbox.write(
                &format!("nix/{at}-lines.nix"),
                format!("{{ ... }}: {{\n  a = ''\n{}'' = b;\n}}\n", secret.value),
            );
            // In the midst of a key the syntax ends, too.
            sandbox.write(&format!("nix/{at}-bare.nix"), format!("{{ ... }}: {{\n  a = \n{}=;\n}}\n", secret.value));
            sandbox.write(&format!("hosts/a/{at}.nix"), &text);
        }
    }
    for format in ["human", "json", "sarif", "github", "junit"] {
        keeps(&sandbox.run(&["lint-nix", "--format", format, "nix"]), &secrets, &format!("lint-nix --format {format}"));
        keeps(
            &sandbox.run(&["check", "-v", "--format", format, TODAY[0], TODAY[1]]),
            &secrets,
            &format!("check --format {format} of .nix"),
        );
    }
}

/// Returns objects with secrets at every place of manifests that may hold one.
fn manifests(secrets: &[Planted]) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for (at, secret) in secrets.iter().enumerate() {
        let name = format!("w{at}");
        let metadata = json!({ "name": name, "namespace": "apps" });
        all.push(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque",
            "data": { "value": STANDARD.encode(&secret.value) }, "stringData": { "plain": secret.value, secret.name: secret.value } }));
        let annotations = json!({ "kubectl.kubernetes.io/last-applied-configuration":
            json!({ "kind": "Secret", "data": { "v": STANDARD.encode(&secret.value) }, "stringData": { "p": secret.value } }).to_string() });
        all.push(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": format!("{name}-applied"), "namespace": "apps", "annotations": annotations },
            "data": {} }));
        let mut env = vec![json!({ "name": secret.name, "value": secret.value })];
        let mut words = vec![json!(format!("--{}={}", secret.name.to_lowercase().replace('_', "-"), secret.value))];
        let mut data = json!({ secret.name: secret.value });
        let mut noted = json!({});
        if secret.is_told {
            env.push(json!({ "name": "SETTING", "value": secret.value }));
            words.push(json!(secret.value));
            data = json!({ secret.name: secret.value, "app.conf": format!("listen = 80\nvalue = {}\n", secret.value) });
            noted = json!({ "example.org/note": secret.value });
        }
        all.push(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "apps", "annotations": noted }, "data": data }));
        all.push(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": { "replicas": 1, "selector": { "matchLabels": { "app": name } }, "template": { "metadata": { "labels": { "app": name }, "annotations": noted },
            "spec": { "containers": [{ "name": "main", "image": "registry.example.org/x:1", "args": words, "env": env,
                "envFrom": [{ "configMapRef": { "name": name } }, { "secretRef": { "name": name } }],
                "volumeMounts": [{ "name": "c", "mountPath": "/etc/c" }, { "name": "s", "mountPath": "/etc/s" }] }],
            "volumes": [{ "name": "c", "configMap": { "name": name } }, { "name": "s", "secret": { "secretName": name } }] } } } }));
    }
    all
}

#[test]
fn a_secret_in_manifests_stays_in_them() {
    let secrets = planted();
    let sandbox = Sandbox::example();
    let text: String = manifests(&secrets).iter().map(|object| format!("---\n{object}\n")).collect();
    sandbox.write("more/all.yaml", &text);
    // What cannot be read is quoted by nobody.
    let broken: String = secrets
        .iter()
        .map(|secret| format!("---\nkind: Secret\nstringData:\n  a: {}\n a: [\n", quoted(&secret.value)))
        .collect();
    sandbox.write("broken/all.yaml", broken);
    for format in ["human", "json", "md", "html"] {
        let run = sandbox.run(&["migrate", "more", "--format", format]);
        assert!(run.out.len() > 2_000, "{}", run.err);
        keeps(&run, &secrets, &format!("migrate --format {format}"));
        keeps(
            &sandbox.run(&["migrate", "broken", "--format", format]),
            &secrets,
            &format!("migrate of what is broken --format {format}"),
        );
        let host = sandbox.run(&["migrate", "more", "--host", "attic", "--format", format, TODAY[0], TODAY[1]]);
        keeps(&host, &secrets, &format!("migrate --host --format {format}"));
    }
    let written = sandbox.run(&["migrate", "more", "--host", "attic", "--write", TODAY[0], TODAY[1]]);
    keeps(&written, &secrets, "migrate --write");
    assert!(sandbox.read("hosts/attic/host.toml").contains("[services.w0]"), "{}{}", written.out, written.err);
    holds_none(&sandbox, "hosts", &secrets, "migrate --write");
    for words in
        [&["check", "-v"][..], &["build"], &["plan", "attic", "--out", "plans"], &["plan", "attic", "--format", "dot"]]
    {
        keeps(&sandbox.run(&[words, &TODAY].concat()), &secrets, &format!("{words:?} after migrate"));
    }
    for folder in ["out", "plans"] {
        holds_none(&sandbox, folder, &secrets, "after migrate");
    }
}

#[test]
fn a_secret_in_the_fleets_folder_in_facts_and_in_the_environment_reaches_nothing() {
    let secrets = planted();
    let sandbox = Sandbox::example();
    for (at, secret) in secrets.iter().enumerate() {
        for path in [
            ".env",
            "notes.txt",
            "hosts/attic/.env",
            "hosts/attic/token.txt",
            "state/attic/secrets/x",
            "state/attic/ssh/x",
            "secrets/x.yaml",
        ] {
            sandbox.write(&format!("{path}{at}"), &secret.value);
        }
    }
    // A field that facts do not have, and what was left of a probe.
    let planted: Vec<&str> = secrets.iter().map(|secret| secret.value.as_str()).collect();
    let facts = json!({ "version": 1, "taken": "2026-11-20T10:00:00Z", "host": "attic", "environment": planted, "token": planted });
    sandbox.write("hosts/attic/facts.json", facts.to_string());
    let environment: Vec<(&str, &str)> = secrets.iter().map(|secret| (secret.name, secret.value.as_str())).collect();
    for words in [
        &["check", "-v"][..],
        &["check", "--format", "json"],
        &["build"],
        &["plan", "attic", "--out", "plans"],
        &["plan", "lufta", "--format", "md"],
        &["explain", "secret-inline"],
        &["rules"],
    ] {
        let more: &[&str] = if matches!(words[0], "explain" | "rules") { &[] } else { &TODAY };
        keeps(&sandbox.run_with(&environment, &[words, more].concat()), &secrets, &format!("{words:?}"));
    }
    let files = holds_none(&sandbox, "out", &secrets, "build") + holds_none(&sandbox, "plans", &secrets, "plan");
    assert!(files > 20, "{files} files");
}

#[test]
fn a_secret_that_machines_print_reaches_no_journal_log_or_process_list() {
    let secrets = planted();
    let deployer = crate::apply::Deployer::new();
    let sandbox = &deployer.sandbox;
    let mut said = String::new();
    for (at, secret) in secrets.iter().enumerate() {
        sandbox.write(&format!("state/attic/secrets/{at}"), format!("{}\n", secret.value));
        said.push_str(&format!("{}\nvalue: {}\n{}={} # x\n", secret.value, secret.value, secret.name, secret.value));
        let encoded = STANDARD.encode(format!("{}\n", secret.value));
        let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        said.push_str(&format!(
            "{encoded}\n{}\nauth: {}\n",
            lines.join("\n"),
            STANDARD.encode(format!("mara:{}", secret.value.trim_end()))
        ));
    }
    sandbox.write("said", &said);
    let folder = sandbox.path().display().to_string();
    // Everything that answers says all of them first.
    let nix = format!(
        "#!/bin/sh\ncat {folder}/said; cat {folder}/said >&2\nwhile [ $# -gt 1 ]; do shift; done\nmkdir -p \"$1/bin\"\n\
         : > \"$1/bin/switch-to-configuration\"; chmod +x \"$1/bin/switch-to-configuration\"\nsleep 1\n"
    );
    deployer.stand_in("nix", &nix);
    let ssh = sandbox
        .read("bin/ssh")
        .replace("echo 'Last login: yesterday'", &format!("cat {folder}/said; cat {folder}/said >&2"));
    deployer.stand_in("ssh", &ssh);
    let over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let watch = scope.spawn(|| processes(&over));
        for options in [
            &["--non-interactive"][..],
            &["--non-interactive", "--confirm", "prove-access"],
            &["--confirm", "start-installer"],
            &["--confirm", "compare-fingerprint"],
            &["--status"],
            &["--status", "--format", "json"],
            &["--log", "build-installer"],
        ] {
            keeps(&deployer.apply(options), &secrets, &format!("apply {options:?}"));
        }
        // One that fails shows the last of what it printed.
        deployer.stand_in("nix", &format!("#!/bin/sh\ncat {folder}/said >&2; exit 1\n"));
        keeps(&deployer.apply(&["--restart", "--confirm", "prove-access"]), &secrets, "apply that fails");
        keeps(&deployer.apply(&["--status"]), &secrets, "apply --status after a failure");
        over.store(true, Ordering::Release);
        watch.join().unwrap()
    });
    assert!(seen.len() > 3, "{seen:?}");
    for line in &seen {
        assert_eq!(leaks(line, &secrets), Vec::<String>::new(), "{}", String::from_utf8_lossy(line));
    }
    // What the deployer keeps of its own lies in two folders; nothing else of its state holds any.
    let tree = sandbox.tree("state");
    let mut files = 0;
    for (path, bytes) in tree.iter().filter(|(path, _)| !path.starts_with("attic/secrets/")) {
        files += 1;
        assert_eq!(leaks(bytes, &secrets), Vec::<String>::new(), "state/{path}:\n{}", String::from_utf8_lossy(bytes));
    }
    assert!(
        files >= 3
            && tree.keys().any(|path| path.contains("journal-install"))
            && tree.keys().any(|path| path.contains("logs/")),
        "{:?}",
        tree.keys()
    );
    println!("{} kinds, {files} files of state, {} command lines of processes", secrets.len(), seen.len());
}

/// Returns the command line of every process of this test that was seen until it is over.
fn processes(over: &AtomicBool) -> BTreeSet<Vec<u8>> {
    let mut seen = BTreeSet::new();
    while !over.load(Ordering::Acquire) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            if entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                if !line.is_empty() && line.len() < 1 << 20 {
                    seen.insert(line);
                }
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    seen
}

#[test]
fn a_secret_that_a_look_at_a_machine_meets_is_no_part_of_what_is_said() {
    let secrets = planted();
    let sandbox = Sandbox::example();
    let look = std::fs::read_to_string(crate::program::repository().join("tests/probe/lufta-live.probe")).unwrap();
    // What no section has a place for, and sections that nobody asked for.
    let lines: String =
        secrets.iter().map(|secret| format!("|{}\n", secret.value.lines().collect::<Vec<_>>().join(" "))).collect();
    let (head, rest) = look.split_once('\n').unwrap();
    let more = format!("{head}\n@n0 begin environment\n{lines}@n0 end environment 0\n{rest}");
    for text in [&look, &more] {
        sandbox.write("a.look", text);
        for words in [
            &["drift", "lufta", "--facts", "a.look", TODAY[0], TODAY[1]][..],
            &["drift", "lufta", "--facts", "a.look", "--format", "json", TODAY[0], TODAY[1]],
            &["probe", "--from", "a.look", "--now", "2026-11-21T10:00:00Z"],
        ] {
            keeps(&sandbox.run(words), &secrets, &format!("{words:?}"));
        }
    }
    // The script asks for no environment, no secret and no shell history.
    for words in [&["probe", "--script"][..], &["drift", "--script"]] {
        let script = sandbox.run(words).ends(0).out;
        let output = Command::new("sh")
            .arg("-c")
            .arg(&script)
            .envs(secrets.iter().map(|secret| (secret.name, secret.value.as_str())))
            .stdin(Stdio::null())
            .output();
        assert_eq!(leaks(&output.unwrap().stdout, &secrets), Vec::<String>::new(), "{words:?}");
    }
}
