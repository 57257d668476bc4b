//! What Nix says on standard error: its error with the trace that leads there, and warnings.
//!
//! The form is that of Nix 2.18 and later with `--show-trace`: frames from outside in, each `… while …` with the place in the
//! next line, an excerpt, and at last `error: …`.

/// A place as Nix names it: line from 1, column from 1 in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A step on the way to an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) text: String,
    pub(super) at: Option<At>,
}

/// What Nix said in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The lines of the error's message; none when there was no error.
    pub(super) error: Vec<String>,
    /// Where the error itself stands.
    pub(super) at: Option<At>,
    /// The frames, the outermost first.
    pub(super) frames: Vec<Frame>,
    /// The warnings of the evaluation, each once, in their order.
    pub(super) warnings: Vec<String>,
}

impl Said {
    /// Reads standard error.
    pub(super) fn read(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(plain).collect();
        let mut said = Self { warnings: warnings(&lines), ..Self::default() };
        let Some(start) = lines.iter().rposition(|line| after_error(line).is_some()) else { return said };
        let (before, after) = lines.split_at(start);
        said.frames = frames(before);
        let mut message = after.iter();
        let first = message.next().and_then(|line| after_error(line)).unwrap_or_default();
        said.error.extend((!first.is_empty()).then(|| first.to_owned()));
        for line in message {
            if let Some(at) = place(line) {
                said.at = Some(at);
                break;
            }
            said.error.push(line.trim().to_owned());
        }
        // What follows the place: an excerpt, and what Nix thinks was meant.
        said.error.extend(
            after.iter().map(|line| line.trim()).filter(|line| line.starts_with("Did you mean ")).map(str::to_owned),
        );
        said.error.dedup();
        while said.error.last().is_some_and(String::is_empty) {
            said.error.pop();
        }
        said
    }
}

/// Returns a line without the escapes that colour it.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // CSI: up to its final byte.
            for c in chars.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn after_error(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("error:").map(str::trim)
}

/// Reads `at /path/file.nix:12:3:`.
fn place(line: &str) -> Option<At> {
    let line = line.trim();
    let rest = line.strip_prefix("at ")?.trim_end_matches(':');
    let (rest, column) = rest.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some(At { file: file.to_owned(), line: line.parse().ok()?, column: column.parse().ok()? })
}

fn frames(lines: &[String]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut within = false;
    for line in lines {
        let line = line.trim();
        if let Some(text) = line.strip_prefix('…') {
            frames.push(Frame { text: text.trim().to_owned(), at: None });
            within = true;
        } else if let Some(at) = place(line) {
            within = false;
            if let Some(frame) = frames.last_mut() {
                frame.at.get_or_insert(at);
            }
        } else if line.is_empty() {
            within = false;
        } else if within && let Some(frame) = frames.last_mut() {
            frame.text.push(' ');
            frame.text.push_str(line);
        }
    }
    frames
}

/// How Nix and nixpkgs begin a warning of an evaluation: `builtins.warn`, and `builtins.trace` before there was that.
const WARNINGS: [&str; 3] = ["evaluation warning:", "trace: evaluation warning:", "trace: warning:"];

fn warnings(lines: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in lines {
        if let Some(text) = WARNINGS.iter().find_map(|word| line.strip_prefix(word)) {
            found.push(text.trim().to_owned());
            open = true;
        } else if ["trace:", "error:", "warning:", "GC "].iter().any(|word| line.starts_with(word))
            || line.trim().is_empty()
        {
            open = false;
        } else if open && let Some(last) = found.last_mut() {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    let mut seen = Vec::new();
    found.retain(|text| {
        let new = !seen.contains(text);
        seen.push(text.clone());
        new
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
evaluation warning: The option `a.b' defined in `/o/hosts/a/nixos.nix' has been renamed to `a.c'.
evaluation warning: one
  more line

error:
       … while evaluating the attribute 'x'
         at /n/lib/customisation.nix:415:11:
          414|         // {
             |           ^

       … while evaluating definitions from `/o/hosts/a/nixos.nix':

       … while calling a function
         whose name is long
         at «string»:6:79:
            5|   error: none = 1;

       \u{1b}[31;1merror:\u{1b}[0m attribute 'hallo' missing
       at /o/hosts/a/nixos.nix:8:5:
            7|     pkgs.hello
            8|     pkgs.hallo
             |     ^
       Did you mean hello?
";

    #[test]
    fn an_error_comes_with_its_message_its_place_and_the_way_to_it() {
        let said = Said::read(TEXT);
        let at = |file: &str, line, column| Some(At { file: file.to_owned(), line, column });
        assert_eq!(said.error, ["attribute 'hallo' missing", "Did you mean hello?"]);
        assert_eq!(said.at, at("/o/hosts/a/nixos.nix", 8, 5));
        assert_eq!(said.frames.len(), 3);
        assert_eq!(said.frames[0].at, at("/n/lib/customisation.nix", 415, 11));
        assert_eq!(
            (said.frames[1].text.as_str(), &said.frames[1].at),
            ("while evaluating definitions from `/o/hosts/a/nixos.nix':", &None)
        );
        assert_eq!(said.frames[2].text, "while calling a function whose name is long");
        assert_eq!(said.warnings.len(), 2);
        assert_eq!(said.warnings[1], "one more line");
    }

    #[test]
    fn a_message_of_several_lines_is_read_whole_and_silence_is_no_error() {
        let said = Said::read("error:\n       Failed assertions:\n       - a\n       - b\n");
        assert_eq!(said.error, ["Failed assertions:", "- a", "- b"]);
        assert_eq!(Said::read(""), Said::default());
        assert_eq!(Said::read("trace: warning: old\ntrace: x\n").warnings, ["old"]);
        assert!(Said::read("error: \u{1b}").error.is_empty());
    }
}
