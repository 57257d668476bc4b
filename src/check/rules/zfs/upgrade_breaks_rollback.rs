//! Commands of the user's own that upgrade pools by themselves.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::nix::{Form, read_module};
use crate::resolve::SystemRole;
use crate::source::{Kind, Level, Node, Place, quoted};

pub(super) static RULE: Rule = Rule {
    id: "upgrade-breaks-rollback",
    group: Group::Zfs,
    level: Level::Error,
    allowable: false,
    needs: &[],
    summary: "a script upgrades pools while older generations stay in the menu",
    doc: include_str!("upgrade_breaks_rollback.md"),
    check: Check::Host(check),
};

/// Namespaces of options whose text is run without anybody asking for it; in others (aliases, packages) it waits to be called.
const RUN: [&str; 6] = ["boot", "networking", "powerManagement", "services", "system", "systemd"];

/// What of a service is run, or is an option whose text may be.
const SERVICE: [&str; 6] = ["after-start", "args", "before-stop", "command", "exec", "options"];

/// Commands that only print the words behind them.
const PRINTS: [&str; 5] = ["echo", "printf", "logger", "cat", ":"];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    // With one generation there is nothing to go back to, which another rule reports.
    if cx.host.def.boot.generations.value < 2 {
        return;
    }
    let mut places = Vec::new();
    if let Some(nixos) = &cx.host.def.nixos {
        run_texts(nixos, &mut places);
    }
    for (_, service) in cx.host.source.tree.at(&["services"]).and_then(Node::as_table).into_iter().flatten() {
        for part in SERVICE {
            service.node.at(&[part]).iter().for_each(|node| texts(node, &mut places));
        }
    }
    let hooks = cx.host.def.machine.hooks.iter();
    let hooks = hooks.flat_map(|hooks| [&hooks.power_cycle, &hooks.rescue, &hooks.console, &hooks.unlock]);
    places.extend(hooks.flatten().map(|hook| hook.place));
    for (name, file) in &cx.host.source.nix {
        let text = cx.sources.text(*file);
        if upgrade(&text).is_none() {
            continue;
        }
        let before = places.len();
        if let Ok(module) = read_module(&text, *file)
            && module.form != Form::Other
        {
            module.definitions.iter().for_each(|definition| run_texts(definition, &mut places));
        }
        let runs = |place: &&Place| command(cx, **place).is_some();
        if places.get(before..).is_none_or(|own| own.iter().find(runs).is_none()) {
            found.unchecked(format!("{} speaks of `zpool upgrade`", quoted(name)));
        }
    }
    places.sort_unstable();
    places.dedup();
    for place in places {
        if let Some((place, what)) = command(cx, place) {
            found.report(finding(cx, place, what));
        }
    }
}

fn finding(cx: &HostCx<'_>, place: Place, what: String) -> Finding {
    let mut finding = Finding::at(place, format!("`{}` upgrades its pools by itself", cx.host.name)).label(what);
    let new = cx.host.systems.first().and_then(|system| system.zfs);
    let older = cx.host.systems.iter().find(|system| {
        system.role == SystemRole::Rollback && system.zfs.zip(new).is_some_and(|(older, new)| older < new)
    });
    if let Some((older, zfs)) = older.and_then(|system| Some((system, system.zfs?))) {
        finding = finding.related(older.place, format!("{} has OpenZFS {zfs}", older.name));
    }
    finding
        .why(
            "new features cannot be taken back: as soon as one is in use, the generations with the older ZFS import the pool read-only or \
             not at all, and the boot menu holds nothing that boots",
        )
        .help("remove it: a pool works for ever with the features that it has")
        .help("by hand, once no generation in the menu has the older ZFS: `nixos-rebuild boot`, reboot, `nix-collect-garbage -d`, then `zpool upgrade POOL`")
}

/// Collects the places of text below the options that are run.
fn run_texts(node: &Node, places: &mut Vec<Place>) {
    let table = node.as_table().into_iter().flatten();
    for (_, entry) in table.filter(|(name, _)| RUN.contains(&name.as_str())) {
        texts(&entry.node, places);
    }
}

fn texts(node: &Node, places: &mut Vec<Place>) {
    match &node.kind {
        Kind::Str(_) | Kind::Nix(_) => places.push(node.place),
        Kind::List(items) => items.iter().for_each(|item| texts(&item.node, places)),
        Kind::Table(table) => {
            let is_prose = |name: &str| matches!(name, "description" | "documentation");
            table.iter().filter(|(name, _)| !is_prose(name)).for_each(|(_, entry)| texts(&entry.node, places));
        }
        _ => {}
    }
}

/// Returns the command at a place that upgrades pools, with its own place.
fn command(cx: &HostCx<'_>, place: Place) -> Option<(Place, String)> {
    let (start, end) = (place.start as usize, place.end as usize);
    let whole = cx.sources.text(place.file);
    let text = whole.get(start..end)?;
    let (from, to) = upgrade(text)?;
    Some((cx.sources.place(place.file, start + from, start + to), quoted(text.get(from..to)?)))
}

/// Finds a command that upgrades a pool, that switches a feature of one on or changes what it may have: where it begins and ends. `zpool upgrade` without a
/// pool, and with `-v`, only lists (zpool-upgrade(8)).
fn upgrade(text: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begin = at;
        at += line.len();
        if line.trim_start().starts_with(['#', '/']) && !line.trim_start().starts_with("/nix") {
            continue;
        }
        // A command that is written within another, or behind one, begins anew.
        let mut from = begin;
        for part in line.split_inclusive([';', '&', '|', '(', '`']) {
            if let Some((start, end)) = upgrade_in(part) {
                return Some((from + start, from + end));
            }
            from += part.len();
        }
    }
    None
}

fn upgrade_in(part: &str) -> Option<(usize, usize)> {
    let words = words(part);
    if words.first().is_some_and(|(_, word)| PRINTS.contains(word)) {
        return None;
    }
    let at = words.iter().position(|(_, word)| word.rsplit('/').next() == Some("zpool"))?;
    let (start, _) = words.get(at)?;
    let behind = words.get(at + 1..)?;
    let upgrades = match behind {
        [(_, "upgrade"), rest @ ..] => rest.iter().find(|(_, word)| !word.is_empty()).filter(|(_, word)| *word != "-v"),
        [(_, "set"), rest @ ..] => {
            let lifts = |word: &str| word.starts_with("feature@") && word.ends_with("=enabled");
            rest.iter().find(|(_, word)| lifts(word) || word.starts_with("compatibility="))
        }
        _ => None,
    };
    let (last, word) = upgrades?;
    Some((*start, last + word.len()))
}

/// Returns the words of a command with their offsets, quotes and what ends a command taken off.
fn words(part: &str) -> Vec<(usize, &str)> {
    let is_edge = |c: char| "\"';&|(){}[]`=".contains(c);
    let mut words = Vec::new();
    let mut at = 0;
    for word in part.split(|c: char| c.is_ascii_whitespace()) {
        let bare = word.trim_start_matches(is_edge);
        let start = at + (word.len() - bare.len());
        at += word.len() + 1;
        words.push((start, bare.trim_end_matches(is_edge)));
    }
    words.retain(|(_, word)| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::sample::said_of;

    #[test]
    fn what_upgrades_is_told_from_what_lists_and_from_words() {
        for (text, found) in [
            ("zpool upgrade -a", Some("zpool upgrade -a")),
            ("zpool upgrade tank\n", Some("zpool upgrade tank")),
            ("'${pkgs.zfs}/bin/zpool upgrade -a'", Some("${pkgs.zfs}/bin/zpool upgrade -a")),
            (
                "\"/run/current-system/sw/bin/zpool upgrade tank\"",
                Some("/run/current-system/sw/bin/zpool upgrade tank"),
            ),
            ("zpool status && zpool upgrade -V 5000 tank;", Some("zpool upgrade -V")),
            ("for p in $(zpool list -H -o name); do zpool upgrade \"$p\"; done", Some("zpool upgrade \"$p")),
            ("zpool set feature@block_cloning=enabled tank", Some("zpool set feature@block_cloning=enabled")),
            ("zpool set compatibility=off tank", Some("zpool set compatibility=off")),
            ("ssh root@192.0.2.1 zpool upgrade -a", Some("zpool upgrade -a")),
            ("zpool upgrade", None),
            ("zpool upgrade -v", None),
            ("zpool upgrade;", None),
            ("zpool set autotrim=on tank", None),
            ("  # zpool upgrade -a", None),
            ("echo zpool upgrade -a", None),
            ("systemctl start upgrade", None),
        ] {
            assert_eq!(upgrade(text).and_then(|(start, end)| text.get(start..end)), found, "{text}");
        }
    }

    #[test]
    fn only_text_that_is_run_by_itself_counts() {
        let of = |host: &str| said_of("upgrade-breaks-rollback", &[("hosts/a/host.toml", host)]);
        assert_eq!(of("nixos.system.activationScripts.pools.text = 'zpool upgrade -a'\n").len(), 1);
        assert_eq!(of("nixos.systemd.services.up.serviceConfig.ExecStart = ['/bin/zpool upgrade -a']\n").len(), 1);
        assert_eq!(of("machine.hooks.unlock = 'ssh root@192.0.2.1 zpool upgrade -a'\n").len(), 1);
        let command =
            "[services.up]\nkind = 'command'\nexec = '/run/current-system/sw/bin/zpool set compatibility=off tank'\n";
        assert_eq!(of(command).len(), 1);
        assert!(of("nixos.environment.shellAliases.up = 'zpool upgrade -a'\n").is_empty());
        assert!(of("nixos.systemd.services.up.description = 'zpool upgrade -a'\n").is_empty());
        assert!(of("boot.generations = 1\nnixos.boot.postBootCommands = 'zpool upgrade -a'\n").is_empty());
    }

    #[test]
    fn own_nix_is_read_and_what_is_computed_is_unchecked() {
        let of = |nix: &str| {
            let said = said_of("upgrade-breaks-rollback", &[("hosts/a/host.toml", ""), ("hosts/a/own.nix", nix)]);
            said.iter().map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            of("{ pkgs, ... }: { systemd.services.up.script = ''\n  ${pkgs.zfs}/bin/zpool upgrade -a\n''; }\n"),
            ["error"]
        );
        assert_eq!(
            of(
                "{ pkgs, ... }: { environment.systemPackages = [ (pkgs.writeShellScriptBin \"up\" \"zpool upgrade -a\") ]; }\n"
            ),
            ["unchecked"]
        );
        assert!(of("{ }\n# zpool upgrade -a\n").is_empty());
    }

    proptest! {
        #[test]
        fn a_command_lies_within_its_text(text in "(zpool|upgrade|set|feature@x=enabled|-a|tank|ä|\u{2003}|[ ;&|(\"'\n#]){0,12}") {
            if let Some((start, end)) = upgrade(&text) {
                prop_assert!(text.get(start..end).is_some(), "{}", text);
            }
        }
    }
}
