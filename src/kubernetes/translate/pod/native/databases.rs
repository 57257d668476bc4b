//! Databases: those that images make at their first start, and those that modules are clients of.

use serde_json::{Value, json};

use super::values::exists;
use super::{Act, Plan};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::WorkDraft;
use crate::kubernetes::reach::Leads;

impl Plan<'_, '_, '_> {
    /// Lets the accounts of a database own what they own in the cluster.
    pub(super) fn databases(&mut self) {
        self.client();
        if self.name == "mosquitto" && !self.options.contains_key("listeners") {
            let nodes = self.container.node.get("image").into_iter().collect();
            let text = "without listeners nobody reaches the broker: `options.listeners` says on which ports it listens, and who may speak there";
            self.acts.push(Act::Ask { nodes, key: "listeners".to_owned(), text: text.to_owned(), blocks: true });
        }
        let Some(user) = self.options.shift_remove(USER).as_ref().and_then(Value::as_str).map(str::to_owned) else {
            return;
        };
        let names: Vec<String> = self.options.get(DATABASES).map_or_else(Vec::new, |names| {
            names.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        });
        match self.name {
            // The superuser is there anyway, and the database of its name, too.
            "postgresql" if user == "postgres" => {}
            "postgresql" => {
                // The image calls the database as the account where nothing else is said.
                let mut names = names;
                if names.is_empty() {
                    names.push(user.clone());
                    self.options.insert(DATABASES.to_owned(), json!(names));
                }
                let owns = names.contains(&user);
                self.options.insert(USER.to_owned(), json!([{ "name": user, "ensureDBOwnership": owns }]));
            }
            _ if user == "root" => {}
            _ => {
                let rights: serde_json::Map<String, Value> =
                    names.iter().map(|name| (format!("{name}.*"), json!("ALL PRIVILEGES"))).collect();
                self.options.insert(USER.to_owned(), json!([{ "name": user, "ensurePermissions": rights }]));
            }
        }
    }
}

impl Plan<'_, '_, '_> {
    /// Lets a client speak with the database of its own choice instead of one that NixOS makes.
    fn client(&mut self) {
        let Some(host) = self.options.get(HOST).and_then(Value::as_str) else { return };
        let split = host.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse::<u16>().ok()?)));
        if let Some((host, port)) = split {
            self.options.insert(HOST.to_owned(), host.into());
            self.options.insert("database.port".to_owned(), port.into());
        }
        let makes = ["database.createDatabase", "database.createLocally", ENABLE];
        if let Some(option) = makes.into_iter().find(|option| exists(self.index, &self.full(option))) {
            self.options.insert(option.to_owned(), false.into());
        }
    }
}

/// Lets modules reach the PostgreSQL of the host by its socket, where the account that they run as is the one they have there.
pub(in crate::kubernetes) fn connect(cx: &mut Cx<'_, '_>) {
    let mut known = Vec::new();
    for (name, draft) in &cx.host.services {
        let WorkDraft::Native(native) = &draft.work else { continue };
        let Some(module) = cx.target.modules.get(&native.module) else { continue };
        let text = |option: &str| native.options.get(option).and_then(Value::as_str);
        let account = module.file.user.as_ref().map(|user| user.value.as_str());
        let Some(host) = text(HOST).filter(|_| text("database.user") == account && account.is_some()) else { continue };
        let Some(object) = cx.world.object(draft.object) else { continue };
        let mut parts = host.split('.');
        let service = parts.next().unwrap_or_default().to_owned();
        let namespace = parts.next().unwrap_or(object.namespace()).to_owned();
        let leads = cx.reach.services.get(&(namespace, service)).map(|service| &service.leads);
        let Some(Leads::To(services)) = leads else { continue };
        let is_postgres = |service: &String| {
            let draft = cx.host.services.get(service);
            draft.is_some_and(|draft| matches!(&draft.work, WorkDraft::Native(native) if native.module == "postgresql"))
        };
        if let Some(database) = services.iter().find(|service| is_postgres(service)) {
            known.push((name.clone(), database.clone()));
        }
    }
    for (name, database) in known {
        let Some(draft) = cx.host.services.get_mut(&name) else { continue };
        if let WorkDraft::Native(native) = &mut draft.work {
            native.options.shift_remove(HOST);
            native.options.shift_remove("database.port");
            // Where NixOS sets up the host's database for the module, its usual host is the socket.
            if native.options.shift_remove(ENABLE).is_none() {
                native.options.insert("database.socket".to_owned(), "/run/postgresql".into());
            }
        }
        if !draft.after.contains(&database) {
            draft.after.push(database);
        }
    }
}

const HOST: &str = "database.host";
/// Whether NixOS sets up the host's PostgreSQL for the module.
const ENABLE: &str = "database.enable";
const DATABASES: &str = "ensureDatabases";

/// Where the name of an account stands as a text until it is known which databases there are.
pub(super) const USER: &str = "ensureUsers";
