//! Which of many .nix files are modules of NixOS, and not of something else that has modules.
//!
//! Other module systems (home-manager, nix-darwin, flake-parts, devenv) share option names with NixOS and give them other members. A
//! file is one of theirs when it sets what only they have, when one of their files or functions imports it, or when it lies in
//! a folder that is called after them.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Found, OptionIndex};
use crate::nix::{Form, ModuleText};
use crate::source::Kind;

/// Names at the top that only module systems other than NixOS's have.
const ELSEWHERE: [&str; 23] = [
    "accounts",
    "colorschemes",
    "dconf",
    "devenv",
    "flake",
    "gtk",
    "home",
    "homebrew",
    "keymaps",
    "languages",
    "launchd",
    "nix-homebrew",
    "opts",
    "perSystem",
    "plugins",
    "pre-commit",
    "qt5",
    "resource",
    "targets",
    "terraform",
    "treefmt",
    "wayland",
    "xsession",
];

/// Settings below names that NixOS has as well, which only home-manager or nix-darwin know.
const ELSEWHERE_BELOW: &[&[&str]] = &[
    &["programs", "alacritty"],
    &["programs", "bash", "bashrcExtra"],
    &["programs", "bash", "historyControl"],
    &["programs", "bash", "initExtra"],
    &["programs", "bash", "profileExtra"],
    &["programs", "bat", "config"],
    &["programs", "chromium", "commandLineArgs"],
    &["programs", "chromium", "package"],
    &["programs", "emacs", "extraPackages"],
    &["programs", "fish", "functions"],
    &["programs", "fish", "plugins"],
    &["programs", "firefox", "profiles"],
    &["programs", "git", "aliases"],
    &["programs", "git", "extraConfig"],
    &["programs", "git", "ignores"],
    &["programs", "git", "settings"],
    &["programs", "git", "signing"],
    &["programs", "git", "userEmail"],
    &["programs", "git", "userName"],
    &["programs", "gpg"],
    &["programs", "helix"],
    &["programs", "home-manager"],
    &["programs", "kitty"],
    &["programs", "mpv"],
    &["programs", "neovim", "extraLuaConfig"],
    &["programs", "neovim", "plugins"],
    &["programs", "password-store"],
    &["programs", "readline"],
    &["programs", "rofi"],
    &["programs", "ssh", "matchBlocks"],
    &["programs", "starship", "enableZshIntegration"],
    &["programs", "tmux", "prefix"],
    &["programs", "vscode", "userSettings"],
    &["programs", "wezterm"],
    &["programs", "zathura"],
    &["programs", "zsh", "dotDir"],
    &["programs", "zsh", "initContent"],
    &["programs", "zsh", "initExtra"],
    &["programs", "zsh", "oh-my-zsh"],
    &["programs", "zsh", "plugins"],
    &["services", "dunst"],
    &["services", "gammastep"],
    &["services", "gpg-agent"],
    &["services", "kanshi"],
    &["services", "polybar"],
    &["services", "swayidle"],
    &["nix", "linux-builder"],
    &["services", "nix-daemon"],
    &["services", "skhd"],
    &["services", "yabai"],
    &["system", "defaults"],
    &["system", "keyboard"],
    &["system", "primaryUser"],
    &["xdg", "configFile"],
    &["xdg", "userDirs"],
];

/// Names of attributes, functions and folders that hold modules of others.
const HOLDERS: [&str; 22] = [
    "darwin",
    "darwinModules",
    "darwinConfigurations",
    "darwinSystem",
    "devShells",
    "hm",
    "home",
    "home-manager",
    "home-modules",
    "homeConfigurations",
    "homeManager",
    "homeManagerConfiguration",
    "homeManagerModules",
    "homeModules",
    "nix-darwin",
    "nixOnDroidConfiguration",
    "overlays",
    "packages",
    "pkgs",
    "shells",
    "templates",
    "users-home",
];

/// Returns the modules of NixOS among files, in the order of their paths.
pub(super) fn of_nixos<'t>(
    files: &[(&str, &'t ModuleText)],
    index: OptionIndex<'_>,
    declared: &[&[String]],
) -> Vec<&'t ModuleText> {
    let known: BTreeMap<&str, &ModuleText> = files.iter().copied().collect();
    let mut foreign: BTreeSet<&str> =
        known.iter().filter(|(path, text)| is_elsewhere(path, text)).map(|(path, _)| *path).collect();
    // What a module of others imports is one of theirs, and what is imported as one.
    let mut waiting: Vec<&str> = foreign.iter().copied().collect();
    for (path, text) in &known {
        let held = text.mentions.iter().filter(|mention| mention.within.iter().any(|name| is_holder(name)));
        waiting.extend(held.filter_map(|mention| target(path, &mention.path, &known)));
    }
    while let Some(path) = waiting.pop() {
        foreign.insert(path);
        let Some(text) = known.get(path) else { continue };
        let imported = text.mentions.iter().filter_map(|mention| target(path, &mention.path, &known));
        waiting.extend(imported.filter(|path| !foreign.contains(path)).collect::<Vec<_>>());
    }
    let is_module = |path: &str, text: &ModuleText| !foreign.contains(path) && is_of_nixos(text, index, declared);
    files.iter().filter(|(path, text)| is_module(path, text)).map(|(_, text)| *text).collect()
}

fn is_holder(name: &str) -> bool {
    name.split(['.', ' ', '/', '(', '"']).any(|part| HOLDERS.contains(&part))
}

/// Tells whether a file says by itself that it is none of NixOS's modules.
fn is_elsewhere(path: &str, text: &ModuleText) -> bool {
    let by_folder = path.rsplit_once('/').is_some_and(|(folder, _)| is_holder(folder));
    let by_name = path.rsplit('/').next().is_some_and(|name| matches!(name, "home.nix" | "flake.nix" | "shell.nix"));
    let at = |route: &[&str]| text.definitions.iter().find_map(|node| node.at(route));
    let sets = |route: &[&str]| at(route).is_some();
    // nix-darwin counts its own versions.
    let of_darwin = at(&["system", "stateVersion"]).is_some_and(|node| matches!(node.kind, Kind::Int(_)));
    by_folder
        || by_name
        || of_darwin
        || ELSEWHERE.iter().any(|name| sets(&[*name]))
        || ELSEWHERE_BELOW.iter().any(|route| sets(route))
}

/// Returns the file that a path leads to, which a file mentions.
fn target<'k>(from: &str, path: &str, known: &BTreeMap<&'k str, &ModuleText>) -> Option<&'k str> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let whole = parts.join("/");
    let candidates = [whole.clone(), format!("{whole}/default.nix")];
    candidates.iter().find_map(|candidate| known.get_key_value(candidate.as_str())).map(|(path, _)| *path)
}

/// Tells whether what a file sets are options of NixOS: a function of a module with any of them, or a set of nothing else.
fn is_of_nixos(text: &ModuleText, index: OptionIndex<'_>, declared: &[&[String]]) -> bool {
    let tops = || text.definitions.iter().filter_map(|node| node.as_table()).flat_map(|table| table.keys());
    let is_known = |name: &String| !matches!(index.lookup(&[name.as_str()]), Found::Unknown { .. });
    let is_declared = |name: &String| declared.iter().any(|route| route.first() == Some(name));
    match text.form {
        Form::Other => false,
        Form::Function | Form::Structured => tops().any(is_known),
        Form::Set => tops().any(is_known) && tops().all(|name| is_known(name) || is_declared(name)),
    }
}
