//! The params are nothing.

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
async fn look(_ctx: Context, params: ()) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.0 }, "Found."))
}

fn main() {}
