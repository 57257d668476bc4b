//! The evaluation of one host, question by question.

use serde::Deserialize;

use super::blame::{self, below};
use super::expression::Question;
use super::limits::Limits;
use super::origins::{Cut, Origin, Origins};
use super::phrase::{phrase, subject};
use super::said::Said;
use super::words::{self, label, module_name};
use crate::check::Evaluated;
use crate::compile::{Compiled, Settings};
use crate::resolve::ResolvedHost;
use crate::source::{Diagnostic, Level, Place, Sources};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Blank these parts of the host's compiled files, then evaluate [`Subject::ask`](super::Subject::ask).
    Ask(Question, Vec<Cut>),
    /// The same with the question [`Question::System`], a warning ending it like an error (`abort-on-warn`).
    AskForWarnings(Vec<Cut>),
    /// Evaluate [`Subject::ask_declarations`](super::Subject::ask_declarations) for these options.
    AskDeclarations(Vec<Vec<String>>),
    /// Evaluate [`Subject::ask_option`](super::Subject::ask_option), for a part of the time.
    AskOption(Vec<String>),
    /// Nothing.
    Done,
}

/// How a run of Nix ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, well or with an error.
    Itself {
        /// Whether its status was 0.
        success: bool,
    },
    /// By a signal.
    Signal(i32),
    /// It was stopped because its time was over.
    Deadline,
}

/// What was heard of a run of Nix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// How it ended.
    pub end: End,
}

/// What Nix answers.
#[derive(Deserialize)]
struct Answer {
    assertions: Vec<Sentence>,
    warnings: Vec<Sentence>,
    system: Option<String>,
}

/// What a module says, and which.
#[derive(Deserialize)]
struct Sentence {
    message: String,
    file: Option<String>,
    /// Its number in the list that the module defines, from 1.
    index: Option<usize>,
}

/// After how many things that were left out an evaluation is given up: what is found then follows from them rather.
const MAX_ROUNDS: usize = 32;

/// The evaluation of one host.
pub struct Evaluation<'a> {
    host: &'a ResolvedHost<'a>,
    origins: Origins<'a>,
    /// The folder of its compiled files, as Nix names it.
    folder: String,
    limits: Limits,
    question: Question,
    for_warnings: bool,
    rounds: usize,
    /// The options that were left out.
    left_out: Vec<Vec<String>>,
    cuts: Vec<Cut>,
    declared: Option<Vec<(Vec<String>, Vec<String>)>>,
    asked: Vec<Vec<String>>,
    /// What was heard, and waits for the declarations.
    waiting: Option<Heard>,
    /// What Nix died of without saying where, and the options that may be why, the next one last.
    stuck: Option<(Said, End, Vec<Vec<String>>)>,
    /// Warnings of the evaluation whose place is sought.
    loose: Vec<String>,
    found: Vec<Evaluated>,
}

impl<'a> Evaluation<'a> {
    /// Begins with a host, whose compiled files lie in `folder`; `settings` is what each of them sets.
    pub fn new(
        host: &'a ResolvedHost<'a>,
        sources: &'a Sources,
        compiled: &Compiled,
        settings: Vec<(&'static str, Settings)>,
        folder: String,
        limits: Limits,
    ) -> Self {
        let files = settings.into_iter().filter_map(|(name, settings)| {
            let path = format!("hosts/{}/{name}", host.name);
            let file = compiled.files.iter().find(|file| file.path == path)?;
            Some((name.to_owned(), file.text().to_owned(), settings))
        });
        Self {
            host,
            origins: Origins::new(host, sources, files),
            folder,
            limits,
            question: Question::Whole,
            for_warnings: false,
            rounds: 0,
            left_out: Vec::new(),
            cuts: Vec::new(),
            declared: None,
            asked: Vec::new(),
            waiting: None,
            stuck: None,
            loose: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Returns the first thing to do.
    pub fn start(&self) -> Next {
        Next::Ask(self.question, Vec::new())
    }

    /// Returns what was found.
    pub fn finish(self) -> Vec<Evaluated> {
        self.found
    }

    /// Takes the answer to what was asked last.
    pub fn hear(&mut self, heard: &Heard) -> Next {
        if let Some(waiting) = self.waiting.take() {
            let files: Vec<Vec<String>> = serde_json::from_str(&heard.out).unwrap_or_default();
            self.declared = Some(std::mem::take(&mut self.asked).into_iter().zip(files).collect());
            return self.judge(&waiting);
        }
        if let Some((said, end, suspects)) = self.stuck.take() {
            return self.suspected(said, end, suspects, heard);
        }
        self.judge(heard)
    }

    fn judge(&mut self, heard: &Heard) -> Next {
        let said = Said::read(&heard.err);
        let answer = match heard.end {
            End::Itself { success: true } => serde_json::from_str::<Answer>(&heard.out).ok(),
            _ => None,
        };
        let undecided = match &answer {
            Some(answer) => answer.assertions.iter().chain(&answer.warnings).any(|sentence| sentence.file.is_some()),
            None => blame::needs_declared(&said, &self.origins, &self.folder),
        };
        if undecided && self.declared.is_none() {
            self.waiting = Some(heard.clone());
            self.asked = self.origins.options();
            return Next::AskDeclarations(self.asked.clone());
        }
        match answer {
            Some(answer) => self.answered(&answer, &said),
            None if self.for_warnings => self.warned(&said),
            None => self.failed(&said, heard.end),
        }
    }

    /// Takes an answer.
    fn answered(&mut self, answer: &Answer, said: &Said) -> Next {
        for failed in &answer.assertions {
            let origin = self.about(failed, "assertions");
            if !self.follows_from_left_out(origin.as_ref()) {
                self.sentence("eval-assertion", Level::Error, failed, origin);
            }
        }
        for warning in &answer.warnings {
            let origin = self.about(warning, "warnings");
            self.sentence("eval-warning", Level::Warning, warning, origin);
        }
        if !self.for_warnings {
            let is_listed = |text: &String| answer.warnings.iter().any(|one| squeezed(&one.message) == squeezed(text));
            for text in said.warnings.iter().filter(|text| !is_listed(text)) {
                if !self.loose.contains(text) {
                    self.loose.push(text.clone());
                }
            }
        }
        match self.question {
            Question::Whole if answer.system.is_none() => {
                self.question = Question::System;
                Next::Ask(Question::System, Vec::new())
            }
            _ if self.loose.is_empty() => Next::Done,
            _ if self.for_warnings => self.without_trace(),
            _ => {
                self.for_warnings = true;
                self.question = Question::System;
                Next::AskForWarnings(Vec::new())
            }
        }
    }

    /// Returns what a sentence is about; `list` is the option that holds it.
    fn about(&self, said: &Sentence, list: &str) -> Option<Origin> {
        let own = said.file.as_deref().and_then(|file| below(file, &self.folder));
        if let (Some(file), Some(index)) = (own, said.index) {
            let name = [list.to_owned(), format!("[definition 1-entry {index}]")];
            if let Some(origin) = self.origins.of_option_in(&name, &[file.to_owned()]).into_iter().next() {
                return Some(origin);
            }
        }
        self.about_text(&said.message, said.file.as_deref())
    }

    fn about_text(&self, text: &str, file: Option<&str>) -> Option<Origin> {
        let declared = self.declared.as_deref().unwrap_or_default();
        blame::of_sentence(text, file, &self.origins, declared, &self.folder)
    }

    /// Takes the trace of a warning that ended the evaluation.
    fn warned(&mut self, said: &Said) -> Next {
        let declared = self.declared.as_deref().unwrap_or_default();
        let text = said.warnings.last().filter(|text| self.loose.contains(text)).cloned();
        let Some(text) = text else { return self.without_trace() };
        self.loose.retain(|one| *one != text);
        // The message says nothing: that a warning ended it.
        let way = Said { error: Vec::new(), ..said.clone() };
        let by_trace = blame::of_error(&way, &self.origins, declared, &self.folder).filter(|origin| origin.written);
        let origin = by_trace.or_else(|| self.about_text(&text, None));
        let cuts = origin.as_ref().map(|origin| self.new_cuts(origin)).unwrap_or_default();
        self.sentence("eval-warning", Level::Warning, &Sentence { message: text, file: None, index: None }, origin);
        if self.loose.is_empty() || cuts.is_empty() {
            return self.without_trace();
        }
        self.cuts.extend(cuts.iter().cloned());
        Next::AskForWarnings(cuts)
    }

    /// Reports warnings of which no trace can be had.
    fn without_trace(&mut self) -> Next {
        for message in std::mem::take(&mut self.loose) {
            let origin = self.about_text(&message, None);
            self.sentence("eval-warning", Level::Warning, &Sentence { message, file: None, index: None }, origin);
        }
        Next::Done
    }

    /// Takes an error.
    fn failed(&mut self, said: &Said, end: End) -> Next {
        let declared = self.declared.as_deref().unwrap_or_default();
        let origin = blame::of_error(said, &self.origins, declared, &self.folder);
        if is_death(said, end) && origin.is_none() {
            let mut suspects = self.origins.expressions();
            suspects.truncate(MAX_SUSPECTS);
            suspects.reverse();
            return self.suspect(said.clone(), end, suspects);
        }
        self.report(said, end, origin)
    }

    /// Asks for the next option that may be why Nix died.
    fn suspect(&mut self, said: Said, end: End, suspects: Vec<Vec<String>>) -> Next {
        match suspects.last().cloned() {
            Some(next) => {
                self.stuck = Some((said, end, suspects));
                Next::AskOption(next)
            }
            None => self.report(&said, end, None),
        }
    }

    /// Takes what became of the option that was asked for last.
    fn suspected(&mut self, said: Said, end: End, mut suspects: Vec<Vec<String>>, heard: &Heard) -> Next {
        let option = suspects.pop().unwrap_or_default();
        if is_death(&Said::read(&heard.err), heard.end) {
            let origin = self.origins.of_option(&option);
            return self.report(&said, end, origin);
        }
        self.suspect(said, end, suspects)
    }

    /// Reports an error, and goes on behind it if that can be.
    fn report(&mut self, said: &Said, end: End, origin: Option<Origin>) -> Next {
        let (message, help) = words::of_error(said, end, self.host.name, self.limits, &self.folder);
        let follows = !is_death(said, end)
            && !self.left_out.is_empty()
            && (origin.is_none()
                || message.contains("has no value defined")
                || self.follows_from_left_out(origin.as_ref()));
        if follows {
            return self.without_trace();
        }
        let place = origin.as_ref().map_or(self.host.place, |origin| origin.place);
        let mut finding = Diagnostic::error("eval-error", place, message).host(self.host.name);
        finding = finding.label(label(origin.as_ref())).why(self.why("no system can be built from it"));
        for (other, text) in self.others(said, place) {
            finding = finding.related(other, text);
        }
        finding.help = help;
        let cuts = origin.as_ref().map(|origin| self.new_cuts(origin)).unwrap_or_default();
        let goes_on = !cuts.is_empty() && self.rounds < MAX_ROUNDS && matches!(end, End::Itself { .. });
        if !goes_on {
            finding = finding.help("mend this and check again: Nix stops at an error, and there may be more behind it");
        }
        let known =
            self.found.iter().any(|known| known.finding.rule == "eval-error" && known.finding.primary.place == place);
        if !known && !self.follows_from_assertion(origin.as_ref()) {
            let option = origin.as_ref().map(|origin| origin.option.clone()).unwrap_or_default();
            self.found.push(Evaluated { finding, option });
        }
        if !goes_on {
            return self.without_trace();
        }
        self.rounds += 1;
        self.left_out.extend(origin.map(|origin| origin.option));
        self.cuts.extend(cuts.iter().cloned());
        Next::Ask(self.question, cuts)
    }

    /// Returns what to leave out of the files to go on behind an origin: what was not left out yet.
    fn new_cuts(&self, origin: &Origin) -> Vec<Cut> {
        let covered = |cut: &Cut| {
            self.cuts.iter().any(|known| {
                known.file == cut.file && known.range.start <= cut.range.start && cut.range.end <= known.range.end
            })
        };
        origin.cuts.iter().filter(|cut| !covered(cut)).cloned().collect()
    }

    /// Tells whether something is about an option that was left out.
    fn follows_from_left_out(&self, origin: Option<&Origin>) -> bool {
        let covered = |origin: &Origin| {
            !origin.cuts.is_empty() && self.new_cuts(origin).is_empty() && self.left_out.contains(&origin.option)
        };
        origin.is_some_and(covered)
    }

    /// Tells whether an error is what a failed assertion is there to say first: it is about the same service.
    fn follows_from_assertion(&self, origin: Option<&Origin>) -> bool {
        let near = |option: &[String]| {
            origin
                .is_none_or(|origin| origin.option.len() > 1 && origin.option.iter().take(2).eq(option.iter().take(2)))
        };
        self.found.iter().any(|known| known.finding.rule == "eval-assertion" && near(&known.option))
    }

    fn sentence(&mut self, rule: &'static str, level: Level, said: &Sentence, origin: Option<Origin>) {
        let place = origin.as_ref().map_or(self.host.place, |origin| origin.place);
        let message = phrase(said.message.lines());
        if self.found.iter().any(|known| known.finding.rule == rule && known.finding.message == message) {
            return;
        }
        let consequence = match level {
            Level::Error => "NixOS refuses to build a system with a failed assertion",
            _ => "NixOS warns of it at each evaluation",
        };
        let mut finding = Diagnostic::new(rule, level, place, message).host(self.host.name);
        finding = finding.label(label(origin.as_ref())).why(self.why(consequence));
        if let Some(module) = said.file.as_deref().and_then(module_name) {
            finding = finding.help(format!("what it wants is written in nixpkgs, in {module}"));
        }
        let option = origin.map(|origin| origin.option).unwrap_or_default();
        self.found.push(Evaluated { finding, option });
    }

    /// Says why it matters, and after what it was seen.
    fn why(&self, consequence: &str) -> String {
        match self.left_out.len() {
            0 => consequence.to_owned(),
            1 => format!("{consequence} (seen when the other setting that Nix refuses was left out)"),
            count => format!("{consequence} (seen when {count} other settings that Nix refuses were left out)"),
        }
    }

    /// Returns the other places that define what a message is about.
    fn others(&self, said: &Said, place: Place) -> Vec<(Place, String)> {
        let Some(name) = subject(&said.error.join("\n")) else { return Vec::new() };
        let files: Vec<String> =
            blame::files(&said.error).filter_map(|file| below(file, &self.folder)).map(str::to_owned).collect();
        let origins = self.origins.of_option_in(&name, &files).into_iter();
        origins.filter(|origin| origin.place != place).map(|origin| (origin.place, label(Some(&origin)))).collect()
    }
}

/// How many options are asked for one by one.
const MAX_SUSPECTS: usize = 32;

/// Tells whether Nix ended without being able to say where: of memory, of time, of a signal.
fn is_death(said: &Said, end: End) -> bool {
    !matches!(end, End::Itself { .. }) || words::is_memory(said)
}

/// Returns text with its blanks made alike.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
