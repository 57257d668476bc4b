//! Settings in .nix files that people wrote: how sure it is that a name which nixpkgs does not declare is wrong.
//!
//! Modules outside nixpkgs add options of their own, and a file does not say which of them are there. So an unknown name is an
//! error only where nixpkgs declares what it stands in; elsewhere it is a warning, and nothing is said of names that the
//! files themselves declare, or that well-known projects have.

use super::settings::{Definitions, Settings};
use crate::facts::{Facts, Fault, Found, OptionIndex, Shape};
use crate::nix::{COMPUTED, ModuleText};
use crate::source::{Kind, Node};

/// Names of options that well-known modules outside nixpkgs declare, or modules of nixpkgs that are imported by hand
/// (installer/, virtualisation/qemu-vm.nix), each with all that lies below it.
const ELSEWHERE: &[&[&str]] = &[
    &["age"],
    &["agenix"],
    &["amazonImage"],
    &["boot", "lanzaboote"],
    &["catppuccin"],
    &["chaotic"],
    &["clan"],
    &["colmena"],
    &["deployment"],
    &["digitalOcean"],
    &["disko"],
    &["ec2"],
    &["environment", "persistence"],
    &["facter"],
    &["flake"],
    &["hardware", "asahi"],
    &["home"],
    &["home-manager"],
    &["impermanence"],
    &["isoImage"],
    &["jovian"],
    &["lollypops"],
    &["mailserver"],
    &["microvm"],
    &["musnix"],
    &["netboot"],
    &["networking", "retiolum"],
    &["nixos-shell"],
    &["oci"],
    &["openstackConfig"],
    &["perSystem"],
    &["preservation"],
    &["programs", "hyprland", "plugins"],
    &["programs", "nix-index-database"],
    &["programs", "nixvim"],
    &["programs", "nvf"],
    &["programs", "spicetify"],
    &["programs", "steam", "platformOptimizations"],
    &["proxmox"],
    &["proxmoxLXC"],
    &["sdImage"],
    &["services", "buildbot-nix"],
    &["services", "comin"],
    &["services", "home-manager"],
    &["services", "nixos-cli"],
    &["services", "pipewire", "lowLatency"],
    &["services", "vscode-server"],
    &["snowfallorg"],
    &["sops"],
    &["srvos"],
    &["stylix"],
    &["test"],
    &["topology"],
    &["vaultix"],
    &["virtualbox"],
    &["virtualisation", "cores"],
    &["virtualisation", "directBoot"],
    &["virtualisation", "diskImage"],
    &["virtualisation", "diskSize"],
    &["virtualisation", "emptyDiskImages"],
    &["virtualisation", "fileSystems"],
    &["virtualisation", "forwardPorts"],
    &["virtualisation", "graphics"],
    &["virtualisation", "memorySize"],
    &["virtualisation", "qemu"],
    &["virtualisation", "quadlet"],
    &["virtualisation", "resolution"],
    &["virtualisation", "sharedDirectories"],
    &["virtualisation", "useBootLoader"],
    &["virtualisation", "useEFIBoot"],
    &["virtualisation", "vlans"],
    &["virtualisation", "writableStore"],
    &["wsl"],
];

/// Holds what modules define against the options of an index. `declared` are the options that files beside them declare.
pub(super) fn settings<'a>(
    facts: &'a Facts,
    index: Option<OptionIndex<'a>>,
    modules: &[&ModuleText],
    declared: &[&[String]],
) -> Settings<'a> {
    let nodes = || modules.iter().flat_map(|module| &module.definitions);
    let definitions = nodes().map(|node| Definitions { prefix: Vec::new(), node: std::borrow::Cow::Borrowed(node) });
    let mut settings = Settings::over(facts, index, definitions);
    let Some(index) = index else { return settings };
    settings.faults.retain_mut(|setting| {
        let route = setting.fault.route.as_slice();
        if !is_judged(index, route) {
            return false;
        }
        if setting.fault.fault != Fault::Unknown || setting.dropped.is_some() {
            return true;
        }
        if declared.iter().any(|name| explains(name, route)) || is_of_elsewhere(route) {
            return false;
        }
        // A set of settings that is like none beside it is rather another module's than a slip.
        let is_strange = setting.fault.nearest.is_empty() && nodes().any(|node| holds_set(node, route));
        setting.certain = setting.certain && !is_strange && is_closed(index, route);
        true
    });
    settings
}

/// Tells whether a name that is computed somewhere stands for itself: as the name of an instance, and nowhere else.
fn is_judged(index: OptionIndex<'_>, route: &[String]) -> bool {
    let names: Vec<&str> = route.iter().map(String::as_str).collect();
    names.iter().enumerate().filter(|(_, name)| **name == COMPUTED).all(|(at, _)| {
        let above = names.get(..at).unwrap_or_default();
        let of_instances = |shape: Shape<'_>| matches!(shape, Shape::AttrsOf { .. } | Shape::LoaOf(_));
        at + 1 < names.len() && index.type_of(above).is_some_and(|ty| of_instances(ty.shape()))
    })
}

/// Tells whether a declaration stands for a name: it is that name, one above it, or one below it.
fn explains(declared: &[String], route: &[String]) -> bool {
    declared.iter().zip(route).all(|(declared, name)| declared == name || declared == COMPUTED || name == COMPUTED)
        && !declared.is_empty()
}

/// Tells whether a name is one that modules declare which are not there for every system.
fn is_of_elsewhere(route: &[String]) -> bool {
    ELSEWHERE
        .iter()
        .any(|project| project.len() <= route.len() && project.iter().zip(route).all(|(project, name)| project == name))
}

/// Tells whether a set of settings stands at a name, or something computed that may be one.
fn holds_set(node: &Node, route: &[String]) -> bool {
    let names: Vec<&str> = route.iter().map(String::as_str).collect();
    node.at(&names).is_some_and(|node| matches!(node.kind, Kind::Table(_) | Kind::Nix(_)))
}

/// Tells whether nixpkgs alone says what may stand beside a name: it has settings of its own there, and not just places for
/// modules such as `services`.
pub(super) fn is_closed(index: OptionIndex<'_>, route: &[String]) -> bool {
    let Some((_, above)) = route.split_last() else { return false };
    let above: Vec<&str> = above.iter().map(String::as_str).collect();
    match index.lookup(&above) {
        Found::Prefix => {
            let is_setting = |name: &&str| {
                let whole: Vec<&str> = above.iter().copied().chain([*name]).collect();
                let Found::Option(option) = index.lookup(&whole) else { return false };
                // A set of instances is a module of its own (`services.bitcoind`), and a removed one is none.
                let is_set =
                    matches!(option.ty().shape(), Shape::AttrsOf { .. } | Shape::LoaOf(_) | Shape::Submodule { .. });
                !is_set && !option.hidden() && !option.internal()
            };
            // `services` has no settings of its own, and the root is everybody's.
            !above.is_empty() && index.members(&above).iter().any(is_setting)
        }
        Found::Unknown { .. } => false,
        Found::Option(_) | Found::Free(_) | Found::Alias(_) => true,
    }
}
