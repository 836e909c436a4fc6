//! The queue of writes: what goes together, what goes alone, and what stays.
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

/// Transactions at once, of those that may go together. More of them share the server's processors, and each has fewer
/// writes.
const AT_ONCE: usize = 2;
/// A transaction that takes longer no longer counts as one of them.
const SLOW_AFTER: Duration = Duration::from_millis(50);
/// How often the writes that wait are looked at.
pub(super) const TICK: Duration = Duration::from_millis(25);
/// How long a write may wait for a row that another transaction holds, beside other writes: see `together`.
pub(super) const LOCK_LIMIT: Duration = Duration::from_millis(50);
/// Writes of one transaction.
const MOST_WRITES: usize = 32;
/// Bytes of one transaction; a first write may be larger.
const MOST_BYTES: usize = 4 << 20;
/// How long a user's writes go alone after one of them was refused or waited.
const APART: Duration = Duration::from_secs(1);
/// From this number of users on those who are no longer apart are forgotten.
const MANY_APART: usize = 256;

/// A write and the caller who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) owner: Owner,
    pub(super) write: Write,
    pub(super) since: Instant,
    caller: oneshot::Sender<Result<Row, Fault>>,
    /// Whether its transaction with others was undone.
    goes_alone: bool,
}

impl Waiting {
    pub(super) fn new(owner: Owner, write: Write, caller: oneshot::Sender<Result<Row, Fault>>) -> Self {
        Self { owner, write, since: Instant::now(), caller, goes_alone: false }
    }

    pub(super) fn answer(self, outcome: Result<Row, Fault>) {
        // An error means that the caller has gone.
        let _ = self.caller.send(outcome);
    }
}

/// A transaction that begins.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) number: u64,
    pub(super) writes: Vec<Waiting>,
}

/// What waits, and what is under way.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// The transactions of writes that go together, and of those that are sent at once: when each began.
    shared: HashMap<u64, Instant>,
    /// The transactions of writes that go alone.
    alone: HashSet<u64>,
    /// The owners of the writes that are under way.
    busy: HashSet<Owner>,
    /// The owners whose writes go alone, and until when.
    apart: HashMap<Owner, Instant>,
    /// Writes of one transaction now.
    most_writes: usize,
    /// Transactions of each kind.
    most: usize,
    /// Whether a task looks after the writes that wait.
    is_watched: bool,
    /// The number of the latest transaction.
    number: u64,
}

impl Queue {
    /// For this number of connections. Those that wait for other transactions take half of them at most.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            shared: HashMap::new(),
            alone: HashSet::new(),
            busy: HashSet::new(),
            apart: HashMap::new(),
            most_writes: MOST_WRITES,
            most: (connections / 2).max(1),
            is_watched: false,
            number: 0,
        }
    }

    /// Whether another transaction may begin now.
    fn has_room(&self) -> bool {
        let at_work = self.shared.values().filter(|begun| begun.elapsed() < SLOW_AFTER).count();
        at_work < AT_ONCE && self.shared.len() < self.most
    }

    fn is_apart(&self, owner: &Owner) -> bool {
        !self.apart.is_empty() && self.apart.get(owner).is_some_and(|until| *until > Instant::now())
    }

    fn begin(&mut self, is_shared: bool) -> u64 {
        self.number += 1;
        if is_shared {
            self.shared.insert(self.number, Instant::now());
        } else {
            self.alone.insert(self.number);
        }
        self.number
    }

    /// Begins a transaction of a write that has just come, if nothing is in its way. Returns its number.
    pub(super) fn begin_at_once(&mut self, owner: &Owner) -> Option<u64> {
        if self.busy.contains(owner) || self.is_apart(owner) || !self.has_room() {
            return None;
        }
        self.busy.insert(owner.clone());
        Some(self.begin(true))
    }

    /// Adds a write. Returns whether a task looks after those that wait.
    pub(super) fn push(&mut self, waiting: Waiting) -> bool {
        self.waiting.push_back(waiting);
        std::mem::replace(&mut self.is_watched, true)
    }

    /// Takes what goes next: a write that goes alone, or as many as may go together. Writes of busy owners stay, in their
    /// order. `None` if nothing may begin.
    pub(super) fn take(&mut self) -> Option<Sending> {
        let has_room = self.has_room();
        let (mut batch, mut bytes, mut staying) = (Vec::new(), 0, Vec::new());
        let mut alone = None;
        // An owner whose earlier write stays.
        let mut behind = HashSet::new();
        while let Some(next) = self.waiting.pop_front() {
            if next.caller.is_closed() {
                continue;
            }
            let is_behind = self.busy.contains(&next.owner) || behind.contains(&next.owner);
            let goes_alone = next.goes_alone || self.is_apart(&next.owner);
            if !is_behind && goes_alone && self.alone.len() < self.most && batch.is_empty() {
                alone = Some(next);
                break;
            }
            if is_behind || goes_alone || !has_room {
                behind.insert(next.owner.clone());
                staying.push(next);
                // Behind it nothing may begin.
                if !has_room && self.alone.len() >= self.most {
                    break;
                }
                continue;
            }
            bytes += next.write.bytes();
            if !batch.is_empty() && (bytes > MOST_BYTES || batch.len() >= self.most_writes) {
                self.waiting.push_front(next);
                break;
            }
            batch.push(next);
        }
        for stays in staying.into_iter().rev() {
            self.waiting.push_front(stays);
        }
        let is_shared = alone.is_none();
        batch.extend(alone);
        if batch.is_empty() {
            return None;
        }
        self.busy.extend(batch.iter().map(|one| one.owner.clone()));
        Some(Sending { number: self.begin(is_shared), writes: batch })
    }

    /// Ends a transaction.
    pub(super) fn end(&mut self, number: u64, owners: &[Owner]) {
        self.shared.remove(&number);
        self.alone.remove(&number);
        for owner in owners {
            self.busy.remove(owner);
        }
    }

    /// Puts the writes of an undone transaction back, in front of the others, to be sent alone. The one at this place was
    /// the reason.
    pub(super) fn put_back(&mut self, batch: Vec<Waiting>, place: Option<usize>) {
        if let Some(waiting) = place.and_then(|place| batch.get(place)) {
            let owner = waiting.owner.clone();
            self.keep_apart(&owner);
        }
        for waiting in batch.into_iter().rev() {
            self.waiting.push_front(Waiting { goes_alone: true, ..waiting });
        }
    }

    /// Sends the owner's writes alone for a while.
    pub(super) fn keep_apart(&mut self, owner: &Owner) {
        let now = Instant::now();
        if self.apart.len() >= MANY_APART {
            self.apart.retain(|_, until| *until > now);
        }
        self.apart.insert(owner.clone(), now + APART);
    }

    /// After a transaction whose outcome is unknown the next ones are smaller: the server may be too slow for its limit.
    pub(super) fn went_badly(&mut self) {
        self.most_writes = (self.most_writes / 4).max(1);
    }

    pub(super) fn went_well(&mut self) {
        self.most_writes = (self.most_writes + 1).min(MOST_WRITES);
    }

    /// Takes the writes that have waited for too long, and forgets those without a caller.
    pub(super) fn take_late(&mut self) -> Vec<Waiting> {
        let (mut late, mut rest) = (Vec::new(), VecDeque::with_capacity(self.waiting.len()));
        for waiting in self.waiting.drain(..) {
            if waiting.since.elapsed() >= CONNECT {
                late.push(waiting);
            } else if !waiting.caller.is_closed() {
                rest.push_back(waiting);
            }
        }
        self.waiting = rest;
        late
    }

    /// Whether writes wait. Otherwise nobody looks after them from now on.
    pub(super) fn stays_watched(&mut self) -> bool {
        self.is_watched = !self.waiting.is_empty();
        self.is_watched
    }
}
