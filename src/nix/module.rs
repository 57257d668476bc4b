//! NixOS modules as files.

use std::collections::BTreeSet;

use super::print::file;
use super::{Attrs, Value};

/// A NixOS module: a comment, what it imports, what it sets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Module {
    /// The lines of the comment at the head.
    pub comment: Vec<String>,
    /// What it imports.
    pub imports: Vec<Value>,
    /// What it sets.
    pub settings: Attrs,
}

/// The arguments that NixOS passes to every module, in the order in which they are printed.
const ARGUMENTS: [&str; 6] = ["config", "lib", "modulesPath", "options", "pkgs", "utils"];

impl Module {
    /// Returns an empty module with a comment at its head.
    pub fn new<T: Into<String>>(comment: impl IntoIterator<Item = T>) -> Self {
        Self { comment: comment.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Returns the file: formatted, with those arguments named that it uses.
    pub fn to_file(&self) -> String {
        let mut head = comment(&self.comment);
        let mut body = Attrs::new();
        if !self.imports.is_empty() {
            body.set(&["imports"], self.imports.clone());
        }
        body.merge(self.settings.clone());
        let body = Value::Attrs(body);
        let mut names = BTreeSet::new();
        body.mentions(&mut names);
        head.push_str("{ ");
        for argument in ARGUMENTS.into_iter().filter(|argument| names.contains(*argument)) {
            head.push_str(argument);
            head.push_str(", ");
        }
        head.push_str("... }:\n\n");
        file(&head, &body)
    }
}

/// Returns lines as a comment; none of them can end it.
fn comment(lines: &[String]) -> String {
    let mut out = String::new();
    // A carriage return ends a comment of Nix as well.
    for line in lines.iter().flat_map(|line| line.split(['\n', '\r'])) {
        out.push('#');
        let shown = crate::source::printable(line);
        if !shown.trim().is_empty() {
            out.push(' ');
            out.push_str(shown.trim_end());
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nix::Expr;

    #[test]
    fn a_module_names_the_arguments_that_it_uses_and_no_others() {
        let mut module = Module::new(["Made from hosts/lufta/host.toml.", ""]);
        assert_eq!(module.to_file(), "# Made from hosts/lufta/host.toml.\n#\n{ ... }:\n\n{\n}\n");
        module.imports.push(Value::path("./boot.nix").unwrap());
        module.settings.set(&["boot", "kernelPackages"], Expr::select("pkgs", "linuxPackages_6_12"));
        module.settings.set(&["networking", "useDHCP"], Value::from(false).default_priority());
        assert_eq!(
            module.to_file(),
            "# Made from hosts/lufta/host.toml.\n#\n{ lib, pkgs, ... }:\n\n{\n  imports = [ ./boot.nix ];\n  boot.kernelPackages = pkgs.linuxPackages_6_12;\n  networking.useDHCP = lib.mkDefault false;\n}\n"
        );
    }

    #[test]
    fn a_comment_cannot_end_early() {
        let text = Module::new(["a\nb\r{ evil }: \u{1b}[0m */ ''"]).to_file();
        assert_eq!(text, "# a\n# b\n# { evil }: \\u{1b}[0m */ ''\n{ ... }:\n\n{\n}\n");
    }
}
