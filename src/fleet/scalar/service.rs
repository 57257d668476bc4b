//! Words of services: images, variables, capabilities, CPU shares.

use std::fmt;
use std::str::FromStr;

use super::word;
use crate::fleet::decode::{MapKey, from_string};

/// A container image by name, with a tag, a digest, or both (the grammar of the Distribution project's `reference`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRef {
    /// Registry and path, as written: `ghcr.io/home-assistant/home-assistant`, `postgres`.
    pub name: String,
    /// What follows `:`.
    pub tag: Option<String>,
    /// What follows `@`, `sha256:` and 64 digits.
    pub digest: Option<String>,
}

const IMAGE: &str = "an image is wanted with its tag and digest: `docker.io/library/redis:7.4@sha256:…`";

impl FromStr for ImageRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the port of a registry.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let digest_fits = |digest: &str| {
            digest.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex))
        };
        let tag_fits = |tag: &str| {
            tag.len() <= 128
                && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
                && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        };
        if !is_image_name(name) || !tag.is_none_or(tag_fits) {
            return Err(IMAGE.to_owned());
        }
        if !digest.is_none_or(digest_fits) {
            return Err("the digest of an image is `sha256:` and 64 hexadecimal digits".to_owned());
        }
        if tag.is_none() && digest.is_none() {
            return Err(format!("without a tag it is whatever `latest` is on the day; {IMAGE}"));
        }
        Ok(Self { name: name.to_owned(), tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }
}

impl ImageRef {
    /// Returns the registry that the name begins with, without its port; none where podman's own list of registries says it.
    pub fn registry(&self) -> Option<&str> {
        let (registry, _) = split_registry(&self.name)?;
        Some(registry.split_once(':').map_or(registry, |(host, _)| host))
    }
}

/// Splits a name that begins with a registry, which a dot, a port or `localhost` tells from the first folder of a path.
fn split_registry(name: &str) -> Option<(&str, &str)> {
    name.split_once('/').filter(|(first, _)| first.contains(['.', ':']) || *first == "localhost")
}

/// Tells whether a text is `[registry[:port]/]path`.
fn is_image_name(name: &str) -> bool {
    let part = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        part.bytes().next().is_some_and(inner)
            && part.bytes().next_back().is_some_and(inner)
            && part.bytes().all(|b| inner(b) || b"._-".contains(&b))
    };
    let registry = |text: &str| {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        crate::units::is_host_name(host) && port.is_none_or(|port| port.parse::<u16>().is_ok())
    };
    if name.len() > 255 {
        return false;
    }
    match split_registry(name) {
        Some((first, rest)) => registry(first) && rest.split('/').all(part),
        None => name.split('/').all(part),
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

word! {
    /// The name of an environment variable (environ(7), as systemd takes it).
    EnvName, |text| {
        let start = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let fits = text.bytes().all(|b| start(b) || b.is_ascii_digit());
        if text.len() <= 255 && text.bytes().next().is_some_and(start) && fits { Ok(()) }
        else { Err("a variable's name is letters, digits and `_`, and does not begin with a digit") }
    }
}

word! {
    /// The name of an HTTP header (RFC 9110, section 5.1).
    HeaderName, |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !text.is_empty() && text.len() <= 100 && text.bytes().all(fits) { Ok(()) }
        else { Err("a header's name is letters, digits and `-`, such as `X-Frame-Options`") }
    }
}

word! {
    /// A capability of Linux without its prefix (capabilities(7)).
    Capability, |text| {
        let name = text.strip_prefix("CAP_").unwrap_or(text);
        let fits = |b: u8| b.is_ascii_uppercase() || b == b'_';
        if !name.is_empty() && name.len() <= 40 && name.bytes().all(fits) { Ok(()) }
        else { Err("a capability is written as capabilities(7) has it: `NET_ADMIN`, or `ALL`") }
    }
}

word! {
    /// Processors that may be kept busy, as a decimal number: `1.5`.
    CpuShare, |text| {
        let fits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let value = text.parse::<f64>().ok().filter(|value| (0.01..=1024.0).contains(value));
        if fits && value.is_some() { Ok(()) } else { Err("processors are a decimal number in quotes: `\"0.5\"`, `\"2\"`") }
    }
}

impl CpuShare {
    /// Returns systemd's CPUQuota: percent of one processor.
    pub fn percent(&self) -> u32 {
        let value = self.as_str().parse::<f64>().unwrap_or(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0.01 and 1024")]
        let percent = (value * 100.0).round() as u32;
        percent.max(1)
    }
}

word! {
    /// A user and group within a container, by number or name: `1000:1000`.
    ContainerUser, |text| {
        let fits = |part: &str| {
            !part.is_empty() && part.len() <= 31 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) && !part.starts_with('-')
        };
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        if fits(user) && group.is_none_or(fits) { Ok(()) }
        else { Err("a user of a container is `uid:gid`, such as `\"1000:1000\"`") }
    }
}

word! {
    /// A parameter of the kernel below /proc/sys that a container may set for itself (sysctl(8)).
    SysctlName, |text| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if text.contains('.') && text.len() <= 200 && text.bytes().all(fits) && text.starts_with(|c: char| c.is_ascii_alphabetic()) { Ok(()) }
        else { Err("a parameter of the kernel is wanted, such as `net.core.somaxconn`") }
    }
}

word! {
    /// The folder of a program within a repository for backups or its address: no spaces, no control characters, no leading `-`.
    RepositoryUrl, |text| {
        let fits = |c: char| c.is_ascii_graphic() && !"\"'`$\\;|&<>".contains(c);
        if !text.is_empty() && text.len() <= 500 && !text.starts_with('-') && text.chars().all(fits) { Ok(()) }
        else { Err("a repository is wanted, such as `1234@host.example.org:lufta`, `s3:s3.example.org/bucket` or `/srv/backup`") }
    }
}

from_string! {
    ImageRef, "image", None, "a container image, in quotes: `\"docker.io/library/redis:7.4@sha256:…\"`";
    EnvName, "variable", Some("^[A-Za-z_][A-Za-z0-9_]*$"), "a variable's name, in quotes";
    HeaderName, "header", Some("^[A-Za-z0-9-]+$"), "a header's name, in quotes";
    Capability, "capability", Some("^(CAP_)?[A-Z_]+$"), "a capability, in quotes: `\"NET_ADMIN\"`";
    CpuShare, "\"1.5\"", Some("^[0-9.]+$"), "processors as a decimal number, in quotes: `\"1.5\"`";
    ContainerUser, "\"uid:gid\"", Some("^[A-Za-z0-9_][A-Za-z0-9_-]*(:[A-Za-z0-9_][A-Za-z0-9_-]*)?$"), "a user and group, in quotes: `\"1000:1000\"`";
    RepositoryUrl, "repository", None, "a repository, in quotes";
}

/// Implements [`MapKey`] for words.
macro_rules! keys {
    ($($name:ident => $type:ty, $about:literal, $pattern:literal;)*) => {$(
        #[doc = $about]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name;

        impl MapKey for $name {
            fn check(name: &str) -> Result<(), String> {
                name.parse::<$type>().map(|_| ())
            }

            fn pattern() -> &'static str {
                $pattern
            }
        }
    )*};
}

keys! {
    EnvKey => EnvName, "Environment variables, as names of tables.", "^[A-Za-z_][A-Za-z0-9_]*$";
    HeaderKey => HeaderName, "HTTP headers, as names of tables.", "^[A-Za-z0-9-]+$";
    SysctlKey => SysctlName, "Parameters of the kernel, as names of tables.", "^[A-Za-z][A-Za-z0-9._-]*$";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_from_its_registry_tag_and_digest() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, name, tag, pinned) in [
            ("redis:7.4", "redis", Some("7.4"), false),
            ("localhost:5000/a/b:1", "localhost:5000/a/b", Some("1"), false),
            (&format!("ghcr.io/x/y:v1.2@{digest}"), "ghcr.io/x/y", Some("v1.2"), true),
            (&format!("registry.example.org:5000/x@{digest}"), "registry.example.org:5000/x", None, true),
        ] {
            let image: ImageRef = text.parse().unwrap();
            assert_eq!((image.name.as_str(), image.tag.as_deref(), image.digest.is_some()), (name, tag, pinned));
            assert_eq!(image.to_string(), text);
        }
        for text in [
            "redis",
            "Redis:1",
            "a b:1",
            "-a:1",
            "a:-1",
            "a@sha256:00",
            "a:1@md5:0",
            "",
            ":1",
            "a/:1",
            "a//b:1",
            "$(x):1",
        ] {
            assert!(text.parse::<ImageRef>().is_err(), "{text}");
        }
        assert!("redis".parse::<ImageRef>().unwrap_err().starts_with("without a tag"));
    }

    #[test]
    fn shares_of_processors_are_percent_of_one() {
        for (text, percent) in [("1.5", 150), ("0.01", 1), ("2", 200)] {
            assert_eq!(text.parse::<CpuShare>().unwrap().percent(), percent);
        }
        for text in ["", "0", "-1", "1e3", "nan", "1.5 "] {
            assert!(text.parse::<CpuShare>().is_err(), "{text}");
        }
    }
}
