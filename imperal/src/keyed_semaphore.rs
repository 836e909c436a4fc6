//! Keyed semaphore: at most N permits per key.
//!
//! A key costs memory only while a task holds or waits for one of its permits. The semaphore does not know
//! what its permits protect.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One semaphore per key that is in use.
#[derive(Debug)]
pub(crate) struct KeyedSemaphore<K> {
    permits_per_key: usize,
    semaphores: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Clone + Eq + Hash> KeyedSemaphore<K> {
    pub(crate) fn new(permits_per_key: usize) -> Self {
        Self { permits_per_key, semaphores: Mutex::default() }
    }

    /// Waits for a permit of this key, in the order of the calls. The permit is held until it is dropped.
    /// Cancel safe: a wait that is dropped loses its place in the order.
    pub(crate) async fn acquire(&self, key: K) -> Permit<'_, K> {
        let new = || Arc::new(Semaphore::new(self.permits_per_key));
        let semaphore = self.semaphores().entry(key.clone()).or_insert_with(new).clone();
        // Made before the wait: its drop removes the key's entry also when the wait is dropped.
        let mut permit = Permit { owner: self, key, semaphore: semaphore.clone(), held: None };
        permit.held = semaphore.acquire_owned().await.ok();
        permit
    }

    fn semaphores(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.semaphores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.semaphores().is_empty()
    }
}

/// A permit of one key, or the wait for one.
pub(crate) struct Permit<'a, K: Clone + Eq + Hash> {
    owner: &'a KeyedSemaphore<K>,
    key: K,
    semaphore: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl<K: Clone + Eq + Hash> Drop for Permit<'_, K> {
    fn drop(&mut self) {
        let mut semaphores = self.owner.semaphores();
        self.held = None;
        // Two references left, the map's and this permit's: no other task holds or waits for the key.
        if Arc::strong_count(&self.semaphore) == 2 {
            semaphores.remove(&self.key);
        }
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug> fmt::Debug for Permit<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.key).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_second_caller_of_a_key_waits_and_no_entry_is_left() {
        let semaphore = KeyedSemaphore::new(1);
        let first = semaphore.acquire("one").await;
        drop(semaphore.acquire("another").await);
        assert!(tokio::time::timeout(Duration::ZERO, semaphore.acquire("one")).await.is_err(), "two hold the permit");
        let (second, ()) = tokio::join!(semaphore.acquire("one"), async { drop(first) });
        drop(second);
        assert!(semaphore.is_empty());
    }
}
