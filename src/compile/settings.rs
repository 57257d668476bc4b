//! What a concern sets: NixOS options with their values, priorities and the place in the definition that they come from.
//!
//! The place is kept so that an error of Nix about an option can be shown at the line of TOML that it follows from.

use crate::nix::{Attrs, Module, Value};
use crate::source::Place;

/// One definition of a NixOS option.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The segments of the option's name.
    pub path: Vec<String>,
    /// The value, with its priority.
    pub value: Value,
    /// What it follows from.
    pub place: Place,
}

/// Definitions in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    definitions: Vec<Definition>,
}

impl Settings {
    /// Defines an option by its dotted name, whose segments hold no dots.
    pub fn set(&mut self, option: &str, value: impl Into<Value>, place: Place) {
        self.set_below(option, &[], value, place);
    }

    /// Defines what lies below an option by names of any characters, such as a virtual host.
    pub fn set_below(&mut self, option: &str, names: &[&str], value: impl Into<Value>, place: Place) {
        let path = option.split('.').chain(names.iter().copied()).map(str::to_owned).collect();
        self.definitions.push(Definition { path, value: value.into(), place });
    }

    /// Defines an option by the segments of its name, which may hold any characters.
    pub fn set_path(&mut self, path: &[&str], value: impl Into<Value>, place: Place) {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        self.definitions.push(Definition { path, value: value.into(), place });
    }

    /// Defines an option that the user did not write, at `mkDefault`: `[nixos]` overrides it without force.
    pub fn derive(&mut self, option: &str, value: impl Into<Value>, place: Place) {
        self.set(option, value.into().default_priority(), place);
    }

    /// Defines an option from a key with a default: at `mkDefault` unless the key was written.
    pub fn keyed<T>(&mut self, option: &str, key: &crate::fleet::decode::Setting<T>, value: impl Into<Value>) {
        let value = value.into();
        self.set(option, if key.written { value } else { value.default_priority() }, key.place);
    }

    /// Defines a list unless it is empty; lists of several definitions follow one another.
    pub fn list<V: Into<Value>>(&mut self, option: &str, elements: impl IntoIterator<Item = V>, place: Place) {
        let elements: Vec<Value> = elements.into_iter().map(Into::into).collect();
        if !elements.is_empty() {
            self.set(option, Value::List(elements), place);
        }
    }

    /// Returns the definitions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Definition> {
        self.definitions.iter()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// Returns the settings as one attribute set: what two definitions say about one option merges as in NixOS.
    pub fn to_attrs(&self) -> Attrs {
        let mut all = Attrs::new();
        for definition in &self.definitions {
            let mut one = Attrs::new();
            one.set(&definition.path, definition.value.clone());
            all.merge(one);
        }
        all
    }

    /// Returns the settings as a module with a comment at its head.
    pub fn to_module(&self, comment: Vec<String>) -> Module {
        Module { comment, imports: Vec::new(), settings: self.to_attrs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn place() -> Place {
        let mut sources = Sources::default();
        let file = sources.add("a.toml", "");
        sources.start(file)
    }

    #[test]
    fn definitions_of_one_option_merge_and_names_may_hold_dots() {
        let mut settings = Settings::default();
        settings.set("boot.kernelParams", vec!["a"], place());
        settings.list("boot.kernelParams", ["b"], place());
        settings.list::<Value>("boot.kernelParams", [], place());
        settings.set_below("services.nginx.virtualHosts", &["a.b", "forceSSL"], true, place());
        settings.derive("networking.hostId", "deadbee1", place());
        let text = settings.to_module(Vec::new()).to_file();
        for line in [
            "boot.kernelParams = [\n    \"a\"\n    \"b\"\n  ];",
            "services.nginx.virtualHosts.\"a.b\".forceSSL = true;",
            "networking.hostId = lib.mkDefault \"deadbee1\";",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
