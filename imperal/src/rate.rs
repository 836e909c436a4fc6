//! Rate limiter per key: one event per share of time in the long run, and a burst after a quiet period.
//!
//! A key is stored as a hash with one number. A key that has its full burst again is forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Keys of different shards do not wait for one another.
const SHARDS: usize = 16;
/// Keys of a shard before quiet keys are removed.
const MIN_SWEEP_SIZE: usize = 1024;

/// Limits how often an event may happen, per key.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// Nanoseconds per event in the long run.
    share: u64,
    /// Nanoseconds of a full burst.
    burst: u64,
    begun: Instant,
    hasher: RandomState,
    shards: [Mutex<Spent>; SHARDS],
}

/// When each key would have a full burst again, in nanoseconds since the start.
#[derive(Debug, Default)]
struct Spent {
    full_at: HashMap<u64, u64>,
    /// The number of keys at which quiet keys are removed.
    room: usize,
}

impl RateLimiter {
    /// One event per `share` in the long run, and `burst` events at once after a quiet period.
    pub(crate) fn new(share: Duration, burst: u32) -> Self {
        let share = u64::try_from(share.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self {
            share,
            burst: share.saturating_mul(u64::from(burst.max(1))),
            begun: Instant::now(),
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }

    /// Counts one event of this key.
    ///
    /// # Errors
    /// The time until the next event is accepted.
    pub(crate) fn take(&self, key: impl Hash) -> Result<(), Duration> {
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.take_at(self.hasher.hash_one(key), now)
    }

    /// Each key stores when it has a full burst again. An event moves that moment on by its share of time. An event
    /// that would move it further ahead than a burst is refused and moves nothing.
    fn take_at(&self, key: u64, now: u64) -> Result<(), Duration> {
        let mut spent = self.shard(key);
        let full_at = spent.full_at.get(&key).copied().unwrap_or(now).max(now).saturating_add(self.share);
        let latest = now.saturating_add(self.burst);
        if full_at > latest {
            return Err(Duration::from_nanos(full_at - latest));
        }
        if spent.full_at.len() >= spent.room.max(MIN_SWEEP_SIZE) {
            spent.full_at.retain(|_, full_at| *full_at > now);
            spent.full_at.shrink_to(MIN_SWEEP_SIZE);
            spent.room = spent.full_at.len() * 2;
        }
        spent.full_at.insert(key, full_at);
        Ok(())
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, Spent> {
        let shard = usize::try_from(key % SHARDS as u64).unwrap_or_default();
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn a_second(count: u32, burst: u32) -> RateLimiter {
        RateLimiter::new(Duration::from_secs(1) / count, burst)
    }

    fn taken(limiter: &RateLimiter, key: u64, now: u64, tries: u32) -> usize {
        (0..tries).filter(|_| limiter.take_at(key, now).is_ok()).count()
    }

    #[test]
    fn a_burst_then_so_many_a_second_whatever_is_tried() {
        let limiter = a_second(10, 25);
        assert_eq!(taken(&limiter, 1, 0, 1000), 25);
        assert_eq!(taken(&limiter, 2, 0, 1000), 25, "another key is held back");
        // Refused tries cost nothing, however many.
        let mut in_ten_seconds = 0;
        for step in 1..=1000 {
            in_ten_seconds += taken(&limiter, 1, step * SECOND / 100, 50);
        }
        assert_eq!(in_ten_seconds, 100);
        assert_eq!(taken(&limiter, 1, 100 * SECOND, 1000), 25, "a quiet while is worth one burst and no more");
    }

    #[test]
    fn a_refusal_says_when_the_next_one_is_taken() {
        let limiter = a_second(4, 2);
        assert_eq!(taken(&limiter, 1, 0, 2), 2);
        let wait = limiter.take_at(1, SECOND / 8).unwrap_err();
        assert_eq!(wait, Duration::from_millis(125));
        assert!(limiter.take_at(1, SECOND / 8 + 125_000_000 - 1).is_err());
        assert!(limiter.take_at(1, SECOND / 8 + 125_000_000).is_ok());
    }

    #[test]
    fn quiet_keys_are_forgotten_and_busy_ones_are_not() {
        let limiter = a_second(1, 2);
        // All of one shard: the worst case.
        let keys = (0..50_000_u64).map(|key| key * SHARDS as u64);
        for (place, key) in keys.enumerate() {
            let now = place as u64 * SECOND / 100;
            assert!(limiter.take_at(key, now).is_ok());
            taken(&limiter, SHARDS as u64 * 1_000_000, now, 3);
            assert_eq!(taken(&limiter, SHARDS as u64 * 1_000_000, now, 1), 0, "the busy one was forgotten");
        }
        assert!(limiter.shard(0).full_at.len() <= 2 * MIN_SWEEP_SIZE, "keys that are long quiet are kept");
    }
}
