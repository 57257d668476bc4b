use crate::facts::pack::{TableKind, pack};
use crate::facts::{Facts, Shape, Type};

/// Types as the data writes them, and the words of NixOS's manual (nixpkgs `lib/types.nix`).
const DESCRIPTIONS: &[(&str, &str)] = &[
    (r#"{"t": "bool"}"#, "boolean"),
    (r#"{"t": "int"}"#, "signed integer"),
    (r#"{"t": "unsignedInt16"}"#, "16 bit unsigned integer; between 0 and 65535 (both inclusive)"),
    (r#"{"t": "signedInt8"}"#, "8 bit signed integer; between -128 and 127 (both inclusive)"),
    (r#"{"t": "intBetween", "min": 1, "max": 5}"#, "integer between 1 and 5 (both inclusive)"),
    (
        r#"{"t": "numberBetween", "min": 0.1, "max": 1}"#,
        "integer or floating point number between 0.1 and 1 (both inclusive)",
    ),
    (r#"{"t": "nullOr", "e": {"t": "unsignedInt"}}"#, "null or (unsigned integer, meaning >=0)"),
    (r#"{"t": "listOf", "e": {"t": "str"}}"#, "list of string"),
    (r#"{"t": "listOf", "ne": true, "e": {"t": "str"}}"#, "non-empty (list of string)"),
    (r#"{"t": "nullOr", "e": {"t": "listOf", "e": {"t": "str"}}}"#, "null or (list of string)"),
    (r#"{"t": "attrsOf", "e": {"t": "submodule"}}"#, "attribute set of (submodule)"),
    (r#"{"t": "lazyAttrsOf", "e": {"t": "raw"}}"#, "lazy attribute set of raw value"),
    (r#"{"t": "submodule", "free": {"t": "attrsOf", "e": {"t": "str"}}}"#, "open submodule of attribute set of string"),
    (r#"{"t": "either", "e": [{"t": "str"}, {"t": "int"}, {"t": "bool"}]}"#, "string or signed integer or boolean"),
    (
        r#"{"t": "either", "e": [{"t": "positiveInt"}, {"t": "enum", "v": ["auto"]}]}"#,
        "positive integer, meaning >0, or value \"auto\" (singular enum)",
    ),
    (
        r#"{"t": "coercedTo", "e": {"t": "str"}, "from": {"t": "path", "abs": true}}"#,
        "string or absolute path convertible to it",
    ),
    (r#"{"t": "enum", "v": ["a", 1, true, null]}"#, "one of \"a\", 1, true, <null>"),
    (r#"{"t": "enum", "v": []}"#, "impossible (empty enum)"),
    (r#"{"t": "separatedString", "sep": "\n"}"#, "strings concatenated with \"\\n\""),
    (r#"{"t": "strMatching", "re": "[0-9]+"}"#, "string matching the pattern [0-9]+"),
    (r#"{"t": "path"}"#, "path"),
    (r#"{"t": "path", "store": true}"#, "path in the Nix store"),
    (r#"{"t": "path", "abs": true, "store": false}"#, "absolute path not in the Nix store"),
    (
        r#"{"t": "functionTo", "e": {"t": "listOf", "e": {"t": "package"}}}"#,
        "function that evaluates to a(n) list of package",
    ),
    (r#"{"t": "value", "d": "JSON value", "null": true}"#, "JSON value"),
    (r#"{"t": "goDuration", "d": "Go duration"}"#, "Go duration"),
    (r#"{"t": "madeUpLater"}"#, "madeUpLater"),
];

#[test]
fn types_are_described_in_the_words_of_nixos() {
    let options: Vec<String> =
        DESCRIPTIONS.iter().enumerate().map(|(n, (ty, _))| format!(r#""o{n}": {{"type": {ty}}}"#)).collect();
    let source = format!(r#"{{"release": "26.05", "options": {{{}}}}}"#, options.join(", "));
    let table = pack(TableKind::Options, &[("mine.json", source.into_bytes())]).unwrap();
    let mut facts = Facts::embedded();
    assert!(facts.add(TableKind::Options, table));
    let index = facts.options("26.05".parse().unwrap()).unwrap();
    for (number, (ty, wanted)) in DESCRIPTIONS.iter().enumerate() {
        let name = format!("o{number}");
        assert_eq!(index.type_of(&[name.as_str()]).map(Type::describe).as_deref(), Some(*wanted), "{ty}");
    }
}

#[test]
fn every_type_of_the_embedded_tables_can_be_read() {
    let facts = Facts::embedded();
    for index in facts.option_indexes() {
        let mut unspecified = 0;
        let mut anything = 0;
        index.each(&mut |_, option| match option.ty().shape() {
            Shape::Anything => anything += 1,
            Shape::Unspecified => unspecified += 1,
            _ => assert!(!option.ty().describe().is_empty()),
        });
        // What cannot be decoded would read as anything: no more of these than the data has.
        assert!(anything < 60 && unspecified < 1000, "{}: {anything}, {unspecified}", index.release);
    }
}
