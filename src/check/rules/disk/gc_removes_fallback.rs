//! A timer that deletes old generations, the last good one among them.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "gc-removes-fallback",
    group: Group::Disk,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "a timer may delete the generation to fall back to",
    doc: include_str!("gc_removes_fallback.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    if let Some((true, _)) = nixos::switch(cx.host, &["nix", "gc", "automatic"])
        && let Some(node) = nixos::setting(cx.host, &["nix", "gc", "options"])
        && let Some(options) = node.as_str().filter(|options| deletes(options))
    {
        found.report(
            Finding::at(node.place, format!("the garbage collection deletes old generations: {}", quoted(options)))
                .label("deletes by age, not by number")
                .why(
                    "on a host that is not deployed for that long only the running generation is left, and nothing to fall \
                     back to when it does not boot again",
                )
                .help("remove the option: without it the collection deletes only what no generation needs")
                .help("keep a number of generations: `programs.nh.clean` with `extraArgs = \"--keep 5\"`"),
        );
    } else if let Some((true, node)) = nixos::switch(cx.host, &["programs", "nh", "clean", "enable"]) {
        let arguments = nixos::setting(cx.host, &["programs", "nh", "clean", "extraArgs"]);
        let kept = arguments.and_then(|arguments| arguments.as_str()).and_then(keeps).unwrap_or(1);
        if kept < 2 {
            let place = arguments.map_or(node.place, |arguments| arguments.place);
            found.report(
                Finding::at(place, "`nh clean` keeps one generation")
                    .label("nothing to fall back to")
                    .why("only the running generation is left, and nothing to fall back to when it does not boot again")
                    .help("`extraArgs = \"--keep 5\"`"),
            );
        }
    } else if let Some(file) = nixos::file_with(cx, &["nix.gc", "delete-older-than"]) {
        found.unchecked(format!("{file} speaks of garbage collection"));
    }
}

/// Tells whether options of nix-collect-garbage(1) delete generations.
fn deletes(options: &str) -> bool {
    options
        .split_whitespace()
        .any(|word| matches!(word, "-d" | "--delete-old") || word.starts_with("--delete-older-than"))
}

/// Returns how many generations `nh clean` keeps by its arguments.
fn keeps(arguments: &str) -> Option<u32> {
    let mut words = arguments.split_whitespace();
    while let Some(word) = words.next() {
        if let Some(number) = word.strip_prefix("--keep=") {
            return number.parse().ok();
        }
        if matches!(word, "--keep" | "-k") {
            return words.next()?.parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn what_deletes_by_age_or_keeps_one_is_reported() {
        for (lines, findings) in [
            ("nix.gc = { automatic = true, options = '--delete-older-than 30d' }", 1),
            ("nix.gc = { automatic = true, options = '-d' }", 1),
            ("nix.gc = { automatic = true, options = '--max-freed 1G' }", 0),
            ("nix.gc = { automatic = false, options = '-d' }", 0),
            ("nix.gc = { automatic = true }", 0),
            ("programs.nh.clean = { enable = true }", 1),
            ("programs.nh.clean = { enable = true, extraArgs = '--keep 1 --keep-since 4d' }", 1),
            ("programs.nh.clean = { enable = true, extraArgs = '--keep-since 4d --keep 3' }", 0),
        ] {
            assert_eq!(said("gc-removes-fallback", &format!("[nixos]\n{lines}\n")).len(), findings, "{lines}");
        }
    }
}
