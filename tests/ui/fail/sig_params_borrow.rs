//! The params struct has a lifetime.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params<'a> {
    text: &'a str,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read")]
async fn look(_ctx: Context, params: Params<'_>) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text.to_owned() }, "Found."))
}

fn main() {}
