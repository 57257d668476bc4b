//! Findings for people: what is wrong, the lines it is about, why it matters and what to do.

use std::fmt::Write as _;
use std::time::Duration;

use super::excerpt::draw;
use super::pen::{DIM, EMPHASIS, FRAME, Pen, level_style};
use super::plain::excuse;
use super::words::{count, width, wrap};
use super::{CheckReport, Options, Verbosity, ways_out};
use crate::source::{Diagnostic, Level, Sources, printable};

/// The narrowest width that is kept to, in columns: below it there is no room for a frame and words.
const NARROWEST: usize = 40;

/// Writes the findings that the verbosity asks for and one summary line; with `Quiet` the first lines of errors alone,
/// unbroken, and nothing if there are none.
pub(super) fn write(report: &CheckReport<'_>, options: &Options<'_>) -> String {
    let pen = Pen { width: options.width.max(NARROWEST), color: options.color };
    let quiet = options.verbosity == Verbosity::Quiet;
    let mut out = String::new();
    let least = least_level(report, options.verbosity);
    for finding in report.findings.iter().filter(|finding| shows(finding, least)) {
        if quiet {
            let _ = writeln!(out, "{}", title(finding, Pen { width: usize::MAX, ..pen }));
        } else {
            write_finding(&mut out, finding, report.sources, pen);
        }
    }
    if options.verbosity == Verbosity::Verbose {
        write_unchecked(&mut out, report, pen);
    }
    if !quiet {
        write_summary(&mut out, &summary(report, options.verbosity, options.elapsed), pen);
    }
    out
}

/// Returns the lowest level that is shown; none if all findings are, allowed ones among them.
fn least_level(report: &CheckReport<'_>, verbosity: Verbosity) -> Option<Level> {
    match verbosity {
        Verbosity::Verbose => None,
        // Warnings wait until the errors are mended: with both on the screen the errors would be out of sight.
        Verbosity::Normal if report.counts().errors == 0 => Some(Level::Warning),
        Verbosity::Normal | Verbosity::Quiet => Some(Level::Error),
    }
}

fn shows(finding: &Diagnostic, least: Option<Level>) -> bool {
    least.is_none_or(|least| finding.allowed.is_none() && finding.level >= least)
}

/// Returns `error[rule]: message`, broken to the width.
fn title(finding: &Diagnostic, pen: Pen) -> String {
    let allowed = if finding.allowed.is_some() { "allowed " } else { "" };
    let head = format!("{allowed}{}[{}]", finding.level.as_str(), finding.rule);
    let first = pen.width.saturating_sub(head.len() + 2);
    let message: Vec<_> = wrap(&printable(&finding.message), first, pen.width.saturating_sub(4))
        .iter()
        .map(|line| pen.paint(EMPHASIS, line))
        .collect();
    format!("{}: {}", pen.paint(level_style(finding.level), &head), message.join("\n    "))
}

fn write_finding(out: &mut String, finding: &Diagnostic, sources: &Sources, pen: Pen) {
    let _ = writeln!(out, "{}", title(finding, pen));
    let excerpt = draw(finding, sources, pen);
    out.push_str(&excerpt.text);
    let mut footer = |name: &str, text: &str| write_footer(out, name, text, excerpt.bar, pen);
    if let Some(why) = &finding.why {
        footer("why", why);
    }
    if let Some(help) = ways_out(&finding.help) {
        footer("help", &help);
    }
    if let Some(host) = host_to_name(finding, sources) {
        footer("host", host);
    }
    if let Some(allowed) = &finding.allowed {
        footer("allowed", &excuse(allowed));
    }
}

/// Writes `= name: text` under an excerpt, further lines below the text's first word.
fn write_footer(out: &mut String, name: &str, text: &str, bar: usize, pen: Pen) {
    let indent = bar + name.len() + 4;
    let room = pen.width.saturating_sub(indent);
    let lines = wrap(&printable(text), room, room).join(&format!("\n{:indent$}", ""));
    let sign = pen.paint(FRAME, "=");
    let name = pen.paint(EMPHASIS, name);
    let _ = writeln!(out, "{:bar$}{sign} {name}: {lines}", "");
}

/// Returns the host that a finding is about, unless the shown paths tell: all that lie in a host's folder lie in its.
fn host_to_name<'f>(finding: &'f Diagnostic, sources: &Sources) -> Option<&'f str> {
    let host = finding.host.as_deref()?;
    let mut named = std::iter::once(&finding.primary)
        .chain(&finding.related)
        .filter_map(|label| sources.file(label.place.file).path().strip_prefix("hosts/")?.split_once('/'))
        .map(|(folder, _)| folder)
        .peekable();
    let evident = named.peek().is_some() && named.all(|folder| folder == host);
    (!evident).then_some(host)
}

fn write_unchecked(out: &mut String, report: &CheckReport<'_>, pen: Pen) {
    for one in report.unchecked {
        let host = one.host.as_deref().map_or(String::new(), |host| format!(" {}", printable(host)));
        let text = wrap(
            &format!("unchecked[{}]{host}: {}", one.rule, printable(&one.why)),
            pen.width,
            pen.width.saturating_sub(4),
        );
        let _ = writeln!(out, "{}", pen.paint(DIM, &text.join("\n    ")));
    }
}

/// Writes the parts of the summary on one line; on several, broken between parts where possible, if it is too wide.
fn write_summary(out: &mut String, parts: &[String], pen: Pen) {
    let line = parts.join(" · ");
    if width(&line) <= pen.width {
        let _ = writeln!(out, "{line}");
        return;
    }
    for part in parts {
        let _ = writeln!(out, "{}", wrap(part, pen.width, pen.width.saturating_sub(4)).join("\n    "));
    }
}

/// Returns the parts of the summary: counts, what was checked and what was not, and the time it took.
fn summary(report: &CheckReport<'_>, verbosity: Verbosity, elapsed: Option<Duration>) -> Vec<String> {
    let least = least_level(report, verbosity);
    let hidden = report.findings.iter().filter(|finding| !shows(finding, least)).count();
    let more = match hidden {
        0 => "",
        1 => " (-v shows it)",
        _ => " (-v shows them)",
    };
    let mut scope = report.scope();
    let not_checked = report.rules_not_checked();
    if not_checked > 0 {
        let why = if verbosity == Verbosity::Verbose { "" } else { " (-v says why)" };
        let _ = write!(scope, ", {} not checked{why}", count(not_checked, "rule", "rules"));
    }
    let mut parts = vec![format!("{}{more}", report.counts().words())];
    parts.extend((!scope.is_empty()).then_some(scope));
    parts.extend(elapsed.map(duration));
    parts
}

fn duration(elapsed: Duration) -> String {
    match elapsed.as_millis() {
        0 => "<1 ms".to_owned(),
        ms @ 1..1000 => format!("{ms} ms"),
        _ => format!("{:.1} s", elapsed.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, written};
    use super::super::{Format, Unchecked, write};
    use super::*;

    #[test]
    fn errors_come_with_their_lines_and_warnings_wait() {
        insta::assert_snapshot!(written(Format::Human, Verbosity::Normal), @r##"
    error[zfs-pool-newer-than-channel]: `rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot
        write it
      --> fleet.toml:5:11
       |
     5 | release = "20.09"
       |           ^^^^^^^ lufta boots this
       |
      ::: hosts/lufta/host.toml:3:11
       |
     3 | channel = "unstable"
       |           ---------- installed with this (21.05pre, OpenZFS 2.0); seen in
       |                      hosts/lufta/facts.json
       = why: the pool imports read-only, so the host does not come back after its next reboot
       = help: any one of: a channel with ZFS >= 2.0 · `[zfs] package` of that series · install again
               from `stable`
    error[value-invalid]: `\u{1b}]0;x\u{7}` is no text
      --> hosts/lufta/host.toml:5:15
       |
     1 | name = "lufta"
       | ---- this host
     ...
     5 | motd = "grüße    \u{1b}[2J\u{202e}漢" # \u{7}
       |                  ^^^^^^^^^^^^^^^^^^^ 50 % of it, "quoted" & <hidden>
       = help: write letters
       = host: attic
    2 errors, 1 warning, 1 allowed, 1 note (-v shows them)
    2 hosts, 142 rules, 2 rules not checked (-v says why)
    "##);
    }

    #[test]
    fn verbose_shows_everything_and_why_it_is_allowed_or_unchecked() {
        insta::assert_snapshot!(written(Format::Human, Verbosity::Verbose), @r##"
    error[zfs-pool-newer-than-channel]: `rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot
        write it
      --> fleet.toml:5:11
       |
     5 | release = "20.09"
       |           ^^^^^^^ lufta boots this
       |
      ::: hosts/lufta/host.toml:3:11
       |
     3 | channel = "unstable"
       |           ---------- installed with this (21.05pre, OpenZFS 2.0); seen in
       |                      hosts/lufta/facts.json
       = why: the pool imports read-only, so the host does not come back after its next reboot
       = help: any one of: a channel with ZFS >= 2.0 · `[zfs] package` of that series · install again
               from `stable`
    error[value-invalid]: `\u{1b}]0;x\u{7}` is no text
      --> hosts/lufta/host.toml:5:15
       |
     1 | name = "lufta"
       | ---- this host
     ...
     5 | motd = "grüße    \u{1b}[2J\u{202e}漢" # \u{7}
       |                  ^^^^^^^^^^^^^^^^^^^ 50 % of it, "quoted" & <hidden>
       = help: write letters
       = host: attic
    allowed warning[log-not-mirrored]: `log` is one disk
      --> hosts/lufta/host.toml:2:1
       |
     2 | [installer]
       | ^^^^^^^^^^^
       = allowed: the <log> may be lost & bought again (until 2027-01-01)
    warning[host-id-odd]: the id is all zeros
      --> hosts/lufta/facts.json:1:324
       |
     1 | …xxxxxx", "host_id": "00000000"}
       |                      ^^^^^^^^^^ a placeholder that is copied from guides
    note[module-empty]: nothing in it
      --> modules/a,b: 100%/module.toml:1:1
       |
     1 |
       | ^
    unchecked[ashift-too-small] attic: hosts/attic/facts.json is missing
    unchecked[pin-too-old]: no date was given
    2 errors, 1 warning, 1 allowed, 1 note · 2 hosts, 142 rules, 2 rules not checked
    "##);
    }

    #[test]
    fn quiet_is_one_line_for_each_error_and_nothing_without_errors() {
        insta::assert_snapshot!(written(Format::Human, Verbosity::Quiet), @r##"
    error[zfs-pool-newer-than-channel]: `rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it
    error[value-invalid]: `\u{1b}]0;x\u{7}` is no text
    "##);
        let sample = Sample::new();
        let clean = CheckReport { findings: &[], ..sample.report() };
        assert_eq!(write(&clean, &Options { verbosity: Verbosity::Quiet, ..Options::default() }), "");
    }

    #[test]
    fn warnings_are_shown_once_there_is_no_error() {
        let sample = Sample::new();
        let findings: Vec<_> =
            sample.report().findings.iter().filter(|finding| finding.level < Level::Error).cloned().collect();
        let report = CheckReport { findings: &findings, unchecked: &[], hosts: 1, ..sample.report() };
        let options = Options { elapsed: Some(Duration::from_millis(6)), ..Options::default() };
        insta::assert_snapshot!(write(&report, &options), @r##"
    warning[host-id-odd]: the id is all zeros
      --> hosts/lufta/facts.json:1:324
       |
     1 | …xxxxxx", "host_id": "00000000"}
       |                      ^^^^^^^^^^ a placeholder that is copied from guides
    no errors, 1 warning, 1 allowed, 1 note (-v shows them) · 1 host, 142 rules · 6 ms
    "##);
    }

    #[test]
    fn the_summary_says_how_to_see_what_is_hidden_and_nothing_of_it_in_verbose() {
        let sample = Sample::new();
        let one = [Unchecked { rule: "r", host: None, why: "no date".to_owned() }];
        let report = CheckReport { findings: &sample.report().findings[4..], unchecked: &one, ..sample.report() };
        let last = |verbosity, elapsed| {
            let text = write(&report, &Options { verbosity, elapsed, ..Options::default() });
            text.lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(
            last(Verbosity::Normal, None),
            "no errors, no warnings, 1 note (-v shows it) · 2 hosts, 142 rules, 1 rule not checked (-v says why)"
        );
        assert_eq!(
            last(Verbosity::Verbose, Some(Duration::from_millis(1250))),
            "no errors, no warnings, 1 note · 2 hosts, 142 rules, 1 rule not checked · 1.2 s"
        );
        assert_eq!(duration(Duration::from_micros(10)), "<1 ms");
    }

    #[test]
    fn colour_changes_nothing_but_the_colour() {
        let sample = Sample::new();
        let options = Options { verbosity: Verbosity::Verbose, ..Options::default() };
        let plain = write(&sample.report(), &options);
        let coloured = write(&sample.report(), &Options { color: true, ..options });
        assert!(!plain.contains('\u{1b}'));
        assert!(coloured.contains("\u{1b}[1m"));
        assert_eq!(without_colour(&coloured), plain);
    }

    /// Returns the text without its SGR sequences and without spaces at the ends of lines.
    fn without_colour(text: &str) -> String {
        let mut parts = text.split("\u{1b}[");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
        }
        out.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}
