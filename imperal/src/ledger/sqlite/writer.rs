//! The writer as its callers see it: a queue in front of one thread.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::fault::Fault;
use super::job::{Job, Weight, Write};
use super::ops::Tx;
use super::writer_thread::WriterThread;
use crate::ledger::{Clock, Feed, LedgerError, LedgerMeters};

/// Jobs that wait in the queue before callers wait for room in it.
const QUEUE: usize = 1024;

/// Bytes of the jobs in the queue and in the batch before callers wait: large texts must not fill the memory while the
/// disk is slow.
pub(super) const QUEUE_BYTES: usize = 64 << 20;

/// How long a drop waits for the last commit.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The queue in front of the writer thread. Dropping it writes the waiting jobs and ends the thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    /// A permit for each byte of the jobs that wait. Callers get them in the order in which they come.
    room: Arc<Semaphore>,
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
            Ok(thread) => Ok(Self {
                queue: Some(queue),
                room: Arc::new(Semaphore::new(QUEUE_BYTES)),
                thread: Some(thread),
                ended: Mutex::new(ended),
            }),
            Err(error) => Err(LedgerError::Unavailable(format!("cannot start the ledger's writer: {error}"))),
        }
    }

    /// Runs `work`, which writes little, in the next transaction and returns when that is committed.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.write_sized(weight, 0, work).await
    }

    /// The same for work that writes about this many bytes of content.
    pub(super) async fn write_sized<T: Send + 'static>(
        &self,
        weight: Weight,
        bytes: usize,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (caller, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        // Room for a larger job would never be free.
        let room = match u32::try_from(bytes.min(QUEUE_BYTES)) {
            Ok(0) | Err(_) => None,
            Ok(bytes) => Some(self.room.clone().acquire_many_owned(bytes).await.map_err(|_| stopped())?),
        };
        queue.send(Box::new(Write::new(weight, (bytes, room), work, caller))).await.map_err(|_| stopped())?;
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
