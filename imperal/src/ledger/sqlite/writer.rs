//! The thread that writes, and its group commit.
//!
//! Whatever waits, up to [`BATCH`] jobs, becomes one transaction. A job that fails leaves its
//! neighbours alone: nearly all look before they write, and where one has written something, the
//! transaction is begun again with a savepoint for each job. (Savepoints from the start would copy
//! every page once for each job that touches it.) Nobody waits for company: a lone job is
//! committed at once, and a batch forms by itself while the commit before it is on its way to the
//! disk. Callers are answered, and the feed is told, after the commit; when it fails all of them
//! hear so, because even a refusal may rest on what a neighbour wrote.
//!
//! A batch of light jobs only (progress, lease renewals, write checks) commits without an fsync
//! (but for one when the log begins anew, every thousand pages or so): the next synced commit makes
//! it durable, and a power failure that loses it ends the process whose lease or progress it was.
//!
//! A panic fails the job it is in, or the batch where it is in none, and the thread goes on with a
//! clean transaction. After the commit began, a panic leaves the outcome unknown.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::log::Log;
use super::ops::{Known, Told, Tx};
use super::rows::execute;
use super::schema::file_at;
use crate::failpoint;
use crate::ledger::{Clock, Feed, LedgerError, LedgerMeters};
use crate::loops::{LoopState, Need};

/// Most jobs of one transaction.
const BATCH: usize = 256;

/// Jobs that wait before callers do.
const QUEUE: usize = 1024;

/// How long a drop waits for the last commit.
const PARTING: Duration = Duration::from_secs(2);

/// Whether a job alone is worth an fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It must be on disk when the caller is answered.
    Durable,
    /// It rides with others, or with the log.
    Light,
}

trait Job: Send {
    fn weight(&self) -> Weight;
    fn waiting_since(&self) -> Instant;
    /// Carries it out and keeps the outcome; what it wrote must be undone after an error. What was
    /// undone may be carried out again.
    fn run(&mut self, tx: &mut Tx<'_>, path: &Path, state: &LoopState) -> Result<(), LedgerError>;
    /// Answers the caller, after the commit or its failure.
    fn answer(self: Box<Self>, commit: Result<(), LedgerError>);
}

struct Write<T, F> {
    weight: Weight,
    since: Instant,
    work: F,
    outcome: Result<T, LedgerError>,
    caller: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T: Send, F: FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send> Job for Write<T, F> {
    fn weight(&self) -> Weight {
        self.weight
    }

    fn waiting_since(&self) -> Instant {
        self.since
    }

    fn run(&mut self, tx: &mut Tx<'_>, path: &Path, state: &LoopState) -> Result<(), LedgerError> {
        // The thread outlives a fault in one operation: others still have work to save.
        let work = || {
            failpoint::hit("ledger-job");
            (self.work)(tx)
        };
        self.outcome = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome.map_err(|fault| fault.into_ledger(path)),
            Err(payload) => {
                state.panicked(payload);
                Err(faulty())
            }
        };
        self.outcome.as_ref().map(drop).map_err(Clone::clone)
    }

    fn answer(self: Box<Self>, commit: Result<(), LedgerError>) {
        // An error means that the caller has gone.
        let _ = self.caller.send(commit.and(self.outcome));
    }
}

/// The writer's side for callers. Dropping it writes what waits and ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    /// Never sent to: disconnects when the thread is through.
    ended: Mutex<std_mpsc::Receiver<()>>,
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        path: Arc<Path>,
        clock: Arc<dyn Clock>,
        feed: Feed,
        meters: LedgerMeters,
    ) -> Result<Self, LedgerError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (end, ended) = std_mpsc::channel();
        let file = file_at(&path);
        let state = meters.loops().register("ledger-writer", Need::Essential);
        let log = Log::new(&path, meters.clone());
        let known = Known::default();
        let desk = Desk { conn, path, file, clock, feed, meters, state, log, synced: true, known, committing: false };
        let thread = Builder::new().name("ledger-writer".to_owned()).spawn(move || {
            desk.serve(jobs);
            drop(end);
        });
        match thread {
            Ok(thread) => Ok(Self { queue: Some(queue), thread: Some(thread), ended: Mutex::new(ended) }),
            Err(error) => Err(LedgerError::Unavailable(format!("cannot start the ledger's writer: {error}"))),
        }
    }

    /// Runs `work` in the next transaction and returns when that is committed.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (caller, answer) = oneshot::channel();
        let job = Write { weight, since: Instant::now(), work, outcome: Err(stopped()), caller };
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Box::new(job)).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(LedgerError::Unsure("its writer dropped the write".to_owned())))
    }
}

/// A job or its batch panicked before the commit.
fn faulty() -> LedgerError {
    LedgerError::Unavailable("a fault in the ledger, see the log".to_owned())
}

fn stopped() -> LedgerError {
    LedgerError::Unavailable("its writer has stopped: start the program again".to_owned())
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        // A lock that another program holds may keep it longer; then it goes on by itself.
        if ended.recv_timeout(PARTING) == Err(std_mpsc::RecvTimeoutError::Disconnected)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Desk {
    conn: Connection,
    path: Arc<Path>,
    /// Which file that was when it was opened.
    file: Option<(u64, u64)>,
    clock: Arc<dyn Clock>,
    feed: Feed,
    meters: LedgerMeters,
    state: Arc<LoopState>,
    log: Log,
    /// Whether commits are synced as the connection stands.
    synced: bool,
    known: Known,
    /// Whether the transaction at work may be in the file.
    committing: bool,
}

/// How a transaction keeps a job that fails from its neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// By trusting that it looks before it writes.
    Trusted,
    /// By a savepoint for each job.
    Saved,
}

/// A job has written something before it failed, and there was no savepoint.
struct Spoilt;

impl Desk {
    fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = queue.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH
                && let Ok(job) = queue.try_recv()
            {
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

    /// Writes a batch, tells the feed, answers the callers.
    fn write(&mut self, batch: &mut Vec<Box<dyn Job>>, queue: &mpsc::Receiver<Box<dyn Job>>) {
        self.committing = false;
        failpoint::hit("ledger-writer");
        let begun = Instant::now();
        for job in &*batch {
            self.meters.waited(begun - job.waiting_since());
        }
        let commit = self.transact(batch);
        self.meters.committed(batch.len(), begun.elapsed(), commit.is_ok());
        if let Err(LedgerError::Unavailable(why) | LedgerError::Unusable(why)) = &commit {
            tracing::error!(jobs = batch.len(), "ledger: nothing was written: {why}");
        }
        failpoint::hit("ledger-written");
        for told in commit.as_ref().map_or(&[][..], Vec::as_slice) {
            match told {
                Told::Events(owner) => self.feed.events(owner),
                Told::Progress(owner, progress) => self.feed.progress(owner, progress.clone()),
            }
        }
        let commit = commit.map(drop);
        // One by one, so that a panic leaves the rest to be answered.
        batch.reverse();
        while let Some(job) = batch.pop() {
            job.answer(commit.clone());
        }
        self.log.tidy(&self.conn, queue.is_empty());
    }

    /// After a panic: answers the jobs that are left, and leaves nothing open for the next batch.
    fn give_up(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        self.roll_back();
        let outcome = if self.committing {
            LedgerError::Unsure("a fault in the ledger after the write, see the log".to_owned())
        } else {
            faulty()
        };
        for job in batch.drain(..) {
            job.answer(Err(outcome.clone()));
        }
        if self.committing {
            // Which owners have news is lost; each watcher reads from its own number on.
            self.feed.watched().iter().for_each(|owner| self.feed.events(owner));
        }
    }

    /// One transaction for the whole batch; what to tell the feed.
    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Told>, LedgerError> {
        let told = match self.attempt(batch, Apart::Trusted) {
            Ok(Err(Spoilt)) => {
                self.roll_back();
                self.attempt(batch, Apart::Saved)
            }
            attempt => attempt,
        };
        match told {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(Spoilt)) => {
                self.roll_back();
                Err(faulty())
            }
            Err(fault) => {
                self.roll_back();
                Err(fault.into_ledger(&self.path))
            }
        }
    }

    fn attempt(&mut self, batch: &mut [Box<dyn Job>], apart: Apart) -> Result<Result<Vec<Told>, Spoilt>, Fault> {
        self.begin(batch)?;
        let Ok(told) = self.carry_out(batch, apart)? else { return Ok(Err(Spoilt)) };
        if self.synced {
            failpoint::hit("before-commit");
        }
        self.committing = true;
        execute(&self.conn, "COMMIT", ())?;
        if self.synced {
            failpoint::hit("after-commit");
        }
        Ok(Ok(told))
    }

    fn roll_back(&mut self) {
        self.known.roll_back();
        if !self.conn.is_autocommit() {
            // Can fail only where there is nothing to roll back any more.
            let _ = execute(&self.conn, "ROLLBACK", ());
        }
    }

    fn begin(&mut self, batch: &[Box<dyn Job>]) -> Result<(), Fault> {
        // SQLite would go on writing a file that was moved away, and nobody would find it again.
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
        self.known.begin();
        Ok(())
    }

    fn carry_out(&mut self, batch: &mut [Box<dyn Job>], apart: Apart) -> Result<Result<Vec<Told>, Spoilt>, Fault> {
        let mut told = Vec::with_capacity(batch.len());
        for job in batch {
            if apart == Apart::Saved {
                execute(&self.conn, "SAVEPOINT job", ())?;
            }
            let before = self.conn.total_changes();
            let mut tx = Tx::new(&self.conn, self.clock.now(), &self.known, self.meters.unreadable());
            match job.run(&mut tx, &self.path, &self.state) {
                Ok(()) => told.append(&mut tx.into_told()),
                // A full disk, for one, makes SQLite give up the whole transaction.
                Err(why) if self.conn.is_autocommit() => return Err(why.into()),
                Err(_) if self.conn.total_changes() == before => {}
                Err(_) if apart == Apart::Trusted => return Ok(Err(Spoilt)),
                Err(_) => {
                    self.known.roll_back();
                    execute(&self.conn, "ROLLBACK TO job", ())?;
                }
            }
            if apart == Apart::Saved {
                execute(&self.conn, "RELEASE job", ())?;
            }
        }
        Ok(Ok(told))
    }
}
