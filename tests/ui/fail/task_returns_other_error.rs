//! The work has another error type (P2).

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

async fn work(text: String) -> Result<ActionResult<Data>, String> {
    Ok(ActionResult::success(Data { text }, "Found."))
}

/// Looks something up for the user.
#[chat_function(action_type = "write", event = "looked", effects = ["read:text"], data_model = Data)]
async fn look(ctx: Context, params: Params) -> Result<ActionResult> {
    ctx.background_task(|_| work(params.text))
    .await?;
    Ok(ActionResult::done("Looking…"))
}

fn main() {}
