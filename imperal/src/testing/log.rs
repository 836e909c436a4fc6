//! The log of a test: what the platform and the extension say to `tracing`, printed where a test
//! fails.
//!
//! Printing goes through the harness, which shows it after a failure or with `--nocapture`. Set for
//! the test's threads alone: a test binary may have a log of its own, and set it when it likes.

use std::fmt;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::EnvFilter;

/// The log while it lasts; nothing where there is another already.
pub(super) struct Log(Option<(Dispatch, dispatcher::DefaultGuard)>);

impl Log {
    /// Hears this thread from now on. `RUST_LOG` chooses what; `info` without it.
    pub(super) fn begin() -> Self {
        if !dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
            return Self(None);
        }
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        // The machine's time says nothing about a test whose clock stands still.
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().without_time().with_ansi(false);
        let log = Dispatch::new(log.finish());
        let heard = dispatcher::set_default(&log);
        Self(Some((log, heard)))
    }

    /// Hears the threads of a runtime too, on which blocking work runs.
    pub(super) fn hear_threads_of(&self, runtime: &mut tokio::runtime::Builder) {
        if let Some((log, _)) = &self.0 {
            let log = log.clone();
            // For as long as the thread is there, which ends with the runtime.
            runtime.on_thread_start(move || std::mem::forget(dispatcher::set_default(&log)));
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.0.is_some()).finish()
    }
}
