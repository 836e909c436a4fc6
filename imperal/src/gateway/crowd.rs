//! Reads a user's new events once for all of the user's streams on this node.
//!
//! A commit wakes all streams of its user at once. The first of them reads and renders the next events, and those at the
//! same number wait for the same bytes. A stream at another number, or one that has heard of a later commit, reads for
//! itself, and may be joined in turn. If the stream that reads ends, one of those that wait reads. Nothing is kept longer
//! than a stream waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::OnceCell;

use crate::ids::DraftId;
use crate::ledger::{Event, EventBody, Owner, Page, PageLimit};
use crate::platform::{Access, EventsSince};

/// Read at once and held until it is sent.
const BATCH: PageLimit = PageLimit::rows(200).bytes(256 << 10);

/// Reads of one user that streams can join. With more of them, the oldest cannot be joined any more.
const MOST_READS: usize = 8;

/// The result of a read of events.
#[derive(Debug, Clone)]
pub(super) enum NextEvents {
    /// The next events, as they are sent.
    Batch(Arc<Batch>),
    /// The events up to this number are no longer kept.
    Pruned(u64),
    /// They could not be read or rendered, which was logged.
    Failed,
}

/// Events in order, as they are sent.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The frames of all events.
    pub(super) frames: Bytes,
    /// Number of the last event; `None` if there is none.
    pub(super) last: Option<u64>,
    /// How many of them are turns.
    pub(super) turns: u64,
    /// How many of them are changes of a task.
    pub(super) tasks: u64,
    /// The drafts whose place the turns take.
    pub(super) ended_drafts: Vec<DraftId>,
    /// Whether the ledger has more events after them.
    pub(super) more: bool,
}

impl Batch {
    fn render(events: Page<Event>) -> serde_json::Result<Self> {
        let (mut frames, mut batch) = (BytesMut::new(), Self { more: events.more, ..Self::default() });
        for event in events {
            batch.last = Some(event.seq);
            match event.body {
                EventBody::Turn(turn) => {
                    batch.turns += 1;
                    put_frame(&mut frames, "turn", Some(event.seq), &serde_json::to_vec(&turn)?);
                    batch.ended_drafts.extend(turn.body.drafts);
                }
                EventBody::Task(task) => {
                    batch.tasks += 1;
                    put_frame(&mut frames, "task", Some(event.seq), &serde_json::to_vec(&task)?);
                }
            }
        }
        batch.frames = frames.freeze();
        Ok(batch)
    }
}

/// One event as a stream sends it. `data` is JSON in one line.
pub(super) fn frame(event: &str, id: Option<u64>, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + event.len() + 48);
    put_frame(&mut frame, event, id, data);
    frame.freeze()
}

fn put_frame(out: &mut BytesMut, event: &str, id: Option<u64>, data: &[u8]) {
    out.reserve(data.len() + event.len() + 48);
    out.put_slice(b"event: ");
    out.put_slice(event.as_bytes());
    if let Some(id) = id {
        out.put_slice(format!("\nid: {id}").as_bytes());
    }
    out.put_slice(b"\ndata: ");
    out.put_slice(data);
    out.put_slice(b"\n\n");
}

/// The streams of all users on this node.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowds(Arc<Mutex<HashMap<Owner, Arc<Reads<NextEvents>>>>>);

impl Crowds {
    fn of_users(&self) -> MutexGuard<'_, HashMap<Owner, Arc<Reads<NextEvents>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stream of this user until the returned value is dropped.
    pub(super) fn join(&self, access: Access) -> CrowdMember {
        let reads = self.of_users().entry(access.owner().clone()).or_default().clone();
        CrowdMember { crowds: self.clone(), access, reads }
    }
}

/// One stream among those of its user.
#[derive(Debug)]
pub(super) struct CrowdMember {
    crowds: Crowds,
    access: Access,
    reads: Arc<Reads<NextEvents>>,
}

impl CrowdMember {
    /// The user's access.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// The events after a number, as of the commit with the number `heard` or a later one. Also returns the number of
    /// the commit as of which they were read. Cancel safe.
    pub(super) async fn next_events(&self, after: u64, heard: u64) -> (NextEvents, u64) {
        // The map has one reference, this stream another one.
        if Arc::strong_count(&self.reads) <= 2 {
            let as_of = self.access.published_events();
            return (read(&self.access, after).await, as_of);
        }
        let (events, as_of) = self.reads.join(after, heard, || self.access.published_events());
        (events.get_or_init(|| read(&self.access, after)).await.clone(), as_of)
    }
}

impl Drop for CrowdMember {
    fn drop(&mut self) {
        let mut of_users = self.crowds.of_users();
        // Under the lock, so that of two streams that end at once the second one is the last.
        drop(std::mem::take(&mut self.reads));
        if of_users.get(self.access.owner()).is_some_and(|reads| Arc::strong_count(reads) == 1) {
            of_users.remove(self.access.owner());
        }
    }
}

async fn read(access: &Access, after: u64) -> NextEvents {
    match access.events_since(after, BATCH).await {
        Ok(EventsSince::Pruned(floor)) => NextEvents::Pruned(floor),
        Ok(EventsSince::Events(events)) => match Batch::render(events) {
            Ok(batch) => NextEvents::Batch(Arc::new(batch)),
            Err(error) => {
                tracing::error!(%error, after, "an event could not be written as JSON");
                NextEvents::Failed
            }
        },
        Err(error) => {
            tracing::warn!(%error, "streams end because their events could not be read");
            NextEvents::Failed
        }
    }
}

/// The reads of one user that are under way.
#[derive(Debug)]
struct Reads<T>(Mutex<Vec<Read<T>>>);

#[derive(Debug)]
struct Read<T> {
    after: u64,
    /// The number of signals when it was made, see [`Feed::published`](crate::ledger::Feed::published).
    as_of: u64,
    events: Weak<OnceCell<T>>,
}

impl<T> Default for Reads<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Reads<T> {
    /// A read after this number, as of the signal `heard` or a later one, with the number of its own signal. `start`
    /// returns the number of a new one, unless there is one to join.
    fn join(&self, after: u64, heard: u64, start: impl FnOnce() -> u64) -> (Arc<OnceCell<T>>, u64) {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Ended reads are dropped outside of the lock.
        let mut ended = Vec::new();
        let mut found = None;
        reads.retain(|read| match read.events.upgrade() {
            None => false,
            Some(events) if found.is_none() && read.after == after && read.as_of >= heard => {
                found = Some((events, read.as_of));
                true
            }
            Some(events) => {
                ended.push(events);
                true
            }
        });
        let joined = found.unwrap_or_else(|| {
            let (events, as_of) = (Arc::new(OnceCell::new()), start());
            if reads.len() == MOST_READS {
                reads.remove(0);
            }
            reads.push(Read { after, as_of, events: Arc::downgrade(&events) });
            (events, as_of)
        });
        drop(reads);
        drop(ended);
        joined
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::{FutureExt, future};

    use super::*;

    /// Counts the reads that it starts. Each returns its own number when `gate` opens.
    struct Ledger {
        reads: Reads<u64>,
        started: Cell<u64>,
        published: Cell<u64>,
        gate: tokio::sync::watch::Sender<bool>,
    }

    impl Ledger {
        fn new() -> Self {
            let (reads, gate) = (Reads::default(), tokio::sync::watch::Sender::new(false));
            Self { reads, started: Cell::new(0), published: Cell::new(0), gate }
        }

        fn join(&self, after: u64, heard: u64) -> (impl Future<Output = u64> + Unpin, u64) {
            let (events, as_of) = self.reads.join(after, heard, || self.published.get());
            let read = async move {
                let read = || async {
                    self.started.set(self.started.get() + 1);
                    let (number, mut gate) = (self.started.get(), self.gate.subscribe());
                    gate.wait_for(|open| *open).await.unwrap();
                    number
                };
                *events.get_or_init(read).await
            };
            (Box::pin(read), as_of)
        }
    }

    #[tokio::test]
    async fn streams_at_the_same_number_share_one_read() {
        let ledger = Ledger::new();
        ledger.published.set(3);
        let (joined, as_of): (Vec<_>, Vec<_>) = (0..1000).map(|_| ledger.join(10, 3)).unzip();
        ledger.gate.send_replace(true);
        assert_eq!(future::join_all(joined).await, vec![1; 1000]);
        assert_eq!((ledger.started.get(), as_of), (1, vec![3; 1000]));
    }

    #[tokio::test]
    async fn a_stream_that_heard_of_a_later_commit_joins_no_earlier_read() {
        let ledger = Ledger::new();
        ledger.published.set(3);
        let first = ledger.join(10, 3);
        ledger.published.set(4);
        let later = ledger.join(10, 4);
        let same = ledger.join(10, 4);
        let earlier = ledger.join(10, 2);
        assert_eq!((first.1, later.1, same.1, earlier.1), (3, 4, 4, 3));
        ledger.gate.send_replace(true);
        assert_eq!((first.0.await, later.0.await, same.0.await, earlier.0.await), (1, 2, 2, 1));
    }

    #[tokio::test]
    async fn a_stream_at_another_number_reads_for_itself() {
        let ledger = Ledger::new();
        let reads: Vec<_> = (0..20).map(|after| ledger.join(after, 0).0).collect();
        assert!(ledger.reads.0.lock().unwrap().len() <= MOST_READS);
        ledger.gate.send_replace(true);
        future::join_all(reads).await;
        assert_eq!(ledger.started.get(), 20);
        let _last = ledger.join(30, 0);
        assert_eq!(ledger.reads.0.lock().unwrap().len(), 1, "nothing is kept of reads that no stream waits for");
    }

    /// Wherever the stream that reads ends, the others get their events.
    #[tokio::test]
    async fn another_stream_reads_when_the_one_that_reads_ends() {
        let ledger = Ledger::new();
        let mut first = ledger.join(10, 0).0;
        let mut second = ledger.join(10, 0).0;
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(ledger.started.get(), 1);
        drop(first);
        ledger.gate.send_replace(true);
        assert_eq!((second.await, ledger.started.get()), (2, 2));
    }

    #[test]
    fn a_frame_has_its_name_number_and_data() {
        assert_eq!(frame("turn", Some(5), b"{}"), "event: turn\nid: 5\ndata: {}\n\n");
        assert_eq!(frame("hello", None, b"1"), "event: hello\ndata: 1\n\n");
    }
}
