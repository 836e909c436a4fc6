//! The test kit for authors: a platform in memory, a clock that tests control, scripted HTTP, crashes,
//! and cancels at any point. With the feature `testing`.
//!
//! Everything except the disk and the network is real: dispatch, supervision, caps, cancels, delivery,
//! audit. [`#[imperal::test]`](macro@crate::test) gives a test its platform on a clock that stands still
//! while work runs and jumps to the next wait when nothing runs. A task of half an hour is a test of
//! milliseconds.

mod clock;
mod documents;
mod files;
mod from_test;
mod http;
mod log;
mod model;
mod outcome;
mod platform;
mod replay;
mod secrets;
mod setup;
mod state;
mod transcript;
mod user;
mod watch;

pub use documents::TestDocuments;
pub use from_test::FromTest;
#[doc(hidden)]
pub use from_test::{assert_from_test, run};
pub use http::{Chunks, Reply, Rule, RuleLog, ScriptedHttp, SentRequest};
pub use model::{ModelReply, ScriptedModel};
pub use outcome::Outcome;
pub use platform::TestPlatform;
pub use replay::{Replay, ReplayEnd, ReplayProblem, ReplayReport, ReplayedTask, replay};
pub use setup::TestSetup;
pub use user::TestUser;
pub use watch::Report;
