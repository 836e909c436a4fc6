//! The clock of backends that run in this process. PostgreSQL has its own.

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{Timestamp, Unit};

/// The time in microseconds, the resolution that every backend stores.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no state, and its name is its value")]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        to_micros(Timestamp::now())
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(start: Timestamp) -> Self {
        Self(Mutex::new(to_micros(start)))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = after(*now, by);
    }

    /// Sets it, also backwards, as a machine's clock may be set.
    pub fn set(&self, to: Timestamp) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = to_micros(to);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The time after a duration. Saturates: a lease or a cap of centuries never ends.
pub(super) fn after(now: Timestamp, by: Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    now.checked_add(by).map_or(Timestamp::MAX, to_micros)
}

/// The time a duration ago. Saturates.
pub(super) fn before(now: Timestamp, by: Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The day of a time: days since 1970, UTC.
pub(super) fn day_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(24 * 3600)
}

fn to_micros(time: Timestamp) -> Timestamp {
    time.round(Unit::Microsecond).unwrap_or(time)
}
