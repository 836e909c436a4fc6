//! The thread that writes, and its group commit.
//!
//! All waiting jobs, up to [`BATCH`] and [`BATCH_BYTES`], become one transaction. There is no batching delay: a single job commits
//! immediately, and a batch forms while the commit before it is on its way to the disk.
//!
//! A job that fails leaves its neighbours alone. Nearly all jobs check before they write. Where a failed job has
//! written something, the transaction starts again with a savepoint for each job. (Savepoints from the start would
//! copy every page once for each job that touches it.) Callers are answered and the feed is notified after the
//! commit. If the commit fails, every caller gets that error, because even a refusal may rest on a neighbour's
//! write.
//!
//! A batch of light jobs (progress, lease renewals, write checks) commits without an fsync, except for one each
//! time the log starts over, about every four MiB. The next synced commit makes it durable. A power failure
//! that loses it also ends the process whose lease or progress it was.
//!
//! A panic fails the job that it is in, or the whole batch outside of a job, and the thread continues with a clean
//! transaction. After the commit began, a panic leaves the outcome unknown.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::fault::Fault;
use super::job::{Job, Weight, panicked};
use super::ops::{Notification, Tx, TxCache};
use super::rows::execute;
use super::schema::file_at;
use super::wal::Wal;
use crate::failpoint;
use crate::ledger::{Clock, Feed, LedgerError, LedgerMeters};
use crate::loops::{LoopState, Need};

/// Most jobs of one transaction.
const BATCH: usize = 256;

/// A transaction ends with the job that reaches this many bytes: its pages are in memory, and all its callers wait for
/// the same sync.
const BATCH_BYTES: usize = 8 << 20;

/// The state of the writer thread.
pub(super) struct WriterThread {
    conn: Connection,
    path: Arc<Path>,
    /// The identity of the file when it was opened.
    file: Option<(u64, u64)>,
    clock: Arc<dyn Clock>,
    feed: Feed,
    meters: LedgerMeters,
    state: Arc<LoopState>,
    wal: Wal,
    /// Whether the connection syncs each commit.
    synced: bool,
    cache: TxCache,
    /// Whether the current transaction's COMMIT has been sent.
    committing: bool,
}

/// How a transaction protects jobs from one that fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Isolation {
    /// Not at all: nearly every job checks before it writes.
    None,
    /// By a savepoint for each job.
    Savepoints,
}

/// How an attempt at a batch ended without a fault.
enum Attempt {
    /// It is committed; the feed must hear these.
    Committed(Vec<Notification>),
    /// A job wrote something before it failed, and there was no savepoint to go back to.
    PartialWrite,
}

impl WriterThread {
    pub(super) fn new(
        conn: Connection,
        path: Arc<Path>,
        clock: Arc<dyn Clock>,
        feed: Feed,
        meters: LedgerMeters,
    ) -> Self {
        let file = file_at(&path);
        let state = meters.loops().register("ledger-writer", Need::Essential);
        let wal = Wal::new(&path, &conn, meters.clone());
        let cache = TxCache::default();
        Self { conn, path, file, clock, feed, meters, state, wal, synced: true, cache, committing: false }
    }

    /// Runs jobs until the queue's other end is dropped.
    pub(super) fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = queue.blocking_recv() {
            let mut bytes = first.bytes();
            batch.push(first);
            while batch.len() < BATCH
                && bytes < BATCH_BYTES
                && let Ok(job) = queue.try_recv()
            {
                bytes = bytes.saturating_add(job.bytes());
                batch.push(job);
            }
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.write(&mut batch, &queue))) {
                self.state.panicked(payload);
                let _ = catch_unwind(AssertUnwindSafe(|| self.give_up(&mut batch)));
                batch.clear();
            }
        }
        self.state.stopped();
    }

    /// Writes a batch, notifies the feed, answers the callers.
    fn write(&mut self, batch: &mut Vec<Box<dyn Job>>, queue: &mpsc::Receiver<Box<dyn Job>>) {
        self.committing = false;
        failpoint::hit("ledger-writer");
        let begun = Instant::now();
        for job in &*batch {
            self.meters.record_wait(begun - job.waiting_since());
        }
        let commit = self.transact(batch);
        self.meters.record_transaction(batch.len(), begun.elapsed(), commit.is_ok());
        if let Err(LedgerError::Unavailable(why) | LedgerError::Unusable(why)) = &commit {
            tracing::error!(jobs = batch.len(), "ledger: nothing was written: {why}");
        }
        failpoint::hit("ledger-written");
        for notification in commit.as_ref().map_or(&[][..], Vec::as_slice) {
            match notification {
                Notification::Events(owner) => self.feed.publish_events(owner),
                Notification::Progress(owner, progress) => self.feed.publish_progress(owner, progress.clone()),
                Notification::Draft(owner, piece) => self.feed.publish_draft(owner, piece.clone()),
                Notification::ReadyTask => self.feed.announce_ready_task(),
            }
        }
        let commit = commit.map(drop);
        // One by one, so that a panic leaves the rest to be answered.
        batch.reverse();
        while let Some(job) = batch.pop() {
            job.answer(commit.clone());
        }
        self.wal.checkpoint(&self.conn, queue.is_empty());
    }

    /// After a panic: answers the remaining jobs and rolls back, so that the next batch starts clean.
    fn give_up(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        self.roll_back();
        let outcome = if self.committing {
            LedgerError::Indeterminate("a fault in the ledger after the write, see the log".to_owned())
        } else {
            panicked()
        };
        for job in batch.drain(..) {
            job.answer(Err(outcome.clone()));
        }
        if self.committing {
            // The list of owners to notify is lost, so every watcher reads from its own number on.
            self.feed.watched().iter().for_each(|owner| self.feed.publish_events(owner));
            self.feed.announce_ready_task();
        }
    }

    /// One transaction for the whole batch; returns what the feed must hear.
    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Notification>, LedgerError> {
        let attempt = match self.attempt(batch, Isolation::None) {
            Ok(Attempt::PartialWrite) => {
                self.roll_back();
                self.attempt(batch, Isolation::Savepoints)
            }
            attempt => attempt,
        };
        match attempt {
            Ok(Attempt::Committed(notifications)) => Ok(notifications),
            Ok(Attempt::PartialWrite) => {
                self.roll_back();
                Err(panicked())
            }
            Err(fault) => {
                self.roll_back();
                Err(fault.into_ledger(&self.path))
            }
        }
    }

    fn attempt(&mut self, batch: &mut [Box<dyn Job>], isolation: Isolation) -> Result<Attempt, Fault> {
        self.begin(batch)?;
        let Some(notifications) = self.run_jobs(batch, isolation)? else { return Ok(Attempt::PartialWrite) };
        if self.synced {
            failpoint::hit("before-commit");
        }
        self.committing = true;
        execute(&self.conn, "COMMIT", ())?;
        if self.synced {
            failpoint::hit("after-commit");
        }
        Ok(Attempt::Committed(notifications))
    }

    fn roll_back(&mut self) {
        self.cache.roll_back();
        if !self.conn.is_autocommit() {
            // Fails only if SQLite has rolled back already.
            let _ = execute(&self.conn, "ROLLBACK", ());
        }
    }

    fn begin(&mut self, batch: &[Box<dyn Job>]) -> Result<(), Fault> {
        // SQLite would keep writing to a file that was moved away, and those writes would be lost.
        if file_at(&self.path) != self.file {
            let why = format!(
                "{} was moved or removed while it was in use: put it back, or start the program again",
                self.path.display()
            );
            return Err(LedgerError::Unavailable(why).into());
        }
        let sync = batch.iter().any(|job| job.weight() == Weight::Durable);
        if sync != self.synced {
            self.conn.pragma_update(None, "synchronous", if sync { "FULL" } else { "NORMAL" })?;
            self.synced = sync;
        }
        execute(&self.conn, "BEGIN IMMEDIATE", ())?;
        self.cache.begin();
        Ok(())
    }

    /// Runs the jobs in the open transaction. `None` after a partial write.
    fn run_jobs(
        &mut self,
        batch: &mut [Box<dyn Job>],
        isolation: Isolation,
    ) -> Result<Option<Vec<Notification>>, Fault> {
        let mut notifications = Vec::with_capacity(batch.len());
        for job in batch {
            if isolation == Isolation::Savepoints {
                execute(&self.conn, "SAVEPOINT job", ())?;
            }
            let before = self.conn.total_changes();
            let mut tx = Tx::new(&self.conn, self.clock.now(), &self.cache, self.meters.unreadable());
            match job.run(&mut tx, &self.path, &self.state) {
                Ok(()) => notifications.append(&mut tx.into_notifications()),
                // SQLite may roll back the whole transaction by itself, for example when the disk is full.
                Err(why) if self.conn.is_autocommit() => return Err(why.into()),
                Err(_) if self.conn.total_changes() == before => {}
                Err(_) if isolation == Isolation::None => return Ok(None),
                Err(_) => {
                    self.cache.roll_back();
                    execute(&self.conn, "ROLLBACK TO job", ())?;
                }
            }
            if isolation == Isolation::Savepoints {
                execute(&self.conn, "RELEASE job", ())?;
            }
        }
        Ok(Some(notifications))
    }
}
