//! Reads of events, several users' in one statement while many streams read.
//!
//! Owns the queue of reads. A read is sent at once while few are under way; the others wait until one of those has ended,
//! and then go together. Decodes nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::Row;

use super::pool::{CONNECT, Store, int, ints, text, texts};
use super::rows::{get, number};
use super::stored_text::stored;
use crate::ledger::{LedgerError, Owner, PageLimit};

/// Statements under way from which on reads wait for one another.
const READERS: usize = 4;
/// Reads of one statement.
const MOST_READS: usize = 32;
/// Bytes of each read that goes with others. Its page ends earlier, and says that more follows.
const MOST_BYTES: i64 = 128 << 10;

/// A page of events as `page!` makes it. A function, because the server plans a statement each time and a function's
/// body once per connection: the plan took six times as long as the read.
const EVENTS: &str = "SELECT * FROM @.events($1, $2, $3, $4, $5)";

/// The pages of several owners. The last column is the place of the owner in the arrays.
const EVENTS_OF_MANY: &str = "SELECT e.*, u.place
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
        WITH ORDINALITY AS u (tenant_id, user_id, after, most, bytes, place)
    CROSS JOIN LATERAL @.events(u.tenant_id, u.user_id, u.after, u.most, u.bytes) AS e
    ORDER BY u.place, e.seq";

/// The rows of a page, or why they cannot be read.
type Rows = Result<Vec<Row>, LedgerError>;

fn unavailable<T>(why: String) -> Result<T, LedgerError> {
    Err(LedgerError::Unavailable(why))
}

#[derive(Debug)]
struct Read {
    owner: Owner,
    after: i64,
    most: i64,
    bytes: i64,
}

/// A read and the caller who waits for it.
#[derive(Debug)]
struct Waiting {
    read: Read,
    caller: oneshot::Sender<Rows>,
}

impl Waiting {
    fn answer(self, page: Rows) {
        // An error means that the caller has gone.
        let _ = self.caller.send(page);
    }
}

/// While fewer than [`READERS`] are at work nothing waits.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    readers: usize,
}

impl Queue {
    /// The reads that a reader takes next. A reader that gets none ends.
    fn next(&mut self) -> Vec<Waiting> {
        self.waiting.retain(|one| !one.caller.is_closed());
        let count = self.waiting.len().min(MOST_READS);
        self.readers -= usize::from(count == 0);
        self.waiting.drain(..count).collect()
    }
}

/// The reads of a ledger.
#[derive(Debug, Clone)]
pub(super) struct EventReads {
    store: Store,
    queue: Arc<Mutex<Queue>>,
}

impl EventReads {
    pub(super) fn new(store: Store) -> Self {
        Self { store, queue: Arc::default() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of a page of the owner's events after a number.
    pub(super) async fn rows(&self, owner: &Owner, after: u64, limit: PageLimit) -> Result<Vec<Row>, LedgerError> {
        let read =
            Read { owner: owner.clone(), after: number(after), most: limit.rows.into(), bytes: number(limit.bytes) };
        match self.enter(read) {
            Ok((_reader, read)) => self.alone(&read).await,
            Err(answer) => match timeout(CONNECT, answer).await {
                Ok(answer) => answer.unwrap_or_else(|_| unavailable("the reader of events has stopped".to_owned())),
                Err(_) => unavailable(format!(
                    "the events were not read within {} s: the database is slow; try again",
                    CONNECT.as_secs()
                )),
            },
        }
    }

    /// The right to read now, or the answer of a read that waits.
    fn enter(&self, read: Read) -> Result<(Reader, Read), oneshot::Receiver<Rows>> {
        let mut queue = self.queue();
        if queue.readers < READERS {
            queue.readers += 1;
            return Ok((Reader { reads: self.clone(), is_at_work: true, has_begun: true }, read));
        }
        let (caller, answer) = oneshot::channel();
        queue.waiting.push_back(Waiting { read, caller });
        Err(answer)
    }

    async fn alone(&self, read: &Read) -> Result<Vec<Row>, LedgerError> {
        let (tenant, user) = (stored(&read.owner.tenant_id), stored(&read.owner.user_id));
        let params = [text(&tenant), text(&user), int(&read.after), int(&read.most), int(&read.bytes)];
        Ok(self.store.repeatable(EVENTS, &params).await?)
    }

    async fn together(&self, batch: &[Waiting]) -> Result<Vec<Vec<Row>>, LedgerError> {
        let tenants: Vec<_> = batch.iter().map(|one| stored(&one.read.owner.tenant_id)).collect();
        let users: Vec<_> = batch.iter().map(|one| stored(&one.read.owner.user_id)).collect();
        let afters: Vec<i64> = batch.iter().map(|one| one.read.after).collect();
        let rows: Vec<i64> = batch.iter().map(|one| one.read.most).collect();
        let bytes: Vec<i64> = batch.iter().map(|one| one.read.bytes.min(MOST_BYTES)).collect();
        let params = [texts(&tenants), texts(&users), ints(&afters), ints(&rows), ints(&bytes)];
        let mut pages: Vec<Vec<Row>> = batch.iter().map(|_| Vec::new()).collect();
        for row in self.store.repeatable(EVENTS_OF_MANY, &params).await? {
            let place: i64 = get(&row, row.len() - 1)?;
            // The database counts from 1.
            let page = usize::try_from(place - 1).ok().and_then(|place| pages.get_mut(place));
            page.ok_or_else(|| LedgerError::Unavailable(format!("no read has the place {place}")))?.push(row);
        }
        Ok(pages)
    }

    async fn answer(&self, batch: Vec<Waiting>) {
        if batch.len() > 1
            && let Ok(pages) = self.together(&batch).await
        {
            return batch.into_iter().zip(pages).for_each(|(one, page)| one.answer(Ok(page)));
        }
        // A row that cannot be read costs only its own user's page.
        for one in batch {
            if !one.caller.is_closed() {
                let page = self.alone(&one.read).await;
                one.answer(page);
            }
        }
    }
}

/// A statement under way, and those after it. When it is dropped, also by a caller that goes away, the next may begin.
#[derive(Debug)]
struct Reader {
    reads: EventReads,
    is_at_work: bool,
    /// A runtime that ends drops work that it never began. Then nothing else begins.
    has_begun: bool,
}

impl Reader {
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let batch = self.reads.queue().next();
        self.is_at_work = !batch.is_empty();
        self.is_at_work.then_some(batch)
    }

    async fn run(mut self, first: Vec<Waiting>) {
        self.has_begun = true;
        let mut next = Some(first);
        while let Some(batch) = next {
            self.reads.answer(batch).await;
            next = self.next();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_at_work {
            return;
        }
        // A runtime that ends takes no work, and its callers no longer wait.
        let Some(runtime) = Handle::try_current().ok().filter(|_| self.has_begun) else {
            self.reads.queue().readers -= 1;
            return;
        };
        if let Some(batch) = self.next() {
            self.is_at_work = false;
            let next = Self { reads: self.reads.clone(), is_at_work: true, has_begun: false };
            runtime.spawn(next.run(batch));
        }
    }
}
