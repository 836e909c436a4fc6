//! Keeps one owner's writes from taking every connection.
//!
//! Writes for one owner come one after another in the database: each waits there for the owner's row,
//! with a connection of its own. So a few of them are sent at once, which keeps the row busy, and the
//! others wait here, where they hold up nobody else.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::future::poll_immediate;

use super::pool::CONNECT;
use crate::ids::CallId;
use crate::ledger::{LedgerError, LedgerMeters, NewAudit, Owner, Turn};
use crate::lines::{Lines, Place};

/// The part of the connections that one owner's writes may have.
const PART: usize = 8;

/// Writes by owner.
#[derive(Debug)]
pub(super) struct Queues {
    lines: Lines<Owner>,
    meters: LedgerMeters,
    /// Whose open calls of this life are.
    callers: Mutex<HashMap<CallId, Owner>>,
}

impl Queues {
    pub(super) fn new(connections: usize, meters: LedgerMeters) -> Self {
        Self { lines: Lines::new((connections / PART).max(1)), meters, callers: Mutex::default() }
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<CallId, Owner>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the owner's turn to write; it is theirs for as long as what is returned lives.
    ///
    /// # Errors
    /// `Unavailable` after as long as one waits for a connection.
    pub(super) async fn enter(&self, owner: &Owner) -> Result<Place<'_, Owner>, LedgerError> {
        let mut entering = pin!(self.lines.enter(owner.clone()));
        if let Some(place) = poll_immediate(&mut entering).await {
            return Ok(place);
        }
        let begun = Instant::now();
        let waited = tokio::time::timeout(CONNECT, entering).await;
        self.meters.waited(begun.elapsed());
        let late = || format!("the user's own writes before this one took longer than {} s", CONNECT.as_secs());
        waited.map_err(|_| LedgerError::Unavailable(late()))
    }

    /// The same for whoever the audit row is filed under.
    pub(super) async fn enter_under(&self, row: &NewAudit) -> Result<Place<'_, Owner>, LedgerError> {
        self.enter(&Owner::new(&row.tenant_id, &row.user_id)).await
    }

    /// The same for the owner of an open call; at once for a call of another life.
    pub(super) async fn enter_of(&self, call_id: CallId) -> Result<Option<Place<'_, Owner>>, LedgerError> {
        let caller = self.callers().get(&call_id).cloned();
        match caller {
            Some(owner) => self.enter(&owner).await.map(Some),
            None => Ok(None),
        }
    }

    /// A new life has no calls.
    pub(super) fn joined(&self) {
        self.callers().clear();
    }

    /// A call that is in the ledger and waits for its reply. One that was there before may be another
    /// request's, on another node, which replies: also where it is not known yet which it is.
    pub(super) fn accepted(&self, call_id: CallId, owner: Owner, outcome: &Result<Turn, LedgerError>) {
        if outcome.is_ok() {
            self.callers().insert(call_id, owner);
        }
    }

    /// A reply that is written, or that nobody will ask for again.
    pub(super) fn replied(&self, call_id: CallId, outcome: &Result<Turn, LedgerError>) {
        use LedgerError::{Fenced, Settled, Unknown};
        if matches!(outcome, Ok(_) | Err(Settled | Unknown | Fenced)) {
            self.callers().remove(&call_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two requests under one key, of which this one loses its connection and then hears of the other.
    #[test]
    fn a_call_that_becomes_another_requests_is_not_remembered() {
        let queues = Queues::new(16, LedgerMeters::default());
        let call_id = CallId::generate();
        for outcome in [Err(LedgerError::Unsure(String::new())), Err(LedgerError::Settled)] {
            queues.accepted(call_id, Owner::new("t", "anna"), &outcome);
        }
        assert!(queues.callers().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_owner_waits_for_itself_alone_and_nobody_is_left_behind() {
        let queues = Queues::new(16, LedgerMeters::default());
        let (anna, ben) = (Owner::new("t", "anna"), Owner::new("t", "ben"));
        let first = queues.enter(&anna).await.unwrap();
        let second = queues.enter(&anna).await.unwrap();
        drop(queues.enter(&ben).await.unwrap());
        let begun = tokio::time::Instant::now();
        assert!(matches!(queues.enter(&anna).await, Err(LedgerError::Unavailable(_))));
        assert_eq!(begun.elapsed(), CONNECT);
        let (third, ()) = tokio::join!(queues.enter(&anna), async { drop(first) });
        drop((second, third));
        assert!(queues.lines.is_empty());
    }
}
