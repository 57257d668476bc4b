//! Who may log in.

use std::net::IpAddr;

use crate::fleet::decode::{Named, Setting, choice, table};
use crate::fleet::scalar::{AbsPath, Account, AccountKey, PackageAttr};
use crate::fleet::words::SecretName;
use crate::source::Spanned;

table! {
    /// Who may log in.
    pub struct Access {
        /// ssh public keys of root.
        "root-keys" => root_keys: Vec<Spanned<String>>,
        /// The ssh server.
        "ssh" => ssh: Option<Ssh>,
        /// ssh public host keys that the deployer must see.
        "host-keys" => host_keys: Vec<Spanned<String>>,
        /// Accounts, by name.
        "users" => users: Named<AccountKey, User>,
    }
}

choice! {
    /// How root may log in (sshd_config(5), `PermitRootLogin`).
    pub enum RootLogin {
        /// Not at all.
        No = "no",
        /// With a key.
        ProhibitPassword = "prohibit-password",
        /// In any way.
        Yes = "yes",
    }
}

table! {
    /// The ssh server.
    pub struct Ssh {
        /// Whether it runs.
        "enable" => enable: Setting<bool> = true,
        /// Its TCP port.
        "port" => port: Setting<u16> = 22u16,
        /// How root may log in.
        "root-login" => root_login: Setting<RootLogin> = RootLogin::ProhibitPassword,
        /// Whether passwords are accepted.
        "password" => password: Setting<bool> = false,
        /// Addresses it listens on; all when empty.
        "listen" => listen: Vec<Spanned<IpAddr>>,
    }
}

table! {
    /// An account.
    pub struct User {
        /// ssh public keys.
        "keys" => keys: Vec<Spanned<String>>,
        /// Numeric id.
        "uid" => uid: Option<Spanned<u32>>,
        /// Further groups.
        "groups" => groups: Vec<Spanned<Account>>,
        /// Whether it may become root.
        "sudo" => sudo: Setting<bool> = false,
        /// Whether sudo asks for the password.
        "sudo-password" => sudo_password: Setting<bool> = true,
        /// Login shell.
        "shell" => shell: Option<Spanned<PackageAttr>>,
        /// Home directory.
        "home" => home: Option<Spanned<AbsPath>>,
        /// Whether it is an account of a service and not of a person.
        "system" => system: Setting<bool> = false,
        /// The hash of the password, by the name of its secret.
        "password" => password: Option<Spanned<SecretName>>,
    }
}
