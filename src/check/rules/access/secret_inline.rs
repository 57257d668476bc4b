//! A secret in a definition or in the user's own Nix.
//!
//! Of a definition it is reported while that is read, and the host is not compiled; here the .nix files beside it are looked at.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::inline;
use crate::fleet::schema::service_parts::Text;
use crate::source::{Level, Spanned, quoted};

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

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for service in &cx.host.services {
        for (name, value) in service.def.environment.iter() {
            variable(service.name, name, value, found);
        }
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
            if let Some(what) = inline::find(line) {
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

/// Reports a variable of a service that holds a secret by its name, or an address with a password.
fn variable(service: &str, name: &str, value: &Spanned<Text>, found: &mut Findings) {
    let what = if inline::holds_password(value.as_str()) {
        "an address with its password"
    } else if inline::is_called_secret(name, value.as_str()) {
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
