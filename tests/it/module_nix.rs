//! default.nix.tera: the Nix that a module brings itself.

use hostwright::check::check_files;
use hostwright::compile::compile;
use hostwright::facts::Facts;
use hostwright::source::{Diagnostic, FleetFiles, Sources};
use hostwright::text::Templates;

use super::compile::{TODAY, compile_files, root};
use super::compile_nix::{evaluates, nixpkgs};

const MODULE: &str = "kind = 'service'\nsummary = 'Answers with a motto'\nprefix = 'services.motto'\nuser = 'motto'\n\
                      ports = [{ name = 'http', port = 8099 }]\nstate = [{ path = '/var/lib/motto' }]\n";
const TEMPLATE: &str = r#"{ lib, ... }:
{
  options.services.motto = {
    enable = lib.mkEnableOption "mottos";
    text = lib.mkOption { type = lib.types.str; };
  };
  config.systemd.services.{{ name }}.serviceConfig = {
    ExecStart = "/run/current-system/sw/bin/motto --listen 127.0.0.1:" + toString {{ ports.http }};
    WorkingDirectory = {{ state[0] }};
  };
  config.environment.etc.motto.text = {{ options.text }} + " on " + {{ host }};
}
"#;
const HOST: &str =
    "[services.greeting]\nkind = 'native'\nmodule = 'motto'\noptions = { text = \"it's ${HOME} \\\" ''\" }\n";

/// A fleet with a module of its own, which has this template.
fn fleet(template: &str) -> FleetFiles {
    let base = std::fs::read_to_string(root().join("tests/fleets/services/hosts/timers/host.toml")).unwrap();
    let machine = base.split("[services.").next().unwrap();
    let deploy = base.rsplit_once("[deploy]").unwrap().1;
    let of_fleet = std::fs::read_to_string(root().join("tests/fleets/services/fleet.toml")).unwrap();
    FleetFiles::in_memory([
        ("fleet.toml".to_owned(), of_fleet),
        ("hosts/h/host.toml".to_owned(), format!("{machine}{HOST}\n[deploy]{deploy}")),
        ("modules/motto/module.toml".to_owned(), MODULE.to_owned()),
        ("modules/motto/default.nix.tera".to_owned(), template.to_owned()),
    ])
}

/// Returns what is wrong with a template, as `RULE PATH:LINE: MESSAGE | LABEL`.
fn wrong(template: &str) -> Vec<String> {
    let shown = |found: &[Diagnostic], sources: &Sources| -> Vec<String> {
        let line = |finding: &Diagnostic| {
            let place = finding.primary.place;
            let (path, line) = (sources.file(place.file).path().to_owned(), sources.position(place).line);
            format!("{} {path}:{line}: {} | {}", finding.rule, finding.message, finding.primary.message)
        };
        found.iter().map(line).collect()
    };
    let (mut files, facts) = (fleet(template), Facts::embedded());
    check_files(&mut files, &facts, &[], TODAY.parse().unwrap(), |fleet, _, sources| {
        let fleet = fleet.unwrap();
        let own = fleet.fleet.templates.iter().map(|(name, file)| (name.clone(), sources.file(*file).text()));
        match Templates::new(own) {
            Ok(templates) => compile(fleet, &[], &facts, sources, &templates)
                .map_or_else(|found| shown(&found, sources), |_| Vec::new()),
            Err(error) => {
                vec![format!("{} line {}: {}", error.template, error.line.unwrap_or_default(), error.message)]
            }
        }
    })
}

#[test]
fn a_module_brings_its_own_nix_with_the_values_of_the_service_quoted() {
    let compiled = compile_files(&mut fleet(TEMPLATE), &Facts::embedded()).unwrap();
    let text = |path: &str| {
        compiled.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path}")).text().to_string()
    };
    assert!(text("hosts/h/default.nix").contains("./modules/service-greeting.nix"));
    let own = text("hosts/h/modules/service-greeting.nix");
    for wanted in
        ["systemd.services.\"greeting\"", "toString 8099", "\"/var/lib/motto\"", r#""it's \${HOME} \" ''""#, "\"h\""]
    {
        assert!(own.contains(wanted), "{wanted} is not in\n{own}");
    }
}

#[test]
fn options_that_a_module_declares_itself_are_not_called_unknown() {
    let said = |files: &mut FleetFiles| {
        check_files(files, &Facts::embedded(), &[], TODAY.parse().unwrap(), |_, outcome, _| {
            let of_options = outcome.checked.findings.iter().filter(|finding| finding.rule.starts_with("option-"));
            of_options.map(|finding| finding.message.clone()).collect::<Vec<_>>()
        })
    };
    assert_eq!(said(&mut fleet(TEMPLATE)), Vec::<String>::new());
    let mut without = fleet(TEMPLATE);
    without.files.remove("modules/motto/default.nix.tera");
    assert!(!said(&mut without).is_empty(), "nobody declares them");
}

#[test]
fn a_module_with_its_own_nix_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("a_module_with_its_own_nix_evaluates_without_a_warning") else { return };
    evaluates(&compile_files(&mut fleet(TEMPLATE), &Facts::embedded()).unwrap(), &nix, &tree);
}

#[test]
fn a_template_that_fails_or_yields_broken_nix_is_named_with_its_line() {
    let failing = wrong(&TEMPLATE.replace("state[0]", "no_such_value"));
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert!(failing[0].contains(" modules/motto/default.nix.tera:9: "), "{failing:?}");
    let broken = wrong(&TEMPLATE.replace("WorkingDirectory = {{ state[0] }};", "WorkingDirectory = = 1;"));
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(
        broken[0]
            .starts_with("nix-invalid modules/motto/default.nix.tera:9: the template yields Nix that does not parse"),
        "{broken:?}"
    );
    assert!(broken[0].ends_with("WorkingDirectory = = 1;"), "{broken:?}");
    let syntax = wrong(&TEMPLATE.replace("{{ host }}", "{{ host"));
    assert!(syntax.len() == 1 && syntax[0].starts_with("modules/motto/default.nix.tera line 11: "), "{syntax:?}");
}
