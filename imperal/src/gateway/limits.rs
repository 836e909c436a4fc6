//! How much one user may ask at once, so that one does not take the others' share.
//!
//! Owns the rule for requests (so many a second, and a burst after a quiet while) and for open
//! streams. Only who has signed in is counted, so a stranger costs nothing. A user is a hash and one
//! number; whoever has been quiet for long enough to have a full burst again is forgotten.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::failure::Failure;
use crate::context::User;

/// Users of different shards do not wait for one another.
const SHARDS: usize = 16;
/// Users of a shard before the quiet ones are looked for.
const FEW: usize = 1024;

/// Limits for each user. The default has none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct UserLimits {
    /// Requests a second in the long run; 0 for no limit.
    pub requests_per_second: u32,
    /// Requests at once after a quiet while; at least 1.
    pub request_burst: u32,
    /// Live event streams at once, on this node; 0 for no limit.
    pub streams: u32,
}

/// What each user has used of the limits.
#[derive(Debug)]
pub(super) struct Meter {
    limits: UserLimits,
    begun: Instant,
    hasher: RandomState,
    requests: [Mutex<Spent>; SHARDS],
    streams: [Mutex<HashMap<u64, u32>>; SHARDS],
}

/// When each user would have a full burst again, in nanoseconds since the start.
#[derive(Debug, Default)]
struct Spent {
    full_at: HashMap<u64, u64>,
    /// How many users there may be before the quiet ones are forgotten.
    room: usize,
}

fn locked<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meter {
    pub(super) fn new(limits: UserLimits) -> Self {
        Self {
            limits,
            begun: Instant::now(),
            hasher: RandomState::new(),
            requests: Default::default(),
            streams: Default::default(),
        }
    }

    fn key(&self, user: &User) -> u64 {
        self.hasher.hash_one((&*user.tenant_id, &*user.id))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with the time after which the next one is taken.
    pub(super) fn request(&self, user: &User) -> Result<(), Failure> {
        if self.limits.requests_per_second == 0 {
            return Ok(());
        }
        let now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.request_at(self.key(user), now)
            .map_err(|wait| Failure::too_many("You are asking too often. Wait a moment, then go on.", wait))
    }

    /// One number says it all: a request moves the moment of a full burst on by a request's share
    /// of a second; one that would move it further ahead than a burst is refused and moves nothing.
    fn request_at(&self, key: u64, now: u64) -> Result<(), Duration> {
        let share = 1_000_000_000 / u64::from(self.limits.requests_per_second);
        let burst = share * u64::from(self.limits.request_burst.max(1));
        let mut spent = locked(&self.requests[shard(key)]);
        let full_at = spent.full_at.get(&key).copied().unwrap_or(now).max(now) + share;
        if full_at > now + burst {
            return Err(Duration::from_nanos(full_at - burst - now));
        }
        if spent.full_at.len() >= spent.room.max(FEW) {
            spent.full_at.retain(|_, full_at| *full_at > now);
            spent.full_at.shrink_to(FEW);
            spent.room = spent.full_at.len() * 2;
        }
        spent.full_at.insert(key, full_at);
        Ok(())
    }

    /// Counts a stream for as long as what is returned lives.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the user has as many as there may be.
    pub(super) fn stream(self: &Arc<Self>, user: &User) -> Result<OpenStream, Failure> {
        let key = self.key(user);
        if self.limits.streams > 0 {
            let mut streams = locked(&self.streams[shard(key)]);
            let open = streams.entry(key).or_default();
            if *open >= self.limits.streams {
                let text = format!("You have {} live streams open already. Close one first.", self.limits.streams);
                return Err(Failure::too_many(text, Duration::from_secs(1)));
            }
            *open += 1;
        }
        Ok(OpenStream { meter: self.clone(), key })
    }
}

fn shard(key: u64) -> usize {
    usize::try_from(key % SHARDS as u64).unwrap_or_default()
}

/// One open stream of a user.
#[derive(Debug)]
pub(super) struct OpenStream {
    meter: Arc<Meter>,
    key: u64,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if self.meter.limits.streams == 0 {
            return;
        }
        let mut streams = locked(&self.meter.streams[shard(self.key)]);
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

    const SECOND: u64 = 1_000_000_000;

    fn meter(requests_per_second: u32, request_burst: u32) -> Meter {
        Meter::new(UserLimits { requests_per_second, request_burst, streams: 2 })
    }

    fn taken(meter: &Meter, key: u64, now: u64, tries: u32) -> usize {
        (0..tries).filter(|_| meter.request_at(key, now).is_ok()).count()
    }

    #[test]
    fn a_burst_then_so_many_a_second_whatever_is_tried() {
        let meter = meter(10, 25);
        assert_eq!(taken(&meter, 1, 0, 1000), 25);
        assert_eq!(taken(&meter, 2, 0, 1000), 25, "another user is held back");
        // Refused tries cost nothing, however many.
        let mut in_ten_seconds = 0;
        for step in 1..=1000 {
            in_ten_seconds += taken(&meter, 1, step * SECOND / 100, 50);
        }
        assert_eq!(in_ten_seconds, 100);
        assert_eq!(taken(&meter, 1, 100 * SECOND, 1000), 25, "a quiet while is worth one burst and no more");
    }

    #[test]
    fn who_is_refused_is_told_when_to_come_back_and_is_taken_then() {
        let meter = meter(4, 2);
        assert_eq!(taken(&meter, 1, 0, 2), 2);
        let wait = meter.request_at(1, SECOND / 8).unwrap_err();
        assert_eq!(wait, Duration::from_millis(125));
        assert!(meter.request_at(1, SECOND / 8 + 125_000_000 - 1).is_err());
        assert!(meter.request_at(1, SECOND / 8 + 125_000_000).is_ok());
    }

    #[test]
    fn quiet_users_are_forgotten_and_busy_ones_are_not() {
        let meter = meter(1, 2);
        // All of one shard: the worst there is.
        let users = (0..50_000_u64).map(|user| user * SHARDS as u64);
        for (place, user) in users.enumerate() {
            let now = place as u64 * SECOND / 100;
            assert!(meter.request_at(user, now).is_ok());
            taken(&meter, SHARDS as u64 * 1_000_000, now, 3);
            assert_eq!(taken(&meter, SHARDS as u64 * 1_000_000, now, 1), 0, "the busy one was forgotten");
        }
        assert!(locked(&meter.requests[0]).full_at.len() <= 2 * FEW, "users that are long quiet are kept");
    }

    #[test]
    fn streams_are_given_back() {
        let meter = Arc::new(meter(1, 1));
        let (anna, ben) = (User::new("anna", "t"), User::new("ben", "t"));
        let open = [meter.stream(&anna).unwrap(), meter.stream(&anna).unwrap()];
        assert!(meter.stream(&anna).is_err());
        let other = meter.stream(&ben).unwrap();
        drop(open);
        let again = meter.stream(&anna).unwrap();
        drop((other, again));
        assert!(meter.streams.iter().all(|shard| locked(shard).is_empty()), "somebody is left behind");
    }
}
