//! The quoting type of curl's config files (curl(1), `--config`): one setting a line, its value in double quotes.
//!
//! What stands in a config file that comes through standard input is in no list of processes and in no file.

/// Returns the line of a setting. Its value is one value whatever it holds; a NUL, which no setting can hold, ends it.
pub fn curl_setting(name: &'static str, value: &str) -> String {
    let mut out = format!("{name} = \"");
    for c in value.chars().take_while(|c| *c != '\0') {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c => out.push(c),
        }
    }
    out.push_str("\"\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a line as curl's `parseconfig` and `unslashquote` do.
    fn read(line: &str) -> String {
        let mut out = String::new();
        let mut chars = line.split_once('"').unwrap().1.chars();
        loop {
            match chars.next().unwrap() {
                '"' => break,
                '\\' => match chars.next().unwrap() {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'v' => out.push('\u{b}'),
                    other => out.push(other),
                },
                c => out.push(c),
            }
        }
        assert_eq!(chars.as_str(), "\n");
        out
    }

    #[test]
    fn every_value_is_one_line_and_comes_back_as_it_was() {
        proptest::proptest!(|(value in "[^\0]{0,40}")| {
            let line = curl_setting("data-raw", &value);
            proptest::prop_assert_eq!(line.matches('\n').count(), 1);
            proptest::prop_assert_eq!(read(&line), value);
        });
        assert_eq!(curl_setting("url", "a\"\nurl = b"), "url = \"a\\\"\\nurl = b\"\n");
    }
}
