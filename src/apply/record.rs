//! One record of the journal, and how it is written: a number, a digest over it and all records before, and what happened.

use serde::{Deserialize, Serialize};

use super::verdict::Summary;
use crate::source::sha256;

/// What the digest of the first record stands on.
pub(super) const SEED: &str = "hostwright journal 1";

/// How many hexadecimal digits of a digest are written.
const DIGITS: usize = 24;

/// How a step came to count as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    /// Its lines ran and its checks held.
    Ran,
    /// It had begun in a run that was cut off, and its checks held.
    Checked,
    /// A person said so, and its checks held.
    Answered,
    /// A person was told: it is done once the plan is over, and nothing waits for it.
    Told,
}

/// Who answered a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum By {
    /// Somebody at the terminal.
    Terminal,
    /// An option of the command line.
    Option,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub(super) enum Event {
    /// A plan begins. `steps` are its steps with their digests, `nonce` tells this journal's commands on the machine from others.
    Opened { host: String, scenario: String, plan: String, tool: String, nonce: String, steps: Vec<(String, String)> },
    /// A step begins.
    Began { step: String, attempt: u32 },
    /// A line of a step is about to run: under which id and in which boot of the machine, when it is a command there.
    LineBegan {
        step: String,
        line: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot: Option<String>,
    },
    /// A line has ended: with which exit status, after how long, and the last of what it printed.
    LineDone { step: String, line: usize, status: i32, millis: u64, tail: String },
    /// A step is over and its checks held.
    Done { step: String, how: How, millis: u64 },
    /// A step did not come to its end.
    Failed { step: String, why: String },
    /// After a boot that failed something is about to run by itself: `judge`, `evidence`, or `disarm`, which is the way back.
    AidBegan { step: String, aid: String },
    /// It ended: with which exit status (none when that is not known), and the last of what it printed.
    AidDone {
        step: String,
        aid: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<i32>,
        tail: String,
    },
    /// The verdict on a step that boots.
    Judged {
        step: String,
        #[serde(flatten)]
        verdict: Summary,
    },
    /// A person answered for a step, or for one thing that it destroys.
    Answered {
        step: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        destroys: Option<String>,
        by: By,
    },
    /// A wait has begun, at this second since 1970.
    Waiting { step: String, since: i64 },
    /// The lock on a system of the machine is about to be taken.
    Locked { system: String },
    /// It was given back.
    Unlocked { system: String },
    /// Somebody stopped the run, or it was told to end.
    Interrupted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// Every step is done.
    Closed,
}

/// A record: when, which is for people alone, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) at: String,
    #[serde(flatten)]
    pub(super) event: Event,
}

/// Where the chain of records stands: how many there are, and the digest of the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) count: u64,
    pub(super) digest: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { count: 0, digest: SEED.to_owned() }
    }
}

impl Chain {
    fn next(&self, body: &str) -> Self {
        let count = self.count + 1;
        let full = sha256(format!("{}\n{count}\n{body}", self.digest));
        Self { count, digest: full.chars().take(DIGITS).collect() }
    }

    /// Adds a record and returns its line, with the line break.
    pub(super) fn write(&mut self, record: &Record) -> String {
        // A record holds nothing that JSON cannot say.
        let body = serde_json::to_string(record).unwrap_or_default();
        *self = self.next(&body);
        format!("{} {} {body}\n", self.count, self.digest)
    }

    /// Reads the next line, without its line break; says what is wrong with it.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<Record, String> {
        let text = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?;
        let mut parts = text.splitn(3, ' ');
        let (Some(number), Some(digest), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("it is no record".to_owned());
        };
        let next = self.next(body);
        if number != next.count.to_string() {
            return Err(format!("its number should be {}", next.count));
        }
        if digest != next.digest {
            return Err("its checksum is another: it, or a record before it, was changed".to_owned());
        }
        let record = serde_json::from_str(body).map_err(|why| format!("this version cannot read it: {why}"))?;
        *self = next;
        Ok(record)
    }
}
