//! Whoever sits in front of a run: a terminal, a log, a test.

use super::verdict::Verdict;

/// Something that a run says as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// A remark: the journal was mended, a lock was taken over.
    Remark(&'a str),
    /// A step begins: its number from 1, how many there are, its title, how long it should take in seconds.
    Began {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// Its id.
        id: &'a str,
        /// What it is called.
        title: &'a str,
        /// How long it should take, in seconds.
        expected: u64,
    },
    /// The step at hand goes on, since so many seconds.
    Goes {
        /// Seconds.
        seconds: u64,
    },
    /// The step at hand is done, in so many seconds.
    Ended {
        /// Seconds.
        seconds: u64,
        /// How it came to be done, where its lines did not run.
        how: Option<&'a str>,
    },
    /// The step at hand is left to a person, who does it once the plan is over.
    Left {
        /// What the person does.
        why: &'a str,
    },
    /// A verdict was given; it stands in state/HOST/reboot-test.json.
    Judged(&'a Verdict),
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What it is about.
    pub title: String,
    /// Why it is asked, and what the person does.
    pub why: String,
    /// What is typed at.
    pub prompt: String,
}

/// Where a run shows itself, and whom it asks.
pub trait Front {
    /// Tells whether somebody can be asked.
    fn is_interactive(&self) -> bool;
    /// Hears something.
    fn hear(&mut self, said: Said<'_>);
    /// Returns what the person types, without the line break; none when nobody is there any more.
    fn ask(&mut self, ask: &Ask) -> Option<String>;
}
