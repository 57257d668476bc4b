//! Who owns what a pod writes: its security context, the accounts that images are told, init containers that do nothing else.

use super::super::Workload;
use crate::kubernetes::claims::Rights;
use crate::kubernetes::tree::Node;

impl Rights {
    /// Returns these, with what they do not say taken from others.
    pub(super) fn over(&self, other: &Self) -> Self {
        Self {
            owner: self.owner.clone().or_else(|| other.owner.clone()),
            group: self.group.clone().or_else(|| other.group.clone()),
            mode: self.mode.clone().or_else(|| other.mode.clone()),
        }
    }
}

/// Returns who owns what a container writes.
///
/// The container's security context counts before the pod's. Images that change their user at the start are told by `PUID` and
/// `PGID` which one it is. With `fsGroup` Kubernetes gives volumes to a group and lets it write.
pub(super) fn of_container(workload: &Workload<'_, '_>, container: &Node<'_>) -> Rights {
    let number = |key: &str| {
        let own = container.at(&["securityContext", key]);
        own.or_else(|| workload.spec.at(&["securityContext", key])).and_then(Node::int).and_then(account)
    };
    let told = |name: &str| {
        let all = container.list("env").iter();
        let variable = all.rev().find(|variable| variable.get("name").and_then(Node::text) == Some(name))?;
        variable.get("value")?.text()?.trim().parse().ok().and_then(account)
    };
    let group = workload.spec.at(&["securityContext", "fsGroup"]).and_then(Node::int).and_then(account);
    let mode = group.as_ref().map(|_| "2770".to_owned());
    let run_as = number("runAsUser");
    // Only what starts as root can change its user.
    let owner =
        run_as.clone().filter(|owner| owner != "0").or_else(|| told("PUID")).or(run_as.filter(|_| mode.is_some()));
    let own_group = told("PGID").or_else(|| number("runAsGroup")).filter(|_| owner.is_some());
    Rights { owner, group: group.or(own_group), mode }
}

/// Returns an account's number; none for what is none.
fn account(number: i64) -> Option<String> {
    u32::try_from(number).ok().map(|number| number.to_string())
}

/// A directory of a volume that an init container makes or gives away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kubernetes::translate::pod) struct Owned {
    /// The volume, by name.
    pub volume: String,
    /// The path within the volume; empty for all of it.
    pub below: String,
    /// Who gets it.
    pub rights: Rights,
}

/// Returns what an init container makes or gives away, where it does nothing else: then the owner of the state replaces it.
///
/// Only numbers are understood, and only paths within its volumes: names are those of the image.
pub(in crate::kubernetes::translate::pod) fn is_ownership_only(container: &Node<'_>) -> Option<Vec<Owned>> {
    let words = |key: &str| -> Option<Vec<&str>> { container.list(key).iter().map(Node::text).collect() };
    let mut all = words("command")?;
    if all.is_empty() {
        return None;
    }
    all.extend(words("args")?);
    let (program, rest) = all.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let mut owned: Vec<Owned> = Vec::new();
    if matches!(name, "sh" | "bash" | "ash" | "dash") {
        let [flags, script] = rest else { return None };
        if !flags.starts_with('-') || !flags.ends_with('c') || script.contains("||") {
            return None;
        }
        for line in script.split(['\n', ';']).flat_map(|line| line.split("&&")).map(str::trim) {
            if line.is_empty() || line.starts_with('#') || matches!(line, "set -e" | "set -ex" | "set -x" | "set -eux")
            {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().map(unquoted).collect::<Option<_>>()?;
            statement(container, &words, &mut owned)?;
        }
    } else {
        statement(container, &all, &mut owned)?;
    }
    if owned.is_empty() { None } else { Some(owned) }
}

/// Returns a word of a script that means itself; none for one that a shell would read.
fn unquoted(word: &str) -> Option<&str> {
    let inner = |quote: char| word.strip_prefix(quote).and_then(|word| word.strip_suffix(quote));
    let plain = inner('"').or_else(|| inner('\'')).unwrap_or(word);
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-:,+=@".contains(c);
    (!plain.is_empty() && plain.chars().all(fits)).then_some(plain)
}

/// Adds what one command makes or gives away; none where it does anything else.
fn statement(container: &Node<'_>, words: &[&str], owned: &mut Vec<Owned>) -> Option<()> {
    let (program, rest) = words.split_first()?;
    let mut plain = rest.iter().copied().filter(|word| !word.starts_with('-'));
    let rights = match program.rsplit('/').next()? {
        "chown" => {
            let spec = plain.next()?;
            let (owner, group) = spec.split_once([':', '.']).map_or((spec, ""), |(owner, group)| (owner, group));
            let number = |text: &str| match text {
                "" => Some(None),
                "root" => Some(Some("0".to_owned())),
                _ => text.parse::<u32>().ok().map(|number| Some(number.to_string())),
            };
            Rights { owner: number(owner)?, group: number(group)?, mode: None }
        }
        "chgrp" => {
            let group: u32 = plain.next()?.parse().ok()?;
            Rights { group: Some(group.to_string()), ..Rights::default() }
        }
        "chmod" => {
            let mode = plain.next()?;
            mode.parse::<crate::fleet::scalar::Mode>().ok()?;
            Rights { mode: Some(format!("{mode:0>4}")), ..Rights::default() }
        }
        "mkdir" => Rights::default(),
        _ => return None,
    };
    let mut any = false;
    for path in plain {
        let (volume, below) = within(container, path)?;
        any = true;
        match owned.iter_mut().find(|known| known.volume == volume && known.below == below) {
            Some(known) => known.rights = rights.over(&known.rights),
            None => owned.push(Owned { volume, below, rights: rights.clone() }),
        }
    }
    any.then_some(())
}

/// Returns the volume that a path of a container is in, and where in the volume.
fn within(container: &Node<'_>, path: &str) -> Option<(String, String)> {
    let path = path.trim_end_matches('/').trim_end_matches("/.");
    let mounts = container.list("volumeMounts").iter().filter_map(|mount| {
        let at = mount.get("mountPath")?.text()?.trim_end_matches('/');
        let rest = path.strip_prefix(at).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let sub = mount.get("subPath").and_then(Node::text).unwrap_or("").trim_matches('/');
        let below = format!("{sub}{rest}");
        Some((at.len(), mount.get("name")?.text()?.to_owned(), below.trim_matches('/').to_owned()))
    });
    let (_, volume, below) = mounts.max_by_key(|(length, ..)| *length)?;
    let climbs = below.split('/').any(|part| part == "." || part == "..");
    (!climbs).then_some((volume, below))
}

/// Returns what the init containers of a pod that do nothing else make and give away in a volume.
pub(super) fn made_by_init(workload: &Workload<'_, '_>, volume: &str) -> Vec<Owned> {
    let all = workload.spec.list("initContainers").iter().filter_map(is_ownership_only).flatten();
    all.filter(|owned| owned.volume == volume).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::sample::parsed;

    fn of(command: &str) -> Option<Vec<(String, String, Rights)>> {
        let text = format!(
            "{{ name: init, command: {command}, volumeMounts: [{{ name: data, mountPath: /data }}, {{ name: logs, mountPath: /data/logs, subPath: l }}] }}"
        );
        let owned = parsed(&text, is_ownership_only)?;
        Some(owned.into_iter().map(|owned| (owned.volume, owned.below, owned.rights)).collect())
    }

    fn rights(owner: &str, group: &str, mode: &str) -> Rights {
        let word = |word: &str| Some(word.to_owned()).filter(|word| !word.is_empty());
        Rights { owner: word(owner), group: word(group), mode: word(mode) }
    }

    #[test]
    fn an_init_container_that_only_gives_directories_away_is_an_owner() {
        let data = |below: &str, rights: Rights| ("data".to_owned(), below.to_owned(), rights);
        assert_eq!(of("[chown, -R, '1000:1000', /data]"), Some(vec![data("", rights("1000", "1000", ""))]));
        assert_eq!(of("[/bin/chown, '999', /data/]"), Some(vec![data("", rights("999", "", ""))]));
        assert_eq!(
            of("[sh, -c, 'set -e; mkdir -p /data/a && chown 1:2 \"/data/a\"; chmod 750 /data/a']"),
            Some(vec![data("a", rights("1", "2", "0750"))])
        );
        assert_eq!(
            of("[chown, ':33', /data/logs/x]"),
            Some(vec![("logs".to_owned(), "l/x".to_owned(), rights("", "33", ""))])
        );
    }

    #[test]
    fn an_init_container_that_does_anything_else_stays() {
        for command in [
            "[]",
            "[chown, -R, 'postgres:postgres', /data]",
            "[chown, '1:1', /elsewhere]",
            "[chown, '1:1', /data/../etc]",
            "[chown, '1:1']",
            "[sh, -c, 'chown 1:1 /data && ./migrate']",
            "[sh, -c, 'chown 1:1 /data/*']",
            "[sh, -c, 'chown 1:1 $HOME']",
            "[sh, -c, 'chown 1:1 /data || true']",
            "[sh, -c, 'chown 1:1 /data', x]",
            "[chmod, u+rwX, /data]",
            "[sh, /script.sh]",
        ] {
            assert_eq!(of(command), None, "{command}");
        }
    }
}
