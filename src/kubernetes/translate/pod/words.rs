//! `command`, `args` and `workingDir` of a container.
//!
//! `command` takes the place of the image's ENTRYPOINT and voids its CMD; `args` alone take the place of CMD ("Define a Command and
//! Arguments for a Container"). podman does the same with `--entrypoint` and the words behind the image. The kubelet expands
//! variables in both, no shell does.

use super::env::{self, Variable};
use super::{Container, Workload, secrets};
use crate::kubernetes::context::Cx;
use crate::kubernetes::draft::Draft;
use crate::kubernetes::tree::Node;
use crate::source::secret::PLACEHOLDER;

/// A word of a command line.
#[derive(Debug, Clone)]
pub struct Word<'w, 's> {
    /// The word, its variables expanded but for secrets.
    pub text: String,
    /// Variables in it that are secrets; they still stand there as `$(NAME)`.
    pub secrets: Vec<String>,
    /// The first variable in it whose value only a person knows.
    pub unknown: Option<String>,
    /// Where it stands.
    pub node: &'w Node<'s>,
}

/// Returns the command and arguments of a container.
pub(super) fn resolve<'w, 's>(
    container: &'w Node<'s>,
    variables: &[Variable<'w, 's>],
) -> (Vec<Word<'w, 's>>, Vec<Word<'w, 's>>) {
    let words = |key: &str| -> Vec<Word<'w, 's>> {
        let all = container.list(key).iter().map(|node| {
            let (text, held) = env::lookup(node.text().unwrap_or(""), variables);
            Word { text, secrets: held.secrets, unknown: held.unknown, node }
        });
        all.collect()
    };
    (words("command"), words("args"))
}

/// Settles `command`, `args` and `workingDir`, and adds them to a service.
pub(super) fn translate<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    draft: &mut Draft,
) {
    let all: Vec<&Word<'w, 's>> = container.command.iter().chain(&container.args).collect();
    let script = script_of(&all);
    let mut words: Vec<String> = Vec::with_capacity(all.len());
    for (at, word) in all.iter().enumerate() {
        let key = if at < container.command.len() { "command" } else { "args" };
        let before = at.checked_sub(1).and_then(|before| all.get(before)).map(|word| word.text.as_str());
        let place = Place { key, at, is_script: script == Some(at), before };
        words.push(one(cx, workload, container, word, &place));
    }
    for key in ["command", "args"] {
        if let Some(node) = container.node.get(key).filter(|node| node.is_leaf()) {
            cx.books.dropped(node, "it is empty, as if it were not there");
        }
    }
    let folder = container.node.get("workingDir").filter(|folder| !folder.is_null());
    let Some(work) = draft.as_container_mut() else { return };
    work.args = words.split_off(container.command.len().min(words.len()));
    work.command = words;
    if work.command.first().is_some_and(String::is_empty)
        && let Some(word) = container.command.first()
    {
        work.command.clear();
        cx.ask(
            workload.object,
            word.node,
            &container.question("command"),
            "it runs a program without a name: which one?",
            true,
        );
    }
    match folder.and_then(|folder| Some((folder, folder.text()?))) {
        Some((folder, path)) if path.starts_with('/') && !path.contains("${") => {
            cx.books.translated(folder, container.key("working-directory"));
            work.working_directory = Some(path.to_owned());
        }
        Some((folder, "")) => cx.books.dropped(folder, "it is empty: the image's own folder"),
        Some((folder, _)) => {
            let text = "the folder that it starts in is no absolute path: which one is it?";
            let answer = cx.ask(workload.object, folder, &container.question("workingDir"), text, false);
            work.working_directory = answer.filter(|answer| answer.starts_with('/')).map(str::to_owned);
        }
        None => {}
    }
}

/// Where a word stands.
struct Place<'a> {
    key: &'static str,
    at: usize,
    is_script: bool,
    before: Option<&'a str>,
}

/// Settles a word and returns what becomes of it.
fn one<'w, 's>(
    cx: &mut Cx<'w, 's>,
    workload: &Workload<'w, 's>,
    container: &Container<'w, 's>,
    word: &Word<'w, 's>,
    place: &Place<'_>,
) -> String {
    let question = container.question(&format!("{}.{}", place.key, place.at));
    let object = workload.object;
    if let Some(name) = &word.unknown {
        cx.books.needs_you(word.node, format!("it holds `$({name})`, which is asked about"));
        return word.text.clone();
    }
    if !word.secrets.is_empty() {
        let names: Vec<String> = word.secrets.iter().map(|name| format!("`$({name})`")).collect();
        // A shell reads the variables itself, unless single quotes keep it from that.
        if place.is_script && !word.text.contains('\'') {
            let how = "the shell that runs it reads the secrets from its variables";
            cx.books.translated_as(word.node, container.key(place.key), how);
            return word
                .secrets
                .iter()
                .fold(word.text.clone(), |text, name| text.replace(&format!("$({name})"), &format!("${{{name}}}")));
        }
        let text = format!(
            "{} in it is a secret, which on a command line everybody could read: can the program read it from the variable or a file?",
            names.join(" and ")
        );
        return cx.ask(object, word.node, &question, text, true).map_or_else(|| word.text.clone(), str::to_owned);
    }
    if secrets::is_secret_word(place.before, &word.text) {
        let text = "it looks like a secret, which on a command line everybody could read: can the program read a new one from a \
                    variable or a file? (the answer `plain` says that it is none)";
        match cx.ask(object, word.node, &question, text, true) {
            Some("plain") => return word.text.clone(),
            Some(answer) => return answer.to_owned(),
            None => {
                let flag = word.text.split_once('=').filter(|_| word.text.starts_with('-')).map(|(flag, _)| flag);
                return flag.map_or_else(|| PLACEHOLDER.to_owned(), |flag| format!("{flag}={PLACEHOLDER}"));
            }
        }
    }
    cx.books.translated(word.node, container.key(place.key));
    word.text.clone()
}

/// Returns which word is the script of a shell: the one behind `sh -c`.
fn script_of(words: &[&Word<'_, '_>]) -> Option<usize> {
    let shell = words.first()?.text.rsplit('/').next()?;
    let option = words.get(1)?.text.strip_prefix('-')?;
    let is_shell = ["sh", "bash", "ash", "dash"].contains(&shell);
    (is_shell && option.ends_with('c') && option.chars().all(|c| c.is_ascii_alphabetic()) && words.len() > 2)
        .then_some(2)
}
