//! A duplicate key.

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
#[chat_function(action_type = "read", event = "looked", event = "looked_up")]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
