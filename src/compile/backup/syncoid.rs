//! syncoid, through `services.syncoid`: datasets are sent to another machine.

use super::BackupCx;
use crate::compile::settings::Settings;
use crate::nix::Value;

/// Adds the commands, one a dataset; returns the unit of the first, which makes the dumps come before it.
pub(super) fn settings(backup: &BackupCx<'_>, out: &mut Settings) -> String {
    let def = backup.def;
    out.set("services.syncoid.enable", true, backup.place);
    out.set(
        "services.syncoid.interval",
        Value::from(backup.schedule()).default_priority(),
        def.schedule.as_ref().map_or(backup.place, |when| when.place),
    );
    let key = backup.secret(def.ssh_key.as_ref());
    let mut first = None;
    for dataset in backup.cx.host.backed_up_datasets(def) {
        // The name becomes part of a unit's name.
        let name = format!("{}-{}", backup.name, dataset.replace('/', "-"));
        let mut set = |option: &str, value: Value| {
            out.set_below("services.syncoid.commands", &[&name, option], value, backup.place);
        };
        set("source", dataset.as_str().into());
        set("target", format!("{}/{dataset}", def.repository.as_str()).into());
        if let Some(key) = key {
            set("sshKey", key.into());
        }
        // Encrypted datasets stay so on the way and there.
        set("sendOptions", Value::from("w").default_priority());
        first.get_or_insert(format!("syncoid-{name}"));
    }
    first.unwrap_or_else(|| "syncoid".to_owned())
}
