//! The expansion of `#[imperal::test]`: the runtime, and the source of a test's parameter.

use std::future::Future;

use super::{TestPlatform, TestSetup, log};

/// A value that [`#[imperal::test]`](macro@crate::test) can pass to a test.
#[diagnostic::on_unimplemented(
    message = "`#[imperal::test]` cannot make a `{Self}`",
    label = "not a parameter of a test",
    note = "take `platform: TestPlatform`, or `setup: TestSetup` to set state and settings before the start"
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

/// The same platform before its start.
impl FromTest for TestSetup {
    async fn from_test() -> Self {
        TestPlatform::setup()
    }
}

/// Compiles only for parameters of a test.
pub fn assert_from_test<T: FromTest>() {}

/// Runs a test's body to its end.
///
/// # Panics
/// When the runtime cannot be created.
pub fn run<T>(paused: bool, body: impl Future<Output = T>) -> T {
    let log = log::Log::begin();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(paused);
    log.capture_threads_of(&mut builder);
    let runtime = builder.build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for the test: {error}"));
    let outcome = runtime.block_on(body);
    // A blocking thread of the work may never return.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}
