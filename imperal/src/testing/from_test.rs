//! What `#[imperal::test]` expands to: the runtime, and where a test's parameter comes from.

use std::future::Future;

use super::{TestPlatform, TestSetup, log};

/// A value that [`#[imperal::test]`](macro@crate::test) can hand to a test.
#[diagnostic::on_unimplemented(
    message = "`#[imperal::test]` cannot make a `{Self}`",
    label = "not something that a test is handed",
    note = "take `platform: TestPlatform`, or `setup: TestSetup` to give it state and settings before it starts"
)]
pub trait FromTest: Sized {
    #[doc(hidden)]
    fn from_test() -> impl Future<Output = Self>;
}

/// A platform that serves this test binary's functions.
impl FromTest for TestPlatform {
    async fn from_test() -> Self {
        TestSetup::from_test().await.start().await
    }
}

/// The same before it is started.
impl FromTest for TestSetup {
    async fn from_test() -> Self {
        TestPlatform::setup()
    }
}

/// Compiles for what a test can be handed.
pub fn assert_from_test<T: FromTest>() {}

/// Runs a test's body to its end.
///
/// # Panics
/// When the runtime cannot be made.
pub fn run<T>(paused: bool, body: impl Future<Output = T>) -> T {
    let log = log::Log::begin();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(paused);
    log.hear_threads_of(&mut builder);
    let runtime = builder.build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for the test: {error}"));
    let outcome = runtime.block_on(body);
    // A thread of the work that never returns is no reason to wait for ever.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}
