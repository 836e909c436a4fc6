//! So many connections at once, and which one goes when there is one more.
//!
//! A connection that waits for a request, or has sent half of one, gives way to a new one: the one that has
//! waited longest. Where all are being served, a few more are taken to be told so, and for the operator's probes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections beyond the limit that are told so.
const SPARE: usize = 16;

/// The places of a node.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    open: Mutex<Open>,
    /// A connection has ended.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    /// Connections, without those that were told to end.
    count: usize,
    /// The last number given to a waiting connection.
    next: u64,
    /// Those without a request, by how long they wait.
    waiting: BTreeMap<u64, Arc<Told>>,
    /// Connections are held back; said once.
    full: bool,
}

/// What the node tells a connection.
#[derive(Debug, Default)]
struct Told {
    close: Notify,
    /// It does not count any more.
    closed: AtomicBool,
}

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), open: Mutex::default(), freed: Notify::new() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection, as soon as there is one.
    pub(super) async fn admit(self: &Arc<Self>) -> Seat {
        loop {
            let freed = self.freed.notified();
            if let Some(seat) = self.try_admit() {
                return seat;
            }
            freed.await;
        }
    }

    fn try_admit(self: &Arc<Self>) -> Option<Seat> {
        let mut open = self.open();
        let made_room = open.count >= self.limit && open.close_one_that_waits();
        let spare = open.count >= self.limit;
        if open.count >= self.limit + SPARE {
            if !std::mem::replace(&mut open.full, true) {
                tracing::error!(
                    connections = self.limit,
                    "all connections are being served; new ones wait. See --connections"
                );
            }
            return None;
        }
        if !spare && std::mem::take(&mut open.full) {
            tracing::warn!("connections are accepted again");
        }
        open.count += 1;
        drop(open);
        let told = Arc::new(Told::default());
        Some(Seat { places: self.clone(), told, ticket: AtomicU64::new(0), spare: AtomicBool::new(spare), made_room })
    }

    /// Ends the connection that has waited longest, if one waits.
    pub(super) fn close_one_that_waits(&self) -> bool {
        self.open().close_one_that_waits()
    }
}

impl Open {
    fn close_one_that_waits(&mut self) -> bool {
        let Some((_, told)) = self.waiting.pop_first() else { return false };
        told.closed.store(true, Ordering::Relaxed);
        told.close.notify_one();
        self.count -= 1;
        true
    }
}

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    places: Arc<Places>,
    told: Arc<Told>,
    /// Its number among the waiting ones; 0 for none.
    ticket: AtomicU64,
    spare: AtomicBool,
    made_room: bool,
}

impl Seat {
    /// Whether another connection was closed for this one.
    pub(super) fn made_room(&self) -> bool {
        self.made_room
    }

    /// Whether it is beyond the limit, still.
    pub(super) fn is_spare(&self) -> bool {
        if self.spare.load(Ordering::Relaxed) && self.places.open().count <= self.places.limit {
            self.spare.store(false, Ordering::Relaxed);
        }
        self.spare.load(Ordering::Relaxed)
    }

    /// From now on it may be closed for another one.
    pub(super) fn waits(&self) {
        let mut open = self.places.open();
        if self.told.closed.load(Ordering::Relaxed) {
            return;
        }
        open.next += 1;
        let number = open.next;
        open.waiting.insert(number, self.told.clone());
        self.ticket.store(number, Ordering::Relaxed);
    }

    /// It has a request. Not so when it was told to end before: then the request is not taken.
    pub(super) fn is_served(&self) -> bool {
        let number = self.ticket.swap(0, Ordering::Relaxed);
        if number != 0 {
            self.places.open().waiting.remove(&number);
        }
        !self.told.closed.load(Ordering::Relaxed)
    }

    /// Resolves when it has to end.
    pub(super) async fn closed(&self) {
        self.told.close.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.is_served();
        let mut open = self.places.open();
        if !self.told.closed.load(Ordering::Relaxed) {
            open.count -= 1;
        }
        drop(open);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_connection_that_waited_longest_gives_way() {
        let places = Arc::new(Places::new(3));
        let [busy, old, new] = [places.admit().await, places.admit().await, places.admit().await];
        busy.waits();
        old.waits();
        new.waits();
        busy.is_served();
        let one_more = places.admit().await;
        assert!(one_more.made_room() && !one_more.is_spare());
        old.closed().await;
        drop(old);
        assert_eq!(places.open().count, 3);
        drop((busy, new, one_more));
        let open = places.open();
        assert_eq!((open.count, open.waiting.len()), (0, 0));
    }

    #[tokio::test]
    async fn where_all_are_served_a_few_more_are_told_so_and_then_nobody_is_taken() {
        let places = Arc::new(Places::new(2));
        let mut served = vec![places.admit().await, places.admit().await];
        let spare: Vec<_> = (0..SPARE).map(|_| places.try_admit().unwrap()).collect();
        assert!(spare.iter().all(Seat::is_spare) && !served.iter().any(Seat::is_spare));
        assert!(places.try_admit().is_none());
        // One of them that waits gives way, and a place that is free makes a spare one a full one.
        spare[0].waits();
        assert!(places.try_admit().is_some_and(|seat| seat.is_spare()));
        drop(served.pop());
        drop(spare);
        let seat = places.admit().await;
        assert!(!seat.is_spare());
    }
}
