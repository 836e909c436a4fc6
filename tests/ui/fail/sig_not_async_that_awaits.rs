//! The fn is not async but awaits.

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
fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    ctx.progress(50, "Looking").await?;
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
