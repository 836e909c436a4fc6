//! Keeps one owner's writes from taking every connection.
//!
//! In the database, writes for one owner run one after another: each waits for the owner's row and holds a connection
//! meanwhile. So only a few of them are sent at the same time, which keeps the row busy. The others wait here, where
//! they hold up no other owner.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::poll_immediate;

use super::pool::CONNECT;
use crate::ids::CallId;
use crate::keyed_semaphore::{KeyedSemaphore, Permit};
use crate::ledger::{LedgerError, LedgerMeters, NewAudit, Owner};

/// One owner's writes may use this fraction of the connections.
const OWNER_SHARE: usize = 8;

/// Limits the concurrent writes of each owner.
#[derive(Debug)]
pub(super) struct OwnerPermits {
    semaphore: KeyedSemaphore<Owner>,
    meters: LedgerMeters,
    /// The owners of this incarnation's open calls.
    callers: Mutex<HashMap<CallId, Owner>>,
}

impl OwnerPermits {
    pub(super) fn new(connections: usize, meters: LedgerMeters) -> Self {
        Self { semaphore: KeyedSemaphore::new((connections / OWNER_SHARE).max(1)), meters, callers: Mutex::default() }
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<CallId, Owner>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the owner may send one more write. The returned permit ends with the write.
    ///
    /// # Errors
    /// `Unavailable` after [`CONNECT`], the time limit for a connection.
    pub(super) async fn acquire(&self, owner: &Owner) -> Result<Permit<'_, Owner>, LedgerError> {
        let mut acquiring = pin!(self.semaphore.acquire(owner.clone()));
        if let Some(permit) = poll_immediate(&mut acquiring).await {
            return Ok(permit);
        }
        let begun = Instant::now();
        let waited = tokio::time::timeout(CONNECT, acquiring).await;
        self.meters.record_wait(begun.elapsed());
        let late = || format!("the user's own writes before this one took longer than {} s", CONNECT.as_secs());
        waited.map_err(|_| LedgerError::Unavailable(late()))
    }

    /// The same for the owner of an audit row.
    pub(super) async fn acquire_for_audit(&self, row: &NewAudit) -> Result<Permit<'_, Owner>, LedgerError> {
        self.acquire(&Owner::new(&row.tenant_id, &row.user_id)).await
    }

    /// The owner of an open call; `None` for a call of another incarnation.
    pub(super) fn caller(&self, call_id: CallId) -> Option<Owner> {
        self.callers().get(&call_id).cloned()
    }

    /// A new incarnation has no calls.
    pub(super) fn forget_calls(&self) {
        self.callers().clear();
    }

    /// Remembers an accepted call until its reply. A call that existed, or whose outcome is unknown, may belong to
    /// another request on another node, which replies to it; it is not remembered.
    pub(super) fn accepted<T>(&self, call_id: CallId, owner: Owner, outcome: &Result<T, LedgerError>) {
        if outcome.is_ok() {
            self.callers().insert(call_id, owner);
        }
    }

    /// Forgets a call that has its reply, or will get none from this node.
    pub(super) fn replied<T>(&self, call_id: CallId, outcome: &Result<T, LedgerError>) {
        use LedgerError::{AlreadyReplied, Fenced, IdExists, NotFound, NotHolder, NotOrphaned};
        if matches!(outcome, Ok(_) | Err(AlreadyReplied | IdExists | NotFound | NotHolder | NotOrphaned | Fenced)) {
            self.callers().remove(&call_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two requests with the same key: this one loses its connection and then finds the other's call.
    #[test]
    fn call_of_another_request_is_not_remembered() {
        let permits = OwnerPermits::new(16, LedgerMeters::default());
        let call_id = CallId::generate();
        for outcome in [Err(LedgerError::Indeterminate(String::new())), Err(LedgerError::IdExists)] {
            permits.accepted::<()>(call_id, Owner::new("t", "anna"), &outcome);
        }
        assert!(permits.callers().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn owners_wait_only_for_themselves_and_leave_no_entry() {
        let permits = OwnerPermits::new(16, LedgerMeters::default());
        let (anna, ben) = (Owner::new("t", "anna"), Owner::new("t", "ben"));
        let first = permits.acquire(&anna).await.unwrap();
        let second = permits.acquire(&anna).await.unwrap();
        drop(permits.acquire(&ben).await.unwrap());
        let begun = tokio::time::Instant::now();
        assert!(matches!(permits.acquire(&anna).await, Err(LedgerError::Unavailable(_))));
        assert_eq!(begun.elapsed(), CONNECT);
        let (third, ()) = tokio::join!(permits.acquire(&anna), async { drop(first) });
        drop((second, third));
        assert!(permits.semaphore.is_empty());
    }
}
