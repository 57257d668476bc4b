//! `migrate --render`: what only other programs can read is rendered by them, and read in its rendered form.
//!
//! Here belong: which folders that are, and the processes. No shell is involved; paths stand behind `--`. What the programs say about
//! a failure is not repeated, because it may quote values.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use super::Failure;
use super::process::{self, Unended};
use crate::kubernetes::kustomize::listed::{self, Listed};
use crate::kubernetes::read::inline;
use crate::source::quoted;
use crate::text::ShellCommand;

/// How long a program may take.
const LONGEST: Duration = Duration::from_mins(5);

/// How much a program may print, in bytes.
const MOST: u64 = 1_000_000_000;

/// Files by path and text.
pub(super) type Texts = Vec<(String, String)>;

/// What has to be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rendered {
    /// A folder with a kustomization.
    Kustomization(String),
    /// A folder with a chart.
    Chart(String),
}

/// Renders what cannot be read as it is, and returns the files with the results in place of what they were made of.
pub(super) fn render(texts: Texts) -> Result<Texts, Failure> {
    let (wanted, gone) = wanted(&texts);
    let mut all: Texts = texts.into_iter().filter(|(path, _)| !gone.contains(path)).collect();
    for rendered in wanted {
        let (name, text) = match &rendered {
            Rendered::Kustomization(folder) => (format!("{folder} (kustomize build)"), kustomize(folder)?),
            Rendered::Chart(folder) => (format!("{folder} (helm template)"), helm(folder)?),
        };
        all.push((name, text));
    }
    Ok(all)
}

/// Returns what has to be rendered, and the files that it is made of.
fn wanted(texts: &[(String, String)]) -> (Vec<Rendered>, BTreeSet<String>) {
    let (mut all, mut gone) = (Vec::new(), BTreeSet::new());
    let charts = texts.iter().filter_map(|(path, _)| Some(path.strip_suffix("Chart.yaml")?.trim_end_matches('/')));
    let charts: Vec<&str> = charts.filter(|folder| !folder.contains("/charts/")).collect();
    let below = |path: &str, folder: &str| {
        folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    for folder in &charts {
        all.push(Rendered::Chart((*folder).to_owned()));
        gone.extend(texts.iter().filter(|(path, _)| below(path, folder)).map(|(path, _)| path.clone()));
    }
    let mut folders: BTreeMap<&str, (Listed, bool)> = BTreeMap::new();
    for (path, text) in texts.iter().filter(|(path, _)| listed::is_kustomization_file(path) && !gone.contains(path)) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut named = Listed::default();
        let roots = inline(text).unwrap_or_default();
        for root in &roots {
            named.add(folder, root);
        }
        folders.insert(folder, (named, roots.iter().any(listed::is_more_than_a_list)));
    }
    let listed: BTreeSet<&String> = folders.values().flat_map(|(named, _)| &named.objects).collect();
    for folder in folders.keys().filter(|folder| !listed.contains(&(**folder).to_owned())) {
        let mut inside: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![*folder];
        while let Some(next) = open.pop() {
            if inside.insert(next)
                && let Some((named, _)) = folders.get(next)
            {
                open.extend(named.all().map(String::as_str));
            }
        }
        if inside.iter().any(|path| folders.get(path).is_some_and(|(_, more)| *more)) {
            all.push(Rendered::Kustomization((*folder).to_owned()));
            let is_inside = |path: &str| {
                inside.contains(path)
                    || listed::is_kustomization_file(path)
                        && inside.contains(path.rsplit_once('/').map_or("", |(folder, _)| folder))
            };
            gone.extend(texts.iter().filter(|(path, _)| is_inside(path)).map(|(path, _)| path.clone()));
        }
    }
    (all, gone)
}

/// Runs `kustomize build`, or `kubectl kustomize` where there is no kustomize.
fn kustomize(folder: &str) -> Result<String, Failure> {
    let folder = word(folder);
    let first = run("kustomize", &["build", "--enable-helm", "--", &folder])?;
    let output = match first {
        Some(output) => Some(output),
        None => run("kubectl", &["kustomize", "--enable-helm", "--", &folder])?,
    };
    output.ok_or_else(|| {
        Failure::new(format!("`--render` runs kustomize or kubectl for {}, and neither is installed", quoted(&folder)))
            .help("install one of them")
            .help("without `--render` the inventory says for each kustomization what it cannot read")
    })
}

/// Runs `helm template`.
fn helm(folder: &str) -> Result<String, Failure> {
    let folder = word(folder);
    let name = folder.rsplit('/').next().filter(|name| !name.starts_with(['.', '-'])).unwrap_or("release");
    let name: String =
        name.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').take(53).collect();
    let name = name.trim_matches('-');
    let output = run("helm", &["template", "--", if name.is_empty() { "release" } else { name }, &folder])?;
    output.ok_or_else(|| {
        Failure::new(format!("`--render` runs helm for the chart in {}, and helm is not installed", quoted(&folder)))
            .help("install helm")
            .help("without `--render` the inventory names the command for each chart")
    })
}

/// Returns a folder as a word that no program takes for an option.
fn word(folder: &str) -> String {
    match folder {
        "" => ".".to_owned(),
        folder if folder.starts_with('-') => format!("./{folder}"),
        folder => folder.to_owned(),
    }
}

/// Runs a program to its end and returns what it prints; none where it is not installed.
#[expect(clippy::disallowed_methods, reason = "`--render` is the option that starts renderers")]
fn run(program: &str, arguments: &[&str]) -> Result<Option<String>, Failure> {
    let shown = ShellCommand::new(program).args(arguments).to_string();
    let failed =
        |what: String| Failure::new(format!("`{shown}` {what}")).help(format!("run `{shown}` yourself: it says why"));
    let mut command = Command::new(program);
    command.args(arguments);
    match process::run(command, LONGEST, MOST) {
        Ok(ended) if !ended.status.success() => Err(failed(format!("failed ({})", ended.status))),
        Ok(ended) => match String::from_utf8(ended.out) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(failed("printed what is no text".to_owned())),
        },
        Err(Unended::Missing) => Ok(None),
        Err(Unended::Late) => Err(failed(format!("did not end within {} seconds", LONGEST.as_secs()))),
        Err(Unended::TooMuch) => Err(failed("printed more than 1 GB".to_owned())),
        Err(Unended::Broken(why)) => Err(failed(format!("cannot be run: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> (Vec<Rendered>, Vec<String>) {
        let texts: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let (wanted, gone) = wanted(&texts);
        (wanted, gone.into_iter().collect())
    }

    #[test]
    fn what_can_be_read_as_it_is_starts_no_program() {
        let plain = [("a/kustomization.yaml", "resources: [web.yaml]\n"), ("a/web.yaml", "kind: X\n")];
        assert_eq!(of(&plain), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_kustomization_is_rendered_with_all_that_it_lists_by_the_one_that_lists_it() {
        let files = [
            ("a/kustomization.yaml", "resources: [web.yaml, ../b]\n"),
            ("a/web.yaml", "kind: X\n"),
            ("b/kustomization.yaml", "helmCharts: [{ name: x }]\n"),
            ("c.yaml", "kind: Y\n"),
        ];
        let gone = ["a/kustomization.yaml", "a/web.yaml", "b/kustomization.yaml"].map(str::to_owned).to_vec();
        assert_eq!(of(&files), (vec![Rendered::Kustomization("a".to_owned())], gone));
    }

    #[test]
    fn a_chart_is_rendered_with_its_folder() {
        let files = [
            ("c/Chart.yaml", "name: c\n"),
            ("c/templates/a.yaml", "{{ x }}"),
            ("c/charts/d/Chart.yaml", ""),
            ("cc/x.yaml", "kind: X\n"),
        ];
        let (wanted, gone) = of(&files);
        assert_eq!(wanted, [Rendered::Chart("c".to_owned())]);
        assert_eq!(gone.len(), 3);
    }

    #[test]
    fn a_folder_is_never_an_option() {
        assert_eq!([word(""), word("-x"), word("a")], [".", "./-x", "a"]);
    }

    #[test]
    fn a_program_that_is_missing_or_fails_is_told_apart() {
        assert!(matches!(run("no-such-program-at-all", &[]), Ok(None)));
        assert!(run("false", &[]).is_err());
        assert_eq!(run("echo", &["a"]).ok().flatten().as_deref(), Some("a\n"));
    }
}
