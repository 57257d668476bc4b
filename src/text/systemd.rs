//! The quoting types of systemd's unit files: words of command lines and values with specifiers.

/// A command line of a unit (systemd.service(5), "COMMAND LINES"): each word is one argument, and none is expanded.
///
/// Words are in double quotes with C-style escapes; `%` begins a specifier and `$` a variable, so both are doubled.
pub fn exec_line<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|word| exec_word(word.as_ref())).collect::<Vec<_>>().join(" ")
}

fn exec_word(word: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"_-+=./:,@".contains(&b);
    // At the start of a line these are prefixes of the program's path.
    let plain = !word.is_empty() && word.bytes().all(bare) && !word.starts_with(['-', '+', '@', ':']);
    if plain {
        return word.to_owned();
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '%' => out.push_str("%%"),
            '$' => out.push_str("$$"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Returns text as a value in which specifiers are expanded (`%` doubled).
pub fn specifier_free(text: &str) -> String {
    text.replace('%', "%%")
}

/// Returns a path as tmpfiles.d(5) reads it: quoted where needed, `%` doubled.
pub fn tmpfiles_path(path: &str) -> String {
    let doubled = specifier_free(path);
    if doubled.contains([' ', '"', '\'', '\\']) {
        format!("\"{}\"", doubled.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        doubled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_argument_and_nothing_in_it_is_expanded() {
        let line = exec_line(["/bin/x", "", "a b", "50%", "$HOME", "\"q\"", "-l", "a\nb", "é", "\u{7}"]);
        assert_eq!(line, "/bin/x \"\" \"a b\" \"50%%\" \"$$HOME\" \"\\\"q\\\"\" \"-l\" \"a\\nb\" \"é\" \"\\x07\"");
    }

    /// Takes a line apart as systemd does (`extract_first_word` with `EXTRACT_CUNESCAPE | EXTRACT_UNQUOTE`), then expands.
    fn split(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut chars = line.chars().peekable();
        while chars.peek().is_some() {
            let mut bytes = Vec::new();
            let mut quoted = false;
            while let Some(c) = chars.next() {
                match c {
                    ' ' if !quoted => break,
                    '"' => quoted = !quoted,
                    '\\' => match chars.next().unwrap() {
                        'n' => bytes.push(b'\n'),
                        't' => bytes.push(b'\t'),
                        'r' => bytes.push(b'\r'),
                        'x' => {
                            let hex: String = chars.by_ref().take(2).collect();
                            bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                        }
                        other => bytes.extend(other.to_string().bytes()),
                    },
                    c => bytes.extend(c.to_string().bytes()),
                }
            }
            let word = String::from_utf8(bytes).unwrap();
            words.push(word.replace("%%", "%").replace("$$", "$"));
        }
        words
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        proptest::proptest!(|(words in proptest::collection::vec("[^\0]{0,12}", 1..5))| {
            // Doubled signs in a word are undone one pair at a time, as systemd does.
            let undone: Vec<String> = split(&exec_line(&words));
            proptest::prop_assert_eq!(undone, words);
        });
    }
}
