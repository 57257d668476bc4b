use super::*;
use crate::source::Sources;

mod forms;
mod oddities;
pub(crate) mod real;
mod round;

/// Returns a tree in a compact form: `plain`, `"text"`, `[..]`, `{key: ..}`.
fn form(node: &Node<'_>) -> String {
    match &node.value {
        Value::Plain(text) if text.is_empty() => "-".to_owned(),
        Value::Plain(text) => text.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Sequence(items) => format!("[{}]", items.iter().map(form).collect::<Vec<_>>().join(", ")),
        Value::Mapping(pairs) => {
            let pairs = pairs.iter().map(|pair| format!("{}: {}", pair.key, form(&pair.node)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Reads a text as a file of that name: the forms of its documents, then `line:column reason` of what is refused.
fn read_as(path: &str, text: &str) -> (Vec<String>, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add(path, text);
    let read = read(&sources, file);
    let documents = read.documents.iter().map(|document| form(&document.root)).collect();
    let refused = read.refused.iter().map(|refusal| {
        let at = sources.position(refusal.place);
        format!("{}:{} {}", at.line, at.column, refusal.reason)
    });
    (documents, refused.collect())
}

fn forms(text: &str) -> String {
    let (documents, refused) = read_as("a.yaml", text);
    assert_eq!(refused, [""; 0], "{text}");
    documents.join(" | ")
}

fn refusals(text: &str) -> Vec<String> {
    let (documents, refused) = read_as("a.yaml", text);
    assert_eq!(documents, [""; 0], "{text}");
    refused
}

/// Reads a whole text in both ways; what the fast one reads is what the parser of all YAML gives, places included.
fn both_agree(text: &str) -> bool {
    if text.contains(['\u{feff}', '\0']) {
        return false;
    }
    let mut fast_twice = Vec::new();
    let mut taken = false;
    for range in split::documents(text, 0) {
        if let Ok(fast) = block::document(text, &range, &mut fast_twice) {
            let mut twice = Vec::new();
            let slow = events::documents(text, &range, &mut twice);
            let part = text.get(range).unwrap();
            let slow = slow.unwrap_or_else(|broken| panic!("only the fast reader reads {part:?}: {broken:?}"));
            assert_eq!(
                fast.as_ref().map(form).unwrap_or_default(),
                slow.first().map(form).unwrap_or_default(),
                "{part:?}"
            );
            let (fast, slow) = (format!("{:?}", fast.as_slice()), format!("{slow:?}"));
            let differs = fast.bytes().zip(slow.bytes()).position(|(fast, slow)| fast != slow).unwrap_or(fast.len());
            let near = |text: &str| {
                text.get(differs.saturating_sub(300)..(differs + 40).min(text.len())).unwrap_or("").to_owned()
            };
            assert!(fast == slow, "{part:?}:\n{}\n{}", near(&fast), near(&slow));
            taken = true;
        }
    }
    taken
}
