//! A write without the type of its data (V24). The warning is an error here.

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
#[chat_function(action_type = "write", event = "looked", effects = ["read:text"])]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

fn main() {}
