//! The extension that the suites start: one function for each way in which work can succeed or fail.

#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod charge;
mod journey;
mod questions;
mod relay;
mod turns;
mod untrusted;

use std::process::ExitCode;

use imperal::context::{MsgType, Retry};
use imperal::prelude::*;

imperal::extension! {
    app_id: "probe",
    name: "Probe",
    description: "Functions that work, wait, fail, hang and panic, for the suites of the platform.",
    icon: "icon.svg",
    capabilities: ["probe:write"],
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Echo {
    /// What to say.
    #[schemars(length(min = 1, max = 1000))]
    text: String,
    /// How often.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9))]
    times: u8,
}

/// Answer at once with what was said.
#[chat_function(action_type = "read")]
async fn echo(_ctx: Context, params: Echo) -> Result<ActionResult<Echo>> {
    let text = params.text.clone();
    Ok(ActionResult::success(params, text))
}

#[derive(Deserialize, JsonSchema)]
struct Steps {
    /// How many steps.
    steps: u32,
    /// Milliseconds a step.
    step_ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct Done {
    task_id: String,
}

/// Work in the background in steps, with progress at each.
#[chat_function(action_type = "write", event = "stepped", effects = ["update:probe"], data_model = Done, background)]
async fn steps(ctx: Context, params: Steps) -> Result<ActionResult<Done>> {
    let task_id = ctx
        .background_task(async move |ctx: Context| {
            for step in 0..params.steps {
                ctx.progress(step * 100 / params.steps.max(1), format!("Step {step}")).await?;
                tokio::time::sleep(Duration::from_millis(params.step_ms)).await;
            }
            Ok(ActionResult::done(format!("{} steps done.", params.steps)))
        })
        .name("steps")
        .await?;
    Ok(ActionResult::success(Done { task_id: task_id.to_string() }, "Stepping."))
}

#[derive(Deserialize, JsonSchema)]
struct Writing {
    /// How many.
    words: u32,
    /// Pause after each.
    word_ms: u64,
    /// Then wait for ever.
    #[serde(default)]
    hang: bool,
}

async fn write_words(ctx: Context, params: Writing) -> Result<ActionResult> {
    let mut draft = ctx.draft()?;
    for word in 0..params.words {
        draft.push(format!("w{word}😀 ")).await?;
        tokio::time::sleep(Duration::from_millis(params.word_ms)).await;
    }
    if params.hang {
        loop {
            draft.push("").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(ActionResult::done(draft.into_text()))
}

/// Write words in the handler, while the user reads them.
#[chat_function(action_type = "write", event = "written", effects = ["update:probe"])]
async fn say_words(ctx: Context, params: Writing) -> Result<ActionResult> {
    write_words(ctx, params).await
}

/// Write words in a function that only reads, which the ledger gets once it has written some.
#[chat_function(action_type = "read", data_model = Done)]
async fn read_words(ctx: Context, params: Writing) -> Result<ActionResult> {
    write_words(ctx, params).await
}

/// Write words in a background task, while the user reads them.
#[chat_function(action_type = "write", event = "written", effects = ["update:probe"], data_model = Done, background, starter)]
async fn write_words_later(ctx: Context, params: Writing) -> Result<ActionResult<Done>> {
    let task_id = ctx.background_task(|ctx| write_words(ctx, params)).await?;
    Ok(ActionResult::success(Done { task_id: task_id.to_string() }, "Writing."))
}

#[derive(Deserialize, JsonSchema)]
struct Url {
    /// Where to.
    url: String,
}

/// Wait in the background for a service that does not answer.
#[chat_function(action_type = "write", event = "waited", effects = ["update:probe"], data_model = Done, background)]
async fn hang(ctx: Context, params: Url) -> Result<ActionResult<Done>> {
    let task_id = ctx
        .background_task(|ctx| async move {
            // A broad catch: its result must not undo the cancel.
            match ctx.http().get(&params.url).timeout(120).send().await {
                Ok(answer) => Ok(ActionResult::done(format!("It answered {}.", answer.status()))),
                Err(error) => Ok(ActionResult::done(format!("Swallowed: {error}"))),
            }
        })
        .await?;
    Ok(ActionResult::success(Done { task_id: task_id.to_string() }, "Waiting."))
}

/// Ask a service: in the foreground, from a task of the runtime's own, and in the background.
#[chat_function(action_type = "write", event = "fetched", effects = ["update:probe"], data_model = Done, background)]
async fn fetch(ctx: Context, params: Url) -> Result<ActionResult<Done>> {
    let (stray, url) = (ctx.clone(), params.url.clone());
    ctx.http().get(&url).send().await?;
    let again = Retry::waits([Duration::from_millis(10)]);
    tokio::spawn(async move { stray.http().get(url).retry(again).send().await.map(drop) })
        .await
        .map_err(std::io::Error::other)??;
    let task = ctx.background_task(async move |ctx: Context| {
        ctx.log().info("on the way");
        let own = tracing::info_span!("of the author");
        let answer = tracing::Instrument::instrument(ctx.http().get(&params.url).send(), own).await?;
        Ok(ActionResult::done(format!("It answered {}.", answer.status())))
    });
    let task_id = task.await?;
    Ok(ActionResult::success(Done { task_id: task_id.to_string() }, "Fetching."))
}

#[derive(Deserialize, JsonSchema)]
struct Millis {
    /// How long.
    millis: u64,
}

/// Work in the background and listen to nobody.
#[chat_function(action_type = "write", event = "insisted", effects = ["update:probe"], data_model = Done, background)]
async fn stubborn(ctx: Context, params: Millis) -> Result<ActionResult<Done>> {
    let task_id = ctx
        .background_task(move |_ctx| async move {
            tokio::time::sleep(Duration::from_millis(params.millis)).await;
            Ok(ActionResult::done("Finished all the same."))
        })
        .await?;
    Ok(ActionResult::success(Done { task_id: task_id.to_string() }, "Insisting."))
}

/// Hold a thread in the background without ever yielding it.
#[chat_function(action_type = "write", event = "blocked", effects = ["update:probe"], data_model = Done, background)]
async fn block(ctx: Context, params: Millis) -> Result<ActionResult<Done>> {
    let task = ctx.background_task(move |_ctx| async move {
        std::thread::sleep(Duration::from_millis(params.millis));
        Ok(ActionResult::done("Let go."))
    });
    let task_id = task.name("blocker").await?;
    Ok(ActionResult::success(Done { task_id: task_id.to_string() }, "Blocking."))
}

/// Take some time in the foreground.
#[chat_function(action_type = "write", event = "lingered", effects = ["update:probe"])]
async fn linger(_ctx: Context, params: Millis) -> Result<ActionResult> {
    tokio::time::sleep(Duration::from_millis(params.millis)).await;
    Ok(ActionResult::done("Lingered."))
}

#[derive(Deserialize, JsonSchema)]
struct Filler {
    /// What to repeat.
    unit: String,
    /// How often.
    times: usize,
}

#[derive(Serialize, JsonSchema)]
struct Delivered {
    turn_id: String,
    truncated: bool,
}

/// Deliver a long message into the chat.
#[chat_function(action_type = "write", event = "delivered", effects = ["create:turn"])]
async fn deliver(ctx: Context, params: Filler) -> Result<ActionResult<Delivered>> {
    let receipt = ctx
        .deliver_chat_message(params.unit.repeat(params.times))
        .msg_type(MsgType::System)
        .refresh_panels(["probe"])
        .await?;
    let delivered = Delivered { turn_id: receipt.turn_id.to_string(), truncated: receipt.truncated };
    Ok(ActionResult::success(delivered, "Delivered."))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    Panic,
    Error,
    Answer,
}

#[derive(Deserialize, JsonSchema)]
struct Failure {
    /// In which way.
    how: How,
    /// In a background task.
    #[serde(default)]
    later: bool,
}

fn go_wrong(how: &How) -> Result<ActionResult> {
    match how {
        How::Panic => panic!("the secret of the panic"),
        How::Error => Err(std::io::Error::other("the secret of the error").into()),
        How::Answer => Ok(ActionResult::error("PROBE_FAILED", "It failed as it was told to.")),
    }
}

/// Fail in a chosen way, at once or in the background.
#[chat_function(action_type = "write", event = "failed", effects = ["update:probe"])]
async fn fail(ctx: Context, params: Failure) -> Result<ActionResult> {
    if params.later {
        ctx.background_task(|_| async move { go_wrong(&params.how) }).await?;
        return Ok(ActionResult::done("Failing later."));
    }
    go_wrong(&params.how)
}

/// Erase words for good, and say which.
#[chat_function(action_type = "destructive", event = "erased", effects = ["delete:words"])]
async fn erase_words(_ctx: Context, params: Echo) -> Result<ActionResult> {
    Ok(ActionResult::done(format!("Erased: {}", params.text)))
}

/// A state of the extension in the data folder.
struct Shelf;

impl Shelf {
    fn open(folder: &std::path::Path) -> std::io::Result<Self> {
        if folder.join("no-shelf").exists() {
            return Err(std::io::Error::other("the shelf is gone"));
        }
        Ok(Self)
    }
}

fn main() -> ExitCode {
    imperal_tests::failpoints::install();
    let narrow = imperal::Queue::new("narrow").at_most(6).per_user(2);
    let fair = imperal::Queue::new("fair").at_most(1);
    imperal::App::new().queue(narrow).queue(fair).state_in(Shelf::open).run()
}
