//! A name of the form `tool_.._chat` (V25).

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
#[chat_function(action_type = "read", name = "tool_notes_chat")]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
