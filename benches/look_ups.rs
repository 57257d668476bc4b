//! How long the look-ups in the fact tables take; the figures are in facts/README.md.

use std::hint::black_box;
use std::time::Instant;

use hostwright::facts::{Facts, Found, Type, check_value};
use hostwright::source::{Sources, parse_toml};

/// Prints nanoseconds for each of a number of rounds.
fn measure<T>(what: &str, rounds: u32, mut work: impl FnMut() -> T) {
    let start = Instant::now();
    for _ in 0..rounds {
        black_box(work());
    }
    println!("  {what:44} {:>9} ns", start.elapsed().as_nanos() / u128::from(rounds));
}

/// Prints how long each kind of look-up takes.
pub(crate) fn print() {
    measure("open the facts", 10_000, Facts::embedded);
    let facts = Facts::embedded();
    let release = "26.11".parse().unwrap();
    measure("choose an index", 10_000, || facts.options(release));
    let index = facts.options(release).unwrap();
    let mut names: Vec<Vec<String>> = Vec::new();
    index.each(&mut |name, _| names.push(name.iter().map(|segment| (*segment).to_owned()).collect()));
    let start = Instant::now();
    for name in &names {
        let loc: Vec<&str> = name.iter().map(String::as_str).collect();
        assert!(!matches!(black_box(index.lookup(&loc)), Found::Unknown { .. }));
    }
    let mean = start.elapsed().as_nanos() / names.len() as u128;
    println!("  {:44} {mean:>9} ns", format!("look up an option (mean of {})", names.len()));
    let route = ["services", "nginx", "virtualHosts", "a", "locations", "/", "proxyPass"];
    measure("describe a type", 10_000, || index.type_of(&route).map(Type::describe));
    measure("near names of services.ngnix.enable", 100, || index.nearest(&["services", "ngnix", "enable"]));
    measure("near names of a name like none", 100, || index.nearest(&["qqqq", "zzzz", "enable"]));
    let mut sources = Sources::default();
    let text = "services.nginx.enable = true\nnetworking.firewall.allowedTCPPorts = [22, 80, 443]\n\
                users.users.a = { isNormalUser = true, uid = 1000, extraGroups = [\"wheel\"] }\n";
    let file = sources.add("a.toml", text);
    let node = parse_toml(&sources, file, &mut Vec::new());
    assert_eq!(check_value(index, &[], &node), []);
    measure("check five settings", 10_000, || check_value(index, &[], &node));
    let zfs = facts.zfs();
    let (new, old) = ("2.4.3".parse().unwrap(), "0.8.4".parse().unwrap());
    measure("can 0.8 import a pool of 2.4", 10_000, || {
        let active = zfs.active_by_default(new).unwrap();
        zfs.import(active.names(), old).map(|verdict| verdict.import)
    });
    measure("find a release", 10_000, || facts.releases().find(release));
    measure("find a package", 10_000, || facts.packages().find("gitea", release));
}
