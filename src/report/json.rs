//! The stable document of `check --format json`.
//!
//! Fields may be added, never changed or removed; their order is that of the structs.

use serde::Serialize;

use super::CheckReport;
use crate::source::{Diagnostic, Label, Level, Sources, pretty_json};

/// The version of the document.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    fleet: Option<&'a str>,
    findings: Vec<Finding<'a>>,
    unchecked: Vec<Unchecked<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    level: Level,
    host: Option<&'a str>,
    message: &'a str,
    /// Ways out, joined; empty if there is none.
    help: String,
    #[serde(flatten)]
    place: Place<'a>,
    related: Vec<Related<'a>>,
    allowed: Option<Allowed<'a>>,
    fingerprint: &'a str,
}

/// Line and column from 1, the column in characters.
#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Related<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    message: &'a str,
}

#[derive(Serialize)]
struct Allowed<'a> {
    reason: &'a str,
    until: Option<&'a str>,
}

#[derive(Serialize)]
struct Unchecked<'a> {
    rule: &'a str,
    host: Option<&'a str>,
    why: &'a str,
}

#[derive(Serialize)]
struct Summary {
    hosts: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    allowed: usize,
}

/// Writes the document, indented by two spaces.
pub(super) fn write(report: &CheckReport<'_>) -> String {
    let counts = report.counts();
    let document = Document {
        version: VERSION,
        fleet: report.fleet,
        findings: report.findings.iter().map(|finding| Finding::new(finding, report.sources)).collect(),
        unchecked: report
            .unchecked
            .iter()
            .map(|one| Unchecked { rule: one.rule, host: one.host.as_deref(), why: &one.why })
            .collect(),
        summary: Summary {
            hosts: report.hosts,
            errors: counts.errors,
            warnings: counts.warnings,
            notes: counts.notes,
            allowed: counts.allowed,
        },
    };
    pretty_json(&document)
}

impl<'a> Finding<'a> {
    fn new(finding: &'a Diagnostic, sources: &'a Sources) -> Self {
        Self {
            rule: finding.rule,
            level: finding.level,
            host: finding.host.as_deref(),
            message: &finding.message,
            help: finding.help.join(" · "),
            place: Place::new(&finding.primary, sources),
            related: finding
                .related
                .iter()
                .map(|label| Related { place: Place::new(label, sources), message: &label.message })
                .collect(),
            allowed: finding
                .allowed
                .as_ref()
                .map(|allowed| Allowed { reason: &allowed.reason, until: allowed.until.as_deref() }),
            fingerprint: &finding.fingerprint,
        }
    }
}

impl<'a> Place<'a> {
    fn new(label: &Label, sources: &'a Sources) -> Self {
        let at = sources.position(label.place);
        Self { file: sources.file(label.place.file).path(), line: at.line, column: at.column }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::written;
    use super::super::{Format, Verbosity};

    #[test]
    fn the_document_is_the_stable_one() {
        let text = written(Format::Json, Verbosity::Normal);
        insta::assert_snapshot!(text, @r##"
    {
      "version": 1,
      "fleet": "hexagone",
      "findings": [
        {
          "rule": "zfs-pool-newer-than-channel",
          "level": "error",
          "host": "lufta",
          "message": "`rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it",
          "help": "a channel with ZFS >= 2.0 · `[zfs] package` of that series · install again from `stable`",
          "file": "fleet.toml",
          "line": 5,
          "column": 11,
          "related": [
            {
              "file": "hosts/lufta/host.toml",
              "line": 3,
              "column": 11,
              "message": "installed with this (21.05pre, OpenZFS 2.0); seen in hosts/lufta/facts.json"
            }
          ],
          "allowed": null,
          "fingerprint": "00000000000000000000000000000001"
        },
        {
          "rule": "value-invalid",
          "level": "error",
          "host": "attic",
          "message": "`\u001b]0;x\u0007` is no text",
          "help": "write letters",
          "file": "hosts/lufta/host.toml",
          "line": 5,
          "column": 15,
          "related": [
            {
              "file": "hosts/lufta/host.toml",
              "line": 1,
              "column": 1,
              "message": "this host"
            }
          ],
          "allowed": null,
          "fingerprint": "00000000000000000000000000000002"
        },
        {
          "rule": "log-not-mirrored",
          "level": "warning",
          "host": "lufta",
          "message": "`log` is one disk",
          "help": "",
          "file": "hosts/lufta/host.toml",
          "line": 2,
          "column": 1,
          "related": [],
          "allowed": {
            "reason": "the <log> may be lost & bought again",
            "until": "2027-01-01"
          },
          "fingerprint": "00000000000000000000000000000003"
        },
        {
          "rule": "host-id-odd",
          "level": "warning",
          "host": "lufta",
          "message": "the id is all zeros",
          "help": "",
          "file": "hosts/lufta/facts.json",
          "line": 1,
          "column": 324,
          "related": [],
          "allowed": null,
          "fingerprint": "00000000000000000000000000000004"
        },
        {
          "rule": "module-empty",
          "level": "note",
          "host": null,
          "message": "nothing in it",
          "help": "",
          "file": "modules/a,b: 100%/module.toml",
          "line": 1,
          "column": 1,
          "related": [],
          "allowed": null,
          "fingerprint": "00000000000000000000000000000005"
        }
      ],
      "unchecked": [
        {
          "rule": "ashift-too-small",
          "host": "attic",
          "why": "hosts/attic/facts.json is missing"
        },
        {
          "rule": "pin-too-old",
          "host": null,
          "why": "no date was given"
        }
      ],
      "summary": {
        "hosts": 2,
        "errors": 2,
        "warnings": 1,
        "notes": 1,
        "allowed": 1
      }
    }
    "##);
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["findings"][1]["message"], "`\u{1b}]0;x\u{7}` is no text");
    }
}
