//! The extension that the conformance suite of MCP asks for: its scenarios call these functions by name. Only those of
//! the scenarios that `tests/mcp/conformance.rs` lists.

#![allow(deprecated, reason = "the results of test functions need no data_model")]

use std::process::ExitCode;
use std::time::Duration;

use imperal::prelude::*;

imperal::extension! {
    app_id: "mcp-fixture",
    name: "MCP fixture",
    description: "Has the functions that the conformance suite of MCP calls.",
    icon: "icon.svg",
    capabilities: ["mcp-fixture:write"],
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Name {
    /// Whom to greet.
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Compute {
    /// How long it takes.
    #[serde(default)]
    seconds: u64,
    /// A name for the work.
    #[serde(default)]
    label: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct File {
    /// Which file.
    #[serde(default)]
    filename: String,
}

/// Answer with a simple text.
#[chat_function(action_type = "write", event = "answered", effects = ["create:thing"])]
async fn test_simple_text(_ctx: Context, _params: Nothing) -> Result<ActionResult> {
    Ok(ActionResult::done("This is a simple text response for testing."))
}

/// Fail with an error of its own.
#[chat_function(action_type = "write", event = "answered", effects = ["create:thing"])]
async fn test_error_handling(_ctx: Context, _params: Nothing) -> Result<ActionResult> {
    Err(Error::user("TEST_ERROR", "This tool intentionally returns an error for testing"))
}

/// Report progress three times.
#[chat_function(action_type = "write", event = "progressed", effects = ["create:thing"], background)]
async fn test_tool_with_progress(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(async move |ctx: Context| {
        for percent in [0, 50, 100] {
            ctx.progress(percent, "").await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok(ActionResult::done("Done."))
    })
    .await?;
    Ok(ActionResult::done("Begun."))
}

/// Greet a person by their name.
#[chat_function(action_type = "write", event = "answered", effects = ["create:thing"])]
async fn greet(_ctx: Context, params: Name) -> Result<ActionResult> {
    Ok(ActionResult::done(format!("Hello, {}!", params.name)))
}

/// Compute in the background.
#[chat_function(action_type = "write", event = "computed", effects = ["create:thing"], background)]
async fn slow_compute(ctx: Context, params: Compute) -> Result<ActionResult> {
    ctx.background_task(async move |ctx: Context| {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(params.seconds)) => {
                Ok(ActionResult::done(format!("Computed {}.", params.label)))
            }
            () = ctx.cancelled() => Err(Error::cancelled()),
        }
    })
    .await?;
    Ok(ActionResult::done("Computing."))
}

/// Fail in the background, after a second.
#[chat_function(action_type = "write", event = "failed", effects = ["create:thing"], background)]
async fn failing_job(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(async move |_: Context| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err::<ActionResult, _>(Error::user("TEST_ERROR", "This job always fails."))
    })
    .await?;
    Ok(ActionResult::done("Begun."))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Confirmed {
    /// Whether to go on.
    confirm: bool,
}

#[durable_task]
async fn confirm_deletion(ctx: TaskContext, file: File) -> Result<ActionResult> {
    let answer = ctx.ask::<Confirmed>("confirm", format!("Delete {}?", file.filename)).await?;
    Ok(ActionResult::done(if answer.confirm { "Deleted." } else { "Kept." }))
}

/// Ask before a file is deleted.
#[chat_function(action_type = "write", event = "confirmed", effects = ["update:file"], background)]
async fn confirm_delete(ctx: Context, params: File) -> Result<ActionResult> {
    ctx.durable_task(confirm_deletion::with(params)).await?;
    Ok(ActionResult::done("Asking."))
}

#[durable_task]
async fn ask_twice(ctx: TaskContext, _input: ()) -> Result<ActionResult> {
    let (first, second) = tokio::join!(
        ctx.ask::<Confirmed>("first", "Go on with the first?").into_future(),
        ctx.ask::<Confirmed>("second", "Go on with the second?").into_future(),
    );
    Ok(ActionResult::done(format!("{} and {}.", first?.confirm, second?.confirm)))
}

/// Ask two questions at once.
#[chat_function(action_type = "write", event = "asked", effects = ["update:file"], background)]
async fn multi_input(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.durable_task(ask_twice::with(())).await?;
    Ok(ActionResult::done("Asking."))
}

fn main() -> ExitCode {
    imperal::App::new().run()
}
