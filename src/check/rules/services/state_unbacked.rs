//! State that cannot be made again and that no backup holds.

use crate::check::phrase::joined;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::check::services::kept_state;
use crate::source::Level;
use crate::units::lies_in;

pub(super) static RULE: Rule = Rule {
    id: "state-unbacked",
    group: Group::Services,
    level: Level::Warning,
    allowable: true,
    needs: &[],
    summary: "state that cannot be made again and that no backup holds",
    doc: include_str!("state_unbacked.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let files = cx.host.def.backup.iter().filter(|(_, backup)| backup.kind.value.copies_files());
    let covered: Vec<String> = files.flat_map(|(_, backup)| cx.host.backed_up_paths(&backup.value)).collect();
    let datasets: Vec<String> =
        cx.host.def.backup.iter().flat_map(|(_, backup)| cx.host.backed_up_datasets(&backup.value)).collect();
    let wanted = || kept_state(cx.host).filter(|(_, state)| state.backup);
    if cx.host.def.backup.is_empty() {
        let names: Vec<String> =
            wanted().map(|(service, _)| format!("`{}`", service.name)).fold(Vec::new(), |mut all, name| {
                if !all.contains(&name) {
                    all.push(name);
                }
                all
            });
        let Some((service, _)) = wanted().next() else { return };
        found.report(
            Finding::at(
                service.def.key,
                format!("`{}` has no backup, and {} on it cannot be made again", cx.host.name, joined(&names)),
            )
            .label("its state is nowhere else")
            .why("disks fail together, files are deleted by mistake, and machines burn")
            .help("`[backup.offsite] kind = \"borg\"`, with a repository on another machine")
            .help("`backup = false` for its state, if it may be lost"),
        );
        return;
    }
    for (service, state) in wanted() {
        let by_files = covered.iter().any(|path| lies_in(&state.path, path));
        let dataset = cx.host.mount_of(&state.path).and_then(|mount| mount.source.dataset());
        let by_dataset = dataset.is_some_and(|name| datasets.contains(&name));
        if by_files || by_dataset {
            continue;
        }
        found.report(
            Finding::at(
                state.place,
                format!("no backup holds `{}`, where `{}` keeps its state", state.path, service.name),
            )
            .why("disks fail together, files are deleted by mistake, and machines burn")
            .help("`backup = true` for its dataset")
            .help("`backup = false` for its state, if it may be lost"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said;

    #[test]
    fn a_host_without_backups_is_told_once_and_one_with_backups_for_each_directory_that_none_holds() {
        let services = "[services]\n\
                        a = { kind = 'command', exec = '/bin/a', state = [{ path = '/srv/a' }, { path = '/srv/a2' }] }\n\
                        b = { kind = 'command', exec = '/bin/b', state = [{ path = '/srv/b' }, { path = '/srv/b2', backup = false }] }\n\
                        c = { kind = 'command', exec = '/bin/c', state = [{ path = '/srv/c', rebuildable = true }] }\n\
                        d = { kind = 'command', exec = '/bin/d', enable = false, state = [{ path = '/srv/d' }] }\n";
        let of = |backup: &str| said("state-unbacked", &format!("{backup}\n{services}")).len();
        assert_eq!(of("backup = {}"), 1);
        assert_eq!(
            of("backup.x = { kind = 'restic', repository = '/r', paths = ['/home'] }"),
            0,
            "directories are part of it"
        );
        let sent = "backup.x = { kind = 'zrepl', repository = '192.0.2.2:8888' }";
        assert_eq!(of(sent), 3, "datasets are sent, and these directories are on none");
    }
}
