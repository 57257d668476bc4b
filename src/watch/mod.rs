//! What a look at a machine comes to over time: its drift, its restore drills, and what of that is news.
//!
//! Here belong: what is asked about drills and what the answer means, what counts as found, and what has changed since somebody was last
//! told. Not here: comparing a machine with its definition (`drift`), asking it and sending (`cli`), how it is written (`report`).
//!
//! Invariant: a machine that did not answer resolves nothing. What was found there before is still open until it is seen to be gone.

mod answer;
mod drills;
mod news;
mod record;

pub use answer::read;
pub use drills::{Drill, DrillState, DrillWanted, script};
pub use news::{HostNews, News, compare};
pub use record::{Differs, Drifted, Finding, Look, RECORD, Unsent, Waiting, Way};
