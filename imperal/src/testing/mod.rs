//! What authors test their functions with: a platform in memory, a clock that tests move, scripted
//! HTTP, crashes, cancels at any point. With the feature `testing`.
//!
//! Everything is real but the disk and the network: dispatch, supervision, caps, cancels, delivery,
//! audit. [`#[imperal::test]`](macro@crate::test) hands a test its platform on a clock that stands
//! still while there is something to do and jumps to the next wait when there is not: a task of half
//! an hour is a test of milliseconds.

mod clock;
mod from_test;
mod http;
mod log;
mod outcome;
mod platform;
mod setup;
mod transcript;
mod user;
mod watch;

pub use from_test::FromTest;
#[doc(hidden)]
pub use from_test::{assert_from_test, run};
pub use http::{Reply, Rule, RuleLog, ScriptedHttp, SentRequest};
pub use outcome::Outcome;
pub use platform::TestPlatform;
pub use setup::TestSetup;
pub use user::TestUser;
