//! The NixOS that is installed: its generations with their kernel and ZFS.

use std::collections::BTreeMap;

use serde::Serialize;

use super::machine::pairs;
use super::sections::Sections;

/// The NixOS that runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct System {
    id: Option<String>,
    release: Option<String>,
    state_version: Option<String>,
    kernel: Option<String>,
    kernel_params: Option<Vec<String>>,
    generations: Vec<Generation>,
}

/// A generation.
#[derive(Debug, Clone, Default, Serialize)]
struct Generation {
    number: Option<u64>,
    current: bool,
    zfs: Option<String>,
    kernel: Option<String>,
    #[serde(skip)]
    path: String,
    #[serde(skip)]
    release: Option<String>,
}

/// Returns the NixOS that runs; nothing on another system, nor on an installer, which has no generations of its own.
pub(super) fn system(sections: &Sections, about: &BTreeMap<String, String>) -> Option<System> {
    let text = sections.good("nixos")?;
    let mut generations: Vec<Generation> = Vec::new();
    let (mut booted, mut running, mut state_version, mut kernel_params) = (None, None, None, None);
    for (key, value) in pairs(text) {
        match (key, generations.last_mut()) {
            ("booted-system", _) => booted = Some(value.to_owned()),
            ("current-system", _) => running = Some(value.to_owned()),
            ("state_version", _) => state_version = Some(value.to_owned()),
            ("kernel_params", _) => kernel_params = Some(value.split_whitespace().map(str::to_owned).collect()),
            ("generation", _) => generations.push(Generation { number: value.parse().ok(), ..Generation::default() }),
            ("path", Some(generation)) => value.clone_into(&mut generation.path),
            ("version", Some(generation)) => generation.release = release(value),
            ("kernel", Some(generation)) => generation.kernel = Some(value.to_owned()),
            // The module decides what imports; the commands are the next best witness.
            ("zfs_module", Some(generation)) => generation.zfs = zfs_version(value).or(generation.zfs.take()),
            ("zpool", Some(generation)) => generation.zfs = generation.zfs.take().or_else(|| zfs_version(value)),
            _ => {}
        }
    }
    let id = booted.or(running);
    for generation in &mut generations {
        generation.current = id.as_deref() == Some(generation.path.as_str());
    }
    let current = generations.iter().find(|generation| generation.current).or(generations.last());
    let release = current.and_then(|generation| generation.release.clone());
    generations.sort_by_key(|generation| generation.number);
    let kernel = about.get("kernel").cloned();
    Some(System { id, release, state_version, kernel, kernel_params, generations })
}

/// Returns the release of a version such as `26.05.20260901.a5cc6f2` or `26.11pre867.abc`.
fn release(version: &str) -> Option<String> {
    let release = version.get(..5).filter(|release| release.parse::<crate::units::Release>().is_ok())?;
    let pre = version.get(5..).is_some_and(|rest| rest.starts_with("pre"));
    Some(if pre { format!("{release}pre") } else { release.to_owned() })
}

/// Returns the version of ZFS from a path in the store: `…-zfs-kernel-2.3.4-6.12.1/…`, `…-zfs-user-2.3.4/…`.
fn zfs_version(path: &str) -> Option<String> {
    let name = path.strip_prefix("/nix/store/")?.split('/').next()?;
    let after = name.split_once("-zfs-")?.1;
    let after = after.strip_prefix("kernel-").or_else(|| after.strip_prefix("user-")).unwrap_or(after);
    let version: String = after.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    version.parse::<crate::units::Version>().is_ok().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_tell_their_kernel_and_their_zfs() {
        let text = "profile system-42-link\nbooted-system /nix/store/b-nixos-system-a-26.05\ncurrent-system /nix/store/c\n\
                    generation 42\npath /nix/store/b-nixos-system-a-26.05\nversion 26.05.20260901.a5cc6f2\nkernel 6.18.30\n\
                    zfs_module /nix/store/x-zfs-kernel-2.3.5-6.18.30/lib/modules/6.18.30/extra/zfs.ko.xz\n\
                    generation 9\npath /nix/store/a\nversion 26.11pre867.abc\nzpool /nix/store/y-zfs-user-2.2.9/bin/zpool\n";
        let sections = Sections::default().with("nixos", 0, text);
        let system = system(&sections, &BTreeMap::new()).unwrap();
        assert_eq!(system.release.as_deref(), Some("26.05"));
        let said: Vec<_> = system.generations.iter().map(|g| (g.number, g.current, g.zfs.as_deref())).collect();
        assert_eq!(said, [(Some(9), false, Some("2.2.9")), (Some(42), true, Some("2.3.5"))]);
        assert_eq!(release("26.11pre867.abc").as_deref(), Some("26.11pre"));
    }

    #[test]
    fn an_installer_and_a_foreign_system_run_no_nixos_of_this_host() {
        assert!(system(&Sections::default().with("nixos", 1, ""), &BTreeMap::new()).is_none());
    }
}
