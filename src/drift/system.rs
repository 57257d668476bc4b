//! Which system runs, which boots next, of what versions.

use super::outcome::{Comparison, Difference, Group};
use super::{Cx, NOT_ASKED};
use crate::fleet::decode::Word as _;
use crate::fleet::schema::machine::Loader;
use crate::probe::Live;
use crate::resolve::{BootPlaces, SystemRole};
use crate::source::Kind;
use crate::units::{Release, Version};

const GROUP: Group = Group::System;

/// The timer that resets a trial which nobody confirms.
const DEAD_MAN: &str = "hostwright-deadman.timer";

/// The timer of `system.autoUpgrade`.
const UPGRADE: &str = "nixos-upgrade.timer";

/// Returns the one difference of a machine on which another system runs than the host's own.
pub(super) fn another_system(cx: &Cx<'_>) -> Option<Difference> {
    let id = cx.machine.os_release.get("ID")?;
    let is_image = cx.machine.os_release.get("VARIANT_ID").is_some_and(|variant| variant == "installer");
    if id == "nixos" && !is_image && cx.machine.system.is_some() {
        return None;
    }
    let name = cx.machine.calls_itself().unwrap_or(id);
    let what = if id == "nixos" { "an installer of NixOS" } else { "another system than NixOS" };
    Some(
        Difference::new(GROUP, "system", format!("{what} runs on the machine"))
            .defined(format!("NixOS {}", cx.host.channel.channel.release.value), cx.host.channel.at)
            .live(name)
            .why("nothing else can be compared: a rescue system or an installer has none of the definition, and the host's own did not boot, or is not installed")
            .help("boot the machine from its disks, and compare again")
            .help(format!("`hostwright plan {} --scenario install`, if it was never installed", cx.host.name)),
    )
}

pub(super) fn compare(cx: &Cx<'_>, out: &mut Comparison) {
    if !cx.machine.os_release.contains_key("ID") {
        out.unknown(GROUP, "which system answers", "/etc/os-release could not be read");
    }
    versions(cx, out);
    let Some(live) = &cx.machine.live else {
        for what in ["generations", "boot menu", DEAD_MAN, UPGRADE] {
            out.unknown(GROUP, what, NOT_ASKED);
        }
        return;
    };
    generations(live, out);
    menus(cx, live, out);
    trial(live, out);
    let Some(units) = &live.units else {
        for what in [DEAD_MAN, UPGRADE] {
            out.unknown(GROUP, what, "systemctl did not tell the units");
        }
        return;
    };
    out.hold(units.contains_key(DEAD_MAN), || {
        Difference::new(GROUP, "dead-man", "the system that runs has no dead-man")
            .defined(DEAD_MAN, None)
            .live("no such unit")
            .why("a trial of this system would stay away for ever when it comes up without network")
            .help(if cx.is_compiled() {
                "the system was not built from out/: `hostwright build`, then an update"
            } else {
                "import `nixosModules.hostwright` of out/"
            })
    });
    let automatic = ["system", "autoUpgrade", "enable"];
    let wanted = cx.host.def.nixos.as_ref().and_then(|nixos| nixos.at(&automatic));
    let is_wanted = wanted.is_some_and(|node| node.kind == Kind::Bool(true));
    let upgrade = units.get(UPGRADE);
    let runs =
        upgrade.is_some_and(|unit| unit.active.as_deref() == Some("active") || unit.file.as_deref() == Some("enabled"));
    out.hold(!runs || is_wanted, || {
        Difference::new(GROUP, "automatic upgrades", "the machine upgrades itself")
            .defined("not in the definition", None)
            .live(format!("{UPGRADE} is on"))
            .why("it takes generations that no reboot test has seen, and makes them the default")
            .help("`system.autoUpgrade.enable = false`")
    });
}

/// Returns the name and version of a system by its path in the store.
fn short(path: &str) -> &str {
    path.strip_prefix("/nix/store/").map_or(path, |name| name.split_once('-').map_or(name, |(_, rest)| rest))
}

/// Two systems of one version differ only by their hash.
fn pair(one: &str, two: &str) -> (String, String) {
    if short(one) == short(two) {
        (one.to_owned(), two.to_owned())
    } else {
        (short(one).to_owned(), short(two).to_owned())
    }
}

fn generations(live: &Live, out: &mut Comparison) {
    let (Some(booted), Some(current)) = (&live.booted, &live.current) else {
        out.unknown(GROUP, "generations", "/run/booted-system and /run/current-system could not be read");
        return;
    };
    out.hold(booted == current, || {
        let (booted, current) = pair(booted, current);
        Difference::new(GROUP, "system that runs", "somebody switched since the last boot")
            .defined(format!("what was booted: {booted}"), None)
            .live(format!("what runs: {current}"))
            .why("what runs was never booted: the next power cut is its reboot test")
            .help("`hostwright apply` with an update, which boots it as a trial first")
            .help("`/run/booted-system/bin/switch-to-configuration switch` goes back to what was booted")
    });
    let Some(profile) = &live.profile else {
        out.unknown(
            GROUP,
            "generation that boots next",
            "the current generation of the system's profile could not be read",
        );
        return;
    };
    out.hold(profile == booted, || {
        let (booted, profile) = pair(booted, profile);
        Difference::new(GROUP, "generation that boots next", "another generation waits for the next boot")
            .defined(format!("what was booted: {booted}"), None)
            .live(format!("current generation of the profile: {profile}"))
            .why("whatever makes the machine boot makes it boot that one, which no reboot test has seen")
            .help(
                "an update of hostwright tests it; `nix-env -p /nix/var/nix/profiles/system --rollback` takes it back",
            )
    });
}

fn menus(cx: &Cx<'_>, live: &Live, out: &mut Comparison) {
    let (Some(menus), Some(profile)) = (&live.menus, &live.profile) else {
        out.unknown(GROUP, "boot menu", "no menu, or no profile of the system could be read");
        return;
    };
    let loader = &cx.host.def.boot.loader;
    let word = loader.value.word();
    if loader.value == Loader::Other {
        out.unknown(GROUP, "boot menu", "the loader is none whose menu is known");
    } else {
        let expected = if cx.is_compiled() {
            BootPlaces::of(cx.host).menus(loader.value)
        } else {
            menus.iter().filter(|menu| menu.loader == word).map(|menu| menu.path.clone()).collect()
        };
        if expected.is_empty() {
            out.unknown(GROUP, "boot menu", format!("no menu of {word} was found"));
        }
        for path in &expected {
            let Some(menu) = menus.iter().find(|menu| menu.path == *path && menu.loader == word) else {
                let other = menus.iter().find(|menu| menu.path == *path);
                out.differ(
                    Difference::new(GROUP, format!("boot menu on {path}"), format!("there is no menu of {word}"))
                        .defined(word, loader.place)
                        .live(other.map_or("none that can be read", |menu| menu.loader.as_str()))
                        .why("the firmware finds nothing to boot there, or something that is never renewed")
                        .help("`/run/current-system/bin/switch-to-configuration boot` writes the menus; is the file system mounted?"),
                );
                continue;
            };
            let Some(default) = &menu.default else {
                out.unknown(GROUP, format!("default of the boot menu on {path}"), "no entry of it names a system");
                continue;
            };
            out.hold(default == profile, || {
                let (default, profile) = pair(default, profile);
                Difference::new(GROUP, format!("boot menu on {path}"), "the menu boots something else by default than the profile's generation")
                    .defined(profile, None)
                    .live(default)
                    .why("the next boot is of a system that nobody chose; on a mirror it shows only when the first disk has failed")
                    .help("`/nix/var/nix/profiles/system/bin/switch-to-configuration boot` writes the menu anew")
            });
        }
    }
    for menu in menus {
        if let Some(armed) = &menu.armed {
            out.differ(
                Difference::new(
                    GROUP,
                    format!("boot menu on {}", menu.path),
                    "the loader is armed for one boot of something else",
                )
                .defined("nothing armed", None)
                .live(armed.as_str())
                .why("a trial was begun and not ended: the next boot is of its candidate")
                .help(format!("`hostwright apply {} --status` says where it stands", cx.host.name))
                .help("`sh disarm.sh` of its reboot scripts, on the machine"),
            );
        }
    }
}

fn trial(live: &Live, out: &mut Comparison) {
    let Some(cmdline) = &live.cmdline else {
        return out.unknown(GROUP, "trial", "/proc/cmdline could not be read");
    };
    if cmdline.iter().any(|word| word.starts_with("hostwright.trial=")) {
        out.note(
            Difference::new(GROUP, "trial", "the machine runs a trial boot")
                .live("hostwright.trial on the kernel's command line")
                .why("the next boot is of the default entry again"),
        );
    }
}

fn versions(cx: &Cx<'_>, out: &mut Comparison) {
    let system = cx.machine.system.as_ref();
    let release = &cx.host.channel.channel.release;
    match system.and_then(|system| system.release.as_deref()) {
        Some(live) => out.hold(live.parse::<Release>() == Ok(release.value), || {
            Difference::new(GROUP, "NixOS", "another release runs")
                .defined(format!("{} (channel `{}`)", release.value, cx.host.channel.name), cx.host.channel.at)
                .live(live)
                .why("rules and plans go by the release of the channel")
                .help(format!("`hostwright plan {}`: an update takes it there, tested", cx.host.name))
                .help("the channel that it runs")
        }),
        None => out.unknown(GROUP, "NixOS release", "the machine did not tell"),
    }
    kernel(cx, system.and_then(|system| system.kernel.as_deref()), out);
    zfs(cx, out);
}

/// Reads the line of a kernel: `6.12` of `6.12.54`, of `6.12.0-rc1` or of the attribute `linuxPackages_6_12`.
fn line(text: &str) -> Option<Version> {
    let number: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    number.trim_end_matches('.').parse::<Version>().ok().map(|version| version.truncate(2))
}

fn kernel(cx: &Cx<'_>, live: Option<&str>, out: &mut Comparison) {
    let release = cx.host.channel.channel.release.value;
    let what = "kernel";
    if !cx.is_compiled() {
        return;
    }
    let (wanted, place) = match &cx.host.def.boot.kernel {
        Some(package) => {
            let number = package.as_str().strip_prefix("linuxPackages_").map(|number| number.replace('_', "."));
            (number.and_then(|number| line(&number)), package.place)
        }
        None => {
            let stated = cx.host.channel.channel.kernel.as_ref().and_then(|kernel| line(&kernel.value.to_string()));
            let known = || cx.facts.releases().find(release)?.kernel_default.map(|figure| figure.value.truncate(2));
            (stated.or_else(known), cx.host.channel.at)
        }
    };
    // What stands under `[nixos]` or beside the host overrides it, and is Nix's to evaluate.
    let by_nix = cx.host.def.nixos.as_ref().is_some_and(|nixos| nixos.at(&["boot", "kernelPackages"]).is_some());
    let (Some(wanted), false) = (wanted, by_nix) else {
        out.unknown(GROUP, what, "nothing known says which one the definition leads to");
        return;
    };
    match live.and_then(|text| Some((text, line(text)?))) {
        Some((text, live)) => {
            let own = !cx.host.source.nix.is_empty();
            let difference = || {
                Difference::new(GROUP, what, "a kernel of another line runs")
                    .defined(format!("{wanted} of {release}"), place)
                    .live(text)
                    .why("drivers and the ZFS module are built for the defined one")
                    .help(format!("`hostwright plan {}`: an update takes it there, tested", cx.host.name))
            };
            if live != wanted && own {
                out.unknown(GROUP, what, format!("{text} runs, and the host's own *.nix may say so"));
            } else {
                out.hold(live == wanted, difference);
            }
        }
        None => out.unknown(GROUP, what, "the machine did not tell"),
    }
}

fn zfs(cx: &Cx<'_>, out: &mut Comparison) {
    let what = "OpenZFS";
    let versions = cx.machine.zfs.as_ref();
    let (module, userland) =
        (versions.and_then(|zfs| zfs.module.as_deref()), versions.and_then(|zfs| zfs.userland.as_deref()));
    if cx.host.pools.is_empty() && module.is_none() {
        return;
    }
    if let (Some(module), Some(userland)) = (module, userland) {
        out.hold(module == userland, || {
            Difference::new(GROUP, what, "the module and the commands are of different versions")
                .defined(format!("module {module}"), None)
                .live(format!("commands {userland}"))
                .why("the commands may ask for what the module does not know; somebody switched without a reboot")
                .help("an update boots both of one version")
        });
    } else {
        out.unknown(GROUP, "OpenZFS's commands against its module", "one of them did not tell its version");
    }
    let new = cx.host.systems.iter().find(|system| system.role == SystemRole::New);
    let Some(wanted) = new.and_then(|system| system.zfs).filter(|_| cx.is_compiled()) else {
        if cx.is_compiled() {
            out.unknown(GROUP, what, "nothing known says which one the channel has");
        }
        return;
    };
    let place = new.map(|system| system.place);
    match module.and_then(|text| Some((text, line(text)?))) {
        Some((text, live)) => out.hold(live == wanted.truncate(2), || {
            Difference::new(GROUP, what, "an OpenZFS of another series runs")
                .defined(wanted.to_string(), place)
                .live(text)
                .why("which features a pool may have is reckoned with the defined one")
                .help(format!("`hostwright plan {}`: an update takes it there, tested", cx.host.name))
        }),
        None => out.unknown(GROUP, what, "no module of ZFS is loaded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_kernel_is_read_from_a_version_and_from_a_package() {
        for (text, wanted) in [("6.12.54", "6.12"), ("6.18.0-rc3", "6.18"), ("6.12", "6.12"), ("2.3.4-1", "2.3")] {
            assert_eq!(line(text).map(|version| version.to_string()).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(line("zfs"), None);
    }
}
