//! Lines of those who want the same: by key, so many have a place at once and the others wait.
//!
//! Who leaves, or gives up waiting, leaves no entry behind. Knows nothing of what is waited for.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The lines that somebody stands in.
#[derive(Debug)]
pub(crate) struct Lines<K> {
    at_once: usize,
    open: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Clone + Eq + Hash> Lines<K> {
    /// With so many places a line.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { at_once, open: Mutex::default() }
    }

    /// Waits for a place in the line of this key, behind those who came before; it is held for as long
    /// as what is returned lives. Cancel safe, and then at the end of the line again.
    pub(crate) async fn enter(&self, key: K) -> Place<'_, K> {
        let line = self.open().entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.at_once))).clone();
        // From here on it is left again, also by who gives up.
        let mut place = Place { lines: self, key, line: line.clone(), permit: None };
        place.permit = line.acquire_owned().await.ok();
        place
    }

    fn open(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.open().is_empty()
    }
}

/// A place in a line, or the wish for one.
pub(crate) struct Place<'a, K: Clone + Eq + Hash> {
    lines: &'a Lines<K>,
    key: K,
    line: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl<K: Clone + Eq + Hash> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut open = self.lines.open();
        self.permit = None;
        // The map's, and this one: nobody else has a place or waits.
        if Arc::strong_count(&self.line) == 2 {
            open.remove(&self.key);
        }
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug> fmt::Debug for Place<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.key).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_wants_the_same_waits_in_line_and_nobody_is_left_behind() {
        let lines = Lines::new(1);
        let first = lines.enter("one").await;
        drop(lines.enter("another").await);
        assert!(tokio::time::timeout(Duration::ZERO, lines.enter("one")).await.is_err(), "two have the one place");
        let (second, ()) = tokio::join!(lines.enter("one"), async { drop(first) });
        drop(second);
        assert!(lines.is_empty());
    }
}
