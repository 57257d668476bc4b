//! tests/fleets/secrets: secrets that lie encrypted in the fleet, and files that hosts carry as they are, judged by the rules, by Nix with the
//! real modules of sops-nix and agenix, and by what out/ holds.
//!
//! `HOSTWRIGHT_SOPS_NIX` and `HOSTWRIGHT_AGENIX` name copies of their sources.

use hostwright::compile::Compiled;
use hostwright::facts::Facts;
use hostwright::source::{FleetFiles, load};

use super::compile::{compile_files, root};
use super::compile_nix::{OVERLAYS, evaluate, nixpkgs, write};
use super::machines::{judged_by_nix_and_shellcheck, passes_the_checks};
use super::program::Sandbox;

fn fleet() -> FleetFiles {
    load(&root().join("tests/fleets/secrets")).unwrap()
}

fn compiled() -> Compiled {
    compile_files(&mut fleet(), &Facts::embedded()).unwrap()
}

#[test]
fn every_host_with_encrypted_secrets_passes_the_checks() {
    passes_the_checks(fleet(), "tests/fleets/secrets");
}

#[test]
fn what_is_compiled_for_encrypted_secrets_is_read_by_nix_and_by_shellcheck() {
    let test = "what_is_compiled_for_encrypted_secrets_is_read_by_nix_and_by_shellcheck";
    judged_by_nix_and_shellcheck(&mut fleet(), test);
}

#[test]
fn every_host_evaluates_with_the_real_modules_of_sops_nix_and_agenix_without_a_warning() {
    let test = "every_host_evaluates_with_the_real_modules_of_sops_nix_and_agenix_without_a_warning";
    let Some((nix, tree)) = nixpkgs(test) else { return };
    let sources = ["HOSTWRIGHT_SOPS_NIX", "HOSTWRIGHT_AGENIX"].map(std::env::var);
    let [Ok(sops), Ok(agenix)] = sources else {
        eprintln!("skipped: {test}: HOSTWRIGHT_SOPS_NIX and HOSTWRIGHT_AGENIX name no copies of both");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write(&compiled(), folder.path());
    let out = folder.path().display();
    let read = |host: &str, more: &str| {
        let expression = format!(
            "let out = import (/. + \"{out}\") {{ nixpkgs = \"{tree}\"; overlays = {OVERLAYS}; \
             inputs = {{ sops-nix = /. + \"{sops}\"; agenix = /. + \"{agenix}\"; }}; }}; \
             c = out.nixosConfigurations.{host}.config; \
             in {{ drv = c.system.build.toplevel.drvPath; w = c.warnings; }} // {{ {more} }}"
        );
        let (read, said) = evaluate(&nix, &expression);
        assert!(!said.contains("evaluation warning"), "{host}: {said}");
        assert_eq!(read["w"], serde_json::json!([]), "{host}");
        assert!(read["drv"].as_str().unwrap().starts_with("/nix/store/"), "{host}");
        read
    };
    let shop = read(
        "shop",
        "paths = builtins.mapAttrs (_: s: s.path) c.sops.secrets; keys = c.sops.age.sshKeyPaths; \
         password = c.users.users.clerk.hashedPasswordFile; borg = c.services.borgbackup.jobs.offsite.encryption.passCommand;",
    );
    // Where each secret is looked for is where the module puts it.
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    assert_eq!(shop["keys"], serde_json::json!(["/persist/etc/ssh/ssh_host_ed25519_key"]));
    assert_eq!(shop["password"], shop["paths"]["admin-password"]);
    assert!(text(&shop["borg"]).contains(&text(&shop["paths"]["backup-passphrase"])), "{shop}");
    assert_eq!(shop["paths"]["stock.stock-token"], "/run/secrets/stock.stock-token");
    let relay = read(
        "relay",
        "paths = builtins.mapAttrs (_: s: s.path) c.age.secrets; keys = c.age.identityPaths; \
         password = c.users.users.clerk.hashedPasswordFile; vault = c.services.vaultwarden.environmentFile;",
    );
    assert_eq!(relay["keys"], serde_json::json!(["/etc/ssh/ssh_host_ed25519_key"]));
    assert_eq!(relay["password"], relay["paths"]["admin"]);
    assert!(relay["vault"].to_string().contains(&text(&relay["paths"]["vault"])), "{relay}");
}

#[test]
fn files_of_the_fleet_are_copied_byte_for_byte_and_named_once() {
    let compiled = compiled();
    for (host, path) in [
        ("shop", "hosts/shop/logo.bin"),
        ("shop", "hosts/shop/stock.conf"),
        ("shop", "hosts/shop/site/.well-known/security.txt"),
        ("shop", "secrets/shop.yaml"),
        ("relay", "hosts/shop/site/css/shop.css"),
        ("relay", "secrets/relay-vault.age"),
    ] {
        let there = format!("hosts/{host}/files/{path}");
        let copies: Vec<_> = compiled.files.iter().filter(|file| file.path == there).collect();
        assert_eq!(copies.len(), 1, "{there}");
        let own = std::fs::read(root().join("tests/fleets/secrets").join(path)).unwrap();
        assert_eq!(copies[0].bytes, own, "{there}");
    }
}

/// Returns a folder with the fleet.
fn copied() -> Sandbox {
    let sandbox = Sandbox::empty();
    let from = root().join("tests/fleets/secrets");
    for entry in walkdir::WalkDir::new(&from).into_iter().filter_map(Result::ok) {
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(&from).unwrap().to_str().unwrap().to_owned();
            sandbox.write(&path, std::fs::read(entry.path()).unwrap());
        }
    }
    sandbox
}

#[test]
fn a_host_that_cannot_decrypt_at_boot_is_an_error() {
    let check =
        |sandbox: &Sandbox, host: &str| sandbox.run(&["check", host, "--format", "github", "--today", "2026-11-21"]);
    let rule = "secret-key-absent-at-boot";
    for host in ["shop", "relay"] {
        check(&copied(), host).ends(0);
        let sandbox = copied();
        let path = format!("hosts/{host}/host.toml");
        // A key that nothing is encrypted for.
        let before = sandbox.read(&path);
        let text = before.lines().map(|line| match line.starts_with("host-keys = ") {
            true => "host-keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAjTNQPuJ9TBMFXQzv7F5zC+TvLkHNbPzkNJNuwefJ1L root@other\"]\n".to_owned(),
            false => format!("{line}\n"),
        });
        sandbox.write(&path, text.collect::<String>());
        check(&sandbox, host).ends(1).says(rule).says("is not encrypted for the key of this host");
        // Somebody who sets another key knows which.
        let other = if host == "shop" {
            "sops.age.keyFile = \"/persist/key.txt\""
        } else {
            "age.identityPaths = [\"/etc/ssh/key\"]"
        };
        sandbox.write(&path, format!("{}\n[nixos]\n{other}\n", sandbox.read(&path)));
        let run = check(&sandbox, host);
        assert!(!run.out.contains("is not encrypted for"), "{}", run.out);
    }
    let sandbox = copied();
    sandbox.edit("hosts/shop/host.toml", "directories = [\"/etc/ssh\"]", "directories = [\"/root\"]");
    check(&sandbox, "shop")
        .ends(1)
        .says(rule)
        .says("sops-nix cannot decrypt at boot: `/etc/ssh/ssh_host_ed25519_key` is not there");
}

#[test]
fn the_installation_of_a_host_with_encrypted_secrets_brings_its_key_alone() {
    let sandbox = copied();
    // A host whose key is not stated is installed with one that exists before it, too.
    let text = sandbox.read("hosts/relay/host.toml");
    let without: String =
        text.lines().filter(|line| !line.starts_with("host-keys")).map(|line| format!("{line}\n")).collect();
    sandbox.write("hosts/relay/host.toml", without);
    sandbox.run(&["build", "--today", "2026-11-21"]).ends(0);
    for (host, files, words) in [
        ("shop", "secrets/shop-htpasswd, secrets/shop-mail.json, secrets/shop.yaml", "sops updatekeys"),
        ("relay", "secrets/relay-admin.age, secrets/relay-backup.age", "agenix --rekey"),
    ] {
        let plan: serde_json::Value =
            serde_json::from_str(&sandbox.read(&format!("out/hosts/{host}/plan.json"))).unwrap();
        let steps = plan["steps"].as_array().unwrap();
        let step = |id: &str| steps.iter().find(|step| step["id"] == id);
        assert!(step("place-secrets").is_none(), "{host}");
        let keys = step("place-host-keys").unwrap().to_string();
        for wanted in
            [&format!("must be a recipient of {files}"), words, &format!("state/{host}/ssh/ssh_host_ed25519_key")]
        {
            assert!(keys.contains(wanted), "{wanted}: {keys}");
        }
        assert!(!keys.contains("\"ssh-keygen -q -t rsa"), "nothing is made on the machine: {keys}");
        let install = sandbox.read(&format!("out/hosts/{host}/install/install.sh"));
        assert!(!install.lines().any(|line| line.starts_with("needed_file ")), "{host}");
    }
}

/// What every secret of the fleet holds; the files in secrets/ were encrypted with it.
const PLANTED: &str = "planted-Zq7Wn3";

#[test]
fn nothing_in_out_holds_a_secret_of_the_environment_of_files_or_of_what_is_encrypted() {
    let sandbox = copied();
    // Beside the definition, where the deployer keeps what it brings, and in the folder of encrypted files.
    for path in [
        "state/shop/secrets/wg-home",
        "state/shop/ssh/ssh_host_ed25519_key",
        "hosts/shop/.env",
        "hosts/shop/token.txt",
        "secrets/plain.yaml",
        ".env",
    ] {
        sandbox.write(path, format!("token: {PLANTED}\n"));
    }
    let environment = ["TOKEN", "SOPS_AGE_KEY", "HOSTWRIGHT_SECRET", "DB_PASSWORD"].map(|name| (name, PLANTED));
    sandbox.run_with(&environment, &["build", "--today", "2026-11-21"]).ends(0);
    let tree = sandbox.tree("out");
    assert!(
        tree.contains_key("hosts/shop/files/secrets/shop.yaml")
            && tree.contains_key("hosts/relay/files/secrets/relay-feed.age")
    );
    let holds = |bytes: &[u8]| bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes());
    let with: Vec<&String> = tree.iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect();
    assert_eq!(with, Vec::<&String>::new());
    // The same files by a definition that names them: an error, and nothing is written.
    for (line, path) in [
        ("file = \"secrets/shop.yaml\"", "secrets/plain.yaml"),
        ("file = \"secrets/shop.yaml\"", "state/shop/secrets/wg-home"),
    ] {
        let before = sandbox.read("hosts/shop/host.toml");
        sandbox.edit("hosts/shop/host.toml", line, &format!("file = \"{path}\""));
        let run = sandbox.run(&["build", "--today", "2026-11-21"]);
        assert!(run.status != 0 && !run.out.contains(PLANTED), "{}", run.out);
        assert!(sandbox.tree("out") == tree);
        sandbox.write("hosts/shop/host.toml", before);
    }
    // A value in clear among encrypted ones.
    let text = sandbox.read("secrets/shop.yaml").replacen("wg-home: ENC", &format!("wg-home: {PLANTED} # ENC"), 1);
    sandbox.write("secrets/shop.yaml", text);
    let run = sandbox
        .run(&["build", "--today", "2026-11-21"])
        .ends(1)
        .says("secret-inline")
        .says("its key `wg-home` is in clear");
    assert!(!run.out.contains(PLANTED) && sandbox.tree("out") == tree, "{}", run.out);
}

/// Returns what `check` reports of the host `a`, as `RULE LINE: MESSAGE`.
fn reported(sandbox: &Sandbox, host: &str) -> Vec<String> {
    sandbox.write("hosts/a/host.toml", host);
    let run = sandbox.run(&["check", "--format", "json", "--today", "2026-11-21"]);
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let findings = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["level"] == "error" && finding["rule"] != "input-unpinned");
    findings
        .map(|finding| {
            format!(
                "{} {}: {}",
                finding["rule"].as_str().unwrap(),
                finding["line"],
                finding["message"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn a_file_that_cannot_be_carried_is_an_error_where_it_is_named() {
    let sandbox = Sandbox::small();
    sandbox.write("site/index.html", "x");
    sandbox.write("site/key.pem", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n");
    sandbox.write("large.bin", vec![0; (16 << 20) + 1]);
    sandbox.write("repository/.git/HEAD", "ref: x");
    sandbox.write("state/a/notes", "private");
    std::fs::create_dir_all(sandbox.path().join("empty")).unwrap();
    let mut cases = vec![
        ("absent.txt", "reference-unknown", "there is no `absent.txt` in the fleet"),
        ("site", "value-invalid", "`site` is a folder, and a file is wanted"),
        ("large.bin", "too-large", "`large.bin` is larger than 16 MiB"),
        ("site/key.pem", "secret-inline", "`site/key.pem` holds a private key"),
        ("../x", "value-invalid", "cannot be `../x`"),
        ("/etc/passwd", "value-invalid", "cannot be `/etc/passwd`"),
        ("state/a/notes", "value-invalid", "cannot be `state/a/notes`"),
        ("a ${x}", "value-invalid", "cannot be `a ${x}`"),
    ];
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("/etc/hostname", sandbox.path().join("outside")).unwrap();
        symlink("state/a/notes", sandbox.path().join("private")).unwrap();
        symlink("nowhere", sandbox.path().join("dangling")).unwrap();
        cases.push(("outside", "file-unreadable", "`outside` leads out of the fleet by a symbolic link"));
        cases.push(("private", "file-unreadable", "`private` leads to a folder that nothing is copied from"));
        cases.push(("dangling", "file-unreadable", "`dangling` cannot be read"));
    }
    for (path, rule, message) in cases {
        let host = format!(
            "\n[services.c]\nkind = 'command'\nexec = 'true'\nfiles = [{{ path = '/srv/x', source = '{path}' }}]\n"
        );
        let found = reported(&sandbox, &host);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{rule} 5: ")) && found[0].contains(message),
            "{path}: {found:?}"
        );
    }
    for (path, rule, message) in [
        ("site", "secret-inline", "`site/key.pem` holds a private key"),
        ("repository", "file-unreadable", "`repository` holds a repository: .git"),
        ("empty", "value-invalid", "`empty` is a folder without a file"),
    ] {
        let host = format!(
            "\n[services.s]\nkind = 'static-site'\nsource = '{path}'\nvhost = {{ name = 'x.org', tls = 'none' }}\n"
        );
        let found = reported(&sandbox, &host);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{rule} 4: ")) && found[0].contains(message),
            "{path}: {found:?}"
        );
    }
    for (keys, message) in [("", "lacks the key `root`"), ("root = '/srv'\nsource = 'site'", "`source` beside `root`")]
    {
        let found = reported(
            &sandbox,
            &format!("[services.s]\nkind = 'static-site'\n{keys}\nvhost = {{ name = 'x.org', tls = 'none' }}\n"),
        );
        assert!(found[0].contains(message), "{found:?}");
    }
}

#[test]
fn copied_files_are_compared_shown_and_guarded_as_others_are() {
    let sandbox = Sandbox::small();
    let bytes = [0x89, b'L', 0, 0xff, b'\r', b'\n'];
    sandbox.write("logo.bin", bytes);
    sandbox.write(
        "hosts/a/host.toml",
        "[services.c]\nkind = 'command'\nexec = 'true'\nfiles = [{ path = '/srv/logo', source = 'logo.bin' }]\n",
    );
    let build = |more: &[&str]| sandbox.run(&[&["build"], more, &["--today", "2026-11-21"]].concat());
    build(&[]).ends(0);
    let copy = "hosts/a/files/logo.bin";
    assert_eq!(sandbox.tree("out")[copy], bytes);
    let manifest: serde_json::Value = serde_json::from_str(&sandbox.read("out/manifest.json")).unwrap();
    let digest = hostwright::source::sha256(bytes);
    assert_eq!(
        (&manifest["outputs"][copy]["sha256"], &manifest["inputs"]["logo.bin"]),
        (&digest.clone().into(), &digest.into())
    );
    build(&["--check"]).ends(0);
    build(&["a", "--check"]).ends(0);
    sandbox.write("logo.bin", [0x89, b'N']);
    build(&["--check"]).ends(1).says("differs  hosts/a/files/logo.bin");
    build(&["--diff"]).ends(0).says("Binary files hosts/a/files/logo.bin and hosts/a/files/logo.bin differ");
    sandbox.write("out/hosts/a/files/logo.bin", "mine");
    build(&[]).ends(2).complains("hosts/a/files/logo.bin");
    build(&["--force"]).ends(0);
    assert_eq!(sandbox.tree("out")[copy], [0x89, b'N']);
}

#[test]
fn what_a_provider_of_secrets_lacks_or_cannot_do_is_an_error_at_its_place() {
    let sandbox = Sandbox::small();
    let from = root().join("tests/fleets/secrets/secrets");
    for name in ["shop.yaml", "shop-mail.json", "shop-htpasswd", "relay-vault.age", "relay-feed.age"] {
        sandbox.write(&format!("secrets/{name}"), std::fs::read(from.join(name)).unwrap());
    }
    let sound = |provider: &str, rest: &str| format!("[secrets]\nprovider = '{provider}'\n{rest}\n");
    let found = reported(&sandbox, &sound("sops-nix", "file = 'secrets/shop.yaml'\nitems.wg-home = {}"));
    assert_eq!(
        found,
        ["reference-unknown 2: `secrets.provider` is `sops-nix`, and the fleet has no input of that name"]
    );
    let inputs = "\n[inputs]\nsops-nix = { url = 'github:Mic92/sops-nix' }\nagenix = { url = 'github:ryantm/agenix', module = 'nixosModules.default' }\n";
    let fleet = sandbox.read("fleet.toml");
    sandbox.write("fleet.toml", format!("{fleet}{inputs}"));
    let found = reported(&sandbox, &sound("sops-nix", "file = 'secrets/shop.yaml'\nitems.wg-home = {}"));
    assert!(found.iter().any(|line| line.starts_with("key-missing") && line.contains("the input `sops-nix` lacks the key `module`")), "{found:?}");
    sandbox.write(
        "fleet.toml",
        format!("{fleet}{}", inputs.replace("sops-nix' }", "sops-nix', module = 'nixosModules.sops' }")),
    );
    for (provider, rest, wanted) in [
        (
            "sops-nix",
            "file = 'secrets/shop.yaml'\nitems = { wg-home = {}, t = { key = 'stock/token' }, whole = { key = '' } }",
            "",
        ),
        (
            "sops-nix",
            "items = { mail-password = { file = 'secrets/shop-mail.json' }, v = { file = 'secrets/shop-htpasswd' } }",
            "",
        ),
        ("sops-nix", "items.a = {}", "key-missing 3: the secret `a` has no `file`"),
        (
            "sops-nix",
            "file = 'secrets/shop.yaml'\nitems.wg-hom = {}",
            "reference-unknown 4: `secrets/shop.yaml` has no key `wg-hom`",
        ),
        (
            "sops-nix",
            "file = 'secrets/shop.yaml'\nitems.a.key = 'stock/tokens'",
            "reference-unknown 4: `secrets/shop.yaml` has no key `stock/tokens`",
        ),
        (
            "sops-nix",
            "file = 'secrets/shop.yaml'\nitems.stock = {}",
            "reference-unknown 4: the key `stock` of `secrets/shop.yaml` holds further keys and no secret",
        ),
        (
            "sops-nix",
            "items.a = { file = 'secrets/shop-htpasswd', key = 'x' }",
            "value-invalid 3: `key` has no meaning here: only files of YAML and JSON have keys",
        ),
        (
            "sops-nix",
            "items.a = { file = 'secrets/shop-mail.json', key = 'a/b' }",
            "value-invalid 3: the key `a/b` lies below another one in `secrets/shop-mail.json`",
        ),
        (
            "sops-nix",
            "items.a.file = 'secrets/relay-vault.age'",
            "secret-inline 3: `secrets/relay-vault.age` is not encrypted: it is no text that sops has written",
        ),
        (
            "sops-nix",
            "file = 'secrets/shop.yaml'\nitems.admin-password.owner = 'nginx'",
            "value-invalid 4: the secret `admin-password` is a password of an account, and belongs to `nginx`",
        ),
        ("agenix", "items = { v = { file = 'secrets/relay-vault.age' }, f = { file = 'secrets/relay-feed.age' } }", ""),
        ("agenix", "items.v = {}", "key-missing 3: the secret `v` has no `file`"),
        (
            "agenix",
            "file = 'secrets/relay-vault.age'\nitems.v.file = 'secrets/relay-vault.age'",
            "value-invalid 3: `file` has no meaning here: a file of agenix holds one secret",
        ),
        (
            "agenix",
            "items.v = { file = 'secrets/relay-vault.age', key = 'x' }",
            "value-invalid 3: `key` has no meaning here: a file of agenix holds one secret",
        ),
        (
            "agenix",
            "items.v.file = 'secrets/shop.yaml'",
            "secret-inline 3: `secrets/shop.yaml` is not encrypted: it does not begin as age begins a file",
        ),
        (
            "agenix",
            "items.v.file = 'hosts/a/host.toml'",
            "secret-inline 3: `hosts/a/host.toml` is not encrypted: it does not begin as age begins a file",
        ),
        (
            "credentials",
            "items.v.file = 'secrets/relay-vault.age'",
            "value-invalid 3: `file` has no meaning here: secrets are placed on the host by hand",
        ),
        (
            "credentials",
            "items.v.key = 'x'",
            "value-invalid 3: `key` has no meaning here: secrets are placed on the host by hand, a file each",
        ),
        (
            "credentials",
            "file = 'secrets/shop.yaml'",
            "value-invalid 3: `file` has no meaning here: secrets are placed on the host by hand",
        ),
    ] {
        let user =
            if rest.contains("admin-password") { "[access.users.clerk]\npassword = 'admin-password'\n" } else { "" };
        let found = reported(&sandbox, &format!("{}{user}", sound(provider, rest)));
        let wanted: Vec<&str> = Some(wanted).filter(|wanted| !wanted.is_empty()).into_iter().collect();
        assert_eq!(found, wanted, "{provider} {rest}");
    }
}

/// Returns what is compiled for a host with these services, by file name.
fn with_services(services: &str) -> Result<std::collections::BTreeMap<String, String>, Vec<String>> {
    let base = std::fs::read_to_string(root().join("tests/fleets/services/hosts/db/host.toml")).unwrap();
    let machine = base.split("[services.").next().unwrap();
    let fleet = std::fs::read_to_string(root().join("tests/fleets/services/fleet.toml")).unwrap();
    let host = ("hosts/h/host.toml".to_owned(), format!("{machine}{services}"));
    let mut files = FleetFiles::in_memory([("fleet.toml".to_owned(), fleet), host]);
    let compiled = compile_files(&mut files, &Facts::embedded())?.files.into_iter();
    Ok(compiled
        .filter_map(|file| Some((file.path.strip_prefix("hosts/h/")?.to_owned(), file.text().to_owned())))
        .collect())
}

#[test]
fn a_secret_that_is_placed_by_hand_is_a_file_of_its_services_own_whenever_that_starts() {
    let files = with_services(
        "[services.gitea]\nkind = 'native'\nsecrets = [{ name = 'mail', key = 'mailer-password', as = 'file', path = '/run/gitea-mail', mode = '0440' }]\n\
         [services.keep]\nkind = 'command'\nexec = 'true'\nsecrets = [{ name = 'mail', as = 'file', path = '/run/keep/mail', owner = 'root' }]\n\
         [services.box]\nkind = 'container'\nimage = 'a/b:1@sha256:4b7ce07002c69e8f3d704a9c5d6fd3053be500b7f1c69fc0d80990c2ad8dd412'\n\
         secrets = [{ name = 'mail', as = 'file', owner = '1000' }]\n[secrets.items.mail]\n",
    )
    .unwrap();
    let services = &files["services.nix"];
    for line in [
        "install -m 0440 -o gitea -- /etc/credstore/mail /run/hostwright-secrets/gitea/mail.new",
        "mv -T -- /run/hostwright-secrets/gitea/mail.new /run/hostwright-secrets/gitea/mail",
        "\"/run/gitea-mail\".\"L+\".argument = \"/run/hostwright-secrets/gitea/mail\";",
        "mailerPasswordFile = \"/run/gitea-mail\";",
        "install -m 0400 -o root -- /etc/credstore/mail /run/hostwright-secrets/keep/mail.new",
        "\"/run/keep/mail\".\"L+\".argument = \"/run/hostwright-secrets/keep/mail\";",
        "install -m 0400 -o 1000 -- /etc/credstore/mail /run/hostwright-secrets/box/mail.new",
        "\"/run/hostwright-secrets/box/mail:/run/secrets/mail:ro\"",
        "users.keep = {",
    ] {
        assert!(services.contains(line), "{line}\n{services}");
    }
    assert!(!services.contains("DynamicUser"), "what belongs to an account needs one that stays");
    for (secret, message) in [
        ("as = 'file'", "key-missing: the file secret `mail` lacks the key `path`"),
        ("path = '/run/x'", "value-invalid: `services.c` says the `path` of a secret that is no file"),
        (
            "as = 'env', key = 'X', mode = '0400'",
            "value-invalid: `services.c` says the `mode` of a secret that is no file",
        ),
    ] {
        let host = format!(
            "[services.c]\nkind = 'command'\nexec = 'true'\nsecrets = [{{ name = 'mail', {secret} }}]\n[secrets.items.mail]\n"
        );
        let found = with_services(&host).unwrap_err();
        assert!(found.len() == 1 && found[0].starts_with(message), "{found:?}");
    }
}

#[test]
fn a_file_with_an_owner_is_made_anew_when_its_content_changes() {
    let files = with_services(
        "[services.c]\nkind = 'command'\nexec = 'true'\nfiles = [{ path = '/srv/c/conf', content = 'a', owner = 'root', mode = '0640' }, { path = '/etc/c', content = 'b', owner = 'root' }]\n",
    )
    .unwrap();
    let services = &files["services.nix"];
    // systemd-tmpfiles copies nothing over a file that is there.
    for line in [
        "\"hostwright/c/srv/c/conf\" = {",
        "mode = \"0640\";",
        "mode = \"0444\";",
        "\"/srv/c/conf\".\"L+\".argument = \"/etc/hostwright/c/srv/c/conf\";",
    ] {
        assert!(services.contains(line), "{line}\n{services}");
    }
    assert!(!services.contains("C+"));
}

#[test]
fn the_size_of_state_is_the_quota_of_its_dataset_or_an_error() {
    let state = |path: &str, size: &str| {
        with_services(&format!(
            "[services.c]\nkind = 'command'\nexec = 'true'\nuser = 'postgres'\nstate = [{{ path = '{path}', size = '{size}' }}]\n"
        ))
    };
    let files = state("/var/lib/postgresql", "50GiB").unwrap();
    assert!(files["install/pools.sh"].contains("quota=53687091200"), "{}", files["install/pools.sh"]);
    assert!(files["disko.nix"].contains("quota = \"53687091200\";"));
    let found = state("/var/lib/elsewhere", "1GiB").unwrap_err();
    assert!(
        found[0].starts_with(
            "value-invalid: nothing keeps `/var/lib/elsewhere` below this size: it is no dataset of its own"
        ),
        "{found:?}"
    );
}
