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
    /// What it is.
    pub(super) holds: Holds,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Encrypted text.
    Sealed,
    /// An encrypted number or truth value.
    SealedNumber,
    /// Something that everybody can read.
    Clear,
    /// Nothing, which is not encrypted.
    Nothing,
}

/// Tells whether a value is what sops makes of one.
fn is_sealed(value: &str) -> bool {
    value.starts_with("ENC[AES256_GCM,data:") && value.ends_with(']') && !value.contains(char::is_whitespace)
}

fn holds(value: &str) -> Holds {
    match value {
        "" | "null" | "~" | "[]" | "{}" => Holds::Nothing,
        value if !is_sealed(value) => Holds::Clear,
        value if ["int", "float", "bool"].iter().any(|kind| value.ends_with(&format!(",type:{kind}]"))) => {
            Holds::SealedNumber
        }
        _ => Holds::Sealed,
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
        let (is_open, value) = (value.is_empty(), unquoted(value));
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
        if !of_sops && !is_open {
            leaves.push(Leaf { route: route.clone(), holds: holds(value) });
        }
        if let Some(key) = key {
            // The second of two keys of one name would be the one that counts.
            if !of_sops && !keys.insert(route) {
                return Err(strange());
            }
            if is_open {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEALED: &str = "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]";

    /// A file of YAML; `@` stands for an encrypted value.
    fn file(body: &str, metadata: &str) -> String {
        let head =
            "sops:\n    age:\n        - recipient: age1xyz\n          enc: |\n            plain: here\n    mac: @\n";
        format!("{body}{head}{metadata}    version: 3.10.2\n").replace('@', SEALED)
    }

    fn read(body: &str, metadata: &str) -> Result<Vec<(String, Holds)>, Fault> {
        let leaves = sops(SopsForm::Yaml, file(body, metadata).as_bytes())?;
        Ok(leaves.into_iter().map(|leaf| (leaf.route, leaf.holds)).collect())
    }

    #[test]
    fn keys_of_yaml_are_found_at_every_level_and_in_lists() {
        let body = "a: @\n#@\nb:\n    c: @\n    'd e': \"@\"\nempty: \"\"\nlist:\n- @\n- x: @\n  y: @\n- x: @\n";
        let body = format!("{body}n: {}\n", SEALED.replace("str", "int"));
        let leaves = read(&body, "").unwrap();
        let sealed: Vec<&str> =
            leaves.iter().filter(|(_, holds)| *holds == Holds::Sealed).map(|(route, _)| route.as_str()).collect();
        assert_eq!(sealed, ["a", "", "b/c", "b/d e", "list/8", "list/9/x", "list/9/y", "list/11/x"]);
        assert!(
            leaves.contains(&("empty".to_owned(), Holds::Nothing))
                && leaves.contains(&("n".to_owned(), Holds::SealedNumber))
        );
    }

    #[test]
    fn what_stands_in_clear_is_never_let_through_and_never_repeated() {
        let clear = |body: &str| match read(body, "    unencrypted_suffix: _unencrypted\n") {
            Err(Fault::Clear(what) | Fault::Strange(what)) => assert!(!what.contains("hunter"), "{what}"),
            Ok(leaves) => panic!("{body}: {leaves:?}"),
        };
        for body in [
            "a: hunter2\n",
            "a: @\nb:\n    c: hunter2\n",
            "a: |\n    hunter2\n",
            "a: [hunter2]\n",
            "a: {b: hunter2}\n",
            "a:\n- hunter2\n",
            "a:\n  hunter2\n",
            "# hunter2\na: @\n",
            "a: @ # hunter2\n",
            "a: @ hunter2\n",
            "a: 1\n",
            "a: &x @\n",
            "--- hunter2\na: @\n",
            "a: @\na: @\n",
            "? hunter2\n: @\n",
            "\"a\": \"@\nhunter2\"\n",
            "hunter2\n",
        ] {
            clear(body);
        }
        assert!(read("a_unencrypted: open\nb: @\n", "    unencrypted_suffix: _unencrypted\n").is_ok());
        assert!(read("host: open\nb: @\n", "    encrypted_regex: ^b$\n").is_ok());
        assert!(
            matches!(sops(SopsForm::Yaml, format!("a: {SEALED}\n").as_bytes()), Err(Fault::Clear(_))),
            "no metadata"
        );
        let no_mac = file("a: @\n", "").replace("mac:", "cam:");
        assert!(matches!(sops(SopsForm::Yaml, no_mac.as_bytes()), Err(Fault::Clear(_))));
        assert!(matches!(sops(SopsForm::Yaml, b"\xff\xfe"), Err(Fault::Clear(_))));
    }

    #[test]
    fn every_form_of_sops_is_read() {
        let sops_json = format!("\"sops\": {{ \"mac\": \"{SEALED}\" }}");
        let json = |body: &str| sops(SopsForm::Json, format!("{{ {body}, {sops_json} }}").as_bytes());
        assert_eq!(json(&format!("\"a\": {{ \"b\": \"{SEALED}\" }}")).unwrap()[0].route, "a/b");
        for open in ["\"a\": \"hunter2\"", "\"a\": 1", "\"a\": [true]"] {
            assert!(json(open).is_err(), "{open}");
        }
        let dotenv = |line: &str| sops(SopsForm::Dotenv, format!("{line}\nsops_mac={SEALED}\n").as_bytes());
        assert!(dotenv(&format!("A={SEALED}")).is_ok() && dotenv("A=hunter2").is_err() && dotenv("hunter2").is_err());
        let ini = |line: &str| sops(SopsForm::Ini, format!("[db]\n{line}\n[sops]\nmac = {SEALED}\n").as_bytes());
        assert!(ini(&format!("a = {SEALED}")).is_ok() && ini("a = hunter2").is_err());
        let names =
            ["a.yaml", "a.yml", "a.json", "a.env", "a.ini", "a", "a.txt"].map(|name| SopsForm::of(name).as_str());
        assert_eq!(names, ["yaml", "yaml", "json", "dotenv", "ini", "binary", "binary"]);
    }

    #[test]
    fn a_file_of_age_is_told_from_others_as_bytes_and_in_letters() {
        use base64::Engine as _;
        let mut whole = b"age-encryption.org/v1\n-> X25519 abc\ndef\n--- mac\n".to_vec();
        whole.extend([0x80; 40]);
        let letters = base64::engine::general_purpose::STANDARD.encode(&whole);
        let armored = |inner: &str| format!("{}\n{inner}\n{}\n", ARMOR[0], ARMOR[1]);
        assert_eq!((age(&whole), age(armored(&letters).as_bytes())), (Ok(()), Ok(())));
        assert!(matches!(age(&whole[..60]), Err(Fault::Strange(_))));
        let plain = base64::engine::general_purpose::STANDARD.encode("hunter2");
        for bad in [
            "hunter2\n",
            "",
            "age-encryption.org/v1\nhunter2",
            &armored(&plain),
            &armored("hunter2"),
            &format!("{}hunter2", armored(&letters)),
        ] {
            assert!(age(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_file_ends_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[ \\-a:#|'\"\n\\[\\]]{0,80}") {
            for form in [SopsForm::Yaml, SopsForm::Json, SopsForm::Dotenv, SopsForm::Ini, SopsForm::Binary] {
                let _ = (sops(form, &bytes), sops(form, text.as_bytes()), sops(form, file(&text, "").as_bytes()));
            }
            let _ = age(&bytes);
        }
    }
}
