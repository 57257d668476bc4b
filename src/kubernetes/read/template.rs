//! Files that are no manifests yet: Helm's and Jinja's templates, which something has to fill in first.

/// Where a file shows that it is a template, and of which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Offset of the first opening brace.
    pub(super) at: usize,
    /// Offset behind the mark, or behind its line.
    pub(super) end: usize,
    /// Whether Jinja fills it in, rather than Helm.
    pub(super) jinja: bool,
}

/// Returns the first mark of a template outside of strings in quotes, comments and blocks of text; where there is none, the first that
/// names a value of Helm's within quotes.
pub(super) fn first(text: &str) -> Option<Mark> {
    find(text, |_, quoted| !quoted).or_else(|| find(text, |inside, _| is_helms(inside)))
}

/// Returns the first mark outside of quotes, comments and blocks that only Helm could fill in: what can be read is a manifest, unless it
/// says so.
pub(super) fn first_of_helm(text: &str) -> Option<Mark> {
    find(text, |inside, quoted| !quoted && is_helms(inside))
}

/// Tells whether a text could be a template.
pub(super) fn may_be(text: &str) -> bool {
    let has = |mark: &str| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    has("{{") || has("{%")
}

/// Returns the reason and the way out for a file.
pub(super) fn words(path: &str, mark: Mark) -> (String, String) {
    if mark.jinja {
        let reason = "this is a Jinja template, no manifest".to_owned();
        let name = path.rsplit('/').next().unwrap_or(path);
        let help = format!(
            "render it first: what writes its values (`ansible localhost -m template -a 'src={name} dest=rendered.yaml'`, or the \
             playbook that deploys it) gives a file that can be read"
        );
        return (reason, help);
    }
    let chart = path.rsplit_once("/templates/").map(|(chart, _)| chart);
    let chart = chart.or_else(|| path.strip_prefix("templates/").map(|_| ".")).filter(|chart| is_tame(chart));
    let help = format!("render it first: helm template {} > rendered.yaml", chart.unwrap_or("CHART"));
    ("this is a Helm template, no manifest".to_owned(), help)
}

/// Tells whether a path can stand in a command without quotes.
fn is_tame(path: &str) -> bool {
    !path.starts_with('-') && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
}

fn find(text: &str, counts: impl Fn(&str, bool) -> bool) -> Option<Mark> {
    let mut start = 0;
    // The column left of which a block of text ends.
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(' ');
        let indent = line.len() - bare.len();
        let in_block = block.is_some_and(|parent| indent > parent || bare.trim_end().is_empty());
        if !in_block {
            if let Some(mark) = find_in_line(line, start, &counts) {
                return Some(mark);
            }
            block = opens_block(bare).map(|dashes| indent + dashes);
        }
        start += line.len();
    }
    None
}

/// Returns how far the dashes before the key of a block of text reach, where a line opens one.
fn opens_block(bare: &str) -> Option<usize> {
    let line = bare.split(" #").next().unwrap_or(bare).trim_end();
    let head = line.trim_end_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
    let before = head.strip_suffix(['|', '>'])?;
    if !before.ends_with(' ') || bare.starts_with('#') {
        return None;
    }
    let mut dashes = 0;
    let mut rest = before;
    while let Some(next) = rest.strip_prefix("- ") {
        let next = next.trim_start();
        dashes += rest.len() - next.len();
        rest = next;
    }
    // Of `- |` the dash itself is the column.
    Some(if rest.is_empty() { dashes.saturating_sub(2) } else { dashes })
}

fn find_in_line(line: &str, start: usize, counts: &impl Fn(&str, bool) -> bool) -> Option<Mark> {
    let bytes = line.as_bytes();
    let mut quote: Option<u8> = None;
    let mut before = b' ';
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, quote) {
            (b'#', None) if before == b' ' || before == b'\t' => return None,
            (b'{', _) if matches!(bytes.get(at + 1), Some(b'{' | b'%')) => {
                let inside = line.get(at + 2..).unwrap_or("");
                let close = if bytes.get(at + 1) == Some(&b'%') { "%}" } else { "}}" };
                let length = inside.find(close).map_or(line.trim_end().len().saturating_sub(at), |end| end + 4);
                if counts(inside, quote.is_some()) {
                    let jinja = bytes.get(at + 1) == Some(&b'%') || !is_go(inside);
                    return Some(Mark { at: start + at, end: start + at + length, jinja });
                }
                at += 1;
            }
            (b'\\', Some(b'"')) => at += 1,
            (byte, Some(open)) if byte == open => quote = None,
            (b'"' | b'\'', None) if matches!(before, b' ' | b'\t' | b'[' | b'{' | b',') => quote = Some(byte),
            _ => {}
        }
        before = byte;
        at += 1;
    }
    None
}

/// Tells whether what follows two braces is of Go's template language.
fn is_go(inside: &str) -> bool {
    let inside = inside.strip_prefix('-').unwrap_or(inside).trim_start();
    let word = inside.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
    let is_call = inside.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '\n', '-', '}']));
    inside.starts_with(['.', '$', '(', '"', '`', '/']) || (is_call && WORDS.contains(&word)) || is_helms(inside)
}

/// Tells whether the text behind two braces names what only Helm knows.
fn is_helms(inside: &str) -> bool {
    let inside = inside.split("}}").next().unwrap_or(inside);
    HELMS.iter().any(|name| inside.contains(name))
}

/// What begins an action of Go's template language or of Helm's library.
const WORDS: &[&str] = &[
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "include",
    "tpl",
    "toYaml",
    "printf",
    "default",
    "quote",
    "required",
    "lookup",
    "fail",
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "index",
    "dict",
    "list",
    "b64enc",
    "now",
    "uuidv4",
    "break",
    "continue",
    "len",
    "join",
    "fromYaml",
    "toJson",
    "randAlphaNum",
    "ternary",
    "coalesce",
    "nindent",
    "indent",
    "squote",
];

const HELMS: &[&str] = &[
    ".Values",
    ".Release.",
    ".Chart.",
    ".Capabilities",
    ".Files.",
    ".Template.",
    "include \"",
    "template \"",
    "toYaml ",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<(usize, bool)> {
        first(text).map(|mark| (mark.at, mark.jinja))
    }

    #[test]
    fn marks_count_outside_of_strings_comments_and_blocks() {
        assert_eq!(at("a: {{ .Values.x }}"), Some((3, false)));
        assert_eq!(at("{{- if x }}\na: 1\n"), Some((0, false)));
        assert_eq!(at("{% if x %}\n"), Some((0, true)));
        assert_eq!(at("a: {{ domain | lower }}\n"), Some((3, true)));
        assert_eq!(at("# {{ .Values.x }}\na: '{{ x }}' # {{ y }}\nb: \"\\\"{{ z }}\"\n"), None);
        assert_eq!(at("a: \"{{ .Values.x }}\"\n"), Some((4, false)));
        assert_eq!(at("a:\n  - b: |-\n      {{ x }}\n\n      {{ y }}\n    c: {{ .z }}\n"), Some((49, false)));
        assert_eq!(at("- |\n {{ x }}\n- >\n  {{ x }}\n"), None);
        assert_eq!(at("a: it's {{ .x }}\n"), Some((8, false)));
    }

    #[test]
    fn the_chart_is_the_folder_of_the_templates() {
        let mark = first("a: {{ .Values.x }}").unwrap();
        assert_eq!(
            words("charts/web/templates/a.yaml", mark).1,
            "render it first: helm template charts/web > rendered.yaml"
        );
        assert_eq!(words("templates/a.yaml", mark).1, "render it first: helm template . > rendered.yaml");
        assert_eq!(words("x; rm/templates/a.yaml", mark).1, "render it first: helm template CHART > rendered.yaml");
    }
}
