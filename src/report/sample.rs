//! One set of findings that every format is shown on.

use super::{CheckReport, Format, Options, RuleText, Unchecked, Verbosity, write};
use crate::source::{Allowed, Diagnostic, Level, Sources};

/// The catalogue that SARIF lists; one rule of it did not report.
const RULES: [RuleText<'_>; 2] = [
    RuleText {
        id: "zfs-pool-newer-than-channel",
        summary: "a pool has features that the channel's ZFS cannot write",
        help_markdown: "Take a channel with a newer ZFS.\n",
        level: Level::Error,
    },
    RuleText { id: "host-id-missing", summary: "a host has no id", help_markdown: "Set it.\n", level: Level::Error },
];

/// Findings in several files, with places in one and in two files, allowed ones, and text that is hard to show.
pub(super) struct Sample {
    sources: Sources,
    findings: Vec<Diagnostic>,
    unchecked: Vec<Unchecked>,
}

impl Sample {
    pub(super) fn new() -> Self {
        let mut sources = Sources::default();
        let facts = format!("{{\"pad\": \"{}\", \"host_id\": \"00000000\"}}", "x".repeat(300));
        let fleet =
            sources.add("fleet.toml", "name = \"hexagone\"\n\n[channels.stable]\n# pinned\nrelease = \"20.09\"\n");
        let host = sources.add(
            "hosts/lufta/host.toml",
            concat!(
                "name = \"lufta\"\r\n[installer]\r\nchannel = \"unstable\"\r\n\r\n",
                "motd = \"grüße\t\u{1b}[2J\u{202e}漢\" # \u{7}\r\n",
            ),
        );
        let facts = sources.add("hosts/lufta/facts.json", facts);
        let module = sources.add("modules/a,b: 100%/module.toml", "");
        let at = |file, what: &str| {
            let at = sources.file(file).text().find(what).unwrap();
            sources.place(file, at, at + what.len())
        };
        let mut allowed =
            Diagnostic::new("log-not-mirrored", Level::Warning, at(host, "[installer]"), "`log` is one disk")
                .host("lufta");
        allowed.allowed = Some(Allowed {
            reason: "the <log> may be lost & bought again".to_owned(),
            until: Some("2027-01-01".to_owned()),
        });
        let mut findings = vec![
            Diagnostic::error(
                "zfs-pool-newer-than-channel",
                at(fleet, "\"20.09\""),
                "`rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it",
            )
            .label("lufta boots this")
            .related(
                at(host, "\"unstable\""),
                "installed with this (21.05pre, OpenZFS 2.0); seen in hosts/lufta/facts.json",
            )
            .why("the pool imports read-only, so the host does not come back after its next reboot")
            .help("a channel with ZFS >= 2.0")
            .help("`[zfs] package` of that series")
            .help("install again from `stable`")
            .host("lufta"),
            Diagnostic::error("value-invalid", at(host, "\u{1b}[2J\u{202e}漢"), "`\u{1b}]0;x\u{7}` is no text")
                .label("50 % of it, \"quoted\" & <hidden>")
                .related(at(host, "name"), "this host")
                .help("write letters")
                .host("attic"),
            allowed,
            Diagnostic::new("host-id-odd", Level::Warning, at(facts, "\"00000000\""), "the id is all zeros")
                .label("a placeholder that is copied from guides")
                .host("lufta"),
            Diagnostic::new("module-empty", Level::Note, at(module, ""), "nothing in it"),
        ];
        for (finding, number) in findings.iter_mut().zip(1..) {
            finding.fingerprint = format!("{number:032x}");
        }
        let unchecked = vec![
            Unchecked {
                rule: "ashift-too-small",
                host: Some("attic".to_owned()),
                why: "hosts/attic/facts.json is missing".to_owned(),
            },
            Unchecked { rule: "pin-too-old", host: None, why: "no date was given".to_owned() },
        ];
        Self { sources, findings, unchecked }
    }

    pub(super) fn report(&self) -> CheckReport<'_> {
        CheckReport {
            fleet: Some("hexagone"),
            findings: &self.findings,
            unchecked: &self.unchecked,
            hosts: 2,
            rules: 142,
            sources: &self.sources,
        }
    }
}

/// Returns the sample in a format.
pub(super) fn written(format: Format, verbosity: Verbosity) -> String {
    let options = Options { format, verbosity, rules: &RULES, ..Options::default() };
    write(&Sample::new().report(), &options)
}
