//! One write on its way through the writer thread: what to do, its outcome, and the caller who waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::fault::Fault;
use super::ops::Tx;
use crate::failpoint;
use crate::ledger::LedgerError;
use crate::loops::LoopState;

/// Whether a job alone is worth an fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// The write is on disk before the caller gets its answer.
    Durable,
    /// The write becomes durable with the next durable one.
    Light,
}

pub(super) trait Job: Send {
    fn weight(&self) -> Weight;
    /// Bytes of the content that it writes, about.
    fn bytes(&self) -> usize;
    fn waiting_since(&self) -> Instant;
    /// Runs the job and keeps its outcome. After an error the caller undoes what was written. A job that was undone
    /// may run again.
    fn run(&mut self, tx: &mut Tx<'_>, path: &Path, state: &LoopState) -> Result<(), LedgerError>;
    /// Answers the caller, after the commit or its failure.
    fn answer(self: Box<Self>, commit: Result<(), LedgerError>);
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// A [`Job`] from a closure.
pub(super) struct Write<T, F> {
    weight: Weight,
    bytes: usize,
    /// Room in the queue for its bytes, until it is answered.
    _room: Option<OwnedSemaphorePermit>,
    since: Instant,
    work: F,
    outcome: Result<T, LedgerError>,
    caller: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T, F: FnMut(&mut Tx<'_>) -> Result<T, Fault>> Write<T, F> {
    pub(super) fn new(
        weight: Weight,
        (bytes, room): (usize, Option<OwnedSemaphorePermit>),
        work: F,
        caller: oneshot::Sender<Result<T, LedgerError>>,
    ) -> Self {
        Self { weight, bytes, _room: room, since: Instant::now(), work, outcome: Err(panicked()), caller }
    }
}

impl<T: Send, F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send> Job for Write<T, F> {
    fn weight(&self) -> Weight {
        self.weight
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn waiting_since(&self) -> Instant {
        self.since
    }

    fn run(&mut self, tx: &mut Tx<'_>, path: &Path, state: &LoopState) -> Result<(), LedgerError> {
        // A panic in one job must not end the thread: other jobs are waiting.
        let work = || {
            failpoint::hit("ledger-job");
            (self.work)(tx)
        };
        self.outcome = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome.map_err(|fault| fault.into_ledger(path)),
            Err(payload) => {
                state.panicked(payload);
                Err(panicked())
            }
        };
        self.outcome.as_ref().map(drop).map_err(Clone::clone)
    }

    fn answer(self: Box<Self>, commit: Result<(), LedgerError>) {
        // An error means that the caller has gone.
        let _ = self.caller.send(commit.and(self.outcome));
    }
}

/// The outcome of a job that panicked before the commit.
pub(super) fn panicked() -> LedgerError {
    LedgerError::Unavailable("a fault in the ledger, see the log".to_owned())
}
