//! `check --changed-since`, with a real git.

use std::process::Command;

use serde_json::Value;

use crate::program::{Run, Sandbox};

/// A fleet below `folder` of a repository, with hosts that each have a finding of their own: nothing of them is watched.
struct Repository {
    sandbox: Sandbox,
    folder: &'static str,
}

/// Returns a host that nothing watches, at an address of its own.
fn host(number: u8, more: &str) -> String {
    format!(
        "{more}\n[deploy]\nwatch = {{ mkForce = [] }}\n[network.interfaces.lan]\nmatch = {{ mac = '02:00:00:00:00:0{number}' }}\n\
         addresses = ['192.0.2.1{number}/24']\ngateways = ['192.0.2.1']\n"
    )
}

impl Repository {
    /// A repository whose only commit has the hosts a, b and c, which import the modules `scaffold` and, but for a, `extra`; c runs the
    /// channel `other`.
    fn new(folder: &'static str) -> Self {
        let this = Self { sandbox: Sandbox::empty(), folder };
        for (path, text) in hostwright::check::SCAFFOLD {
            this.write(path, text);
        }
        let fleet = this.read("fleet.toml");
        let other =
            fleet.lines().skip_while(|line| *line != "[channels.stable]").take(4).collect::<Vec<_>>().join("\n");
        this.write("fleet.toml", &format!("{fleet}\n{}\n", other.replace("stable", "other")));
        this.write("modules/extra/module.toml", "kind = 'profile'\nsummary = 'x'\n[host]\nlocale = 'en_GB.UTF-8'\n");
        this.write("hosts/a/host.toml", &host(1, ""));
        this.write("hosts/b/host.toml", &host(2, "imports = ['extra']"));
        this.write("hosts/c/host.toml", &host(3, "imports = ['extra']\nchannel = 'other'"));
        this.git(&["init", "-q", "-b", "main"]);
        this.commit("first");
        this
    }

    fn path(&self, path: &str) -> String {
        if self.folder.is_empty() { path.to_owned() } else { format!("{}/{path}", self.folder) }
    }

    fn write(&self, path: &str, text: &str) {
        self.sandbox.write(&self.path(path), text);
    }

    fn read(&self, path: &str) -> String {
        self.sandbox.read(&self.path(path))
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.sandbox.path().join(self.path(path))).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        git_in(self.sandbox.path(), arguments);
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let fleet = if self.folder.is_empty() { "." } else { self.folder };
        let path = std::env::var("PATH").unwrap();
        let arguments = [&["--fleet", fleet, "check", "--today", "2026-11-21"], arguments].concat();
        self.sandbox.run_with(&[("PATH", path.as_str())], &arguments)
    }

    /// Returns the hosts that are checked, by the finding that each has; `!` before those with another finding.
    fn checked(&self, since: &str) -> String {
        let run = self.run(&["--format", "json", "--changed-since", since]);
        let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
        let mut hosts: Vec<String> = Vec::new();
        for finding in document["findings"].as_array().unwrap() {
            let Some(host) = finding["host"].as_str() else { continue };
            hosts.push(if finding["rule"] == "watch-missing" { host.to_owned() } else { format!("!{host}") });
        }
        hosts.sort();
        hosts.dedup();
        let names: std::collections::BTreeSet<&str> = hosts.iter().map(|host| host.trim_start_matches('!')).collect();
        assert_eq!(document["summary"]["hosts"], names.len(), "{hosts:?}");
        hosts.join(" ")
    }
}

fn git_in(folder: &std::path::Path, arguments: &[&str]) {
    let who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "protocol.file.allow=always"];
    let output =
        Command::new("git").args(who).args(arguments).current_dir(folder).env("HOME", folder).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn only_hosts_that_see_a_change_are_checked() {
    for folder in ["", "deep/fleets/home"] {
        let fleet = Repository::new(folder);
        assert_eq!(fleet.checked("HEAD"), "");
        fleet.run(&["--changed-since", "HEAD"]).ends(0).says("no hosts");
        fleet.write("README.md", "beside the fleet\n");
        fleet.write("out/x", "x\n");
        assert_eq!(fleet.checked("HEAD"), "");

        fleet.write("hosts/a/host.toml", &host(4, ""));
        assert_eq!(fleet.checked("HEAD"), "a", "not committed");
        fleet.git(&["add", "--all"]);
        assert_eq!(fleet.checked("HEAD"), "a", "in the index");
        fleet.commit("second");
        assert_eq!(fleet.checked("HEAD~1"), "a");
        assert_eq!(fleet.checked("HEAD"), "");

        fleet.write("hosts/b/more.nix", "{ }\n");
        assert_eq!(fleet.checked("HEAD"), "b", "not tracked");
        assert_eq!(fleet.checked("HEAD~1"), "a b");
        fleet.sandbox.write(".gitignore", "*.nix\n");
        assert_eq!(fleet.checked("HEAD"), "b", "ignored, but read");
        fleet.remove("hosts/b/more.nix");
        fleet.commit("third");

        fleet.write("modules/extra/module.toml", "kind = 'profile'\nsummary = 'y'\n");
        assert_eq!(fleet.checked("HEAD"), "b c");
        fleet.git(&["checkout", "-q", "."]);
        fleet.write("templates/install.sh.tera", "x\n");
        assert_eq!(fleet.checked("HEAD"), "a b c", "every host sees the templates");
        fleet.remove("templates/install.sh.tera");
        fleet.run(&["--changed-since", "HEAD~2", "b"]).ends(0).says("no hosts");
        fleet.run(&["--changed-since", "HEAD~2", "a", "b"]).ends(0).says("1 host,");
    }
}

#[test]
fn hosts_see_the_files_of_the_fleet_that_they_name() {
    let fleet = Repository::new("");
    let site =
        "[services.s]\nkind = 'static-site'\nsource = 'sites/s'\nvhost = { name = 's.example.org', tls = 'none' }\n";
    let file = "[services.c]\nkind = 'command'\nexec = 'true'\nfiles = [{ path = '/etc/x', source = 'shared/x' }]\n";
    fleet.write("sites/s/index.html", "s\n");
    fleet.write("shared/x", "x\n");
    fleet.write(
        "hosts/a/host.toml",
        &format!("{}{site}[network.firewall]\ntcp = {{ mkForce = [22, 80, 443] }}\n", host(1, "")),
    );
    fleet.write("hosts/b/host.toml", &format!("{}{file}", host(2, "")));
    fleet.commit("second");
    assert_eq!(fleet.checked("HEAD"), "");
    fleet.write("shared/x", "y\n");
    assert_eq!(fleet.checked("HEAD"), "b");
    fleet.git(&["checkout", "-q", "."]);
    fleet.write("sites/s/more.html", "new\n");
    assert!(fleet.checked("HEAD").ends_with('a'), "not tracked");
    fleet.commit("third");
    fleet.remove("sites/s/more.html");
    assert!(fleet.checked("HEAD").ends_with('a'), "gone");
    fleet.write("shared/y", "nobody's\n");
    fleet.git(&["checkout", "-q", "."]);
    assert_eq!(fleet.checked("HEAD"), "");
}

#[test]
fn of_fleet_toml_hosts_see_what_is_theirs() {
    let fleet = Repository::new("");
    let text = fleet.read("fleet.toml");
    let since = |changed: String| {
        fleet.write("fleet.toml", &changed);
        fleet.checked("HEAD")
    };
    assert_eq!(since(format!("# a comment moves every line\n\n{text}")), "");
    assert_eq!(since(text.replace("release = ", "release   =   ")), "");
    let (others, other) = text.split_once("[channels.other]").unwrap();
    let newer = other.replace("a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4", "b5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4");
    assert_eq!(since(format!("{others}[channels.other]{newer}")), "c");
    assert_eq!(since(text.replacen("a5cc6f2", "b5cc6f2", 1)), "a b c", "the deployer's channel");
    assert_eq!(since(format!("{text}[channels.third]\nrelease = '26.11pre'\n")), "", "a channel that no host has");
    assert_eq!(since(text.replace("imports = [\"scaffold\"]", "imports = [\"scaffold\"]\nrole = 'x'")), "a b c");
    assert_eq!(since(format!("allow = [{{ rule = 'channel-unpinned', reason = 'x' }}]\n{text}")), "");
    // A host whose channel is gone cannot be read any more, and that is said.
    assert_eq!(since(others.to_owned()), "!c");
    fleet.write("fleet.toml", "[fleet");
    fleet.run(&["--changed-since", "HEAD"]).ends(2).says("toml-invalid");
}

#[test]
fn hosts_that_are_new_renamed_or_gone_are_told_apart() {
    let fleet = Repository::new("");
    fleet.git(&["mv", "hosts/a", "hosts/z"]);
    assert_eq!(fleet.checked("HEAD"), "z");
    fleet.commit("renamed");
    fleet.git(&["rm", "-rq", "hosts/b"]);
    assert_eq!(fleet.checked("HEAD"), "");
    assert_eq!(fleet.checked("HEAD~1"), "z");
    fleet.write("hosts/new/host.toml", &host(5, ""));
    assert_eq!(fleet.checked("HEAD"), "new");
    fleet.remove("modules/extra/module.toml");
    assert_eq!(fleet.checked("HEAD"), "!c new", "a module that is gone is told to who imports it");
}

#[test]
fn what_a_changed_host_shares_with_others_is_reported() {
    let fleet = Repository::new("");
    // The address of c: the finding is with the host that changed, whichever comes first by name.
    fleet.write("hosts/a/host.toml", &host(1, "").replace("192.0.2.11", "192.0.2.13"));
    let run = fleet.run(&["--changed-since", "HEAD", "--format", "json"]).ends(1);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let conflicts: Vec<&Value> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["rule"] == "address-conflict")
        .collect();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0]["file"], "hosts/a/host.toml");
    assert_eq!(conflicts[0]["related"][0]["file"], "hosts/c/host.toml");
    fleet.git(&["checkout", "-q", "."]);

    // What b says of its tunnel depends on c, the other end.
    let end = |number: u8, key: &str, peer: &str| {
        format!(
            "{}\n[network.interfaces.wg0]\nkind = 'wireguard'\naddresses = ['10.0.0.{number}/24']\nprivate-key = 'k'\n\
             public-key = '{key}'\nlisten-port = 51820\npeers = [{{ host = '{peer}' }}]\n[secrets.items]\nk = {{}}\n",
            host(number, "network.firewall.udp = [51820]")
        )
    };
    fleet.write("hosts/b/host.toml", &end(2, "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=", "c"));
    fleet.write("hosts/c/host.toml", &end(3, "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "b"));
    fleet.commit("a tunnel");
    assert_eq!(fleet.checked("HEAD"), "");
    fleet.git(&["rm", "-rq", "hosts/c"]);
    assert_eq!(fleet.checked("HEAD"), "!b", "its other end is gone");
}

#[test]
fn symbolic_links_worktrees_and_submodules_are_followed() {
    let fleet = Repository::new("home");
    fleet.sandbox.write("home/shared/common.nix", "{ }\n");
    std::os::unix::fs::symlink("../../shared/common.nix", fleet.sandbox.path().join("home/hosts/b/common.nix"))
        .unwrap();
    fleet.commit("a link");
    assert_eq!(fleet.checked("HEAD"), "");
    fleet.sandbox.write("home/shared/common.nix", "{ services.openssh.enable = true; }\n");
    assert_eq!(fleet.checked("HEAD"), "b");
    fleet.git(&["checkout", "-q", "."]);

    fleet.git(&["worktree", "add", "-q", "elsewhere"]);
    fleet.sandbox.write("elsewhere/home/hosts/a/x.nix", "{ }\n");
    let path = std::env::var("PATH").unwrap();
    let check = |folder: &str| {
        let arguments = ["--fleet", folder, "check", "--today", "2026-11-21", "--changed-since", "HEAD"];
        fleet.sandbox.run_with(&[("PATH", path.as_str())], &arguments)
    };
    check("elsewhere/home").ends(0).says("1 host,");

    // The whole fleet as a submodule of another repository, and a host of a fleet as one.
    let outer = tempfile::tempdir().unwrap();
    git_in(outer.path(), &["init", "-q", "-b", "main"]);
    git_in(outer.path(), &["submodule", "add", "-q", fleet.sandbox.path().to_str().unwrap(), "fleets"]);
    std::fs::write(outer.path().join("fleets/home/hosts/a/x.nix"), "{ }\n").unwrap();
    check(outer.path().join("fleets/home").to_str().unwrap()).ends(0).says("1 host,");
    let one = tempfile::tempdir().unwrap();
    std::fs::write(one.path().join("host.toml"), host(7, "")).unwrap();
    git_in(one.path(), &["init", "-q", "-b", "main"]);
    git_in(one.path(), &["add", "--all"]);
    git_in(one.path(), &["commit", "-q", "-m", "x"]);
    fleet.git(&["submodule", "add", "-q", one.path().to_str().unwrap(), "home/hosts/sub"]);
    fleet.commit("a host of elsewhere");
    assert_eq!(fleet.checked("HEAD"), "");
    fleet.write("hosts/sub/host.toml", &host(8, ""));
    assert_eq!(fleet.checked("HEAD"), "sub");
}

#[test]
fn a_shallow_clone_and_a_revision_that_is_not_there_show_the_way() {
    let fleet = Repository::new("");
    fleet.commit("second");
    let path = std::env::var("PATH").unwrap();
    for revision in ["nowhere", "HEAD~7", "0000000000000000000000000000000000000000", "HEAD:fleet.toml", "a..b"] {
        let run = fleet.run(&["--changed-since", revision, "--format", "json"]).ends(2);
        assert_eq!(run.out, "");
        run.complains("there is no revision").complains("git fetch");
    }
    fleet.run(&["--changed-since=--output=x"]).ends(2).complains("there is no revision");
    assert!(!fleet.sandbox.path().join("x").exists());

    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", fleet.sandbox.path().display());
    git_in(clone.path(), &["clone", "-q", "--depth", "1", &from, "shallow"]);
    let shallow = clone.path().join("shallow");
    let arguments = ["--fleet", shallow.to_str().unwrap(), "check", "--changed-since", "HEAD~1"];
    let run = fleet.sandbox.run_with(&[("PATH", path.as_str())], &arguments).ends(2);
    run.complains("there is no revision `HEAD~1`").complains("the clone is shallow").complains("fetch-depth: 0");
}

#[test]
fn outside_of_git_and_without_git_it_says_so() {
    let sandbox = Sandbox::small();
    let path = std::env::var("PATH").unwrap();
    let arguments = ["check", "--changed-since", "HEAD", "--format", "sarif"];
    let run = sandbox.run_with(&[("PATH", path.as_str())], &arguments).ends(2);
    assert_eq!(run.out, "");
    run.complains("lies in none").complains("without `--changed-since`");
    let run = sandbox.run_with(&[("PATH", "/nowhere")], &arguments).ends(2);
    assert_eq!(run.out, "");
    run.complains("git, which cannot be run").complains("install git");
    // A repository without a commit, and one whose folder of work is elsewhere.
    git_in(sandbox.path(), &["init", "-q"]);
    sandbox.run_with(&[("PATH", path.as_str())], &arguments).ends(2).complains("there is no revision `HEAD`");
    sandbox.run(&["check", "--today", "2026-11-21"]).ends(0);
}

#[test]
fn nothing_of_the_repository_is_run() {
    let fleet = Repository::new("");
    let witness = fleet.sandbox.path().join("witness");
    let hook = fleet.sandbox.path().join("hook");
    std::fs::write(&hook, format!("#!/bin/sh\ntouch '{}'\n", witness.display())).unwrap();
    let mut about = std::fs::metadata(&hook).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut about, 0o755);
    std::fs::set_permissions(&hook, about).unwrap();
    for key in ["core.fsmonitor", "diff.external", "core.pager"] {
        fleet.git(&["-c", "core.fsmonitor=false", "config", key, hook.to_str().unwrap()]);
    }
    fleet.write("hosts/a/host.toml", &host(4, ""));
    assert_eq!(fleet.checked("HEAD"), "a");
    assert!(!witness.exists(), "a program of the repository's configuration was started");
}
