use proptest::prelude::*;

use crate::facts::{Facts, Fault, TypeFault, check_value};
use crate::source::{Entry, Item, Kind, Node, ORDER, Place, Sources, Table, parse_toml};

/// Returns the faults of a set of definitions, as `kind place-text: message [wanted]`.
fn faults(release: &str, text: &str) -> Vec<String> {
    let facts = Facts::embedded();
    let mut sources = Sources::default();
    let file = sources.add("a.toml", text);
    let mut found = Vec::new();
    let node = parse_toml(&sources, file, &mut found);
    assert!(found.is_empty(), "{found:?}");
    let show = |fault: &TypeFault<'_>| {
        let kind = match &fault.fault {
            Fault::Unknown => "unknown".to_owned(),
            Fault::Type => "type".to_owned(),
            Fault::ReadOnly => "read-only".to_owned(),
            Fault::NoPackage => "no package".to_owned(),
            Fault::Missing => "missing".to_owned(),
            Fault::Alias(alias) => format!("{:?}", alias.kind).to_lowercase(),
        };
        format!("{kind} at {}: {} [{}]", sources.excerpt(fault.place), fault.message, fault.wanted)
    };
    check_value(facts.options(release.parse().unwrap()).unwrap(), &[], &node).iter().map(show).collect()
}

/// One line of TOML for 26.11 and whether it is right.
const CASES: &[(&str, bool)] = &[
    ("services.nginx.enable = true", true),
    ("services.nginx.enable = \"true\"", false),
    ("services.nginx.enable = 1", false),
    ("networking.hostName = \"lufta\"", true),
    ("networking.hostName = \"-lufta\"", false),
    ("networking.hostName = \"lüfta\"", true), // not ASCII: no verdict on the pattern
    ("networking.hostName = 5", false),
    ("networking.firewall.allowedTCPPorts = [22, 80]", true),
    ("networking.firewall.allowedTCPPorts = [22, 65536]", false),
    ("networking.firewall.allowedTCPPorts = [-1]", false),
    ("networking.firewall.allowedTCPPorts = [\"22\"]", false),
    ("networking.firewall.allowedTCPPorts = 22", false),
    ("networking.firewall.allowedTCPPorts = []", true),
    ("services.picom.inactiveOpacity = 1", true),
    ("services.picom.inactiveOpacity = 0.5", true),
    ("services.picom.inactiveOpacity = 0.05", false),
    ("services.redshift.brightness.day = 1", false), // a string
    ("boot.loader.grub.device = \"/dev/sda\"", true),
    ("boot.loader.systemd-boot.consoleMode = \"max\"", true),
    ("boot.loader.systemd-boot.consoleMode = \"maximal\"", false),
    ("services.postgresql.package = \"postgresql_17\"", true),
    ("services.postgresql.package = 17", false),
    ("services.postgresql.dataDir = \"/var/lib/pg\"", true),
    ("services.postgresql.dataDir = \"var/lib/pg\"", false),
    ("environment.systemPackages = [\"vim\", \"git\"]", true),
    ("environment.systemPackages = \"vim\"", false),
    ("environment.systemPackages = [\"vim\", \"htpo\"]", false),
    ("environment.systemPackages = [\"gitAndTools\"]", false), // a name that throws
    ("environment.systemPackages = [\"python3Packages.requests\", \"pkgs.vim\"]", true),
    ("environment.systemPackages = [\"/nix/store/abc-vim\"]", true),
    ("users.users.cadey = { isNormalUser = true, shell = \"fihs\" }", false),
    ("users.users.cadey = { isNormalUser = true, shell = \"fish\" }", true),
    ("environment.etc.issue.text = \"hello\"", true),
    ("environment.etc.issue = \"hello\"", false),
    ("environment.etc.issue.txt = \"hello\"", false),
    ("environment.variables.EDITOR = \"vim\"", true),
    ("users.users.cadey = { isNormalUser = true, uid = 1000, extraGroups = [\"wheel\"] }", true),
    ("users.users.cadey = { isNormalUser = \"yes\" }", false),
    ("users.users = [{ name = \"cadey\" }]", false),
    ("users.users.cadey.shel = \"bash\"", false),
    ("boot.kernel.sysctl.\"net.ipv4.ip_forward\" = 1", true),
    ("boot.kernel.sysctl.\"net.ipv4.ip_forward\" = true", true),
    ("boot.zfs.forceImportRoot = false", true),
    ("services.gitea.settings.server.HTTP_PORT = 3001", true),
    ("services.gitea.settings.server.HTTP_PORT = \"3001\"", false),
    ("services.gitea.settings.server.MADE_UP = \"x\"", true),
    ("services.gitea.settings.section.KEY = [1]", false), // an INI atom
    ("services.nextcloud.settings.anything.goes = [1, { a = 1.5 }]", true),
    ("services.nginx.virtualHosts.\"tulpa.dev\".locations.\"/\".proxyPass = \"http://[::1]:3001\"", true),
    ("services.nginx.virtualHosts.\"tulpa.dev\".locations.\"/\".proxypass = \"x\"", false),
    ("services.nginx.virtualHosts = [\"tulpa.dev\"]", false),
    ("services.redis.servers.\"\".enable = true", true),
    ("systemd.services.x.serviceConfig = { Restart = \"always\", Nice = 5 }", true),
    ("systemd.services.x.wantedBy = [\"multi-user.target\"]", true),
    ("systemd.services.x.wantedBy = [\"multi-user\"]", false),
    ("systemd.services.x.environment = { A = \"b\" }", true),
    ("systemd.services.x = { unitConfig.RequiresMountsFor = [\"/a\"], script = \"true\" }", true),
    (
        "security.sudo.extraRules = [{ users = [\"a\"], commands = [\"ALL\", { command = \"x\", options = [\"NOPASSWD\"] }] }]",
        true,
    ),
    ("security.sudo.extraRules = [{ user = [\"a\"] }]", false),
    ("security.sudo.extraRules = { users = [\"a\"] }", false),
    ("fileSystems.\"/\" = { device = \"rpool/root\", fsType = \"zfs\", options = [\"zfsutil\"] }", true),
    ("fileSystems.\"/\" = { device = \"rpool/root\", fsTyp = \"zfs\" }", false),
    ("fileSystems.\"/\" = { fsType = \"ext4\", options = [] }", false), // a non-empty list
    ("networking.defaultGateway = \"10.0.0.1\"", true),                 // converted to a submodule
    ("networking.defaultGateway = { address = \"10.0.0.1\", interface = \"eth0\" }", true),
    ("networking.defaultGateway = { adress = \"10.0.0.1\" }", false),
    ("networking.defaultGateway = 10", false),
    ("nix.settings.trusted-users = [\"root\"]", true),
    ("nix.settings.made-up = 5", true),
    ("nix.gc = true", false), // a set of options
    ("services.zfs.autoSnapshot.daily = 7", true),
    ("services.zfs.autoSnapshot.daily = 7.5", false),
    ("services.nginx.package = \"nginx\"", true),
    ("services.misskey.reverseProxy.webserver = { nginx = { } }", true),
    ("services.misskey.reverseProxy.webserver = { apache = { } }", false),
    ("services.misskey.reverseProxy.webserver = { nginx = { }, caddy = { } }", false),
    ("_module.check = false", true),
    ("made.up = 1", false),
];

#[test]
fn values_are_judged_as_nixos_would() {
    for (text, right) in CASES {
        let found = faults("26.11", text);
        assert_eq!(found.is_empty(), *right, "{text}: {found:?}");
        assert!(found.len() <= 1, "{text}: one mistake is said once, {found:?}");
    }
}

#[test]
fn a_fault_points_at_the_key_or_the_value_that_is_wrong() {
    let text = "
[services.nginx.virtualHosts.\"tulpa.dev\"]
forceSsl = true
listen = [{ addr = \"::\", port = 443 }, { addr = \"::\", port = \"https\" }]
[services.grafana]
enable = 1
[security.wrapperDirSize]
x = 1
";
    let found = faults("26.11", text);
    assert_eq!(
        found[0],
        "unknown at forceSsl: there is no option `services.nginx.virtualHosts.\"tulpa.dev\".forceSsl` []"
    );
    assert!(
        found[1].starts_with("type at \"https\": `services.nginx.virtualHosts.\"tulpa.dev\".listen[1].port` cannot be")
    );
    assert_eq!(found[2], "type at 1: `services.grafana.enable` cannot be `1` [boolean]");
    assert!(found[3].starts_with("type at"), "{found:?}");
    assert_eq!(found.len(), 4);
}

#[test]
fn a_package_is_one_of_the_release_that_is_asked() {
    let package = "services.postgresql.package = \"postgresql_17\"";
    assert_eq!(
        faults("20.09", package),
        ["no package at \"postgresql_17\": there is no package `postgresql_17` [the name of a package in nixpkgs]"]
    );
    assert_eq!(faults("20.09", "services.postgresql.package = \"postgresql_11\""), [""; 0]);
    // Of 20.09 only some packages are known.
    assert_eq!(faults("20.09", "services.postgresql.package = \"no-such-thing\""), [""; 0]);
    assert_eq!(
        faults("26.11", "environment.systemPackages = [\"ngnix\", \"gitfs\"]"),
        [
            "no package at \"ngnix\": there is no package `ngnix` [the name of a package in nixpkgs]",
            "no package at \"gitfs\": the package `gitfs` is gone [the name of a package in nixpkgs]"
        ]
    );
}

#[test]
fn old_names_read_only_options_and_near_names_are_told_apart() {
    assert_eq!(
        faults("26.11", "services.gitea.domain = \"x\""),
        ["renamed at domain: `services.gitea.domain` was renamed to `services.gitea.settings.server.DOMAIN` []"]
    );
    // The value of an old name is judged by the new one's type.
    assert_eq!(faults("26.11", "nix.maxJobs = true").len(), 2);
    assert_eq!(faults("26.11", "services.morty.enable = true")[0], "removed at morty: `services.morty` was removed []");
    assert!(
        faults("26.11", "networking.interfaces.eth0.ipAddress = \"10.0.0.1\"")[0].starts_with("changed at ipAddress")
    );
    assert_eq!(faults("26.11", "services.compton.enable = true"), [""; 0]);
    assert_eq!(faults("26.11", "services.compton.enable = 1").len(), 1);
    let old = "system.replaceDependencies.replacements = [{ original = 1, newDependency = \"bash\" }]";
    let found = faults("26.11", old);
    assert!(
        found[0].starts_with("renamed at original: `system.replaceDependencies.replacements[0].original`"),
        "{found:?}"
    );
    assert!(found[1].starts_with("type at 1") && found.len() == 2, "{found:?}");
    let facts = Facts::embedded();
    let mut sources = Sources::default();
    let file = sources.add("a.toml", "x = \"maxx\"");
    let node = parse_toml(&sources, file, &mut Vec::new());
    let index = facts.options("26.11".parse().unwrap()).unwrap();
    let value = node.at(&["x"]).unwrap();
    let found = check_value(index, &["boot", "loader", "systemd-boot", "consoleMode"], value);
    assert_eq!(found[0].nearest, ["max"]);
    let found = check_value(index, &["boot", "loader", "systemd-bot", "consoleMode"], value);
    assert_eq!(
        (&found[0].fault, found[0].nearest[0].as_str()),
        (&Fault::Unknown, "boot.loader.systemd-boot.consoleMode")
    );
}

#[test]
fn a_list_of_users_is_right_for_20_09_only() {
    assert_eq!(faults("20.09", "users.users = [{ name = \"cadey\", uid = 1000 }]"), [""; 0]);
    assert_eq!(faults("20.09", "users.users = [{ name = \"cadey\", uid = \"1000\" }]").len(), 1);
    assert_eq!(faults("20.09", "users.users.cadey.uid = 1000"), [""; 0]);
    assert_eq!(faults("20.09", "networking.defaultGateway = \"10.0.0.1\""), [""; 0]);
    assert_eq!(faults("20.09", "services.openssh.settings.PermitRootLogin = \"no\"").len(), 1);
}

#[test]
fn every_read_only_option_is_reported_as_such() {
    let facts = Facts::embedded();
    let index = facts.options("26.11".parse().unwrap()).unwrap();
    let mut sources = Sources::default();
    let file = sources.add("a.toml", "");
    let node = Node::new(Kind::Bool(true), sources.start(file));
    let mut seen = 0;
    index.each(&mut |name, option| {
        if option.read_only() && !name.contains(&"*") && matches!(index.lookup(name), crate::facts::Found::Option(_)) {
            let found = check_value(index, name, &node);
            assert!(matches!(found.as_slice(), [TypeFault { fault: Fault::ReadOnly, .. }]), "{name:?}: {found:?}");
            seen += 1;
        }
    });
    assert!(seen > 60, "{seen}");
}

fn place() -> Place {
    let mut sources = Sources::default();
    let file = sources.add("a.toml", "");
    sources.start(file)
}

fn any_value() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Kind::Bool),
        any::<i64>().prop_map(Kind::Int),
        any::<f64>().prop_map(Kind::Float),
        "\\PC{0,12}".prop_map(Kind::Str),
        Just(Kind::Null),
    ];
    let leaf = leaf.prop_map(|kind| Node::new(kind, place()));
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| {
                let items = items.into_iter().map(|node| Item { node, order: ORDER }).collect();
                Node::new(Kind::List(items), place())
            }),
            prop::collection::vec(("[a-z]{1,8}|enable|package|settings", inner), 0..4).prop_map(|entries| {
                let entries = entries.into_iter().map(|(key, node)| (key, Entry { key: place(), node }));
                Node::new(Kind::Table(entries.collect::<Table>()), place())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_value_at_any_option_gets_a_verdict_and_a_nix_expression_none(value in any_value(), start in 0_usize..200) {
        let facts = Facts::embedded();
        let index = facts.options("26.11".parse().unwrap()).unwrap();
        let nix = Node::new(Kind::Nix("config.x".to_owned()), place());
        let mut number = start;
        index.each(&mut |name, option| {
            number += 1;
            if number % 200 == 0 && !option.read_only() {
                for fault in check_value(index, name, &value) {
                    assert!(!fault.message.is_empty() && fault.route.len() >= name.len());
                }
                assert!(!check_value(index, name, &nix).iter().any(|fault| fault.fault == Fault::Type), "{name:?}");
            }
        });
    }
}

#[test]
fn sections_of_units_are_held_against_what_nixpkgs_checks_by_functions() {
    for (text, right) in [
        ("systemd.services.x.serviceConfig.Restart = \"always\"", true),
        ("systemd.services.x.serviceConfig.Restart = \"alway\"", false),
        ("systemd.services.x.serviceConfig.Type = \"oneshoot\"", false),
        ("systemd.services.x.serviceConfig.AnythingElse = [\"a\", 1]", true),
        ("systemd.network.networks.x.networkConfig.DHCP = \"ipv4\"", true),
        ("systemd.network.networks.x.networkConfig.DHCP = \"v4\"", false),
        ("systemd.network.networks.x.networkConfig.Adress = \"192.0.2.1/24\"", false),
        ("systemd.network.networks.x.linkConfig.MACAddress = \"02:00:00:00:00:01\"", true),
        ("systemd.network.networks.x.linkConfig.MACAddress = \"02:00:00:00:01\"", false),
        ("systemd.network.networks.x.routes = [{ Gateway = \"192.0.2.1\", Metric = 100 }]", true),
        ("systemd.network.networks.x.routes = [{ Gatway = \"192.0.2.1\" }]", false),
        ("systemd.network.networks.x.routes = [{ routeConfig = { Gateway = \"192.0.2.1\" } }]", true),
        ("systemd.network.netdevs.x.netdevConfig = { Name = \"br0\", Kind = \"bridge\" }", true),
        ("systemd.network.netdevs.x.netdevConfig = { Name = \"br0\" }", false),
        ("systemd.network.netdevs.x.vlanConfig.Id = 4095", false),
        ("systemd.network.netdevs.x.vlanConfig.Id = { literalExpression = \"1\" }", true),
        ("systemd.nspawn.x.execConfig.Boot = \"maybe\"", false),
    ] {
        let text = text.replace("{ literalExpression = \"1\" }", "1");
        let found = faults("26.11", &text);
        assert_eq!(found.is_empty(), right, "{text}: {found:?}");
        assert!(found.len() <= 1, "{text}: {found:?}");
    }
}

#[test]
fn a_member_without_a_default_is_missed_and_one_that_its_module_fills_in_is_not() {
    for (text, missing) in [
        ("users.users.a = { isNormalUser = true }", 0),
        ("systemd.services.a = { script = \"true\" }", 0),
        ("services.borgbackup.jobs.a = { paths = \"/home\", encryption.mode = \"none\" }", 1),
        ("services.borgbackup.jobs.a = { paths = \"/home\", encryption.mode = \"none\", repo = \"/mnt\" }", 0),
        ("security.pam.loginLimits = [{ domain = \"*\", item = \"nofile\" }]", 1),
    ] {
        let found = faults("26.11", text);
        assert_eq!(found.iter().filter(|fault| fault.starts_with("missing")).count(), missing, "{text}: {found:?}");
    }
}
