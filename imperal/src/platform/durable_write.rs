//! Writes that are repeated until their outcome is known.
//!
//! Three rules over the ledger's single attempts. [`Node::retry_until_durable`] repeats an ending until the
//! ledger stores it or another incarnation owns it. [`Node::write_idempotent`] repeats a write whose
//! response was lost, with the same ids, until the ledger says whether it is stored. [`Node::insist`] repeats what a
//! running task reads and writes.

use std::time::Duration;

use super::Node;
use super::active::ActiveWork;
use crate::backoff::Backoff;
use crate::ledger::{Fut, LedgerError, LedgerResult};

/// How long a caller waits for the outcome of a write. Longer than the ledgers' own limits, so that a
/// definite answer comes first: SQLite waits up to twice 5 s for another program's lock (for the write
/// before and for this one), PostgreSQL has 10 s for a statement.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(11);

/// The waits between attempts of one write: 50 ms, doubling up to 5 s.
pub(super) const fn write_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(50), Duration::from_secs(5))
}

/// Which attempt of a write the ledger stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written<T> {
    /// The last attempt, with its answer.
    Now(T),
    /// An earlier attempt whose response was lost; its answer is lost too.
    Earlier,
}

impl Node {
    /// Repeats the write of an ending until the ledger has stored it or refuses it for good. Returns
    /// whether it is stored; if not, another incarnation writes the ending.
    pub(super) async fn retry_until_durable<'a, T>(&self, what: &str, write: impl FnMut() -> Fut<'a, T>) -> bool {
        self.retry_ending(what, write).await.is_some()
    }

    /// The same with the ledger's answer. `None` if another incarnation writes the ending.
    pub(super) async fn retry_ending<'a, T>(
        &self,
        what: &str,
        mut write: impl FnMut() -> Fut<'a, T>,
    ) -> Option<Written<T>> {
        let mut backoff = write_backoff();
        loop {
            let wait = match write().await {
                Ok(written) => return Some(Written::Now(written)),
                // The refusals also mean that an earlier attempt was stored and its response lost.
                Err(LedgerError::AlreadyReplied | LedgerError::AlreadyEnded | LedgerError::IdExists) => {
                    return Some(Written::Earlier);
                }
                Err(error @ (LedgerError::Fenced | LedgerError::NotFound | LedgerError::NotHolder)) => {
                    tracing::warn!(what, %error, "not written: another incarnation writes it");
                    return None;
                }
                // Every retry would be refused too; recovery at the next start ends the work.
                Err(error @ LedgerError::TooDeep(_)) => {
                    tracing::error!(what, %error, "not written: the ledger could not read it back");
                    return None;
                }
                Err(error) => {
                    let wait = backoff.next_wait();
                    tracing::warn!(what, %error, retry_ms = wait.as_millis(), "not written yet");
                    wait
                }
            };
            self.ended.run_until_cancelled(tokio::time::sleep(wait)).await?;
        }
    }

    /// Repeats a write with the same ids while its outcome is unknown.
    ///
    /// Only a retry that succeeds or finds its own id proves anything. A retry that is refused does not:
    /// the server may still be working on an earlier attempt. `Fenced` is the exception: recovery then
    /// settles the work either way.
    ///
    /// # Errors
    /// The error that refused the first attempt; `Indeterminate` when the incarnation or the platform ended before the
    /// outcome was known.
    pub(super) async fn write_idempotent<'a, T>(
        &self,
        what: &str,
        mut write: impl FnMut() -> Fut<'a, T>,
    ) -> Result<Written<T>, LedgerError> {
        let mut backoff = write_backoff();
        let mut outcome = write().await;
        loop {
            let Err(LedgerError::Indeterminate(why)) = outcome else { return outcome.map(Written::Now) };
            let wait = backoff.next_wait();
            tracing::warn!(what, why, retry_ms = wait.as_millis(), "the outcome of a write is unknown: retrying it");
            if self.ended.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(LedgerError::Indeterminate(why));
            }
            outcome = match write().await {
                Ok(written) => return Ok(Written::Now(written)),
                Err(LedgerError::IdExists) => return Ok(Written::Earlier),
                // Work that has ended meanwhile hides whether its message was stored.
                Err(
                    LedgerError::Fenced
                    | LedgerError::NotHolder
                    | LedgerError::AlreadyReplied
                    | LedgerError::AlreadyEnded,
                ) => {
                    return Err(LedgerError::Indeterminate(why));
                }
                Err(error) => Err(LedgerError::Indeterminate(error.to_string())),
            };
        }
    }

    /// Repeats a write or read of an attempt while the ledger fails, until the node or its lease has ended. The attempt
    /// may have ended: what became of its work is known and has to be stored.
    ///
    /// # Errors
    /// A refusal, and the failure after which the node or its lease has ended.
    pub(super) async fn insist<'a, T>(
        &self,
        work: &ActiveWork,
        what: &str,
        mut request: impl FnMut() -> Fut<'a, T>,
    ) -> LedgerResult<T> {
        let mut backoff = write_backoff();
        loop {
            match request().await {
                Err(error) if error.is_failure() => {
                    let wait = backoff.next_wait();
                    tracing::warn!(what, %error, retry_ms = wait.as_millis(), "the ledger does not answer yet");
                    tokio::select! {
                        () = self.ended.cancelled() => return Err(error),
                        () = work.lease.lost.cancelled() => return Err(error),
                        () = tokio::time::sleep(wait) => {}
                    }
                    // The ledger is silent, not the task.
                    work.ctx.signal().touch();
                }
                answer => return answer,
            }
        }
    }
}
