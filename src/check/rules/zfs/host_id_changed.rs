//! A host id that is not the one in the machine's pools.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{pools, probed};
use crate::fleet::schema::machine::Method;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "host-id-changed",
    group: Group::Zfs,
    level: Level::Error,
    allowable: false,
    needs: &["probed pools"],
    summary: "the host id is not the one in the probed pools",
    doc: include_str!("host_id_changed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    if host.pools.is_empty() || probed::pools(cx, found).is_none() {
        return;
    }
    // A machine that is installed anew gets new pools with the new id.
    let runs = host.source.facts.as_ref().is_some_and(|facts| facts.system.is_some());
    let keeps = host.def.installer.as_ref().is_none_or(|installer| installer.method.value == Method::Existing);
    if !runs && !keeps {
        return;
    }
    for pool in &host.pools {
        let Some(probed) = pools::probed(host, pool.name) else { continue };
        let Some(said) = probed.imported_by.as_ref().and_then(|importer| importer.host_id.as_ref()) else {
            found.unchecked(format!("the facts do not say which host id `{}` holds", pool.name));
            continue;
        };
        let Some(importer) = probed::host_id(&said.value).filter(|importer| *importer != host.host_id.id) else {
            continue;
        };
        let message =
            format!("`{}` gets the host id `{}`, and `{}` holds `{importer}`", host.name, host.host_id.id, pool.name);
        let place = host.host_id.place.unwrap_or(host.place);
        let label =
            if host.host_id.place.is_some() { "another one" } else { "the id that follows from the host's name" };
        found.report(
            Finding::at(place, message)
                .label(label)
                .related(said.place, format!("`{}` was imported by this", pool.name))
                .why("ZFS takes the pool for another machine's and refuses to import it without force: the next boot stops there")
                .help(format!("`[network] host-id = \"{importer}\"`")),
        );
        // One id for all pools: the first finding says it.
        return;
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    #[test]
    fn pools_that_are_kept_must_hold_the_hosts_id_and_new_ones_need_not() {
        let host = |installer: &str| {
            format!(
                "{installer}disks.d0 = {{ id = 'ata-D0', size = '2TB' }}\nnetwork.host-id = '2487cd1f'\n\
                 zfs.pools.tank.vdevs = [{{ type = 'stripe', members = ['d0'] }}]\n"
            )
        };
        let facts = |pool: &str, id: &str, system: &str| {
            format!(
                "{{ \"version\": 1, \"pools\": [{{ \"name\": \"{pool}\", \"imported_by\": {{ \"host_id\": \"{id}\" }} }}]{system} }}"
            )
        };
        let of = |installer: &str, facts: String| {
            let host = host(installer);
            said_of("host-id-changed", &[("hosts/a/host.toml", host.as_str()), ("hosts/a/facts.json", facts.as_str())])
                .len()
        };
        let runs = ", \"system\": { \"release\": \"26.05\" }";
        let kexec = "installer.method = 'kexec'\n";
        assert_eq!(of("", facts("tank", "0xA8C0630B", "")), 1);
        assert_eq!(of(kexec, facts("tank", "a8c0630b", runs)), 1);
        assert_eq!(of(kexec, facts("tank", "a8c0630b", "")), 0);
        assert_eq!(of("", facts("tank", "2487CD1F", runs)), 0);
        assert_eq!(of("", facts("tank", "0", runs)), 0);
        assert_eq!(of("", facts("other", "a8c0630b", runs)), 0);
    }
}
