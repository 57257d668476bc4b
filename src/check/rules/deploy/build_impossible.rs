//! A system that nobody can build, or that cannot be brought to its host.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::decode::Word as _;
use crate::fleet::scalar::Target;
use crate::fleet::schema::fleet_file::BuildOn;
use crate::source::{Kind, Level, Node};

pub(super) static RULE: Rule = Rule {
    id: "build-impossible",
    group: Group::Deploy,
    level: Level::Error,
    allowable: true,
    needs: &[],
    summary: "nobody can build the system, or nobody may copy it to the host",
    doc: include_str!("build_impossible.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let Some(deployer) = cx.fleet.deployer else { return };
    if cx.host.build_on(cx.fleet) != BuildOn::Deployer {
        return;
    }
    let (builder, host) = (deployer.def.system.value.as_str(), cx.host.system().word());
    let own = cx.host.def.deploy.as_ref().and_then(|deploy| deploy.build_on.as_ref());
    if builder != host {
        let place = own.or(deployer.def.build_on.as_ref()).map_or(deployer.def.place, |build_on| build_on.place);
        let (name, of_host) = (&deployer.def.name.value, cx.host.name);
        found.report(
            Finding::at(place, format!("`{name}` is {builder} and cannot build `{of_host}`, which is {host}"))
                .label("builds on the deployer")
                .related(cx.host.def.system.place, format!("the system of {of_host}"))
                .why("the first derivation that no cache has would stop the deployment")
                .help("`build-on = \"target\"`: the host builds its own system")
                .help(format!("a deployer that is {host}")),
        );
        return;
    }
    let Some(target) = cx.host.def.deploy.as_ref().and_then(|deploy| deploy.target.as_ref()) else { return };
    let Target::Ssh { user: Some(user), .. } = &target.value else { return };
    if user.as_str() != "root" && may_copy(cx, user.as_str()) == Some(false) {
        found.report(
            Finding::at(target.place, format!("`{user}` may not copy to `{}` what `{}` has built", cx.host.name, deployer.def.name.value))
                .label("no trusted user of Nix there")
                .why("Nix takes paths without a known signature from trusted users only, so the copy of the closure is refused")
                .help(format!("add `{user}` to `nix.settings.trusted-users` under `[nixos]`"))
                .help("deploy as root")
                .help("`build-on = \"target\"`: then nothing unsigned is copied"),
        );
    }
}

/// Tells whether a user may copy unsigned paths to the host; nothing where the definition alone cannot tell.
fn may_copy(cx: &HostCx<'_>, user: &str) -> Option<bool> {
    // Trust may also be given in the user's own modules.
    if !cx.host.source.nix.is_empty() {
        return None;
    }
    let settings = cx.host.def.nixos.as_ref().and_then(|nixos| nixos.at(&["nix"]));
    let at = |route: &[&str]| settings.and_then(|settings| settings.at(route));
    // Known keys may sign what is copied.
    let keys = [&["settings", "trusted-public-keys"][..], &["settings", "require-sigs"], &["extraOptions"]];
    if keys.iter().any(|route| at(route).is_some()) {
        return None;
    }
    let account = cx.host.def.access.as_ref().and_then(|access| access.users.get(user));
    let in_group = |group: &str| {
        account.is_some_and(|account| {
            (group == "wheel" && account.sudo.value) || account.groups.iter().any(|own| own.as_str() == group)
        })
    };
    let trusts = |node: &Node| match &node.kind {
        Kind::Str(name) if name == "*" || name == user => Some(true),
        Kind::Str(name) => Some(name.strip_prefix('@').is_some_and(in_group)),
        _ => None,
    };
    let mut trusted = Some(false);
    for node in [at(&["settings", "trusted-users"]), at(&["trustedUsers"])].into_iter().flatten() {
        for name in node.as_list()? {
            match trusts(&name.node) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => trusted = None,
            }
        }
    }
    trusted
}

#[cfg(test)]
mod tests {
    use crate::check::sample::reported;

    #[test]
    fn who_copies_unsigned_paths_must_be_trusted_as_far_as_the_definition_tells() {
        for (further, refused) in [
            ("", true),
            ("nixos.nix.settings.trusted-users = ['root', 'eve']", true),
            ("nixos.nix.settings.trusted-users = ['@wheel']", true),
            ("nixos.nix.settings.trusted-users = ['cadey']", false),
            ("nixos.nix.settings.trusted-users = ['@wheel']\naccess.users.cadey.sudo = true", false),
            ("nixos.nix.settings.trusted-users = ['@ops']\naccess.users.cadey.groups = ['ops']", false),
            ("nixos.nix.settings.trusted-users = [{ literalExpression = 'user' }]", false),
            ("nixos.nix.settings.trusted-public-keys = ['desk:abc']", false),
            ("deploy.build-on = 'target'", false),
        ] {
            let host = format!("deploy.target = 'cadey@192.0.2.10'\n{further}\n");
            let lines = reported(&[("hosts/a/host.toml", &host)], &[]);
            let expected =
                ["error hosts/a/host.toml:1:17 build-impossible: `cadey` may not copy to `a` what `desk` has built"];
            let of_rule: Vec<&String> = lines.iter().filter(|line| line.contains("build-impossible")).collect();
            assert_eq!(of_rule, &expected[..usize::from(refused)], "{further}");
        }
        let files = [("hosts/a/host.toml", "deploy.target = 'cadey@192.0.2.10'\n"), ("hosts/a/trust.nix", "{ }\n")];
        assert!(!reported(&files, &[]).iter().any(|line| line.contains("build-impossible")));
    }
}
