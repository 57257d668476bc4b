//! A secret in a definition or in the user's own Nix.
//!
//! Of a definition it is reported while that is read, and the host is not compiled; here the .nix files beside it are looked at.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::service_parts::Text;
use crate::source::{Kind, Level, Node, Place, Spanned, quoted, secret};

pub(super) static RULE: Rule = Rule {
    id: "secret-inline",
    group: Group::Access,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "a secret stands where everybody reads it",
    doc: include_str!("secret_inline.md"),
    check: Check::Host(check),
};

const WHY: &str =
    "it lands in the store of every machine that builds or runs the host, where every account and program reads it";

/// What of a service is written into what is compiled, beside its variables and files.
const WRITTEN: [&str; 4] = ["args", "command", "exec", "options"];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for service in &cx.host.services {
        for (name, value) in service.def.environment.iter() {
            variable(service.name, name, value, found);
        }
    }
    let mut places = Vec::new();
    cx.host.def.nixos.iter().for_each(|nixos| settings(nixos, "", &mut places));
    for (_, service) in cx.host.source.tree.at(&["services"]).and_then(Node::as_table).into_iter().flatten() {
        for part in WRITTEN {
            service.node.at(&[part]).iter().for_each(|node| settings(node, "", &mut places));
        }
        for file in service.node.at(&["files"]).and_then(Node::as_list).into_iter().flatten() {
            let name = file.node.at(&["path"]).and_then(Node::as_str).and_then(|path| path.rsplit('/').next());
            file.node.at(&["content"]).iter().for_each(|node| settings(node, name.unwrap_or_default(), &mut places));
        }
    }
    for (place, name) in places {
        let name = if name.is_empty() { "a text".to_owned() } else { quoted(&name) };
        found.report(
            Finding::at(place, format!("{name} holds what is called a secret"))
                .label("a secret in a definition")
                .why(WHY)
                .help("make a new one: this one is known to everybody who has the definition")
                .help("an option that takes a file on the host, such as `passwordFile`, or `secrets` of the service"),
        );
    }
    for (name, file) in &cx.host.source.nix {
        let text = cx.sources.text(*file);
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let place = cx.sources.place(*file, at, at + line.trim_end().len());
            at += line.len();
            let code = line.trim_start();
            if code.starts_with('#') {
                continue;
            }
            if let Some(what) = secret::find(line) {
                found.report(
                    Finding::at(place, format!("{} holds {}", quoted(name), what.as_str()))
                        .label("a secret in Nix")
                        .why(WHY)
                        .help("make a new one: this one is known to everybody who has the file")
                        .help(
                            "an option that takes a file on the host, such as `hashedPasswordFile` or `passwordFile`",
                        ),
                );
            } else if reads_secret(line) {
                found.report(
                    Finding::at(place, format!("{} reads a secret into the configuration", quoted(name)))
                        .label("`builtins.readFile` of a secret")
                        .why(WHY)
                        .help("an option that takes the path of a file on the host, as text and not as a path of Nix"),
                );
            }
        }
    }
}

/// Adds the texts at and below a value that hold a secret by its form or by the name before it, each with the name that it has.
fn settings(node: &Node, name: &str, places: &mut Vec<(Place, String)>) {
    match &node.kind {
        Kind::Str(text) => {
            let is_named = secret::is_called_secret(name, text.trim()) && !secret::is_filled_in(text);
            if is_named || secret::in_lines(text) {
                places.push((node.place, name.to_owned()));
            }
        }
        Kind::List(items) => items.iter().for_each(|item| settings(&item.node, name, places)),
        Kind::Table(table) => table.iter().for_each(|(name, entry)| settings(&entry.node, name, places)),
        _ => {}
    }
}

/// Reports a variable of a service that holds a secret by its name, or an address with a password.
fn variable(service: &str, name: &str, value: &Spanned<Text>, found: &mut Findings) {
    let what = if secret::holds_password(value.as_str()) {
        "an address with its password"
    } else if secret::is_called_secret(name, value.as_str()) {
        "a secret"
    } else {
        return;
    };
    found.report(
        Finding::at(value.place, format!("the variable {} of `{service}` is {what}", quoted(name)))
            .label("a secret in a definition")
            .why(WHY)
            .help("make a new one: this one is known to everybody who has the definition")
            .help(format!(
                "`secrets = [{{ name = \"NAME\", as = \"env\", key = {} }}]`, with NAME in `[secrets.items]`",
                quoted(name).replace('`', "\"")
            )),
    );
}

/// Tells whether a line reads a file whose name speaks of a secret; public keys are none.
fn reads_secret(line: &str) -> bool {
    let Some((_, rest)) = line.split_once("readFile") else { return false };
    let path: String = rest
        .trim_start()
        .trim_start_matches('(')
        .trim_start()
        .chars()
        .take_while(|c| !c.is_whitespace() && !";)".contains(*c))
        .collect();
    let path = path.to_ascii_lowercase();
    let secret = ["secret", "password", "passwd", "token", "private", "_ed25519", "_rsa", ".key", ".pem"];
    secret.iter().any(|word| path.contains(word)) && !path.contains(".pub") && !path.contains("cert")
}

#[cfg(test)]
mod tests {
    use super::reads_secret;
    use crate::check::sample::{reported, said_of};

    const HASH: &str = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7";

    #[test]
    fn a_definition_with_a_secret_is_not_compiled_and_the_secret_is_not_repeated() {
        let wireguard = "network.interfaces.wg0 = { kind = 'wireguard', public-key = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=', \
                         private-key = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=' }\n";
        for host in [
            format!("nixos.users.users.root.hashedPassword = '{HASH}'\n"),
            format!("access.users.xe.password = '{HASH}'\n"),
            "nixos.environment.etc.key.text = '-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1r'\n".to_owned(),
            wireguard.to_owned(),
            "role = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'\n".to_owned(),
        ] {
            let lines = reported(&[("hosts/a/host.toml", &host)], &[]);
            assert!(lines.iter().any(|line| line.contains(" secret-inline: ")), "{host}: {lines:#?}");
            for part in ["F5Jx5f", "b3Blbn", "yAnz5", "ghp_"] {
                assert!(!lines.iter().any(|line| line.contains(part)), "{lines:#?}");
            }
            // An entry that would accept it changes nothing: the host has not been read.
            let allowed = format!("allow = [{{ rule = 'secret-inline', reason = 'x' }}]\n{host}");
            let lines = reported(&[("hosts/a/host.toml", &allowed)], &[]);
            assert!(
                lines.iter().any(|line| line.starts_with("error ") && line.contains(" secret-inline: ")),
                "{lines:#?}"
            );
        }
        let name = reported(&[("hosts/a/host.toml", "access.users.xe.password = 'correct horse'\n")], &[]);
        assert!(
            name.iter().any(|line| line.contains("value-invalid")) && !name.iter().any(|line| line.contains("horse")),
            "{name:#?}"
        );
    }

    #[test]
    fn a_variable_that_is_called_a_secret_is_one_unless_its_value_cannot_be() {
        let of = |name: &str, value: &str| {
            let host =
                format!("[services.a]\nkind = 'command'\nexec = '/bin/a'\nenvironment = {{ {name} = '{value}' }}\n");
            said_of("secret-inline", &[("hosts/a/host.toml", &host)])
        };
        for (name, value) in [
            ("DB_PASSWORD", "hunter2"),
            ("api_token", "x1"),
            ("X", "postgres://forge:horse@db/forge"),
            ("S3_SECRET_KEY", "a b"),
        ] {
            let said = of(name, value);
            assert!(said.len() == 1 && !said[0].contains(value), "{name}: {said:?}");
        }
        for (name, value) in [
            ("DB_PASSWORD_FILE", "hunter2"),
            ("DB_PASSWORD", "/run/secrets/db"),
            ("DB_PASSWORD", ""),
            ("MAX_TOKEN", "4096"),
            ("REQUIRE_TOKEN", "true"),
            ("PASSWORD_MIN_LENGTH", "long"),
            ("X", "https://example.org:8443/a@b"),
            ("X", "postgres://forge@db/forge"),
        ] {
            assert!(of(name, value).is_empty(), "{name} = {value}");
        }
    }

    #[test]
    fn a_setting_an_argument_and_a_file_that_hold_what_is_called_a_secret_are_found_once() {
        let of = |host: &str| said_of("secret-inline", &[("hosts/a/host.toml", host)]);
        let service = "[services.a]\nkind = 'container'\nimage = 'example.org/a:1'\n";
        for host in [
            "nixos.services.keycloak.initialAdminPassword = 'correct horse'\n".to_owned(),
            "nixos.systemd.services.x.script = \"\"\"\ncurl \\\n  -d token=horse1 https://a\n\"\"\"\n".to_owned(),
            format!("{service}args = ['--db-password=horse']\n"),
            format!("{service}files = [{{ path = '/etc/app.ini', content = \"[smtp]\\npassword = horse\\n\" }}]\n"),
            format!("{service}files = [{{ path = '/etc/SMTP_PASSWORD', content = 'horse' }}]\n"),
        ] {
            let said = of(&host);
            assert!(said.len() == 1 && !said[0].contains("horse"), "{host}: {said:?}");
        }
        for host in [
            "nixos.users.users.xe.hashedPassword = '!'\n".to_owned(),
            "nixos.services.grafana.settings.security.admin_password = '$__file{/run/x}'\n".to_owned(),
            format!("{service}args = ['--db-password-file=/run/x', '--token=$TOKEN', '--max-token=4096']\n"),
            format!(
                "{service}files = [{{ path = '/etc/app.ini', content = \"# password = horse\\npassword = \\n\" }}]\n"
            ),
        ] {
            assert_eq!(of(&host), Vec::<String>::new(), "{host}");
        }
    }

    #[test]
    fn secrets_in_nix_are_found_and_public_keys_are_none() {
        let of = |nix: &str| said_of("secret-inline", &[("hosts/a/host.toml", ""), ("hosts/a/own.nix", nix)]).len();
        assert_eq!(of(&format!("{{ users.users.root.hashedPassword = \"{HASH}\"; }}\n")), 1);
        assert_eq!(of("{ services.x.password = builtins.readFile ./secrets/db-password; }\n"), 1);
        assert_eq!(
            of("{ users.users.root.openssh.authorizedKeys.keys = [ (builtins.readFile ./id_ed25519.pub) ]; }\n"),
            0
        );
        assert_eq!(of("# users.users.root.hashedPassword = \"$y$...\";\n{ }\n"), 0);
        assert!(!reads_secret("x = readFile ./banner.txt;"));
    }
}
