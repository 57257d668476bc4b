//! Where a repository is: the machine and port that a backup program connects to.

use crate::fleet::schema::backup::BackupKind;

/// The place of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder of the machine that asks.
    Folder,
    /// A port of a machine.
    Port {
        /// Its name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A service of many machines, whose addresses nobody can tell beforehand.
    Many,
}

/// Returns the place of a repository, as borg(1) and restic's manual ("Preparing a new repository") write it.
pub(super) fn place(kind: BackupKind, repository: &str) -> Option<Place> {
    match kind {
        BackupKind::Borg => match repository.split_once("://") {
            Some(("ssh", rest)) => at(rest, 22),
            Some(("file", _)) => Some(Place::Folder),
            Some(_) => None,
            None => by_ssh(repository),
        },
        BackupKind::Restic => {
            let Some((scheme, rest)) = repository.split_once(':').filter(|_| !repository.starts_with('/')) else {
                return Some(Place::Folder);
            };
            match scheme {
                "sftp" => match rest.strip_prefix("//") {
                    Some(rest) => at(rest, 22),
                    None => by_ssh(rest),
                },
                "rest" => by_http(rest),
                "s3" if rest.contains("://") => by_http(rest),
                "s3" => at(rest, 443),
                "local" => Some(Place::Folder),
                "b2" | "azure" | "gs" | "swift" | "rclone" => Some(Place::Many),
                _ => None,
            }
        }
        BackupKind::Zrepl | BackupKind::Syncoid => None,
    }
}

fn by_http(url: &str) -> Option<Place> {
    match url.split_once("://")? {
        ("https", rest) => at(rest, 443),
        ("http", rest) => at(rest, 80),
        _ => None,
    }
}

/// Reads `[user@]host:path`; what has a slash before its first colon is a path.
fn by_ssh(text: &str) -> Option<Place> {
    match text.split_once(':') {
        Some((host, _)) if !host.contains('/') => at(host, 22),
        _ => Some(Place::Folder),
    }
}

/// Reads `[user[:password]@]host[:port][/path]`.
fn at(text: &str, usual: u16) -> Option<Place> {
    let authority = text.split('/').next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.filter(|port| !port.is_empty()).map_or(Some(usual), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| Place::Port { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_repository_is_read_as_its_program_reads_it() {
        let port = |host: &str, port| Some(Place::Port { host: host.to_owned(), port });
        for (kind, text, wanted) in [
            (BackupKind::Borg, "ssh://u@host.example.org:2222/./repo", port("host.example.org", 2222)),
            (BackupKind::Borg, "ssh://host/repo", port("host", 22)),
            (BackupKind::Borg, "1234@host.example.org:lufta", port("host.example.org", 22)),
            (BackupKind::Borg, "/srv/backup", Some(Place::Folder)),
            (BackupKind::Borg, "/srv/with:colon", Some(Place::Folder)),
            (BackupKind::Borg, "http://host/x", None),
            (BackupKind::Restic, "/srv/backup", Some(Place::Folder)),
            (BackupKind::Restic, "sftp:u@host:path", port("host", 22)),
            (BackupKind::Restic, "sftp://u@host:2022//path", port("host", 2022)),
            (BackupKind::Restic, "sftp://u@[2001:db8::1]:2022//path", port("2001:db8::1", 2022)),
            (BackupKind::Restic, "rest:https://u:p@host:8000/x", port("host", 8000)),
            (BackupKind::Restic, "rest:http://host/x", port("host", 80)),
            (BackupKind::Restic, "rest:https://host/x", port("host", 443)),
            (BackupKind::Restic, "s3:s3.example.org/bucket", port("s3.example.org", 443)),
            (BackupKind::Restic, "s3:http://host:9000/bucket", port("host", 9000)),
            (BackupKind::Restic, "b2:bucket:path", Some(Place::Many)),
            (BackupKind::Restic, "unknown:x", None),
            (BackupKind::Restic, "rest:http://host:no/x", None),
            (BackupKind::Restic, "rest:http://:80/x", None),
            (BackupKind::Zrepl, "host:8888", None),
        ] {
            assert_eq!(place(kind, text), wanted, "{text}");
        }
    }
}
