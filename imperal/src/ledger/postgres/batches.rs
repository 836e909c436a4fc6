//! Sends writes of this node's work, several users' in one transaction while many arrive.
//!
//! Owns the queue of writes. A write is sent at once while few are under way. The others wait until one of those has
//! ended, and then go together: their statements travel in one message and have one commit. An owner has writes in one
//! transaction at a time, so no transaction waits for another of this node. A write that cannot go with others is sent
//! alone: one that is refused undoes its transaction, whose other writes are then sent alone as well, and for a while
//! its owner's writes keep apart. So a user who is refused, or whose row another node holds, delays others once.

mod queue;
mod together;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::iter;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_postgres::Row;

use self::queue::{LANES, PATIENCE, Queue, Waiting};
use self::together::NotWritten;
pub(super) use self::write::Write;
use super::fault::Fault;
use super::pool::{CONNECT, Store};
use super::writes::one;
use crate::ledger::{LedgerError, LedgerMeters, Owner};

/// Writes of an undone transaction that are sent alone at the same time.
const ALONE_AT_ONCE: usize = 4;

type Answer = oneshot::Receiver<Result<Row, Fault>>;

/// Where a write of this node goes first.
enum Place {
    /// It is sent alone.
    Lane(Lane, Write),
    /// It waits.
    Queue(Answer),
}

/// The writes of a ledger.
#[derive(Debug, Clone)]
pub(super) struct Batches(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    meters: LedgerMeters,
    most_lanes: usize,
    queue: Mutex<Queue>,
}

impl Batches {
    /// For a store with this number of connections.
    pub(super) fn new(store: Store, connections: usize, meters: LedgerMeters) -> Self {
        Self(Arc::new(Shared { store, meters, most_lanes: connections, queue: Mutex::default() }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a write of the owner, and returns its row once that is on disk.
    ///
    /// # Errors
    /// Those of the write; `Unavailable` if it was not sent within [`CONNECT`], and `Indeterminate` if its transaction's
    /// outcome is unknown.
    pub(super) async fn send(&self, owner: &Owner, write: Write) -> Result<Row, Fault> {
        match self.enter(owner, write) {
            Place::Lane(_lane, write) => self.0.send_one(&write).await,
            Place::Queue(answer) => answer
                .await
                .unwrap_or_else(|_| Err(LedgerError::Indeterminate("the writer has stopped".to_owned()).into())),
        }
    }

    fn enter(&self, owner: &Owner, write: Write) -> Place {
        let since = Instant::now();
        let mut queue = self.queue();
        if queue.lanes < LANES.min(self.0.most_lanes) && !queue.busy.contains(owner) {
            queue.lanes += 1;
            queue.busy.insert(owner.clone());
            queue.moved_at = Some(since);
            return Place::Lane(Lane { batches: self.clone(), owners: vec![owner.clone()], is_open: true }, write);
        }
        let (caller, answer) = oneshot::channel();
        queue.waiting.push_back(Waiting { owner: owner.clone(), write, since, caller });
        let is_watched = std::mem::replace(&mut queue.is_watched, true);
        drop(queue);
        if !is_watched {
            tokio::spawn(self.clone().watch());
        }
        Place::Queue(answer)
    }

    /// Looks after the writes that wait, until none does: begins another lane while nothing moves, and refuses those that
    /// have waited for too long.
    async fn watch(self) {
        let mut goes_on = true;
        while goes_on {
            sleep(PATIENCE).await;
            let look = self.queue().look(self.0.most_lanes);
            goes_on = look.goes_on;
            if let Some(batch) = look.batch {
                self.begin(batch);
            }
            for waiting in look.late {
                waiting.answer(Err(LedgerError::Unavailable(format!(
                    "PostgreSQL took no write of this node within {} s: it is slow, or others hold what the writes need",
                    CONNECT.as_secs()
                ))
                .into()));
            }
        }
    }

    /// Begins a lane that is counted already, with its first batch.
    fn begin(&self, batch: Vec<Waiting>) {
        let mut lane = Lane { batches: self.clone(), owners: owners(&batch), is_open: true };
        // At its end the runtime takes no work: callers that wait have gone, or learn that the writer has stopped.
        let Some(runtime) = Handle::try_current().ok().filter(|_| !batch.is_empty()) else {
            return lane.close();
        };
        runtime.spawn(async move {
            let mut next = Some(batch);
            while let Some(batch) = next {
                lane.batches.0.send_batch(&lane.batches, batch).await;
                next = lane.next();
            }
        });
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

    async fn send_batch(&self, batches: &Batches, mut batch: Vec<Waiting>) {
        let begun = Instant::now();
        for waiting in &batch {
            self.meters.record_wait(begun.duration_since(waiting.since));
        }
        if batch.len() > 1 {
            // In one order on every node, see lock_owners.
            batch.sort_by_cached_key(|waiting| write::owner_key(&waiting.owner));
            let writes: Vec<&Write> = batch.iter().map(|waiting| &waiting.write).collect();
            let written = self.store.together(&writes).await;
            drop(writes);
            match written {
                Ok(rows) => {
                    self.meters.record_transaction(batch.len(), begun.elapsed(), true);
                    return batch.into_iter().zip(rows).for_each(|(waiting, row)| waiting.answer(Ok(row)));
                }
                Err(NotWritten::Failed(error)) => {
                    self.meters.record_transaction(batch.len(), begun.elapsed(), false);
                    return batch.into_iter().for_each(|waiting| waiting.answer(Err(error.clone().into())));
                }
                // Each is counted once it was sent alone.
                Err(NotWritten::Undone(place)) => {
                    if let Some(waiting) = place.and_then(|place| batch.get(place)) {
                        batches.queue().keep_apart(&waiting.owner);
                    }
                }
            }
        }
        iter(batch)
            .for_each_concurrent(ALONE_AT_ONCE, |waiting| async move {
                let outcome = self.send_one(&waiting.write).await;
                waiting.answer(outcome);
            })
            .await;
    }
}

/// A transaction under way, and those after it. Its drop, also by a caller that goes away, lets the next write begin.
#[derive(Debug)]
struct Lane {
    batches: Batches,
    owners: Vec<Owner>,
    is_open: bool,
}

fn owners(batch: &[Waiting]) -> Vec<Owner> {
    batch.iter().map(|waiting| waiting.owner.clone()).collect()
}

impl Lane {
    /// What this lane sends next; nothing closes it.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut queue = self.batches.queue();
        queue.release(&self.owners);
        // More were begun while all were stuck.
        let batch = if queue.lanes > LANES { Vec::new() } else { queue.take() };
        self.owners = owners(&batch);
        if batch.is_empty() {
            self.is_open = false;
            queue.end_lane();
            return None;
        }
        Some(batch)
    }

    /// Ends without a look at what waits.
    fn close(&mut self) {
        let mut queue = self.batches.queue();
        queue.release(&self.owners);
        queue.end_lane();
        self.is_open = false;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_open
            && let Some(batch) = self.next()
        {
            // The lane that begins is counted as this one.
            self.is_open = false;
            self.batches.begin(batch);
        }
    }
}
