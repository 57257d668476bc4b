//! Which version ran in the cluster, and whether its data may go to that of the host.

use crate::facts::{Attribute, Facts, PackageFact};
use crate::fleet::scalar::ImageRef;
use crate::fleet::schema::module_file::{DataRule, ModuleFile};
use crate::units::{Release, Version};

/// What becomes of the data of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing needs to be said.
    Fits,
    /// It is read, with a question of a person.
    Ask {
        /// The key of the question.
        key: &'static str,
        /// The question.
        text: String,
        /// Whether it blocks where there is data.
        blocks: bool,
    },
    /// It is not read, with the reason.
    Refused(String),
}

/// Returns the version that the tag of an image says, and how it is written.
pub(super) fn of_image(image: &ImageRef, pattern: Option<&str>) -> Option<(String, Version)> {
    let tag = image.tag.as_deref()?;
    let (before, after) = pattern.and_then(|pattern| pattern.split_once('*')).unwrap_or(("", ""));
    let rest = match tag.strip_prefix(before) {
        Some(rest) if after.is_empty() || rest.contains(after) => rest,
        _ => return None,
    };
    read(rest)
}

/// Returns the version that a text begins with.
pub(super) fn read(text: &str) -> Option<(String, Version)> {
    let text = text.trim();
    let text = text.strip_prefix("version-").unwrap_or(text);
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (written, rest) = text.split_at_checked(end)?;
    let written = written.trim_end_matches('.');
    // Dates and hashes begin with digits, too.
    let ends = if written.contains('.') { "-_+ ~abr" } else { "-_+ " };
    if written.len() > 20
        || rest.starts_with(|c: char| !ends.contains(c))
        || written.split('.').any(|part| part.len() > 6)
    {
        return None;
    }
    let first: String = written.split('.').take(4).collect::<Vec<_>>().join(".");
    Some((first.clone(), first.parse().ok()?))
}

/// Returns the nixpkgs attribute that takes the data over: of a database that is tied to its major version that major version where
/// the release has it, else what NixOS takes by itself. The first is to be named in the definition.
pub(super) fn attribute(
    facts: &Facts,
    file: &ModuleFile,
    release: Release,
    from: Option<Version>,
) -> (Option<String>, Option<String>) {
    let newest = file.packages.first().map(|known| known.package.as_str().to_owned());
    let usual = newest.or_else(|| file.package.as_ref().map(|package| package.as_str().to_owned()));
    let rule = file.data.as_ref().map(|data| data.rule.value);
    let is_tied = matches!(rule, Some(DataRule::DumpAndRestore | DataRule::SameMajor | DataRule::OneMajorAtATime));
    if let (true, Some(from), Some(usual)) = (is_tied && !file.packages.is_empty(), from, &usual) {
        let stem = usual.trim_end_matches(|c: char| c.is_ascii_digit());
        let own = format!("{stem}{}", from.major());
        if has(facts, &own, release) {
            return (Some(own.clone()), Some(own));
        }
    }
    (usual, None)
}

/// Tells whether a release has an attribute.
fn has(facts: &Facts, attribute: &str, release: Release) -> bool {
    match facts.packages().find(attribute, release) {
        PackageFact::Version(_) | PackageFact::FromNotes { .. } => true,
        PackageFact::Removed | PackageFact::Absent => false,
        PackageFact::Unknown => {
            facts.options(release).is_some_and(|index| index.attribute(attribute) == Attribute::Present)
        }
    }
}

/// Returns the version of an attribute in a release; that of the newest tree for a release which the facts do not know.
pub(super) fn of_attribute(facts: &Facts, attribute: &str, release: Release) -> Option<(String, Version)> {
    match facts.packages().find(attribute, release) {
        PackageFact::Version(text) | PackageFact::FromNotes { version: text, .. } => read(text),
        _ => None,
    }
}

/// Judges data of a version against the version that takes it over.
pub(super) fn judge(
    module: &str,
    rule: Option<DataRule>,
    from: Option<&(String, Version)>,
    to: Option<&(String, Version)>,
    has_data: bool,
) -> Verdict {
    let Some(rule) = rule.filter(|_| has_data) else { return Verdict::Fits };
    let needed = match rule {
        DataRule::NeverDowngrade => 2,
        _ => 1,
    };
    let Some((from_text, from)) = from.filter(|(_, version)| version.len() >= needed) else {
        let to = to.map_or_else(|| "the host's".to_owned(), |(text, _)| text.clone());
        let text = format!(
            "the image's tag does not say which version of {module} wrote the data: which one was it? {to} reads no newer one's \
             (a version such as `1.22.3`)"
        );
        return Verdict::Ask { key: "version", text, blocks: true };
    };
    let Some((to_text, to)) = to else {
        let text = format!(
            "{module} {from_text} wrote the data, and it is not known which version the host has: is it that or a later one?"
        );
        return Verdict::Ask { key: "upgrade", text, blocks: true };
    };
    if rule.goes_back(*from, *to) {
        return Verdict::Refused(format!(
            "{module} {from_text} wrote its data and the host has {to_text}, which is older and does not read it"
        ));
    }
    if rule == DataRule::DumpAndRestore {
        let text = format!(
            "{module} {from_text} -> {to_text}: a dump is restored into the new major version. Keep the claim until everything \
             that uses the database was seen to work?"
        );
        return match rule.jumps(*from, *to) {
            true => Verdict::Ask { key: "upgrade", text, blocks: false },
            false => Verdict::Fits,
        };
    }
    if rule.jumps(*from, *to) {
        return Verdict::Refused(match rule {
            DataRule::OneMajorAtATime => format!(
                "{module} {from_text} wrote its data and the host has {to_text}, which reads that of one major version before: \
                 upgrade it in the cluster first"
            ),
            _ => format!("{module} {from_text} wrote its data and the host has {to_text}, another major version"),
        });
    }
    if to.truncate(2) > from.truncate(2) {
        let text = format!(
            "{module} {from_text} -> {to_text}: one-way database upgrade. Keep the claim until the new service was seen to work?"
        );
        return Verdict::Ask { key: "upgrade", text, blocks: false };
    }
    Verdict::Fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_begins_with_its_version() {
        let image = |tag: &str| format!("docker.io/a/b:{tag}").parse::<ImageRef>().unwrap();
        for (tag, pattern, wanted) in [
            ("1.22.3", None, Some("1.22.3")),
            ("v1.22", None, Some("1.22")),
            ("1.22.3-rootless", None, Some("1.22.3")),
            ("16-alpine", None, Some("16")),
            ("pg16", Some("pg*"), Some("16")),
            ("pg16", None, None),
            ("10.0.162-ls33", None, Some("10.0.162")),
            ("version-8.0.7", None, Some("8.0.7")),
            ("latest", None, None),
            ("master", None, None),
            ("20240911", None, None),
            ("1a2b3c4", None, None),
        ] {
            let found = of_image(&image(tag), pattern).map(|(text, _)| text);
            assert_eq!(found.as_deref(), wanted, "{tag}");
        }
    }

    #[test]
    fn data_goes_to_the_host_as_far_as_its_rule_says() {
        use DataRule::{DumpAndRestore, NeverDowngrade, OneMajorAtATime, SameMajor};
        let said = |rule, from: &str, to: &str, has_data| match judge(
            "x",
            Some(rule),
            read(from).as_ref(),
            read(to).as_ref(),
            has_data,
        ) {
            Verdict::Fits => "fits".to_owned(),
            Verdict::Ask { key, blocks, .. } => format!("{key} {blocks}"),
            Verdict::Refused(_) => "refused".to_owned(),
        };
        for (rule, from, to, wanted) in [
            (NeverDowngrade, "1.13.2", "1.26.1", "upgrade false"),
            (NeverDowngrade, "1.26.4", "1.26.1", "fits"),
            (NeverDowngrade, "1.27.0", "1.26.1", "refused"),
            (NeverDowngrade, "1", "1.26.1", "version true"),
            (NeverDowngrade, "latest", "1.26.1", "version true"),
            (SameMajor, "2.1", "2.9", "upgrade false"),
            (SameMajor, "2.1", "3.0", "refused"),
            (SameMajor, "3.1", "2.0", "refused"),
            (OneMajorAtATime, "32.0.1", "33.0.6", "upgrade false"),
            (OneMajorAtATime, "31", "33.0.6", "refused"),
            (OneMajorAtATime, "33.0.7", "33.0.6", "refused"),
            (DumpAndRestore, "9.4", "17.10", "upgrade false"),
            (DumpAndRestore, "17", "17.10", "fits"),
            (DumpAndRestore, "18", "17.10", "refused"),
        ] {
            assert_eq!(said(rule, from, to, true), wanted, "{rule:?} {from} {to}");
            assert_eq!(said(rule, from, to, false), "fits", "without data every version will do");
        }
        assert_eq!(said(NeverDowngrade, "1.2", "", true), "upgrade true", "the host's version is not known");
    }
}
