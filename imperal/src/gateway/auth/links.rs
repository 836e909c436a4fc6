//! One-time links, which sign a browser in.
//!
//! A link works once and for one hour. This module keeps links in memory. When `dev` stops, it stores the
//! local user's unused links in the data folder; the next `dev` on that folder accepts them for another hour.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::user::User;

/// Lifetime of a link.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Most unused links of all users together. A new link replaces the oldest.
const MAX_UNUSED: usize = 16;

#[derive(Debug)]
struct Link {
    secret: String,
    user: User,
    until: Instant,
}

/// The unused links.
#[derive(Debug, Default)]
pub(in crate::gateway) struct OneTimeLinks(Mutex<Vec<Link>>);

impl OneTimeLinks {
    /// Creates a link for a user. Returns its secret, which is the last segment of the link's path.
    pub(in crate::gateway) fn create(&self, user: User) -> String {
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= MAX_UNUSED {
            links.remove(0);
        }
        links.push(Link { secret: secret.clone(), user, until: Instant::now() + LIFETIME });
        secret
    }

    /// The secrets of a user's unused links that have not expired, oldest first.
    pub(in crate::gateway) fn unopened(&self, user: &User) -> Vec<String> {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        links.iter().filter(|link| link.until > now && link.user == *user).map(|link| link.secret.clone()).collect()
    }

    /// Adds unused links of the previous process, which then work for another hour. Leaves room for one
    /// more, so that the link that `dev` prints replaces none of them.
    pub(in crate::gateway) fn restore(&self, secrets: Vec<String>, user: &User) {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + LIFETIME;
        for secret in secrets.into_iter().filter(|secret| secret.len() == 32).take(MAX_UNUSED - 1) {
            links.push(Link { secret, user: user.clone(), until });
        }
    }

    /// Uses a link up and returns its user; `None` for an unknown, used or expired link.
    pub(in crate::gateway) fn redeem(&self, shown: &str) -> Option<User> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        links.retain(|link| link.until > now);
        let at = links.iter().position(|link| bool::from(link.secret.as_bytes().ct_eq(shown.as_bytes())))?;
        Some(links.remove(at).user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn link_works_once_and_for_one_hour() {
        let links = OneTimeLinks::default();
        let secret = links.create(User::new("me", "default"));
        assert!(links.redeem("guess").is_none());
        assert!(links.redeem(&secret).is_some());
        assert!(links.redeem(&secret).is_none(), "used");
        let late = links.create(User::new("me", "default"));
        tokio::time::advance(LIFETIME).await;
        assert!(links.redeem(&late).is_none(), "over");
    }
}
