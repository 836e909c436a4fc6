//! The running time of a task: how long its body has only waited.
//!
//! A short sleep stays in the process and is no running time. The body only waits while it is not polled, nothing of
//! the attempt is in flight, and a sleep or a question is registered. An attempt that gives its task back tells the ledger
//! how long that was, and with it the time of work that a stop cut off. Of an attempt that was lost with its process, only
//! the sleeps that it stored are known.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::DurableRun;
use super::waits::until;
use crate::rows::{StepKind, StoredStep};

/// How long a body has only waited.
#[derive(Debug)]
pub(super) struct Idle {
    /// Since when it only waits.
    since: Option<Instant>,
    /// The waits that are over.
    ended: Duration,
    /// When the attempt stored its last row, or began, and how long the body had only waited until then.
    last_row: (Instant, Duration),
}

impl Default for Idle {
    fn default() -> Self {
        Self { since: None, ended: Duration::ZERO, last_row: (Instant::now(), Duration::ZERO) }
    }
}

impl Idle {
    /// The body waits from now on, unless it does already.
    fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// How long it has only waited so far.
    pub(super) fn sum(&self) -> Duration {
        self.ended + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The body runs, or something of the attempt is in flight.
    pub(super) fn end(&mut self) {
        if let Some(since) = self.since.take() {
            self.ended += since.elapsed();
        }
    }

    /// The attempt has stored a row.
    pub(super) fn note_row(&mut self) {
        self.last_row = (Instant::now(), self.sum());
    }

    /// The time that is no running time if the work in flight is cut off now: what came after the last row is lost, as
    /// after a crash.
    fn sum_if_cut_off(&self) -> Duration {
        let (at, waited) = self.last_row;
        waited + at.elapsed()
    }
}

impl DurableRun {
    /// The body is polled from now on. Returns how long it has only waited so far.
    pub(crate) fn body_runs(&self) -> Duration {
        let idle = &mut self.journal().idle;
        idle.end();
        idle.ended
    }

    /// The body was polled and is not done.
    pub(crate) fn body_waits(&self) {
        let mut journal = self.journal();
        if journal.in_flight == 0 && journal.pauses == 0 && !journal.waits.is_empty() {
            journal.idle.begin();
        }
    }

    /// Whether the body only waits at this moment.
    pub(crate) fn only_waits(&self) -> bool {
        self.journal().idle.since.is_some()
    }

    /// How long the body has only waited so far.
    pub(crate) fn waited(&self) -> Duration {
        self.journal().idle.sum()
    }

    /// How much of the attempt's time is no running time if its work is cut off now.
    pub(crate) fn unused_if_cut_off(&self) -> Duration {
        self.journal().idle.sum_if_cut_off()
    }
}

/// The sleeps of earlier attempts that stayed in their processes, as far as the rows of these attempts tell.
#[derive(Debug, Default)]
pub(super) struct StoredSleeps {
    /// The attempt, the begin and the due time of the sleep that was stored last.
    last: Option<(u32, Timestamp, Timestamp)>,
    /// The attempt, and from when to when its body only waited.
    slept: Vec<(u32, Timestamp, Timestamp)>,
}

impl StoredSleeps {
    /// Adds a row, in the order of the rows. A sleep counts up to the next row of its attempt, because the running time
    /// of an attempt that was cut off ends with its last row. The time of a concurrent step does not count.
    pub(super) fn add(&mut self, row: &StoredStep) {
        if let Some((attempt, begin, due)) = self.last.take()
            && attempt == row.attempt
        {
            self.slept.push((attempt, begin, due.min(row.stored_at())));
        }
        while let Some((attempt, begin, end)) = self.slept.last_mut()
            && *attempt == row.attempt
            && *end > row.began_at
        {
            *end = row.began_at;
            if *begin < *end {
                break;
            }
            self.slept.pop();
        }
        if row.kind == StepKind::Sleep {
            let due = row.value.as_deref().and_then(|value| serde_json::from_str(value).ok());
            self.last = due.map(|due| (row.attempt, row.done_at, due));
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.slept.is_empty()
    }

    /// How long it was in the attempts that were cut off.
    pub(super) fn sum(&self, was_cut_off: impl Fn(u32) -> bool) -> Duration {
        let cut_off = self.slept.iter().filter(|(attempt, ..)| was_cut_off(*attempt));
        cut_off.map(|(_, begin, end)| until(*begin, *end)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row from its times in seconds; a sleep with its due time.
    fn row(attempt: u32, kind: StepKind, began: i64, done: i64, due: Option<i64>) -> StoredStep {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let value = due.map_or_else(|| "null".to_owned(), |due| serde_json::to_string(&at(due)).unwrap());
        StoredStep {
            ordinal: 1,
            name: String::new(),
            kind,
            attempt,
            began_at: at(began),
            done_at: at(done),
            bytes: 0,
            value: Some(value),
            log: None,
        }
    }

    fn slept(rows: &[StoredStep]) -> u64 {
        let mut sleeps = StoredSleeps::default();
        for row in rows {
            sleeps.add(row);
        }
        assert_eq!(sleeps.sum(|_| false), Duration::ZERO, "the ledger has left out what the others slept");
        sleeps.sum(|_| true).as_secs()
    }

    #[test]
    fn sleeps_between_the_rows_of_an_attempt_are_counted() {
        let step = |attempt, began, done| row(attempt, StepKind::Step, began, done, None);
        let sleep = |attempt, at, due| row(attempt, StepKind::Sleep, at, at, Some(due));
        assert_eq!(slept(&[step(1, 0, 10), sleep(1, 10, 40), step(1, 45, 50), sleep(1, 50, 60), step(1, 60, 61)]), 40);
        assert_eq!(slept(&[sleep(1, 10, 40)]), 0, "its running time ends with the row");
        assert_eq!(slept(&[sleep(1, 10, 40), step(2, 100, 110)]), 0, "it was parked or cut off");
        assert_eq!(slept(&[sleep(1, 10, 40), step(1, 5, 60)]), 0, "a step ran beside it");
        assert_eq!(slept(&[sleep(1, 10, 40), step(1, 30, 60)]), 20, "a step began before its end");
        assert_eq!(slept(&[sleep(1, 10, 40), sleep(1, 40, 50), step(1, 50, 51), step(1, 20, 90)]), 10);
        assert_eq!(slept(&[sleep(1, 10, 40), sleep(1, 20, 30), step(1, 50, 51)]), 20, "two at once");
        let question = row(1, StepKind::Question, 10, 9_000, None);
        assert_eq!(slept(&[sleep(1, 10, 8_000), question]), 0, "an answer hours later");
    }
}
