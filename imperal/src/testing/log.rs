//! The log of a test: lines that the platform and the extension write to `tracing`.
//!
//! It prints through the test harness, which shows the output after a failure or with `--nocapture`.
//! It is installed for the test's threads only, because a test binary may install its own.

use std::fmt;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::EnvFilter;

/// Captures while it exists; empty when the thread has another subscriber.
pub(super) struct Log(Option<(Dispatch, dispatcher::DefaultGuard)>);

impl Log {
    /// Captures this thread from now on. `RUST_LOG` filters; the default is `info`.
    pub(super) fn begin() -> Self {
        if !dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
            return Self(None);
        }
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        // No timestamps: the test's clock may be paused.
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().without_time().with_ansi(false);
        let log = Dispatch::new(log.finish());
        let guard = dispatcher::set_default(&log);
        Self(Some((log, guard)))
    }

    /// Captures the threads of a runtime too, where blocking work runs.
    pub(super) fn capture_threads_of(&self, runtime: &mut tokio::runtime::Builder) {
        if let Some((log, _)) = &self.0 {
            let log = log.clone();
            // The guard lives as long as the thread, which ends with the runtime.
            runtime.on_thread_start(move || std::mem::forget(dispatcher::set_default(&log)));
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.0.is_some()).finish()
    }
}
