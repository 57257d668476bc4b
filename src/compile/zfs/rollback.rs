//! Datasets that forget: rolled back in the initrd, after the import and before anything is mounted.

use std::fmt::Write as _;

use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::nix::{Attrs, Expr, Value};
use crate::source::Place;
use crate::text::ShellWord;

/// Sets the rollbacks of a host in the form of its initrd: a unit of systemd, commands of the scripted one, or both where
/// the host's own settings may choose.
pub(super) fn settings(cx: &HostCx<'_>, out: &mut Settings) {
    let mut commands = String::new();
    let mut imports: Vec<String> = Vec::new();
    let mut first: Option<Place> = None;
    for pool in cx.host.pools.iter().filter(|pool| pool.is_imported_at_boot()) {
        for (name, dataset) in pool.def.datasets.iter() {
            let Some(snapshot) = &dataset.rollback else { continue };
            let whole = format!("{}/{name}@{}", pool.name, snapshot.as_str());
            first.get_or_insert(snapshot.place);
            // Writing to a String cannot fail.
            let _ = writeln!(commands, "zfs rollback -r {}", ShellWord::new(&whole));
            let import = format!("zfs-import-{}.service", pool.name);
            if !imports.contains(&import) {
                imports.push(import);
            }
        }
    }
    let Some(place) = first else { return };
    if cx.spelling.initrd_systemd() {
        // A rollback that fails does not keep the host from booting; what it should have forgotten is still there then.
        let mut unit = Attrs::from_iter([
            ("description", Value::from("rolls datasets back to what they were when they were empty")),
            ("wantedBy", Value::from(vec!["initrd.target"])),
            ("requires", Value::from(imports.clone())),
            ("after", Value::from(imports)),
            ("before", Value::from(vec!["sysroot.mount"])),
            ("script", Value::from(commands.as_str())),
        ]);
        unit.set(&["unitConfig", "DefaultDependencies"], false);
        unit.set(&["serviceConfig", "Type"], "oneshot");
        out.set("boot.initrd.systemd.services.hostwright-rollback", unit, place);
    }
    if !cx.spelling.initrd_scripted() {
        return;
    }
    let hook = if cx.spelling.import_after_resume() {
        "boot.initrd.postResumeCommands"
    } else {
        "boot.initrd.postDeviceCommands"
    };
    // NixOS's own commands there import the pools: these come after them.
    let after = Expr::select("lib", "mkAfter").apply([Value::from(commands.as_str())]);
    if !cx.spelling.initrd_systemd() {
        out.set(hook, after, place);
        return;
    }
    let scripted = Expr::parse("!config.boot.initrd.systemd.enable").map_or(Value::Bool(false), Value::from);
    out.set(hook, Expr::select("lib", "mkIf").apply([scripted, Value::from(after)]), place);
}
