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
    /// By the extension that they called, and by `""` for any request.
    known: HashMap<(Owner, &'static str), (User, Instant)>,
    new: HashMap<(Owner, &'static str), User>,
}

impl SeenUsers {
    /// Notes the user of a request, or of a call of an extension. Returns whether there is something to write.
    pub(super) fn note(&self, user: &User, app_id: &'static str) -> bool {
        let place = (Owner::from(user), app_id);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if seen.known.get(&place).is_some_and(|(known, at)| known == user && now.duration_since(*at) < EVERY) {
            return false;
        }
        if seen.known.len() >= MOST {
            seen.known.clear();
        }
        seen.known.insert(place.clone(), (user.clone(), now));
        seen.new.insert(place, user.clone());
        true
    }

    /// What is to be written.
    pub(super) fn take(&self) -> Vec<NewSeen> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.new.drain().filter_map(|((owner, app_id), user)| new_seen(owner, app_id, &user)).collect()
    }

    /// It was not written: these users are noted again at their next request.
    pub(super) fn forget(&self, unwritten: &[NewSeen]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_written =
            |owner: &Owner, app_id: &str| !unwritten.iter().any(|one| one.owner == *owner && one.app_id == app_id);
        seen.known.retain(|(owner, app_id), _| is_written(owner, app_id));
    }
}

/// The row of a user. `None` for one that cannot be written, which does not happen.
pub(super) fn new_seen(owner: Owner, app_id: &str, user: &User) -> Option<NewSeen> {
    Some(NewSeen::new(owner, app_id, serde_json::to_string(user).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn user_is_written_once_an_hour_and_at_each_change() {
        let seen = SeenUsers::default();
        let mut anna = User::new("anna", "t");
        assert!(seen.note(&anna, ""));
        assert!(!seen.note(&anna, ""));
        assert_eq!(seen.take().len(), 1);
        assert!(seen.note(&anna, "notes"), "a call of an extension is a row of its own");
        assert_eq!(seen.take().into_iter().map(|seen| seen.app_id).collect::<Vec<_>>(), ["notes"]);
        assert!(seen.take().is_empty());
        anna.scopes.push("a".to_owned());
        assert!(seen.note(&anna, ""));
        assert!(seen.take()[0].user.contains("\"scopes\":[\"a\"]"));
        tokio::time::advance(EVERY).await;
        assert!(seen.note(&anna, ""));
        let unwritten = seen.take();
        seen.forget(&unwritten);
        assert!(seen.note(&anna, ""));
    }
}
