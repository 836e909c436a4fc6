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

/// Most used links that are remembered, so that a second use can be named.
const USED_AT_ONCE: usize = 64;

/// Why a link does not sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum LinkRefusal {
    /// It was opened before.
    Used,
    /// It has expired, or there never was such a link.
    Unknown,
}

/// The unused links, and those that were used in the last hour.
#[derive(Debug, Default)]
pub(in crate::gateway) struct OneTimeLinks(Mutex<Vec<Link>>, Mutex<Vec<(String, Instant)>>);

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

    /// Uses a link up and returns its user.
    ///
    /// # Errors
    /// Why the link does not sign in.
    pub(in crate::gateway) fn redeem(&self, shown: &str) -> Result<User, LinkRefusal> {
        let now = Instant::now();
        let is_shown = |secret: &str| bool::from(secret.as_bytes().ct_eq(shown.as_bytes()));
        let link = {
            let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            links.retain(|link| link.until > now);
            links.iter().position(|link| is_shown(&link.secret)).map(|at| links.remove(at))
        };
        let mut used = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|(_, until)| *until > now);
        let Some(Link { secret, user, .. }) = link else {
            let known = used.iter().any(|(secret, _)| is_shown(secret));
            return Err(if known { LinkRefusal::Used } else { LinkRefusal::Unknown });
        };
        if used.len() >= USED_AT_ONCE {
            used.remove(0);
        }
        used.push((secret, now + LIFETIME));
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn link_works_once_and_for_one_hour() {
        let links = OneTimeLinks::default();
        let secret = links.create(User::new("me", "default"));
        assert_eq!(links.redeem("guess"), Err(LinkRefusal::Unknown));
        assert!(links.redeem(&secret).is_ok());
        assert_eq!(links.redeem(&secret), Err(LinkRefusal::Used));
        let late = links.create(User::new("me", "default"));
        tokio::time::advance(LIFETIME).await;
        assert_eq!(links.redeem(&late), Err(LinkRefusal::Unknown), "it has expired");
        assert_eq!(links.redeem(&secret), Err(LinkRefusal::Unknown), "a used link is remembered for an hour");
    }
}
