//! The setup of a test platform, before its start.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::clock::TestClock;
use super::http::Network;
use super::model::ScriptedModel;
use super::platform::{Kept, TestPlatform};
use super::state::StateSetup;
use crate::files::Blobs;
use crate::ledger::{Clock, Ledger, MemoryLedger};
use crate::platform::{Queue, Settings};
use crate::vault::SecretKeys;

/// A test platform before it starts: state, settings, ledger, clock, outgoing HTTP.
#[must_use = "nothing starts before `.start().await`"]
pub struct TestSetup {
    state: StateSetup,
    settings: Settings,
    ledger: Option<Arc<dyn Ledger>>,
    network: Network,
}

impl Default for TestSetup {
    fn default() -> Self {
        // Every sleep is parked, however short: a body that cannot run again from its top fails in its first test.
        // Waits of days pass in a moment: nothing looks at the ledger every second meanwhile.
        let (hour, lease) = (Duration::from_secs(3600), Duration::from_secs(3600));
        let settings = Settings {
            parked_from: Duration::ZERO,
            look_every: hour,
            lease,
            renew_every: lease / 6,
            secret_keys: SecretKeys::of_tests(),
            blobs: Some(Blobs::in_memory()),
            ..Settings::default()
        };
        Self { state: StateSetup::default(), settings, ledger: None, network: Network::default() }
    }
}

impl TestSetup {
    /// Registers a value for `ctx.state::<T>()`.
    ///
    /// The value survives [`TestPlatform::crash`]. Give it something that lives outside of the
    /// process, such as a client of a service. State that a killed process loses belongs into
    /// [`state_with`](Self::state_with).
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.keep(value);
        self
    }

    /// Registers a value that `make` returns, at the start and again after each
    /// [`crash`](TestPlatform::crash), as `main` does in a new process.
    pub fn state_with<T: Send + Sync + 'static>(self, make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        self.state_in(move |_| Ok::<T, std::convert::Infallible>(make()))
    }

    /// Registers a value that `make` opens in a data folder, as `App::state_in` does. After a
    /// [`crash`](TestPlatform::crash) `make` runs again on the same folder, so that the extension
    /// finds what it had written.
    ///
    /// The folder is temporary. It is removed when the platform and its users are dropped.
    ///
    /// # Panics
    /// The start panics with the error of `make`.
    pub fn state_in<T, E>(mut self, make: impl Fn(&Path) -> Result<T, E> + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.state.make(make);
        self
    }

    /// Declares a queue of durable tasks, as [`App::queue`](crate::App::queue) does.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.settings.queues.push(queue);
        self
    }

    /// Configures a scripted language model for the assistant: [`TestPlatform::model`] says what it replies.
    pub fn model(mut self) -> Self {
        self.settings.assistant = Some(ScriptedModel::settings());
        self
    }

    /// Changes settings: caps, windows, limits. Under test every sleep of a durable task is parked, however short,
    /// and the lease is one hour, so that days pass in a moment.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Uses this ledger instead of one in memory.
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Uses an empty ledger in memory whose turns, tasks and leases take their times from this clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ledger = Some(Arc::new(MemoryLedger::with_clock(clock)));
        self
    }

    /// Uses the ledger of another platform, as a second node does, or a node that starts after a crash.
    pub fn on_ledger_of(mut self, other: &TestPlatform) -> Self {
        self.ledger = Some(other.ledger());
        self.settings.blobs = other.blobs();
        self
    }

    /// Lets outgoing calls leave the process, for a test with a server of its own.
    ///
    /// Without this no socket is opened: the rules of [`TestPlatform::http`] answer the calls, and a
    /// call without a rule fails the test. On a paused clock timeouts fire at once, so write
    /// `#[imperal::test(clock = "real")]`.
    pub fn real_network(mut self) -> Self {
        self.network = Network::Real;
        self
    }

    /// Answers outgoing calls from a recording of a real service: a JSON file, its path relative to the
    /// crate's folder.
    ///
    /// With the environment variable `IMPERAL_RECORD` set, calls go to the real service, and the file
    /// is written when the platform is dropped. The paused clock stands still during such a call.
    ///
    /// Each recorded response is given once, in the recorded order for equal requests. Method, URL and
    /// body must be equal to the recorded ones. The file has these three of a request, and status,
    /// headers and body of a response. Values of query parameters, JSON fields and headers become
    /// `REDACTED` when their name contains key, token, secret, signature, password or cookie. Read the
    /// file before you commit it.
    ///
    /// Rules of [`TestPlatform::http`] come first, also while recording.
    pub fn recording(mut self, file: impl Into<PathBuf>) -> Self {
        self.network = Network::Recording(file.into());
        self
    }

    /// Starts the platform.
    ///
    /// # Panics
    /// When the functions of this binary cannot be served, a state cannot be made, or a recording
    /// cannot be read. The message says why.
    pub async fn start(self) -> TestPlatform {
        let clock = || Arc::new(MemoryLedger::with_clock(Arc::new(TestClock::start())));
        let kept = Kept {
            ledger: self.ledger.unwrap_or_else(|| clock()),
            folder: self.state.folder(),
            state: self.state,
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
