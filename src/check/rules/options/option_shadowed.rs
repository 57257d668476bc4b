//! A value of the host's own that an import overrides by force.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::settings::option_name;
use crate::source::{Level, quoted};

pub(super) static RULE: Rule = Rule {
    id: "option-shadowed",
    group: Group::Options,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "an import's `mkForce` overrides what the host says itself",
    doc: include_str!("option_shadowed.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    for lost in &cx.host.source.shadowed {
        let path = cx.sources.file(lost.by.file).path();
        let message = format!("{} counts for nothing: {} overrides it", option_name(&lost.route), quoted(path));
        found.report(
            Finding::at(lost.place, message)
                .label("is not taken")
                .related(lost.by, "stronger than a plain value")
                .why("who reads the host's own file believes what it says, and the machine does something else")
                .help("remove it here, where the import is right")
                .help("write it as `{ mkForce = … }` here and as a plain value or `{ mkDefault = … }` there, where the host is right"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    fn of(own: &str, module: &str) -> Vec<String> {
        let host = format!("imports = ['base']\n{own}\n");
        let module = format!("kind = 'profile'\nsummary = 'x'\n{module}\n");
        said_of("option-shadowed", &[("hosts/a/host.toml", &host), ("modules/base/module.toml", &module)])
    }

    #[test]
    fn only_a_value_that_somebody_meant_and_that_is_lost_is_reported() {
        assert_eq!(
            of("boot.generations = 5", "host.boot.generations = { mkForce = 20 }"),
            ["warning: `boot.generations` counts for nothing: `modules/base/module.toml` overrides it"]
        );
        assert_eq!(of("nixos.a.b = 5", "host.nixos.a.b = { mkOverride = { priority = 90, value = 6 } }").len(), 1);
        // Both say the same, the host is stronger, the host only proposed it, or it wrote both.
        assert!(of("boot.generations = 20", "host.boot.generations = { mkForce = 20 }").is_empty());
        assert!(of("network.search = ['x']", "host.network.search = { mkForce = ['x'] }").is_empty());
        assert!(of("boot.generations = { mkForce = 5 }", "host.boot.generations = 20").is_empty());
        assert!(of("boot.generations = { mkDefault = 5 }", "host.boot.generations = { mkForce = 20 }").is_empty());
        assert!(of("boot.generations = 5", "host.boot.generations = { mkDefault = 20 }").is_empty());
    }

    #[test]
    fn a_list_and_a_table_of_free_names_are_lost_as_a_whole() {
        assert_eq!(of("network.search = ['x']", "host.network.search = { mkForce = ['y'] }").len(), 1);
        let forced = "host.network.hosts = { mkForce = { '192.0.2.7' = ['y'] } }";
        assert_eq!(of("network.hosts = { '192.0.2.8' = ['x'] }", forced).len(), 1);
    }
}
