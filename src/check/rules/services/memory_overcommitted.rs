//! More memory promised than the machine has.

use crate::check::memory::promised_memory;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::source::Level;
use crate::units::Size;

pub(super) static RULE: Rule = Rule {
    id: "memory-overcommitted",
    group: Group::Services,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "services and the ARC together need more memory than the machine has",
    doc: include_str!("memory_overcommitted.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let host = cx.host;
    let Some(memory) = &host.def.machine.memory else { return };
    let mut needs = promised_memory(host);
    let total = needs.iter().fold(0u64, |total, (_, bytes)| total.saturating_add(*bytes));
    if total <= memory.bytes() {
        return;
    }
    needs.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let parts: Vec<String> =
        needs.iter().take(4).map(|(name, bytes)| format!("{name} {}", Size::human(*bytes))).collect();
    let rest = needs.len().saturating_sub(parts.len());
    let more = if rest > 0 { format!(", {rest} more") } else { String::new() };
    found.report(
        Finding::at(
            memory.place,
            format!(
                "`{}` promises {} of memory and has {}",
                host.name,
                Size::human(total),
                Size::human(memory.bytes())
            ),
        )
        .label(format!("{}{more}", parts.join(", ")))
        .why("when they take what they were promised, the kernel kills one of them")
        .help("`limits.memory` of a service, or `zfs.arc-max`, down")
        .help("a machine with more memory, or fewer services on this one"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn limits_count_before_what_a_module_is_known_to_need() {
        let of = |memory: &str, services: &str| {
            said("memory-overcommitted", &format!("machine.memory = '{memory}'\n{services}")).len()
        };
        let two = "services.a = { kind = 'command', exec = '/bin/a', limits.memory = '3GiB' }\n\
                   services.b = { kind = 'command', exec = '/bin/b', limits = { memory = '8GiB', memory-low = '1GiB' } }\n";
        assert_eq!(of("4GiB", two), 0);
        assert_eq!(of("3GiB", two), 1);
        assert_eq!(of("256MiB", "services.gitea = { kind = 'native' }\n"), 1);
        assert_eq!(of("256MiB", "services.gitea = { kind = 'native', limits.memory = '200MiB' }\n"), 0);
        assert_eq!(of("256MiB", "services.gitea = { kind = 'native', enable = false }\n"), 0);
    }
}
