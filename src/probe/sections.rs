//! The output of the script, taken apart into its sections.
//!
//! Every section stands between two lines with a nonce of the run, and its content is base64 or has a `|` before each line: no
//! content can pass for a frame. What is cut off or altered is a finding at its line.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;

use crate::source::{Diagnostic, Diagnostics, FileId, Place, Sources, quoted};

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What the command printed.
    pub text: String,
    /// Its exit status; none when the section did not run because its tool is not there.
    pub status: Option<i32>,
    /// Where it begins.
    pub place: Place,
}

/// The sections of one output, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections {
    map: BTreeMap<String, Section>,
}

impl Sections {
    /// Returns what a command printed, if it ran and ended well.
    pub fn good(&self, name: &str) -> Option<&str> {
        self.map.get(name).filter(|section| section.status == Some(0)).map(|section| section.text.as_str())
    }

    /// Returns what a command printed, however it ended; nothing when its tool is not there.
    pub fn ran(&self, name: &str) -> Option<&str> {
        self.map.get(name).filter(|section| section.status.is_some()).map(|section| section.text.as_str())
    }

    /// Returns the names of the sections with their exit status, none for tools that are not there.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Section)> {
        self.map.iter().map(|(name, section)| (name.as_str(), section))
    }

    #[cfg(test)]
    pub(super) fn with(mut self, name: &str, status: i32, text: &str) -> Self {
        let place = Sources::default().add("test", "");
        let place = Place { file: place, start: 0, end: 0 };
        self.map.insert(name.to_owned(), Section { text: text.to_owned(), status: Some(status), place });
        self
    }
}

/// Reads the output of the script. Nothing is returned when it is none or is cut off.
pub fn read(sources: &Sources, file: FileId, found: &mut Diagnostics) -> Option<Sections> {
    let text = sources.text(file);
    let start = sources.start(file);
    let mut lines = Lines { rest: &text, at: 0 };
    let help = "run `hostwright probe --script >probe.sh` and `sh probe.sh >HOST.probe` on the machine, and copy the whole output";
    let mut refuse = |place, message: String| {
        found.push(Diagnostic::error("value-invalid", place, message).help(help));
        None
    };
    let header = loop {
        match lines.next() {
            // What a login shell prints comes before.
            Some((line, at)) if line.starts_with("hostwright-probe ") => break (line, at),
            Some(_) => {}
            None => return refuse(start, "this is no output of the probe script".to_owned()),
        }
    };
    let place = |at: usize, line: &str| sources.place(file, at, at + line.len());
    let words: Vec<&str> = header.0.split(' ').collect();
    let [_, version, nonce, encoding] = words.as_slice() else {
        return refuse(place(header.1, header.0), "the first line of the output is not whole".to_owned());
    };
    if *version != "1" || !matches!(*encoding, "base64" | "lines") || nonce.is_empty() {
        return refuse(
            place(header.1, header.0),
            format!("the output is of version {}, which cannot be read", quoted(version)),
        );
    }
    let frame = format!("@{nonce} ");
    let mut sections = Sections::default();
    let mut open: Option<(String, Vec<&str>, Place)> = None;
    let mut count = 0usize;
    for (line, at) in lines {
        let here = place(at, line);
        let Some(words) = line.strip_prefix(&frame) else {
            if let Some((_, content, _)) = &mut open {
                content.push(line);
            }
            continue;
        };
        let words: Vec<&str> = words.split(' ').collect();
        match (words.as_slice(), open.take()) {
            (["begin", name], None) => open = Some(((*name).to_owned(), Vec::new(), here)),
            (["end", name, status], Some((opened, content, place))) if *name == opened => {
                let Some(text) = decode(&content, encoding) else {
                    return refuse(place, format!("the section {} was altered on its way", quoted(name)));
                };
                count += 1;
                let status = status.parse().ok().or(Some(-1));
                sections.map.insert(opened, Section { text, status, place });
            }
            (["absent", name, ..], None) => {
                count += 1;
                sections.map.insert((*name).to_owned(), Section { text: String::new(), status: None, place: here });
            }
            (["done", total], None) => {
                if total.parse() == Ok(count) {
                    return Some(sections);
                }
                return refuse(here, format!("the output says {} sections and has {count}", quoted(total)));
            }
            (_, Some((name, _, _))) => {
                return refuse(here, format!("the section {} has no end", quoted(&name)));
            }
            _ => return refuse(here, "the output is not in the order in which the script prints".to_owned()),
        }
    }
    let (cut, at) = match open {
        Some((name, _, place)) => (format!("in the section {}", quoted(&name)), place),
        None => (format!("after {count} sections"), place(header.1, header.0)),
    };
    refuse(at, format!("the output is cut off {cut}"))
}

fn decode(lines: &[&str], encoding: &str) -> Option<String> {
    if encoding == "lines" {
        let lines: Option<Vec<&str>> = lines.iter().map(|line| line.strip_prefix('|')).collect();
        return lines.map(|lines| lines.iter().map(|line| format!("{line}\n")).collect());
    }
    let bytes = STANDARD.decode(lines.concat()).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lines with the byte at which each begins; a carriage return at the end belongs to the line's end.
struct Lines<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        let at = self.at;
        self.at += self.rest.len() - rest.len();
        self.rest = rest;
        Some((line.strip_suffix('\r').unwrap_or(line), at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Option<Sections>, Vec<String>) {
        let mut sources = Sources::default();
        let file = sources.add("a.probe", text);
        let mut found = Vec::new();
        let sections = read(&sources, file, &mut found);
        (sections, found.into_iter().map(|finding| finding.message).collect())
    }

    const WHOLE: &str = "Welcome!\nhostwright-probe 1 n0 lines\n@n0 begin a\n|x\n|@n0 end a 0\n@n0 end a 3\n@n0 absent b tool\n@n0 done 2\n";

    #[test]
    fn content_that_looks_like_a_frame_stays_content() {
        let (sections, found) = read_text(WHOLE);
        let sections = sections.unwrap();
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(sections.ran("a"), Some("x\n@n0 end a 0\n"));
        assert_eq!((sections.good("a"), sections.ran("b")), (None, None));
        assert_eq!(read_text(&WHOLE.replace('\n', "\r\n")).0.unwrap().ran("a"), Some("x\n@n0 end a 0\n"));
    }

    #[test]
    fn an_output_that_is_cut_anywhere_is_refused() {
        let whole = WHOLE.trim_end();
        for at in 0..whole.len() {
            let (sections, found) = read_text(whole.get(..at).unwrap());
            assert!(sections.is_none() && found.len() == 1, "{at}: {found:?}");
        }
    }

    #[test]
    fn base64_is_decoded_and_what_is_none_is_refused() {
        let of = |content: &str| {
            read_text(&format!("hostwright-probe 1 n0 base64\n@n0 begin a\n{content}\n@n0 end a 0\n@n0 done 1\n"))
        };
        for (content, text) in [("", ""), ("eA==", "x"), ("eHk=", "xy"), ("eHl6", "xyz"), ("eH\nl6", "xyz")] {
            assert_eq!(of(content).0.unwrap().ran("a"), Some(text));
        }
        for bad in ["e", "eA=", "e A=", "eA==\u{e9}", "===="] {
            let (sections, found) = of(bad);
            assert!(sections.is_none() && found.len() == 1, "{bad}: {found:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_output_makes_it_panic(text in "(@n0 (begin|end|done|absent) ?[ab]? ?[0-9]?\n|\\|x\n|hostwright-probe 1 n0 (lines|base64)\n|é=\n){0,12}") {
            let _ = read_text(&text);
        }
    }
}
