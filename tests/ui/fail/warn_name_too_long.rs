//! A name that is too long for language models (V33). The warning is an error here.

#![deny(deprecated)]

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
#[chat_function(action_type = "read", name = "look_up_everything_that_was_ever_written_down_anywhere_by_anyone")]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
