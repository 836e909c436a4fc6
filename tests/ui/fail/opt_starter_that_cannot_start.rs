//! `starter` on functions that start nothing, or that are written late without it.
//! mistakes: 2

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

/// Looks something up in the background.
#[chat_function(action_type = "read", starter)]
async fn look(ctx: Context, params: Params) -> Result<ActionResult> {
    ctx.background_task(move |_| async move { Ok(ActionResult::done(params.text)) }).await?;
    Ok(ActionResult::done("Looking."))
}

/// Stores something for the user.
#[chat_function(action_type = "write", event = "text.stored", effects = ["create:text"], starter)]
async fn store(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

fn main() {}
