//! `allow` entries: findings that somebody accepted, with a reason.
//!
//! An entry of a host.toml covers findings about that host, one of fleet.toml those about no single host. An entry in
//! `[defaults]` or in a module is one entry of all hosts that it reaches: it covers something when one of them needs it.

use std::collections::BTreeMap;

use super::engine::Checked;
use super::rule::{Check, Group, Rule, Unchecked};
use super::rules;
use super::scope::Scope;
use crate::fleet::schema::fleet_file::Allow;
use crate::resolve::{Resolved, ResolvedHost};
use crate::source::{Allowed, Diagnostic, Diagnostics, Kind, Level, Node, Place, nearest, quoted};
use crate::units::Date;

/// Marks the findings that entries cover, and reports entries that are expired, cover nothing, or cannot count.
///
/// Entries about what only an evaluation shows wait for one.
pub(super) fn apply(fleet: &Resolved<'_>, scope: &Scope, checked: &mut Checked, today: Date) {
    let mut entries = entries(fleet, scope);
    entries.retain(|entry| !entry.is_about_evaluation());
    apply_entries(entries, scope, checked, today);
}

/// The same for the entries about what an evaluation shows.
pub(super) fn apply_to_evaluated(fleet: &Resolved<'_>, scope: &Scope, checked: &mut Checked, today: Date) {
    let mut entries = entries(fleet, scope);
    entries.retain(Entry::is_about_evaluation);
    apply_entries(entries, scope, checked, today);
}

fn apply_entries(entries: Vec<Entry<'_>>, scope: &Scope, checked: &mut Checked, today: Date) {
    let is_input = |finding: &Diagnostic| rules::find(finding.rule).is_some_and(|rule| rule.group == Group::Input);
    // What was not looked at may be what an entry is there for.
    let whole = scope.is_all() && !checked.findings.iter().any(is_input);
    let (about_entries, others): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|entry| rules::find(&entry.def.rule).is_some_and(|rule| matches!(rule.check, Check::Allows)));
    let mut said = Diagnostics::new();
    let about = About::of(&checked.findings);
    for entry in &others {
        entry.apply(&mut checked.findings, &about, &checked.unchecked, whole, today, &mut said);
    }
    let mut of_these = Diagnostics::new();
    let about = About::of(&said);
    for entry in &about_entries {
        entry.apply(&mut said, &about, &checked.unchecked, whole, today, &mut of_these);
    }
    checked.findings.append(&mut said);
    checked.findings.append(&mut of_these);
}

/// Which findings there are, by rule and by host, where a fleet has thousands of both.
struct About(BTreeMap<&'static str, BTreeMap<Option<String>, Vec<usize>>>);

impl About {
    fn of(findings: &[Diagnostic]) -> Self {
        let mut about = BTreeMap::<_, BTreeMap<_, Vec<usize>>>::new();
        for (at, finding) in findings.iter().enumerate() {
            about.entry(finding.rule).or_default().entry(finding.host.clone()).or_default().push(at);
        }
        Self(about)
    }

    /// Returns the findings of a rule about a host; about no single host without one.
    fn at(&self, rule: &str, host: Option<&str>) -> &[usize] {
        let of_rule = self.0.get(rule);
        of_rule.and_then(|hosts| hosts.get(&host.map(str::to_owned))).map_or(&[], Vec::as_slice)
    }
}

/// An entry and what it reaches.
struct Entry<'a> {
    def: &'a Allow,
    /// fleet.toml.
    fleet: &'a Node,
    /// The hosts that it is merged into; none for an entry of fleet.toml itself.
    hosts: Vec<&'a ResolvedHost<'a>>,
    /// Whether it stands in a host's own file.
    own: bool,
}

fn entries<'a>(fleet: &'a Resolved<'a>, scope: &Scope) -> Vec<Entry<'a>> {
    let tree = &fleet.fleet.tree;
    let mut by_place: BTreeMap<Place, Entry<'a>> = BTreeMap::new();
    for def in &fleet.fleet.file.allow {
        by_place.insert(def.rule.place, Entry { def, fleet: tree, hosts: Vec::new(), own: false });
    }
    for host in &fleet.hosts {
        if scope.has(host.name) {
            for def in &host.def.allow {
                let own = def.rule.place.file == host.source.file;
                by_place
                    .entry(def.rule.place)
                    .or_insert_with(|| Entry { def, fleet: tree, hosts: Vec::new(), own })
                    .hosts
                    .push(host);
            }
        }
    }
    by_place.into_values().collect()
}

impl Entry<'_> {
    fn is_about_evaluation(&self) -> bool {
        rules::find(&self.def.rule).is_some_and(|rule| matches!(rule.check, Check::Evaluating))
    }

    fn apply(
        &self,
        findings: &mut Diagnostics,
        about: &About,
        unchecked: &[Unchecked],
        whole: bool,
        today: Date,
        said: &mut Diagnostics,
    ) {
        let rule = match self.rule() {
            Ok(rule) => rule,
            Err(finding) => return said.push(self.named(*finding)),
        };
        let expired = self.def.until.as_ref().filter(|until| until.value < today);
        let mut covered = false;
        let own =
            self.hosts.iter().flat_map(|host| about.at(rule.id, Some(host.name)).iter().map(|at| (*at, Some(*host))));
        let shared = if self.hosts.is_empty() { about.at(rule.id, None) } else { &[] };
        for (at, host) in own.chain(shared.iter().map(|at| (*at, None))) {
            let Some(finding) = findings.get_mut(at).filter(|finding| self.covers(finding, host)) else { continue };
            covered = true;
            if expired.is_none() {
                let until = self.def.until.as_ref().map(|until| until.value.to_string());
                finding.allowed = Some(Allowed { reason: self.def.reason.value.clone(), until });
            }
        }
        if let Some(until) = expired {
            let message = format!("the allowance of `{}` ended on {}", rule.id, until.value);
            said.push(
                self.named(
                    Diagnostic::error("allow-expired", until.place, message)
                        .label("its last day")
                        .related(self.def.reason.place, "why it was allowed")
                        .why("somebody meant to look at it again by then")
                        .help(format!("mend what `{}` reports and remove the entry", rule.id))
                        .help("write a later day, with a reason that holds today"),
                ),
            );
        } else if !covered && (whole || self.own) && !self.may_be_needed(rule, unchecked) {
            said.push(self.named(self.unused(rule, findings)));
        }
    }

    /// Returns the entry's rule; what there is to say when it cannot count.
    fn rule(&self) -> Result<&'static Rule, Box<Diagnostic>> {
        let place = self.def.rule.place;
        let Some(rule) = rules::find(&self.def.rule) else {
            let finding =
                Diagnostic::error("reference-unknown", place, format!("there is no rule {}", quoted(&self.def.rule)));
            let near = nearest(&self.def.rule, rules::all().map(|rule| rule.id));
            return Err(Box::new(match near.first() {
                Some(near) => finding.help(format!("nearest: `{near}`")),
                None => finding.help("`hostwright rules` lists them"),
            }));
        };
        if rule.allowable {
            return Ok(rule);
        }
        let message = format!("`{}` cannot be allowed", rule.id);
        let why = match rule.group {
            Group::Input => "what cannot be read cannot be accepted either",
            _ => "it guards data or the way back after a failed boot",
        };
        Err(Box::new(
            Diagnostic::new("allow-unused", Level::Warning, place, message)
                .label("has no effect")
                .why(why)
                .help(format!("remove the entry and mend what `{}` reports", rule.id)),
        ))
    }

    fn unused(&self, rule: &Rule, findings: &[Diagnostic]) -> Diagnostic {
        let message = format!("nothing here is reported by `{}`", rule.id);
        let finding = Diagnostic::new("allow-unused", Level::Warning, self.def.rule.place, message)
            .label("covers nothing")
            .why("an allowance that covers nothing hides the next finding of that rule");
        let outside = |finding: &&Diagnostic| finding.rule == rule.id && finding.allowed.is_none();
        match findings.iter().find(outside).map(|finding| finding.host.as_deref()) {
            Some(Some(host)) if self.hosts.is_empty() => {
                finding.help(format!("move the entry to hosts/{host}/host.toml: the rule reports it for that host"))
            }
            Some(None) if !self.hosts.is_empty() => {
                finding.help("move the entry to the top of fleet.toml: what the rule reports concerns no single host")
            }
            _ => finding.help("remove the entry"),
        }
    }

    /// Tells whether a finding about a host that it reaches, or about none, lies where it counts.
    fn covers(&self, finding: &Diagnostic, host: Option<&ResolvedHost<'_>>) -> bool {
        let Some(route) = &self.def.at else { return true };
        let places = places_at(host.map_or(self.fleet, |host| &host.source.tree), route);
        let mut about = std::iter::once(&finding.primary).chain(&finding.related);
        about.any(|label| places.contains(&label.place))
    }

    /// Tells whether the rule could not be checked where the entry counts.
    fn may_be_needed(&self, rule: &Rule, unchecked: &[Unchecked]) -> bool {
        unchecked.iter().any(|unchecked| {
            unchecked.rule == rule.id
                && match &unchecked.host {
                    Some(host) => self.hosts.iter().any(|own| own.name == host),
                    None => self.hosts.is_empty(),
                }
        })
    }

    fn named(&self, finding: Diagnostic) -> Diagnostic {
        match self.hosts.first() {
            Some(host) if self.own => finding.host(host.name),
            _ => finding,
        }
    }
}

/// Returns every place at or below a route of keys.
fn places_at(tree: &Node, route: &str) -> Vec<Place> {
    let route: Vec<&str> = route.split('.').collect();
    let mut places = Vec::new();
    let Some((last, parents)) = route.split_last() else { return places };
    let entry = tree.at(parents).and_then(Node::as_table).and_then(|table| table.get(*last));
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

#[cfg(test)]
mod tests {
    use crate::check::sample::reported;

    /// Two hosts, of which `a` has no watch, and an entry for that in `[defaults]`, at the top of fleet.toml or in a host.toml.
    fn fleet(entry_at: &str, rule: &str, wanted: &[&str]) -> Vec<String> {
        let entry = format!("allow = [{{ rule = '{rule}', reason = 'x' }}]\n");
        let at = |place: &str| if place == entry_at { entry.as_str() } else { "" };
        let fleet = format!(
            "{}fleet.name = 'x'\nchannels.stable = {{ release = '26.05' }}\n[defaults]\nimports = ['scaffold']\n{}",
            at("fleet"),
            at("defaults")
        );
        let a = format!("{}deploy.watch = []\n", at("a"));
        let files = [("fleet.toml", fleet.as_str()), ("hosts/a/host.toml", &a), ("hosts/b/host.toml", at("b"))];
        let mut lines = reported(&files, wanted);
        lines.retain(|line| line.contains("allow-") || line.contains(rule));
        lines
    }

    #[test]
    fn a_shared_entry_is_used_when_one_host_needs_it_and_reported_once_when_none_does() {
        assert_eq!(
            fleet("defaults", "watch-missing", &[]),
            ["allowed warning hosts/a/host.toml:1:1 watch-missing: nothing of `a` is watched while it reboots"]
        );
        assert_eq!(
            fleet("defaults", "recovery-impossible", &[]),
            ["warning fleet.toml:5:19 allow-unused: nothing here is reported by `recovery-impossible`"]
        );
        assert_eq!(
            fleet("defaults", "reboot-test-disabled", &[]),
            ["warning fleet.toml:5:19 allow-unused: `reboot-test-disabled` cannot be allowed"]
        );
    }

    #[test]
    fn an_entry_counts_for_its_own_host_only() {
        assert_eq!(
            fleet("b", "watch-missing", &[]),
            [
                "warning hosts/a/host.toml:1:1 watch-missing: nothing of `a` is watched while it reboots",
                "warning hosts/b/host.toml:1:19 allow-unused: nothing here is reported by `watch-missing`",
            ]
        );
    }

    #[test]
    fn entries_of_fleet_toml_cover_what_concerns_no_host() {
        assert_eq!(
            fleet("fleet", "channel-unpinned", &[]),
            ["allowed error fleet.toml:3:10 channel-unpinned: `stable` has no `rev` and no `hash`"]
        );
        assert_eq!(
            fleet("fleet", "watch-missing", &[])[0],
            "warning fleet.toml:1:19 allow-unused: nothing here is reported by `watch-missing`"
        );
    }

    #[test]
    fn a_check_of_some_hosts_says_nothing_about_entries_that_others_may_need() {
        assert!(fleet("defaults", "watch-missing", &["b"]).is_empty());
        assert!(fleet("fleet", "recovery-impossible", &["b"]).is_empty());
    }

    #[test]
    fn an_entry_about_entries_covers_them() {
        let host =
            "allow = [\n{ rule = 'allow-unused', reason = 'x' },\n{ rule = 'watch-missing', reason = 'x' },\n]\n";
        let mut lines = reported(&[("hosts/a/host.toml", host)], &[]);
        lines.retain(|line| !line.starts_with("unchecked"));
        assert_eq!(
            lines,
            ["allowed warning hosts/a/host.toml:3:10 allow-unused: nothing here is reported by `watch-missing`"]
        );
    }
}
