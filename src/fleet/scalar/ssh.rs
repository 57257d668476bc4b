//! Where a host is reached over ssh, through whom, and with which further settings in ssh_config's words.

use std::fmt;
use std::str::FromStr;

use super::Account;
use crate::fleet::decode::{MapKey, from_string};
use crate::units::{SocketAddress, is_host_name};

/// Keywords that decide who is reached, whose key is believed, or what is run: the definition has keys of its own for these, or
/// nobody may change them.
const REFUSED: &[&str] = &[
    "checkhostip",
    "forkafterauthentication",
    "globalknownhostsfile",
    "host",
    "hostkeyalias",
    "hostname",
    "include",
    "knownhostscommand",
    "localcommand",
    "match",
    "nohostauthenticationforlocalhost",
    "permitlocalcommand",
    "pkcs11provider",
    "port",
    "proxycommand",
    "proxyjump",
    "proxyusefdpass",
    "remotecommand",
    "requesttty",
    "securitykeyprovider",
    "sessiontype",
    "stdinnull",
    "stricthostkeychecking",
    "updatehostkeys",
    "user",
    "userknownhostsfile",
    "verifyhostkeydns",
    "xauthlocation",
];

/// Keywords of ssh_config(5) that a definition may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SshKeyword;

impl MapKey for SshKeyword {
    fn check(name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("a keyword of ssh_config is wanted, such as `IdentityFile`".to_owned());
        }
        if REFUSED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(
                "whom ssh reaches, whose key it believes and what it runs is not an option: `target`, `jump` and \
                        `access.host-keys` say it"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn pattern() -> &'static str {
        "^[A-Za-z0-9]{1,64}$"
    }
}

/// A value of ssh_config(5): one word, so that it stays one in every list of options that it is put into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshValue(String);

impl FromStr for SshValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_graphic() && !"\"'`\\$".contains(c);
        if !text.is_empty() && text.len() <= 255 && text.chars().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err("one word is wanted, without spaces, quotes, `$` and backslashes".to_owned())
    }
}

impl fmt::Display for SshValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

from_string! {
    SshValue, "ssh option", Some("^[!-~]+$"), "one word, in quotes";
}

/// Where a host is reached: `[user@]host[:port]`, or the deployer itself. Never begins with `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The machine hostwright runs on.
    Local,
    /// Over ssh.
    Ssh {
        /// Account; ssh's own choice when absent.
        user: Option<Account>,
        /// Address or name, without brackets.
        host: String,
        /// TCP port; 22 or what ssh_config says when absent.
        port: Option<u16>,
    },
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "a target is `[user@]host[:port]`, such as `root@192.0.2.10`, or `local`".to_owned();
        if text == "local" {
            return Ok(Self::Local);
        }
        let (user, rest) = match text.split_once('@') {
            Some((user, rest)) => (Some(user.parse().map_err(|_| wanted())?), rest),
            None => (None, text),
        };
        if let Ok(address) = rest.parse::<SocketAddress>() {
            return Ok(Self::Ssh { user, host: address.host, port: Some(address.port) });
        }
        let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
        let known = bare.parse::<std::net::IpAddr>().is_ok() || is_host_name(bare);
        if known { Ok(Self::Ssh { user, host: bare.to_owned(), port: None }) } else { Err(wanted()) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Ssh { user, host, port } => {
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                match port {
                    Some(port) if host.contains(':') => write!(f, "[{host}]:{port}"),
                    Some(port) => write!(f, "{host}:{port}"),
                    None => f.write_str(host),
                }
            }
        }
    }
}

impl Target {
    /// Returns it as a jump host, as `ssh -J` takes it; none for the deployer itself, which is no jump.
    pub fn jump_word(&self) -> Option<String> {
        let Self::Ssh { user, host, port } = self else { return None };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{user}{host}{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_cannot_change_whom_ssh_reaches_or_what_it_runs() {
        for bad in
            ["ProxyCommand", "proxycommand", "StrictHostKeyChecking", "LocalCommand", "Include", "", "a b", "-o", "A=b"]
        {
            assert!(SshKeyword::check(bad).is_err(), "{bad}");
        }
        assert!(SshKeyword::check("IdentityFile").is_ok());
        for bad in ["", "a b", "a\nProxyCommand=x", "$(x)", "`x`", "a'b", "\"", "\\", "é"] {
            assert!(bad.parse::<SshValue>().is_err(), "{bad}");
        }
        assert!("~/.ssh/id_%h".parse::<SshValue>().is_ok());
    }

    #[test]
    fn a_jump_host_is_written_as_ssh_reads_it() {
        let word = |text: &str| text.parse::<Target>().unwrap().jump_word();
        assert_eq!(word("root@[2001:db8::1]:2222").as_deref(), Some("root@[2001:db8::1]:2222"));
        assert_eq!(word("2001:db8::1").as_deref(), Some("[2001:db8::1]"));
        assert_eq!(word("a.example.org").as_deref(), Some("a.example.org"));
        assert_eq!(word("local"), None);
    }
}
