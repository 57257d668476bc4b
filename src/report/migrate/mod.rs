//! The inventory of a cluster as people and machines read it: one file for each format, each of which takes the ledger and nothing
//! else of ours.
//!
//! Not here: what becomes of a field (`kubernetes`). A format is added as one file and one variant of [`MigrateFormat`].

mod html;
mod human;
mod json;
mod markdown;

use std::collections::BTreeMap;

use crate::kubernetes::ledger::{CapacityEntry, Ledger, Totals};
use crate::text::TemplateError;
use crate::units::Size;

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

/// Returns what stands for a workload's data: `38GiB -> /var/lib/gitea`.
fn state(workload: &crate::kubernetes::ledger::WorkloadEntry) -> String {
    let of = |entry: &crate::kubernetes::ledger::StateEntry| match &entry.used {
        Some(used) => format!("{} {used} -> {}", entry.claim, entry.to),
        None => format!("{} -> {}", entry.claim, entry.to),
    };
    workload.state.iter().map(of).collect::<Vec<_>>().join(", ")
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
