//! Templates of files, in tera's language, with every value quoted for the language of the file.
//!
//! A template's name ends in its language and `.tera`: `install.sh.tera`, `flake.nix.tera`. There every `{{ … }}` is
//!
//! - in `.sh`: one shell word; of a list one word for each element;
//! - in `.nix`: a literal: string, number, truth value, `null`, list, attribute set;
//! - in `.md`: plain words; in `.html`: text, or the value of a quoted attribute.
//!
//! `| safe` is for what a quoting type has made, `| comment` for a value in a comment; within quotes no other value may
//! stand. The embedded templates lie in the folder `templates/`; a fleet overrides
//! one by its name, or adds what its own templates include. A template includes and extends those of its own language.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use tera::{Context, ErrorKind, Kwargs, State, Tera, TeraResult, Value};

use super::position::refused;
use super::scan::{FILTER, quote_expressions};
use super::{Html, Md, NixFloat, NixString, ShellWord, is_hidden, nix_attribute, nix_int};

/// The embedded templates, by name, sorted: `("name", include_str!("../../templates/name"))`.
pub static EMBEDDED: &[(&str, &str)] = &[
    ("boot-test-machine.nix.tera", include_str!("../../templates/boot-test-machine.nix.tera")),
    ("boot-test.nix.tera", include_str!("../../templates/boot-test.nix.tera")),
    ("dead-man-initrd.sh.tera", include_str!("../../templates/dead-man-initrd.sh.tera")),
    ("dead-man.sh.tera", include_str!("../../templates/dead-man.sh.tera")),
    ("default.nix.tera", include_str!("../../templates/default.nix.tera")),
    ("flake.nix.tera", include_str!("../../templates/flake.nix.tera")),
    ("grub-mounted.sh.tera", include_str!("../../templates/grub-mounted.sh.tera")),
    ("grub-mounts.sh.tera", include_str!("../../templates/grub-mounts.sh.tera")),
    ("hive.nix.tera", include_str!("../../templates/hive.nix.tera")),
    ("inputs.nix.tera", include_str!("../../templates/inputs.nix.tera")),
    ("install/common.sh.tera", include_str!("../../templates/install/common.sh.tera")),
    ("install/hostid.sh.tera", include_str!("../../templates/install/hostid.sh.tera")),
    ("install/install.sh.tera", include_str!("../../templates/install/install.sh.tera")),
    ("install/keys.sh.tera", include_str!("../../templates/install/keys.sh.tera")),
    ("install/layers.sh.tera", include_str!("../../templates/install/layers.sh.tera")),
    ("install/mount.sh.tera", include_str!("../../templates/install/mount.sh.tera")),
    ("install/partition.sh.tera", include_str!("../../templates/install/partition.sh.tera")),
    ("install/pools.sh.tera", include_str!("../../templates/install/pools.sh.tera")),
    ("install/wipe.sh.tera", include_str!("../../templates/install/wipe.sh.tera")),
    ("installer.nix.tera", include_str!("../../templates/installer.nix.tera")),
    ("migrate.html.tera", include_str!("../../templates/migrate.html.tera")),
    ("migrate/allowed.sh.tera", include_str!("../../templates/migrate/allowed.sh.tera")),
    ("migrate/common.sh.tera", include_str!("../../templates/migrate/common.sh.tera")),
    ("migrate/delete-claim.sh.tera", include_str!("../../templates/migrate/delete-claim.sh.tera")),
    ("migrate/mongodb.sh.tera", include_str!("../../templates/migrate/mongodb.sh.tera")),
    ("migrate/move.sh.tera", include_str!("../../templates/migrate/move.sh.tera")),
    ("migrate/mysql.sh.tera", include_str!("../../templates/migrate/mysql.sh.tera")),
    ("migrate/name-leads.sh.tera", include_str!("../../templates/migrate/name-leads.sh.tera")),
    ("migrate/postgresql.sh.tera", include_str!("../../templates/migrate/postgresql.sh.tera")),
    ("migrate/redis.sh.tera", include_str!("../../templates/migrate/redis.sh.tera")),
    ("migrate/same-cluster.sh.tera", include_str!("../../templates/migrate/same-cluster.sh.tera")),
    ("migrate/source.sh.tera", include_str!("../../templates/migrate/source.sh.tera")),
    ("migrate/stopped.sh.tera", include_str!("../../templates/migrate/stopped.sh.tera")),
    ("migrate/target-dump.sh.tera", include_str!("../../templates/migrate/target-dump.sh.tera")),
    ("migrate/target.sh.tera", include_str!("../../templates/migrate/target.sh.tera")),
    ("migrate/volume.sh.tera", include_str!("../../templates/migrate/volume.sh.tera")),
    ("mirror-esp.sh.tera", include_str!("../../templates/mirror-esp.sh.tera")),
    ("plan.html.tera", include_str!("../../templates/plan.html.tera")),
    ("pre-switch.sh.tera", include_str!("../../templates/pre-switch.sh.tera")),
    ("reboot/arm.sh.tera", include_str!("../../templates/reboot/arm.sh.tera")),
    ("reboot/baseline.sh.tera", include_str!("../../templates/reboot/baseline.sh.tera")),
    ("reboot/changes.sh.tera", include_str!("../../templates/reboot/changes.sh.tera")),
    ("reboot/confirm.sh.tera", include_str!("../../templates/reboot/confirm.sh.tera")),
    ("reboot/contract.sh.tera", include_str!("../../templates/reboot/contract.sh.tera")),
    ("reboot/disarm.sh.tera", include_str!("../../templates/reboot/disarm.sh.tera")),
    ("reboot/evidence.sh.tera", include_str!("../../templates/reboot/evidence.sh.tera")),
    ("reboot/judge.sh.tera", include_str!("../../templates/reboot/judge.sh.tera")),
    ("reboot/lib.sh.tera", include_str!("../../templates/reboot/lib.sh.tera")),
    ("reboot/promote.sh.tera", include_str!("../../templates/reboot/promote.sh.tera")),
    ("reboot/ready.sh.tera", include_str!("../../templates/reboot/ready.sh.tera")),
    ("reboot/record.sh.tera", include_str!("../../templates/reboot/record.sh.tera")),
    ("reboot/snapshot.sh.tera", include_str!("../../templates/reboot/snapshot.sh.tera")),
    ("reboot/take.sh.tera", include_str!("../../templates/reboot/take.sh.tera")),
    ("reboot/wait.sh.tera", include_str!("../../templates/reboot/wait.sh.tera")),
    ("recover/backup.sh.tera", include_str!("../../templates/recover/backup.sh.tera")),
    ("services/drill.sh.tera", include_str!("../../templates/services/drill.sh.tera")),
    ("services/dump.sh.tera", include_str!("../../templates/services/dump.sh.tera")),
    ("services/health.sh.tera", include_str!("../../templates/services/health.sh.tera")),
    ("services/ready.sh.tera", include_str!("../../templates/services/ready.sh.tera")),
    ("watch.nix.tera", include_str!("../../templates/watch.nix.tera")),
];

/// A language that a template writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// A POSIX shell script.
    Shell,
    /// Nix.
    Nix,
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
}

impl Language {
    /// All languages.
    const ALL: [Self; 4] = [Self::Shell, Self::Nix, Self::Markdown, Self::Html];

    /// Returns the language that a template's name tells.
    pub fn of_template(name: &str) -> Option<Self> {
        match name.strip_suffix(".tera")?.rsplit_once('.')?.1 {
            "sh" => Some(Self::Shell),
            "nix" => Some(Self::Nix),
            "md" => Some(Self::Markdown),
            "html" => Some(Self::Html),
            _ => None,
        }
    }

    /// Returns an engine without templates in which everything is quoted for this language.
    fn engine(self) -> Tera {
        let mut engine = Tera::default();
        engine.autoescape_on([".tera"]);
        match self {
            Self::Shell => {
                engine.set_escape_fn(|text, out| out.write_all(ShellWord::new(text).as_str().as_bytes()));
                engine.register_filter(FILTER, |value: &Value, _: Kwargs, _: &State| quoted(value, shell));
            }
            Self::Nix => {
                engine.set_escape_fn(|text, out| {
                    let text = NixString::new(text).map_err(std::io::Error::other)?;
                    out.write_all(text.one_line().as_bytes())
                });
                engine.register_filter(FILTER, |value: &Value, _: Kwargs, _: &State| quoted(value, nix));
            }
            Self::Markdown => {
                engine.set_escape_fn(|text, out| out.write_all(Md::text(text).as_str().as_bytes()));
                engine.register_filter(FILTER, |value: &Value, _: Kwargs, _: &State| quoted(value, markdown));
                engine.register_filter("code", |text: &str, _: Kwargs, _: &State| {
                    Value::safe_string(Md::code(text).as_str())
                });
                engine.register_filter("code_cell", |text: &str, _: Kwargs, _: &State| {
                    Value::safe_string(Md::code_cell(text).as_str())
                });
            }
            Self::Html => {
                engine.set_escape_fn(|text, out| out.write_all(Html::text(text).as_str().as_bytes()));
                engine.register_filter("prose", |text: &str, _: Kwargs, _: &State| {
                    Value::safe_string(Html::prose(text).as_str())
                });
                engine.register_filter(FILTER, |value: &Value, _: Kwargs, _: &State| quoted(value, html));
            }
        }
        engine.register_filter("comment", |value: &Value, _: Kwargs, _: &State| {
            quoted(value, |value| {
                plain(value).map(|text| comment(&text)).ok_or("a list or map is no text of a comment".to_owned())
            })
        });
        // Its groups come out of a hash map: another order in every run.
        engine.register_filter("group_by", |_: &Value, _: Kwargs, _: &State| -> TeraResult<Value> {
            Err(tera::Error::message("`group_by` has no stable order; group the data before it reaches the template"))
        });
        engine
    }
}

/// What is wrong with a template, or with the values it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}`: {message}")]
pub struct TemplateError {
    /// The template's name.
    pub template: String,
    /// The line in it, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// The templates of a run: the embedded ones with a fleet's own over them.
#[derive(Clone)]
pub struct Templates {
    engines: BTreeMap<Language, Tera>,
    /// The templates as written, for messages.
    texts: BTreeMap<String, String>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

impl Templates {
    /// Returns the embedded templates as they are, which are read once.
    pub fn embedded() -> Result<&'static Self, TemplateError> {
        static ALL: OnceLock<Result<Templates, TemplateError>> = OnceLock::new();
        ALL.get_or_init(|| Self::new::<&str, &str>([])).as_ref().map_err(Clone::clone)
    }

    /// Reads the embedded templates, and over them those of a fleet as (name below `templates/`, text).
    ///
    /// The error is the first template that cannot be read, or whose name tells no language.
    pub fn new<N, T>(overrides: impl IntoIterator<Item = (N, T)>) -> Result<Self, TemplateError>
    where
        N: Into<String>,
        T: Into<String>,
    {
        let mut texts: BTreeMap<String, String> =
            EMBEDDED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        texts.extend(overrides.into_iter().map(|(name, text)| (name.into(), text.into())));
        let mut by_language: BTreeMap<Language, Vec<(&str, String)>> = BTreeMap::new();
        for (name, text) in &texts {
            let error =
                |message: &str| TemplateError { template: name.clone(), line: None, message: message.to_owned() };
            let language = Language::of_template(name)
                .ok_or_else(|| error("its name ends in none of `.sh.tera`, `.nix.tera`, `.md.tera`, `.html.tera`"))?;
            if text.contains("__tera_context") {
                return Err(error("`__tera_context` has no stable order; name the values that are wanted"));
            }
            if let Some((line, message)) = refused(language, text) {
                return Err(TemplateError { line: Some(line), ..error(message) });
            }
            let quoted = quote_expressions(text);
            // Alone first: what does not parse is told with its own name and line.
            let mut alone = Tera::default();
            if let Err(cause) = alone.add_raw_template(name, &quoted)
                && matches!(cause.kind(), ErrorKind::SyntaxError(_))
            {
                return Err(TemplateError::from_tera(name, &cause));
            }
            by_language.entry(language).or_default().push((name, quoted));
        }
        let mut engines = BTreeMap::new();
        for language in Language::ALL {
            let mut engine = language.engine();
            let templates = by_language.remove(&language).unwrap_or_default();
            let first = templates.first().map_or("", |(name, _)| *name);
            engine.add_raw_templates(templates.iter().map(|(name, text)| (*name, text))).map_err(|cause| {
                let named = templates.iter().map(|(name, _)| *name).find(|name| cause.to_string().contains(name));
                TemplateError::from_tera(named.unwrap_or(first), &cause)
            })?;
            engines.insert(language, engine);
        }
        Ok(Self { engines, texts })
    }

    /// Fills a template with the fields of a struct or map.
    ///
    /// The error names the line, and also covers a value that the language cannot hold where it stands: a map as a shell
    /// word, a NUL character in a string of Nix, a name that the values lack.
    pub fn render(&self, name: &str, values: &impl serde::Serialize) -> Result<String, TemplateError> {
        let error = |cause: &tera::Error| {
            let mut error = TemplateError::from_tera(name, cause);
            // Which of the names is meant is told by the line.
            let text = self.texts.get(&error.template).map_or("", String::as_str);
            if let Some(line) = error.line.and_then(|line| text.lines().nth(line.checked_sub(1)?)) {
                error.message = format!("{}: {}", error.message, line.trim());
            }
            error
        };
        let engine = Language::of_template(name).and_then(|language| self.engines.get(&language));
        let context = Context::from_serialize(values).map_err(|cause| error(&cause))?;
        let missing = || tera::Error::new(ErrorKind::TemplateNotFound(name.to_owned()));
        engine.ok_or_else(|| error(&missing()))?.render(name, &context).map_err(|cause| error(&cause))
    }

    /// Tells whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        Language::of_template(name)
            .and_then(|language| self.engines.get(&language))
            .is_some_and(|engine| engine.contains_template(name))
    }
}

impl TemplateError {
    /// Makes the error from tera's, without tera's picture of the source: that shows the filter which templates lack.
    fn from_tera(template: &str, cause: &tera::Error) -> Self {
        let (template, line, message) = match cause.kind() {
            ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
                let name = if report.filename().is_empty() { template } else { report.filename() };
                (name, Some(report.span().start_line), report.message().to_owned())
            }
            ErrorKind::TemplateNotFound(name) => (template, None, format!("there is no template `{name}`")),
            other => (template, None, other.to_string()),
        };
        Self { template: template.to_owned(), line, message }
    }
}

/// Quotes a value unless it is quoted already.
fn quoted(value: &Value, quote: fn(&Value) -> Result<String, String>) -> TeraResult<Value> {
    if value.is_undefined() {
        return Err(tera::Error::message("the values have no such name"));
    }
    if value.is_string() && value.is_safe() {
        return Ok(value.clone());
    }
    quote(value).map(|text| Value::safe_string(&text)).map_err(tera::Error::message)
}

/// Returns text as it may stand in a comment of a shell or of Nix: on one line, without `*/`.
fn comment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '/' if out.ends_with('*') => out.push_str(" /"),
            _ if is_hidden(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

/// Returns the value as shell words.
fn shell(value: &Value) -> Result<String, String> {
    match value.as_array() {
        Some(items) => {
            let words: Result<Vec<String>, String> = items.iter().map(shell_word).collect();
            words.map(|words| words.join(" "))
        }
        None => shell_word(value),
    }
}

fn shell_word(value: &Value) -> Result<String, String> {
    let text = plain(value).ok_or("only strings, numbers, truth values and lists of them are words of a shell")?;
    if text.contains('\0') {
        return Err("a word of a shell cannot hold a NUL character".to_owned());
    }
    Ok(ShellWord::new(&text).to_string())
}

/// Returns the value as a literal of Nix that may stand anywhere, in a list or as an argument too.
fn nix(value: &Value) -> Result<String, String> {
    if let Some(text) = value.as_str() {
        return NixString::new(text).map(|text| text.one_line()).map_err(|error| error.to_string());
    }
    if value.is_none() {
        return Ok("null".to_owned());
    }
    if let Some(items) = value.as_array() {
        let items: Result<Vec<String>, String> = items.iter().map(nix).collect();
        return items.map(|items| if items.is_empty() { "[ ]".to_owned() } else { format!("[ {} ]", items.join(" ")) });
    }
    if let Some(map) = value.as_map() {
        let mut out = String::from("{ ");
        for (key, value) in map {
            let name = key.as_str().ok_or("the attribute names of Nix are strings")?;
            if name.contains('\0') {
                return Err("an attribute name of Nix cannot hold a NUL character".to_owned());
            }
            // Writing to a String cannot fail.
            let _ = write!(out, "{} = {}; ", nix_attribute(name), nix(value)?);
        }
        out.push('}');
        return Ok(out);
    }
    let (literal, negative) = if let Some(truth) = value.as_bool() {
        (truth.to_string(), false)
    } else if value.is_f64() {
        let float = NixFloat::new(value.as_f64().unwrap_or(f64::NAN)).map_err(|error| error.to_string())?;
        (float.literal(), float.value().is_sign_negative())
    } else {
        let int = value.as_i64().ok_or("integers of Nix have 64 bits with a sign")?;
        (nix_int(int), int < 0)
    };
    Ok(if negative { format!("({literal})") } else { literal })
}

fn markdown(value: &Value) -> Result<String, String> {
    let text = plain(value).ok_or("a list or map is no text; go through it with `for`")?;
    Ok(Md::text(&text).to_string())
}

fn html(value: &Value) -> Result<String, String> {
    let text = plain(value).ok_or("a list or map is no text; go through it with `for`")?;
    Ok(Html::text(&text).to_string())
}

/// Returns the text of a string, number or truth value.
fn plain(value: &Value) -> Option<String> {
    let scalar = value.is_string() || value.is_number() || value.is_bool();
    scalar.then(|| value.to_string())
}
