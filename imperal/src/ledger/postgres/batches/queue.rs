//! The queue of writes: what goes next, and what stays.
//!
//! Knows no connection and no statement.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::Write;
use crate::ledger::Owner;
use crate::ledger::postgres::fault::Fault;
use crate::ledger::postgres::pool::CONNECT;

/// Transactions under way from which on writes wait for one another. More of them share the server's processors, and
/// each has fewer writes.
pub(super) const LANES: usize = 2;
/// Writes of one transaction.
const MOST_WRITES: usize = 32;
/// Bytes of one transaction; a first write may be larger.
const MOST_BYTES: usize = 4 << 20;
/// After this time without an end or a begin of any transaction those under way are stuck: a waiting write gets another.
pub(super) const PATIENCE: Duration = Duration::from_millis(25);
/// How long an owner's writes go alone after one of them undid a transaction.
const APART: Duration = Duration::from_secs(1);
/// Owners that are remembered as apart before those whose time is over are looked for.
const MANY_APART: usize = 256;
/// A write and the caller who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) owner: Owner,
    pub(super) write: Write,
    pub(super) since: Instant,
    pub(super) caller: oneshot::Sender<Result<Row, Fault>>,
}

impl Waiting {
    pub(super) fn answer(self, outcome: Result<Row, Fault>) {
        // An error means that the caller has gone.
        let _ = self.caller.send(outcome);
    }
}

/// What waits, and what is under way.
///
/// While fewer than [`LANES`] transactions are under way, all that waits is of owners who have a write in one of them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) lanes: usize,
    /// The owners of the writes that are under way.
    pub(super) busy: HashSet<Owner>,
    /// The owners whose writes go alone, and until when.
    apart: HashMap<Owner, Instant>,
    /// When a transaction began or ended last.
    pub(super) moved_at: Option<Instant>,
    /// Whether a task looks after the writes that wait.
    pub(super) is_watched: bool,
}

/// What a look at the queue found.
pub(super) struct Look {
    /// The writes that have waited for too long.
    pub(super) late: Vec<Waiting>,
    /// What another lane begins with; nothing if all that waits is of busy owners.
    pub(super) batch: Option<Vec<Waiting>>,
    /// Whether writes wait.
    pub(super) goes_on: bool,
}

impl Queue {
    /// Takes what goes next. Writes of busy owners stay, in their order.
    pub(super) fn take(&mut self) -> Vec<Waiting> {
        let (mut batch, mut bytes, mut staying) = (Vec::new(), 0, VecDeque::new());
        let now = Instant::now();
        while let Some(next) = self.waiting.pop_front() {
            if next.caller.is_closed() {
                continue;
            }
            if self.busy.contains(&next.owner) {
                staying.push_back(next);
                continue;
            }
            bytes += next.write.bytes();
            let is_apart = self.apart.get(&next.owner).is_some_and(|until| *until > now);
            if !batch.is_empty() && (is_apart || bytes > MOST_BYTES || batch.len() == MOST_WRITES) {
                self.waiting.push_front(next);
                break;
            }
            batch.push(next);
            if is_apart {
                break;
            }
        }
        staying.append(&mut self.waiting);
        self.waiting = staying;
        self.busy.extend(batch.iter().map(|one| one.owner.clone()));
        self.moved_at = Some(now);
        batch
    }

    /// Looks after what waits. Another lane, of at most this number, is counted and gets its batch if nothing moves.
    pub(super) fn look(&mut self, most_lanes: usize) -> Look {
        let late = self.take_late();
        self.is_watched = !self.waiting.is_empty();
        let is_stuck = self.moved_at.is_none_or(|moved_at| moved_at.elapsed() >= PATIENCE);
        let begins = self.is_watched && is_stuck && self.lanes < most_lanes;
        self.lanes += usize::from(begins);
        Look { late, batch: begins.then(|| self.take()), goes_on: self.is_watched }
    }

    /// Takes the writes that have waited for too long. The oldest is the first.
    fn take_late(&mut self) -> Vec<Waiting> {
        let late = self.waiting.iter().take_while(|next| next.since.elapsed() >= CONNECT).count();
        self.waiting.drain(..late).collect()
    }

    pub(super) fn release(&mut self, owners: &[Owner]) {
        for owner in owners {
            self.busy.remove(owner);
        }
    }

    pub(super) fn end_lane(&mut self) {
        self.lanes -= 1;
        self.moved_at = Some(Instant::now());
    }

    /// Sends the owner's writes alone for a while.
    pub(super) fn keep_apart(&mut self, owner: &Owner) {
        let now = Instant::now();
        if self.apart.len() >= MANY_APART {
            self.apart.retain(|_, until| *until > now);
        }
        self.apart.insert(owner.clone(), now + APART);
    }
}
