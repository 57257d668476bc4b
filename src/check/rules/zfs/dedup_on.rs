//! Deduplication, and the memory that it needs.

use crate::check::capacity;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Map;
use crate::fleet::scalar::PropertyValue;
use crate::resolve::ResolvedPool;
use crate::source::{Level, Spanned};
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "dedup-on",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "deduplication is on",
    doc: include_str!("dedup_on.md"),
    check: Check::Host(check),
};

/// Bytes of memory that an entry of the deduplication table takes (zpool(8), `zdb -DD` of OpenZFS).
const ENTRY: u64 = 320;

/// Bytes of a block, the default `recordsize`.
const BLOCK: u64 = 128 << 10;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for pool in &cx.host.pools {
        if let Some(value) = dedup(&pool.def.root_properties) {
            found.report(finding(cx, pool, pool.name, value));
        }
        for (name, dataset) in pool.def.datasets.iter() {
            if let Some(value) = dedup(&dataset.properties) {
                found.report(finding(cx, pool, &format!("{}/{name}", pool.name), value));
            }
        }
    }
}

/// Returns the value by which properties switch deduplication on.
fn dedup(properties: &Map<Spanned<PropertyValue>>) -> Option<&Spanned<PropertyValue>> {
    properties.get("dedup").map(|value| &value.value).filter(|value| value.value.as_str() != "off")
}

fn finding(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, dataset: &str, value: &Spanned<PropertyValue>) -> Finding {
    let usable = capacity::capacity(pool).map(capacity::Capacity::usable);
    let memory = cx.host.def.machine.memory.as_ref();
    let mut finding = Finding::at(value.place, format!("`{dataset}` is deduplicated")).label("a table of every block");
    let rule = "the table of all blocks is read and written for every write and every deletion";
    finding = match usable {
        Some(usable) => finding.why(format!(
            "{rule}: up to {} of memory for {} of data in blocks of 128 KiB. Without it each of them waits for disks, and a pool \
             that deletes for days may not even import",
            Size::human(table_bytes(usable)),
            Size::human(usable),
        )),
        None => finding.why(format!("{rule}: up to 2.5 GiB of memory for 1 TiB of data in blocks of 128 KiB, else each waits for disks")),
    };
    if let Some(memory) = memory {
        finding = finding.related(memory.place, format!("{} in all", memory.value));
    }
    finding
        .help("`compression = \"zstd\"` instead, which saves space without a table")
        .help("`cp --reflink` for copies, where block cloning is active")
        .help("an `allow` entry with the figures of `zdb -S`, where they show that it pays")
}

/// Returns the memory that the table of so much data takes.
fn table_bytes(data: u64) -> u64 {
    (data / BLOCK).saturating_mul(ENTRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tebibyte_takes_two_and_a_half_gibibytes_of_memory() {
        assert_eq!(Size::human(table_bytes(1 << 40)), "2.5 GiB");
        assert_eq!(table_bytes(0), 0);
    }
}
