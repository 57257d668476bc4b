//! SARIF 2.1.0: the part of it that a checker of text files needs.
//!
//! Sections are those of <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>. Every rule of the catalogue
//! is listed whether it reported or not, so that a consumer can tell "fixed" from "no longer checked".

use std::fmt::Write as _;

use serde::Serialize;

use super::plain::excuse;
use super::{CheckReport, Options, RuleText, from_root, ways_out};
use crate::source::{Diagnostic, Label, Level, Place, Sources, pretty_json};

/// §3.13 sarifLog object.
#[derive(Serialize)]
struct Log<'a> {
    /// §3.13.3: the official schema of the version.
    #[serde(rename = "$schema")]
    schema: &'static str,
    /// §3.13.2.
    version: &'static str,
    /// §3.13.4.
    runs: [Run<'a>; 1],
}

/// §3.14 run object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    /// §3.14.6.
    tool: Tool<'a>,
    /// §3.14.11.
    invocations: [Invocation<'a>; 1],
    /// §3.14.27: columns count characters, not UTF-16 units.
    column_kind: &'static str,
    /// §3.14.23.
    results: Vec<RunResult<'a>>,
}

/// §3.18 tool object.
#[derive(Serialize)]
struct Tool<'a> {
    /// §3.18.2.
    driver: Driver<'a>,
}

/// §3.19 toolComponent object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    /// §3.19.8.
    name: &'static str,
    /// §3.19.12: `version` in the form of Semantic Versioning.
    semantic_version: &'static str,
    /// §3.19.23.
    rules: Vec<ReportingDescriptor<'a>>,
}

/// §3.49 reportingDescriptor object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportingDescriptor<'a> {
    /// §3.49.3.
    id: &'a str,
    /// §3.49.9.
    short_description: Message<'a>,
    /// §3.49.13.
    help: Message<'a>,
    /// §3.49.14.
    default_configuration: ReportingConfiguration,
}

/// §3.50 reportingConfiguration object.
#[derive(Serialize)]
struct ReportingConfiguration {
    /// §3.50.3.
    level: Level,
}

/// §3.11 message and §3.12 multiformatMessageString object: the text is always there.
#[derive(Serialize)]
struct Message<'a> {
    /// §3.11.8, §3.12.3.
    text: String,
    /// §3.11.9, §3.12.4.
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<&'a str>,
}

/// §3.20 invocation object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    /// §3.20.14: findings are no failure of the tool.
    execution_successful: bool,
    /// §3.20.21: what could not be checked.
    tool_execution_notifications: Vec<Notification<'a>>,
}

/// §3.58 notification object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    /// §3.58.3.
    associated_rule: DescriptorReference<'a>,
    /// §3.58.5.
    message: Message<'a>,
    /// §3.58.6.
    level: Level,
    /// §3.8.
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Properties<'a>>,
}

/// §3.52 reportingDescriptorReference object.
#[derive(Serialize)]
struct DescriptorReference<'a> {
    /// §3.52.4.
    id: &'a str,
    /// §3.52.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

/// §3.27 result object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunResult<'a> {
    /// §3.27.5.
    rule_id: &'a str,
    /// §3.27.6: position in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    /// §3.27.10.
    level: Level,
    /// §3.27.11.
    message: Message<'a>,
    /// §3.27.12: the place to change.
    locations: [Location<'a>; 1],
    /// §3.27.17: what makes it the same result in the next run.
    partial_fingerprints: Fingerprints<'a>,
    /// §3.27.22: the further places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    /// §3.27.23: on every result, empty if it is not suppressed, because a missing array says that nothing is known.
    suppressions: Vec<Suppression>,
    /// §3.8.
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Properties<'a>>,
}

/// The one contribution to a fingerprint; the number is raised when it is made of other things.
#[derive(Serialize)]
struct Fingerprints<'a> {
    #[serde(rename = "hostwright/v1")]
    finding: &'a str,
}

/// §3.28 location object.
#[expect(clippy::struct_field_names, reason = "the standard's name")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    /// §3.28.2: only on related locations, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    /// §3.28.3.
    physical_location: PhysicalLocation,
    /// §3.28.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
}

/// §3.29 physicalLocation object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    /// §3.29.3.
    artifact_location: ArtifactLocation,
    /// §3.29.4.
    region: Region,
}

/// §3.4 artifactLocation object.
#[derive(Serialize)]
struct ArtifactLocation {
    /// §3.4.3: a relative reference of RFC 3986, from the repository's root.
    uri: String,
}

/// §3.30 region object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    /// §3.30.5.
    start_line: u32,
    /// §3.30.6.
    start_column: u32,
    /// §3.30.7.
    end_line: u32,
    /// §3.30.8: one beyond the last character.
    end_column: u32,
}

/// §3.35 suppression object.
#[derive(Serialize)]
struct Suppression {
    /// §3.35.2: the `allow` entry stands in the file that it is about.
    kind: &'static str,
    /// §3.35.3.
    status: &'static str,
    /// §3.35.6.
    justification: String,
}

/// §3.8 property bag.
#[derive(Serialize)]
struct Properties<'a> {
    host: &'a str,
}

/// Writes the log of one run.
pub(super) fn write(report: &CheckReport<'_>, options: &Options<'_>) -> String {
    let index = |rule: &str| options.rules.iter().position(|text| text.id == rule);
    let notifications = report.unchecked.iter().map(|one| Notification {
        associated_rule: DescriptorReference { id: one.rule, index: index(one.rule) },
        message: Message::plain(format!("not checked: {}", one.why)),
        level: Level::Note,
        properties: one.host.as_deref().map(|host| Properties { host }),
    });
    let results = report
        .findings
        .iter()
        .map(|finding| RunResult::new(finding, index(finding.rule), report.sources, options.folder));
    pretty_json(&Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: env!("CARGO_PKG_NAME"),
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: options.rules.iter().map(ReportingDescriptor::new).collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: true,
                tool_execution_notifications: notifications.collect(),
            }],
            column_kind: "unicodeCodePoints",
            results: results.collect(),
        }],
    })
}

impl<'a> ReportingDescriptor<'a> {
    fn new(rule: &RuleText<'a>) -> Self {
        Self {
            id: rule.id,
            short_description: Message::plain(rule.summary.to_owned()),
            help: Message { text: rule.help_markdown.to_owned(), markdown: Some(rule.help_markdown) },
            default_configuration: ReportingConfiguration { level: rule.level },
        }
    }
}

impl Message<'_> {
    fn plain(text: String) -> Self {
        Self { text, markdown: None }
    }
}

impl<'a> RunResult<'a> {
    fn new(finding: &'a Diagnostic, rule_index: Option<usize>, sources: &Sources, folder: &str) -> Self {
        let mut text = finding.message.clone();
        let why = finding.why.as_ref().map(|why| format!("why: {why}"));
        let help = ways_out(&finding.help).map(|help| format!("help: {help}"));
        for part in [why, help].into_iter().flatten() {
            text.push('\n');
            text.push_str(&part);
        }
        let related = finding
            .related
            .iter()
            .enumerate()
            .map(|(index, label)| Location::new(label, Some(index + 1), sources, folder));
        let suppression = finding.allowed.as_ref().map(|allowed| Suppression {
            kind: "inSource",
            status: "accepted",
            justification: excuse(allowed),
        });
        Self {
            rule_id: finding.rule,
            rule_index,
            level: finding.level,
            message: Message::plain(text),
            locations: [Location::new(&finding.primary, None, sources, folder)],
            partial_fingerprints: Fingerprints { finding: &finding.fingerprint },
            related_locations: related.collect(),
            suppressions: suppression.into_iter().collect(),
            properties: finding.host.as_deref().map(|host| Properties { host }),
        }
    }
}

impl Location<'_> {
    fn new(label: &Label, id: Option<usize>, sources: &Sources, folder: &str) -> Self {
        let place = label.place;
        let start = sources.position(place);
        let end = sources.position(Place { start: place.end, ..place });
        let path = from_root(folder, sources.file(place.file).path());
        Self {
            id,
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation { uri: relative_reference(&path) },
                region: Region {
                    start_line: start.line,
                    start_column: start.column,
                    end_line: end.line,
                    end_column: end.column,
                },
            },
            message: (!label.message.is_empty()).then(|| Message::plain(label.message.clone())),
        }
    }
}

/// Returns a path as a relative reference: every byte that RFC 3986 §2.3 does not leave unreserved is
/// percent-encoded, but `/` (a colon in the first segment would make it a scheme).
fn relative_reference(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut uri, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::sample::written;
    use super::super::{Format, Verbosity};
    use super::*;

    #[test]
    fn rules_results_and_suppressions_are_where_the_standard_has_them() {
        let mut log: Value = serde_json::from_str(&written(Format::Sarif, Verbosity::Normal)).unwrap();
        // A release must not change what is compared.
        let version = log["runs"][0]["tool"]["driver"]["semanticVersion"].take();
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        let results = log["runs"][0]["results"].take();
        let lines: Vec<_> = results.as_array().unwrap().iter().map(Value::to_string).collect();
        insta::assert_snapshot!(format!("{log:#}\n{}", lines.join("\n")), @r##"
    {
      "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
      "version": "2.1.0",
      "runs": [
        {
          "tool": {
            "driver": {
              "name": "hostwright",
              "semanticVersion": null,
              "rules": [
                {
                  "id": "zfs-pool-newer-than-channel",
                  "shortDescription": {
                    "text": "a pool has features that the channel's ZFS cannot write"
                  },
                  "help": {
                    "text": "Take a channel with a newer ZFS.\n",
                    "markdown": "Take a channel with a newer ZFS.\n"
                  },
                  "defaultConfiguration": {
                    "level": "error"
                  }
                },
                {
                  "id": "host-id-missing",
                  "shortDescription": {
                    "text": "a host has no id"
                  },
                  "help": {
                    "text": "Set it.\n",
                    "markdown": "Set it.\n"
                  },
                  "defaultConfiguration": {
                    "level": "error"
                  }
                }
              ]
            }
          },
          "invocations": [
            {
              "executionSuccessful": true,
              "toolExecutionNotifications": [
                {
                  "associatedRule": {
                    "id": "ashift-too-small"
                  },
                  "message": {
                    "text": "not checked: hosts/attic/facts.json is missing"
                  },
                  "level": "note",
                  "properties": {
                    "host": "attic"
                  }
                },
                {
                  "associatedRule": {
                    "id": "pin-too-old"
                  },
                  "message": {
                    "text": "not checked: no date was given"
                  },
                  "level": "note"
                }
              ]
            }
          ],
          "columnKind": "unicodeCodePoints",
          "results": null
        }
      ]
    }
    {"ruleId":"zfs-pool-newer-than-channel","ruleIndex":0,"level":"error","message":{"text":"`rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it\nwhy: the pool imports read-only, so the host does not come back after its next reboot\nhelp: any one of: a channel with ZFS >= 2.0 · `[zfs] package` of that series · install again from `stable`"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"fleet.toml"},"region":{"startLine":5,"startColumn":11,"endLine":5,"endColumn":18}},"message":{"text":"lufta boots this"}}],"partialFingerprints":{"hostwright/v1":"00000000000000000000000000000001"},"relatedLocations":[{"id":1,"physicalLocation":{"artifactLocation":{"uri":"hosts/lufta/host.toml"},"region":{"startLine":3,"startColumn":11,"endLine":3,"endColumn":21}},"message":{"text":"installed with this (21.05pre, OpenZFS 2.0); seen in hosts/lufta/facts.json"}}],"suppressions":[],"properties":{"host":"lufta"}}
    {"ruleId":"value-invalid","level":"error","message":{"text":"`\u001b]0;x\u0007` is no text\nhelp: write letters"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"hosts/lufta/host.toml"},"region":{"startLine":5,"startColumn":15,"endLine":5,"endColumn":21}},"message":{"text":"50 % of it, \"quoted\" & <hidden>"}}],"partialFingerprints":{"hostwright/v1":"00000000000000000000000000000002"},"relatedLocations":[{"id":1,"physicalLocation":{"artifactLocation":{"uri":"hosts/lufta/host.toml"},"region":{"startLine":1,"startColumn":1,"endLine":1,"endColumn":5}},"message":{"text":"this host"}}],"suppressions":[],"properties":{"host":"attic"}}
    {"ruleId":"log-not-mirrored","level":"warning","message":{"text":"`log` is one disk"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"hosts/lufta/host.toml"},"region":{"startLine":2,"startColumn":1,"endLine":2,"endColumn":12}}}],"partialFingerprints":{"hostwright/v1":"00000000000000000000000000000003"},"suppressions":[{"kind":"inSource","status":"accepted","justification":"the <log> may be lost & bought again (until 2027-01-01)"}],"properties":{"host":"lufta"}}
    {"ruleId":"host-id-odd","level":"warning","message":{"text":"the id is all zeros"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"hosts/lufta/facts.json"},"region":{"startLine":1,"startColumn":324,"endLine":1,"endColumn":334}},"message":{"text":"a placeholder that is copied from guides"}}],"partialFingerprints":{"hostwright/v1":"00000000000000000000000000000004"},"suppressions":[],"properties":{"host":"lufta"}}
    {"ruleId":"module-empty","level":"note","message":{"text":"nothing in it"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"modules/a%2Cb%3A%20100%25/module.toml"},"region":{"startLine":1,"startColumn":1,"endLine":1,"endColumn":1}}}],"partialFingerprints":{"hostwright/v1":"00000000000000000000000000000005"},"suppressions":[]}
    "##);
    }

    #[test]
    fn a_path_becomes_a_relative_reference_and_never_a_scheme_or_a_query() {
        assert_eq!(relative_reference("a:b/c d?#%ü.toml"), "a%3Ab/c%20d%3F%23%25%C3%BC.toml");
    }

    #[test]
    fn files_are_named_from_the_root_of_the_repository() {
        assert_eq!(from_root("fleets/home/", "fleet.toml"), "fleets/home/fleet.toml");
        assert_eq!(from_root("", "fleet.toml"), "fleet.toml");
        assert_eq!(from_root(".", "fleet.toml"), "fleet.toml");
    }
}
