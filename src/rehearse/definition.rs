//! The definition of a host for the throw-away machine.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::Refused;
use super::machine::{Machine, Ports};
use crate::fleet::scalar::Target;
use crate::resolve::ResolvedHost;
use crate::source::quoted;

/// Returns a host.toml with what ties the host to its hardware and its place changed to a machine. `image` says that the installer is
/// somebody's image, which listens on ssh's own port; else it is built.
pub fn definition(
    text: &str,
    host: &ResolvedHost<'_>,
    machine: &Machine,
    ports: Ports,
    image: bool,
) -> Result<String, Vec<Refused>> {
    let mut document: DocumentMut =
        text.parse().map_err(|error| vec![Refused::new(format!("host.toml: {error}"), "mend it first")])?;
    let mut change = Change { document: &mut document, refused: Vec::new() };
    change.force(&["machine", "cpu"], "virtual");
    change.force(&["machine", "console"], "serial");
    change.force(&["machine", "serial"], "ttyS0,115200n8");
    change.force(&["machine", "memory"], format!("{}MiB", machine.memory >> 20));
    // A hook reaches the machine that is rehearsed, or what is left of it.
    change.force(&["machine", "hooks"], InlineTable::new());
    change.force(&["installer", "method"], if image { "rescue" } else { "iso" });
    change.force(&["installer", "port"], i64::from(ports.installer));
    change.force(&["deploy", "target"], format!("root@127.0.0.1:{}", ports.system));
    change.force(&["deploy", "jump"], Array::new());
    change.force(&["deploy", "ssh-options"], InlineTable::new());
    change.force(&["deploy", "build-on"], "deployer");
    change.force(&["deploy", "substitute-on-target"], false);
    let mut ssh = InlineTable::new();
    ssh.insert("ssh", true.into());
    change.force(&["deploy", "watch"], Array::from_iter([Value::from(ssh)]));
    change.force(&["deploy", "reboot-test", "cold"], false);
    for drive in &machine.drives {
        change.force(&["disks", &drive.name, "id"], drive.id());
    }
    for card in &machine.cards {
        let mut mac = InlineTable::new();
        mac.insert("mac", card.mac.as_str().into());
        change.force(&["network", "interfaces", &card.name, "match"], mac);
    }
    for way in machine.ways.iter().filter(|way| way.by_name) {
        change.force(&["network", "hosts", &way.address.to_string()], Array::from_iter([way.host.as_str()]));
    }
    for (name, backup) in host.def.backup.iter() {
        // Timers that never come: whatever the machine would send, it would send as the host.
        let Some(unit) = backup.value.kind.value.file_unit(name) else { continue };
        change.force(&["nixos", "systemd", "timers", &unit, "timerConfig", "OnCalendar"], "2099-01-01");
        change.force(&["nixos", "systemd", "timers", &unit, "timerConfig", "Persistent"], false);
    }
    let refused = change.refused;
    if refused.is_empty() { Ok(document.to_string()) } else { Err(refused) }
}

/// Holds that a definition which was read again leads to the machine and to nothing else: a plan of it destroys disks.
pub fn verify(host: &ResolvedHost<'_>, machine: &Machine, ports: Ports) -> Result<(), Refused> {
    let deploy = host.def.deploy.as_ref();
    let target = deploy.and_then(|deploy| deploy.target.as_ref()).map(|target| &target.value);
    let wanted = format!("root@127.0.0.1:{}", ports.system).parse::<Target>().ok();
    let hooks = host.def.machine.hooks.as_ref();
    let is_ours = |id: &str| machine.drives.iter().any(|drive| drive.id() == id);
    let wrong = if target.is_none() || target != wanted.as_ref() {
        Some("deploy.target".to_owned())
    } else if deploy.is_some_and(|deploy| !deploy.ssh_words().is_empty()) {
        Some("deploy.jump or deploy.ssh-options".to_owned())
    } else if hooks.is_some_and(|hooks| {
        [&hooks.power_cycle, &hooks.rescue, &hooks.console, &hooks.unlock].into_iter().any(Option::is_some)
    }) {
        Some("machine.hooks".to_owned())
    } else {
        host.disks.iter().find(|disk| !is_ours(disk.def.id.as_str())).map(|disk| format!("disks.{}.id", disk.name))
    };
    match wrong {
        Some(key) => Err(Refused::new(
            format!("{} does not lead to the rehearsal's machine", quoted(&key)),
            "something else in the definition wins over it: look for `mkForce` and `mkOverride`",
        )),
        None => Ok(()),
    }
}

struct Change<'a> {
    document: &'a mut DocumentMut,
    refused: Vec<Refused>,
}

impl Change<'_> {
    /// Sets a key so that it wins over whatever modules and defaults say.
    fn force(&mut self, route: &[&str], value: impl Into<Value>) {
        let Some((last, tables)) = route.split_last() else { return };
        let mut forced = InlineTable::new();
        forced.insert("mkForce", value.into());
        match table(self.document.as_table_mut(), tables) {
            // A decoration that stays where its key went would be a comment on another line.
            Some(table) => drop(table.insert(last, Item::Value(forced.into()))),
            None => self.refused.push(Refused::new(
                format!("{} in host.toml is written in a way that a rehearsal cannot change", quoted(&route.join("."))),
                "write it as a table of its own",
            )),
        }
    }
}

/// Returns the table at a route; those that are missing are made. Values that say their priority are looked into.
fn table<'a>(mut at: &'a mut dyn TableLike, route: &[&str]) -> Option<&'a mut dyn TableLike> {
    for key in route {
        if !at.contains_key(key) {
            let mut table = Table::new();
            table.set_implicit(true);
            at.insert(key, Item::Table(table));
        }
        at = at.get_mut(key)?.as_table_like_mut()?;
        for priority in ["mkDefault", "mkForce"] {
            if at.len() == 1 && at.contains_key(priority) {
                return None;
            }
        }
    }
    Some(at)
}
