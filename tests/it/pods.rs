//! Pods of a cluster as containers: the command line of podman and the unit around it, as real Nix evaluates them.

use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, load};
use serde_json::{Value, json};

use super::compile::{compile_files, root};
use super::compile_nix::{evaluate_over, nixpkgs};

/// The name of the host of tests/fleets/services that all this is on.
const HOST: &str = "pods";

/// Splits the script of a unit into the words that its shell would start podman with.
fn words(script: &str) -> Vec<String> {
    let line = script.split_once("exec podman").map(|(_, rest)| rest).unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("set -f; for word in {line}\ndo printf '%s\\0' \"$word\"; done")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Returns the words with which each of a host's containers is started, and its unit.
fn evaluated(test: &str) -> Option<Value> {
    let (nix, tree) = nixpkgs(test)?;
    let compiled =
        compile_files(&mut load(&root().join("tests/fleets/services")).unwrap(), &Facts::embedded()).unwrap();
    let expression = format!(
        "let c = out.nixosConfigurations.{HOST}.config; in builtins.mapAttrs (name: unit: {{ \
           inherit (unit) script after requires bindsTo wantedBy preStop postStop environment; \
           service = builtins.mapAttrs (_: value: if builtins.isList value then map toString value else value) unit.serviceConfig; \
           timer = (c.systemd.timers.${{name}} or {{ timerConfig = null; }}).timerConfig; \
         }}) (builtins.intersectAttrs {{ podman-shop = 0; podman-shop-prepare = 0; podman-shop-log = 0; podman-tidy = 0; \
           podman-seed = 0; podman-watcher = 0; clock = 0; count = 0; }} c.systemd.services)"
    );
    Some(evaluate_over(&compiled, &nix, &tree, &expression).0)
}

fn has(list: &Value, wanted: &str) -> bool {
    list.as_array().unwrap().iter().any(|item| item.as_str().unwrap().contains(wanted))
}

#[test]
fn a_pod_becomes_the_command_lines_and_units_that_kubernetes_would_have_meant() {
    let Some(units) = evaluated("a_pod_becomes_the_command_lines_and_units_that_kubernetes_would_have_meant") else {
        return;
    };
    let unit = |name: &str| &units[name];
    let alpine =
        "docker.io/library/alpine:3.22@sha256:4b7ce07002c69e8f3d704a9c5d6fd3053be500b7f1c69fc0d80990c2ad8dd412";

    let shop = unit("podman-shop");
    let line = words(shop["script"].as_str().unwrap());
    let start: Vec<String> = line.iter().take_while(|word| !word.starts_with("--pull")).cloned().collect();
    assert_eq!(
        start,
        [
            "run",
            "--name=shop",
            "--log-driver=journald",
            "--entrypoint=/app/shop",
            "--cidfile=/run/shop/ctr-id",
            "--cgroups=enabled",
            "--sdnotify=conmon",
            "-d",
            "--replace",
            "-e",
            "BANNER=line one\n  \"two\" costs $5 \\ 100%\n`id`",
            "-e",
            "LIMIT=10 %",
            "-p",
            "127.0.0.1:8085:8080/tcp",
            "-u",
            "1000:1000",
            "-v",
            "/srv/shop:/data",
            "-v",
            "/var/lib/shop/uploads:/uploads",
            "-w",
            "/app",
            "--rm",
        ]
    );
    let rest: Vec<&str> = line[start.len()..].iter().map(String::as_str).collect();
    assert_eq!(
        rest,
        [
            "--pull",
            "missing",
            "--network=services",
            "--add-host=clock:host-gateway",
            "--add-host=db.example.org:192.0.2.7",
            "--add-host=mirror:2001:db8::7",
            "--add-host=outside.shop.svc:host-gateway",
            "--group-add=44",
            "--group-add=video",
            "--tmpfs=/run/shop",
            "--tmpfs=/tmp:size=67108864",
            "--read-only",
            "--security-opt=no-new-privileges",
            "--stop-timeout=30",
            "ghcr.io/example/shop:v2.4.1@sha256:0d4c7a4b8c6cbb79d2a7d4b9a7f1a3a3a9e4ef2b5f87d7a4a1c6f9b9f3a2d004",
            "--greeting",
            "it's 5 o'clock\nsomewhere",
        ]
    );
    let service = &shop["service"];
    assert_eq!((&service["Restart"], &service["Type"]), (&json!("always"), &json!("notify")));
    assert_eq!(service["RestartSec"], json!(5));
    assert!(
        has(&shop["requires"], "podman-shop-prepare.service") && has(&shop["after"], "podman-shop-prepare.service")
    );
    let post = service["ExecStartPost"][0].as_str().unwrap();
    assert!(post.starts_with("/nix/store/"), "{post}");
    assert!(
        post.ends_with("/bin/podman exec shop sh \"-c\" \"test -e \\\"$$HOME\\\" || echo '100 %%' >&2\""),
        "{post}"
    );
    let stop = service["ExecStop"].as_array().unwrap();
    assert!(stop[0].as_str().unwrap().starts_with("-/nix/store/"), "{stop:?}");
    assert!(
        stop[0].as_str().unwrap().ends_with("/bin/podman exec shop /app/shop drain") && stop.len() == 2,
        "{stop:?}"
    );
    // What shares its network goes before it: podman removes no container whose network another one has.
    let after = shop["postStop"].as_str().unwrap();
    assert!(after.find("podman rm --force --ignore shop-log || true").unwrap() < after.find("ctr-id").unwrap());
    assert!(has(&service["ExecStartPre"], "shop-network"), "{service}");

    let prepare = unit("podman-shop-prepare");
    let line = words(prepare["script"].as_str().unwrap());
    for flag in ["--detach=false", "--sdnotify=ignore", "--log-driver=none", "--entrypoint=sh"] {
        assert!(line.iter().any(|word| word == flag), "{flag}: {line:?}");
    }
    // The last of two flags counts.
    let at = |flag: &str| line.iter().position(|word| word == flag).unwrap();
    assert!(at("-d") < at("--detach=false") && at("--sdnotify=conmon") < at("--sdnotify=ignore"));
    let command = ["-c", "set -e\nfor name in cache queue\ndo\n  mkdir -p \"/data/$name\"\ndone\n"];
    assert_eq!(line[line.len() - 3..], [alpine, command[0], command[1]]);
    let service = &prepare["service"];
    for (key, value) in [
        ("Type", json!("oneshot")),
        ("NotifyAccess", json!("none")),
        ("Restart", json!("on-failure")),
        ("RestartMode", json!("direct")),
        ("RemainAfterExit", Value::Null),
    ] {
        assert_eq!(service[key], value, "{key}");
    }
    assert_eq!(prepare["wantedBy"], json!([]), "it runs when the pod starts, and at no other time");

    let log = unit("podman-shop-log");
    let line = words(log["script"].as_str().unwrap());
    let networks: Vec<&String> = line.iter().filter(|word| word.starts_with("--network")).collect();
    assert_eq!(networks, ["--network=container:shop"]);
    assert!(!line.iter().any(|word| word.starts_with("--add-host") || word == "-p"), "{line:?}");
    for option in ["after", "bindsTo", "wantedBy"] {
        assert!(has(&log[option], "podman-shop.service"), "{option}");
    }
    assert!(!has(&log["after"], "shop-ready") && !has(&log["wantedBy"], "multi-user"), "{log}");
    assert!(!has(&log["requires"], "podman-network"));
}

#[test]
fn the_folders_that_volumes_come_from_are_made_and_belong_to_who_writes_there() {
    let compiled =
        compile_files(&mut load(&root().join("tests/fleets/services")).unwrap(), &Facts::embedded()).unwrap();
    let path = format!("hosts/{HOST}/services.nix");
    let text = compiled.files.iter().find(|file| file.path == path).unwrap().text().to_owned();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        // Its dataset is mounted there: nothing is made, its owner is set.
        "\"/srv/shop\".z = { group = \"1000\"; mode = \"0750\"; user = \"1000\"; };",
        // Three containers have it; the one that comes first and writes says whose it is.
        "\"/var/lib/shop/uploads\".d = { group = \"1000\"; mode = \"0750\"; user = \"1000\"; };",
        // What a container only reads belongs to somebody else, if it is there at all.
        "\"/var/lib/shop/parsers\".d = { };",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(text.matches("/var/lib/shop/uploads\".d").count(), 1);
}

#[test]
fn jobs_run_to_their_end_when_they_are_told_to() {
    let Some(units) = evaluated("jobs_run_to_their_end_when_they_are_told_to") else { return };
    let of = |name: &str, key: &str| units[name]["service"][key].clone();
    let when = ["*-*-1,15 04:00 Europe/Berlin", "Mon 04:00 Europe/Berlin"];
    assert_eq!(units["podman-tidy"]["timer"], json!({ "OnCalendar": when, "Persistent": false }));
    assert_eq!(units["podman-tidy"]["wantedBy"], json!([]));
    assert_eq!((of("podman-tidy", "Type"), of("podman-tidy", "Restart")), (json!("oneshot"), json!("no")));
    assert_eq!((of("podman-tidy", "TimeoutStartSec"), of("podman-tidy", "RuntimeMaxSec")), (json!(1800), Value::Null));
    assert_eq!(of("podman-tidy", "RemainAfterExit"), Value::Null);

    assert_eq!((of("podman-seed", "Type"), of("podman-seed", "RemainAfterExit")), (json!("oneshot"), json!(true)));
    assert!(has(&units["podman-seed"]["wantedBy"], "multi-user.target"));
    assert!(has(&units["podman-seed"]["after"], "shop-ready.service"));

    assert_eq!((of("podman-watcher", "RuntimeMaxSec"), of("podman-watcher", "Type")), (json!(86_400), json!("notify")));
    assert_eq!((of("clock", "RuntimeMaxSec"), of("clock", "Restart")), (json!(604_800), json!("always")));

    // systemd expands specifiers in variables.
    assert_eq!(units["clock"]["environment"]["NOTE"], json!("two lines:\n100 %% of \"both\""));

    assert_eq!(units["count"]["timer"]["OnCalendar"], json!(["Mon 05:00", "*-*-1 05:00"]));
    assert_eq!((of("count", "TimeoutStartSec"), of("count", "Type")), (json!(60), json!("oneshot")));
    assert_eq!((of("count", "Restart"), of("count", "RestartSec")), (json!("on-failure"), json!(5)));
}

/// Returns what is said of a host whose services are these.
fn said(services: &str) -> Vec<String> {
    let base = std::fs::read_to_string(root().join("tests/fleets/services/hosts/timers/host.toml")).unwrap();
    let base = base.split("[services.").next().unwrap();
    let fleet = std::fs::read_to_string(root().join("tests/fleets/services/fleet.toml")).unwrap();
    let host =
        format!("{base}\n{services}\n[deploy]\ntarget = 'root@192.0.2.109'\nwatch = [{{ ping = '192.0.2.109' }}]\n");
    let mut files = FleetFiles::in_memory([("fleet.toml", fleet), ("hosts/timers/host.toml", host)]);
    compile_files(&mut files, &Facts::embedded()).map_or_else(|found| found, |_| Vec::new())
}

#[test]
fn what_no_container_can_be_is_an_error() {
    let container = |name: &str, keys: &str| {
        format!("[services.{name}]\nkind = 'container'\nimage = 'docker.io/library/redis:7.4'\n{keys}\n")
    };
    let main = container("main", "");
    let cases = [
        ("network-of = 'main'\nports = [{ port = 80 }]", "ports beside network-of"),
        ("network-of = 'main'\nnetworks = ['x']", "networks beside network-of"),
        ("network-of = 'main'\naliases = ['x']", "aliases beside network-of"),
        ("network-of = 'main'\nhostname = 'x'", "hostname beside network-of"),
        ("network-of = 'main'\nhost-network = true", "host-network beside network-of"),
        ("network-of = 'main'\nhosts = { a = '192.0.2.1' }", "hosts beside network-of"),
        ("network-of = 'nobody'", "there is no service `nobody`"),
        ("type = 'notify'", "cannot be `notify`"),
        ("type = 'oneshot'\nrestart = 'always'", "cannot be `always`"),
        ("schedule = 'daily'\nrestart = 'always'", "cannot be `always`"),
        ("type = 'oneshot'\nready = { tcp = 80 }", "ready beside a run to its end"),
        ("type = 'oneshot'\nafter-start = ['true']", "after-start beside a run to its end"),
        ("schedule = 'daily'\nbefore-stop = ['true']", "before-stop beside a run to its end"),
        ("schedule = 'daily UTC'\ntime-zone = 'Europe/Berlin'", "cannot be `Europe/Berlin`"),
        ("tmpfs = ['/a:exec']", "cannot be `/a:exec`"),
        ("volumes = [{ source = '/a', target = '/a:ro' }]", "cannot be `/a:ro`"),
        ("hosts = { a = 'here' }", "cannot be `here`"),
        ("groups = ['a b']", "cannot be `a b`"),
        ("migrates-from = { cluster = 'work', workload = 'a/Deployment/b' }", "there is no cluster `work`"),
    ];
    for (keys, wanted) in cases {
        let found = said(&format!("{main}{}", container("side", keys)));
        assert!(found.iter().any(|line| line.contains(wanted)), "{keys}: {found:?}");
    }
    for (main, wanted) in [
        (container("main", "type = 'oneshot'"), "`main` runs to its end"),
        (container("main", "network-of = 'other'") + &container("other", ""), "`main` has no network of its own"),
        ("[services.main]\nkind = 'command'\nexec = 'true'\n".to_owned(), "`main` is no container"),
    ] {
        let found = said(&format!("{main}{}", container("side", "network-of = 'main'")));
        assert!(found.iter().any(|line| line.contains(wanted)), "{main}: {found:?}");
    }
    // Neither key says anything that is not so.
    let side = container("side", "network-of = 'main'\nhost-network = false\nnetworks = []");
    assert!(said(&format!("{main}{side}")).iter().all(|line| !line.contains("beside")));
}

/// Returns the arguments of a container as tests/pods/README.md has them: options in their long form without those that every container
/// of NixOS has, sorted, and what stands behind them.
fn arguments(words: &[String]) -> (Vec<String>, Vec<String>) {
    let long = |word: &str| match word {
        "-e" => Some("--env"),
        "-p" => Some("--publish"),
        "-u" => Some("--user"),
        "-v" => Some("--volume"),
        "-w" => Some("--workdir"),
        "--pull" => Some("--pull"),
        "--env-file" => Some("--env-file"),
        _ => None,
    };
    assert_eq!(words[0], "run");
    let (mut options, mut rest) = (Vec::new(), &words[1..]);
    while let [first, behind @ ..] = rest {
        if !first.starts_with('-') {
            break;
        }
        rest = behind;
        match long(first) {
            Some(name) => {
                options.push(format!("{name}={}", behind[0]));
                rest = &behind[1..];
            }
            None => options.push(first.clone()),
        }
    }
    let every = ["--name=", "--log-driver=", "--cidfile=", "--cgroups=", "--sdnotify="];
    let plain = ["-d", "--detach=false", "--replace", "--rm", "--pull=missing"];
    options.retain(|word| !every.iter().any(|name| word.starts_with(name)) && !plain.contains(&word.as_str()));
    options.sort();
    (options, rest.to_vec())
}

#[test]
fn podman_is_told_of_each_pod_what_the_documentation_says_once_nixos_has_evaluated_it() {
    use super::compile::TODAY;
    use super::compile_nix::{OVERLAYS, try_evaluate};
    use super::migrated::{base, judged, migrate};
    let test = "podman_is_told_of_each_pod_what_the_documentation_says_once_nixos_has_evaluated_it";
    let Some((nix, tree)) = nixpkgs(test) else { return };
    let entries = std::fs::read_dir(root().join("tests/pods")).unwrap().map(|entry| entry.unwrap().path());
    let mut pods: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    pods.sort();
    assert!(pods.len() >= 30);
    let said = judged(&pods, |pod| {
        let sandbox = base();
        migrate(&sandbox, pod);
        sandbox.run(&["build", "--today", TODAY]).ends(0);
        let expression = format!(
            "(import (/. + \"{}\") {{ nixpkgs = \"{tree}\"; overlays = {OVERLAYS}; }})\
             .nixosConfigurations.lufta.config.systemd.services.podman-web.script",
            sandbox.path().join("out").display()
        );
        let script = try_evaluate(&nix, &expression).unwrap_or_else(|said| panic!("{}: {said}", pod.display())).0;
        let made = arguments(&words(script.as_str().unwrap()));
        let wanted = std::fs::read_to_string(pod.with_extension("args")).unwrap();
        let wanted: Vec<String> = wanted.lines().map(|line| line.replace("\\n", "\n")).collect();
        let mut all = vec!["run".to_owned()];
        all.extend(wanted);
        let wanted = arguments(&all);
        (made != wanted).then(|| format!("{}\n  made   {made:?}\n  wanted {wanted:?}", pod.display()))
    });
    assert!(said.is_empty(), "{}", said.join("\n"));
}
