//! The inventory of a cluster as people and machines read it: one file for each format, each of which takes the ledger and nothing
//! else of ours.
//!
//! Not here: what becomes of a field (`kubernetes`). A format is added as one file and one variant of [`MigrateFormat`].

mod html;
mod human;
mod json;
mod markdown;
mod reading;

use std::collections::BTreeMap;

use super::words::count;
use crate::kubernetes::claims::CapacityEntry;
use crate::kubernetes::ledger::{Definitions, Ledger, QuestionEntry, StateEntry, Totals, WorkloadEntry};
use crate::kubernetes::lost::LostObject;
use crate::kubernetes::placement::HostEntry;
use crate::kubernetes::timeline::TimelineEntry;
use crate::text::TemplateError;
use crate::units::{Size, TimeSpan};

/// The formats an inventory is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MigrateFormat {
    /// For people, at a terminal.
    #[default]
    Human,
    /// The stable document.
    Json,
    /// A page for people, with every question.
    Markdown,
    /// A page for a browser.
    Html,
}

/// How an inventory is to be written.
#[derive(Debug, Clone, Copy)]
pub struct MigrateOptions<'a> {
    /// Whether human output carries ANSI colours.
    pub color: bool,
    /// Whether human output shows every question and every kind of object.
    pub verbose: bool,
    /// What people typed after `hostwright migrate`, to be named in what comes next.
    pub words: &'a str,
    /// Whether the definitions were written into the fleet.
    pub written: bool,
}

/// Returns an inventory in a format; it ends with a line break. The error is a fault of an embedded template.
pub fn write(ledger: &Ledger, format: MigrateFormat, options: &MigrateOptions<'_>) -> Result<String, TemplateError> {
    Ok(match format {
        MigrateFormat::Human => human::write(ledger, options),
        MigrateFormat::Json => json::write(ledger),
        MigrateFormat::Markdown => markdown::write(ledger),
        MigrateFormat::Html => html::write(ledger)?,
    })
}

/// Returns the sums by kind, sorted by kind.
fn by_kind(ledger: &Ledger) -> BTreeMap<&str, Totals> {
    let mut all: BTreeMap<&str, Totals> = BTreeMap::new();
    for object in &ledger.objects {
        *all.entry(&object.kind).or_default() += object.totals;
    }
    all
}

/// Returns a number with commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns the four sums on one line.
fn sums(totals: &Totals) -> String {
    format!(
        "translated {} · replaced {} · dropped {} · needs you {}",
        grouped(totals.translated),
        grouped(totals.replaced),
        grouped(totals.dropped),
        grouped(totals.needs_you)
    )
}

/// Returns what stands for a workload's data, on one line.
fn state(workload: &WorkloadEntry) -> String {
    state_lines(workload, "->").join(", ")
}

/// Returns what stands for a workload's data: `gitea-data 38GiB -> /var/lib/gitea`.
fn state_lines(workload: &WorkloadEntry, arrow: &str) -> Vec<String> {
    let of = |entry: &StateEntry| match &entry.used {
        Some(used) => format!("{} {used} {arrow} {}", entry.claim, entry.to),
        None => format!("{} {arrow} {}", entry.claim, entry.to),
    };
    workload.state.iter().map(of).collect()
}

/// Returns how a question is answered: the service whose `migrates-from` takes the answer, where it is about that, and the key.
fn answer<'l>(ledger: &'l Ledger, question: &QuestionEntry) -> (Option<&'l str>, String) {
    let split = question.id.split_once('#');
    let own = split.and_then(|(object, key)| {
        let workload = ledger.workloads.iter().find(|workload| workload.object == object)?;
        // What has no host yet has no definition that could take an answer.
        let is_there = ledger.placement.is_none() || workload.host.is_some();
        Some((workload.services.first().filter(|_| is_there)?.as_str(), key))
    });
    let key = own.map_or(question.id.as_str(), |(_, key)| key);
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let key = if is_bare { key.to_owned() } else { format!("\"{key}\"") };
    (own.map(|(service, _)| service), format!("answers = {{ {key} = \"…\" }}"))
}

/// Returns what a question is about: `Deployment apps/gitea`.
fn about(question: &QuestionEntry) -> String {
    let object = question.id.split_once('#').map_or(question.id.as_str(), |(object, _)| object);
    let kind = object.split('/').nth(1).unwrap_or_default();
    format!("{kind} {}", short(object)).trim_start().to_owned()
}

/// Returns bytes for people; a question mark where they are not known.
fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), Size::human)
}

/// Returns an object that has something of a cluster, with how much of it.
fn lost_object(object: &LostObject) -> String {
    let detail = object.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{}{detail}", short(&object.object))
}

/// Returns how long a service is down while it moves, where its move can be planned.
fn downtime(ledger: &Ledger, service: &str) -> Option<String> {
    let mut all = ledger.timelines.iter().flat_map(|timeline| &timeline.downtime);
    all.find(|one| one.service == service).map(|one| TimeSpan::human(one.expected_seconds))
}

/// Returns what a plan comes to, in words.
fn timeline_about(timeline: &TimelineEntry) -> String {
    let steps = count(timeline.steps.len(), "step", "steps");
    let work = TimeSpan::human(timeline.working_seconds);
    let soak = TimeSpan::human(timeline.soaking_seconds);
    format!(
        "{steps}, about {work} of work and {soak} of watching, as `hostwright plan {} --scenario migrate` has them",
        timeline.host
    )
}

/// Returns the definitions of all hosts.
fn definitions(ledger: &Ledger) -> impl Iterator<Item = &Definitions> {
    let several = ledger.placement.iter().flat_map(|placement| &placement.hosts).map(|host| &host.definitions);
    ledger.definitions.iter().chain(several)
}

/// Returns a workload as people call it: `apps/gitea` of `apps/Deployment/gitea`.
fn short(object: &str) -> String {
    let mut parts = object.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(_), Some(name)) => format!("{namespace}/{name}"),
        _ => object.to_owned(),
    }
}

/// Returns what a host of several had left and gets, in words.
fn host_room(host: &HostEntry) -> String {
    let left = [(host.memory, "memory"), (host.storage, "storage")];
    let left: Vec<String> =
        left.iter().filter_map(|(bytes, what)| Some(format!("{} of {what}", Size::human((*bytes)?)))).collect();
    let left = if left.is_empty() {
        "nobody says what it has left".to_owned()
    } else {
        format!("{} left before", left.join(" and "))
    };
    format!("{}; {left}", count(host.workloads.len(), "workload", "workloads"))
}

/// Returns what the pool of one of several hosts has room for.
fn pool_room(capacity: &CapacityEntry) -> String {
    format!("Pool {}", room(capacity))
}

/// Returns what a pool has room for, in words: `rpool: 184 GiB of claims (12 GiB known used) and 3 GiB of others, of 3.5 TiB`.
fn room(capacity: &CapacityEntry) -> String {
    let human = Size::human;
    let usable = capacity.usable.map_or_else(|| "an unknown size".to_owned(), human);
    let unknown = match capacity.unknown {
        0 => String::new(),
        unknown => format!(", of {unknown} unknown"),
    };
    let full = capacity.usable.filter(|usable| *usable > 0).map(|usable| {
        let planned = u128::from(capacity.requested) + u128::from(capacity.promised);
        format!(" ({} %)", (planned * 100).div_ceil(u128::from(usable)))
    });
    format!(
        "{}: claims ask for {} (used {}{unknown}), quotas of the host for {}, together of {usable}{}",
        capacity.pool,
        human(capacity.requested),
        human(capacity.used),
        human(capacity.promised),
        full.unwrap_or_default()
    )
}
