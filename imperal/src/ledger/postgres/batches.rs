//! Sends writes of this node's work, several users' in one transaction while many arrive.
//!
//! Owns the queue of writes. A write is sent at once while few transactions are under way. The others wait until one of
//! those has ended, and then go together: their statements travel in one message and have one commit. A user has one
//! transaction of this queue at a time. The server undoes the transaction of a write that it refuses, and of one that waits
//! for a row for too long. The writes of such a transaction are sent again, each alone, and the user of that write keeps
//! apart for a while: the user's writes go alone, in transactions of their own.

mod queue;
mod together;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_postgres::Row;

use self::queue::{Queue, Sending, TICK, Waiting};
use self::together::NotWritten;
pub(super) use self::write::Write;
use super::fault::Fault;
use super::pool::{CONNECT, STATEMENT, Store};
use super::writes::one;
use crate::ledger::{LedgerError, LedgerMeters, Owner};

/// A write that may be sent now, or the answer of one that waits.
enum Entered {
    Now(Underway, Write),
    Waits(oneshot::Receiver<Result<Row, Fault>>),
}

/// The writes of a ledger.
#[derive(Debug, Clone)]
pub(super) struct Batches(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    meters: LedgerMeters,
    queue: Mutex<Queue>,
}

impl Batches {
    /// For a store with this number of connections.
    pub(super) fn new(store: Store, connections: usize, meters: LedgerMeters) -> Self {
        Self(Arc::new(Shared { store, meters, queue: Mutex::new(Queue::new(connections)) }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a write of the owner, and returns its row once that is on disk.
    ///
    /// # Errors
    /// Those of the write; `Unavailable` if it has waited for [`CONNECT`] and was not sent, and `Indeterminate` if the
    /// outcome of its transaction is unknown.
    pub(super) async fn send(&self, owner: &Owner, write: Write) -> Result<Row, Fault> {
        match self.enter(owner, write) {
            Entered::Now(_underway, write) => self.0.send_one(&write).await,
            Entered::Waits(answer) => answer.await.unwrap_or_else(|_| {
                Err(LedgerError::Indeterminate("the sender of writes has stopped".to_owned()).into())
            }),
        }
    }

    fn enter(&self, owner: &Owner, write: Write) -> Entered {
        let mut queue = self.queue();
        if let Some(number) = queue.begin_at_once(owner) {
            let underway = Underway { batches: self.clone(), number, owners: vec![owner.clone()], has_begun: true };
            return Entered::Now(underway, write);
        }
        let (caller, answer) = oneshot::channel();
        let is_apart = queue.is_apart(owner);
        let is_watched = queue.push(Waiting::new(owner.clone(), write, caller));
        drop(queue);
        self.see_that_it_is_watched(is_watched);
        if is_apart {
            self.begin();
        }
        Entered::Waits(answer)
    }

    fn see_that_it_is_watched(&self, is_watched: bool) {
        if !is_watched {
            tokio::spawn(self.clone().watch());
        }
    }

    /// Looks after the writes that wait, until none does: begins more transactions while slow ones do not end, and
    /// refuses the writes that have waited for too long.
    async fn watch(self) {
        let mut goes_on = true;
        while goes_on {
            sleep(TICK).await;
            let late = {
                let mut queue = self.queue();
                let late = queue.take_late();
                goes_on = queue.stays_watched();
                late
            };
            for waiting in late {
                self.0.meters.record_transaction(1, waiting.since.elapsed(), false);
                let why = format!(
                    "this write was not sent within {} s: the user's earlier write or the database is slow; try again",
                    CONNECT.as_secs()
                );
                waiting.answer(Err(LedgerError::Unavailable(why).into()));
            }
            self.begin();
        }
    }

    /// Begins what may begin now.
    fn begin(&self) {
        // A runtime that ends takes no work, and its callers no longer wait.
        let Ok(runtime) = Handle::try_current() else { return };
        loop {
            let Some(Sending { number, writes }) = self.queue().take() else { return };
            let owners = writes.iter().map(|waiting| waiting.owner.clone()).collect();
            let mut underway = Underway { batches: self.clone(), number, owners, has_begun: false };
            runtime.spawn(async move {
                underway.has_begun = true;
                underway.batches.send_batch(writes).await;
            });
        }
    }

    async fn send_batch(&self, mut batch: Vec<Waiting>) {
        let begun = Instant::now();
        for waiting in &batch {
            self.0.meters.record_wait(begun.duration_since(waiting.since));
        }
        if batch.len() == 1 {
            for waiting in batch {
                let outcome = self.0.send_one(&waiting.write).await;
                let was_refused =
                    outcome.as_ref().is_err_and(|fault| matches!(fault, Fault::Postgres(_)) && fault.is_refusal());
                self.queue().went_alone(&waiting.owner, was_refused, begun.elapsed());
                if outcome.is_ok() {
                    self.queue().went_well();
                }
                waiting.answer(outcome);
            }
            return;
        }
        // In one order on every node, see lock_owners.
        batch.sort_by_cached_key(|waiting| write::owner_key(&waiting.owner));
        let writes: Vec<&Write> = batch.iter().map(|waiting| &waiting.write).collect();
        let written = self.0.store.together(&writes).await;
        drop(writes);
        match written {
            Ok(rows) => {
                self.0.meters.record_transaction(batch.len(), begun.elapsed(), true);
                self.queue().went_well();
                batch.into_iter().zip(rows).for_each(|(waiting, row)| waiting.answer(row));
            }
            // Each is counted once it was sent alone.
            Err(NotWritten::Undone(place)) => {
                let is_watched = self.queue().put_back(batch, place);
                self.see_that_it_is_watched(is_watched);
            }
            Err(NotWritten::Failed(error)) => {
                self.0.meters.record_transaction(batch.len(), begun.elapsed(), false);
                if begun.elapsed() >= STATEMENT {
                    self.queue().was_too_slow();
                }
                for waiting in batch {
                    waiting.answer(Err(error.clone().into()));
                }
            }
        }
    }
}

impl Shared {
    async fn send_one(&self, write: &Write) -> Result<Row, Fault> {
        let begun = Instant::now();
        let rows = self.store.rows(write.sql(), &write.params()).await;
        // A refusal counts as an answer; any other fault as a failed transaction.
        self.meters.record_transaction(1, begun.elapsed(), rows.as_ref().err().is_none_or(Fault::is_refusal));
        rows.and_then(one)
    }
}

/// A transaction under way. When it is dropped, also by a caller that goes away, the next may begin.
#[derive(Debug)]
struct Underway {
    batches: Batches,
    number: u64,
    owners: Vec<Owner>,
    /// A runtime that ends drops work that it never began. Then nothing else begins.
    has_begun: bool,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.batches.queue().end(self.number, &self.owners);
        if self.has_begun {
            self.batches.begin();
        }
    }
}
