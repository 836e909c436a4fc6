//! The surfaces of an author's context: retries, polling a job, fan-out, blocking code, cleanup after a
//! cancel, one task per key.
//!
//! Each test runs on a platform in memory: with a paused clock where only time matters, and against a server
//! in this process where bytes matter.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod blocking;
mod draft;
mod extremes;
mod fan_out;
mod key;
mod on_cancel;
mod poll;
mod redirect;
mod retry;
mod server;
mod stream;
mod stream_server;

use std::pin::Pin;
use std::sync::Arc;

use imperal::ledger::{Task, Turn};
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser};
use serde_json::json;

imperal::extension! {
    app_id: "surfaces",
    name: "Surfaces",
    description: "Runs the work that a test gives it, in a task or in the handler.",
    icon: "icon.svg",
    capabilities: ["surfaces:write"],
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

type Work = Arc<dyn Fn(Context) -> Pin<Box<dyn Future<Output = Result<ActionResult>> + Send>> + Send + Sync>;

/// Run the test's work in the background.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn in_background(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let work = ctx.state::<Work>()?.clone();
    ctx.background_task(move |ctx| async move { work(ctx).await }).name("The work").long_running(true).await?;
    Ok(ActionResult::done("started"))
}

/// Run the test's work in the handler.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn in_handler(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let work = ctx.state::<Work>()?.clone();
    work(ctx).await
}

fn work<F, Fut>(work: F) -> Work
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    Arc::new(move |ctx| Box::pin(work(ctx)))
}

/// A platform that runs this work, and a user.
async fn platform<F, Fut>(what: F) -> (TestPlatform, TestUser)
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    let platform = TestPlatform::setup().state(work(what)).real_network().start().await;
    let anna = platform.user("anna");
    (platform, anna)
}

/// Runs the work in a task to its end.
async fn run<F, Fut>(what: F) -> (Task, Turn)
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    let (_platform, anna) = platform(what).await;
    let task_id = anna.start("in_background", json!({})).await;
    ended(&anna, task_id).await
}

async fn ended(anna: &TestUser, task_id: imperal::ids::TaskId) -> (Task, Turn) {
    let task = anna.end_of(task_id).await;
    let mut outcomes = anna.outcomes(task_id).await;
    assert_eq!(outcomes.len(), 1, "one outcome turn: {outcomes:?}");
    (task, outcomes.remove(0))
}

fn code(turn: &Turn) -> String {
    turn.body.result.as_ref().and_then(|result| result.error_code.as_ref()).map(ToString::to_string).unwrap_or_default()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
