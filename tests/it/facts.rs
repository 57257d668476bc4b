//! `hostwright facts`: what it shows, what changes between releases, what is imported and what is refused.

use serde_json::{Value, json};

use crate::program::Sandbox;

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_list_names_every_index_and_what_it_answers_for() {
    let sandbox = Sandbox::empty();
    let list = sandbox.run(&["facts", "list"]).ends(0).says("17.03").says("26.11, 26.11pre").says("no hidden options");
    assert!(list.err.is_empty());
    let list = document(&sandbox.run(&["facts", "list", "--format", "json"]).ends(0).out);
    let exact: Vec<_> = list["options"].as_array().unwrap().iter().map(|index| index["exact_for"].clone()).collect();
    assert_eq!(exact.len(), 10);
    assert!(exact.contains(&json!([])) && exact.contains(&json!(["25.11pre"])));
    assert_eq!(list["zfs_features"].as_array().unwrap().len(), 48);
}

#[test]
fn an_option_a_release_a_package_and_a_feature_are_shown() {
    let sandbox = Sandbox::empty();
    let show =
        |name: &str| document(&sandbox.run(&["facts", "show", name, "--format", "json"]).ends(0).out)["found"].clone();
    let option = show("services.openssh.permitRootLogin");
    assert_eq!(option[0]["state"], "renamed to");
    assert_eq!(option[0]["to"], "services.openssh.settings.PermitRootLogin");
    let old = option[0]["releases"].as_array().unwrap().iter().find(|known| known["release"] == "20.09").unwrap();
    assert_eq!(old["state"], "option");
    assert_eq!(show("services.nginx.enable")[0]["default"], "false");
    assert_eq!(show("services.nginx.virtualHosts.\"a.b\".forceSSL")[0]["type"], "boolean");
    assert_eq!(show("20.09")[0]["figures"]["zfs"]["value"], "0.8.4");
    assert!(show("postgresql")[0]["releases"].as_array().unwrap().len() > 5);
    assert_eq!(show("head_errlog")[0]["read_only_compatible"], false);
    sandbox.run(&["facts", "show", "services.nginx"]).ends(0).says("options below it").says("virtualHosts");
    sandbox.run(&["facts", "show", "8086:125C"]).ends(0).says("Intel I226-V").says("5.10");
    sandbox.run(&["facts", "show", "26.05"]).ends(0).says("a neighbour's: 26.11");
    sandbox.run(&["facts", "show", "boot.cleanTmpDir", "--release", "20.09"]).ends(0).says("boolean").says("(20.09)");
}

#[test]
fn an_unknown_name_is_refused_with_what_may_be_meant() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["facts", "show", "services.ngnix.enable"]).ends(2).complains("nearest: `services.nginx.enable`");
    sandbox.run(&["facts", "show", "postgresq"]).ends(2).complains("`postgresql`");
    sandbox.run(&["facts", "show", "qqqq.zzzz"]).ends(2).complains("know nothing").complains("facts list");
    sandbox.run(&["facts", "show"]).ends(2);
    sandbox.run(&["facts", "diff", "26.11"]).ends(2);
    sandbox.run(&["facts", "diff", "20.09", "soon"]).ends(2).complains("YY.MM");
}

#[test]
fn a_difference_is_told_of_what_the_hosts_set() {
    let sandbox = Sandbox::small();
    sandbox.write(
        "hosts/a/host.toml",
        "[nixos]\nsound.enableMediaKeys = true\nservices.openssh.permitRootLogin = 'no'\nservices.fail2ban.enable = true\n\
         services.fail2ban.nosuch = 1\n",
    );
    sandbox.write("hosts/b/host.toml", "[nixos]\nservices.openssh.permitRootLogin = 'no'\n");
    let told = document(&sandbox.run(&["facts", "diff", "20.09", "26.11", "--format", "json"]).ends(0).out);
    let changes = told["changes"].as_array().unwrap();
    let of = |option: &str| changes.iter().find(|change| change["option"] == option);
    let renamed = of("services.openssh.permitRootLogin").unwrap();
    assert_eq!((&renamed["change"], &renamed["hosts"]), (&json!("renamed"), &json!(["a", "b"])));
    assert_eq!(of("sound.enableMediaKeys").unwrap()["change"], "removed");
    assert!(of("services.fail2ban.enable").is_none() && of("services.fail2ban.nosuch").is_none());
    let one =
        document(&sandbox.run(&["facts", "diff", "20.09", "26.11", "--host", "b", "--format", "json"]).ends(0).out);
    assert_eq!(one["changes"].as_array().unwrap().len(), 1);
    sandbox
        .run(&["facts", "diff", "20.09", "26.11"])
        .ends(0)
        .says("renamed   to services.openssh.settings.PermitRootLogin");
    sandbox.run(&["facts", "diff", "20.09", "26.11", "--host", "c"]).ends(2).complains("no host `c`");
    sandbox
        .run(&["facts", "diff", "26.05", "26.11"])
        .ends(2)
        .complains("one list of options")
        .complains("facts import");
    sandbox.run(&["facts", "diff", "25.11", "26.11"]).ends(0).says("those of 25.11pre answer");
}

#[test]
fn a_difference_of_whole_releases_needs_no_fleet() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["facts", "diff", "25.11", "26.11"]).ends(2).complains("--all");
    let told = document(&sandbox.run(&["facts", "diff", "25.11pre", "26.11", "--all", "--format", "json"]).ends(0).out);
    let count =
        |word: &str| told["changes"].as_array().unwrap().iter().filter(|change| change["change"] == word).count();
    for (word, least) in
        [("new", 2000), ("vanished", 50), ("removed", 20), ("renamed", 40), ("type", 100), ("default", 50)]
    {
        assert!(count(word) >= least, "{word}: {}", count(word));
    }
}

/// An options.json of a release as the channel has it: every visible option of the embedded index, and one more.
fn channels_file(release: &str) -> Value {
    let facts = hostwright::facts::Facts::embedded();
    let index = facts.options("26.11".parse().unwrap()).unwrap();
    let mut file = serde_json::Map::new();
    index.each(&mut |name, option| {
        if !option.hidden() && !option.internal() {
            let mut entry = json!({ "loc": name, "type": option.ty().describe(), "declarations": [], "readOnly": option.read_only() });
            if let Some(text) = option.default() {
                entry["default"] = json!({ "_type": "literalExpression", "text": text });
            }
            file.insert(hostwright::facts::join_name(name), entry);
        }
    });
    file["system.nixos.release"]["default"]["text"] = json!(format!("\"{release}\""));
    file.insert(
        "services.brandNew.enable".to_owned(),
        json!({ "loc": ["services", "brandNew", "enable"], "type": "boolean", "declarations": [] }),
    );
    Value::Object(file)
}

#[test]
fn a_channels_own_list_answers_for_its_release() {
    let sandbox = Sandbox::small();
    sandbox.write(
        "hosts/a/host.toml",
        "[nixos]\nservices.brandNew.enable = true\nservices.fail2ban.enabel = true\nboot.cleanTmpDir = true\n\
         services.fail2ban.enable = 'yes'\n",
    );
    let said = |sandbox: &Sandbox, rule: &str| {
        let found = document(&sandbox.run(&["check", "--format", "json", "--today", "2026-11-21"]).out);
        let found = found["findings"].as_array().unwrap().clone();
        let of = |finding: &&Value| finding["rule"] == rule;
        found
            .iter()
            .filter(of)
            .map(|finding| format!("{}:{}", finding["level"].as_str().unwrap(), finding["line"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&sandbox, "option-unknown"), ["warning:2", "warning:3"]);
    sandbox.write("options.json", channels_file("26.05").to_string());
    sandbox
        .run(&["facts", "import", "--release", "26.05", "options.json"])
        .ends(0)
        .says("options of 26.05 into facts/options-26.05.bin");
    assert_eq!(said(&sandbox, "option-unknown"), ["error:3"]);
    assert_eq!(said(&sandbox, "option-type"), ["error:5"]);
    sandbox.run(&["facts", "list"]).ends(0).says("imported into the fleet");
    sandbox.run(&["facts", "show", "services.brandNew.enable", "--release", "26.05"]).ends(0).says("boolean");
    sandbox.write("facts/options-26.05.bin", "damaged");
    sandbox.run(&["check"]).ends(2).complains("facts/options-26.05.bin").complains("facts import");
}

#[test]
fn what_is_no_options_json_of_the_release_is_refused_and_nothing_is_written() {
    let sandbox = Sandbox::small();
    let good = channels_file("26.05").to_string();
    sandbox.write("truncated.json", &good[..good.len() / 2]);
    sandbox.write("truncated.json.br", [0x5b, 0xff, 0xff, 0x03, 0x00, 0x00]);
    sandbox.write("truncated.json.zst", [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58]);
    sandbox.write("list.json", "[]");
    sandbox.write("page.json", "<html>404</html>");
    sandbox.write("types.json", r#"{ "release": "26.05", "options": {} }"#);
    sandbox.write("few.json", r#"{ "a.b": { "loc": ["a", "b"], "type": "boolean" } }"#);
    sandbox.write("other.json", channels_file("20.09").to_string());
    sandbox.write("empty.json", "");
    let large = std::fs::File::create(sandbox.path().join("large.json")).unwrap();
    large.set_len(200 << 20).unwrap();
    for (file, why) in [
        ("truncated.json", "truncated"),
        ("truncated.json.br", "may be truncated"),
        ("truncated.json.zst", "may be truncated"),
        ("list.json", "no JSON object of options"),
        ("page.json", "no JSON object of options"),
        ("types.json", "no options.json: `release` has no `loc` and `type`"),
        ("few.json", "it has 1 options"),
        ("other.json", "the options.json of 20.09, not of 26.05"),
        ("empty.json", "truncated"),
        ("large.json", "larger than 128 MiB"),
        ("none.json", "cannot be read"),
        (".", "cannot be read"),
    ] {
        sandbox.run(&["facts", "import", "--release", "26.05", file]).ends(2).complains("cannot import").complains(why);
    }
    assert!(sandbox.tree("facts").is_empty());
    Sandbox::empty().run(&["facts", "import", "--release", "26.05", "x.json"]).ends(2).complains("no fleet here");
}

#[test]
fn a_channels_options_key_answers_for_its_hosts_alone() {
    let sandbox = Sandbox::small();
    let fleet = sandbox.read("fleet.toml");
    let channel = fleet.split("[deployer]").next().unwrap().split_once("[channels.stable]").unwrap().1.to_owned();
    sandbox.write("fleet.toml", format!("{fleet}\n[channels.fork]{channel}options = 'fork/options.json'\n"));
    let settings = "[nixos]\nservices.brandNew.enable = true\nservices.fail2ban.enabel = true\n";
    sandbox.write("hosts/a/host.toml", format!("channel = 'fork'\n{settings}"));
    let b = "[network.interfaces.lan]\nmatch = { mac = '02:00:00:00:00:02' }\naddresses = ['192.0.2.11/24']\ngateways = ['192.0.2.1']\n";
    sandbox.write("hosts/b/host.toml", format!("{settings}{b}"));
    let unknown = |sandbox: &Sandbox| {
        let document = document(&sandbox.run(&["check", "--format", "json", "--today", "2026-11-21"]).out);
        let found = document["findings"].as_array().unwrap().clone();
        let mut lines: Vec<String> = found
            .iter()
            .filter(|one| one["rule"] == "option-unknown")
            .map(|one| format!("{}:{}:{}", one["level"].as_str().unwrap(), one["file"].as_str().unwrap(), one["line"]))
            .collect();
        lines.sort();
        lines
    };
    let of_b = ["warning:hosts/b/host.toml:2", "warning:hosts/b/host.toml:3"];
    sandbox.write("fork/options.json", channels_file("26.05").to_string());
    assert_eq!(unknown(&sandbox), [&["error:hosts/a/host.toml:4"][..], &of_b].concat());

    // The packed table that `facts import` makes is the same list, read in place.
    let elsewhere = Sandbox::small();
    elsewhere.write("options.json", channels_file("26.05").to_string());
    elsewhere.run(&["facts", "import", "--release", "26.05", "options.json"]).ends(0);
    sandbox.write("fork/options.bin", std::fs::read(elsewhere.path().join("facts/options-26.05.bin")).unwrap());
    sandbox.edit("fleet.toml", "fork/options.json", "fork/options.bin");
    assert_eq!(unknown(&sandbox), [&["error:hosts/a/host.toml:4"][..], &of_b].concat());

    // What is wrong with the list is told at the key, and the hosts are checked with the list of the release.
    for (name, text, rule, why) in [
        ("none.json", None, "reference-unknown", "there is no `fork/none.json` in the fleet"),
        ("half.json", Some("{ \"a\": {"), "file-unreadable", "truncated"),
        ("other.json", Some(&*channels_file("20.09").to_string()), "file-unreadable", "the options.json of 20.09,"),
        ("damaged.bin", Some("x"), "file-unreadable", "no table"),
        ("options.xml", Some("x"), "value-invalid", "options.json"),
    ] {
        if let Some(text) = text {
            sandbox.write(&format!("fork/{name}"), text);
        }
        let fleet = sandbox.read("fleet.toml");
        let line = fleet
            .lines()
            .map(|line| if line.starts_with("options") { format!("options = 'fork/{name}'") } else { line.to_owned() });
        sandbox.write("fleet.toml", line.collect::<Vec<_>>().join("\n"));
        let run = sandbox.run(&["check", "--today", "2026-11-21", "-v"]).ends(2);
        run.says(&format!("error[{rule}]")).says(why).says("fleet.toml:24:11");
    }
    std::os::unix::fs::symlink(elsewhere.path().join("options.json"), sandbox.path().join("fork/link.json")).unwrap();
    sandbox.edit("fleet.toml", "fork/options.xml", "fork/link.json");
    sandbox.run(&["check", "--today", "2026-11-21"]).ends(2).says("leads out of the fleet");
}

#[test]
fn an_option_list_is_an_input_of_what_is_built() {
    let sandbox = Sandbox::example();
    let build = |arguments: &[&str]| sandbox.run(&[&["build", "--today", "2026-11-21"], arguments].concat());
    build(&[]).ends(0);
    build(&["--check"]).ends(0);
    sandbox.write("options.json", channels_file("26.05").to_string());
    sandbox.run(&["facts", "import", "--release", "26.05", "options.json"]).ends(0);
    build(&["--check"]).ends(1).says("manifest.json");
    build(&[]).ends(0);
    build(&["--check"]).ends(0);
    assert!(sandbox.read("out/manifest.json").contains("facts/options-26.05.bin"));
    // A channel's own list likewise, whatever is in it.
    let table = std::fs::read(sandbox.path().join("facts/options-26.05.bin")).unwrap();
    sandbox.write("own.bin", &table);
    sandbox.edit("fleet.toml", "release = \"26.05\"\n", "release = \"26.05\"\noptions = \"own.bin\"\n");
    build(&[]).ends(0);
    build(&["--check"]).ends(0);
    sandbox.write("own.bin", [&table[..], &[0]].concat());
    build(&["--check"]).ends(1).says("manifest.json");
}
