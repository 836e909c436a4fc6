//! Which checks are at work: one a page and user, the second caller is told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use imperal::User;

type Key = (String, String, String);

/// Checks at work in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<Key>>>);

/// Holds a key until it is dropped, however the work ends.
#[derive(Debug)]
pub(crate) struct Held {
    running: Running,
    key: Key,
}

impl Running {
    /// Takes a key of the user's, unless it is taken.
    pub(crate) fn take(&self, user: &User, what: &str) -> Option<Held> {
        let key = (user.tenant_id.clone(), user.id.clone(), what.to_owned());
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        new.then(|| Held { running: self.clone(), key })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
