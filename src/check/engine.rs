//! Runs the rules over a fleet.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use super::clusters::Clusters;
use super::rule::{Check, Finding, Findings, FleetCx, HostCx, Rule, Unchecked};
use super::scope::Scope;
use super::{allow, external, rules};
use crate::facts::{Facts, Found};
use crate::fleet;
use crate::resolve::{Resolved, ResolvedHost, resolve};
use crate::source::{Diagnostic, Diagnostics, FleetFiles, Place, Sources};
use crate::units::Date;

/// The outcome of a check.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every finding, those that are allowed included, in the order of the files.
    pub findings: Diagnostics,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// How many rules were run.
    pub rules: usize,
}

/// Checks the hosts of `scope` and the fleet. `found` is what reading and resolving found.
pub fn check(
    fleet: &Resolved<'_>,
    scope: &Scope,
    clusters: &Clusters,
    found: Diagnostics,
    facts: &Facts,
    sources: &Sources,
    today: Date,
) -> Checked {
    let fleet_cx = FleetCx { fleet, facts, sources, today, scope, clusters };
    let mut outcomes: Vec<Findings> = rules::all()
        .filter_map(|rule| {
            run(rule, None, sources, |found| match rule.check {
                Check::Fleet(check) => {
                    check(&fleet_cx, found);
                    true
                }
                _ => false,
            })
        })
        .collect();
    let subjects: Vec<&ResolvedHost<'_>> = fleet.hosts.iter().filter(|host| scope.has(host.name)).collect();
    let of_hosts: Vec<Vec<Findings>> = subjects
        .par_iter()
        .map(|host| {
            let settings = OnceCell::new();
            let cx = HostCx { host, fleet, facts, sources, today, scope, clusters, settings: &settings };
            let check_host = |rule: &'static Rule| {
                run(rule, Some(host), sources, |found| match rule.check {
                    Check::Host(check) => {
                        check(&cx, found);
                        true
                    }
                    _ => false,
                })
            };
            rules::all().filter(|rule| external::applies(rule, host)).filter_map(check_host).collect()
        })
        .collect();
    outcomes.extend(of_hosts.into_iter().flatten());

    let mut checked = Checked { findings: found, unchecked: Vec::new(), rules: count() };
    for outcome in outcomes {
        checked.findings.extend(outcome.found);
        checked.unchecked.extend(outcome.unchecked);
    }
    clusters.hide_secrets(&mut checked.findings, sources);
    checked.findings.retain(|finding| finding.host.as_deref().is_none_or(|host| scope.has(host)));
    allow::apply(fleet, scope, &mut checked, today);
    sort(&mut checked.findings, sources);
    checked.unchecked.sort();
    checked
}

/// Returns how many rules a check runs.
fn count() -> usize {
    rules::all().filter(|rule| !matches!(rule.check, Check::Evaluating | Check::Migrating)).count()
}

/// Sorts findings into the order of the files.
pub(super) fn sort(findings: &mut Diagnostics, sources: &Sources) {
    findings.sort_by(|a, b| key(a, sources).cmp(&key(b, sources)));
}

/// Findings come in the order of the files, whatever order the threads finished in.
fn key<'a>(finding: &'a Diagnostic, sources: &'a Sources) -> (&'a str, u32, &'a str, Option<&'a str>, &'a str) {
    let Place { file, start, .. } = finding.primary.place;
    (sources.file(file).path(), start, finding.rule, finding.host.as_deref(), &finding.message)
}

/// Runs one rule over one subject. A panic inside is that rule's finding and not the end of the run.
fn run(
    rule: &'static Rule,
    host: Option<&ResolvedHost<'_>>,
    sources: &Sources,
    check: impl FnOnce(&mut Findings) -> bool,
) -> Option<Findings> {
    let mut found = Findings::new(rule, host.map(|host| host.name));
    match catch_unwind(AssertUnwindSafe(|| check(&mut found))) {
        Ok(true) => Some(found),
        Ok(false) => None,
        Err(_) => {
            let place = host.map(|host| host.place).or_else(|| sources.first())?;
            let mut broken = Findings::new(rule, host.map(|host| host.name));
            let message = format!("internal error in the rule `{}`: it could not finish", rule.id);
            broken.report(Finding::at(place, message).help("report it with this definition; the other rules have run"));
            Some(broken)
        }
    }
}

/// A fleet read, resolved and checked, handed to `then` together with what was found. `wanted` names the hosts to look at; all
/// of them when it is empty.
///
/// `then` gets no fleet when fleet.toml itself has errors.
pub fn check_files<R>(
    files: &mut FleetFiles,
    facts: &Facts,
    wanted: &[String],
    today: Date,
    then: impl FnOnce(Option<&Resolved<'_>>, Outcome, &Sources) -> R,
) -> R {
    check_scope(files, facts, |_| Scope::named(wanted), today, then)
}

/// The same for hosts that are only known once the fleet is read; `scope` gets no fleet when fleet.toml itself has errors.
pub fn check_scope<R>(
    files: &mut FleetFiles,
    facts: &Facts,
    scope: impl FnOnce(Option<&fleet::Fleet>) -> Scope,
    today: Date,
    then: impl FnOnce(Option<&Resolved<'_>>, Outcome, &Sources) -> R,
) -> R {
    // Which release a host runs is only known once it is read; prefixes hardly differ between releases.
    let newest = facts.releases().newest();
    let index = newest.and_then(|release| facts.options(release));
    let is_prefix = |route: &[&str]| match route {
        ["nixos", option @ ..] => index.is_some_and(|index| matches!(index.lookup(option), Found::Prefix)),
        _ => false,
    };
    let reading = fleet::read(files, crate::modules::embedded(), &is_prefix);
    let mut found = reading.found;
    let scope = scope(reading.fleet.as_ref());
    let name = reading.fleet.as_ref().map(|fleet| fleet.file.fleet.name.to_string());
    let Some(fleet) = &reading.fleet else {
        sort(&mut found, &files.sources);
        let checked = Checked { findings: found, unchecked: Vec::new(), rules: count() };
        let outcome = Outcome { checked, fleet: name, hosts: reading.hosts, clusters: Clusters::default() };
        return then(None, outcome, &files.sources);
    };
    let clusters = Clusters::read(fleet, files, facts, &mut found);
    let resolved = resolve(fleet, facts, &files.sources, &mut found);
    let checked = check(&resolved, &scope, &clusters, found, facts, &files.sources, today);
    let hosts = match &scope {
        Scope::All => reading.hosts,
        Scope::Hosts(hosts) => hosts.len(),
    };
    then(Some(&resolved), Outcome { checked, fleet: name, hosts, clusters }, &files.sources)
}

/// What a check of files found.
#[derive(Debug)]
pub struct Outcome {
    /// The findings.
    pub checked: Checked,
    /// The fleet's name, where fleet.toml says it.
    pub fleet: Option<String>,
    /// How many hosts were looked at, those with input errors included.
    pub hosts: usize,
    /// What the manifests of clusters say that services come from.
    pub clusters: Clusters,
}
