//! No return type, and a value.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read")]
async fn look(ctx: Context, params: Params) {
    ctx.progress(50, &params.text).await?;
    Ok(ActionResult::done("Found."))
}

fn main() {}
