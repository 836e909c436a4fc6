//! Users as their requests show them: noted here, written by the loop of the schedules.
//!
//! A scheduled call runs with the scopes of its user's last request. A user who asks for nothing for 90 days has no
//! runs any more. Most requests change nothing and cost one look at a map.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::{NewSeen, Owner};
use crate::user::User;

/// How often a user who did not change is written again.
const EVERY: Duration = Duration::from_secs(3600);
/// Users that are remembered. When there are more, all are written once more.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub(super) struct SeenUsers(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    known: HashMap<Owner, (User, Instant)>,
    new: HashMap<Owner, User>,
}

impl SeenUsers {
    /// Notes the user of a request. Returns whether there is something to write.
    pub(super) fn note(&self, user: &User) -> bool {
        let owner = Owner::from(user);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if seen.known.get(&owner).is_some_and(|(known, at)| known == user && now.duration_since(*at) < EVERY) {
            return false;
        }
        if seen.known.len() >= MOST {
            seen.known.clear();
        }
        seen.known.insert(owner.clone(), (user.clone(), now));
        seen.new.insert(owner, user.clone());
        true
    }

    /// What is to be written.
    pub(super) fn take(&self) -> Vec<NewSeen> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.new.drain().filter_map(|(owner, user)| new_seen(owner, &user)).collect()
    }

    /// It was not written: these users are noted again at their next request.
    pub(super) fn forget(&self, unwritten: &[NewSeen]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for NewSeen { owner, .. } in unwritten {
            seen.known.remove(owner);
        }
    }
}

/// The row of a user. `None` for one that cannot be written, which does not happen.
pub(super) fn new_seen(owner: Owner, user: &User) -> Option<NewSeen> {
    Some(NewSeen::new(owner, "", serde_json::to_string(user).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn user_is_written_once_an_hour_and_at_each_change() {
        let seen = SeenUsers::default();
        let mut anna = User::new("anna", "t");
        assert!(seen.note(&anna));
        assert!(!seen.note(&anna));
        assert_eq!(seen.take().len(), 1);
        assert!(seen.take().is_empty());
        anna.scopes.push("a".to_owned());
        assert!(seen.note(&anna));
        assert!(seen.take()[0].user.contains("\"scopes\":[\"a\"]"));
        tokio::time::advance(EVERY).await;
        assert!(seen.note(&anna));
        let unwritten = seen.take();
        seen.forget(&unwritten);
        assert!(seen.note(&anna));
    }
}
