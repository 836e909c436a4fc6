//! Limits the number of connections, and chooses the one to close for a new one.
//!
//! A new connection replaces the one that has been idle longest: without a request, or with a partial head. When all
//! are busy, a few extra connections get a permit: they receive 503, or an answer to an operator's probe.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections beyond the limit, which get the answer that the node is full.
const EXTRA_PERMITS: usize = 16;

/// The connection permits of a node.
#[derive(Debug)]
pub(super) struct ConnectionPermits {
    limit: usize,
    state: Mutex<PermitState>,
    /// Signals that a connection has ended.
    freed: Notify,
}

#[derive(Debug, Default)]
struct PermitState {
    /// Connections, without those that were asked to close.
    count: usize,
    /// The last ticket given to an idle connection.
    next: u64,
    /// Idle connections by ticket: the lowest has waited longest.
    waiting: BTreeMap<u64, Arc<CloseSignal>>,
    /// New connections wait for a permit. Logged once.
    full: bool,
}

/// Tells a connection to close.
#[derive(Debug, Default)]
struct CloseSignal {
    close: Notify,
    /// The connection no longer counts.
    closed: AtomicBool,
}

impl ConnectionPermits {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: Mutex::default(), freed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, PermitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit.
    pub(super) async fn acquire(self: &Arc<Self>) -> ConnectionPermit {
        loop {
            let freed = self.freed.notified();
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            freed.await;
        }
    }

    fn try_acquire(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let mut state = self.lock();
        let replaced_another = state.count >= self.limit && state.close_longest_idle();
        let over_limit = state.count >= self.limit;
        if state.count >= self.limit + EXTRA_PERMITS {
            if !std::mem::replace(&mut state.full, true) {
                tracing::error!(
                    connections = self.limit,
                    "all connections are busy and new ones wait; raise --connections"
                );
            }
            return None;
        }
        if !over_limit && std::mem::take(&mut state.full) {
            tracing::warn!("connections are accepted again");
        }
        state.count += 1;
        drop(state);
        let signal = Arc::new(CloseSignal::default());
        Some(ConnectionPermit {
            permits: self.clone(),
            signal,
            ticket: AtomicU64::new(0),
            over_limit: AtomicBool::new(over_limit),
            replaced_another,
        })
    }

    /// Closes the connection that has been idle longest, if one is idle.
    pub(super) fn close_longest_idle(&self) -> bool {
        self.lock().close_longest_idle()
    }
}

impl PermitState {
    fn close_longest_idle(&mut self) -> bool {
        let Some((_, signal)) = self.waiting.pop_first() else { return false };
        signal.closed.store(true, Ordering::Relaxed);
        signal.close.notify_one();
        self.count -= 1;
        true
    }
}

/// The permit of one connection.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    permits: Arc<ConnectionPermits>,
    signal: Arc<CloseSignal>,
    /// Its ticket among the idle connections; 0 while it is busy.
    ticket: AtomicU64,
    over_limit: AtomicBool,
    replaced_another: bool,
}

impl ConnectionPermit {
    /// Whether another connection was closed for this one.
    pub(super) fn replaced_another(&self) -> bool {
        self.replaced_another
    }

    /// Whether it still exceeds the limit.
    pub(super) fn is_over_limit(&self) -> bool {
        if self.over_limit.load(Ordering::Relaxed) && self.permits.lock().count <= self.permits.limit {
            self.over_limit.store(false, Ordering::Relaxed);
        }
        self.over_limit.load(Ordering::Relaxed)
    }

    /// The connection may be closed for another one from now on.
    pub(super) fn mark_idle(&self) {
        let mut state = self.permits.lock();
        if self.signal.closed.load(Ordering::Relaxed) {
            return;
        }
        state.next += 1;
        let number = state.next;
        state.waiting.insert(number, self.signal.clone());
        self.ticket.store(number, Ordering::Relaxed);
    }

    /// The connection has a request. False if it was asked to close before: then the request is not accepted.
    pub(super) fn mark_busy(&self) -> bool {
        let number = self.ticket.swap(0, Ordering::Relaxed);
        if number != 0 {
            self.permits.lock().waiting.remove(&number);
        }
        !self.signal.closed.load(Ordering::Relaxed)
    }

    /// Resolves when the connection has to close.
    pub(super) async fn closed(&self) {
        self.signal.close.notified().await;
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.mark_busy();
        let mut state = self.permits.lock();
        if !self.signal.closed.load(Ordering::Relaxed) {
            state.count -= 1;
        }
        drop(state);
        self.permits.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn new_connection_replaces_the_one_idle_longest() {
        let permits = Arc::new(ConnectionPermits::new(3));
        let [busy, old, new] = [permits.acquire().await, permits.acquire().await, permits.acquire().await];
        busy.mark_idle();
        old.mark_idle();
        new.mark_idle();
        busy.mark_busy();
        let one_more = permits.acquire().await;
        assert!(one_more.replaced_another() && !one_more.is_over_limit());
        old.closed().await;
        drop(old);
        assert_eq!(permits.lock().count, 3);
        drop((busy, new, one_more));
        let state = permits.lock();
        assert_eq!((state.count, state.waiting.len()), (0, 0));
    }

    #[tokio::test]
    async fn busy_node_admits_a_few_extra_connections_and_no_more() {
        let permits = Arc::new(ConnectionPermits::new(2));
        let mut served = vec![permits.acquire().await, permits.acquire().await];
        let over_limit: Vec<_> = (0..EXTRA_PERMITS).map(|_| permits.try_acquire().unwrap()).collect();
        assert!(
            over_limit.iter().all(ConnectionPermit::is_over_limit)
                && !served.iter().any(ConnectionPermit::is_over_limit)
        );
        assert!(permits.try_acquire().is_none());
        // An idle extra connection is replaced, and a permit that is freed turns an extra one into a regular one.
        over_limit[0].mark_idle();
        assert!(permits.try_acquire().is_some_and(|permit| permit.is_over_limit()));
        drop(served.pop());
        drop(over_limit);
        let permit = permits.acquire().await;
        assert!(!permit.is_over_limit());
    }
}
