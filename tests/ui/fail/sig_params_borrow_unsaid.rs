//! The params struct has a lifetime that the signature does not show.
//! one more error: the compiler has an error of its own for the fn, and a second for the type in the handler

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
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text.to_owned() }, "Found."))
}

fn main() {}
