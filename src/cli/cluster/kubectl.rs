//! kubectl as a program: asked for one answer at a time, which it gives within a time or not at all.

use std::process::Command;
use std::time::Duration;

use super::super::Failure;
use super::super::process::{self, Unended};
use crate::kubernetes::live::Said;
use crate::source::{nearest, printable, quoted};

const PROGRAM: &str = "kubectl";

/// How much one answer may hold, in bytes: places are 32 bits wide.
const MOST: u64 = 2_000_000_000;

/// kubectl with a context. It is never given a verb that changes anything.
#[derive(Debug)]
pub(super) struct Kubectl {
    context: String,
    longest: Duration,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Heard {
    /// What it printed.
    pub(super) out: String,
    /// What it said beside that.
    pub(super) said: Said,
    /// Whether it did what it was asked.
    pub(super) success: bool,
}

impl Kubectl {
    /// Returns kubectl with a context that it knows.
    pub(super) fn with(context: &str, longest: Duration) -> Result<Self, Failure> {
        let heard = heard(&["config".into(), "get-contexts".into(), "--output=name".into()], longest)
            .map_err(|why| broken(&why, longest))?;
        if !heard.success {
            return Err(Failure::new(format!("kubectl does not tell its contexts: {}", heard.said.reason()))
                .help("`kubectl config get-contexts` has to work"));
        }
        let known: Vec<&str> = heard.out.lines().collect();
        if !known.contains(&context) {
            let shown: Vec<String> = known.iter().map(|name| printable(name)).collect();
            let failure = Failure::new(format!("kubectl has no context {}", quoted(context)));
            let failure = match nearest(context, known.iter().copied()).first() {
                Some(near) => failure.help(format!("nearest: `{}`", printable(near))),
                None => failure,
            };
            return Err(if shown.is_empty() {
                failure.help("it has none at all: `KUBECONFIG` names the file that they are in")
            } else {
                failure.help(format!("the contexts are {}", shown.join(", ")))
            });
        }
        Ok(Self { context: context.to_owned(), longest })
    }

    /// Asks for something. The error says in words why there is no answer at all.
    pub(super) fn ask(&self, words: &[&str]) -> Result<Heard, String> {
        // One word, so that a name is never taken for an option.
        let mut all = vec![format!("--context={}", self.context)];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        heard(&all, self.longest).map_err(|why| said(&why, self.longest))
    }

    /// Asks for what nothing can go on without.
    pub(super) fn need(&self, words: &[&str]) -> Result<Heard, Failure> {
        let failed = |why: String| {
            let context = quoted(&self.context);
            Failure::new(format!("the cluster of context {context} does not answer: {why}"))
                .help("`kubectl version` and `kubectl get nodes` with that context say more")
                .help("without the cluster: files of its objects, as `hostwright migrate PATH` reads them")
        };
        let heard = self.ask(words).map_err(failed)?;
        if heard.success || !heard.out.trim().is_empty() { Ok(heard) } else { Err(failed(heard.said.reason())) }
    }
}

#[expect(clippy::disallowed_methods, reason = "`--cluster` is the option that starts kubectl")]
fn heard(words: &[String], longest: Duration) -> Result<Heard, Unended> {
    let mut command = Command::new(PROGRAM);
    command.args(words);
    let ended = process::run(command, longest, MOST)?;
    let out = String::from_utf8(ended.out).map_err(|_| Unended::Broken("its answer is no text".to_owned()))?;
    Ok(Heard { out, said: Said::of(&String::from_utf8_lossy(&ended.err)), success: ended.status.success() })
}

fn said(why: &Unended, longest: Duration) -> String {
    match why {
        Unended::Missing => "kubectl is not installed".to_owned(),
        Unended::Late => format!("no answer within {} s", longest.as_secs()),
        Unended::TooMuch => "the answer is larger than 2 GB".to_owned(),
        Unended::Broken(why) => format!("kubectl cannot be run: {}", printable(why)),
    }
}

fn broken(why: &Unended, longest: Duration) -> Failure {
    Failure::new(said(why, longest))
        .help("`--cluster` and `--context` read through the kubectl on PATH")
        .help("`kubectl get -A -o yaml` on another machine, and `hostwright migrate FILE` here")
}
