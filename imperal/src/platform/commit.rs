//! Writing what has to be written: an ending is not given up because the disk is full for a while,
//! and a write that was cut off is repeated until it is known whether it was done.

use std::time::Duration;

use super::Node;
use crate::ledger::{Fut, LedgerError, Turn};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The waits between tries of one write: each twice as long as the one before.
#[derive(Debug)]
pub(super) struct Waits(Duration);

impl Waits {
    pub(super) fn new() -> Self {
        Self(FIRST_WAIT)
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST_WAIT);
        wait
    }
}

/// How long somebody who waits for an answer is kept waiting until it is known. Longer than the
/// ledgers' own limits, so that a definite answer comes first: SQLite may wait for another program's
/// lock twice 5 s (for the write before and for this one), PostgreSQL has 10 s for a statement.
pub(super) const PATIENCE: Duration = Duration::from_secs(11);

impl Node {
    /// Repeats a write of an ending until the ledger has taken or refused it for good. Whether it is
    /// there; it is not when it is another life's to write.
    pub(super) async fn insist<'a>(&self, what: &str, mut write: impl FnMut() -> Fut<'a, Turn>) -> bool {
        let mut waits = Waits::new();
        loop {
            let wait = match write().await {
                // Settled also when the answer to an earlier try was lost, and the try was not.
                Ok(_) | Err(LedgerError::Settled) => return true,
                Err(error @ (LedgerError::Fenced | LedgerError::Unknown)) => {
                    tracing::warn!(what, %error, "not written: another incarnation writes it");
                    return false;
                }
                // The same would be refused for ever; the next start ends the work.
                Err(error @ LedgerError::TooDeep(_)) => {
                    tracing::error!(what, %error, "not written: the ledger could not read it back");
                    return false;
                }
                Err(error) => {
                    let wait = waits.next();
                    tracing::warn!(what, %error, retry_ms = wait.as_millis(), "not written yet");
                    wait
                }
            };
            if self.ended.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return false;
            }
        }
    }

    /// Repeats a write, with the same ids, until it is known whether it is in the ledger. `None` when
    /// an earlier try wrote it whose answer was lost.
    ///
    /// Only a try that comes through says so. One that is refused says nothing of an earlier one that
    /// a server may still be at work on, save when the life is over: then recovery settles either.
    ///
    /// # Errors
    /// What refused the first try; `Unsure` when the life or the platform ended before it was known.
    pub(super) async fn make_sure<'a, T>(
        &self,
        what: &str,
        mut write: impl FnMut() -> Fut<'a, T>,
    ) -> Result<Option<T>, LedgerError> {
        let mut waits = Waits::new();
        let mut outcome = write().await;
        loop {
            let Err(LedgerError::Unsure(why)) = outcome else { return outcome.map(Some) };
            let wait = waits.next();
            tracing::warn!(what, why, retry_ms = wait.as_millis(), "not known whether it is written: asking again");
            if self.ended.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(LedgerError::Unsure(why));
            }
            outcome = match write().await {
                Ok(written) => return Ok(Some(written)),
                Err(LedgerError::Settled) => return Ok(None),
                Err(LedgerError::Fenced) => return Err(LedgerError::Unsure(why)),
                Err(error) => Err(LedgerError::Unsure(error.to_string())),
            };
        }
    }
}
