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
/// How long a write that goes with others may wait for a row that another transaction holds: see `together`.
const LOCK_LIMIT: Duration = Duration::from_millis(50);
/// Writes of one transaction.
const MOST_WRITES: usize = 32;
/// Bytes of one transaction; a first write may be larger.
const MOST_BYTES: usize = 4 << 20;
/// How long a user's writes go alone after one of them was refused or waited.
const APART: Duration = Duration::from_secs(1);
/// From this number of users on, the queue forgets users whose time apart is over.
const MANY_APART: usize = 256;
/// Writes that are looked at for a transaction, and those for a write that goes alone.
const MOST_LOOKED_AT: usize = 4096;
const MOST_LOOKED_AT_ALONE: usize = 256;

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

/// The writes that wait, and the transactions under way.
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
    /// From this number of them on, the queue forgets owners whose time apart is over.
    many_apart: usize,
    /// Writes of one transaction now.
    most_writes: usize,
    /// Transactions of both kinds, and those of writes that go alone.
    most: usize,
    most_alone: usize,
    /// Whether a task looks after the writes that wait.
    is_watched: bool,
    /// The number of the latest transaction.
    number: u64,
}

impl Queue {
    /// For this number of connections. All transactions take three quarters of them at most, so that some are left for
    /// reads, and writes that go alone a quarter.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            shared: HashMap::new(),
            alone: HashSet::new(),
            busy: HashSet::new(),
            apart: HashMap::new(),
            many_apart: MANY_APART,
            most_writes: MOST_WRITES,
            most: (connections * 3 / 4).max(1),
            most_alone: (connections / 4).max(1),
            is_watched: false,
            number: 0,
        }
    }

    /// Whether another transaction may begin now.
    fn has_room(&self) -> bool {
        let at_work = self.shared.values().filter(|begun| begun.elapsed() < SLOW_AFTER).count();
        at_work < AT_ONCE && self.shared.len() + self.alone.len() < self.most
    }

    /// Whether another transaction of a write that goes alone may begin now.
    fn has_room_alone(&self) -> bool {
        self.alone.len() < self.most_alone && self.shared.len() + self.alone.len() < self.most
    }

    /// Whether the owner's writes go alone now.
    pub(super) fn is_apart(&self, owner: &Owner) -> bool {
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
        let (has_room, has_room_alone) = (self.has_room(), self.has_room_alone());
        let mut left = match (has_room, has_room_alone) {
            (true, _) => MOST_LOOKED_AT,
            (false, true) => MOST_LOOKED_AT_ALONE,
            (false, false) => return None,
        };
        let (mut batch, mut bytes, mut staying) = (Vec::new(), 0, Vec::new());
        let mut alone = None;
        // The owners of writes that stay.
        let mut behind = HashSet::new();
        while left > 0
            && let Some(next) = self.waiting.pop_front()
        {
            left -= 1;
            if next.caller.is_closed() {
                continue;
            }
            let is_behind = self.busy.contains(&next.owner) || behind.contains(&next.owner);
            // One that was undone because of another goes with others again while those that go alone take too long.
            let goes_alone = self.is_apart(&next.owner) || next.goes_alone && has_room_alone;
            if !is_behind && goes_alone && has_room_alone && batch.is_empty() {
                alone = Some(next);
                break;
            }
            if is_behind || goes_alone || !has_room {
                behind.insert(next.owner.clone());
                staying.push(next);
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
    /// the reason. Returns whether a task looks after those that wait.
    pub(super) fn put_back(&mut self, batch: Vec<Waiting>, place: Option<usize>) -> bool {
        if let Some(waiting) = place.and_then(|place| batch.get(place)) {
            let owner = waiting.owner.clone();
            self.keep_apart(&owner);
        }
        for waiting in batch.into_iter().rev() {
            self.waiting.push_front(Waiting { goes_alone: true, ..waiting });
        }
        std::mem::replace(&mut self.is_watched, true)
    }

    /// Sends the owner's writes alone for a while.
    pub(super) fn keep_apart(&mut self, owner: &Owner) {
        let now = Instant::now();
        if self.apart.len() >= self.many_apart {
            self.apart.retain(|_, until| *until > now);
            self.many_apart = MANY_APART.max(2 * self.apart.len());
        }
        self.apart.insert(owner.clone(), now + APART);
    }

    /// After a write that went alone: its owner stays apart while the server refuses, or while the reason lasts for which
    /// the owner is apart.
    pub(super) fn went_alone(&mut self, owner: &Owner, was_refused: bool, took: Duration) {
        if was_refused || took > LOCK_LIMIT && self.apart.contains_key(owner) {
            self.keep_apart(owner);
        }
    }

    /// After a transaction that took longer than its limit the next ones are smaller.
    pub(super) fn was_too_slow(&mut self) {
        self.most_writes = (self.most_writes / 4).max(1);
    }

    pub(super) fn went_well(&mut self) {
        self.most_writes = (self.most_writes + 1).min(MOST_WRITES);
    }

    /// Takes the writes that have waited for too long, and forgets those without a caller.
    pub(super) fn take_late(&mut self) -> Vec<Waiting> {
        let now = Instant::now();
        let is_late = |waiting: &Waiting| now.duration_since(waiting.since) >= CONNECT;
        self.waiting.retain(|waiting| !waiting.caller.is_closed());
        if !self.waiting.iter().any(is_late) {
            return Vec::new();
        }
        let (late, rest): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(is_late);
        self.waiting = rest.into();
        late
    }

    /// Whether writes wait. If none does, the task that looks after them ends.
    pub(super) fn stays_watched(&mut self) -> bool {
        self.is_watched = !self.waiting.is_empty();
        self.is_watched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Incarnation;

    fn owner(number: usize) -> Owner {
        Owner::new("tenant", &format!("user {number}"))
    }

    /// A queue of 16 connections with a write of each of these users, and their callers.
    fn queue(users: usize) -> (Queue, Vec<oneshot::Receiver<Result<Row, Fault>>>) {
        let (mut queue, mut callers) = (Queue::new(16), Vec::new());
        for number in 0..users {
            let (caller, answer) = oneshot::channel();
            queue.push(Waiting::new(owner(number), Write::of(&Incarnation::new("a", 1), "SELECT"), caller));
            callers.push(answer);
        }
        (queue, callers)
    }

    fn counts(queue: &mut Queue) -> Vec<usize> {
        std::iter::from_fn(|| queue.take()).map(|sending| sending.writes.len()).collect()
    }

    #[test]
    fn two_transactions_take_what_waits() {
        let (mut queue, _callers) = queue(100);
        assert_eq!(counts(&mut queue), [32, 32]);
        queue.end(1, &(0..32).map(owner).collect::<Vec<_>>());
        assert_eq!(counts(&mut queue), [32]);
    }

    #[test]
    fn undone_writes_go_alone_and_are_watched() {
        let (mut queue, _callers) = queue(10);
        let undone = queue.take().unwrap();
        assert!(!queue.stays_watched());
        assert!(!queue.put_back(undone.writes, Some(3)), "nobody looks after them");
        assert!(queue.stays_watched());
        queue.end(undone.number, &(0..10).map(owner).collect::<Vec<_>>());
        // A quarter of the connections. User 3, whose write was the reason, is among them.
        assert_eq!(counts(&mut queue), [1, 1, 1, 1, 6], "the others go together meanwhile");
        assert!(queue.is_apart(&owner(3)) && !queue.is_apart(&owner(2)));
    }

    #[test]
    fn users_who_are_apart_leave_room_for_the_others() {
        let (mut queue, _callers) = queue(20);
        (0..10).for_each(|number| queue.keep_apart(&owner(number)));
        assert_eq!(counts(&mut queue), [1, 1, 1, 1, 10]);
    }

    #[test]
    fn transactions_are_small_after_one_that_was_too_slow_and_grow_again() {
        let (mut first, _callers) = queue(100);
        (0..5).for_each(|_| first.was_too_slow());
        assert_eq!(counts(&mut first), [1, 1]);
        let (mut then, _callers) = queue(100);
        then.most_writes = first.most_writes;
        (0..40).for_each(|_| then.went_well());
        assert_eq!(counts(&mut then), [32, 32]);
    }

    #[test]
    fn slow_transactions_leave_connections_for_reads() {
        let (mut queue, _callers) = queue(0);
        let begun = Instant::now().checked_sub(2 * SLOW_AFTER).unwrap();
        for number in 0..16 {
            if queue.begin_at_once(&owner(number)).is_some() {
                queue.shared.values_mut().for_each(|at| *at = begun);
            }
        }
        assert_eq!(queue.shared.len(), 12);
    }

    #[test]
    fn many_users_apart_are_forgotten_after_a_while() {
        let (mut queue, _callers) = queue(0);
        (0..1000).for_each(|number| queue.keep_apart(&owner(number)));
        let over = Instant::now().checked_sub(APART).unwrap();
        queue.apart.values_mut().for_each(|until| *until = over);
        (1000..3000).for_each(|number| queue.keep_apart(&owner(number)));
        assert!(queue.apart.len() <= 2000, "{}", queue.apart.len());
    }

    #[test]
    fn late_writes_and_those_without_a_caller_leave() {
        let (mut queue, mut callers) = queue(4);
        callers.remove(1);
        queue.waiting[2].since = Instant::now().checked_sub(CONNECT).unwrap();
        let late: Vec<_> = queue.take_late().into_iter().map(|waiting| waiting.owner).collect();
        assert_eq!(late, [owner(2)]);
        assert_eq!(counts(&mut queue), [2]);
    }
}
