//! `allow` entries: findings that somebody accepted, with a reason.

use super::rules;
use crate::fleet::schema::fleet_file::Allow;
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{Allowed, Diagnostic, Diagnostics, Kind, Level, Node, Place, nearest, quoted};
use crate::units::Date;

/// Marks the findings that an entry covers, and reports entries that are expired, cover nothing, or cannot count.
pub(super) fn apply(fleet: &Resolved<'_>, wanted: &[String], findings: &mut Diagnostics, today: Date) {
    let mut about_entries = Vec::new();
    for entry in &fleet.fleet.file.allow {
        entry_applies(entry, None, findings, today, &mut about_entries);
    }
    for host in &fleet.hosts {
        if wanted.is_empty() || wanted.iter().any(|name| name == host.name) {
            for entry in &host.def.allow {
                entry_applies(entry, Some(host), findings, today, &mut about_entries);
            }
        }
    }
    findings.append(&mut about_entries);
}

fn entry_applies(
    entry: &Allow,
    host: Option<&ResolvedHost<'_>>,
    findings: &mut Diagnostics,
    today: Date,
    said: &mut Diagnostics,
) {
    let name = |finding: Diagnostic| match host {
        Some(host) => finding.host(host.name),
        None => finding,
    };
    let Some(rule) = rules::find(&entry.rule) else {
        let finding = Diagnostic::error(
            "reference-unknown",
            entry.rule.place,
            format!("there is no rule {}", quoted(&entry.rule)),
        );
        let near = nearest(&entry.rule, rules::all().map(|rule| rule.id));
        said.push(name(match near.first() {
            Some(near) => finding.help(format!("nearest: `{near}`")),
            None => finding.help("`hostwright rules` lists them"),
        }));
        return;
    };
    if !rule.allowable {
        let message = format!("`{}` cannot be allowed", rule.id);
        said.push(name(
            Diagnostic::new("allow-unused", Level::Warning, entry.rule.place, message)
                .why("it guards data or the way back after a failed boot")
                .help("remove the entry and mend what the rule reports"),
        ));
        return;
    }
    let expired = entry.until.as_ref().is_some_and(|until| until.value < today);
    let within = entry.at.as_ref().map(|route| places_at(host, route));
    let mut covered = 0;
    for finding in findings.iter_mut() {
        let of_host = finding.host.as_deref() == host.map(|host| host.name);
        let inside = within.as_ref().is_none_or(|places| {
            places.contains(&finding.primary.place) || finding.related.iter().any(|label| places.contains(&label.place))
        });
        if finding.rule == rule.id && of_host && inside {
            covered += 1;
            if !expired {
                let until = entry.until.as_ref().map(|until| until.value.to_string());
                finding.allowed = Some(Allowed { reason: entry.reason.value.clone(), until });
            }
        }
    }
    if let Some(until) = entry.until.as_ref().filter(|_| expired) {
        let message = format!("the allowance of `{}` ended on {}", rule.id, until.value);
        said.push(name(
            Diagnostic::error("allow-expired", until.place, message)
                .label("its last day")
                .why("somebody meant to look at it again by then")
                .help("mend what the rule reports and remove the entry")
                .help("write a later day, with a reason that holds today"),
        ));
    } else if covered == 0 {
        let message = format!("nothing here is reported by `{}`", rule.id);
        said.push(name(
            Diagnostic::new("allow-unused", Level::Warning, entry.rule.place, message)
                .why("an allowance that covers nothing hides the next finding of that rule")
                .help("remove the entry"),
        ));
    }
}

/// Returns every place at or below a route of keys in a host's definition.
fn places_at(host: Option<&ResolvedHost<'_>>, route: &str) -> Vec<Place> {
    let route: Vec<&str> = route.split('.').collect();
    let mut places = Vec::new();
    let Some((last, parents)) = route.split_last() else { return places };
    let entry =
        host.and_then(|host| host.source.tree.at(parents)).and_then(Node::as_table).and_then(|table| table.get(*last));
    if let Some(entry) = entry {
        places.push(entry.key);
        collect(&entry.node, &mut places);
    }
    places
}

fn collect(node: &Node, places: &mut Vec<Place>) {
    places.push(node.place);
    match &node.kind {
        Kind::Table(table) => {
            for entry in table.values() {
                places.push(entry.key);
                collect(&entry.node, places);
            }
        }
        Kind::List(items) => items.iter().for_each(|item| collect(&item.node, places)),
        _ => {}
    }
}
