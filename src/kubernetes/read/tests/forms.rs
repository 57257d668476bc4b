//! Texts and their trees.

use super::*;

/// Texts that the fast reader takes itself, and their trees.
const COMMON: &[(&str, &str)] = &[
    ("a: 1\nb: x y\n", "{a: 1, b: x y}"),
    ("a:\n  b: 1\n  c:\n    d: 2\ne: 3", "{a: {b: 1, c: {d: 2}}, e: 3}"),
    ("a:\n- b\n- c: 1\n  d: 2\n- - x\n  - y\nz: 1\n", "{a: [b, {c: 1, d: 2}, [x, y]], z: 1}"),
    ("a:\n  - b\n  -   c: 1\n      d: 2\n  -\n    e: 1\n  -\n  - f\n", "{a: [b, {c: 1, d: 2}, {e: 1}, -, f]}"),
    ("- 1\n-   - 2\n    - 3\n", "[1, [2, 3]]"),
    ("a:\nb:   # none\nc: ~\n", "{a: -, b: -, c: ~}"),
    ("# head\n\na: 1 # one\n  # far\nb: x#y\n\n\nc: '#' # z\n", "{a: 1, b: x#y, c: \"#\"}"),
    ("a: \"x\\n\\\"y\\\" \\\\ \\/\"\nb: 'it''s'\nc: \"\"\n", r#"{a: "x\n\"y\" \\ /", b: "it's", c: ""}"#),
    ("a: http://x:80/y\nb: -1\nc: --flag\nd: a:b\n", "{a: http://x:80/y, b: -1, c: --flag, d: a:b}"),
    ("a: |\n  x\n    y\n\n  z\nb: |-\n  q\nc: 1\n", r#"{a: "x\n  y\n\nz\n", b: "q", c: 1}"#),
    ("a: |\n  x\n\n\n# c\nb: |\n   \ty\n", r#"{a: "x\n", b: "\ty\n"}"#),
    ("a: |\n  x", r#"{a: "x"}"#),
    ("- |\n x\n- |-\n y\n", r#"["x\n", "y"]"#),
    (
        "a: []\nb: {}\nc: [a, \"b,\", 'c', -1, [x], {r: z}]\nd: {a: 1, 'b': [2], c: x y}\n",
        "{a: [], b: {}, c: [a, \"b,\", \"c\", -1, [x], {r: z}], d: {a: 1, b: [2], c: x y}}",
    ),
    ("\"a b\": 1\n'c': 2\n", "{a b: 1, c: 2}"),
    ("on: 1\n0644: x\nno: y\n1.50: z\n", "{true: 1, 420: x, false: y, 1.5: z}"),
    ("a: é\nö: \"ü\"\nb: |\n  ß\n  ñ\nc: 1\n", "{a: é, ö: \"ü\", b: \"ß\\nñ\\n\", c: 1}"),
    ("a: 1\r\nb:\r\n  - x\r\n  - 'y'\r\n", "{a: 1, b: [x, \"y\"]}"),
    ("--- # first\na: 1\n---\nb: 1\n", "{a: 1} | {b: 1}"),
    ("a: 1\nb: 2\na: 3\n", "{b: 2, a: 3}"),
    ("a.b/c: 1\n.d: 2\n$e: 3\n", "{a.b/c: 1, .d: 2, $e: 3}"),
];

/// Texts that need all of YAML, and their trees.
const UNCOMMON: &[(&str, &str)] = &[
    ("a: &x 1\nb: *x\nc: &y {d: 1}\ne: *y\n", "{a: 1, b: 1, c: {d: 1}, e: {d: 1}}"),
    ("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n  r: 4\n", "{a: {p: 1, q: 2}, b: {q: 3, r: 4, p: 1}}"),
    ("a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  <<: [*x, *y]\n", "{a: {p: 1}, b: {p: 2, q: 2}, c: {p: 1, q: 2}}"),
    ("a: {'<<': 1}\n", "{a: {<<: 1}}"),
    ("a: >-\n  x\n  y\n\n  z\nb: |+\n  q\n\nc: 1\n", r#"{a: "x y\nz", b: "q\n\n", c: 1}"#),
    ("a: |2\n   x\n  y\n", r#"{a: " x\ny\n"}"#),
    ("a: x\n  y\n  z\nb: \"p\n  q\"\n", r#"{a: x y z, b: "p q"}"#),
    ("a: [\n  x,\n  {r: 1},\n]\n", "{a: [x, {r: 1}]}"),
    ("a: [b: 1, c]\n", "{a: [{b: 1}, c]}"),
    (
        "a: !!str 1\nb: !!int \"2\"\nc: !!binary aGk=\nd: !!binary /w==\ne: !x 3\nf: ! 4\ng: !!str yes\n",
        r#"{a: "1", b: 2, c: "hi", d: "/w==", e: 3, f: "4", g: "yes"}"#,
    ),
    ("a: \"\\x41\\u00e9\\U0001F980\\\n  b\"\n", "{a: \"Aé🦀b\"}"),
    ("? a\n: 1\n? b\n", "{a: 1, b: -}"),
    ("&a k: 1\n*a : 2\n", "{k: 2}"),
    ("%YAML 1.1\n---\na: 1\n...\n%TAG !e! tag:x,1:\n---\nb: !e!y 1\n", "{a: 1} | {b: 1}"),
    ("a: x\t\nb: \"y\"\t# c\n", "{a: x, b: \"y\"}"),
    ("{a: b, c: [d]}\n---\n{e: f}\n", "{a: b, c: [d]} | {e: f}"),
    ("a: |\r\n  x\r\n  y\r\nb: 1\r\n", r#"{a: "x\ny\n", b: 1}"#),
    ("a: >\n  x", r#"{a: "x"}"#),
    ("a: |\n\n  x\nb: |\n", "{a: \"\\nx\\n\", b: \"\"}"),
    ("plain words\n", "plain words"),
    ("--- |\n  x\n", r#""x\n""#),
    ("a:\n  \"b\"\nc:\n  d\n", "{a: \"b\", c: d}"),
];

#[test]
fn what_people_write_is_read_in_one_pass() {
    for (text, tree) in COMMON {
        assert!(both_agree(text), "left to the parser: {text:?}");
        assert_eq!(forms(text), *tree, "{text:?}");
    }
}

#[test]
fn every_form_of_yaml_has_its_tree() {
    for (text, tree) in UNCOMMON {
        both_agree(text);
        assert_eq!(forms(text), *tree, "{text:?}");
    }
}

/// Returns the part of a text.
fn of(text: &str, span: Span) -> &str {
    text.get(span.start as usize..span.end as usize).unwrap()
}

#[test]
fn places_give_back_the_text_of_a_scalar() {
    let text = "é: 'ü' # c\nb:\n  - \"x\"   \n  - plain words  # c\n  - |\n    block\n    more\n\nf: >\n  folded é\n  x\nt: !!str  12\n\
                m: a\n  b\no: &k z\nl: [p, 'q' , {r: s}]\n";
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text);
    let read = read(&sources, file);
    let mut found = Vec::new();
    read.documents[0].root.each_leaf(&mut |path, node| {
        found.push(format!("{path} = {}", of(text, node.span)));
    });
    assert_eq!(
        found,
        [
            "é = 'ü'",
            "b[0] = \"x\"",
            "b[1] = plain words",
            "b[2] = block\n    more",
            "f = folded é\n  x",
            "t = 12",
            "m = a\n  b",
            "o = z",
            "l[0] = p",
            "l[1] = 'q'",
            "l[2].r = s",
        ]
    );
    let keys: Vec<_> = read.documents[0].root.pairs().iter().map(|pair| of(text, pair.at)).collect();
    assert_eq!(keys, ["é", "b", "f", "t", "m", "o", "l"]);
    let list = read.documents[0].root.get("l").unwrap();
    assert_eq!(of(text, list.span), "[p, 'q' , {r: s}]");
}

#[test]
fn json_is_read_strictly_and_in_streams() {
    assert_eq!(
        forms("{\"a\": [1, -2.5e3, true, null, \"x\\u00e9\\ud83e\\udd80\\n\"], \"b\": {}}\n{\"c\": []}"),
        "{a: [1, -2.5e3, true, null, \"xé🦀\\n\"], b: {}} | {c: []}"
    );
    assert_eq!(forms("\u{feff} [1]"), "[1]");
    assert_eq!(forms("{\"a\": 1}\n---\n{\"b\": 2}\n"), "{a: 1} | {b: 2}");
    let cases = [
        ("{\"a\": 1 \"b\": 2}", "1:9 a comma or `}` is expected here"),
        ("{\"a\": 01}", "1:8 a number ends here, and something follows that is no comma"),
        ("{\"a\": [1 2]}", "1:10 a comma or `]` is expected here"),
        ("{\"a\": \"x", "1:9 the text ends within a string"),
        ("{\"a\": {", "1:8 a key in double quotes is expected here"),
        ("{\"a\": \"\\ud800\"}", "1:8 half of a character: a surrogate stands alone"),
    ];
    for (text, reason) in cases {
        let mut twice = Vec::new();
        let wrong = json::stream(text, 0..text.len(), &mut twice).unwrap_err();
        assert_eq!(format!("1:{} {}", wrong.at + 1, wrong.reason), reason, "{text}");
    }
    // What is YAML in brackets is read as such.
    assert_eq!(forms("{\"a\": 01, }"), "{a: 01}");
    assert_eq!(refusals("{\"a\": [1, 2\n\"b\": 3}"), ["2:1 a comma or `]` is expected here"]);
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts_with_a_warning() {
    for text in ["a: 1\nb: 2\na: 3\n", "a: 1\nb: !x 2\na: 3\n", "{\"a\": 1,\n\"b\": 2,\n\"a\": 3}"] {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", text);
        let read = read(&sources, file);
        assert_eq!(form(&read.documents[0].root), "{b: 2, a: 3}");
        let [finding] = read.found.as_slice() else { panic!("{:?}", read.found) };
        assert_eq!((finding.rule, finding.level), ("manifest-duplicate-key", Level::Warning));
        assert_eq!(sources.position(finding.primary.place).line, 3);
        assert_eq!(sources.position(finding.related[0].place).line, 1);
        assert!(finding.message.contains("`a`"));
    }
}
