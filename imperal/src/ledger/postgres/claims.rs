//! Ids of claims, so that tasks are not lost with a claim's answer.
//!
//! A claim whose answer does not arrive may have been committed: then this incarnation holds tasks that no process runs.
//! Its id is kept, and the next claim of the incarnation asks under the same id: the database answers with the same
//! tasks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ledger::{Incarnation, LedgerError};

/// The ids of claims without an answer.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<Vec<(Incarnation, String)>>);

impl Claims {
    fn unanswered(&self) -> MutexGuard<'_, Vec<(Incarnation, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of the next claim: that of an unanswered one, if there is one.
    pub(super) fn begin(&self, incarnation: &Incarnation) -> Claim<'_> {
        let mut unanswered = self.unanswered();
        let place = unanswered.iter().position(|(of, _)| of == incarnation);
        let id = place.map(|place| unanswered.swap_remove(place).1);
        let id = id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        Claim { claims: self, of: Some((incarnation.clone(), id)) }
    }
}

/// A claim under way. Dropped without an answer, it leaves its id.
#[derive(Debug)]
pub(super) struct Claim<'c> {
    claims: &'c Claims,
    of: Option<(Incarnation, String)>,
}

impl Claim<'_> {
    pub(super) fn id(&self) -> String {
        self.of.as_ref().map(|(_, id)| id.clone()).unwrap_or_default()
    }

    /// Notes the outcome. The id is kept after an error that does not say that nothing was written.
    pub(super) fn answered<T>(mut self, outcome: &Result<T, LedgerError>) {
        use LedgerError::{Indeterminate, Unavailable};
        if !matches!(outcome, Err(Indeterminate(_) | Unavailable(_))) {
            self.of = None;
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.unanswered().extend(self.of.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_of_an_unanswered_claim_is_used_again_by_its_incarnation() {
        let (claims, a, b) = (Claims::default(), Incarnation::new("a", 1), Incarnation::new("b", 1));
        let lost = claims.begin(&a);
        let id = lost.id();
        assert_ne!(claims.begin(&a).id(), id, "it is under way");
        claims.unanswered().clear();
        lost.answered::<()>(&Err(LedgerError::Unavailable(String::new())));
        assert_ne!(claims.begin(&b).id(), id);
        let again = claims.begin(&a);
        assert_eq!(again.id(), id);
        drop(again);
        let again = claims.begin(&a);
        assert_eq!(again.id(), id, "a claim whose caller has gone is unanswered");
        again.answered(&Ok(()));
        assert_ne!(claims.begin(&a).id(), id);
    }
}
