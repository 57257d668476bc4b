//! Nix's words about compiled fleets, as a Nix would say them.
#![allow(clippy::string_slice, reason = "a test fails by a panic")]

use super::{End, Evaluation, Heard, Limits, Next};
use crate::check::{SCAFFOLD, check_files};
use crate::compile::{compile, settings_of};
use crate::facts::Facts;
use crate::source::FleetFiles;
use crate::text::Templates;

/// The folder of the host's compiled files.
const FOLDER: &str = "/o/hosts/a";

/// What is told to an evaluation: the compiled files in, what Nix says of them out.
type Tell<'t> = &'t dyn Fn(&dyn Fn(&str) -> String) -> Vec<Heard>;

/// Evaluates the host `a` of these files: the findings as `RULE FILE:LINE:COLUMN MESSAGE`, and the compiled text of each cut.
fn told(files: &[(&str, &str)], tell: Tell<'_>) -> (Vec<String>, Vec<String>) {
    let mut all: Vec<(String, String)> =
        SCAFFOLD.iter().chain(files).map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    all[0].1 = all[0].1.replace("26.05", "26.11pre");
    let mut files = FleetFiles::in_memory(all);
    let (facts, templates) = (Facts::embedded(), Templates::new(Vec::<(String, String)>::new()).unwrap());
    check_files(&mut files, &facts, &[], "2026-11-21".parse().unwrap(), |fleet, _, sources| {
        let fleet = fleet.unwrap();
        let compiled = compile(fleet, &[], &facts, sources, &templates).unwrap();
        let host = &fleet.hosts[0];
        let text = |file: &str| {
            let path = format!("hosts/a/{file}");
            compiled.files.iter().find(|file| file.path == path).unwrap().text().to_owned()
        };
        let limits = Limits { seconds: 5, memory: 1 << 30 };
        let settings = settings_of(fleet, host, &facts, sources, &templates);
        let mut evaluation = Evaluation::new(host, sources, &compiled, settings, FOLDER.to_owned(), limits);
        let mut next = evaluation.start();
        let mut cut = Vec::new();
        for heard in tell(&text) {
            assert_ne!(next, Next::Done);
            next = evaluation.hear(&heard);
            if let Next::Ask(_, cuts) | Next::AskForWarnings(cuts) = &next {
                cut.extend(cuts.iter().map(|cut| text(&cut.file)[cut.range.clone()].to_owned()));
            }
        }
        assert_eq!(next, Next::Done);
        let found = evaluation.finish().into_iter().map(|evaluated| {
            let finding = evaluated.finding;
            let place = finding.primary.place;
            let position = sources.position(place);
            let file = sources.file(place.file).path();
            format!("{} {file}:{}:{} {}", finding.rule, position.line, position.column, finding.message)
        });
        (found.collect(), cut)
    })
}

fn error(text: &str) -> Heard {
    Heard { out: String::new(), err: text.to_owned(), end: End::Itself { success: false } }
}

fn well(out: &str) -> Heard {
    Heard { out: out.to_owned(), err: String::new(), end: End::Itself { success: true } }
}

const WELL: &str = r#"{"assertions":[],"warnings":[],"system":"x"}"#;

/// An error at a text of a compiled file.
fn error_at(text: &dyn Fn(&str) -> String, file: &str, needle: &str) -> Heard {
    let text = text(file);
    let offset = text.find(needle).unwrap_or_else(|| panic!("no {needle} in\n{text}"));
    let before = &text[..offset];
    let (line, column) = (before.matches('\n').count() + 1, offset - before.rfind('\n').map_or(0, |at| at + 1) + 1);
    error(&format!("error:\n       error: it is wrong\n       at {FOLDER}/{file}:{line}:{column}:\n"))
}

#[test]
fn a_place_in_a_compiled_file_leads_to_the_element_that_says_it_in_whichever_file_and_order() {
    let files = [
        (
            "modules/tools/module.toml",
            "kind = 'profile'\nsummary = 'x'\n[host.nixos]\nenvironment.systemPackages = { mkAfter = [{ literalExpression = 'pkgs.late' }] }\n",
        ),
        (
            "hosts/a/host.toml",
            "imports = ['tools']\n[nixos]\nenvironment.systemPackages = [\n  'vim',\n  { literalExpression = 'pkgs.one' },\n]\n\
             services.x = { literalExpression = '''\n  f {\n    a = b;\n  }\n''' }\n",
        ),
    ];
    let (found, cut) = told(&files, &|text| {
        vec![
            error_at(text, "nixos.nix", "pkgs.late"),
            error_at(text, "nixos.nix", "pkgs.one"),
            error_at(text, "nixos.nix", "b;"),
            error_at(text, "nixos.nix", "pkgs.vim"),
            well(WELL),
        ]
    });
    assert_eq!(
        found,
        [
            "eval-error modules/tools/module.toml:4:66 it is wrong",
            "eval-error hosts/a/host.toml:5:26 it is wrong",
            "eval-error hosts/a/host.toml:9:9 it is wrong",
            "eval-error hosts/a/host.toml:4:3 it is wrong",
        ]
    );
    assert_eq!(cut[0], "pkgs.late");
    assert_eq!(cut[1], "pkgs.one");
}

#[test]
fn options_of_services_and_files_of_the_user_are_places_too() {
    let files = [
        (
            "hosts/a/host.toml",
            "[services.gitea]\nkind = 'native'\noptions = { settings.server.HTTP_PORT = { literalExpression = 'port' } }\n",
        ),
        ("hosts/a/own.nix", "{ lib, ... }:\n{\n  services.nginx.enable = lib.no;\n}\n"),
    ];
    let (found, _) = told(&files, &|text| {
        vec![
            error_at(text, "services.nix", "port"),
            error_at(text, "user/own.nix", "lib.no;"),
            error(&format!("error: path '{FOLDER}/user/gone.nix' does not exist")),
        ]
    });
    assert_eq!(found, ["eval-error hosts/a/host.toml:3:64 it is wrong", "eval-error hosts/a/own.nix:3:27 it is wrong"]);
}

#[test]
fn an_option_is_found_by_the_name_in_a_message_and_what_lies_beside_it() {
    let host = "[nixos]\nnetworking.hostName = { literalExpression = '1' }\nservices.fail2ban = { enable = true, maxretry = 5 }\n";
    let files = [("hosts/a/host.toml", host)];
    let (found, cut) = told(&files, &|_| {
        vec![
            error(&format!(
                "error: The option `networking.hostName' has conflicting definition values:\n- In `{FOLDER}/nixos.nix': \"b\"\n- In `{FOLDER}': \"a\"\n"
            )),
            well(
                r#"{"assertions":[{"message":"services.fail2ban.maxretry must be set","file":null,"index":null}],"warnings":[],"system":null}"#,
            ),
            well(WELL),
        ]
    });
    assert_eq!(
        found,
        [
            "eval-error hosts/a/host.toml:2:45 the option `networking.hostName` has conflicting definition values",
            "eval-assertion hosts/a/host.toml:3:49 services.fail2ban.maxretry must be set",
        ]
    );
    assert_eq!(cut, ["networking.hostName = 1;"]);
}

#[test]
fn what_follows_from_something_left_out_is_not_reported_and_what_has_no_place_is_the_hosts() {
    let files = [("hosts/a/host.toml", "[nixos]\ntime.timeZone = { literalExpression = 'a' }\n")];
    let (found, _) = told(&files, &|text| {
        vec![
            error_at(text, "nixos.nix", "a;"),
            error("error: The option `time.timeZone' was accessed but has no value defined."),
        ]
    });
    assert_eq!(found, ["eval-error hosts/a/host.toml:2:40 it is wrong"]);
    let (found, _) = told(&files, &|_| vec![error("error: something of nixpkgs")]);
    assert_eq!(found, ["eval-error hosts/a/host.toml:1:1 something of nixpkgs"]);
}

#[test]
fn the_module_that_says_something_leads_to_what_is_set_of_its_options() {
    let files = [("hosts/a/host.toml", "[nixos]\nservices.smartd = { enable = true, autodetect = false }\n")];
    let (found, _) = told(&files, &|_| {
        vec![
            well(
                r#"{"assertions":[],"warnings":[{"message":"no disks","file":"/n/nixos/modules/smartd.nix","index":1}],"system":"x"}"#,
            ),
            well(r#"[["/n/nixos/modules/smartd.nix"],["/n/nixos/modules/smartd.nix"]]"#),
        ]
    });
    assert_eq!(found, ["eval-warning hosts/a/host.toml:2:30 no disks"]);
}

#[test]
fn a_host_that_evaluates_has_no_findings() {
    let files = [("hosts/a/host.toml", "")];
    let (found, cut) = told(&files, &|_| vec![well(WELL)]);
    assert!(found.is_empty() && cut.is_empty());
}
