//! The JSON Schema of each file.

use serde_json::{Value, json};

use super::facts_file::FactsFile;
use super::fleet_file::FleetFile;
use super::host::HostFile;
use super::module_file::ModuleFile;
use crate::fleet::decode::Decode as _;
use crate::fleet::shape::Form;

/// Returns the schema of fleet.toml.
pub fn fleet() -> Value {
    FleetFile::shape().json_schema("fleet.toml", Form::Plain)
}

/// Returns the schema of host.toml. No key is required there: an import or the defaults may bring it.
pub fn host() -> Value {
    let mut schema = HostFile::shape().json_schema("hosts/HOST/host.toml", Form::Definition);
    let defs = schema.get_mut("$defs").and_then(Value::as_object_mut);
    for def in defs.into_iter().flat_map(serde_json::Map::values_mut) {
        if let Some(required) = def.get_mut("required") {
            *required = json!([]);
        }
    }
    schema
}

/// Returns the schema of facts.json.
pub fn facts() -> Value {
    FactsFile::shape().json_schema("hosts/HOST/facts.json", Form::Facts)
}

/// Returns the schema of module.toml.
pub fn module() -> Value {
    ModuleFile::shape().json_schema("modules/NAME/module.toml", Form::Plain)
}
