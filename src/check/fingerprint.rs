//! What makes a finding the same finding in the next run.
//!
//! A fingerprint is made of the rule, the host, the file, the route of keys to the place, and the subject: what the message names
//! first. Lines, columns, wording and other findings have no part in it. Two findings never share one: where all of that is equal,
//! they are counted.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::nix::read_module;
use crate::source::{Diagnostic, FileId, Item, Kind, Node, Place, SourceFile, Sources, parse_json, parse_toml, sha256};

/// How many hexadecimal digits a fingerprint has.
const DIGITS: usize = 32;

/// Gives each finding of a check its fingerprint, for formats that carry it: the files that findings are in are read once more.
/// Findings come sorted.
pub fn mark_findings(findings: &mut [Diagnostic], sources: &Sources) {
    let mut places: BTreeMap<FileId, Vec<Place>> = BTreeMap::new();
    for finding in findings.iter() {
        let place = finding.primary.place;
        places.entry(place.file).or_default().push(place);
    }
    let routes: BTreeMap<Place, String> = places
        .into_par_iter()
        .flat_map_iter(|(id, places)| {
            let file = sources.file(id);
            let routes = Routes::of(id, file, sources);
            places.into_iter().map(move |place| (place, routes.to(place, file)))
        })
        .collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        let file = sources.file(finding.primary.place.file);
        let route = routes.get(&finding.primary.place).map(String::as_str).unwrap_or_default();
        let subject = finding.subject.as_deref().or_else(|| finding.message.split('`').nth(1)).unwrap_or_default();
        let host = finding.host.as_deref().unwrap_or_default();
        let parts = [finding.rule, host, file.path(), route, subject];
        let same = parts.join("\0");
        let count = seen.entry(same.clone()).or_default();
        *count += 1;
        let whole = if *count == 1 { same } else { format!("{same}\0{count}") };
        finding.fingerprint = sha256(whole).chars().take(DIGITS).collect();
    }
}

/// The routes of keys that lead to the places of a file.
struct Routes {
    /// Keys and values by where they begin, what encloses first.
    places: Vec<(Place, String)>,
}

impl Routes {
    fn of(id: FileId, file: &SourceFile, sources: &Sources) -> Self {
        let mut places = Vec::new();
        let mut found = Vec::new();
        let ends_with = |ending: &str| file.path().ends_with(ending);
        let trees = if ends_with(".json") {
            parse_json(sources, id, "", &mut found).into_iter().collect()
        } else if ends_with(".nix") {
            read_module(file.text(), id).map(|module| module.definitions).unwrap_or_default()
        } else {
            let tree = parse_toml(sources, id, &mut found);
            // What could be read of a file with errors is another part of it in each run.
            if found.is_empty() { vec![tree] } else { Vec::new() }
        };
        for tree in &trees {
            collect(tree, "", &mut places);
        }
        places.sort_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)));
        Self { places }
    }

    /// Returns the route to a place; of a place within a value with what stands there, of one that no key leads to its line.
    fn to(&self, place: Place, file: &SourceFile) -> String {
        let Place { start, end, .. } = place;
        if end == 0 {
            return String::new();
        }
        let before = self.places.partition_point(|(known, _)| known.start <= start);
        let mut around = self.places.iter().take(before).rev().filter(|(known, _)| known.end >= end);
        match around.next() {
            Some((known, route)) if (known.start, known.end) == (start, end) => route.clone(),
            Some((_, route)) => {
                let text = file.text().get(start as usize..end as usize).unwrap_or_default();
                format!("{route}\0{text}")
            }
            None => line(file.text(), start as usize),
        }
    }
}

/// Adds the places of a tree with their routes.
fn collect(node: &Node, route: &str, places: &mut Vec<(Place, String)>) {
    match &node.kind {
        Kind::Table(table) => {
            for (key, entry) in table {
                let route = format!("{route}\u{1}{key}");
                places.push((entry.key, route.clone()));
                places.push((entry.node.place, route.clone()));
                collect(&entry.node, &route, places);
            }
        }
        Kind::List(items) => {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for item in items {
                let name = name_of(item);
                let count = seen.entry(name.clone()).or_default();
                *count += 1;
                let route = format!("{route}\u{2}{name}\u{2}{count}");
                places.push((item.node.place, route.clone()));
                collect(&item.node, &route, places);
            }
        }
        _ => {}
    }
}

/// Returns what tells an element of a list from its neighbours, wherever it stands among them: its text, or what it is called.
fn name_of(item: &Item) -> String {
    match &item.node.kind {
        Kind::Str(text) | Kind::Date(text) | Kind::Nix(text) => text.clone(),
        Kind::Int(number) => number.to_string(),
        Kind::Float(number) => number.to_string(),
        Kind::Bool(value) => value.to_string(),
        Kind::Table(_) => {
            let names = ["name", "rule", "host", "id", "guid", "path", "mac"];
            names.iter().find_map(|name| item.node.at(&[name])?.as_str()).unwrap_or_default().to_owned()
        }
        Kind::List(_) | Kind::Null => String::new(),
    }
}

/// Returns the line of a place without the blanks around it, and how many equal ones stand above.
fn line(text: &str, at: usize) -> String {
    let (above, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    let (above, head) = above.rsplit_once('\n').unwrap_or(("", above));
    let tail = rest.lines().next().unwrap_or_default();
    let line = format!("{head}{tail}");
    let line = line.trim();
    let equal = above.lines().filter(|other| other.trim() == line).count();
    format!("\u{3}{line}\u{3}{equal}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Returns the fingerprints of findings at texts of a file, each with its message.
    fn of(path: &str, text: &str, at: &[(&str, &str)]) -> Vec<String> {
        let mut sources = Sources::default();
        let file = sources.add(path, text);
        let mut findings: Vec<Diagnostic> = at
            .iter()
            .map(|(what, message)| {
                let start = text.find(what).unwrap();
                Diagnostic::error("a-rule", sources.place(file, start, start + what.len()), *message).host("a")
            })
            .collect();
        mark_findings(&mut findings, &sources);
        findings.into_iter().map(|finding| finding.fingerprint).collect()
    }

    #[test]
    fn lines_order_wording_and_neighbours_do_not_matter() {
        let before = "a = 1\n[x.y]\nport = 80\nlist = ['one', 'two']\n[[z]]\nname = 'first'\nv = 2\n";
        let after = "# a comment\n[[z]]\nname = 'other'\n\n[[z]]\nv = 2\nname = 'first'\n[x]\n[x.y]\nlist = ['two', 'zero', 'one']\nport = 80\n";
        let wanted = [("80", "`x` is taken"), ("'one'", "`one` is odd"), ("2", "`v` is 2")];
        let reworded =
            [("80", "the port of `x` is wrong"), ("'zero'", "`zero`"), ("'one'", "odd: `one`"), ("2", "`v` again")];
        let (old, new) = (of("host.toml", before, &wanted), of("host.toml", after, &reworded));
        assert_eq!(old, [new[0].clone(), new[2].clone(), new[3].clone()]);
        let json = |text: &str| of("facts.json", text, &[("true", "x")]);
        assert_eq!(
            json("{\"a\": [{\"name\": \"s\", \"b\": true}]}"),
            json("{\n\"a\": [1, {\"b\": true, \"name\": \"s\"}]}")
        );
        let nix = |text: &str| of("x.nix", text, &[("22", "x")]);
        assert_eq!(
            nix("{ services.openssh.ports = [ 22 ]; }"),
            nix("{\n  # x\n  services = { openssh.ports = [ 22 ]; };\n}")
        );
    }

    #[test]
    fn two_findings_never_share_one() {
        let text = "a = 'x y'\nb = 'x y'\nl = [1, 1]\n";
        let at = [
            ("a", "`s`"),
            ("'x y'", "`t`"),
            ("x", "`s`"),
            ("y", "`s`"),
            ("b", "`s`"),
            ("[1, 1]", "`s`"),
            ("1", "`s`"),
            ("1", "`s`"),
            ("l", "none"),
        ];
        let all = of("host.toml", text, &at);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), at.len());
        assert!(all.iter().all(|one| one.len() == DIGITS));
        assert_ne!(all, of("other.toml", text, &at));
    }

    #[test]
    fn what_cannot_be_parsed_is_known_by_its_line() {
        let of = |text: &str| of("host.toml", text, &[("= =", "x")]);
        assert_eq!(of("a = = 1\n"), of("# x\nb = 2\n  a = = 1\n"));
        assert_ne!(of("a = = 1\n"), of("b = = 1\n"));
    }
}
