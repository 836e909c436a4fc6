//! Limits per user, so that one user's requests leave room for the others'.
//!
//! Owns the limits of requests and open streams. Only signed-in users are counted, so unauthenticated requests cost
//! no memory here. The platform counts running calls, because they outlive their request.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::api_error::ApiError;
use crate::rate::RateLimiter;
use crate::user::User;

/// Users in different shards do not contend for one lock.
const SHARDS: usize = 16;

/// Limits per user. The default has none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct UserLimits {
    /// Sustained requests per second; 0 for no limit.
    pub requests_per_second: u32,
    /// Requests that may arrive at once; at least 1.
    pub request_burst: u32,
    /// Open event streams on this node; 0 for no limit.
    pub streams: u32,
}

/// The current use of each user.
#[derive(Debug)]
pub(super) struct UserLimiter {
    limits: UserLimits,
    requests: Option<RateLimiter>,
    hasher: RandomState,
    streams: [Mutex<HashMap<u64, u32>>; SHARDS],
}

fn locked<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl UserLimiter {
    pub(super) fn new(limits: UserLimits) -> Self {
        let share = Duration::from_secs(1).checked_div(limits.requests_per_second);
        Self {
            limits,
            requests: share.map(|share| RateLimiter::new(share, limits.request_burst)),
            hasher: RandomState::new(),
            streams: Default::default(),
        }
    }

    fn key(&self, user: &User) -> u64 {
        self.hasher.hash_one((&*user.tenant_id, &*user.id))
    }

    /// Counts one request.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with the time to wait before the next request.
    pub(super) fn count_request(&self, user: &User) -> Result<(), ApiError> {
        let Some(requests) = &self.requests else { return Ok(()) };
        requests
            .take((&*user.tenant_id, &*user.id))
            .map_err(|wait| ApiError::too_many("You send too many requests. Wait a moment, then retry.", wait))
    }

    /// Counts one stream until the returned value is dropped.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the user has the maximum of open streams.
    pub(super) fn open_stream(self: &Arc<Self>, user: &User) -> Result<OpenStream, ApiError> {
        let key = self.key(user);
        if self.limits.streams > 0 {
            let mut streams = locked(&self.streams[shard(key)]);
            let open = streams.entry(key).or_default();
            if *open >= self.limits.streams {
                let text = format!("You have {} live streams open already. Close one first.", self.limits.streams);
                return Err(ApiError::too_many(text, Duration::from_secs(1)));
            }
            *open += 1;
        }
        Ok(OpenStream { limiter: self.clone(), key })
    }
}

fn shard(key: u64) -> usize {
    usize::try_from(key % SHARDS as u64).unwrap_or_default()
}

/// One counted stream of a user.
#[derive(Debug)]
pub(super) struct OpenStream {
    limiter: Arc<UserLimiter>,
    key: u64,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if self.limiter.limits.streams == 0 {
            return;
        }
        let mut streams = locked(&self.limiter.streams[shard(self.key)]);
        if let Some(open) = streams.get_mut(&self.key) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_streams_free_their_slot() {
        let limiter = Arc::new(UserLimiter::new(UserLimits { streams: 2, ..UserLimits::default() }));
        let (anna, ben) = (User::new("anna", "t"), User::new("ben", "t"));
        let open = [limiter.open_stream(&anna).unwrap(), limiter.open_stream(&anna).unwrap()];
        assert!(limiter.open_stream(&anna).is_err());
        let other = limiter.open_stream(&ben).unwrap();
        drop(open);
        let again = limiter.open_stream(&anna).unwrap();
        drop((other, again));
        assert!(limiter.streams.iter().all(|shard| locked(shard).is_empty()), "somebody is left behind");
    }
}
