//! A change that a running system cannot take: it needs boot and reboot.

use crate::check::phrase::joined;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::{nixos, probed};
use crate::fleet::schema::facts_file::FactsSystem;
use crate::fleet::schema::machine::Unlock;
use crate::source::{Level, Node, Place, quoted};
use crate::units::Release;

pub(super) static RULE: Rule = Rule {
    id: "live-switch-unsafe",
    group: Group::Deploy,
    level: Level::Warning,
    allowable: true,
    needs: &["running release", "running kernel parameters"],
    summary: "the change takes a reboot: a running system cannot be switched to it",
    doc: include_str!("live_switch_unsafe.md"),
    check: Check::Host(check),
};

/// What a release changed that only a boot can change: since when, the options that decide it, what it is (release notes of NixOS 26.05).
const CHANGED: [(&str, &[&str], &str); 2] = [
    ("26.05", &["boot", "initrd", "systemd", "enable"], "stage 1 is systemd's and no script any more"),
    ("26.05", &["services", "dbus", "implementation"], "the message bus is dbus-broker and not dbus-daemon any more"),
];

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(system) = probed::installed(cx, found) else { return };
    let mut changes = of_release(cx, found);
    changes.extend(of_parameters(cx, system, found));
    let Some((place, _, _)) = changes.first() else { return };
    let what: Vec<String> = changes.iter().map(|(_, _, what)| what.clone()).collect();
    let mut finding = Finding::at(*place, format!("`{}` cannot be switched to this while it runs", cx.host.name));
    finding = finding.label(joined(&what));
    let mut shown = vec![*place];
    for (own, seen, _) in &changes {
        let seen = seen.map(|seen| (seen, "what runs there"));
        for (place, says) in seen.into_iter().chain([(*own, "needs a boot as well")]) {
            if !shown.contains(&place) {
                shown.push(place);
                finding = finding.related(place, says);
            }
        }
    }
    found.report(
        finding
            .why(
                "a live switch restarts what it can and leaves the rest as it was booted: the message bus under every session, the initrd, the \
                 kernel's command line. What was tested then is a mixture that no boot makes again",
            )
            .help("the plan of `hostwright plan`: it sets the generation for the next boot, reboots, and watches")
            .help("by hand: `nixos-rebuild boot`, then a reboot; no `switch`"),
    );
}

/// A change: where the definition asks for it, where the facts show what runs, what it is.
type Change = (Place, Option<Place>, String);

/// Returns what comes with the release, where nothing in the definition holds it back.
fn of_release(cx: &HostCx<'_>, found: &mut Findings) -> Vec<Change> {
    let Some(running) = probed::running_release(cx, found) else { return Vec::new() };
    let release = &cx.host.channel.channel.release;
    let crosses = |since: &str| {
        since.parse().is_ok_and(|since: Release| running.value.base() < since && release.value.base() >= since)
    };
    let changed = CHANGED.into_iter().filter(|(since, option, _)| crosses(since) && !is_decided(cx, option));
    changed.map(|(_, _, what)| (cx.host.channel.at, Some(running.place), what.to_owned())).collect()
}

/// Tells whether the definition decides an option on every release alike, so that the release changes nothing.
fn is_decided(cx: &HostCx<'_>, option: &[&str]) -> bool {
    let host = cx.host;
    let is_initrd = option.first() == Some(&"boot");
    let words: &[&str] = if is_initrd { &["initrd.systemd"] } else { &["dbus"] };
    // What opens disks over the network or by a TPM has systemd in stage 1 on older releases too.
    let opened = |unlock: Option<Unlock>| unlock == Some(Unlock::Tpm2);
    let needs_systemd = host.initrd_network().is_some()
        || host.devices.iter().any(|device| opened(device.unlock(host.def.boot.unlock.value)));
    nixos::setting(host, option).is_some() || nixos::file_with(cx, words).is_some() || (is_initrd && needs_systemd)
}

/// Returns the kernel parameters that the running system was not booted with.
fn of_parameters(cx: &HostCx<'_>, system: &FactsSystem, found: &mut Findings) -> Option<Change> {
    let wanted = wanted(cx);
    if wanted.is_empty() {
        return None;
    }
    let Some(running) = &system.kernel_params else {
        found.unchecked("the facts of the machine do not say which kernel parameters it runs with");
        return None;
    };
    let missing: Vec<&(String, Place)> =
        wanted.iter().filter(|(word, _)| running.iter().all(|known| *known.value != **word)).collect();
    let (_, place) = missing.first()?;
    let words: Vec<String> = missing.iter().map(|(word, _)| quoted(word)).collect();
    Some((*place, running.first().map(|word| word.place), format!("kernel parameters {}", joined(&words))))
}

/// Returns the words that the definition adds to the kernel's command line.
fn wanted(cx: &HostCx<'_>) -> Vec<(String, Place)> {
    let typed = cx.host.def.boot.kernel_params.iter().map(|word| (word.as_str().to_owned(), word.place));
    let list = nixos::setting(cx.host, &["boot", "kernelParams"]).and_then(Node::as_list).unwrap_or_default();
    let raw = list.iter().filter_map(|item| Some((item.node.as_str()?.to_owned(), item.node.place)));
    typed.chain(raw).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    fn of(host: &str, running: &str, more: &str) -> Vec<String> {
        let facts = format!(
            r#"{{ "version": 1, "system": {{ "release": "{running}", "generations": [{{ "number": 1 }}]{more} }} }}"#
        );
        said_of("live-switch-unsafe", &[("hosts/a/host.toml", host), ("hosts/a/facts.json", &facts)])
    }

    #[test]
    fn a_release_that_changes_what_only_a_boot_changes_is_said_once() {
        assert_eq!(of("", "25.11", ""), ["warning: `a` cannot be switched to this while it runs"]);
        assert!(of("", "26.05", "").is_empty());
        let kept = "nixos.boot.initrd.systemd.enable = false\nnixos.services.dbus.implementation = 'dbus'\n";
        assert!(of(kept, "25.11", "").is_empty());
        assert_eq!(of("nixos.services.dbus.implementation = 'dbus'\n", "25.11", "").len(), 1);
    }

    #[test]
    fn a_kernel_parameter_that_does_not_run_needs_a_boot() {
        let host = "boot.kernel-params = ['amd_iommu=on']\nnixos.boot.kernelParams = ['quiet']\n";
        let booted = |words: &str| format!(r#", "kernel_params": [{words}]"#);
        assert!(of(host, "26.05", &booted(r#""init=/nix/store/x/init", "amd_iommu=on", "quiet""#)).is_empty());
        assert_eq!(of(host, "26.05", &booted(r#""quiet""#)).len(), 1);
        assert_eq!(of(host, "25.11", &booted(r#""quiet""#)).len(), 1, "one finding for all of it");
        let unknown = of(host, "26.05", "");
        assert!(unknown.len() == 1 && unknown[0].starts_with("unchecked"), "{unknown:?}");
        assert!(of("", "26.05", "").is_empty());
    }

    #[test]
    fn without_facts_it_is_unchecked_and_before_an_installation_nothing_runs() {
        let none = said_of("live-switch-unsafe", &[("hosts/a/host.toml", "")]);
        assert!(none.len() == 1 && none[0].starts_with("unchecked"), "{none:?}");
        let blank = [("hosts/a/host.toml", ""), ("hosts/a/facts.json", r#"{ "version": 1, "system": null }"#)];
        assert!(said_of("live-switch-unsafe", &blank).is_empty());
    }
}
