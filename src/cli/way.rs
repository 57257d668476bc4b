//! The way to a machine that is probed: whom ssh calls, through whom, and whose key it believes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::context::shown;
use super::{Failure, output};
use crate::fleet::decode::MapKey as _;
use crate::fleet::scalar::{SshKeyword, SshValue, Target};
use crate::source::{Node, Sources, parse_toml, quoted};

/// What runs the script as root: at once where that is who logs in or where sudo asks for nothing, else as whoever it is.
const ROOTED: &str = "sh -c 'if [ \"$(id -u)\" != 0 ] && sudo -n true 2>/dev/null; then exec sudo -n sh; fi; exec sh'";

/// How a machine is reached.
#[derive(Debug)]
pub(super) struct Way {
    /// The machine.
    pub(super) target: Target,
    jump: Vec<String>,
    /// Settings as `KEYWORD=VALUE`.
    options: Vec<String>,
    /// The public keys that the machine is known by.
    keys: Vec<String>,
    /// The file of keys that the plan recorded, and the host's name in it.
    recorded: Option<(PathBuf, String)>,
}

impl Way {
    /// Returns the way to a target of which nothing else is known: your ssh_config decides.
    pub(super) fn to(target: Target) -> Self {
        Self { target, jump: Vec::new(), options: Vec::new(), keys: Vec::new(), recorded: None }
    }

    /// Returns the way to a host of a fleet. Only its host.toml and the fleet's defaults are read: a host whose definition has
    /// errors can be probed.
    pub(super) fn to_host(folder: &Path, host: &str) -> Result<Self, Failure> {
        let own = tree(&folder.join("hosts").join(host).join("host.toml"))?;
        let fleet = tree(&folder.join("fleet.toml")).ok();
        let defaults = fleet.as_ref().and_then(|fleet| fleet.at(&["defaults"]));
        let said = |route: &[&str]| own.at(route).or_else(|| defaults.and_then(|defaults| defaults.at(route)));
        let target = said(&["deploy", "target"]).and_then(Node::as_str).ok_or_else(|| {
            Failure::new(format!("`{host}` has no target"))
                .help("`target = \"root@ADDRESS\"` below `[deploy]` of its host.toml")
                .help(format!("`hostwright probe root@ADDRESS --host {host}`"))
        })?;
        let refused = |what: &str, text: &str, wanted: String| {
            Failure::new(format!("the {what} {} is none", quoted(text))).help(wanted)
        };
        let parsed = |what: &str, text: &str| text.parse::<Target>().map_err(|wanted| refused(what, text, wanted));
        let mut way = Self::to(parsed("target", target)?);
        for text in words(said(&["deploy", "jump"])) {
            way.jump.extend(parsed("jump host", text)?.jump_word());
        }
        for (name, value) in said(&["deploy", "ssh-options"]).and_then(Node::as_table).into_iter().flatten() {
            let value = value.node.as_str().unwrap_or_default();
            SshKeyword::check(name).map_err(|wanted| refused("ssh option", name, wanted))?;
            let value = value.parse::<SshValue>().map_err(|wanted| refused("ssh option", value, wanted))?;
            way.options.push(format!("{name}={value}"));
        }
        let keys = words(said(&["access", "host-keys"]));
        way.keys = keys.filter_map(public_key).collect();
        Ok(way)
    }

    /// Binds the way to the keys that a plan recorded for a host, where there are any: nothing else is believed then.
    pub(super) fn bound(mut self, folder: &Path, host: &str) -> Self {
        let path = known_hosts(folder, host);
        if !recorded_keys(folder, host).is_empty() {
            self.recorded = Some((path, host.to_owned()));
        }
        self
    }

    /// Returns the way for a run that nobody sits at: ssh asks for no password and no unknown key.
    pub(super) fn unattended(mut self) -> Self {
        self.options.push("BatchMode=yes".to_owned());
        self
    }

    /// Returns the command that runs a script from its standard input on the machine, and what must live as long as it runs.
    #[expect(clippy::disallowed_methods, reason = "probing a target is what starts ssh, and is given up after a time")]
    pub(super) fn command(&self, config: Option<&Path>) -> Result<(Command, Option<KnownHosts>), Failure> {
        let Target::Ssh { user, host, port } = &self.target else {
            let mut command = Command::new("sh");
            command.args(["-c", ROOTED]);
            return Ok((command, None));
        };
        let mut ssh = Command::new("ssh");
        if let Some(config) = config {
            ssh.arg("-F").arg(config);
        }
        ssh.args(["-T", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"]);
        if let Some((path, host)) = &self.recorded {
            // ssh takes the first that it is told.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", &format!("HostKeyAlias={host}")]);
            ssh.arg("-o").arg(format!("UserKnownHostsFile=\"{}\"", path.display()));
        }
        for option in &self.options {
            ssh.args(["-o", option]);
        }
        let known = if self.keys.is_empty() || self.recorded.is_some() {
            None
        } else {
            Some(KnownHosts::of(host, *port, &self.keys)?)
        };
        if let Some(known) = &known {
            // The fleet's keys stand where the machine's administrator would put them; your own known_hosts stays as it is.
            ssh.arg("-o").arg(format!("GlobalKnownHostsFile=\"{}\" /etc/ssh/ssh_known_hosts", known.0.display()));
        }
        if !self.jump.is_empty() {
            ssh.args(["-J", &self.jump.join(",")]);
        }
        if let Some(port) = port {
            ssh.args(["-p", &port.to_string()]);
        }
        if let Some(user) = user {
            ssh.args(["-l", user.as_str()]);
        }
        let is_root = user.as_ref().is_some_and(|user| user.as_str() == "root");
        ssh.args(["--", host, if is_root { "sh" } else { ROOTED }]);
        Ok((ssh, known))
    }
}

fn known_hosts(folder: &Path, host: &str) -> PathBuf {
    folder.join("state").join(host).join("known_hosts")
}

/// Returns the keys that a plan recorded for the system of a host, as `TYPE BASE64`.
pub(super) fn recorded_keys(folder: &Path, host: &str) -> Vec<String> {
    let Ok(text) = output::read_text(&known_hosts(folder, host)) else { return Vec::new() };
    let own = |line: &str| {
        let (names, key) = line.split_once(' ')?;
        names.split(',').any(|name| name == host).then(|| public_key(key)).flatten()
    };
    text.lines().filter_map(own).collect()
}

/// Returns a file as a tree, whatever is wrong with it: `check` tells that.
pub(super) fn tree(path: &Path) -> Result<Node, Failure> {
    let mut sources = Sources::default();
    let file = sources.add(shown(path), output::read_text(path)?);
    Ok(parse_toml(&sources, file, &mut Vec::new()))
}

fn words(list: Option<&Node>) -> impl Iterator<Item = &str> {
    list.and_then(Node::as_list).into_iter().flatten().filter_map(|item| item.node.as_str())
}

/// Returns kind and digits of a public key, if it is one: what follows is a comment.
fn public_key(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (kind, digits) = (words.next()?, words.next()?);
    let is_kind = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@.".contains(&b));
    let is_key = digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    (is_kind && is_key && !kind.starts_with('@')).then(|| format!("{kind} {digits}"))
}

/// A file of known hosts that goes when it is dropped.
#[derive(Debug)]
pub(super) struct KnownHosts(PathBuf);

impl KnownHosts {
    fn of(host: &str, port: Option<u16>, keys: &[String]) -> Result<Self, Failure> {
        let name = match port {
            Some(port) if port != 22 => format!("[{host}]:{port}"),
            _ => host.to_owned(),
        };
        let text: String = keys.iter().map(|key| format!("{name} {key}\n")).collect();
        let nanoseconds = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        let unique = format!("hostwright-known-hosts-{}-{nanoseconds}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        let failed = |why: std::io::Error| Failure::new(format!("{} cannot be written: {why}", shown(&path)));
        // Never through something that lies there already.
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
        let known = Self(path.clone());
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(known)
    }
}

impl Drop for KnownHosts {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_known_hosts_holds_nothing_but_a_name_a_kind_and_digits() {
        assert_eq!(public_key("ssh-ed25519 AAAA+/= root@a").as_deref(), Some("ssh-ed25519 AAAA+/="));
        for bad in ["", "ssh-ed25519", "@cert-authority AAAA", "* AAAA", "ssh-ed25519 AA\u{7}AA", "a,b AAAA"] {
            assert_eq!(public_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn known_hosts_are_gone_when_nobody_needs_them() {
        let known = KnownHosts::of("192.0.2.10", Some(2222), &["ssh-ed25519 AAAA".to_owned()]).unwrap();
        let path = known.0.clone();
        assert!(path.exists());
        drop(known);
        assert!(!path.exists());
    }
}
