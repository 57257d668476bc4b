//! What the executor asks a person: whether something is done, and whether something may be destroyed.

use super::bounds::{agreed_by, bare};
use super::executor::Executor;
use super::front::Ask;
use super::outcome::{Awaited, Ending, Refused};
use super::record::{By, Event};
use crate::plan::Step;

/// What somebody answered.
enum Answer {
    Yes,
    Stop,
}

impl Executor<'_> {
    /// Has a person do a step; returns how the run ends when it does not go on.
    pub(super) fn instruct(&mut self, step: &Step) -> Result<Option<Ending>, Refused> {
        let lost = agreed_by(self.plan, step);
        let in_advance = self.options.confirm.iter().any(|id| id == step.id());
        if !lost.is_empty() {
            if let Some(ending) = self.give_up(step, lost)? {
                return Ok(Some(ending));
            }
            let by = if self.front.is_interactive() { By::Terminal } else { By::Option };
            self.journal.add(Event::Answered { step: step.id().to_owned(), destroys: None, by })?;
            return Ok(None);
        }
        // Answered in a run that was cut off before its checks: nobody is asked twice.
        if self.journal.state.step(step.id()).answered {
            return Ok(None);
        }
        let by = if in_advance {
            By::Option
        } else if !self.front.is_interactive() {
            return Ok(Some(awaited(step, step.reason(), vec!["--confirm".to_owned(), step.id().to_owned()])));
        } else {
            let ask = Ask {
                title: step.title().to_owned(),
                why: step.reason().to_owned(),
                prompt: "done? [yes/stop] ".to_owned(),
            };
            match self.yes(&ask, |typed| typed == "yes") {
                Answer::Yes => By::Terminal,
                Answer::Stop => {
                    return Ok(Some(awaited(step, step.reason(), vec!["--confirm".to_owned(), step.id().to_owned()])));
                }
            }
        };
        self.journal.add(Event::Answered { step: step.id().to_owned(), destroys: None, by })?;
        Ok(None)
    }

    /// Has a person agree to each thing that is destroyed, by its name and size; returns how the run ends when they do not.
    pub(super) fn give_up(&mut self, step: &Step, lost: Vec<&str>) -> Result<Option<Ending>, Refused> {
        let open: Vec<&str> = lost.into_iter().filter(|what| !self.journal.state.given_up.contains(*what)).collect();
        let mut unanswered = Vec::new();
        for what in open {
            let by = if self.agreed.contains(what) {
                By::Option
            } else if self.front.is_interactive() {
                let size = self.plan.size_of(what);
                let name = bare(what);
                let typed = size.map_or_else(|| name.to_owned(), |size| format!("{name} {size}"));
                let ask = Ask {
                    title: format!("{what} is destroyed, with everything on it"),
                    why: step.reason().to_owned(),
                    prompt: format!("type `{typed}` to agree, or stop: "),
                };
                match self.yes(&ask, |answer| is_same(answer, name, size)) {
                    Answer::Yes => By::Terminal,
                    Answer::Stop => {
                        unanswered.push(what);
                        break;
                    }
                }
            } else {
                unanswered.push(what);
                continue;
            };
            let (step, what) = (step.id().to_owned(), what.to_owned());
            self.journal.add(Event::Answered { step, destroys: Some(what), by })?;
        }
        if unanswered.is_empty() {
            return Ok(None);
        }
        let what = format!("somebody has to agree that this is destroyed: {}", unanswered.join(", "));
        let then = unanswered.iter().flat_map(|what| ["--yes-destroy".to_owned(), bare(what).to_owned()]).collect();
        Ok(Some(awaited(step, &what, then)))
    }

    /// Asks until the answer is one.
    fn yes(&mut self, ask: &Ask, is_yes: impl Fn(&str) -> bool) -> Answer {
        loop {
            match self.front.ask(ask) {
                Some(typed) if is_yes(typed.trim()) => return Answer::Yes,
                Some(typed) if matches!(typed.trim(), "stop" | "no" | "n") => return Answer::Stop,
                None => return Answer::Stop,
                Some(_) if self.stop.is_asked() => return Answer::Stop,
                Some(_) => {}
            }
        }
    }
}

/// Tells whether somebody has typed the name, or the serial number at its end, and the size where that is known.
fn is_same(typed: &str, name: &str, size: Option<&str>) -> bool {
    let words: Vec<&str> = typed.split_whitespace().collect();
    let serial = name.rsplit('_').next().filter(|serial| serial.len() >= 6);
    let named = |word: &&str| *word == name || Some(*word) == serial;
    match (size, words.as_slice()) {
        (None, [word]) => named(word),
        (Some(size), [word, rest @ ..]) => named(word) && rest.concat() == size.split_whitespace().collect::<String>(),
        _ => false,
    }
}

fn awaited(step: &Step, what: &str, then: Vec<String>) -> Ending {
    Ending::Awaiting(Awaited {
        step: step.id().to_owned(),
        title: step.title().to_owned(),
        what: what.to_owned(),
        then,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_given_up_by_its_id_or_serial_and_its_size() {
        let (name, size) = ("ata-TOSHIBA_DT01ACA200_X1234567", Some("2 TB"));
        for typed in ["ata-TOSHIBA_DT01ACA200_X1234567 2 TB", "X1234567 2TB"] {
            assert!(is_same(typed, name, size), "{typed}");
        }
        for typed in ["", "yes", "X1234567", "X1234567 3TB", "ata-TOSHIBA_DT01ACA200_X1234567", "x 2 TB"] {
            assert!(!is_same(typed, name, size), "{typed}");
        }
        assert!(is_same("X1234567", name, None) && !is_same("DT01ACA200", name, None));
    }
}
