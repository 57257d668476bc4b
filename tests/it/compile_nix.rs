//! Compiled Nix, judged by the option index and by Nix itself.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hostwright::check::check_files;
use hostwright::compile::{Compiled, settings_of};
use hostwright::facts::{Facts, check_value};
use hostwright::nix::{Attrs, Value};
use hostwright::source::{Entry, FleetFiles, Item, Kind, NORMAL, Node, ORDER, Place, Table, load};
use hostwright::text::Templates;

use super::compile::{TODAY, compile_files, example, forms, root};

/// Returns a value as the definition that the option index is asked about; Nix expressions are not judged.
fn node(value: &Value, place: Place) -> Node {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(truth) => Kind::Bool(*truth),
        Value::Int(int) => Kind::Int(*int),
        Value::Float(float) => Kind::Float(float.value()),
        Value::Str(text) => Kind::Str(text.as_str().to_owned()),
        Value::List(values) => {
            Kind::List(values.iter().map(|value| Item { node: node(value, place), order: ORDER }).collect())
        }
        Value::Attrs(attrs) => Kind::Table(table(attrs, place)),
        Value::Prioritised { value, .. } | Value::Ordered { value, .. } => return node(value, place),
        Value::Path(_) | Value::Expr(_) | Value::Merge(_) => Kind::Nix("x".to_owned()),
    };
    Node { kind, place, priority: NORMAL }
}

fn table(attrs: &Attrs, place: Place) -> Table {
    attrs.iter().map(|(name, value)| (name.to_owned(), Entry { key: place, node: node(value, place) })).collect()
}

/// Returns what the option index of a release says about everything that a fleet's hosts set, one file left out.
fn faults(files: &mut FleetFiles, facts: &Facts, left_out: &str) -> String {
    let templates = Templates::new(Vec::<(String, String)>::new()).unwrap();
    check_files(files, facts, &[], TODAY.parse().unwrap(), |fleet, _, sources| {
        let mut out = String::new();
        for host in &fleet.unwrap().hosts {
            let index = facts.options(host.channel.channel.release.value).unwrap();
            let mut known = 0;
            let all = settings_of(fleet.unwrap(), host, facts, sources, &templates);
            for (file, settings) in all.into_iter().filter(|(file, _)| *file != left_out) {
                for definition in settings.iter() {
                    let loc: Vec<&str> = definition.path.iter().map(String::as_str).collect();
                    known += 1;
                    for fault in check_value(index, &loc, &node(&definition.value, definition.place)) {
                        let _ = writeln!(out, "{} {file}: {}: {}", host.name, fault.route.join("."), fault.message);
                    }
                }
            }
            assert!(known > 20, "{} sets hardly anything", host.name);
        }
        out
    })
}

#[test]
fn every_option_that_is_set_exists_and_takes_its_value() {
    let facts = Facts::embedded();
    assert_eq!(faults(&mut load(&root()).unwrap(), &facts, ""), "");
    assert_eq!(faults(&mut forms(), &facts, ""), "");
}

#[test]
fn a_host_of_an_old_release_sets_the_options_of_that_release() {
    let facts = Facts::embedded();
    let fleet = std::fs::read_to_string(root().join("tests/fleets/forms/fleet.toml")).unwrap();
    let old = fleet.replace("release = \"26.05\"", "release = \"20.09\"").replace("\"26.11pre\"", "\"20.09\"");
    let mut files = FleetFiles::in_memory([("fleet.toml", old)]);
    for host in ["twins", "both", "plain", "far"] {
        let path = format!("hosts/{host}/host.toml");
        let text = std::fs::read_to_string(root().join("tests/fleets/forms").join(&path)).unwrap();
        let text = text.replace("package = \"zfs_2_4\"\n", "");
        files.add(path, text);
    }
    // What stands below [nixos] is in its author's spelling.
    assert_eq!(faults(&mut files, &facts, "nixos.nix"), "");
}

/// Returns the command that evaluates with a nixpkgs tree, and the tree; or says that the test is skipped.
pub(crate) fn nixpkgs(test: &str) -> Option<(Vec<String>, String)> {
    let tree = std::env::var("HOSTWRIGHT_NIXPKGS").ok();
    let nix = std::env::var("HOSTWRIGHT_NIX").unwrap_or_else(|_| "nix-instantiate".to_owned());
    let Some(tree) = tree else {
        let required = std::env::var("HOSTWRIGHT_REQUIRE").unwrap_or_default();
        assert!(
            !required.split([',', ' ']).any(|name| name == "nixpkgs"),
            "nixpkgs is required: set HOSTWRIGHT_NIXPKGS"
        );
        eprintln!("skipped: {test}: HOSTWRIGHT_NIXPKGS names no tree");
        return None;
    };
    Some((nix.split_whitespace().map(str::to_owned).collect(), tree))
}

pub(crate) fn write(compiled: &Compiled, folder: &Path) {
    for file in &compiled.files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.bytes).unwrap();
    }
}

/// Linters in derivations would pull in Haskell, which trimmed trees lack.
pub(crate) const OVERLAYS: &str = "[ (final: prev: { shellcheck-minimal = prev.hello // { compiler.bootstrapAvailable = false; }; \
     shellcheck = prev.hello; pandoc = prev.hello // { compiler.bootstrapAvailable = false; }; }) ]";

/// Evaluates an expression with the command that [`nixpkgs`] returns: what it is, and what Nix said.
pub(crate) fn evaluate(nix: &[String], expression: &str) -> (serde_json::Value, String) {
    try_evaluate(nix, expression).unwrap_or_else(|said| panic!("{said}"))
}

/// The same; the error is what Nix said.
pub(crate) fn try_evaluate(nix: &[String], expression: &str) -> Result<(serde_json::Value, String), String> {
    let (program, arguments) = nix.split_first().unwrap();
    let output = Command::new(program)
        .args(arguments)
        .args(["--readonly-mode", "--eval", "--strict", "--json", "-E", expression])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok((serde_json::from_slice(&output.stdout).unwrap(), said)) } else { Err(said) }
}

/// Evaluates an expression over `out`, the outputs of a compiled fleet.
pub(crate) fn evaluate_over(
    compiled: &Compiled,
    nix: &[String],
    tree: &str,
    expression: &str,
) -> (serde_json::Value, String) {
    let folder = tempfile::tempdir().unwrap();
    write(compiled, folder.path());
    let path = folder.path().display();
    let whole = format!(
        "let out = import (/. + \"{path}\") {{ nixpkgs = \"{tree}\"; overlays = {OVERLAYS}; }}; in {expression}"
    );
    evaluate(nix, &whole)
}

/// Evaluates each host to its system derivation: no error, no failed assertion, no warning.
pub(crate) fn evaluates(compiled: &Compiled, nix: &[String], tree: &str) {
    for host in &compiled.hosts {
        let expression = format!(
            "let c = out.nixosConfigurations.\"{}\".config; in {{ drv = c.system.build.toplevel.drvPath; w = c.warnings; }}",
            host.name
        );
        let (read, said) = evaluate_over(compiled, nix, tree, &expression);
        assert!(!said.contains("evaluation warning"), "{}: {said}", host.name);
        assert_eq!(read["w"], serde_json::json!([]), "{}", host.name);
        assert!(read["drv"].as_str().unwrap().starts_with("/nix/store/"));
    }
}

#[test]
fn the_example_fleet_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("the_example_fleet_evaluates_without_a_warning") else { return };
    evaluates(&example(), &nix, &tree);
}

#[test]
fn every_form_of_a_definition_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("every_form_of_a_definition_evaluates_without_a_warning") else { return };
    evaluates(&compile_files(&mut forms(), &Facts::embedded()).unwrap(), &nix, &tree);
}

/// What breaks out of strings of Nix and of shells, comments, templates.
const HOSTILE: [&str; 12] = [
    "${builtins.throw \"out\"}",
    "$(touch /tmp/hostwright-was-here)",
    "`touch /tmp/hostwright-was-here`",
    "'' + abort \"out\" + ''",
    "\"; abort \"out\"; x = \"",
    "]] --force",
    "--help",
    "*/ } { #}} {{ host }} {% raw %}",
    "a'b\\\"c$d${e}''f",
    "; reboot #",
    "ä \u{1f600} \u{202e}",
    "!*?[a-z]~",
];

/// A host that says hostile things wherever a definition takes free text.
fn hostile(text: &str) -> FleetFiles {
    let host = std::fs::read_to_string(root().join("tests/fleets/forms/hosts/plain/host.toml")).unwrap();
    let word = toml_string(text);
    let path = toml_string(&format!("/srv/{}", text.replace('/', "|")));
    let name = toml_string(&format!("a.b {text}"));
    let lines = toml_string(&format!("first {text}\n  second\n{text}\n"));
    let host = host
        .replace("[machine]", &format!("role = {word}\ntime-zone = {word}\nlocale = {word}\n[machine]"))
        .replace("root-keys = [", &format!("root-keys = [{word}, "))
        .replace("{ name = \"root\", role", &format!("{{ name = \"more\", role = \"filesystem\", size = \"1GiB\", mount = {path} }},\n  {{ name = \"root\", role"));
    let host = format!(
        "{host}\n[access.users.u]\nkeys = [{word}]\nhome = {path}\n\
         [web]\nacme-email = {word}\n\
         [disks.z]\nid = \"z\"\n\
         [zfs.pools.p]\nvdevs = [{{ type = \"stripe\", members = [\"z\"] }}]\nproperties = {{ comment = {word} }}\n\
         root-properties = {{ \"org:note\" = {word} }}\n\
         [zfs.pools.p.datasets]\nd = {{ mount = {dataset}, owner = \"u\", properties = {{ \"org:note\" = {word} }} }}\n\
         [services.gitea]\nkind = \"native\"\noptions = {{ appName = {word}, stateDir = {path}, settings.{name} = {{ a = {lines} }} }}\n\
         vhost = {{ name = \"x.org\", path = {path} }}\n\
         [nixos]\nusers.motd = {lines}\nenvironment.etc.{name}.text = {lines}\nboot.kernelParams = [{word}]\n\
         system.nixos.tags = {{ mkBefore = [{word}] }}\n",
        dataset = toml_string(&format!("/pool/{}", text.replace('/', "|"))),
    );
    let fleet = std::fs::read_to_string(root().join("tests/fleets/forms/fleet.toml")).unwrap();
    FleetFiles::in_memory([("fleet.toml".to_owned(), fleet), ("hosts/h/host.toml".to_owned(), host)])
}

fn toml_string(text: &str) -> String {
    // JSON's escapes are TOML's.
    serde_json::to_string(text).unwrap()
}

#[test]
fn hostile_text_reaches_nix_as_the_same_text() {
    if !super::quoting::is_installed("nix-instantiate", "nix", "hostile_text_reaches_nix_as_the_same_text") {
        return;
    }
    let lib = "{ mkDefault = x: x; mkForce = x: x; mkBefore = x: x; mkIf = c: x: x; makeBinPath = x: \"\"; }";
    let mut expression = String::from("[\n");
    for text in HOSTILE {
        let compiled = compile_files(&mut hostile(text), &Facts::embedded()).unwrap();
        expression.push_str("{\n");
        for name in ["default", "disks", "access", "services", "nixos"] {
            let path = format!("hosts/h/{name}.nix");
            let file = compiled.files.iter().find(|file| file.path == path).unwrap();
            let arguments = format!("{{ lib = {lib}; pkgs = {{ curl = null; }}; config = {{ }}; }}");
            let _ =
                writeln!(expression, "{name} = builtins.removeAttrs (({}) {arguments}) [ \"imports\" ];", file.text());
        }
        expression.push_str("}\n");
    }
    expression.push(']');
    let read = super::quoting::evaluate(&expression);
    for (at, text) in HOSTILE.into_iter().enumerate() {
        let read = &read[at];
        let path = format!("/srv/{}", text.replace('/', "|"));
        let name = format!("a.b {text}");
        let lines = format!("first {text}\n  second\n{text}\n");
        assert_eq!(read["default"]["time"]["timeZone"], text);
        assert_eq!(read["default"]["i18n"]["defaultLocale"], text);
        assert_eq!(read["access"]["users"]["users"]["root"]["openssh"]["authorizedKeys"]["keys"][0], text);
        assert_eq!(read["access"]["users"]["users"]["u"]["home"], path.as_str());
        assert_eq!(read["disks"]["fileSystems"][&path]["fsType"], "ext4");
        assert_eq!(read["services"]["security"]["acme"]["defaults"]["email"], text);
        assert_eq!(read["services"]["services"]["gitea"]["appName"], text);
        assert_eq!(read["services"]["services"]["gitea"]["settings"][&name]["a"], lines.as_str());
        let locations = &read["services"]["services"]["nginx"]["virtualHosts"]["x.org"]["locations"];
        for location in [format!("= {path}"), format!("{path}/")] {
            assert!(locations[&location].is_object(), "{locations}");
        }
        assert_eq!(read["nixos"]["users"]["motd"], lines.as_str());
        assert_eq!(read["nixos"]["environment"]["etc"][&name]["text"], lines.as_str());
        assert_eq!(read["nixos"]["boot"]["kernelParams"][0], text);
    }
}

#[test]
fn hostile_text_reaches_the_commands_of_an_installation_as_the_same_arguments() {
    let folder = tempfile::tempdir().unwrap();
    for text in HOSTILE {
        let compiled = compile_files(&mut hostile(text), &Facts::embedded()).unwrap();
        let lines = super::compile_shell::dry_run(&compiled, "h", "pools", folder.path());
        let has = |arguments: &[String], wanted: &str| arguments.iter().any(|argument| argument == wanted);
        let create = lines.iter().find(|line| line.first().is_some_and(|word| word == "zpool")).unwrap();
        assert!(has(create, &format!("comment={text}")) && has(create, &format!("org:note={text}")), "{create:?}");
        let dataset = lines.iter().rfind(|line| line.first().is_some_and(|word| word == "zfs")).unwrap();
        assert!(has(dataset, &format!("org:note={text}")), "{dataset:?}");
        let lines = super::compile_shell::dry_run(&compiled, "h", "mount", folder.path());
        let place = format!("/mnt/srv/{}", text.replace('/', "|"));
        let mount = |line: &Vec<String>| line.first().is_some_and(|word| word == "mount") && has(line, &place);
        assert!(lines.iter().any(mount), "{lines:?}");
    }
    assert!(!Path::new("/tmp/hostwright-was-here").exists());
}
