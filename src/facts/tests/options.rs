#![allow(clippy::disallowed_methods, reason = "reads the data that the tables are packed from")]

use std::collections::BTreeSet;
use std::io::Read as _;

use serde_json::Value;

use crate::facts::pack::{TableKind, pack};
use crate::facts::{AliasKind, Facts, Found, OptionIndex, join_name, split_name};
use crate::units::Release;

fn index<'a>(facts: &'a Facts, release: &str) -> OptionIndex<'a> {
    facts.options(release.parse::<Release>().unwrap()).unwrap()
}

/// Names by their printed form; tests only, names in definitions are never split at dots.
fn lookup<'a>(index: OptionIndex<'a>, name: &str) -> Found<'a> {
    let name = split_name(name);
    index.lookup(&name.iter().map(String::as_str).collect::<Vec<_>>())
}

fn kind(index: OptionIndex<'_>, name: &str) -> String {
    match lookup(index, name) {
        Found::Option(option) => option.ty().describe(),
        Found::Prefix => "prefix".to_owned(),
        Found::Free(ty) => format!("free: {}", ty.describe()),
        Found::Alias(alias) => format!("{:?} {}", alias.kind, alias.to.as_deref().map(join_name).unwrap_or_default()),
        Found::Unknown { known } => format!("unknown after {known}"),
    }
}

fn data(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("facts").join(name);
    let bytes = std::fs::read(path).unwrap();
    let mut text = Vec::new();
    if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        ruzstd::decoding::StreamingDecoder::new(bytes.as_slice()).unwrap().read_to_end(&mut text).unwrap();
    } else {
        text = bytes;
    }
    serde_json::from_slice(&text).unwrap()
}

/// Every embedded index with the name of its data.
fn every(facts: &Facts) -> impl Iterator<Item = (&'static str, OptionIndex<'_>)> {
    let tables = crate::facts::pack::RECIPES.iter().filter(|recipe| recipe.kind == TableKind::Options);
    let names = tables.map(|recipe| recipe.table.trim_start_matches("options-").trim_end_matches(".bin"));
    names.zip(facts.option_indexes())
}

fn aliases(release: &str) -> Value {
    // A scraped list has none.
    if release == "25.05pre" { Value::Null } else { data(&format!("aliases-{release}.json")) }
}

#[test]
fn every_name_of_the_data_finds_itself_and_nothing_else_is_there() {
    let facts = Facts::embedded();
    let provided = data("provided-26.11.json");
    let provided = ["provided", "conditional"].map(|group| provided[group].as_array().unwrap().clone()).concat();
    for (release, index) in every(&facts) {
        let types = data(&format!("types-{release}.json.zst"));
        let aliases = aliases(release);
        let defaults = data(&format!("defaults-{release}.json.zst"));
        let old = |name: &str| ["renamed", "removed", "changed"].iter().any(|group| aliases[group].get(name).is_some());
        let mut known = BTreeSet::new();
        for (name, told) in types["options"].as_object().unwrap() {
            // The data writes `windowManager.2bwm` in one release without its quotes.
            assert_eq!(join_name(&split_name(name)).replace('"', ""), name.replace('"', ""));
            known.insert(join_name(&split_name(name)));
            match lookup(index, name) {
                Found::Option(option) => {
                    let flag = |key: &str| told[key] == true;
                    assert_eq!(option.read_only(), flag("readOnly"), "{name}");
                    assert_eq!(option.hidden(), flag("hidden"), "{name}");
                    assert_eq!(option.internal(), flag("internal"), "{name}");
                    let provided = release == "26.11" && provided.contains(&name.as_str().into());
                    assert_eq!(option.required(), flag("required") && !provided, "{name}");
                    assert_eq!(option.default(), defaults["defaults"][name].as_str(), "{name}");
                }
                // An old name, or an option below an old subtree.
                Found::Alias(alias) => {
                    let prefix = split_name(name)[..alias.len].to_vec();
                    assert!(old(&join_name(&prefix)), "{name}");
                }
                found => panic!("{name}: {found:?}"),
            }
        }
        let mut walked = BTreeSet::new();
        index.each(&mut |name, _| assert!(walked.insert(join_name(name))));
        assert_eq!(walked, known);
    }
}

#[test]
fn every_alias_of_the_data_is_found_with_its_target() {
    let facts = Facts::embedded();
    for (release, index) in every(&facts) {
        let aliases = aliases(release);
        for group in ["renamed", "removed", "changed"] {
            for (name, told) in aliases[group].as_object().into_iter().flatten() {
                let Found::Alias(alias) = lookup(index, name) else { panic!("{name}: {}", kind(index, name)) };
                assert_eq!(alias.len, split_name(name).len());
                assert_eq!(alias.kind == AliasKind::Removed, group == "removed", "{name}");
                assert_eq!(alias.kind == AliasKind::Changed, group == "changed", "{name}");
                if told["target"] != "unresolved" {
                    assert_eq!(alias.to, told["to"].as_str().map(split_name), "{name}");
                }
                assert_eq!(alias.text, told["text"].as_str().unwrap_or_default());
            }
        }
    }
}

#[test]
fn names_are_segments_and_placeholders_match_any_name() {
    let facts = Facts::embedded();
    let index = index(&facts, "26.11");
    for (name, wanted) in [
        ("services.nginx.enable", "boolean"),
        ("services.nginx.virtualHosts.\"tulpa.dev\".forceSSL", "boolean"),
        ("services.nginx.virtualHosts.\"tulpa.dev\"", "free: submodule"),
        ("services.nginx.virtualHosts.\"tulpa.dev\".locations.\"/\".proxyPass", "null or string"),
        ("services.nginx", "prefix"),
        ("services.nginx.virtualHosts.a.forceSsl", "unknown after 4"),
        ("services.ngnix.enable", "unknown after 1"),
        ("services.redis.servers.\"\".port", "16 bit unsigned integer; between 0 and 65535 (both inclusive)"),
        ("boot.kernel.sysctl.\"net.ipv4.ip_forward\"", "free: sysctl option value"),
        ("users.users.root.openssh.authorizedKeys.keys", "list of (optionally newline-terminated) single-line string"),
        ("systemd.services.a.serviceConfig.Restart", "free: systemd option"),
        ("environment.etc.\"a/b\".text", "null or strings concatenated with \"\\n\""),
        (
            "networking.firewall.allowedTCPPorts",
            "list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)",
        ),
        ("fileSystems.\"/\".device", "null or string (with check: non-empty)"),
        // Below what is open: a declared prefix of an open submodule does not close it.
        ("services.gitea.settings.server.DOMAIN", "string"),
        (
            "services.gitea.settings.server.ANYTHING_ELSE",
            "free: null or boolean or signed integer or floating point number or string",
        ),
        ("services.nextcloud.settings.made.up", "free: anything"),
        ("nix.settings.cores", "signed integer"),
        (
            "nix.settings.made-up-setting",
            "free: null or boolean or signed integer or floating point number or string or absolute path or package or list of (null or boolean or signed integer or floating point number or string or absolute path or package)",
        ),
        // The module system's own.
        ("_module.args", "lazy attribute set of raw value"),
        ("_module.check", "free: anything"),
        ("services.nginx.virtualHosts.a._module.args.x", "free: anything"),
        ("services.nginx.enable.more", "unknown after 3"),
        ("made.up", "unknown after 0"),
    ] {
        assert_eq!(kind(index, name), wanted, "{name}");
    }
}

#[test]
fn an_old_name_leads_to_its_successor_with_what_follows_it() {
    let facts = Facts::embedded();
    let index = index(&facts, "26.11");
    for (name, wanted) in [
        ("services.gitea.domain", "Renamed services.gitea.settings.server.DOMAIN"),
        ("services.redis.requirePassFile", "Renamed services.redis.servers.\"\".requirePassFile"),
        ("services.wstunnel.servers.x.extraArgs", "Removed "),
        ("services.compton.enable", "Permanent services.picom.enable"),
        ("networking.interfaces.eth0.ipAddress", "Changed networking.interfaces.eth0.ipv4.addresses"),
        ("security.pam.services.sshd.u2fAuth", "Renamed security.pam.services.sshd.u2f.enable"),
        ("docker-containers.web.image", "Changed virtualisation.oci-containers.web.image"),
        // The evaluation gave this target relative to the submodule that declares it.
        (
            "services.grafana-image-renderer.settings.rendering.args",
            "Renamed services.grafana-image-renderer.settings.browser.flag",
        ),
    ] {
        assert_eq!(kind(index, name), wanted, "{name}");
    }
    let Found::Alias(alias) = lookup(index, "services.openssh.challengeResponseAuthentication") else { panic!() };
    assert_eq!(alias.last.as_deref().map(join_name).unwrap(), "services.openssh.settings.KbdInteractiveAuthentication");
    let Found::Alias(alias) = lookup(index, "nix.readOnlyStore") else { panic!() };
    assert!(alias.leads_to_removed && alias.since == Some("22.11".parse().unwrap()));
    assert!(index.option(&["nix", "maxJobs"]).is_some());
    assert!(index.option(&["services", "morty", "enable"]).is_none());
}

#[test]
fn old_releases_take_a_list_where_new_ones_want_a_set() {
    let facts = Facts::embedded();
    assert_eq!(kind(index(&facts, "20.09"), "users.users.root.openssh.authorizedKeys.keys"), "list of string");
    assert_eq!(kind(index(&facts, "20.09"), "services.openssh.settings.X"), "unknown after 2");
    assert_eq!(kind(index(&facts, "20.09"), "services.openssh.passwordAuthentication"), "boolean");
}

#[test]
fn a_release_without_an_index_is_answered_by_the_nearest_and_says_so() {
    let facts = Facts::embedded();
    for (asked, answered, exact) in [
        ("26.11", "26.11", true),
        ("26.11pre", "26.11", true),
        ("26.05", "26.11", false),
        ("25.11pre", "25.11pre", true),
        ("25.11", "25.11pre", false),
        ("25.05", "25.11pre", false),
        ("25.05pre", "25.05pre", false),
        ("24.11", "25.05pre", false),
        ("20.09", "20.09", true),
        ("20.03", "20.09", false),
        ("19.09", "19.09pre", false),
        ("19.03", "19.03", true),
        ("17.09", "17.09", true),
        ("16.09", "17.03", false),
        ("22.05", "20.09", false),
        ("30.05", "26.11", false),
    ] {
        let index = index(&facts, asked);
        assert_eq!((index.release, index.exact), (answered.parse().unwrap(), exact), "{asked}");
        assert_eq!(index.asked, asked.parse().unwrap());
    }
}

#[test]
fn a_users_own_table_answers_before_the_embedded_ones() {
    let mine = br#"{"release": "26.05", "base": "mine", "options": {"a.<name>.b": {"type": {"t": "bool"}}}}"#;
    let table = pack(TableKind::Options, &[("mine.json", mine.to_vec())]).unwrap();
    let mut facts = Facts::embedded();
    assert!(!facts.add(TableKind::Zfs, table.clone()) && !facts.add(TableKind::Options, b"no table".to_vec()));
    assert!(facts.add(TableKind::Options, table));
    let index = index(&facts, "26.05");
    assert!(index.exact && index.base == "mine");
    assert_eq!(kind(index, "a.x.b"), "boolean");
    assert_eq!(facts.option_indexes().count(), Facts::embedded().option_indexes().count() + 1);
}

#[test]
fn a_damaged_table_never_panics_and_every_walk_over_it_ends() {
    let facts = Facts::embedded();
    let good: &[u8] = &facts.options[0];
    for step in 1..400_usize {
        let mut bad = good.to_vec();
        // Spread over header, strings, nodes, types and aliases.
        let at = step * 7919 % bad.len();
        bad[at] ^= 0xff;
        bad[(at * 31 + 40) % good.len()] = 0xff;
        let Some(index) = OptionIndex::open(&bad) else { continue };
        for name in [&["users", "users", "a", "uid"][..], &["services", "nginx", "virtualHosts", "a", "b"]] {
            let _ = index.lookup(name);
            let _ = index.type_of(name).map(crate::facts::Type::describe);
        }
        let _ = index.members(&["services"]);
    }
    assert!(OptionIndex::open(&good[..good.len() / 2]).is_none_or(|index| index.members(&["nothing"]).is_empty()));
}

#[test]
fn a_misspelt_option_gets_the_names_that_may_be_meant() {
    let facts = Facts::embedded();
    let index = index(&facts, "26.11");
    for (name, wanted) in [
        ("services.ngnix.enable", "services.nginx.enable"),
        ("service.nginx.enable", "services.nginx.enable"),
        ("services.nginx.enabel", "services.nginx.enable"),
        ("networking.firewall.allowedTcpPorts", "networking.firewall.allowedTCPPorts"),
        ("services.nginx.virtualHosts.a.forceSsl", "services.nginx.virtualHosts.a.forceSSL"),
        ("boot.loader.grub.enabled", "boot.loader.grub.enable"),
        ("networking.hostname", "networking.hostName"),
        ("users.user.root.uid", "users.users.root.uid"),
        ("services.grub.device", "boot.loader.grub.device"),
        ("networking.allowedTCPPorts", "networking.firewall.allowedTCPPorts"),
        ("services.nginx.virtualHost.a.forceSSL", "services.nginx.virtualHosts.a.forceSSL"),
        ("services.openssh.settings.enable", "services.openssh.enable"),
        ("programs.openssh.settings.PermitRootLogin", "services.openssh.settings.PermitRootLogin"),
        ("boot.grub.device", "boot.loader.grub.device"),
    ] {
        let near = index.nearest(&split_name(name).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(near.len() <= 3 && near.first().is_some_and(|first| first == wanted), "{name}: {near:?}");
    }
    assert!(index.nearest(&["qqqqqqqq", "zzzzzz"]).is_empty());
    assert!(index.nearest(&["services", "enable"]).is_empty(), "a thousand options fit");
    assert!(index.nearest(&[]).is_empty());
}

#[test]
fn required_members_are_those_that_somebody_has_to_set() {
    let facts = Facts::embedded();
    let index = index(&facts, "26.11");
    let names: Vec<&str> =
        index.required_members(&["boot", "initrd", "luks", "devices", "x"]).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["device"]);
    assert_eq!(index.required_members(&["fileSystems", "/"]).len(), 1);
    assert!(index.required_members(&["services", "nginx"]).is_empty());
    assert!(index.members(&["services", "nginx", "virtualHosts", "x"]).contains(&"forceSSL"));
}
