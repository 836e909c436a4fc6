//! The examples of the README and of `docs/`, compiled as documentation tests.
//!
//! The pages belong to no published crate, so a package must not include them. They are compiled here.

#[doc = include_str!("../../README.md")]
mod readme {}
#[doc = include_str!("../../docs/choosing.md")]
mod choosing {}
#[doc = include_str!("../../docs/durable.md")]
mod durable {}
#[doc = include_str!("../../docs/migration.md")]
mod migration {}
#[doc = include_str!("../../docs/streaming.md")]
mod streaming {}
#[doc = include_str!("../../docs/state.md")]
mod state {}
#[doc = include_str!("../../docs/tutorial.md")]
mod tutorial {}
#[doc = include_str!("../../docs/secrets.md")]
mod secrets {}
#[doc = include_str!("../../docs/schedules.md")]
mod schedules {}
