//! Words of definitions with a form of their own: names, paths, keys, ids.
//!
//! Each is checked when it is read, so that what later becomes an argument, a path or an attribute name is safe by its type:
//! none begins with `-`, none holds control characters, no path climbs.

mod external;
mod http_url;
mod lock_node;
mod service;
mod source_url;
mod ssh;
mod zfs_value;

pub use external::{ConfigurationPath, FlakeOutput, NixFile};
pub use lock_node::LockNode;
pub use service::{
    Capability, ContainerUser, CpuShare, EnvKey, EnvName, HeaderKey, HeaderName, ImageRef, RepositoryUrl, SysctlKey,
    SysctlName,
};
pub use source_url::{Forge, SourceUrl};
pub use ssh::{SshKeyword, SshValue, Target};
pub use zfs_value::{KeyLocation, Mountpoint, PropertyValue};

use super::decode::{Cx, Decode, MapKey, from_string};
use super::shape::{Scalar, Shape};
use crate::source::{Kind, Node, OWN_FOLDERS};
use crate::units::{is_host_name, lies_in};

/// Declares a string type whose form a function checks.
macro_rules! word {
    ($(#[$meta:meta])* $name:ident, $check:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(text).map(|()| Self(text.to_owned())).map_err(str::to_owned)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
use word;

const NAME: &str = "a name is lower-case letters, digits and inner hyphens, 63 characters at most";

/// Checks a name of hosts, disks, pools, interfaces, services, modules.
pub fn check_name(text: &str) -> Result<(), &'static str> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(inner) && text.bytes().next_back().is_some_and(inner);
    if ends && text.len() <= 63 && text.bytes().all(|b| inner(b) || b == b'-') { Ok(()) } else { Err(NAME) }
}

word! {
    /// A name: `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, 63 characters at most.
    Name, check_name
}

word! {
    /// An absolute path on the host, without `.` and `..` segments.
    AbsPath, |text| {
        let wanted = "an absolute path is wanted, without `..`, double slashes and control characters";
        let whole = text == "/" || (text.starts_with('/') && !text.ends_with('/'));
        let climbs = text.split('/').skip(1).any(|part| part == ".." || part == "." || (part.is_empty() && text != "/"));
        if whole && !climbs && !text.chars().any(char::is_control) { Ok(()) } else { Err(wanted) }
    }
}

impl AbsPath {
    /// Returns a path that is written in the program itself.
    pub(crate) fn known(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// Tells whether this path is `other` or lies below it.
    pub fn is_below(&self, other: &str) -> bool {
        lies_in(&self.0, other)
    }
}

word! {
    /// A disk's name below /dev/disk/by-id. Full device paths are read too: a rule says why they are wrong.
    DiskId, |text| {
        let wanted = "a disk's id is its name below /dev/disk/by-id, such as `ata-TOSHIBA_DT01ACA200_Z3T0ABCD`";
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"#+-.:=@_/\\".contains(&b);
        let plain = !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.bytes().all(fits);
        if plain && !text.split('/').any(|part| part == "..") { Ok(()) } else { Err(wanted) }
    }
}

word! {
    /// Eight hexadecimal digits (gethostid(3)), in lower case.
    HostId, |text| {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 8 && text.bytes().all(hex) { Ok(()) } else { Err("a host id is eight hexadecimal digits in lower case, such as `2487cd1f`") }
    }
}

word! {
    /// A path of attribute names below `pkgs`, such as `linuxPackages_6_12` or `kdePackages.kate`.
    PackageAttr, |text| {
        let start = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_'-".contains(&b);
        let part = |part: &str| part.bytes().next().is_some_and(start) && part.bytes().all(fits);
        if text.len() <= 200 && text.split('.').all(part) { Ok(()) } else { Err("an attribute of nixpkgs is wanted, such as `linuxPackages_6_12`") }
    }
}

word! {
    /// A path of NixOS option names, such as `services.gitea`.
    OptionPath, |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        let part = |part: &str| !part.is_empty() && part.bytes().all(fits);
        if text.len() <= 200 && text.split('.').all(part) { Ok(()) } else { Err("the path of a NixOS option is wanted, such as `services.gitea`") }
    }
}

word! {
    /// A path of attribute names among the outputs of a flake, such as `nixosModules.sops`.
    OutputPath, |text| {
        let start = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"_'-".contains(&b);
        let part = |part: &str| part.bytes().next().is_some_and(start) && part.bytes().all(fits);
        if text.len() <= 200 && text.split('.').all(part) { Ok(()) } else { Err("an output of a flake is wanted, such as `nixosModules.sops`") }
    }
}

word! {
    /// A name of a kernel module or of one word of a kernel's command line.
    KernelWord, |text| {
        let fits = |c: char| c.is_ascii_graphic();
        if !text.is_empty() && text.len() <= 255 && text.chars().all(fits) { Ok(()) } else { Err("one word without spaces is wanted") }
    }
}

word! {
    /// A dataset's name relative to its pool, such as `safe/gitea` (zfs(8)).
    DatasetName, |text| {
        let wanted = "a dataset's name is segments of letters, digits, `-`, `_`, `.`, `:` with `/` between them";
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        let part = |part: &str| part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && part.bytes().all(fits);
        if text.len() <= 200 && text.split('/').all(part) { Ok(()) } else { Err(wanted) }
    }
}

word! {
    /// A snapshot's name, the part after `@` (zfs(8)).
    SnapshotName, |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        let plain = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(fits);
        if plain && text.len() <= 100 { Ok(()) } else { Err("a snapshot's name is letters, digits, `-`, `_`, `.`, `:`, without `@`") }
    }
}

word! {
    /// Somebody who gets mail: an address, or an account of the host. It becomes part of files that shells read.
    MailAddress, |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        let (local, domain) = text.split_once('@').map_or((text, None), |(local, domain)| (local, Some(domain)));
        let plain = local.len() <= 64 && local.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && local.bytes().all(fits);
        if plain && domain.is_none_or(is_host_name) { Ok(()) } else { Err("a mail address is wanted, such as `admin@example.org`, or an account of the host") }
    }
}

word! {
    /// A pool's name (zpool-create(8)): begins with a letter, and is none of the words that vdevs are described with.
    PoolName, |text| {
        let wanted = "a pool's name begins with a letter, is lower-case letters, digits, `-`, and is none of `mirror`, `raidz…`, \
                      `draid…`, `spare…`, `log`";
        let reserved = ["mirror", "raidz", "draid", "spare"].iter().any(|word| text.starts_with(word)) || text == "log";
        let start = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if start && !reserved && check_name(text).is_ok() { Ok(()) } else { Err(wanted) }
    }
}

word! {
    /// A name below /dev/mapper (cryptsetup(8)).
    LuksName, |text| {
        let wanted = "the name of an open LUKS device is letters, digits, `-`, `_`, `.`, begins with a letter or digit, and has 64 \
                      characters at most";
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let start = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if start && text.len() <= 64 && text.bytes().all(fits) && text != "control" { Ok(()) } else { Err(wanted) }
    }
}

word! {
    /// A subvolume of btrfs by its path below the root of the file system. It becomes a mount option: no comma, no space.
    SubvolumeName, |text| {
        let wanted = "a subvolume is segments of letters, digits, `@`, `-`, `_`, `.` with `/` between them, such as `@home`";
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"@-_.".contains(&b);
        let start = |b: u8| b.is_ascii_alphanumeric() || b"@_".contains(&b);
        let part = |part: &str| part.bytes().next().is_some_and(start) && part.bytes().all(fits);
        if text.len() <= 200 && text.split('/').all(part) { Ok(()) } else { Err(wanted) }
    }
}

word! {
    /// A type of file system as mount(8) takes it.
    FsType, |text| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        let start = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if start && text.len() <= 63 && text.bytes().all(fits) { Ok(()) }
        else { Err("a type of file system is wanted, such as `tmpfs`, `nfs` or `bind`") }
    }
}

word! {
    /// What mount(8) mounts: a path, `server:/export`, `UUID=…`.
    MountSourceName, |text| {
        let plain = !text.is_empty() && text.len() <= 1024 && !text.starts_with('-');
        if plain && !text.chars().any(char::is_control) { Ok(()) }
        else { Err("what is mounted is a path, `server:/export` or `UUID=…`, and does not begin with `-`") }
    }
}

word! {
    /// A property of a pool or dataset (zpoolprops(7), zfsprops(7)), user properties with a colon included.
    PropertyName, |text| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"@_:.-".contains(&b);
        let plain = !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.bytes().all(fits);
        if plain { Ok(()) } else { Err("the name of a ZFS property is wanted, such as `compression`") }
    }
}

word! {
    /// An account name as `useradd` takes it.
    Account, |text| {
        let start = |b: u8| b.is_ascii_lowercase() || b == b'_';
        let fits = |b: u8| start(b) || b.is_ascii_digit() || b == b'-';
        if text.len() <= 31 && text.bytes().next().is_some_and(start) && text.bytes().all(fits) { Ok(()) }
        else { Err("an account is lower-case letters, digits, `-` and `_`, 31 characters at most") }
    }
}

word! {
    /// A DNS name.
    DnsName, |text| {
        if is_host_name(text) { Ok(()) } else { Err("a DNS name is wanted, such as `tulpa.dev`") }
    }
}

word! {
    /// Octal file permissions, `0750`.
    Mode, |text| {
        let octal = (text.len() == 3 || text.len() == 4) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        if octal { Ok(()) } else { Err("permissions are three or four octal digits in quotes: `\"0750\"`") }
    }
}

word! {
    /// A URL of http or https without spaces.
    HttpUrl, |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let fits = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(fits)) { Ok(()) }
        else { Err("a URL is wanted, such as `https://tulpa.dev/api/healthz`") }
    }
}

word! {
    /// A list of a channel's options below the fleet's folder: its options.json, plain or packed, or what `facts import` made of it.
    OptionsFile, |text| {
        let ends = [".json", ".json.br", ".json.zst", ".bin"].iter().any(|ending| text.ends_with(ending));
        if ends && lock_node::is_path(text) { Ok(()) }
        else { Err("a file below the fleet's folder is wanted: an options.json, .json.br or .json.zst, or the .bin that `hostwright facts import` writes") }
    }
}

word! {
    /// A file or folder below the fleet's folder that is copied into out/. Its characters are those of paths in the store.
    FleetPath, |text| {
        let wanted = "a file below the fleet's folder is wanted, such as `secrets/web.yaml`: letters, digits, `.`, `_`, `+`, `-`, and no `..`";
        let start = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        let part = |part: &str| part.bytes().next().is_some_and(start) && part.bytes().all(fits);
        if text.len() > 200 || !text.split('/').all(part) { return Err(wanted) }
        let first = text.split('/').next();
        if OWN_FOLDERS.iter().any(|own| first == Some(own)) {
            return Err("nothing is copied from out/, which hostwright writes, and from state/, which is private");
        }
        Ok(())
    }
}

from_string! {
    Name, "name", Some("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"), "a name, in quotes";
    AbsPath, "path", Some("^/"), "an absolute path, in quotes";
    DiskId, "disk id", None, "a disk's name below /dev/disk/by-id, in quotes";
    HostId, "8 hex", Some("^[0-9a-f]{8}$"), "eight hexadecimal digits, in quotes";
    PackageAttr, "package", None, "an attribute of nixpkgs, in quotes";
    OutputPath, "output", None, "an output of a flake, in quotes";
    SourceUrl, "source", None, "where the source comes from, in quotes: `github:OWNER/REPO`";
    OptionsFile, "file", None, "a file below the fleet's folder, in quotes: `facts/options-own.json.br`";
    FleetPath, "file", Some("^[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$"), "a file below the fleet's folder, in quotes: `secrets/web.yaml`";
    FlakeOutput, "flake", None, "a flake and a configuration in it, in quotes: `.#lufta`";
    NixFile, "file", None, "a Nix file below the fleet's folder, in quotes: `nixos/default.nix`";
    ConfigurationPath, "attribute", None, "the attribute of a NixOS configuration, in quotes: `lufta`";
    LockNode, "lock", None, "a node of a flake.lock, in quotes: `flake.lock#nixpkgs`";
    OptionPath, "option", None, "the path of a NixOS option, in quotes";
    KernelWord, "word", Some("^[!-~]+$"), "one word, in quotes";
    Account, "account", Some("^[a-z_][a-z0-9_-]{0,30}$"), "an account name, in quotes";
    DatasetName, "dataset", Some("^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9][A-Za-z0-9._:-]*)*$"), "a dataset, pool included, in quotes";
    SnapshotName, "snapshot", Some("^[A-Za-z0-9][A-Za-z0-9._:-]*$"), "a snapshot's name, in quotes";
    MailAddress, "mail address", None, "a mail address, in quotes";
    DnsName, "DNS name", None, "a DNS name, in quotes";
    Mode, "mode", Some("^[0-7]{3,4}$"), "octal permissions, in quotes: `\"0750\"`";
    HttpUrl, "url", Some("^https?://"), "a URL, in quotes";
    LuksName, "name", Some("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"), "a name below /dev/mapper, in quotes";
    FsType, "file system", Some("^[a-z0-9][a-z0-9_.-]*$"), "a type of file system, in quotes";
    MountSourceName, "mount source", Some("^[^-]"), "what is mounted, in quotes";
    Target, "target", None, "`[user@]host[:port]` or `local`, in quotes";
}

/// One port or a range of ports, `443` or `"8000-8010"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// The first port.
    pub first: u16,
    /// The last port, the first itself for a single one.
    pub last: u16,
}

impl Ports {
    /// Tells whether a port is among them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl Decode for Ports {
    fn shape() -> Shape {
        let range = Scalar {
            form: "\"a-b\"",
            json: "string",
            pattern: Some("^[0-9]+-[0-9]+$"),
            wanted: "a range `\"8000-8010\"`",
        };
        Shape::OneOf(vec![u16::shape(), Shape::Scalar(range)])
    }

    fn decode(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let wanted = "a port is `443`, a range of ports `\"8000-8010\"`";
        match &node.kind {
            Kind::Int(_) => u16::decode(node, cx).map(|port| Self { first: port, last: port }),
            Kind::Str(text) => {
                let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
                let ends = text.split_once('-').and_then(|(first, last)| Some((port(first)?, port(last)?)));
                match ends {
                    Some((first, last)) if first <= last => Some(Self { first, last }),
                    _ => cx.refused(node.place, text, wanted),
                }
            }
            _ => cx.invalid(node, wanted),
        }
    }
}

/// Declares what the names of a table may be.
macro_rules! map_keys {
    ($($(#[$meta:meta])* $name:ident => $type:ty, $pattern:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl MapKey for $name {
            fn check(name: &str) -> Result<(), String> {
                name.parse::<$type>().map(|_| ()).map_err(|wanted| wanted.to_string())
            }

            fn pattern() -> &'static str {
                $pattern
            }
        }
    )*};
}

map_keys! {
    /// Names of hosts, disks, interfaces, services, modules.
    NameKey => Name, "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
    /// Names of pools.
    PoolKey => PoolName, "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$";
    /// Names of datasets below their pool.
    DatasetKey => DatasetName, "^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9][A-Za-z0-9._:-]*)*$";
    /// Names of ZFS properties.
    PropertyKey => PropertyName, "^[a-z0-9@_:.][a-z0-9@_:.-]*$";
    /// Account names.
    AccountKey => Account, "^[a-z_][a-z0-9_-]{0,30}$";
    /// Subvolumes of btrfs.
    SubvolumeKey => SubvolumeName, "^[A-Za-z0-9@_][A-Za-z0-9@_.-]*(/[A-Za-z0-9@_][A-Za-z0-9@_.-]*)*$";
    /// Absolute paths, as names of tables.
    PathKey => AbsPath, "^/";
    /// Addresses, as names of tables.
    AddressKey => std::net::IpAddr, "^[0-9A-Fa-f.:]+$";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_become_options_or_climb_are_refused() {
        for bad in ["", "-a", "a-", "..", "a..b", "a/b", "A", "a b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        for bad in ["/a/../b", "a", "/a/", "//", "/a//b", "/a\nb", "/."] {
            assert!(bad.parse::<AbsPath>().is_err(), "{bad}");
        }
        for bad in ["-oProxyCommand=x", "root@-x", "a b", "ro ot@h", "", "x@", "h:0"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
        for bad in ["mirror1", "raidz", "log", "0pool", "spare"] {
            assert!(bad.parse::<PoolName>().is_err(), "{bad}");
        }
        for bad in [
            "github:a",
            "github:a/b/main",
            "github:a/../b",
            "gitlab:-a/b",
            "https://x.org/a",
            "http://x.org/a.zip",
            "path:/a",
            "a",
        ] {
            assert!(bad.parse::<SourceUrl>().is_err(), "{bad}");
        }
        for good in ["github:Mic92/sops-nix", "gitlab:rycee/nur-expressions", "https://x.org/a-1.2.tar.gz"] {
            assert_eq!(good.parse::<SourceUrl>().map(|url| url.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "#nixpkgs",
            "/flake.lock",
            "../flake.lock#a",
            "a/../b",
            "-a.lock",
            "a\\b",
            "flake.lock#",
            "a#b\nc",
            "./a",
        ] {
            assert!(bad.parse::<LockNode>().is_err(), "{bad}");
        }
        for good in ["flake.lock", "flake.lock#nixpkgs", "nix/flake.lock#nixpkgs_2"] {
            assert_eq!(good.parse::<LockNode>().map(|lock| lock.to_string()).as_deref(), Ok(good));
        }
        for bad in ["options.xml", "/options.json", "../options.json", ".json/", "-x.json", "a//options.json"] {
            assert!(bad.parse::<OptionsFile>().is_err(), "{bad}");
        }
        assert!(
            ["options.json", "facts/own.json.br", "a b/x.bin"].iter().all(|good| good.parse::<OptionsFile>().is_ok())
        );
        for bad in [
            "",
            "/a",
            "../a",
            "a/../b",
            "a//b",
            "a/",
            ".a",
            "a/.b",
            "-a",
            "a b",
            "${x}",
            "é",
            "state/web/secrets/x",
            "out/a",
            "out",
        ] {
            assert!(bad.parse::<FleetPath>().is_err(), "{bad}");
        }
        assert!(
            ["a", "secrets/web.yaml", "hosts/web/site", "state.toml", "outer/x"]
                .iter()
                .all(|good| good.parse::<FleetPath>().is_ok())
        );
        for bad in ["", "-a", "a b", "a/b", "control", "é", "$(x)", ".."] {
            assert!(bad.parse::<LuksName>().is_err(), "{bad}");
        }
        for bad in ["", "-a", "a b", "/a", "a/", "a//b", "..", "a/../b", "a,b", "$(x)", "é"] {
            assert!(bad.parse::<SubvolumeName>().is_err(), "{bad}");
        }
        assert!("@home".parse::<SubvolumeName>().is_ok() && "system/nix".parse::<SubvolumeName>().is_ok());
        assert!("root@[2001:db8::1]:2222".parse::<Target>().is_ok() && "2001:db8::1".parse::<Target>().is_ok());
    }

    #[test]
    fn names_of_zfs_hold_nothing_that_a_shell_or_zfs_reads_otherwise() {
        for bad in ["", "a@b", "a#b", "/a", "a/", "a//b", "a b", "ä", "$(a)", "a;b", "-a", "a/-b", "a'", "a\nb"] {
            assert!(bad.parse::<DatasetName>().is_err(), "{bad}");
            assert!(bad.parse::<SnapshotName>().is_err(), "{bad}");
        }
        for bad in ["", "a b@c.de", "$(a)@b.de", "a@", "@b.de", "\"a\"@b.de", "a@b.de,c@d.de", "-a@b.de"] {
            assert!(bad.parse::<MailAddress>().is_err(), "{bad}");
        }
        assert!("root".parse::<MailAddress>().is_ok() && "zed+pool@example.org".parse::<MailAddress>().is_ok());
        assert!("safe/a.b:c_d-1".parse::<DatasetName>().is_ok() && "blank".parse::<SnapshotName>().is_ok());
    }

    #[test]
    fn a_path_lies_below_itself_and_its_parents_only() {
        let path: AbsPath = "/var/lib".parse().unwrap();
        assert!(path.is_below("/") && path.is_below("/var") && path.is_below("/var/lib"));
        assert!(!path.is_below("/va") && !path.is_below("/var/lib/x"));
    }
}
