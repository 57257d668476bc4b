//! The incident that the project began with: installed from one channel, deployed from another, and the pool could not be
//! imported any more. Its fleet is a fixture, so is its twin of today; around them every way into and out of the rule.
#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hostwright::check::check_files;
use hostwright::facts::Facts;
use hostwright::source::{Diagnostic, FleetFiles, Level, Sources, load};

const ZFS: &str = "zfs-pool-newer-than-channel";
const DEPLOYER: &str = "deployer-channel-mismatch";

/// What a check found, as text.
#[derive(Debug, Default)]
struct Found {
    /// `LEVEL PLACE RULE HOST: MESSAGE`, in the order of the report.
    lines: Vec<String>,
    /// Everything that each finding says, a line a part.
    full: Vec<String>,
    /// `RULE HOST: WHY`.
    unchecked: Vec<String>,
}

impl Found {
    fn of_rule(&self, rule: &str) -> Vec<&str> {
        let word = format!(" {rule} ");
        self.lines.iter().filter(|line| line.contains(&word)).map(String::as_str).collect()
    }
}

fn check(files: BTreeMap<String, String>) -> Found {
    let mut files = FleetFiles::in_memory(files);
    let today = "2026-11-21".parse().unwrap();
    check_files(&mut files, &Facts::embedded(), &[], today, |_, outcome, sources| {
        let mut found = Found::default();
        for finding in outcome.checked.findings.iter().filter(|finding| finding.allowed.is_none()) {
            let host = finding.host.as_deref().unwrap_or("-");
            let at = place(finding, sources);
            found.lines.push(format!("{} {at} {} {host}: {}", finding.level.as_str(), finding.rule, finding.message));
            found.full.push(full(finding, sources));
        }
        for one in &outcome.checked.unchecked {
            found.unchecked.push(format!("{} {}: {}", one.rule, one.host.as_deref().unwrap_or("-"), one.why));
        }
        found
    })
}

fn place(finding: &Diagnostic, sources: &Sources) -> String {
    let position = sources.position(finding.primary.place);
    format!("{}:{}:{}", sources.file(finding.primary.place.file).path(), position.line, position.column)
}

fn full(finding: &Diagnostic, sources: &Sources) -> String {
    let mut text = format!("{}[{}]: {}\n", finding.level.as_str(), finding.rule, finding.message);
    for label in std::iter::once(&finding.primary).chain(&finding.related) {
        let position = sources.position(label.place);
        let (path, excerpt) = (sources.file(label.place.file).path(), sources.excerpt(label.place));
        let excerpt = excerpt.lines().next().unwrap_or_default();
        let _ = writeln!(text, "{path}:{}:{} {excerpt} -- {}", position.line, position.column, label.message);
    }
    let _ = writeln!(text, "why: {}", finding.why.as_deref().unwrap_or("-"));
    for help in &finding.help {
        let _ = writeln!(text, "help: {help}");
    }
    text
}

/// Reads a fleet of tests/fleets.
fn fleet(name: &str) -> BTreeMap<String, String> {
    let files = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fleets").join(name)).unwrap();
    files.files.iter().map(|(path, id)| (path.clone(), files.sources.file(*id).text().to_owned())).collect()
}

fn errors(found: &Found) -> Vec<&str> {
    let error = Level::Error.as_str();
    found.lines.iter().filter(|line| line.starts_with(error)).map(String::as_str).collect()
}

#[test]
fn the_incident_is_reported_at_the_lines_that_decide_it() {
    let found = check(fleet("lufta-2020"));
    assert_eq!(
        errors(&found),
        [
            "error fleet.toml:5:11 zfs-pool-newer-than-channel lufta: `rpool` has `log_spacemap` active, \
             OpenZFS 0.8.4 of 20.09 cannot write it",
            "error fleet.toml:5:11 zfs-pool-newer-than-channel pneuma: `tank` would be made with `log_spacemap` active, \
             OpenZFS 0.8.4 of 20.09 cannot write it",
            "error fleet.toml:20:11 deployer-channel-mismatch lufta: `shachi` evaluates with its own 21.05pre, `lufta` is on \
             20.09",
            "error fleet.toml:20:11 deployer-channel-mismatch pneuma: `shachi` evaluates with its own 21.05pre, `pneuma` is on \
             20.09",
        ],
        "{:#?}",
        found.lines
    );
    let said: Vec<&str> = found.full.iter().filter(|text| text.contains(ZFS)).map(String::as_str).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    error[zfs-pool-newer-than-channel]: `rpool` has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it
    fleet.toml:5:11 "20.09" -- lufta boots this
    hosts/lufta/host.toml:9:11 "unstable" -- installed with this (21.05pre, OpenZFS 2.0); seen in hosts/lufta/facts.json
    why: the pool imports read-only at best, so the host does not come back after its next reboot
    help: a channel with ZFS >= 2.0
    help: `[zfs] package` with ZFS >= 2.0
    help: install again from `stable`, or with `compatibility = "auto"`

    error[zfs-pool-newer-than-channel]: `tank` would be made with `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it
    fleet.toml:5:11 "20.09" -- pneuma boots this
    hosts/pneuma/host.toml:8:11 "unstable" -- makes the pool (21.05pre, OpenZFS 2.0)
    why: the pool imports read-only at best, so the next boot ends in an emergency, without its file systems
    help: a channel with ZFS >= 2.0
    help: `[zfs] package` with ZFS >= 2.0
    help: `compatibility = "auto"` for `tank`, which is the default
    help: an installer from `stable`
    "#);
}

#[test]
fn one_channel_throughout_and_neither_rule_has_anything_to_say() {
    for (from, to) in [("unstable", "stable"), ("stable", "unstable")] {
        let mut files = fleet("lufta-2020");
        files.remove("hosts/lufta/facts.json").unwrap();
        for text in files.values_mut() {
            *text = text.replace(&format!("channel = \"{from}\""), &format!("channel = \"{to}\""));
        }
        let found = check(files);
        assert!(errors(&found).is_empty(), "{to}: {:#?}", found.lines);
        assert!(found.of_rule(ZFS).is_empty() && found.of_rule(DEPLOYER).is_empty(), "{to}: {:#?}", found.lines);
    }
}

#[test]
fn a_pool_that_is_there_is_judged_by_its_features_whatever_the_definition_says_now() {
    let mut files = fleet("lufta-2020");
    for text in files.values_mut() {
        *text = text.replace("channel = \"unstable\"", "channel = \"stable\"");
    }
    let found = check(files);
    let of_rule = found.of_rule(ZFS);
    assert_eq!(of_rule.len(), 2, "{of_rule:#?}");
    assert!(of_rule.iter().any(|line| line.starts_with("error fleet.toml:5:11")), "{of_rule:#?}");
    // The installer of the definition did not make it and could not import it.
    assert!(of_rule.iter().any(|line| line.starts_with("warning hosts/lufta/host.toml:9:11")), "{of_rule:#?}");
}

#[test]
fn with_a_pinned_evaluation_the_deployers_own_release_is_a_note() {
    let mut files = fleet("lufta-2020");
    let text = files.get_mut("fleet.toml").unwrap();
    *text = text.replace("evaluation = \"own-channel\"\n", "");
    let found = check(files);
    let of_rule = found.of_rule(DEPLOYER);
    assert_eq!(of_rule.len(), 2);
    assert!(of_rule.iter().all(|line| line.starts_with("note fleet.toml:20:11")), "{of_rule:#?}");
}

#[test]
fn the_twin_of_today_is_clean_but_for_its_rescue_system() {
    let found = check(fleet("lufta-today"));
    assert_eq!(
        found.lines,
        [
            "error hosts/lufta/host.toml:11:18 zfs-pool-newer-than-channel lufta: `rpool` has `head_errlog`, `vdev_zaps_v2` \
          active, OpenZFS 2.1 of the rescue system cannot import it"
        ]
    );
    assert!(!found.unchecked.iter().any(|line| line.starts_with(ZFS)), "{:#?}", found.unchecked);
    insta::assert_snapshot!(found.full.join("\n"), @r#"
    error[zfs-pool-newer-than-channel]: `rpool` has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1 of the rescue system cannot import it
    hosts/lufta/host.toml:11:18 "2.1" -- the rescue system
    hosts/lufta/facts.json:60:15 "rpool" -- active on `rpool`
    why: the import is refused, so nobody can mend the host from there
    help: a rescue system with ZFS >= 2.2
    help: install again with `compatibility = "auto"`
    "#);
}

/// A case of the rule: one host with one pool, on one of the channels `v08`, `v21`, `v23` (by their ZFS) and `v26` (not known).
struct Case {
    name: &'static str,
    /// What stands in fleet.toml behind the channels.
    fleet: &'static str,
    /// Lines of host.toml, the first one its line 1.
    host: &'static str,
    /// The line of OpenZFS whose defaults made the pool that the facts show, and features that are active besides.
    pool: Option<(&'static str, &'static [&'static str])>,
    /// `[(number, version)]` of the boot menu.
    generations: &'static [(u32, &'static str)],
    /// `LEVEL PLACE: MESSAGE`, the subject left out.
    expected: &'static [&'static str],
    /// Parts of what could not be checked.
    unchecked: &'static [&'static str],
}

const PLAIN: Case = Case { name: "", fleet: "", host: "", pool: None, generations: &[], expected: &[], unchecked: &[] };

const CASES: &[Case] = &[
    Case { name: "same line", host: "channel = 'v21'", pool: Some(("2.1", &[])), ..PLAIN },
    Case {
        name: "refused",
        host: "channel = 'v21'",
        pool: Some(("2.3", &[])),
        expected: &[
            "error fleet.toml:11:11: has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1 of 22.05 cannot import it",
        ],
        ..PLAIN
    },
    Case {
        name: "read-only",
        host: "channel = 'v08'",
        pool: Some(("2.1", &[])),
        expected: &["error fleet.toml:5:11: has `log_spacemap` active, OpenZFS 0.8.4 of 20.09 cannot write it"],
        ..PLAIN
    },
    Case {
        name: "enabled only",
        host: "channel = 'v08'",
        pool: Some(("0.8", &["-livelist"])),
        expected: &["warning fleet.toml:5:11: has `livelist` enabled, unknown to OpenZFS 0.8.4 of 20.09"],
        ..PLAIN
    },
    Case {
        name: "generations that lack the same are one finding",
        host: "channel = 'v23'",
        pool: Some(("2.3", &[])),
        generations: &[(41, "2.1.5-1"), (42, "zfs-2.1.5-1"), (43, "2.3.4-1")],
        expected: &[
            "error hosts/a/facts.json:1: has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1.5 of generation 41, \
             generation 42 cannot import it",
        ],
        ..PLAIN
    },
    Case {
        name: "generations that lack different things are several",
        host: "channel = 'v23'",
        pool: Some(("2.3", &[])),
        generations: &[(41, "0.8.4-1"), (42, "2.1.5-1")],
        expected: &[
            "error hosts/a/facts.json:1: has `head_errlog`, `log_spacemap`, `vdev_zaps_v2` active, OpenZFS 0.8.4 of \
             generation 41 cannot import it",
            "error hosts/a/facts.json:1: has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1.5 of generation 42 cannot \
             import it",
        ],
        ..PLAIN
    },
    Case {
        name: "a package that is behind its channel",
        host: "channel = 'v23'\nzfs.package = 'zfs_2_1'",
        pool: Some(("2.3", &[])),
        expected: &[
            "error hosts/a/host.toml:2:15: has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1 of zfs_2_1 cannot import it",
        ],
        ..PLAIN
    },
    Case {
        name: "a package that is ahead of its channel",
        host: "channel = 'v21'\nzfs.package = 'zfs_2_3'",
        pool: Some(("2.3", &[])),
        ..PLAIN
    },
    Case {
        name: "a package among the settings",
        host: "channel = 'v23'\nnixos.boot.zfs.package = 'zfs_2_1'",
        pool: Some(("2.3", &[])),
        expected: &[
            "error hosts/a/host.toml:2:26: has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1 of zfs_2_1 cannot import it",
        ],
        ..PLAIN
    },
    Case {
        name: "a package as an expression",
        host: "channel = 'v21'\nnixos.boot.zfs.package = { literalExpression = 'pkgs.zfs_2_3' }",
        pool: Some(("2.3", &[])),
        ..PLAIN
    },
    Case {
        name: "an expression that only Nix can say",
        host: "channel = 'v21'\nnixos.boot.zfs.package = { literalExpression = 'import ./zfs.nix' }",
        pool: Some(("2.3", &[])),
        unchecked: &["the OpenZFS of 22.05 is not known"],
        ..PLAIN
    },
    Case {
        name: "the unstable package",
        host: "channel = 'v21'\nnixos.boot.zfs.enableUnstable = true",
        pool: Some(("2.3", &[])),
        unchecked: &["the OpenZFS of 22.05 is not known"],
        ..PLAIN
    },
    Case {
        name: "rescue by channel",
        host: "channel = 'v23'\nmachine.rescue.channel = 'v21'",
        pool: Some(("2.3", &[])),
        expected: &[
            "error hosts/a/host.toml:2:26: has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1 of the rescue system cannot \
             import it",
        ],
        ..PLAIN
    },
    Case {
        name: "rescue of which nothing is known",
        host: "channel = 'v23'\nmachine.rescue = {}",
        pool: Some(("2.3", &[])),
        unchecked: &["the OpenZFS of the rescue system is not known"],
        ..PLAIN
    },
    Case {
        name: "a release is as new as the one before it",
        host: "channel = 'v26'",
        pool: Some(("2.3", &[])),
        ..PLAIN
    },
    Case {
        name: "and may be newer",
        host: "channel = 'v26'",
        pool: Some(("2.3", &["block_cloning_endian"])),
        unchecked: &["the OpenZFS of 26.05 is not known"],
        ..PLAIN
    },
    Case {
        name: "a feature that nobody knows",
        host: "channel = 'v23'",
        pool: Some(("2.3", &["org.example:\u{1b}[2J"])),
        expected: &[
            "error fleet.toml:17:11: has `org.example:\\u{1b}[2J` active, OpenZFS 2.3 of 25.05 cannot import it",
        ],
        ..PLAIN
    },
    Case { name: "auto", host: "channel = 'v08'\ninstaller = { channel = 'v23', method = 'kexec' }", ..PLAIN },
    Case {
        name: "off",
        host: "channel = 'v08'\ninstaller = { channel = 'v23', method = 'kexec' }\nzfs.pools.tank.compatibility = 'off'",
        expected: &[
            "error fleet.toml:5:11: would be made with `head_errlog`, `log_spacemap`, `vdev_zaps_v2` active, OpenZFS 0.8.4 of \
             20.09 cannot import it",
        ],
        ..PLAIN
    },
    Case {
        name: "a set that both know",
        host: "channel = 'v08'\ninstaller = { channel = 'v23', method = 'kexec' }\nzfs.pools.tank.compatibility = 'zol-0.8'",
        ..PLAIN
    },
    Case {
        name: "a set that the host does not know",
        host: "channel = 'v21'\ninstaller = { channel = 'v23', method = 'kexec' }\n\
               zfs.pools.tank.compatibility = 'openzfs-2.2-linux'",
        expected: &[
            "error fleet.toml:11:11: would be made with `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1 of 22.05 cannot import \
             it",
        ],
        ..PLAIN
    },
    Case {
        name: "a set that the facts do not know",
        host: "channel = 'v21'\ninstaller = { channel = 'v23', method = 'kexec' }\nzfs.pools.tank.compatibility = 'mine'",
        unchecked: &["the compatibility set `mine` is not among the facts"],
        ..PLAIN
    },
    Case {
        name: "only enabled from the start",
        host: "channel = 'v21'\ninstaller = { zfs = '2.3', method = 'kexec' }\nzfs.pools.tank.compatibility = 'openzfs-2.1-linux'",
        ..PLAIN
    },
    Case {
        name: "what the definition makes use of",
        host: "channel = 'v08'\ninstaller = { channel = 'v23', method = 'kexec' }\n\
               zfs.pools.tank.root-properties.compression = 'zstd'",
        expected: &[
            "error fleet.toml:5:11: would be made with `zstd_compress` active, OpenZFS 0.8.4 of 20.09 cannot import it",
        ],
        ..PLAIN
    },
    Case {
        name: "nobody makes it",
        host: "channel = 'v21'",
        unchecked: &["nothing says which ZFS makes or made `tank`"],
        ..PLAIN
    },
    Case {
        name: "a deployer that deploys its own channel",
        fleet: "deployer = { name = 'desk', channel = 'v21', evaluation = 'own-channel' }",
        host: "channel = 'v23'",
        pool: Some(("2.3", &[])),
        expected: &[
            "error fleet.toml:11:11: has `head_errlog`, `vdev_zaps_v2` active, OpenZFS 2.1 of 22.05 cannot import it",
        ],
        ..PLAIN
    },
];

/// Returns the files of a case.
fn files_of(case: &Case) -> BTreeMap<String, String> {
    let mut fleet = "[fleet]\nname = 'cases'\n\n".to_owned();
    for (name, release, zfs) in
        [("v08", "20.09", "0.8.4"), ("v21", "22.05", "2.1"), ("v23", "25.05", "2.3"), ("v26", "26.05", "")]
    {
        let zfs = if zfs.is_empty() { String::new() } else { format!("zfs = '{zfs}'") };
        let _ = write!(fleet, "[channels.{name}]\nrelease = '{release}'\n{zfs}\n\n\n\n");
    }
    fleet = format!("{fleet}[defaults]\nimports = ['scaffold']\nstate-version = '20.09'\n");
    if !case.fleet.is_empty() {
        fleet = fleet.replacen("[fleet]\nname = 'cases'\n", &format!("fleet.name = 'cases'\n{}\n", case.fleet), 1);
    }
    let pool = "
        [disks]
        d0 = { id = 'ata-EXAMPLE_1', size = '2TB' }
        d1 = { id = 'ata-EXAMPLE_2', size = '2TB' }
        main = { id = 'nvme-EXAMPLE_512GB_0001', size = '512GB', partitions = [
          { name = 'bios', role = 'bios-boot', size = '1MiB' },
          { name = 'root', role = 'filesystem', size = 'rest', format = 'ext4', mount = '/' },
        ] }
        [zfs.pools.tank]
        vdevs = [{ type = 'mirror', members = ['d0', 'd1'] }]
        ";
    let mut files: BTreeMap<String, String> =
        hostwright::check::SCAFFOLD.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    files.insert("fleet.toml".to_owned(), fleet);
    // Keys of the case come first, so the pool's table must not be opened twice.
    let (own, of_pool): (Vec<&str>, Vec<&str>) =
        case.host.lines().partition(|line| !line.starts_with("zfs.pools.tank."));
    let of_pool: String = of_pool.iter().flat_map(|line| [line.trim_start_matches("zfs.pools.tank."), "\n"]).collect();
    files.insert("hosts/a/host.toml".to_owned(), format!("{}\n{pool}{of_pool}", own.join("\n")));
    if let Some((line, further)) = case.pool {
        files.insert("hosts/a/facts.json".to_owned(), facts_of(line, further, case.generations));
    }
    files
}

/// Returns facts with a pool as a line of OpenZFS makes it; further features are active, with `-` only enabled.
fn facts_of(line: &str, further: &[&str], generations: &[(u32, &str)]) -> String {
    let facts = Facts::embedded();
    let mut features = serde_json::Map::new();
    for name in facts.zfs().active_by_default(line.parse().unwrap()).unwrap().names() {
        features.insert(name.to_owned(), "active".into());
    }
    for name in further {
        match name.strip_prefix('-') {
            Some(name) => features.insert(name.to_owned(), "enabled".into()),
            None => features.insert((*name).to_owned(), "active".into()),
        };
    }
    let generations: Vec<_> =
        generations.iter().map(|(number, zfs)| serde_json::json!({ "number": number, "zfs": zfs })).collect();
    serde_json::json!({
        "version": 1,
        "pools": [{ "name": "tank", "features": features }],
        "system": { "generations": generations },
    })
    .to_string()
}

#[test]
fn every_system_is_compared_with_the_pool_and_each_problem_is_told_once() {
    let mut wrong = Vec::new();
    for case in CASES {
        let found = check(files_of(case));
        let input: Vec<_> =
            found.lines.iter().filter(|line| line.contains("-invalid") || line.contains("key-")).collect();
        assert!(input.is_empty(), "{}: {input:#?}", case.name);
        let reported: Vec<String> = found
            .of_rule(ZFS)
            .into_iter()
            .map(|line| {
                let (place, message) = line.split_once(&format!(" {ZFS} a: `tank` ")).unwrap();
                // Columns of a file of one line say little.
                match place.split_once("facts.json:1:") {
                    Some((folder, _)) => format!("{folder}facts.json:1: {message}"),
                    None => format!("{place}: {message}"),
                }
            })
            .collect();
        if reported != case.expected {
            wrong.push(format!("{}:\n  expected {:#?}\n  reported {reported:#?}", case.name, case.expected));
        }
        let unchecked: Vec<&String> = found.unchecked.iter().filter(|line| line.starts_with(ZFS)).collect();
        let as_expected = unchecked.len() == case.unchecked.len()
            && case.unchecked.iter().all(|part| unchecked.iter().any(|line| line.contains(part)));
        if !as_expected {
            wrong.push(format!("{}: unchecked {unchecked:#?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_happens_to_the_host_depends_on_what_it_has_on_the_pool() {
    let case = &CASES[1];
    let said = |change: &dyn Fn(&mut String)| {
        let mut files = files_of(case);
        change(files.get_mut("hosts/a/host.toml").unwrap());
        let found = check(files);
        found.full.into_iter().find(|text| text.contains(ZFS)).unwrap()
    };
    assert!(said(&|_| {}).contains("so it is missing after the next reboot"));
    assert!(said(&|text| *text += "import = 'manual'\n").contains("so it cannot be used"));
    let mounted = said(&|text| *text += "datasets.data = { mount = '/srv' }\n");
    assert!(mounted.contains("so the next boot ends in an emergency"), "{mounted}");
    let root = said(&|text| {
        *text = text.replace(", format = 'ext4', mount = '/' ", " , format = 'ext4' ");
        *text += "datasets.root = { mount = '/' }\n";
    });
    assert!(root.contains("so the host does not come back after its next reboot"), "{root}");
}
