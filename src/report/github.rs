//! GitHub's workflow commands: findings as annotations on the lines of a change.
//!
//! <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>; the escapes are those of
//! `escapeData` and `escapeProperty` in actions/toolkit, `packages/core/src/command.ts`. Allowed findings are left out:
//! an annotation asks for attention.

use std::fmt::{self, Display, Formatter, Write as _};

use super::plain::{at, details};
use super::{CheckReport, Options, from_root};
use crate::source::{Diagnostic, Level, Place, Sources, printable};

/// Writes one command a line.
pub(super) fn write(report: &CheckReport<'_>, options: &Options<'_>) -> String {
    let mut out = String::new();
    for finding in report.findings.iter().filter(|finding| finding.allowed.is_none()) {
        write_command(&mut out, finding, report.sources, options.folder);
    }
    out
}

fn write_command(out: &mut String, finding: &Diagnostic, sources: &Sources, folder: &str) {
    let command = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let place = finding.primary.place;
    let (start, end) = (sources.position(place), sources.position(Place { start: place.end, ..place }));
    let path = from_root(folder, sources.file(place.file).path());
    let title = format!("hostwright: {}", finding.rule);
    let _ = write!(out, "::{command} file={},line={},col={}", Property(&printable(&path)), start.line, start.column);
    // GitHub ignores columns of a range over several lines; its end column is that of the last character.
    if start.line == end.line && end.column > start.column {
        let _ = write!(out, ",endLine={},endColumn={}", end.line, end.column - 1);
    } else if end.line > start.line {
        let _ = write!(out, ",endLine={}", end.line);
    }
    let _ = writeln!(out, ",title={}::{}", Property(&title), Data(&text(finding, sources, folder)));
}

/// Returns the annotation's text; the place is repeated because the workflow's log shows nothing but the text.
fn text(finding: &Diagnostic, sources: &Sources, folder: &str) -> String {
    let place = at(finding.primary.place, sources, folder);
    let mut lines = vec![format!("{place}: {}", printable(&finding.message))];
    lines.extend(details(finding, sources, folder));
    lines.extend(finding.host.as_ref().map(|host| format!("host: {}", printable(host))));
    lines.join("\n")
}

/// A command's text.
struct Data<'a>(&'a str);

impl Display for Data<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '%' => f.write_str("%25"),
            '\r' => f.write_str("%0D"),
            '\n' => f.write_str("%0A"),
            _ => f.write_char(c),
        })
    }
}

/// A value among a command's properties.
struct Property<'a>(&'a str);

impl Display for Property<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            ':' => f.write_str("%3A"),
            ',' => f.write_str("%2C"),
            _ => Data(c.encode_utf8(&mut [0; 4])).fmt(f),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample::written;
    use super::super::{Format, Verbosity};
    use super::*;

    #[test]
    fn what_is_not_allowed_becomes_an_annotation() {
        insta::assert_snapshot!(written(Format::Github, Verbosity::Normal), @r##"
    ::error file=fleet.toml,line=5,col=11,endLine=5,endColumn=17,title=hostwright%3A zfs-pool-newer-than-channel::fleet.toml:5:11: `rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it%0Ahere: lufta boots this%0Ahosts/lufta/host.toml:3:11: installed with this (21.05pre, OpenZFS 2.0); seen in hosts/lufta/facts.json%0Awhy: the pool imports read-only, so the host does not come back after its next reboot%0Ahelp: any one of: a channel with ZFS >= 2.0 · `[zfs] package` of that series · install again from `stable`%0Ahost: lufta
    ::error file=hosts/lufta/host.toml,line=5,col=15,endLine=5,endColumn=20,title=hostwright%3A value-invalid::hosts/lufta/host.toml:5:15: `\u{1b}]0;x\u{7}` is no text%0Ahere: 50 %25 of it, "quoted" & <hidden>%0Ahosts/lufta/host.toml:1:1: this host%0Ahelp: write letters%0Ahost: attic
    ::warning file=hosts/lufta/facts.json,line=1,col=324,endLine=1,endColumn=333,title=hostwright%3A host-id-odd::hosts/lufta/facts.json:1:324: the id is all zeros%0Ahere: a placeholder that is copied from guides%0Ahost: lufta
    ::notice file=modules/a%2Cb%3A 100%25/module.toml,line=1,col=1,title=hostwright%3A module-empty::modules/a,b: 100%25/module.toml:1:1: nothing in it
    "##);
    }

    fn decode(text: &str) -> String {
        let pairs = [("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
        pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    proptest! {
        #[test]
        fn no_text_ends_a_command_or_a_property_and_all_of_it_arrives(text in any::<String>()) {
            let data = Data(&text).to_string();
            prop_assert!(!data.contains(['\r', '\n']));
            prop_assert_eq!(decode(&data), text.clone());
            let property = Property(&text).to_string();
            prop_assert!(!property.contains(['\r', '\n', ':', ',']));
            prop_assert_eq!(decode(&property), text);
        }
    }
}
