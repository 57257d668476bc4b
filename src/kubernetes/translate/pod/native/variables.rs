//! Variables and words of the command line as options and secrets of a module.

use serde_json::Value;

use super::values::{Fault, exists, typed};
use super::{Act, Plan, SecretOf, databases};
use crate::facts::{Shape, join_name, split_name};
use crate::fleet::schema::module_file::Moved;
use crate::kubernetes::translate::pod::env::{Origin, Variable};
use crate::kubernetes::translate::pod::secrets;
use crate::kubernetes::translate::pod::words::Word;
use crate::kubernetes::tree::Node;
use crate::source::{self, Kind};

/// Variables that mean the same to most images, with why a module needs none of them.
const OF_ALL: &[(&str, &str)] = &[
    ("TZ", "it has the host's time zone"),
    ("PUID", "the account is made by NixOS"),
    ("PGID", "the group is made by NixOS"),
    ("UMASK", "the module decides who reads its files"),
    ("UMASK_SET", "the module decides who reads its files"),
    ("LANG", "it has the host's language"),
    ("LC_ALL", "it has the host's language"),
];

/// A value that is moved: what it is called, and where it comes from.
struct Given<'v> {
    /// The variable, or the flag with its hyphens.
    name: &'v str,
    /// How it is spoken of.
    what: String,
    from: From<'v>,
}

enum From<'v> {
    Text(&'v str, Option<&'v str>),
    Secret(&'v str, &'v str),
    Composed,
    Unknown(&'v str),
}

impl<'v> From<'v> {
    /// Returns where the value of a variable comes from; none of one that is not there, or of several at once.
    fn of(variable: &'v Variable<'_, '_>) -> Option<Self> {
        Some(match &variable.origin {
            Origin::Text { value, how, .. } => Self::Text(value, how.as_deref()),
            Origin::Secret { secret, key } => Self::Secret(secret, key),
            Origin::Composed(_) => Self::Composed,
            Origin::Unknown(question) => {
                variable.answer.as_deref().map_or(Self::Unknown(question), |answer| Self::Text(answer, None))
            }
            Origin::Secrets { .. } | Origin::Absent(_) => return None,
        })
    }
}

impl<'w, 's> Plan<'_, 'w, 's> {
    /// Plans the variables of the container.
    pub(super) fn variables(&mut self) {
        let container = self.container;
        for variable in &container.environment {
            let name = variable.name.as_str();
            if let Origin::Absent(reason) = variable.origin {
                self.drop_all(&variable.nodes, reason);
                continue;
            }
            let rule = self.rule_of_variable(name);
            let what = format!("the variable {name}");
            let Some((rule, stars)) = rule else {
                if container.words_name(name) {
                    self.drop_all(&variable.nodes, "only its own arguments speak of it");
                    continue;
                }
                match OF_ALL.iter().find(|(known, _)| *known == name) {
                    Some((_, reason)) => self.drop_all(&variable.nodes, reason),
                    None if name.is_empty() => self.whole_secret(variable),
                    None if !self.reads(name) => self.drop_all(&variable.nodes, "the image reads no such variable"),
                    None => self.lack(what, &variable.nodes),
                }
                continue;
            };
            let Some(from) = From::of(variable) else {
                self.lack(what, &variable.nodes);
                continue;
            };
            if let Origin::Text { config: Some(config), .. } = &variable.origin {
                self.acts.push(Act::Uses { kind: "ConfigMap", name: config.clone(), key: "options" });
            }
            self.moved(rule, &stars, &Given { name, what, from }, &variable.nodes, &format!("env.{name}"));
        }
    }

    /// Tells whether a program of the image may read a variable: any, unless the module says which ones it does.
    fn reads(&self, name: &str) -> bool {
        let is_it = |known: &str| known == name || captures(known, name).is_some();
        self.file.reads.is_empty() || self.file.reads.iter().any(|known| is_it(&known.value))
    }

    /// Returns the key of the secret that holds lines for the program, where it reads variables of the image from there.
    fn key_of_lines(&self) -> Option<&'w str> {
        let is_read = |key: &str| {
            self.file.env.iter().any(|(_, rule)| rule.value.secret.as_ref().is_some_and(|of| of.value.as_str() == key))
        };
        let lines = self.file.secrets.iter().filter(|secret| secret.lines.value);
        lines.map(|secret| secret.key.value.as_str()).find(|key| is_read(key))
    }

    /// Plans all variables of a Secret that is not among the input, whose names nobody knows.
    fn whole_secret(&mut self, variable: &Variable<'w, 's>) {
        let (Origin::Secrets { secret, prefix }, Some(key)) = (&variable.origin, self.key_of_lines()) else {
            self.lack("variables of an object that is not among the input", &variable.nodes);
            return;
        };
        let line = format!("`{prefix}NAME=…` for each key of the Secret {secret}");
        self.lines.entry(key.to_owned()).or_default().push(line);
        let text = format!(
            "the Secret {secret} is not among the input: each of its keys goes as a line `{prefix}NAME=…` into the secret `{key}`, but for \
             those that say where it listens and where its data lies. Which ones has it?"
        );
        let question = self.container.question(&format!("secret.{secret}"));
        self.acts.push(Act::Ask { nodes: variable.nodes.clone(), key: question, text, blocks: true });
    }

    /// Returns what becomes of a variable: by its name, else by the pattern that says most.
    fn rule_of_variable(&self, name: &str) -> Option<(&'w Moved, Vec<String>)> {
        let env = &self.file.env;
        if let Some((_, entry)) = env.iter().find(|(known, _)| known.as_str() == name) {
            return Some((&entry.value, Vec::new()));
        }
        let patterns = env.iter().filter_map(|(pattern, entry)| {
            let stars = captures(pattern.as_str(), name)?;
            let said = pattern.as_str().chars().filter(|c| *c != '*').count();
            Some((said, &entry.value, stars))
        });
        let (_, rule, stars) = patterns.max_by_key(|(said, ..)| *said)?;
        Some((rule, stars.into_iter().map(|star| star.replace("_0X2E_", ".").replace("_0X2D_", "-")).collect()))
    }

    /// Plans the words of the command line.
    pub(super) fn words(&mut self) {
        let container = self.container;
        let all: Vec<&Word<'w, 's>> = container.command.iter().chain(&container.args).collect();
        let known = self.file.commands.iter().filter_map(|command| begins(&all, &command.value)).max();
        if known.is_none() && !container.command.is_empty() {
            self.lack("its own command", &all.iter().map(|word| word.node).collect::<Vec<_>>());
            return;
        }
        let start = known.unwrap_or(0);
        for word in all.iter().take(start) {
            let to = self.key("module");
            self.acts.push(Act::Translated(word.node, to, None));
        }
        let mut rest = all.into_iter().skip(start).peekable();
        let mut number = 0;
        while let Some(word) = rest.next() {
            number += 1;
            let (flag, inline) = match word.text.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word.text.as_str(), None),
            };
            let rule = self.rule_of_flag(flag).filter(|_| word.unknown.is_none());
            let Some(rule) = rule else {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                let what = match flag.starts_with("--") && flag.len() <= 60 && flag.chars().all(is_plain) {
                    true => format!("the argument {flag}"),
                    false => format!("its argument number {number}"),
                };
                self.lack(what, &[word.node]);
                // What follows an unknown flag may be its value; where a person wants the module, both go.
                if inline.is_none()
                    && flag.starts_with('-')
                    && let Some(value) = rest.next_if(|next| !next.text.starts_with('-'))
                {
                    self.lack(format!("its argument number {}", number + 1), &[value.node]);
                    number += 1;
                }
                continue;
            };
            let mut nodes = vec![word.node];
            let mut held = word;
            let mut text = inline;
            if inline.is_none()
                && let Some(value) =
                    rest.next_if(|next| !next.text.starts_with('-') && !self.is_switch(rule, &next.text))
            {
                number += 1;
                nodes.push(value.node);
                held = value;
                text = Some(&value.text);
            }
            self.flag(rule, flag, text.unwrap_or("true"), held, &nodes);
        }
    }

    /// Plans one flag with its value.
    fn flag(&mut self, rule: &'w Moved, flag: &str, text: &str, word: &Word<'w, 's>, nodes: &[&'w Node<'s>]) {
        let what = format!("the argument {flag}");
        let key = format!("args.{}", flag.trim_start_matches('-'));
        let mut stars = Vec::new();
        let mut text = text;
        if rule.option.as_ref().is_some_and(|option| option.value.0.contains('*')) {
            let Some((name, value)) = text.split_once('=') else {
                self.lack(what, nodes);
                return;
            };
            stars.push(name.to_owned());
            text = value;
        }
        let container = self.container;
        let from = match word.secrets.as_slice() {
            [] => From::Text(text, None),
            [only] if text == format!("$({only})") => {
                let variable = container.environment.iter().find(|variable| variable.name == *only);
                variable.and_then(From::of).unwrap_or(From::Composed)
            }
            _ => From::Composed,
        };
        let is_secret = secrets::is_secret_word(Some(flag), text);
        if is_secret && rule.option.is_some() {
            self.lack(what, nodes);
            return;
        }
        self.moved(rule, &stars, &Given { name: flag, what, from }, nodes, &key);
    }

    /// Returns what becomes of a flag; programs in Go take one hyphen for two.
    fn rule_of_flag(&self, flag: &str) -> Option<&'w Moved> {
        let all = &self.file.args;
        let of = |name: &str| all.iter().find(|(known, _)| known.as_str() == name).map(|(_, entry)| &entry.value);
        of(flag).or_else(|| of(&format!("-{flag}")).filter(|_| flag.starts_with('-') && !flag.starts_with("--")))
    }

    /// Tells whether a flag stands alone, so that the word behind it is not its value.
    fn is_switch(&self, rule: &Moved, next: &str) -> bool {
        let Some(option) = &rule.option else { return false };
        let loc = split_name(&self.full(&option.value.0));
        let loc: Vec<&str> = loc.iter().map(String::as_str).collect();
        let is_bool =
            self.index.and_then(|index| index.type_of(&loc)).is_some_and(|ty| matches!(ty.shape(), Shape::Bool));
        is_bool && rule.map.is_none() && !["true", "false", "yes", "no", "on", "off", "1", "0"].contains(&next)
    }

    fn drop_all(&mut self, nodes: &[&'w Node<'s>], reason: &'static str) {
        self.acts.extend(nodes.iter().map(|node| Act::Dropped(node, reason.into())));
    }

    /// Plans what becomes of a value by its rule.
    fn moved(&mut self, rule: &'w Moved, stars: &[String], given: &Given<'_>, nodes: &[&'w Node<'s>], question: &str) {
        if let Some(reason) = &rule.drop {
            self.acts.extend(nodes.iter().map(|node| Act::Dropped(node, reason.value.clone().into())));
            return;
        }
        let question = self.container.question(question);
        if let Some(text) = &rule.ask {
            self.acts.push(Act::Ask { nodes: nodes.to_vec(), key: question, text: text.value.clone(), blocks: false });
            return;
        }
        if let From::Unknown(text) = given.from {
            self.acts.push(Act::Ask { nodes: nodes.to_vec(), key: question, text: text.to_owned(), blocks: false });
            return;
        }
        if let Some(key) = &rule.secret {
            self.secret(key.value.as_str(), given, nodes);
            return;
        }
        let Some(option) = &rule.option else { return };
        // What NixOS hands on as a variable of this name is read from a file of variables just the same.
        let is_variable = option.value.0.rsplit('.').next() == Some(given.name);
        let lines = self.key_of_lines().filter(|_| is_variable);
        let text = match (&given.from, lines) {
            (From::Text(text, how), _) if !secrets::is_secret(given.name, text) => Ok((*text, *how)),
            (_, Some(key)) => {
                self.secret(key, given, nodes);
                return;
            }
            (From::Text(..), None) => Err("looks like"),
            _ => Err("is"),
        };
        let (text, how) = match text {
            Ok(found) => found,
            Err(word) => {
                self.lack(format!("{}, which {word} a secret", given.what), nodes);
                return;
            }
        };
        let option = filled(&option.value.0, stars);
        let value = match &rule.map {
            Some(map) => mapped(map, text).ok_or(Fault::NoValue),
            None if option == databases::USER => Ok(text.into()),
            None => typed(self.index, &self.full(&option), text),
        };
        match value {
            Ok(value) => {
                let to = self.key(&format!("options.{option}"));
                self.acts.extend(nodes.iter().map(|node| Act::Translated(node, to.clone(), how.map(str::to_owned))));
                self.options.insert(option, value);
            }
            Err(Fault::NoOption) => self.lack(format!("{} (the release has no option {option})", given.what), nodes),
            Err(Fault::NoValue) => self.lack(format!("the value of {}", given.what), nodes),
        }
    }

    /// Plans a secret of the module.
    fn secret(&mut self, key: &str, given: &Given<'_>, nodes: &[&'w Node<'s>]) {
        let known = self.file.secrets.iter().find(|secret| secret.key.value.as_str() == key);
        let name = given.name.trim_start_matches('-').to_owned();
        if let From::Secret(secret, _) = given.from {
            self.acts.push(Act::Uses { kind: "Secret", name: secret.to_owned(), key: "secrets" });
        }
        if known.is_some_and(|secret| secret.lines.value) {
            let line = match given.from {
                From::Secret(secret, of) => format!("`{name}=…` (key {of} of the Secret {secret})"),
                _ => format!("`{name}=…`"),
            };
            self.lines.entry(key.to_owned()).or_default().push(line);
            let how = format!("a person puts the line {name}=… into the secret");
            let to = self.key("secrets");
            self.acts.extend(nodes.iter().map(|node| Act::Translated(node, to.clone(), Some(how.clone()))));
            return;
        }
        let of = match given.from {
            From::Secret(secret, key) => SecretOf::Key { secret: secret.to_owned(), key: key.to_owned() },
            From::Composed | From::Unknown(_) => SecretOf::Composed { name },
            From::Text(value, _) => {
                // A reference that a later step of the delivery fills in holds no secret itself.
                let is_reference = value.starts_with("${") && value.ends_with('}') && value.matches('{').count() == 1;
                SecretOf::Manifest { name, is_reference }
            }
        };
        self.acts.push(Act::Secret { nodes: nodes.to_vec(), key: key.to_owned(), of });
    }

    /// Adds a setting of a configuration file; tells whether there is such an option and it takes the value.
    pub(super) fn set(&mut self, option: &str, held: &super::files::Held) -> bool {
        use super::files::Held;
        let full = self.full(option);
        let value = match held {
            Held::Text(text) => typed(self.index, &full, text).ok(),
            Held::Value(value) => exists(self.index, &full).then(|| value.clone()),
        };
        let Some(value) = value else { return false };
        self.options.insert(option.to_owned(), value);
        true
    }
}

/// Returns how many words a known command line takes at the beginning of another; none where that begins otherwise.
fn begins(words: &[&Word<'_, '_>], command: &str) -> Option<usize> {
    let known: Vec<&str> = command.split_whitespace().collect();
    let program = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let is_same = |(at, known): (usize, &&str)| {
        let word = words.get(at).map_or("", |word| word.text.as_str());
        word == *known || at == 0 && program(word) == program(known)
    };
    (known.len() <= words.len() && known.iter().enumerate().all(is_same)).then_some(known.len())
}

/// Returns what each `*` of a pattern stands for in a name: the shortest text that fits, the last one the rest.
fn captures(pattern: &str, name: &str) -> Option<Vec<String>> {
    let mut parts = pattern.split('*');
    let mut rest = name.strip_prefix(parts.next()?)?;
    let parts: Vec<&str> = parts.collect();
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        let end = match (is_last, part.is_empty()) {
            (true, true) => rest.len(),
            (true, false) => rest.strip_suffix(part)?.len(),
            (false, _) => rest.find(part)?,
        };
        let (star, after) = rest.split_at_checked(end)?;
        if star.is_empty() {
            return None;
        }
        all.push(star.to_owned());
        rest = after.strip_prefix(part)?;
    }
    (!all.is_empty()).then_some(all)
}

/// Returns an option whose `*` stand for texts, in order.
fn filled(option: &str, stars: &[String]) -> String {
    if !option.contains('*') {
        return option.to_owned();
    }
    let mut stars = stars.iter();
    let parts = option.split('.').map(|part| match part {
        "*" => stars.next().map_or("*", String::as_str),
        part => part,
    });
    join_name(&parts.collect::<Vec<_>>())
}

/// Returns what a table of values makes of a text.
fn mapped(map: &source::Node, text: &str) -> Option<Value> {
    let Kind::Table(table) = &map.kind else { return None };
    let (_, entry) = table
        .iter()
        .find(|(known, _)| known.as_str() == text)
        .or_else(|| table.iter().find(|(known, _)| known.as_str() == "*"))?;
    match &entry.node.kind {
        Kind::Str(text) => Some(text.as_str().into()),
        Kind::Int(number) => Some((*number).into()),
        Kind::Bool(value) => Some((*value).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_which_part_of_a_name_is_what() {
        for (pattern, name, wanted) in [
            ("GITEA__*__*", "GITEA__server__ROOT_URL", Some("server ROOT_URL")),
            ("GITEA__*__*", "GITEA__server", None),
            ("GITEA__*__*", "GITEA____A", None),
            ("GITEA__*__*__FILE", "GITEA__a__B__FILE", Some("a B")),
            ("GITEA__*__*__FILE", "GITEA__a__B", None),
            ("PAPERLESS_*", "PAPERLESS_URL", Some("URL")),
            ("PAPERLESS_*", "PAPERLESS_", None),
            ("A", "A", None),
        ] {
            assert_eq!(captures(pattern, name).map(|stars| stars.join(" ")).as_deref(), wanted, "{pattern} {name}");
        }
        assert_eq!(filled("settings.*.*", &["cron.x".to_owned(), "A".to_owned()]), "settings.\"cron.x\".A");
        assert_eq!(filled("database.type", &[]), "database.type");
    }
}
