//! Emergency mode in stage 2, switched on by the user.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "stage2-emergency-shell",
    group: Group::Disk,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "a host that fails in stage 2 waits at a console prompt",
    doc: include_str!("stage2_emergency_shell.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let option = ["systemd", "enableEmergencyMode"];
    if let Some((true, node)) = nixos::switch(cx.host, &option) {
        found.report(
            Finding::at(node.place, "a host that fails in stage 2 waits at a console prompt")
                .label("emergency mode")
                .why(
                    "one file system that is not there stops the boot before the network, and a password is asked for at \
                     a console: the host stays away until somebody goes there",
                )
                .help("remove the setting: the boot goes on with what there is, and ssh answers"),
        );
    } else if let Some(file) = nixos::file_with(cx, &["enableEmergencyMode"]) {
        found.unchecked(format!("{file} speaks of emergency mode"));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::{said, said_of};

    #[test]
    fn emergency_mode_is_reported_where_it_is_switched_on() {
        let rule = "stage2-emergency-shell";
        assert_eq!(said(rule, "nixos.systemd.enableEmergencyMode = { mkForce = true }\n").len(), 1);
        assert_eq!(said(rule, "nixos.systemd.enableEmergencyMode = false\n").len(), 0);
        let own = "{ systemd.enableEmergencyMode = true; }\n";
        let said = said_of(rule, &[("hosts/a/host.toml", ""), ("hosts/a/own.nix", own)]);
        assert!(said.len() == 1 && said[0].starts_with("unchecked"), "{said:?}");
    }
}
