use super::*;
use crate::source::Sources;

/// Returns what a module defines, each name with its value, and what it declares.
fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add("a.nix", text);
    let module = read_module(text, file).unwrap();
    let mut lines = Vec::new();
    for node in &module.definitions {
        flatten(node, "", &sources, &mut lines);
    }
    (lines, module.declares.iter().map(|name| name.join(".")).collect())
}

fn flatten(node: &Node, name: &str, sources: &Sources, lines: &mut Vec<String>) {
    match &node.kind {
        Kind::Table(table) if !table.is_empty() => {
            for (key, entry) in table {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&entry.node, &name, sources, lines);
            }
        }
        Kind::Nix(_) => lines.push(format!("{name} = ?")),
        _ => lines.push(format!("{name} = {}", sources.excerpt(node.place))),
    }
}

#[test]
fn definitions_are_found_through_everything_that_modules_wrap_them_in() {
    let text = r#"
        { config, lib, pkgs, ... }:
        with lib;
        let
          cfg = config.x;
          port = 80;
          inherit (lib) mkIf;
        in {
          imports = [ ./a.nix { networking.hostName = "inline"; } ];
          options.my.thing = { enable = mkEnableOption "x"; deep.port = mkOption { type = types.port; }; };
          config = mkMerge [
            (mkIf cfg.enable { a.b = mkDefault 1; a.c = mkOverride 5 "two"; })
            { a.b = 2; services."a.b" = { inherit port; inherit (cfg) other; }; }
            (if cfg.x then { d = true; } else { d = [ 1 (f 2) ]; })
            ({ e = -3; } // { e = null; })
            (optionalAttrs cfg.y { ${cfg.name}.on = false; "${cfg.name}x".on = 1; "plain".on = 2; })
          ];
        }
    "#;
    let (mut lines, declares) = read(text);
    lines.sort();
    assert_eq!(
        lines,
        [
            "${…}.on = 1",
            "${…}.on = false",
            "a.b = 1",
            "a.b = 2",
            "a.c = \"two\"",
            "d = [ 1 (f 2) ]",
            "d = true",
            "e = -3",
            "e = null",
            "networking.hostName = \"inline\"",
            "plain.on = 2",
            "services.a.b.other = ?",
            "services.a.b.port = 80",
        ]
    );
    assert_eq!(declares, ["my.thing.enable", "my.thing.deep.port"]);
}

#[test]
fn what_is_computed_or_bound_elsewhere_is_not_guessed() {
    let text = r#"{ true, lib, ... }: rec {
        a = true; b = "${lib.x}"; c = f 1; d = 1 + 2; e = ./path; f = x: x; g = b; h = lib.mkIf; i = a.b or 1;
        j = let k = k; in k; }"#;
    let (lines, _) = read(text);
    assert_eq!(lines.len(), 10);
    assert!(lines.iter().all(|line| line.ends_with("= ?")), "{lines:?}");
}

#[test]
fn the_form_of_a_file_tells_modules_from_packages_and_data() {
    let form = |text: &str| read_module(text, Sources::default().add("a.nix", "")).unwrap().form;
    assert_eq!(form("{ lib, ... }: { services.x = 1; }"), Form::Function);
    assert_eq!(form("{ lib, stdenv }: { services.x = 1; }"), Form::Other);
    assert_eq!(form("{ lib, stdenv }: stdenv.mkDerivation { pname = 1; }"), Form::Other);
    assert_eq!(form("final: prev: { x = 1; }"), Form::Other);
    assert_eq!(form("{ x = 1; }"), Form::Set);
    assert_eq!(form("{ config = { }; }"), Form::Structured);
    assert_eq!(form("inputs: { pkgs, ... }: { config.x = 1; }"), Form::Structured);
    assert_eq!(form("[ 1 ]"), Form::Other);
}

#[test]
fn mentions_know_the_names_around_them() {
    let text =
        "{ home-manager.users.cadey = import ./home.nix; imports = [ ./a ]; x = f { modules = [ ../b.nix ]; }; }";
    let module = read_module(text, Sources::default().add("a.nix", text)).unwrap();
    let said: Vec<_> =
        module.mentions.iter().map(|mention| (mention.path.as_str(), mention.within.join(" "))).collect();
    assert_eq!(
        said,
        [
            ("./home.nix", "home-manager.users.cadey import".to_owned()),
            ("./a", "imports".to_owned()),
            ("../b.nix", "x f modules".to_owned())
        ]
    );
}

#[test]
fn names_that_stand_for_each_other_end_and_their_number_is_bounded() {
    let doubled: String = (0..60).map(|at| format!("a{at} = [ a{next} a{next} ]; ", next = at + 1)).collect();
    let text = format!("let a60 = 1; {doubled}in {{ config.x = a0; }}");
    assert!(read_module(&text, Sources::default().add("a.nix", "")).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([a-c]|\\{|\\}|\\[|\\]|=|;|\\.| |\"|\\$|let |in |with |mkIf |mkMerge |inherit |rec |:|\\(|\\)|//|1|-){0,60}") {
        let _ = read_module(&text, Sources::default().add("a.nix", ""));
    }
}
