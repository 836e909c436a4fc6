//! Chat extensions whose background work is never lost.
//!
//! An author annotates async functions with [`chat_function`] and declares the crate once with
//! [`extension!`]. The binary then *is* the platform: `cargo run` serves a chat page, runs the
//! functions, detaches slow work with [`Context::background_task`], and puts the outcome into the
//! user's chat exactly once, whatever is killed at whatever moment.

#![cfg_attr(
    not(feature = "platform"),
    allow(
        dead_code,
        unused_imports,
        reason = "without the platform the surfaces have their types and nobody behind them"
    )
)]

extern crate self as imperal;

#[cfg(feature = "platform")]
mod app;
#[cfg(feature = "platform")]
pub mod cli;
pub mod codes;
pub mod context;
#[cfg(feature = "platform")]
mod crash;
mod error;
mod extension;
pub mod function;
#[cfg(feature = "platform")]
pub mod gateway;
pub mod ids;
#[cfg(feature = "platform")]
pub mod ledger;
#[cfg(feature = "platform")]
pub mod manifest;
#[cfg(feature = "platform")]
pub mod platform;
mod result;
mod sync;
#[cfg(feature = "platform")]
mod task;
#[cfg(feature = "platform")]
pub mod testing;
#[cfg(feature = "platform")]
pub use app::{App, run};
pub use context::{Context, User};
pub use error::{Error, ErrorKind, RunningTask};
pub use extension::ExtensionDef;
pub use function::ActionType;
#[doc = include_str!("../macros.md")]
pub use imperal_macros::chat_function;
pub use result::{ActionResult, Result, WireResult};

/// What almost every extension file needs, in one line.
pub mod prelude {
    pub use crate::{ActionResult, Context, Error, Result, chat_function, codes};
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use std::process::ExitCode;
    pub use std::time::Duration;
}

/// What the macros expand to. Not public API: it may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::extension::{ExtensionDef, HostedCrate};
    pub use crate::function::{ActionType, ChatHandler, Data, FunctionDef, Handler, HandlerOutput, Otherwise, Shape};
    #[cfg(feature = "platform")]
    pub use crate::manifest::assert_manifest_is_fresh;
    pub use crate::result::{ActionResult, Result};
    pub use imperal_macros::extension;
    pub use inventory;
}

/// The README's examples, compiled.
#[cfg(all(doctest, feature = "platform"))]
#[doc = include_str!("../../README.md")]
mod readme {}
