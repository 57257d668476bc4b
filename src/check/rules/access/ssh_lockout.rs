//! A host that nobody can log in to after the change.

use crate::check::nixos;
use crate::check::ports::{Firewall, Reach, Sshd};
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::scalar::Target;
use crate::fleet::schema::access::{RootLogin, User};
use crate::fleet::schema::service_parts::Protocol;
use crate::resolve::ResolvedHost;
use crate::source::{Kind, Level, NORMAL, Node, Place, quoted};

pub(super) static RULE: Rule = Rule {
    id: "ssh-lockout",
    group: Group::Access,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "nobody can log in after the change",
    doc: include_str!("ssh_lockout.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let ssh = Sshd::of(host);
    let passwords = nix_passwords(host);
    let Some(fault) = door(host, &ssh).or_else(|| accounts(host, passwords)) else { return };
    // Who deploys a machine from itself sits at it: a password for its console is a way in, and the only one that is none of ssh's.
    let local = host.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref());
    if passwords && local.is_some_and(|target| target.value == Target::Local) {
        return;
    }
    if let Some(file) = nixos::file_with(cx, fault.words) {
        found.unchecked(format!("{} may let somebody in", quoted(file)));
        return;
    }
    if passwords_stay(host) {
        found.unchecked(
            "accounts are changed on the machine (`users.mutableUsers`), and who has a password there is not known",
        );
        return;
    }
    let message = format!("nobody can log in to `{}`: {}", host.name, fault.what);
    let mut finding = Finding::at(fault.place, message).label(fault.label);
    if let Some((place, label)) = fault.related {
        finding = finding.related(place, label);
    }
    finding = finding.why("after the change the deployer is shut out, and with it the reboot test and the next repair");
    for help in fault.help {
        finding = finding.help(help);
    }
    found.report(finding);
}

/// What keeps everybody out.
struct Fault {
    place: Place,
    what: String,
    label: &'static str,
    related: Option<(Place, &'static str)>,
    help: Vec<String>,
    /// Words of a .nix file that may change it.
    words: &'static [&'static str],
}

/// Returns what is wrong with the way to the ssh server.
fn door(host: &ResolvedHost<'_>, ssh: &Sshd) -> Option<Fault> {
    let words = &["openssh", "firewall"];
    let by_nix = nixos::switch(host, &["services", "openssh", "enable"]);
    if !by_nix.map_or(ssh.enabled, |(on, _)| on) {
        return Some(Fault {
            place: by_nix.map_or(ssh.enable_place, |(_, node)| node.place),
            what: "no ssh server runs".to_owned(),
            label: "no ssh server",
            related: None,
            help: vec!["`[access.ssh] enable = true`, and a key".to_owned()],
            words,
        });
    }
    if ssh.listen.is_loopback() {
        let listen = host.def.access.as_ref().and_then(|access| access.ssh.as_ref()?.listen.first());
        return Some(Fault {
            place: listen.map_or(ssh.port_place, |listen| listen.place),
            what: "the ssh server listens on loopback addresses only".to_owned(),
            label: "this machine only",
            related: None,
            help: vec!["remove `listen`, or name an address that the deployer reaches".to_owned()],
            words,
        });
    }
    let opened_by_nix = nixos::switch(host, &["services", "openssh", "openFirewall"]).is_some_and(|(open, _)| open);
    let setting = nixos::setting(host, &["services", "openssh", "ports"]);
    let port = |node: &Node| match node.kind {
        Kind::Int(port) => u16::try_from(port).ok(),
        _ => None,
    };
    let mut ports: Vec<u16> =
        setting.and_then(Node::as_list).unwrap_or_default().iter().filter_map(|item| port(&item.node)).collect();
    // Lists of equal priority are joined: the typed port falls away only where another definition is stronger.
    if setting.is_none_or(|setting| setting.priority >= NORMAL) {
        ports.push(ssh.port);
    }
    let firewall = Firewall::of(host);
    let closed = ports.iter().all(|port| firewall.reach(*port, Protocol::Tcp) == Reach::Closed);
    if !closed || opened_by_nix {
        return None;
    }
    let written = host.def.access.as_ref().and_then(|access| access.ssh.as_ref()).filter(|ssh| ssh.port.written);
    let table = host.def.network.as_ref().and_then(|network| network.firewall.as_ref()).map(|firewall| firewall.place);
    Some(Fault {
        place: table.or(written.map(|ssh| ssh.port.place)).unwrap_or(host.place),
        what: format!("the firewall is closed for the ssh server's port {}", ssh.port),
        label: "closed for ssh",
        related: written.map(|ssh| (ssh.port.place, "the ssh server listens here")),
        help: vec![
            format!("{} in `[network.firewall] tcp`", ssh.port),
            format!("{} in `[network.firewall.interfaces.NAME] tcp`, for one network", ssh.port),
        ],
        words,
    })
}

/// Returns why no account can be used: root and those that may become root.
fn accounts(host: &ResolvedHost<'_>, passwords: bool) -> Option<Fault> {
    let access = host.def.access.as_ref();
    let ssh = access.and_then(|access| access.ssh.as_ref());
    let barred = ssh.filter(|ssh| ssh.root_login.value == RootLogin::No).map(|ssh| ssh.root_login.place);
    let root_keys = access.is_some_and(|access| !access.root_keys.is_empty());
    let sudo = || access.into_iter().flat_map(|access| access.users.iter()).filter(|(_, user)| user.sudo.value);
    // Of what use is sudo to somebody who is asked for a password that nobody gave him?
    let becomes_root = |name: &str, user: &User| {
        !user.sudo_password.value || user.password.is_some() || nix_password_of(host, name) || sudo_by_nix(host)
    };
    let with_key = sudo().any(|(name, user)| !user.keys.is_empty() && becomes_root(name, user));
    let by_password_alone =
        ssh.is_some_and(|ssh| ssh.password.value) && sudo().any(|(_, user)| user.password.is_some());
    let by_password = ssh.is_some_and(|ssh| ssh.password.value) && passwords;
    if (root_keys && barred.is_none()) || with_key || by_password || by_password_alone || nix_keys(host) {
        return None;
    }
    let fallback = access.map_or(host.place, |access| access.place);
    let words: &[&str] = &["authorizedKeys", "openssh", "users.users"];
    let asked = sudo().find(|(name, user)| !user.keys.is_empty() && !becomes_root(name, user));
    if let Some((name, user)) = asked {
        return Some(Fault {
            place: user.sudo.place,
            what: format!("sudo asks `{name}` for a password, and there is none"),
            label: "no password to give",
            related: barred.map(|place| (place, "root is kept out")),
            help: vec![
                format!(
                    "`password = \"{name}-password\"` for the user, the name of a secret with the hash (`mkpasswd`)"
                ),
                "`sudo-password = false`: the key alone then leads to root".to_owned(),
                "`[access] root-keys = [\"ssh-ed25519 …\"]`".to_owned(),
            ],
            words,
        });
    }
    let keyless = sudo().next().map(|(_, user)| user.key);
    let user = "`keys = [\"ssh-ed25519 …\"]` and `sudo = true` for a user".to_owned();
    Some(match (barred, root_keys) {
        (Some(place), true) => Fault {
            place,
            what: "root may not, and no user with `sudo` has a key".to_owned(),
            label: "root is kept out",
            related: keyless.map(|place| (place, "has no key")),
            help: vec![user, "`root-login = \"prohibit-password\"`, which lets root in with a key".to_owned()],
            words,
        },
        _ => Fault {
            place: fallback,
            what: "neither root nor a user with `sudo` has a key".to_owned(),
            label: "no key that leads to root",
            related: keyless.map(|place| (place, "has no key")),
            help: vec!["`[access] root-keys = [\"ssh-ed25519 …\"]`".to_owned(), user],
            words,
        },
    })
}

/// Tells whether `[nixos]` gives an account a key.
fn nix_keys(host: &ResolvedHost<'_>) -> bool {
    let users = nixos::setting(host, &["users", "users"]).and_then(Node::as_table);
    let keys = |node: &Node| {
        node.at(&["openssh", "authorizedKeys"]).and_then(Node::as_table).is_some_and(|keys| !keys.is_empty())
    };
    let command = nixos::is_set(host, &["services", "openssh", "authorizedKeysCommand"]);
    command || users.is_some_and(|users| users.values().any(|entry| keys(&entry.node)))
}

/// Tells whether `[nixos]` gives one account a password.
fn nix_password_of(host: &ResolvedHost<'_>, name: &str) -> bool {
    let user = nixos::setting(host, &["users", "users", name]).and_then(Node::as_table);
    user.is_some_and(|user| user.keys().any(|key| key.to_ascii_lowercase().contains("password")))
}

/// Tells whether `[nixos]` may let sudo do without a password.
fn sudo_by_nix(host: &ResolvedHost<'_>) -> bool {
    ["sudo", "sudo-rs", "doas", "pam"].iter().any(|name| nixos::is_set(host, &["security", name]))
        || nixos::switch(host, &["security", "sudo", "wheelNeedsPassword"]).is_some()
}

/// Tells whether `[nixos]` gives an account a password.
fn nix_passwords(host: &ResolvedHost<'_>) -> bool {
    let users = nixos::setting(host, &["users", "users"]).and_then(Node::as_table);
    let password = |name: &String| name.to_ascii_lowercase().contains("password");
    users.is_some_and(|users| {
        users.values().any(|entry| entry.node.as_table().is_some_and(|user| user.keys().any(password)))
    })
}

/// Tells whether passwords that were set on the machine stay, which hostwright's own setting of `users.mutableUsers` ends.
fn passwords_stay(host: &ResolvedHost<'_>) -> bool {
    let password =
        host.def.access.as_ref().and_then(|access| access.ssh.as_ref()).is_some_and(|ssh| ssh.password.value);
    let local = host
        .def
        .deploy
        .as_ref()
        .and_then(|deploy| deploy.target.as_ref())
        .is_some_and(|target| target.value == Target::Local);
    let mutable = nixos::switch(host, &["users", "mutableUsers"]).is_some_and(|(mutable, _)| mutable);
    mutable && (password || local) && host.source.facts.as_ref().is_some_and(|facts| facts.system.is_some())
}

#[cfg(test)]
mod tests {
    use crate::check::sample::{said, said_of};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6byUZOqzqEPeT01TBJmlinORUGjCIfa41h/5EfwDDA";

    fn says(host: &str) -> Option<String> {
        let lines = said("ssh-lockout", host);
        lines.iter().find_map(|line| line.split_once("nobody can log in to `a`: ").map(|(_, what)| what.to_owned()))
    }

    #[test]
    fn every_way_of_shutting_everybody_out_is_named() {
        assert_eq!(says("nixos.services.openssh.ports = [2222]\n"), None, "the list joins port 22, which is open");
        let table = [
            ("access.ssh.enable = false\n", "no ssh server runs"),
            ("nixos.services.openssh.enable = false\n", "no ssh server runs"),
            ("access.ssh.listen = ['127.0.0.1', '::1']\n", "the ssh server listens on loopback addresses only"),
            ("access.ssh.port = 2222\n", "the firewall is closed for the ssh server's port 2222"),
            ("network.firewall.tcp = [80]\n", "the firewall is closed for the ssh server's port 22"),
            ("access.root-keys = []\n", "neither root nor a user with `sudo` has a key"),
            ("access.ssh.root-login = 'no'\n", "root may not, and no user with `sudo` has a key"),
            (
                "access.ssh.root-login = 'no'\naccess.users.xe.sudo = true\n",
                "root may not, and no user with `sudo` has a key",
            ),
            ("access.root-keys = []\ndeploy.target = 'local'\n", "neither root nor a user with `sudo` has a key"),
        ];
        for (host, what) in table {
            assert_eq!(says(host).as_deref(), Some(what), "{host}");
        }
        // Sudo that asks for a password which nobody has leads nowhere.
        let host = format!("access.ssh.root-login = 'no'\naccess.users.xe = {{ sudo = true, keys = ['{KEY}'] }}\n");
        assert_eq!(says(&host).as_deref(), Some("sudo asks `xe` for a password, and there is none"));
        // A key of somebody who cannot become root mends nothing.
        let host = format!("access.root-keys = []\naccess.users.xe.keys = ['{KEY}']\n");
        assert!(says(&host).is_some());
    }

    #[test]
    fn every_way_in_counts() {
        let table = [
            String::new(),
            format!("access.ssh.root-login = 'no'\naccess.users.xe = {{ sudo = true, sudo-password = false, keys = ['{KEY}'] }}\n"),
            format!(
                "access.ssh.root-login = 'no'\naccess.users.xe = {{ sudo = true, password = 'xe', keys = ['{KEY}'] }}\nsecrets.items.xe = {{}}\n"
            ),
            "access.ssh = { root-login = 'no', password = true }\naccess.users.xe = { sudo = true, password = 'xe' }\nsecrets.items.xe = {}\n"
                .to_owned(),
            "access.ssh.port = 2222\nnetwork.firewall.tcp = ['2000-3000']\n".to_owned(),
            "network.firewall = { interfaces.lan.tcp = [22] }\n".to_owned(),
            "network.firewall = { interfaces.lan.trusted = true }\n".to_owned(),
            "network.firewall.enable = false\n".to_owned(),
            "network.firewall.tcp = []\nnixos.services.openssh.openFirewall = true\n".to_owned(),
            "network.firewall.tcp = []\nnixos.networking.firewall.allowedTCPPorts = [22]\n".to_owned(),
            format!("access.root-keys = []\nnixos.users.users.root.openssh.authorizedKeys.keys = ['{KEY}']\n"),
            "access.root-keys = []\naccess.ssh.password = true\nnixos.users.users.root.hashedPassword = '$y$x'\n"
                .to_owned(),
            "access.ssh.enable = false\ndeploy.target = 'local'\nnixos.users.users.root.hashedPassword = '$y$x'\n"
                .to_owned(),
        ];
        for host in table {
            assert_eq!(says(&host), None, "{host}");
        }
    }

    #[test]
    fn what_a_nix_file_may_change_is_not_checked() {
        let files = [
            ("hosts/a/host.toml", "access.root-keys = []\n"),
            ("hosts/a/keys.nix", "{ users.users.root.openssh.authorizedKeys.keyFiles = [ ./keys ]; }\n"),
        ];
        assert_eq!(said_of("ssh-lockout", &files), ["unchecked: `keys.nix` may let somebody in"]);
    }
}
