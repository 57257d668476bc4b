//! module.toml: a service module or a profile.

use super::services::Protocol;
use crate::fleet::decode::{Setting, choice, table};
use crate::fleet::scalar::{AbsPath, Account, Mode, Name, OptionPath, PackageAttr};
use crate::source::{Node, Spanned};
use crate::units::Size;

choice! {
    /// What a module is.
    pub enum ModuleKind {
        /// Describes a service.
        Service = "service",
        /// Settings to merge into hosts.
        Profile = "profile",
    }
}

table! {
    /// The whole of a module.toml.
    pub struct ModuleFile {
        /// What it is.
        "kind" => kind: Spanned<ModuleKind>,
        /// What it is for, in one sentence.
        "summary" => summary: Spanned<String>,
        /// Where the software lives.
        "homepage" => homepage: Option<Spanned<String>>,
        /// The NixOS option prefix it stands on; `enable` below it is set.
        "prefix" => prefix: Option<Spanned<OptionPath>>,
        /// The nixpkgs attribute whose version matters.
        "package" => package: Option<Spanned<PackageAttr>>,
        /// Settings to merge, as a host.toml.
        "host" => host: Option<Node>,
        /// Ports that the service listens on.
        "ports" => ports: Vec<ModulePort>,
        /// Directories that hold its state.
        "state" => state: Vec<ModuleState>,
        /// Its account.
        "user" => user: Option<Spanned<Account>>,
        /// Its group.
        "group" => group: Option<Spanned<Account>>,
        /// Memory it is known to need.
        "sizing" => sizing: Option<Sizing>,
    }
    later {
        "uid", "gid", "requires", "provides", "health", "ready", "secrets", "images", "volumes", "env", "files", "args", "data"
    }
}

choice! {
    /// Whom a port is for.
    pub enum Exposure {
        /// Everybody.
        Public = "public",
        /// Other programs on the host.
        Local = "local",
        /// The people who run the host.
        Admin = "admin",
    }
}

table! {
    /// A port of a service.
    pub struct ModulePort {
        /// What it is for.
        "name" => name: Spanned<Name>,
        /// The port when no option moves it.
        "port" => port: Spanned<u16>,
        /// Its protocol.
        "proto" => proto: Setting<Protocol> = Protocol::Tcp,
        /// The option below the prefix that moves it.
        "option" => option: Option<Spanned<OptionPath>>,
        /// The option below the prefix that holds the address it listens on.
        "listen-option" => listen_option: Option<Spanned<OptionPath>>,
        /// The address it listens on when no option moves it; every address when absent.
        "listen" => listen: Option<Spanned<std::net::IpAddr>>,
        /// Whom it is for.
        "exposure" => exposure: Setting<Exposure> = Exposure::Local,
    }
}

choice! {
    /// What kind of state a directory holds.
    pub enum StateKind {
        /// Data of people.
        Data = "data",
        /// A database's files.
        Database = "database",
        /// What can be made again.
        Cache = "cache",
        /// Settings that the program writes itself.
        Config = "config",
    }
}

table! {
    /// A directory with state.
    pub struct ModuleState {
        /// Where it is when no option moves it.
        "path" => path: Spanned<AbsPath>,
        /// The option below the prefix that moves it.
        "option" => option: Option<Spanned<OptionPath>>,
        /// Its owner.
        "owner" => owner: Option<Spanned<Account>>,
        /// Its group.
        "group" => group: Option<Spanned<Account>>,
        /// Its permissions.
        "mode" => mode: Option<Spanned<Mode>>,
        /// What it holds.
        "kind" => kind: Setting<StateKind> = StateKind::Data,
        /// Whether it belongs into a backup.
        "backup" => backup: Setting<bool> = true,
        /// Whether it can be made again.
        "rebuildable" => rebuildable: Setting<bool> = false,
    }
}

table! {
    /// What a service is known to need.
    pub struct Sizing {
        /// Memory.
        "memory" => memory: Option<Spanned<Size>>,
    }
}
