//! A disk whose defined size is not the probed one.

use crate::check::phrase::bytes;
use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "disk-size-mismatch",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &["probed disks"],
    summary: "defined and probed size of a disk differ",
    doc: include_str!("disk_size_mismatch.md"),
    check: Check::Host(check),
};

/// Disks of one size as sold differ by less than this, in percent.
const TOLERANCE: u128 = 1;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if cx.host.disks.iter().all(|disk| disk.def.size.is_none()) {
        return;
    }
    let Some(probed) = probed::disks(cx, found) else { return };
    for disk in &cx.host.disks {
        let Some(size) = &disk.def.size else { continue };
        let Some(probed) = probed::disk(probed, disk.def.id.as_str()) else { continue };
        let Some(real) = &probed.size_bytes else {
            found.unchecked(format!("the facts do not say how large `{}` is", disk.name));
            continue;
        };
        if !differ(size.bytes(), real.value) {
            continue;
        }
        let message =
            format!("disk `{}` is defined with {}, the probed one has {}", disk.name, size.value, bytes(real.value));
        found.report(
            Finding::at(size.place, message)
                .label(bytes(size.bytes()))
                .related(real.place, bytes(real.value))
                .why("offsets of partitions and the space of pools follow from the defined size; or it is another disk than meant")
                .help(format!("`size = \"{}\"`, if it is this disk", as_sold(real.value)))
                .help("another `id`, if another disk was meant"),
        );
    }
}

fn differ(defined: u64, real: u64) -> bool {
    u128::from(defined.abs_diff(real)) * 100 > u128::from(real) * TOLERANCE
}

/// Returns a size in the unit in which it is a whole number close enough.
fn as_sold(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000u64), ("MB", 1_000_000)];
    for (unit, size) in units {
        let whole = bytes.saturating_add(size / 2) / size;
        if !differ(whole.saturating_mul(size), bytes) {
            return format!("{whole}{unit}");
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_as_sold_is_within_the_tolerance_and_another_size_is_not() {
        for (defined, real) in [(512_000_000_000, 512_110_190_592), (2_000_000_000_000, 2_000_398_934_016)] {
            assert!(!differ(defined, real));
        }
        assert!(differ(500_000_000_000, 512_110_190_592));
        assert!(differ(512 << 30, 512_110_190_592));
        assert!(differ(1, 0) && !differ(0, 0));
    }

    #[test]
    fn the_size_that_is_proposed_would_not_be_reported() {
        let table = [
            (512_110_190_592, "512GB"),
            (1_000_204_886_016, "1000GB"),
            (8_050_000_000, "8GB"),
            (2_500_000_000, "2500MB"),
            (1_234, "1234B"),
        ];
        for (bytes, text) in table {
            assert_eq!(as_sold(bytes), text);
            assert!(!differ(text.parse::<crate::units::Size>().unwrap().bytes(), bytes));
        }
    }
}
