//! Databases and accounts that images of databases make at their first start.

use serde_json::{Value, json};

use super::Plan;

impl Plan<'_, '_, '_> {
    /// Lets the accounts of a database own what they own in the cluster.
    pub(super) fn databases(&mut self) {
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
                self.options.insert(USERS.to_owned(), json!([{ "name": user, "ensureDBOwnership": owns }]));
            }
            _ => {
                let rights: serde_json::Map<String, Value> =
                    names.iter().map(|name| (format!("{name}.*"), json!("ALL PRIVILEGES"))).collect();
                self.options.insert(USERS.to_owned(), json!([{ "name": user, "ensurePermissions": rights }]));
            }
        }
    }
}

const DATABASES: &str = "ensureDatabases";
const USERS: &str = "ensureUsers";

/// Where the name of an account stands until it is known which databases there are: no option.
pub(super) const USER: &str = "ensureUsers.name";
