//! Where a further source comes from.

use std::fmt;
use std::str::FromStr;

use super::HttpUrl;

/// Where a source comes from, its commit left out: a repository of a forge, or an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceUrl {
    /// A repository of a forge whose commits can be fetched as archives.
    Forge {
        /// Which forge.
        forge: Forge,
        /// Whose it is.
        owner: String,
        /// Its name.
        repo: String,
    },
    /// An archive that never changes.
    Archive(String),
}

/// A forge whose commits can be fetched as archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// github.com.
    Github,
    /// gitlab.com.
    Gitlab,
}

impl Forge {
    /// Returns the scheme of its flake references, which is also its type in a flake.lock.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
        }
    }
}

impl FromStr for SourceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "a source is `github:OWNER/REPO`, `gitlab:OWNER/REPO` or the https URL of an archive; its commit stands in `rev`";
        let part = |part: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') && part.bytes().all(fits)
        };
        let forge = |forge, path: &str| match path.split_once('/') {
            Some((owner, repo)) if path.len() <= 200 && part(owner) && part(repo) => {
                Some(Self::Forge { forge, owner: owner.to_owned(), repo: repo.to_owned() })
            }
            _ => None,
        };
        let source = if let Some(path) = text.strip_prefix("github:") {
            forge(Forge::Github, path)
        } else if let Some(path) = text.strip_prefix("gitlab:") {
            forge(Forge::Gitlab, path)
        } else {
            let endings = [".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tar", ".zip"];
            let archive = text.starts_with("https://") && endings.iter().any(|ending| text.ends_with(ending));
            (archive && text.parse::<HttpUrl>().is_ok()).then(|| Self::Archive(text.to_owned()))
        };
        source.ok_or_else(|| wanted.to_owned())
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forge { forge, owner, repo } => write!(f, "{}:{owner}/{repo}", forge.as_str()),
            Self::Archive(url) => f.write_str(url),
        }
    }
}
