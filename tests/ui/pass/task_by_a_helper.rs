//! Functions marked `background` that start their task through one helper (no P15).

#![deny(warnings)]

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Writes something down for the user.
#[chat_function(action_type = "write", event = "noted", effects = ["create:note"], data_model = Data, background)]
async fn note(ctx: Context, params: Params) -> Result<ActionResult> {
    start(ctx, params).await
}

/// Writes something down for the user again.
#[chat_function(action_type = "write", event = "noted", effects = ["create:note"], data_model = Data, background)]
async fn note_again(ctx: Context, params: Params) -> Result<ActionResult> {
    start(ctx, params).await
}

async fn start(ctx: Context, params: Params) -> Result<ActionResult> {
    ctx.background_task(|_| async { Ok(ActionResult::success(Data { text: params.text }, "Noted.")) }).await?;
    Ok(ActionResult::done("Noting."))
}

fn main() {}
