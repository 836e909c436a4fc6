//! The params are text.

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
async fn look(_ctx: Context, text: String) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text }, "Found."))
}

fn main() {}
