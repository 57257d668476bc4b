//! Keys of native encryption at boot: what is asked for at the import, what a unit loads from a file.
//!
//! A key that somebody types is asked for by NixOS's import (`boot.zfs.requestEncryptionCredentials`, a list), in the initrd.
//! One in a file is loaded there only where the initrd mounts the dataset; otherwise by a unit of its own, after the file's
//! own file system is mounted. No key is ever part of what is compiled.

use crate::compile::HostCx;
use crate::compile::settings::Settings;
use crate::nix::{Attrs, Expr, Value};
use crate::resolve::{EncryptionRoot, ResolvedPool};
use crate::text::ShellWord;

/// Sets which keys are asked for, and the units that load the others.
pub(super) fn settings(cx: &HostCx<'_>, out: &mut Settings) {
    let option = "boot.zfs.requestEncryptionCredentials";
    let imported = || cx.host.pools.iter().filter(|pool| pool.is_imported_at_boot());
    let Some(first) = imported().flat_map(ResolvedPool::encryption_roots).next() else { return };
    let mut asked = Vec::new();
    for pool in imported() {
        for root in pool.encryption_roots() {
            if is_opened_at_import(cx, pool, &root) {
                asked.push(root.name);
            } else {
                load_unit(cx, pool, &root, out);
            }
        }
    }
    out.set(option, Value::List(asked.into_iter().map(Value::from).collect()), first.place);
}

/// Tells whether the import loads a key: somebody types it, or its file must be in the initrd.
fn is_opened_at_import(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, root: &EncryptionRoot<'_>) -> bool {
    root.def.key_location.file().is_none()
        || cx.host.mounts.iter().any(|mount| {
            let crate::resolve::MountSource::Dataset { name, .. } = &mount.source else { return false };
            pool.mounts_in_initrd(mount) && pool.encryption_root_of(name).is_some_and(|of| of.name == root.name)
        })
}

/// Returns the name of the unit, without its ending, that loads the key of a dataset; none where the import does.
pub(super) fn unit_of(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, dataset: &str) -> Option<String> {
    let root = pool.encryption_root_of(dataset)?;
    (!is_opened_at_import(cx, pool, &root)).then(|| unit_name(&root.name))
}

/// Names of datasets hold only characters that unit names take, but for `/`.
fn unit_name(root: &str) -> String {
    format!("hostwright-zfs-key-{}", root.replace('/', "-"))
}

fn load_unit(cx: &HostCx<'_>, pool: &ResolvedPool<'_>, root: &EncryptionRoot<'_>, out: &mut Settings) {
    let Some(file) = root.def.key_location.file() else { return };
    let in_initrd = cx.host.mounts.iter().any(|mount| pool.mounts_in_initrd(mount));
    let import = format!("zfs-import-{}.service", pool.name);
    let mut unit = Attrs::from_iter([
        ("description", Value::from(format!("loads the key of {}", root.name))),
        ("wantedBy", Value::from(vec!["zfs.target"])),
        ("before", Value::from(vec!["zfs-mount.service", "zfs-volumes.target"])),
        ("after", Value::from(vec![import.clone()])),
    ]);
    // In the initrd the import has happened long before.
    if !in_initrd {
        unit.set(&["requires"], vec![import]);
    }
    unit.set(&["unitConfig", "DefaultDependencies"], false);
    unit.set(&["unitConfig", "RequiresMountsFor"], vec![file.as_str()]);
    unit.set(&["serviceConfig", "Type"], "oneshot");
    unit.set(&["serviceConfig", "RemainAfterExit"], true);
    let name = ShellWord::new(&root.name);
    unit.set(&["path"], Value::List(vec![Expr::select("config", "boot.zfs.package").into()]));
    let script =
        format!("if [ \"$(zfs get -H -o value keystatus {name})\" != available ]; then\n  zfs load-key {name}\nfi\n");
    unit.set(&["script"], script);
    out.set_below("systemd.services", &[&unit_name(&root.name)], unit, root.place);
}
