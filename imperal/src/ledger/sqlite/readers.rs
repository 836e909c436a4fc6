//! The threads that read, each with its own connection.
//!
//! A read starts after it was requested, so it sees everything that was committed by then. Reads start in the order of
//! their requests. If the caller gives up, a waiting read never starts and a running one stops at its next row.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::fault::Fault;
use super::schema::open_reader;
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{LedgerError, LedgerMeters};
use crate::loops::{LoopState, Need};

/// Reads that run at the same time.
const READERS: usize = 3;

/// A running read.
pub(super) struct Reading<'a> {
    pub(super) conn: &'a Connection,
    pub(super) unreadable: &'a Unreadable,
    abandoned: &'a dyn Fn() -> bool,
}

impl Reading<'_> {
    /// Ends the read if its caller has gone.
    pub(super) fn go_on(&self) -> Result<(), Fault> {
        if (self.abandoned)() {
            return Err(LedgerError::Unavailable("the caller of this read has gone".to_owned()).into());
        }
        Ok(())
    }
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The queue in front of the reader threads. Dropping it ends the threads.
#[derive(Debug)]
pub(super) struct Readers {
    path: Arc<Path>,
    unreadable: Unreadable,
    /// One permit for each thread. Callers wait here, where one that gives up leaves the queue.
    free: Arc<Semaphore>,
    queue: Option<mpsc::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: Arc<Path>, busy: Duration, meters: &LedgerMeters) -> Result<Self, LedgerError> {
        let state = meters.loops().register("ledger-readers", Need::Helpful);
        let (queue, reads) = mpsc::channel();
        let reads = Arc::new(Mutex::new(reads));
        let free = Arc::new(Semaphore::new(READERS));
        let unreadable = meters.unreadable().clone();
        let mut readers = Self { path, unreadable, free, queue: Some(queue), threads: Vec::with_capacity(READERS) };
        for _ in 0..READERS {
            let conn = open_reader(&readers.path, busy).map_err(|fault| fault.into_ledger(&readers.path))?;
            let (reads, state) = (reads.clone(), state.clone());
            let thread = Builder::new()
                .name("ledger-reader".to_owned())
                .spawn(move || serve(&conn, &reads, &state))
                .map_err(|error| LedgerError::Unavailable(format!("cannot start the ledger's readers: {error}")))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reading<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let stopped = || LedgerError::Unavailable("a read failed, see the log".to_owned());
        let permit = self.free.clone().acquire_owned().await.map_err(|_| stopped())?;
        let (caller, answer) = oneshot::channel();
        let unreadable = self.unreadable.clone();
        let read: Read = Box::new(move |conn| {
            let reading = Reading { conn, unreadable: &unreadable, abandoned: &|| caller.is_closed() };
            let outcome = reading.go_on().and_then(|()| work(&reading));
            drop(permit);
            // An error means that the caller has gone.
            let _ = caller.send(outcome);
        });
        self.queue.as_ref().ok_or_else(stopped)?.send(read).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?.map_err(|fault| fault.into_ledger(&self.path))
    }
}

fn serve(conn: &Connection, reads: &Mutex<mpsc::Receiver<Read>>, state: &LoopState) {
    loop {
        // The lock is held while a read is taken from the queue, not while it runs.
        let next = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        // A panic in one read must not end the thread.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| read(conn))) {
            state.panicked(payload);
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
