//! JUnit's XML: one test case for each rule and host with something to say.
//!
//! There is no standard; this is the part that Jenkins, GitLab and GitHub's reporters agree on: a case carries at most
//! one `failure` or `skipped` and then `system-out`. Rules that found nothing are not listed: a case says "this rule, on this
//! host", and which hosts a rule looks at is not known here.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};

use super::plain::{at, details, excuse};
use super::{CheckReport, Options, Unchecked};
use crate::source::{Diagnostic, Sources, printable};

/// What is known about a rule on a host.
#[derive(Default)]
struct Case<'a> {
    /// Findings at or above the level that fails.
    failures: Vec<&'a Diagnostic>,
    /// Findings below it, and allowed ones.
    others: Vec<&'a Diagnostic>,
    unchecked: Vec<&'a Unchecked>,
}

/// Writes one suite, its cases in the order of hosts and rules.
pub(super) fn write(report: &CheckReport<'_>, options: &Options<'_>) -> String {
    let mut cases: BTreeMap<(Option<&str>, &str), Case<'_>> = BTreeMap::new();
    for finding in report.findings {
        let case = cases.entry((finding.host.as_deref(), finding.rule)).or_default();
        let fails = finding.allowed.is_none() && finding.level >= options.fail_on;
        if fails { &mut case.failures } else { &mut case.others }.push(finding);
    }
    for one in report.unchecked {
        cases.entry((one.host.as_deref(), one.rule)).or_default().unchecked.push(one);
    }
    if cases.is_empty() {
        // Readers take a suite without cases for a run that went wrong.
        cases.insert((None, "check"), Case::default());
    }
    let failures = cases.values().filter(|case| !case.failures.is_empty()).count();
    let skipped = cases.values().filter(|case| case.is_skipped()).count();
    let suite = report.fleet.unwrap_or("hostwright");
    let time = options.elapsed.map_or(String::new(), |time| format!(" time=\"{:.3}\"", time.as_secs_f64()));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"{time}>",
        Attribute(suite),
        cases.len()
    );
    for ((host, rule), case) in &cases {
        let class = host.unwrap_or(suite);
        let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\"", Attribute(class), Attribute(rule));
        let body = case.body(report.sources);
        if body.is_empty() {
            out.push_str("/>\n");
        } else {
            let _ = write!(out, ">\n{body}    </testcase>\n");
        }
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

impl Case<'_> {
    /// What was allowed, or could not be checked, and does not fail all the same.
    fn is_skipped(&self) -> bool {
        let mut allowed = self.others.iter().filter(|finding| finding.allowed.is_some());
        self.failures.is_empty() && (!self.unchecked.is_empty() || allowed.next().is_some())
    }

    /// Returns the elements inside a case.
    fn body(&self, sources: &Sources) -> String {
        let mut body = String::new();
        let unchecked: Vec<String> = self.unchecked.iter().map(|one| format!("not checked: {}", one.why)).collect();
        let allowed =
            self.others.iter().filter_map(|finding| Some(format!("allowed: {}", excuse(finding.allowed.as_ref()?))));
        if let Some(first) = self.failures.first() {
            let more = match self.failures.len() {
                1 => String::new(),
                several => format!(" (and {} more)", several - 1),
            };
            let _ = writeln!(
                body,
                "      <failure type=\"{}\" message=\"{}{more}\">{}</failure>",
                first.level.as_str(),
                Attribute(&printable(&first.message)),
                Text(&self.failures.iter().map(|finding| text(finding, sources)).collect::<Vec<_>>().join("\n\n"))
            );
        } else if self.is_skipped() {
            let why: Vec<String> = unchecked.iter().cloned().chain(allowed).collect();
            let _ = writeln!(body, "      <skipped message=\"{}\"/>", Attribute(&printable(&why.join("; "))));
        }
        let mut others: Vec<_> = self.others.iter().map(|finding| text(finding, sources)).collect();
        if !self.failures.is_empty() && !self.unchecked.is_empty() {
            others.push(printable(&unchecked.join("; ")));
        }
        if !others.is_empty() {
            let _ = writeln!(body, "      <system-out>{}</system-out>", Text(&others.join("\n\n")));
        }
        body
    }
}

/// Returns a finding as lines.
fn text(finding: &Diagnostic, sources: &Sources) -> String {
    let place = at(finding.primary.place, sources, "");
    let mut lines = vec![format!("{place}: {}: {}", finding.level.as_str(), printable(&finding.message))];
    lines.extend(details(finding, sources, ""));
    lines.join("\n")
}

/// Text between tags, in XML 1.0.
///
/// Characters that XML 1.0 forbids even as references (production 2, `Char`) become Rust's escapes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            // Needed in `]]>` only.
            '>' => f.write_str("&gt;"),
            // A parser turns it into a line feed unless it is a reference (§2.11).
            '\r' => f.write_str("&#13;"),
            '\n' | '\t' => f.write_char(c),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => write!(f, "{}", c.escape_unicode()),
            _ => f.write_char(c),
        })
    }
}

/// An attribute's value between double quotes, in XML 1.0.
pub(super) struct Attribute<'a>(pub(super) &'a str);

impl Display for Attribute<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' => f.write_str("&quot;"),
            // A parser turns them into spaces unless they are references (§3.3.3).
            '\n' | '\t' => write!(f, "&#{};", u32::from(c)),
            _ => Text(c.encode_utf8(&mut [0; 4])).fmt(f),
        })
    }
}

/// Panics on what is not well-formed.
#[cfg(test)]
pub(super) fn well_formed(xml: &str) {
    let _ = tests::parse(xml);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample::{Sample, written};
    use super::super::{Format, Verbosity, write};
    use super::*;
    use crate::source::Level;

    #[test]
    fn each_rule_and_host_has_a_case() {
        let text = written(Format::Junit, Verbosity::Normal);
        insta::assert_snapshot!(text, @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="hexagone" tests="7" failures="2" errors="0" skipped="3">
        <testcase classname="hexagone" name="module-empty">
          <system-out>modules/a,b: 100%/module.toml:1:1: note: nothing in it</system-out>
        </testcase>
        <testcase classname="hexagone" name="pin-too-old">
          <skipped message="not checked: no date was given"/>
        </testcase>
        <testcase classname="attic" name="ashift-too-small">
          <skipped message="not checked: hosts/attic/facts.json is missing"/>
        </testcase>
        <testcase classname="attic" name="value-invalid">
          <failure type="error" message="`\u{1b}]0;x\u{7}` is no text">hosts/lufta/host.toml:5:15: error: `\u{1b}]0;x\u{7}` is no text
    here: 50 % of it, "quoted" &amp; &lt;hidden&gt;
    hosts/lufta/host.toml:1:1: this host
    help: write letters</failure>
        </testcase>
        <testcase classname="lufta" name="host-id-odd">
          <system-out>hosts/lufta/facts.json:1:324: warning: the id is all zeros
    here: a placeholder that is copied from guides</system-out>
        </testcase>
        <testcase classname="lufta" name="log-not-mirrored">
          <skipped message="allowed: the &lt;log&gt; may be lost &amp; bought again (until 2027-01-01)"/>
          <system-out>hosts/lufta/host.toml:2:1: warning: `log` is one disk
    allowed: the &lt;log&gt; may be lost &amp; bought again (until 2027-01-01)</system-out>
        </testcase>
        <testcase classname="lufta" name="zfs-pool-newer-than-channel">
          <failure type="error" message="`rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it">fleet.toml:5:11: error: `rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it
    here: lufta boots this
    hosts/lufta/host.toml:3:11: installed with this (21.05pre, OpenZFS 2.0); seen in hosts/lufta/facts.json
    why: the pool imports read-only, so the host does not come back after its next reboot
    help: any one of: a channel with ZFS &gt;= 2.0 · `[zfs] package` of that series · install again from `stable`</failure>
        </testcase>
      </testsuite>
    </testsuites>
    "##);
        let cases = parse(&text).into_iter().filter(|(name, _)| name == "testcase").count();
        assert_eq!(cases, 7);
    }

    #[test]
    fn the_level_that_fails_is_the_callers() {
        let sample = Sample::new();
        let options = Options { format: Format::Junit, fail_on: Level::Warning, ..Options::default() };
        let text = write(&sample.report(), &options);
        let failed = parse(&text).into_iter().filter(|(name, _)| name == "failure").count();
        assert_eq!(failed, 3);
        assert!(text.contains("failures=\"3\""));
    }

    #[test]
    fn a_check_without_findings_is_one_case_that_passed() {
        let sample = Sample::new();
        let clean = CheckReport { findings: &[], unchecked: &[], ..sample.report() };
        let text = write(&clean, &Options { format: Format::Junit, ..Options::default() });
        assert!(text.contains("<testcase classname=\"hexagone\" name=\"check\"/>"), "{text}");
    }

    proptest! {
        #[test]
        fn xml_is_well_formed_and_text_arrives_whatever_it_is(text in any::<String>()) {
            let xml = format!("<a b=\"{}\">{}</a>", Attribute(&text), Text(&text));
            let elements = parse(&xml);
            let allowed = |c: char| c == '\n' || c == '\t' || c == '\r' || (c >= ' ' && c != '\u{fffe}' && c != '\u{ffff}');
            if text.chars().all(allowed) && !text.trim_matches([' ', '\n']).is_empty() {
                prop_assert_eq!(&elements[0].1, &[("b".to_owned(), text.clone()), (String::new(), text)]);
            }
        }
    }

    type Element = (String, Vec<(String, String)>);

    /// Reads the XML that is written here: elements in the order of their start tags, with their attributes and, under
    /// the empty name, their text. Panics on what is not well-formed.
    pub(super) fn parse(xml: &str) -> Vec<Element> {
        let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert!(xml.chars().all(legal), "a character that XML 1.0 forbids");
        let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap_or(xml);
        let mut elements: Vec<Element> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        while let Some((text, tail)) = rest.split_once('<') {
            match open.last() {
                Some(at) if !text.trim_matches([' ', '\n']).is_empty() => {
                    elements[*at].1.push((String::new(), decode(text)));
                }
                _ => assert_eq!(text.trim_matches([' ', '\n']), "", "text outside of elements"),
            }
            let (tag, tail) = tail.split_once('>').expect("a tag ends");
            rest = tail;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(elements[open.pop().expect("an open element")].0, name);
                continue;
            }
            let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            let mut read = Vec::new();
            while let Some((key, value)) = attributes.split_once("=\"") {
                let (value, tail) = value.split_once('"').expect("a value ends");
                assert!(!value.contains(['\n', '\t', '\r']), "a parser makes spaces of them");
                read.push((key.trim().to_owned(), decode(value)));
                attributes = tail;
            }
            assert_eq!(attributes.trim(), "");
            elements.push((name.to_owned(), read));
            if !empty {
                open.push(elements.len() - 1);
            }
        }
        assert_eq!(rest.trim(), "");
        assert!(open.is_empty());
        elements
    }

    fn decode(text: &str) -> String {
        let mut out = String::new();
        let mut parts = text.split('&');
        out.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let (name, tail) = part.split_once(';').expect("a reference ends");
            out.push(match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                _ => char::from_u32(name.strip_prefix('#').expect("a known name").parse().unwrap()).unwrap(),
            });
            out.push_str(tail);
        }
        out
    }
}
