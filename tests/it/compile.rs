//! Compiling, judged by files that people have read, by Nix and by the shell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostwright::check::check_files;
use hostwright::compile::{Compiled, OutFile, compile};
use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, load};
use hostwright::text::Templates;

/// The day on which everything here happens.
pub(crate) const TODAY: &str = "2026-11-21";

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a fleet; the error is what reading, resolving or compiling found at error level.
pub(crate) fn compile_files(files: &mut FleetFiles, facts: &Facts) -> Result<Compiled, Vec<String>> {
    check_files(files, facts, &[], TODAY.parse().unwrap(), |fleet, outcome, sources| {
        let said = |found: &[hostwright::source::Diagnostic]| -> Vec<String> {
            found.iter().map(|finding| format!("{}: {}", finding.rule, finding.message)).collect()
        };
        let Some(fleet) = fleet else { return Err(said(&outcome.checked.findings)) };
        let overrides = fleet.fleet.templates.iter().map(|(name, file)| (name.clone(), sources.file(*file).text()));
        let templates = Templates::new(overrides).map_err(|error| vec![error.to_string()])?;
        if fleet.hosts.len() < outcome.hosts {
            return Err(said(&outcome.checked.findings));
        }
        compile(fleet, &[], facts, sources, &templates).map_err(|found| said(&found))
    })
}

pub(crate) fn example() -> Compiled {
    let mut files = load(&root()).unwrap();
    compile_files(&mut files, &Facts::embedded()).unwrap()
}

fn texts(compiled: &Compiled) -> BTreeMap<String, String> {
    compiled.files.iter().map(|file| (file.path.clone(), file.text().to_owned())).collect()
}

/// Compares files with a folder below tests/golden, or with `UPDATE=1` writes them there.
fn golden(name: &str, files: &BTreeMap<String, String>) {
    let folder = root().join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        for (path, text) in files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        return;
    }
    let mut there = BTreeMap::new();
    below(&folder, &folder, &mut there);
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&there), names(files), "other files than tests/golden/{name} has; UPDATE=1 rewrites them");
    for (path, text) in files {
        assert!(
            there[path] == *text,
            "{path} differs from tests/golden/{name}; UPDATE=1 rewrites it, git diff shows it"
        );
    }
}

fn below(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_example_fleet_compiles_to_the_files_that_were_read() {
    golden("out-hexagone", &texts(&example()));
}

pub(crate) fn forms() -> FleetFiles {
    load(&root().join("tests/fleets/forms")).unwrap()
}

#[test]
fn every_form_of_a_definition_compiles_to_the_files_that_were_read() {
    let mut files = forms();
    golden("out-forms", &texts(&compile_files(&mut files, &Facts::embedded()).unwrap()));
}

#[test]
fn the_same_fleet_gives_the_same_bytes() {
    assert_eq!(example(), example());
}

#[test]
fn no_file_says_where_it_was_compiled() {
    let here = root();
    for (path, text) in texts(&example()) {
        assert!(!text.contains(here.to_str().unwrap()), "{path}");
    }
}

#[test]
fn nix_of_a_definition_that_is_no_nix_is_an_error_at_its_place() {
    let mut files = load(&root()).unwrap();
    let text = files.sources.text(files.files["hosts/attic/host.toml"]).to_string();
    files.add("hosts/attic/host.toml".to_owned(), text + "\n[nixos]\na.b = { literalExpression = \"x }; y = {\" }\n");
    let found = compile_files(&mut files, &Facts::embedded()).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("value-invalid: this is no expression of Nix"), "{found:?}");
}

#[test]
fn a_template_of_the_fleet_replaces_the_embedded_one_and_its_errors_are_told() {
    let mut files = load(&root()).unwrap();
    files.add("templates/dead-man.sh.tera".to_owned(), "echo mine\n".to_owned());
    let compiled = compile_files(&mut files, &Facts::embedded()).unwrap();
    let text = &texts(&compiled)["hosts/lufta/reboot-test.nix"];
    assert!(text.contains("script = \"echo mine\\n\";"), "{text}");
    let mut files = load(&root()).unwrap();
    files.add("templates/install/pools.sh.tera".to_owned(), "echo {{ nothing }}\n".to_owned());
    let found = compile_files(&mut files, &Facts::embedded()).unwrap_err();
    assert!(found[0].contains("`install/pools.sh.tera`"), "{found:?}");
}

#[test]
fn a_host_is_summed_up_by_how_it_boots_and_what_its_pools_hold() {
    let hosts = example().hosts;
    let words: Vec<&str> = hosts.iter().map(|host| host.words.as_str()).collect();
    assert_eq!(
        words,
        ["UEFI, systemd-boot · rpool mirror of 2, 929.3 GiB", "BIOS, grub · rpool raidz1 of 3 + log, 3.6 TiB"]
    );
    assert_eq!(hosts.iter().map(|host| host.scripts).collect::<Vec<_>>(), [4, 4]);
}

#[test]
fn a_pool_has_no_feature_that_a_system_which_may_import_it_lacks() {
    let set = |change: &dyn Fn(String) -> String| {
        let mut files = load(&root()).unwrap();
        let text = files.sources.text(files.files["hosts/lufta/host.toml"]).to_string();
        files.add("hosts/lufta/host.toml".to_owned(), change(text));
        let compiled = compile_files(&mut files, &Facts::embedded()).unwrap();
        let script = &texts(&compiled)["hosts/lufta/install/pools.sh"];
        let line = script.lines().find(|line| line.starts_with("limit_to ")).unwrap_or("none").to_owned();
        (line.split(' ').nth(1).unwrap_or("none").to_owned(), line.split(' ').count() - 1)
    };
    assert_eq!(set(&|text| text), ("openzfs-2.3".to_owned(), 1));
    let rescue = |version: &str| {
        let table = format!("[machine]\nrescue = {{ zfs = \"{version}\" }}");
        move |text: String| text.replace("[machine]", &table)
    };
    assert_eq!(set(&rescue("2.1.11")).0, "openzfs-2.1-linux");
    assert_eq!(set(&rescue("0.8.4")).0, "zol-0.8");
    // What has no such property is told each feature.
    let old_installer = |text: String| text.replace("method = \"kexec\"", "method = \"kexec\"\nzfs = \"0.8.4\"");
    let (name, words) = set(&old_installer);
    assert!(name == "zol-0.8" && words > 20, "{name} {words}");
    let boot_on_pool = |text: String| text.replace(", mount = \"/boot\"", "");
    assert_eq!(set(&boot_on_pool).0, "openzfs-2.3,grub2");
    let off = |text: String| text.replace("[zfs.pools.rpool]", "[zfs.pools.rpool]\ncompatibility = \"off\"");
    assert_eq!(set(&off).0, "none");
}

#[test]
fn what_the_page_on_booting_names_is_in_the_compiled_hosts() {
    let page = std::fs::read_to_string(root().join("docs/boot.md")).unwrap();
    let forms = compile_files(&mut forms(), &Facts::embedded()).unwrap();
    let all: String = example().files.iter().chain(&forms.files).map(OutFile::text).collect();
    // Settings and words of the kernel's line as they are compiled, each with the words of the page that claim it.
    for (claim, compiled) in [
        ("stands for 5 seconds", "timeout = lib.mkDefault 5"),
        ("Entry 0 is the default and the fallback", "set fallback=0"),
        ("Entry 0 is the default", "default = \"0\""),
        ("editor is off", "editor = lib.mkDefault false"),
        ("`EFI/BOOT` without an entry", "efiInstallAsRemovable = true"),
        ("(`mirroredBoots`)", "mirroredBoots = ["),
        ("mounted at `/boot-b`", "path = \"/boot-b\""),
        ("is `nofail`", "\"nofail\""),
        ("fails the\n  installation of the loader", "exit 1"),
        ("`forceImportRoot` and `forceImportAll` are off", "forceImportRoot = false"),
        ("`forceImportRoot` and `forceImportAll` are off", "forceImportAll = false"),
        ("`panic=30`", "\"panic=30\""),
        ("`oops=panic`", "\"oops=panic\""),
        ("`spl.spl_panic_halt=1`", "\"spl.spl_panic_halt=1\""),
        ("`boot.panic_on_fail`", "\"boot.panic_on_fail\""),
        ("Emergency mode is off", "enableEmergencyMode = false"),
        ("1 min while it runs", "RuntimeWatchdogSec = lib.mkDefault \"1min\""),
        ("10 min while it reboots", "RebootWatchdogSec = lib.mkDefault \"10min\""),
        ("`give-up-after` (10 min)", "OnBootSec = \"600s\""),
        ("`initrd-give-up-after` (5 min)", "sleep 300"),
        ("`HOSTWRIGHT_UNTESTED=1`", "HOSTWRIGHT_UNTESTED-"),
        ("last `console=`", "\"console=tty0\""),
    ] {
        assert!(page.contains(claim), "the page no longer says {claim:?}");
        assert!(all.contains(compiled), "the page says {claim:?}, and nothing compiles to {compiled:?}");
    }
    // A rule that the page names is one.
    for slug in page.split('`').skip(1).step_by(2).filter(|word| word.contains('-')) {
        let is_rule = hostwright::check::rules::find(slug).is_some();
        let schema = std::fs::read_to_string(root().join("docs/schema.md")).unwrap();
        let is_key = schema.contains(&format!("| {slug} |")) || schema.contains(&format!("**{slug}**"));
        let other = ["systemd-boot", "bios-boot", "/boot-b"].contains(&slug) || slug.contains([' ', '.', '=', '/']);
        assert!(is_rule || is_key || other, "{slug} is neither a rule nor a key");
    }
}
