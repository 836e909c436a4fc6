//! The ledger's clock in a test: it follows tokio's clock, which the test controls.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::ledger::{Clock, SystemClock};

/// Starts at the machine's time and advances with tokio's clock, paused or not.
#[derive(Debug)]
pub(super) struct TestClock {
    start: Timestamp,
    born: Instant,
}

impl TestClock {
    /// # Panics
    /// Outside of a tokio runtime.
    pub(super) fn start() -> Self {
        Self { start: SystemClock.now(), born: Instant::now() }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.born.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}
