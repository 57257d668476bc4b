//! How long a wait still lasts. Pure: clocks are handed in.
//!
//! The clock on the wall tells how long the machine waited while no run was there; a clock that only counts tells how long this
//! run has waited. The wait is over when the later of both says so. A wall clock that was set back to before the beginning
//! begins the wait anew; what a single run has counted itself from beginning to end needs no other witness.

/// A wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    since: i64,
    length: u64,
    /// How much of it had passed when this run began to count.
    passed: u64,
    is_new: bool,
}

impl Wait {
    /// Begins or goes on: `since` is when the journal says it began, `now` what the wall clock shows, in seconds since 1970.
    pub(super) fn begin(since: Option<i64>, now: i64, length: u64) -> Self {
        match since.and_then(|since| Some((since, u64::try_from(now.checked_sub(since)?).ok()?))) {
            Some((since, passed)) => Self { since, length, passed: passed.min(length), is_new: false },
            None => Self { since: now, length, passed: 0, is_new: true },
        }
    }

    /// Tells whether the journal has to learn of its beginning.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns when it began, in seconds since 1970.
    pub(super) fn since(&self) -> i64 {
        self.since
    }

    /// Returns how many seconds are left: `now` by the wall clock, `counted` by this run's own.
    pub(super) fn left(&mut self, now: i64, counted: u64) -> u64 {
        if counted >= self.length {
            return 0;
        }
        let by_count = self.length.saturating_sub(self.passed.saturating_add(counted));
        let passed = u64::try_from(now.saturating_sub(self.since)).unwrap_or(0);
        by_count.max(self.length.saturating_sub(passed)).min(self.length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wait_goes_on_where_it_was_and_ends_in_time() {
        let mut wait = Wait::begin(Some(1000), 1060, 100);
        assert_eq!((wait.left(1060, 0), wait.left(1070, 10), wait.left(1100, 40)), (40, 30, 0));
    }

    proptest! {
        #[test]
        fn no_jump_of_the_clock_within_a_run_shortens_a_wait(
            length in 1_u64..1000, counted in 0_u64..1000, jump in -5000_i64..5000
        ) {
            let mut wait = Wait::begin(None, 10_000, length);
            prop_assume!(counted < length);
            prop_assert!(wait.left(10_000 + jump, counted) >= length - counted);
        }

        #[test]
        fn a_clock_that_was_set_back_before_the_beginning_begins_the_wait_anew(back in 1_i64..5000, length in 1_u64..1000) {
            let mut wait = Wait::begin(Some(10_000), 10_000 - back, length);
            prop_assert!(wait.is_new());
            prop_assert_eq!(wait.left(10_000 - back, 0), length);
        }
    }
}
