//! A device that stage 1 needs and has no driver for.

use crate::check::nixos;
use crate::check::rule::{Check, Finding, Findings, Group, HostCx, Rule};
use crate::fleet::schema::machine::Unlock;
use crate::resolve::module_name;
use crate::source::{Level, NORMAL, Node};

pub(super) static RULE: Rule = Rule {
    id: "initrd-missing-driver",
    group: Group::Disk,
    level: Level::Error,
    allowable: true,
    needs: &["drivers of disks and interfaces"],
    summary: "stage 1 lacks a driver for the root disk or for remote unlock",
    doc: include_str!("initrd_missing_driver.md"),
    check: Check::Host(check),
};

fn check(cx: &HostCx<'_>, found: &mut Findings) {
    let wanted: Vec<String> =
        cx.host.def.boot.initrd_modules.iter().map(|module| module_name(module.as_str())).collect();
    contradicted(cx, &wanted, found);
    forced(cx, found);
    remote_unlock(cx, &wanted, found);
}

/// A driver of the definition that is not the one which the machine names.
fn contradicted(cx: &HostCx<'_>, wanted: &[String], found: &mut Findings) {
    let mut unknown = Vec::new();
    for disk in cx.host.root_disks() {
        let probed = cx.host.probed_disk_driver(disk.def.id.as_str());
        match (&disk.def.driver, probed) {
            (Some(written), Some(probed))
                if module_name(written.as_str()) != module_name(probed.module)
                    && !wanted.contains(&module_name(probed.module)) =>
            {
                let message =
                    format!("`{}` needs `{}` in stage 1, not `{}`", disk.name, probed.module, written.as_str());
                found.report(
                    Finding::at(written.place, message)
                        .related(probed.place, "the machine names this driver")
                        .why("stage 1 would wait for a disk that never appears, and the boot ends there")
                        .help(format!(
                            "`driver = \"{}\"`, or no `driver` at all: the machine's word then counts",
                            probed.module
                        )),
                );
            }
            (None, None) => unknown.push(format!("`{}`", disk.name)),
            _ => {}
        }
    }
    if !unknown.is_empty() {
        found.unchecked(format!("nothing says which driver {} needs", crate::check::phrase::joined(&unknown)));
    }
}

/// A list of the user's that replaces all others, and lacks what the root disks need.
fn forced(cx: &HostCx<'_>, found: &mut Findings) {
    let option = ["boot", "initrd", "availableKernelModules"];
    let Some(node) = nixos::setting(cx.host, &option).filter(|node| node.priority < NORMAL) else { return };
    let loaded = nixos::setting(cx.host, &["boot", "initrd", "kernelModules"]);
    let names = |node: &Node| -> Vec<String> {
        let items = node.as_list().into_iter().flatten();
        items.filter_map(|item| item.node.as_str()).map(module_name).collect()
    };
    let there: Vec<String> = names(node).into_iter().chain(loaded.map(names).unwrap_or_default()).collect();
    for disk in cx.host.root_disks() {
        let Some(driver) = cx.host.disk_driver(disk) else { continue };
        if !there.contains(&module_name(driver.module)) {
            found.report(
                Finding::at(node.place, format!("the list lacks `{}`, which `{}` needs", driver.module, disk.name))
                    .label("replaces every other list")
                    .related(driver.place, "the disk's driver")
                    .why("stage 1 would wait for a disk that never appears, and the boot ends there")
                    .help("write the list without force: it then adds to what is needed")
                    .help(format!("add `\"{}\"` to it", driver.module)),
            );
        }
    }
}

/// Remote unlock through a network card that stage 1 has no driver for: no card's driver is there by itself.
fn remote_unlock(cx: &HostCx<'_>, wanted: &[String], found: &mut Findings) {
    let unlock = &cx.host.def.boot.unlock;
    let own = [["boot", "initrd", "kernelModules"], ["boot", "initrd", "availableKernelModules"]];
    let listed = own.iter().any(|option| nixos::is_set(cx.host, option)) || !wanted.is_empty();
    if unlock.value != Unlock::Ssh || listed {
        return;
    }
    let mut interfaces = cx.host.interfaces();
    if interfaces.any(|(_, interface)| cx.host.interface_driver(interface).is_some()) {
        return;
    }
    if let Some(file) = nixos::file_with(cx, &["KernelModules", "kernelModules"]) {
        found.unchecked(format!("{file} speaks of kernel modules"));
        return;
    }
    found.report(
        Finding::at(unlock.place, "stage 1 has no driver for a network card, and the disks open over the network")
            .label("needs a network in stage 1")
            .why("nobody can log in to enter the key: the boot waits until its time is over")
            .help("`driver` of the interface, such as `driver = \"igb\"`; `lspci -k` or `ethtool -i` names it")
            .help("take the facts of the machine: `hostwright probe`"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::sample::said_of;

    #[test]
    fn the_machines_word_a_forced_list_and_a_silent_card_are_held_against_what_stage_1_needs() {
        let facts =
            "{ \"version\": 1, \"disks\": [{ \"ids\": [\"nvme-EXAMPLE_512GB_0001\"], \"driver\": \"mpt3sas\" }] }";
        let disk = "[disks]\nmain = { id = 'nvme-EXAMPLE_512GB_0001', size = '512GB', driver = 'ahci', partitions = [\
                    { name = 'bios', role = 'bios-boot', size = '1MiB' },\
                    { name = 'root', role = 'filesystem', size = 'rest', mount = '/' }] }\n";
        let list = "nixos.boot.initrd.availableKernelModules";
        for (host, levels) in [
            (String::new(), &[][..]),
            (disk.to_owned(), &["error"]),
            (format!("boot.initrd-modules = ['mpt3sas']\n{disk}"), &[]),
            (format!("{list} = {{ mkForce = ['ahci'] }}\n"), &["error"]),
            (format!("{list} = {{ mkForce = ['mpt3sas'] }}\n"), &[]),
            (format!("{list} = ['ahci']\n"), &[]),
            ("boot.unlock = 'ssh'\n".to_owned(), &["error"]),
            ("boot.unlock = 'ssh'\nboot.initrd-modules = ['igb']\n".to_owned(), &[]),
        ] {
            let said = said_of(
                "initrd-missing-driver",
                &[("hosts/a/host.toml", host.as_str()), ("hosts/a/facts.json", facts)],
            );
            let found: Vec<&str> = said.iter().filter_map(|line| line.split(':').next()).collect();
            assert_eq!(found, levels, "{host}: {said:#?}");
        }
    }
}
