//! Chat extensions whose background work is never lost.
//!
//! An author annotates async functions with [`chat_function`] and declares the crate once with
//! [`extension!`]. The binary then *is* the platform: `cargo run` serves a chat page, runs the
//! functions, detaches slow work with [`Context::background_task`], and puts the outcome into the
//! user's chat exactly once, whatever is killed at whatever moment.
//!
//! ```no_run
//! use imperal::prelude::*;
//!
//! imperal::extension! {
//!     app_id: "greeter",
//!     name: "Greeter",
//!     description: "Greets people by their name, at once or at length in the background.",
//!     icon: "icon.svg",
//!     capabilities: ["greeter:write"],
//! }
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Who { name: String }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Greeting { text: String }
//!
//! /// Greet a person at length in the background.
//! #[chat_function(action_type = "write", event = "greeted", effects = ["create:greeting"], data_model = Greeting, background)]
//! async fn greet(ctx: Context, who: Who) -> Result<ActionResult> {
//!     ctx.background_task(|ctx| async move {
//!         ctx.progress(50, "Finding words").await?;
//!         let text = format!("Hello, {}!", who.name);
//!         Ok(ActionResult::success(Greeting { text: text.clone() }, text))
//!     })
//!     .await?;
//!     Ok(ActionResult::done("Thinking about what to say…"))
//! }
//!
//! fn main() -> ExitCode { imperal::run() }
//! ```
//!
//! # A tour
//!
//! | you want to | look at |
//! |---|---|
//! | write a function | [`chat_function`], [`ActionResult`], [`Error`], [`codes`] |
//! | call a service | [`Context::http`], with [`Retry`](context::Retry) |
//! | detach slow work | [`Context::background_task`], [`Context::progress`], [`Context::cancelled`] |
//! | continue after a crash or a deploy | [`durable_task`](macro@durable_task), [`Context::durable_task`], [`TaskContext::step`] |
//! | wait for a job elsewhere | [`Context::poll`] |
//! | do many things at once | [`Context::fan_out`] |
//! | run code that blocks | [`Context::blocking`] |
//! | clean up after a cancel | [`Context::on_cancel`] |
//! | say something midway | [`Context::deliver_chat_message`] |
//! | share a client or a table | [`App::state`], [`Context::state`] |
//! | keep files, or take them as parameters | [`Context::files`], [`FileRef`] |
//! | know who asks | [`Context::user`], [`User`] |
//! | test all of that in milliseconds | [`testing`] |
//! | serve it from your own axum server | [`server`], with [`gateway`], [`platform`] and [`ledger`] behind it |
//! | write or check `imperal.json` | [`manifest`] |
//!
//! Beside this the repository's `docs` have a tutorial, which pattern to choose, the guarantees and
//! how they are tried, the commands, and the differences from the Python SDK.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `platform` | yes | the ledger on SQLite, the HTTP API, the chat page and the commands |
//! | `testing` | yes | [`testing`] and [`macro@test`]: a platform in memory for an extension's own tests |
//! | `postgres` | no | the ledger on PostgreSQL 15 or later, for platforms of several nodes |
//! | `s3` | no | the bytes of files in S3-compatible storage |
//! | `otel` | no | traces of calls, tasks, commits, leases and streams by OTLP over HTTP |
//! | `mcp` | no | the functions as tools for MCP clients, at `/mcp` |
//! | `conformance` | no | the checks of the ledger contract, for authors of a backend |
//!
//! Without any feature the crate has the types that functions are written with, and the platform on a ledger
//! in memory. A library of functions needs no more; the binary that hosts it chooses the features.

// A field or variant that is added later must not break another crate; where it should, the type says why.
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
// docs.rs shows which feature each item needs; that takes a nightly compiler.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "platform", feature = "testing")),
    allow(dead_code, unused_imports, reason = "a library of functions is compiled without a host that calls them")
)]

extern crate self as imperal;

#[cfg(feature = "platform")]
mod app;
mod assistant;
mod backoff;
#[cfg(feature = "platform")]
mod cli;
pub mod codes;
pub mod context;
mod error;
mod extension;
mod failpoint;
mod files;
pub mod function;
#[cfg(feature = "platform")]
pub mod gateway;
pub mod ids;
mod keyed_semaphore;
pub mod ledger;
mod loops;
#[cfg(feature = "platform")]
pub mod manifest;
#[cfg(feature = "mcp")]
pub mod mcp;
mod meters;
mod panic_text;
pub mod platform;
#[cfg(feature = "platform")]
mod private_file;
mod rate;
mod result;
mod rows;
mod schedule;
mod secrets;
#[cfg(feature = "platform")]
pub mod server;
mod sync;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod trace;
mod truncate;
mod user;
mod vault;

use imperal_manifest::json;
#[cfg(feature = "platform")]
use imperal_manifest::visible;

#[cfg(feature = "platform")]
pub use app::App;
pub use assistant::AssistantSettings;
#[cfg(feature = "platform")]
pub use cli::run;
pub use context::{Context, TaskContext};
pub use error::{Error, ErrorKind, RunningTask};
pub use extension::ExtensionDef;
pub use files::FileRef;
pub use function::ActionType;
#[doc = include_str!("../docs/macros.md")]
pub use imperal_macros::chat_function;
#[doc = include_str!("../docs/durable_task.md")]
pub use imperal_macros::durable_task;
#[doc = include_str!("../docs/schedule.md")]
pub use imperal_macros::schedule;
#[cfg(feature = "testing")]
/// Makes an async fn a test on a platform of its own: see [`testing`], and `docs/testing.md` for the
/// whole of it.
///
/// The fn takes nothing, `platform: TestPlatform`, or `setup: TestSetup`. Its outgoing HTTP is
/// scripted, and its clock is paused unless `#[imperal::test(clock = "real")]` says otherwise.
pub use imperal_macros::test;
pub use platform::Queue;
pub use result::{ActionResult, Result, WireResult};
pub use secrets::{Secret, SecretScope, SecretValue, SecretWriter};
#[cfg(feature = "platform")]
pub use server::Server;
pub use user::User;

/// State that an extension keeps for its users: collections, documents, queries. See [`Context::documents`].
pub mod documents {
    pub use crate::context::{Collection, Cursor, Document, DocumentValue, Documents, Find, Found, UnreadableDocument};
}

/// Functions that run for their users at times. See [`Context::schedules`] and [`platform::ScheduleAccess`].
pub mod schedules {
    pub use crate::context::{OwnSchedule, OwnSchedules};
    pub use crate::schedule::{InvalidSchedule, When};
}

/// The names that almost every extension file needs, in one line.
pub mod prelude {
    pub use crate::{
        ActionResult, Context, Error, FileRef, Result, TaskContext, chat_function, codes, durable_task, schedule,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use std::process::ExitCode;
    pub use std::time::Duration;
}

/// The names that the macros expand to. Not public API: they may change in any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::context::PreparedTask;
    pub use crate::extension::{ExtensionDef, HostedCrate};
    pub use crate::failpoint::install as install_failpoint_hook;
    pub use crate::function::probe::{Data, Fallback, Shape, assert_data_model, assert_output};
    pub use crate::function::{ActionType, ChatHandler, DataType, FunctionDef, Handler, HandlerOutput};
    pub use crate::function::{DurableDef, DurableHandler, TaskHandler};
    pub use crate::function::{JobDef, JobHandler, RunJob, collection_name, run_job};
    #[cfg(feature = "platform")]
    pub use crate::manifest::assert_manifest_is_fresh;
    pub use crate::result::{ActionResult, Result};
    pub use crate::secrets::assert_distinct;
    #[cfg(feature = "testing")]
    pub use crate::testing::assert_from_test;
    pub use imperal_macros::extension;
    pub use inventory;
}
