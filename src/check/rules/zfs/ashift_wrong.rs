//! A pool whose sectors are smaller than those of its disks.

use std::collections::BTreeSet;

use crate::check::phrase::listed;
use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "ashift-wrong",
    group: Group::Zfs,
    level: Level::Warning,
    allowable: true,
    needs: &["sector sizes of disks"],
    summary: "the sectors of a pool are smaller than those of its disks",
    doc: include_str!("ashift_wrong.md"),
    check: Check::Host(check),
};

/// What hostwright creates pools with when nothing is written.
const DEFAULT: u32 = 12;

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let probed = cx.host.source.facts.as_ref().and_then(|facts| facts.disks.as_deref()).unwrap_or_default();
    for pool in &cx.host.pools {
        let written = pool.def.properties.get("ashift");
        // A word, or 0: ZFS takes what the disks say.
        let ashift = match written.map(|value| value.value.value.as_str().parse::<u32>()) {
            None => DEFAULT,
            Some(Ok(ashift)) if (1..=16).contains(&ashift) => ashift,
            Some(_) => continue,
        };
        let (mut larger, mut unknown) = (Vec::new(), Vec::new());
        let disks: BTreeSet<&str> = pool.members().map(|member| member.disk.as_str()).collect();
        for disk in cx.host.disks.iter().filter(|disk| disks.contains(disk.name)) {
            let measured =
                probed::disk(probed, disk.def.id.as_str()).and_then(|probed| probed.physical_sector.as_ref());
            match measured.or(disk.def.sector.as_ref()) {
                Some(sector) if u64::from(sector.value) > 1 << ashift => larger.push((disk.name, sector)),
                Some(_) => {}
                None => unknown.push(disk.name),
            }
        }
        if !unknown.is_empty() {
            found.unchecked(format!("nothing says how large the sectors of {} are", listed(unknown)));
        }
        let Some((_, sector)) = larger.iter().max_by_key(|(_, sector)| sector.value) else { continue };
        let fitting = sector.value.next_power_of_two().trailing_zeros();
        let names = listed(larger.iter().map(|(name, _)| *name));
        let have = if larger.len() == 1 { "has" } else { "have" };
        let message =
            format!("`{}` writes sectors of {} bytes, {names} {have} {}", pool.name, 1u64 << ashift, sector.value);
        let place = written.map_or(pool.def.key, |value| value.value.place);
        found.report(
            Finding::at(place, message)
                .label(format!("`ashift = {ashift}`"))
                .related(sector.place, format!("{} bytes", sector.value))
                .why(
                    "the disk reads, changes and writes a whole sector for each smaller one, which costs most of its speed and wears \
                     flash; the ashift of a vdev is fixed for its life",
                )
                .help(format!("`ashift = {fitting}` below `properties`, before the pool is made")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::{said, said_of};

    #[test]
    fn sectors_come_from_the_facts_before_the_definition_and_are_never_guessed() {
        let host = |ashift: &str, sector: &str| {
            format!(
                "disks.d0 = {{ id = 'ata-D0', size = '2TB'{sector} }}\n\
                 zfs.pools.tank = {{ properties = {{ {ashift} }}, vdevs = [{{ type = 'stripe', members = ['d0'] }}] }}\n"
            )
        };
        let rule = "ashift-wrong";
        assert!(said(rule, &host("", ", sector = 4096")).is_empty());
        assert!(said(rule, &host("ashift = 0", "")).is_empty());
        assert_eq!(
            said(rule, &host("ashift = 9", ", sector = 4096")),
            ["warning: `tank` writes sectors of 512 bytes, `d0` has 4096"]
        );
        assert_eq!(said(rule, &host("", "")), ["unchecked: nothing says how large the sectors of `d0` are"]);
        let facts = "{ \"version\": 1, \"disks\": [{ \"ids\": [\"ata-D0\"], \"physical_sector\": 16384 }] }";
        let files = [("hosts/a/host.toml", &*host("", ", sector = 512")), ("hosts/a/facts.json", facts)];
        assert_eq!(said_of(rule, &files), ["warning: `tank` writes sectors of 4096 bytes, `d0` has 16384"]);
    }
}
