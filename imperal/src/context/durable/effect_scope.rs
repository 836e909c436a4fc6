//! The one request of an effect that may change something: its key, and whether it proves that nothing happened.
//!
//! A request proves it if each of its exchanges failed before anything was sent, or was refused by the service. An
//! exchange that was begun and has no answer proves nothing.

use std::sync::{Arc, PoisonError};

use super::EffectKey;
use crate::sync::{Mutex, MutexGuard};

/// The effect of a step's scope.
#[derive(Debug)]
pub(crate) struct EffectScope {
    pub(crate) key: EffectKey,
    /// Whether the service recognises the key.
    repeats: bool,
    request: Mutex<Option<Arc<EffectRequest>>>,
}

/// The request.
#[derive(Debug, Default)]
pub(crate) struct EffectRequest {
    repeats: bool,
    seen: Mutex<Seen>,
}

/// What is known of its exchanges.
#[derive(Debug, Default)]
struct Seen {
    /// Exchanges that were begun and have no answer. One that was dropped stays.
    unanswered: u32,
    /// Whether the service may have acted on one of them.
    may_have_acted: bool,
}

impl EffectScope {
    pub(super) fn new(key: EffectKey, repeats: bool) -> Self {
        Self { key, repeats, request: Mutex::default() }
    }

    /// Begins the effect's request. `None` for a second one.
    pub(crate) fn begin_request(&self) -> Option<Arc<EffectRequest>> {
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(EffectRequest { repeats: self.repeats, seen: Mutex::default() });
        request.is_none().then(|| request.insert(new()).clone())
    }

    /// Whether there was a request, and it proves that nothing happened.
    pub(super) fn proves_not_done(&self) -> bool {
        let request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        request.as_ref().is_some_and(|request| request.proves_not_done())
    }
}

impl EffectRequest {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn proves_not_done(&self) -> bool {
        let seen = self.seen();
        seen.unanswered == 0 && !seen.may_have_acted
    }

    /// Whether it may be sent again: that cannot do the effect twice.
    pub(in crate::context) fn may_be_sent_again(&self) -> bool {
        self.repeats || self.proves_not_done()
    }

    /// An exchange begins.
    pub(in crate::context) fn begin_exchange(&self) {
        self.seen().unanswered += 1;
    }

    /// An exchange has its answer, and whether that proves that the service did nothing.
    pub(in crate::context) fn end_exchange(&self, is_refusal: bool) {
        let mut seen = self.seen();
        seen.unanswered = seen.unanswered.saturating_sub(1);
        seen.may_have_acted |= !is_refusal;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_has_to_prove_that_nothing_happened() {
        let scope = EffectScope::new(EffectKey::of(crate::ids::TaskId::generate(), "pay"), false);
        assert!(!scope.proves_not_done(), "there was no request");
        let request = scope.begin_request().unwrap();
        assert!(scope.proves_not_done(), "nothing was sent");
        assert!(scope.begin_request().is_none(), "an effect has one request");
        request.begin_exchange();
        assert!(!scope.proves_not_done(), "it has no answer");
        request.end_exchange(true);
        assert!(scope.proves_not_done());
        request.begin_exchange();
        request.end_exchange(false);
        request.begin_exchange();
        request.end_exchange(true);
        assert!(!scope.proves_not_done(), "a refusal says nothing about the send before");
    }
}
