//! The writer as its callers see it: a queue in front of one thread.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::job::{Job, Weight, Write};
use super::ops::Tx;
use super::writer_thread::WriterThread;
use crate::ledger::{Clock, Feed, LedgerError, LedgerMeters};

/// Jobs that wait in the queue before callers wait for room in it.
const QUEUE: usize = 1024;

/// How long a drop waits for the last commit.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The queue in front of the writer thread. Dropping it writes the waiting jobs and ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    /// Never sent to: disconnects when the thread ends.
    ended: Mutex<std_mpsc::Receiver<()>>,
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
        let writer = WriterThread::new(conn, path, clock, feed, meters);
        let thread = Builder::new().name("ledger-writer".to_owned()).spawn(move || {
            writer.serve(jobs);
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
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Box::new(Write::new(weight, work, caller))).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(LedgerError::Indeterminate("its writer dropped the write".to_owned())))
    }
}

fn stopped() -> LedgerError {
    LedgerError::Unavailable("its writer has stopped: start the program again".to_owned())
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Another program's lock may hold the thread up for longer; then it finishes on its own.
        if ended.recv_timeout(CLOSE_TIMEOUT) == Err(std_mpsc::RecvTimeoutError::Disconnected)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}
