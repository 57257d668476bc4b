//! The modules that the program carries: profiles, and descriptions of services.
//!
//! A module is a folder of the top-level `modules/` with a module.toml; its line in [`EMBEDDED`] puts it into the program, and a
//! test says so when it is forgotten. Not here: the keys of a module.toml (`fleet::schema::module_file`).

/// Name and module.toml of every embedded module, sorted by name.
static EMBEDDED: &[(&str, &str)] = &[
    ("base", include_str!("../../modules/base/module.toml")),
    ("gitea", include_str!("../../modules/gitea/module.toml")),
    ("hetzner-dedicated", include_str!("../../modules/hetzner-dedicated/module.toml")),
];

/// Returns the embedded modules as (name, text of module.toml), sorted by name.
pub fn embedded() -> &'static [(&'static str, &'static str)] {
    EMBEDDED
}

/// Returns the names of the embedded modules, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(name, _)| *name)
}
