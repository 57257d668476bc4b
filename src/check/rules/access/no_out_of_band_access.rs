//! A host that nobody reaches when its network is gone, and that cannot help itself.

use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::machine::Console;
use crate::source::Level;

pub(super) static RULE: Rule = Rule {
    id: "no-out-of-band-access",
    group: Group::Access,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "no console, and no way to recover without one",
    doc: include_str!("no_out_of_band_access.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let machine = &cx.host.def.machine;
    let hooks = machine.hooks.as_ref();
    let by_hook = hooks.is_some_and(|hooks| hooks.console.is_some() || hooks.rescue.is_some());
    if machine.console.value != Console::None || by_hook || cx.host.boots_once() {
        return;
    }
    found.report(
        Finding::at(
            machine.console.place,
            format!("nobody reaches `{}` when a boot fails, and it cannot fall back by itself", cx.host.name),
        )
        .label("no console")
        .related(cx.host.def.boot.loader.place, "does not boot a generation once")
        .why("a generation that does not come up stays: somebody has to travel to the machine")
        .help("`console = \"…\"`: the provider's, a KVM over IP, a serial line, if there is one")
        .help("`[machine.hooks] rescue = \"…\"`, a command that boots a rescue system")
        .help("a loader and a plain partition for `/boot` that let it boot a generation once and fall back"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn a_console_a_hook_or_a_loader_that_falls_back_is_enough() {
        let of = |host: &str| said("no-out-of-band-access", host).len();
        assert_eq!(of("machine.console = 'none'\nboot.loader = 'other'\n"), 1);
        assert_eq!(of("machine.console = 'serial'\nboot.loader = 'other'\n"), 0);
        assert_eq!(of("machine = { console = 'none', hooks.rescue = 'robot rescue' }\nboot.loader = 'other'\n"), 0);
        assert_eq!(of("machine = { console = 'none', hooks.power-cycle = 'robot reset' }\nboot.loader = 'other'\n"), 1);
        assert_eq!(of("machine.console = 'none'\n"), 0);
    }
}
