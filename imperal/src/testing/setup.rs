//! What a test platform is started with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::clock::TestClock;
use super::http::Network;
use super::platform::{Kept, TestPlatform};
use crate::context::States;
use crate::ledger::{Clock, Ledger, MemoryLedger};
use crate::platform::Settings;

/// A test platform before it is started: state, settings, ledger, clock, outgoing HTTP.
#[derive(Default)]
#[must_use = "nothing starts before `.start().await`"]
pub struct TestSetup {
    states: States,
    settings: Settings,
    ledger: Option<Arc<dyn Ledger>>,
    network: Network,
}

impl TestSetup {
    /// Registers a value for `ctx.state::<T>()`.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Changes settings: caps, windows, limits.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Keeps everything in this ledger instead of one in memory.
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// An empty ledger on this clock instead of the test's: turns, tasks and leases take their
    /// times from it.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ledger = Some(Arc::new(MemoryLedger::with_clock(clock)));
        self
    }

    /// Goes on with the ledger of another platform, as a second node or after a crash of that one.
    pub fn on_ledger_of(mut self, other: &TestPlatform) -> Self {
        self.ledger = Some(other.ledger());
        self
    }

    /// Lets outgoing calls leave the process, for a test with a server of its own. Without this no
    /// socket is opened: calls are answered by the rules of [`TestPlatform::http`], and one that no
    /// rule answers fails the test. On a paused clock timeouts come at once; write
    /// `#[imperal::test(clock = "real")]`.
    pub fn real_network(mut self) -> Self {
        self.network = Network::Real;
        self
    }

    /// Answers outgoing calls as a real service did once: from this JSON file, whose path is counted
    /// from the crate's folder. With the environment variable `IMPERAL_RECORD` set, calls go to the
    /// real service and the file is written when the platform is dropped, the paused clock standing
    /// still meanwhile.
    ///
    /// A recorded answer is given once, in the recorded order for equal requests; method, URL and
    /// body must be as they were. Kept of a request are these three; of an answer status, headers
    /// and body. Query parameters, JSON fields and headers whose names speak of a key, token,
    /// secret, signature, password or cookie are written as `REDACTED`: look at the file before you
    /// commit it all the same.
    ///
    /// Rules of [`TestPlatform::http`] are looked at first, also while recording.
    pub fn recording(mut self, file: impl Into<PathBuf>) -> Self {
        self.network = Network::Recording(file.into());
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the functions of this binary cannot be served, or a recording cannot be read; the
    /// message says why.
    pub async fn start(self) -> TestPlatform {
        let clock = || Arc::new(MemoryLedger::with_clock(Arc::new(TestClock::start())));
        let kept = Kept {
            ledger: self.ledger.unwrap_or_else(|| clock()),
            states: Arc::new(self.states),
            settings: self.settings,
        };
        TestPlatform::start_with(kept, self.network).await
    }
}

impl fmt::Debug for TestSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSetup")
            .field("settings", &self.settings)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}
