//! Tests of the templates: quoting by language, errors, the embedded table.

use serde_json::json;

use super::*;

fn render(name: &str, template: &str, values: &serde_json::Value) -> Result<String, TemplateError> {
    Templates::new([(name, template)])?.render(name, values)
}

#[test]
fn each_language_quotes_the_same_string_its_own_way() {
    let values = json!({ "x": "a ${b} <i>*'\"" });
    for (name, expected) in [
        ("t.sh.tera", r#"'a ${b} <i>*'\''"'"#),
        ("t.nix.tera", r#""a \${b} <i>*'\"""#),
        ("t.md.tera", r#"a ${b} &lt;i&gt;\*'""#),
        ("t.html.tera", "a ${b} &lt;i&gt;*&#39;&quot;"),
    ] {
        assert_eq!(render(name, "{{ x }}", &values).unwrap(), expected, "{name}");
    }
}

#[test]
fn nix_templates_write_literals_of_every_type() {
    let values = json!({
        "s": "5", "i": 5, "n": -5, "f": -1e30, "b": true, "z": null, "l": ["a b", 1, -1, [true]], "m": { "a.b": "c" }, "e": [],
    });
    let text = "{{ s }} {{ i }} {{ n }} {{ f }} {{ b }} {{ z }} {{ l }} {{ m }} {{ e }}";
    assert_eq!(
        render("t.nix.tera", text, &values).unwrap(),
        r#""5" 5 (-5) (-1.0e30) true null [ "a b" 1 (-1) [ true ] ] { "a.b" = "c"; } [ ]"#
    );
}

#[test]
fn a_list_in_a_shell_template_is_one_word_for_each_element() {
    assert_eq!(render("t.sh.tera", "{{ l }}", &json!({ "l": ["a b", "c", 1] })).unwrap(), "'a b' c 1");
    let error = render("t.sh.tera", "\n{{ m }}", &json!({ "m": {} })).unwrap_err();
    assert_eq!((error.template.as_str(), error.line), ("t.sh.tera", Some(2)));
}

#[test]
fn what_is_joined_set_or_filtered_is_quoted_once_at_the_end() {
    let values = json!({ "x": "a b", "l": ["a b", "c"] });
    for (template, expected) in [
        ("{{ x ~ '/' ~ x }}", "'a b/a b'"),
        ("{% set y = x | upper %}{{ y }}", "'A B'"),
        ("{% set y %}[{{ x }}]{% endset %}{{ y }}", "['a b']"),
        ("{% for i in l %}{{ i }};{% endfor %}", "'a b';c;"),
        ("{{ l | join(sep=' ') }}", "'a b c'"),
        ("{{ q | default(value='it is') }}", "'it is'"),
        ("{{ x | safe }}", "a b"),
        ("{% if x == 'a b' %}{{- x -}}{% endif %}", "'a b'"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{% component c(y) %}<{{ y }}>{% endcomponent c %}{{ <c y={x} /> }}", "<'a b'>"),
    ] {
        assert_eq!(render("t.sh.tera", template, &values).unwrap(), expected, "{template}");
    }
}

#[test]
fn blocks_of_a_parent_are_quoted_once() {
    let templates = Templates::new([
        ("base.md.tera", "{% block b %}{{ x }}{% endblock %}"),
        (
            "t.md.tera",
            "{% extends 'base.md.tera' %}{% block b %}<{{ super() }}|{% include 'part.md.tera' %}>{% endblock %}",
        ),
        ("part.md.tera", "{{ x }}"),
    ]);
    assert_eq!(templates.unwrap().render("t.md.tera", &json!({ "x": "*" })).unwrap(), "<\\*|\\*>");
}

#[test]
fn maps_keep_their_order_in_every_run() {
    let values = json!({ "m": { "z": 1, "b": 2, "y": 3, "a": 4 } });
    let template = "{% for k, v in m %}{{ k }}{{ v }} {% endfor %}{{ m | keys }}";
    assert_eq!(render("t.sh.tera", template, &values).unwrap(), "z1 b2 y3 a4 z b y a");
    for unstable in ["{{ l | group_by(attribute='a') }}", "{{ __tera_context }}"] {
        assert!(render("t.nix.tera", unstable, &json!({ "l": [{ "a": 1 }] })).is_err(), "{unstable}");
    }
}

#[test]
fn a_value_cannot_leave_a_comment_and_must_not_stand_in_quotes() {
    let values = json!({ "x": "a\nrm */ -rf" });
    assert_eq!(render("t.sh.tera", "# {{ x | comment }}\n", &values).unwrap(), "# a rm * / -rf\n");
    let error = render("t.sh.tera", "a\necho \"{{ x }}\"", &values).unwrap_err();
    assert_eq!((error.line, error.message.contains("quotes")), (Some(2), true));
    assert!(render("t.nix.tera", "\"{{ x }}\"", &values).is_err());
}

#[test]
fn an_error_names_the_template_its_line_and_the_cause() {
    let error = render("t.sh.tera", "a\n{{ missing }}", &json!({})).unwrap_err();
    assert_eq!(error.line, Some(2));
    assert_eq!(error.message, "the values have no such name: {{ missing }}");
    let error = render("t.sh.tera", "\n\n{% if %}", &json!({})).unwrap_err();
    assert_eq!((error.template.as_str(), error.line), ("t.sh.tera", Some(3)));
    assert!(render("t.txt.tera", "", &json!({})).unwrap_err().message.contains(".sh.tera"));
    assert!(render("t.sh.tera", "{% include 'no.sh.tera' %}", &json!({})).unwrap_err().message.contains("no.sh.tera"));
    assert!(Templates::new::<&str, &str>([]).unwrap().render("no.md.tera", &json!({})).is_err());
    assert!(render("t.nix.tera", "{{ x }}", &json!({ "x": "\0" })).is_err());
    assert!(render("t.sh.tera", "{{ x }}", &json!({ "x": "\0" })).is_err());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test compares the table with the folder")]
fn the_table_of_embedded_templates_lists_the_folder() {
    fn names(folder: &std::path::Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                names(&entry.path(), &format!("{name}/"), found);
            } else if entry.path().extension().is_some_and(|ending| ending == "tera") {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    names(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")), "", &mut found);
    found.sort();
    let listed: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
    for name in &found {
        assert!(
            listed.contains(&name.as_str()),
            "add to EMBEDDED in src/text/template.rs, in its order:\n    (\"{name}\", include_str!(\"../../templates/{name}\")),"
        );
    }
    assert_eq!(listed, found, "EMBEDDED in src/text/template.rs is sorted and names what the folder templates/ has");
    assert!(Templates::new::<&str, &str>([]).is_ok());
}
