//! Files of the fleet that are to be encrypted: whether they are, and which secrets they hold.
//!
//! What sops and age write is known, and nothing else is let through: a file with anything in clear is never copied into out/. No
//! message repeats a value.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is wrong with a file that is to be encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not encrypted, or not as a whole: what stands in clear, such as `the key `db/password` in clear`.
    Clear(String),
    /// It cannot be read as what the program writes.
    Strange(String),
}

/// The form of a file that sops encrypted, which it tells by the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SopsForm {
    /// YAML: secrets by their keys.
    Yaml,
    /// JSON: secrets by their keys.
    Json,
    /// `NAME=value` lines: one secret.
    Dotenv,
    /// An INI file: one secret.
    Ini,
    /// Any other file: one secret.
    Binary,
}

impl SopsForm {
    /// Returns the form of a file by its name, as sops does.
    pub fn of(path: &str) -> Self {
        match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Json,
            Some("env") => Self::Dotenv,
            Some("ini") => Self::Ini,
            _ => Self::Binary,
        }
    }

    /// Returns sops-nix's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Binary => "binary",
        }
    }

    /// Tells whether a file holds secrets by their keys.
    pub fn has_keys(self) -> bool {
        matches!(self, Self::Yaml | Self::Json)
    }
}

/// What stands at a key of a file that sops encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The way to it: keys with `/` between them, as sops-nix writes it.
    pub(super) route: String,
    /// Whether it is encrypted; what is empty is nothing that could be.
    pub(super) holds: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Sealed,
    Clear,
    Nothing,
}

/// Tells whether a value is what sops makes of one.
fn is_sealed(value: &str) -> bool {
    value.starts_with("ENC[AES256_GCM,data:") && value.ends_with(']') && !value.contains(char::is_whitespace)
}

fn holds(value: &str) -> Holds {
    match value {
        "" | "null" | "~" | "[]" | "{}" => Holds::Nothing,
        value if is_sealed(value) => Holds::Sealed,
        _ => Holds::Clear,
    }
}

/// What sops says of a file within it.
#[derive(Debug, Default)]
struct Metadata {
    /// Whether it has the code that guards the whole, encrypted.
    has_mac: bool,
    /// What the keys end with whose values stay in clear.
    clear_suffix: Option<String>,
    /// Whether other settings leave parts of the file in clear on purpose.
    is_partial: bool,
}

impl Metadata {
    fn note(&mut self, key: &str, value: &str) {
        match key {
            "mac" => self.has_mac = is_sealed(value),
            "unencrypted_suffix" => self.clear_suffix = Some(value.to_owned()).filter(|suffix| !suffix.is_empty()),
            "encrypted_suffix"
            | "unencrypted_regex"
            | "encrypted_regex"
            | "unencrypted_comment_regex"
            | "encrypted_comment_regex" => self.is_partial |= !value.is_empty() && value != "null",
            _ => {}
        }
    }

    /// Tells whether a value is in clear because somebody wanted that.
    fn is_clear_on_purpose(&self, route: &str) -> bool {
        let by_suffix = |suffix: &String| route.split('/').any(|key| key.ends_with(suffix.as_str()));
        self.is_partial || self.clear_suffix.as_ref().is_some_and(by_suffix)
    }
}

/// Reads a file that sops encrypted: what stands in it by its keys. A file of which anything is in clear by mistake is none.
pub(super) fn sops(form: SopsForm, bytes: &[u8]) -> Result<Vec<Leaf>, Fault> {
    let clear = || Fault::Clear("it is no text that sops has written".to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| clear())?;
    let (leaves, metadata) = match form {
        SopsForm::Yaml => yaml(text)?,
        SopsForm::Json | SopsForm::Binary => json(text)?,
        SopsForm::Dotenv => lines(text, "sops_", false)?,
        SopsForm::Ini => lines(text, "", true)?,
    };
    if !metadata.has_mac {
        return Err(Fault::Clear("it has no `sops` part with an encrypted `mac`".to_owned()));
    }
    let open = leaves.iter().find(|leaf| leaf.holds == Holds::Clear && !metadata.is_clear_on_purpose(&leaf.route));
    match open {
        Some(leaf) if leaf.route.is_empty() => Err(Fault::Clear("a remark in it is in clear".to_owned())),
        Some(leaf) => Err(Fault::Clear(format!("its key `{}` is in clear", crate::source::printable(&leaf.route)))),
        None => Ok(leaves),
    }
}

fn json(text: &str) -> Result<(Vec<Leaf>, Metadata), Fault> {
    let clear = || Fault::Clear("it is no JSON that sops has written".to_owned());
    let Ok(Value::Object(mut whole)) = serde_json::from_str(text) else { return Err(clear()) };
    let mut metadata = Metadata::default();
    if let Some(Value::Object(sops)) = whole.remove("sops") {
        for (key, value) in &sops {
            metadata.note(key, value.as_str().unwrap_or_default());
        }
    }
    let mut leaves = Vec::new();
    walk("", &Value::Object(whole), &mut leaves);
    Ok((leaves, metadata))
}

fn walk(route: &str, value: &Value, leaves: &mut Vec<Leaf>) {
    let below = |key: &str| if route.is_empty() { key.to_owned() } else { format!("{route}/{key}") };
    let holds = match value {
        Value::Object(map) if !map.is_empty() => {
            return map.iter().for_each(|(key, value)| walk(&below(key), value, leaves));
        }
        Value::Array(list) if !list.is_empty() => {
            return list.iter().enumerate().for_each(|(at, value)| walk(&below(&at.to_string()), value, leaves));
        }
        Value::Null | Value::Object(_) | Value::Array(_) => Holds::Nothing,
        Value::String(text) => holds(text),
        Value::Bool(_) | Value::Number(_) => Holds::Clear,
    };
    leaves.push(Leaf { route: route.to_owned(), holds });
}

/// Reads `NAME=value` lines; in an INI file sections become part of the way, and one of them is that of sops.
fn lines(text: &str, prefix: &str, has_sections: bool) -> Result<(Vec<Leaf>, Metadata), Fault> {
    let (mut leaves, mut metadata, mut section) = (Vec::new(), Metadata::default(), "");
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(remark) = line.strip_prefix(['#', ';']) {
            remark_of(remark, &mut leaves);
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|_| has_sections) {
            section = name;
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(Fault::Clear(format!("its line {} is in clear", number + 1)));
        };
        let (key, value) = (key.trim(), value.trim());
        let own = if has_sections { (section == "sops").then_some(key) } else { key.strip_prefix(prefix) };
        match own {
            Some(own) => metadata.note(own, value),
            None if section.is_empty() => leaves.push(Leaf { route: key.to_owned(), holds: holds(value) }),
            None => leaves.push(Leaf { route: format!("{section}/{key}"), holds: holds(value) }),
        }
    }
    Ok((leaves, metadata))
}

/// Notes a remark, which sops encrypts as it does everything else.
fn remark_of(remark: &str, leaves: &mut Vec<Leaf>) {
    let holds = match remark.trim() {
        "" => Holds::Nothing,
        remark if is_sealed(remark) => Holds::Sealed,
        _ => Holds::Clear,
    };
    leaves.push(Leaf { route: String::new(), holds });
}

/// Reads YAML in the form in which sops writes it: one key or item a line, in blocks by their indentation.
fn yaml(text: &str) -> Result<(Vec<Leaf>, Metadata), Fault> {
    let (mut leaves, mut metadata) = (Vec::new(), Metadata::default());
    let mut open: Vec<Open> = Vec::new();
    // Of a block of text: what its lines are indented by more than.
    let mut block: Option<usize> = None;
    let mut keys = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let strange = || Fault::Strange(format!("its line {} is none that sops writes", number + 1));
        let mut rest = line.trim_start_matches(' ');
        let mut indent = line.len() - rest.len();
        if rest.trim().is_empty() || block.is_some_and(|above| indent > above) {
            continue;
        }
        block = None;
        if let Some(remark) = rest.strip_prefix('#') {
            remark_of(remark, &mut leaves);
            continue;
        }
        if rest.starts_with("---") || rest.starts_with("...") || rest.starts_with(['\t', '?', '&', '*', '%', '!']) {
            return Err(strange());
        }
        let item = |rest: &str| rest.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        // The list of a key may be indented as the key itself is.
        open.retain(|above| above.indent < indent || item(rest) && above.indent == indent && !above.is_item);
        while item(rest) {
            open.push(Open { indent, key: (number + 1).to_string(), is_item: true });
            let trimmed = rest.trim_start_matches('-').trim_start_matches(' ');
            indent += rest.len() - trimmed.len();
            rest = trimmed;
        }
        let (key, value) = match key_of(rest) {
            Some((key, value)) => (Some(key), value.trim()),
            None => (None, rest.trim()),
        };
        let route: Vec<&str> = open.iter().map(|above| above.key.as_str()).chain(key.as_deref()).collect();
        let value = unquoted(value);
        let of_sops = route.first() == Some(&"sops");
        if let [_, own] = route.as_slice()
            && of_sops
        {
            metadata.note(own, value);
        }
        if value.starts_with(['|', '>']) {
            block = Some(indent);
        }
        let route = route.join("/");
        if !of_sops && !value.is_empty() {
            leaves.push(Leaf { route: route.clone(), holds: holds(value) });
        }
        if let Some(key) = key {
            // The second of two keys of one name would be the one that counts.
            if !of_sops && !keys.insert(route) {
                return Err(strange());
            }
            if value.is_empty() {
                open.push(Open { indent, key, is_item: false });
            }
        }
    }
    Ok((leaves, metadata))
}

/// A key or an item of a list that further lines belong to.
#[derive(Debug)]
struct Open {
    indent: usize,
    /// Of an item the number of its line.
    key: String,
    is_item: bool,
}

/// Takes a line apart that begins with a key: `key: value`, `"key": value`.
fn key_of(line: &str) -> Option<(String, &str)> {
    for quote in ['"', '\''] {
        if let Some(rest) = line.strip_prefix(quote) {
            let (key, rest) = rest.split_once(quote)?;
            return Some((key.to_owned(), rest.strip_prefix(':')?));
        }
    }
    match line.split_once(": ") {
        Some((key, value)) => Some((key.to_owned(), value)),
        None => Some((line.trim_end().strip_suffix(':')?.to_owned(), "")),
    }
}

fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// The first line of a file of age (C2SP age, "The header").
const AGE: &str = "age-encryption.org/v1";

/// The lines around a file of age in letters.
const ARMOR: [&str; 2] = ["-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"];

/// Checks that a file is one that age encrypted, as bytes or in letters.
pub(super) fn age(bytes: &[u8]) -> Result<(), Fault> {
    use base64::Engine as _;
    let clear = || Fault::Clear("it does not begin as age begins a file".to_owned());
    let begins = |bytes: &[u8]| bytes.starts_with(format!("{AGE}\n-> ").as_bytes());
    // The header ends with a line of its own, and what is encrypted follows: a nonce and a tag at least.
    let is_whole = |bytes: &[u8]| {
        let end = bytes.windows(5).position(|window| window == b"\n--- ");
        let behind =
            end.and_then(|end| bytes.get(end + 5..)?.split(|b| *b == b'\n').next().map(|mac| end + 6 + mac.len()));
        behind.is_some_and(|behind| bytes.len() >= behind + 32)
    };
    let cut = || Fault::Strange("it ends too early".to_owned());
    if begins(bytes) {
        return if is_whole(bytes) { Ok(()) } else { Err(cut()) };
    }
    let text = std::str::from_utf8(bytes).map_err(|_| clear())?.trim();
    let inner = text.strip_prefix(ARMOR[0]).and_then(|rest| rest.strip_suffix(ARMOR[1])).ok_or_else(clear)?;
    let letters: String = inner.split_whitespace().collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(letters).map_err(|_| clear())?;
    match begins(&decoded) {
        true if is_whole(&decoded) => Ok(()),
        true => Err(cut()),
        false => Err(clear()),
    }
}
