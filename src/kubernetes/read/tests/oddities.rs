//! What goes wrong, and what is only strange.

use super::*;

#[test]
fn a_broken_document_takes_no_other_along() {
    let (documents, refused) = read_as("a.yaml", "a: 1\n---\nb: [1\n---\nc: 'x\n---\nd: 2\n");
    assert_eq!(documents, ["{a: 1}", "{d: 2}"]);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[1].starts_with("5:4 a string in quotes does not end"), "{refused:?}");
}

#[test]
fn a_mistake_is_told_at_its_place_and_in_words() {
    let cases = [
        ("a:\n\t- b\n", "2:2 a tab stands where only spaces may indent"),
        ("é: ü\na: b: c\n", "2:5 a second colon in the line: the value needs quotes"),
        ("a: @x\n", "1:4 no value can begin with this character: it needs quotes"),
        ("a: *x\n", "1:4 an alias has no anchor before it"),
        ("a: \"\\q\"\n", "1:4 YAML has no such escape in a string in double quotes"),
        ("a: b\0c\n", "1:5 a NUL character is no text"),
        ("a:\n  ? [b]\n  : c\n", "2:5 a list or mapping stands as a key, which Kubernetes knows not"),
        ("a:\n  ~: c\n", "2:3 Kubernetes knows no such key: a key cannot be null"),
        ("a: {<<: 1}\n", "1:5 a merge key takes a mapping, or a list of mappings"),
        ("a: &a [*a]\n", "1:8 an alias stands within what it refers to"),
        ("a: b\n c: d\n", "2:3 a second colon in the line: the value needs quotes"),
    ];
    for (text, refusal) in cases {
        assert_eq!(refusals(text), [refusal], "{text:?}");
    }
}

#[test]
fn aliases_that_multiply_are_refused_where_it_becomes_too_much() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let refused = refusals(&text);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("3:") && refused[0].contains("aliases"), "{refused:?}");
}

#[test]
fn depth_ends_before_the_stack_does() {
    let deep = |open: &str, close: &str, times: usize| format!("{}{}", open.repeat(times), close.repeat(times));
    for text in [
        deep("[", "]", 100_000),
        deep("{\"a\":", "}", 100_000),
        deep("- ", "", 100_000),
        format!("a: {}", deep("[", "]", 100_000)),
        format!("a: {}", deep("{a: ", "}", 100_000)),
        (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
        format!("a: &x {}\nb: &y [[[[[[[[[[{}]]]]]]]]]]\n", deep("[", "]", 190), "[*x]"),
        format!("a: &x {}\nb: {}*x{}\n", deep("[", "]", 150), "[".repeat(60), "]".repeat(60)),
    ] {
        let refused = refusals(&text);
        assert!(refused.len() == 1 && (refused[0].contains("deep") || refused[0].contains("value")), "{refused:?}");
    }
    assert_eq!(forms(&deep("[", "]", 150)).len(), 300);
}

#[test]
fn a_list_of_a_million_elements_is_read() {
    for text in [
        format!("a:\n{}", "- 1\n".repeat(1_000_000)),
        format!("[{}1]", "1,".repeat(999_999)),
        format!("{{\"items\": [{}1]}}", "1, ".repeat(999_999)),
    ] {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", text);
        let read = read(&sources, file);
        let root = &read.documents[0].root;
        let list = root.get("a").or_else(|| root.get("items")).unwrap_or(root);
        assert_eq!(list.items().len(), 1_000_000);
    }
}

#[test]
fn a_mapping_of_many_keys_is_read_in_time() {
    let text: String = (0..200_000).map(|key| format!("k{}: 1\n", key % 199_999)).collect();
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text);
    let read = read(&sources, file);
    assert_eq!(read.documents[0].root.pairs().len(), 199_999);
    assert_eq!(read.found.len(), 1);
}

#[test]
fn a_template_is_refused_once_with_what_renders_it() {
    let mut sources = Sources::default();
    let text = "# {{ x }}\na: 1\n---\n{{- if .Values.x }}\nb: {{ .Values.y }}\n{{- end }}\n---\nc: {{ .Values.z }}\n";
    let file = sources.add("charts/web/templates/a.yaml", text);
    let found = read(&sources, file);
    assert!(found.documents.is_empty());
    let [refusal] = found.refused.as_slice() else { panic!("{:?}", found.refused) };
    assert_eq!(sources.position(refusal.place).line, 4);
    assert_eq!(refusal.reason, "this is a Helm template, no manifest");
    assert_eq!(refusal.help.as_deref(), Some("render it first: helm template charts/web > rendered.yaml"));
    // A scalar that could be read all the same.
    assert_eq!(refusals("a: x-{{ .Release.Name }}\n"), ["1:6 this is a Helm template, no manifest"]);
    assert_eq!(refusals("{% if x %}\na: 1\n{% endif %}\n"), ["1:1 this is a Jinja template, no manifest"]);
}

#[test]
fn templates_within_data_are_text() {
    let text = "data:\n  a.tmpl: |\n    {{ range .Alerts }}{{ .Values.x }}\n  b: '{{ $labels.x }}'\n  c: \"{{legend}}\" # {{ x }}\n  \
                d: x {{ y }}\n";
    assert_eq!(
        forms(text),
        "{data: {a.tmpl: \"{{ range .Alerts }}{{ .Values.x }}\\n\", b: \"{{ $labels.x }}\", c: \"{{legend}}\", d: x {{ y }}}}"
    );
}

#[test]
fn what_may_hold_a_secret_is_marked_and_never_quoted() {
    for text in [
        "kind: Secret\ndata:\n  a: `hunter2\n",
        "kind: Secret\nstringData:\n  hunter2: 1\n  hunter2: 'hunter2\n",
        "{\"kind\": \"Secret\", \"data\": {\"a\": hunter2}",
        "env:\n- name: DB_PASSWORD\n  value: hunter2: x\n",
    ] {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", text);
        let read = read(&sources, file);
        let [refusal] = read.refused.as_slice() else { panic!("{text}: {:?}", read.refused) };
        assert!(refusal.hides, "{text}");
        assert!(!format!("{refusal:?}").contains("hunter2"));
    }
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", "kind: Secret\ndata:\n  hunter2: 1\n  hunter2: 2\n");
    let read = read(&sources, file);
    assert!(read.found[0].hides && !format!("{:?}", read.found).contains("hunter2"));
}

#[test]
fn a_long_list_is_read_as_the_parser_reads_it() {
    let element = |index: usize| {
        let odd = if index.is_multiple_of(7) { "  note: >-\n    folded\n    text\n" } else { "" };
        format!(
            "- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: c{index}\n{odd}  data:\n    x: |\n      - y\n\n      z\n"
        )
    };
    let items: String = (0..2_000).map(element).collect();
    let text = format!("apiVersion: v1\nitems:\n{items}kind: List\nmetadata:\n  resourceVersion: \"\"\n");
    assert!(text.len() > MANY_BYTES);
    let range = 0..text.len();
    let (fast, twice) = long_list(&text, &range).unwrap();
    assert_eq!(twice, []);
    let slow = events::documents(&text, &range, &mut Vec::new()).unwrap();
    assert_eq!(fast, slow[0]);
    // One mistake in an element refuses the document, at its place.
    let broken = text.replacen("name: c77\n", "name: c77: x\n", 1);
    let line = broken.lines().position(|line| line.contains("c77:")).unwrap() + 1;
    assert!(refusals(&broken)[0].starts_with(&format!("{line}:")), "{:?}", refusals(&broken));
}
