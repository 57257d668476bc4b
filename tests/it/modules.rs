//! Service modules, judged by the option index and by real Nix, and tests/fleets/services: one host for each way to run services.

use std::collections::{BTreeMap, BTreeSet};

use hostwright::check::check_files;
use hostwright::facts::{Attribute, Facts, Fault, Found, OptionIndex, check_value};
use hostwright::fleet::decode::{Cx, Decode as _};
use hostwright::fleet::schema::module_file::{ModuleFile, ModuleKind};
use hostwright::source::{FleetFiles, Sources, load, parse_toml};
use serde_json::Value;

use super::compile::{TODAY, compile_files, root};
use super::compile_nix::{evaluate_over, nixpkgs};
use super::machines::{judged_by_nix_and_shellcheck, passes_the_checks};

fn services() -> FleetFiles {
    load(&root().join("tests/fleets/services")).unwrap()
}

/// Returns the embedded modules, read.
fn embedded() -> Vec<(&'static str, ModuleFile)> {
    let mut sources = Sources::default();
    hostwright::modules::embedded()
        .iter()
        .map(|(name, text)| {
            let file = sources.add(format!("modules/{name}/module.toml"), *text);
            let mut found = Vec::new();
            let node = parse_toml(&sources, file, &mut found);
            let module = ModuleFile::decode(&node, &mut Cx::new(&mut found));
            assert!(found.is_empty(), "{name}: {found:?}");
            (*name, module.unwrap())
        })
        .collect()
}

/// Returns every option that a module names, by its whole name.
fn options(module: &ModuleFile) -> BTreeSet<String> {
    let Some(prefix) = &module.prefix else { return BTreeSet::new() };
    let mut below: Vec<&str> = vec!["enable"];
    for port in &module.ports {
        below.extend(port.option.iter().chain(&port.listen_option).map(|option| option.as_str()));
    }
    below.extend(module.state.iter().filter_map(|state| state.option.as_ref()).map(|option| option.as_str()));
    for secret in &module.secrets {
        below.push(secret.option.as_str());
        below.extend(secret.when.iter().map(|when| when.option.as_str()));
    }
    below.extend(module.requires.iter().filter_map(|needed| needed.when.as_ref()).map(|when| when.option.as_str()));
    below.extend(module.dhcp_on.iter().map(|option| option.as_str()));
    if let Some(vhost) = &module.vhost {
        below.push(vhost.option.as_str());
        below.extend(vhost.tls_option.iter().map(|option| option.as_str()));
    }
    let moved = module.env.iter().chain(module.args.iter()).filter_map(|(_, moved)| moved.value.option.as_ref());
    // A `*` stands for any name.
    let moved: Vec<String> = moved.map(|option| option.value.0.replace('*', "x")).collect();
    below.extend(moved.iter().map(String::as_str));
    below.extend(module.files.iter().map(|(_, file)| file.value.option.as_str()));
    let package = match (&module.package_option, &module.package) {
        (Some(option), _) => Some(option.as_str().to_owned()),
        (None, Some(_)) => Some(format!("{}.package", prefix.as_str())),
        (None, None) => None,
    };
    below.into_iter().map(|option| format!("{}.{option}", prefix.as_str())).chain(package).collect()
}

fn is_option(index: OptionIndex<'_>, name: &str) -> bool {
    let loc: Vec<&str> = name.split('.').collect();
    matches!(index.lookup(&loc), Found::Option(_) | Found::Free(_))
}

#[test]
fn every_option_that_a_module_names_exists_and_takes_what_the_module_sets() {
    let facts = Facts::embedded();
    let index = facts.options("26.11".parse().unwrap()).unwrap();
    assert!(index.exact && !is_option(index, "services.gitea.nosuchthing"));
    let mut wrong = Vec::new();
    let mut judged = 0;
    for (name, module) in embedded() {
        let mut options = options(&module);
        judged += options.len();
        options.retain(|option| !is_option(index, option));
        wrong.extend(options.iter().map(|option| format!("{name}: there is no option {option}")));
        if let (Some(prefix), Some(set)) = (&module.prefix, &module.set) {
            let loc: Vec<&str> = prefix.as_str().split('.').collect();
            // What a definition still has to add is no fault of the module.
            let faults = check_value(index, &loc, set).into_iter().filter(|fault| fault.fault != Fault::Missing);
            wrong.extend(faults.map(|fault| format!("{name}: {}", fault.message)));
        }
        if let Some(package) = &module.package
            && index.attribute(package.as_str()) != Attribute::Present
        {
            wrong.push(format!("{name}: there is no package {}", package.as_str()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(judged > 200, "{judged}");
}

#[test]
fn every_service_module_says_what_a_user_needs() {
    for (name, module) in embedded() {
        if module.kind.value == ModuleKind::Profile {
            assert!(module.host.is_some() && module.prefix.is_none(), "{name}");
            continue;
        }
        assert!(module.prefix.is_some() && module.homepage.is_some() && module.sizing.is_some(), "{name}");
        // What has data of people says how it moves between versions, and who owns it.
        let keeps = module.state.iter().any(|state| state.backup.value && !state.rebuildable.value);
        assert!(!keeps || name == "registry" || module.data.as_ref().is_some_and(|data| data.docs.is_some()), "{name}");
        for state in &module.state {
            let dynamic = state.path.as_str().starts_with("/var/lib/private/");
            assert_eq!(state.owner.is_none(), dynamic, "{name}: {}", state.path.as_str());
        }
        for needed in &module.requires {
            let known = hostwright::modules::names().any(|known| known == needed.module.as_str());
            assert!(known, "{name} needs {}", needed.module.as_str());
        }
    }
}

#[test]
fn every_host_with_services_passes_the_checks() {
    passes_the_checks(services(), "tests/fleets/services");
}

#[test]
fn what_is_compiled_for_services_is_read_by_nix_and_by_shellcheck() {
    judged_by_nix_and_shellcheck(&mut services(), "what_is_compiled_for_services_is_read_by_nix_and_by_shellcheck");
}

/// What a host's services claim about NixOS: of each its module, the options that the definition sets.
struct Claims {
    service: String,
    module: String,
    set: BTreeSet<String>,
}

/// Returns what the native services of each host claim.
fn claims(files: &mut FleetFiles) -> BTreeMap<String, Vec<Claims>> {
    check_files(files, &Facts::embedded(), &[], TODAY.parse().unwrap(), |fleet, _, _| {
        let hosts = fleet.unwrap().hosts.iter();
        hosts
            .map(|host| {
                let native = host.services.iter().filter_map(|service| {
                    let module = service.module?;
                    let mut set = BTreeSet::new();
                    for option in options(module.file) {
                        let below = option.strip_prefix(module.prefix).unwrap_or_default().trim_start_matches('.');
                        if service.def.option(below).is_some() {
                            set.insert(below.to_owned());
                        }
                    }
                    Some(Claims { service: service.name.to_owned(), module: module.name.to_owned(), set })
                });
                (host.name.to_owned(), native.collect())
            })
            .collect()
    })
}

/// Returns an expression for what Nix says where a module claims something: units, accounts, defaults of ports and directories.
fn question(module: &ModuleFile, set: &BTreeSet<String>) -> String {
    let prefix = module.prefix.as_ref().unwrap().as_str();
    let own = prefix.rsplit('.').next().unwrap().to_owned();
    let named: Vec<String> = module.units.iter().map(|unit| unit.value.0.clone()).collect();
    let units = if named.is_empty() { vec![own] } else { named };
    let units: Vec<String> = units.iter().map(|unit| format!("\"{unit}\"")).collect();
    let mut values = Vec::new();
    let options = module.ports.iter().filter_map(|port| port.option.as_ref());
    for option in options.chain(module.state.iter().filter_map(|state| state.option.as_ref())) {
        if !set.contains(option.as_str()) {
            let path: Vec<String> =
                format!("{prefix}.{}", option.value).split('.').map(|p| format!("\"{p}\"")).collect();
            // A free setting that nobody gives has the program's own default.
            values.push(format!("\"{}\" = c.{} or null;", option.value, path.join(".")));
        }
    }
    values.sort();
    values.dedup();
    let user = module.user.as_ref().map_or("null".to_owned(), |user| {
        format!("(let u = c.users.users.\"{0}\" or null; in if u == null then \"missing\" else u.uid)", user.as_str())
    });
    let target = module.target.as_ref().map_or("true".to_owned(), |t| format!("c.systemd.targets ? \"{}\"", t.value.0));
    format!(
        "{{ units = builtins.filter (u: !(c.systemd.services ? ${{u}} && c.systemd.services.${{u}}.serviceConfig ? ExecStart)) [ {} ]; \
         values = {{ {} }}; user = {user}; target = {target}; }}",
        units.join(" "),
        values.join(" ")
    )
}

/// Holds what Nix answered against what a module claims.
fn differs(module: &ModuleFile, answer: &Value, set: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    if answer["units"] != serde_json::json!([]) {
        wrong.push(format!("units that are none: {}", answer["units"]));
    }
    if answer["target"] != true {
        wrong.push("the target is none".to_owned());
    }
    if let Some(user) = &module.user {
        // Where the module gives no number NixOS must not fix one.
        let uid = module.uid.as_ref().map_or(Value::Null, |uid| uid.value.into());
        if answer["user"] != uid {
            wrong.push(format!("the account {} has the number {}", user.as_str(), answer["user"]));
        }
    }
    let values = &answer["values"];
    for port in &module.ports {
        let Some(option) = port.option.as_ref().filter(|option| !set.contains(option.as_str())) else { continue };
        let said = match &values[option.as_str()] {
            Value::String(text) => {
                text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).map_or(Value::Null, Value::from)
            }
            said => said.clone(),
        };
        if !said.is_null() && said != port.port.value {
            wrong.push(format!("{} is {said}", option.as_str()));
        }
    }
    for state in &module.state {
        let Some(option) = state.option.as_ref().filter(|option| !set.contains(option.as_str())) else { continue };
        let said = values[option.as_str()].as_str().unwrap_or_default();
        // PostgreSQL adds its version, Nextcloud's files lie below the directory that is named.
        let fits = said.starts_with(state.path.as_str())
            || state.path.as_str() == format!("/var/lib/{said}")
            || state.path.as_str() == format!("{said}/data");
        // What lies below another one moves with it.
        let moved = module.state.iter().any(|parent| {
            let option = parent.option.as_ref().is_some_and(|option| set.contains(option.as_str()));
            option && state.path.as_str().starts_with(parent.path.as_str())
        });
        if !fits && !moved {
            wrong.push(format!("{} is {said}", option.as_str()));
        }
    }
    wrong
}

#[test]
fn every_host_with_services_evaluates_without_a_warning_and_is_what_the_modules_claim() {
    let Some((nix, tree)) =
        nixpkgs("every_host_with_services_evaluates_without_a_warning_and_is_what_the_modules_claim")
    else {
        return;
    };
    let compiled = compile_files(&mut services(), &Facts::embedded()).unwrap();
    let modules: BTreeMap<&str, ModuleFile> = embedded().into_iter().collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut wrong = Vec::new();
    for (host, claims) in claims(&mut services()) {
        let asked: Vec<String> = claims
            .iter()
            .map(|claim| format!("\"{}\" = {};", claim.service, question(&modules[claim.module.as_str()], &claim.set)))
            .collect();
        let expression = format!(
            "let c = out.nixosConfigurations.\"{host}\".config; in \
             {{ drv = c.system.build.toplevel.drvPath; w = c.warnings; claims = {{ {} }}; }}",
            asked.join(" ")
        );
        let (read, said) = evaluate_over(&compiled, &nix, &tree, &expression);
        if said.contains("evaluation warning") || read["w"] != serde_json::json!([]) {
            wrong.push(format!("{host}: {said}{}", read["w"]));
        }
        assert!(read["drv"].as_str().unwrap().starts_with("/nix/store/"));
        for claim in &claims {
            let module = &modules[claim.module.as_str()];
            let answer = &read["claims"][&claim.service];
            wrong
                .extend(differs(module, answer, &claim.set).iter().map(|it| format!("{host}: {}: {it}", claim.module)));
            seen.insert(claim.module.clone());
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let all: BTreeSet<String> = modules
        .iter()
        .filter(|(_, module)| module.kind.value == ModuleKind::Service)
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(seen, all, "each service module is on a host");
}

/// Returns the fences of a page that name a file: ```` ```toml PATH ````.
fn files_of_page(page: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let mut files = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(path) = line.strip_prefix("```toml ") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            files.push((path.to_owned(), body.join("\n") + "\n"));
        }
    }
    files
}

/// The fleet of CONTRIBUTING.md's newcomer: a module of its own, and a host that uses it.
fn newcomers() -> FleetFiles {
    let mut files = services();
    let base = std::fs::read_to_string(root().join("tests/fleets/services/hosts/timers/host.toml")).unwrap();
    let machine = base.split("[services.").next().unwrap().to_owned();
    let deploy = base.rsplit_once("[deploy]").unwrap().1;
    let pages = files_of_page("CONTRIBUTING.md");
    assert_eq!(pages.iter().map(|(path, _)| path.split('/').next().unwrap()).collect::<Vec<_>>(), ["modules", "hosts"]);
    let mut fleet = FleetFiles::in_memory([("fleet.toml".to_owned(), text_of(&mut files, "fleet.toml"))]);
    for (path, text) in pages {
        let text = if path.starts_with("hosts/") { format!("{machine}{text}\n[deploy]{deploy}") } else { text };
        fleet.add(path, text);
    }
    fleet
}

fn text_of(files: &mut FleetFiles, path: &str) -> String {
    files.sources.text(files.files[path]).to_string()
}

#[test]
fn a_module_of_a_fleets_own_needs_no_rust() {
    let name = newcomers().files.keys().find_map(|path| path.strip_prefix("modules/").map(str::to_owned)).unwrap();
    let name = name.split('/').next().unwrap();
    assert!(hostwright::modules::names().all(|known| known != name), "{name} is embedded");
    passes_the_checks(newcomers(), "");
    let compiled = compile_files(&mut newcomers(), &Facts::embedded()).unwrap();
    let services = compiled.files.iter().find(|file| file.path.ends_with("/services.nix")).unwrap();
    assert!(services.text().contains(&format!("{name} = {{\n      enable = true;")), "{}", services.text());
    assert!(services.text().contains(&format!("{name}-ready")), "{}", services.text());
}

#[test]
fn a_module_of_a_fleets_own_evaluates_without_a_warning() {
    let Some((nix, tree)) = nixpkgs("a_module_of_a_fleets_own_evaluates_without_a_warning") else { return };
    let compiled = compile_files(&mut newcomers(), &Facts::embedded()).unwrap();
    super::compile_nix::evaluates(&compiled, &nix, &tree);
}

/// Returns what `check` says about the services of a host of the fleet, and what is compiled for it.
fn with_services(services: &str) -> Result<String, Vec<String>> {
    let base = std::fs::read_to_string(root().join("tests/fleets/services/hosts/timers/host.toml")).unwrap();
    let machine = base.split("[services.").next().unwrap();
    let fleet = std::fs::read_to_string(root().join("tests/fleets/services/fleet.toml")).unwrap();
    let mut files = FleetFiles::in_memory([
        ("fleet.toml".to_owned(), fleet),
        ("hosts/h/host.toml".to_owned(), format!("{machine}{services}")),
    ]);
    let compiled = compile_files(&mut files, &Facts::embedded())?;
    Ok(compiled
        .files
        .into_iter()
        .find(|file| file.path == "hosts/h/services.nix")
        .map(|file| file.text().to_owned())
        .unwrap_or_default())
}

#[test]
fn what_a_module_sets_is_overridden_by_the_definition_one_value_at_a_time() {
    let text = with_services(
        "[services.vaultwarden]\nkind = 'native'\noptions.config.ROCKET_PORT = 8300\n\
         [services.mysql]\nkind = 'native'\npackage = 'mariadb_118'\n\
         [services.redis]\nkind = 'native'\npackage = 'valkey'\n",
    )
    .unwrap();
    for line in [
        "ROCKET_ADDRESS = lib.mkDefault \"::1\";",
        "ROCKET_PORT = 8300;",
        "package = pkgs.valkey;",
        "package = pkgs.mariadb_118;",
        "http://[::1]:8300/alive",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // An option of type `attrs` knows no priorities within.
    let text = with_services("[services.node-red]\nkind = 'native'\noptions.define.flowFile = 'a.json'\n").unwrap();
    assert!(text.contains("uiHost = \"127.0.0.1\";") && text.contains("flowFile = \"a.json\";"), "{text}");
}

#[test]
fn a_secret_takes_the_form_that_the_option_wants_and_a_missing_one_is_an_error() {
    let found = with_services("[services.grafana]\nkind = 'native'\n").unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("key-missing: `grafana` lacks the secret `secret-key`"), "{found:?}");
    let secret = "[services.grafana]\nkind = 'native'\nsecrets = [{ name = 'k', key = 'secret-key' }]\n";
    for (item, said) in [
        ("{ path = '/var/lib/secrets/k' }", "`grafana` reads the secret `k`, which belongs to `root`"),
        ("{ owner = 'grafana' }", "`grafana` reads the secret `k`, which lies in /etc/credstore"),
    ] {
        let found = with_services(&format!("{secret}[secrets.items]\nk = {item}\n")).unwrap_err();
        assert!(found[0].contains(said), "{found:?}");
    }
    let item = "[secrets.items]\nk = { path = '/var/lib/secrets/k', owner = 'grafana' }\n";
    let text = with_services(&format!("{secret}{item}")).unwrap();
    assert!(text.contains("secret_key = \"$__file{/var/lib/secrets/k}\";"), "{text}");
    // An option that takes several files.
    let text = with_services(
        "[services.sonarr]\nkind = 'native'\nsecrets = [{ name = 'k', key = 'environment' }]\n\
         [secrets.items]\nk = { path = '/var/lib/secrets/k' }\n",
    )
    .unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("environmentFiles = [ \"/var/lib/secrets/k\" ];"), "{text}");
    // A condition that the definition takes away.
    assert!(with_services("[services.miniflux]\nkind = 'native'\n").is_err());
    assert!(with_services("[services.miniflux]\nkind = 'native'\noptions.config.CREATE_ADMIN = 0\n").is_ok());
}

#[test]
fn a_port_that_is_switched_off_is_asked_by_nobody_and_a_moved_one_where_it_is() {
    let text = with_services("[services.redis]\nkind = 'native'\noptions.port = 0\n").unwrap();
    assert!(!text.contains("redis-ready"), "{text}");
    let text = with_services(
        "[services.postgresql]\nkind = 'native'\noptions.settings.port = 5433\n\
         [services.syncthing]\nkind = 'native'\noptions.guiAddress = '127.0.0.1:8385'\n",
    )
    .unwrap();
    assert!(text.contains("/dev/tcp/127.0.0.1/5433") && text.contains("http://127.0.0.1:8385/rest"), "{text}");
    // What takes its port as a variable of the environment has it as text.
    let text = with_services("[services.uptime-kuma]\nkind = 'native'\noptions.settings.PORT = '3011'\n").unwrap();
    assert!(text.contains("http://127.0.0.1:3011/"), "{text}");
}

#[test]
fn what_comes_after_a_service_comes_after_its_target_and_with_all_of_its_own_units() {
    let text = with_services(
        "[services.postgresql]\nkind = 'native'\n\
         [services.paperless]\nkind = 'native'\noptions = { dataDir = '/srv/paper', database.createLocally = true }\n",
    )
    .unwrap();
    assert!(text.contains("\"postgresql.target\"") && text.contains("\"postgresql-ready.service\""), "{text}");
    for unit in ["paperless-web", "paperless-scheduler", "paperless-task-queue", "paperless-consumer"] {
        let after = format!("{unit}.after = [\n      \"postgresql.service\"");
        assert!(text.contains(&after), "{unit}: {text}");
    }
}

#[test]
fn a_directory_below_one_that_is_moved_moves_with_it() {
    let mut files = services();
    let paths: Vec<String> = check_files(&mut files, &Facts::embedded(), &[], TODAY.parse().unwrap(), |fleet, _, _| {
        let host = fleet.unwrap().hosts.iter().find(|host| host.name == "office").unwrap();
        let paperless = host.services.iter().find(|service| service.name == "paperless").unwrap();
        paperless.state.iter().map(|state| state.path.clone()).collect()
    });
    assert_eq!(paths, ["/srv/paper", "/srv/paper/media", "/srv/paper/consume"]);
}

#[test]
fn a_module_that_makes_its_own_virtual_host_is_given_name_and_certificate() {
    let cloud = "[services.nextcloud]\nkind = 'native'\nsecrets = [{ name = 'p', key = 'admin-password' }]\n";
    let rest = "[secrets.items]\np = {}\n";
    let text = with_services(&format!(
        "[web]\nacme-email = 'a@example.org'\n{cloud}vhost = {{ name = 'c.example.org', max-body = '1MiB' }}\n{rest}"
    ))
    .unwrap();
    for line in [
        "hostName = \"c.example.org\";",
        "https = lib.mkDefault true;",
        "enableACME = true;",
        "client_max_body_size 1048576;",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("proxyPass"), "{text}");
    for (vhost, said) in [
        ("{ name = 'c.example.org', path = '/x', tls = 'none' }", "all of it"),
        ("{ name = 'c.example.org', to = 80, tls = 'none' }", "leads to the service itself"),
        ("[{ name = 'a.example.org', tls = 'none' }, { name = 'b.example.org', tls = 'none' }]", "and makes one"),
    ] {
        let found = with_services(&format!("{cloud}vhost = {vhost}\n{rest}")).unwrap_err();
        assert!(found.iter().any(|line| line.contains(said)), "{found:?}");
    }
    let caddy = format!("[web]\nserver = 'caddy'\n{cloud}vhost = {{ name = 'c.example.org', tls = 'none' }}\n{rest}");
    assert!(with_services(&caddy).unwrap_err()[0].contains("for nginx"));
}

#[test]
fn dhcp_is_provided_on_the_interfaces_that_an_option_lists() {
    let mut files = services();
    let provided: Vec<String> =
        check_files(&mut files, &Facts::embedded(), &[], TODAY.parse().unwrap(), |fleet, _, _| {
            let host = fleet.unwrap().hosts.iter().find(|host| host.name == "home").unwrap();
            let all = host.services.iter().flat_map(hostwright::resolve::ResolvedService::provides);
            all.map(|(what, _)| format!("{what:?}")).collect()
        });
    assert_eq!(provided, ["Dns", "Dhcp(Name(\"lan\"))"]);
}

#[test]
fn what_asks_a_service_finds_the_programs_that_it_needs() {
    let compiled = compile_files(&mut services(), &Facts::embedded()).unwrap();
    let text = |host: &str| {
        let path = format!("hosts/{host}/services.nix");
        let text = &compiled.files.iter().find(|file| file.path == path).unwrap().text();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // bash, which connects by itself, is in no unit's path of itself; nor is podman.
    let db = text("db");
    let unit = db.split("postgresql-ready = {").nth(1).unwrap();
    assert!(unit.starts_with(" path = [ pkgs.bash ];"), "{db}");
    let builds = text("builds");
    let unit = builds.split("db-ready = {").nth(1).unwrap();
    assert!(unit.starts_with(" path = [ config.virtualisation.podman.package "), "{builds}");
}
