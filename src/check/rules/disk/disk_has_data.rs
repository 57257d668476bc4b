//! A disk that would be wiped though it holds something.

use crate::check::phrase::{joined, listed};
use crate::check::probed;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::disks::Table;
use crate::fleet::schema::facts_file::{FactsDisk, FactsFile, FactsPool};
use crate::fleet::schema::machine::Method;
use crate::resolve::{ResolvedDisk, ResolvedHost, ResolvedPool};
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "disk-has-data",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &["probed disks"],
    summary: "a disk that is to be wiped holds something",
    doc: include_str!("disk_has_data.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let laid_out = |disk: &&ResolvedDisk<'_>| {
        !disk.partitions.is_empty() && !disk.def.disposable.value && disk.def.table.value != Table::Mbr
    };
    if !host.disks.iter().any(|disk| laid_out(&disk)) {
        return;
    }
    let Some(disks) = probed::disks(cx, found) else { return };
    // `probed::disks` has them.
    let Some(facts) = host.source.facts.as_ref() else { return };
    let installs = host.def.installer.as_ref().is_some_and(|installer| installer.method.value != Method::Existing);
    if facts.system.is_some() && !installs {
        return;
    }
    for disk in host.disks.iter().filter(laid_out) {
        let Some(probed) = probed::disk(disks, disk.def.id.as_str()) else { continue };
        if is_partitioned(disk, probed) || runs_from(host, facts, disk, probed) {
            continue;
        }
        let holds = content(probed);
        if holds.is_empty() {
            if probed.signatures.is_none() {
                found.unchecked(format!("the facts do not say whether disk `{}` is blank", disk.name));
            }
            continue;
        }
        let message = format!("disk `{}` is to be partitioned and holds {}", disk.name, joined(&holds));
        let finding = Finding::at(disk.def.id.place, message).label("not blank, and not called disposable");
        let said = probed.signatures.iter().flatten().next().map(|signature| signature.kind.place);
        let finding = match said.or_else(|| probed.mounted.iter().flatten().next().map(|mounted| mounted.place)) {
            Some(place) => finding.related(place, "probed"),
            None => finding,
        };
        found.report(
            finding
                .why("partitioning wipes the disk; install/partition.sh refuses one that holds something")
                .help("another `id`, if another disk was meant")
                .help("`disposable = true`, once nothing on it is wanted")
                .help(format!("wipe it by hand and take the facts again: `hostwright probe {}`", host.name)),
        );
    }
}

/// Tells whether every partition of the definition is there under its label; the script leaves such a disk as it is.
fn is_partitioned(disk: &ResolvedDisk<'_>, probed: &FactsDisk) -> bool {
    let labels = || probed.partitions.iter().flatten().filter_map(|partition| partition.label.as_ref());
    disk.partitions.iter().all(|partition| labels().any(|label| label.value.0 == partition.label))
}

/// Tells whether the probed NixOS runs from a disk as the definition says, whatever the labels: its pools are this host's, and
/// what it mounts is mounted.
fn runs_from(host: &ResolvedHost<'_>, facts: &FactsFile, disk: &ResolvedDisk<'_>, probed: &FactsDisk) -> bool {
    let is_mounted =
        |path: &str| probed.mounted.iter().flatten().any(|mounted| mounted.value.trim_end_matches('/') == path);
    let mut mounts = disk.partitions.iter().filter_map(|partition| partition.def?.mount.as_ref()).peekable();
    let mut pools = host.pools.iter().filter(|pool| pool.members().any(|member| member.disk == disk.name)).peekable();
    facts.system.is_some()
        && (mounts.peek().is_some() || pools.peek().is_some())
        && mounts.all(|mount| is_mounted(mount.as_str().trim_end_matches('/')))
        && pools.all(|pool| facts.pools.iter().flatten().any(|probed| is_own(host, pool, probed)))
}

fn is_own(host: &ResolvedHost<'_>, pool: &ResolvedPool<'_>, probed: &FactsPool) -> bool {
    let importer = probed.imported_by.as_ref().and_then(|importer| importer.host_id.as_ref());
    let id = importer.and_then(|id| probed::host_id(&id.value));
    probed.name.value.0 == pool.name && id.as_deref() == Some(host.host_id.id.as_str())
}

/// Returns what a disk holds, as phrases.
fn content(probed: &FactsDisk) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    for signature in probed.signatures.iter().flatten() {
        let at = signature.at.as_ref().map_or_else(String::new, |at| format!(" on {}", quoted(&at.value)));
        let phrase = format!("{}{at}", quoted(&signature.kind.value));
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    let partitions: Vec<&str> = probed
        .partitions
        .iter()
        .flatten()
        .filter_map(|partition| partition.label.as_ref().or(partition.path.as_ref()).map(|said| said.value.0.as_str()))
        .collect();
    if phrases.is_empty() && !partitions.is_empty() {
        phrases.push(format!("partitions {}", listed(partitions)));
    }
    let mounted: Vec<&str> = probed.mounted.iter().flatten().map(|said| said.value.0.as_str()).collect();
    if !mounted.is_empty() {
        phrases.push(format!("what is in use at {}", listed(mounted)));
    }
    phrases
}

#[cfg(test)]
mod tests {
    use crate::check::sample::{reported, said_of};

    const HOST: &str = "[installer]\nchannel = \"stable\"\nmethod = \"rescue\"\n\
        [disks.main]\nid = \"ata-EXAMPLE_512GB_0001\"\nsize = \"512GB\"\npartitions = [\n\
        { name = \"bios\", role = \"bios-boot\", size = \"1MiB\" },\n\
        { name = \"boot\", role = \"filesystem\", size = \"2GiB\", format = \"ext4\", mount = \"/boot\" },\n\
        { name = \"root\", role = \"zfs\", size = \"rest\" },\n]\n\
        [zfs.pools.rpool]\nvdevs = [{ type = \"stripe\", members = [\"main.root\"] }]\n\
        [zfs.pools.rpool.datasets]\n\"root\" = { mount = \"/\" }\n";

    /// What the rule says of a disk of which the facts say this, with more facts of the machine.
    fn said(disk: &str, more: &str) -> Vec<String> {
        said_with(HOST, disk, more)
    }

    fn said_with(host: &str, disk: &str, more: &str) -> Vec<String> {
        let facts = format!(
            "{{ \"version\": 1, \"taken\": \"2026-11-20T10:00:00Z\", \"host\": \"a\"{more},\n  \"disks\": [{{ \"ids\": \
             [\"ata-EXAMPLE_512GB_0001\"], \"path\": \"/dev/sda\", \"size_bytes\": 512110190592{disk} }}] }}"
        );
        said_of("disk-has-data", &[("hosts/a/host.toml", host), ("hosts/a/facts.json", &facts)])
    }

    #[test]
    fn a_blank_disk_and_one_that_is_partitioned_as_defined_are_left_alone() {
        let blank = r#", "signatures": [], "mounted": [], "partitions": []"#;
        let defined = r#", "signatures": [{ "type": "gpt", "at": "/dev/sda" }, { "type": "zfs_member", "at": "/dev/sda3" }],
            "partitions": [{ "label": "a-main-bios" }, { "label": "a-main-boot" }, { "label": "a-main-root" }]"#;
        assert_eq!(said(blank, ""), [""; 0]);
        assert_eq!(said(defined, ""), [""; 0]);
        assert_eq!(said(&defined.replace("a-main-root", "a-main-data"), "").len(), 1);
        assert_eq!(said(&defined.replace(r#"{ "label": "a-main-boot" }, "#, ""), "").len(), 1);
    }

    #[test]
    fn what_no_tool_could_look_at_is_unchecked_unless_something_else_tells_of_data() {
        assert_eq!(said("", ""), ["unchecked: the facts do not say whether disk `main` is blank"]);
        assert_eq!(said(r#", "mounted": [], "partitions": []"#, ""), said("", ""));
        assert_eq!(
            said(r#", "mounted": ["/srv"]"#, ""),
            ["error: disk `main` is to be partitioned and holds what is in use at `/srv`"]
        );
        assert_eq!(
            said(r#", "partitions": [{ "path": "/dev/sda1" }]"#, ""),
            ["error: disk `main` is to be partitioned and holds partitions `/dev/sda1`"]
        );
    }

    #[test]
    fn a_disposable_disk_may_hold_anything() {
        let host = HOST.replace("size = \"512GB\"", "size = \"512GB\"\ndisposable = true");
        assert_eq!(said_with(&host, r#", "signatures": [{ "type": "ext4", "at": "/dev/sda" }]"#, ""), [""; 0]);
    }

    #[test]
    fn a_machine_that_runs_as_defined_is_silent_whatever_its_labels_and_another_pool_is_not() {
        let disk = r#", "signatures": [{ "type": "zfs_member", "at": "/dev/sda3" }], "mounted": ["/boot"]"#;
        let running = |pool: &str, id: &str| {
            format!(
                r#", "system": {{ "release": "25.11" }}, "pools": [{{ "name": "{pool}", "imported_by": {{ "host_id": "{id}" }} }}]"#
            )
        };
        let host = format!("network.host-id = \"2487cd1f\"\n{HOST}");
        assert_eq!(said_with(&host, disk, &running("rpool", "2487cd1f")), [""; 0]);
        assert_eq!(said_with(&host, disk, &running("rpool", "00000001")).len(), 1);
        assert_eq!(said_with(&host, disk, &running("tank", "2487cd1f")).len(), 1);
        assert_eq!(said_with(&host, &disk.replace("/boot", "/mnt"), &running("rpool", "2487cd1f")).len(), 1);
        // Nothing is installed on a machine whose system is there already.
        let existing = host.replace("rescue", "existing");
        assert_eq!(said_with(&existing, disk, &running("tank", "2487cd1f")), [""; 0]);
        assert_eq!(said_with(&existing, disk, "").len(), 1, "a rescue system is no system of its own");
    }

    #[test]
    fn what_a_machine_says_cannot_write_to_the_terminal() {
        let disk = r#", "signatures": [{ "type": "ext4\u001b[2J", "at": "/dev/sda\n" }], "mounted": ["/a\u0007"]"#;
        let said = said(disk, "");
        assert!(said.len() == 1 && !said[0].contains(['\u{1b}', '\u{7}', '\n']), "{said:?}");
    }

    #[test]
    fn facts_that_are_cut_off_of_another_machine_or_of_another_form_are_reported_at_their_place() {
        let with = |facts: &str| reported(&[("hosts/a/host.toml", HOST), ("hosts/a/facts.json", facts)], &[]);
        let errors = |facts: &str| -> Vec<String> {
            with(facts).into_iter().filter(|line| line.contains("facts.json:")).collect()
        };
        let whole = r#"{ "version": 1, "taken": "2026-11-20T10:00:00Z", "host": "a",
            "disks": [{ "ids": ["ata-EXAMPLE_512GB_0001"], "signatures": [{ "type": "ext4", "at": "/dev/sda" }] }] }"#;
        assert_eq!(errors(whole), [""; 0]);
        for cut in (1..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
            let text = whole.get(..cut).unwrap();
            let said = errors(text);
            assert!(said.len() == 1 && said[0].starts_with("error hosts/a/facts.json:"), "{text}: {said:?}");
        }
        let other = errors(&whole.replace(r#""host": "a""#, r#""host": "b""#));
        assert!(matches!(&other[..], [one] if one.contains("facts.json:1:58 facts-stale")), "{other:?}");
        let absent = with(&whole.replace("_0001", "_9999"));
        assert!(absent.iter().any(|line| line.contains(" disk-not-found: ")), "{absent:?}");
        for (was, is) in
            [(r#""ext4""#, "4"), (r#"[{ "type""#, r#"{ "x": 1 }, "y": [{ "type""#), ("[\"ata", "[0, \"ata")]
        {
            let said = errors(&whole.replacen(was, is, 1));
            assert!(said.len() == 1 && said[0].contains(" value-invalid: "), "{is}: {said:?}");
        }
    }
}
