//! The functions that the benches call.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use imperal::prelude::*;

imperal::extension! {
    app_id: "bench",
    name: "Bench",
    description: "Functions whose cost the bench measures, and nothing else.",
    icon: "icon.svg",
    capabilities: ["bench:write"],
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Echo {
    text: String,
    #[schemars(range(min = 0, max = 100))]
    times: u32,
    #[serde(default)]
    label: Option<String>,
}

/// Answer at once with what was said.
#[chat_function(action_type = "read")]
async fn echo(_ctx: Context, params: Echo) -> Result<ActionResult<Echo>> {
    Ok(ActionResult::success(params, "Echoed."))
}

/// Answer at once, as a function that changes something.
#[chat_function(action_type = "write", event = "kept", effects = ["update:nothing"])]
async fn keep(_ctx: Context, params: Echo) -> Result<ActionResult<Echo>> {
    Ok(ActionResult::success(params, "Kept."))
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Started {
    /// Time of `background_task(..).await`.
    nanos: u64,
}

/// Wait in the background until the process ends.
#[chat_function(action_type = "write", event = "parked", effects = ["update:nothing"])]
async fn park(ctx: Context, _params: Nothing) -> Result<ActionResult<Started>> {
    let begun = std::time::Instant::now();
    ctx.background_task(|_| std::future::pending::<Result<ActionResult>>()).long_running(true).await?;
    let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(ActionResult::success(Started { nanos }, "Parked."))
}

/// The same, written with its task.
#[chat_function(action_type = "write", event = "parked", effects = ["update:nothing"], starter)]
async fn park_first(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| std::future::pending::<Result<ActionResult>>()).long_running(true).await?;
    Ok(ActionResult::done("Parked."))
}

/// Work in the background until it is told to stop.
#[chat_function(action_type = "write", event = "waited", effects = ["update:nothing"])]
async fn obey(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        ctx.cancelled().await;
        Ok(ActionResult::done("Stopped."))
    })
    .await?;
    Ok(ActionResult::done("Waiting."))
}

/// The steps of a task that is resumed.
pub(super) const STEPS: u32 = 100;

/// When the bodies of the bench's durable task began, and when they had passed their stored steps.
#[derive(Clone, Default)]
pub(super) struct Passed(pub(super) Arc<Mutex<Vec<(Instant, Instant)>>>);

/// Passes its steps, then waits for another process.
#[durable_task]
async fn replayed(ctx: TaskContext, _job: ()) -> Result<ActionResult> {
    let begun = Instant::now();
    for number in 0..STEPS {
        ctx.step(("step", number), async |_| Ok("x".repeat(400))).await?;
    }
    let (live, passed) = (Instant::now(), ctx.state::<Passed>()?);
    let round = passed.0.lock().map_err(|_| Error::internal("a bench panicked"))?.len();
    // Attempts that store nothing end a task after 20 of them.
    ctx.step(("round", round), async |_| Ok(())).await?;
    passed.0.lock().map_err(|_| Error::internal("a bench panicked"))?.push((begun, live));
    std::future::pending().await
}

/// Start the durable task.
#[chat_function(action_type = "write", event = "replayed", effects = ["update:nothing"])]
async fn replay(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.durable_task(replayed::with(())).long_running(true).await?;
    Ok(ActionResult::done("Started."))
}

#[derive(Deserialize, JsonSchema)]
struct Url {
    url: String,
}

/// Wait in the background for a service that does not answer.
#[chat_function(action_type = "write", event = "called", effects = ["update:nothing"])]
async fn call_out(ctx: Context, params: Url) -> Result<ActionResult> {
    ctx.background_task(move |ctx| async move {
        let answer = ctx.http().get(&params.url).timeout(120).send().await?;
        Ok(ActionResult::done(format!("It answered {}.", answer.status())))
    })
    .await?;
    Ok(ActionResult::done("Calling."))
}
