//! A host id that stands in guides, examples and images, and so on many machines.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{pools, probed};
use crate::fleet::schema::machine::Method;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "host-id-placeholder",
    group: Group::Zfs,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a host id that many machines share",
    doc: include_str!("host_id_placeholder.md"),
    check: Check::Host(check),
};

/// Host ids of images, manuals and guides, and where each stands.
const KNOWN: &[(&str, &str)] = &[
    ("00000000", "cloud images of NixOS have it"),
    ("01234567", "a row of digits"),
    ("0badcafe", "a word"),
    ("12345678", "a row of digits"),
    ("1234abcd", "a row of digits"),
    ("4e98920d", "the example of the NixOS manual"),
    ("8425e349", "every installer image of NixOS has it"),
    ("8556b001", "copied from one published configuration to many"),
    ("87654321", "a row of digits"),
    ("8badf00d", "a word"),
    ("aabbccdd", "a row of digits"),
    ("abcd1234", "the placeholder of many guides"),
    ("abcdef01", "a row of digits"),
    ("abcdef12", "a row of digits"),
    ("baadf00d", "a word"),
    ("babecafe", "a word"),
    ("badc0ffe", "a word"),
    ("beefcafe", "a word"),
    ("c0ffee00", "a word"),
    ("cafebabe", "a word"),
    ("cafebeef", "a word"),
    ("cafed00d", "a word"),
    ("deadbabe", "a word"),
    ("deadbeef", "a word"),
    ("deadc0de", "a word"),
    ("decafbad", "a word"),
    ("facefeed", "a word"),
    ("feedbeef", "a word"),
    ("feedface", "a word"),
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some(place) = host.host_id.place.filter(|_| !host.pools.is_empty()) else { return };
    let id = host.host_id.id.as_str();
    let Some(origin) = origin(id) else { return };
    let finding = Finding::at(place, format!("the host id `{id}` of `{}` is a placeholder", host.name)).label(origin).why(
        "ZFS tells by the host id whether another machine uses a pool: with an id that others have too, it lets two machines \
         import one pool, and both write to it",
    );
    let importers =
        host.pools.iter().filter_map(|pool| pools::probed(host, pool.name)?.imported_by.as_ref()?.host_id.as_ref());
    let runs_with = importers.filter_map(|said| probed::host_id(&said.value)).any(|importer| importer == id);
    let exists = |name: &str| pools::probed(host, name).is_some();
    let makes = host.def.installer.as_ref().is_some_and(|installer| installer.method.value != Method::Existing);
    let to_be_made = host.pools.iter().any(|pool| !exists(pool.name));
    let unseen = host.source.facts.is_none() && !makes;
    if unseen {
        found.unchecked(format!("{}: whether it runs with this host id already is not known", probed::NO_FACTS));
    }
    if runs_with || unseen || (host.source.facts.is_some() && !to_be_made) {
        found.report_as(
            Level::Note,
            finding.help(
                "leave it while the pools are there: with another one the next boot has to force their import. \
                 Change it together with the pools",
            ),
        );
        return;
    }
    found.report(
        finding
            .help("remove `host-id`: one that no other host has follows from the host's name")
            .help("the first eight digits of the machine's own /etc/machine-id"),
    );
}

/// Returns where a host id is known from; none for one of its own.
fn origin(id: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(known, _)| *known == id).map(|(_, origin)| *origin);
    let mut digits = id.bytes();
    let first = digits.next();
    let one_digit = || digits.all(|digit| Some(digit) == first).then_some("one digit throughout");
    // gethostid(3) without /etc/hostid makes it of the address of the machine's own name: 127.0.x.y.
    let loopback = || id.starts_with("007f").then_some("what a machine without one makes of the address 127.0.0.1");
    known.or_else(one_digit).or_else(loopback)
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    use super::*;

    #[test]
    fn ids_of_images_manuals_and_rescue_systems_are_known_and_own_ones_are_not() {
        for id in ["8425e349", "4e98920d", "deadbeef", "00000000", "11111111", "ffffffff", "007f0101", "007f0200"] {
            assert!(origin(id).is_some(), "{id}");
        }
        for id in ["2487cd1f", "00000001", "0080abcd", "17f00000"] {
            assert!(origin(id).is_none(), "{id}");
        }
        assert!(KNOWN.is_sorted());
    }

    const POOL: &str = "disks.d0 = { id = 'ata-D0', size = '2TB' }\n\
                        zfs.pools.tank.vdevs = [{ type = 'stripe', members = ['d0'] }]\nnetwork.host-id = 'deadbeef'\n";

    fn levels(host: &str, facts: Option<&str>) -> Vec<String> {
        let mut files = vec![("hosts/a/host.toml", host)];
        files.extend(facts.map(|facts| ("hosts/a/facts.json", facts)));
        let said = said_of("host-id-placeholder", &files);
        said.iter().map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect()
    }

    #[test]
    fn a_machine_that_runs_with_its_placeholder_is_told_to_keep_it() {
        let pool = |id: &str| {
            format!(
                "{{ \"version\": 1, \"pools\": [{{ \"name\": \"tank\", \"imported_by\": {{ \"host_id\": \"{id}\" }} }}] }}"
            )
        };
        let installed = format!("installer.method = 'kexec'\n{POOL}");
        assert_eq!(levels(&installed, None), ["error"]);
        assert_eq!(levels(&installed, Some("{ \"version\": 1, \"pools\": [] }")), ["error"]);
        assert_eq!(levels(&installed, Some(&pool("deadbeef"))), ["note"]);
        assert_eq!(levels(&installed, Some(&pool("00000000"))), ["note"]);
        // Nobody knows whether it runs with it.
        assert_eq!(levels(POOL, None), ["note", "unchecked"]);
        assert!(levels("network.host-id = 'deadbeef'\n", None).is_empty());
    }
}
