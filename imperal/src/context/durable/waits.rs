//! The waits of an attempt, and when it can be parked.
//!
//! A wait is registered while its future is alive. Once nothing else of the attempt is in flight, the body is
//! dropped and the task is parked: it wakes at the first of its waits. The next attempt registers the rest again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::rows::Park;

/// Sleeps of at least this length are parked. A shorter one costs less in the process than two commits.
pub(crate) const PARKED_FROM: Duration = Duration::from_secs(60);

/// The ledger's clock, as far as an attempt knows it: a time of the ledger, and the time since then. So a
/// node whose own clock is wrong, or is set, waits as long as others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LedgerClock {
    at: Timestamp,
    asked: Instant,
    answered: Instant,
}

impl LedgerClock {
    /// It was this time at some moment between a request and its answer.
    pub(crate) fn between(at: Timestamp, asked: Instant, answered: Instant) -> Self {
        Self { at, asked, answered }
    }

    /// The earliest time that it can be.
    pub(super) fn now(self) -> Timestamp {
        after(self.at, self.answered.elapsed())
    }

    /// The latest time that it can be: a wait from now on that ends by the ledger's clock is not too short.
    pub(super) fn latest(self) -> Timestamp {
        after(self.at, self.asked.elapsed())
    }
}

/// The time after a duration. Saturates.
pub(super) fn after(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The time from now until then; zero if it is over.
pub(super) fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

/// The waits of an attempt.
#[derive(Debug, Default)]
pub(super) struct Waits(Vec<Wait>);

#[derive(Debug)]
struct Wait {
    ordinal: u16,
    due: Timestamp,
    is_question: bool,
}

impl Waits {
    pub(super) fn add(&mut self, ordinal: u16, due: Timestamp, is_question: bool) {
        self.0.push(Wait { ordinal, due, is_question });
    }

    pub(super) fn remove(&mut self, ordinal: u16) {
        if let Some(place) = self.0.iter().position(|wait| wait.ordinal == ordinal) {
            self.0.swap_remove(place);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How the task is parked if nothing else is in flight: `None` if it stays in the process, because nothing
    /// waits, or not for long. A question is always parked: its answer may take days.
    pub(super) fn park(&self, now: Timestamp, parked_from: Duration) -> Option<Park> {
        let wake_at = self.0.iter().map(|wait| wait.due).min()?;
        let mut questions: Vec<u16> = self.0.iter().filter(|wait| wait.is_question).map(|wait| wait.ordinal).collect();
        questions.sort_unstable();
        questions.dedup();
        let is_long = !questions.is_empty() || until(now, wake_at) >= parked_from;
        is_long.then(|| Park::new(wake_at, questions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_secs(n))
    }

    #[test]
    fn long_waits_and_questions_are_parked_until_the_first_of_them() {
        let mut waits = Waits::default();
        let park = |waits: &Waits| waits.park(seconds(0), PARKED_FROM);
        assert_eq!(park(&waits), None, "nothing waits");
        waits.add(1, seconds(59), false);
        assert_eq!(park(&waits), None, "a short sleep stays in the process");
        waits.add(2, seconds(500), true);
        waits.add(3, seconds(600), true);
        assert_eq!(park(&waits), Some(Park::new(seconds(59), vec![2, 3])));
        waits.remove(1);
        waits.remove(3);
        assert_eq!(park(&waits), Some(Park::new(seconds(500), vec![2])));
        waits.remove(2);
        waits.add(4, seconds(60), false);
        assert_eq!(park(&waits), Some(Park::new(seconds(60), vec![])));
    }
}
