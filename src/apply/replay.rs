//! Reading a journal back: from bytes to where the plan stands, or why these bytes are no journal to go on from.

use super::record::Chain;
use super::state::State;

/// A journal that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    pub(super) state: State,
    pub(super) chain: Chain,
    /// How many bytes hold whole records.
    pub(super) whole: usize,
    /// How many bytes of a record that was cut off follow them.
    pub(super) torn: usize,
}

/// Why a journal is not gone on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub(super) struct Corrupt {
    /// The line, from 1.
    pub(super) line: usize,
    pub(super) why: String,
}

/// Reads a journal.
///
/// A record whose line break is missing was cut off while it was written: what it announces has not happened, so it is left out
/// and counted as torn. Any other record that does not follow from those before is refused.
pub(super) fn replay(bytes: &[u8]) -> Result<Replayed, Corrupt> {
    let mut read = Replayed::default();
    let mut rest = bytes;
    let mut line = 0;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        line += 1;
        let (text, after) = rest.split_at(end);
        let record = read.chain.read(text).map_err(|why| Corrupt { line, why })?;
        read.state.apply(&record.at, &record.event).map_err(|why| Corrupt { line, why })?;
        read.whole += end + 1;
        rest = after.get(1..).unwrap_or_default();
    }
    read.torn = rest.len();
    Ok(read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::{By, Event, How, Record};
    use super::super::verdict::{Away, Outcome, Summary};
    use super::*;

    fn opened() -> Event {
        Event::Opened {
            host: "a".into(),
            scenario: "install".into(),
            plan: "p".into(),
            tool: "0".into(),
            nonce: "n".into(),
            steps: vec![("s0".into(), "d".into())],
        }
    }

    fn event() -> impl Strategy<Value = Event> {
        let step = prop::sample::select(vec!["s0", "s1", "s2"]).prop_map(str::to_owned);
        (step, 0..12_u8, 1..4_u32, 0..3_usize, "\\PC{0,12}").prop_map(
            |(step, which, attempt, line, tail)| match which {
                0 | 1 => Event::Began { step, attempt },
                2 => Event::Done { step, how: How::Ran, millis: 5 },
                3 => Event::Failed { step, why: tail },
                4 => Event::Answered { step, destroys: Some(format!("disk:{line}")), by: By::Option },
                5 => Event::Waiting { step, since: 1 },
                6 => Event::Interrupted { step: Some(step) },
                7 => Event::Answered { step, destroys: None, by: By::Terminal },
                8 => Event::AidBegan { step, aid: "evidence".into() },
                9 => Event::AidDone { step, aid: "disarm".into(), status: (line > 0).then_some(1), tail },
                10 => {
                    let away = Away { kind: "trial".into(), seconds_away: None, seconds_allowed: u64::from(attempt) };
                    Event::Judged { step, verdict: Summary { outcome: Outcome::ALL[line], boots: vec![away; line] } }
                }
                _ => Event::Closed,
            },
        )
    }

    /// A journal, and where each of its records ends.
    fn journal() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
        prop::collection::vec(event(), 0..12).prop_map(|events| {
            let mut chain = Chain::default();
            let (mut text, mut ends) = (String::new(), Vec::new());
            for event in std::iter::once(opened()).chain(events) {
                text.push_str(&chain.write(&Record { at: "2026-11-21T10:00:00Z".into(), event }));
                ends.push(text.len());
            }
            (text.into_bytes(), ends)
        })
    }

    proptest! {
        #[test]
        fn a_journal_cut_at_any_byte_stands_where_its_whole_records_left_it(
            (bytes, ends) in journal(), cut in any::<prop::sample::Index>(), more in event()
        ) {
            let cut = cut.index(bytes.len() + 1);
            let read = replay(&bytes[..cut]).unwrap();
            let whole = ends.iter().copied().filter(|end| *end <= cut).max().unwrap_or(0);
            prop_assert_eq!((read.whole, read.torn), (whole, cut - whole));
            prop_assert_eq!(&read.state, &replay(&bytes[..whole]).unwrap().state);
            // What is written after the cut is taken off is read back behind it.
            let mut chain = read.chain.clone();
            let event = if whole == 0 { opened() } else { more };
            let line = chain.write(&Record { at: "x".into(), event: event.clone() });
            let mut mended = bytes[..whole].to_vec();
            mended.extend_from_slice(line.as_bytes());
            let mut wanted = read.state;
            wanted.apply("x", &event).unwrap();
            prop_assert_eq!(replay(&mended).unwrap().state, wanted);
        }

        #[test]
        fn a_byte_that_was_changed_before_the_last_record_is_refused(
            (bytes, ends) in journal(), at in any::<prop::sample::Index>(), flip in 1..=255_u8
        ) {
            let before = if ends.len() > 1 { ends[ends.len() - 2] } else { 0 };
            prop_assume!(before > 0);
            let at = at.index(before);
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            prop_assert!(replay(&changed).is_err());
        }

        #[test]
        fn a_record_that_was_left_out_is_refused((bytes, ends) in journal(), at in any::<prop::sample::Index>()) {
            prop_assume!(ends.len() > 2);
            let at = at.index(ends.len() - 2);
            let start = if at == 0 { 0 } else { ends[at - 1] };
            let shorter = [&bytes[..start], &bytes[ends[at]..]].concat();
            prop_assert!(replay(&shorter).is_err());
        }

        #[test]
        fn any_bytes_are_a_journal_or_refused_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = replay(&bytes);
        }
    }

    #[test]
    fn a_refusal_names_the_line() {
        let mut chain = Chain::default();
        let mut text = chain.write(&Record { at: "x".into(), event: opened() });
        text.push_str("2 no-such-digest {}\n");
        assert!(replay(text.as_bytes()).unwrap_err().to_string().starts_with("line 2: its checksum is another"));
    }
}
