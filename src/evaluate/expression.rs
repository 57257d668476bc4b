//! The expressions that Nix evaluates: what a host's system is, and what its modules say of it.

use std::path::Path;

use crate::nix::{Attrs, Expr, NixString, Value};

/// What is evaluated: a compiled fleet, with which nixpkgs and inputs.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The folder of the compiled fleet.
    pub out: &'a Path,
    /// The tree of nixpkgs.
    pub nixpkgs: &'a Path,
    /// The trees of the further inputs, by name.
    pub inputs: &'a [(String, std::path::PathBuf)],
    /// The host.
    pub host: &'a str,
}

/// What is asked of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Its failed assertions, its warnings, and, where no assertion fails, its system.
    Whole,
    /// Its system, whatever its assertions and warnings say.
    System,
}

impl Subject<'_> {
    /// Returns the expression for a question.
    pub fn ask(&self, question: Question) -> String {
        let answer = match question {
            Question::Whole => {
                "located = option: builtins.concatMap
                   (d: if builtins.isList d.value then builtins.genList (i: { file = toString d.file; index = i + 1; value = builtins.elemAt d.value i; }) (builtins.length d.value) else [ ])
                   (host.options.${option}.definitionsWithLocations or [ ]);
                 said = test: let result = builtins.tryEval test; in result.success && result.value;
                 failed = builtins.filter (a: said (!a.assertion)) host.config.assertions;
                 of = all: same: message: let found = builtins.filter (d: said (same d.value)) all; in
                   if found == [ ] then { inherit message; } else { inherit message; inherit (builtins.head found) file index; };
                 asserted = builtins.filter (d: said (builtins.isAttrs d.value && !(d.value ? _type) && !(d.value.assertion or true))) (located \"assertions\");
                 warned = builtins.filter (d: said (builtins.isString d.value)) (located \"warnings\");
                 in {
                   assertions = map (a: of asserted (v: v.message == a.message) a.message) failed;
                   warnings = map (w: of warned (v: v == w) w) host.config.warnings;
                   system = if failed == [ ] then host.config.system.build.toplevel.drvPath else null;
                 }"
            }
            Question::System => {
                "bare = host.extendModules { modules = [ ({ lib, ... }: { assertions = lib.mkForce [ ]; warnings = lib.mkForce [ ]; }) ]; };
                 in { assertions = [ ]; warnings = [ ]; system = bare.config.system.build.toplevel.drvPath; }"
            }
        };
        format!("{} {answer}", self.host())
    }

    /// Returns the expression for the files in which options are declared, by their names joined with line feeds; options
    /// within options count as those.
    pub fn ask_declarations(&self, options: &[Vec<String>]) -> String {
        let asked: Vec<Value> = options.iter().map(|path| Value::from(path.clone())).collect();
        format!(
            "{} find = at: path: if (at._type or null) == \"option\" then map toString (at.declarations or [ ])
               else if path == [ ] || !(builtins.isAttrs at) || !(at ? ${{builtins.head path}}) then [ ]
               else find at.${{builtins.head path}} (builtins.tail path);
             in map (find host.options) {}",
            self.host(),
            literal(&Value::List(asked)),
        )
    }

    /// Returns the expression for one option's value: plain ones and lists, so far as to know what they are.
    pub fn ask_option(&self, option: &[String]) -> String {
        let value = Expr::select_path("host.config", option);
        format!(
            "{} value = {}; in if builtins.isAttrs value || builtins.isFunction value then null else builtins.toJSON value",
            self.host(),
            value.as_str()
        )
    }

    /// Binds `host`; further bindings may follow.
    fn host(&self) -> String {
        let mut arguments = Attrs::new();
        arguments.set(&["nixpkgs"], path(self.nixpkgs));
        let inputs: Attrs = self.inputs.iter().map(|(name, tree)| (name.clone(), path(tree))).collect();
        arguments.set(&["inputs"], inputs);
        let host = Expr::select_path("out", &["nixosConfigurations", self.host]);
        format!(
            "let out = import ({}) {}; host = {};",
            literal(&path(self.out)),
            literal(&Value::Attrs(arguments)),
            host.as_str()
        )
    }
}

/// Returns a folder as Nix: a path, not a copy of it in the store.
fn path(folder: &Path) -> Value {
    let text = NixString::new(folder.to_string_lossy()).map(|text| text.one_line()).unwrap_or_default();
    Expr::parse(&format!("/. + {text}")).map_or(Value::Null, Value::Expr)
}

/// Returns the expression that fetches a pinned archive into the store, and is its path there.
pub fn fetch(url: &str, hash: &str) -> String {
    let arguments = Attrs::from_iter([("url", Value::from(url)), ("sha256", Value::from(hash))]);
    format!("toString (fetchTarball {})", literal(&Value::Attrs(arguments)))
}

fn literal(value: &Value) -> String {
    let call = Expr::select("x", "").apply([value.clone()]);
    call.as_str().strip_prefix("x ").unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nix::syntax_errors;

    #[test]
    fn every_question_is_nix_whatever_folders_and_hosts_are_called() {
        let inputs = [("a b".to_owned(), "/x\"${y}".into())];
        for (out, host) in [("/tmp/a b", "a"), ("/tmp/\"; evil", "${x}")] {
            let subject = Subject { out: Path::new(out), nixpkgs: Path::new("/n ${x}"), inputs: &inputs, host };
            let options = [vec!["a".to_owned(), "b\"c".to_owned()]];
            for text in [
                subject.ask(Question::Whole),
                subject.ask(Question::System),
                subject.ask_declarations(&options),
                subject.ask_option(&options[0]),
            ] {
                assert_eq!(syntax_errors(&text), [], "{text}");
                assert!(!text.contains("${x}") || text.contains("\\${x}"), "{text}");
            }
        }
        assert_eq!(syntax_errors(&fetch("https://a/${b}.tar.gz", "sha256-x")), []);
    }
}
